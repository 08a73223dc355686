"""One step of an order: values that are written, or an upgrade; and the clusters after it. Pure."""

from __future__ import annotations

from collections import ChainMap, Counter
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from protocol_analysis.model import Inventory, Meta
from protocol_analysis.multicluster.exporting import Port, with_ports
from protocol_analysis.multicluster.hearing import AS_DECLARED
from protocol_analysis.multicluster.sides import Across, Side
from protocol_analysis.readers import Reader
from protocol_analysis.reading import Cluster

Place = tuple[str, Meta, Port]  # cluster, object, port
Write = tuple[str, Meta, Port, str | None]  # the same and a value


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: values that are written together, or the upgrade of a cluster's gateway.

    `left`: how many pairs of sides are spoken differently after it. A step that is `blocked` is
    not to be taken; it says what it would part.
    """

    number: int = 0
    cluster: str
    action: str
    why: str
    writes: tuple[Write, ...] = ()
    upgrade: Reader | None = None
    left: int = 0
    blocked: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The step, as the command prints it."""
        return {
            "number": self.number or None,
            "cluster": self.cluster or None,
            "action": self.action,
            "why": self.why,
            "left": self.left,
            "blocked": self.blocked or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """The values that were written, and who reads in each cluster.

    >>> Now(readers={}).after(Step(cluster="east", action="", why="")).readers
    {}
    """

    values: MutableMapping[Place, str | None] = field(default_factory=dict)
    readers: dict[str, Reader]

    def after(self, move: Step, into: MutableMapping[Place, str | None] | None = None) -> Now:
        """The same once a step is taken; what is written goes `into` these, or beside them."""
        values = ChainMap({}, self.values) if into is None else into
        values.update({(cluster, meta, port): value for cluster, meta, port, value in move.writes})
        readers = {**self.readers, move.cluster: move.upgrade} if move.upgrade else self.readers
        return Now(values=values, readers=readers)

    def value(self, side: Side) -> str | None:
        """What a side declares now."""
        return self.values.get(side.key, side.value)

    def said(self, side: Side) -> str | None:
        """The same to an `Ear`: AS_DECLARED where nothing was written."""
        return self.values.get(side.key, AS_DECLARED)

    def writes(self, cluster: str) -> list[Write]:
        """All that was written in a cluster."""
        return [(*at, value) for at, value in self.values.items() if at[0] == cluster]


def applied(clusters: Sequence[Cluster], step: Step) -> list[Cluster]:
    """The clusters after a step: their manifests rewritten, or one gateway upgraded.

    >>> applied([], Step(cluster="east", action="upgrade", why=""))
    []
    """
    found = []
    for cluster in clusters:
        name = cluster.name or ""
        after = cluster
        if step.upgrade and step.cluster == name:
            after = replace(cluster, release=step.upgrade.release)
        writes = [write for write in step.writes if write[0] == name]
        found.append(replace(after, inventory=written(after.inventory, writes)))
    return found


def written(inventory: Inventory, writes: Sequence[Write]) -> Inventory:
    """A cluster's objects once values are written on some of their ports.

    >>> written(Inventory(), []) == Inventory()
    True
    """
    said: dict[Meta, list[tuple[Port, str | None]]] = {}
    for _, meta, port, value in writes:
        said.setdefault(meta, []).append((port, value))
    names = {meta.name for meta in said}
    services, imports = (
        tuple(
            with_ports(each, said.get(each.meta, ())) if each.meta.name in names else each
            for each in objects
        )
        for objects in (inventory.services, inventory.service_imports)
    )
    return replace(inventory, services=services, service_imports=imports)


def apart(words: Sequence[str]) -> int:
    """How many pairs of these are not the same.

    >>> apart(["h2", "h2", "http/1.1"])
    2
    """
    count = len(words)
    return (count * (count - 1) - sum(n * (n - 1) for n in Counter(words).values())) // 2


def named(port: Across, side: Side, clusters: Sequence[str] = ()) -> str:
    """The edit of a side; of the same Service in several clusters, with these.

    >>> from protocol_analysis.multicluster.sides import ports_across
    >>> from protocol_analysis.multicluster.exporting import shared
    >>> from protocol_analysis.reading import read
    >>> of = shared(read({"east": "data/sample/east"}).clusters)[0]
    >>> port = ports_across(of)[0]
    >>> named(port, port.sides[0])
    'write grpc on Service catalog/catalog:9000'
    """
    meta, value = side.service.meta, port.wanted
    where = f"{meta.kind} {meta.namespace}/{meta.name}:{side.port.number}"
    where += "" if side.port.transport == "TCP" else f"/{side.port.transport}"
    where += f" of {', '.join(clusters)}" if len(clusters) > 1 else ""
    return f"write {value} on {where}" if value else f"remove appProtocol of {where}"
