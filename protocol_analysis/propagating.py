"""`protocol-analysis propagation`: exported ports, cluster by cluster, on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import reduce
from typing import Any

from protocol_analysis.arguments import add_input, add_output, say
from protocol_analysis.formats import Columns, Row
from protocol_analysis.multicluster.controllers import KEP, controllers
from protocol_analysis.multicluster.disagreeing import SEVERITIES
from protocol_analysis.multicluster.fleets import read_fleet
from protocol_analysis.multicluster.ordering import safe_order
from protocol_analysis.multicluster.propagation import NO_IMPORT, NO_PORT, propagation
from protocol_analysis.multicluster.steps import applied
from protocol_analysis.reading import Cluster
from protocol_analysis.running import FAILED, finish, inputs_of

Printed = tuple[list[Row], Columns, Columns, tuple[str, ...]]


def add_propagation(commands: Any) -> None:
    """`propagation PATH…`."""
    text = "the protocol of exported ports, cluster by cluster"
    command = commands.add_parser(
        "propagation",
        help=text,
        description=f"Print {text}: what each declares and imports, and what is spoken there. "
        "A folder whose folders export and import is one cluster for each of them.",
    )
    add_input(command)
    command.add_argument(
        "--controller",
        choices=tuple(controllers()),
        default=KEP,
        metavar="NAME",
        help=f"who writes the imports; one of {', '.join(controllers())}; default: %(default)s",
    )
    command.add_argument(
        "--fail-on",
        choices=(*SEVERITIES, "never"),
        default=SEVERITIES[0],
        help="end with status 1 where a disagreement is this bad; default: %(default)s",
    )
    command.add_argument(
        "--order",
        action="store_true",
        help="print edits and upgrades in an order that parts no two clusters",
    )
    command.add_argument(
        "--to", metavar="R", help="with --order: the release to upgrade to; default: the newest"
    )
    add_output(command, _run)


def _run(options: argparse.Namespace) -> int:
    inputs = inputs_of(options, read_fleet)
    # Nobody has named these: whoever meant one cluster sees it.
    if found := [each.name for each in inputs if each.name not in (None, *dict(options.cluster))]:
        say(f"a cluster for each folder: {', '.join(map(str, found))}")
    if options.order:
        return finish(options, inputs, *_order(inputs, options))
    printed = _propagated(inputs, options)
    return finish(options, inputs, *printed) or _failed(printed[0], options)


def _propagated(clusters: Sequence[Cluster], options: argparse.Namespace) -> Printed:
    """One row per exported port, cluster and side."""
    rows: list[Row] = [row.as_dict() for row in propagation(clusters, options.controller)]
    there = [row for row in rows if row["wire"] not in (NO_IMPORT, NO_PORT)]
    ports = {(row["namespace"], row["name"], row["port"], row["transport"]) for row in there}
    apart = [row for row in rows if row["disagreements"] or not row["agrees"]]
    faults = sum(len(row["disagreements"]) for row in apart)
    say(f"{len(ports)} exported ports in {len(clusters)} clusters, {faults} disagreements")
    return rows, PROPAGATION, PROPAGATION_WIDE, PROPAGATION_FIELDS


def _order(clusters: Sequence[Cluster], options: argparse.Namespace) -> Printed:
    """The steps of a safe order, then those for which there is none."""
    steps = safe_order(clusters, options.to, options.controller)
    if stuck := sum(bool(step.blocked) for step in steps):
        say(f"no safe order was found for {stuck} steps: each parts what it names")
    after = reduce(applied, (step for step in steps if not step.blocked), list(clusters))
    if left := sum(len(row.faults) for row in propagation(after, options.controller)):
        then = "after the steps" if len(steps) > stuck else "as they are; no step was found"
        say(f"{left} disagreements are left {then}: `propagation` tells each")
    return [step.as_dict() for step in steps], PROPAGATION_ORDER, {}, tuple(PROPAGATION_ORDER)


def _failed(rows: Sequence[Row], options: argparse.Namespace) -> int:
    """The exit status: FAILED where a disagreement is as bad as `--fail-on` says, or worse."""
    limit = SEVERITIES.index(options.fail_on) if options.fail_on in SEVERITIES else -1
    severities = {fault["severity"] for row in rows for fault in row["disagreements"]}
    return FAILED if any(SEVERITIES.index(each) <= limit for each in severities) else 0


def _wires(row: Row) -> str:
    """What is spoken; by other ways too where something else is meant."""
    others = (f"{each['wire']} by {each['way']}" for each in row["behind"])
    return ", ".join((row["wire"], *others))


def _faults(row: Row) -> str:
    return ", ".join(f"{each['kind']} ({each['severity']})" for each in row["disagreements"])


def _each(row: Row, name: str) -> str:
    return "; ".join(dict.fromkeys(str(each[name]) for each in row["disagreements"]))


def _position(row: Row) -> str:
    return "{file}:{line}:{column}".format(**row["position"])


PROPAGATION: Columns = {
    "cluster": lambda r: r["cluster"],
    "side": lambda r: r["side"],
    "name": lambda r: f"{r['namespace']}/{r['name']}",
    "port": lambda r: r["port"],
    "appProtocol": lambda r: r["appProtocol"],
    "import should say": lambda r: r["wanted"],
    "by": lambda r: r["winner"],
    "release": lambda r: r["release"],
    "wire": lambda r: f"{_wires(r)}{'' if r['verified'] else ' ?'}",
    "meant": lambda r: r["meant"],
    "disagreement": _faults,
}
PROPAGATION_WIDE: Columns = {
    "port name": lambda r: r["portName"],
    "transport": lambda r: r["transport"],
    "routes": lambda r: r["routes"],
    "why": lambda r: _each(r, "why"),
    "a request meets": lambda r: _each(r, "meets"),
    "remedy": lambda r: _each(r, "remedy"),
    "declared at": _position,
}
PROPAGATION_FIELDS = (
    *("cluster", "side", "namespace", "name", "port", "portName", "transport", "appProtocol"),
    *("wanted", "winner", "protocol", "upstream", "tls", "wire", "meant", "agrees"),
    *("routes", "behind"),
    *("implementation", "release", "verified", "severity", "disagreements", "reasons"),
    *(f"position.{name}" for name in ("file", "document", "line", "column")),
)
PROPAGATION_ORDER: Columns = {
    "number": lambda r: r["number"],
    "cluster": lambda r: r["cluster"],
    "action": lambda r: r["action"],
    "why": lambda r: r["why"],
    "left": lambda r: r["left"],
    "blocked": lambda r: r["blocked"],
}
