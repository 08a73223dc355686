"""Each exported port, cluster by cluster: declared, imported, and the wire resolved there. Pure.

What is spoken to the Service of the oldest export, in its own cluster, is what is meant: every
other side is compared with it. What an import leaves out, or an export does not have, is no side of
a port: it has a row that tells so, and nothing is meant there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from protocol_analysis.model import MCS, Position
from protocol_analysis.multicluster.controllers import KEP, Controller, controller_of
from protocol_analysis.multicluster.disagreeing import Disagreement, worst
from protocol_analysis.multicluster.exporting import Name, Port, Shared, key_of
from protocol_analysis.multicluster.faults import Faults
from protocol_analysis.multicluster.hearing import Ear, ears
from protocol_analysis.multicluster.merging import MergedPort
from protocol_analysis.multicluster.mirroring import across_clusters
from protocol_analysis.multicluster.sides import (
    DERIVED,
    EXPORT,
    IMPORT,
    Across,
    Side,
    aside,
    ports_across,
    writes_of,
)
from protocol_analysis.readers import Reader
from protocol_analysis.reading import Cluster
from protocol_analysis.readings import word_of
from protocol_analysis.resolution import Resolution

NO_IMPORT, NO_PORT = "no import", "no port"  # instead of a wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Propagation:
    """One exported port on one side of one cluster: `export`, `import`, or `derived` from that.

    `wire` is what is spoken there, `meant` what is spoken to the oldest export's Service, "" where
    the two are no sides of one port; both behind an HTTPRoute, whatever leads there. `behind` has
    the other ways in which routes do lead there, of those by which something else is spoken than is
    meant: the way, what is spoken, what is meant. `wanted` is the value that the import should
    have. `position` is where this side declares it, or the export where this side has nothing.
    """

    cluster: str
    side: str
    name: Name
    port: Port
    port_name: str
    app_protocol: str | None
    wanted: str | None
    winner: str
    reader: Reader
    resolution: Resolution | None
    wire: str
    meant: str
    routes: int
    position: Position
    behind: tuple[tuple[str, str, str], ...] = ()
    faults: tuple[Disagreement, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether it is spoken here what is meant, if anything is, by all ways that lead here."""
        return not self.meant or (self.wire == self.meant and not self.behind)

    @property
    def service_port(self) -> str:
        """`namespace/name:port`; with transport and API group where those are unusual."""
        (namespace, name, group), (number, transport) = self.name, self.port
        more = ("" if transport == "TCP" else transport, "" if group == MCS else group)
        where = f"{namespace}/{name}{f':{number}' if number else ''}"
        return " ".join(filter(None, (where, *more)))

    def as_dict(self) -> dict[str, Any]:
        """A row, as the command prints it."""
        said = self.resolution
        return {
            "cluster": self.cluster or None,
            "side": self.side,
            "namespace": self.name[0],
            "name": self.name[1],
            "port": self.port[0],
            "portName": self.port_name,
            "transport": self.port[1],
            "appProtocol": self.app_protocol,
            "wanted": self.wanted,
            "winner": self.winner or None,
            "protocol": said.protocol if said else None,
            "upstream": said.upstream if said else None,
            "tls": bool(said and said.tls),
            "wire": self.wire,
            "meant": self.meant or None,
            "agrees": self.agrees,
            "behind": [
                {"way": way, "wire": wire, "meant": meant} for way, wire, meant in self.behind
            ],
            "routes": self.routes,
            "implementation": self.reader.implementation,
            "release": self.reader.release,
            "verified": said.verified if said else True,
            "severity": worst(self.faults) or None,
            "disagreements": [fault.as_dict() for fault in self.faults],
            "reasons": [reason.as_dict() for reason in said.reasons] if said else [],
            "position": self.position.as_dict(),
        }


def propagation(clusters: Sequence[Cluster], controller: str = KEP) -> list[Propagation]:
    """One row per exported or imported port and side, by name, port, cluster.

    The order of the clusters decides nothing. Raises RulesetError for a controller that is not
    known.

    >>> from protocol_analysis.reading import read
    >>> releases = {"east": "v1.8.3", "west": "v1.5.9"}
    >>> paths = {name: f"data/sample/{name}@envoy-gateway:{r}" for name, r in releases.items()}
    >>> rows = propagation(read(paths).clusters)
    >>> [(row.cluster, row.side, row.wire) for row in rows[:2]]
    [('east', 'export', 'h2'), ('west', 'import', 'http/1.1')]
    >>> rows[1].faults[0].kind.kind, rows[1].faults[0].severity
    ('dead import', 'warning')
    """
    writes = controller_of(controller)
    heard = ears(clusters, writes)
    found = [*across_clusters(clusters)]
    found += _unknown(found, heard)
    rows = [row for each in found for row in _Table(each, heard, writes_of(each, writes)).rows()]
    return sorted(rows, key=lambda row: (row.name, row.port, row.cluster, row.side))


class _Table:
    """The rows of one name."""

    def __init__(self, of: Shared, heard: Mapping[str, Ear], controller: Controller) -> None:
        self.of, self.heard, self.controller = of, heard, controller
        self.imports = {each.cluster: each for each in of.imports}
        self.faults = Faults(of, heard, controller)

    def rows(self) -> Iterator[Propagation]:
        """The sides of every port, then what is on no side of it."""
        if not (self.of.exports or self.of.imports):
            yield from self._unknown()
        ports = ports_across(self.of)
        for port in ports:
            meant = self.faults.word(port.sides[0])
            for side in port.sides:
                yield self._side(port, side, meant)
            if port.merged:
                yield from self._beside(port.merged, meant)
        yield from self._unknown_ports({port.key for port in ports if port.merged})
        exported = [port for port in ports if port.merged]
        for export in self.of.exports:
            # What cannot be exported is told beside the first port that others export.
            faults = [] if export.ports else self.faults.of_export(export)
            if faults:
                first = exported[0] if exported else None
                meant = self.faults.word(first.sides[0]) if first else ""
                key = first.key if first else (0, "TCP")
                yield self._row(export.cluster, EXPORT, key, faults, meant=meant)

    def _beside(self, port: MergedPort, meant: str) -> Iterator[Propagation]:
        """Exports whose port is left out, or that lack it; clusters without an import of it."""
        winner = port.winner.cluster
        for claim in port.left_out:
            side = Side(
                cluster=claim.export.cluster, side=EXPORT, service=claim.service, port=claim.port
            )
            faults = [*self.faults.of_export(claim.export), self.faults.left_out(port, claim)]
            yield self._row(side.cluster, EXPORT, key_of(claim.port), faults, winner, of=side)
        for export in port.lacking:
            faults = [*self.faults.of_export(export), self.faults.lacking(port, export)]
            yield self._row(export.cluster, EXPORT, port.key, faults, winner)
        row = partial(self._row, winner=winner, wanted=self.controller.carried(port), meant=meant)
        for cluster in sorted(self.heard):
            found = self.imports.get(cluster)
            if found and not found.port(port.key):
                fault = self.faults.missing_port(found, found.service, port, meant)
                yield row(cluster, IMPORT, port.key, [fault])
            elif found and found.derived and not found.derived_port(port.key):
                fault = self.faults.missing_port(found, found.derived, port, meant)
                yield row(cluster, DERIVED, port.key, [fault])
            elif not found and (missing := self.faults.missing_import(cluster, port)):
                yield row(cluster, IMPORT, port.key, [missing], word=NO_IMPORT)

    def _unknown_ports(self, exported: set[Port]) -> Iterator[Propagation]:
        """References to a port of a ServiceImport that it does not have, and no export either."""
        known = exported | {key_of(port) for each in self.of.exports for port in each.ports}
        for found in self.of.imports:
            wanted = self.heard[found.cluster].wants(self.of.name)
            for key in sorted({key for key in wanted if key[0]} - known - {*found.ports}):
                if fault := self.faults.unknown_port(found, key):
                    yield self._row(found.cluster, IMPORT, key, [fault])

    def _unknown(self) -> Iterator[Propagation]:
        """References to a ServiceImport that no cluster at hand has, or exports to."""
        for cluster in sorted(self.heard):
            for key, refs in self.heard[cluster].wants(self.of.name).items():
                fault = self.faults.unknown_import(cluster, key, refs)
                yield self._row(cluster, IMPORT, key, [fault], word=NO_IMPORT)

    def _side(self, port: Across, side: Side, meant: str) -> Propagation:
        turned, wanted, winner = self.faults.turned(port, side), None, ""
        faults = self.faults.of_side(port, side, meant, turned)
        if port.merged:
            winner, wanted = port.merged.winner.cluster, self.controller.carried(port.merged)
        if aside(self.heard[side.cluster], self.of, side):
            meant = ""
        row = self._row(
            side.cluster, side.side, port.key, faults, winner, wanted=wanted, meant=meant, of=side
        )
        return replace(row, behind=tuple(self.faults.behind(port, side, turned)))

    def _row(
        self,
        cluster: str,
        side: str,
        port: Port,
        faults: Sequence[Disagreement],
        winner: str = "",
        *,
        wanted: str | None = None,
        meant: str = "",
        of: Side | None = None,
        word: str = NO_PORT,
    ) -> Propagation:
        """A side of a cluster; without `of` it has nothing, and `word` says so."""
        ear = self.heard[cluster]
        said = ear.hear(of.service, of.port) if of else None
        led = ear.leading(of.service, of.port) if of else ear.called(self.of.name, port)
        if not of and side == DERIVED:
            led = [answer for answer in led if not answer.sent]
        return Propagation(
            cluster=cluster,
            side=side,
            name=self.of.name,
            port=port,
            port_name=of.port.name if of else "",
            app_protocol=of.port.app_protocol if of else None,
            wanted=wanted,
            winner=winner,
            reader=ear.reader,
            resolution=said,
            wire=word_of(said) if said else word,
            meant=meant,
            routes=len(led),
            position=of.port.where if of else faults[0].position,
            faults=tuple(faults),
        )


def _unknown(known: Sequence[Shared], heard: Mapping[str, Ear]) -> list[Shared]:
    """Names that references mean, and that no cluster at hand exports or imports."""
    names = {each.name for each in known}
    wanted = {name for ear in heard.values() for name in ear.wanted}
    return [Shared(name=name) for name in sorted(wanted - names)]
