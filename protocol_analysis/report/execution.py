"""A notebook, executed in a fresh kernel of this Python; with other parameters where wanted.

Neither installed kernels nor the user's IPython start-up files, manifests or matplotlib back end
can change what is shown.
"""

from __future__ import annotations

import ast
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

CELL_SECONDS = 600
FAILURES = (CellExecutionError, CellTimeoutError, DeadKernelError)


class ThisPython(AsyncKernelManager):
    """Kernels of the Python that runs this, whatever kernels are installed."""

    def _kernel_spec_manager_default(self) -> Any:
        return KernelSpecManager(kernel_dirs=[])


def read_notebook(path: Path, parameters: Mapping[str, Any] | None = None) -> Any:
    """The notebook, as nbformat holds it, with other values for parameters that it has."""
    text = path.read_text(encoding="utf-8")
    book = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    for cell in book.cells:
        if parameters and "parameters" in cell.metadata.get("tags", ()):
            cell.source = parametrised(cell.source, parameters)
    return book


def execute(book: Any, folder: Path, cell_seconds: int = CELL_SECONDS) -> None:
    """Run all cells in `folder`; outputs go into the notebook.

    Raises one of FAILURES where a cell fails, takes too long or ends its kernel; the outputs up to
    there are in the notebook.
    """
    client = NotebookClient(
        book,
        timeout=cell_seconds,
        kernel_name="python3",
        kernel_manager_class=ThisPython,
        extra_arguments=["--log-level=ERROR"],
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    with tempfile.TemporaryDirectory(prefix="ipython-") as plain:
        client.execute(env={**_environment(), "IPYTHONDIR": plain})


def _environment() -> dict[str, str]:
    """This one without what would change a notebook, and with this package to import."""
    kept = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    package = str(Path(__file__).resolve().parents[2])
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, (package, kept.get("PYTHONPATH"))))
    return kept


def reason(failure: BaseException) -> str:
    """Why a notebook failed, on one line."""
    if isinstance(failure, CellExecutionError):
        return f"{failure.ename}: {failure.evalue}"
    return str(failure).strip().splitlines()[0]


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
