"""What was said on `grpc`, how things were retired before, and what is left to do: data.

Three lists, each row with its source: `positions.yaml`, `precedents.yaml`, `deliverables.yaml`.
Nobody is named in them but projects, by the numbers of their issues and pull requests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from protocol_analysis.releases import RulesetError, line_of, release_key
from protocol_analysis.sheets import not_a_text, rows_of, shown

# What a position wants done with the name: in Envoy Gateway (the first three), upstream (the next
# two); `reject` where another project turns it away, `clarify` where it asks what is meant.
STANCES = (
    *("remove", "keep", "keep on Service", "standardise", "retire upstream"),
    *("reject", "clarify"),
)
_DATE = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?\Z")
_NUMBER = re.compile(r"[\w.-]+/[\w.-]+#[1-9][0-9]*\Z", re.ASCII)
_WHERE = re.compile(r"[\w.-]+/[\w.-]+/[\w./-]+@v[0-9.]+\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """A position on `grpc`: when (`2026-06-25`, or `2023-03`), where, and what it wants."""

    date: str
    number: str  # envoyproxy/gateway#5548
    stance: str
    text: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Precedent:
    """How something was retired, or a habit that a retirement could follow."""

    what: str
    since: str = ""
    until: str = ""
    text: str
    source: str

    @property
    def lines(self) -> int | None:
        """How many minor lines lie between, where both ends have a number.

        >>> {each.what: each.lines for each in precedents() if each.until}
        {'XDSNameSchemeV2': 5}
        """
        return lines_between(self.since, self.until) if self.since and self.until else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliverable:
    """Something to change, where, and the proposals that need it; none are named for all."""

    item: str
    where: str  # repository/path@tag
    change: str
    needed: tuple[str, ...]
    source: str

    def needed_by(self, proposal: str) -> bool:
        """Whether a proposal, by its name, cannot do without it."""
        return not self.needed or proposal in self.needed


def lines_between(first: str, last: str) -> int:
    """How many minor lines the second release is after the first; within one major version.

    Raises RulesetError for what is no release, and across major versions: nobody knows how many
    lines lie there.

    >>> lines_between("v1.5.0", "v1.10.3"), lines_between("v1.9.0", "v1.8.3")
    (5, -1)
    """
    low, high = release_key(first), release_key(last)
    if low[0] != high[0] or "main" in (first, last):
        raise RulesetError(f"no count of lines leads from {line_of(first)} to {line_of(last)}")
    return high[1] - low[1]


@cache
def positions() -> tuple[Opinion, ...]:
    """Who says what, oldest first.

    >>> [each.stance for each in positions() if each.number == "envoyproxy/gateway#5548"]
    ['remove', 'keep']
    """
    rows = _rows("positions.yaml", {"date", "number", "stance", "text", "source"}, _of_position)
    return tuple(sorted((Opinion(**row) for row in rows), key=lambda each: each.date))


@cache
def precedents() -> tuple[Precedent, ...]:
    """How Envoy Gateway retired things before, which is all there is instead of a policy."""
    keys = {"what", "since", "until", "text", "source"}
    rows = _rows("precedents.yaml", keys, _of_precedent, ("since", "until"))
    return tuple(Precedent(**row) for row in rows)


@cache
def deliverables() -> tuple[Deliverable, ...]:
    """What has to change in Envoy Gateway and beside it.

    >>> [each.item for each in deliverables() if each.needed_by("unify")][-1]
    'Telemetry like routes'
    """
    keys = {"item", "where", "change", "needed", "source"}
    return tuple(
        Deliverable(**{**row, "needed": () if row["needed"] == "all" else tuple(row["needed"])})
        for row in _rows("deliverables.yaml", keys, _of_deliverable)
    )


def _rows(name: str, keys: set[str], wrong: Any, optional: tuple[str, ...] = ()) -> Any:
    file = resources.files("protocol_analysis") / "rollout" / name
    return rows_of(file.read_text(encoding="utf-8"), f"rollout/{name}", keys, optional, wrong)


def _of_position(key: str, value: Any) -> str:
    if key == "stance":
        return "" if value in STANCES else f"{key}: {shown(value)}; write one of {list(STANCES)}"
    return _of_shape(key, value, {"date": (_DATE, "2026-06-25"), "number": (_NUMBER, "a/b#1")})


def _of_precedent(key: str, value: Any) -> str:
    if key in ("since", "until"):
        try:
            release_key(str(value))
        except RulesetError as error:
            return f"{key}: {error}"
    return not_a_text(key, value)


def _of_deliverable(key: str, value: Any) -> str:
    if key == "needed":
        names = isinstance(value, list) and value and all(isinstance(v, str) for v in value)
        return "" if names or value == "all" else f"{key}: {shown(value)}; write all, or proposals"
    return _of_shape(key, value, {"where": (_WHERE, "owner/repository/path@v1.9.0")})


def _of_shape(key: str, value: Any, shapes: dict[str, tuple[re.Pattern[str], str]]) -> str:
    if key in shapes:
        pattern, example = shapes[key]
        if not pattern.match(str(value)):
            return f"{key}: {shown(value)}; write {example}"
    return not_a_text(key, value)
