"""Paths → files, and files → text. What is passed over is said, with the reason."""

from __future__ import annotations

import codecs
import errno
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from protocol_analysis.manifests.excluding import Excluding
from protocol_analysis.model import ManifestError

SUFFIXES = (".yaml", ".yml", ".json")
MAX_BYTES = 256 * 1024 * 1024
STDIN = Path("-")

_AT_ONCE = 1024 * 1024
_READER = re.compile(r"(?P<path>.*)@(?P<implementation>[\w.-]+):(?P<release>[^/\\]*)\Z", re.DOTALL)

_UTF_16 = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

# Told of a path that is passed over, and why.
Refuse = Callable[[Path, str], None]


def files_of(
    path: Path, refuse: Refuse, exclude: Sequence[str] = (), pass_over: Refuse | None = None
) -> Iterator[Path]:
    """The manifests at `path`: itself where it is a file, those in it where it is a folder.

    What `exclude` covers in a folder is not read; `pass_over` is told of the folders of tools.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        refuse(path, _why(error))
        return
    if not stat.S_ISDIR(mode):
        yield path
        return
    root = os.path.realpath(path)
    excluding = Excluding(exclude, path)
    for file in _walk(path, refuse, excluding):
        linked = file.is_symlink()
        if linked and not Path(os.path.realpath(file)).is_relative_to(root):
            refuse(file, "a link out of the folder; name its target to read it")
        elif linked and _is_folder(file):
            continue  # it is read where it stands
        elif reason := _not_regular(file):
            refuse(file, reason)
        else:
            yield file
    if pass_over and (tools := excluding.tools):
        counted = ", ".join(f"{count} {name}" for name, count in sorted(tools.items()))
        first = min(tools)
        pass_over(path, f"folders of tools in it: {counted}; --exclude '!{first}' reads {first}")


def _walk(path: Path, refuse: Refuse, excluding: Excluding) -> Iterator[Path]:
    """The manifests of a folder and of those in it, and the links to other folders, in order.

    Unlike os.walk it neither recurses nor passes over what it may not list.
    """
    folders = [path]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            refuse(folder, _why(error))
            continue
        inner = [folder / entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        folders += [each for each in reversed(inner) if not excluding.covers(each, folder=True)]
        for entry in entries:
            file = folder / entry.name
            named = entry.name.lower().endswith(SUFFIXES)
            linked = entry.is_symlink() and _is_folder(file)
            met = linked or (named and not entry.is_dir(follow_symlinks=False))
            if met and not excluding.covers(file, folder=linked):
                yield file


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - unlike Path.is_dir it never raises


def _not_regular(file: Path) -> str:
    """Why a path is no file to read; empty where it is one."""
    try:
        return "" if stat.S_ISREG(file.stat().st_mode) else "not a regular file"
    except OSError as error:
        return _why(error)


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "no such file or folder"
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"cannot be read: {reason}"


def read_text(file: Path) -> str:
    """The file's text; ManifestError where it cannot be read. Line ends stay as they are.

    A byte-order mark says UTF-16; everything else is UTF-8. Bytes that are neither become lone
    surrogates, which are an error of the document that they stand in, not of its neighbours.
    """
    try:
        raw = _bytes(file)
    except OSError as error:
        raise ManifestError(_why(error)) from error
    for mark, encoding in _UTF_16:
        if raw.startswith(mark):
            whole = len(raw) - len(raw) % 2
            text = raw[len(mark) : whole].decode(encoding, errors="surrogatepass")
            return text + "\udc80" * (len(raw) - whole)
    return raw.decode("utf-8", errors="surrogateescape")


def _bytes(file: Path) -> bytes:
    if file == STDIN:
        if sys.stdin is None:  # closed, as by `<&-`
            raise ManifestError("cannot be read: standard input is closed")
        return _limited(sys.stdin.buffer)
    # Opening a named pipe would wait for a writer, and a forgotten one may never come.
    # `<(helm template …)` is a pipe too, but has its writer.
    handle = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISFIFO(os.fstat(handle).st_mode):
            return _limited(stream)
        os.set_blocking(handle, True)
        if raw := _limited(stream):
            return raw
        raise ManifestError("cannot be read: a pipe that nobody writes to")


def _limited(stream: IO[bytes]) -> bytes:
    """All of a stream; ManifestError where that is too much."""
    raw = bytearray()
    while len(raw) <= MAX_BYTES:
        part = stream.read(_AT_ONCE)
        if not part:
            return bytes(raw)
        raw += part
    raise ManifestError(f"cannot be read: larger than {MAX_BYTES // 2**20} MiB; split it")


def split_reader(text: str) -> tuple[str, str, str]:
    """PATH[@IMPLEMENTATION:RELEASE] as path, implementation and release; "" where none is named.

    A path that is there may hold an @ of its own.

    >>> split_reader("dumps/east@envoy-gateway:v1.3.3"), split_reader("me@home/east")
    (('dumps/east', 'envoy-gateway', 'v1.3.3'), ('me@home/east', '', ''))
    """
    found = _READER.match(text)
    if found is None or os.path.lexists(text):
        return text, "", ""
    return found["path"], found["implementation"], found["release"]
