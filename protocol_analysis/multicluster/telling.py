"""Stories of exports: the path of one port, imports by field, one release dragged along. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from protocol_analysis.model import Service
from protocol_analysis.multicluster.controllers import KEP, Controller, controller_of
from protocol_analysis.multicluster.disagreeing import SEVERITIES, worst
from protocol_analysis.multicluster.exporting import Export, Port, key_of
from protocol_analysis.multicluster.hearing import Way, ears
from protocol_analysis.multicluster.merging import MergedPort, merged, whole, why_older
from protocol_analysis.multicluster.mirroring import across_clusters
from protocol_analysis.multicluster.propagation import Propagation, propagation
from protocol_analysis.multicluster.sides import (
    DERIVED,
    EXPORT,
    IMPORT,
    Side,
    ports_across,
    writes_of,
)
from protocol_analysis.multicluster.steps import Step, apart, applied
from protocol_analysis.reading import Cluster
from protocol_analysis.readings import word_of
from protocol_analysis.releases import release_key
from protocol_analysis.resolution import ASSUMED, Resolution
from protocol_analysis.rulebook import line_releases
from protocol_analysis.rules import ruleset

MOST_ROUTES = 3  # of those that lead to a side, in the way of a port


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage of a port's way from its declaration to the wire, with where it stands."""

    stage: str
    cluster: str
    says: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of an import: what the exports give it, and what it says."""

    cluster: str
    object: str
    port: str
    field: str
    wanted: str
    found: str

    @property
    def same(self) -> bool:
        """Whether the import says what its exports give it."""
        return self.wanted == self.found


@dataclass(frozen=True, slots=True, kw_only=True)
class Dragged:
    """The fleet with one cluster at another release: how many ports do not agree, and why."""

    cluster: str
    release: str
    ports: int
    kinds: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unaided:
    """One side that is not spoken what is meant, and what a GRPCRoute would speak to it."""

    service_port: str
    cluster: str
    meant: str
    by_http_route: str
    by_grpc_route: str


def journey(clusters: Sequence[Cluster], controller: str = KEP, port: str = "") -> list[Stage]:
    """The way of one port, `namespace/name:port`; by default of the one with the worst fault.

    Declared, exported, merged; then side by side: imported, the routes that lead there, the wire.

    >>> journey([])
    []
    """
    rows = propagation(clusters, controller)
    exported = [row for row in rows if row.meant and (not port or row.service_port == port)]
    chosen = min(exported, key=_urgency, default=None)
    return list(_stages(clusters, controller, rows, chosen)) if chosen else []


def imports_by_field(clusters: Sequence[Cluster], controller: str = KEP) -> list[Field]:
    """Every import, and what is derived from it, beside what the exports give it, by field.

    Of a port that the import does not have, and of one that no export has, the number is the field.

    >>> imports_by_field([])
    []
    """
    found: list[Field] = []
    for of in across_clusters(clusters):
        writes = writes_of(of, controller_of(controller))
        ports = {port.key: port for port in merged(of)}
        for each in of.imports if of.exports else ():
            for side, service in ((IMPORT, each.service), (DERIVED, each.derived)):
                if service:
                    lines = [("", *line) for line in whole(of, service)]
                    lines += _of_ports(ports, service, side, writes)
                    found += [
                        Field(
                            cluster=each.cluster,
                            object=str(service.meta),
                            port=port,
                            field=field,
                            wanted=wanted,
                            found=said,
                        )
                        for port, field, wanted, said in lines
                    ]
    return found


def _of_ports(
    ports: Mapping[Port, MergedPort], service: Service, side: str, writes: Controller
) -> Iterator[tuple[str, str, str, str]]:
    """The fields of the ports of an import, or of the Service that is derived from one."""
    has = {key_of(port): port for port in service.ports if port.number is not None}
    for key in dict.fromkeys([*ports, *has]):
        should, here = ports.get(key), has.get(key)
        number = f"{key[0]}/{key[1]}"
        yield number, "port", number if should else "", number if here else ""
        if should and here:
            value = writes.carries(should.app_protocol, side) or ""
            yield number, "name", should.port.name, here.name
            yield number, "appProtocol", value, here.app_protocol or ""


def dragged(
    clusters: Sequence[Cluster], name: str, start: str = "v1.3", controller: str = KEP
) -> list[Dragged]:
    """One cluster at the last patch of each line from `start` on, the others as they are.

    A cluster that is not among them, or of another implementation, is not dragged: the first of
    Envoy Gateway's is. Without any there is nothing.

    >>> dragged([], "east")
    []
    """
    able = [cluster for cluster in clusters if cluster.implementation == "envoy-gateway"]
    chosen = next((cluster for cluster in able if cluster.name == name), None) or next(
        iter(able), None
    )
    if chosen is None:
        return []
    rules = ruleset(chosen.implementation)
    low = release_key(rules.pick(start)[0])
    releases = [each for each in line_releases(rules) if release_key(each) >= low]
    found = []
    for release in releases:
        moved = [replace(c, release=release) if c is chosen else c for c in clusters]
        rows = propagation(moved, controller)
        kinds = Counter(fault.kind.kind for row in rows if not row.agrees for fault in row.faults)
        ports = {(row.name, row.port) for row in rows if not row.agrees}
        found.append(
            Dragged(
                cluster=chosen.name or "",
                release=release,
                ports=len(ports),
                kinds=tuple(sorted(kinds.items())),
            )
        )
    return found


def order_decides_nothing(clusters: Sequence[Cluster], controller: str = KEP) -> bool:
    """Whether the same comes out when the clusters are read the other way round.

    >>> order_decides_nothing([])
    True
    """
    rows = propagation(clusters, controller)
    return propagation(clusters[::-1], controller) == rows


def prefixes(
    clusters: Sequence[Cluster], steps: Sequence[Step], most: int = 10, controller: str = KEP
) -> list[int]:
    """How many pairs of sides differ at first and after each of the first steps, resolved anew.

    >>> prefixes([], [])
    [0]
    """
    counts, now = [_apart(clusters, controller)], list(clusters)
    for step in steps[:most]:
        if not step.blocked:
            now = applied(now, step)
            counts.append(_apart(now, controller))
    return counts


def never_worse(counts: Sequence[int]) -> bool:
    """Whether no count is higher than the one before it.

    >>> never_worse([3, 2, 2]), never_worse([1, 2])
    (True, False)
    """
    return list(counts) == sorted(counts, reverse=True)


def by_grpc_route(clusters: Sequence[Cluster], controller: str = KEP) -> list[Unaided]:
    """The sides where HTTP/2 is meant and something else is spoken, behind either kind of route.

    >>> by_grpc_route([])
    []
    """
    heard = ears(clusters)
    sides = {
        (each.cluster, of.name): each.service
        for of in across_clusters(clusters)
        for each in of.imports
    }
    found = []
    for row in propagation(clusters, controller):
        service = sides.get((row.cluster, row.name))
        if row.agrees or row.side != "import" or not service or not row.resolution:
            continue
        if row.meant.partition("+")[0] == "h2":
            port = next(p for p in service.ports if (p.number, p.transport) == row.port)
            answer = heard[row.cluster].hear(service, port, None, way=Way(route="GRPCRoute"))
            found.append(
                Unaided(
                    service_port=row.service_port,
                    cluster=row.cluster,
                    meant=row.meant,
                    by_http_route=row.wire,
                    by_grpc_route=word_of(answer),
                )
            )
    return found


def _apart(clusters: Sequence[Cluster], controller: str) -> int:
    """Pairs of sides that differ; what is not there is no side."""
    words: dict[tuple[object, ...], list[str]] = {}
    for row in propagation(clusters, controller):
        if row.resolution and row.meant:
            words.setdefault((row.name, row.port), []).append(row.wire)
    return sum(map(apart, words.values()))


def _urgency(row: Propagation) -> tuple[object, ...]:
    severity = worst(row.faults)
    weight = SEVERITIES.index(severity) if severity else len(SEVERITIES)
    return (weight, row.agrees, row.name, row.port)


def _stages(
    clusters: Sequence[Cluster],
    controller: str,
    rows: Sequence[Propagation],
    chosen: Propagation,
) -> Iterator[Stage]:
    of = next(each for each in across_clusters(clusters) if each.name == chosen.name)
    port = next(each for each in ports_across(of) if each.key == chosen.port)
    if port.merged:
        yield from _merging(port.merged, writes_of(of, controller_of(controller)))
    sides = {(side.cluster, side.side): side for side in port.sides}
    heard = ears(clusters, controller_of(controller))
    for row in rows:
        if (row.name, row.port) != (chosen.name, chosen.port) or not row.meant:
            continue
        side = sides.get((row.cluster, row.side))
        if row.side != EXPORT:
            value = row.app_protocol or "nothing"
            says = f"{side.service.meta} says {value}" if side else row.wire
            stage = "derived" if row.side == DERIVED else "imported"
            yield Stage(stage=stage, cluster=row.cluster, says=says, source=str(row.position))
        if side:
            led = heard[row.cluster].leading(side.service, side.port)
            yield from _routed(row, side, led)
        for fault in row.faults:
            says = f"{fault.kind.kind}: {fault.why}; {fault.meets}".rstrip("; ")
            yield Stage(
                stage="disagrees", cluster=row.cluster, says=says, source=str(fault.position)
            )


def _merging(port: MergedPort, writes: Controller) -> Iterator[Stage]:
    """What each export declares, and what comes of them together."""
    for export, here in [(port.winner, port.port), *((c.export, c.port) for c in port.claims)]:
        value, name = here.app_protocol or "nothing", f"{export.meta.namespace}/{export.meta.name}"
        yield Stage(
            stage="declared",
            cluster=export.cluster,
            says=f"Service {name} declares {value} on {here.number}/{here.transport}",
            source=str(here.where),
        )
        yield Stage(
            stage="exported",
            cluster=export.cluster,
            says=_since(export),
            source=str(export.meta.position),
        )
    carried = writes.carried(port) or "nothing"
    others = [claim.export for claim in port.claims if claim.differs]
    why = f", since {why_older(port.winner, others[0])}" if others else ""
    says = f"the import should say {carried}{why}"
    yield Stage(stage="merged", cluster="", says=says, source=writes.source)


def _routed(row: Propagation, side: Side, led: Sequence[Resolution]) -> Iterator[Stage]:
    """The routes that lead to a side, and what is spoken to it there; else behind an HTTPRoute."""
    for answer in led[:MOST_ROUTES]:
        says = f"{answer.route} leads to the {side.service.meta.kind}"
        at = str(answer.ref.position)
        yield Stage(stage="routed", cluster=row.cluster, says=says, source=at)
        yield _resolved(row, answer, f"behind this {answer.route.kind}")
    if more := led[MOST_ROUTES:]:
        says, at = f"{len(more)} more references lead there", str(more[0].ref.position)
        yield Stage(stage="routed", cluster=row.cluster, says=says, source=at)
    if row.resolution and not led:
        kind = row.resolution.route.kind
        article = "a" if kind == "UDPRoute" else "an"
        yield _resolved(row, row.resolution, f"behind {article} {kind}; no route leads there")


def _resolved(row: Propagation, answer: Resolution, where: str) -> Stage:
    reasons = [reason.text for reason in answer.reasons if reason.row != ASSUMED]
    spoken = word_of(answer)
    does = "reads it not" if spoken == "not read" else f"speaks {spoken}"
    return Stage(
        stage="resolved",
        cluster=row.cluster,
        says=f"{row.reader} {does} {where}: {' '.join(reasons)}",
        source=answer.deciding.source,
    )


def _since(export: Export) -> str:
    return f"{export.meta}, {export.meta.created or 'its age is not known'}"
