"""An order of edits and of upgrades in which no step parts two sides that were spoken alike. Pure.

The sides of a port are the Services that are exported and the imports. A step is safe where all
sides that had one wire before it have one wire after it. Safe steps are taken one after the other,
edits before upgrades, until none is left or none is safe; a step that is never safe is named with
what it would part. That is a search without going back: it proves each order that it finds, not
that there is none where it finds none.

Who writes another value on the oldest export changes the imports too, since controllers follow it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from protocol_analysis.coverage import readable
from protocol_analysis.model import Inventory, Meta, Service, ServicePort
from protocol_analysis.multicluster.controllers import KEP, Controller, controller_of
from protocol_analysis.multicluster.exporting import Port, Shared, key_of, shared
from protocol_analysis.multicluster.hearing import AS_DECLARED, ears, with_port
from protocol_analysis.multicluster.merging import MergedPort, merged
from protocol_analysis.readers import Reader, reader
from protocol_analysis.reading import Cluster
from protocol_analysis.readings import word_of
from protocol_analysis.releases import release_key
from protocol_analysis.speaking import rules_of

Write = tuple[str, Meta, Port, str | None]  # cluster, object, port, value


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
class _Side:
    cluster: str
    service: Service
    port: ServicePort

    @property
    def key(self) -> tuple[str, Meta, Port]:
        return (self.cluster, self.service.meta, key_of(self.port))

    def __str__(self) -> str:
        return f"{self.service.meta.kind} of {self.cluster or 'this cluster'}"


def safe_order(
    clusters: Sequence[Cluster], to: str | None = None, controller: str = KEP
) -> list[Step]:
    """The steps in order, then those that are blocked. `to` is the release of the upgrades.

    Only gateways of its implementation are upgraded, and none backwards. Raises RulesetError for a
    release or a controller that is not known.

    >>> from protocol_analysis.reading import read
    >>> paths = {name: f"data/sample/{name}@envoy-gateway:1.8" for name in ("east", "west")}
    >>> steps = safe_order(read(paths).clusters, "1.9")
    >>> steps[0].cluster, steps[0].action
    ('east', 'write kubernetes.io/h2c on Service catalog/catalog:9000; its imports follow')
    >>> [step.action for step in steps[-2:]], steps[-1].blocked
    (['upgrade to v1.9.0', 'upgrade to v1.9.0'], '')
    """
    end, writes = reader(to), controller_of(controller)
    now, steps = list(clusters), list[Step]()
    while True:
        taken, blocked = _steps(_Search(now, end, writes))
        steps += taken
        for step in taken:
            now = applied(now, step)
        # Whoever was upgraded may read a value that settles what could not be settled before.
        if not taken:
            return [
                *(replace(step, number=at) for at, step in enumerate(steps, start=1)),
                *blocked,
            ]


def _steps(search: _Search) -> tuple[list[Step], list[Step]]:
    """Safe steps until none is left or none is safe, and those that are left."""
    waiting = search.moves()
    taken: list[Step] = []
    moved = True
    while waiting and moved:
        moved = False
        for move in list(waiting):
            if not search.parts(move):
                search.take(move)
                taken.append(replace(move, left=search.left()))
                waiting.remove(move)
                moved = True
    return taken, [
        replace(move, blocked=search.parts(move), left=search.left()) for move in waiting
    ]


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
        inventory = after.inventory
        for of, meta, port, value in step.writes:
            inventory = _written(inventory, meta, port, value) if of == name else inventory
        found.append(replace(after, inventory=inventory))
    return found


def apart(words: Sequence[str]) -> int:
    """How many pairs of these are not the same.

    >>> apart(["h2", "h2", "http/1.1"])
    2
    """
    count = len(words)
    return (count * (count - 1) - sum(n * (n - 1) for n in Counter(words).values())) // 2


def _written(inventory: Inventory, meta: Meta, port: Port, value: str | None) -> Inventory:
    services, imports = (
        tuple(with_port(s, port, value) if s.meta == meta else s for s in objects)
        for objects in (inventory.services, inventory.service_imports)
    )
    return replace(inventory, services=services, service_imports=imports)


class _Search:
    """What is written and who reads, after the steps that were taken."""

    def __init__(self, clusters: Sequence[Cluster], to: Reader, controller: Controller) -> None:
        self.to, self.controller = to, controller
        self.ears = ears(clusters)
        self.readers = {name: ear.reader for name, ear in self.ears.items()}
        self.values: dict[tuple[str, Meta, Port], str | None] = {}
        self.ports = [(of, port) for of in shared(clusters) for port in merged(of)]
        self.sides = [list(_sides(of, port)) for of, port in self.ports]
        self.words = [self.heard(sides) for sides in self.sides]
        self.at: dict[Any, set[int]] = {}
        for number, sides in enumerate(self.sides):
            for side in sides:
                self.at.setdefault(side.key, set()).add(number)
                self.at.setdefault(side.cluster, set()).add(number)

    def moves(self) -> list[Step]:
        edits = [
            move
            for (_, port), sides, words in zip(self.ports, self.sides, self.words, strict=True)
            for move in self._edits(port, sides, words)
        ]
        older = [
            (release_key(by.release), name, by)
            for name, by in self.readers.items()
            if by.implementation == self.to.implementation
            and release_key(by.release) < release_key(self.to.release)
        ]
        upgrades = [
            Step(
                cluster=name,
                action=f"upgrade to {self.to.release}",
                why=f"from {by.release}",
                upgrade=self.to,
            )
            for _, name, by in sorted(older, key=lambda each: each[:2])
        ]
        return [*edits, *upgrades]

    def parts(self, move: Step) -> str:
        """What a step would part: the first two sides; "" where it is safe."""
        values, readers = self._after(move)
        for number in sorted(self._touched(move)):
            sides, before = self.sides[number], self.words[number]
            after = [self._word(side, values, readers) for side in sides]
            first: dict[str, int] = {}
            for at, (old, new) in enumerate(zip(before, after, strict=True)):
                one = first.setdefault(old, at)
                if after[one] != new:
                    where = f"{self.ports[number][0]}:{sides[at].port.number}"
                    return f"{where}: {sides[one]} {after[one]}, {sides[at]} {new}"
        return self._disturbs(move)

    def take(self, move: Step) -> None:
        self.values, self.readers = self._after(move)
        for number in self._touched(move):
            self.words[number] = self.heard(self.sides[number])

    def left(self) -> int:
        return sum(map(apart, self.words))

    def heard(self, sides: Sequence[_Side]) -> list[str]:
        return [self._word(side, self.values, self.readers) for side in sides]

    def _word(self, side: _Side, values: dict[Any, str | None], readers: dict[str, Reader]) -> str:
        value = values.get(side.key, AS_DECLARED)
        ear, by = self.ears[side.cluster], readers[side.cluster]
        return word_of(ear.hear(side.service, side.port, value, by=by))

    def _after(self, move: Step) -> tuple[dict[Any, str | None], dict[str, Reader]]:
        written = {(cluster, meta, port): value for cluster, meta, port, value in move.writes}
        values = {**self.values, **written}
        readers = {**self.readers, move.cluster: move.upgrade} if move.upgrade else self.readers
        return values, readers

    def _touched(self, move: Step) -> set[int]:
        if move.upgrade:
            return self.at.get(move.cluster, set())
        return {number for write in move.writes for number in self.at.get(write[:3], ())}

    def _disturbs(self, move: Step) -> str:
        """The mesh to which a value says something else than what stands there today."""
        for cluster, meta, port, value in move.writes:
            ear = self.ears[cluster]
            for number in self.at.get((cluster, meta, port), ()):
                side = next(s for s in self.sides[number] if s.key == (cluster, meta, port))
                for mesh in ear.cluster.meshes:
                    words = [
                        word_of(ear.hear(side.service, side.port, said, by=mesh))
                        for said in (self.values.get(side.key, AS_DECLARED), value)
                    ]
                    if words[0] != words[1]:
                        return f"{mesh} would speak {words[1]} to {side}, not {words[0]}"
        return ""

    def _edits(
        self, port: MergedPort, sides: Sequence[_Side], words: Sequence[str]
    ) -> Iterator[Step]:
        first, *others = sides
        value = self._settles(port, sides, words[0])
        carried = None if self.controller.writes == "drops" else value
        imports = [side for side in others if side.service.meta.kind == "ServiceImport"]
        exports = [side for side in others if side not in imports]
        if value != port.app_protocol:
            writes = [(*first.key, value), *((*side.key, carried) for side in imports)]
            text = (
                f"{_named(first, value)}; its imports follow" if imports else _named(first, value)
            )
            yield self._edit(first, text, "all its sides are then spoken alike", writes)
        for side in imports if value == port.app_protocol else ():
            if (side.port.app_protocol or None) != carried:
                why = "the import as its exports have it"
                yield self._edit(side, _named(side, carried), why, [(*side.key, carried)])
        for side in exports:
            if (side.port.app_protocol or None) != value:
                why = f"as the oldest export, of {first.cluster}; its pods have to speak it"
                yield self._edit(side, _named(side, value), why, [(*side.key, value)])

    def _edit(self, side: _Side, action: str, why: str, writes: Sequence[Write]) -> Step:
        return Step(cluster=side.cluster, action=action, why=why, writes=tuple(writes))

    def _settles(self, port: MergedPort, sides: Sequence[_Side], meant: str) -> str | None:
        """The value by which all sides are spoken what is meant: the exported one where it can."""
        winner = sides[0]
        known = readable(rules_of(self.readers[winner.cluster])[0], "Service")
        for value in (port.app_protocol, *known):
            kept = {side.key: value for side in sides}
            if all(self._word(side, kept, self.readers) == meant for side in sides):
                return value
        return port.app_protocol


def _sides(of: Shared, port: MergedPort) -> Iterator[_Side]:
    """The oldest export's Service, the others', and the imports."""
    yield _Side(cluster=port.winner.cluster, service=port.service, port=port.port)
    for claim in port.claims:
        if "port" not in claim.differs:
            yield _Side(cluster=claim.export.cluster, service=claim.service, port=claim.port)
    for each in of.imports:
        if here := each.port(port.key):
            yield _Side(cluster=each.cluster, service=each.service, port=here)


def _named(side: _Side, value: str | None) -> str:
    meta = side.service.meta
    where = f"{meta.kind} {meta.namespace}/{meta.name}:{side.port.number}"
    return f"write {value} on {where}" if value else f"remove appProtocol of {where}"
