"""Listeners that one proxy serves overlap, whoever has them: Gateways, ListenerSets, merges."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import ENVOY
from tests.test_findings_names import ON_GRPC, https
from tests.test_findings_traps import Case, document, gateway, holds, route

PROXY = "{group: gateway.envoyproxy.io, kind: EnvoyProxy, name: e, namespace: default}"
MERGING = document("gateway.envoyproxy.io/v1alpha1", "EnvoyProxy", "e", "mergeGateways: true")
APART = MERGING.replace("true", "false")
ONE, OTHER = https("l", "a.x.com", "one"), https("m", "b.x.com", "one")
WIDE = https("w", "*.x.com", "two")
ALLOWING = "allowedListeners: {namespaces: {from: Same}}"


def of_class(name: str, listeners: str, more: str = "", of: str = "c") -> str:
    spec = f"gatewayClassName: {of}, listeners: [{listeners}]{more}"
    return document("gateway.networking.k8s.io/v1", "Gateway", name, spec)


def two_gateways(one: str, other: str, proxy: str = MERGING, of: str = "c") -> str:
    """A GatewayClass with an EnvoyProxy, the Gateway g, and another that may be of its class."""
    spec = f"controllerName: {ENVOY}, parametersRef: {PROXY}"
    made = document("gateway.networking.k8s.io/v1", "GatewayClass", "c", spec)
    return (
        made
        + made.replace("name: c", "name: d", 1)
        + proxy
        + of_class("g", one)
        + (of_class("h", other, of=of))
    )


def listener_set(listeners: str, kind: str = "ListenerSet", gateway: str = "g") -> str:
    """Listeners of their own for a Gateway."""
    api = "gateway.networking.k8s.io/v1"
    if kind == "XListenerSet":
        api = "gateway.networking.x-k8s.io/v1alpha1"
    return document(api, kind, "s", f"parentRef: {{name: {gateway}}}, listeners: [{listeners}]")


def with_set(more: str, listeners: str, kind: str = "ListenerSet", gateway: str = "g") -> str:
    """The Gateway g with one listener, and a ListenerSet."""
    made = document("gateway.networking.k8s.io/v1", "GatewayClass", "c", f"controllerName: {ENVOY}")
    more = f", {more}" if more else ""
    return made + of_class("g", ONE, more) + listener_set(listeners, kind, gateway)


ON_SET = route("GRPCRoute", spec="parentRefs: [{kind: ListenerSet, name: s}], ")
CASES = [
    Case(
        name=f"{name}, at {release}",
        text=text,
        code="AP024",
        severities=severities,
        release=release,
        message=message,
    )
    for name, release, text, severities, message in (
        (
            "merged Gateways",
            "1.9",
            two_gateways(ONE, OTHER) + ON_GRPC,
            ("error",),
            "same certificate as listener m of Gateway default/h (one)",
        ),
        ("merged Gateways", "1.3", two_gateways(ONE, OTHER) + ON_GRPC, (), ""),
        (
            "merged Gateways with a hostname in common",
            "1.7.2",
            two_gateways(ONE, WIDE) + ON_GRPC,
            ("error",),
            "same hostname as listener w of Gateway default/h (a.x.com)",
        ),
        ("Gateways that are not merged", "1.9", two_gateways(ONE, OTHER, APART) + ON_GRPC, (), ""),
        (
            "an EnvoyProxy that is not at hand",
            "1.9",
            two_gateways(ONE, OTHER, "") + ON_GRPC,
            (),
            "",
        ),
        (
            "merged Gateways of two classes",
            "1.9",
            two_gateways(ONE, OTHER, of="d") + ON_GRPC,
            (),
            "",
        ),
        (
            "merged Gateways, on two ports",
            "1.9",
            two_gateways(ONE, https("m", "b.x.com", "one", 444)) + ON_GRPC,
            (),
            "",
        ),
        (
            "an EnvoyProxy of the Gateway, which merges nothing",
            "1.9",
            gateway(ENVOY, ONE)
            + MERGING
            + of_class("h", OTHER, f", infrastructure: {{parametersRef: {PROXY}}}")
            + ON_GRPC,
            (),
            "",
        ),
        (
            "a ListenerSet",
            "1.9",
            with_set(ALLOWING, OTHER) + ON_GRPC,
            ("error",),
            "same certificate as listener m of ListenerSet default/s (one)",
        ),
        (
            "on a ListenerSet",
            "1.9",
            with_set(ALLOWING, OTHER) + ON_SET,
            ("error",),
            "same certificate as listener l of Gateway default/g (one)",
        ),
        ("a ListenerSet before it is watched", "1.4", with_set(ALLOWING, OTHER) + ON_GRPC, (), ""),
        (
            "an XListenerSet",
            "1.7.2",
            with_set(ALLOWING, OTHER, "XListenerSet") + ON_GRPC,
            ("error",),
            "of XListenerSet default/s",
        ),
        (
            "an XListenerSet that is not watched any more",
            "1.9",
            with_set(ALLOWING, OTHER, "XListenerSet") + ON_GRPC,
            (),
            "",
        ),
        ("a ListenerSet that is not let in", "1.9", with_set("", OTHER) + ON_GRPC, (), ""),
        (
            "a ListenerSet of another namespace",
            "1.9",
            with_set(ALLOWING, OTHER)
            .replace("{name: s}", "{name: s, namespace: n}")
            .replace("parentRef: {name: g}", "parentRef: {name: g, namespace: default}")
            + ON_GRPC,
            (),
            "",
        ),
        (
            "a ListenerSet of another Gateway",
            "1.9",
            with_set(ALLOWING, OTHER, gateway="h") + ON_GRPC,
            (),
            "",
        ),
        (
            "a ListenerSet of a merged Gateway",
            "1.9",
            two_gateways(ONE, f"{WIDE}], {ALLOWING}, addresses: [")
            + listener_set(OTHER, gateway="h")
            + ON_GRPC,
            ("error",),
            "same certificate as listener m of ListenerSet default/s (one)",
        ),
    )
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_listeners_of_one_proxy(case: Case, tmp_path: Path) -> None:
    holds(case, tmp_path)
