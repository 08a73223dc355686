"""What each cluster exports and imports, by name: the inventory of a clusterset. Pure.

A ServiceExport names a Service of its own cluster; namespace and name mean the same in all clusters
(namespace sameness, KEP-1645). Oldest first, by the creationTimestamp of the ServiceExport; where
that is not known or the same, by the name of the cluster, so that the order of reading decides
nothing. A Service that is mirrored is an export with imports of its own: `mirroring` finds those.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from protocol_analysis.model import Inventory, Meta, Position, Service, ServicePort
from protocol_analysis.reading import Cluster
from protocol_analysis.scope import Scope

EXTERNAL = "ExternalName"  # a Service of that type cannot be exported
HERE = "this cluster"  # one that has no name, in a sentence
# Karmada's derived Service has no annotation, and this before the name of the import: the source
# of `karmada` in controllers.yaml.
_DERIVED = "derived-"
Name = tuple[str, str, str]  # namespace, name, API group of export and import
Port = tuple[int, str]  # number and transport: what a port is reached by


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A ServiceExport, and the Service that it means; None where there is none, or several.

    `namesakes` are other Services of that name nearby that declare something else. `conditions` are
    those of its status, as its controller wrote them.
    """

    cluster: str
    meta: Meta
    service: Service | None
    namesakes: tuple[Meta, ...] = ()
    conditions: tuple[tuple[str, str, str], ...] = ()

    @property
    def place(self) -> str:
        """Its cluster, in a sentence."""
        return self.cluster or HERE

    @property
    def created(self) -> datetime | None:
        """When the ServiceExport was created, where it says so."""
        try:
            found = datetime.fromisoformat(self.meta.created)
        except ValueError:
            return None
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    @property
    def age(self) -> tuple[bool, float, str, Position]:
        """Sorts the oldest first; those of unknown age come last, by the name of the cluster."""
        found = self.created
        stamp = found.timestamp() if found else 0.0
        return (found is None, stamp, self.cluster, self.meta.position)

    @property
    def valid(self) -> bool:
        """Whether there is a Service that can be exported: a mere name cannot."""
        return self.service is not None and self.service.type != EXTERNAL

    @property
    def asks(self) -> tuple[str, ...]:
        """What its import gets beside ports, as `Service.asks`."""
        return self.service.asks if self.service else ()

    @property
    def ports(self) -> tuple[ServicePort, ...]:
        """The ports that are exported: none without a number."""
        ports = self.service.ports if self.service and self.valid else ()
        return tuple(port for port in ports if port.number is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """A ServiceImport in a cluster, or what stands for one there; `namesakes` as of an Export.

    `derived` is the Service that a controller made of it, where it is at hand.
    """

    cluster: str
    service: Service
    namesakes: tuple[Meta, ...] = ()
    derived: Service | None = None
    ports: dict[Port, ServicePort] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        found = {key_of(port): port for port in reversed(self.service.ports) if port.number}
        # Of two with one number the first; in the order in which they stand.
        object.__setattr__(self, "ports", dict(reversed(found.items())))

    def port(self, wanted: Port) -> ServicePort | None:
        """The port with that number and transport."""
        return self.ports.get(wanted)

    def derived_port(self, wanted: Port) -> ServicePort | None:
        """The same of the Service that is derived from it."""
        ports = self.derived.ports if self.derived else ()
        return next((port for port in ports if key_of(port) == wanted), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """One name across clusters: its exports, oldest first, and its imports by cluster."""

    name: Name
    exports: tuple[Export, ...] = ()
    imports: tuple[Import, ...] = ()

    def __str__(self) -> str:
        return f"{self.name[0]}/{self.name[1]}"

    @property
    def valid(self) -> tuple[Export, ...]:
        """The exports that can be imported, oldest first."""
        return tuple(export for export in self.exports if export.valid)


def key_of(port: ServicePort) -> Port:
    """What a port is reached by.

    >>> here = Position(file="a.yaml", document=1, line=1, column=1)
    >>> key_of(ServicePort(number=53, transport="UDP", position=here))
    (53, 'UDP')
    """
    return (port.number or 0, port.transport)


def shared(clusters: Iterable[Cluster]) -> list[Shared]:
    """Every name that any cluster exports or imports by the MCS API, in order of the names.

    The fixtures of translator tests are worlds of their own and no clusters; they are left out.

    >>> from protocol_analysis.reading import read
    >>> found = shared(read({name: f"data/sample/{name}" for name in ("east", "west")}).clusters)
    >>> [each.cluster for each in found[0].exports], [each.cluster for each in found[0].imports]
    (['east'], ['west'])
    """
    exports: dict[Name, list[Export]] = {}
    imports: dict[Name, list[Import]] = {}
    for cluster in clusters:
        name = cluster.name or ""
        scope = Scope(cluster.inventory)
        for export in _exports(name, cluster.inventory, scope):
            exports.setdefault(name_of_shared(export.meta), []).append(export)
        for each in _imports(name, cluster.inventory, scope):
            imports.setdefault(name_of_shared(each.service.meta), []).append(each)
    return together(exports, imports)


def together(exports: dict[Name, list[Export]], imports: dict[Name, list[Import]]) -> list[Shared]:
    """Exports and imports by name, in order.

    >>> together({}, {("shop", "cart", ""): []})[0].name
    ('shop', 'cart', '')
    """
    return [
        Shared(
            name=name,
            exports=tuple(sorted(exports.get(name, ()), key=lambda export: export.age)),
            imports=tuple(sorted(imports.get(name, ()), key=lambda each: each.cluster)),
        )
        for name in sorted({*exports, *imports})
    ]


def name_of_shared(meta: Meta) -> Name:
    """By what an export and its imports are the same."""
    return (meta.namespace, meta.name, meta.group)


def _exports(cluster: str, inventory: Inventory, scope: Scope) -> Iterable[Export]:
    found: dict[Name, list[Export]] = {}
    for other in inventory.others:
        meta = other.meta
        if meta.kind == "ServiceExport" and meta.world == cluster:
            near = scope.nearest(meta, "", "Service", meta.namespace, meta.name)
            service, namesakes = one_of(near)
            export = Export(
                cluster=cluster,
                meta=meta,
                service=service,
                namesakes=namesakes,
                conditions=other.conditions,
            )
            found.setdefault(name_of_shared(meta), []).append(export)
    for exports in found.values():
        # Of two that say the same thing of one name, the older.
        yield min(exports, key=lambda export: export.age)


def _imports(cluster: str, inventory: Inventory, scope: Scope) -> Iterable[Import]:
    found: dict[Name, list[Service]] = {}
    for each in inventory.service_imports:
        if each.meta.world == cluster:
            found.setdefault(name_of_shared(each.meta), []).append(each)
    for services in found.values():
        service, namesakes = one_of(services)
        if service:
            name = service.derived or f"{_DERIVED}{service.meta.name}"
            named = ("", "Service", service.meta.namespace, name)
            derived, more = one_of(scope.nearest(service.meta, *named))
            yield Import(
                cluster=cluster, service=service, namesakes=(*namesakes, *more), derived=derived
            )


def one_of(services: Sequence[Service]) -> tuple[Service | None, tuple[Meta, ...]]:
    """The first in order of place, and those of its name that declare something else.

    >>> one_of([])
    (None, ())
    """
    if not services:
        return None, ()
    first, *rest = sorted(services, key=lambda service: service.meta.position)
    return first, tuple(each.meta for each in rest if _says(each) != _says(first))


def _says(service: Service) -> list[tuple[Port, str, str]]:
    """What is compared; the order of ports is not, nor an empty text with nothing."""
    return sorted((key_of(port), port.name, port.app_protocol or "") for port in service.ports)


def with_ports(service: Service, values: Sequence[tuple[Port, str | None]]) -> Service:
    """A Service or ServiceImport with other values on some ports; without any the same object.

    >>> from protocol_analysis.manifests import load
    >>> service = load("data/sample/east/imports.yaml").service_imports[0]
    >>> with_ports(service, []) is service
    True
    >>> with_ports(service, [((8080, "TCP"), "grpc")]).ports[0].app_protocol
    'grpc'
    """
    said = dict(values)
    ports = [
        replace(p, app_protocol=said[key_of(p)], rejected="") if key_of(p) in said else p
        for p in service.ports
    ]
    return replace(service, ports=tuple(ports)) if said else service


def with_name(service: Service, wanted: Port, name: str | None) -> Service:
    """A Service or ServiceImport with another name of one port; None changes nothing.

    >>> from protocol_analysis.manifests import load
    >>> service = load("data/sample/east/imports.yaml").service_imports[0]
    >>> with_name(service, (8080, "TCP"), "grpc").ports[0].name
    'grpc'
    """
    if name is None:
        return service
    ports = (replace(p, name=name) if key_of(p) == wanted else p for p in service.ports)
    return replace(service, ports=tuple(ports))
