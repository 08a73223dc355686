"""A report on small folders: what it prints, writes, keeps and refuses."""

from __future__ import annotations

import json
import re
import shutil
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from protocol_analysis.reading import read
from protocol_analysis.report import command as report, pages, terminal
from tests.support import ROOT, SHARED, needs_shared

NOTEBOOKS = ROOT / "notebooks"
SHOP = """\
apiVersion: v1
kind: Service
metadata: {name: checkout, namespace: shop}
spec:
  ports:
    - {name: grpc, port: 9000, appProtocol: grpc}
    - {name: web, port: 80, appProtocol: "<script>alert('$x$')</script>"}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: checkout, namespace: shop}
spec:
  rules:
    - backendRefs: [{name: checkout, port: 9000}, {name: gone, port: 1}]
"""
BROKEN = "kind: Service\nmetadata: [\n"


class Page(HTMLParser):
    """The tags of a page, each with its attributes."""

    def __init__(self, text: str) -> None:
        """Read the page."""
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep it."""
        self.tags.append((tag, dict(attrs)))


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `manifests` in the current one, with one broken file."""
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "shop.yaml").write_text(SHOP, encoding="utf-8")
    (folder / "broken.yaml").write_text(BROKEN, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "140")
    return folder


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Notebooks of one cell each instead of the real ones; their folder."""
    folder = tmp_path / "tiny-notebooks"
    folder.mkdir()
    write_notebook(folder / "01_one.ipynb", "# One?", "print(MANIFESTS, RELEASE)")
    monkeypatch.setattr(report, "NOTEBOOKS", folder)
    return folder


def write_notebook(path: Path, title: str, code: str) -> None:
    common: dict[str, Any] = {"cell_type": "code", "execution_count": None, "outputs": []}
    parameters = {**common, "id": "b", "metadata": {"tags": ["parameters"]}}
    cells = [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": title},
        {**parameters, "source": 'MANIFESTS = "no"\nRELEASE = "no"  # none'},
        {**common, "id": "c", "metadata": {}, "source": code},
    ]
    book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    path.write_text(json.dumps(book), encoding="utf-8")


@pytest.fixture(params=["00_*.ipynb", pytest.param("[0-9]*.ipynb", marks=pytest.mark.slow)])
def books(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> set[str]:
    """The pages of the real notebooks; of the first one alone where it has to be quick."""
    found = sorted(NOTEBOOKS.glob(request.param))
    if len(found) == 1:
        (tmp_path / "notebooks").mkdir()
        shutil.copy(found[0], tmp_path / "notebooks")
        monkeypatch.setattr(report, "NOTEBOOKS", tmp_path / "notebooks")
    return {f"{path.stem}.html" for path in found}


def test_the_real_notebooks_on_a_small_folder(
    shop: Path, books: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in NOTEBOOKS.iterdir() if path.is_file()}
    assert report.main(["--manifests", "manifests", "--release", "1.8", "--to", "out"]) == 0
    assert before == {p.name: p.read_bytes() for p in NOTEBOOKS.iterdir() if p.is_file()}
    target = shop.parent / "out"
    names = {path.name for path in target.iterdir()}
    assert names == books | {
        "index.html",
        "coverage.csv",
        "coverage.json",
        "resolve.json",
        "problems.csv",
        report.WRITTEN,
    }
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("not read: manifests/broken.yaml:")
    assert lines[-1] == "report: out/index.html"
    for name in books | {"index.html"}:
        text = (target / name).read_text(encoding="utf-8")
        page = Page(text)
        images = [attributes for tag, attributes in page.tags if tag == "img"]
        assert images
        assert all(len(image["alt"] or "") > 20 for image in images)
        # Nothing is fetched: no script, no style sheet, no picture but those inside the page.
        assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
        assert all((image["src"] or "").startswith("data:image/png;base64,") for image in images)
        assert "url(" not in text
        assert "@import" not in text
        assert "alert(" not in text or "&lt;script&gt;alert(" in text
        assert str(shop.parent) not in text
        assert "v1.8.3" in text
    rows = json.loads((target / "coverage.json").read_text(encoding="utf-8"))
    assert [row["appProtocol"] for row in rows] == ["grpc", "<script>alert('$x$')</script>"]
    assert rows[0]["declaredAt"]["file"] == "manifests/shop.yaml"
    assert len(json.loads((target / "resolve.json").read_text(encoding="utf-8"))) == 2


@pytest.mark.usefixtures("shop", "tiny")
def test_every_port_is_printed_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main(["--manifests", "manifests", "--to", "out"]) == 0
    out, err = capsys.readouterr()
    assert re.search(
        r"Service +shop/checkout:9000 +grpc +recognised +GRPC +1 +\S*shop.yaml:6:", out
    )
    assert "ports       2: recognised 1, silent fallback 1" in out
    assert "references  2: resolved 1, no-object 1" in out
    assert "notebook 1 of 1: 01_one.ipynb" in err


@pytest.mark.usefixtures("tiny")
def test_parameters_reach_the_copies(shop: Path) -> None:
    arguments = ["--manifests", "manifests", "--manifests", "manifests/shop.yaml"]
    assert report.main([*arguments, "--release", "1.6", "--to", "out"]) == 0
    text = (shop.parent / "out" / "01_one.html").read_text(encoding="utf-8")
    assert "['manifests', 'manifests/shop.yaml'] v1.6." in unescape(text)


def test_a_failing_notebook_is_named_and_the_others_are_written(
    shop: Path, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_notebook(tiny / "00_bad.ipynb", "# Bad?", "raise ValueError('<b>no</b>')")
    assert report.main(["--manifests", "manifests", "--to", "out"]) == 1
    assert "notebook 00_bad failed: ValueError: <b>no</b>" in capsys.readouterr().out
    target = shop.parent / "out"
    assert (target / "01_one.html").exists()
    assert "ValueError" in (target / "00_bad.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;no&lt;/b&gt;" in (target / "index.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("tiny")
def test_many_unreadable_files_end_in_how_many_more(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(30):
        (shop / f"broken-{number:02}.yaml").write_text(BROKEN, encoding="utf-8")
    assert report.main(["--manifests", "manifests", "--to", "out"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2] == f"not read: and 11 more, see {Path('out/problems.csv')}"
    assert len([line for line in lines if line.startswith("not read: manifests/")]) == 20
    problems = (shop.parent / "out" / "problems.csv").read_text(encoding="utf-8")
    assert problems.count("unreadable") == 31


@pytest.mark.usefixtures("tiny")
def test_many_ports_are_counted_and_the_worst_are_shown(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ports = ", ".join(f"{{port: {number}, appProtocol: H2C}}" for number in range(1, 201))
    text = f"kind: Service\napiVersion: v1\nmetadata: {{name: big}}\nspec: {{ports: [{ports}]}}\n"
    (shop / "big.yaml").write_text(text, encoding="utf-8")
    assert report.main(["--manifests", "manifests", "--to", "out"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"near miss +200 +0 +0 +200\n", out)
    assert "the first 20 of 201" in out
    assert out.count("big:") == 20
    assert "All 202 ports: " in out


def test_only_what_a_report_wrote_is_replaced(shop: Path, tiny: Path) -> None:
    target = shop.parent / "out"
    target.mkdir()
    (target / "mine.txt").write_text("mine", encoding="utf-8")
    write_notebook(tiny / "02_two.ipynb", "# Two?", "1")
    assert report.main(["--manifests", "manifests", "--to", "out"]) == 0
    assert (target / "02_two.html").exists()
    (tiny / "02_two.ipynb").unlink()
    assert report.main(["--manifests", "manifests", "--to", "out"]) == 0
    assert not (target / "02_two.html").exists()
    assert (target / "mine.txt").read_text(encoding="utf-8") == "mine"
    assert not [path for path in target.iterdir() if path.name.endswith(".new")]


@pytest.mark.usefixtures("tiny")
def test_a_file_that_no_report_wrote_is_not_replaced(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = shop.parent / "out"
    target.mkdir()
    (target / "index.html").write_text("mine", encoding="utf-8")
    assert report.main(["--manifests", "manifests", "--to", "out"]) == 2
    assert (target / "index.html").read_text(encoding="utf-8") == "mine"
    assert "name another folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["--manifests", "no-such-folder"], "name one that holds manifests"),
        (["--manifests", "-"], "save standard input to a file"),
        (["--manifests", "manifests", "--to", "manifests/shop.yaml"], "name a folder"),
        (["--manifests", "manifests", "--release", "v77.0.0-nonsense"], "v1.9.0"),
    ],
)
@pytest.mark.usefixtures("shop")
def test_wrong_usage_is_told_with_a_remedy(
    capsys: pytest.CaptureFixture[str], arguments: list[str], remedy: str
) -> None:
    assert report.main(arguments) == 2
    out, err = capsys.readouterr()
    assert remedy in err
    assert not out


def test_without_a_checkout_it_says_what_to_do(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report, "NOTEBOOKS", shop / "none")
    assert report.main(["--manifests", "manifests"]) == 2
    assert "clone of the repository" in capsys.readouterr().err


def test_clusters_are_read_apart(shop: Path) -> None:
    read_apart = read({"east": str(shop / "shop.yaml"), "west": str(shop / "shop.yaml")})
    assert [service.meta.cluster for service in read_apart.inventory.services] == ["east", "west"]


def test_a_table_fits_its_terminal() -> None:
    rows = [
        {
            "kind": "ServiceImport",
            "port": f"a-long-namespace/{'name' * 20}:443",
            "class": "standard but ignored",
            "routes": 3,
            "declared at": f"{'folder/' * 20}shop.yaml:12:3",
        }
    ]
    for width in (40, 60, 80, 100, 140):
        lines = terminal.fitted(rows, width).splitlines()
        assert all(len(line) <= width for line in lines)
    assert "standard but ignored" in terminal.fitted(rows, 80)
    assert terminal.fitted(rows, 80).endswith("shop.yaml:12:3")


def test_a_page_escapes_its_title() -> None:
    assert "<title>&lt;i&gt;</title>" in pages.page("<i>", "")


@pytest.mark.slow
@needs_shared
def test_all_real_manifests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = str(tmp_path / "out")
    assert report.main(["--manifests", str(SHARED / "real" / "manifests"), "--to", target]) == 0
    assert "files       1,739" in capsys.readouterr().out
