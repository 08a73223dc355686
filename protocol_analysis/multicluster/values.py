"""Sides whose value or whose wire is not what it should be, each with what its references meet.

A side may have two faults: its value, and whatever else would keep it from being spoken what is
meant if the value were right. Each is weighed by the references that it is to blame for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

from protocol_analysis.model import ServicePort
from protocol_analysis.multicluster.controllers import Controller
from protocol_analysis.multicluster.disagreeing import (
    Disagreement,
    Met,
    disagreement,
    judged,
    numbered,
)
from protocol_analysis.multicluster.exporting import key_of
from protocol_analysis.multicluster.hearing import AS_DECLARED, Ear
from protocol_analysis.multicluster.merging import MergedPort, why_older
from protocol_analysis.multicluster.sides import DERIVED, EXPORT, IMPORT, Across, Side, amiss
from protocol_analysis.readings import ITS_SERVICE, word_of
from protocol_analysis.resolution import Resolution


class Values:
    """All clusters, asked about values and wires."""

    def __init__(self, heard: Mapping[str, Ear], controller: Controller) -> None:
        self.heard, self.controller = heard, controller

    def of_side(
        self, port: Across, merged: MergedPort, side: Side, meant: str
    ) -> Iterator[Disagreement]:
        """What is wrong with the value of a side that is not the first, then with its wire."""
        found = amiss(partial(self._word, side), port, side, meant, self.controller)
        if found.value and side.side == EXPORT:
            yield self._overridden(port, merged, side, meant)
        elif found.value:
            yield self._lost_or_edited(port, merged, side, found.right, meant)
        if found.else_ and not self._passed_on(side, found.right):
            yield self._otherwise(port, merged, side, found.right, meant)

    def _passed_on(self, side: Side, value: str | None) -> bool:
        """Whether the port is missing on the Service that is read for the import: told there."""
        answer = self.heard[side.cluster].hear(side.service, side.port, value)
        return side.side == IMPORT and answer.outcome == "no-port"

    def _overridden(self, port: Across, merged: MergedPort, side: Side, meant: str) -> Disagreement:
        """What a younger export declares: who reaches its pods through an import, and at home."""
        met, at_home = self._through(port, side), self._leading(side)
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
        pods = f"the pods of {side.cluster} would be spoken {meant} through the import"
        return replace(fault, meets=f"no reference leads there today; {pods}, {usual} at home")

    def _through(self, port: Across, side: Side, *, by_value: bool = True) -> list[Met]:
        """The references to imports, by which the pods of an export are reached, and those at home.

        Guilty is its value, or not `by_value` whatever else makes the difference.
        """
        met, at_home = [], self._leading(side)
        for each in port.sides:
            for answer in self._leading(each) if each.side != EXPORT else ():
                if not answer.sent:
                    continue
                here = word_of(answer)
                own = {word_of(led): led for led in reversed(at_home)}
                like = own.get(here, at_home[0] if at_home else answer)
                usual, mended = self._like(like, side), self._like(like, side, port.wanted)
                guilty = mended != (usual if by_value else here)
                like = like if at_home else self._alike(answer, side)
                met.append(_met(answer, like, guilty=guilty))
        return met

    def _lost_or_edited(
        self, port: Across, merged: MergedPort, side: Side, right: str | None, meant: str
    ) -> Disagreement:
        """A value that is not what the exports give, or what a controller made of that."""
        met = [
            _met(
                answer,
                self._alike(answer, port.sides[0]),
                guilty=self._like(answer, side, right) != self._like(answer, side),
            )
            for answer in self._leading(side)
        ]
        fault = self._fault("edited" if side.value else "lost", port, merged, side)
        spoken, guilty = self._word(side), self._word(side) != self._word(side, right)
        return judged(fault, met, spoken, meant, guilty=guilty)

    def _otherwise(
        self, port: Across, merged: MergedPort, side: Side, right: str | None, meant: str
    ) -> Disagreement:
        """Another wire with the right value: by the object's kind, by its reader, or by TLS."""
        kind, why = self._cause(port, side, right, meant)
        met = []
        for answer in self._leading(side):
            like = self._alike(answer, port.sides[0])
            guilty = self._like(answer, side, right) != word_of(like)
            met.append(_met(answer, like, guilty=guilty))
        field = "BackendTLSPolicy" if kind == "tls" else "appProtocol"
        fault = replace(self._fault(kind, port, merged, side), field=field, why=why)
        if kind in ("conflict", "edited"):
            found, wanted = map(_numbered, self._firsts(port, side))
            fault = replace(fault, field="ports", found=found, wanted=wanted)
        if kind == "tls" and side.side == EXPORT:
            # Imports know nothing of the policies by which its pods are reached at home.
            through = self._through(port, side, by_value=False)
            if any(each.guilty and each.here != each.meant for each in through):
                return _at_home(judged(fault, through, meant, self._word(side)), side)
        return judged(fault, met, self._word(side), meant)

    def _cause(self, port: Across, side: Side, right: str | None, meant: str) -> tuple[str, str]:
        """The kind of a fault that is not of the value, and why it is one."""
        winner, ear = port.sides[0], self.heard[side.cluster]
        older, service, here = self.heard[winner.cluster], side.service, side.port
        answer = ear.hear(service, here, right)
        if side.side == IMPORT and not answer.sent:
            if answer.deciding.row == ITS_SERVICE:
                why = f"{ear.reader} reads the Service that stands for it, and there is none"
                return "unread import", f"{why}: {self.controller.text}"
            if answer.outcome == "kind-not-read":
                return "unread import", f"{ear.reader} takes no ServiceImport"
        spoken = word_of(answer)
        if self._by_number(port, side, meant):
            mine, theirs = map(_numbered, self._firsts(port, side))
            why = f"the first port of a number is read: {mine} here, {theirs} in {winner.cluster}"
            return "conflict" if side.side == EXPORT else "edited", why
        plain = word_of(ear.hear(service, here, right, policies=False))
        on_service = word_of(ear.hear(service, here, right, kind="Service", policies=False))
        there = word_of(older.hear(winner.service, winner.port, policies=False))
        theirs = word_of(ear.hear(service, here, right, by=older.reader))
        if right and plain != on_service:
            says = f"speaks {on_service} to a Service that says so, {plain} to an import"
            return "dead import", f"{ear.reader} {says}"
        if plain != there or theirs == meant:
            other = f"{older.reader} in {winner.cluster} {meant}"
            return "release skew", f"{ear.reader} in {side.cluster} speaks {spoken}, {other}"
        by = f"{meant} by those of {winner.cluster}"
        return "tls", f"{spoken} by the policies of {side.cluster}, {by}"

    def _firsts(self, port: Across, side: Side) -> list[ServicePort]:
        """The first port of the number, on a side and on the oldest export."""
        sides = (side, port.sides[0])
        return [self.heard[s.cluster].numbered(s.service, s.port)[0] for s in sides]

    def _by_number(self, port: Across, side: Side, meant: str) -> bool:
        """Whether it is not spoken what is meant for another port of the same number."""
        mine, theirs = self._firsts(port, side)
        ear, here = self.heard[side.cluster], side.port
        own = {key_of(mine), key_of(theirs)} == {port.key}
        if own or _numbered(mine) == _numbered(theirs):
            return False
        value = theirs.app_protocol
        keys = [key_of(each) for each in ear.numbered(side.service, here)]
        beside = tuple((key, value) for key in keys if key != port.key)
        return word_of(ear.hear(side.service, here, value, beside=beside)) == meant

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
            younger = next(c.export for c in merged.claims if c.export.cluster == side.cluster)
            return why_older(merged.winner, younger)
        if side.value == port.due(side, by) != merged.app_protocol:
            return f"{by.title}: {by.text}"
        for claim in merged.claims:
            if side.value and claim.port.app_protocol == side.value:
                return f"it is what {claim.export.cluster} declares, whose export is not the oldest"
        if side.value:
            return f"no export declares it; if it is written here: {by.by_hand}"
        if side.side == DERIVED:
            return f"the import that it is derived from should carry it ({merged.port.where})"
        return f"{merged.winner.cluster} declares it ({merged.port.where})"

    def _leading(self, side: Side) -> list[Resolution]:
        return self.heard[side.cluster].leading(side.service, side.port)

    def _word(self, side: Side, value: str | None = AS_DECLARED) -> str:
        return self.heard[side.cluster].word(side.service, side.port, value)

    def _like(self, answer: Resolution, side: Side, value: str | None = AS_DECLARED) -> str:
        """What a reference of the same kind is spoken to a side, in the side's own cluster."""
        return word_of(self._alike(answer, side, value))

    def _alike(self, answer: Resolution, side: Side, value: str | None = AS_DECLARED) -> Resolution:
        """The same with its reasons."""
        ear, site = self.heard[side.cluster], answer.ref.site
        return ear.hear(side.service, side.port, value, route=answer.route.kind, site=site)


def _met(answer: Resolution, like: Resolution, *, guilty: bool) -> Met:
    """A reference, and one like it where the port is exported."""
    here, meant = word_of(answer), word_of(like)
    opaque = any(each.mesh and word_of(each) == "tcp" for each in (answer, like))
    return Met(route=answer.route, here=here, meant=meant, guilty=guilty, opaque=opaque)


def _at_home(fault: Disagreement, side: Side) -> Disagreement:
    """A fault that is told by what is spoken to the pods of an export in its own cluster."""
    said = fault.meets.replace("is meant", f"is spoken to the pods of {side.cluster} at home")
    return replace(fault, meets=said)


def _numbered(port: ServicePort) -> str:
    """A port and what it declares: `80/UDP kubernetes.io/h2c`."""
    return f"{numbered(port)} {port.app_protocol or ''}".rstrip()
