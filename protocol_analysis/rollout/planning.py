"""A plan: every use of `grpc`, what is decided for it under a proposal, and in which wave. Pure.

A plan is relative to a design: under `keep` there is nothing to do, under `keep-on-service` only
imports are concerned. What a release that is asked about goes on reading is left alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from protocol_analysis.model import Inventory, Position
from protocol_analysis.proposals import Proposal, asked, named, proposal, shipped
from protocol_analysis.readers import Reader, base_of, reader, reader_of
from protocol_analysis.reading import Cluster
from protocol_analysis.readings import word_of
from protocol_analysis.releases import RulesetError
from protocol_analysis.rollout.census import COSTLY, census
from protocol_analysis.rollout.deciding import DECISIONS, Planned, decisions
from protocol_analysis.rollout.facts import VALUE
from protocol_analysis.rollout.floors import heard
from protocol_analysis.rollout.timeline import retimed
from protocol_analysis.rollout.waves import Wave, waves, with_waves

TO = "remove"  # what is planned for by default
_NOT_HERE = ("change the owner", "GRPCRoute", "gateway-only Service", "blocked")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Rows in the order of clusters and positions, and the waves that they are in.

    `later` are the readers that are planned for: the phases of `proposal`, or a release.
    """

    clusters: tuple[Cluster, ...]
    later: tuple[Reader, ...]
    proposal: Proposal | None
    meshes: tuple[str, ...]
    rows: tuple[Planned, ...]
    waves: tuple[Wave, ...]

    @property
    def design(self) -> str:
        """What is planned for: `remove`, or a release."""
        return self.proposal.name if self.proposal else str(self.later[-1])

    @cached_property
    def alike(self) -> str:
        """The proposal of the package that it is like, by what its last phase stops reading."""
        if self.proposal is None:
            return "keep"
        base, last = self.proposal.base, self.later[-1]
        for kind, name in (("Service", "remove"), ("ServiceImport", "keep-on-service")):
            words = [word_of(heard(by, kind, VALUE)) for by in (base, last)]
            if words[0] != words[1]:
                return name
        return self.proposal.name if self.proposal.name in shipped() else "keep"

    def of(self, decision: str) -> list[Planned]:
        """The rows with one decision."""
        return [row for row in self.rows if row.decision == decision]

    @property
    def streaming_unknown(self) -> list[Planned]:
        """The rows that wait for somebody to say whether their calls stream."""
        return [row for row in self.rows if row.ask]


def plan(
    inventory: Inventory,
    implementation: str = "envoy-gateway",
    release: str | None = None,
    to: str = TO,
    meshes: Sequence[str] = (),
    calls: Mapping[str, str] | None = None,
) -> list[Planned]:
    """What to do about every use of `grpc` before a proposal, or a release, can come.

    Raises RulesetError for what is not known.

    >>> from protocol_analysis.manifests import load
    >>> [row.decision for row in plan(load("data/sample/east/catalog.yaml"))]
    ['rewrite']
    """
    by = reader_of(implementation, release)
    cluster = Cluster(
        name=None, inventory=inventory, implementation=by.implementation, release=by.release
    )
    return list(planned([cluster], to, meshes, calls).rows)


def planned(
    clusters: Sequence[Cluster],
    to: str | Proposal | Reader = TO,
    meshes: Sequence[str] = (),
    calls: Mapping[str, str] | None = None,
    canary: Collection[str] = (),
) -> Plan:
    """The plan for clusters, each with its own release.

    `to` is a proposal by its name or file (`remove@v1.12` ends with that phase), one that was
    read, or a release. `calls` says of `namespace/name` whether its calls stream, `canary` in
    which namespaces to begin.

    >>> from protocol_analysis.reading import read
    >>> found = planned(read("data/sample", "v1.8.3").clusters, "keep")
    >>> sorted({row.decision for row in found.rows})
    ['change the owner', 'correct', 'keep', 'never', 'nothing to migrate']
    """
    by, later = _later(design(to) if isinstance(to, str) else to)
    uses = census(clusters, later, meshes, calls)
    decided = decisions(clusters, uses, meshes)
    found = waves(decided, canary)
    return Plan(
        clusters=tuple(clusters),
        later=later,
        proposal=by,
        meshes=tuple(meshes),
        rows=tuple(with_waves(decided, found)),
        waves=tuple(found),
    )


def unsafe(found: Plan) -> dict[Position, str]:
    """Where a value is not to be rewritten by itself, and why, by the place where it is written.

    >>> from protocol_analysis.reading import read
    >>> clusters = read("data/sample/west/inventory.yaml").clusters
    >>> list(unsafe(planned(clusters, meshes=["kuma"])).values())
    ['kuma: h2 now, tcp then']
    """
    return {
        row.use.position: _why_not(row)
        for row in found.rows
        if row.decision in _NOT_HERE
        or (row.decision == "keep" and (row.needed or row.effect in COSTLY))
    }


def _why_not(row: Planned) -> str:
    """What a rewrite would cost, how to say that it does not, and what is done instead."""
    instead = "" if row.decision == "keep" else f"{row.decision}: {DECISIONS[row.decision]}"
    asked = "--unary or --calls says so" if row.ask or row.effect == "unknown" else ""
    return "; ".join(filter(None, ("; ".join(row.losses) or row.why, asked, instead)))


def design(to: str | Mapping[str, Any] | Proposal, between: int | None = None) -> Proposal | Reader:
    """What is planned for: a proposal by its name or file, as a mapping, as it is; or a release.

    `remove@v1.12` ends with that phase. `between` has a proposal's phases lie that many minor
    releases apart, from first to last. Raises RulesetError for what is not known.

    >>> str(design("1.8")), [phase.release for phase in design("remove@v1.12").phases]
    ('envoy-gateway@v1.8.3', ['v1.10.0', 'v1.12.0'])
    >>> [phase.release for phase in design("remove", 2).phases]
    ['v1.10.0', 'v1.11.0', 'v1.12.0']
    """
    if not isinstance(to, str):
        own = to if isinstance(to, Proposal) else proposal(to)
        return own if between is None else retimed(own, between)
    by = reader(named(to))
    if base_of(by.implementation) == by.implementation:
        if between is not None:
            raise RulesetError(f"{to} is a release, which has no phases to part")
        return by
    found, release = asked(to)
    if between is not None:
        found = retimed(found, between)
    until = found.phase(release).release if release else found.phases[-1].release
    order = found.ruleset.releases
    begun = [p for p in found.phases if order.index(p.release) <= order.index(until)]
    return replace(found, phases=tuple(begun))


def _later(to: Proposal | Reader) -> tuple[Proposal | None, tuple[Reader, ...]]:
    """The proposal, and the readers that are planned for, in order."""
    if isinstance(to, Reader):
        return None, (to,)
    return to, tuple(to.at(phase.release) for phase in to.phases)
