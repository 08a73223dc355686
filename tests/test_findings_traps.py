"""Cases that are easily taken for bad, or for good: what each is, by release and by reader."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from protocol_analysis import load
from protocol_analysis.findings.checking import check
from tests.support import ENVOY, ISTIO

AWS = "gateway.k8s.aws/alb"
TWO = "{name: a, port: 80}, {name: b, port: 80}"
FILTERED = (
    "{name: a, port: 80, filters: [{type: RequestHeaderModifier, requestHeaderModifier: "
    "{set: [{name: x, value: y}]}}]}, {name: b, port: 80}"
)
ZONE = "loadBalancer: {type: LeastRequest, zoneAware: {preferLocal: {}}}"
UDP, GRPC = "{name: q, port: 80, protocol: UDP}", ", appProtocol: grpc"
CLIENT, PROXY = "useClientProtocol: true", "proxyProtocol: {version: V2}"


def document(api: str, kind: str, name: str, spec: str) -> str:
    return f"apiVersion: {api}\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n---\n"


def service(value: str = "", name: str = "a", port: str = "web", more: str = "") -> str:
    declared = f", appProtocol: {value}" if value else ""
    spec = f"ports: [{{name: {port}, port: 80{declared}}}]{more}"
    return document("v1", "Service", name, spec)


def route(
    kind: str = "HTTPRoute", refs: str = "{name: a, port: 80}", spec: str = "", rule: str = ""
) -> str:
    name = kind[0].lower()
    rules = f"{spec}rules: [{{backendRefs: [{refs}]{rule}}}]"
    return document("gateway.networking.k8s.io/v1", kind, name, rules)


def matching(match: str) -> str:
    # The number 80 would hint at HTTP/1.1.
    text = service(port="api") + route(rule=f", matches: [{match}]")
    return text.replace("port: 80", "port: 8080")


def gateway(controller: str, listeners: str = "{name: l, protocol: HTTP, port: 80}") -> str:
    api = "gateway.networking.k8s.io/v1"
    spec = f"gatewayClassName: c, listeners: [{listeners}]"
    return document(api, "GatewayClass", "c", f"controllerName: {controller}") + document(
        api, "Gateway", "g", spec
    )


def secured(name: str = "a") -> str:
    target = f"targetRefs: [{{group: '', kind: Service, name: {name}}}]"
    spec = f"{target}, validation: {{wellKnownCACertificates: System, hostname: a}}"
    return document("gateway.networking.k8s.io/v1", "BackendTLSPolicy", f"t{name}", spec)


def policy(says: str, kind: str = "HTTPRoute") -> str:
    target = f"{{group: gateway.networking.k8s.io, kind: {kind}, name: {kind[0].lower()}}}"
    spec = f"targetRefs: [{target}], {says}"
    return document("gateway.envoyproxy.io/v1alpha1", "BackendTrafficPolicy", "b", spec)


def backend(spec: str) -> str:
    endpoint = f"endpoints: [{{fqdn: {{hostname: x.example.com, port: 443}}}}]{spec}"
    return document("gateway.envoyproxy.io/v1alpha1", "Backend", "bk", endpoint)


def both_kinds(http: str, grpc: str) -> str:
    """An HTTPRoute and a GRPCRoute on the Gateway g, which has two listeners."""
    listeners = "{name: l, protocol: HTTP, port: 80}, {name: m, protocol: HTTP, port: 81}"
    routes = route(spec=f"{http}, ") + route("GRPCRoute", spec=f"{grpc}, ")
    return service() + routes + gateway(AWS, listeners)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Manifests, and how bad one code finds them for a reader."""

    name: str
    text: str
    code: str
    severities: tuple[str, ...] = ()
    release: str | None = None
    implementation: str = "envoy-gateway"
    mesh: str = ""
    remedy: str = ""
    message: str = ""


WSS_OVER_TLS = service("kubernetes.io/wss") + secured()
PODS = """apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  template:
    metadata: {labels: {app: a}}
    spec: {containers: [{name: a, image: a, readinessProbe: {grpc: {port: 80}}}]}
---
"""
ON_G = "parentRefs: [{name: g}], "
BY_PROXY = (
    ", parametersRef: {group: gateway.envoyproxy.io, kind: EnvoyProxy, name: e, namespace: default}"
)
BK = "{group: gateway.envoyproxy.io, kind: Backend, name: bk}"
SINK = document(
    "gateway.envoyproxy.io/v1alpha1",
    "EnvoyProxy",
    "e",
    "telemetry: {tracing: {provider: {type: OpenTelemetry, backendRefs: [{name: a, port: 80}]}}}",
)
TLS_AND_CLEAR = service() + service(name="b") + secured("b")
CASES = [
    *(
        Case(
            name=f"TLS and clear, at {release}",
            text=TLS_AND_CLEAR + route(refs=TWO),
            code="AP014",
            severities=severities,
            release=release,
        )
        for release, severities in (
            ("1.5", ()),
            ("1.6.1", ("error",)),
            ("1.6.3", ("warning",)),
            ("1.9", ("warning",)),
        )
    ),
    *(
        Case(name=f"TLS and clear, {name}", text=TLS_AND_CLEAR + text, code="AP014", release=at)
        for at in ("1.6.1", "1.9")
        for name, text in (
            ("apart for filters", route(refs=FILTERED)),
            ("apart for zones", route(refs=TWO) + policy(ZONE)),
            ("as the client", route(refs=TWO) + policy(CLIENT)),
            (
                "apart for name and address",
                backend(", tls: {wellKnownCACertificates: System}")
                + document(
                    "gateway.envoyproxy.io/v1alpha1",
                    "Backend",
                    "ip",
                    "endpoints: [{ip: {address: 192.0.2.1, port: 80}}]",
                )
                + route(refs=f"{BK}, {BK.replace('bk', 'ip')}"),
            ),
        )
    ),
    Case(
        name="ws behind a GRPCRoute",
        text=service("kubernetes.io/ws") + route("GRPCRoute"),
        code="AP017",
        severities=("error",),
    ),
    Case(
        name="ws behind a GRPCRoute, as the client",
        text=service("kubernetes.io/ws") + route("GRPCRoute") + policy(CLIENT, "GRPCRoute"),
        code="AP017",
    ),
    *(
        Case(
            name=f"wss over TLS, offering {offered}",
            text=WSS_OVER_TLS
            + route(spec=ON_G)
            + gateway(ENVOY + BY_PROXY)
            + document(
                "gateway.envoyproxy.io/v1alpha1",
                "EnvoyProxy",
                "e",
                f"backendTLS: {{alpnProtocols: {offered}}}",
            ),
            code="AP018",
            severities=severities,
            release="1.6.1",
        )
        for offered, severities in (
            ("[http/1.1]", ()),
            ("[h2, http/1.1]", ("error",)),
            ("[]", ("error",)),
        )
    ),
    *(
        Case(
            name=f"gRPC over TLS on Istio, {name}",
            text=text + secured() + route("GRPCRoute", spec=ON_G) + gateway(ISTIO),
            code="AP007",
            severities=severities,
        )
        for name, text, severities in (
            ("nothing said", service(), ("error",)),
            ("by the name", service(port="grpc"), ()),
            ("by the value", service("grpc"), ()),
        )
    ),
    Case(
        name="behind both kinds of routes",
        text=service() + route() + route("GRPCRoute"),
        code="AP001",
    ),
    Case(
        name="behind both kinds of routes, named grpc",
        text=service(port="grpc") + route() + route("GRPCRoute"),
        code="AP001",
        severities=("warning",),
    ),
    Case(
        name="behind both kinds of routes, at Istio",
        text=service() + route(spec=ON_G) + route("GRPCRoute", spec=ON_G) + gateway(ISTIO),
        code="AP001",
        severities=("warning",),  # for the GRPCRoute, by which Istio does not go
        message="although GRPCRoute default/g leads there",
    ),
    *(
        Case(
            name=f"beside h2c, {name}",
            text=text + service("kubernetes.io/h2c", "b") + route(refs=TWO),
            code="AP013",
            severities=severities,
        )
        for name, text, severities in (
            ("nothing said", service(), ("error",)),
            ("http", service("http"), ("error",)),
            ("http, named grpc", service("http", port="grpc"), ("error",)),
            ("h2c", service("h2c"), ()),
            ("H2C", service("H2C"), ()),
            ("k8s.io/h2c", service("k8s.io/h2c"), ()),
            ("named grpc", service(port="grpc"), ()),
            ("a gRPC probe", service(more=", selector: {app: a}") + PODS, ()),
            ("a GRPCRoute too", service() + route("GRPCRoute"), ()),
            ("over TLS", service() + secured(), ("warning",)),
            ("over TLS, http", service("http") + secured(), ("warning",)),
            ("over TLS, h2c", service("h2c") + secured(), ()),
        )
    ),
    Case(
        name="wss on a Backend",
        text=backend(", appProtocols: [gateway.envoyproxy.io/wss]") + route(refs=BK),
        code="AP006",
        severities=("error",),
    ),
    Case(
        name="wss on a Backend with TLS",
        text=backend(
            ", appProtocols: [gateway.envoyproxy.io/wss], tls: {wellKnownCACertificates: System}"
        )
        + route(refs=BK),
        code="AP006",
    ),
    Case(
        name="https in Istio's mesh",
        text=service("https") + route(spec="parentRefs: [{group: '', kind: Service, name: a}], "),
        code="AP006",
        mesh="istio",
    ),
    Case(
        name="https at Istio's gateway",
        text=service("https") + route(spec=ON_G) + gateway(ISTIO),
        code="AP006",
        severities=("warning",),
    ),
    Case(
        name="https, from several routes and rules",
        text=service("https") + route() + route(refs=TWO) + route("GRPCRoute"),
        code="AP006",
        severities=("warning",),
    ),
    *(
        Case(
            name=f"{http} and {grpc}",
            text=both_kinds(f"parentRefs: [{http}", f"parentRefs: [{grpc}"),
            code="AP026",
            severities=("error",) if shared else (),
            message=f"both take {shared}",
        )
        for http, grpc, shared in (
            ("{name: g, port: 80}]", "{name: g, port: 81}]", ""),
            ("{name: g, port: 80}]", "{name: g, port: 80}]", "every hostname"),
            ("{name: g, sectionName: l}]", "{name: g, sectionName: m}]", ""),
            ("{name: g, sectionName: l}]", "{name: g}]", "every hostname"),
            ("{name: g}], hostnames: ['*.x.com']", "{name: g}], hostnames: [a.x.com]", "a.x.com"),
            ("{name: g}], hostnames: [a.x.com]", "{name: g}], hostnames: ['*.x.com']", "a.x.com"),
            ("{name: g}], hostnames: [x.com]", "{name: g}], hostnames: ['*.x.com']", ""),
            ("{name: g}], hostnames: [a.x.com]", "{name: g}]", "a.x.com"),
        )
    ),
    *(
        Case(
            name=f"a match of {match}",
            text=matching(match),
            code="AP001",
            severities=("error",) if said else (),
            message=said,
        )
        for match, said in (
            ("{path: {value: /shop.v1.Orders/List}}", "the rule matches /shop.v1.Orders/List"),
            ("{path: {value: /shop.v1.Orders}}", "the rule matches /shop.v1.Orders"),
            ("{path: {value: /shop.v1.API/List}}", "the rule matches /shop.v1.API/List"),
            ("{path: {value: /README.TXT}}", ""),
            ("{path: {value: /readme.TXT}}", ""),
            ("{path: {value: /Default.Aspx}}", ""),
            ("{path: {value: /Download.Center}}", ""),
            (
                "{headers: [{name: Content-Type, value: application/grpc+proto}]}",
                "the rule matches content-type application/grpc+proto",
            ),
            ("{headers: [{name: content-type, value: application/grpc-web}]}", ""),
        )
    ),
    *(
        Case(
            name=f"proxyProtocol at {release}, {name}",
            text=text + policy(PROXY, kind),
            code="AP001",
            severities=severities,
            release=release,
            remedy="upgrade to v1.9, or drop proxyProtocol",
        )
        for release, severities in (("1.5", ()), ("1.8", ("error",)), ("1.9", ()))
        for name, kind, text in (
            ("a GRPCRoute", "GRPCRoute", service() + route("GRPCRoute")),
            ("h2c", "HTTPRoute", service("kubernetes.io/h2c") + route()),
        )
    ),
    *(
        Case(
            name=f"http2 settings, {name}",
            text=service() + route(refs=refs) + policy("http2: {}"),
            code="AP009",
            severities=severities,
        )
        for name, refs, severities in (
            ("all known", "{name: a, port: 80}", ("warning",)),
            ("one not known", TWO, ()),
        )
    ),
    *(
        Case(
            name=f"a listener for GRPC, {controller}",
            text=gateway(controller, "{name: l, protocol: GRPC, port: 80}"),
            code="AP025",
            severities=severities,
        )
        for controller, severities in ((ENVOY, ("error",)), (ISTIO, ()), ("example.com/other", ()))
    ),
    *(
        Case(
            name=f"a sink that declares grpc, {name}",
            text=service("grpc") + SINK + more,
            code="AP008",
            severities=severities,
            release="1.7",
        )
        for name, more, severities in (("alone", "", ("info",)), ("behind a route", route(), ()))
    ),
    *(
        Case(
            name=f"grpc behind an HTTPRoute of {reader}",
            text=service("grpc") + route(),
            code="AP002",
            severities=severities,
            implementation=reader,
        )
        for reader, severities in (
            ("contour", ("error",)),
            ("traefik", ("error",)),
            ("nginx-gateway-fabric", ("error",)),
            ("istio", ("info",)),
        )
    ),
    Case(
        name="grpc behind a GRPCRoute, whose value is not asked for",
        text=service("grpc")
        + gateway("gateway.nginx.org/nginx-gateway-controller")
        + route("GRPCRoute", spec="parentRefs: [{name: g}], "),
        code="AP002",
        severities=(),
    ),
    Case(
        name="grpc before it was read",
        text=service("grpc") + route(),
        code="AP002",
        severities=("error",),
        release="1.0",
    ),
    *(
        Case(
            name=f"a twin, {name}",
            text=document("v1", "Service", "a", f"ports: [{UDP}, {{name: w, port: 80{value}}}]")
            + more,
            code="AP032",
            severities=severities,
            release=release,
        )
        for name, value, more, release, severities in (
            ("behind an HTTPRoute", GRPC, route(), "1.9", ("error",)),
            ("behind a GRPCRoute", GRPC, route("GRPCRoute"), "1.9", ()),
            ("that says the default", ", appProtocol: http", route(), "1.9", ()),
            ("before it was read", ", appProtocol: kubernetes.io/ws", route(), "1.7.0", ()),
            (
                "on another's Gateway",
                GRPC,
                gateway(ISTIO) + route(spec="parentRefs: [{name: g}], "),
                "1.9",
                (),
            ),
        )
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.code} {case.name}" for case in CASES])
def test_trap(case: Case, tmp_path: Path) -> None:
    holds(case, tmp_path)


def holds(case: Case, tmp_path: Path) -> None:
    """What is found of a case is what it says."""
    (tmp_path / "a.yaml").write_text(case.text, encoding="utf-8")
    inventory = load(tmp_path)
    assert (inventory.unreadable, inventory.warnings) == ((), ())
    meshes = [case.mesh] if case.mesh else []
    found = check(inventory, case.implementation, case.release, meshes, [case.code])
    assert tuple(each.severity for each in found) == case.severities
    assert all(case.remedy in each.remedy for each in found)
    assert all(case.message in each.message for each in found)
