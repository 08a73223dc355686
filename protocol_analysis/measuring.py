"""How good clues are: measured on ports that declare what they serve, whatever the clues say. Pure.

A clue is right where what it implies and what the declared value means may both be true: the same
protocol on the wire, with or without TLS; where one of them says nothing of a thing, it does not
count against it. A value whose meaning nobody has said is not counted at all.

Golden files repeat one port dozens of times. So ports are counted twice: as they stand, and each
name, number and value once in a cluster (in a repository, where that was read as one). Precision
has an interval of the second count, so that 2 of 2 is not certainty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from math import sqrt
from typing import Any

from protocol_analysis.clues import Fact, clues, declared_values, protocols
from protocol_analysis.evidence import Evidence, evidence
from protocol_analysis.model import Inventory
from protocol_analysis.portability import meanings
from protocol_analysis.sheets import Sheet, not_a_text

ALL = "all together"
_Z = 1.959964  # of a normal distribution, 95 % lie within
_COUNTED = ("ports", "speaks", "right", "means")
Port = tuple[str | None, str, int | None, str | None, Fact]  # what tells it from others


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How often a clue was right that implies a protocol, or all of them together.

    `ports` declare a value whose meaning is known; of these the clue `speaks` of some and is
    `right` of some, and `means` declare what it implies. The same `once`: each name, number and
    value of a cluster once.
    """

    clue: str
    protocol: str
    ports: int = 0
    speaks: int = 0
    right: int = 0
    means: int = 0
    ports_once: int = 0
    speaks_once: int = 0
    right_once: int = 0
    means_once: int = 0

    @property
    def wrong(self) -> int:
        """Where it speaks and is not right."""
        return self.speaks - self.right

    @property
    def precision(self) -> float | None:
        """Of the ports it speaks of, the share it is right of; None where it never speaks."""
        return _share(self.right, self.speaks)

    @property
    def recall(self) -> float | None:
        """Of the ports that declare what it implies, the share it is right of."""
        return _share(self.right, self.means)

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval of the precision, 95 %, each port counted once.

        >>> Quality(clue="a", protocol="grpc", speaks_once=2, right_once=2).interval[0] < 0.35
        True

        Source: https://doi.org/10.1080/01621459.1927.10502953
        """
        return wilson(self.right_once, self.speaks_once)

    def as_dict(self) -> dict[str, Any]:
        """The row."""
        counts = {name: getattr(self, name) for name in ("ports", "speaks", "right", "wrong")}
        once = {f"{name}Once": getattr(self, f"{name}_once") for name in _COUNTED}
        shares = {"precision": self.precision, "recall": self.recall}
        low, high = self.interval
        named = {"clue": self.clue, "protocol": self.protocol or None}
        return {**named, **counts, "means": self.means, **once, **shares, "low": low, "high": high}


def quality(inventory: Inventory) -> list[Quality]:
    """Each clue and what it implies, in the order of `clues.yaml`, then all together.

    All together speak of a port where what they imply fits together; see `together`.

    >>> from protocol_analysis.manifests import load
    >>> row = quality(load("data/sample"))[0]
    >>> row.clue, row.protocol, row.right, row.speaks
    ('name-istio', 'grpc', 8, 8)
    """
    ports: list[Port] = []
    speaks: dict[tuple[str, str], list[tuple[Port, bool]]] = {}
    agreed = []
    for service, port, found in evidence(inventory):
        meant = meaning(port.app_protocol)
        if meant is None:
            continue
        once = (service.meta.cluster, port.name, port.number, port.app_protocol, meant)
        ports.append(once)
        for each in found:
            key = (each.clue.id, str(each.fact))
            speaks.setdefault(key, []).append((once, each.fact.fits(meant)))
        if said := together(found):
            agreed.append((once, said.fits(meant)))
    facts = {(clue.id, str(fact)): fact for clue in clues() for fact in clue.says.values()}
    means = {fact: [port for port in ports if fact.fits(port[-1])] for fact in facts.values()}
    rows = [_row(*key, ports, speaks.get(key, []), means[fact]) for key, fact in facts.items()]
    return [*rows, _row(ALL, "", ports, agreed, ports)]


def together(found: Iterable[Evidence]) -> Fact | None:
    """What evidence implies together: the most particular; None where there is none, or it clashes.

    >>> together(()) is None
    True
    """
    facts = [each.fact for each in found]
    if not facts or not all(one.fits(other) for one in facts for other in facts):
        return None
    words = list(protocols())
    word = max((fact.word for fact in facts), key=words.index)
    tls = next((fact.tls for fact in facts if fact.tls is not None), None)
    return Fact(word=word, upstream=protocols()[word].fact.upstream, tls=tls)


def meaning(value: str | None) -> Fact | None:
    """What a declared value means, in any case; None where nothing is declared, or known.

    >>> str(meaning("HTTPS").tls), meaning("acme.example/tunnel")
    ('True', None)
    """
    for name in (value, value.casefold() if value else None):
        if name in meanings():
            found = meanings()[str(name)]
            return Fact(word=found.value, upstream=found.upstream, tls=found.tls)
        if name in declared_values():
            return declared_values()[str(name)]
    return None


@cache
def measured() -> Mapping[tuple[str, str], Quality]:
    """What was measured on real manifests, by clue and what it implies: `clue_quality.yaml`."""
    file = resources.files("protocol_analysis") / "clue_quality.yaml"
    sheet = Sheet(file.name)
    top = sheet.document(file.read_text(encoding="utf-8"))
    counts = {field.name for field in fields(Quality)} - {"clue", "protocol"}
    rows = top["every port"]
    for at, raw in enumerate(rows):
        line = sheet.lines[id(rows), at]
        sheet.mapping("row", raw, {"clue", "protocol", *counts}, line, (), _count)
    sheet.stop()
    return {
        (raw["clue"], raw["protocol"]): Quality(
            clue=raw["clue"], protocol=raw["protocol"], **{name: int(raw[name]) for name in counts}
        )
        for raw in rows
    }


def wilson(right: int, of: int) -> tuple[float, float]:
    """Wilson's interval of a share, 95 %: where the true share lies, as far as so few can tell.

    >>> [round(bound, 2) for bound in wilson(2, 2)], wilson(0, 0)
    ([0.34, 1.0], (0.0, 1.0))
    """
    if not of:
        return 0.0, 1.0
    share, z2 = right / of, _Z * _Z / of
    middle = share + z2 / 2
    margin = _Z * sqrt(share * (1 - share) / of + z2 / (4 * of))
    low, high = ((middle + sign * margin) / (1 + z2) for sign in (-1, 1))
    return round(max(low, 0.0), 4), round(min(high, 1.0), 4)


def _row(
    clue: str, protocol: str, ports: list[Port], speaks: list[tuple[Port, bool]], means: list[Port]
) -> Quality:
    right = [port for port, is_right in speaks if is_right]
    return Quality(
        clue=clue,
        protocol=protocol,
        ports=len(ports),
        speaks=len(speaks),
        right=len(right),
        means=len(means),
        ports_once=len(set(ports)),
        speaks_once=len(set(speaks)),
        right_once=len(set(right)),
        means_once=len(set(means)),
    )


def _share(part: int, of: int) -> float | None:
    return round(part / of, 4) if of else None


def _count(key: str, value: Any) -> str:
    if key in ("clue", "protocol"):
        return not_a_text(key, value or "-")
    return "" if isinstance(value, str) and value.isdigit() else f"{key}: write a count in quotes"
