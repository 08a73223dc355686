"""Meshes that nobody declared, by the marks of pods behind a Service, as `plan` tells them. Pure.

Labels and annotations say that a mesh is there, not at which release: the newest that is known is
assumed, or that of the gateways that are asked where the mesh is of the same implementation. What
is found because of it says so, and weighs less where the catalogue has it so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

from protocol_analysis.findings.finding import Found
from protocol_analysis.meshes import Meshes
from protocol_analysis.model import Inventory, Meta
from protocol_analysis.readers import Reader, reader_of
from protocol_analysis.reading import Cluster


class Meshed:
    """An inventory, asked which meshes read its Services beside those that are declared."""

    def __init__(
        self, inventory: Inventory, asked: Reader, declared: Sequence[Reader] = ()
    ) -> None:
        self._inventory, self._asked = inventory, asked
        own = (asked,) if asked.mesh else ()
        self._declared = {each.implementation for each in (*declared, *own)}

    @cached_property
    def told(self) -> dict[Meta, dict[Reader, str]]:
        """The meshes of each Service and ServiceImport that has any, each with what tells so."""
        marked = Meshes(self._inventory)
        services = (*self._inventory.services, *self._inventory.service_imports)
        found = ((each.meta, marked.of(each.meta, self._declared)) for each in services)
        return {
            meta: {self._at(mesh): mark for mesh, mark in marks.items()}
            for meta, marks in found
            if marks
        }

    @cached_property
    def readers(self) -> tuple[Reader, ...]:
        """All of them, by name."""
        return tuple(sorted({by for marks in self.told.values() for by in marks}, key=str))

    def read(self, by: Reader, service: Meta) -> bool:
        """Whether a reader reads a Service, for all that marks tell."""
        return by not in self.readers or by in self.told.get(service, {})

    def assuming(self, found: Found) -> Found:
        """What was found; because of such a mesh, with what tells of it and what is assumed."""
        if found.by is None or found.by not in self.readers:
            return found
        marks = self.told.get(found.declares or found.meta, {})
        text = f"{found.message}; {found.by.name} is told by "
        text += marks.get(found.by, "labels or annotations")
        assumed = found.by != self._own(found.by.implementation)
        text += ", its release is assumed" if assumed else ""
        return replace(found, message=text, assumed=assumed)

    def _at(self, mesh: str) -> Reader:
        return self._own(mesh) or reader_of(mesh, mesh=True)

    def _own(self, mesh: str) -> Reader | None:
        """The mesh of the gateways that are asked, whose release is known with theirs."""
        asked = self._asked
        return replace(asked, mesh=True) if asked.implementation == mesh else None


def told_meshes(clusters: Sequence[Cluster]) -> Iterator[str]:
    """For each cluster and mesh that nobody declared, what tells of it and what is assumed.

    >>> from protocol_analysis.reading import read
    >>> [line.partition(";")[0] for line in told_meshes(read("data/sample/east").clusters)]
    ['istio mesh reads 7 Services, told by namespace label istio-injection: enabled']
    """
    for cluster in clusters:
        asked = reader_of(cluster.implementation, cluster.release)
        told = Meshed(cluster.inventory, asked, cluster.meshes).told
        marks = Counter((by, mark) for each in told.values() for by, mark in each.items())
        for by in sorted({by for by, _ in marks}, key=str):
            by_what = ", ".join(sorted(mark for reader, mark in marks if reader == by))
            count = sum(by in each for each in told.values())
            where = f"{cluster.name}: " if cluster.name else ""
            told_by = (
                f"{by.name} reads {count} Service{'s' if count > 1 else ''}, told by {by_what}"
            )
            # The release of the gateways that are asked is that of their mesh.
            known = by == replace(asked, mesh=True)
            so = "is asked" if known else "is assumed, --mesh says which release it is"
            yield f"{where}{told_by}; {by} {so}"
