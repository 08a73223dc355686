"""Execute in place the notebooks whose outputs may be stale; `make notebooks` runs it.

A notebook's metadata keep a hash of what its outputs come from: its own code, the package and its
rules, and `data/`. Where that has changed the notebook is executed anew and written so that the
same outputs give the same bytes: no times, no versions, cells counted from 1. A stale hash is no
error, since nbval compares the outputs themselves; it only says what to execute.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from PIL import Image

from protocol_analysis import ruleset
from protocol_analysis.plots import rulebook_plot
from protocol_analysis.report.execution import FAILURES, execute, read_notebook
from protocol_analysis.tables import rulebook_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = Path(__file__).resolve().parents[1]
CELL_SECONDS = 120
RULEBOOK = ROOT / "notebooks" / "rulebook.png"
KEY = "protocol_analysis"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"}


def main(argv: Sequence[str] | None = None) -> int:
    """Refresh the notebooks; returns 1 where one failed or, with --check, is stale."""
    parser = argparse.ArgumentParser(description="Execute in place the notebooks that are stale.")
    parser.add_argument("--check", action="store_true", help="only list the stale ones")
    parser.add_argument("--all", action="store_true", help="execute those that are not stale too")
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of notebooks/")
    options = parser.parse_args(argv)
    status = 0
    for path in options.notebooks or sorted((ROOT / "notebooks").glob("*.ipynb")):
        book = read_notebook(path)
        wanted = digest(book)
        if book.metadata.get(KEY, {}).get("hash") == wanted and not options.all:
            print(f"{path.name}: up to date")
        elif options.check:
            print(f"{path.name}: stale")
            status = 1
        else:
            print(f"{path.name}: executing …", flush=True)
            try:
                execute(book, path.parent, CELL_SECONDS)
            except FAILURES as error:
                print(f"{path.name}: failed, left as it was\n{error}")
                status = 1
                continue
            tidy(book, wanted)
            write(book, path)
            print(f"{path.name}: written")
    if not (options.check or options.notebooks):
        draw_rulebook()
    return status


def draw_rulebook() -> None:
    """The README's picture, drawn anew where the ruleset says something else now."""
    picture = rulebook_plot(rulebook_table(ruleset()))
    if described(RULEBOOK) != picture.alt:
        RULEBOOK.write_bytes(picture.png())
        print(f"{RULEBOOK.name}: written")


def described(png: Path) -> str:
    """What a picture of ours says of itself."""
    if not png.exists():
        return ""
    with Image.open(png) as image:
        return str(image.info.get("Description", ""))


def write(book: Any, path: Path) -> None:
    text: str = nbformat.writes(book)  # type: ignore[no-untyped-call]
    path.write_text(text.rstrip("\n") + "\n", encoding="utf-8", newline="\n")


def sources(root: Path = ROOT) -> list[Path]:
    """The files that a notebook's outputs come from, apart from itself, in a fixed order."""
    package = root / "protocol_analysis"
    files: Iterable[Path] = (
        *package.rglob("*.py"),
        *package.rglob("*.yaml"),
        *(root / "data").rglob("*"),
    )
    found = (path for path in files if path.is_file() and path.suffix != ".pyc")
    return sorted(path for path in found if not path.name.startswith("."))


def digest(book: Any, root: Path = ROOT) -> str:
    """A hash of a notebook's code and of `sources`: of contents and names, not of machines."""
    total = hashlib.sha256()
    parts = [("cell", cell.source.encode()) for cell in book.cells if cell.cell_type == "code"]
    parts += [(path.relative_to(root).as_posix(), path.read_bytes()) for path in sources(root)]
    for name, content in parts:
        # Each part is hashed by itself, so that nothing can move from one to its neighbour.
        part = hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()
        total.update(f"{name} {part}\n".encode())
    return total.hexdigest()


def tidy(book: Any, wanted: str) -> None:
    """Keep what readers need and drop what differs from one execution to the next."""
    book.metadata = nbformat.from_dict(  # type: ignore[no-untyped-call]
        {"kernelspec": KERNEL, "language_info": LANGUAGE, KEY: {"hash": wanted}}
    )
    book.nbformat, book.nbformat_minor = 4, 5
    taken: set[str] = set()
    count = 0
    for number, cell in enumerate(book.cells, 1):
        if cell.get("id", "") in {"", *taken}:
            cell.id = f"cell-{number}"
        taken.add(cell.id)
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})  # type: ignore[no-untyped-call]
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = count


if __name__ == "__main__":
    sys.exit(main())
