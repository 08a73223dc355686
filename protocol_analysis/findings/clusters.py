"""Checks of several clusters together: what becomes of an exported value elsewhere.

Each takes all clusters, since no manifest of one of them shows the fault. A code's own check of one
cluster, where it has one, says what is wrong there alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from protocol_analysis.findings.finding import Found
from protocol_analysis.multicluster.disagreeing import Disagreement, kinds
from protocol_analysis.multicluster.propagation import propagation
from protocol_analysis.readers import Reader
from protocol_analysis.reading import Cluster

ClusterCheck = Callable[[Sequence[Cluster]], Iterator[Found]]


def lost_on_import(clusters: Sequence[Cluster]) -> Iterator[Found]:
    """A value that is exported and not on the import, or that is not read there.

    >>> list(lost_on_import([]))
    []
    """
    return _of_code("AP019", clusters)


def exports_that_differ(clusters: Sequence[Cluster]) -> Iterator[Found]:
    """A port that several clusters export and do not declare alike: the oldest speaks for all.

    >>> list(exports_that_differ([]))
    []
    """
    return _of_code("AP020", clusters)


def _of_code(code: str, clusters: Sequence[Cluster]) -> Iterator[Found]:
    for row in propagation(clusters):
        for fault in row.faults:
            if fault.kind.rule == code:
                yield _found(fault, row.reader)


def _found(fault: Disagreement, by: Reader) -> Found:
    says = fault.found or "nothing"
    wanted = f"; {fault.winner} declares {fault.wanted or 'nothing'}" if fault.winner else ""
    return Found(
        meta=fault.object,
        position=fault.position,
        message=f"{fault.field} of port {fault.port} is {says}{wanted}: {fault.why}; {fault.meets}",
        by=by,
        grade=fault.severity,
        remedy=kinds()[fault.kind.kind].remedy,
        key=f"{fault.kind.kind} {fault.port} {fault.field}",
    )


CLUSTER_CHECKS: Mapping[str, ClusterCheck] = {
    "AP019": lost_on_import,
    "AP020": exports_that_differ,
}
