"""Rulesets → tables: the rule book, how it came about, what is known and how well."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas as pd

from protocol_analysis.claims import Claim, article, verdicts
from protocol_analysis.model import BACKEND_GROUPS
from protocol_analysis.releases import line_of
from protocol_analysis.rows import Ruleset
from protocol_analysis.rulebook import Cell, cells, line_releases, resolve_one, steps, values_of
from protocol_analysis.tables.frames import frame, text

RULEBOOK_COLUMNS = {
    "release": "string",
    "line": "string",
    "kind": "string",
    "route_kind": "string",
    "value": "string",
    "protocol": "string",
    "force_http1": "bool",
    "row": "string",
}
STEP_COLUMNS = {
    "value": "string",
    "kind": "string",
    "release": "string",
    "date": "string",
    "until": "string",
    "state": "string",
    "backports": "string",
    "source": "string",
}
RELEASE_COLUMNS = {
    "release": "string",
    "line": "string",
    "date": "string",
    "envoy": "string",
    "end_of_life": "string",
}
SUPPORT_COLUMNS = {
    "line": "string",
    "newest": "string",
    "date": "string",
    "end_of_life": "string",
    "supported": "bool",
}
CLAIM_COLUMNS = {
    "claim": "string",
    "verdict": "string",
    "releases": "string",
    "source": "string",
}


def rulebook_table(
    ruleset: Ruleset,
    releases: Sequence[str] | None = None,
    route_kinds: Sequence[str] = ("HTTPRoute",),
    kinds: Sequence[str] = tuple(BACKEND_GROUPS),
) -> pd.DataFrame:
    """What each release makes of each value on each kind, from the rows; `RULEBOOK_COLUMNS`.

    `releases` defaults to the last final release of each line. `row` is "" where the value is not
    read.

    >>> from protocol_analysis.rules import ruleset
    >>> book = rulebook_table(ruleset(), ["v1.8.3"], kinds=["ServiceImport"])
    >>> book.set_index("value").loc[["kubernetes.io/h2c", "grpc"], "protocol"].to_list()
    ['HTTP2', 'HTTP']
    """
    chosen = line_releases(ruleset) if releases is None else releases
    found = [
        cell
        for route in route_kinds
        for cell in cells(ruleset, chosen, route)
        if cell.kind in kinds
    ]
    return _rulebook(found)


def resolved_rulebook_table(
    ruleset: Ruleset,
    releases: Sequence[str] | None = None,
    route_kinds: Sequence[str] = ("HTTPRoute",),
    kinds: Sequence[str] = tuple(BACKEND_GROUPS),
) -> pd.DataFrame:
    """The rule book again, found by resolving one port per cell; `RULEBOOK_COLUMNS` but `row`.

    >>> from protocol_analysis.rules import ruleset
    >>> book = rulebook_table(ruleset(), ["v1.9.0"]).drop(columns="row")
    >>> book.equals(resolved_rulebook_table(ruleset(), ["v1.9.0"]))
    True
    """
    chosen = line_releases(ruleset) if releases is None else releases
    found = []
    for route in route_kinds:
        for release in chosen:
            rules = ruleset.at(release)
            for kind in (kind for kind in BACKEND_GROUPS if kind in kinds):
                for value in values_of(ruleset):
                    answer = resolve_one(rules, kind, value, route)
                    if answer.outcome != "kind-not-read":
                        said = (answer.protocol, answer.force_http1)
                        found.append(Cell(release, kind, route, value, *said, ""))
    return _rulebook(found).drop(columns="row")


def _rulebook(found: Sequence[Cell]) -> pd.DataFrame:
    return frame(
        (
            (
                cell.release,
                line_of(cell.release) or cell.release,
                cell.kind,
                cell.route_kind,
                cell.value,
                text(cell.protocol),
                cell.force_http1,
                cell.row,
            )
            for cell in found
        ),
        RULEBOOK_COLUMNS,
    )


def steps_table(ruleset: Ruleset, values: Sequence[str], kinds: Sequence[str]) -> pd.DataFrame:
    """When each value came to be read on each kind, release candidates too; `STEP_COLUMNS`.

    `until` is the date of the next step, or of the newest release known; `backports` are the first
    releases of older lines that do the same.

    >>> from protocol_analysis.rules import ruleset
    >>> steps_table(ruleset(), ["grpc"], ["ServiceImport"])["release"].to_list()
    ['v0.1.0', 'v0.6.0-rc.1', 'v1.9.0-rc.1']
    """
    found = []
    for value in values:
        for kind in kinds:
            way = steps(ruleset, kind, value)
            ends = [step.date for step in way[1:]] + [max(ruleset.dates.values())]
            found += [
                (
                    value,
                    kind,
                    step.release,
                    step.date,
                    end,
                    step.state,
                    ", ".join(step.backports),
                    step.source,
                )
                for step, end in zip(way, ends, strict=True)
            ]
    return frame(found, STEP_COLUMNS)


def release_table(ruleset: Ruleset) -> pd.DataFrame:
    """The releases that are known, oldest first; columns as in `RELEASE_COLUMNS`."""

    def row(release: str) -> tuple[str, ...]:
        line = line_of(release)
        facts = ruleset.lines.get(line, {})
        return (
            release,
            line,
            ruleset.dates[release],
            str(facts.get("envoy", "")),
            str(facts.get("endOfLife", "")),
        )

    return frame((row(release) for release in ruleset.releases), RELEASE_COLUMNS)


def support_table(ruleset: Ruleset, today: str) -> pd.DataFrame:
    """Each release line with its newest release, and whether it is supported on a day.

    `today` is an ISO date: tables know no clock. Columns as in `SUPPORT_COLUMNS`.

    >>> from protocol_analysis.rules import ruleset
    >>> lines = support_table(ruleset(), "2026-11-25")
    >>> lines[lines["supported"]]["line"].to_list()
    ['v1.9']
    """
    day = date.fromisoformat(today)
    found = []
    for release in line_releases(ruleset):
        end = str(ruleset.lines.get(line_of(release), {}).get("endOfLife", ""))
        supported = bool(end) and day <= date.fromisoformat(end)
        found.append((line_of(release), release, ruleset.dates[release], end, supported))
    return frame(found, SUPPORT_COLUMNS)


def knowledge_table(ruleset: Ruleset) -> pd.DataFrame:
    """How much is known, and how new it is; one column, `known`.

    >>> from protocol_analysis.rules import ruleset
    >>> known = knowledge_table(ruleset())["known"]
    >>> known["rows"] == known["rows with a source"]
    True
    """
    sources = [row.source for row in ruleset.rows]
    known = {
        "newest final release": ruleset.newest,
        "of": ruleset.dates[ruleset.newest],
        "newest code": max(ruleset.dates.values()),
        "releases": f"{len(ruleset.releases):,}",
        "rows": f"{len(sources):,}",
        "rows with a source": f"{sum(map(bool, sources)):,}",
        "different sources": f"{len(set(sources)):,}",
    }
    return pd.DataFrame({"known": pd.Series(known, dtype="string")})


def claims_table(ruleset: Ruleset, claims: Sequence[Claim] | None = None) -> pd.DataFrame:
    """Claims, by default those of the article, each with its verdict; `CLAIM_COLUMNS`.

    `releases` are the final releases for which the claim holds.
    """
    chosen = article() if claims is None else claims
    return frame(
        ((v.claim.claim, v.verdict, v.when, v.source) for v in verdicts(ruleset, chosen)),
        CLAIM_COLUMNS,
    )
