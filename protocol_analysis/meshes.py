"""Which meshes the pods behind a Service are in, by labels and annotations. Pure.

What tells is data: `meshes.yaml`, each row with its source. What pods say of themselves wins over
what their Namespace says. A mesh that is there by its own configuration only is not to be seen so:
it is declared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from protocol_analysis.model import Inventory, Meta
from protocol_analysis.scope import places
from protocol_analysis.sheets import rows_of
from protocol_analysis.workloads import Exposure, Workload

_KEYS = {"mesh", "at", "in", "key", "value", "says", "text", "source"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A label or an annotation by which pods are in a mesh, or out of it."""

    mesh: str
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

    >>> sorted(annotation_keys())
    ['linkerd.io/inject', 'sidecar.istio.io/inject']
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
        self._pods: dict[tuple[str, str], list[Workload]] = {}
        for pods in inventory.workloads:
            self._pods.setdefault((pods.meta.world, pods.meta.namespace), []).append(pods)
        exposures = (e for e in inventory.exposures if isinstance(e, Exposure))
        self._selectors = {e.meta: set(e.selector) for e in exposures if e.selector}

    def of(self, service: Meta) -> dict[str, str]:
        """The meshes of a Service's pods, each with what tells so.

        >>> from protocol_analysis.manifests import load
        >>> inventory = load("data/sample/east")
        >>> Meshes(inventory).of(inventory.services[0].meta)
        {}
        """
        spaces = _near(service, self._spaces.get((service.world, service.namespace), ()))
        found = _told("namespace", [(s.labels, s.annotations) for s in spaces])
        selector = self._selectors.get(service)
        near = self._pods.get((service.world, service.namespace), ())
        selected = [pods for pods in near if selector and selector <= set(pods.labels)]
        metas = set(_near(service, [pods.meta for pods in selected]))
        said = [(pods.labels, pods.annotations) for pods in selected if pods.meta in metas]
        found |= _told("pod", said)
        return {mesh: str(mark) for mesh, mark in sorted(found.items()) if mark.says == "in"}


def _near(seen_from: Meta, metas: Iterable[Meta]) -> list[Meta]:
    """Those that are nearest, as everywhere names are looked up."""
    metas = list(metas)
    for place in places(seen_from.position.file) if metas else ():
        if near := [meta for meta in metas if place in places(meta.position.file)]:
            return near
    return []


Pairs = Sequence[tuple[str, str]]


def _told(at: str, said: Sequence[tuple[Pairs, Pairs]]) -> dict[str, Mark]:
    """What each mesh is told by; of several pods that disagree, one that is in it."""
    found: dict[str, Mark] = {}
    for labels, annotated in said:
        written: Mapping[str, Mapping[str, str]] = {
            "labels": dict(labels),
            "annotations": dict(annotated),
        }
        for mark in marks():
            value = written[mark.of].get(mark.key, "") if mark.at == at else ""
            fits = bool(value) and mark.value in ("", value)
            if fits and (mark.mesh not in found or mark.says == "in"):
                found[mark.mesh] = mark
    return found
