"""Objects → policies, filters, proxies and listeners: what they target, and what they say.

Only what bears upon the protocol is kept; of the rest of a policy, which fields it sets.
"""

from __future__ import annotations

from dataclasses import replace

from protocol_analysis.manifests.fields import (
    Source,
    absent,
    get,
    integer,
    is_true,
    items,
    mappings,
    meta_of,
    object_ref,
    pairs,
    text,
    texts,
)
from protocol_analysis.manifests.tree import Mapping, Node
from protocol_analysis.model import GATEWAY_API
from protocol_analysis.policies import (
    Definition,
    Listener,
    ListenerSet,
    Policy,
    Selector,
    Wanted,
)

_ATTACHING = {"targetRef", "targetRefs", "targetSelectors", "mergeType"}
Says = dict[str, bool]


def _policy(
    node: Mapping,
    source: Source,
    group: str,
    kind: str,
    says: Says,
    alpn: tuple[str, ...] | None = None,
    hints: frozenset[str] = frozenset(),
) -> Policy:
    meta = meta_of(node, source, group, kind)
    single = get(node, "spec", "targetRef")
    targets = [
        *([single] if isinstance(single, Mapping) else []),
        *mappings(node, source, "spec", "targetRefs"),
    ]
    spec = get(node, "spec")
    fields = spec.items if isinstance(spec, Mapping) else {}
    return Policy(
        meta=meta,
        targets=tuple(object_ref(target, meta.namespace) for target in targets),
        selectors=tuple(map(_selector, mappings(node, source, "spec", "targetSelectors"))),
        merge=text(get(spec, "mergeType")),
        says=tuple(says.items()),
        features=frozenset(k for k, v in fields.items() if not absent(v)) - _ATTACHING,
        hints=hints,
        alpn=alpn,
    )


def _selector(node: Node) -> Selector:
    return Selector(
        group=text(get(node, "group"), GATEWAY_API),
        kind=text(get(node, "kind")),
        wanted=wanted_of(node),
        namespaces=text(get(node, "namespaces", "from"), "Same"),
        of_namespace=wanted_of(get(node, "namespaces", "selector")),
    )


def wanted_of(node: Node | None) -> tuple[Wanted, ...]:
    """What a label selector wants."""
    labels = [Wanted(key=key, values=(value,)) for key, value in pairs(get(node, "matchLabels"))]
    expressions = [
        Wanted(
            key=text(get(item, "key")),
            operator=text(get(item, "operator")),
            values=texts(get(item, "values")) or (),
        )
        for item in items(get(node, "matchExpressions"))
    ]
    return (*labels, *expressions)


def tls_policy(node: Mapping, source: Source, group: str, kind: str) -> Policy:
    """A BackendTLSPolicy, for what it targets."""
    return _policy(node, source, group, kind, {})


def patch_policy(node: Mapping, source: Source, group: str, kind: str) -> Policy:
    """An EnvoyPatchPolicy, for what it targets: what it patches can be anything."""
    return _policy(node, source, group, kind, {})


def traffic_policy(node: Mapping, source: Source, group: str, kind: str) -> Policy:
    """A BackendTrafficPolicy; what is not set is not in `says`."""
    spec = get(node, "spec")
    says = traffic_settings(spec)
    client = get(spec, "useClientProtocol")
    if not absent(client):
        says["useClientProtocol"] = is_true(client)
    return _policy(node, source, group, kind, says, hints=_hints(spec))


def _hints(spec: Node | None) -> frozenset[str]:
    """What a BackendTrafficPolicy says of how requests are, and decides nothing."""
    checked = text(get(spec, "healthCheck", "active", "type"))
    upgrades = {text(get(item, "type")).lower() for item in items(get(spec, "httpUpgrade"))}
    found = {"httpHealthCheck": checked == "HTTP", "websocket": "websocket" in upgrades}
    return frozenset(name for name, said in found.items() if said)


def traffic_settings(spec: Node | None) -> Says:
    """What a BackendTrafficPolicy, or the `backendSettings` beside a reference, sets."""
    http = get(spec, "timeout", "http")
    balancer = get(spec, "loadBalancer")
    hashes = text(get(balancer, "type")) == "ConsistentHash"
    present: dict[str, Node | None] = {
        "proxyProtocol": get(spec, "proxyProtocol"),
        "http2": get(spec, "http2"),
        "connectionIdleTimeout": get(http, "connectionIdleTimeout"),
        "maxConnectionDuration": get(http, "maxConnectionDuration"),
        "maxStreamDuration": get(http, "maxStreamDuration"),
        "maxRequestsPerConnection": get(spec, "circuitBreaker", "maxRequestsPerConnection"),
        "admissionControl": get(spec, "admissionControl"),
        "consistentHash": get(balancer, "consistentHash") if hashes else None,
        "preferLocal": get(balancer, "zoneAware", "preferLocal"),
        "weightedZones": get(balancer, "zoneAware", "weightedZones"),
    }
    return {name: True for name, found in present.items() if not absent(found)}


def client_policy(node: Mapping, source: Source, group: str, kind: str) -> Policy:
    """A ClientTrafficPolicy: the HTTP/1 settings that reach the upstream, ALPN for clients."""
    http1 = get(node, "spec", "http1")
    switches = (get(http1, "enableTrailers"), get(http1, "preserveHeaderCase"))
    sets = any(map(is_true, switches)) or not absent(get(http1, "http10"))
    alpn = texts(get(node, "spec", "tls", "alpnProtocols"))
    return _policy(node, source, group, kind, {"http1": sets}, alpn)


def route_filter(node: Mapping, source: Source, group: str, kind: str) -> Policy:
    """An HTTPRouteFilter: whether it injects credentials."""
    injects = not absent(get(node, "spec", "credentialInjection"))
    return _policy(node, source, group, kind, {"credentialInjection": injects})


def proxy(node: Mapping, source: Source, group: str, kind: str) -> Policy:
    """An EnvoyProxy: the ALPN protocols it offers to backends, and what is served together."""
    shared = get(node, "spec", "mergeBackends")
    merges = is_true(get(node, "spec", "mergeGateways"))
    alpn = texts(get(node, "spec", "backendTLS", "alpnProtocols"))
    says = {"mergeBackends": not absent(shared), "mergeGateways": merges}
    found = _policy(node, source, group, kind, says, alpn)
    wanted = wanted_of(get(shared, "selector"))
    return replace(found, selectors=(Selector(group="", kind="", wanted=wanted),))


def listeners_of(node: Mapping, source: Source) -> tuple[Listener, ...]:
    """The listeners of a Gateway or of a ListenerSet."""
    namespace = text(get(node, "metadata", "namespace")) or source.namespace
    return tuple(
        Listener(
            name=text(get(item, "name")),
            protocol=text(get(item, "protocol")),
            port=integer(get(item, "port"), source, "port"),
            hostname=text(get(item, "hostname")),
            kinds=tuple(text(get(k, "kind")) for k in items(get(item, "allowedRoutes", "kinds"))),
            takes_from=text(get(item, "allowedRoutes", "namespaces", "from"), "Same"),
            of_namespace=wanted_of(get(item, "allowedRoutes", "namespaces", "selector")),
            certificates=tuple(
                object_ref(named, namespace, kind="Secret")
                for named in items(get(item, "tls", "certificateRefs"))
            ),
            position=source.position(item),
        )
        for item in mappings(node, source, "spec", "listeners")
    )


def listener_set(node: Mapping, source: Source, group: str, kind: str) -> ListenerSet:
    """A ListenerSet, or the experimental XListenerSet."""
    meta = meta_of(node, source, group, kind)
    # Nothing but a Gateway: a set that names itself must not be followed for ever.
    named = object_ref(get(node, "spec", "parentRef"), meta.namespace)
    parent = replace(named, group=GATEWAY_API, kind="Gateway")
    return ListenerSet(meta=meta, parent=parent, listeners=listeners_of(node, source))


def definition(node: Mapping, source: Source, group: str, kind: str) -> Definition:
    """A CustomResourceDefinition, by the versions that it serves."""
    spec = get(node, "spec")
    versions = items(get(spec, "versions"))
    served = [text(get(v, "name")) for v in versions if is_true(get(v, "served"))]
    return Definition(
        meta=meta_of(node, source, group, kind, namespaced=False),
        group=text(get(spec, "group")),
        kind=text(get(spec, "names", "kind")),
        served=tuple(served),
    )
