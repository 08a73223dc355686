"""Cases by what is spoken: one port for two kinds of routes, near misses, each release."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import ENVOY, ISTIO
from tests.test_findings_traps import (
    CLIENT,
    ON_G,
    PODS,
    PROXY,
    TWO,
    Case,
    backend,
    document,
    gateway,
    holds,
    policy,
    route,
    secured,
    service,
)

CILIUM, TRAEFIK = "io.cilium/gateway-controller", "traefik.io/gateway-controller"
AWS, KGATEWAY = "gateway.k8s.aws/alb", "kgateway.dev/kgateway"
NGINX = "gateway.nginx.org/nginx-gateway-controller"
H2C, WS = "kubernetes.io/h2c", "kubernetes.io/ws"
BOTH = route() + route("GRPCRoute")
ON_BOTH = route(spec=ON_G) + route("GRPCRoute", spec=ON_G)
CHECKED = "healthCheck: {active: {type: HTTP, http: {path: /}}}"
BK = "{group: gateway.envoyproxy.io, kind: Backend, name: bk}"
METHOD = "{path: {value: /shop.v1.Orders/List}}"
HTTPS = "{name: l, protocol: HTTPS, port: 443}"
KUMA_HTTP2, KUMA_TCP = (
    f", annotations: {{80.service.kuma.io/protocol: {word}}}" for word in ("http2", "tcp")
)


def imported(value: str, more: str = "") -> str:
    ports = f"ports: [{{name: web, port: 80, appProtocol: {value}}}]"
    return document("multicluster.x-k8s.io/v1alpha1", "ServiceImport", "a", ports) + more


def to_import(kind: str) -> str:
    return route(kind, "{group: multicluster.x-k8s.io, kind: ServiceImport, name: a, port: 80}")


def probing(way: str) -> str:
    """A Service without a telling name, and pods whose probe asks its port."""
    return service(H2C, port="api", more=", selector: {app: a}") + PODS.replace(
        "grpc: {port: 80}", way
    )


AP004 = [
    *(
        Case(
            name=f"of a port with {value or 'nothing'}",
            text=service(value, port="api") + BOTH,
            code="AP004",
            severities=(severity,),
            message=message,
        )
        for value, severity, message in (
            ("", "info", "speaks http/1.1 for the former, h2 for the latter"),
            ("http", "info", "speaks http/1.1 for the former, h2 for the latter"),
            (H2C, "error", f"{H2C} makes envoy-gateway@v1.9.0 speak HTTP/2 for the former too"),
            ("grpc", "error", "grpc makes envoy-gateway@v1.9.0 speak HTTP/2"),
            (WS, "warning", "one appProtocol cannot serve both"),
        )
    ),
    *(
        Case(
            name=f"and the HTTPRoute matches {name}",
            text=service(H2C) + route(rule=f", matches: [{matches}]") + route("GRPCRoute"),
            code="AP004",
            severities=severities,
        )
        for name, matches, severities in (
            ("a method", METHOD, ()),
            ("a service", "{path: {value: /shop.v1.Orders/}}", ()),
            (
                "any method",
                "{path: {type: RegularExpression, value: '/shop.v1.Orders/.*'}}",
                (),
            ),
            ("gRPC's type", "{headers: [{name: content-type, value: application/grpc}]}", ()),
            ("more than gRPC", f"{METHOD}, {{path: {{value: /}}}}", ("error",)),
        )
    ),
    Case(
        name="before grpc was read",
        text=service("grpc") + BOTH,
        code="AP004",
        severities=("info",),
        release="1.0",
    ),
    Case(
        name="as the client, for one",
        text=service(H2C) + BOTH + policy(CLIENT),
        code="AP004",
        severities=("info",),
        message="speaks as the client does for the former",
    ),
    Case(
        name="turned by a neighbour, which is another fault",
        text=service("http") + service(H2C, "b") + route(refs=TWO) + route("GRPCRoute"),
        code="AP004",
    ),
    *(
        Case(
            name=f"at {controller}, {value or 'nothing'}",
            text=service(value) + gateway(controller) + ON_BOTH,
            code="AP004",
            severities=(severity,),
        )
        for controller, value, severity in (
            (ISTIO, "", "warning"),
            (ISTIO, H2C, "error"),
            (CILIUM, "", "warning"),
            (CILIUM, H2C, "warning"),  # which it does not read
        )
    ),
]

AP015 = [
    *(
        Case(
            name=f"of {name}",
            text=text + policy(CHECKED, kind),
            code="AP015",
            severities=severities,
        )
        for name, text, kind, severities in (
            ("a GRPCRoute's backend", service() + route("GRPCRoute"), "GRPCRoute", ("error",)),
            ("a port behind both", service() + BOTH, "GRPCRoute", ("warning",)),
            ("an h2c port", service(H2C) + route(), "HTTPRoute", ("warning",)),
            ("a plain port", service() + route(), "HTTPRoute", ()),
            (
                "a Backend behind a GRPCRoute",
                backend("") + route("GRPCRoute", refs=BK),
                "GRPCRoute",
                ("error",),
            ),
            ("a probe by gRPC", probing("grpc: {port: 80}") + route(), "HTTPRoute", ("error",)),
            (
                "a probe by HTTP",
                probing("httpGet: {path: /, port: 80}") + route("GRPCRoute"),
                "GRPCRoute",
                ("warning",),
            ),
        )
    ),
    Case(
        name="of a GRPCRoute's backend, by TCP",
        text=service()
        + route("GRPCRoute")
        + policy("healthCheck: {active: {type: TCP}}", "GRPCRoute"),
        code="AP015",
    ),
]

AP021 = [
    Case(
        name=f"{values} at {release}",
        text=backend(f", appProtocols: [{values}]") + route(refs=BK),
        code="AP021",
        severities=severities,
        release=release,
        message=message,
    )
    for own in ["gateway.envoyproxy.io/"]
    for values, release, severities, message in (
        (
            f"{own}h2c, {own}ws",
            "1.9",
            ("error",),
            "exclude each other; envoy-gateway@v1.9.0 speaks http/1.1",
        ),
        (
            f"{own}h2c, {own}ws",
            "1.6",
            ("error",),
            "exclude each other; envoy-gateway@v1.6.7 speaks h2",
        ),
        (f"{own}h2c, {own}h2c", "1.9", ("error",), "stands twice"),
        (f"{own}ws, {own}wss", "1.9", (), ""),
        (f"{own}h2c", "1.9", (), ""),
    )
]

AP021.append(
    Case(
        name="h2c and ws, of which another reads nothing",
        text=backend(", appProtocols: [gateway.envoyproxy.io/h2c, gateway.envoyproxy.io/ws]"),
        code="AP021",
        severities=("error",),
        implementation="contour",
        message="h2c and WebSocket exclude each other",
    )
)

AP003 = [
    *(
        Case(
            name=f"{value} at {release}",
            text=service(f"'{value}'") + more + route(),
            code="AP003",
            severities=severities,
            release=release,
            remedy=remedy,
        )
        for value, more, release, severities, remedy in (
            ("h2c", "", "1.9", ("error",), f"write {H2C}"),
            ("http/2", "", "1.9", ("error",), f"{H2C} for HTTP/2 in the clear"),
            ("HTTP2", "", "1.9", ("error",), "or a BackendTLSPolicy for HTTP/2 over TLS, as GKE"),
            ("HTTP2", secured(), "1.9", ("warning",), "declare nothing: over TLS the two ends"),
            ("HTTP2", secured(), "1.5", ("error",), "agree upon HTTP/2 by ALPN, from v1.6 on"),
            ("kubernetes.io/grpc", "", "1.9", ("error",), f"write {H2C}, or grpc"),
            ("kubernetes.io-ws", "", "1.9", ("warning",), f"write {WS}"),
            ("ws", "", "1.9", ("warning",), f"write {WS}"),
            ("ws", secured(), "1.9", ("error",), f"write {WS}"),  # ALPN may choose HTTP/2
            ("ws", secured(), "1.5", (), ""),  # nothing is read that says so
            ("kubernetes.io/http", "", "1.9", ("warning",), "write http, or nothing"),
            ("http", "", "1.9", (), ""),
            ("kubernetes.io/https", "", "1.9", ("warning",), "write https"),
            ("kubernetes.io/tunnel", "", "1.9", (), ""),
        )
    ),
    Case(
        name="h2c beside what makes it HTTP/2",
        text=service("h2c") + service(H2C, "b") + route(refs=TWO),
        code="AP003",
        severities=("warning",),
    ),
    Case(
        name="http2 where it is read",
        text=service("http2") + route(),
        code="AP003",
        implementation="istio",
    ),
    Case(
        name="h2c on a Backend, which is refused",
        text=backend(", appProtocols: [h2c]") + route(refs=BK),
        code="AP003",
    ),
]

AP001 = [
    Case(
        name=f"proxyProtocol at {release}, nothing declared",
        text=probing("grpc: {port: 80}").replace(f", appProtocol: {H2C}", "")
        + route()
        + policy(PROXY),
        code="AP001",
        severities=("error",),
        release=release,
        remedy=remedy,
    )
    for release, remedy in (
        ("1.5", "use a GRPCRoute, which needs no value, or declare"),
        ("1.8", "use a GRPCRoute or declare kubernetes.io/h2c, and upgrade to v1.9, or drop"),
        ("1.9", "use a GRPCRoute, which needs no value, or declare"),
    )
]

ONE_FAULT = [
    Case(
        name=f"{value} at {controller.partition('.')[0]}",
        text=service(value) + gateway(controller) + route(spec=ON_G),
        code=code,
        severities=severities,
    )
    for controller, value, code, severities in (
        (KGATEWAY, "https", "AP006", ("warning",)),
        (KGATEWAY, "https", "AP010", ()),
        (KGATEWAY, "kubernetes.io/wss", "AP006", ("error",)),
        (KGATEWAY, "kubernetes.io/wss", "AP010", ()),
        (NGINX, "kubernetes.io/wss", "AP006", ()),
        (NGINX, "kubernetes.io/wss", "AP010", ("error",)),
        (KGATEWAY, "tcp", "AP012", ("warning",)),
        (KGATEWAY, "tcp", "AP010", ()),
        (ENVOY, "tls", "AP006", ("warning",)),
        (ENVOY, "tls", "AP012", ()),
        (ENVOY, "wss", "AP006", ("error",)),
        (ENVOY, "kubernetes.io/https", "AP006", ("warning",)),
    )
] + [
    Case(
        name="tls with TLS",
        text=service("tls") + secured() + route(),
        code="AP012",
        severities=("warning",),
    )
]

AP010 = [
    *(
        Case(
            name=f"h2c at AWS behind {name}",
            text=service(H2C) + gateway(AWS, listener) + text,
            code="AP010",
            severities=severities,
            message=message,
        )
        for name, listener, text, severities, message in (
            (
                "HTTP",
                "{name: l, protocol: HTTP, port: 80}",
                route(spec=ON_G),
                ("warning",),
                "behind listener l, which has no TLS",
            ),
            ("HTTPS", HTTPS, route(spec=ON_G), (), ""),
            (
                "a GRPCRoute",
                "{name: l, protocol: HTTP, port: 80}",
                route("GRPCRoute", spec=ON_G),
                (),
                "",
            ),
        )
    ),
    Case(
        name="h2c at another behind HTTP",
        text=service(H2C) + gateway(KGATEWAY) + route(spec=ON_G),
        code="AP010",
    ),
    *(
        Case(
            name=f"ws at kgateway {release}",
            text=service(WS) + route(),
            code="AP010",
            severities=severities,
            implementation="kgateway",
            release=release,
        )
        for release, severities in (("2.0.0", ("warning",)), ("2.1.0", ()))
    ),
    *(
        Case(
            name=f"{value} at Cilium behind {name}",
            text=service(value, port="api") + gateway(CILIUM) + text,
            code="AP010",
            severities=severities,
        )
        for value, name, text, severities in (
            # As the client speaks: to HTTP/1.1 that is no harm, to HTTP/2 it may be.
            ("http", "an HTTPRoute", route(spec=ON_G), ()),
            (H2C, "an HTTPRoute", route(spec=ON_G), ("warning",)),
            ("http2", "an HTTPRoute", route(spec=ON_G), ("warning",)),
            # Of http behind a GRPCRoute another rule tells.
            ("http", "a GRPCRoute", route("GRPCRoute", spec=ON_G), ()),
            ("http", "both", ON_BOTH, ()),
            (H2C, "a GRPCRoute", route("GRPCRoute", spec=ON_G), ()),
            (WS, "a GRPCRoute", route("GRPCRoute", spec=ON_G), ("warning",)),
        )
    ),
    *(
        Case(
            name=f"{value} at Kuma, {name}",
            text=service(value, port="api").replace("{name: a}", f"{{name: a{marks}}}", 1) + text,
            code=code,
            severities=severities,
            implementation=implementation,
            mesh=mesh,
            message=message,
        )
        for code, value, name, marks, text, implementation, mesh, severities, message in (
            ("AP010", H2C, "asked", "", "", "kuma", "", ("warning",), "kuma@main speaks tcp"),
            ("AP010", H2C, "asked, routed", "", route(), "kuma", "", ("warning",), ""),
            ("AP010", H2C, "declared", "", route(), "envoy-gateway", "kuma", ("warning",), ""),
            ("AP010", H2C, "annotated", KUMA_HTTP2, "", "kuma", "", (), ""),
            ("AP010", H2C, "annotated tcp", KUMA_TCP, "", "kuma", "", ("warning",), ""),
            ("AP010", "http2", "asked", "", "", "kuma", "", (), ""),
            ("AP010", H2C, "another mesh", "", "", "linkerd", "", (), ""),
            # Kubernetes has it so: it is no near miss of http2.
            ("AP003", H2C, "asked", "", route(), "kuma", "", (), ""),
            ("AP003", "h2c", "asked", "", route(), "kuma", "", ("error",), "speaks tcp to it"),
        )
    ),
    Case(
        name="ws where it is not read, and upgraded all the same",
        text=service(WS) + gateway(CILIUM) + route(spec=ON_G),
        code="AP010",
        severities=("warning",),  # what the client speaks is spoken
    ),
]

AP007 = [
    *(
        Case(
            name=f"at {name}, not told which release",
            text=service(value) + text + route("GRPCRoute", spec=ON_G) + gateway(controller),
            code="AP007",
            severities=severities,
        )
        for name, controller, value, text, severities in (
            ("Cilium", CILIUM, "", secured(), ("warning",)),
            ("Cilium, without TLS", CILIUM, "", "", ()),
            ("Cilium, for another", CILIUM, "", secured("b"), ()),
            ("Traefik", TRAEFIK, "", secured(), ("warning",)),
            ("NGINX", NGINX, "", secured(), ("warning",)),
            ("Istio", ISTIO, "", secured(), ("error",)),
            ("Envoy Gateway", ENVOY, "", secured(), ()),
            ("kgateway", KGATEWAY, "", secured(), ()),
        )
    ),
    *(
        Case(
            name=f"at {implementation}@{release}",
            text=service() + secured() + route("GRPCRoute"),
            code="AP007",
            severities=severities,
            implementation=implementation,
            release=release,
        )
        for implementation, release, severities in (
            ("cilium", "1.20.1", ("error",)),
            ("cilium", "main", ("warning",)),
            ("traefik", "3.5.3", ("error",)),
            ("traefik", "main", ("warning",)),
            ("nginx-gateway-fabric", "2.7.0", ("warning",)),
            ("contour", "main", ()),
        )
    ),
]

AP019 = [
    Case(
        name=f"grpc {name} at {release}",
        text=text,
        code="AP019",
        severities=severities,
        release=release,
        message=message,
    )
    for name, text, release, severities, message in (
        ("without a route", imported("grpc"), "1.8", ("info",), "which counts from v1.9 on"),
        ("without a route", imported("grpc"), "1.9", (), ""),
        (
            "as the client",
            imported("grpc", to_import("HTTPRoute") + policy(CLIENT)),
            "1.8",
            ("info",),
            "",
        ),
        ("behind a GRPCRoute", imported("grpc", to_import("GRPCRoute")), "1.8", (), ""),
        ("behind an HTTPRoute", imported("grpc", to_import("HTTPRoute")), "1.8", ("error",), ""),
    )
] + [Case(name="h2c without a route", text=imported(H2C), code="AP019", release="1.8")]

CASES = [*AP001, *AP003, *AP004, *AP007, *AP010, *ONE_FAULT, *AP015, *AP019, *AP021]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.code} {case.name}" for case in CASES])
def test_what_is_found(case: Case, tmp_path: Path) -> None:
    holds(case, tmp_path)
