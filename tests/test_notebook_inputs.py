"""Every notebook on other people's manifests: its claims hold on any input.

Papermill replaces the parameters and runs a copy, as a maintainer's CI would.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import papermill  # type: ignore[import-untyped]
import pytest

from protocol_analysis import ruleset
from protocol_analysis.rulebook import line_releases
from tests.support import ROOT, SHARED, needs_shared

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NO_PORTS = "apiVersion: v1\nkind: Service\nmetadata: {name: empty}\nspec: {}\n"

books = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.name for path in NOTEBOOKS])
# Papermill's own dependencies warn of what they will do themselves one day.
pytestmark = pytest.mark.filterwarnings("default")


def run(path: Path, manifests: object, folder: Path, **more: Any) -> None:
    papermill.execute_notebook(
        path,
        folder / path.name,
        parameters={
            "MANIFESTS": manifests if isinstance(manifests, dict) else str(manifests),
            **more,
        },
        cwd=str(path.parent),
        kernel_name="python3",
        progress_bar=False,
        request_save_on_cell_execute=False,
    )


@books
def test_an_empty_folder(path: Path, tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    run(path, tmp_path / "manifests", tmp_path)


@books
def test_one_service_without_ports(path: Path, tmp_path: Path) -> None:
    (tmp_path / "service.yaml").write_text(NO_PORTS, encoding="utf-8")
    run(path, tmp_path / "service.yaml", tmp_path)


@books
@needs_shared
@pytest.mark.slow
def test_real_manifests(path: Path, tmp_path: Path) -> None:
    run(path, SHARED / "real" / "manifests", tmp_path)


@books
@needs_shared
def test_the_inputs_of_the_translators_own_tests(path: Path, tmp_path: Path) -> None:
    run(path, SHARED / "golden" / "envoy-gateway" / "inputs", tmp_path)


@books
@pytest.mark.slow
@pytest.mark.parametrize("release", ["main", "v1.7.3", "v1.8.0", *line_releases(ruleset())])
def test_every_line(path: Path, release: str, tmp_path: Path) -> None:
    run(path, ROOT / "data" / "sample", tmp_path, RELEASE=release)


@books
def test_clusters_with_releases_of_their_own(path: Path, tmp_path: Path) -> None:
    sample = ROOT / "data" / "sample"
    readers = {"east": "v1.2.8", "west": "main"}
    manifests = {name: f"{sample / name}@envoy-gateway:{r}" for name, r in readers.items()}
    run(path, manifests, tmp_path, RELEASE="v1.8.3")
