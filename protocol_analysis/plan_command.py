"""`protocol-analysis plan`: what to do about every use of `grpc`, as rows or as a document.

What makes it is loaded when the command runs, so that every other command starts as it did.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from protocol_analysis.arguments import add_input, add_output, add_today, say, today_of, write
from protocol_analysis.formats import Columns
from protocol_analysis.running import finish, inputs_of, said

PLAN: Columns = {
    "cluster": lambda r: r["cluster"],
    "wave": lambda r: r["wave"],
    "decision": lambda r: r["decision"],
    "object": lambda r: f"{r['kind']} {r['namespace']}/{r['name']}",
    "port": lambda r: r["port"],
    "appProtocol": lambda r: r["appProtocol"],
    "effect": lambda r: r["effect"],
    "why": lambda r: r["why"],
}
PLAN_WIDE: Columns = {
    "class": lambda r: r["class"],
    "owner": lambda r: r["owner"]["name"] if r["owner"] else None,
    "routes": lambda r: r["routes"],
    "meshes": lambda r: ", ".join(r["meshes"]),
    "calls": lambda r: r["calls"],
    "needed": lambda r: r["needed"],
    "losses": lambda r: "; ".join(r["losses"]),
    "ask": lambda r: r["ask"],
    "blocked until": lambda r: r["blockedUntil"],
    "hazards": lambda r: "; ".join(hazard["text"] for hazard in r["hazards"]),
    "declared at": lambda r: "{file}:{line}:{column}".format(**r["declaredAt"]),
}
PLAN_FIELDS = (
    *("cluster", "kind", "namespace", "name", "port", "portName", "appProtocol", "class"),
    *("owner.name", "owner.toldBy", "owner.change", "routes", "routeKinds", "meshes", "exported"),
    *("calls", "decision", "wave", "value", "why", "needed", "effect", "losses", "ask"),
    *("blockedUntil", "hazards", "consumers"),
    *(f"declaredAt.{name}" for name in ("file", "document", "line", "column")),
)
PROGRESS: Columns = {
    "cluster": lambda r: r["cluster"],
    "state": lambda r: r["state"],
    "object": lambda r: f"{r['kind']} {r['namespace']}/{r['name']}",
    "port": lambda r: r["port"],
    "then": lambda r: r["then"],
    "now": lambda r: r["now"],
    "decision": lambda r: r["decision"],
}
PROGRESS_FIELDS = (
    *("cluster", "kind", "namespace", "name", "port", "state", "then", "decision", "now"),
)


def add_plan(commands: Any) -> None:
    """Register the command among others."""
    text = "what to do about every use of grpc before a proposal can come, wave by wave"
    command = commands.add_parser(
        "plan",
        help=text,
        description=f"Print {text}. -o markdown is the whole plan, with its memo.",
    )
    add_input(command)
    command.add_argument(
        "--to",
        default="remove",
        metavar="PROPOSAL",
        help="what is planned for: keep, keep-on-service, remove, standardise, unify, a file, or a "
        "release; @v1.12 behind a proposal ends with that phase; default: %(default)s",
    )
    command.add_argument(
        "--between",
        type=int,
        metavar="N",
        help="minor releases between the proposal's first phase and its last; default: its own",
    )
    command.add_argument(
        "--calls",
        metavar="FILE",
        help="YAML, NAMESPACE/NAME: unary or streaming for each Service; what is not said is kept",
    )
    command.add_argument(
        "--canary",
        action="append",
        default=[],
        metavar="NAMESPACE",
        help="where to begin; repeatable; default: the namespace with fewest uses",
    )
    command.add_argument(
        "--since", metavar="FILE", help="print what became of an earlier plan, of `plan -o json`"
    )
    add_today(command, "ends")
    add_output(command, _run)


def _run(options: argparse.Namespace) -> int:
    from protocol_analysis.rollout import calls, document, progress  # noqa: PLC0415 - see above
    from protocol_analysis.rollout.planning import design, planned  # noqa: PLC0415 - see above
    from protocol_analysis.rollout.unheard import unheard  # noqa: PLC0415 - see above

    # All that can be refused is read first: nobody waits for manifests to learn of a typing error.
    to = design(options.to, options.between)
    earlier = progress.read_plan(options.since) if options.since else None
    told = calls.read_calls(options.calls) if options.calls else {}
    inputs = inputs_of(options)
    found = planned(inputs, to, options.mesh, told, options.canary)
    for text in unheard(inputs, found.rows, told, options.canary):
        say(f"warning: {text}")
    if waiting := len(found.streaming_unknown):
        say(f"of {waiting} uses nobody has said whether their calls stream: --calls FILE does")
    if earlier is not None:
        rows = [each.as_dict() for each in progress.progress(inputs, found.rows, earlier)]
        return finish(options, inputs, rows, PROGRESS, {}, PROGRESS_FIELDS)
    if options.output == "markdown":
        write(sys.stdout, document.document(found, today_of(options)))
        return said(inputs)
    rows = [each.as_dict() for each in found.rows]
    return finish(options, inputs, rows, PLAN, PLAN_WIDE, PLAN_FIELDS)
