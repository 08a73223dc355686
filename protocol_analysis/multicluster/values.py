"""Sides whose value or whose wire is not what it should be, each with what its references meet.

A side may have two faults: its value, and whatever else would keep it from being spoken what is
meant if the value were right. Each is weighed by the references that it is to blame for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from protocol_analysis.multicluster.causes import Causes
from protocol_analysis.multicluster.controllers import Controller
from protocol_analysis.multicluster.disagreeing import (
    Disagreement,
    Met,
    disagreement,
    judged,
)
from protocol_analysis.multicluster.hearing import AS_DECLARED, Ear, Way
from protocol_analysis.multicluster.merging import MergedPort, why_older
from protocol_analysis.multicluster.sides import (
    DERIVED,
    EXPORT,
    Across,
    Side,
    amiss,
    is_turned,
    unlike,
)
from protocol_analysis.readings import UNSENT, word_of
from protocol_analysis.resolution import ASSUMED, Resolution

Turned = list[tuple[str, Resolution, str]]  # why, the reference, and the word that is meant


class Values:
    """All clusters, asked about values and wires."""

    def __init__(self, heard: Mapping[str, Ear], controller: Controller) -> None:
        self.heard, self.controller = heard, controller
        self.causes = Causes(heard, controller)

    def of_side(
        self, port: Across, merged: MergedPort, side: Side, meant: str, turned: Turned
    ) -> Iterator[Disagreement]:
        """What is wrong with a side that is not the first: its name, its value, then its wire."""
        found = amiss(
            lambda value: next(
                (way for way, *_ in self.unlike(port, side, value, port.name)), None
            ),
            *(port, side, self.controller),
        )
        yield from self._other_name(port, merged, side, found.right, meant)
        if found.value and side.side == EXPORT:
            yield self._overridden(port, merged, side, meant)
        elif found.value:
            yield self._lost_or_edited(port, merged, side, found.right, meant)
        if found.else_ and not self.causes.passed_on(port, side, found.right, found.else_):
            yield self._otherwise(port, merged, side, found.right, meant, found.else_)
        if turned:
            why, led = turned[0][0], [answer for _, answer, _ in turned]
            met = self._met(led, port, lambda _: True)
            fault = replace(self._fault("turned", port, merged, side), field="", why=why)
            yield judged(fault, met, self._word(side), meant)

    def turned(self, side: Side, first: Side) -> Turned:
        """The references that a neighbour or a policy turns, here or at home: why, it, the word.

        Alone they would be spoken alike: nothing of the port makes the difference.
        """
        found = []
        for answer in self._leading(side):
            alone, meant = self._alike(answer, side), self._alike(answer, first)
            home = self._home(answer, first)
            if is_turned(*map(word_of, (answer, home, alone, meant))):
                here = word_of(answer) != word_of(alone)
                why = _beside(answer, alone) if here else _beside(home, meant)
                where = side.place if here else first.place
                found.append((f"in {where}: {why}", answer, word_of(home)))
        return found

    def unlike(
        self, port: Across, side: Side, value: str | None = AS_DECLARED, name: str | None = None
    ) -> Iterator[tuple[Way, str, str]]:
        """The ways by which a side is spoken otherwise than is meant.

        Those of the references that really lead there come first, then the plain one.
        """
        ear, first = self.heard[side.cluster], port.sides[0]
        ways = dict.fromkeys((*ear.ways(side.service, side.port), port.plain))
        hear = partial(ear.hear, side.service, side.port, value, name=name)
        return unlike(
            lambda way: word_of(hear(way=way)),
            lambda way: self.causes.meant(first, way),
            *(ways, port.plain),
        )

    def _other_name(
        self, port: Across, merged: MergedPort, side: Side, right: str | None, meant: str
    ) -> Iterator[Disagreement]:
        """Another name of a port, which says something to those only that go by names."""
        exports, stand_in, why = side.side == EXPORT, self.causes.stand_in(port, side), ""
        named = side if side.port.name != port.name else stand_in or side
        if named.port.name == port.name:
            return
        if named is stand_in:
            why = f"{self.heard[side.cluster].reader} reads {named.service.meta} for it"
        elif not exports:
            why = f"{merged.winner.place} exports it by another name ({merged.port.position})"
        fault = replace(
            self._fault(
                "edited" if named is side and not exports else "conflict", port, merged, side
            ),
            position=named.port.position,
            field="name",
            found=named.port.name or None,
            wanted=merged.port.name or None,
            why=why or self._why_overruled(merged, side),
            meets="nothing: a port is reached by its number",
        )

        def guilty(answer: Resolution) -> bool:
            mended = self._like(answer, side, right, port.name)
            return self._like(answer, side, right) != mended

        led = self._leading(side)
        plain = self._word(side, right) != self._word(side, right, port.name)
        if not plain and not any(map(guilty, led)):
            # That of what stands for an import is told there.
            if named is side:
                yield fault
        elif exports:
            met = self._through(port, side, lambda like, _: guilty(like))
            yield _at_home(judged(fault, met, meant, self._word(side), guilty=plain), side)
        else:
            met = self._met(led, port, guilty)
            yield judged(fault, met, self._word(side), meant, guilty=plain)

    def _overridden(self, port: Across, merged: MergedPort, side: Side, meant: str) -> Disagreement:
        """What a younger export declares: who reaches its pods through an import, and at home."""
        at_home = self._leading(side)
        met = self._through(
            *(port, side),
            lambda like, _: self._like(like, side, port.wanted) != self._like(like, side),
        )
        usual = word_of(at_home[0]) if at_home else self._word(side)
        guilty = self._word(side) != self._word(side, port.wanted)
        fault = self._fault("overridden", port, merged, side)
        fault = judged(fault, met, meant, usual, guilty=guilty)
        if met:
            return _at_home(fault, side)
        if alike := next((each for each in at_home if word_of(each) == meant), None):
            return replace(fault, meets=f"nothing: {alike.route} speaks {meant} at home too")
        if meant == usual:
            return fault
        if not guilty:
            return replace(fault, meets=f"nothing: {usual} would be spoken at home without it too")
        spoken = "nothing" if meant in UNSENT else meant
        pods = f"the pods of {side.place} would be spoken {spoken} through the import"
        return replace(fault, meets=f"no reference leads there today; {pods}, {usual} at home")

    def _through(
        self, port: Across, side: Side, guilty: Callable[[Resolution, str], bool]
    ) -> list[Met]:
        """The references to imports, by which the pods of an export are reached, and those at home.

        `guilty` tells whether a fault makes the difference, by one like it at home and the word.
        """
        met, at_home = [], self._leading(side)
        for each in port.sides:
            for answer in self._leading(each) if each.side != EXPORT else ():
                if not answer.sent:
                    continue
                here = word_of(answer)
                own = {word_of(led): led for led in reversed(at_home)}
                like = own.get(here, at_home[0] if at_home else answer)
                blamed = guilty(like, here)
                like = like if at_home else self._alike(answer, side)
                met.append(_met(answer, like, guilty=blamed))
        return met

    def _met(
        self, led: Sequence[Resolution], port: Across, guilty: Callable[[Resolution], bool]
    ) -> list[Met]:
        """References, each with one like it to the first side; `guilty` tells if by a fault."""
        return [_met(each, self._home(each, port.sides[0]), guilty=guilty(each)) for each in led]

    def _home(self, answer: Resolution, first: Side) -> Resolution:
        """A reference like it to the first side, if there is one that speaks alike; else alone."""
        led = self.causes.at_home(first, self._way(answer))
        same = (each for each in led if word_of(each) == word_of(answer))
        return next(same, led[0] if led else self._alike(answer, first))

    def _way(self, answer: Resolution) -> Way:
        """How a reference leads; whose cluster is not known is as good as any cluster's own."""
        ear = self.heard.get(answer.route.world)
        return ear.way(answer) if ear else Way(route=answer.route.kind, site=answer.ref.site)

    def _lost_or_edited(
        self, port: Across, merged: MergedPort, side: Side, right: str | None, meant: str
    ) -> Disagreement:
        """A value that is not what the exports give, or what a controller made of that."""
        met = self._met(
            *(self._leading(side), port),
            lambda answer: self._like(answer, side, right) != self._like(answer, side),
        )
        fault = self._fault("edited" if side.value else "lost", port, merged, side)
        spoken, guilty = self._word(side), self._word(side) != self._word(side, right)
        return judged(fault, met, spoken, meant, guilty=guilty)

    def _otherwise(
        self, port: Across, merged: MergedPort, side: Side, right: str | None, meant: str, way: Way
    ) -> Disagreement:
        """Another wire with the right value: by the object's kind, by its reader, or by TLS."""
        kind, why = self.causes.of_wire(port, side, right, way)
        met = self._met(
            *(self._leading(side), port),
            lambda each: (
                self._like(each, side, right, port.name) != self._like(each, port.sides[0])
            ),
        )
        field = _FIELDS.get(kind, "appProtocol")
        fault = replace(self._fault(kind, port, merged, side), field=field, why=why)
        if kind == "overridden" and (stand_in := self.causes.stand_in(port, side)):
            fault = replace(fault, found=stand_in.value, position=stand_in.port.where)
        if kind in ("conflict", "edited"):
            found, wanted = self.causes.firsts(port, side)
            fault = replace(fault, field="ports", found=found, wanted=wanted)
        if kind == "tls" and side.side == EXPORT:
            # Imports know nothing of the policies by which its pods are reached at home.
            through = self._through(
                *(port, side), lambda like, here: self._like(like, side, port.wanted) != here
            )
            if any(each.guilty and each.here != each.meant for each in through):
                return _at_home(judged(fault, through, meant, self._word(side)), side)
        return judged(fault, met, self._word(side), meant)

    def _fault(self, kind: str, port: Across, merged: MergedPort, side: Side) -> Disagreement:
        return disagreement(
            kind,
            side.cluster,
            side.service.meta,
            side.port.where,
            port=side.port,
            field="appProtocol",
            found=side.value,
            wanted=merged.app_protocol,
            winner=merged.winner.cluster,
            why=self._why(port, merged, side),
        )

    def _why(self, port: Across, merged: MergedPort, side: Side) -> str:
        """Why a value is not what it should be."""
        by = self.controller
        if side.side == EXPORT:
            return self._why_overruled(merged, side)
        if side.value == port.due(side, by) != merged.app_protocol:
            return f"{by.title}: {by.text}"
        for claim in merged.claims:
            if side.value and claim.port.app_protocol == side.value:
                return f"it is what {claim.export.place} declares, whose export is not the oldest"
        if side.value:
            return f"no export declares it; if it is written here: {by.by_hand}"
        if side.side == DERIVED:
            return f"the import that it is derived from should carry it ({merged.port.where})"
        return f"{merged.winner.place} declares it ({merged.port.where})"

    def _why_overruled(self, merged: MergedPort, side: Side) -> str:
        """Why an export does not speak for all."""
        younger = next(c.export for c in merged.claims if c.export.cluster == side.cluster)
        return why_older(merged.winner, younger)

    def _leading(self, side: Side) -> list[Resolution]:
        return self.heard[side.cluster].leading(side.service, side.port)

    def _word(self, side: Side, value: str | None = AS_DECLARED, name: str | None = None) -> str:
        return word_of(self.heard[side.cluster].hear(side.service, side.port, value, name=name))

    def _like(
        self,
        answer: Resolution,
        side: Side,
        value: str | None = AS_DECLARED,
        name: str | None = None,
    ) -> str:
        """What a reference of the same kind is spoken to a side, in the side's own cluster."""
        return word_of(self._alike(answer, side, value, name))

    def _alike(
        self,
        answer: Resolution,
        side: Side,
        value: str | None = AS_DECLARED,
        name: str | None = None,
    ) -> Resolution:
        """The same with its reasons."""
        ear = self.heard[side.cluster]
        way = ear.here(self._way(answer))
        return ear.hear(side.service, side.port, value, way=way, name=name)


_FIELDS = {"tls": "BackendTLSPolicy", "missing port": "port"}  # of what is no value


def _met(answer: Resolution, like: Resolution, *, guilty: bool) -> Met:
    """A reference, and one like it where the port is exported."""
    here, meant = word_of(answer), word_of(like)
    opaque = any(each.mesh and word_of(each) == "tcp" for each in (answer, like))
    return Met(route=answer.route, here=here, meant=meant, guilty=guilty, opaque=opaque)


def _beside(answer: Resolution, alone: Resolution) -> str:
    """What is to a reference that is not to the port alone."""
    more = (each for each in answer.reasons if each not in alone.reasons and each.row != ASSUMED)
    return " ".join(each.text for each in more)


def _at_home(fault: Disagreement, side: Side) -> Disagreement:
    """A fault that is told by what is spoken to the pods of an export in its own cluster."""
    said = fault.meets.replace("is meant", f"is spoken to the pods of {side.place} at home")
    return replace(fault, meets=said)
