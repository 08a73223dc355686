"""`check` and `rules`: findings in any format, and the catalogue that they come from.

The order: findings of all clusters; annotations, then the file, suppress some; the baseline knows
some; what is left and as bad as `--fail-on` makes the exit status 1. Input that could not be read
makes it 3, which wins.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from protocol_analysis.arguments import add_input, add_output, add_today, say, today_of, write
from protocol_analysis.columns import FINDING_FIELDS, FINDINGS, FINDINGS_WIDE, RULES, SUPPRESSED
from protocol_analysis.findings.baseline import mark_known, read_baseline, write_baseline
from protocol_analysis.findings.catalogue import SEVERITIES, catalogue
from protocol_analysis.findings.checking import codes
from protocol_analysis.findings.configuration import (
    FAIL_ON,
    TOML_FILE,
    YAML_FILE,
    Configuration,
    configuration,
    words,
)
from protocol_analysis.findings.finding import Finding
from protocol_analysis.findings.github import github
from protocol_analysis.findings.junit import junit
from protocol_analysis.findings.meshed import told_meshes
from protocol_analysis.findings.pages import page
from protocol_analysis.findings.sarif import sarif
from protocol_analysis.findings.suppressing import (
    SUPPRESS_FILE,
    findings,
    read_suppressions,
)
from protocol_analysis.reading import Cluster
from protocol_analysis.releases import RulesetError
from protocol_analysis.running import FAILED, finish, inputs_of, print_rows, said

FORMATS = ("sarif", "junit", "github")
_DEFAULTS = {"implementation": "envoy-gateway", "namespace": "default", "fail_on": "error"}


def add_check(commands: Any, version: str) -> None:
    """`check PATH…`."""
    text = "what is wrong in the manifests, where, and what to do"
    command = commands.add_parser("check", help=text, description=f"Print {text}.")
    add_input(command)
    command.add_argument(
        "--select",
        action="append",
        metavar="CODES",
        help="only these codes, or their beginnings (AP01), with commas between; repeatable",
    )
    command.add_argument(
        "--ignore", action="append", metavar="CODES", help="all but these; repeatable"
    )
    command.add_argument(
        "--fail-on",
        choices=FAIL_ON,
        help="exit with 1 for findings as bad as that, or worse; default: error",
    )
    command.add_argument(
        "--suppress", metavar="FILE", help=f"findings that are borne; default: {SUPPRESS_FILE}"
    )
    command.add_argument(
        "--show-suppressed", action="store_true", help="print those that are suppressed too"
    )
    command.add_argument("--baseline", metavar="FILE", help="findings that are known do not count")
    command.add_argument(
        "--write-baseline", metavar="FILE", help="write what is found now; it is known from then on"
    )
    add_today(command, "expires")
    command.add_argument(
        "--config",
        metavar="FILE",
        help=f"options of the project; default: {YAML_FILE}, or [tool.protocol-analysis] in "
        f"{TOML_FILE}, in the current folder",
    )
    add_output(command, _run_check, more=FORMATS)
    # Unset, so that the configuration can be told from what was asked for.
    command.set_defaults(
        version=version, mesh=None, implementation=None, namespace=None, exclude=None
    )


def add_rules(commands: Any) -> None:
    """`rules [CODE]`."""
    text = "the catalogue of what is checked, or the page of one code"
    command = commands.add_parser("rules", help=text, description=f"Print {text}.")
    command.add_argument("code", nargs="?", metavar="CODE", help="such as AP003")
    add_output(command, _run_rules)


def _configured(options: argparse.Namespace) -> None:
    """Fill in what was not asked for: from the configuration, then from the defaults."""
    asked = configuration(".", options.config)
    if options.implementation not in (None, asked.implementation or _DEFAULTS["implementation"]):
        asked = replace(asked, release=None)  # that of another implementation
    for name in (field.name for field in fields(Configuration)):
        if getattr(options, name) is None:
            setattr(options, name, getattr(asked, name) or _DEFAULTS.get(name))
    for name in ("mesh", "select", "ignore", "exclude"):
        setattr(options, name, list(getattr(options, name) or ()))
    options.select, options.ignore = words(options.select), words(options.ignore)
    if options.suppress is None and Path(SUPPRESS_FILE).is_file():
        options.suppress = SUPPRESS_FILE


def _run_check(options: argparse.Namespace) -> int:
    _configured(options)
    chosen = codes(options.select, options.ignore)
    # All that can be refused is read first: nobody waits for manifests to learn of a typing error.
    rows = read_suppressions(options.suppress) if options.suppress else []
    if options.write_baseline:
        options.baseline = None  # it is made anew
    known = read_baseline(options.baseline) if options.baseline else {}
    inputs = inputs_of(options)
    for told in told_meshes(inputs):
        say(told)
    today = today_of(options)
    found, complaints = findings(inputs, today, options.select, options.ignore, rows)
    for problem in complaints:
        say(f"warning: {problem}")
    if options.write_baseline:
        write_baseline(options.write_baseline, found)
        options.baseline, known = options.write_baseline, read_baseline(options.write_baseline)
    if options.baseline:
        found, gone = mark_known(found, known, options.baseline, chosen)
        if gone:
            say(f"{options.baseline}: {gone} of it not found here; --write-baseline drops them")
    shown = [each for each in found if options.show_suppressed or not each.suppressed]
    _print_findings(shown, chosen, inputs, options)
    status = said(inputs) if options.output in FORMATS else _print_rows(shown, inputs, options)
    say(_summary(found))
    failed = any(each.fails(options.fail_on) for each in found)
    return status or (FAILED if failed else 0)


def _print_findings(
    shown: Sequence[Finding],
    chosen: Sequence[str],
    inputs: Iterable[Cluster],
    options: argparse.Namespace,
) -> None:
    """The formats of other programs; they hold what could not be read, too."""
    unreadable = [problem for i in inputs for problem in i.inventory.unreadable]
    match options.output:
        case "sarif":
            text = sarif(shown, chosen, options.version, unreadable)
        case "junit":
            text = junit(shown, chosen, unreadable, options.fail_on)
        case "github":
            text = github(shown, unreadable)
        case _:
            return
    if text:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        write(sys.stdout, text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def _print_rows(
    shown: Sequence[Finding], inputs: list[Cluster], options: argparse.Namespace
) -> int:
    columns = {**FINDINGS, **(SUPPRESSED if options.show_suppressed else {})}
    rows = [each.as_dict() for each in shown]
    return finish(options, inputs, rows, columns, FINDINGS_WIDE, FINDING_FIELDS)


def _summary(found: Sequence[Finding]) -> str:
    """How many of each severity count, and how many do not."""
    left = [each for each in found if not each.suppressed]
    borne = [each.suppressed.by for each in found if each.suppressed]
    counts = [(sum(f.severity == name for f in left), name) for name in SEVERITIES]
    plural = [f"{n} {name}{'s' if n != 1 and name != 'info' else ''}" for n, name in counts]
    text = ", ".join(plural)
    if borne:
        by = [f"{borne.count(by)} by {by}" for by in ("annotation", "file", "baseline")]
        text += f"; suppressed: {', '.join(part for part in by if not part.startswith('0 '))}"
    return text


def _run_rules(options: argparse.Namespace) -> int:
    rules = [*catalogue().values()]
    if options.code is not None:
        rules = [rule for rule in rules if rule.code == options.code.upper()]
        if not rules:
            known = ", ".join(catalogue())
            raise RulesetError(f"{options.code!r} is no rule; known are {known}")
        if options.output in ("table", "wide", "markdown"):
            write(sys.stdout, page(rules[0]))
            return 0
    print_rows([rule.as_dict() for rule in rules], options, RULES, {}, tuple(rules[0].as_dict()))
    return 0
