"""What commands share when they run: what they read, how rows are printed, what was not read."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tqdm import tqdm

from protocol_analysis.arguments import say, write
from protocol_analysis.formats import Columns, Row, render
from protocol_analysis.manifests import split_reader
from protocol_analysis.readers import all_readers, warning_of
from protocol_analysis.reading import Cluster, Read, read
from protocol_analysis.releases import RulesetError

FAILED, UNREADABLE = 1, 3


def inputs_of(options: argparse.Namespace, reading: Callable[..., Read] = read) -> list[Cluster]:
    """What is named without a cluster, then each cluster, with who reads it.

    `reading` reads what is named without one: it may find clusters in a folder.
    """
    if not options.paths and not options.cluster:
        msg = "no PATH given; name a file, a folder, - for standard input, or --cluster NAME=PATH"
        raise RulesetError(msg)
    names = [name for name, _ in options.cluster]
    if double := sorted({name for name in names if names.count(name) > 1}):
        msg = f"cluster {double[0]!r} is named twice; a cluster is one path, a folder for instance"
        raise RulesetError(msg)
    if [*options.paths, *(split_reader(rest)[0] for _, rest in options.cluster)].count("-") > 1:
        raise RulesetError("standard input is named twice; it can be read once")
    asked = (
        *(options.release, options.implementation, options.namespace),
        *(_progress, options.mesh, options.exclude),
    )
    # Clusters first: a release that is not known is told before anything is read.
    named = read(dict(options.cluster), *asked).clusters if options.cluster else ()
    all_readers(options.mesh, mesh=True)  # what is no mesh is told before anything else
    warn(options.mesh, options)
    clusters = [*(reading(options.paths, *asked).clusters if options.paths else ()), *named]
    for warning in dict.fromkeys(filter(None, (cluster.warning for cluster in clusters))):
        say(f"warning: {warning}")
    for cluster in clusters:
        found = cluster.inventory
        if not found.files and not found.unreadable:  # an empty folder, or all of it is excluded
            where = f"cluster {cluster.name}" if cluster.name else ", ".join(options.paths)
            left = " that --exclude leaves" if options.exclude else ""
            say(f"warning: {where}: nothing was read: there is no manifest{left}")
    return clusters


def warn(readers: Iterable[str | None], options: argparse.Namespace) -> None:
    """Say what is assumed of releases that are not known exactly."""
    for text in readers:
        if warning := warning_of(text, options.implementation):
            say(f"warning: {warning}")


def _progress(files: Iterable[Any]) -> Iterable[Any]:
    bar: Iterable[Any] = tqdm(files, "reading", unit="file", leave=False, disable=None, delay=1)
    return bar


def finish(
    options: argparse.Namespace,
    inputs: list[Cluster],
    rows: Sequence[Row],
    columns: Columns,
    wide: Columns,
    fields: Sequence[str],
) -> int:
    """Print rows about clusters, in their columns only where those tell; the exit status."""
    if not any(row["cluster"] for row in rows):
        columns = {name: get for name, get in columns.items() if name != "cluster"}
    if len({row.get("implementation") for row in rows}) < 2:
        columns = {name: get for name, get in columns.items() if name != "read by"}
    print_rows(rows, options, columns, wide, fields)
    return said(inputs)


def said(inputs: list[Cluster]) -> int:
    """What was passed over or could not be read; the exit status."""
    unreadable = [problem for i in inputs for problem in i.inventory.unreadable]
    for label, found in (
        ("warning", [problem for i in inputs for problem in i.inventory.warnings]),
        ("passed over", [problem for i in inputs for problem in i.inventory.skipped]),
        ("not read", unreadable),
    ):
        for problem in found:
            say(f"{label}: {problem}")
    if unreadable:
        say(f"{len(unreadable)} could not be read, all named above; the rest is printed")
    return UNREADABLE if unreadable else 0


def print_rows(
    rows: Sequence[Row],
    options: argparse.Namespace,
    columns: Columns,
    wide: Columns,
    fields: Sequence[str] = (),
) -> None:
    """Print rows in the format that was asked for."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    text = render(rows, options.output, columns, wide, fields=fields, encoding=encoding)
    if text or options.output != "jsonl":
        write(sys.stdout, text + "\n")
