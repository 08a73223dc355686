"""Findings → workflow commands, which GitHub shows as annotations beside the lines of a change.

What a manifest says can begin no command and leave no property: its line breaks and other control
characters are shown as what they are. Of a file's name a line break is escaped as the runner reads
it back, and so is the one before the remedy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from protocol_analysis.findings.finding import Finding
from protocol_analysis.findings.suppressing import seen_from
from protocol_analysis.formats import printable
from protocol_analysis.model import Position, Problem

_COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}
_IN_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_IN_PROPERTIES = {**_IN_DATA, ":": "%3A", ",": "%2C"}


def github(
    findings: Iterable[Finding], unreadable: Iterable[Problem] = (), root: Path = Path()
) -> str:
    """A line for each finding, and for each input that could not be read.

    Paths are seen from `root`, the folder that was checked out. A finding that is suppressed is a
    notice, whatever its severity.

    >>> github([])
    ''
    """
    return "\n".join([*_lines(findings, root), *(_unread(each, root) for each in unreadable)])


def _lines(findings: Iterable[Finding], root: Path) -> Iterator[str]:
    for finding in findings:
        title = f"{finding.code} {finding.rule.title}"
        text = f"{printable(finding.message)}\nremedy: {printable(finding.remedy)}"
        command = _COMMANDS[finding.severity]
        if finding.suppressed:
            command = "notice"
            title += f" (suppressed: {finding.suppressed.reason})"
        yield _command(command, finding.position, title, text, root)


def _unread(problem: Problem, root: Path) -> str:
    reason = printable(problem.reason)
    return _command("error", problem.position, "could not be read", reason, root)


def _command(command: str, at: Position, title: str, text: str, root: Path) -> str:
    file = seen_from(root, at.file)
    named = {"file": file, "line": str(at.line), "col": str(at.column), "title": printable(title)}
    properties = ",".join(f"{key}={_escaped(of, _IN_PROPERTIES)}" for key, of in named.items())
    return f"::{command} {properties}::{_escaped(text, _IN_DATA)}"


def _escaped(text: str, table: dict[str, str]) -> str:
    r"""A text as the runner reads it back.

    >>> _escaped("50 %\n::error::", _IN_DATA), _escaped("a,b:c\x1b", _IN_PROPERTIES)
    ('50 %25%0A::error::', 'a%2Cb%3Ac\\x1b')
    """
    whole = re.compile("[" + re.escape("".join(table)) + "]")
    return printable(whole.sub(lambda found: table[found[0]], text))
