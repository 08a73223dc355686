"""`protocol-analysis`: thin. Data goes to standard output, everything else to standard error.

Exit status: 0 done, 2 wrong usage, 3 some input could not be read.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from protocol_analysis import __version__
from protocol_analysis.coverage import coverage
from protocol_analysis.formats import FORMATS, Columns, Row, printable, render
from protocol_analysis.manifests import load
from protocol_analysis.model import Inventory
from protocol_analysis.releases import RulesetError, line_of
from protocol_analysis.resolver import ASSUMED, resolve
from protocol_analysis.rules import implementations, ruleset

USAGE, UNREADABLE = 2, 3


def _position(row: Row, name: str) -> str:
    at = row[name]
    return f"{at['file']}:{at['line']}:{at['column']}" if at else ""


_RESOLVE: Columns = {
    "cluster": lambda r: r["cluster"],
    "route": lambda r: f"{r['route']['kind']} {r['route']['namespace']}/{r['route']['name']}",
    "rule": lambda r: r["rule"],
    "role": lambda r: r["role"],
    "backend": lambda r: (
        f"{r['backendRef']['kind']} {r['backendRef']['namespace']}/{r['backendRef']['name']}"
    ),
    "port": lambda r: r["backendRef"]["port"],
    "appProtocol": lambda r: r["appProtocol"],
    "protocol": lambda r: r["protocol"] or "-",
    "http/1.1 forced": lambda r: r["forceHTTP1"],
    "tls": lambda r: r["tls"],
    "row": lambda r: _deciding(r)["row"],
}
_RESOLVE_WIDE: Columns = {
    "release": lambda r: r["release"],
    "why": lambda r: "; ".join(reason["text"] for reason in r["reasons"]),
    "referenced at": lambda r: _position(r, "referencedAt"),
    "declared at": lambda r: _position(r, "declaredAt"),
    "source": lambda r: _deciding(r)["source"],
}
_COVERAGE: Columns = {
    "cluster": lambda r: r["cluster"],
    "kind": lambda r: r["kind"],
    "name": lambda r: f"{r['namespace']}/{r['name']}",
    "port": lambda r: r["port"],
    "appProtocol": lambda r: r["appProtocol"],
    "class": lambda r: r["class"],
    "meant": lambda r: r["meant"],
    "protocol": lambda r: r["protocol"] or "-",
    "tls": lambda r: r["tls"],
    "routes": lambda r: r["routes"],
}
_COVERAGE_WIDE: Columns = {
    "port name": lambda r: r["portName"],
    "transport": lambda r: r["transport"],
    "standard": lambda r: r["standard"],
    "declared at": lambda r: _position(r, "declaredAt"),
}
_RELEASES: Columns = {
    "release": lambda r: r["release"],
    "date": lambda r: r["date"],
    "line": lambda r: r["line"],
    "envoy": lambda r: r["envoy"],
    "end of life": lambda r: r["endOfLife"],
    "newest": lambda r: r["newest"],
}
_RELEASES_WIDE: Columns = {
    "implementation": lambda r: r["implementation"],
    "gateway api": lambda r: r["gatewayAPI"],
    "kubernetes": lambda r: r["kubernetes"],
}
_IMPLEMENTATIONS: Columns = {
    "implementation": lambda r: r["implementation"],
    "title": lambda r: r["title"],
    "newest": lambda r: r["newest"],
    "known until": lambda r: r["knownUntil"],
    "rows": lambda r: r["rows"],
}


def _deciding(row: Row) -> Row:
    reasons: list[Row] = [reason for reason in row["reasons"] if reason["row"] != ASSUMED]
    return reasons[0 if row["protocol"] else -1]


@dataclass(frozen=True, slots=True)
class _Input:
    """What was read of one cluster (or of no named one), and the release that reads it."""

    inventory: Inventory
    implementation: str
    release: str


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    options = _parser().parse_args(argv)
    try:
        status: int = options.run(options)
    except RulesetError as error:
        _say(f"protocol-analysis: {error}")
        return USAGE
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); nothing is left to tell it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
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
        command.add_argument(
            "paths", nargs="*", metavar="PATH", help="a file, a folder (read recursively), or -"
        )
        command.add_argument(
            "--implementation", default="envoy-gateway", help="one of: %(metavar)s", metavar="NAME"
        )
        command.add_argument(
            "--release",
            metavar="R",
            help="v1.8.3, 1.8 (its last patch), main; default: the newest final one",
        )
        command.add_argument(
            "--cluster",
            action="append",
            default=[],
            type=_cluster,
            metavar="NAME=PATH[@IMPLEMENTATION:RELEASE]",
            help="a cluster of its own; repeatable",
        )
        command.add_argument(
            "--namespace",
            default="default",
            help="for objects that name none; default: %(default)s",
        )
        _output(command, run)
    command = commands.add_parser(
        "releases", help="what the rulesets know, and how new that knowledge is"
    )
    command.add_argument("--implementation", default="envoy-gateway", metavar="NAME")
    _output(command, _run_releases)
    _output(
        commands.add_parser("implementations", help="the implementations that have a ruleset"),
        _run_implementations,
    )
    return parser


def _output(command: argparse.ArgumentParser, run: Any) -> None:
    command.add_argument(
        "-o", "--output", choices=FORMATS, default="table", help="default: %(default)s"
    )
    command.set_defaults(run=run)


def _cluster(text: str) -> tuple[str, str, str | None, str | None]:
    """NAME=PATH[@IMPLEMENTATION:RELEASE]; a path may hold an @ of its own."""
    name, equals, rest = text.partition("=")
    if not (name and equals and rest):
        msg = f"{text!r} is not NAME=PATH or NAME=PATH@IMPLEMENTATION:RELEASE"
        raise argparse.ArgumentTypeError(msg)
    path, at, reader = rest.rpartition("@")
    implementation, colon, release = reader.partition(":")
    if at and colon and implementation in implementations():
        return name, path, implementation, release
    return name, rest, None, None


def _inputs(options: argparse.Namespace) -> Iterator[_Input]:
    if not options.paths and not options.cluster:
        msg = "no PATH given; name a file, a folder, - for standard input, or --cluster NAME=PATH"
        raise RulesetError(msg)
    warned: set[str] = set()

    def known(implementation: str, release: str | None) -> tuple[str, str]:
        found, warning = ruleset(implementation).pick(release)
        if warning and warning not in warned:
            _say(f"warning: {warning}")
            warned.add(warning)
        return implementation, found

    default = known(options.implementation, options.release)
    readers = [known(c[2], c[3]) if c[2] else default for c in options.cluster]
    if options.paths:
        yield _Input(
            load(*options.paths, namespace=options.namespace, progress=_progress), *default
        )
    for (name, path, _, _), reader in zip(options.cluster, readers, strict=True):
        inventory = load(clusters={name: path}, namespace=options.namespace, progress=_progress)
        yield _Input(inventory, *reader)


def _progress(files: Iterable[Any]) -> Iterable[Any]:
    bar: Iterable[Any] = tqdm(files, "reading", unit="file", leave=False, disable=None, delay=1)
    return bar


def _run_resolve(options: argparse.Namespace) -> int:
    inputs = list(_inputs(options))
    rows = [
        row.as_dict() for i in inputs for row in resolve(i.inventory, i.implementation, i.release)
    ]
    return _finish(options, inputs, rows, _RESOLVE, _RESOLVE_WIDE)


def _run_coverage(options: argparse.Namespace) -> int:
    inputs = list(_inputs(options))
    rows = [
        row.as_dict() for i in inputs for row in coverage(i.inventory, i.implementation, i.release)
    ]
    return _finish(options, inputs, rows, _COVERAGE, _COVERAGE_WIDE)


def _finish(
    options: argparse.Namespace,
    inputs: list[_Input],
    rows: Sequence[Row],
    columns: Columns,
    wide: Columns,
) -> int:
    if not any(row["cluster"] for row in rows):
        columns = {name: get for name, get in columns.items() if name != "cluster"}
    _print(rows, options, columns, wide)
    unreadable = [problem for i in inputs for problem in i.inventory.unreadable]
    for label, found in (
        ("warning", [problem for i in inputs for problem in i.inventory.warnings]),
        ("passed over", [problem for i in inputs for problem in i.inventory.skipped]),
        ("not read", unreadable),
    ):
        for problem in found:
            _say(f"{label}: {problem}")
    if unreadable:
        files = sum(i.inventory.files for i in inputs)
        _say(f"{len(unreadable)} could not be read, of {files} files")
    return UNREADABLE if unreadable else 0


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
    _print(rows, options, _RELEASES, _RELEASES_WIDE)
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
    _print(rows, options, _IMPLEMENTATIONS, {})
    return 0


def _print(
    rows: Sequence[Row], options: argparse.Namespace, columns: Columns, wide: Columns
) -> None:
    text = render(rows, options.output, columns, wide)
    if text or options.output != "jsonl":
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def _say(text: str) -> None:
    sys.stderr.write(printable(text) + "\n")


if __name__ == "__main__":
    sys.exit(main())
