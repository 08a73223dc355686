"""A proposal: what would hold at releases that are not out yet, as a small overlay on a ruleset.

The YAML under `proposals/`, a file of anybody's, or the same as a mapping in a notebook's cell:

proposal   its name; `envoy-gateway+remove` is then an implementation like any other
base       the release whose behaviour goes on wherever nothing is said: envoy-gateway@v1.9.0
phases     the releases in which something happens, and what a user sees of it: `surface`, where
           a warning is shown for `values` on `backends`; `admission`, what a cluster's own policy
           does by then; `switch`, the setting that brings back what is off by default
ends       rows of the base that hold no more `from` a release on
changes    rows of the base that hold otherwise from then on, with what differs, under another id
adds       rows as a ruleset has them, with their `section`

Everything has its rationale (`text`) and its `source`. The result is checked as a ruleset is: no
overlaps, no gaps. It has the base's releases and the phases' own; `main` is what it is today, and
not among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from protocol_analysis.model import BACKEND_GROUPS, ROUTE_KINDS
from protocol_analysis.readers import Reader, base_of, proposed, reader, reader_of
from protocol_analysis.releases import RulesetError, expand, release_key
from protocol_analysis.rows import Row, Ruleset
from protocol_analysis.rules import SECTIONS, RulesetSheet, overlaps, ruleset, wrong_in_row
from protocol_analysis.sheets import shown

SURFACES = ("route condition", "event", "metric", "log", "documentation", "release note")
ADMISSIONS = ("warn", "deny")
_LISTS = ("phases", "ends", "changes", "adds")
_TOP = {"proposal", "title", "base", "text", "source", *_LISTS}
_PHASE = {"release", "text", "source", "surface", "values", "backends", "admission", "switch"}
_PHASE_OPTIONAL = _PHASE - {"release", "text", "source"}
_END = {"row", "from", "text", "source"}
_ALTERED = {"backends", "routes", "values", "protocol"}  # what a changed row may have otherwise
_ALL = {"backends": tuple(BACKEND_GROUPS), "routes": ROUTE_KINDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """What happens in a release, and where a user sees it.

    `values` on `backends` are warned of; `admission` is empty, warn or deny.
    """

    release: str
    text: str
    source: str
    surface: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    admission: str = ""
    switch: str = ""

    def warns(self, kind: str, value: str) -> bool:
        """Whether a user is warned of a value on a backend kind."""
        return bool(self.surface) and kind in self.backends and value in self.values


@dataclass(frozen=True, slots=True, kw_only=True)
class Alteration:
    """A row of the base that ends or changes, or a row that is added: when, why, and by whom."""

    how: str  # ends, changes, adds
    row: str
    release: str
    text: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A design for releases to come; its ruleset is read like that of any implementation."""

    name: str
    title: str
    text: str
    source: str
    base: Reader
    phases: tuple[Phase, ...]
    alterations: tuple[Alteration, ...]
    ruleset: Ruleset

    @property
    def implementation(self) -> str:
        """`envoy-gateway+remove`."""
        return self.ruleset.implementation

    def at(self, release: str | None = None) -> Reader:
        """Who reads so, at a release; default: the last phase. Raises RulesetError as `pick`.

        >>> from protocol_analysis.proposals import proposal
        >>> str(proposal("remove").at("1.12"))
        'envoy-gateway+remove@v1.12.0'
        """
        return reader_of(self.implementation, release)

    def phase(self, release: str | None = None) -> Phase:
        """The phase that holds at a release: the newest that has begun. Raises as `at` does."""
        known = self.ruleset.pick(release)[0]
        begun = [p for p in self.phases if release_key(p.release) <= release_key(known)]
        none = Phase(release=known, text="Nothing is different yet.", source=self.source)
        return begun[-1] if begun else none


def overlaid(text: str, name: str) -> Proposal:
    """Read and check a proposal. All complaints come in one RulesetError, a line each.

    >>> overlaid("proposal: mine", "mine.yaml")
    Traceback (most recent call last):
        ...
    protocol_analysis.releases.RulesetError: mine.yaml:1: the proposal without 'base'
    mine.yaml:1: the proposal without 'source'
    mine.yaml:1: the proposal without 'text'
    mine.yaml:1: the proposal without 'title'
    """
    return _Reading(name).proposal(text)


def continued(row: Row, releases: Sequence[str], base: str) -> Row:
    """A row in a proposal's releases: what holds at the base goes on.

    >>> row = ruleset().rows[0]
    >>> sorted(continued(row, ["v1.9.0", "v1.10.0"], "v1.9.0").releases, key=release_key)
    ['v1.9.0', 'v1.10.0']
    """
    later = {r for r in releases if release_key(r) > release_key(base)}
    return replace(
        row, releases=(row.releases & set(releases)) | (later if base in row.releases else set())
    )


class _Reading:
    """A proposal while it is read."""

    def __init__(self, name: str) -> None:
        self.sheet = RulesetSheet(name)
        self.releases: list[str] = []  # of the base and of the phases, oldest first
        self.own: list[str] = []  # those of the phases
        self.alterations: list[Alteration] = []
        self.rows: dict[str, Row] = {}

    def proposal(self, text: str) -> Proposal:
        sheet = self.sheet
        top = sheet.document(text)
        sheet.mapping("the proposal", top, _TOP, 1, _LISTS, _of_top)
        sheet.stop()
        base = self.base(top["base"], sheet.lines[id(top), "base"])
        known = ruleset(base.implementation)
        phases = sorted(self.phases(top, base.release), key=lambda p: release_key(p.release))
        kept = [r for r in known.releases if release_key(r) <= release_key(base.release)]
        self.own = [phase.release for phase in phases]
        self.releases = [*kept, *self.own]
        if not phases:
            sheet.error(1, "no phases; name the releases that this is a proposal for")
        sheet.stop()
        self.rows = {r.id: continued(r, self.releases, base.release) for r in known.rows}
        for key in ("ends", "changes", "adds"):
            for at, raw in enumerate(top.get(key, ())):
                self.alter(key, raw, sheet.lines[id(top[key]), at])
        sheet.stop()
        rows = [row for row in self.rows.values() if row.releases]
        overlaps(sheet, rows)
        sheet.stop()
        for section in SECTIONS:  # where a gap is told: the proposal has no such section
            sheet.lines.setdefault((id(top), section), 1)
        sheet.gaps(rows, self.releases, top)
        sheet.stop()
        dates = {release: known.dates.get(release, "") for release in self.releases}
        made = replace(
            known,
            implementation=proposed(base.implementation, top["proposal"]),
            title=f"{known.title}: {top['title']}",
            dates=dates,
            rows=tuple(rows),
        )
        return Proposal(
            name=top["proposal"],
            **{key: top[key] for key in ("title", "text", "source")},
            base=base,
            phases=tuple(phases),
            alterations=tuple(self.alterations),
            ruleset=made,
        )

    def base(self, text: str, line: int) -> Reader:
        """The release that it stands on, which has to be out."""
        try:
            found = reader(text)
        except RulesetError as error:
            raise RulesetError(f"{self.sheet.name}:{line}: base: {error}") from None
        if found.release == "main" or not text.endswith(f"@{found.release}"):
            self.sheet.error(line, f"base: {text!r}; write a release that is out: {found}")
        if base_of(found.implementation) != found.implementation:
            self.sheet.error(line, f"base: {text!r} is a proposal itself")
        self.sheet.stop()
        return found

    def phases(self, top: dict[str, Any], base: str) -> Iterator[Phase]:
        seen: set[str] = set()
        for at, raw in enumerate(top.get("phases", ())):
            line = self.sheet.lines[id(top["phases"]), at]
            if not self.sheet.mapping("phase", raw, _PHASE, line, _PHASE_OPTIONAL, _of_phase):
                continue
            release = raw["release"]
            if release in seen or release_key(release) <= release_key(base):
                self.sheet.error(line, f"release: {release} is no later release than those before")
            seen.add(release)
            lists = {key: tuple(raw.get(key, ())) for key in ("surface", "values", "backends")}
            texts = {key: raw.get(key, "") for key in ("admission", "switch", "text", "source")}
            yield Phase(**{"release": release, **lists, **texts})

    def alter(self, how: str, raw: Any, line: int) -> None:
        """Apply one item of `ends`, `changes` or `adds`."""
        if how == "adds":
            self.add(raw, line)
            return
        more = set() if how == "ends" else {"id", *_ALTERED}
        if not self.sheet.mapping(f"item of {how}", raw, _END | more, line, _ALTERED, _of_item):
            return
        row, start = self.rows.get(raw["row"]), raw["from"]
        if row is None:
            self.sheet.error(line, f"row: {raw['row'][:80]!r} is none of the base's rows")
        elif start not in self.own:
            self.sheet.error(line, f"from: {start[:80]!r}; write one of the phases' releases")
        else:
            later = {r for r in row.releases if release_key(r) >= release_key(start)}
            if not later:
                self.sheet.error(line, f"row: {row.id!r} does not hold in {start} anyway")
            self.rows[row.id] = replace(row, releases=row.releases - later)
            if how == "changes":
                self.change(row, raw, frozenset(later), line)
            self.note(how, raw["row"], start, raw)

    def change(self, row: Row, raw: dict[str, Any], later: frozenset[str], line: int) -> None:
        """The row that holds instead."""
        unfit = sorted(_ALTERED & raw.keys() - SECTIONS[row.section])
        if unfit or not _ALTERED & raw.keys():
            told = f"{', '.join(unfit)}: no row of {row.section} has it" if unfit else "no change"
            self.sheet.error(line, f"{row.id!r}: {told}; there are {', '.join(sorted(_ALTERED))}")
            return
        given = {key: raw[key] for key in _ALTERED if key in raw}
        for key, value in given.items():
            if key != "protocol":
                given[key] = _ALL[key] if value == "all" else tuple(value)
        texts = {key: raw[key] for key in ("id", "text", "source")}
        self.enter(replace(row, releases=later, line=line, **texts, **given), line)

    def add(self, raw: Any, line: int) -> None:
        """A row as rulesets have it."""
        section = raw.pop("section", None) if isinstance(raw, dict) else None
        if section not in SECTIONS:
            known = ", ".join(SECTIONS)
            self.sheet.error(line, f"section: {shown(section)}; write one of {known}")
            return
        row = self.sheet.row(section, SECTIONS[section], raw, line, self.releases)
        if row is None:
            return
        first = min(row.releases, key=release_key)
        if first not in self.own:
            self.sheet.error(line, f"releases: {first} is out, and what it does is known")
        self.enter(row, line)
        self.note("adds", row.id, first, raw)

    def enter(self, row: Row, line: int) -> None:
        if row.id in self.rows:
            self.sheet.error(line, f"id: {row.id!r} is a row of the base; write another")
        else:
            self.rows[row.id] = row

    def note(self, how: str, row: str, release: str, raw: dict[str, Any]) -> None:
        texts = {key: raw[key] for key in ("text", "source")}
        self.alterations.append(Alteration(how=how, row=row, release=release, **texts))


def _of_top(key: str, value: Any) -> str:
    if key in _LISTS:
        return "" if isinstance(value, list) else f"{key}: {shown(value)}; write a list"
    wrong = wrong_in_row(key, value)
    if key == "proposal" and not wrong and not _is_a_name(value):
        return f"proposal: {value[:80]!r}; write small letters, digits and - between them"
    return wrong


def _is_a_name(text: str) -> bool:
    plain = text.replace("-", "a")
    return plain.isascii() and plain.isalnum() and text == text.lower() and text[0] != "-"


def _chosen(key: str, value: Any, known: Sequence[str]) -> str:
    """What is wrong with a list of some of the words that are known."""
    wrong = sorted(set(value) - set(known)) if isinstance(value, list) and value else [shown(value)]
    return f"{key}: {', '.join(map(str, wrong))}; known are {', '.join(known)}" if wrong else ""


def _of_phase(key: str, value: Any) -> str:
    if key == "surface":
        return _chosen(key, value, SURFACES)
    if key == "backends":
        return _chosen(key, value, tuple(BACKEND_GROUPS))
    if key == "admission":
        return "" if value in ADMISSIONS else f"{key}: {shown(value)}; write warn or deny"
    if key == "release":
        return _release(key, value)
    return wrong_in_row(key, value)


def _of_item(key: str, value: Any) -> str:
    return _release(key, value) if key == "from" else wrong_in_row(key, value)


def _release(key: str, value: Any) -> str:
    try:
        ok = isinstance(value, str) and value != "main" and expand(value, [value]) == [value]
    except RulesetError:
        ok = False
    return "" if ok else f"{key}: {shown(value)}; write a release: v1.10.0"
