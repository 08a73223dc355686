"""What is another implementation's, or another protocol's, and is easily taken for gRPC of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol_analysis import load
from protocol_analysis.findings.checking import check
from tests.test_findings_traps import document, matching, route, service

API = "gateway.networking.k8s.io/v1"


def found_in(folder: Path, text: str, **reader: str) -> list[tuple[str, str]]:
    (folder / "m.yaml").write_text(text, encoding="utf-8")
    return [(each.code, each.severity) for each in check(load(folder), **reader)]


def of_class(name: str) -> str:
    listeners = "listeners: [{name: l, protocol: HTTP, port: 80}]"
    return document(API, "Gateway", "g", f"gatewayClassName: {name}, {listeners}")


ON_A_GATEWAY = route(spec="parentRefs: [{name: g}], ")
CLASSES = {
    # class: (value, whether Envoy Gateway is to speak of it)
    "istio": ("http2", False),
    "istio-waypoint": ("http2", False),
    "gke-l7-global-external-managed": ("HTTP2", False),
    "eg": ("http2", True),
    "istio-like": ("http2", True),
}


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_that_a_controller_makes_says_whose_the_gateway_is(
    tmp_path: Path, name: str
) -> None:
    value, ours = CLASSES[name]
    found = found_in(tmp_path, service(value) + of_class(name) + ON_A_GATEWAY)
    assert (("AP003", "error") in found) == ours


def test_a_class_at_hand_wins(tmp_path: Path) -> None:
    """Whoever names a class istio and gives it to Envoy Gateway has said so."""
    controller = "gateway.envoyproxy.io/gatewayclass-controller"
    own = document(API, "GatewayClass", "istio", f"controllerName: {controller}")
    found = found_in(tmp_path, service("http2") + of_class("istio") + own + ON_A_GATEWAY)
    assert ("AP003", "error") in found


PATH = "path: {value: /shop.v1.Orders}"
TYPED = "headers: [{{name: content-type, value: {}}}]"
PLAIN = "{path: {value: /}}"
MATCHES = {
    "a service's path": (f"{{{PATH}}}", ["error"]),
    "an escaped pattern": (
        "{path: {type: RegularExpression, value: '^/shop\\.v1\\.Orders/.*$'}}",
        ["error"],
    ),
    "gRPC by its type": (f"{{{PATH}, {TYPED.format('application/grpc+proto')}}}", ["error"]),
    "gRPC-Web has the same path": (f"{{{PATH}, {TYPED.format('application/grpc-web')}}}", []),
    "Connect has too": (f"{{{PATH}, {TYPED.format('application/proto')}}}", []),
    "a page beside it": (f"{{{PATH}}}, {PLAIN}", ["warning"]),
}


@pytest.mark.parametrize(("matches", "severities"), MATCHES.values(), ids=MATCHES)
def test_paths_of_grpc(tmp_path: Path, matches: str, severities: list[str]) -> None:
    found = found_in(tmp_path, matching(matches))
    assert [severity for code, severity in found if code == "AP001"] == severities


def test_traefik_begins_tls_by_the_value(tmp_path: Path) -> None:
    text = service("https", port="grpcs") + route("GRPCRoute")
    assert "AP007" not in dict(found_in(tmp_path, text, implementation="traefik"))
