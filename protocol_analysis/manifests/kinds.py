"""Objects → nouns: which kinds are read, in which API versions, and how.

`KINDS` is the table; a kind that is not in it is passed over. Groups and kinds are matched, and
the version only tells which versions exist: the API server hands an object out in every version
its CRD serves, so the version that a manifest is written in decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from protocol_analysis.manifests.fields import (
    Source,
    absent,
    backend_ref,
    get,
    integer,
    is_true,
    items,
    mappings,
    meta_of,
    not_a_string,
    object_ref,
    text,
    texts,
)
from protocol_analysis.manifests.policies import (
    client_policy,
    definition,
    listener_set,
    listeners_of,
    patch_policy,
    proxy,
    route_filter,
    tls_policy,
    traffic_policy,
    wanted_of,
)
from protocol_analysis.manifests.referrers import extension_policy, security_policy, telemetry
from protocol_analysis.manifests.tree import Mapping, Node, Sequence
from protocol_analysis.manifests.workloads import exposure, ingress, workload
from protocol_analysis.model import (
    ENVOY_GATEWAY,
    GATEWAY_API,
    MCS,
    Backend,
    BackendRef,
    ObjectRef,
    Other,
    Route,
    Service,
    ServicePort,
)
from protocol_analysis.policies import Gateway, GatewayClass, ReferenceGrant, RouteMatch

_DERIVED = "multicluster.kubernetes.io/derived-service"


def _service(node: Mapping, source: Source, group: str, kind: str) -> Service:
    ports = []
    for port in mappings(node, source, "spec", "ports"):
        declared = get(port, "appProtocol", fold=source.fold_keys)
        rejected = not_a_string(declared, "appProtocol")
        ports.append(
            ServicePort(
                number=integer(get(port, "port"), source, "port"),
                name=text(get(port, "name")),
                transport=text(get(port, "protocol")) or "TCP",
                app_protocol=None if absent(declared) or rejected else text(declared),
                rejected=rejected,
                position=source.position(port),
                declared_at=None if declared is None else source.position(declared),
            )
        )
    mode = text(get(node, "metadata", "annotations", "service.kubernetes.io/topology-mode"))
    prefers = text(get(node, "spec", "trafficDistribution"))
    return Service(
        meta=meta_of(node, source, group, kind),
        ports=tuple(ports),
        type=text(get(node, "spec", "type")),
        prefer_local=mode.lower() == "auto" or prefers.startswith("Prefer"),
        asks=_asks(node, kind),
        derived=text(get(node, "metadata", "annotations", _DERIVED)),
    )


def _asks(node: Mapping, kind: str) -> tuple[str, ...]:
    """Of a Service what its import gets; of a ServiceImport what it says, "" where it does not."""
    affinity = text(get(node, "spec", "sessionAffinity")) or "None"
    timeout = text(get(node, "spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds"))
    policy = text(get(node, "spec", "internalTrafficPolicy"))
    distribution = text(get(node, "spec", "trafficDistribution"))
    if kind == "ServiceImport":
        return text(get(node, "spec", "type")), affinity, timeout, policy, distribution
    headless = text(get(node, "spec", "clusterIP")) == "None"
    timeout = (timeout or "10800") if affinity == "ClientIP" else ""
    of = "Headless" if headless else "ClusterSetIP"
    return of, affinity, timeout, policy or "Cluster", distribution


_ADDRESSES = {"ip": "IP", "fqdn": "FQDN", "unix": "UDS"}


def _backend(node: Mapping, source: Source, group: str, kind: str) -> Backend:
    declared = get(node, "spec", "appProtocols", fold=source.fold_keys)
    values = items(declared)
    rejected = next(filter(None, (not_a_string(v, "appProtocols") for v in values)), "")
    if any(absent(value) for value in values):
        rejected = "appProtocols has an empty item, Envoy Gateway wants strings"
    if not absent(declared) and not isinstance(declared, Sequence):
        rejected = "appProtocols is no list, Envoy Gateway wants one"
    endpoints = mappings(node, source, "spec", "endpoints")
    tls = get(node, "spec", "tls")
    return Backend(
        meta=meta_of(node, source, group, kind),
        app_protocol=None if rejected else tuple(text(value) for value in values) or None,
        type=text(get(node, "spec", "type"), "Endpoints"),
        addresses=frozenset(
            address
            for key, address in _ADDRESSES.items()
            if any(not absent(get(endpoint, key)) for endpoint in endpoints)
        ),
        tls=isinstance(tls, Mapping),
        alpn=texts(get(tls, "alpnProtocols")),
        sni_of_endpoint=is_true(get(tls, "autoSNIFromEndpointHostname")),
        rejected=rejected,
        declared_at=None if declared is None else source.position(declared),
    )


def _matches(node: Node, source: Source, rule: int) -> Iterator[RouteMatch]:
    for item in mappings(node, source, "matches"):
        headers = items(get(item, "headers"))
        yield RouteMatch(
            rule=rule,
            path=text(get(item, "path", "value")),
            way=text(get(item, "path", "type"), "PathPrefix"),
            headers=tuple((text(get(h, "name")).lower(), text(get(h, "value"))) for h in headers),
            only_http=tuple(_only_http(item, node)),
        )


# What a rule of an HTTPRoute may say and one of a GRPCRoute may not.
_NOT_IN_GRPC = ("timeouts", "retry")
_FILTERS_OF_GRPC = (
    *("RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "ExtensionRef"),
)


def _only_http(match: Node, rule: Node) -> Iterator[str]:
    if text(get(match, "method"), "POST") != "POST":
        yield "method"
    if items(get(match, "queryParams")):
        yield "queryParams"
    yield from (name for name in _NOT_IN_GRPC if not absent(get(rule, name)))
    for item in items(get(rule, "filters")):
        if (kind := text(get(item, "type"))) not in _FILTERS_OF_GRPC:
            yield kind


def _mirrors(node: Node, source: Source) -> Iterator[Node]:
    for item in mappings(node, source, "filters"):
        target = get(item, "requestMirror", "backendRef")
        if text(get(item, "type")) == "RequestMirror" and target is not None:
            yield target


def _route(node: Mapping, source: Source, group: str, kind: str) -> Route:
    meta = meta_of(node, source, group, kind)
    refs: list[BackendRef] = []
    matches: list[RouteMatch] = []
    for number, rule in enumerate(mappings(node, source, "spec", "rules")):
        matches += _matches(rule, source, number) if kind == "HTTPRoute" else ()
        backends = mappings(rule, source, "backendRefs")
        mirrors = [mirror for of in (rule, *backends) for mirror in _mirrors(of, source)]
        for role, nodes in (("forward", backends), ("mirror", mirrors)):
            refs += [
                backend_ref(each, source, meta.namespace, number, role, i)
                for i, each in enumerate(nodes)
            ]
    parents = mappings(node, source, "spec", "parentRefs")
    return Route(
        meta=meta,
        parents=tuple(_parent(parent, source, meta.namespace) for parent in parents),
        refs=tuple(refs),
        api_version=text(get(node, "apiVersion")),
        rules=tuple(text(get(rule, "name")) for rule in items(get(node, "spec", "rules"))),
        hostnames=texts(get(node, "spec", "hostnames")) or (),
        matches=tuple(matches),
    )


def _parent(node: Node, source: Source, namespace: str) -> ObjectRef:
    port = integer(get(node, "port"), source, "port")
    return object_ref(node, namespace, GATEWAY_API, "Gateway", port)


def _gateway(node: Mapping, source: Source, group: str, kind: str) -> Gateway:
    meta = meta_of(node, source, group, kind)
    proxy = get(node, "spec", "infrastructure", "parametersRef")
    allowed = get(node, "spec", "allowedListeners", "namespaces")
    return Gateway(
        meta=meta,
        class_name=text(get(node, "spec", "gatewayClassName")),
        listeners=listeners_of(node, source),
        proxy=None if absent(proxy) else object_ref(proxy, meta.namespace),
        sets_from=text(get(allowed, "from"), "None"),
        of_namespace=wanted_of(get(allowed, "selector")),
    )


def _gateway_class(node: Mapping, source: Source, group: str, kind: str) -> GatewayClass:
    proxy = get(node, "spec", "parametersRef")
    return GatewayClass(
        meta=meta_of(node, source, group, kind, namespaced=False),
        controller=text(get(node, "spec", "controllerName")),
        proxy=None if absent(proxy) else object_ref(proxy, ""),
    )


def _grant(node: Mapping, source: Source, group: str, kind: str) -> ReferenceGrant:
    meta = meta_of(node, source, group, kind)
    return ReferenceGrant(
        meta=meta,
        origins=tuple(object_ref(o, "") for o in mappings(node, source, "spec", "from")),
        targets=tuple(object_ref(t, meta.namespace) for t in mappings(node, source, "spec", "to")),
    )


def _other(node: Mapping, source: Source, group: str, kind: str) -> Other:
    conditions = tuple(
        (text(get(each, "type")), text(get(each, "status")), text(get(each, "reason")))
        for each in mappings(node, source, "status", "conditions")
    )
    return Other(meta=meta_of(node, source, group, kind), conditions=conditions)


def _cluster_wide(node: Mapping, source: Source, group: str, kind: str) -> Other:
    return Other(meta=meta_of(node, source, group, kind, namespaced=False))


Reader = Callable[[Mapping, Source, str, str], Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """One row: the kind, its groups, every version that was or is served, the inventory's list.

    `also`: what else is read of it, into the list `also_into`. `aside`: it tells something beside
    the point, so one that cannot be read is no loss.
    """

    kind: str
    groups: tuple[str, ...]
    versions: tuple[str, ...]
    read: Reader
    into: str
    also: Reader | None = None
    also_into: str = "referrers"
    aside: bool = False


_ROUTE_VERSIONS = {
    "HTTPRoute": ("v1alpha2", "v1beta1", "v1"),
    "GRPCRoute": ("v1alpha2", "v1"),
    "TLSRoute": ("v1alpha2", "v1alpha3", "v1"),
    "TCPRoute": ("v1alpha2", "v1"),
    "UDPRoute": ("v1alpha2", "v1"),
}
# Other multi-cluster controllers serve ServiceImport in groups of their own. Their ports are
# listed; a gateway that reads only the MCS group says so when such an import is referenced.
_IMPORT_GROUPS = (MCS, "net.gke.io", "networking.fleet.azure.com", "application-networking.k8s.aws")

_ROWS = (
    Kind("Service", ("",), ("v1",), _service, "services", exposure, "exposures"),
    Kind(
        "ServiceImport", _IMPORT_GROUPS, ("v1alpha1", "v1beta1", "v1"), _service, "service_imports"
    ),
    Kind("ServiceExport", _IMPORT_GROUPS, ("v1alpha1", "v1beta1", "v1"), _other, "others"),
    Kind("EndpointSlice", ("discovery.k8s.io",), ("v1alpha1", "v1beta1", "v1"), _other, "others"),
    Kind("Namespace", ("",), ("v1",), _cluster_wide, "others", aside=True),
    Kind("Backend", (ENVOY_GATEWAY,), ("v1alpha1",), _backend, "backends"),
    *(
        Kind(kind, (GATEWAY_API,), versions, _route, "routes")
        for kind, versions in _ROUTE_VERSIONS.items()
    ),
    Kind("Gateway", (GATEWAY_API,), ("v1alpha2", "v1beta1", "v1"), _gateway, "gateways"),
    Kind(
        "GatewayClass",
        (GATEWAY_API,),
        ("v1alpha2", "v1beta1", "v1"),
        _gateway_class,
        "gateway_classes",
    ),
    Kind("ReferenceGrant", (GATEWAY_API,), ("v1alpha2", "v1beta1", "v1"), _grant, "grants"),
    Kind(
        "BackendTLSPolicy",
        (GATEWAY_API,),
        ("v1alpha2", "v1alpha3", "v1"),
        tls_policy,
        "tls_policies",
    ),
    *(
        Kind(kind, (ENVOY_GATEWAY,), ("v1alpha1",), reader, into)
        for kind, reader, into in (
            ("BackendTrafficPolicy", traffic_policy, "traffic_policies"),
            ("ClientTrafficPolicy", client_policy, "client_policies"),
            ("EnvoyPatchPolicy", patch_policy, "patch_policies"),
            ("HTTPRouteFilter", route_filter, "filters"),
            ("SecurityPolicy", security_policy, "referrers"),
            ("EnvoyExtensionPolicy", extension_policy, "referrers"),
        )
    ),
    Kind("EnvoyProxy", (ENVOY_GATEWAY,), ("v1alpha1",), proxy, "proxies", also=telemetry),
    Kind("ListenerSet", (GATEWAY_API,), ("v1",), listener_set, "listener_sets"),
    Kind(
        "XListenerSet",
        ("gateway.networking.x-k8s.io",),
        ("v1alpha1",),
        listener_set,
        "listener_sets",
    ),
    Kind(
        "CustomResourceDefinition",
        ("apiextensions.k8s.io",),
        ("v1beta1", "v1"),
        definition,
        "definitions",
        aside=True,
    ),
    Kind(
        "Ingress",
        ("networking.k8s.io", "extensions"),
        ("v1beta1", "v1"),
        ingress,
        "exposures",
        aside=True,
    ),
    *(
        Kind(kind, groups, versions, workload, "workloads", aside=True)
        for kind, groups, versions in (
            ("Deployment", ("apps",), ("v1beta1", "v1beta2", "v1")),
            ("StatefulSet", ("apps",), ("v1beta1", "v1beta2", "v1")),
            ("DaemonSet", ("apps",), ("v1beta2", "v1")),
            ("ReplicaSet", ("apps",), ("v1beta2", "v1")),
            ("ReplicationController", ("",), ("v1",)),
            ("Job", ("batch",), ("v1",)),
            ("CronJob", ("batch",), ("v1beta1", "v1")),
            ("Pod", ("",), ("v1",)),
            ("Rollout", ("argoproj.io",), ("v1alpha1",)),
        )
    ),
)
KINDS: dict[tuple[str, str], Kind] = {
    (group, row.kind): row for row in _ROWS for group in row.groups
}
