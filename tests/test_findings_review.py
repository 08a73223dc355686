"""The errors on real manifests are those that were looked at by hand, and no others."""

from __future__ import annotations

import re

import pytest

from protocol_analysis import load
from protocol_analysis.findings.checking import check
from tests.support import ROOT, SHARED, needs_shared

REVIEW = ROOT / "docs" / "findings-review.md"
RELEASES = ("v1.9.0", "v1.8.3", "v1.6.1", "v1.3.3")
ROW = re.compile(r"\| (AP\d+) \| `([^`]+)` `([^`]+)` \| ([v0-9. ]+) \| (right|false): .+ \|")
Rows = dict[tuple[str, str], tuple[str, ...]]


def reviewed() -> tuple[Rows, list[str]]:
    """Code and place of each row, with its releases; and the verdicts."""
    rows = ROW.findall(REVIEW.read_text(encoding="utf-8"))
    found = {(code, f"{repo} {place}"): tuple(at.split()) for code, repo, place, at, _ in rows}
    return found, [verdict for *_, verdict in rows]


def test_few_are_judged_false() -> None:
    rows, verdicts = reviewed()
    assert rows
    assert verdicts.count("false") / len(verdicts) < 0.05


@needs_shared
@pytest.mark.slow
def test_all_errors_were_looked_at() -> None:
    folder = SHARED / "real" / "manifests"
    inventory = load(folder)
    found: dict[tuple[str, str], list[str]] = {}
    for release in RELEASES:
        for finding in check(inventory, release=release):
            if finding.severity == "error":
                file = finding.position.file.partition("real/manifests/")[2]
                repository, _, path = file.partition("/")
                place = f"{repository.replace('__', '/', 1)} {path}:{finding.position.line}"
                at = found.setdefault((finding.code, place), [])
                at += [] if release in at else [release]
    assert {key: tuple(at) for key, at in found.items()} == reviewed()[0]
