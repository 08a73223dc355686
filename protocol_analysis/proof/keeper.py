"""The keeper: a process that holds what runs, and ends it when its own starter has gone.

`programs.py` starts it as a script, with one line of JSON for each program to start on standard
input, and a pipe for that which only the starter holds open. However the starter ends (done, an
error, Ctrl-C, SIGKILL), the pipe ends, and the keeper kills what runs and removes its folder. It
has a session of its own, so that the Ctrl-C of a terminal does not reach what it holds. Should the
keeper itself be killed, Linux kills what it has started. Should both be killed at once, the folder
is left; it is no longer locked then, and the next keeper removes it once it is old.

It is only this file and Python's own modules: it has to be there before anything else is.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PREFIX = "protocol-analysis-"
_OLD = 3_600.0  # seconds until a folder that was left may be removed
_PATIENCE = 5.0  # seconds that a killed program may take to be gone

Held = tuple[subprocess.Popen[bytes], threading.Thread]  # a program, and what tells its end


def main() -> None:
    """Hold what standard input says, until it ends; prints the name of the folder first."""
    remove_left(Path(tempfile.gettempdir()), PREFIX, _OLD)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    running: list[Held] = []
    with locked(folder):
        _hold(folder, running)


def _hold(folder: Path, running: list[Held]) -> None:
    try:
        # A handler, since what is ignored would be ignored by programs too.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit())
        print(folder, flush=True)  # noqa: T201 - the starter reads it
        dies = _dies_with(os.getpid())
        for line in sys.stdin:
            order = json.loads(line)
            try:
                running.append(_start(folder, order["name"], order["argv"], dies))
            except OSError as error:  # no such program
                (folder / f"{order['name']}.log").write_text(str(error), encoding="utf-8")
                _tell_end(folder, order["name"], 127)
    finally:
        _end(running)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Hold a folder's lock, whether or not it can be had; raises OSError where there is none.

    Linux gives it up however this process ends, and programs do not inherit it.
    """
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield _lock(held)
    finally:
        os.close(held)


def _lock(held: int) -> bool:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def remove_left(among: Path, prefix: str, old: float) -> None:
    """Remove this user's folders with that prefix which nobody holds, `old` seconds or older.

    A younger one may be about to be locked.
    """
    for folder in among.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):  # another process may be faster
            seen = folder.lstat()
            if seen.st_uid != os.getuid() or time.time() - seen.st_mtime < old:
                continue
            with locked(folder) as unused:
                if unused:
                    shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path, name: str, argv: list[str], dies: Callable[[], None]) -> Held:
    """Start a program; its words go to `NAME.log`, its end is told by `NAME.exit`."""
    with (folder / f"{name}.log").open("wb") as log:
        program = subprocess.Popen(  # noqa: S603 - what our own starter says
            argv,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=dies,  # noqa: PLW1509 - it calls the kernel and nothing else
        )
    teller = threading.Thread(target=_wait, args=(folder, name, program), daemon=True)
    teller.start()
    return program, teller


def _wait(folder: Path, name: str, program: subprocess.Popen[bytes]) -> None:
    _tell_end(folder, name, program.wait())


def _tell_end(folder: Path, name: str, status: int) -> None:
    with contextlib.suppress(OSError):  # the folder has gone first
        half = folder / f"{name}.half"
        half.write_text(str(status), encoding="utf-8")
        half.rename(folder / f"{name}.exit")


def _dies_with(keeper: int) -> Callable[[], None]:
    """What a program does before it begins: ask Linux to be killed when the keeper is."""
    if not sys.platform.startswith("linux"):
        return lambda: None
    ask = ctypes.CDLL(None).prctl

    def dies() -> None:
        ask(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:  # it was killed just before
            os._exit(1)

    return dies


def _end(running: list[Held]) -> None:
    for program, _ in running:
        program.kill()
    for _, teller in running:
        teller.join(_PATIENCE)  # it writes to the folder, which goes next


if __name__ == "__main__":
    main()
