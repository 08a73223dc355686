"""Decisions in an order: waves, each with its gate, what to watch, when to hold, how to go back.

The order is data, `waves.yaml`; what to watch is in `watch.yaml`. Charts and operators come first,
since they take back what is changed behind them; then one namespace as a canary; exports of one
Service move together, so that no two clusters part which agreed. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from protocol_analysis.multicluster.exporting import key_of, shared
from protocol_analysis.multicluster.steps import Step, Write
from protocol_analysis.reading import Cluster
from protocol_analysis.rollout.deciding import WRITTEN, Planned
from protocol_analysis.sheets import rows_of

_WAVE = frozenset({"wave", "decisions", "where", "gate", "steps", "rollback", "source"})
_WATCH = frozenset({"number", "of", "hold", "source"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A number to watch: where it is, and when to hold."""

    number: str
    of: str
    hold: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """One wave, and the uses in it; `number` counts from 1 those that have any."""

    number: int
    name: str
    gate: str
    steps: str
    rollback: str
    source: str
    planned: tuple[Planned, ...] = ()

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces that it touches."""
        return tuple(sorted({each.use.target.namespace for each in self.planned}))


@cache
def watched() -> tuple[Watch, ...]:
    """What to watch in every wave.

    >>> watched()[0].number
    'cluster.NAME.upstream_cx_protocol_error'
    """
    return tuple(Watch(**row) for row in _rows("watch.yaml", _WATCH))


def waves(planned: Sequence[Planned], canary: Collection[str] = ()) -> list[Wave]:
    """The waves that have anything to do, in order; each use is in at most one.

    `canary` are namespaces; by default the one with fewest uses that are not exported.

    >>> waves([])
    []
    """
    left = [each for each in planned if each.open]
    first = set(canary) or canary_of(left)
    found: list[Wave] = []
    for row in _rows("waves.yaml", _WAVE):
        decisions = row["decisions"].split(", ")
        taken = [
            each
            for each in left
            if each.decision in decisions and _is_there(each, row["where"], first)
        ]
        left = [each for each in left if each not in taken]
        if taken:
            found.append(
                Wave(
                    number=len(found) + 1,
                    name=row["wave"],
                    planned=tuple(taken),
                    **{key: row[key] for key in ("gate", "steps", "rollback", "source")},
                )
            )
    return found


def canary_of(planned: Iterable[Planned]) -> set[str]:
    """The namespace to begin with: of those that write anything, that with fewest uses.

    >>> canary_of([])
    set()
    """
    counts = Counter(
        each.use.target.namespace
        for each in planned
        if each.decision in ("rewrite", "correct", "GRPCRoute", "gateway-only Service")
        and not each.use.exported
    )
    return {min(counts, key=lambda name: (counts[name], name))} if counts else set()


def with_waves(planned: Sequence[Planned], found: Sequence[Wave]) -> list[Planned]:
    """The same rows, each with the number of its wave."""
    numbers = {id(each): wave.number for wave in found for each in wave.planned}
    return [replace(each, wave=numbers.get(id(each))) for each in planned]


def steps_of(clusters: Sequence[Cluster], found: Sequence[Wave]) -> list[Step]:
    """The waves as steps that can be tried: every value of a wave written at once.

    What is exported is written in all clusters with the imports that follow it.

    >>> steps_of([], [])
    []
    """
    across = {(of.name[0], of.name[1]): of for of in shared(clusters)}
    services = {
        (cluster.name or "", service.meta): service
        for cluster in clusters
        for service in (*cluster.inventory.services, *cluster.inventory.service_imports)
    }
    steps = []
    for wave in found:
        writes: dict[Write, None] = {}
        for each in wave.planned:
            use = each.use
            service = services.get((use.cluster, use.target))
            if each.decision not in WRITTEN or service is None:
                continue
            port = next(p for p in service.ports if p.number == use.port)
            writes[use.cluster, use.target, key_of(port), each.value] = None
            of = across.get((use.target.namespace, use.target.name))
            if use.exported and of and of.exports[0].cluster == use.cluster:
                for made in of.imports:
                    if made.port(key_of(port)):
                        writes[made.cluster, made.service.meta, key_of(port), each.value] = None
        steps.append(
            Step(number=wave.number, cluster="", action=wave.name, why="", writes=tuple(writes))
        )
    return steps


def _is_there(each: Planned, where: str, canary: Collection[str]) -> bool:
    """Whether a wave takes a use: exported ones wait for the others of their Service."""
    if where in ("shared", "local"):
        return each.use.exported == (where == "shared")
    return where == "any" or (each.use.target.namespace in canary and not each.use.exported)


@cache
def _rows(name: str, keys: frozenset[str]) -> list[dict[str, Any]]:
    file = resources.files("protocol_analysis") / "rollout" / name
    return rows_of(file.read_text(encoding="utf-8"), f"rollout/{name}", set(keys))
