"""Every notebook on other people's manifests: its claims hold on any input.

The cells run in this process, which a kernel's start would be most of the time of; papermill, as
a maintainer's CI would have it, replaces the parameters of a copy and runs that in a kernel.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import papermill  # type: ignore[import-untyped]
import pytest
from IPython.core.formatters import DisplayFormatter

from protocol_analysis import Inventory, load, reading, ruleset
from protocol_analysis.report.execution import read_notebook
from protocol_analysis.rulebook import line_releases
from protocol_analysis.tables.showing import shown
from tests.support import ROOT, SHARED, needs_shared

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NO_PORTS = "apiVersion: v1\nkind: Service\nmetadata: {name: empty}\nspec: {}\n"
SAMPLE = ROOT / "data" / "sample"
CLUSTERS = {
    "east": f"{SAMPLE / 'east'}@envoy-gateway:v1.2.8",
    "west": f"{SAMPLE / 'west'}@envoy-gateway:main",
}

LOADED: dict[str, Inventory] = {}

books = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.name for path in NOTEBOOKS])


def load_once(*paths: str, progress: Any = None, **how: Any) -> Inventory:
    """What several notebooks read is large, and the same for each."""
    key = repr((paths, how))
    if key not in LOADED:
        LOADED[key] = load(*paths, progress=progress, **how)
    return LOADED[key]


@pytest.fixture(autouse=True)
def _as_in_a_kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In the notebooks' folder; what a cell ends in is shown, and what it sets ends with it."""
    formatter = DisplayFormatter()
    formatter.formatters["text/html"].for_type(pd.DataFrame, shown)

    def show(value: Any) -> None:
        if value is not None:
            page, _ = formatter.format(value)  # type: ignore[no-untyped-call]
            assert page["text/plain"]
            assert "text/html" in page or not isinstance(value, pd.DataFrame)

    monkeypatch.setattr(sys, "displayhook", show)
    monkeypatch.setattr(reading, "load", load_once)
    monkeypatch.chdir(ROOT / "notebooks")
    yield
    pd.reset_option("^display")


def run(path: Path, manifests: object, **more: Any) -> None:
    """All cells with these parameters, from nothing."""
    parameters = {"MANIFESTS": manifests if isinstance(manifests, dict) else str(manifests), **more}
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in read_notebook(path, parameters).cells:
        if cell.cell_type == "code":
            tree = ast.Interactive(body=ast.parse(cell.source).body)
            code = compile(tree, f"{path.name}, cell {cell.id}", "single")
            exec(code, names)  # noqa: S102 - a notebook of this project


@books
def test_an_empty_folder(path: Path, tmp_path: Path) -> None:
    run(path, tmp_path)


@books
@pytest.mark.slow
def test_one_service_without_ports(path: Path, tmp_path: Path) -> None:
    (tmp_path / "service.yaml").write_text(NO_PORTS, encoding="utf-8")
    run(path, tmp_path / "service.yaml")


@books
@needs_shared
@pytest.mark.slow
def test_real_manifests(path: Path) -> None:
    run(path, SHARED / "real" / "manifests")


@books
@needs_shared
def test_the_inputs_of_the_translators_own_tests(path: Path) -> None:
    run(path, SHARED / "golden" / "envoy-gateway" / "inputs")


@books
@pytest.mark.slow
@pytest.mark.parametrize("release", ["main", "v1.7.3", "v1.8.0", *line_releases(ruleset())])
def test_every_line(path: Path, release: str) -> None:
    run(path, SAMPLE, RELEASE=release)


@books
def test_clusters_with_releases_of_their_own(path: Path) -> None:
    run(path, CLUSTERS, RELEASE="v1.8.3")


# Papermill's own dependencies warn of what they will do themselves one day.
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[pytest.mark.slow] * bool(at)) for at, path in enumerate(NOTEBOOKS)],
    ids=[path.name for path in NOTEBOOKS],
)
def test_papermill_runs_a_copy(path: Path, tmp_path: Path) -> None:
    papermill.execute_notebook(
        path,
        tmp_path / path.name,
        parameters={"MANIFESTS": CLUSTERS, "RELEASE": "v1.8.3"},
        cwd=str(path.parent),
        kernel_name="python3",
        progress_bar=False,
        request_save_on_cell_execute=False,
    )
