"""Findings and their catalogue → tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from protocol_analysis.findings.catalogue import SEVERITIES, Rule, catalogue
from protocol_analysis.findings.finding import Finding
from protocol_analysis.tables.frames import frame, text

FINDING_COLUMNS = {
    "severity": "string",  # error, warning, info
    "code": "string",
    "cluster": "string",
    "kind": "string",
    "namespace": "string",
    "name": "string",
    "message": "string",
    "remedy": "string",
    "reader": "string",  # whom it is about: envoy-gateway@v1.8.3
    "file": "string",
    "line": "int64",
    "column": "int64",
    "suppressed": "string",  # the reason, "" where it counts
    "fingerprint": "string",  # stays where lines move
}
RULE_COLUMNS = {
    "code": "string",
    "severity": "string",  # at worst
    "title": "string",
    "meaning": "string",
    "remedy": "string",
    "references": "string",  # links, with blanks between
}


def findings_table(rows: Iterable[Finding]) -> pd.DataFrame:
    """One line per finding, the worst first; columns as in `FINDING_COLUMNS`.

    Among equals those that count come before those that are suppressed, then by place.

    >>> findings_table([]).empty
    True
    """
    return frame(
        (
            (
                f.severity,
                f.code,
                text(f.meta.cluster),
                f.meta.kind,
                f.meta.namespace,
                f.meta.name,
                f.message,
                f.remedy,
                str(f.by),
                f.position.file,
                f.position.line,
                f.position.column,
                f.suppressed.reason if f.suppressed else "",
                f.fingerprint,
            )
            for f in sorted(rows, key=_rank)
        ),
        FINDING_COLUMNS,
    )


def finding_counts(findings: pd.DataFrame) -> pd.DataFrame:
    """How many findings of a `findings_table` count, by code and severity; the worst codes first.

    A line per code with its title, a column per severity and `total`.

    >>> finding_counts(findings_table([])).columns.to_list()
    ['error', 'warning', 'info', 'total']
    """
    live = findings[findings["suppressed"] == ""]
    counts = pd.crosstab(live["code"], live["severity"]).reindex(
        columns=[*SEVERITIES], fill_value=0
    )
    counts = counts.sort_values([*SEVERITIES], ascending=False, kind="stable").astype("int64")
    counts.index = pd.Index(
        [f"{code} {catalogue()[code].title}" for code in counts.index], name="rule", dtype="string"
    )
    counts.columns = pd.Index([*SEVERITIES])
    return counts.assign(total=counts.sum(axis=1))


def new_findings(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """The lines of a second `findings_table` that have none alike in the first, by fingerprint.

    >>> new_findings(findings_table([]), findings_table([])).empty
    True
    """
    return after[~after["fingerprint"].isin(before["fingerprint"])]


def _rank(finding: Finding) -> tuple[object, ...]:
    severity = SEVERITIES.index(finding.severity)
    return (severity, finding.suppressed is not None, finding.position, finding.code)


def rules_table(rules: Sequence[Rule]) -> pd.DataFrame:
    """One line per rule, as the catalogue has them; columns as in `RULE_COLUMNS`.

    >>> rules_table([]).empty
    True
    """
    return frame(
        ((r.code, r.worst, r.title, r.meaning, r.remedy, " ".join(r.references)) for r in rules),
        RULE_COLUMNS,
    )
