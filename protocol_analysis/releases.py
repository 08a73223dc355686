"""Releases: their order, ranges of them, and which known one a user means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

# As semantic versions write numbers; six digits are below _LAST.
_N = "(0|[1-9][0-9]{0,5})"
_RELEASE = re.compile(rf"v{_N}\.{_N}\.{_N}(?:-rc\.?{_N})?\Z")
_LINE = re.compile(rf"v?{_N}\.{_N}\Z")
_LAST = 1_000_000


class RulesetError(ValueError):
    """A wrong table or an unknown release; the message says what would be accepted."""


@lru_cache(maxsize=4096)  # a few hundred releases, asked for again and again
def release_key(release: str) -> tuple[int, int, int, int]:
    """Orders releases: release candidates before their final, `main` after everything.

    Raises RulesetError for what is no release.

    >>> sorted(["main", "v1.9.0", "v1.9.0-rc.1", "v0.2.0-rc1"], key=release_key)
    ['v0.2.0-rc1', 'v1.9.0-rc.1', 'v1.9.0', 'main']
    """
    if release == "main":
        return (_LAST, 0, 0, 0)
    match = _RELEASE.match(release)
    if not match:
        raise RulesetError(f"{release!r} is no release; write v1.8.3, v1.9.0-rc.1 or main")
    major, minor, patch, candidate = match.groups()
    return (int(major), int(minor), int(patch), int(candidate) if candidate else _LAST)


def line_of(release: str) -> str:
    """The minor line of a release; none for `main`.

    >>> line_of("v1.9.0-rc.1"), line_of("main")
    ('v1.9', '')
    """
    return "" if release == "main" else ".".join(release.split(".")[:2])


def finals(releases: Sequence[str]) -> list[str]:
    """The final releases, oldest first: no candidates, no `main`."""
    return sorted((r for r in releases if r != "main" and "-rc" not in r), key=release_key)


def expand(text: str, known: Sequence[str]) -> list[str]:
    """The known releases of a range; `known` is in order.

    >>> expand("v1.7.3..v1.7", ["v1.7.2", "v1.7.3", "v1.7.4", "v1.8.0", "main"])
    ['v1.7.3', 'v1.7.4']
    >>> expand("v1.8.0..", ["v1.7.4", "v1.8.0", "main"])
    ['v1.8.0', 'main']

    Raises RulesetError where an end of the range is not known, or nothing lies in it.
    """
    first, dots, last = text.partition("..")
    low = release_key(first)
    if not dots:
        high = low
    elif not last:
        high = release_key(known[-1])
    elif line := _LINE.match(last):
        high = (int(line[1]), int(line[2]), _LAST, _LAST)
    else:
        high = release_key(last)
    lines = {line_of(release) for release in known}
    for end in (first, last):
        listed = f"v{end.removeprefix('v')}" in lines if _LINE.match(end) else end in known
        if end and not listed:
            raise RulesetError(f"releases {text!r}: {end} is not in the list of releases")
    found = [release for release in known if low <= release_key(release) <= high]
    if not found:
        raise RulesetError(f"releases {text!r} holds none of the list of releases")
    return found


def pick(wanted: str | None, known: Sequence[str], *, sparse: bool = False) -> tuple[str, str]:
    """The known release that is meant, and a warning where it is not known exactly.

    Nothing means the newest final one, `1.8` the last patch of that line. An unknown patch is
    taken as the newest of its line, an unknown later line as the newest known. In a `sparse` list,
    of releases at which something changed, what lies between two is taken as the earlier one.
    Raises RulesetError for anything else, listing what is known.

    >>> known = ["v1.7.5", "v1.8.0", "v1.8.3", "v1.9.0"]
    >>> pick(None, known), pick("1.8", known)
    (('v1.9.0', ''), ('v1.8.3', ''))
    >>> pick("v1.8.99", known)
    ('v1.8.3', 'v1.8.99 is not known; taken as v1.8.3, the newest known of its line')
    """
    final = finals(known)
    if wanted is None:
        return (final or known)[-1], ""
    name = wanted if wanted == "main" or wanted.startswith("v") else f"v{wanted}"
    if name in known:
        return name, ""
    line = _LINE.match(name) or _RELEASE.match(name)
    if line:
        key = (int(line[1]), int(line[2]))
        of_line = [release for release in final if release_key(release)[:2] == key]
        candidates = [release for release in known if release_key(release)[:2] == key]
        if of_line and _LINE.match(name):
            return of_line[-1], ""
        meant = release_key(name) if _RELEASE.match(name) else (*key, _LAST, _LAST)
        if sparse and (before := [r for r in final if release_key(r) < meant]):
            told = f"{wanted} is not in the list; taken as {before[-1]}, the newest known before it"
            return before[-1], told
        # A line that only has release candidates is known, but not exactly.
        newest = (of_line or candidates or [""])[-1]
        unknown = f"{wanted} is not known; taken as"
        if newest and (_LINE.match(name) or release_key(name) > release_key(newest)):
            return newest, f"{unknown} {newest}, the newest known of its line"
        if not newest and final and key > release_key(final[-1])[:2]:
            return final[-1], f"{unknown} {final[-1]}, the newest release known"
    msg = (
        f"{wanted!r} is no known release; known are {', '.join(known)}, "
        "and a line such as 1.8 for its last patch"
    )
    raise RulesetError(msg)
