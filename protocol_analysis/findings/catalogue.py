"""The catalogue of rules: what each code means, how bad it is for whom, and what to do about it.

`catalogue.yaml` is a list of rules. How bad a finding is depends on who reads and at which release,
and on how sure it is: `severity` is a list of lines, of which the first that fits counts, and where
none fits the rule says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from protocol_analysis.readers import Reader, base_of
from protocol_analysis.releases import RulesetError, expand
from protocol_analysis.rules import implementations, ruleset
from protocol_analysis.sheets import Sheet, not_a_text, shown

SEVERITIES = ("error", "warning", "info")
_KEYS = {"code", "title", "severity", "meaning", "remedy", "references", "bad", "good"}
_LINE = {"for", "releases", "grade", "is", "assumed"}
_OPTIONAL = {"shows", "measured"}
_CELL = {"config", "server", "client"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """One line of a rule's severity: for whom, at which releases, of which grade of evidence.

    `assumed` is how bad it is where nobody has told the release; as bad, where it is empty.
    """

    severity: str
    assumed: str = ""
    implementation: str = ""
    releases: frozenset[str] | None = None
    grade: str = ""
    mesh: bool | None = None

    def fits(self, by: Reader, grade: str) -> bool:
        """Whether it is about a finding of that grade by that reader."""
        return (
            self.implementation in ("", base_of(by.implementation))
            and (self.mesh is None or self.mesh == by.mesh)
            and (self.releases is None or by.release in self.releases)
            and self.grade in ("", grade)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One code of the catalogue.

    `shows` is how it looks at run time, and `measured` the cells of the measured matrix that it was
    seen in: a configuration, a kind of server, a client. `bad` and `good` are small manifests, as
    alike as can be.
    """

    code: str
    title: str
    weights: tuple[Weight, ...]
    meaning: str
    remedy: str
    references: tuple[str, ...]
    bad: str
    good: str
    shows: str = ""
    measured: tuple[tuple[str, str, str], ...] = ()

    def severity(self, by: Reader, grade: str = "", *, assumed: bool = False) -> str | None:
        """How bad a finding is for a reader; None where the rule is not about it."""
        fits = (weight for weight in self.weights if weight.fits(by, grade))
        return next(((assumed and each.assumed) or each.severity for each in fits), None)

    @property
    def worst(self) -> str:
        """The worst that it can be."""
        return min((w.severity for w in self.weights), key=SEVERITIES.index)

    def as_dict(self) -> dict[str, Any]:
        """The rule, as `rules` prints it."""
        return {
            "code": self.code,
            "severity": self.worst,
            "title": self.title,
            "meaning": self.meaning,
            "shows": self.shows,
            "remedy": self.remedy,
            "references": list(self.references),
            "bad": self.bad,
            "good": self.good,
        }


@cache
def catalogue() -> Mapping[str, Rule]:
    """All rules by code, in order. Raises RulesetError where the file is wrong.

    >>> catalogue()["AP017"].severity(Reader(implementation="envoy-gateway", release="v1.9.0"))
    'error'
    """
    file = resources.files("protocol_analysis") / "findings" / "catalogue.yaml"
    return parse_catalogue(file.read_text(encoding="utf-8"), file.name)


def parse_catalogue(text: str, name: str) -> Mapping[str, Rule]:
    """Read and check a catalogue. All complaints come in one RulesetError, a line each."""
    sheet = Sheet(name)
    top = sheet.document(text)
    rules: dict[str, Rule] = {}
    for at, raw in enumerate(top if isinstance(top, list) else ()):
        line = sheet.lines[id(top), at]
        if sheet.mapping("rule", raw, _KEYS | _OPTIONAL, line, _OPTIONAL, _wrong):
            if raw["code"] in rules:
                sheet.error(line, f"code {raw['code']} stands twice")
            weights = [_weight(sheet, each, line) for each in raw["severity"]]
            rules[raw["code"]] = Rule(
                **{key: raw[key] for key in ("code", "title", "meaning", "remedy", "bad", "good")},
                weights=tuple(filter(None, weights)),
                references=tuple(raw["references"]),
                shows=raw.get("shows", ""),
                measured=tuple(_cells(sheet, raw.get("measured", ()), line)),
            )
    sheet.stop()
    return rules


def _cells(sheet: Sheet, raws: Any, line: int) -> Iterator[tuple[str, str, str]]:
    """What was measured of a rule; whether there is such a cell is for its reader to say."""
    for raw in raws:
        if sheet.mapping("measured", raw, _CELL, line):
            yield raw["config"], raw["server"], raw["client"]


def _weight(sheet: Sheet, raw: Any, line: int) -> Weight | None:
    """One line of a severity."""
    if not sheet.mapping("severity", raw, _LINE, line, _LINE - {"is"}, _wrong_in_line):
        return None
    name, _, role = raw.get("for", "").partition(" ")
    releases = None
    if "releases" in raw:
        try:
            known = ruleset(name).releases
            releases = frozenset(r for span in raw["releases"] for r in expand(span, known))
        except RulesetError as error:
            sheet.error(sheet.lines[id(raw), "releases"], str(error))
    return Weight(
        severity=raw["is"],
        assumed=raw.get("assumed", ""),
        implementation=name,
        releases=releases,
        grade=raw.get("grade", ""),
        mesh={"": None, "mesh": True, "gateway": False}[role],
    )


def _wrong(key: str, value: Any) -> str:
    """What is wrong with a value of a rule."""
    if key == "severity":
        return (
            "" if value and isinstance(value, list) else f"severity: {shown(value)}; write a list"
        )
    if key == "measured":
        return "" if isinstance(value, list) else f"measured: {shown(value)}; write a list"
    if key == "references":
        good = value and isinstance(value, list) and all(map(_is_link, value))
        return "" if good else f"references: {shown(value)}; write a list of https:// links"
    return not_a_text(key, value)


def _wrong_in_line(key: str, value: Any) -> str:
    """What is wrong with a value of a line of a severity."""
    if key in ("is", "assumed"):
        known = ", ".join(SEVERITIES)
        return "" if value in SEVERITIES else f"{key}: {shown(value)}; write one of {known}"
    if key == "for":
        name, _, role = str(value).partition(" ")
        is_known = name in implementations() and role in ("", "mesh", "gateway")
        return "" if is_known else f"for: {shown(value)}; write an implementation, or `istio mesh`"
    if key == "releases":
        good = value and isinstance(value, list) and all(isinstance(v, str) for v in value)
        return "" if good else f"releases: {shown(value)}; write a list of ranges"
    return not_a_text(key, value)


def _is_link(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("https://")
