"""Checks of clusters together: what becomes of an exported value on imports.

Mostly no manifest of one of them shows the fault; where a cluster exports and imports, its own do.
What a code's own check of one cluster says already is not said twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from protocol_analysis.findings.checking import weighed
from protocol_analysis.findings.finding import Finding, Found
from protocol_analysis.multicluster.disagreeing import Disagreement, kinds
from protocol_analysis.multicluster.propagation import propagation
from protocol_analysis.readers import Reader
from protocol_analysis.reading import Cluster


def codes_of_clusters() -> tuple[str, ...]:
    """Those codes of the catalogue to which kinds of disagreement belong.

    >>> codes_of_clusters()
    ('AP019', 'AP020')
    """
    return tuple(sorted({kind.rule for kind in kinds().values() if kind.rule}))


def across(
    clusters: Sequence[Cluster], codes: Collection[str], known: Sequence[Finding] = ()
) -> Iterator[Finding]:
    """How clusters disagree about what they export, as findings of these codes.

    `known` is what was found in each cluster by itself.

    >>> list(across([], ["AP020"]))
    []
    """
    if not set(codes_of_clusters()).intersection(codes):
        return
    places = {(each.code, each.position) for each in known}
    for row in propagation(clusters):
        for fault in row.faults:
            code = fault.kind.rule
            # In one cluster its own check judges how the right value is read.
            if len(clusters) == 1 and fault.found == fault.wanted:
                continue
            if code in codes and (code, fault.position) not in places:
                yield from weighed(code, [_found(fault, row.reader)], row.reader)


def _found(fault: Disagreement, by: Reader) -> Found:
    met = fault.meets.removeprefix("nothing: ")
    wanted = f"; {fault.winner} declares {fault.wanted or 'nothing'}" if fault.winner else ""
    return Found(
        meta=fault.object,
        position=fault.position,
        message=f"{_said(fault)}{wanted}: {fault.why}; {met}",
        by=by,
        grade=fault.severity,
        remedy=kinds()[fault.kind.kind].remedy,
        key=f"{fault.kind.kind} {fault.port} {fault.field}",
    )


def _said(fault: Disagreement) -> str:
    """What an object says: of a field of a port, of the whole, or of a port that is not common."""
    if fault.field == "port":
        return f"port {fault.port} is {'left out' if fault.found else 'missing'}"
    of_port = f" of port {fault.port}" if fault.port else ""
    return f"{fault.field}{of_port} is {fault.found or 'nothing'}"
