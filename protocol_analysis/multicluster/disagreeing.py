"""How clusters disagree about an exported port: the kind, the place, who wins and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from protocol_analysis.model import Meta, Position
from protocol_analysis.readings import word_of
from protocol_analysis.releases import RulesetError
from protocol_analysis.resolution import Resolution
from protocol_analysis.sheets import rows_of

SEVERITIES = ("error", "warning")
_OPEN = {"auto", "client", "differs", "unknown"}
_KEYS = {"kind", "rule", "title", "remedy", "source"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One row of `kinds.yaml`. `rule` is a code of the catalogue of findings, or none."""

    kind: str
    title: str
    remedy: str
    source: str
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """One fault: which field of which object, where; what it says, what it should, who says so.

    `winner` is the cluster whose export speaks for all, "" where there is none. `meets` is what a
    request meets.
    """

    kind: Kind
    severity: str
    cluster: str
    object: Meta
    position: Position
    port: str
    field: str
    found: str | None
    wanted: str | None
    winner: str
    why: str
    meets: str

    def as_dict(self) -> dict[str, Any]:
        """What a `propagation` row has of it."""
        meta = self.object
        return {
            "kind": self.kind.kind,
            "severity": self.severity,
            "code": self.kind.rule or None,
            "object": {"kind": meta.kind, "namespace": meta.namespace, "name": meta.name},
            "port": self.port,
            "field": self.field,
            "found": self.found,
            "wanted": self.wanted,
            "winner": self.winner or None,
            "why": self.why,
            "meets": self.meets,
            "remedy": self.kind.remedy,
            "source": self.kind.source,
            "position": self.position.as_dict(),
        }


@cache
def kinds() -> Mapping[str, Kind]:
    """All kinds by name. Raises RulesetError where the file is wrong.

    >>> kinds()["dead import"].rule
    'AP019'
    """
    file = resources.files("protocol_analysis") / "multicluster" / "kinds.yaml"
    rows = rows_of(file.read_text(encoding="utf-8"), file.name, _KEYS, {"rule"}, what="kind")
    found = {raw["kind"]: Kind(**raw) for raw in rows}
    if len(found) < len(rows):
        raise RulesetError(f"{file.name}: a kind stands twice")
    return found


def clash(here: str, meant: str) -> bool:
    """Whether two wires surely differ: not where ALPN or the client decides, unless by TLS.

    >>> clash("http/1.1", "h2"), clash("http/1.1+tls", "auto+tls"), clash("h2", "h2+tls")
    (True, False, True)
    """
    words, tls = zip(*(each.partition("+")[::2] for each in (here, meant)), strict=True)
    return tls[0] != tls[1] or (words[0] != words[1] and not _OPEN.intersection(words))


def judged(
    fault: Disagreement, answers: Sequence[Resolution], wire: str, spoken: str
) -> Disagreement:
    """A fault with its severity and what a request meets, by the references that lead there.

    `wire` is what is spoken to the port where it was declared, `spoken` what here. An error is a
    reference that is surely spoken something else; a GRPCRoute may be right in spite of all.
    """
    wrong = [answer for answer in answers if word_of(answer) != wire]
    if wrong:
        first, more = wrong[0], len(wrong) - 1
        others = f" and {more} more" if more else ""
        meets = f"{first.route}{others}: {word_of(first)} is spoken where {wire} is meant"
    elif answers:
        meets = f"nothing: {answers[0].route} speaks {wire} all the same"
    elif spoken == wire:
        meets = f"nothing: {wire} is spoken on both sides"
    else:
        meets = f"no reference leads there today; {spoken} would be spoken where {wire} is meant"
    sure = any(clash(word_of(answer), wire) for answer in wrong)
    return replace(fault, severity="error" if sure else "warning", meets=meets)


def worst(faults: Sequence[Disagreement]) -> str:
    """The worst severity; "" where there is no fault.

    >>> worst([])
    ''
    """
    return min((fault.severity for fault in faults), key=SEVERITIES.index, default="")
