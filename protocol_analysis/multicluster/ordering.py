"""An order of edits and of upgrades in which no step parts two sides that were spoken alike. Pure.

A step is safe where all sides of a port that had one wire before it have one wire after it, behind
an HTTPRoute and behind what else leads to them, and where the table that `propagation` makes counts
no more disagreements than before. Safe steps are taken one after the other, edits before upgrades,
until none is left or none is safe; a step that is never safe is named with what it would part. That
is a search without going back: it proves each order that it finds, not that there is none.

Another value is written on all exports of a port in one step, and on the imports, since controllers
follow: whoever has another value than the oldest export is one disagreement more.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product

from protocol_analysis.coverage import readable
from protocol_analysis.multicluster.controllers import KEP, Controller, controller_of
from protocol_analysis.multicluster.hearing import Way, ears
from protocol_analysis.multicluster.mirroring import across_clusters
from protocol_analysis.multicluster.references import Led, References, kind_of, parted
from protocol_analysis.multicluster.sides import (
    EXPORT,
    Across,
    Side,
    amiss,
    aside,
    is_turned,
    ports_across,
    unlike,
    writes_of,
)
from protocol_analysis.multicluster.steps import Now, Place, Step, apart, named
from protocol_analysis.portability import meanings
from protocol_analysis.readers import Reader, reader
from protocol_analysis.reading import Cluster
from protocol_analysis.readings import UNSENT, word_of
from protocol_analysis.releases import release_key
from protocol_analysis.resolver import TRANSPORTS
from protocol_analysis.speaking import rules_of

_PLAIN = ("http", "http2")  # the uses of values that may be offered
_Group = list[tuple[Side, Way]]  # what is compared: the first side, then others by the same way


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
    search = _Search(clusters, reader(to), controller_of(controller))
    steps = list[Step]()
    while True:
        taken, blocked = _steps(search)
        steps += taken
        # Whoever was upgraded may read a value that settles what could not be settled before.
        if not taken:
            numbered = (replace(step, number=at) for at, step in enumerate(steps, start=1))
            return [*numbered, *blocked]


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
                taken.append(replace(move, left=search.left))
                waiting.remove(move)
                moved = True
    return taken, [replace(move, blocked=search.parts(move), left=search.left) for move in waiting]


class _Search:
    """What is written and who reads, after the steps that were taken."""

    def __init__(self, clusters: Sequence[Cluster], to: Reader, controller: Controller) -> None:
        self.to = to
        self.ears = ears(clusters, controller)
        self.now = Now(readers={name: ear.reader for name, ear in self.ears.items()})
        self.references = References(self.ears)
        self.ports: list[Across] = []
        self.writers: list[Controller] = []
        self.near: dict[Place, list[Place]] = {}
        self.at: dict[Place | str, set[int]] = {}
        for of in across_clusters(clusters):
            for port in ports_across(of):
                for side in port.sides:
                    # What is written beside it may be read for it.
                    near = self.ears[side.cluster].near(side.service, side.port)
                    self.near[side.key] = [(side.cluster, *place) for place in near]
                    at: list[Place | str] = [*self.near[side.key], side.cluster]
                    for key in at:
                        self.at.setdefault(key, set()).add(len(self.ports))
                self.ports.append(port)
                self.writers.append(writes_of(of, controller))
        self.groups = [list(self._groups(port)) for port in self.ports]
        every = enumerate(self.ports)
        self.unusual = {number for number, port in every if self.references.unusual(port)}
        self.real = {number: self.led(number, self.now) for number in self.unusual}
        self.words = [self.heard(number, self.now) for number in range(len(self.ports))]
        self.faults = [self.count(number, self.now) for number in range(len(self.ports))]
        self.left = sum(map(apart, self.words))  # pairs of sides

    def moves(self) -> list[Step]:
        edits = [move for number in range(len(self.ports)) for move in self._edits(number)]
        older = [
            (release_key(by.release), name, by)
            for name, by in self.now.readers.items()
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
        """What a step would part or add: the first of it; "" where it is safe."""
        then = self.now.after(move)
        for number in sorted(self._touched(move)):
            port = self.ports[number]
            where = f"{port.of}:{port.key[0]}"
            for group in self.groups[number]:
                words = (
                    ("", side, self._word(side, self.now, way), self._word(side, then, way))
                    for side, way in group
                )
                if text := parted(words):
                    way = group[-1][1]
                    by = "" if way == port.plain else f" behind {way}"
                    return f"{where}{by}: {text}"
            if number in self.unusual:
                pairs = zip(self.real[number], self.led(number, then), strict=True)
                if text := parted(
                    (kind_of(way), side, old, new) for (side, way, old), (*_, new) in pairs
                ):
                    return f"{where} by the routes that lead there: {text}"
            if (count := self.count(number, then)) > self.faults[number]:
                return f"{where}: {count} disagreements, {self.faults[number]} before"
        return self._disturbs(move)

    def take(self, move: Step) -> None:
        self.now = self.now.after(move, self.now.values)
        for number in self._touched(move):
            self.left -= apart(self.words[number])
            self.words[number] = self.heard(number, self.now)
            if number in self.unusual:
                self.real[number] = self.led(number, self.now)
            self.faults[number] = self.count(number, self.now)
            self.left += apart(self.words[number])

    def heard(self, number: int, now: Now) -> list[str]:
        """What is spoken to each side of a port."""
        return [self._word(side, now) for side in self.ports[number].sides]

    def _groups(self, port: Across) -> Iterator[_Group]:
        """All sides in the plain way; then by each other way those that references lead to.

        Those after the first, in its own cluster, by the same kind of gateway if it has one.
        """
        first, *others = port.sides
        yield [(side, port.plain) for side in port.sides if not self._aside(port, side)]
        found: dict[tuple[str, str, str], _Group] = {}
        for side in (first, *others):
            for way in self._ways(side):
                if way != port.plain:
                    meant = (first, self.ears[first.cluster].here(way))
                    group = found.setdefault(kind_of(way), [meant])
                    group += [(side, way)] if side is not first else []
        yield from found.values()

    def _aside(self, port: Across, side: Side) -> bool:
        return aside(self.ears[side.cluster], port.of, side)

    def led(self, number: int, now: Now) -> Led:
        """What the references to the sides of a port are spoken; at home alone where none leads."""
        port = self.ports[number]
        first, found = port.sides[0], self.references.to_sides(port, now)
        home = {kind_of(way) for side, way, _ in found if side is first}
        alone = dict.fromkeys(way for _, way, _ in found if kind_of(way) not in home)
        return [*((first, way, self._meant(port, now, way)) for way in alone), *found]

    def _turned(self, number: int, now: Now) -> int:
        """How many sides the table has whose references a neighbour or a policy turns."""
        port = self.ports[number]
        first = port.sides[0]
        led = self.real[number] if now is self.now else self.led(number, now)
        at_home: dict[tuple[str, str, str], list[str]] = {}
        for _, way, word in (each for each in led if each[0] is first):
            at_home.setdefault(kind_of(way), []).append(word)
        turned = set()
        for side, way, word in (each for each in led if each[0] is not first):
            words = at_home[kind_of(way)]
            home = word if word in words else words[0]
            if is_turned(word, home, self._word(side, now, way), self._meant(port, now, way)):
                turned.add(side.key)
        return len(turned)

    def _meant(self, port: Across, now: Now, way: Way) -> str:
        """What the first side would be spoken alone by such a way, in its own cluster."""
        first = port.sides[0]
        return self._word(first, now, self.ears[first.cluster].here(way))

    def _ways(self, side: Side) -> list[Way]:
        return self.ears[side.cluster].ways(side.service, side.port)

    def count(self, number: int, now: Now) -> int:
        """How many disagreements the table has about values and wires of a port."""
        port = self.ports[number]
        if not port.merged:
            return 0
        first, *others = port.sides
        port, by, count = replace(port, wanted=now.value(first)), self.writers[number], 0
        for side in others:
            differs = partial(self._differs, port, side, now)
            found = amiss(differs, port, side, by, now.said(side))
            else_ = found.else_ is not None and not self._aside(port, side)
            count += found.value + else_
        return count + (self._turned(number, now) if number in self.unusual else 0)

    def _differs(self, port: Across, side: Side, now: Now, value: str | None) -> Way | None:
        """A way by which a side of the right name is not spoken what is meant, with a value."""

        def spoken(way: Way) -> str:
            return self._said(side, now, value, way=way, name=port.name)

        meant = partial(self._meant, port, now)
        ways = dict.fromkeys((*self._ways(side), port.plain))
        return next((way for way, *_ in unlike(spoken, meant, ways, port.plain)), None)

    def _word(self, side: Side, now: Now, way: Way | None = None, name: str | None = None) -> str:
        return self._said(side, now, now.said(side), way=way, name=name)

    def _said(
        self,
        side: Side,
        now: Now,
        value: str | None,
        by: Reader | None = None,
        way: Way | None = None,
        name: str | None = None,
    ) -> str:
        """What is spoken to a side with a value, beside all others that were written by then."""
        near = (at for at in self.near[side.key] if at != side.key and at in now.values)
        return word_of(
            self.ears[side.cluster].hear(
                *(side.service, side.port, value),
                way=way,
                by=by or now.readers[side.cluster],
                name=name,
                written=tuple((at[1], at[2], now.values[at]) for at in near),
            )
        )

    def _touched(self, move: Step) -> set[int]:
        if move.upgrade:
            return self.at.get(move.cluster, set())
        clusters = {write[0] for write in move.writes}
        near = {number for name in clusters for number in self.unusual & self.at.get(name, set())}
        return near.union(*(self.at.get(write[:3], set()) for write in move.writes))

    def _disturbs(self, move: Step) -> str:
        """Who else would hear something else than today: a mesh, or a neighbour in a rule."""
        then = self.now.after(move)
        for cluster, meta, key, _ in move.writes:
            for number in sorted(self.at.get((cluster, meta, key), ())):
                mine = (s for s in self.ports[number].sides if s.key[:2] == (cluster, meta))
                for side, mesh in product(mine, self.ears[cluster].cluster.meshes):
                    words = [
                        self._said(side, now, now.said(side), mesh) for now in (self.now, then)
                    ]
                    if words[0] != words[1]:
                        return f"{mesh} would speak {words[1]} to {side}, not {words[0]}"
        for cluster in sorted({write[0] for write in move.writes}):
            writes = [write for write in move.writes if write[0] == cluster]
            for before, after in self.references.beside(cluster, self.now, then, writes):
                port = (after.ref.port or 0, TRANSPORTS.get(after.route.kind, "TCP"))
                # What leads to a side of another exported port is compared there.
                if not after.target or (cluster, after.target, port) not in self.at:
                    ref, word = after.ref, word_of(after)
                    backend = f"{ref.kind} {ref.namespace}/{ref.name}:{ref.port} of {cluster}"
                    return f"{after.route} would speak {word} to {backend}, not {word_of(before)}"
        return ""

    def _edits(self, number: int) -> Iterator[Step]:
        """Another value for all where one settles it; else each side as the oldest has it."""
        port, by = self.ports[number], self.writers[number]
        if not port.merged:
            return
        first, *others = port.sides
        today = self.now.value(first)
        port = replace(port, wanted=self._settles(number, today))
        exports = [side for side in port.sides if side.side == EXPORT]
        if port.wanted != today:
            all_of = named(port, first, [side.cluster for side in exports])
            text = f"{all_of}; its imports follow" if len(exports) <= len(others) else all_of
            yield self._edit(first, text, "all its sides are then spoken alike", port, by)
            return
        # Whoever says the same is edited together: one alone would be parted from the others.
        for alike in self._alike([side] for side in exports[1:]):
            if self.now.value(alike[0]) != today:
                why = f"as the oldest export, of {first.place}; its pods have to speak it"
                text = named(port, alike[0], [side.cluster for side in alike])
                yield self._edit(alike[0], text, why, port, by, alike)
        imports: dict[str, list[Side]] = {}
        for side in others:
            if side.side != EXPORT:
                imports.setdefault(side.cluster, []).append(side)
        for alike in self._alike(imports.values()):
            wrong = [side for side in alike if not port.right(side, self.now.value(side), by)]
            if wrong:
                # What is derived from an import follows it.
                clusters = list(dict.fromkeys(side.cluster for side in wrong))
                text = named(replace(port, wanted=port.due(wrong[0], by)), wrong[0], clusters)
                why = f"the import as its exports have it; by hand: {by.by_hand}"
                yield self._edit(wrong[0], text, why, port, by, alike)

    def _alike(self, of: Iterable[list[Side]]) -> list[list[Side]]:
        """The sides of several clusters, together where they say the same now."""
        found: dict[tuple[str | None, ...], list[Side]] = {}
        for sides in of:
            found.setdefault(tuple(map(self.now.value, sides)), []).extend(sides)
        return list(found.values())

    def _edit(
        self,
        at: Side,
        action: str,
        why: str,
        port: Across,
        by: Controller,
        sides: Sequence[Side] = (),
    ) -> Step:
        """What is wanted of a port, written on some of its sides; on all of them by default."""
        writes = tuple((*side.key, port.due(side, by)) for side in sides or port.sides)
        return Step(cluster=at.cluster, action=action, why=why, writes=writes)

    def _settles(self, number: int, today: str | None) -> str | None:
        """The value by which all sides are spoken what is meant: the exported one where it can."""
        port, by = self.ports[number], self.writers[number]
        winner = port.sides[0].cluster
        rules = rules_of(self.now.readers[winner])[0]
        # To write a value is to say what it means: a pattern, WebSocket or TLS is no remedy.
        said = {value: meanings().get(value) for value in readable(rules, "Service")}
        known = [
            value for value, mean in said.items() if mean and not mean.tls and mean.use in _PLAIN
        ]
        for value in (today, *known, None):
            wanted = replace(port, wanted=value)
            kept = {side.key: wanted.due(side, by) for side in port.sides}
            then = replace(self.now, values=ChainMap(kept, self.now.values))
            if all(self._keeps(port, group, then) for group in self.groups[number]):
                return value
        return today

    def _keeps(self, port: Across, group: _Group, then: Now) -> bool:
        """Whether all sides will be spoken what is meant today; a name is not the value's fault."""
        (first, way), *_ = group
        meant = self._word(first, self.now, way)
        if way != port.plain and meant in UNSENT:
            return True
        return all(self._word(side, then, way, port.name) == meant for side, way in group)
