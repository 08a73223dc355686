"""A ruleset: what one implementation makes of `appProtocol`, release by release, as data.

The YAML under `rulesets/` holds the rows; this module loads them, refuses a table with holes and
answers for one release. A row applies to `releases`, a list of ranges in the order of semantic
versions: `v1.4.0` (one), `v1.4.0..v1.6.2` (both ends included), `v1.7.3..v1.7` (to the end of
that line), `v1.9.0-rc.1..` (and all later ones). `main` comes last.

Sections, in the order in which the resolver asks them:

accepts   which backend kinds a release takes on which route kinds; `as`: a Service in its place
refuses   what it turns away although the kind is accepted (`when` names the condition)
rejects   values for which it turns a reference away; with nothing named, all that are unknown
defaults  the protocol where no value is recognised
lists     which of several values wins
values    a recognised value → protocol
names     what the name of a port says, where nothing is declared
numbers   what the number of a port says, where no value and no name is recognised
unknown   the protocol where a value is declared and none is recognised
fixed     the protocol whatever the value
forces    values that force HTTP/1.1 upstream
tls       what gives a backend TLS, and with it perhaps another protocol

A row may have `case: ignored` for its values, one of which may end in `*`, and `verified: 'no'`
where nobody has read it in the source for these releases. The `role` of an implementation is
gateway, mesh, both, or specification: what a mesh makes of a call to a Service is in rows for the
route kind `mesh`. `port: number` says that a value is read from the first port of that number,
whatever its transport.

Beside them `standard`: the values that a specification defines for a kind, whoever reads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from importlib import resources
from typing import Any

from protocol_analysis.model import BACKEND_GROUPS, ROUTE_KINDS
from protocol_analysis.releases import RulesetError, expand, finals, line_of, release_key
from protocol_analysis.rows import SITES, Row, Ruleset
from protocol_analysis.sheets import SHAPES, Sheet, not_a_text, shown

_ROW = {"id", "releases", "text", "source", "case", "verified", "backends", "routes"}
SECTIONS: dict[str, set[str]] = {
    "accepts": _ROW | {"grant", "as"},
    "refuses": _ROW | {"when"},
    "rejects": _ROW | {"values", "unless"},
    **dict.fromkeys(("defaults", "unknown"), _ROW | {"protocol"}),
    "lists": _ROW | {"pick"},
    **dict.fromkeys(("values", "names", "numbers"), _ROW | {"values", "protocol"}),
    "fixed": _ROW | {"when", "protocol"},
    "tls": _ROW | {"from", "section", "values", "protocol"},
    **dict.fromkeys(("forces", "standard"), _ROW | {"values"}),
}
_CHOICES: dict[str, tuple[str | None, ...]] = {
    "when": ("externalName", "unixSocket", "dynamicResolver", "dynamicResolverWithAppProtocols"),
    "pick": ("first", "last"),
    "from": ("BackendTLSPolicy", "Backend", "DynamicResolver", "value", "name", "number"),
    "role": ("gateway", "mesh", "gateway and mesh", "specification"),
    "port": ("number",),
    "unless": ("BackendTLSPolicy",),
    "case": ("ignored",),
    "verified": ("no",),
    "section": ("name", "number"),
    "grant": ("no",),
    "as": ("Service", "derived"),
    "protocol": ("HTTP", "HTTP2", "GRPC", "HTTPS", "TCP", "UDP", None),
}
_KNOWN = {"backends": tuple(BACKEND_GROUPS), "routes": (*ROUTE_KINDS, *SITES)}
_CHOSEN = ("when", "pick", "from", "grant", "as", "unless")
_OPTIONAL = {
    "accepts": ["grant", "as"],
    "fixed": ["when"],
    "rejects": ["values", "unless"],
    "tls": ["section", "values", "protocol"],
}
_NEW = {"port", "rejects", "names", "numbers", "unknown", "fixed"}  # what a ruleset may leave out
_LISTS = {"controllers", "releases", "values", *_KNOWN}
_INNER: dict[str, type] = {"releases": dict, "lines": dict, **dict.fromkeys(SECTIONS, list)}
_TOP = {"implementation", "title", "role", "controllers", "port", *_INNER}
_FACTS = {"envoy", "gatewayAPI", "kubernetes", "endOfLife"}
LOADED: dict[str, Ruleset] = {}  # by implementation; a proposal adds its own


def implementations() -> tuple[str, ...]:
    """The names of the rulesets that come with the package."""
    files = (resources.files("protocol_analysis") / "rulesets").iterdir()
    return tuple(sorted(f.name.removesuffix(".yaml") for f in files if f.name.endswith(".yaml")))


def ruleset(implementation: str = "envoy-gateway") -> Ruleset:
    """The ruleset of an implementation. Raises RulesetError where there is none, or it is wrong."""
    if implementation in LOADED:
        return LOADED[implementation]
    if implementation not in implementations():
        msg = f"no ruleset for {implementation!r}; there are {', '.join(implementations())}"
        raise RulesetError(msg)
    file = resources.files("protocol_analysis") / "rulesets" / f"{implementation}.yaml"
    found = parse_ruleset(file.read_text(encoding="utf-8"), f"rulesets/{file.name}")
    return LOADED.setdefault(implementation, found)


def parse_ruleset(text: str, name: str) -> Ruleset:
    """Read and check a ruleset. All complaints come in one RulesetError, a line each."""
    return RulesetSheet(name).ruleset(text)


class RulesetSheet(Sheet):
    """A ruleset while it is read."""

    def ruleset(self, text: str) -> Ruleset:
        """The whole of it."""
        top = self.document(text)
        dates: dict[str, str] = {}
        if self.mapping("the ruleset", top, _TOP, 1, _NEW, _of_top):
            dates = self.releases(top["releases"], self.lines[id(top), "releases"])
            self.facts(top["lines"], {line_of(release) for release in dates})
        self.stop()
        order = sorted(dates, key=release_key)
        rows: list[Row] = []
        for section, keys in SECTIONS.items():
            for index, raw in enumerate(top.get(section, ())):
                row = self.row(section, keys, raw, self.lines[id(top[section]), index], order)
                rows += [row] if row else []
        overlaps(self, rows)
        self.stop()  # a row that is left out would be a gap too
        self.gaps(rows, order, top)
        self.stop()
        return Ruleset(
            **{key: top[key] for key in ("implementation", "title", "role", "lines")},
            controllers=tuple(top["controllers"]),
            by_number="port" in top,
            dates=dates,
            rows=tuple(rows),
        )

    def releases(self, dates: dict[str, Any], at: int) -> dict[str, str]:
        """Every release with its date."""
        found = {}
        for release, day in dates.items():
            try:
                release_key(release)
                unknown = day == "unverified"
                found[release] = "" if unknown else date.fromisoformat(day).isoformat()
            except (TypeError, ValueError):
                wrong = f"{release[:80]!r}: {shown(day)} is no release with its date"
                self.error(self.lines[id(dates), release], f"{wrong}; write v1.9.0: 2026-08-15")
        if not finals([*found]) and "main" not in found:
            self.error(at, "releases holds no final one, and no main")
        return found

    def facts(self, facts: dict[str, Any], known: set[str]) -> None:
        """What is known of each minor line."""
        for name, about in facts.items():
            at = self.lines[id(facts), name]
            if name not in known:
                self.error(at, f"lines: no release of {name!r}")
            self.mapping(f"{name!r} of lines", about, _FACTS, at, optional=_FACTS)

    def row(self, section: str, keys: set[str], raw: Any, at: int, order: list[str]) -> Row | None:
        """A row of a section, where it says what a row has to say; `order` are all releases."""
        optional = {"case", "verified", *_OPTIONAL.get(section, ())}
        way = raw.get("from") if isinstance(raw, dict) else None
        optional -= {"section"} if way == "BackendTLSPolicy" else set()
        optional -= {"values"} if way in ("value", "name", "number") else set()
        if not self.mapping(f"{section} row", raw, keys, at, optional, wrong_in_row):
            return None
        line = self.lines[id(raw), "releases"]
        try:
            releases = [r for text in raw["releases"] for r in expand(text, order)]
        except RulesetError as error:
            self.error(line, str(error))
            return None
        if double := sorted({r for r in releases if releases.count(r) > 1}, key=release_key):
            self.error(line, f"releases name {', '.join(double)} twice")
        return Row(
            **{key: raw[key] for key in ("id", "text", "source")},
            section=section,
            releases=frozenset(releases),
            backends=_KNOWN["backends"] if raw["backends"] == "all" else tuple(raw["backends"]),
            routes=ROUTE_KINDS if raw["routes"] == "all" else tuple(raw["routes"]),
            values=tuple(raw.get("values", ())),
            protocol=raw.get("protocol"),
            choice=next((raw[key] for key in _CHOSEN if key in raw), ""),
            section_name=raw.get("section", ""),
            fold="case" in raw,
            verified="verified" not in raw,
            line=at,
        )

    def gaps(self, rows: list[Row], order: list[str], top: dict[str, Any]) -> None:
        """An answer wherever one is needed: each release accepts something, each has defaults."""
        own = [row for row in rows if row.section != "accepts" or row.choice not in _CHOICES["as"]]
        answered = {question for row in own for question in _questions(row)}
        gaps: dict[tuple[str, str], list[str]] = {}
        accepted = {r for row in rows if row.section == "accepts" for r in row.releases}
        for release in set(order) - accepted:
            gaps.setdefault(("accepts", "no row at all"), []).append(release)
        for section, backend, route, release, _ in answered:
            for table in ("defaults", "lists") if backend == "Backend" else ("defaults",):
                if section == "accepts" and (table, backend, route, release, "") not in answered:
                    gaps.setdefault((table, f"no row for {backend} on {route}"), []).append(release)
        for (table, what), releases in sorted(gaps.items()):
            names = ", ".join(sorted(releases, key=order.index))
            self.error(self.lines[id(top), table], f"gap in {table}: {what} in {names}")


def overlaps(sheet: Sheet, rows: list[Row]) -> None:
    """No id twice, and no two rows for the same question."""
    seen: dict[str, Row] = {}
    owners: dict[tuple[str, ...], Row] = {}
    clashes: dict[tuple[int, int], tuple[Row, Row, str]] = {}
    for row in rows:
        if row.id in seen:
            sheet.error(row.line, f"id {row.id!r} stands in line {seen[row.id].line} too")
        seen.setdefault(row.id, row)
        for question in _questions(row):
            other = owners.setdefault(question, row)
            if other is not row:
                asked = " ".join(question[1:]).strip()
                clashes.setdefault((other.line, row.line), (other, row, asked))
    for other, row, asked in clashes.values():
        message = f"{row.id!r} overlaps {other.id!r} of line {other.line}: {asked}"
        sheet.error(row.line, message)


def _of_top(key: str, value: Any) -> str:
    """What is wrong with a value at the top of a ruleset."""
    kind = _INNER.get(key)
    if kind is None:
        return wrong_in_row(key, value)
    return "" if isinstance(value, kind) else f"{key}: {shown(value)}; write a {SHAPES[kind]}"


def wrong_in_row(key: str, value: Any) -> str:
    """What is wrong with a value, and what would be accepted; empty where nothing is."""
    wrong = f"{key}: {shown(value)}; write"
    if choices := _CHOICES.get(key):
        return "" if value in choices else f"{wrong} one of {', '.join(map(str, choices))}"
    if key in _LISTS:
        known = _KNOWN.get(key, ())
        if known and value == "all":
            return ""
        if not (value and isinstance(value, list) and all(v and isinstance(v, str) for v in value)):
            return f"{wrong} a list of texts" + (" or all" if known else "")
        if unknown := sorted(set(value) - set(known)) if known else []:
            return f"{key}: {', '.join(map(shown, unknown))}; known are all, {', '.join(known)}"
        double = sorted({v for v in value if value.count(v) > 1})
        return f"{key}: {', '.join(map(shown, double))} twice" if double else ""
    return not_a_text(key, value)


def _questions(row: Row) -> Iterator[tuple[str, ...]]:
    """What a row answers; two rows must not answer the same."""
    extra = (row.choice,) if row.section in ("refuses", "fixed", "tls") else row.values or ("",)
    for backend in row.backends:
        for route in row.routes:
            for value in extra:
                for release in row.releases:
                    yield (row.section, backend, route, release, value)
