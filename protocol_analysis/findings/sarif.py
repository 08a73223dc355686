"""Findings → SARIF 2.1.0, the format of code scanning: one run for all inputs.

Fingerprints stay where lines move. Files below the root are named relative to it, as code scanning
wants them; others as file: URIs. Columns count characters, as positions do.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from protocol_analysis.findings.catalogue import Rule, catalogue
from protocol_analysis.findings.finding import Finding, running
from protocol_analysis.findings.pages import page
from protocol_analysis.findings.suppressing import seen_from
from protocol_analysis.formats import printable
from protocol_analysis.model import Position, Problem

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_PROBLEM = {"error": "error", "warning": "warning", "info": "recommendation"}
_FINGERPRINT = "protocolAnalysis/v1"
# In a message, [text](target) is a link, and a backslash makes a bracket or a backslash text.
_MARKUP = re.compile(r"[\\\[\]]")


def sarif(
    findings: Sequence[Finding],
    codes: Iterable[str],
    version: str,
    unreadable: Iterable[Problem] = (),
    root: Path = Path(),
) -> str:
    """The log of the findings of these codes, as JSON in ASCII.

    >>> json.loads(sarif([], ["AP003"], "0.1.0"))["runs"][0]["results"]
    []
    """
    rules = [catalogue()[code] for code in codes]
    at = {rule.code: index for index, rule in enumerate(rules)}
    numbers = running(finding.fingerprint for finding in findings)
    notes = [_note(problem, root) for problem in unreadable]
    driver = {
        "name": "protocol-analysis",
        "version": version,
        "semanticVersion": version,
        "rules": [_rule(rule) for rule in rules],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": not notes, "toolExecutionNotifications": notes}],
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(finding, at[finding.code], _print(finding, number), root)
            for finding, number in zip(findings, numbers, strict=True)
        ],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(rule: Rule) -> Mapping[str, Any]:
    return {
        "id": rule.code,
        "name": rule.code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.meaning},
        "help": {"text": f"{rule.meaning}\n{rule.remedy}", "markdown": page(rule)},
        "helpUri": rule.references[0],
        "defaultConfiguration": {"level": _LEVELS[rule.worst]},
        "properties": {"problem.severity": _PROBLEM[rule.worst], "references": [*rule.references]},
    }


def _print(finding: Finding, number: int) -> str:
    """A fingerprint that no other result has: code scanning takes what is alike for one."""
    return finding.fingerprint if number == 1 else f"{finding.fingerprint}:{number}"


def _result(finding: Finding, index: int, known_by: str, root: Path) -> Mapping[str, Any]:
    why = finding.suppressed
    suppressions = [
        {
            "kind": "inSource" if why.by == "annotation" else "external",
            "justification": printable(why.reason),
            "location": _location(why.position, root),
        }
    ] if why else []  # fmt: skip
    return {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": _text(finding.message, f"remedy: {finding.remedy}")},
        "locations": [
            {
                **_location(finding.position, root),
                "logicalLocations": [
                    {
                        "name": printable(finding.meta.name),
                        "fullyQualifiedName": printable(str(finding.meta)),
                        "kind": "resource",
                    }
                ],
            }
        ],
        "partialFingerprints": {_FINGERPRINT: known_by},
        "suppressions": suppressions,
        "properties": {
            "reader": printable(str(finding.by)),
            "cluster": printable(finding.meta.cluster or ""),
        },
    }


def _note(problem: Problem, root: Path) -> Mapping[str, Any]:
    """An input that could not be read."""
    return {
        "level": "error",
        "message": {"text": _text(problem.reason)},
        "locations": [_location(problem.position, root)],
    }


def _location(at: Position, root: Path) -> dict[str, Any]:
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": uri(at.file, root)},
            "region": {"startLine": at.line, "startColumn": at.column},
        }
    }


def uri(file: str, root: Path = Path()) -> str:
    """A file as a URI: relative where it is below the root, and nothing of it has a meaning there.

    >>> uri("deploy/a b#1.yaml"), uri("/srv/a.yaml")
    ('deploy/a%20b%231.yaml', 'file:///srv/a.yaml')
    """
    whole = os.path.abspath(file)  # noqa: PTH100 - a link is not followed
    seen = seen_from(root, whole)
    path = quote(os.fsencode(seen), safe="/")
    return f"file://{path}" if seen == whole else path


def _text(*lines: str) -> str:
    r"""A message of some lines: no link, no line break and no control character of a manifest's.

    >>> _text(r"\[a](b)"), _text(r"[a] \(b)", "c")
    ('\\\\\\[a\\](b)', '[a] \\(b)\nc')
    """
    text = "\n".join(map(printable, lines))
    # Without a link nothing is escaped: not every viewer takes the backslashes away.
    return _MARKUP.sub(r"\\\g<0>", text) if "](" in text else text
