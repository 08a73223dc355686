"""Programs that run in one folder and are gone afterwards, whatever happens.

All of them are started and held by a keeper (`keeper.py`), and speak with this process through
files in its folder: what they say is in `NAME.log`, and `NAME.exit` is there once they have ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

KEEPER = Path(__file__).with_name("keeper.py")
_PATIENCE = 10.0  # seconds for the keeper to end what it holds
_POLL = 0.01
_LAST_LINES = 6

T = TypeVar("T")


class ProofError(RuntimeError):
    """Envoy, or a program beside it, cannot be had or does not run; the message has the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """The folder that programs run in, their keeper, and the pipe to it."""

    folder: Path
    keeper: subprocess.Popen[str]
    orders: IO[str]

    def start(self, name: str, argv: Sequence[str | Path]) -> None:
        """Start a program; relative paths are of the folder. Raises ProofError: no keeper left."""
        order = {"name": name, "argv": [str(word) for word in argv]}
        try:
            self.orders.write(json.dumps(order) + "\n")
            self.orders.flush()
        except OSError as error:
            raise _no_keeper() from error

    def python(self, name: str, script: Path, *words: str) -> None:
        """Start a script of this package with this Python."""
        # -P: what lies beside the script is no module of its own.
        self.start(name, [sys.executable, "-P", script, *words])

    def write(self, name: str, text: str) -> Path:
        """Write a file that whoever waits for it finds complete."""
        half = self.folder / f"{name}.half"
        half.write_text(text, encoding="utf-8")
        return half.rename(self.folder / name)

    def wait(self, what: str, ready: Callable[[], T | None], seconds: float) -> T:
        """What `ready` gives, asked again until it gives something.

        Raises ProofError where a program has ended meanwhile, or the time is over.
        """
        deadline = time.monotonic() + seconds
        while (found := ready()) is None:
            if self.keeper.poll() is not None:
                raise _no_keeper()
            if ended := sorted(self.folder.glob("*.exit")):
                name = ended[0].stem
                raise ProofError(f"{name} ended before {what}: {self.last_words(name)}")
            if time.monotonic() > deadline:
                msg = f"{what}: not within {seconds:g} s; is the machine busy? Try again"
                raise ProofError(msg)
            time.sleep(_POLL)
        return found

    def end_of(self, name: str) -> int:
        """The status that a program ends with, however long it takes. Raises ProofError."""
        told = self.folder / f"{name}.exit"
        while not told.exists():
            if self.keeper.poll() is not None:
                raise _no_keeper()
            time.sleep(_POLL)
        return int(told.read_text(encoding="utf-8"))

    def words(self, name: str) -> str:
        """What a program has written."""
        try:
            return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def last_words(self, name: str) -> str:
        """The last lines that a program has written, in one."""
        lines = [line.strip() for line in self.words(name).splitlines() if line.strip()]
        return " | ".join(lines[-_LAST_LINES:]) or "it said nothing"


@dataclass(slots=True)
class Lines:
    """The lines of a file that another process is still writing."""

    path: Path
    at: int = 0

    def new(self) -> list[str]:
        """The whole lines that were written since the last time."""
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            file.seek(self.at)
            whole, newline, _ = file.read().rpartition(b"\n")
            self.at += len(whole) + len(newline)
            return whole.decode(errors="replace").splitlines()
        return []


@contextlib.contextmanager
def programs() -> Iterator[Programs]:
    """A folder and a keeper; nothing is left of them, nor of what was started, afterwards."""
    keeper = subprocess.Popen(  # noqa: S603 - this Python, and a file of this package
        [sys.executable, "-P", "-S", str(KEEPER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    folder = ""
    try:
        if keeper.stdin is None or keeper.stdout is None:
            raise _no_keeper()
        folder = keeper.stdout.readline().rstrip("\n")
        if not folder:
            raise _no_keeper()
        yield Programs(folder=Path(folder), keeper=keeper, orders=keeper.stdin)
    finally:
        _end(keeper, folder)


def _end(keeper: subprocess.Popen[str], folder: str) -> None:
    for pipe in (keeper.stdin, keeper.stdout):
        if pipe:
            with contextlib.suppress(OSError):
                pipe.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        keeper.wait(_PATIENCE)
    # Where it ended as it should, there is nothing left to do.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(keeper.pid, signal.SIGKILL)
    keeper.wait()
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def _no_keeper() -> ProofError:
    return ProofError("the process that holds Envoy and the servers is gone; run it again")
