"""What brought a change about: the rows that began or ended, their pull requests, release notes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from typing import Any

from protocol_analysis.readers import base_of
from protocol_analysis.releases import release_key
from protocol_analysis.resolution import Reason
from protocol_analysis.rows import Row
from protocol_analysis.rules import ruleset
from protocol_analysis.sheets import Sheet
from protocol_analysis.wiring import wire, wired

_PULL = re.compile(r"pull request (\d+)")
_WORDS = {"none": "not in the release notes", "unknown": "release notes not searched"}
_NO_LONGER = "No longer: "
KEYS = {"pull", "notes", "begins", "ends"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A row that began or ended between two releases, in which one, and by which pull request.

    `notes` is the link to the release note, or says that there is none, or that nobody looked.
    """

    row: str
    release: str
    pull: int | None
    notes: str
    text: str
    source: str

    def as_dict(self) -> dict[str, Any]:
        """What a `diff` row has of it."""
        return asdict(self)

    def __str__(self) -> str:
        by = f", pull request {self.pull}" if self.pull else ""
        return f"{self.release}{by} ({self.notes})"


@dataclass(frozen=True, slots=True)
class _Pull:
    number: int | None
    notes: dict[str, str]
    begins: tuple[str, ...]
    ends: tuple[str, ...]


def causes(
    before: Iterable[Reason], after: Iterable[Reason], implementation: str, start: str, end: str
) -> tuple[Cause, ...]:
    """What began or ended from one release to the other, among the reasons on both sides.

    >>> from protocol_analysis.resolution import Reason
    >>> old, new = Reason("default-http", "", ""), Reason("unified-grpc", "", "")
    >>> [str(cause) for cause in causes([old], [new], "envoy-gateway", "v1.8.3", "v1.9.0")]
    ['v1.9.0-rc.1, pull request 9337 (not in the release notes)']
    """
    rows = _rows(implementation)
    low, high = sorted((start, end), key=release_key)
    way = [r for r in ruleset(implementation).releases if _between(low, r, high)]
    found = []
    for reason in dict.fromkeys((*before, *after)):
        row = rows.get(reason.row)
        if row is None or (start in row.releases) == (end in row.releases):
            continue
        began = high in row.releases
        release = next(r for r in way if (r in row.releases) == began)
        found.append(_cause(row, release, implementation, began=began))
    # A pull request is told once, by the row that it began rather than by one that it ended.
    told = {(cause.release, cause.pull or cause.row): cause for cause in sorted(found, key=_last)}
    return tuple(sorted(told.values(), key=lambda cause: release_key(cause.release)))


def _last(cause: Cause) -> bool:
    return not cause.text.startswith(_NO_LONGER)


def _between(low: str, release: str, high: str) -> bool:
    return release_key(low) < release_key(release) <= release_key(high)


def _cause(row: Row, release: str, implementation: str, *, began: bool) -> Cause:
    base = base_of(implementation)
    pulls = history(base)
    number = _PULL.search(row.text)
    named = int(number[1]) if number and began else None
    pull = next((p for p in pulls if row.id in (p.begins if began else p.ends)), None)
    if named:
        pull = next((p for p in pulls if p.number == named), None)
    told = pull.notes.get(release, "unknown") if pull else "unknown"
    if release not in ruleset(base).releases:
        told = "proposed"
    return Cause(
        row=row.id,
        release=release,
        pull=pull.number if pull else named,
        notes=_WORDS.get(told, told),
        text=row.text if began else f"{_NO_LONGER}{row.text}",
        source=row.source,
    )


def _rows(implementation: str) -> dict[str, Row]:
    rows = ruleset(implementation).rows
    wires = wire(implementation).rows if wired(implementation) else ()
    return {row.id: row for row in (*rows, *wires)}


@cache
def history(implementation: str = "envoy-gateway") -> tuple[_Pull, ...]:
    """The pull requests of an implementation, as data. Raises RulesetError where they are wrong.

    >>> [pull.number for pull in history() if "service-grpc" in pull.ends]
    [9337]
    """
    file = resources.files("protocol_analysis") / "history" / f"{implementation}.yaml"
    if not file.is_file():
        return ()
    return parse_history(file.read_text(encoding="utf-8"), f"history/{file.name}", implementation)


def parse_history(text: str, name: str, implementation: str) -> tuple[_Pull, ...]:
    """Read and check the pull requests. All complaints come in one RulesetError, a line each.

    >>> parse_history("- pull: '1'", "h.yaml", "envoy-gateway")
    Traceback (most recent call last):
        ...
    protocol_analysis.releases.RulesetError: h.yaml:1: pull without 'notes'
    """
    sheet = Sheet(name)
    top = sheet.document(text)
    known, rows = set(ruleset(implementation).releases), _rows(implementation)
    if not isinstance(top, list):
        sheet.error(1, "the history is no list of pull requests")
        sheet.stop()
    found = []
    for at, raw in enumerate(top):
        line = sheet.lines[id(top), at]
        pull, notes, begins, ends = (raw.get(key) for key in ("pull", "notes", "begins", "ends"))
        if notes is None:
            sheet.error(line, "pull without 'notes'")
            continue
        numbered = str(pull).isdigit() or (pull is None and begins)
        if set(raw) - KEYS or not numbered or not isinstance(notes, dict):
            sheet.error(line, f"a pull request has {', '.join(sorted(KEYS))}, and a number")
            continue
        named = {*(begins or ()), *(ends or ())}
        if wrong := (set(notes) - known) | (named - set(rows)):
            sheet.error(line, f"{', '.join(sorted(wrong))}: no such release or row")
            continue
        number = int(pull) if pull else None
        found.append(_Pull(number, dict(notes), tuple(begins or ()), tuple(ends or ())))
    sheet.stop()
    return tuple(found)
