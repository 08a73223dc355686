"""Edits → files: each value changed where it stands, and not another byte.

A file is read again before it is changed, and is left as it is where it is not what the edits were
made for. What comes out is parsed and compared with what went in, so that an edit which would
change anything else is refused. Nothing is written here: `writing` does that.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from protocol_analysis.manifests.nodes import Document, Scalar, documents
from protocol_analysis.model import Meta, Position
from protocol_analysis.rollout.inline import Block, block_around, blocks_in
from protocol_analysis.rollout.places import Places, same_but, secrets_in
from protocol_analysis.rollout.scalars import (
    Decoded,
    Lines,
    Refused,
    decoded,
    span_of,
    with_spans,
)

_AROUND = 3  # lines around a change, as in any diff
_NO_END = "\\ No newline at end of file\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """One value to change: whose it is, what is written now, what is to be, and where."""

    target: Meta
    port: int | None
    old: str
    new: str
    position: Position

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"{self.target}{port}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A value that stays, and why."""

    position: Position
    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.position}: {self.what}: {self.reason}"


@dataclass(frozen=True, slots=True)
class _Hunk:
    """A changed line, and the lines around it that a diff may show."""

    line: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class File:
    """A file before and after, as bytes, and what was changed or refused in it."""

    name: str
    before: bytes
    after: bytes
    made: tuple[Rewrite, ...] = ()
    refused: tuple[Refusal, ...] = ()
    hunks: tuple[_Hunk, ...] = field(default=(), repr=False)

    @property
    def diff(self) -> str:
        """A unified diff, which `patch` and `git apply` take; empty where nothing is changed.

        Lines around a change are of its own object only: what stands beside it, a Secret for
        instance, is not shown. CR stays as it is.
        """
        return "".join(_diff(self))


def rewritten(name: str, raw: bytes, rewrites: Sequence[Rewrite]) -> File:
    r"""The file with its values changed, as far as each can be changed alone.

    >>> text = b"kind: Service\nspec:\n  ports: [{port: 1, appProtocol: grpc}] # why\n"
    >>> where = Position(file="a.yaml", document=1, line=3, column=34)
    >>> meta = Meta(group="", kind="Service", namespace="shop", name="cart", position=where)
    >>> new = "kubernetes.io/h2c"
    >>> edit = Rewrite(target=meta, port=1, old="grpc", new=new, position=where)
    >>> rewritten("a.yaml", text, [edit]).after.split(b"\n")[2]
    b'  ports: [{port: 1, appProtocol: kubernetes.io/h2c}] # why'
    """
    try:
        content = decoded(raw)
    except Refused as error:
        return File(name, raw, raw, refused=_all_refused(rewrites, str(error)))
    found = {document.number: document for document in documents(content.text)}
    lines = Lines(content.text)
    places = _Found(found, lines)
    secrets = [span for d in found.values() if d.root for span in secrets_in(d.root)]
    made: list[Rewrite] = []
    refused: list[Refusal] = []
    spans: list[tuple[int, int, str]] = []
    hunks: list[_Hunk] = []
    blocks: dict[tuple[int, int, int], Block] = {}  # by document, line and column
    for each in _once(rewrites):
        try:
            hunk = _place(places, each, secrets, blocks)
            at = lines.offset(each.position.line, each.position.column)
            spans.append((*span_of(content.text, at, each.old), each.new))
        except Refused as error:
            refused.append(Refusal(each.position, str(each), str(error)))
        else:
            made.append(each)
            hunks.append(hunk)
    try:
        after = Decoded(with_spans(content.text, spans), content.encoding, content.mark)
        _checked(found, after.text, made, blocks)
    except Refused as error:
        refused += _all_refused(made, str(error))
        return File(name, raw, raw, refused=tuple(refused))
    return File(name, raw, after.encoded, tuple(made), tuple(refused), tuple(hunks))


def _once(rewrites: Iterable[Rewrite]) -> Iterable[Rewrite]:
    """Each place once: a file that is read by two names has its values twice."""
    return {(r.position.line, r.position.column): r for r in rewrites}.values()


def _all_refused(rewrites: Iterable[Rewrite], reason: str) -> tuple[Refusal, ...]:
    return tuple(Refusal(each.position, str(each), reason) for each in rewrites)


class _Found:
    """The documents of a file that values are looked for in."""

    def __init__(self, documents_: dict[int, Document], lines: Lines) -> None:
        self.documents, self.lines = documents_, lines
        self._known: dict[int, tuple[Places, list[Scalar]]] = {}

    def at(self, number: int) -> tuple[Places, list[Scalar]]:
        """A document, and the blocks of lines in it."""
        if number not in self._known:
            places = Places(self.documents[number])
            self._known[number] = (places, blocks_in(self.lines, places))
        return self._known[number]


def _place(
    found: _Found,
    each: Rewrite,
    secrets: Sequence[tuple[int, int]],
    blocks: dict[tuple[int, int, int], Block],
) -> _Hunk:
    """The lines that a change may show: of its object, or of the block that it is in."""
    where = each.position
    if where.document not in found.documents:
        raise Refused(f"{each.old!r} no longer stands there")
    places, in_blocks = found.at(where.document)
    if any(first <= where.line <= last for first, last in secrets):
        raise Refused("it stands on one line with a Secret, which no diff may show; part them")
    if scalar := block_around(in_blocks, where.line):
        key = (where.document, scalar.line, scalar.column)
        block = blocks.setdefault(key, Block(found.lines.text, scalar))
        block.change(where.line, where.column, each.old, each.new)
        last = scalar.line + scalar.text.rstrip("\n").count("\n") + 1
        return _Hunk(where.line, scalar.line, last)
    place = places.place(where.line, where.column, each.old)
    return _Hunk(where.line, place.first, place.last)


def _checked(
    found: dict[int, Document],
    after: str,
    made: Sequence[Rewrite],
    blocks: dict[tuple[int, int, int], Block],
) -> None:
    """Raise Refused where the text says anything else than before, but for the values."""
    changed: dict[int, dict[tuple[int, int], str]] = {}
    for each in made:
        places = changed.setdefault(each.position.document, {})
        places[each.position.line, each.position.column] = each.new
    for (document, line, column), block in blocks.items():
        changed.setdefault(document, {})[line, column] = block.text
    new = {document.number: document for document in documents(after)}
    for number, before in found.items():
        other = new.get(number)
        same = other is not None and (before.error, before.line) == (other.error, other.line)
        if same and before.root is not None and other is not None and other.root is not None:
            same = same_but(before.root, other.root, changed.get(number, {}))
        if not same or len(new) != len(found):
            raise Refused("the file would say something else too; change it by hand")


def _diff(file: File) -> Iterator[str]:
    if file.before == file.after:
        return
    before, after = (Lines(decoded(raw).text) for raw in (file.before, file.after))
    name = file.name.replace("\n", "?").replace("\r", "?")
    yield f"--- a/{name.lstrip('/')}\n+++ b/{name.lstrip('/')}\n"
    unix = _by_line_feed(before), _by_line_feed(after)
    to_unix = _line_numbers(before)
    for first, last, changed in _grouped(file.hunks, to_unix, len(unix[0])):
        yield f"@@ -{first},{last - first + 1} +{first},{last - first + 1} @@\n"
        for block, is_changed in _blocks(first, last, changed):
            if is_changed:
                yield from (_line("-", unix[0][n - 1]) for n in block)
                yield from (_line("+", unix[1][n - 1]) for n in block)
            else:
                yield from (_line(" ", unix[0][n - 1]) for n in block)


def _by_line_feed(lines: Lines) -> list[str]:
    """The lines as `patch` counts them: only LF ends one."""
    parts = lines.text.split("\n")
    return [f"{part}\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _line_numbers(lines: Lines) -> Callable[[int], int]:
    """A line as editors count them → as `patch` does."""
    feeds = [found.start() for found in re.finditer("\n", lines.text)]
    return lambda number: bisect_left(feeds, lines.offset(number, 1)) + 1


def _grouped(
    hunks: Sequence[_Hunk], to_unix: Callable[[int], int], count: int
) -> Iterator[tuple[int, int, set[int]]]:
    """The first and last line of each part of the diff, and which lines are changed."""
    found: list[tuple[int, int, set[int]]] = []
    for hunk in sorted(hunks, key=lambda hunk: hunk.line):
        line = to_unix(hunk.line)
        first = max(line - _AROUND, min(to_unix(hunk.first), line), 1)
        last = min(line + _AROUND, max(to_unix(hunk.last), line), count)
        if found and first <= found[-1][1] + 1:
            start, end, changed = found[-1]
            found[-1] = (start, max(end, last), changed | {line})
        else:
            found.append((first, last, {line}))
    yield from found


def _blocks(first: int, last: int, changed: set[int]) -> Iterator[tuple[list[int], bool]]:
    """Runs of lines that are changed, or are not."""
    block: list[int] = []
    for number in range(first, last + 1):
        if block and (number in changed) != (block[-1] in changed):
            yield block, block[-1] in changed
            block = []
        block.append(number)
    yield block, block[-1] in changed


def _line(sign: str, text: str) -> str:
    return f"{sign}{text}" if text.endswith("\n") else f"{sign}{text}\n{_NO_END}"
