"""Who uses a value, and who else reads the same ports: one use per port and cluster. Pure.

The three kinds are three problems: the CRD of a Backend forbids `grpc`, so there is nothing to
migrate; a ServiceImport has it since v1.9 only; Services are the population. For every use stand
there all that read it: the gateways whose routes lead there, today and at the releases that are
asked about; the meshes that are declared or that labels tell of; and the gateways of clusters that
import what is exported here. Each with what it speaks now, and what it would after a rewrite.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from protocol_analysis.coverage import stem
from protocol_analysis.edits import wire_of
from protocol_analysis.meshes import Meshes
from protocol_analysis.model import Meta, Position, Service, ServicePort, name_of, values_of
from protocol_analysis.multicluster.exporting import Shared, key_of, shared
from protocol_analysis.multicluster.hearing import Ear, Way, ears
from protocol_analysis.multicluster.merging import merged
from protocol_analysis.owners import Owner, owner_of
from protocol_analysis.readers import Reader, base_of, reader
from protocol_analysis.reading import Cluster
from protocol_analysis.readings import called_by_grpc, who, word_of
from protocol_analysis.resolution import Resolution
from protocol_analysis.rollout.calls import calls_of
from protocol_analysis.rollout.facts import INSTEAD, VALUE, Hazard, hazards, never
from protocol_analysis.rollout.floors import floor_of

_NEARLY = ("grpc-web", "h2c")  # http2 under any name is h2c by its stem
CLASSES = ("grpc", "near miss", "never rewritten")
EFFECTS = ("loses", "unknown", "gains", "neutral")  # the worst first
COSTLY = EFFECTS[:2]  # what stands against a rewrite
_RANKS = {"not read": 0, "its Service": 0, "unknown": 0, "tcp": 1, "udp": 1, "http/1.1": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """Who reads a port, by one way: what is spoken now, and what would be after a rewrite.

    `role`: gateway, mesh, or import, for a gateway of a cluster that imports it. `way` is the kind
    of the routes that lead there, or the place outside routes: `extAuth http`. `told_by` says how
    a mesh is known; `later`, that it is a release that is asked about. `alone` has what is spoken
    before and after behind an HTTPRoute, by which clusters compare, whatever leads there.
    """

    name: str
    role: str
    told_by: str
    way: str
    before: Resolution
    after: Resolution
    effect: str
    loss: str
    hazards: tuple[Hazard, ...] = ()
    later: bool = False
    alone: tuple[Resolution, Resolution]

    @property
    def reader(self) -> Reader:
        """Who it is."""
        return who(self.before)

    def as_dict(self) -> dict[str, Any]:
        """The consumer, as a row of `plan` has it."""
        return {
            "name": self.name,
            "role": self.role,
            "toldBy": self.told_by,
            "way": self.way,
            "later": self.later,
            "before": word_of(self.before),
            "after": word_of(self.after),
            "effect": self.effect,
            "loss": self.loss or None,
            "floor": floor_of(self.reader, self.before.ref.kind) or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A value on one port, or on a Backend, and all that bears upon it.

    `declared_as`: one of `CLASSES`. `routes` are the references that mean the port; `exported` says
    that its Service is exported, or that an import's exports are at hand: `import_says` is what the
    import should carry by them.
    """

    cluster: str
    target: Meta
    port: int | None
    port_name: str
    value: str
    declared_as: str
    position: Position
    owner: Owner | None
    calls: str
    exported: bool
    import_says: str = ""
    routes: tuple[Resolution, ...] = ()
    consumers: tuple[Consumer, ...] = ()
    service: Service | None = field(default=None, repr=False)

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        where = f"{self.target.kind} {self.target.namespace}/{self.target.name}{port}"
        return f"{where} in {self.cluster}" if self.cluster else where

    @property
    def key(self) -> tuple[str, str, str, str, int | None]:
        """By what it is the same use in an earlier plan."""
        meta = self.target
        return (self.cluster, meta.kind, meta.namespace, meta.name, self.port)

    @property
    def route_kinds(self) -> tuple[str, ...]:
        """The kinds of what leads here."""
        return tuple(sorted({answer.route.kind for answer in self.routes}))

    def of_role(self, *roles: str) -> tuple[Consumer, ...]:
        """The consumers of these roles."""
        return tuple(each for each in self.consumers if each.role in roles)


def census(
    clusters: Sequence[Cluster],
    later: Sequence[Reader] = (),
    meshes: Sequence[str] = (),
    calls: Mapping[str, str] | None = None,
) -> list[Use]:
    """Every use of `grpc` and what is nearly one, by cluster and position.

    `later` are readers that are asked about beside those of today: releases, or a proposal's.
    `meshes` are declared for all clusters, `istio@1.26`. `calls` says of `namespace/name` whether
    its calls stream. Raises RulesetError for what is not known.

    >>> from protocol_analysis.reading import read
    >>> found = census(read("data/sample/east", "v1.8.3").clusters)
    >>> [(each.name, each.effect) for each in found[0].consumers]
    [('envoy-gateway@v1.8.3', 'neutral'), ('istio', 'unknown')]
    """
    across = {(each.name[0], each.name[1]): each for each in shared(clusters)}
    heard = ears(clusters)
    found: list[Use] = []
    for cluster in clusters:
        counter = _Counter(cluster, heard, across, later, meshes, calls or {})
        found += sorted(counter.uses(), key=lambda use: use.position)
    return found


class _Counter:
    """The uses of one cluster."""

    def __init__(
        self,
        cluster: Cluster,
        heard: Mapping[str, Ear],
        across: Mapping[tuple[str, str], Shared],
        later: Sequence[Reader],
        meshes: Sequence[str],
        calls: Mapping[str, str],
    ) -> None:
        self.cluster, self.inventory = cluster, cluster.inventory
        self.name = cluster.name or ""
        self.heard, self.across, self.calls = heard, across, calls
        self.later = later
        self.declared = {name: reader(name, mesh=True) for name in meshes}
        self.marked = Meshes(cluster.inventory)
        self.called = called_by_grpc(cluster.inventory)

    def uses(self) -> Iterator[Use]:
        for service in (*self.inventory.services, *self.inventory.service_imports):
            for port in service.ports:
                if declared_as := class_of(port.app_protocol):
                    yield self._use(service, port, declared_as)
        for backend in self.inventory.backends:
            for value in values_of(backend.app_protocol):
                if means_grpc(value):
                    yield self._of_backend(backend.meta, value, backend.where)

    def _use(self, service: Service, port: ServicePort, declared_as: str) -> Use:
        meta, ear = service.meta, self.heard[self.name]
        of = self.across.get((meta.namespace, meta.name))
        calls = calls_of(meta, self.calls)
        routes = tuple(ear.references(service, key_of(port)))
        consumers: list[Consumer] = []
        if means_grpc(port.app_protocol):  # nothing is asked of what is never rewritten
            consumers += self._gateways(service, port, routes)
            consumers += self._meshes(service, port, calls)
            consumers += self._importers(of, port) if of and meta.kind == "Service" else ()
        return Use(
            cluster=self.name,
            target=meta,
            port=port.number,
            port_name=port.name,
            value=port.app_protocol or "",
            declared_as=declared_as,
            position=port.where,
            owner=owner_of(meta),
            calls=calls,
            exported=bool(of and any(self._is_of(meta, each.cluster) for each in of.exports)),
            import_says=_merged(of, port) if of else "",
            routes=routes,
            consumers=tuple(consumers),
            service=service,
        )

    def _is_of(self, meta: Meta, exporting: str) -> bool:
        """Whether an export is of this Service, or makes this import."""
        return meta.kind == "ServiceImport" or exporting == self.name

    def _of_backend(self, meta: Meta, value: str, position: Position) -> Use:
        return Use(
            cluster=self.name,
            target=meta,
            port=None,
            port_name="",
            value=value,
            declared_as=class_of(value),
            position=position,
            owner=owner_of(meta),
            calls="",
            exported=False,
        )

    def _gateways(
        self, service: Service, port: ServicePort, routes: Sequence[Resolution]
    ) -> Iterator[Consumer]:
        """The gateways that lead there, by every way; the cluster's own where nobody does."""
        own = self.heard[self.name].reader
        led: dict[tuple[Reader, str, str], None] = {} if routes else {(own, "HTTPRoute", ""): None}
        for answer in routes:
            for each in (answer, *answer.readings):
                if not each.mesh:
                    led[who(each), answer.route.kind, answer.ref.site] = None
        at = (self.name, service, port)
        for by, kind, site in led:
            for then, later in self._now_and_later(by):
                yield self._consumer(
                    "gateway", str(then), "", *at, then, kind, site=site, later=later
                )

    def _meshes(self, service: Service, port: ServicePort, calls: str) -> Iterator[Consumer]:
        told = dict.fromkeys(self.declared, "declared")
        declared = {each.implementation for each in self.declared.values()}
        told |= self.marked.of(service.meta, declared)
        called = (service.meta.world, *name_of(service.meta)) in self.called
        kind = "GRPCRoute" if called else "HTTPRoute"
        for name, mark in told.items():
            by = self.declared.get(name) or reader(name, mesh=True)
            yield self._consumer("mesh", name, mark, self.name, service, port, by, kind, calls)

    def _now_and_later(self, by: Reader) -> list[tuple[Reader, bool]]:
        """A reader as it is today, then at what is asked about."""
        return [(by, False), *((then, True) for then in later_of(by, self.later))]

    def _importers(self, of: Shared, port: ServicePort) -> Iterator[Consumer]:
        """The gateways of clusters that import what is exported here; the import follows."""
        if not any(each.cluster == self.name for each in of.exports):
            return
        for each in of.imports:
            here, ear = each.port(key_of(port)), self.heard[each.cluster]
            if here is None or each.cluster == self.name:
                continue
            for by, later in self._now_and_later(ear.reader):
                name = f"{by} in {each.cluster}"
                yield self._consumer(
                    "import",
                    name,
                    "",
                    each.cluster,
                    each.service,
                    here,
                    by,
                    later=later,
                    value=port.app_protocol,
                )

    def _consumer(
        self,
        role: str,
        name: str,
        told_by: str,
        cluster: str,
        service: Service,
        port: ServicePort,
        by: Reader,
        kind: str = "HTTPRoute",
        calls: str = "",
        *,
        site: str = "",
        later: bool = False,
        value: str | None = None,
    ) -> Consumer:
        ear = self.heard[cluster]
        value = value or port.app_protocol
        way = Way(route=kind, site=site)
        before, after = (ear.hear(service, port, said, way=way, by=by) for said in (value, INSTEAD))
        # What a reader takes for grpc, in another case for instance, costs as much to give up.
        as_grpc = ear.hear(service, port, VALUE, way=way, by=by)
        same = value == VALUE or as_grpc.deciding.row == before.deciding.row
        known = tuple(h for h in hazards() if same and h.holds(name))
        effect, loss = _effect(before, after, known, calls)
        return Consumer(
            name=name,
            role=role,
            told_by=told_by,
            way=site or kind,
            before=before,
            after=after,
            effect=effect,
            loss=loss,
            hazards=known,
            later=later,
            alone=(ear.hear(service, port, value, by=by), ear.hear(service, port, INSTEAD, by=by)),
        )


def _merged(of: Shared, port: ServicePort) -> str:
    """What the import of these exports should carry on a port."""
    found = (each.app_protocol for each in merged(of) if each.key == key_of(port))
    return next(found, None) or ""


def class_of(value: str | None) -> str:
    """One of `CLASSES`, or empty: `grpc` itself, what is nearly it, what is never rewritten.

    >>> [class_of(value) for value in ("grpc", "GRPC", "kubernetes.io/grpc", "grpc-web", "https")]
    ['grpc', 'near miss', 'near miss', 'never rewritten', '']
    """
    if not value:
        return ""
    if value in never():
        # Of the others, https and tls, nobody would say that they mean grpc.
        return "never rewritten" if stem(value) in _NEARLY else ""
    if value == VALUE:
        return "grpc"
    return "near miss" if stem(value) == VALUE else ""


def means_grpc(value: str | None) -> bool:
    """Whether a value is `grpc`, or nearly.

    >>> [means_grpc(value) for value in ("grpc", "GRPC", "grpc-web", None)]
    [True, True, False, False]
    """
    return class_of(value) in CLASSES[:2]


def spoken(answer: Resolution) -> tuple[Any, ...]:
    """All that two answers about one port are compared by: whether anything is sent, and how."""
    return (answer.sent, *wire_of(answer))


def rank(answer: Resolution) -> int:
    """How much of HTTP/2 is spoken: nothing at all, bytes, HTTP/1.1, what ALPN says, HTTP/2."""
    word = word_of(answer).partition("+")[0]
    return 4 if word == "h2" else _RANKS.get(word, 3)


def _effect(
    before: Resolution, after: Resolution, known: Iterable[Hazard], calls: str
) -> tuple[str, str]:
    """The effect of a rewrite on a reader, and what is lost, or not known."""
    told = f"{word_of(before)} now, {word_of(after)} then"
    if not (before.verified and after.verified):
        return "unknown", f"nobody has verified it: {told}"
    old, new = spoken(before), spoken(after)
    if old != new and rank(after) <= rank(before):
        return "loses", told
    for hazard in known:
        if hazard.effect != "note" and not (hazard.unless and calls == hazard.unless):
            asked = "; say whether it streams" if hazard.unless and not calls else ""
            return "unknown" if asked else hazard.effect, f"{hazard.text}{asked}"
    return ("neutral", "") if old == new else ("gains", "")


def later_of(by: Reader, later: Sequence[Reader]) -> Iterator[Reader]:
    """Of the readers that are asked about, those of the same implementation, and not the same."""
    for each in later:
        if base_of(each.implementation) == base_of(by.implementation) and each != by:
            yield each
