"""`protocol-analysis probe`: what live endpoints speak, on the command line.

What probes is loaded when the command runs, so that every other command starts as it did.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from protocol_analysis.arguments import USAGE, add_output, say, write
from protocol_analysis.columns import PROBE, PROBE_DECLARED, PROBE_FIELDS, PROBE_WIDE
from protocol_analysis.formats import render
from protocol_analysis.manifests import load
from protocol_analysis.rules import ruleset

UNREADABLE = 3


def add_probe(commands: Any) -> None:
    """Register the command among others."""
    text = "which protocols an endpoint really speaks"
    command = commands.add_parser(
        "probe",
        help=text,
        description=f"Print {text}, and the appProtocol that is right for it. Certificates are not "
        "verified. Needs the extra: pip install 'protocol-analysis[proof]'.",
    )
    command.add_argument("endpoints", nargs="+", metavar="HOST:PORT", help="[::1]:8443 for IPv6")
    command.add_argument(
        "--timeout",
        type=float,
        default=2.0,
        metavar="S",
        help="seconds for each question, of which there are at most 15; default: %(default)s",
    )
    command.add_argument("--sni", metavar="NAME", help="ask TLS and HTTP for it, not for HOST")
    command.add_argument(
        "--path", default="/", help="what GET and WebSocket ask for; default: %(default)s"
    )
    command.add_argument(
        "--declared",
        nargs="+",
        action="extend",
        default=[],
        metavar="PATH",
        help="compare with these manifests; the Service is found by HOST, or by --service",
    )
    command.add_argument(
        "--service", metavar="NAMESPACE/NAME[:PORT]", help="whose port the endpoints are"
    )
    command.add_argument(
        "--namespace",
        default="default",
        help="of objects and hosts that name none; default: %(default)s",
    )
    command.add_argument(
        "--release", metavar="R", help="of Envoy Gateway, for what it speaks; default: the newest"
    )
    add_output(command, _run)


def _run(options: argparse.Namespace) -> int:
    from protocol_analysis.declared import declare, named  # noqa: PLC0415 - see above
    from protocol_analysis.proof.probing import probe  # noqa: PLC0415 - see above
    from protocol_analysis.proof.programs import ProofError  # noqa: PLC0415 - see above

    if options.service and not options.declared:
        say("protocol-analysis: --service without --declared; name the manifests to compare with")
        return USAGE
    try:
        # What is wrong with the command is told before anybody is asked.
        service = named(options.service) if options.service else None
        ruleset("envoy-gateway").pick(options.release)
        inventory = (
            load(*options.declared, namespace=options.namespace) if options.declared else None
        )
        found = probe(
            options.endpoints, timeout=options.timeout, sni=options.sni, path=options.path
        )
    except (ProofError, ValueError) as error:
        say(f"protocol-analysis: {error}")
        return USAGE
    columns, status = PROBE, 0
    if inventory:
        found = declare(found, inventory, service, options.release, options.namespace)
        columns = {**PROBE, **PROBE_DECLARED}
        for problem in inventory.unreadable:
            say(f"not read: {problem}")
            status = UNREADABLE
    rows = [row.as_dict() for row in found]
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    text = render(rows, options.output, columns, PROBE_WIDE, fields=PROBE_FIELDS, encoding=encoding)
    write(sys.stdout, text + "\n")
    return status
