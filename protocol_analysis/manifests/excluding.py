"""Which files and folders below a PATH are not read: patterns as in `.gitignore`.

A pattern with a slash before its end is seen from the current folder, one without is a name at any
depth; `**` is any folders, a slash at the end means folders only, and `!` takes back what an
earlier one says. A folder that is passed over is not looked into. Patterns are about what a folder
holds: what is named itself is read, whatever they say.

The folders of tools (`OF_TOOLS`) come first in the patterns, so that `!node_modules` has them read.
"""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from protocol_analysis.model import ManifestError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

OF_TOOLS = ("node_modules", ".venv", ".tox", ".nox", ".terraform")
HISTORIES = (".git", ".hg", ".svn")  # nobody's manifests; not worth a word
_NAMES = (*OF_TOOLS, *HISTORIES)
_SPECIAL = re.compile(r"([\\*?\[\]! #])")


class Excluding:
    """The patterns, on what a folder holds. `tools` counts the folders of tools passed over."""

    def __init__(self, patterns: Iterable[str], root: Path) -> None:
        self._spec = compiled([*patterns])
        self._root, self._base = os.fspath(root), "."
        self.tools: Counter[str] = Counter()
        # Named itself, so it is read; then what it holds is seen from there.
        if self._at(self._seen(root, folder=True)) is not None:
            self._base = self._root

    def covers(self, path: Path, *, folder: bool) -> bool:
        """Whether a file or a folder that was met is passed over."""
        at = self._at(self._seen(path, folder=folder))
        if at is not None and at < len(OF_TOOLS):
            self.tools[path.name] += 1
        return at is not None

    def _seen(self, path: Path, *, folder: bool) -> str:
        """The path as patterns see it: a slash says that it is a folder."""
        try:
            seen = os.path.relpath(path, self._base)
        except ValueError:  # on another drive
            seen = os.path.relpath(path, self._root)
        return Path(seen).as_posix() + ("/" if folder else "")

    def _at(self, seen: str) -> int | None:
        """Which pattern passes it over; None where it is read."""
        if self._spec is None:
            parts = seen.split("/")
            return next((_NAMES.index(name) for name in parts[:-1] if name in _NAMES), None)
        found = self._spec.check_file(seen)
        return found.index if found.include else None


def compiled(patterns: Sequence[str]) -> GitIgnoreSpec | None:
    """The patterns after those of tools; None where there are no others.

    Raises ManifestError for one that matches nothing, such as `!`.

    >>> compiled([]), compiled(["templates/"]).match_file("charts/shop/templates/a.yaml")
    (None, True)
    """
    if not patterns:
        return None
    for pattern in patterns:
        if not means_something(pattern):
            raise ManifestError(
                f"{pattern!r:.80} excludes nothing; write a pattern as in .gitignore, "
                "such as templates/ or '**/vendor/*.yaml'"
            )
    return _spec([*(f"{name}/" for name in _NAMES), *patterns])


def means_something(pattern: str) -> bool:
    """Whether a pattern can match anything, or take anything back.

    >>> [means_something(text) for text in ("templates/", "!.venv", "", "!", "# all", "/")]
    [True, True, False, False, False, False]
    """
    if not pattern.strip():
        return False
    try:
        return _spec([pattern]).patterns[0].include is not None
    except ValueError:
        return False


def _spec(patterns: Sequence[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - most runs have no patterns, and start sooner

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # `[[` may mean more to Python one day
        return GitIgnoreSpec.from_lines(patterns)


def rebased(pattern: str, folder: str) -> str:
    """A pattern that a file in another folder holds, as seen from the current one.

    >>> rebased("templates/", "."), rebased("!templates/", "shop"), rebased("/a/*.yaml", "shop")
    ('templates/', '!/shop/**/templates/', '/shop/a/*.yaml')
    """
    seen = Path(os.path.relpath(folder or ".")).as_posix()
    if seen == ".":
        return pattern
    taken, body = ("!", pattern[1:]) if pattern.startswith("!") else ("", pattern)
    anywhere = "" if "/" in body.rstrip("/") else "**/"
    escaped = _SPECIAL.sub(r"\\\1", seen)
    return f"{taken}/{escaped}/{anywhere}{body.lstrip('/')}"
