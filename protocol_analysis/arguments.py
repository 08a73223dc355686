"""What commands share on the command line: their arguments, and where their words go."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NoReturn, TextIO

from protocol_analysis.formats import FORMATS, printable
from protocol_analysis.manifests import split_reader
from protocol_analysis.manifests.excluding import OF_TOOLS, compiled
from protocol_analysis.model import ManifestError
from protocol_analysis.proposals import named
from protocol_analysis.rules import implementations
from protocol_analysis.sheets import Sheet

USAGE = 2


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line; the usage is a command away."""

    def error(self, message: str) -> NoReturn:
        """End with the status of wrong usage."""
        say(f"{self.prog}: {message}; see {self.prog} --help")
        raise SystemExit(USAGE)


class Named(argparse.Action):
    """A release; or a proposal, which is read, so that it has the name that is stored."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option: str | None = None,
    ) -> None:
        """Store it. Raises RulesetError for a proposal that is wrong."""
        del parser, option
        setattr(namespace, self.dest, named(values))


def add_input(command: argparse.ArgumentParser, *, release: bool = True) -> None:
    """PATH, and who reads what is there."""
    command.add_argument(
        "paths",
        nargs="*",
        type=_path,
        metavar="PATH",
        help="a file, a folder (read recursively), or -",
    )
    command.add_argument(
        "--implementation",
        default="envoy-gateway",
        metavar="NAME",
        help=f"one of: {', '.join(implementations())}; default: envoy-gateway",
    )
    if release:
        command.add_argument(
            "--release",
            action=Named,
            metavar="R",
            help="v1.8.3, 1.8 (its last patch), main, a proposal's file; default: the newest",
        )
    else:
        command.set_defaults(release=None)
    command.add_argument(
        "--cluster",
        action="append",
        default=[],
        type=_cluster,
        metavar="NAME=PATH[@IMPLEMENTATION:RELEASE]",
        help="a cluster of its own; repeatable",
    )
    command.add_argument(
        "--clusters",
        dest="cluster",
        action="extend",
        type=_clusters_in,
        metavar="FILE",
        help="YAML, NAME: PATH[@IMPLEMENTATION:RELEASE] for each; paths start at the file's folder",
    )
    command.add_argument(
        "--mesh",
        action="append",
        default=[],
        metavar="READER",
        help="a mesh that reads the same Services, such as istio@1.26; repeatable",
    )
    command.add_argument(
        "--namespace",
        default="default",
        help="for objects that name none; default: default",
    )
    command.add_argument(
        "--exclude",
        action="append",
        default=[],
        type=_pattern,
        metavar="GLOB",
        help="what is not read of a folder, as .gitignore has it: templates/, '**/vendor/*.yaml'; "
        f"repeatable; {', '.join(OF_TOOLS)} are left out anyway, and '!{OF_TOOLS[0]}' has one "
        "read; what is named as PATH is always read",
    )


def add_output(command: argparse.ArgumentParser, run: Any, more: Sequence[str] = ()) -> None:
    """How the rows are printed, in some format more where a command has it, and what makes them."""
    command.add_argument(
        "-o", "--output", choices=(*FORMATS, *more), default="table", help="default: %(default)s"
    )
    command.set_defaults(run=run)


def add_today(command: argparse.ArgumentParser, what: str) -> None:
    """The day for what `expires`, or `ends`."""
    command.add_argument(
        "--today", type=_day, metavar="DATE", help=f"the day for what {what}; default: today"
    )


def today_of(options: argparse.Namespace) -> str:
    """The day that was asked for, or today's, as an ISO date."""
    day: date = options.today or datetime.now(UTC).date()
    return day.isoformat()


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write 2027-01-31") from None


def _path(text: str) -> str:
    """Refuse an empty path: a shell's unset variable does not mean the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("an empty path; write . for the current folder")
    return text


def _pattern(text: str) -> str:
    """Refuse what would exclude nothing."""
    try:
        compiled([text])
    except ManifestError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _cluster(text: str) -> tuple[str, str]:
    """NAME=PATH[@IMPLEMENTATION:RELEASE] as name and the rest."""
    name, _, rest = text.partition("=")
    if not (name and split_reader(rest)[0]):
        msg = f"{text!r} is not NAME=PATH or NAME=PATH@IMPLEMENTATION:RELEASE"
        raise argparse.ArgumentTypeError(msg)
    return name, rest


def _clusters_in(file: str) -> list[tuple[str, str]]:
    """The clusters that a file names, as `--cluster` has them."""
    sheet = Sheet(file)
    try:
        named = sheet.document(Path(file).read_text(encoding="utf-8"))
        sheet.stop()
    except (OSError, ValueError) as error:  # not there, no UTF-8, no YAML
        raise argparse.ArgumentTypeError(str(error)) from None
    if not isinstance(named, dict) or not all(isinstance(path, str) for path in named.values()):
        raise argparse.ArgumentTypeError(f"{file}: write NAME: PATH for each cluster")
    return [_cluster(f"{name}={Path(file).parent / path}") for name, path in named.items()]


def say(text: str) -> None:
    """A line on standard error."""
    write(sys.stderr, printable(text) + "\n")


def write(stream: TextIO | None, text: str) -> None:
    """Write at once. A stream that is closed, or whose reader has gone (`| head`), is no error."""
    if stream is None:
        return
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        # Nothing more can be written there, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if not isinstance(error, BrokenPipeError):
            raise
