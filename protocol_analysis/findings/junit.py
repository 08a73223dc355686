"""Findings → JUnit's XML, which most CI systems show as tests.

A suite for each file with a test for each of its findings: one that fails is a failure, one that is
suppressed is skipped, and one that is less than `fail_on` passes and says so. Each code that
found nothing is a test that passes, so that an empty report never looks like no report; what
could not be read is an error.

Written with Python's own XML: junitparser 5.0 lets control characters through, which no reader of
XML accepts, and counts the skipped where the schema has no such attribute.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from xml.etree import ElementTree as ET

from protocol_analysis.findings.catalogue import catalogue
from protocol_analysis.findings.finding import Finding, running
from protocol_analysis.formats import printable
from protocol_analysis.model import Problem

_NOT_XML = re.compile("[\ufffe\uffff]")


def junit(
    findings: Sequence[Finding],
    codes: Iterable[str],
    unreadable: Iterable[Problem] = (),
    fail_on: str = "error",
) -> str:
    """The XML of the findings of these codes; ASCII, so that no terminal's encoding matters.

    >>> junit([], ["AP003"]).count("<testcase")
    1
    """
    files: dict[str, list[ET.Element]] = {}
    names = [_name(finding) for finding in findings]
    for finding, name, number in zip(findings, names, running(names), strict=True):
        case = _case(finding, name if number == 1 else f"{name} ({number})", fail_on)
        files.setdefault(finding.position.file, []).append(case)
    for problem in unreadable:
        case = _element("testcase", name=f"read {problem.position}", classname="input")
        _said(case, "error", "could not be read", problem.reason, str(problem))
        files.setdefault(problem.position.file, []).append(case)
    found = {finding.code for finding in findings}
    silent = [
        _element("testcase", name=f"{code} {catalogue()[code].title}", classname=code)
        for code in codes
        if code not in found
    ]
    suites = [_suite(name, cases) for name, cases in files.items()]
    suites += [_suite("codes that found nothing", silent)] if silent else []
    top = _element("testsuites", name="protocol-analysis", **_sums(suites))
    top.extend(suites)
    ET.indent(top)
    text: bytes = ET.tostring(top, encoding="us-ascii", xml_declaration=True)
    return text.decode("ascii")


def _name(finding: Finding) -> str:
    """Without lines and indexes, which move: a test keeps its history."""
    return f"{finding.code} {finding.meta} {finding.key} for {finding.by.name}".replace("  ", " ")


def _case(finding: Finding, name: str, fail_on: str) -> ET.Element:
    case = _element("testcase", name=name, classname=finding.code)
    told = f"{finding.severity} at {finding.position}: {finding.message}"
    lines = (told, finding.remedy)
    if finding.suppressed:
        _said(case, "skipped", finding.suppressed.by, finding.suppressed.reason, *lines)
    elif finding.fails(fail_on):
        _said(case, "failure", finding.severity, finding.message, *lines)
    else:
        ET.SubElement(case, "system-out").text = _shown(*lines)
    return case


def _said(case: ET.Element, tag: str, type_: str, message: str, *lines: str) -> None:
    said = _element(tag, type=type_, message=message)
    said.text = _shown(*lines)
    case.append(said)


def _suite(name: str, cases: Sequence[ET.Element]) -> ET.Element:
    tags = ("failure", "error", "skipped")
    failures, errors, skipped = (sum(c.find(tag) is not None for c in cases) for tag in tags)
    counts = {"tests": len(cases), "failures": failures, "errors": errors, "skipped": skipped}
    suite = _element("testsuite", name=name, **{key: str(n) for key, n in counts.items()})
    suite.extend(cases)
    return suite


def _sums(suites: Sequence[ET.Element]) -> Mapping[str, str]:
    names = ("tests", "failures", "errors")
    return {name: str(sum(int(suite.get(name, "0")) for suite in suites)) for name in names}


def _element(tag: str, **attributes: str) -> ET.Element:
    return ET.Element(tag, {name: _shown(value) for name, value in attributes.items()})


def _shown(*lines: str) -> str:
    """Lines of characters that XML may hold, with no line break of a manifest's in them."""
    text = "\n".join(map(printable, lines))
    return _NOT_XML.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
