"""The wire rules: what an implementation makes Envoy speak, release by release, as data.

The YAML under `wire/` is a list of rows; this module loads it and refuses one with holes. What a
row may say stands at its top. A loaded row has the ruleset's shape: its `backends` are the terms
that it answers, its `routes` the kinds of Envoy clusters, its `values` the conditions, and its
`choice` what it gives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from functools import cache
from importlib import resources
from posixpath import dirname
from typing import Any

from protocol_analysis.envoy import CONFIGS, KINDS, Flags, Setting
from protocol_analysis.model import Inventory, Meta, name_of
from protocol_analysis.policies import Definition, Policy
from protocol_analysis.releases import RulesetError, expand, release_key
from protocol_analysis.resolution import Reason
from protocol_analysis.rows import Row, Rules, Ruleset
from protocol_analysis.rules import overlaps, ruleset, wrong_in_row
from protocol_analysis.sheets import Sheet

_OF_SETTING, _OF_FLAGS = ("|".join(field.name for field in fields(it)) for it in (Setting, Flags))
_HOW = "any|all|no|first|whole|several|lacking"
_PROTOCOL, _ADDRESS = "(?:HTTP2?|GRPC|HTTPS|TCP|UDP)", "(?:IP|FQDN|UDS|MIXED)"
_VALUES = rf"protocol {_PROTOCOL}(?: or {_PROTOCOL})*|address {_ADDRESS}(?: or {_ADDRESS})*"
_FIELDS = "policy [A-Za-z]+[0-9]?(?: or [A-Za-z]+[0-9]?)*"
_OF = rf"flag (?:{_OF_FLAGS})|(?:{_HOW}) (?:{_OF_SETTING}|{_VALUES})"
_IF = rf"(?:is|not) [\w-]+|{_FIELDS}|{_OF}"
_KIND = "|".join(KINDS)
# What the text of a key looks like, and how that is told.
_FORMS = {
    "terms": (r"[\w-]+(?:, [\w-]+)*", "terms with commas between: config, AUTO"),
    "kinds": (rf"all|(?:{_KIND})(?:, (?:{_KIND}))*", f"all, or some of {', '.join(KINDS)}"),
    "if": (rf"(?:{_IF})(?: and (?:{_IF}))*", "conditions: any tls and no protocol TCP and is AUTO"),
    "gives": ("|".join(CONFIGS), f"one of {', '.join(CONFIGS)}"),
    "source": (
        r".*/(?:blob/.*#L\d+(?:-L\d+)?|tree/.*)",
        "a permanent link to a line of a file, or to a folder",
    ),
}
KEYS = {"id", "releases", "text", *_FORMS}
_OPTIONAL = {"if", "gives"}


LOADED: dict[str, Ruleset] = {}  # by implementation; a proposal adds its own


def wire(implementation: str = "envoy-gateway") -> Ruleset:
    """The wire rules of an implementation, with the releases of its ruleset.

    Raises RulesetError where there is no such ruleset, or the wire rules are wrong.

    >>> [row.id for row in wire().at("0.6").find("wire", "config", "http")]
    ['http2', 'no-options']
    """
    if implementation in LOADED:
        return LOADED[implementation]
    known = ruleset(implementation)
    file = resources.files("protocol_analysis") / "wire" / f"{implementation}.yaml"
    text = file.read_text(encoding="utf-8")
    found = replace(known, rows=parse_wire(text, f"wire/{file.name}", known.releases))
    return LOADED.setdefault(implementation, found)


def wired(implementation: str) -> bool:
    """Whether there are wire rules for an implementation.

    >>> wired("envoy-gateway")
    True
    """
    return implementation in LOADED or _has_file(implementation)


@cache
def _has_file(implementation: str) -> bool:
    return (resources.files("protocol_analysis") / "wire" / f"{implementation}.yaml").is_file()


def needs(kind: str, wires: Rules) -> tuple[str, Row] | None:
    """The version in which a release watches a kind, and the row that says so.

    >>> needs("TCPRoute", wire().at("1.9"))[0]
    'v1'
    """
    for row in wires.rows:
        for term in row.backends:
            if term.startswith(f"needs-{kind}-"):
                return term.rpartition("-")[2], row
    return None


def unserved(meta: Meta, definitions: Sequence[Definition], wires: Rules) -> Reason | None:
    """Why a release does not see an object at all: its CRD is at hand, and serves another version.

    `definitions` are those of its kind in its world.

    A CRD is at hand in a cluster that is named, or in the folder of the object or one above it: a
    collection of examples holds the CRDs of others. Elsewhere the version is a requirement of the
    release, and decides nothing.
    """
    own = [d for d in definitions if meta.cluster or _above_it(d, meta)]
    known = needs(meta.kind, wires) if own else None
    if not known or any(known[0] in each.served for each in own):
        return None
    row = known[1]
    served = ", ".join(sorted({v for each in own for v in each.served})) or "nothing"
    return Reason(row.id, f"{row.text} That of {meta.kind} here serves {served}.", row.source)


def definitions_of(inventory: Inventory) -> dict[tuple[str, str, str], list[Definition]]:
    """The CRDs at hand, by the world, group and kind of what they define.

    >>> definitions_of(Inventory())
    {}
    """
    found: dict[tuple[str, str, str], list[Definition]] = {}
    for each in inventory.definitions:
        found.setdefault((each.meta.world, each.group, each.kind), []).append(each)
    return found


def seen(inventory: Inventory, wires: Rules) -> tuple[Inventory, dict[tuple[str, ...], Reason]]:
    """The inventory without the BackendTLSPolicies that a release does not see; their targets.

    >>> seen(Inventory(), wire().at("1.9"))[1]
    {}
    """
    if not inventory.definitions or not inventory.tls_policies:
        return inventory, {}
    kept: list[Policy] = []
    targets: dict[tuple[str, ...], Reason] = {}
    definitions = definitions_of(inventory)
    for policy in inventory.tls_policies:
        meta = policy.meta
        own = definitions.get((meta.world, meta.group, meta.kind), [])
        if missing := unserved(meta, own, wires):
            targets |= {(meta.world, *name_of(target)): missing for target in policy.targets}
        else:
            kept.append(policy)
    return replace(inventory, tls_policies=tuple(kept)), targets


def _above_it(definition: Definition, meta: Meta) -> bool:
    folder, own = (dirname(at.position.file) for at in (definition.meta, meta))
    return not folder or f"{own}/".startswith(f"{folder.rstrip('/')}/")


def parse_wire(text: str, name: str, releases: Sequence[str]) -> tuple[Row, ...]:
    """Read and check wire rules. All complaints come in one RulesetError, a line each.

    >>> parse_wire("[]", "empty.yaml", ["v1.9.0"])
    Traceback (most recent call last):
        ...
    protocol_analysis.releases.RulesetError: empty.yaml:1: gap: nothing always holds in v1.9.0
    """
    sheet = Sheet(name)
    top = sheet.document(text)
    if not isinstance(top, list):
        sheet.error(1, "the wire rules are no list of rows")
        sheet.stop()
    found = [_row(sheet, raw, sheet.lines[id(top), at], releases) for at, raw in enumerate(top)]
    rows = [row for row in found if row]
    overlaps(sheet, rows)
    sheet.stop()  # a row that is left out would be a gap too
    for index, row in enumerate(rows):
        _above(sheet, row, rows[:index])
    last = [row for row in rows if row.choice and not row.values and set(row.routes) == set(KINDS)]
    _gap(sheet, 1, "gap: nothing always holds", releases, last)
    sheet.stop()
    return tuple(rows)


def _row(sheet: Sheet, raw: Any, at: int, known: Sequence[str]) -> Row | None:
    """A row, where it says what a row has to say."""
    if not sheet.mapping("row", raw, KEYS, at, _OPTIONAL, wrong_in_row):
        return None
    before = len(sheet.errors)
    for key in _FORMS.keys() & raw.keys():
        pattern, wanted = _FORMS[key]
        if not re.fullmatch(pattern, raw[key]):
            sheet.error(sheet.lines[id(raw), key], f"{key}: {raw[key][:80]!r}; write {wanted}")
    releases: set[str] = set()
    try:
        releases = {release for span in raw["releases"] for release in expand(span, known)}
    except RulesetError as error:
        sheet.error(sheet.lines[id(raw), "releases"], str(error))
    terms = tuple(raw["terms"].split(", "))
    if ("config" in terms) != ("gives" in raw):
        sheet.error(at, "a row of config needs 'gives', and no other has it")
    if len(sheet.errors) > before:
        return None
    return Row(
        id=raw["id"],
        section="wire",
        text=raw["text"],
        source=raw["source"],
        releases=frozenset(releases),
        backends=terms,
        routes=KINDS if raw["kinds"] == "all" else tuple(raw["kinds"].split(", ")),
        values=tuple(raw["if"].replace(" or ", " ").split(" and ")) if "if" in raw else (),
        choice=raw.get("gives", ""),
        line=at,
    )


def _above(sheet: Sheet, row: Row, above: list[Row]) -> None:
    """A term is answered above the row that asks for it; what always holds ends the question."""
    for condition in row.values:
        how, term, *_ = condition.split()
        if how in {"is", "not"}:
            answers = [other for other in above if term in other.backends]
            _gap(sheet, row.line, f"no row above answers {term}", row.releases, answers)
    for other in above:
        same = row.releases & other.releases and set(row.routes) & set(other.routes)
        if row.choice and other.choice and not other.values and same:
            told = f"{row.id!r} is never asked: {other.id!r} of line {other.line} always holds"
            sheet.error(row.line, told)


def _gap(sheet: Sheet, line: int, told: str, needed: Iterable[str], answers: Iterable[Row]) -> None:
    """A complaint with the releases for which there is no answer."""
    missing = set(needed).difference(*(row.releases for row in answers))
    if missing:
        sheet.error(line, f"{told} in {', '.join(sorted(missing, key=release_key))}")
