"""Bytes → a file, at once: whoever reads it, or kills this, finds the old one or the new one.

The new file is written beside the old one, to the disk, and takes its name; mode and owner stay. A
link is followed, and stays one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from protocol_analysis.manifests.files import STDIN, files_of
from protocol_analysis.rollout.scalars import Refused

_WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def real(name: str) -> Path:
    """The file that a name stands for, links followed. Raises Refused for standard input."""
    if name == str(STDIN):
        raise Refused("standard input cannot be written; name a file")
    return Path(os.path.realpath(name))


def digest(raw: bytes) -> str:
    """What tells a file from any other content of it."""
    return hashlib.sha256(raw).hexdigest()


def digests(paths: Iterable[str], exclude: Sequence[str] = ()) -> dict[Path, str]:
    """Every manifest at these paths as it is now; what cannot be read is not among them."""
    found: dict[Path, str] = {}
    for path in paths:
        if path == str(STDIN):
            continue
        for file in files_of(Path(path), lambda _path, _reason: None, exclude):
            with contextlib.suppress(OSError):
                if file.is_file():
                    with file.open("rb") as stream:
                        found[real(str(file))] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def unchanged(path: Path, known: str | None) -> bytes:
    """The file, where it is what it was. Raises Refused where it is not, or cannot be read."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Refused(f"the file cannot be read: {error.strerror}") from None
    if known is None or digest(raw) != known:
        raise Refused("the file has changed since it was read; run it again")
    return raw


def replace(path: Path, before: bytes, after: bytes) -> None:
    """Put a new content in the place of the old one. Raises Refused where that is not to be done.

    A file that is read-only, or has another name by a hard link, is left: the one is meant to stay,
    and the other name would keep the old content.
    """
    try:
        unchanged(path, digest(before))
        about = path.stat()
        if not about.st_mode & _WRITABLE:
            raise Refused("the file is read-only")
        if about.st_nlink > 1:
            raise Refused("the file has another name by a hard link; change it by hand")
        _put(path, after, about)
    except OSError as error:
        raise Refused(f"the file cannot be written: {error.strerror}") from None


def _put(path: Path, content: bytes, about: os.stat_result) -> None:
    # The ending keeps what is left by a power cut from being read as a manifest.
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".new", dir=path.parent)
    new = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            if hasattr(os, "fchown"):
                with contextlib.suppress(PermissionError):  # it stays with who writes
                    os.fchown(handle, about.st_uid, about.st_gid)
            new.chmod(stat.S_IMODE(about.st_mode))  # after the owner, which may clear bits
            stream.flush()
            os.fsync(handle)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    _to_disk(path.parent)


def _to_disk(folder: Path) -> None:
    """Have the new name last through a power cut, where folders can be synchronised."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
