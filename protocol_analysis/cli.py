"""`protocol-analysis`: thin. Data goes to standard output, everything else to standard error.

Exit status: 0 done, 1 findings or disagreements that fail (`check`, `propagation`), 2 wrong usage,
3 some input could not be read, which wins over 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tqdm import tqdm

from protocol_analysis import __version__
from protocol_analysis.arguments import USAGE, Named, Parser, add_input, add_output, say, write
from protocol_analysis.check_command import add_check, add_rules
from protocol_analysis.columns import (
    COVERAGE,
    COVERAGE_FIELDS,
    COVERAGE_WIDE,
    DIFF,
    DIFF_FIELDS,
    DIFF_WIDE,
    IMPLEMENTATIONS,
    ORDER,
    PORTABILITY_FIELDS,
    PORTABILITY_WIDE,
    RELEASES,
    RELEASES_WIDE,
    RESOLVE,
    RESOLVE_FIELDS,
    RESOLVE_WIDE,
    portability_columns,
    with_readings,
)
from protocol_analysis.compare import EFFECTS, Change, compare, way
from protocol_analysis.coverage import coverage
from protocol_analysis.explain import explain
from protocol_analysis.formats import printable
from protocol_analysis.manifests import split_reader
from protocol_analysis.plan_command import add_plan
from protocol_analysis.portability import portability
from protocol_analysis.probing import add_probe
from protocol_analysis.propagating import add_propagation
from protocol_analysis.proposing import add_proposal
from protocol_analysis.proving import add_prove
from protocol_analysis.readers import everyone, reader
from protocol_analysis.readings import resolve
from protocol_analysis.releases import RulesetError, line_of
from protocol_analysis.retiring import add_policy, add_rewrite
from protocol_analysis.rules import implementations, ruleset
from protocol_analysis.running import finish, inputs_of, print_rows, said, warn
from protocol_analysis.upgrade import order, release_of, summary

INTERRUPTED = 130
_SHOWN = 20


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    try:
        try:
            options = _parser().parse_args(argv)
            status: int = options.run(options)
        finally:
            write(sys.stdout, "")  # what argparse has written there
    except RulesetError as error:
        for line in str(error).split("\n"):  # a file of rows may have many faults
            say(f"protocol-analysis: {line}")
        return USAGE
    except OSError as error:
        say(f"protocol-analysis: the output could not be written: {error}; write it elsewhere")
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="protocol-analysis",
        description="Which protocol does the gateway speak to each backend port, and why?",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("resolve", _run_resolve, "one row per backend reference"),
        ("coverage", _run_coverage, "one row per backend port, routed or not"),
    ):
        command = commands.add_parser(name, help=text, description=f"Print {text}.")
        add_input(command)
        add_output(command, run)
    text = "step by step, why references resolve as they do and what is spoken"
    command = commands.add_parser("explain", help=text, description=f"Print {text}.")
    add_input(command)
    command.add_argument("--route", metavar="KIND/NS/NAME", help="of this route; default: of all")
    add_output(command, _run_explain)
    text = "references whose protocol or upstream changes from one reader to another"
    command = commands.add_parser("diff", help=text, description=f"Print {text}.")
    add_input(command, release=False)
    command.add_argument(
        "--from",
        dest="start",
        action=Named,
        metavar="A",
        required=True,
        help="RELEASE, IMPLEMENTATION@RELEASE, or a proposal's file; auto: that of the Deployment "
        "among the manifests",
    )
    command.add_argument(
        "--to",
        dest="end",
        action=Named,
        metavar="B",
        help="RELEASE, IMPLEMENTATION@RELEASE, or a proposal's file; default: the newest final one",
    )
    command.add_argument(
        "--via",
        action="append",
        default=[],
        metavar="R",
        help="a release on the way, or `lines`: the last patch of each line between; repeatable",
    )
    command.add_argument(
        "--order", action="store_true", help="print the steps of the upgrade, in a safe order"
    )
    add_output(command, _run_diff)
    text = "in which implementations each declaration means what its author meant"
    command = commands.add_parser("portability", help=text, description=f"Print {text}.")
    add_input(command, release=False)
    command.add_argument(
        "--in",
        dest="readers",
        action="append",
        default=[],
        metavar="READER",
        help="IMPLEMENTATION or IMPLEMENTATION@RELEASE; repeatable; default: all that are known",
    )
    add_output(command, _run_portability)
    add_check(commands, __version__)
    add_rules(commands)
    add_propagation(commands)
    add_prove(commands)
    add_probe(commands)
    add_proposal(commands)
    add_plan(commands)
    add_rewrite(commands)
    add_policy(commands)
    command = commands.add_parser(
        "releases", help="what the rulesets know, and how new that knowledge is"
    )
    command.add_argument("--implementation", default="envoy-gateway", metavar="NAME")
    add_output(command, _run_releases)
    add_output(
        commands.add_parser("implementations", help="the implementations that have a ruleset"),
        _run_implementations,
    )
    return parser


def _run_resolve(options: argparse.Namespace) -> int:
    inputs = inputs_of(options)
    rows = [
        row.as_dict()
        for i in inputs
        for row in resolve(i.inventory, i.implementation, i.release, i.meshes)
    ]
    return finish(options, inputs, rows, with_readings(RESOLVE, rows), RESOLVE_WIDE, RESOLVE_FIELDS)


def _run_coverage(options: argparse.Namespace) -> int:
    inputs = inputs_of(options)
    rows = [
        row.as_dict()
        for i in inputs
        for row in coverage(i.inventory, i.implementation, i.release, i.meshes)
    ]
    return finish(
        options, inputs, rows, with_readings(COVERAGE, rows), COVERAGE_WIDE, COVERAGE_FIELDS
    )


def _run_explain(options: argparse.Namespace) -> int:
    inputs = inputs_of(options)
    found = [
        row for i in inputs for row in resolve(i.inventory, i.implementation, i.release, i.meshes)
    ]
    accounts = explain(found, options.route)
    if options.route and not accounts:
        known = sorted({f"{r.route.kind}/{r.route.namespace}/{r.route.name}" for r in found})
        shown = ", ".join(known[:_SHOWN]) + (" ..." if len(known) > _SHOWN else "")
        raise RulesetError(f"no references of --route {options.route}; routes are {shown}")
    if options.output not in ("table", "wide"):
        rows = [account.as_dict() for account in accounts]
        return finish(
            options,
            inputs,
            rows,
            with_readings(RESOLVE, rows),
            RESOLVE_WIDE,
            RESOLVE_FIELDS,
        )
    for account in accounts:
        write(sys.stdout, _lines(str(account)) + "\n\n")
    return said(inputs)


def _lines(text: str) -> str:
    """What manifests say is untrusted, line by line."""
    return "\n".join(map(printable, text.split("\n")))


def _run_diff(options: argparse.Namespace) -> int:
    end = reader(options.end, options.implementation)
    if options.start != "auto":
        way(reader(options.start, options.implementation), options.via, end)
    inputs = inputs_of(options)
    named = dict(options.cluster)
    changes: list[Change] = []
    # Steps of an upgrade come from the whole way: an edit has to hold from its start on.
    via = () if options.order else options.via
    warn((options.start, *options.via, options.end), options)
    for i in tqdm(inputs, "comparing", unit="cluster", leave=False, disable=None, delay=1):
        start = options.start
        if i.name is not None and split_reader(named[i.name])[1]:
            start = i.reader  # a cluster may say who reads it today
        if start == "auto":
            start = release_of(i.inventory, i.name)
            warn([start], options)
        changes += compare(i.inventory, reader(start, options.implementation), end, via, i.meshes)
    clusters = [i.name for i in inputs]
    for line in summary(changes, clusters):
        of = f"{line['cluster']}: " if line["cluster"] else ""
        say(of + ", ".join(f"{line[name]} {name}" for name in EFFECTS))
    if options.order:
        steps = [step.as_dict() for step in order(changes, clusters)]
        return finish(options, inputs, steps, ORDER, {}, tuple(ORDER))
    rows = [change.as_dict() for change in changes]
    return finish(options, inputs, rows, with_readings(DIFF, rows), DIFF_WIDE, DIFF_FIELDS)


def _run_portability(options: argparse.Namespace) -> int:
    warn(options.readers, options)
    readers = [reader(text, options.implementation) for text in options.readers]
    readers += [reader(text, mesh=True) for text in options.mesh]
    inputs = inputs_of(options)
    rows = [row.as_dict() for i in inputs for row in portability(i.inventory, readers)]
    columns = portability_columns([str(each) for each in readers or everyone()])
    return finish(options, inputs, rows, columns, PORTABILITY_WIDE, PORTABILITY_FIELDS)


def _run_releases(options: argparse.Namespace) -> int:
    rules = ruleset(options.implementation)
    rows = []
    for release in rules.releases:
        line = line_of(release)
        facts = rules.lines.get(line, {})
        rows.append(
            {
                "implementation": rules.implementation,
                "release": release,
                "date": rules.dates[release],
                "line": line or None,
                "newest": release == rules.newest,
                **{
                    name: facts.get(name)
                    for name in ("envoy", "gatewayAPI", "kubernetes", "endOfLife")
                },
            }
        )
    print_rows(rows, options, RELEASES, RELEASES_WIDE)
    return 0


def _run_implementations(options: argparse.Namespace) -> int:
    rows = [
        {
            "implementation": rules.implementation,
            "title": rules.title,
            "newest": rules.newest,
            "knownUntil": max(rules.dates.values()),
            "rows": len(rules.rows),
        }
        for rules in map(ruleset, implementations())
    ]
    print_rows(rows, options, IMPLEMENTATIONS, {})
    return 0


if __name__ == "__main__":
    sys.exit(main())
