"""Objects → nouns: which kinds are read, in which API versions, and how.

`KINDS` is the table; a kind that is not in it is passed over. Groups and kinds are matched, and
the version only tells which versions exist: the API server hands an object out in every version
its CRD serves, so the version that a manifest is written in decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from protocol_analysis.manifests.tree import Mapping, Node, Scalar, Sequence
from protocol_analysis.model import (
    ENVOY_GATEWAY,
    GATEWAY_API,
    MCS,
    Backend,
    BackendRef,
    Gateway,
    GatewayClass,
    Meta,
    ObjectRef,
    Other,
    Policy,
    Position,
    Problem,
    ReferenceGrant,
    Route,
    Service,
    ServicePort,
)

_TOO_LARGE = 2**31


@dataclass(frozen=True, slots=True)
class Source:
    """Where a document stands, which world it belongs to, and where to say what is wrong in it."""

    file: str
    document: int
    world: str
    cluster: str | None
    namespace: str
    fold_keys: bool = False
    template: bool = False
    problems: list[Problem] = field(default_factory=list)

    def position(self, node: Node) -> Position:
        """Where a node stands."""
        return Position(file=self.file, document=self.document, line=node.line, column=node.column)

    def refuse(self, node: Node, reason: str) -> None:
        """Say that a node is passed over, and why; the rest of its object is read."""
        self.problems.append(Problem(position=self.position(node), reason=reason))


def get(node: Node | None, *path: str, fold: bool = False) -> Node | None:
    """The node at `path`, or None. `fold` matches keys in any case, as Go's JSON reader does."""
    for step in path:
        if not isinstance(node, Mapping):
            return None
        found = node.items.get(step)
        if found is None and fold:
            found = next((v for k, v in node.items.items() if k.lower() == step.lower()), None)
        node = found
    return node


def absent(node: Node | None) -> bool:
    """Whether nothing is declared: the key is missing, or its value is null."""
    return node is None or (isinstance(node, Scalar) and node.value() is None)


def text(node: Node | None, default: str = "") -> str:
    """The scalar's text; the default for null, for what is absent and for what is no scalar."""
    if not isinstance(node, Scalar) or node.value() is None:
        return default
    return node.text


def items(node: Node | None) -> list[Node]:
    """The nodes of a list; none where it is no list."""
    return node.items if isinstance(node, Sequence) else []


def _mappings(node: Node | None, source: Source, *path: str) -> list[Node]:
    """The mappings listed at `path`. What else stands there is refused, but keeps its number."""
    found = get(node, *path)
    if found is not None and not absent(found) and not isinstance(found, Sequence):
        source.refuse(found, f"{path[-1]} is no list, Kubernetes wants one")
    for item in items(found):
        if not isinstance(item, Mapping):
            source.refuse(item, f"{path[-1]} has an item that is no mapping")
    return items(found)


def _integer(node: Node | None, source: Source, name: str) -> int | None:
    """The integer, quoted or not; None where it is none, and refused where it should be one.

    What is longer than Kubernetes' 32 bits is refused too: no table would hold it.
    """
    number = node.integer() if isinstance(node, Scalar) else None
    if number is not None and abs(number) < _TOO_LARGE:
        return number
    if node is not None and not absent(node):
        what = "no integer" if number is None else "no integer of 32 bits"
        source.refuse(node, f"{name} is {what}, Kubernetes wants one")
    return None


def _meta(node: Mapping, source: Source, group: str, kind: str, *, namespaced: bool = True) -> Meta:
    # `namespace: ""` is no namespace either.
    namespace = (text(get(node, "metadata", "namespace")) or source.namespace) if namespaced else ""
    return Meta(
        group=group,
        kind=kind,
        namespace=namespace,
        name=text(get(node, "metadata", "name")),
        position=source.position(node),
        world=source.world,
        cluster=source.cluster,
        created=text(get(node, "metadata", "creationTimestamp")),
    )


def _not_a_string(node: Node | None, name: str) -> str:
    """Why the API server would refuse `node` as a string; empty where it would not."""
    if node is None:
        return ""
    if not isinstance(node, Scalar):
        return f"{name} is a list or a mapping, Kubernetes wants a string"
    value = node.value()
    if value is None or isinstance(value, str):
        return ""
    kind = "boolean" if isinstance(value, bool) else "number"
    return (
        f'{name}: {node.text[:80]} is a {kind}, Kubernetes wants a string; write "{node.text[:80]}"'
    )


def _service(node: Mapping, source: Source, group: str, kind: str) -> Service:
    ports = []
    for port in _mappings(node, source, "spec", "ports"):
        declared = get(port, "appProtocol", fold=source.fold_keys)
        rejected = _not_a_string(declared, "appProtocol")
        ports.append(
            ServicePort(
                number=_integer(get(port, "port"), source, "port"),
                name=text(get(port, "name")),
                transport=text(get(port, "protocol")) or "TCP",
                app_protocol=None if absent(declared) or rejected else text(declared),
                rejected=rejected,
                position=source.position(port),
                declared_at=None if declared is None else source.position(declared),
            )
        )
    return Service(
        meta=_meta(node, source, group, kind),
        ports=tuple(ports),
        type=text(get(node, "spec", "type")),
    )


def _backend(node: Mapping, source: Source, group: str, kind: str) -> Backend:
    declared = get(node, "spec", "appProtocols", fold=source.fold_keys)
    values = items(declared)
    rejected = next(filter(None, (_not_a_string(v, "appProtocols") for v in values)), "")
    if any(absent(value) for value in values):
        rejected = "appProtocols has an empty item, Envoy Gateway wants strings"
    if not absent(declared) and not isinstance(declared, Sequence):
        rejected = "appProtocols is no list, Envoy Gateway wants one"
    endpoints = _mappings(node, source, "spec", "endpoints")
    return Backend(
        meta=_meta(node, source, group, kind),
        app_protocols=() if rejected else tuple(text(value) for value in values),
        type=text(get(node, "spec", "type"), "Endpoints"),
        unix_socket=any(not absent(get(endpoint, "unix")) for endpoint in endpoints),
        tls=isinstance(get(node, "spec", "tls"), Mapping),
        rejected=rejected,
        declared_at=None if declared is None else source.position(declared),
    )


def _ref(
    node: Node, source: Source, namespace: str, rule: int, role: Any, backend: int
) -> BackendRef:
    kind = text(get(node, "kind"), "Service")
    return BackendRef(
        rule=rule,
        role=role,
        backend=backend,
        group=text(get(node, "group")),
        kind=kind,
        namespace=text(get(node, "namespace"), namespace),
        name=text(get(node, "name")),
        port=_integer(get(node, "port"), source, "port"),
        weight=_integer(get(node, "weight"), source, "weight"),
        position=source.position(node),
    )


def _mirrors(node: Node, source: Source) -> Iterator[Node]:
    for item in _mappings(node, source, "filters"):
        target = get(item, "requestMirror", "backendRef")
        if text(get(item, "type")) == "RequestMirror" and target is not None:
            yield target


def _route(node: Mapping, source: Source, group: str, kind: str) -> Route:
    meta = _meta(node, source, group, kind)
    refs: list[BackendRef] = []
    for number, rule in enumerate(_mappings(node, source, "spec", "rules")):
        backends = _mappings(rule, source, "backendRefs")
        refs += [
            _ref(n, source, meta.namespace, number, "forward", i) for i, n in enumerate(backends)
        ]
        mirrors = [mirror for of in (rule, *backends) for mirror in _mirrors(of, source)]
        refs += [
            _ref(n, source, meta.namespace, number, "mirror", i) for i, n in enumerate(mirrors)
        ]
    parents = _mappings(node, source, "spec", "parentRefs")
    return Route(
        meta=meta,
        parents=tuple(_object_ref(p, meta.namespace, GATEWAY_API, "Gateway") for p in parents),
        refs=tuple(refs),
        api_version=text(get(node, "apiVersion")),
    )


def _object_ref(node: Node, namespace: str, group: str = "", kind: str = "") -> ObjectRef:
    section = get(node, "sectionName")
    return ObjectRef(
        group=text(get(node, "group"), group),
        kind=text(get(node, "kind"), kind),
        namespace=text(get(node, "namespace"), namespace),
        name=text(get(node, "name")),
        section=text(section) or None,
    )


def _gateway(node: Mapping, source: Source, group: str, kind: str) -> Gateway:
    class_name = text(get(node, "spec", "gatewayClassName"))
    return Gateway(meta=_meta(node, source, group, kind), class_name=class_name)


def _gateway_class(node: Mapping, source: Source, group: str, kind: str) -> GatewayClass:
    controller = text(get(node, "spec", "controllerName"))
    return GatewayClass(
        meta=_meta(node, source, group, kind, namespaced=False), controller=controller
    )


def _grant(node: Mapping, source: Source, group: str, kind: str) -> ReferenceGrant:
    meta = _meta(node, source, group, kind)
    return ReferenceGrant(
        meta=meta,
        origins=tuple(_object_ref(o, "") for o in _mappings(node, source, "spec", "from")),
        targets=tuple(
            _object_ref(t, meta.namespace) for t in _mappings(node, source, "spec", "to")
        ),
    )


def _policy(node: Mapping, source: Source, group: str, kind: str) -> Policy:
    meta = _meta(node, source, group, kind)
    single = get(node, "spec", "targetRef")
    targets = [
        *([single] if isinstance(single, Mapping) else []),
        *_mappings(node, source, "spec", "targetRefs"),
    ]
    return Policy(meta=meta, targets=tuple(_object_ref(t, meta.namespace) for t in targets))


def _other(node: Mapping, source: Source, group: str, kind: str) -> Other:
    return Other(meta=_meta(node, source, group, kind))


Reader = Callable[[Mapping, Source, str, str], Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """One row: the kind, its groups, every version that was or is served, the inventory's list."""

    kind: str
    groups: tuple[str, ...]
    versions: tuple[str, ...]
    read: Reader
    into: str


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
    Kind("Service", ("",), ("v1",), _service, "services"),
    Kind(
        "ServiceImport", _IMPORT_GROUPS, ("v1alpha1", "v1beta1", "v1"), _service, "service_imports"
    ),
    Kind("ServiceExport", _IMPORT_GROUPS, ("v1alpha1", "v1beta1", "v1"), _other, "others"),
    Kind("EndpointSlice", ("discovery.k8s.io",), ("v1alpha1", "v1beta1", "v1"), _other, "others"),
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
        "BackendTLSPolicy", (GATEWAY_API,), ("v1alpha2", "v1alpha3", "v1"), _policy, "tls_policies"
    ),
    Kind("BackendTrafficPolicy", (ENVOY_GATEWAY,), ("v1alpha1",), _policy, "traffic_policies"),
)
KINDS: dict[tuple[str, str], Kind] = {
    (group, row.kind): row for row in _ROWS for group in row.groups
}
