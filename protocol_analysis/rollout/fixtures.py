"""The truth table as test inputs: for Envoy Gateway's translator, and in conformance's way. Pure.

A `*.in.yaml` is one world of Gateways, routes, Services and EndpointSlices, in the format of Envoy
Gateway's translator tests: one for each backend kind on each route kind, with a route for every
declaration. What the release makes of each stands in a comment above, for whoever reads the
outputs. A Backend is in them with values that its CRD would refuse: the translator does not ask.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import yaml

from protocol_analysis.model import BACKEND_GROUPS, ENVOY_GATEWAY, GATEWAY_API, MCS
from protocol_analysis.readers import Reader, base_of
from protocol_analysis.resolver import TRANSPORTS
from protocol_analysis.rollout.cases import PORT, Case, cases
from protocol_analysis.speaking import rules_of
from protocol_analysis.wiring import needs

NAMESPACE, GATEWAYS = "default", "envoy-gateway"
_LISTENERS = {"HTTPRoute": "HTTP", "GRPCRoute": "HTTP", "TLSRoute": "TLS"}
_SECTIONS = {
    "HTTPRoute": "httpRoutes",
    "GRPCRoute": "grpcRoutes",
    "TLSRoute": "tlsRoutes",
    "TCPRoute": "tcpRoutes",
    "UDPRoute": "udpRoutes",
    "Service": "services",
    "ServiceImport": "serviceImports",
    "Backend": "backends",
}
_SLICE_LABELS = {
    "Service": "kubernetes.io/service-name",
    "ServiceImport": "multicluster.kubernetes.io/service-name",
}
_FIRST_PORT = 9001  # of listeners for routes that share none
_FAR = "192.0.2.10"  # an address for documentation (RFC 5737)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixture:
    """A file: its name, and its YAML with what is expected in comments."""

    name: str
    text: str


def fixtures(by: Reader) -> list[Fixture]:
    """The translator inputs of a release or a proposal, then its manifests for ServiceImport.

    >>> from protocol_analysis.readers import reader
    >>> [fixture.name for fixture in fixtures(reader("1.9"))][:2]
    ['httproute-with-service-appprotocol.in.yaml', 'grpcroute-with-service-appprotocol.in.yaml']
    """
    known = cases(by)
    groups = groupby(known, key=lambda case: (case.kind, case.route_kind))
    inputs = [_translator(by, kind, route, list(group)) for (kind, route), group in groups]
    imports = [c for c in known if (c.kind, c.route_kind) == ("ServiceImport", "HTTPRoute")]
    return [*inputs, *(_conformance(case, number) for number, case in enumerate(imports, 1))]


def _translator(by: Reader, kind: str, route: str, rows: list[Case]) -> Fixture:
    """One world: a Gateway, and for each declaration a route, a backend and its endpoints."""
    version = _version(by, route)
    routes, backends, slices = [], [], []
    for number, case in enumerate(rows, 1):
        name = f"{kind.lower()}-{number}"
        routes.append(_route(route, version, kind, name, number))
        backends.append(_backend(case, name, route))
        if kind != "Backend":
            slices.append(_endpoints(kind, name, route))
    world: dict[str, Any] = {
        "gateways": [_gateway(route, len(rows))],
        _SECTIONS[route]: routes,
        _SECTIONS[kind]: backends,
        **({"endpointSlices": slices} if slices else {}),
    }
    head = [
        f"What {base_of(by.implementation)} makes of appProtocol on a {kind} behind a {route}:",
        f"{by.implementation} {by.release}.",
        *(f"{route.lower()}-{number}: {_expected(case)}" for number, case in enumerate(rows, 1)),
    ]
    name = f"{route}-with-{kind}-appprotocol.in.yaml".lower()
    return Fixture(name=name, text=_comment(head) + _dump(world))


def _version(by: Reader, route: str) -> str:
    """The version in which the release watches a route kind."""
    wires = rules_of(by)[1]
    known = needs(route, wires) if wires else None
    return known[0] if known else "v1"


def _gateway(route: str, count: int) -> dict[str, Any]:
    """Routes by host name share a listener; those by port have one each."""
    protocol = _LISTENERS.get(route, TRANSPORTS.get(route, "TCP"))
    listener: dict[str, Any] = {
        "name": "listener",
        "protocol": protocol,
        "port": 8443 if protocol == "TLS" else 80,
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    if protocol == "TLS":
        listener["tls"] = {"mode": "Passthrough"}
    several = [
        {**listener, "name": f"listener-{n}", "port": _FIRST_PORT + n - 1}
        for n in range(1, count + 1)
    ]
    return {
        "apiVersion": f"{GATEWAY_API}/v1",
        "kind": "Gateway",
        "metadata": {"namespace": GATEWAYS, "name": "gateway-1"},
        "spec": {
            "gatewayClassName": "envoy-gateway-class",
            "listeners": [listener] if route in _LISTENERS else several,
        },
    }


def _route(route: str, version: str, kind: str, backend: str, number: int) -> dict[str, Any]:
    shared = route in _LISTENERS
    ref: dict[str, Any] = {"group": BACKEND_GROUPS[kind], "kind": kind, "name": backend}
    if kind != "Backend":
        ref["port"] = PORT
    spec: dict[str, Any] = {
        "parentRefs": [
            {
                "namespace": GATEWAYS,
                "name": "gateway-1",
                "sectionName": "listener" if shared else f"listener-{number}",
            }
        ],
        **({"hostnames": [f"case-{number}.example.com"]} if shared else {}),
        "rules": [{"backendRefs": [ref]}],
    }
    return {
        "apiVersion": f"{GATEWAY_API}/{version}",
        "kind": route,
        "metadata": {"namespace": NAMESPACE, "name": f"{route.lower()}-{number}"},
        "spec": spec,
    }


def _backend(case: Case, name: str, route: str) -> dict[str, Any]:
    meta = {"namespace": NAMESPACE, "name": name}
    if case.kind == "Backend":
        spec: dict[str, Any] = {"endpoints": [{"ip": {"address": _FAR, "port": PORT}}]}
        if case.app_protocol:
            spec["appProtocols"] = list(case.app_protocol)
        return {
            "apiVersion": f"{ENVOY_GATEWAY}/v1alpha1",
            "kind": "Backend",
            "metadata": meta,
            "spec": spec,
        }
    port = {"name": "port", "port": PORT, "protocol": TRANSPORTS.get(route, "TCP")}
    if case.app_protocol is not None:
        port["appProtocol"] = case.app_protocol
    if case.kind == "Service":
        spec = {"clusterIP": "10.11.12.13", "ports": [port]}
        return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}
    return {
        "apiVersion": f"{MCS}/v1alpha1",
        "kind": "ServiceImport",
        "metadata": meta,
        "spec": {"type": "ClusterSetIP", "ips": ["10.11.12.14"], "ports": [port]},
    }


def _endpoints(kind: str, name: str, route: str) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "namespace": NAMESPACE,
            "name": f"endpointslice-{name}",
            "labels": {_SLICE_LABELS[kind]: name},
        },
        "addressType": "IPv4",
        "ports": [{"name": "port", "port": PORT, "protocol": TRANSPORTS.get(route, "TCP")}],
        "endpoints": [{"addresses": [_FAR], "conditions": {"ready": True}}],
    }


def _conformance(case: Case, number: int) -> Fixture:
    """A route to a ServiceImport, to the Gateway of conformance's own set-up."""
    said = re.sub(r"[^a-z0-9]+", "-", _said(case).lower()).strip("-")
    slug = f"{number:02}-{said}"  # values may differ in case and blanks only
    namespace, name = "gateway-conformance-infra", f"import-{slug}"
    port: dict[str, Any] = {"name": "first", "protocol": "TCP", "port": PORT}
    if case.app_protocol is not None:
        port["appProtocol"] = case.app_protocol
    meta = {"name": name, "namespace": namespace}
    documents: Iterable[dict[str, Any]] = (
        {
            "apiVersion": f"{GATEWAY_API}/v1",
            "kind": "HTTPRoute",
            "metadata": meta,
            "spec": {
                "parentRefs": [{"name": "same-namespace"}],
                "hostnames": [f"{name}.example.com"],
                "rules": [
                    {
                        "backendRefs": [
                            {"group": MCS, "kind": "ServiceImport", "name": name, "port": PORT}
                        ]
                    }
                ],
            },
        },
        {
            "apiVersion": f"{MCS}/v1alpha1",
            "kind": "ServiceImport",
            "metadata": meta,
            "spec": {"type": "ClusterSetIP", "ports": [port]},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {
                "selector": {"app": "infra-backend-v1"},
                "ports": [{**port, "targetPort": 3000}],
            },
        },
        {"apiVersion": f"{MCS}/v1alpha1", "kind": "ServiceExport", "metadata": meta},
    )
    head = [
        f"{case.answer.implementation} {case.answer.release}: {_expected(case)}.",
        "The backend answers with what it was asked in: the test compares that with the above.",
    ]
    text = _comment(head) + "---\n".join(map(_dump, documents))
    return Fixture(name=f"httproute-serviceimport-{slug}.yaml", text=text)


def _expected(case: Case) -> str:
    answer = case.answer
    if not answer.sent:
        return f"{_said(case)} is not read: {answer.deciding.text}"
    forced = ", HTTP/1.1 forced" if answer.force_http1 else ""
    return f"{_said(case)} is {answer.protocol}{forced}; upstream {answer.upstream}"


def _said(case: Case) -> str:
    declared = case.app_protocol
    if declared is None:
        return "nothing"
    return repr(declared) if isinstance(declared, str) else ", ".join(declared)


def _comment(lines: Iterable[str]) -> str:
    return "".join(f"# {' '.join(line.split())}\n" for line in lines)


class _Plain(yaml.SafeDumper):
    """Lists under their keys as Kubernetes manifests have them; nothing by alias."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML calls it so
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - PyYAML calls it so
        super().increase_indent(flow, indentless=False)


def _dump(what: Any) -> str:
    return yaml.dump(what, Dumper=_Plain, sort_keys=False, width=100)
