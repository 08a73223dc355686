"""The baseline: findings that were there when the checking began, so that only new ones fail.

It is what `check -o json` prints, a list of rows; their fingerprints are compared, how often each
stands there, and how bad it was: what has become worse is new. So lines may move, files be renamed
and messages be reworded. A row without a severity knows its finding however bad that is.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from protocol_analysis.findings.catalogue import SEVERITIES
from protocol_analysis.findings.finding import Finding, Suppressed
from protocol_analysis.findings.suppressing import text_of
from protocol_analysis.formats import render
from protocol_analysis.model import Position
from protocol_analysis.releases import RulesetError

_FINGERPRINT = re.compile(r"[0-9a-f]{32}")
_MADE_BY = "make it with `protocol-analysis check PATH --write-baseline FILE`"
# How often each finding was there, by code, fingerprint, and severity where the row has one.
Baseline = Mapping[tuple[str, ...], int]


def read_baseline(path: str | os.PathLike[str]) -> Baseline:
    """What a baseline knows. Raises RulesetError where it is none."""
    return parse_baseline(text_of(path), Path(path).as_posix())


def parse_baseline(text: str, name: str) -> Baseline:
    """The same of a text. Raises RulesetError.

    >>> parse_baseline("[]", "baseline.json")
    Counter()
    """
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"{name}:{error.lineno}"
        raise RulesetError(f"{where}: not JSON: {error.msg}; {_MADE_BY}") from None
    except (RecursionError, ValueError):
        raise RulesetError(f"{name}:1: nested too deep, or too long a number; {_MADE_BY}") from None
    if not isinstance(rows, list):
        raise RulesetError(f"{name}:1: no list of findings; {_MADE_BY}")
    return Counter(_known(row, at, name) for at, row in enumerate(rows, 1))


def _known(row: Any, at: int, name: str) -> tuple[str, ...]:
    code, found = (
        (row.get(key) for key in ("code", "fingerprint")) if isinstance(row, dict) else ("", "")
    )
    if not (isinstance(code, str) and isinstance(found, str) and _FINGERPRINT.fullmatch(found)):
        raise RulesetError(
            f"{name}:1: finding {at} of the list has no code and fingerprint; {_MADE_BY}"
        )
    severity = row.get("severity")
    return (code, found, severity) if severity in SEVERITIES else (code, found)


def mark_known(
    findings: Iterable[Finding], baseline: Baseline, name: str, codes: Iterable[str]
) -> tuple[list[Finding], int]:
    """The same findings, those of the baseline suppressed by it; how many of it were not found.

    `codes` are those that were checked. What is suppressed otherwise stays as it is.
    """
    left = Counter(baseline)
    why = Suppressed(
        by="baseline",
        reason="known in the baseline",
        position=Position(file=name, document=1, line=1, column=1),
    )
    marked = []
    for finding in findings:
        known = next((key for key in _covering(finding) if left[key] > 0), None)
        if known:
            left[known] -= 1
        is_free = known and finding.suppressed is None
        marked.append(replace(finding, suppressed=why) if is_free else finding)
    checked = set(codes)
    return marked, sum(count for (code, *_), count in left.items() if code in checked)


def _covering(finding: Finding) -> Iterator[tuple[str, ...]]:
    """What of a baseline knows a finding: as bad as it, then worse, then of no severity."""
    same = (finding.code, finding.fingerprint)
    for at in range(SEVERITIES.index(finding.severity), -1, -1):
        yield *same, SEVERITIES[at]
    yield same


def baseline_text(findings: Iterable[Finding]) -> str:
    r"""The baseline of findings: all but those that an annotation or a file suppresses.

    >>> baseline_text([])
    '[]\n'
    """
    rows = [
        {**finding.as_dict(), "suppressed": None}
        for finding in findings
        if finding.suppressed is None or finding.suppressed.by == "baseline"
    ]
    return render(rows, "json", {}, {}) + "\n"


def write_baseline(path: str | os.PathLike[str], findings: Iterable[Finding]) -> None:
    """Write a baseline. Raises RulesetError where the file cannot be written."""
    try:
        Path(path).write_text(baseline_text(findings), encoding="utf-8", newline="\n")
    except OSError as error:
        raise RulesetError(f"{path}: {error.strerror}; name a file that can be written") from None
