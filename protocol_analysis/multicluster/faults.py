"""What is wrong with one name across clusters: each fault with its place, its reason, its weight.

`propagation` asks, port by port and cluster by cluster; nothing here decides what is compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from protocol_analysis.model import Meta, Position, Service, ServicePort
from protocol_analysis.multicluster.controllers import Controller
from protocol_analysis.multicluster.disagreeing import Disagreement, clash, judged, kinds
from protocol_analysis.multicluster.exporting import EXTERNAL, Export, Import, Shared
from protocol_analysis.multicluster.hearing import Ear
from protocol_analysis.multicluster.merging import Claim, MergedPort, why_older
from protocol_analysis.readings import word_of


class Faults:
    """The faults of one name."""

    def __init__(self, of: Shared, heard: Mapping[str, Ear], controller: Controller) -> None:
        self.of, self.heard, self.controller = of, heard, controller
        self._told: set[tuple[str, str]] = set()

    def meant(self, port: MergedPort) -> str:
        """What is spoken to the Service of the oldest export, in its own cluster."""
        return self.heard[port.winner.cluster].word(port.service, port.port)

    def of_export(self, export: Export) -> list[Disagreement]:
        """That its Service is not there, is no Service that can be exported, or is several."""
        meta, text = export.meta, ""
        if not export.service:
            text = f"no Service {meta.namespace}/{meta.name} in this cluster; Valid is False"
        elif export.service.type == EXTERNAL:
            text = "a Service that is only a name cannot be exported; Valid is False"
        if text:
            fault = self._fault("no service", export.cluster, meta, meta.position, why=text)
            return [fault]
        return self._namesakes("export", export.cluster, export.namesakes)

    def of_claim(self, port: MergedPort, claim: Claim, meant: str) -> list[Disagreement]:
        """What a younger export says otherwise, or what its own cluster makes of the same."""
        found = self.of_export(claim.export)
        cluster, service = claim.export.cluster, claim.service
        here, winner = self.heard[cluster].word(service, claim.port), port.winner
        for field in claim.differs:
            kind = "overridden" if field == "appProtocol" else "conflict"
            loses = field == "port" or (kind == "overridden" and clash(here, meant))
            fault = self._fault(
                kind,
                cluster,
                service.meta,
                claim.port.where,
                port=claim.port,
                field=field,
                found=_said(claim.port, field),
                wanted=_said(port.port, field),
                winner=winner.cluster,
                why=why_older(winner, claim.export),
                severity="error" if loses else "warning",
                meets=_overruled(field, cluster, here, meant),
            )
            found.append(fault)
        if not claim.differs and here != meant:
            found.append(self._otherwise(cluster, service, claim.port, port, meant))
        return found

    def of_import(
        self, found: Import, here: ServicePort, port: MergedPort, meant: str
    ) -> list[Disagreement]:
        """What is wrong with a port that is on the import, as it should."""
        ear = self.heard[found.cluster]
        faults = self._namesakes("import", found.cluster, found.namesakes)
        value, wanted = here.app_protocol or None, self.controller.carried(port)
        spoken = ear.word(found.service, here)
        if here.name != port.port.name:
            why = f"{port.winner.cluster} exports it by another name ({port.port.position})"
            faults.append(self._unlike(found, here, port, "name", why))
        if value == wanted and spoken == meant:
            return faults
        if value == wanted == port.app_protocol:
            return [*faults, self._otherwise(found.cluster, found.service, here, port, meant)]
        fault = self._unlike(found, here, port, "appProtocol", self._why_other(value, wanted, port))
        answers = ear.references(found.service, port.key)
        return [*faults, judged(fault, answers, meant, spoken)]

    def _unlike(
        self, found: Import, here: ServicePort, port: MergedPort, field: str, why: str
    ) -> Disagreement:
        """A field of an import that is not what the exports give it: lost, or edited."""
        said = _said(here, field)
        return self._fault(
            "edited" if said else "lost",
            found.cluster,
            found.service.meta,
            here.where if field == "appProtocol" else here.position,
            port=here,
            field=field,
            found=said,
            wanted=_said(port.port, field),
            winner=port.winner.cluster,
            why=why,
            meets="nothing: a port is reached by its number" if field == "name" else "",
        )

    def missing_port(self, found: Import, port: MergedPort, meant: str) -> Disagreement:
        """A port that is exported, on an import that does not have it."""
        refs = self.heard[found.cluster].wants(*self.of.name[:2])
        wanted = [ref for ref in refs if ref.port == port.key[0]]
        return self._fault(
            "missing port",
            found.cluster,
            found.service.meta,
            found.service.meta.position,
            port=port.port,
            field="port",
            wanted=f"{port.key[0]}/{port.key[1]}",
            winner=port.winner.cluster,
            why=f"{port.winner.cluster} exports it ({port.port.position})",
            severity="error" if wanted else "warning",
            meets=_nowhere(len(wanted), f"{meant} is meant"),
        )

    def missing_import(self, cluster: str, port: MergedPort) -> Disagreement | None:
        """No import where one should be: routes want it, or its namespace is here and others come.

        A cluster that exports reaches its own Service, so only a route makes it a fault there.
        """
        ear, (namespace, name, group) = self.heard[cluster], self.of.name
        refs = ear.wants(namespace, name)
        inventory = ear.cluster.inventory
        exports = any(export.cluster == cluster for export in self.of.exports)
        takes = any(each.meta.group == group for each in inventory.service_imports)
        if not refs and (exports or not takes or namespace not in ear.namespaces):
            return None
        meta = Meta(
            group=group,
            kind="ServiceImport",
            namespace=namespace,
            name=name,
            position=refs[0].position if refs else port.port.where,
            cluster=cluster or None,
            world=cluster,
        )
        mine = [ref for ref in refs if ref.port == port.key[0]]
        return self._fault(
            "missing import",
            cluster,
            meta,
            meta.position,
            port=port.port,
            field="metadata.name",
            wanted=name,
            winner=port.winner.cluster,
            why=f"{port.winner.cluster} exports it ({port.winner.meta.position})",
            severity="error" if mine else "warning",
            meets=_nowhere(len(mine), "no such object"),
        )

    def of_unexported(self, each: Import, port: ServicePort) -> list[Disagreement]:
        """An import without an export at hand, or a port of it that no export has."""
        exported = [export for export in self.of.exports if export.service]
        refs = self.heard[each.cluster].references(each.service, (port.number or 0, port.transport))
        number = f"{port.number}/{port.transport}"
        why = f"none of {', '.join(e.cluster for e in exported)} exports a port {number}"
        fault = self._fault(
            "missing port" if exported else "orphan import",
            each.cluster,
            each.service.meta,
            port.position,
            port=port,
            field="port" if exported else "metadata.name",
            found=number if exported else each.service.meta.name,
            why=why if exported else "no cluster at hand exports it",
            severity="warning",
            meets=_nowhere(len(refs), "no endpoint stands behind it, as far as is known"),
        )
        return [fault]

    def _otherwise(
        self, cluster: str, service: Service, here: ServicePort, port: MergedPort, meant: str
    ) -> Disagreement:
        """The same value, and another wire: by the kind of the object, by its reader, or by TLS."""
        ear, older = self.heard[cluster], self.heard[port.winner.cluster]
        spoken = ear.word(service, here)
        plain = word_of(ear.hear(service, here, policies=False))
        on_service = word_of(ear.hear(service, here, kind="Service", policies=False))
        there = word_of(older.hear(port.service, port.port, policies=False))
        theirs = word_of(ear.hear(service, here, by=older.reader))
        if plain != on_service:
            kind = "dead import"
            why = (
                f"{ear.reader} speaks {on_service} to a Service that says so, {plain} to an import"
            )
        elif plain != there or theirs == meant:
            kind = "release skew"
            why = f"{ear.reader} in {cluster} speaks {spoken}, {older.reader} in "
            why += f"{port.winner.cluster} {meant}"
        else:
            kind = "tls"
            why = (
                f"{spoken} by the policies of {cluster}, {meant} by those of {port.winner.cluster}"
            )
        fault = self._fault(
            kind,
            cluster,
            service.meta,
            here.where,
            port=here,
            field="appProtocol" if kind != "tls" else "BackendTLSPolicy",
            found=here.app_protocol,
            wanted=port.app_protocol,
            winner=port.winner.cluster,
            why=why,
        )
        return judged(fault, ear.references(service, port.key), meant, spoken)

    def _why_other(self, value: str | None, wanted: str | None, port: MergedPort) -> str:
        """Why a value is not what it should be."""
        if value == wanted:
            return f"{self.controller.title}: {self.controller.text}"
        for claim in port.claims:
            if value and claim.port.app_protocol == value:
                return f"it is what {claim.export.cluster} declares, whose export is not the oldest"
        if value:
            return f"no export declares it; if it is written here: {self.controller.by_hand}"
        return f"{port.winner.cluster} declares it ({port.port.where})"

    def _namesakes(self, side: str, cluster: str, namesakes: Sequence[Meta]) -> list[Disagreement]:
        """Other objects of the name, told once and not for each port."""
        if (side, cluster) in self._told:
            return []
        self._told.add((side, cluster))
        why = "it stands elsewhere too, and says otherwise there"
        return [
            self._fault("ambiguous", cluster, meta, meta.position, why=why) for meta in namesakes
        ]

    def _fault(
        self,
        kind: str,
        cluster: str,
        meta: Meta,
        position: Position,
        *,
        why: str,
        port: ServicePort | None = None,
        field: str = "",
        found: str | None = None,
        wanted: str | None = None,
        winner: str = "",
        severity: str = "warning",
        meets: str = "",
    ) -> Disagreement:
        return Disagreement(
            kind=kinds()[kind],
            severity=severity,
            cluster=cluster,
            object=meta,
            position=position,
            port=f"{port.number}/{port.transport}" if port else "",
            field=field,
            found=found,
            wanted=wanted,
            winner=winner,
            why=why,
            meets=meets,
        )


def _said(port: ServicePort, field: str) -> str | None:
    if field == "port":
        return f"{port.number}/{port.transport}"
    return (port.name if field == "name" else port.app_protocol) or None


def _overruled(field: str, cluster: str, here: str, meant: str) -> str:
    if field == "port":
        return f"the import leaves the port of {cluster} out: nothing reaches it from elsewhere"
    if field == "name" or here == meant:
        return f"nothing: {meant} is spoken on both sides"
    return f"the pods of {cluster} are spoken {here} at home, and {meant} through the import"


def _nowhere(references: int, text: str) -> str:
    if not references:
        return "no reference leads there today"
    return f"{references} references of routes lead nowhere: {text}"
