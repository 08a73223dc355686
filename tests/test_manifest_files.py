"""Files, folders, links, pipes and standard input: what is read, and what is passed over, said."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from protocol_analysis import Inventory, load
from protocol_analysis.manifests import files
from protocol_analysis.model import ManifestError

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: %s}\n"
OUT = "a link out of the folder; name its target to read it"


@pytest.fixture(name="folder", autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test reads from a folder of its own, by short names."""
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(*paths: str) -> None:
    """A Service in each file, named as the file."""
    for path in map(Path, paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SERVICE % path.name.partition(".")[0], encoding="utf-8")


def names(inventory: Inventory) -> list[str]:
    """The Services that were read, in order."""
    return [service.meta.name for service in inventory.services]


def said(inventory: Inventory) -> list[str]:
    """What could not be read: `file:line:column: reason`."""
    return [str(problem) for problem in inventory.unreadable]


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail instead of waiting for ever."""

    def late(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


TEXT = "# é😀\nkind: Service\nspec:\n  ports:\n  - appProtocol: grpc\n"
CRLF = TEXT.replace("\n", "\r\n")
ENCODINGS = [
    ("utf-8", TEXT.encode()),
    ("utf-8 with a mark", b"\xef\xbb\xbf" + TEXT.encode()),
    ("crlf", CRLF.encode()),
    ("crlf with a mark", b"\xef\xbb\xbf" + CRLF.encode()),
    ("cr", TEXT.replace("\n", "\r").encode()),
    ("utf-16-le", b"\xff\xfe" + TEXT.encode("utf-16-le")),
    ("utf-16-be", b"\xfe\xff" + TEXT.encode("utf-16-be")),
    ("utf-16-le, crlf", b"\xff\xfe" + CRLF.encode("utf-16-le")),
]


@pytest.mark.parametrize("raw", [pytest.param(raw, id=name) for name, raw in ENCODINGS])
def test_encoding(raw: bytes) -> None:
    Path("m.yaml").write_bytes(raw)
    inventory = load("m.yaml")
    assert said(inventory) == []
    (port,) = inventory.services[0].ports
    assert (port.app_protocol, port.where.line, port.where.column) == ("grpc", 5, 18)


GOOD = "---\n" + SERVICE % "a"
NOT_TEXT = "not text in UTF-8, or in UTF-16 with a byte-order mark"
# Bytes around a good document → what is said, and which Services are read.
BROKEN = [
    ("empty", b"", [], []),
    ("only a mark", b"\xef\xbb\xbf", [], []),
    ("half a character", GOOD.encode() + b"---\na: \xc3\n", [f"6:4: {NOT_TEXT}"], ["a"]),
    ("in latin-1", b"a: caf\xe9\n" + GOOD.encode(), [f"1:7: {NOT_TEXT}"], ["a"]),
    (
        "after a mark",
        b"\xef\xbb\xbfa: \xff\n" + GOOD.encode(),
        [f"1:4: {NOT_TEXT}"],
        ["a"],
    ),
    (
        "odd utf-16",
        b"\xff\xfe" + (GOOD + "---\na: 1").encode("utf-16-le") + b"\x20",
        [f"6:5: {NOT_TEXT}"],
        ["a"],
    ),
    (
        "half a pair",
        b"\xff\xfe" + "a: ".encode("utf-16-le") + b"\x00\xd8" + ("\n" + GOOD).encode("utf-16-le"),
        [f"1:4: {NOT_TEXT}"],
        ["a"],
    ),
    ("utf-32", GOOD.encode("utf-32"), ["1:1: not YAML: control characters are not allowed"], []),
    ("program", b"\x7fELF\x02\x01\x00\x00\xff", [f"1:9: {NOT_TEXT}"], []),
    ("zeros", bytes(1000), ["1:1: not YAML: control characters are not allowed"], []),
]


@pytest.mark.parametrize(
    ("raw", "reasons", "read"), [pytest.param(*row, id=name) for name, *row in BROKEN]
)
def test_bytes_that_are_no_text(raw: bytes, reasons: list[str], read: list[str]) -> None:
    Path("m.yaml").write_bytes(raw)
    inventory = load("m.yaml")
    assert said(inventory) == [f"m.yaml:{reason}" for reason in reasons]
    assert names(inventory) == read
    assert inventory.files == 1


def test_a_folder_is_read_recursively_in_order() -> None:
    write("in/b.yaml", "in/a.yml", "in/c.JSON", "in/sub/.hidden/e.Yaml", "in/sub/d.yaml")
    write("in/notes.txt", "in/x.yaml.bak", "in/yaml", "in/.git/f.yaml", "in/dir.yaml/g.yaml")
    inventory = load("in")
    assert names(inventory) == ["a", "b", "c", "g", "d", "e"]
    assert (said(inventory), inventory.files) == ([], 6)


def test_a_file_that_is_named_is_read_whatever_its_name() -> None:
    write("notes.txt", "in/.git/f.yaml")
    assert names(load("notes.txt", "in/.git", Path("notes.txt"))) == ["notes", "f", "notes"]


def link(name: str, target: str) -> None:
    Path(name).symlink_to(target)


def test_links_in_a_folder() -> None:
    write("in/a.yaml", "in/sub/b.yaml", "out/c.yaml", "out.yaml")
    link("in/again.yaml", "a.yaml")  # as a link to a file inside, so a second object
    link("in/out.yaml", "../out.yaml")
    link("in/gone.yaml", "nowhere.yaml")
    link("in/gone.txt", "nowhere.txt")
    link("in/loop.yaml", "pool.yaml")
    link("in/pool.yaml", "loop.yaml")
    link("in/sub/self", ".")  # a circle, whose files are read where they stand
    link("in/sub/up.yaml", "..")
    link("in/away", "../out")
    link("in/root", "/")
    inventory = load("in")
    assert names(inventory) == ["a", "a", "b"]
    loop = os.strerror(errno.ELOOP)
    assert said(inventory) == [
        f"in/away:1:1: {OUT}",
        "in/gone.yaml:1:1: no such file or folder",
        f"in/loop.yaml:1:1: cannot be read: {loop}",
        f"in/out.yaml:1:1: {OUT}",
        f"in/pool.yaml:1:1: cannot be read: {loop}",
        f"in/root:1:1: {OUT}",
    ]


def test_a_link_that_is_named_is_followed() -> None:
    write("out/c.yaml", "out.yaml")
    link("in/away", "../out")
    link("in/out.yaml", "../out.yaml")
    assert names(load("in/away", "in/out.yaml")) == ["c", "out"]


# A path that cannot be read → why not. The system's own words follow `cannot be read: `.
NO_PATHS = [
    ("missing", "missing.yaml", "no such file or folder"),
    ("below a file", "a.yaml/b.yaml", "no such file or folder"),
    ("long", "x" * 300 + ".yaml", f"cannot be read: {os.strerror(errno.ENAMETOOLONG)}"),
    ("nul", "a\0.yaml", "cannot be read: embedded null byte"),
    ("half a character", "\udcff.yaml", "no such file or folder"),
]


@pytest.mark.parametrize(
    ("path", "reason"), [pytest.param(*row, id=name) for name, *row in NO_PATHS]
)
def test_a_path_that_cannot_be_read(path: str, reason: str) -> None:
    write("a.yaml")
    inventory = load(path, "a.yaml")
    assert said(inventory) == [f"{path}:1:1: {reason}"]
    assert names(inventory) == ["a"]


def test_strange_names_are_read() -> None:
    strange = [
        "new\nline.yaml",
        "bell\x07.yaml",
        "\udcff.yaml",
        "ü.yaml",
        " .yaml",
        "y" * 250 + ".yaml",
    ]
    for name in strange:
        Path("in", name).write_text(SERVICE % "a", encoding="utf-8")
    inventory = load("in")
    assert said(inventory) == []
    assert {Path(s.meta.position.file).name for s in inventory.services} == set(strange)


@pytest.mark.parametrize("what", ["scandir", "open"])
def test_what_may_not_be_read_is_said(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not with permissions, which do not bind the superuser."""
    write("in/a.yaml", "in/locked/b.yaml", "in/z/c.yaml")
    real = getattr(os, what)

    def refuse(path: str | Path, *rest: object) -> object:
        if Path(path).parts[-1] == ("locked" if what == "scandir" else "b.yaml"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, *rest)

    monkeypatch.setattr(os, what, refuse)
    inventory = load("in")
    monkeypatch.undo()
    where = "in/locked" if what == "scandir" else "in/locked/b.yaml"
    assert said(inventory) == [f"{where}:1:1: cannot be read: {os.strerror(errno.EACCES)}"]
    assert names(inventory) == ["a", "c"]


def test_a_forgotten_pipe_does_not_hold_reading_up() -> None:
    os.mkfifo("in/pipe.yaml")
    write("in/z.yaml")
    with within(10):
        found, named = load("in"), load("in/pipe.yaml")
    assert said(found) == ["in/pipe.yaml:1:1: not a regular file"]
    assert names(found) == ["z"]
    assert said(named) == ["in/pipe.yaml:1:1: cannot be read: a pipe that nobody writes to"]


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="this system has no /dev/fd")
def test_a_pipe_with_a_writer_is_read() -> None:
    """As the shell's `<(helm template …)` is, which takes its time."""
    reader, writer = os.pipe()
    text = (SERVICE % "piped").encode()

    def write_slowly() -> None:
        for part in (text[:10], text[10:]):
            time.sleep(0.05)
            os.write(writer, part)
        os.close(writer)

    slow = threading.Thread(target=write_slowly)
    slow.start()
    try:
        with within(10):
            inventory = load(f"/dev/fd/{reader}")
    finally:
        slow.join()
        os.close(reader)
    assert (names(inventory), said(inventory)) == (["piped"], [])


def test_a_file_that_is_too_large_is_left() -> None:
    with Path("in/large.yaml").open("wb") as stream:
        stream.truncate(files.MAX_BYTES + 1)  # sparse, so it takes no room
    write("in/z.yaml")
    with within(10):
        inventory = load("in")
    assert said(inventory) == ["in/large.yaml:1:1: cannot be read: larger than 256 MiB; split it"]
    assert names(inventory) == ["z"]


def stdin(monkeypatch: pytest.MonkeyPatch, raw: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, b"\xff\xfe" + (SERVICE % "a" + "---\n}").encode("utf-16-le"))
    inventory = load("-")
    assert names(inventory) == ["a"]
    assert inventory.services[0].meta.position.file == "-"
    assert said(inventory) == ["-:5:1: not YAML: did not find expected node content"]


def test_standard_input_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 2**20)
    stdin(monkeypatch, b"#" * (2**20 + 1))
    assert said(load("-")) == ["-:1:1: cannot be read: larger than 1 MiB; split it"]


def test_standard_input_may_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert said(load("-")) == ["-:1:1: cannot be read: standard input is closed"]


def test_a_file_called_as_standard_input_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    Path("-").write_text(SERVICE % "dash", encoding="utf-8")
    assert names(load("./-")) == ["dash"]


def test_a_tree_deeper_than_python_recurses() -> None:
    top = Path.cwd()
    deep = sys.getrecursionlimit() + 200
    for _ in range(deep):
        Path("d").mkdir()
        os.chdir("d")
    write("a.yaml")
    os.chdir(top)
    try:
        inventory = load("d")
    finally:  # pytest, too, would recurse to remove it
        path = Path(*["d"] * deep)
        (path / "a.yaml").unlink()
        for folder in (path, *path.parents):
            if folder.name:
                folder.rmdir()
    assert (names(inventory), said(inventory)) == (["a"], [])


def test_clusters_and_namespace() -> None:
    write("a.yaml", "in/b.yaml")
    inventory = load("a.yaml", clusters={"east": "in", "west": Path("in")}, namespace="shop")
    metas = [service.meta for service in inventory.services]
    assert [(m.name, m.cluster, m.world, m.namespace) for m in metas] == [
        ("a", None, "", "shop"),
        ("b", "east", "east", "shop"),
        ("b", "west", "west", "shop"),
    ]


def test_progress_sees_every_file_once() -> None:
    write("in/a.yaml", "in/b.yaml")
    seen: list[str] = []

    def progress(found: object) -> Iterator[Path]:
        assert isinstance(found, list)
        for file in found:
            seen.append(file.name)
            yield file

    assert names(load("in", progress=progress)) == ["a", "b"]
    assert seen == ["a.yaml", "b.yaml"]


def test_no_path_is_an_error_that_says_what_is_wanted() -> None:
    with pytest.raises(ManifestError, match="name a file, a folder, or - for standard input"):
        load()
