"""Which meshes the pods behind a Service are in, by labels and annotations. Pure.

What tells is data: `meshes.yaml`, each row with its source, the stronger one behind the weaker. A
mesh may take pods in by several ways, sidecars and ambient, and each is told by itself. A mesh that
is there by its own configuration only is not to be seen so: it is declared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import product

from protocol_analysis.model import Inventory, Meta
from protocol_analysis.selecting import Selecting, nearest
from protocol_analysis.sheets import rows_of

Written = Mapping[str, Mapping[str, str]]  # labels and annotations
_NOTHING: Written = {}
_KEYS = {"mesh", "way", "at", "in", "key", "value", "says", "text", "source"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A label or an annotation by which pods are in a mesh, or out of one of its ways in."""

    mesh: str
    way: str
    at: str
    of: str
    key: str
    value: str
    says: str
    text: str
    source: str

    def __str__(self) -> str:
        shown = f"{self.key}: {self.value}" if self.value else self.key
        return f"{self.at} {self.of.removesuffix('s')} {shown}"


@cache
def marks() -> tuple[Mark, ...]:
    """All marks.

    >>> sorted({mark.mesh for mark in marks()})
    ['istio', 'kuma', 'linkerd', 'open-service-mesh']
    """
    file = resources.files("protocol_analysis") / "meshes.yaml"
    rows = rows_of(file.read_text(encoding="utf-8"), file.name, _KEYS, {"value"})
    return tuple(Mark(of=row.pop("in"), **{"value": "", **row}) for row in rows)


@cache
def annotation_keys() -> frozenset[str]:
    """The annotations that tell of a mesh.

    >>> "linkerd.io/inject" in annotation_keys()
    True
    """
    return frozenset(mark.key for mark in marks() if mark.of == "annotations")


class Meshes:
    """An inventory, asked which meshes the pods of its Services are in."""

    def __init__(self, inventory: Inventory) -> None:
        self._spaces: dict[tuple[str, str], list[Meta]] = {}
        for other in inventory.others:
            if other.meta.kind == "Namespace":
                key = (other.meta.world, other.meta.name)
                self._spaces.setdefault(key, []).append(other.meta)
        self._selecting = Selecting(inventory)
        # Most inventories tell of no mesh, and need not be asked Service by Service.
        spaces = (meta for them in self._spaces.values() for meta in them)
        written = [each.labels + each.annotations for each in spaces]
        written += [each.labels + each.annotations for each in inventory.workloads]
        keys = {mark.key for mark in marks()}
        self._tells = any(key in keys for pairs in written for key, _ in pairs)

    def of(self, service: Meta, declared: Collection[str] = ()) -> dict[str, str]:
        """The meshes of a Service's pods, each with what tells so.

        Those that are declared, by their implementations, are left out: what is declared wins.

        >>> from protocol_analysis.manifests import load
        >>> inventory = load("data/sample/east")
        >>> Meshes(inventory).of(inventory.services[0].meta)
        {}
        """
        if not self._tells:
            return {}
        spaces = nearest(service, self._spaces.get((service.world, service.namespace), ()))
        said: list[Written] = [
            {"labels": dict(pods.labels), "annotations": dict(pods.annotations)}
            for pods in self._selecting.pods(service)
        ]
        around: list[Written] = [
            {"labels": dict(space.labels), "annotations": dict(space.annotations)}
            for space in spaces
        ]
        found: dict[str, str] = {}
        # Where several disagree, one that is in the mesh reads the Service.
        for namespace, pod in product(around or [_NOTHING], said or [_NOTHING]):
            for mark in _deciding(namespace, pod):
                if mark.says == "in" and mark.mesh not in declared:
                    found.setdefault(mark.mesh, str(mark))
        return dict(sorted(found.items()))


def _deciding(namespace: Written, pod: Written) -> Iterable[Mark]:
    """For each way into a mesh, the mark that decides: the last of those that fit."""
    written = {"namespace": namespace, "pod": pod}
    found: dict[tuple[str, str], Mark] = {}
    for mark in marks():
        value = written[mark.at].get(mark.of, {}).get(mark.key, "")
        if value and mark.value in ("", value):
            found[mark.mesh, mark.way] = mark
    return found.values()
