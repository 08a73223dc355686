"""The house: imports point one way, few rooms touch the world, and the core stays small."""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
import tokenize
from typing import TYPE_CHECKING

import pytest

from tests.support import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = ROOT / "protocol_analysis"

# A room is a module, or a folder of them; each with those it may import. A new one gets a line.
CORE = {
    *("model", "releases", "rows", "rules", "scope", "resolution", "resolver"),
    *("envoy", "upstream"),
}
MAY_IMPORT: dict[str, set[str]] = {
    "model": set(),
    "releases": set(),
    "rows": {"releases"},
    "sheets": {"releases"},
    "rules": {"model", "releases", "rows", "sheets"},
    "scope": {"model"},
    "resolution": {"model", "rows"},
    "resolver": {"model", "releases", "rows", "rules", "scope", "resolution"},
    "envoy": {"model", "releases", "rows", "rules", "scope", "resolution", "resolver"},
    "upstream": CORE - {"upstream"},
    "readers": CORE,
    "policies": {"model"},
    "wiring": {*CORE, "policies", "sheets"},
    "workloads": {"model"},
    "clues": {"sheets"},
    "owners": {"model", "sheets"},
    "selecting": {"model", "scope", "workloads"},
    "meshes": {"model", "selecting", "sheets"},
    "manifests": {"model", "policies", "workloads", "clues", "owners", "meshes"},
    "evidence": {"model", "scope", "workloads", "clues"},
    "listeners": {"model", "policies"},
    "attaching": {*CORE, "policies", "wiring", "listeners"},
    "settings": {*CORE, "policies", "attaching"},
    "speaking": {*CORE, "policies", "wiring", "attaching", "settings", "readers"},
    "readings": {*CORE, "settings", "readers", "speaking"},
    "coverage": {*CORE, "readers", "readings", "speaking"},
    "history": {*CORE, "readers", "wiring", "sheets"},
    "overlaying": {*CORE, "readers", "sheets"},
    "proposals": {*CORE, "readers", "wiring", "overlaying"},
    "rollout": {
        *CORE,
        *("readers", "readings", "speaking", "coverage", "edits", "wiring", "proposals"),
        *("manifests", "sheets", "owners", "meshes", "workloads", "reading", "multicluster"),
        *("rulebook", "formats", "policies"),
    },
    "edits": {*CORE, "speaking", "coverage"},
    "compare": {*CORE, "readers", "readings", "speaking", "history", "edits"},
    "upgrade": {*CORE, "readers", "wiring", "compare", "reading"},
    "portability": {*CORE, "readers", "readings", "speaking", "sheets"},
    "findings": {
        *CORE,
        *("policies", "attaching", "workloads", "evidence", "measuring", "sheets", "formats"),
        *("readers", "readings", "reading", "speaking", "coverage", "portability", "proof"),
        *("listeners", "selecting"),
        *("multicluster", "clues", "owners", "manifests", "meshes"),
    },
    "multicluster": {
        *CORE,
        *("sheets", "readers", "readings", "speaking", "coverage", "reading", "rulebook"),
        *("attaching", "manifests", "policies", "wiring", "portability"),
    },
    "stories": {*CORE, "edits", "readings", "compare", "upgrade", "reading"},
    "explain": {*CORE, "readings", "proof"},
    "columns": {*CORE, "readers", "formats"},
    "measuring": {"model", "sheets", "clues", "evidence", "portability"},
    "detecting": {
        *CORE,
        "clues",
        "evidence",
        "measuring",
        "coverage",
        "readers",
        "readings",
        "speaking",
        "portability",
        "reading",
    },
    "rulebook": CORE,
    "remedies": {*CORE, "coverage"},
    "claims": {*CORE, "coverage", "rulebook"},
    "outputs": {*CORE, "manifests"},
    "reading": {*CORE, "readers", "readings", "coverage", "manifests"},
    "formats": set(),
    "comparing": {*CORE, "attaching", "wiring", "rulebook", "sheets"},
    "tables": {
        *CORE,
        "formats",
        "comparing",
        "proposals",
        "rollout",
        "readers",
        "readings",
        "compare",
        "portability",
        "history",
        "upgrade",
        "explain",
        "coverage",
        "reading",
        "remedies",
        "rulebook",
        "claims",
        "outputs",
        "clues",
        "evidence",
        "measuring",
        "detecting",
        "findings",
        "proof",
        "multicluster",
    },
    "wild": {"model"},
    "drawing": {"formats"},
    "plots": {*CORE, "coverage", "tables", "drawing", "proof"},
    "report": {*CORE, "coverage", "reading", "tables", "plots", "drawing", "formats", "manifests"},
    "proof": CORE,
    "running": {*CORE, "readers", "reading", "formats", "manifests", "arguments"},
    "check_command": {*CORE, "reading", "findings", "arguments", "columns", "running"},
    "propagating": {*CORE, "arguments", "formats", "multicluster", "reading", "running"},
    "arguments": {*CORE, "formats", "manifests", "sheets", "proposals"},
    "proposing": {*CORE, "readers", "arguments", "formats", "proposals", "rollout"},
    "plan_command": {*CORE, "arguments", "formats", "rollout", "running"},
    "retiring": {
        *CORE,
        *("readers", "reading", "arguments", "formats", "manifests", "proposals", "rollout"),
    },
    "proving": {*CORE, "arguments", "columns", "formats", "proof"},
    "declared": {*CORE, "coverage", "readings", "portability", "proof"},
    "probing": {*CORE, "arguments", "columns", "formats", "manifests", "declared", "proof"},
    "cli": {
        "__init__",
        "arguments",
        "running",
        "check_command",
        "portability",
        *CORE,
        "readers",
        "readings",
        "coverage",
        "reading",
        "tables",
        "report",
        "formats",
        "manifests",
        "compare",
        "upgrade",
        "explain",
        "columns",
        "proving",
        "probing",
        "propagating",
        "multicluster",
        "proposing",
        "retiring",
        "plan_command",
    },
    "__init__": {
        *CORE,
        "readers",
        "readings",
        "portability",
        "coverage",
        "compare",
        "explain",
        "findings",
        "manifests",
        "rollout",
    },
    "__main__": {"cli"},
}

# What is not Python's own, and which rooms may stand on it.
OUTSIDE: dict[str, set[str]] = {
    "yaml": {"sheets", "claims", "manifests", "formats", "proof", "proposals", "rollout"},
    "tabulate": {"formats"},
    "pathspec": {"manifests"},
    "tqdm": {"report", "running", "cli", "proving"},
    "pandas": {"tables", "wild", "drawing", "plots", "report"},
    "matplotlib": {"drawing", "plots", "report"},
    "PIL": {"drawing"},
    "nbformat": {"report"},
    "nbclient": {"report"},
    "jupyter_client": {"report"},
    "nbconvert": {"report"},
    "pygments": {"report"},
    "grpc": {"proof"},
    "h11": {"proof"},
    "h2": {"proof"},
    "hypercorn": {"proof"},
    "platformdirs": {"proof"},
    "trustme": {"proof"},
    "uvicorn": {"proof"},
    "websockets": {"proof"},
    "wsproto": {"proof"},
}

# Files, sockets, processes. posixpath and io.StringIO are only about text.
WORLD = {
    "asyncio", "ctypes", "fileinput", "ftplib", "glob", "http", "importlib", "mmap",
    "multiprocessing", "os", "pathlib", "shutil", "signal", "socket", "socketserver", "sqlite3",
    "ssl", "stat", "subprocess", "tarfile", "tempfile", "urllib", "zipfile",
}  # fmt: skip
TOUCH_THE_WORLD = {
    "manifests",
    "rules",
    "wiring",
    "history",
    "claims",
    "clues",
    "meshes",
    "owners",
    "measuring",
    "portability",
    "comparing",
    "proposals",
    "proposing",
    "rollout",
    "findings",
    "multicluster",
    "wild",
    "arguments",
    "check_command",
    "cli",
    "report",
    "proof",
}

CORE_LINES = 1_000
MOST_LINES, LEAST_LINES = 400, 60

MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def at_run_time(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        yield node
        yield from at_run_time(node)


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every dotted name that a module imports, wherever in it, with its line."""
    for node in at_run_time(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((name.name, node.lineno) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: write the whole name of what is imported"
            yield from ((f"{node.module}.{name.name}", node.lineno) for name in node.names)


def rooms_imported(path: Path) -> Iterator[tuple[str, int]]:
    for name, line in imports(path):
        package, _, rest = name.partition(".")
        if package == PACKAGE.name:
            first = rest.partition(".")[0]
            is_room = (PACKAGE / first).is_dir() or (PACKAGE / f"{first}.py").is_file()
            yield (first if first and is_room else "__init__"), line


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(PACKAGE).as_posix() for path in paths]


def test_the_table_of_rooms_has_no_circle() -> None:
    done: set[str] = set()
    left = dict(MAY_IMPORT)
    # __init__ gives the package's version to cli, and imports only what is below it.
    while left:
        free = {room for room, below in left.items() if below <= done}
        assert free, f"these import each other in a circle: {sorted(left)}"
        done |= free
        left = {room: below for room, below in left.items() if room not in free}


@pytest.mark.parametrize("path", MODULES, ids=names(MODULES))
def test_imports_point_one_way(path: Path) -> None:
    room = room_of(path)
    assert room in MAY_IMPORT, (
        f"{room} is new: give it a line in MAY_IMPORT, saying which rooms are below it"
    )
    for other, line in rooms_imported(path):
        assert other == room or other in MAY_IMPORT[room], (
            f"{path.name}:{line}: {room} may not import {other}, "
            f"only {', '.join(sorted(MAY_IMPORT[room])) or 'nothing of this package'}"
        )


@pytest.mark.parametrize("path", MODULES, ids=names(MODULES))
def test_packages_from_outside_have_their_rooms(path: Path) -> None:
    room = room_of(path)
    for name, line in imports(path):
        top = name.partition(".")[0]
        if top == PACKAGE.name or top in sys.stdlib_module_names:
            continue
        assert top in OUTSIDE, f"{path.name}:{line}: {top} is new: say in OUTSIDE who may import it"
        assert room in OUTSIDE[top], (
            f"{path.name}:{line}: {top} is for {', '.join(sorted(OUTSIDE[top]))}, not for {room}"
        )


@pytest.mark.parametrize("path", MODULES, ids=names(MODULES))
def test_few_rooms_touch_files_sockets_or_processes(path: Path) -> None:
    if room_of(path) in TOUCH_THE_WORLD:
        return
    for name, line in imports(path):
        assert name.partition(".")[0] not in WORLD, (
            f"{path.name}:{line}: {name} is for {', '.join(sorted(TOUCH_THE_WORLD))}"
        )
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"open", "io.open", "io.FileIO", "input", "__import__"}, (
                f"{path.name}:{node.lineno}: {called} is for {', '.join(sorted(TOUCH_THE_WORLD))}"
            )


def core(rooms: set[str]) -> list[Path]:
    return [path for path in MODULES if room_of(path) in rooms]


def lines_of_code(text: str) -> int:
    """Lines that hold more than blanks, comments and docstrings."""
    tree = ast.parse(text)
    prose: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            prose |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    held: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in silent and token.type != tokenize.ENDMARKER:
            held |= set(range(token.start[0], token.end[0] + 1))
    return len(held - prose)


def test_the_core_is_small() -> None:
    files = core({"model", "rules", "resolver", "upstream"})
    total = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    assert total <= CORE_LINES, f"{', '.join(names(files))} have {total} lines"


def test_what_was_moved_out_of_the_core_counts_too() -> None:
    files = core(CORE)
    total = sum(lines_of_code(path.read_text(encoding="utf-8")) for path in files)
    assert total <= CORE_LINES, (
        f"{', '.join(names(files))} have {total} lines that are not blank, comment or docstring"
    )


@pytest.mark.parametrize("path", MODULES, ids=names(MODULES))
def test_files_are_of_a_size_to_read(path: Path) -> None:
    count = len(path.read_text(encoding="utf-8").splitlines())
    assert count <= MOST_LINES, f"{path.name} has {count} lines: split it"
    if not path.stem.startswith("__"):
        assert count >= LEAST_LINES, f"{path.name} has {count} lines: it belongs to a neighbour"


def python(code: str) -> str:
    """What a fresh interpreter prints that runs `code` at the root and writes no bytecode."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_line_starts_without_pandas_and_matplotlib() -> None:
    loaded = json.loads(
        python("import json, sys, protocol_analysis.cli; print(json.dumps(list(sys.modules)))")
    )
    heavy = {"pandas", "matplotlib", "numpy", "PIL", "nbclient", "nbformat", "IPython"}
    assert not heavy & set(loaded)


WATCH = """
import sys
seen = []
def watch(event, args):
    if event == "open":
        # Code, where Python looks for it, and the versions that packages look up of themselves.
        code = (".py", ".pyc", ".so", ".pyd", ".dylib", ".dll", ".zip", ".dist-info/METADATA")
        path = str(args[0]).replace(chr(92), "/")
        if not path.endswith(code):
            seen.append(f"open {path}")
    elif event.partition(".")[0] in {"socket", "subprocess", "shutil", "tempfile"} or event in {
        "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.mkdir", "os.remove", "os.rename",
    }:
        seen.append(event)
sys.addaudithook(watch)
import protocol_analysis
import protocol_analysis.cli
print("\\n".join(seen))
"""


def test_nothing_happens_at_import() -> None:
    """The ruleset is read when it is first asked for, and nothing else is read at all."""
    assert python(WATCH).split() == []
