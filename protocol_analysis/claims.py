"""Claims about an implementation, each with a verdict that its ruleset gives. Pure.

`claims.yaml` holds the claims of the article that this project began with. A claim asks one of the
questions below about every final release in turn; those where the answer is the wanted one make the
verdict:

holds        the newest release answers so
held until   an older one did
not so       none does
not asked    no ruleset can tell; the claim brings its own source

The evidence is a row of the ruleset: the one that made the answer begin, end, or never come.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import groupby
from typing import Any

import yaml

from protocol_analysis.coverage import readable
from protocol_analysis.model import ROUTE_KINDS
from protocol_analysis.releases import RulesetError, finals, release_key
from protocol_analysis.rows import Row, Rules, Ruleset
from protocol_analysis.rulebook import resolve_one, values_of

Answer = tuple[bool, str]  # and the source of the row that gives it
_ROUTE = "HTTPRoute"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A sentence, the question that decides it, and the answer that it wants."""

    claim: str
    asks: str
    about: Mapping[str, Any]
    wants: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the ruleset says of a claim; `when` are the releases for which it holds.

    What a specification says has no releases.
    """

    claim: Claim
    verdict: str
    when: str
    source: str


@cache
def article() -> tuple[Claim, ...]:
    """The claims of the article.

    >>> article()[1].claim
    'kubernetes.io/h2c on a Service is read'
    """
    file = resources.files("protocol_analysis") / "claims.yaml"
    return parse_claims(file.read_text(encoding="utf-8"), "claims.yaml")


def parse_claims(text: str, name: str) -> tuple[Claim, ...]:
    """Read claims. Raises RulesetError where one has other keys or asks no known question."""
    found = []
    for number, raw in enumerate(yaml.safe_load(text), 1):
        if set(raw) != {"claim", "asks", "about", "wants"} or raw["asks"] not in QUESTIONS:
            known = ", ".join(QUESTIONS)
            raise RulesetError(
                f"{name}: claim {number}: claim, asks, about and wants are needed; asks is {known}"
            )
        found.append(Claim(**raw))
    return tuple(found)


def verdicts(ruleset: Ruleset, claims: Sequence[Claim]) -> list[Verdict]:
    """Every claim with its verdict, in order.

    >>> from protocol_analysis.rules import ruleset
    >>> said = verdicts(ruleset(), article())[6]
    >>> said.claim.claim, said.verdict
    ('on a ServiceImport no value is read', 'held until v1.3.3')
    """
    return [verdict(ruleset, claim) for claim in claims]


def verdict(ruleset: Ruleset, claim: Claim) -> Verdict:
    """One claim, asked of every release."""
    if claim.asks == "outside":
        return Verdict(claim=claim, verdict="not asked", when="", source=claim.about["source"])
    ask = QUESTIONS[claim.asks]
    releases = finals(ruleset.releases)
    answers = {release: ask(ruleset, release, **claim.about) for release in releases}
    agreeing = [release for release in releases if answers[release][0] == claim.wants]
    newest = ruleset.newest
    if newest in agreeing:
        said, decisive = "holds", _begins(releases, agreeing, newest)
    elif agreeing:
        said = f"held until {agreeing[-1]}"
        decisive = releases[releases.index(agreeing[-1]) + 1]
    else:
        said, decisive = "not so", newest
    when = "" if claim.asks == "standard" else ", ".join(_spans(agreeing, releases))
    return Verdict(claim=claim, verdict=said, when=when, source=answers[decisive][1])


def _begins(releases: Sequence[str], agreeing: Sequence[str], last: str) -> str:
    """The first release of the unbroken run of `agreeing` that ends at `last`."""
    first = last
    for release in reversed(releases[: releases.index(last)]):
        if release not in agreeing:
            break
        first = release
    return first


def _spans(chosen: Sequence[str], releases: Sequence[str]) -> list[str]:
    """Releases as the ranges that a ruleset writes; `v1.9.0..` goes on.

    >>> _spans(["v1.0.0", "v1.1.0", "v1.3.0"], ["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0"])
    ['v1.0.0..v1.1.0', 'v1.3.0..']
    """
    runs = [list(run) for taken, run in groupby(releases, chosen.__contains__) if taken]
    ends = ["" if run[-1] == releases[-1] else run[-1] for run in runs]
    return [
        run[0] if run[0] == end else f"{run[0]}..{end}" for run, end in zip(runs, ends, strict=True)
    ]


def _read(rules: Rules, kind: str, value: str) -> Row | None:
    return rules.value("values", kind, _ROUTE, value) or rules.value("forces", kind, _ROUTE, value)


def _fallback(rules: Rules, kind: str) -> str:
    """The source that shows what becomes of a value that is not read."""
    rows = (*rules.find("defaults", kind, _ROUTE), *rules.find("accepts", "Service", _ROUTE))
    return rows[0].source


def _reads(ruleset: Ruleset, release: str, value: str, kind: str) -> Answer:
    """Is the value read on this kind?"""
    rules = ruleset.at(release)
    row = _read(rules, kind, value)
    return row is not None, row.source if row else _fallback(rules, kind)


def _reads_any(ruleset: Ruleset, release: str, kind: str) -> Answer:
    """Is any value read on this kind?"""
    answers = [_reads(ruleset, release, value, kind) for value in values_of(ruleset)]
    return next((answer for answer in answers if answer[0]), answers[0])


def _reads_first(ruleset: Ruleset, release: str, value: str, other: str, kind: str) -> Answer:
    """Is the value read, and was it before any release read the other one?"""
    earlier = finals(ruleset.releases)
    earlier = earlier[: earlier.index(release) + 1]
    first, second = (
        next((r for r in earlier if _reads(ruleset, r, v, kind)[0]), None) for v in (value, other)
    )
    ahead = second is None or (first is not None and release_key(first) < release_key(second))
    return first is not None and ahead, _reads(ruleset, first or release, value, kind)[1]


def _retired(ruleset: Ruleset, release: str, value: str, kind: str) -> Answer:
    """Is the value no longer read, after a release that read it?"""
    earlier = finals(ruleset.releases)
    earlier = earlier[: earlier.index(release)]
    now, source = _reads(ruleset, release, value, kind)
    return not now and any(_reads(ruleset, r, value, kind)[0] for r in earlier), source


def _alike(ruleset: Ruleset, release: str, kinds: Sequence[str]) -> Answer:
    """Are all these kinds accepted, and is each value written and read alike on all, or on none?

    On every kind of route that takes them all; a value that a kind's schema refuses is not read.
    """
    rules = ruleset.at(release)
    found = [row.source for row in rules.rows if row.section == "values"]
    source = (found or [_fallback(rules, kinds[0])])[0]
    if not all(rules.find("accepts", kind, _ROUTE) for kind in kinds):
        return False, source
    for route in ROUTE_KINDS:
        if not all(rules.find("accepts", kind, route) for kind in kinds):
            continue
        for value in values_of(ruleset):
            rows = [
                [rules.value(section, kind, route, value) for section in ("values", "forces")]
                if value in readable(rules, kind)
                else [None, None]
                for kind in kinds
            ]
            treated = {(row.protocol if row else "", force is None) for row, force in rows}
            if len(treated) > 1:
                return False, next(row.source for pair in rows for row in pair if row)
    return True, source


def _speaks(
    ruleset: Ruleset,
    release: str,
    value: str | None,
    kind: str,
    route: str,
    protocol: str,
    *,
    tls: bool,
) -> Answer:
    """Is one backend that declares the value, or none, spoken to in this protocol?"""
    answer = resolve_one(ruleset.at(release), kind, value, route)
    return (answer.protocol, answer.tls) == (protocol, tls), answer.deciding.source


def _standard(ruleset: Ruleset, release: str, value: str, kind: str) -> Answer:
    """Does a specification define the value for this kind?"""
    rules = ruleset.at(release)
    row = rules.value("standard", kind, _ROUTE, value)
    others = [o.source for o in rules.rows if o.section == "standard" and kind in o.backends]
    return row is not None, row.source if row else (others or [_fallback(rules, kind)])[0]


QUESTIONS: dict[str, Callable[..., Answer]] = {
    "reads": _reads,
    "reads_any": _reads_any,
    "reads_first": _reads_first,
    "retired": _retired,
    "alike": _alike,
    "speaks": _speaks,
    "standard": _standard,
    "outside": lambda *_, **__: (False, ""),
}
