"""More nouns: Gateways, and what policies, filters and listeners say of which objects. Pure.

Envoy Gateway's policies differ in what they say and agree in how they are attached: by name
(`targets`) or by label (`selectors`), to a Gateway, to one of its listeners, to a route or to one
of its rules. So one noun holds them all, and `says` holds what matters for the protocol.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from protocol_analysis.model import Meta, ObjectRef, Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a label has to be: `operator` is In, NotIn, Exists or DoesNotExist, as in Kubernetes.

    >>> Wanted(key="app", values=("web",)).holds((("app", "web"),))
    True

    Source: https://github.com/kubernetes/apimachinery/blob/v0.34.0/pkg/apis/meta/v1/types.go#L1275
    """

    key: str
    operator: str = "In"
    values: tuple[str, ...] = ()

    def holds(self, labels: tuple[tuple[str, str], ...]) -> bool:
        """Whether these labels are as wanted; what is no operator is never so."""
        found = dict(labels).get(self.key)
        match self.operator:
            case "In":
                return found in self.values
            case "NotIn":
                return found not in self.values
            case "Exists":
                return found is not None
            case "DoesNotExist":
                return found is None
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Targets by label: of a kind, in the policy's namespace, in all, or in those with labels.

    Source: https://github.com/envoyproxy/gateway/blob/v1.9.0/api/v1alpha1/policy_helpers.go#L66
    """

    group: str
    kind: str
    wanted: tuple[Wanted, ...] = ()
    namespaces: str = "Same"
    of_namespace: tuple[Wanted, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy, a filter or an EnvoyProxy: what it targets and what it says.

    `says` names what is set and matters (`useClientProtocol` may be set to false); `features` are
    all top-level fields that are set, since some releases ask only whether there are any. `hints`
    bear upon nothing that is spoken: `httpHealthCheck`, `websocket`. `alpn` is what an EnvoyProxy
    offers to backends, and a ClientTrafficPolicy to clients.
    """

    meta: Meta
    targets: tuple[ObjectRef, ...] = ()
    selectors: tuple[Selector, ...] = ()
    merge: str = ""
    says: tuple[tuple[str, bool], ...] = ()
    features: frozenset[str] = frozenset()
    hints: frozenset[str] = frozenset()
    alpn: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteMatch:
    """What a rule of an HTTPRoute matches: the path and how it is compared, and headers.

    `only_http` has what the match or its rule says that a GRPCRoute has no field for.
    """

    rule: int
    path: str = ""
    way: str = "PathPrefix"
    headers: tuple[tuple[str, str], ...] = ()
    only_http: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A listener of a Gateway or of a ListenerSet, and which routes it takes.

    `kinds` is empty where its protocol decides; `takes_from` is Same, All, Selector or None, as
    in Gateway API, and `of_namespace` the labels that a Selector wants. `certificates` are what its
    TLS names, a Secret as a rule; what is in it is never read.
    """

    name: str
    protocol: str = ""
    port: int | None = None
    hostname: str = ""
    kinds: tuple[str, ...] = ()
    takes_from: str = "Same"
    of_namespace: tuple[Wanted, ...] = ()
    certificates: tuple[ObjectRef, ...] = ()
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A Gateway, by the class that decides who reads it, its listeners and its EnvoyProxy.

    `sets_from` and `of_namespace` say from which namespaces ListenerSets add to it: from none,
    where nothing is said.
    """

    meta: Meta
    class_name: str = ""
    listeners: tuple[Listener, ...] = ()
    proxy: ObjectRef | None = None
    sets_from: str = "None"
    of_namespace: tuple[Wanted, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayClass:
    """A GatewayClass, by the controllerName that reads its Gateways, and its EnvoyProxy."""

    meta: Meta
    controller: str = ""
    proxy: ObjectRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSet:
    """More listeners for a Gateway, in an object of their own (ListenerSet, XListenerSet)."""

    meta: Meta
    parent: ObjectRef
    listeners: tuple[Listener, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceGrant:
    """Lets references `origins` (group, kind, namespace) reach `targets` (group, kind, name)."""

    meta: Meta
    origins: tuple[ObjectRef, ...] = ()
    targets: tuple[ObjectRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A CustomResourceDefinition: the versions in which the API server hands a kind out."""

    meta: Meta
    group: str
    kind: str
    served: tuple[str, ...] = ()


def patched(policy: Policy, base: Policy) -> Policy:
    """A route's policy with `mergeType`, upon the policy that it is merged with.

    >>> from protocol_analysis.model import Position
    >>> at = Position(file="p.yaml", document=1, line=1, column=1)
    >>> meta = Meta(group="", kind="BackendTrafficPolicy", namespace="shop", name="p", position=at)
    >>> gateway = Policy(meta=meta, says=(("useClientProtocol", True), ("proxyProtocol", True)))
    >>> route = Policy(meta=meta, says=(("useClientProtocol", False),))
    >>> dict(patched(route, gateway).says)
    {'useClientProtocol': False, 'proxyProtocol': True}

    Source: https://github.com/envoyproxy/gateway/blob/v1.4.6/internal/gatewayapi/backendtrafficpolicy.go#L543-L547
    """
    says = tuple({**dict(base.says), **dict(policy.says)}.items())
    return replace(policy, says=says, features=policy.features | base.features)
