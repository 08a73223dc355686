"""`protocol-analysis proposal`: what a proposed behaviour is, as test cases, on the command line.

What makes them is loaded when the command runs, so that every other command starts as it did.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from protocol_analysis.arguments import USAGE, add_output, say, write
from protocol_analysis.formats import Columns, render
from protocol_analysis.proposals import named
from protocol_analysis.readers import reader

CASES: Columns = {
    "kind": lambda r: r["kind"],
    "route": lambda r: r["routeKind"],
    "appProtocol": lambda r: _declared(r["appProtocol"]),
    "protocol": lambda r: r["protocol"] if r["accepted"] else "not read",
    "HTTP/1.1": lambda r: "forced" if r["forceHTTP1"] else None,
    "upstream": lambda r: r["upstream"],
}
CASES_WIDE: Columns = {
    "row": lambda r: r["reasons"][0]["row"],
    "text": lambda r: r["reasons"][0]["text"],
    "source": lambda r: r["reasons"][0]["source"],
}
CASES_FIELDS = (
    *("kind", "routeKind", "appProtocol", "accepted", "protocol", "forceHTTP1", "upstream", "tls"),
    *("implementation", "release", "reasons"),
)


def _declared(value: Any) -> str | None:
    return ", ".join(value) if isinstance(value, list) else value


def add_proposal(commands: Any) -> None:
    """Register the command among others."""
    text = "a proposed behaviour, as the test cases that an implementation must pass"
    command = commands.add_parser("proposal", help=text, description=f"Print {text}.")
    inner = command.add_subparsers(required=True, metavar="WHAT")
    text = "its truth table; --fixtures and --to: the same as Envoy Gateway's translator inputs"
    cases = inner.add_parser("cases", help=text, description=f"Print {text}.")
    cases.add_argument(
        "proposal",
        metavar="FILE",
        help="a proposal's file, or keep, keep-on-service, remove, standardise, unify; @v1.12 "
        "behind it is one of its releases; a release that is out: what holds there",
    )
    how = cases.add_mutually_exclusive_group()
    how.add_argument("--fixtures", action="store_true", help="print the *.in.yaml and manifests")
    how.add_argument("--to", metavar="FOLDER", help="write them there, a file each")
    add_output(cases, _run_cases)


def _run_cases(options: argparse.Namespace) -> int:
    from protocol_analysis.rollout.cases import cases  # noqa: PLC0415 - see above
    from protocol_analysis.rollout.fixtures import fixtures  # noqa: PLC0415 - see above

    by = reader(named(options.proposal))
    if options.fixtures:
        for fixture in fixtures(by):
            write(sys.stdout, f"# {fixture.name}\n{fixture.text}---\n")
        return 0
    if options.to:
        try:
            count = _written(Path(options.to), fixtures(by))
        except OSError as error:
            say(f"protocol-analysis: {options.to}: cannot be written: {error.strerror}")
            return USAGE
        say(f"{count} files in {options.to}")
        return 0
    rows = [case.as_dict() for case in cases(by)]
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    text = render(rows, options.output, CASES, CASES_WIDE, fields=CASES_FIELDS, encoding=encoding)
    write(sys.stdout, text + "\n")
    return 0


def _written(folder: Path, found: Any) -> int:
    """Write fixtures into a folder, which is made where it is missing; how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    for fixture in found:
        (folder / fixture.name).write_text(fixture.text, encoding="utf-8")
    return len(found)
