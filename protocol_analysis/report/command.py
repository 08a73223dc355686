"""Manifests → a folder of HTML: the notebooks executed on them, and the tables as CSV and JSON.

    python -m protocol_analysis.report --manifests PATH --to build/report

It prints the coverage table and a summary, executes *copies* of the notebooks with their parameters
replaced, and writes one HTML page each, an `index.html`, `coverage.csv`, `coverage.json`,
`resolve.json` and `problems.csv`. Pages need no network. In the output folder only files that an
earlier report wrote are replaced or removed.

Exit status: 0 done, whatever was found or could not be read; 1 a notebook failed; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tqdm import tqdm

from protocol_analysis.formats import printable, render
from protocol_analysis.model import ManifestError
from protocol_analysis.reading import Read, read
from protocol_analysis.releases import RulesetError
from protocol_analysis.report import pages, terminal
from protocol_analysis.rules import ruleset
from protocol_analysis.tables import problem_table

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
WRITTEN = ".report-files.json"  # in the output folder: what a report wrote there
FAILED, USAGE = 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Write a report; returns the exit status."""
    options = _parser().parse_args(argv)
    try:
        return _report(options)
    except (RulesetError, ManifestError, _UsageError) as error:
        _note(f"report: {error}")
        return USAGE


class _UsageError(ValueError):
    """What was asked for cannot be done; the message says what can."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m protocol_analysis.report",
        description="The notebooks on your manifests, as HTML, with the tables as CSV and JSON.",
    )
    parser.add_argument(
        "--manifests",
        action="append",
        required=True,
        metavar="PATH",
        help="a file, or a folder (read recursively); repeatable",
    )
    parser.add_argument(
        "--release", metavar="R", help="v1.8.3, 1.8 (its newest patch), main; default: the newest"
    )
    parser.add_argument(
        "--namespace",
        default="default",
        help="for objects that name none; default: %(default)s",
    )
    parser.add_argument(
        "--to",
        default="build/report",
        metavar="FOLDER",
        help="where the report goes; default: %(default)s",
    )
    return parser


def _report(options: argparse.Namespace) -> int:
    target = Path(options.to)
    _check_manifests(options.manifests)
    notebooks = _notebooks()
    _check_target(target, {"index.html", *pages.DATA, *(f"{path.stem}.html" for path in notebooks)})
    ruleset().pick(options.release)  # an unknown one is told before anything is read
    found = read(options.manifests, options.release, namespace=options.namespace, progress=_bar)
    for warning in filter(None, (cluster.warning for cluster in found.clusters)):
        _note(f"warning: {warning}")
    print(terminal.ports_text(found, target), terminal.summary_text(found), sep="\n\n", end="\n\n")
    parameters = {
        "MANIFESTS": options.manifests[0] if len(options.manifests) == 1 else options.manifests,
        "RELEASE": found.clusters[0].release,
        "NAMESPACE": options.namespace,
        "TODAY": datetime.now(UTC).date().isoformat(),
    }
    if options.release:  # what is asked about is what runs today
        parameters["FROM"] = found.clusters[0].release
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        failures = _pages(notebooks, parameters, folder)
        _data(found, folder)
        names = [(path.stem, pages.title_of(path)) for path in notebooks]
        index = pages.index_page(found, names, failures)
        (folder / "index.html").write_text(index, encoding="utf-8")
        _install(folder, target)
    for name, error in failures.items():
        print(f"notebook {name} failed: {printable(error)}")
    last = [*terminal.unreadable_lines(found.inventory, target), f"report: {target / 'index.html'}"]
    print("\n".join(last))
    return FAILED if failures else 0


def _check_manifests(paths: Sequence[str]) -> None:
    for path in paths:
        if path == "-":
            raise _UsageError(
                "--manifests -: the notebooks read the manifests again; "
                "save standard input to a file and name that"
            )
        if not Path(path).exists():
            raise _UsageError(
                f"--manifests {path}: no such file or folder; name one that holds manifests"
            )


def _check_target(target: Path, names: set[str]) -> None:
    if target.exists() and not target.is_dir():
        raise _UsageError(f"--to {target} is a file; name a folder, which may be new")
    foreign = sorted(name for name in names - _earlier(target) if (target / name).exists())
    if foreign:
        which = ", ".join(foreign)
        raise _UsageError(
            f"--to {target} holds {which}, which no report wrote; name another folder"
        )


def _notebooks() -> list[Path]:
    found = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
    if not found:
        raise _UsageError(
            f"no notebooks in {NOTEBOOKS}: they are not part of the installed package; "
            "run this in a clone of the repository"
        )
    return found


def _bar(files: Iterable[Any]) -> Iterable[Any]:
    bar: Iterable[Any] = tqdm(files, "reading", unit=" files", disable=None)
    return bar


def _note(text: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(printable(text) + "\n")
    sys.stderr.flush()


def _data(found: Read, folder: Path) -> None:
    ports = [port.as_dict() for port in found.ports]
    references = [reference.as_dict() for reference in found.references]
    problems = problem_table(found.inventory).to_dict("records")
    rows = [{str(name): value for name, value in row.items()} for row in problems]
    texts = (
        render(ports, "csv", {}, {}),
        render(ports, "json", {}, {}),
        render(references, "json", {}, {}),
        render(rows, "csv", {}, {}),
    )
    for name, text in zip(pages.DATA, texts, strict=True):
        (folder / name).write_text(text + "\n", encoding="utf-8")


def _pages(
    notebooks: Sequence[Path], parameters: Mapping[str, Any], folder: Path
) -> dict[str, str]:
    """Execute and write each notebook; the error of each one that failed, by its name."""
    from protocol_analysis.report import execution  # noqa: PLC0415 - usage errors come at once

    failures = {}
    for number, path in enumerate(notebooks, 1):
        _note(f"notebook {number} of {len(notebooks)}: {path.name}")
        book = execution.read_notebook(path, parameters)
        try:
            # In the current folder, so that relative paths mean what they mean to the user.
            execution.execute(book, Path.cwd())
        except execution.FAILURES as failure:
            failures[path.stem] = execution.reason(failure)
        (folder / f"{path.stem}.html").write_text(pages.notebook_page(book), encoding="utf-8")
    return failures


def _install(folder: Path, target: Path) -> None:
    """Move the finished files over the earlier report's; remove what only the earlier one had."""
    target.mkdir(parents=True, exist_ok=True)
    earlier = _earlier(target)
    names = {file.name for file in folder.iterdir()}
    listing = target / WRITTEN
    listing.write_text(json.dumps(sorted(earlier | names)) + "\n", encoding="utf-8")
    for name in sorted(names):
        staged = target / f".{name}.new"
        shutil.copyfile(folder / name, staged)
        staged.replace(target / name)
    for name in earlier - names:
        (target / name).unlink(missing_ok=True)
    listing.write_text(json.dumps(sorted(names)) + "\n", encoding="utf-8")


def _earlier(target: Path) -> set[str]:
    """What an earlier report wrote there: plain names only, whatever the listing says."""
    try:
        names = json.loads((target / WRITTEN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    plain = [name for name in names if isinstance(name, str) and Path(name).name == name]
    return set(plain) if isinstance(names, list) else set()


if __name__ == "__main__":
    sys.exit(main())
