"""A proposal against the calendar: which line is out when, how long it lasts, what it reads. Pure.

What is known of a line stands in the ruleset: its first final release, and the end of its support.
What is not out yet is projected from the last lines that are known, and says so. No clock is read:
`today` is an ISO date. A line that was to be out by now, by projection, is `due`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from statistics import median_low

from protocol_analysis.proposals import Phase, Proposal, entered
from protocol_analysis.releases import RulesetError, finals, line_of, release_key
from protocol_analysis.rollout.debate import lines_between
from protocol_analysis.rows import Ruleset
from protocol_analysis.rulebook import cells
from protocol_analysis.rules import ruleset

KINDS = ("Service", "ServiceImport")
STATES = ("read", "read, warned of", "off by default", "gone", "never read")
READ = STATES[:2]
STATUSES = ("ended", "supported", "due", "ahead")
_AFTER = 2  # lines beyond the last phase: the last that read a value have ended by then
_LAST = 6  # known lines that a projection stands on
_MOST = 100  # lines from the first phase to the last: 26 years of them
_FARTHEST = 2 * _MOST  # lines ahead of today's
_ON_PAPER = {"documentation", "release note"}  # no gateway that runs shows these


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A minor line of releases: from when to when, and what it makes of a value, by `STATES`.

    `date` and `end` are ISO dates, the latter the last day of support; `release` is the newest of
    the line that is known or proposed.
    """

    line: str
    release: str
    date: str
    projected: bool
    end: str
    end_projected: bool
    status: str
    phase: Phase | None  # the newest that has begun
    service: str
    service_import: str

    def state(self, kind: str) -> str:
        """What it makes of the value on a kind."""
        return dict(zip(KINDS, (self.service, self.service_import), strict=True))[kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Supported:
    """From a day on: the lines that are supported, and those of them that read a value."""

    date: str
    begins: tuple[str, ...]
    ends: tuple[str, ...]
    lines: tuple[str, ...]
    projected: tuple[str, ...]  # those that are not known to be out
    service: tuple[str, ...]
    service_import: tuple[str, ...]


def retimed(proposal: Proposal, between: int) -> Proposal:
    """The same proposal with `between` minor lines from its first phase to its last.

    The first phase stays where it is, and all keep their order and, as far as whole lines allow,
    their shares of the way, a line for each. It is read as `envoy-gateway+remove-in-6`. Raises
    RulesetError where there are fewer lines than phases need, or far too many, and for a single
    phase, which has no way to go.

    >>> from protocol_analysis.proposals import proposal
    >>> [phase.release for phase in retimed(proposal("remove"), 6).phases]
    ['v1.10.0', 'v1.13.0', 'v1.16.0']
    >>> retimed(proposal("remove"), 1)
    Traceback (most recent call last):
        ...
    protocol_analysis.releases.RulesetError: remove: 3 phases need 2 lines between the first and \
the last, or more; 1 was asked for
    """
    releases = [phase.release for phase in proposal.phases]
    steps = [lines_between(releases[0], release) for release in releases]
    least = len(releases) - 1
    if between and not least:
        told = "has a single phase, so there are no releases between a first and a last"
        raise RulesetError(f"{proposal.name} {told}; leave the number out")
    if between < least:
        need = f"{least} lines between the first and the last, or more"
        told = f"{len(releases)} phases need {need}; {between} was asked for"
        raise RulesetError(f"{proposal.name}: {told}")
    if between > _MOST:
        told = f"{_MOST} lines between the first phase and the last are the most"
        raise RulesetError(f"{proposal.name}: {told}; {between} was asked for")
    if between == steps[-1]:
        return proposal
    places = _spread(steps, between)
    major, first = release_key(releases[0])[:2]
    moved = {
        release: release if not place else f"v{major}.{first + place}.0"
        for release, place in zip(releases, places, strict=True)
    }
    rules, out = proposal.ruleset, ruleset(proposal.base.implementation).dates
    dates = {r: out.get(r, "") for r in (moved.get(old, old) for old in rules.dates)}
    rows = [
        replace(row, releases=frozenset(moved.get(r, r) for r in row.releases))
        for row in rules.rows
    ]
    made = replace(
        rules,
        implementation=f"{rules.implementation}-in-{between}",
        dates=dates,
        rows=tuple(rows),
    )
    return entered(
        replace(
            proposal,
            name=f"{proposal.name}-in-{between}",
            phases=tuple(replace(p, release=moved[p.release]) for p in proposal.phases),
            alterations=tuple(
                replace(each, release=moved[each.release]) for each in proposal.alterations
            ),
            ruleset=made,
        )
    )


def _spread(steps: list[int], between: int) -> list[int]:
    """Places on a way of `between` lines in the proportion of `steps`, no two alike."""
    last = len(steps) - 1
    found: list[int] = []
    for number, step in enumerate(steps):
        share = round(step * between / steps[-1]) if steps[-1] else number
        low = found[-1] + 1 if found else 0
        found.append(between if number == last else min(max(share, low), between - last + number))
    return found


def timeline(proposal: Proposal, today: str, value: str = "grpc") -> list[Line]:
    """Every line that is out, and those to come, up to two after the last phase; oldest first.

    A line is what its newest release is: what a patch changed holds for all of it. Raises
    RulesetError where the dates of fewer than two lines, or no end of support, are known, or the
    last phase is too far ahead, and ValueError where `today` is no ISO date.

    >>> from protocol_analysis.proposals import proposal
    >>> found = timeline(proposal("remove"), "2026-11-26")
    >>> for line in found[-8:-4]:
    ...     print(line.line, line.date, line.status, line.service, sep=", ")
    v1.9, 2026-08-15, supported, read
    v1.10, 2026-11-18, due, read, warned of
    v1.11, 2027-02-21, ahead, read, warned of
    v1.12, 2027-05-27, ahead, off by default
    """
    day = date.fromisoformat(today)
    known = ruleset(proposal.base.implementation)
    begins, ends = _calendar(known, proposal.phases[-1].release)
    newest = {line_of(r): r for r in finals([*known.releases, *proposal.ruleset.releases])}
    out = {line_of(r) for r in finals(known.releases)}
    found: list[Line] = []
    before: set[str] = set()  # the kinds on which an older line reads it
    for name, first in begins.items():
        release = newest.get(name, f"{name}.0")
        begun = [p for p in proposal.phases if release_key(p.release) <= release_key(release)]
        phase = begun[-1] if begun else None
        reading = _reading(proposal, known, release, value)
        states = {kind: _state(kind, value, phase, reading, before) for kind in KINDS}
        before |= reading
        projected = name not in out
        found.append(
            Line(
                line=name,
                release=release,
                date=first.isoformat(),
                projected=projected,
                end=ends[name].isoformat(),
                end_projected=not end_of(known, name),
                status=_status(first, ends[name], day, projected=projected),
                phase=phase,
                service=states["Service"],
                service_import=states["ServiceImport"],
            )
        )
    return found


def supported(proposal: Proposal, today: str, value: str = "grpc") -> list[Supported]:
    """Today, and each later day on which a line's support begins or is over, in order.

    It stops with the last line of the `timeline`, since what comes after that is not counted:
    nothing at all where that is past. Raises as `timeline` does.

    >>> from protocol_analysis.proposals import proposal
    >>> for each in supported(proposal("remove"), "2027-05-01")[:3]:
    ...     print(each.date, each.lines, each.service)
    2027-05-01 ('v1.10', 'v1.11') ('v1.10', 'v1.11')
    2027-05-21 ('v1.11',) ('v1.11',)
    2027-05-27 ('v1.11', 'v1.12') ('v1.11',)
    """
    today = date.fromisoformat(today).isoformat()
    lines = timeline(proposal, today, value)
    over = {each.line: _next(each.end) for each in lines}  # the first day without support
    days = {today, *(each.date for each in lines), *over.values()}
    found = []
    for day in sorted(d for d in days if today <= d <= lines[-1].date):
        now = [each for each in lines if each.date <= day < over[each.line]]
        found.append(
            Supported(
                date=day,
                begins=tuple(each.line for each in lines if each.date == day),
                ends=tuple(name for name, first in over.items() if first == day),
                lines=tuple(each.line for each in now),
                projected=tuple(each.line for each in now if each.projected),
                service=tuple(each.line for each in now if each.service in READ),
                service_import=tuple(each.line for each in now if each.service_import in READ),
            )
        )
    return found


def _next(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def end_of(known: Ruleset, line: str) -> str:
    """The last day of support of a line, as an ISO date; empty where none is known.

    >>> end_of(ruleset(), "v1.8"), end_of(ruleset("istio"), "v1.19")
    ('2026-11-08', '')
    """
    return known.lines.get(line, {}).get("endOfLife", "")


def _calendar(known: Ruleset, last: str) -> tuple[dict[str, date], dict[str, date]]:
    """The first and the last day of each line, up to two after `last`: known, or projected."""
    begins: dict[str, date] = {}
    for release in finals(known.releases):
        if day := known.dates[release]:
            begins.setdefault(line_of(release), date.fromisoformat(day))
    ends = {n: date.fromisoformat(end) for n in begins if (end := end_of(known, n))}
    if len(begins) < 2 or not ends:
        raise RulesetError(
            f"{known.implementation}: no timeline without the dates of two lines, and an end of "
            "support"
        )
    newest = list(begins)[-1]
    ahead = max(lines_between(f"{newest}.0", last), 0) + _AFTER
    if ahead > _FARTHEST:
        raise RulesetError(f"{last} is {ahead - _AFTER} lines ahead; write one that is nearer")
    pace = median_low(b - a for a, b in pairwise(list(begins.values())[-_LAST:]))
    support = median_low([ends[name] - begins[name] for name in begins if name in ends][-_LAST:])
    major, minor = release_key(f"{newest}.0")[:2]
    for step in range(1, ahead + 1):
        begins[f"v{major}.{minor + step}"] = begins[newest] + step * pace
    return begins, {name: ends.get(name, first + support) for name, first in begins.items()}


def _reading(proposal: Proposal, known: Ruleset, release: str, value: str) -> set[str]:
    """The kinds on which a release reads the value."""
    # What is out does what it does, whatever older release a proposal stands on.
    out = release in known.dates and release not in proposal.ruleset.dates
    book = cells(known if out else proposal.ruleset, [release])
    return {cell.kind for cell in book if cell.value == value and cell.row}


def _state(kind: str, value: str, phase: Phase | None, reading: set[str], before: set[str]) -> str:
    """One of `STATES`."""
    told = phase if phase and kind in phase.backends and value in phase.values else None
    if kind in reading:
        return "read, warned of" if told and set(told.surface) - _ON_PAPER else "read"
    if told and told.switch:
        return "off by default"
    return "gone" if kind in before else "never read"


def _status(begins: date, ends: date, day: date, *, projected: bool) -> str:
    """One of `STATUSES`."""
    if day < begins:
        return "ahead"
    if day > ends:
        return "ended"
    return "due" if projected else "supported"
