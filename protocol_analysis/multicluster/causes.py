"""Why a side is not spoken what is meant though its value and its name are right. Pure.

The object's kind, its reader, the Service that is read for it, another port of its number, or TLS:
each is tried by asking what would be spoken without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from protocol_analysis.model import ServicePort
from protocol_analysis.multicluster.controllers import Controller
from protocol_analysis.multicluster.disagreeing import numbered
from protocol_analysis.multicluster.exporting import key_of
from protocol_analysis.multicluster.hearing import Ear, Way
from protocol_analysis.multicluster.sides import EXPORT, IMPORT, Across, Side, aside
from protocol_analysis.readers import Reader
from protocol_analysis.readings import ITS_DERIVED, ITS_SERVICE, UNSENT, word_of
from protocol_analysis.resolution import Resolution


class Causes:
    """All clusters, asked what would be spoken if something were otherwise."""

    def __init__(self, heard: Mapping[str, Ear], controller: Controller) -> None:
        self.heard, self.controller = heard, controller

    def meant(self, first: Side, way: Way) -> str:
        """What is spoken to the first side alone by such a way, in its own cluster."""
        ear = self.heard[first.cluster]
        return word_of(ear.hear(first.service, first.port, way=ear.here(way)))

    def at_home(self, first: Side, way: Way) -> list[Resolution]:
        """The references that lead to the first side in such a way."""
        ear = self.heard[first.cluster]
        here = ear.here(way)
        return [led for led in ear.leading(first.service, first.port) if ear.way(led) == here]

    def stand_in(self, port: Across, side: Side) -> Side | None:
        """What is read for an import, where that is a Service of its cluster and not its own."""
        ear, derived = self.heard[side.cluster], [each.derived for each in port.of.imports]
        read = ear.hear(side.service, side.port).target if side.side == IMPORT else None
        if read is None or read.kind == side.service.meta.kind:
            return None
        near = (each for each in ear.namesakes(side.service) if each not in derived)
        service = next((each for each in near if each.meta == read), None)
        ports = service.ports if service else ()
        here = next((each for each in ports if key_of(each) == port.key), None)
        if service is None or here is None:
            return None
        return Side(cluster=side.cluster, side=IMPORT, service=service, port=here)

    def passed_on(self, port: Across, side: Side, value: str | None, way: Way) -> bool:
        """Whether it is told at the Service derived from an import: that is read, or lacks it."""
        if aside(self.heard[side.cluster], port.of, side):
            return True
        answer = self.heard[side.cluster].hear(side.service, side.port, value, way=way)
        derived = [each.derived.meta for each in port.of.imports if each.derived]
        return answer.outcome == "no-port" and answer.target in derived

    def of_wire(self, port: Across, side: Side, right: str | None, way: Way) -> tuple[str, str]:
        """The kind of a fault that is not of the value, and why it is one, by a way it shows."""
        winner, ear = port.sides[0], self.heard[side.cluster]
        older, reader = self.heard[winner.cluster], way.by or ear.reader
        meant = self.meant(winner, way)
        hear = partial(ear.hear, side.service, side.port, right, way=way, name=port.name)
        answer = hear()
        if side.side == IMPORT and not answer.sent:
            return self._unread(answer, reader)
        spoken, here, there = word_of(answer), side.place, winner.place
        if self._by_number(port, side, meant, way):
            mine, theirs = self.firsts(port, side)
            why = f"the first port of a number is read: {mine} in {here}, {theirs} in {there}"
            return "conflict" if side.side == EXPORT else "edited", why
        stand_in = self.stand_in(port, side)
        if stand_in and stand_in.value != port.wanted:
            return "overridden", f"{reader} reads {stand_in.service.meta} for it"
        plain, on_service = (word_of(hear(kind=kind, policies=False)) for kind in ("", "Service"))
        if right and plain != on_service:
            says = f"speaks {on_service} to a Service that says so, {plain} to an import"
            return "dead import", f"{reader} {says}"
        own = older.here(way)
        at_home = word_of(older.hear(winner.service, winner.port, way=own, policies=False))
        theirs = word_of(hear(way=replace(way, by=older.reader)))
        if plain != at_home or theirs == meant:
            other = f"{own.by or older.reader} in {there} {_does(meant)}"
            return "release skew", f"{reader} in {here} {_does(spoken)}, {other}"
        by = f"{meant} by those of the {winner}"
        return "tls", f"{spoken} by the policies of the {side}, {by}"

    def _unread(self, answer: Resolution, reader: Reader) -> tuple[str, str]:
        """Of an import to which nothing is sent."""
        if answer.deciding.row == ITS_SERVICE:
            return "unread import", f"{reader} reads the Service of its name: there is none"
        if answer.deciding.row == ITS_DERIVED:
            why = f"{reader} reads the Service that is derived from it, and there is none"
            return "unread import", f"{why}: {self.controller.text}"
        if answer.outcome == "kind-not-read":
            return "unread import", f"{reader} takes no ServiceImport"
        if answer.outcome == "no-port":
            return "missing port", f"{reader} reads {answer.target} for it: it has no such port"
        return "unread import", answer.deciding.text

    def firsts(self, port: Across, side: Side) -> tuple[str, str]:
        """The first port of the number, on a side and on the oldest export, in words."""
        mine, theirs = self._first(side), self._first(port.sides[0])
        return _numbered(mine), _numbered(theirs)

    def _first(self, side: Side) -> ServicePort:
        return self.heard[side.cluster].numbered(side.service, side.port)[0]

    def _by_number(self, port: Across, side: Side, meant: str, way: Way) -> bool:
        """Whether it is not spoken what is meant for another port of the same number."""
        mine, theirs = self._first(side), self._first(port.sides[0])
        ear, here = self.heard[side.cluster], side.port
        own = {key_of(mine), key_of(theirs)} == {port.key}
        if own or _numbered(mine) == _numbered(theirs):
            return False
        value = theirs.app_protocol
        keys = [key_of(each) for each in ear.numbered(side.service, here)]
        written = tuple((side.service.meta, key, value) for key in keys if key != port.key)
        return word_of(ear.hear(side.service, here, value, way=way, written=written)) == meant


def _does(word: str) -> str:
    return "turns it away" if word in UNSENT else f"speaks {word}"


def _numbered(port: ServicePort) -> str:
    """A port and what it declares: `80/UDP kubernetes.io/h2c`."""
    return f"{numbered(port)} {port.app_protocol or ''}".rstrip()
