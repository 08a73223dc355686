"""Each exported port, cluster by cluster: declared, imported, and the wire resolved there. Pure.

What is spoken to the Service of the oldest export, in its own cluster, is what is meant: every
other side is compared with it. A fault has one kind, found in this order: the import or the port is
not there; its value is not what the exports give; the value is right, and its reader does not read
it on a ServiceImport; another reader reads it otherwise; a TLS policy is on one side only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from protocol_analysis.model import MCS, Position, Service, ServicePort
from protocol_analysis.multicluster.controllers import KEP, Controller, controller_of
from protocol_analysis.multicluster.disagreeing import Disagreement, worst
from protocol_analysis.multicluster.exporting import Import, Name, Port, Shared, key_of, shared
from protocol_analysis.multicluster.faults import Faults
from protocol_analysis.multicluster.hearing import Ear, ears
from protocol_analysis.multicluster.merging import MergedPort, merged
from protocol_analysis.readers import Reader
from protocol_analysis.reading import Cluster
from protocol_analysis.readings import word_of
from protocol_analysis.resolution import Resolution

NO_IMPORT, NO_PORT = "no import", "no port"  # instead of a wire
_Cells = dict[str, Any]  # what one row has of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Propagation:
    """One exported port on one side of one cluster: on its Service, or on its ServiceImport.

    `wire` is what is spoken there, `meant` what is spoken to the oldest export's Service. `wanted`
    is the value that the import should have. `position` is where this side declares it, or the
    export where this side has nothing.
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
    faults: tuple[Disagreement, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether it is spoken here what is meant."""
        return self.wire == self.meant

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
            "meant": self.meant,
            "agrees": self.agrees,
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
    writes, heard = controller_of(controller), ears(clusters)
    rows = [row for each in shared(clusters) for row in _Table(each, heard, writes).rows()]
    return sorted(rows, key=lambda row: (row.name, row.port, row.cluster, row.side))


class _Table:
    """The rows of one name."""

    def __init__(self, of: Shared, heard: Mapping[str, Ear], controller: Controller) -> None:
        self.of, self.heard, self.controller = of, heard, controller
        self.imports = {each.cluster: each for each in of.imports}
        self.faults = Faults(of, heard, controller)

    def rows(self) -> Iterator[Propagation]:
        """The merged ports, then those that only imports have."""
        ports = merged(self.of)
        for port in ports:
            meant, wanted = self.faults.meant(port), self.controller.carried(port)
            for row in (*self._exported(port, meant), *self._imported(port, meant)):
                told: _Cells = {"port": port.key, "winner": port.winner.cluster, "wanted": wanted}
                yield self._row(meant=meant, **told, **row)
        known = {port.key for port in ports}
        for key in sorted({k for each in self.of.imports for k in _keys(each)} - known):
            for row in self._unexported(key):
                yield self._row(port=key, **row)
        # What cannot be exported is told beside the first port that others export.
        of: _Cells = {"port": ports[0].key, "meant": self.faults.meant(ports[0])} if ports else {}
        for export in self.of.exports:
            faults = [] if export.ports else self.faults.of_export(export)
            if faults:
                yield self._row(cluster=export.cluster, side="export", faults=faults, **of)

    def _exported(self, port: MergedPort, meant: str) -> Iterator[_Cells]:
        """The Services: the oldest export's, and those of the others that have this port."""
        faults = self.faults.of_export(port.winner)
        yield _cells(port.winner.cluster, "export", faults, port.service, port.port)
        for claim in port.claims:
            faults = self.faults.of_claim(port, claim, meant)
            yield _cells(claim.export.cluster, "export", faults, claim.service, claim.port)

    def _imported(self, port: MergedPort, meant: str) -> Iterator[_Cells]:
        for cluster in sorted(self.heard):
            found = self.imports.get(cluster)
            here = found.port(port.key) if found else None
            if found and here:
                faults = self.faults.of_import(found, here, port, meant)
                yield _cells(cluster, "import", faults, found.service, here)
            elif found:
                fault = self.faults.missing_port(found, port, meant)
                yield _cells(cluster, "import", [fault], word=NO_PORT)
            elif missing := self.faults.missing_import(cluster, port):
                yield _cells(cluster, "import", [missing], word=NO_IMPORT)

    def _unexported(self, key: Port) -> Iterator[_Cells]:
        """A port of imports that no export has: the first of them says what is meant."""
        found = [(each, port) for each in self.of.imports if (port := each.port(key))]
        first, port = found[0]
        meant = self.heard[first.cluster].word(first.service, port)
        for each, port in found:
            faults = self.faults.of_unexported(each, port)
            yield {**_cells(each.cluster, "import", faults, each.service, port), "meant": meant}

    def _row(
        self,
        *,
        cluster: str,
        side: str,
        faults: Sequence[Disagreement],
        port: Port = (0, "TCP"),
        winner: str = "",
        wanted: str | None = None,
        meant: str = NO_PORT,
        service: Service | None = None,
        here: ServicePort | None = None,
        word: str = NO_PORT,
    ) -> Propagation:
        """A side of a cluster; without `service` and `here` it has nothing, and `word` says so."""
        ear = self.heard[cluster]
        said = ear.hear(service, here) if service and here else None
        position = here.where if here else faults[0].position
        if service and here:
            routes = len(ear.references(service, key_of(here)))
        else:
            routes = sum(ref.port == port[0] for ref in ear.wants(*self.of.name[:2]))
        return Propagation(
            cluster=cluster,
            side=side,
            name=self.of.name,
            port=port,
            port_name=here.name if here else "",
            app_protocol=here.app_protocol if here else None,
            wanted=wanted,
            winner=winner,
            reader=ear.reader,
            resolution=said,
            wire=word_of(said) if said else word,
            meant=meant,
            routes=routes,
            position=position,
            faults=tuple(faults),
        )


def _cells(
    cluster: str,
    side: str,
    faults: Sequence[Disagreement],
    service: Service | None = None,
    here: ServicePort | None = None,
    word: str = NO_PORT,
) -> _Cells:
    return {
        "cluster": cluster,
        "side": side,
        "faults": faults,
        "service": service,
        "here": here,
        "word": word,
    }


def _keys(each: Import) -> list[Port]:
    return [(p.number, p.transport) for p in each.service.ports if p.number is not None]
