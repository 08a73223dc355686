"""Which protocol the workload behind a port probably serves: suggestions, never a decision. Pure.

Every suggestion has its evidence, clue by clue with its position and source, and the confidence
that measurement allows: the lower bound of the best clue's precision (see `measuring`). Clues that
agree are not multiplied, since they are not independent: who names a port grpc also puts a
GRPCRoute before it. Where clues contradict one another nothing is suggested, and all are named.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from protocol_analysis.clues import Fact, protocols
from protocol_analysis.coverage import readable
from protocol_analysis.evidence import Evidence, evidence
from protocol_analysis.measuring import meaning, measured, together
from protocol_analysis.model import Inventory, Meta, ServicePort
from protocol_analysis.portability import value_words
from protocol_analysis.readers import Reader
from protocol_analysis.reading import Read
from protocol_analysis.rules import ruleset

READER = "envoy-gateway"
# From which lower bound on a suggestion is trusted so far.
GRADES = {"high": 0.8, "medium": 0.5, "low": 0.0}
NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """What clues say of one port. `implied` is None where they contradict one another.

    `value` is the appProtocol that says so and that the release reads, or None. `confidence` is a
    lower bound, 0 to 1, or None where none of the clues ever met a port that declares a value.
    """

    meta: Meta
    port: ServicePort
    evidence: tuple[Evidence, ...]
    implied: Fact | None
    value: str | None
    confidence: float | None

    @property
    def contradictory(self) -> tuple[str, ...]:
        """What the clues imply, where it cannot all be true; else nothing."""
        if self.implied:
            return ()
        words = list(protocols())
        facts = sorted({each.fact for each in self.evidence}, key=lambda f: words.index(f.word))
        return tuple(dict.fromkeys(map(str, facts)))

    @property
    def grade(self) -> str:
        """The confidence in a word: high, medium, low, not measured; "" without a suggestion."""
        if self.implied is None:
            return ""
        if self.confidence is None:
            return NOT_MEASURED
        return next(grade for grade, least in GRADES.items() if self.confidence >= least)

    @property
    def agrees(self) -> bool | None:
        """Whether what is declared fits; None where nothing is, or where nobody can tell."""
        meant = meaning(self.port.app_protocol)
        return meant.fits(self.implied) if meant and self.implied else None

    def as_dict(self) -> dict[str, Any]:
        """The row."""
        implied = self.implied
        return {
            "cluster": self.meta.cluster,
            "kind": self.meta.kind,
            "namespace": self.meta.namespace,
            "name": self.meta.name,
            "port": self.port.number,
            "portName": self.port.name,
            "appProtocol": self.port.app_protocol,
            "suggested": {"protocol": implied.word, "tls": implied.tls} if implied else None,
            "value": self.value,
            "agrees": self.agrees,
            "confidence": self.confidence,
            "grade": self.grade or None,
            "contradictory": list(self.contradictory),
            "evidence": [each.as_dict() for each in self.evidence],
            "declaredAt": self.port.where.as_dict(),
        }


def suggestions(of: Read | Inventory, release: str | None = None) -> list[Suggestion]:
    """One per port of a Service or ServiceImport of which a clue speaks, declared or not, in order.

    `release` of Envoy Gateway is the one whose values are suggested: by default that of each
    cluster, where Envoy Gateway reads it, else the newest final one. Raises RulesetError for one
    that is not known.

    >>> from protocol_analysis.manifests import load
    >>> row = suggestions(load("data/sample/east/recommendations.yaml"))[0]
    >>> str(row.implied), row.value, [each.clue.id for each in row.evidence]
    ('grpc', 'kubernetes.io/h2c', ['name-istio', 'probe-grpc', 'route-grpc'])
    """
    if isinstance(of, Read):
        return [
            row
            for cluster in of.clusters
            for row in suggestions(
                cluster.inventory,
                release or (cluster.release if cluster.implementation == READER else None),
            )
        ]
    picked, _ = ruleset(READER).pick(release)
    return [
        _suggestion(service.meta, port, found, picked)
        for service, port, found in evidence(of)
        if found
    ]


def _suggestion(
    meta: Meta, port: ServicePort, found: tuple[Evidence, ...], release: str
) -> Suggestion:
    implied = together(found)
    known = [measured().get((each.clue.id, str(each.fact))) for each in found]
    bounds = [row.interval[0] for row in known if row and row.speaks_once]
    return Suggestion(
        meta=meta,
        port=port,
        evidence=found,
        implied=implied,
        value=_value(implied, meta.kind, release) if implied else None,
        confidence=max(bounds, default=None) if implied else None,
    )


@cache
def _value(implied: Fact, kind: str, release: str) -> str | None:
    """The first value that says what is implied, is read, and is spoken so. None: there is none."""
    read = readable(ruleset(READER).at(release), kind)
    reader = Reader(implementation=READER, release=release)
    for value in protocols()[implied.word].values:
        meant = meaning(value)
        if value in read and meant and meant.fits(implied):
            spoken, _, tls = value_words(value, reader, kind)[0].partition("+")
            if spoken == implied.upstream and implied.tls in (None, bool(tls)):
                return value
    return None
