"""`protocol-analysis rewrite` and `policy`: doing what a plan says, on the command line.

What does it is loaded when a command runs, so that every other command starts as it did.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from protocol_analysis.arguments import Named, add_input, say, write
from protocol_analysis.formats import printable
from protocol_analysis.manifests import split_reader
from protocol_analysis.model import Inventory
from protocol_analysis.readers import Reader, reader, warning_of
from protocol_analysis.reading import Cluster, Read, read
from protocol_analysis.releases import RulesetError

UNREADABLE = 3


def add_rewrite(commands: Any) -> None:
    """Register the command among others."""
    text = "a unified diff of the values that can be rewritten while every wire stays as it is"
    command = commands.add_parser(
        "rewrite",
        help=text,
        description=f"Print {text}; --write applies it. What stays as it is, is named on standard "
        "error with the reason.",
    )
    add_input(command, release=False)
    command.add_argument(
        "--release",
        dest="releases",
        action="append",
        default=[],
        metavar="R",
        help="a release, IMPLEMENTATION@RELEASE, or a proposal's file, which has to speak the same "
        "before and after; repeatable; default: the newest",
    )
    command.add_argument(
        "--value",
        action="append",
        default=[],
        type=_pair,
        metavar="OLD=NEW",
        help="repeatable; default: grpc=kubernetes.io/h2c",
    )
    command.add_argument(
        "--unary",
        action="append",
        default=[],
        metavar="NAMESPACE/NAME",
        help="a Service of which no call streams, which manifests do not tell; repeatable",
    )
    command.add_argument(
        "--calls",
        metavar="FILE",
        help="YAML, NAMESPACE/NAME: unary or streaming, for many Services",
    )
    command.add_argument(
        "--gains",
        action="store_true",
        help="also where a reader speaks HTTP/2 then that spoke something less before",
    )
    command.add_argument("--write", action="store_true", help="change the files")
    command.set_defaults(run=_run_rewrite)


def add_policy(commands: Any) -> None:
    """Register the command among others."""
    text = "admission policies that warn of new uses of a value, then deny them"
    command = commands.add_parser(
        "policy",
        help=text,
        description=f"Print {text}: a ValidatingAdmissionPolicy with its binding, and Kyverno's "
        "ValidatingPolicy, as YAML. What a port had before may stay.",
    )
    command.add_argument(
        "--proposal",
        metavar="FILE",
        help="in step with the phases of this proposal; @v1.12 behind it is one of its releases",
    )
    command.add_argument("--action", choices=("warn", "deny"), help="default: the phase's, or warn")
    command.add_argument(
        "--value", action="append", default=[], metavar="VALUE", help="repeatable; default: grpc"
    )
    command.add_argument(
        "--release",
        action=Named,
        metavar="R",
        help="what it reads are no near misses; default: the newest",
    )
    command.add_argument(
        "--kind",
        action="append",
        choices=("Service", "ServiceImport"),
        help="repeatable; default: both. An import is made by its controller, which a denial stops",
    )
    command.add_argument(
        "--engine",
        action="append",
        choices=("kubernetes", "kyverno"),
        help="repeatable; default: both",
    )
    command.add_argument(
        "--namespaces",
        action="append",
        default=[],
        type=_pair,
        metavar="LABEL=VALUE",
        help="only in namespaces with this label, wave by wave; repeatable; default: in all",
    )
    command.add_argument("--name", default="app-protocol", help="default: %(default)s")
    command.set_defaults(run=_run_policy)


def _run_policy(options: argparse.Namespace) -> int:
    from protocol_analysis.proposals import asked  # noqa: PLC0415 - see above
    from protocol_analysis.rollout import admission  # noqa: PLC0415 - see above

    kinds = options.kind or list(admission.KINDS)
    if options.proposal:
        proposal, release = asked(options.proposal)
        what = admission.admission_of(proposal, release, options.action, kinds)
        if what is None:
            phase = proposal.phase(release)
            say(f"{proposal.name} asks for no policy at {phase.release}; --action has one made")
            return 0
    else:
        values = options.value or ["grpc"]
        what = admission.admission(options.release, options.action or "warn", values, kinds)
    if what.action == "deny" and "ServiceImport" in what.kinds:
        say("note: a controller makes imports of its exports; --kind Service denies only those")
    engines = options.engine or admission.ENGINES
    found = admission.policies(what, engines, dict(options.namespaces), options.name)
    write(sys.stdout, admission.as_yaml(found))
    return 0


def _pair(text: str) -> tuple[str, str]:
    old, _, new = text.partition("=")
    if not (old and new):
        raise argparse.ArgumentTypeError(f"{text!r} is not OLD=NEW")
    return old, new


def _run_rewrite(options: argparse.Namespace) -> int:
    from protocol_analysis.proposals import named  # noqa: PLC0415 - see above
    from protocol_analysis.rollout import applying, planning  # noqa: PLC0415 - see above
    from protocol_analysis.rollout.calls import read_calls  # noqa: PLC0415 - see above
    from protocol_analysis.rollout.writing import digests  # noqa: PLC0415 - see above

    clusters = dict(options.cluster)
    paths = [*options.paths, *(split_reader(path)[0] for path in clusters.values())]
    if not paths:
        raise RulesetError("no PATH given; name a file, a folder, or --cluster NAME=PATH")
    releases = [named(text) for text in options.releases]
    readers = [reader(text, options.implementation) for text in releases]
    for text in releases:
        if warning := warning_of(text, options.implementation):
            say(f"warning: {warning}")
    # Before anything is read: what is read later may be newer.
    known = digests(paths, options.exclude)
    calls = dict.fromkeys(options.unary, "unary")
    calls |= read_calls(options.calls) if options.calls else {}
    inputs = _read(options, clusters, readers)
    unary = [name for name, word in calls.items() if word == "unary"]
    found = applying.rewrites(
        inputs,
        readers,
        known,
        options.mesh,
        dict(options.value) or None,
        unary,
        planning.unsafe(planning.planned(inputs, meshes=options.mesh, calls=calls)),
        gains=options.gains,
    )
    for refusal in found.refused:
        say(f"not rewritten: {refusal}")
    if options.write:
        for refusal in found.write():
            say(f"not rewritten: {refusal}")
        say(f"{len(found.written)} files changed, {found.count} values")
    else:
        # On a terminal what manifests say must not act; `patch` needs every character.
        terminal = sys.stdout is not None and sys.stdout.isatty()
        for line in found.diff.split("\n")[:-1]:
            write(sys.stdout, f"{printable(line) if terminal else line}\n")
    return _unread([cluster.inventory for cluster in inputs])


def _read(
    options: argparse.Namespace, clusters: dict[str, str], readers: Sequence[Reader]
) -> list[Cluster]:
    """What is named without a cluster, by the first reader; then each cluster, by its own."""
    by = readers[0] if readers else reader(None, options.implementation)
    asked = {"namespace": options.namespace, "exclude": options.exclude}
    found: list[Read] = []
    if options.paths:
        found.append(read(options.paths, **asked))
    own = [
        replace(c, implementation=by.implementation, release=by.release)
        for each in found
        for c in each.clusters
    ]
    if clusters:
        own += read(clusters, implementation=options.implementation, **asked).clusters
    return own


def _unread(inputs: Sequence[Inventory]) -> int:
    problems: Iterable[Any] = [problem for each in inputs for problem in each.unreadable]
    for problem in problems:
        say(f"not read: {problem}")
    return UNREADABLE if problems else 0
