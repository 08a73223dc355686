"""A ruleset: what one implementation makes of `appProtocol`, release by release, as data.

The YAML under `rulesets/` holds the rows; this module loads them, refuses a table with holes and
answers for one release. A row applies to `releases`, a list of ranges in the order of semantic
versions: `v1.4.0` (one), `v1.4.0..v1.6.2` (both ends included), `v1.7.3..v1.7` (to the end of
that line), `v1.9.0-rc.1..` (and all later ones). `main` comes last.

Sections, in the order in which the resolver asks them:

accepts   which backend kinds a release takes on which route kinds
refuses   what it turns away although the kind is accepted (`when` names the condition)
defaults  the protocol where no value is recognised
lists     which of several values wins
values    a recognised value → protocol
forces    values that force HTTP/1.1 upstream
tls       what gives a backend TLS
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

import yaml

from protocol_analysis.model import BACKEND_GROUPS, ROUTE_KINDS
from protocol_analysis.releases import RulesetError, expand, release_key
from protocol_analysis.rows import Row, Ruleset

_COMMON = {"id", "releases", "text", "source"}
_SCOPE = {"backends", "routes"}
SECTIONS: dict[str, set[str]] = {
    "accepts": _COMMON | _SCOPE,
    "refuses": _COMMON | _SCOPE | {"when"},
    "defaults": _COMMON | _SCOPE | {"protocol"},
    "lists": _COMMON | _SCOPE | {"pick"},
    "values": _COMMON | _SCOPE | {"values", "protocol"},
    "forces": _COMMON | _SCOPE | {"values"},
    "tls": _COMMON | _SCOPE | {"from", "section"},
}
_CHOICES: dict[str, tuple[str | None, ...]] = {
    "when": ("externalName", "unixSocket", "dynamicResolver", "dynamicResolverWithAppProtocols"),
    "pick": ("first", "last"),
    "from": ("BackendTLSPolicy", "Backend", "DynamicResolver"),
    "section": ("name", "number"),
    "protocol": ("HTTP", "HTTP2", "GRPC", "HTTPS", "TCP", "UDP", None),
}
_TOP = {"implementation", "title", "controllers", "standard", "releases", "lines", *SECTIONS}


def implementations() -> tuple[str, ...]:
    """The names of the rulesets that come with the package."""
    folder = resources.files("protocol_analysis") / "rulesets"
    return tuple(
        sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml"))
    )


@cache
def ruleset(implementation: str = "envoy-gateway") -> Ruleset:
    """The ruleset of an implementation. Raises RulesetError where there is none, or it is wrong."""
    if implementation not in implementations():
        msg = f"no ruleset for {implementation!r}; there are {', '.join(implementations())}"
        raise RulesetError(msg)
    file = resources.files("protocol_analysis") / "rulesets" / f"{implementation}.yaml"
    return parse_ruleset(file.read_text(encoding="utf-8"), f"rulesets/{file.name}")


def parse_ruleset(text: str, name: str) -> Ruleset:
    """Read and check a ruleset. All complaints come in one RulesetError, a line each."""
    return _Parser(name).ruleset(text)


class _Parser:
    def __init__(self, name: str) -> None:
        self.name = name
        self.errors: list[str] = []

    def error(self, line: int, message: str) -> None:
        self.errors.append(f"{self.name}:{line}: {message}")

    def ruleset(self, text: str) -> Ruleset:
        try:
            top, lines = _with_lines(text)
        except (yaml.YAMLError, TypeError, ValueError) as error:
            raise RulesetError(f"{self.name}: {error}") from error
        for key in sorted(set(top) ^ _TOP):
            self.error(1, f"unknown key {key!r}" if key in top else f"no {key!r}")
        if self.errors:
            raise RulesetError("\n".join(self.errors))
        dates = {str(release): str(date) for release, date in top["releases"].items()}
        order = sorted(dates, key=release_key)
        rows: list[Row] = []
        for section, keys in SECTIONS.items():
            for raw in top[section]:
                row = self.row(section, keys, raw, lines[id(raw)], order)
                rows += [row] if row else []
        self.check(rows, order)
        if self.errors:
            raise RulesetError("\n".join(self.errors))
        return Ruleset(
            implementation=top["implementation"],
            title=top["title"],
            controllers=tuple(top["controllers"]),
            standard=tuple(top["standard"]),
            dates=dates,
            lines=top["lines"],
            rows=tuple(rows),
        )

    def row(
        self, section: str, keys: set[str], raw: dict[str, Any], line: int, order: list[str]
    ) -> Row | None:
        before = len(self.errors)
        for key in sorted(set(raw) - keys):
            self.error(
                line, f"unknown key {key!r} in {section}; known are {', '.join(sorted(keys))}"
            )
        for key in sorted(keys - set(raw) - {"section"}):
            self.error(line, f"{section} row without {key!r}")
        if not str(raw.get("source", "")).startswith("https://"):
            self.error(
                line, f"source {raw.get('source')!r} is no link; write a permanent https:// one"
            )
        for key, choices in _CHOICES.items():
            if key in raw and raw[key] not in choices:
                self.error(line, f"{key} {raw[key]!r}; one of {', '.join(map(str, choices))}")
        for key, known in (("backends", tuple(BACKEND_GROUPS)), ("routes", ROUTE_KINDS)):
            unknown = [] if raw.get(key) == "all" else sorted(set(raw.get(key, ())) - set(known))
            if unknown:
                self.error(line, f"{key} {', '.join(unknown)}; known are all, {', '.join(known)}")
        if len(self.errors) > before:
            return None
        try:
            releases = frozenset(r for text in raw["releases"] for r in expand(text, order))
        except RulesetError as error:
            self.error(line, str(error))
            return None
        return Row(
            id=raw["id"],
            section=section,
            text=raw["text"],
            source=raw["source"],
            releases=releases,
            backends=tuple(BACKEND_GROUPS) if raw["backends"] == "all" else tuple(raw["backends"]),
            routes=ROUTE_KINDS if raw["routes"] == "all" else tuple(raw["routes"]),
            values=tuple(raw.get("values", ())),
            protocol=raw.get("protocol"),
            choice=raw.get("when") or raw.get("pick") or raw.get("from") or "",
            section_name=raw.get("section", ""),
            line=line,
        )

    def check(self, rows: list[Row], order: list[str]) -> None:
        """No id twice, no two rows for the same question, and an answer where one is needed."""
        seen: dict[str, Row] = {}
        for row in rows:
            if row.id in seen:
                self.error(row.line, f"id {row.id!r} stands in line {seen[row.id].line} too")
            seen[row.id] = row
        owners: dict[tuple[str, ...], Row] = {}
        clashes: dict[tuple[str, str], tuple[Row, Row, str]] = {}
        for row in rows:
            for question in _questions(row):
                other = owners.setdefault(question, row)
                if other is not row:
                    asked = " ".join(question[1:]).strip()
                    clashes.setdefault((other.id, row.id), (other, row, asked))
        for other, row, asked in clashes.values():
            message = f"{row.id!r} overlaps {other.id!r} of line {other.line}: {asked}"
            self.error(row.line, message)
        gaps: dict[tuple[str, str, str], list[str]] = {}
        for section, backend, route, release, _ in list(owners):
            if section != "accepts":
                continue
            for table in ("defaults", "lists") if backend == "Backend" else ("defaults",):
                if (table, backend, route, release, "") not in owners:
                    gaps.setdefault((table, backend, route), []).append(release)
        for (table, backend, route), releases in gaps.items():
            names = sorted(releases, key=order.index)
            self.error(1, f"gap in {table}: no row for {backend} on {route} in {', '.join(names)}")


def _questions(row: Row) -> Iterator[tuple[str, ...]]:
    """What a row answers; two rows must not answer the same."""
    extra = (row.choice,) if row.section in ("refuses", "tls") else row.values or ("",)
    for backend in row.backends:
        for route in row.routes:
            for value in extra:
                for release in row.releases:
                    yield (row.section, backend, route, release, value)


def _with_lines(text: str) -> tuple[dict[str, Any], dict[int, int]]:
    """The document, and the line of every mapping in it by identity. Repeated keys are refused."""
    lines: dict[int, int] = {}

    class Loader(yaml.SafeLoader):
        pass

    def mapping(loader: Any, node: Any) -> dict[Any, Any]:
        value: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            if key in value:
                msg = f"key {key!r} twice, in line {key_node.start_mark.line + 1}"
                raise ValueError(msg)
            value[key] = loader.construct_object(value_node, deep=True)
        lines[id(value)] = node.start_mark.line + 1
        return value

    Loader.add_constructor("tag:yaml.org,2002:map", mapping)
    document = yaml.load(text, Loader=Loader)  # noqa: S506 - a SafeLoader
    if not isinstance(document, dict):
        msg = "a ruleset is a mapping"
        raise TypeError(msg)
    return document, lines
