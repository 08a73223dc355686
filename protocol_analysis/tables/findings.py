"""Findings and their catalogue → tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from protocol_analysis.findings.catalogue import SEVERITIES, Rule
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
