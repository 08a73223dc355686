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
import ast
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from protocol_analysis import pages, terminal
from protocol_analysis.coverage import Coverage, coverage
from protocol_analysis.formats import printable, render
from protocol_analysis.manifests import load
from protocol_analysis.model import Inventory, ManifestError
from protocol_analysis.releases import RulesetError
from protocol_analysis.resolver import Resolution, resolve
from protocol_analysis.rules import ruleset
from protocol_analysis.tables import problem_table

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
WRITTEN = ".report-files.json"  # in the output folder: what a report wrote there
DATA = ("coverage.csv", "coverage.json", "resolve.json", "problems.csv")
FAILED, USAGE = 1, 2
CELL_SECONDS = 600

Manifests = str | Sequence[str] | Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a report is about: what was read, and what one release makes of it."""

    inventory: Inventory
    ports: list[Coverage]
    references: list[Resolution]
    release: str


def read(manifests: Manifests, namespace: str = "default", progress: Any = None) -> Inventory:
    """Manifests as a notebook's parameter names them.

    A path, a list of paths, or a mapping from a cluster's name to its path; a cluster's names
    never resolve to another's. Raises ManifestError where nothing is named.

    >>> read(["no/such/folder"]).unreadable[0].reason
    'no such file or folder'
    """
    if isinstance(manifests, Mapping):
        return load(clusters=manifests, namespace=namespace, progress=progress)
    paths = [manifests] if isinstance(manifests, str) else list(manifests)
    return load(*paths, namespace=namespace, progress=progress)


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
    _check_target(target, {"index.html", *DATA, *(f"{path.stem}.html" for path in notebooks)})
    release, warning = ruleset().pick(options.release)
    if warning:
        _note(f"warning: {warning}")
    inventory = read(options.manifests, options.namespace, _bar)
    found = Read(
        inventory=inventory,
        ports=coverage(inventory, release=release),
        references=resolve(inventory, release=release),
        release=release,
    )
    print(terminal.ports_text(found, target), terminal.summary_text(found), sep="\n\n", end="\n\n")
    parameters = {
        "MANIFESTS": options.manifests[0] if len(options.manifests) == 1 else options.manifests,
        "RELEASE": release,
        "NAMESPACE": options.namespace,
    }
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
    print(
        *terminal.unreadable_lines(inventory, target), f"report: {target / 'index.html'}", sep="\n"
    )
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
    for name, text in zip(DATA, texts, strict=True):
        (folder / name).write_text(text + "\n", encoding="utf-8")


def _pages(
    notebooks: Sequence[Path], parameters: Mapping[str, Any], folder: Path
) -> dict[str, str]:
    """Execute and write each notebook; the error of each one that failed, by its name."""
    failures = {}
    for number, path in enumerate(notebooks, 1):
        _note(f"notebook {number} of {len(notebooks)}: {path.name}")
        book, error = execute(path, parameters)
        if error:
            failures[path.stem] = error
        (folder / f"{path.stem}.html").write_text(pages.notebook_page(book), encoding="utf-8")
    return failures


def execute(path: Path, parameters: Mapping[str, Any]) -> tuple[Any, str]:
    """A copy of the notebook, run here with other parameters, and the error that ended it or ''.

    It runs in the current folder, so that relative paths mean what they mean to the user, with
    this Python, whatever kernels are installed.
    """
    import nbformat  # noqa: PLC0415 - only a report needs Jupyter
    from jupyter_client.kernelspec import KernelSpecManager  # noqa: PLC0415
    from jupyter_client.manager import AsyncKernelManager  # noqa: PLC0415
    from nbclient import NotebookClient  # noqa: PLC0415
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError  # noqa: PLC0415

    text = path.read_text(encoding="utf-8")
    book = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    for cell in book.cells:
        if "parameters" in cell.metadata.get("tags", ()):
            cell.source = parametrised(cell.source, parameters)

    class ThisPython(AsyncKernelManager):
        def _kernel_spec_manager_default(self) -> Any:
            return KernelSpecManager(kernel_dirs=[])  # no installed kernel is looked for

    client = NotebookClient(
        book,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        kernel_manager_class=ThisPython,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(Path.cwd())}},
    )
    package = str(Path(__file__).resolve().parent.parent)
    others = os.environ.get("PYTHONPATH")
    search = os.pathsep.join([package, *([others] if others else [])])
    try:
        # Without the user's IPython start-up files, which could change what is shown.
        with tempfile.TemporaryDirectory() as plain:
            client.execute(env={**os.environ, "PYTHONPATH": search, "IPYTHONDIR": plain})
    except CellExecutionError as error:
        return book, f"{error.ename}: {error.evalue}"
    except (CellTimeoutError, DeadKernelError) as error:
        return book, str(error).strip().splitlines()[0]
    return book, ""


def parametrised(source: str, parameters: Mapping[str, Any]) -> str:
    r"""A cell of assignments, with other values for those names that it assigns.

    >>> print(parametrised('A = 1  # one\nB = "b"', {"A": "x", "C": 3}))
    A = 'x'
    B = "b"
    """
    lines = source.splitlines()
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in parameters:
                lines[node.lineno - 1 : node.end_lineno] = [f"{name} = {parameters[name]!r}"]
    return "\n".join(lines)


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
