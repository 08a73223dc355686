"""Two releases, or two implementations: every reference that is spoken to differently. Pure.

`breaks`           HTTP/1.1 became HTTP/2 or the other way round, or TLS went on or off
`changes`          the answer now depends on ALPN or on the client, or no longer does
`same wire`        another protocol by name, the same bytes
`no longer read`   the reference was resolved, and is not any more
`newly read`       the other way round
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from protocol_analysis.edits import Edit, edits, facts
from protocol_analysis.history import Cause, causes
from protocol_analysis.model import Inventory, Meta
from protocol_analysis.releases import RulesetError, finals, line_of, release_key
from protocol_analysis.resolver import Reason, Resolution, reason_of, site_of
from protocol_analysis.rules import implementations, ruleset
from protocol_analysis.speaking import rules_of, speak

EFFECTS = ("breaks", "changes", "no longer read", "newly read", "same wire")
_OPEN = ("auto", "client", None)  # None: not known
Key = tuple[Meta, int, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """An implementation at a release."""

    implementation: str
    release: str

    def __str__(self) -> str:
        return f"{self.implementation}@{self.release}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One backend reference before and after, what that means, what brought it about, and edits.

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

    def as_dict(self) -> dict[str, Any]:
        """The contract's `diff` row."""
        row = self.after.as_dict()
        names = ("cluster", "route", "rule", "role", "backend", "backendRef", "appProtocol")
        return {
            **{name: row[name] for name in names},
            "from": f"{self.before.implementation}@{self.before.release}",
            "to": f"{self.after.implementation}@{self.after.release}",
            "before": _side(self.before),
            "after": _side(self.after),
            "effect": self.effect,
            "transient": self.transient,
            "causes": [cause.as_dict() for cause in self.causes],
            "keep": self.keep.as_dict() if self.keep else None,
            "adopt": self.adopt.as_dict() if self.adopt else None,
            "referencedAt": row["referencedAt"],
            "declaredAt": row["declaredAt"],
        }


def reader(text: str | None, implementation: str = "envoy-gateway") -> Reader:
    """`1.8`, or `envoy-gateway@1.8`. Raises RulesetError for what is not known.

    >>> str(reader("1.8"))
    'envoy-gateway@v1.8.3'
    """
    name, at, release = (text or "").rpartition("@")
    if not at and release in implementations():
        name, release = release, ""
    name = name or implementation
    return Reader(implementation=name, release=ruleset(name).pick(release or None)[0])


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
        found = [Reader(implementation=start.implementation, release=r) for r in inner]
        stops += found if low == start.release else found[::-1]
    return [start, *stops, end]


def compare(
    inventory: Inventory,
    start: Reader | str | None,
    end: Reader | str | None = None,
    via: Sequence[str] = (),
    *,
    with_edits: bool = True,
) -> list[Change]:
    """Every reference that differs from one reader to the next on the way, in their order.

    Raises RulesetError for an implementation or a release that is not known.

    >>> from protocol_analysis.manifests import load
    >>> {change.effect for change in compare(load("data/sample"), "v1.8.3", "v1.8.3")}
    set()
    """
    first = start if isinstance(start, Reader) else reader(start)
    last = end if isinstance(end, Reader) else reader(end, first.implementation)
    stops = way(first, via, last)
    answers = {stop: resolved(inventory, stop) for stop in dict.fromkeys(stops)}
    ends = {
        key for key, before in answers[first].items() if not differs(before, answers[last][key])
    }
    return [
        replace(change, transient=key_of(change.before) in ends)
        for one, other in pairwise(stops)
        for change in _step(inventory if with_edits else None, answers, one, other)
    ]


def resolved(inventory: Inventory, by: Reader) -> dict[Key, Resolution]:
    """Every reference by what tells it from all others."""
    return {key_of(a): a for a in speak(inventory, *rules_of(by.implementation, by.release))}


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
    """What is spoken: once, or by each Gateway. Without wire rules, what the protocol suggests."""
    words: Iterable[str | None] = [word for _, word in answer.by_gateway]
    if not answer.by_gateway:
        words = [answer.upstream or _SUGGESTED.get(answer.protocol or "")]
    return tuple((word, answer.tls) for word in words)


_SUGGESTED = {"HTTP": "http/1.1", "HTTP2": "h2", "GRPC": "h2", "TCP": "tcp", "UDP": "udp"}


def _step(
    inventory: Inventory | None,
    answers: dict[Reader, dict[Key, Resolution]],
    one: Reader,
    other: Reader,
) -> Iterator[Change]:
    """What differs between two readers; without the inventory, no edits."""
    before, after = answers[one], answers[other]
    routes: dict[Meta, list[Key]] = {}
    for key in before:
        routes.setdefault(key[0], []).append(key)
    for key, old in before.items():
        new = after[key]
        if not differs(old, new):
            continue
        keep, adopt = edits(inventory, old, new) if inventory else (None, None)
        yield Change(
            before=old,
            after=new,
            effect=effect(old, new),
            causes=_causes([key], before, after) or _causes(routes[key[0]], before, after),
            keep=keep,
            adopt=adopt,
        )


def _causes(
    keys: Sequence[Key], before: dict[Key, Resolution], after: dict[Key, Resolution]
) -> tuple[Cause, ...]:
    """What brought it about, by the reasons of these references: its own, or all of its route."""
    one, other = before[keys[0]], after[keys[0]]
    if one.implementation != other.implementation:
        return ()
    old = [reason for key in keys for reason in _reasons(before[key])]
    new = [reason for key in keys for reason in _reasons(after[key])]
    return causes(old, new, one.implementation, one.release, other.release)


def _reasons(answer: Resolution) -> list[Reason]:
    """Its reasons, and the row by which its kind is accepted at all."""
    rules = ruleset(answer.implementation).at(answer.release)
    accepted = rules.find("accepts", answer.ref.kind, site_of(answer.route, answer.ref))
    return [*answer.reasons, *map(reason_of, accepted)]


def _side(answer: Resolution) -> dict[str, Any]:
    row = answer.as_dict()
    names = ("protocol", "forceHTTP1", "upstream", "tls", "reasons")
    return {name: row[name] for name in names}
