"""What is wrong with one name across clusters: each fault with its place, its reason, its weight.

`propagation` asks, port by port and side by side; nothing here decides what is compared. How bad a
fault is, is told by the references that lead to it, each against one of its own kind in the cluster
that speaks for all; `values` weighs those.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from protocol_analysis.model import Meta, Position, Service, ServicePort
from protocol_analysis.multicluster.controllers import Controller
from protocol_analysis.multicluster.disagreeing import Disagreement, disagreement, numbered
from protocol_analysis.multicluster.exporting import Export, Import, Port, Shared, key_of
from protocol_analysis.multicluster.hearing import Ear
from protocol_analysis.multicluster.merging import Claim, MergedPort, conflicts, whole, why_older
from protocol_analysis.multicluster.mirroring import MIRRORS, source_of
from protocol_analysis.multicluster.sides import EXPORT, IMPORT, Across, Side
from protocol_analysis.multicluster.values import Turned, Values
from protocol_analysis.readings import word_of
from protocol_analysis.resolution import Resolution


class Faults:
    """The faults of one name."""

    def __init__(self, of: Shared, heard: Mapping[str, Ear], controller: Controller) -> None:
        self.of, self.heard = of, heard
        self.values = Values(heard, controller)
        self.exports = {export.cluster: export for export in of.exports}
        self.imports = {each.cluster: each for each in of.imports}
        self._told: set[tuple[str, str]] = set()

    def word(self, side: Side) -> str:
        """What is spoken to a side, in a word."""
        return self.heard[side.cluster].word(side.service, side.port)

    def turned(self, port: Across, side: Side) -> Turned:
        """The references to a side that a neighbour or a policy turns."""
        first = port.sides[0]
        return [] if side is first else self.values.turned(side, first)

    def behind(self, port: Across, side: Side, turned: Turned) -> list[tuple[str, str, str]]:
        """The ways but the plain one by which it is not spoken what is meant, and both words.

        Then the routes by which it is not, since they are `turned`.
        """
        if side is port.sides[0]:
            return []
        ways = self.values.unlike(port, side)
        found = [(str(way), here, meant) for way, here, meant in ways if way != port.plain]
        return [*found, *((str(each.route), word_of(each), meant) for _, each, meant in turned)]

    def of_side(self, port: Across, side: Side, meant: str, turned: Turned) -> list[Disagreement]:
        """All that is wrong with one side of a port, of whose references some are `turned`."""
        if not port.merged:
            return [self._unexported(side)]
        found = self._of_object(side)
        if side is port.sides[0]:
            return found
        return [*found, *self.values.of_side(port, port.merged, side, meant, turned)]

    def of_export(self, export: Export) -> list[Disagreement]:
        """What is wrong with the whole of it: no Service, several, or one of another type."""
        meta = export.meta
        if not export.valid:
            text = f"no Service {meta.namespace}/{meta.name} in this cluster; Valid is False"
            if export.service:
                text = "a Service that is only a name cannot be exported; Valid is False"
            return [disagreement("no service", export.cluster, meta, meta.position, why=text)]
        if not self._first_time(EXPORT, export.cluster):
            return []
        faults = self._ambiguous(export.cluster, export.namesakes)
        for each in conflicts(self.of):
            if each.export is export and export.service:
                fault = disagreement(
                    "conflict",
                    export.cluster,
                    export.service.meta,
                    export.service.meta.position,
                    field=each.field,
                    found=each.found,
                    wanted=each.wanted,
                    winner=each.winner.cluster,
                    why=why_older(each.winner, export),
                    meets=f"the import has the {each.field} of {each.winner.place} for all",
                )
                faults.append(fault)
        return faults

    def _of_object(self, side: Side) -> list[Disagreement]:
        if side.side == EXPORT:
            return self.of_export(self.exports[side.cluster])
        if side.side == IMPORT and self._first_time(IMPORT, side.cluster):
            found = self._ambiguous(side.cluster, self.imports[side.cluster].namesakes)
            return [*found, *self._of_whole(side)]
        return []

    def _of_whole(self, side: Side) -> Iterator[Disagreement]:
        """What an import says otherwise of itself than the oldest export."""
        meta = side.service.meta
        for field, wanted, found in whole(self.of, side.service):
            if wanted != found:
                winner = self.of.valid[0]
                yield disagreement(
                    "edited",
                    side.cluster,
                    meta,
                    meta.position,
                    field=field,
                    found=found,
                    wanted=wanted,
                    winner=winner.cluster,
                    why=f"{winner.place} exports {wanted} ({winner.meta.position})",
                    meets=f"clients of {side.place} get {found} where {wanted} is exported",
                )

    def left_out(self, port: MergedPort, claim: Claim) -> Disagreement:
        """A port that the import does not have, since an older one has its name."""
        number = (claim.port.number or 0, claim.port.transport)
        # A route to an import that has it all the same is told there.
        having = {each.cluster for each in self.of.imports if each.port(number)}
        ears = (ear for cluster, ear in self.heard.items() if cluster not in having)
        wanted = [answer for ear in ears for answer in ear.called(self.of.name, number)]
        cluster = claim.export.cluster
        return disagreement(
            "conflict",
            cluster,
            claim.service.meta,
            claim.port.where,
            port=claim.port,
            field="port",
            found=numbered(claim.port),
            wanted=numbered(port.port),
            winner=port.winner.cluster,
            why=why_older(port.winner, claim.export),
            severity="error" if wanted else "warning",
            meets=_nowhere(len(wanted), f"the import leaves the port of {claim.export.place} out"),
        )

    def lacking(self, port: MergedPort, export: Export) -> Disagreement:
        """A port that others export, and this one does not."""
        meta = export.service.meta if export.service else export.meta
        return disagreement(
            "unequal ports",
            export.cluster,
            meta,
            meta.position,
            port=port.port,
            field="port",
            wanted=numbered(port.port),
            winner=port.winner.cluster,
            why=f"{port.winner.place} exports it ({port.port.position})",
            meets=f"no request to it reaches the pods of {export.place}",
        )

    def missing_port(
        self, found: Import, service: Service, port: MergedPort, meant: str
    ) -> Disagreement:
        """A port that is exported, on an import that lacks it, or the Service derived from one."""
        wanted = self.heard[found.cluster].called(self.of.name, port.key)
        if service is found.derived:
            # Whoever reads the import itself does not miss it there.
            wanted = [answer for answer in wanted if not answer.sent]
        return disagreement(
            "missing port",
            found.cluster,
            service.meta,
            service.meta.position,
            port=port.port,
            field="port",
            wanted=numbered(port.port),
            winner=port.winner.cluster,
            why=f"{port.winner.place} exports it ({port.port.position})",
            severity="error" if wanted else "warning",
            meets=_nowhere(len(wanted), f"{meant} is meant"),
        )

    def missing_import(self, cluster: str, port: MergedPort) -> Disagreement | None:
        """No import where one should be: routes want it, or its namespace is here and others come.

        A cluster that exports reaches its own Service, so only a route makes it a fault there. A
        mirror is made where a link says so, which is not to be seen here.
        """
        ear, (namespace, name, group) = self.heard[cluster], self.of.name
        refs = ear.wants(self.of.name)
        alone = namespace not in ear.namespaces or cluster in self.exports
        here = not alone and self._takes_part(ear, group)
        if group == MIRRORS or not (refs or here):
            return None
        mine = ear.called(self.of.name, port.key)
        own = (refs.get(port.key, ()), *refs.values())
        at = next((answer.ref.position for found in own for answer in found), None)
        return disagreement(
            "missing import",
            cluster,
            _import_named(self.of, cluster, at or port.port.where),
            at or port.port.where,
            port=port.port,
            field="metadata.name",
            wanted=name,
            winner=port.winner.cluster,
            why=f"{port.winner.place} exports it ({port.winner.meta.position})",
            severity="error" if mine else "warning",
            meets=_nowhere(len(mine), "no such object"),
        )

    def _takes_part(self, ear: Ear, group: str) -> bool:
        """Whether a cluster imports: it has an import, or exports where others have some.

        Where no cluster at hand has any, as in manifests from Git, nobody has written them down.
        """
        whole = ear.cluster.inventory
        if any(each.meta.group == group for each in whole.service_imports):
            return True
        mine = (each.meta for each in whole.others)
        gives = any((meta.group, meta.kind) == (group, "ServiceExport") for meta in mine)
        others = (
            each for by in self.heard.values() for each in by.cluster.inventory.service_imports
        )
        return gives and any(each.meta.group == group for each in others)

    def unknown_port(self, found: Import, port: Port) -> Disagreement | None:
        """A port that references mean, and that neither an import has nor any export."""
        refs = self.heard[found.cluster].wants(self.of.name).get(port, ())
        lost = [answer for answer in refs if not answer.sent]
        if not lost:
            return None
        meta = found.service.meta
        at = lost[0].ref.position
        called = self.heard[found.cluster].called(self.of.name, port)
        mine = [answer for answer in called if not answer.sent]
        return disagreement(
            "missing port",
            found.cluster,
            meta,
            at,
            port=ServicePort(number=port[0], transport=port[1], position=at),
            field="port",
            why="neither the import has it, nor any export at hand",
            severity="error" if mine else "warning",
            meets=_nowhere(len(mine), "no such port") if mine else "no request is sent there today",
        )

    def unknown_import(self, cluster: str, port: Port, refs: Sequence[Resolution]) -> Disagreement:
        """References to a ServiceImport that no cluster at hand has, or exports to."""
        meta = _import_named(self.of, cluster, refs[0].ref.position)
        return disagreement(
            "missing import",
            cluster,
            meta,
            meta.position,
            port=ServicePort(number=port[0], transport=port[1], position=meta.position),
            field="metadata.name",
            wanted=meta.name,
            why="no cluster at hand exports it, and none has it",
            meets=_nowhere(
                len(self.heard[cluster].called(self.of.name, port)),
                "no such object, as far as is known",
            ),
        )

    def _unexported(self, side: Side) -> Disagreement:
        """An import without an export at hand, or a port of it that no export has."""
        exported, meta = self.of.valid, side.service.meta
        number = numbered(side.port)
        why = f"none of {', '.join(e.place for e in exported)} exports a port {number}"
        if left_out := [e.place for e in exported if key_of(side.port) in map(key_of, e.ports)]:
            why = f"that of {', '.join(left_out)} is left out: an older export has its name"
        return disagreement(
            "missing port" if exported else "orphan import",
            side.cluster,
            meta,
            side.port.position,
            port=side.port,
            field="port" if exported else "metadata.name",
            found=number if exported else meta.name,
            why=why if exported else self._why_orphan(side),
            meets=_nowhere(
                len(self.heard[side.cluster].leading(side.service, side.port)),
                "no endpoint stands behind it, as far as is known",
            ),
        )

    def _why_orphan(self, side: Side) -> str:
        if self.of.name[2] == MIRRORS:
            return f"it mirrors a Service of {source_of(side.service) or 'a cluster'}, not at hand"
        why = "no cluster at hand exports it"
        if any(not each.valid for each in self.of.exports):
            return f"{why}: its ServiceExport has no Service that can be exported"
        inventory = self.heard[side.cluster].cluster.inventory
        own = [s for s in inventory.services if (s.meta.namespace, s.meta.name) == self.of.name[:2]]
        return f"{why}; {own[0].meta} of the same name has no ServiceExport" if own else why

    def _ambiguous(self, cluster: str, namesakes: Sequence[Meta]) -> list[Disagreement]:
        """Other objects of the name that say something else."""
        why = "it stands elsewhere too, and says otherwise there"
        return [
            disagreement("ambiguous", cluster, meta, meta.position, why=why) for meta in namesakes
        ]

    def _first_time(self, side: str, cluster: str) -> bool:
        """What is of a whole object is told once and not for each port."""
        new = (side, cluster) not in self._told
        self._told.add((side, cluster))
        return new


def _import_named(of: Shared, cluster: str, position: Position) -> Meta:
    """A ServiceImport that is not there, by what names it."""
    return Meta(
        group=of.name[2],
        kind="ServiceImport",
        namespace=of.name[0],
        name=of.name[1],
        position=position,
        cluster=cluster or None,
        world=cluster,
    )


def _nowhere(references: int, text: str) -> str:
    if not references:
        return "no reference leads there today"
    lead = "reference leads" if references == 1 else "references lead"
    return f"{references} {lead} nowhere: {text}"
