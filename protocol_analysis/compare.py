"""Two releases, or two implementations: every reference that is spoken to differently. Pure.

`breaks`           HTTP/1.1 became HTTP/2 or the other way round, or TLS went on or off
`changes`          the answer now depends on ALPN or on the client, or no longer does
`same wire`        another protocol by name, the same bytes
`no longer read`   the reference was resolved, and is not any more
`newly read`       the other way round
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from protocol_analysis.edits import Edit, Editor, facts, wire_of
from protocol_analysis.history import Cause, causes
from protocol_analysis.model import Inventory, Meta
from protocol_analysis.readers import Reader, base_of, reader
from protocol_analysis.readings import Others, who
from protocol_analysis.releases import RulesetError, finals, line_of, release_key
from protocol_analysis.resolution import Reason, Resolution, reason_of
from protocol_analysis.rows import Rules
from protocol_analysis.rules import ruleset
from protocol_analysis.speaking import rules_of, speak

EFFECTS = ("breaks", "changes", "no longer read", "newly read", "same wire")
_OPEN = ("auto", "client", None)  # None: not known
Key = tuple[Meta, int, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One backend reference before and after, what that means, what brought it about, and edits.

    `readings` are what meshes make of its backend, before as after.
    `keep` leaves today's wire on both sides, `adopt` has tomorrow's today; None: there is none.
    `transient`: on the way only, since both ends of the way agree.
    """

    before: Resolution
    after: Resolution
    effect: str
    causes: tuple[Cause, ...] = ()
    keep: Edit | None = None
    adopt: Edit | None = None
    transient: bool = False
    readings: tuple[Resolution, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The contract's `diff` row."""
        row = self.after.as_dict()
        names = ("cluster", "route", "rule", "role", "backend", "backendRef", "appProtocol")
        return {
            **{name: row[name] for name in names},
            "from": str(who(self.before)),
            "to": str(who(self.after)),
            "before": _side(self.before),
            "after": _side(self.after),
            "effect": self.effect,
            "transient": self.transient,
            "causes": [cause.as_dict() for cause in self.causes],
            "keep": self.keep.as_dict() if self.keep else None,
            "adopt": self.adopt.as_dict() if self.adopt else None,
            "readings": [reading.as_reading() for reading in self.readings],
            "referencedAt": row["referencedAt"],
            "declaredAt": row["declaredAt"],
        }


def way(start: Reader, via: Sequence[str], end: Reader) -> list[Reader]:
    """The readers on the way. `lines` stands for the last patch of each line between.

    >>> [str(r) for r in way(reader("1.6"), ["lines"], reader("1.9"))][1:3]
    ['envoy-gateway@v1.7.5', 'envoy-gateway@v1.8.3']
    """
    stops: list[Reader] = []
    for stop in via:
        if stop != "lines":
            stops.append(reader(stop, start.implementation))
            continue
        if start.implementation != end.implementation:
            raise RulesetError("--via lines is a way from release to release of one implementation")
        low, high = sorted((start.release, end.release), key=release_key)
        last = {line_of(r): r for r in finals(ruleset(start.implementation).releases)}
        inner = [r for r in last.values() if release_key(low) < release_key(r) < release_key(high)]
        inner = [r for r in inner if line_of(r) not in (line_of(low), line_of(high))]
        found = [replace(start, release=r) for r in inner]
        stops += found if low == start.release else found[::-1]
    return [start, *stops, end]


def compare(
    inventory: Inventory,
    start: Reader | str | None,
    end: Reader | str | None = None,
    via: Sequence[str] = (),
    meshes: Sequence[Reader | str] = (),
    *,
    with_edits: bool = True,
) -> list[Change]:
    """Every reference that differs from one reader to the next on the way, in their order.

    Edits leave what the meshes make of the same Services as it is.

    Raises RulesetError for an implementation or a release that is not known.

    >>> from protocol_analysis.manifests import load
    >>> {change.effect for change in compare(load("data/sample"), "v1.8.3", "v1.8.3")}
    set()
    """
    first = start if isinstance(start, Reader) else reader(start)
    last = end if isinstance(end, Reader) else reader(end, first.implementation)
    stops = way(first, via, last)
    # Another implementation is asked as if the Gateways were its own.
    mine = ruleset(first.implementation).controllers
    answers = {stop: resolved(inventory, stop, mine) for stop in dict.fromkeys(stops)}
    ends = {
        key for key, before in answers[first].items() if not differs(before, answers[last][key])
    }
    others = Others(inventory, first, meshes)
    found = []
    for one, other in pairwise(stops):
        editor = editor_of(inventory, one, other, others.meshes) if with_edits else None
        for change in _step(inventory, answers, one, other, editor):
            readings = others.meshes_on(change.before)
            transient = key_of(change.before) in ends
            found.append(replace(change, transient=transient, readings=readings))
    return found


def editor_of(
    inventory: Inventory, one: Reader, other: Reader, meshes: Sequence[Reader] = ()
) -> Editor:
    """Tries values on both sides, with the Gateways of the first; others are left as they are."""
    mine = ruleset(one.implementation).controllers
    sides = (_sides_of(one, mine), _sides_of(other, mine))
    foreign = Others(inventory, one, meshes).gateways.values()
    beside = dict.fromkeys((*meshes, *sorted(foreign, key=str)))
    return Editor(inventory, sides, [rules_of(each) for each in beside])


def resolved(
    inventory: Inventory, by: Reader, controllers: tuple[str, ...] = ()
) -> dict[Key, Resolution]:
    """Every reference by what tells it from all others; `controllers` count as the reader's too."""
    return {key_of(a): a for a in speak(inventory, *_sides_of(by, controllers))}


def _sides_of(by: Reader, controllers: tuple[str, ...]) -> tuple[Rules, Rules | None]:
    rules, wires = rules_of(by)
    more = tuple(c for c in controllers if c not in rules.controllers)
    return (replace(rules, controllers=(*rules.controllers, *more)) if more else rules), wires


def key_of(answer: Resolution) -> Key:
    """The route, with its place, and the place of the reference in it."""
    return (answer.route, answer.ref.rule, answer.ref.role, answer.ref.backend)


def differs(before: Resolution, after: Resolution) -> bool:
    """Whether protocol, forced HTTP/1.1, TLS or upstream differ."""
    return facts(before) != facts(after)


def effect(before: Resolution, after: Resolution) -> str:
    """What a difference means: one of EFFECTS."""
    if not (before.sent and after.sent):
        return "newly read" if after.sent else "no longer read"
    wires = [_wires(before), _wires(after)]
    if wires[0] == wires[1]:
        return "same wire"
    if any(word in _OPEN for side in wires for word, _ in side):
        tls = {tls for side in wires for _, tls in side}
        return "breaks" if len(tls) > 1 else "changes"
    return "breaks"


def _wires(answer: Resolution) -> tuple[tuple[str | None, bool], ...]:
    """What is spoken: once, or by each Gateway."""
    words: list[str | None] = [word for _, word in answer.by_gateway]
    return tuple((word, answer.tls) for word in words or [answer.upstream])


def _step(
    inventory: Inventory,
    answers: dict[Reader, dict[Key, Resolution]],
    one: Reader,
    other: Reader,
    editor: Editor | None,
) -> Iterator[Change]:
    """What differs between two readers."""
    before, after = answers[one], answers[other]
    # A route of another implementation's Gateway stays with it, whatever reads ours.
    changed = [
        key
        for key in before
        if before[key].outcome != "other-implementation" and differs(before[key], after[key])
    ]
    if not changed:
        return
    turns = _Turns(inventory, one, other, {key[0] for key in changed})
    for key in changed:
        old, new = before[key], after[key]
        keep, adopt = editor.edits(old, new) if editor else (None, None)
        yield Change(
            before=old,
            after=new,
            effect=effect(old, new),
            causes=turns.causes(key),
            keep=keep,
            adopt=adopt,
        )


_PROTOCOL = ("values", "defaults", "lists", "fixed")
# What of an answer a row of a section bears upon; a wire row bears upon what is spoken.
_FACETS: dict[str, Callable[[Resolution], Any]] = {
    **dict.fromkeys(_PROTOCOL, lambda answer: answer.protocol),
    "forces": lambda answer: answer.force_http1,
    "tls": lambda answer: answer.tls,
    "accepts": lambda answer: answer.sent,
    "wire": wire_of,
}


class _Turns:
    """Where on the way from release to release the answers of some routes turn, and by which rows.

    Not the rows at both ends are compared: a row that was renamed on the way changed nothing.
    """

    def __init__(self, inventory: Inventory, one: Reader, other: Reader, routes: set[Meta]) -> None:
        self.stops = _stops(one, other)
        some = replace(
            inventory,
            routes=tuple(r for r in inventory.routes if r.meta in routes),
            referrers=tuple(r for r in inventory.referrers if r.meta in routes),
        )
        self.answers = [resolved(some, stop) for stop in self.stops]
        self.keys: dict[Meta, list[Key]] = {}
        for key in self.answers[0] if self.answers else ():
            self.keys.setdefault(key[0], []).append(key)

    def causes(self, key: Key) -> tuple[Cause, ...]:
        """What brought the last turn of each facet that differs in the end, oldest first."""
        if not self.stops:
            return ()
        told = [answers[key] for answers in self.answers]
        at = set()
        for facet in _FACETS.values():
            said = [facet(answer) for answer in told]
            if said[0] != said[-1]:
                at.add(max(i for i, each in enumerate(said) if each != said[-1]))
        found = [cause for i in sorted(at) for cause in self.turn(key, i)]
        return tuple(dict.fromkeys(found))

    def turn(self, key: Key, at: int) -> tuple[Cause, ...]:
        """The rows by which a reference turned, else those of the others of its route."""
        return self.brought([key], at) or self.brought(self.keys[key[0]], at)

    def brought(self, keys: Sequence[Key], at: int) -> tuple[Cause, ...]:
        one, other = self.stops[at : at + 2]
        before, after = self.answers[at : at + 2]
        old = [reason for key in keys for reason in _reasons(before[key])]
        new = [reason for key in keys for reason in _reasons(after[key])]
        found = causes(old, new, one.implementation, one.release, other.release)
        still = {
            section
            for section, facet in _FACETS.items()
            if all(facet(before[key]) == facet(after[key]) for key in keys)
        }
        rows = {row.id: row.section for row in ruleset(one.implementation).rows}
        return tuple(c for c in found if rows.get(c.row, "wire") not in still) or found


def _stops(one: Reader, other: Reader) -> list[Reader]:
    """The final releases on the way at which any row begins or ends, with both ends."""
    one, other = _in_one_world(one, other)
    if (one.implementation, one.mesh) != (other.implementation, other.mesh):
        return []
    low, high = sorted((one.release, other.release), key=release_key)
    known = finals(ruleset(one.implementation).releases)
    inner = [r for r in known if release_key(low) < release_key(r) < release_key(high)]
    stops = [low, *inner, high]
    rows = [_rows_at(replace(one, release=release)) for release in stops]
    last = len(stops) - 1
    kept = [
        release
        for i, release in enumerate(stops)
        if i in (0, last) or rows[i] != rows[i - 1] or rows[i] != rows[i + 1]
    ]
    found = [replace(one, release=release) for release in kept]
    return found if low == one.release else found[::-1]


def _in_one_world(one: Reader, other: Reader) -> tuple[Reader, Reader]:
    """An implementation and a proposal for it as one, which has the releases that it builds on."""
    for proposal, base in ((one, other), (other, one)):
        known = ruleset(proposal.implementation).releases
        if base_of(proposal.implementation) == base.implementation and base.release in known:
            name = proposal.implementation
            return replace(one, implementation=name), replace(other, implementation=name)
    return one, other


def _rows_at(by: Reader) -> frozenset[str]:
    rules, wires = rules_of(by)
    return frozenset(row.id for row in (*rules.rows, *(wires.rows if wires else ())))


def _reasons(answer: Resolution) -> list[Reason]:
    """Its reasons, and the row by which its kind is accepted at all."""
    rules = ruleset(answer.implementation).at(answer.release)
    accepted = rules.find("accepts", answer.ref.kind, answer.site)
    return [*answer.reasons, *map(reason_of, accepted)]


def _side(answer: Resolution) -> dict[str, Any]:
    row = answer.as_dict()
    names = ("protocol", "forceHTTP1", "upstream", "tls", "verified", "reasons")
    return {name: row[name] for name in names}
