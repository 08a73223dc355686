"""Cases of names and listeners: what contradicts, what is no name, what hangs where."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import ENVOY, ISTIO
from tests.test_findings_traps import (
    ON_G,
    Case,
    document,
    gateway,
    holds,
    route,
    service,
)

CILIUM, AWS = "io.cilium/gateway-controller", "gateway.k8s.aws/alb"
H2C = "kubernetes.io/h2c"
SLASH = "kubernetes.io/h2c"
ON_GRPC = route("GRPCRoute", spec=ON_G)
HTTPS = "{name: l, protocol: HTTPS, port: 443}"


def https(name: str, hostname: str = "", secret: str = "", port: int = 443) -> str:
    host = f", hostname: '{hostname}'" if hostname else ""
    tls = f", tls: {{certificateRefs: [{{name: {secret}}}]}}" if secret else ""
    return f"{{name: {name}, protocol: HTTPS, port: {port}{host}{tls}}}"


def offering(alpn: str) -> str:
    target = "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: g}]"
    spec = f"{target}, tls: {{alpnProtocols: {alpn}}}"
    return document("gateway.envoyproxy.io/v1alpha1", "ClientTrafficPolicy", "c", spec)


def pod(container: str, labels: str = "app: a") -> str:
    spec = (
        f"template: {{metadata: {{labels: {{{labels}}}}}, spec: {{containers: [{{{container}}}]}}}}"
    )
    return document("apps/v1", "Deployment", "d", spec)


def exposing(name: str, value: str, target: str, selector: str) -> str:
    port = f"{{name: p, port: 80, targetPort: {target}, appProtocol: {value}}}"
    return document("v1", "Service", name, f"ports: [{port}], selector: {{{selector}}}")


def annotated(key: str, value: str, declared: str) -> str:
    text = service(declared, port="api")
    return text.replace("{name: a}", f"{{name: a, annotations: {{{key}: {value}}}}}", 1)


SHARED_NAME = f"{https('l', '*.x.com', 'one')}, {https('m', 'a.x.com', 'two')}"
SHARED_SECRET = f"{https('l', 'a.x.com', 'one')}, {https('m', 'b.x.com', 'one')}"
AP024 = [
    *(
        Case(
            name=f"{name}, at {release}",
            text=gateway(ENVOY, listeners) + ON_GRPC + more,
            code="AP024",
            severities=severities,
            release=release,
            message=message,
        )
        for name, listeners, more, release, severities, message in (
            ("one certificate", SHARED_SECRET, "", "1.9", ("error", "error"), "same certificate"),
            ("one certificate", SHARED_SECRET, "", "1.3", (), ""),
            ("one certificate", SHARED_SECRET, offering("[h2]"), "1.9", (), ""),
            ("one hostname", SHARED_NAME, "", "1.7.2", ("error", "error"), "(a.x.com)"),
            ("one hostname", SHARED_NAME, "", "1.7", ("warning", "warning"), ""),
            ("one hostname", SHARED_NAME, "", "1.9", (), ""),
            (
                "two labels under a wildcard",
                f"{https('l', '*.com', 'one')}, {https('m', 'a.x.com', 'two')}",
                "",
                "1.7.2",
                (),
                "",
            ),
            (
                "no hostname",
                f"{https('l', '', 'one')}, {https('m', 'a.x.com', 'two')}",
                "",
                "1.7.2",
                ("error", "error"),
                "(a.x.com)",
            ),
            (
                "two ports",
                f"{https('l', 'a.x.com', 'one')}, {https('m', 'b.x.com', 'one', 444)}",
                "",
                "1.9",
                (),
                "",
            ),
            ("alone", https("l", "a.x.com", "one"), "", "1.9", (), ""),
            (
                "a policy without h2",
                HTTPS,
                offering("[http/1.1]"),
                "1.9",
                ("error",),
                "offers http/1.1",
            ),
        )
    ),
    Case(
        name="a policy of Envoy Gateway's on a Gateway of Istio",
        text=gateway(ISTIO, HTTPS) + ON_GRPC + offering("[http/1.1]"),
        code="AP024",
    ),
    Case(
        name="one certificate at Istio",
        text=gateway(ISTIO, SHARED_SECRET) + ON_GRPC,
        code="AP024",
    ),
    Case(
        name="an HTTPRoute",
        text=gateway(ENVOY, SHARED_SECRET) + route(spec=ON_G),
        code="AP024",
    ),
    *(
        Case(
            name=f"at Cilium, {name}",
            text=gateway(CILIUM, listener) + text,
            code="AP024",
            severities=severities,
        )
        for name, listener, text, severities in (
            ("HTTPS", HTTPS, ON_GRPC, ("warning",)),
            ("HTTP", "{name: l, protocol: HTTP, port: 80}", ON_GRPC, ()),
            ("an HTTPRoute", HTTPS, route(spec=ON_G), ()),
        )
    ),
]

AP026 = [
    Case(
        name=f"{http} and {grpc}",
        text=gateway(
            AWS, "{name: l, protocol: HTTP, port: 80}, {name: m, protocol: HTTP, port: 81}"
        )
        + route(spec=f"parentRefs: [{http}], ")
        + route("GRPCRoute", spec=f"parentRefs: [{grpc}], "),
        code="AP026",
        severities=severities,
    )
    for http, grpc, severities in (
        ("{name: g, sectionName: l}", "{name: g, port: 80}", ("error",)),
        ("{name: g, sectionName: l}", "{name: g, port: 81}", ()),
        ("{name: g, port: 80}", "{name: g, sectionName: m}", ()),
        ("{name: g, sectionName: none}", "{name: g}", ()),
    )
] + [
    Case(
        name="on a Gateway that is not at hand",
        text=route(spec="parentRefs: [{name: g, sectionName: l}], ")
        + route("GRPCRoute", spec="parentRefs: [{name: g, port: 81}], "),
        code="AP026",
        severities=("error",),
        implementation="aws-load-balancer-controller",
    )
]

AP005 = [
    Case(
        name=f"a port named {name}, {value}",
        text=service(value, port=name) + route(rule=rule),
        code="AP005",
        severities=severities,
        message=message,
    )
    for name, value, rule, severities, message in (
        ("ws", H2C, "", ("warning",), "the port is named ws"),
        ("websocket", H2C, "", ("warning",), "the port is named websocket"),
        ("websocket-api", "grpc", "", ("warning",), "the port is named websocket-api"),
        ("ws-api", H2C, "", ("warning",), "the port is named ws-api"),
        ("wsgi", H2C, "", (), ""),
        # At an end `ws` is as often a web service: nothing of WebSocket follows.
        ("http-ws", H2C, "", (), ""),
        ("api-ws", H2C, "", (), ""),
        ("websocket", "kubernetes.io/ws", "", (), ""),
        ("websocket", "", "", (), ""),
        ("web", H2C, "", (), ""),
        ("ws", H2C, ", matches: [{path: {value: /a.B/C}}]", (), ""),
    )
] + [
    Case(
        name="an annotation for WebSocket",
        text=annotated("konghq.com/protocol", "ws", H2C) + route(),
        code="AP005",
        severities=("warning",),
        message="konghq.com/protocol: ws",
    )
]

AP011 = [
    *(
        Case(
            name=f"{name} with {value}",
            text=service(value, port=name),
            code="AP011",
            severities=severities,
        )
        for name, value, severities in (
            ("grpc", "http", ("warning",)),
            ("http-grpc", "grpc", ()),
            ("http-grpc", "http", ()),
            ("grpc-http", "http", ()),
            ("https-api", H2C, ("warning",)),
            ("api", "http", ()),
        )
    ),
    *(
        Case(
            name=f"{value or 'nothing'} behind {name}",
            text=service(value, port=port) + text,
            code="AP011",
            severities=severities,
            message=message,
        )
        for name, value, port, text, severities, message in (
            ("a GRPCRoute", "http", "api", route("GRPCRoute"), ("warning",), "leads gRPC there"),
            ("a GRPCRoute", "", "api", route("GRPCRoute"), (), ""),
            ("a GRPCRoute", "grpc", "api", route("GRPCRoute"), (), ""),
            ("a GRPCRoute, named so", "http", "grpc", route("GRPCRoute"), ("warning",), "says"),
            ("both", "http", "api", route("GRPCRoute") + route(), (), ""),
            ("an HTTPRoute", "http", "api", route(), (), ""),
        )
    ),
]

AP027 = [
    Case(
        name=name,
        text=first + second + more,
        code="AP027",
        severities=severities,
        mesh=mesh,
    )
    for name, first, second, more, mesh, severities in (
        (
            "one selector is a part of the other",
            exposing("a", "http", "9000", "app: a"),
            exposing("b", "grpc", "9000", "app: a, part: b"),
            "",
            "istio",
            ("warning",),
        ),
        (
            "two selectors that some pods have",
            exposing("a", "http", "9000", "app: a"),
            exposing("b", "grpc", "9000", "part: b"),
            pod("name: c, image: i", "app: a, part: b"),
            "istio",
            ("warning",),
        ),
        (
            "two selectors that no pods have",
            exposing("a", "http", "9000", "app: a"),
            exposing("b", "grpc", "9000", "part: b"),
            pod("name: c, image: i", "app: a"),
            "istio",
            (),
        ),
        (
            "a name that is the number",
            exposing("a", "http", "main", "app: a"),
            exposing("b", "grpc", "9000", "app: a"),
            pod("name: c, image: i, ports: [{name: main, containerPort: 9000}]"),
            "istio",
            ("warning",),
        ),
        (
            "a name that is another number",
            exposing("a", "http", "main", "app: a"),
            exposing("b", "grpc", "9000", "app: a"),
            pod("name: c, image: i, ports: [{name: main, containerPort: 9001}]"),
            "istio",
            (),
        ),
        (
            "other pods",
            exposing("a", "http", "9000", "app: a"),
            exposing("b", "grpc", "9000", "app: b"),
            "",
            "istio",
            (),
        ),
        (
            "the same said",
            exposing("a", "grpc", "9000", "app: a"),
            exposing("b", "grpc", "9000", "app: a, part: b"),
            "",
            "istio",
            (),
        ),
        (
            "no mesh",
            exposing("a", "http", "9000", "app: a"),
            exposing("b", "grpc", "9000", "app: a"),
            "",
            "",
            (),
        ),
        (
            "a mesh that reads the pods' ports otherwise",
            exposing("a", "http", "9000", "app: a"),
            exposing("b", "grpc", "9000", "app: a"),
            "",
            "linkerd",
            (),
        ),
    )
]

AP028 = [
    Case(
        name=f"{key}: {value} with {declared}",
        text=annotated(key, value, declared),
        code="AP028",
        severities=severities,
    )
    for key, value, declared, severities in (
        ("80.service.kuma.io/protocol", "http", H2C, ("warning",)),
        ("api.service.kuma.io/protocol", "http", H2C, ("warning",)),
        ("80.service.kuma.io/protocol", "grpc", H2C, ()),
        ("81.service.kuma.io/protocol", "http", H2C, ()),
    )
]

AP030 = [
    Case(name=name, text=text, code="AP030", severities=severities, message=message)
    for said, severities, message in (
        (SLASH, ("error",), repr(SLASH)),
        ("api", (), ""),
    )
    for name, text in (
        (
            f"a container's port {said}",
            pod(f"name: c, image: i, ports: [{{containerPort: 80, name: {said}}}]"),
        ),
        (f"a targetPort {said}", exposing("a", "http", said, "app: a")),
        (
            f"a probe by TCP of {said}",
            pod(f"name: c, image: i, livenessProbe: {{tcpSocket: {{port: {said}}}}}"),
        ),
        (
            f"a probe by gRPC of {said}",
            pod(f"name: c, image: i, livenessProbe: {{grpc: {{port: {said}}}}}"),
        ),
        (
            f"an Ingress to {said}",
            document(
                "networking.k8s.io/v1",
                "Ingress",
                "i",
                f"defaultBackend: {{service: {{name: a, port: {{name: {said}}}}}}}",
            ),
        ),
        (
            f"a BackendTLSPolicy for {said}",
            document(
                "gateway.networking.k8s.io/v1",
                "BackendTLSPolicy",
                "t",
                f"targetRefs: [{{group: '', kind: Service, name: a, sectionName: {said}}}]",
            ),
        ),
    )
]

OWNED = {
    "a label of Helm's": "labels: {app.kubernetes.io/managed-by: Helm}",
    "the annotation of a release": "annotations: {meta.helm.sh/release-name: shop}",
    "an ownerReference": "ownerReferences: [{apiVersion: v1, kind: Agent, name: a, uid: u}]",
    "a label of Flux": "labels: {kustomize.toolkit.fluxcd.io/name: shop}",
    "an annotation of Argo CD": "annotations: {argocd.argoproj.io/tracking-id: shop}",
}


def owned(by: str, value: str) -> str:
    return service(value, port="api", more=", selector: {app: a}").replace(
        "{name: a}", f"{{name: a, {by}}}", 1
    )


PROBED = pod("name: c, image: i, readinessProbe: {grpc: {port: 80}}")
AP029 = [
    *(
        Case(
            name=f"by {name}",
            text=owned(by, "h2c") + route(),
            code="AP029",
            severities=("info",),
            message="does not last, as AP003 would have it",
        )
        for name, by in OWNED.items()
    ),
    *(
        Case(
            name=name,
            text=owned(by, value) + text,
            code="AP029",
            severities=severities,
            message=message,
            mesh=mesh,
        )
        for by in [OWNED["the annotation of a release"]]
        for name, value, text, mesh, severities, message in (
            ("for AP001", "", PROBED + route(), "", ("info",), "as AP001 would"),
            ("for AP002", "grpc", route(), "linkerd", ("info",), "as AP002 would"),
            ("for nothing", H2C, PROBED + route(), "", (), ""),
            ("for http, which is well", "http", route(), "", (), ""),
        )
    ),
    Case(
        name="by nobody",
        text=service("h2c", more=", selector: {app: a}") + route(),
        code="AP029",
    ),
]

CASES = [*AP005, *AP011, *AP024, *AP026, *AP027, *AP028, *AP029, *AP030]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.code} {case.name}" for case in CASES])
def test_what_is_found(case: Case, tmp_path: Path) -> None:
    holds(case, tmp_path)
