"""The nouns: what a manifest says, each with the position that says it.

Names are those of Kubernetes, of the Multi-Cluster Services (MCS) API, of Gateway API and of
Envoy Gateway. Everything here is frozen and plain; nothing reads a file and nothing decides.

Who may look up what: an object lives in a *world*, which is one Kubernetes cluster, or one
translator fixture. Names never resolve from one world to another. Inside a world the same name
may stand several times (a repository of examples); a reference then means the nearest one.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from protocol_analysis import policies
    from protocol_analysis.workloads import Exposure, Ingress, Suppressing, Workload

GATEWAY_API = "gateway.networking.k8s.io"
ENVOY_GATEWAY = "gateway.envoyproxy.io"
MCS = "multicluster.x-k8s.io"
ROUTE_KINDS = ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute")
BACKEND_GROUPS = {"Service": "", "ServiceImport": MCS, "Backend": ENVOY_GATEWAY}


class ManifestError(ValueError):
    """Input that cannot be read; the message says where, what, and what would be accepted."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Position:
    """Where something is written. Everything counts from 1.

    >>> str(Position(file="shop.yaml", document=2, line=14, column=5))
    'shop.yaml:14:5'
    """

    file: str
    document: int
    line: int
    column: int

    def as_dict(self) -> dict[str, Any]:
        """The contract's Position."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What every object has. `world` names the cluster, or the fixture, it lives in.

    `annotations` are those that tell of an owner, of a mesh, or of calls; `owners` are what its
    ownerReferences name, as `Kind name`.
    """

    group: str
    kind: str
    namespace: str
    name: str
    position: Position
    world: str = ""
    cluster: str | None = None
    created: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    owners: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}".replace(" /", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePort:
    """One port of a Service or of a ServiceImport.

    `rejected` says why the Kubernetes API would refuse it (an unquoted `appProtocol: on` is a
    boolean); such a port has no `app_protocol`.
    """

    number: int | None
    name: str = ""
    transport: str = "TCP"
    app_protocol: str | None = None
    rejected: str = ""
    position: Position
    declared_at: Position | None = None

    @property
    def where(self) -> Position:
        """Where the declaration stands, or would."""
        return self.declared_at or self.position


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A Service, or a ServiceImport: both carry `appProtocol` port by port.

    `prefer_local`: it asks for its traffic to stay in the zone. `asks` is what its import gets, or
    what an import says, in the order of `merging.WHOLE`. `derived` names the Service that stands
    for a ServiceImport.
    """

    meta: Meta
    ports: tuple[ServicePort, ...] = ()
    type: str = ""
    prefer_local: bool = False
    asks: tuple[str, ...] = ("ClusterSetIP", "None", "", "Cluster", "")
    derived: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Envoy Gateway's own backend: one list of `appProtocols`, no ports of its own.

    `app_protocol` is that list, None where it is empty.
    `addresses` has the kinds of its endpoints: IP, FQDN, UDS. `alpn`, `sni` and `sni_of_endpoint`
    are of its TLS settings.
    """

    meta: Meta
    app_protocol: tuple[str, ...] | None = None
    type: str = "Endpoints"
    addresses: frozenset[str] = frozenset()
    tls: bool = False
    alpn: tuple[str, ...] | None = None
    sni: str | None = None
    sni_of_endpoint: bool = False
    rejected: str = ""
    declared_at: Position | None = None

    @property
    def where(self) -> Position:
        """Where the declaration stands, or would."""
        return self.declared_at or self.meta.position


Target = Service | Backend
Declared = str | tuple[str, ...] | None


def values_of(declared: Declared) -> tuple[str, ...]:
    """What is declared, as a list: of a port's one value or none, or of a Backend's.

    >>> values_of(None), values_of("grpc"), values_of(("grpc",))
    ((), ('grpc',), ('grpc',))
    """
    return (declared,) if isinstance(declared, str) else declared or ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRef:
    """A reference to an object by group, kind, namespace and name; to a section or port of it."""

    group: str
    kind: str
    namespace: str
    name: str
    section: str | None = None
    port: int | None = None


def name_of(it: Meta | ObjectRef | BackendRef) -> tuple[str, str, str, str]:
    """The group, kind, namespace and name: what tells an object from others in its world."""
    return (it.group, it.kind, it.namespace, it.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRef:
    """One backendRef of a route rule. `rule` and `backend` count from 0, as in the manifest.

    `filters` are its own, each by its kind; one of Gateway API's has no name. Outside routes
    `site` is one of `rows.SITES`, and `says` what the settings beside the reference do.
    """

    rule: int
    role: str
    backend: int
    group: str
    kind: str
    namespace: str
    name: str
    port: int | None
    weight: int | None
    position: Position
    filters: tuple[ObjectRef, ...] = ()
    site: str = ""
    says: tuple[tuple[str, bool], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The contract's backendRef."""
        names = ("group", "kind", "namespace", "name", "port", "weight")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route of any of the five kinds: its parents, and every backend reference in order.

    `rules` has the name of each rule, or none. Another object that refers to backends is one too.
    """

    meta: Meta
    parents: tuple[ObjectRef, ...] = ()
    refs: tuple[BackendRef, ...] = ()
    api_version: str = ""
    rules: tuple[str, ...] = ()
    hostnames: tuple[str, ...] = ()
    matches: tuple[policies.RouteMatch, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """An object that is read for its presence only: ServiceExport, EndpointSlice, Namespace.

    `conditions` are those of its status: type, status, reason.
    """

    meta: Meta
    conditions: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that could not be read, or was passed over, and why."""

    position: Position
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """The position and the reason."""
        return {"position": self.position.as_dict(), "reason": self.reason}

    def __str__(self) -> str:
        return f"{self.position}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """All that was read, in the order of files and documents.

    `referrers` are what refers to backends beside routes. `unreadable` counts against the exit
    status; `skipped` (a fixture's outputs) and `warnings` (a duplicate key) are said and do not.
    `unread` counts the objects of kinds that are not read. `suppressing` is what objects say of
    their findings.
    """

    services: tuple[Service, ...] = ()
    service_imports: tuple[Service, ...] = ()
    backends: tuple[Backend, ...] = ()
    routes: tuple[Route, ...] = ()
    referrers: tuple[Route, ...] = ()
    gateways: tuple[policies.Gateway, ...] = ()
    gateway_classes: tuple[policies.GatewayClass, ...] = ()
    grants: tuple[policies.ReferenceGrant, ...] = ()
    tls_policies: tuple[policies.Policy, ...] = ()
    traffic_policies: tuple[policies.Policy, ...] = ()
    client_policies: tuple[policies.Policy, ...] = ()
    patch_policies: tuple[policies.Policy, ...] = ()
    filters: tuple[policies.Policy, ...] = ()
    proxies: tuple[policies.Policy, ...] = ()
    listener_sets: tuple[policies.ListenerSet, ...] = ()
    definitions: tuple[policies.Definition, ...] = ()
    workloads: tuple[Workload, ...] = ()
    exposures: tuple[Exposure | Ingress, ...] = ()
    others: tuple[Other, ...] = ()
    suppressing: tuple[Suppressing, ...] = ()
    unreadable: tuple[Problem, ...] = ()
    skipped: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    unread: tuple[tuple[str, int], ...] = ()
    files: int = 0
    documents: int = 0

    @property
    def referring(self) -> tuple[Route, ...]:
        """All that refers to backends: the routes, then the others."""
        return (*self.routes, *self.referrers)
