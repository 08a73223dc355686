"""What nbval does not look at: that outputs are there at all, and that notebooks stay readable.

nbval compares what cells print and show; it passes a notebook without outputs, and a wrong picture.
"""

from __future__ import annotations

import ast
import base64
import io
import json
import re
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from PIL import Image

from protocol_analysis.report.execution import read_notebook
from tests import refresh_notebooks
from tests.support import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MACHINE = re.compile(r"(?:/home/|/Users/|/root/|/tmp/|[A-Z]:\\)\w")
STATEMENTS = (ast.Assign, ast.AnnAssign, ast.Expr, ast.Import, ast.ImportFrom, ast.Assert)
LONGEST_LINE = 110

books = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.name for path in NOTEBOOKS])


def raw(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def cells(path: Path) -> list[dict[str, Any]]:
    """The code cells."""
    return [cell for cell in raw(path)["cells"] if cell["cell_type"] == "code"]


def outputs(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for cell in cells(path):
        for output in cell["outputs"]:
            yield cell["id"], output


def outermost_calls(node: ast.AST) -> int:
    if isinstance(node, ast.Call):
        return 1
    return sum(outermost_calls(child) for child in ast.iter_child_nodes(node))


def test_there_are_notebooks() -> None:
    """Without any, the parametrised tests below would pass by not running."""
    assert FOLDER / "01_coverage.ipynb" in NOTEBOOKS


@books
def test_the_format_is_valid(path: Path) -> None:
    book = read_notebook(path)
    nbformat.validate(book)
    assert (book.nbformat, book.nbformat_minor) == (4, 5)


@books
def test_outputs_are_committed(path: Path) -> None:
    """Where a notebook was stripped, nbval compares nothing."""
    counts = [cell["execution_count"] for cell in cells(path)]
    assert counts == list(range(1, len(counts) + 1)), "`make notebooks` executes it in order"
    assert any(True for _ in outputs(path)), "no cell shows anything"


@books
def test_a_table_is_shown_where_a_cell_ends_in_one(path: Path) -> None:
    """A cell that ends in a name shows it, so its output must be there to be compared."""
    for cell in cells(path):
        body = ast.parse("".join(cell["source"])).body
        if body and isinstance(body[-1], ast.Expr) and isinstance(body[-1].value, ast.Name):
            assert cell["outputs"], f"cell {cell['id']} shows nothing"


@books
def test_no_output_is_an_error(path: Path) -> None:
    for cell, output in outputs(path):
        assert output["output_type"] != "error", f"cell {cell}: {output.get('evalue')}"
        assert output.get("name") != "stderr", f"cell {cell} warns: {output.get('text')}"


@books
def test_pictures_have_alternative_texts(path: Path) -> None:
    for cell, output in outputs(path):
        for kind in output.get("data", {}):
            if kind.startswith("image/"):
                text = output.get("metadata", {}).get(kind, {}).get("alt", "")
                assert text.strip(), f"cell {cell}: its picture has no alternative text"


@books
def test_pictures_say_what_is_compared(path: Path) -> None:
    """Nbval compares a picture's text: the picture must be there and say the same of itself."""
    shown = [o for _, o in outputs(path) if "data" in o]
    told = [o for o in shown if "Picture: " in "".join(o["data"].get("text/plain", ""))]
    assert told, "no picture is shown"
    for output in told:
        said = " ".join("".join(output["data"]["text/plain"]).split())
        alt = output["metadata"]["image/png"]["alt"]
        assert said == f"Picture: {alt}"
        with Image.open(io.BytesIO(base64.b64decode(output["data"]["image/png"]))) as image:
            assert image.info["Description"] == alt


@books
def test_outputs_hold_nothing_of_the_machine(path: Path) -> None:
    for cell, output in outputs(path):
        shown = [text for kind, text in output.get("data", {}).items() if "image" not in kind]
        text = "\n".join("".join(part) for part in [*shown, output.get("text", "")])
        assert not MACHINE.search(text), f"cell {cell}: {MACHINE.search(text)}"
        assert str(ROOT) not in text, f"cell {cell} shows where the repository lies"
        assert not re.search(r" at 0x[0-9a-f]{6,}", text), f"cell {cell} shows an address"


@books
def test_one_call_per_cell(path: Path) -> None:
    """Work is in the package; a cell asks one question of it."""
    for cell in cells(path):
        source = "".join(cell["source"])
        where = f"cell {cell['id']}:\n{source}"
        assert not re.search(r"(?m)^\s*[%!]|;\s*$", source), f"magic, shell or `;`: {where}"
        tree = ast.parse(source)
        assert all(isinstance(node, STATEMENTS) for node in tree.body), f"a block: {where}"
        assert not any(
            isinstance(node, (ast.Lambda, ast.comprehension)) for node in ast.walk(tree)
        ), f"a loop or function: {where}"
        assert outermost_calls(tree) <= 1, f"more than one call: {where}"
        assert max(map(len, source.splitlines()), default=0) <= LONGEST_LINE, f"wide: {where}"


@books
def test_imports_are_of_this_package(path: Path) -> None:
    for cell in cells(path):
        for node in ast.walk(ast.parse("".join(cell["source"]))):
            if isinstance(node, ast.Import):
                assert all(name.name.split(".")[0] == "protocol_analysis" for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert str(node.module).split(".")[0] == "protocol_analysis", ast.unparse(node)


@books
def test_metadata_are_few(path: Path) -> None:
    """Times and versions would differ each time; the tags of nbval would hide a cell from it."""
    metadata = raw(path)["metadata"]
    assert metadata["kernelspec"]["name"] == "python3"
    assert set(metadata) == {"kernelspec", "language_info", "protocol_analysis"}
    assert set(metadata["language_info"]) == {"file_extension", "mimetype", "name"}
    for cell in raw(path)["cells"]:
        assert set(cell["metadata"]) <= {"tags"}, f"cell {cell['id']}: {sorted(cell['metadata'])}"
        assert set(cell["metadata"].get("tags", [])) <= {"parameters"}, f"cell {cell['id']}"


@books
def test_the_first_code_cell_holds_the_parameters(path: Path) -> None:
    """Reports replace them; every other cell follows from them."""
    first = cells(path)[0]
    assert first["metadata"].get("tags") == ["parameters"]
    assigned = [ast.unparse(node) for node in ast.parse("".join(first["source"])).body]
    (manifests,) = [text for text in assigned if text.startswith("MANIFESTS = ")]
    assert "'../data/sample" in manifests


# What a digit may be part of: names of protocols, kinds, releases, dates and issues.
NAMES = re.compile(
    r"HTTP/[\d.]+|\bh2c?\b|\bh3\b|\bv\d[\w.-]*|\bKEP-\d+|\bRFC \d+|\b20\d\d\b|#\d+|\bH1\b"
)


@books
def test_no_number_stands_in_prose(path: Path) -> None:
    """A number is of somebody's manifests, or of today's ruleset: cells compute it."""
    for cell in raw(path)["cells"]:
        if cell["cell_type"] == "markdown":
            prose = re.sub(r"`[^`]*`|\]\([^)]*\)", "", "".join(cell["source"]))
            found = re.findall(r"\d+", NAMES.sub("", prose))
            assert not found, f"cell {cell['id']}: {found}"


@books
def test_a_notebook_is_small(path: Path) -> None:
    assert path.stat().st_size <= 1024 * 1024


@books
def test_refreshing_writes_what_is_there(path: Path) -> None:
    """The file has the form that `make notebooks` gives it: a refresh changes what is new."""
    book = read_notebook(path)
    refresh_notebooks.tidy(book, book.metadata.get("protocol_analysis", {}).get("hash", ""))
    text = nbformat.writes(book)  # type: ignore[no-untyped-call]
    assert text.rstrip("\n") + "\n" == path.read_text(encoding="utf-8")


def test_what_outputs_come_from_decides_what_is_stale(tmp_path: Path) -> None:
    package = ("a.py", "claims.yaml", "rulesets/r.yaml")
    for name in (*(f"protocol_analysis/{name}" for name in package), "data/d.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"one\ntwo\n")
    book = read_notebook(NOTEBOOKS[0])
    before = refresh_notebooks.digest(book, tmp_path)

    (tmp_path / "data/d.yaml").write_bytes(b"one\r\ntwo\r\n")
    (tmp_path / "data/__pycache__").mkdir()
    (tmp_path / "data/__pycache__/d.cpython-311.pyc").write_bytes(b"a script of data, compiled")
    book.cells[0].source = "# Prose changes no output"
    assert refresh_notebooks.digest(book, tmp_path) == before

    for name in ("rulesets/r.yaml", "claims.yaml", "a.py"):
        (tmp_path / "protocol_analysis" / name).write_bytes(b"three\n")
        after = refresh_notebooks.digest(book, tmp_path)
        assert after != before
        before = after
