"""`check`: every check on one cluster's manifests, weighed by the catalogue, in order of place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from protocol_analysis.findings import (
    certificates,
    listening,
    names,
    owned,
    ports,
    routes,
    rules_of_routes,
    sharing,
    traffic,
)
from protocol_analysis.findings.catalogue import SEVERITIES, catalogue
from protocol_analysis.findings.finding import Finding, Found
from protocol_analysis.findings.subject import Check, Subject
from protocol_analysis.model import Inventory
from protocol_analysis.readers import Reader
from protocol_analysis.releases import RulesetError

CHECKS: Mapping[str, Check] = {
    **ports.CHECKS,
    **names.CHECKS,
    **owned.CHECKS,
    **routes.CHECKS,
    **certificates.CHECKS,
    **rules_of_routes.CHECKS,
    **sharing.CHECKS,
    **listening.CHECKS,
    **traffic.CHECKS,
}


def check(
    inventory: Inventory,
    implementation: str = "envoy-gateway",
    release: str | None = None,
    meshes: Sequence[Reader | str] = (),
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
) -> list[Finding]:
    """What is wrong in these manifests for their readers, by file and line.

    `meshes` are declared; others are told by the labels and annotations of Services' pods, at a
    release that is assumed. `select` and `ignore` are codes, or their beginnings (`AP01`). Raises
    RulesetError for a code that is not known, and as `resolve` does.

    >>> from protocol_analysis.manifests import load
    >>> found = check(load("data/sample"), release="1.8", select=["AP003"])
    >>> found[0].code, found[0].severity
    ('AP003', 'warning')
    """
    chosen = codes(select, ignore)
    subject = Subject(inventory, implementation, release, meshes)
    found = (
        each
        for code in chosen
        if code in CHECKS
        for each in weighed(code, subject.found(CHECKS[code]), subject.reader)
    )
    return sorted(dict.fromkeys(found), key=_place)


def codes(select: Iterable[str] = (), ignore: Iterable[str] = ()) -> list[str]:
    """The codes that are checked. Raises RulesetError for one that is not known.

    >>> codes(["AP00"], ["AP001"])[0]
    'AP002'
    """
    wanted, unwanted = tuple(select), tuple(ignore)
    for code in (*wanted, *unwanted):
        if not any(known.startswith(code) for known in catalogue()) or not code:
            raise RulesetError(f"{code!r} is no rule; known are {', '.join(catalogue())}")
    return [
        code
        for code in catalogue()
        if code.startswith(wanted or "") and not (unwanted and code.startswith(unwanted))
    ]


def weighed(code: str, founds: Iterable[Found], reader: Reader) -> Iterator[Finding]:
    """What a check found, where the catalogue says that it matters to its reader.

    >>> list(weighed("AP003", [], Reader(implementation="istio", release="1.26")))
    []
    """
    rule = catalogue()[code]
    for found in founds:
        by = found.by or reader
        if severity := rule.severity(by, found.grade, assumed=found.assumed):
            yield Finding(
                rule=rule,
                severity=severity,
                meta=found.meta,
                position=found.position,
                message=found.message,
                remedy=found.remedy or rule.remedy,
                by=by,
                key=found.key,
            )


def _place(finding: Finding) -> tuple[object, ...]:
    at = finding.position
    worst = SEVERITIES.index(finding.severity)
    return (at.file, at.document, at.line, at.column, worst, finding.code, str(finding.by))
