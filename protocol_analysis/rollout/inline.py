"""YAML inside YAML: the text of a block of lines, and where it stands in the file. Pure.

A kustomization.yaml holds patches as blocks (`patch: |-`). Only those that keep their lines (`|`)
can be edited in place: each line of the text is a line of the file, with blanks before it.
"""

from __future__ import annotations

from collections.abc import Iterable

from protocol_analysis.manifests.nodes import Scalar, documents
from protocol_analysis.rollout.places import Places
from protocol_analysis.rollout.scalars import Lines, Refused, span_of, with_spans


def raw_position(content: str, block: Scalar, line: int, column: int) -> tuple[int, int] | None:
    r"""Where a position of a block's text stands in the file; None where it does not stand so.

    >>> raw_position("patch: |-\n  a: b", Scalar("a: b", False, 1, 8), 1, 4)
    (2, 6)
    """
    lines = Lines(content)
    head = lines.offset(block.line, block.column)
    if content[head : head + 1] != "|" or block.line + line > len(lines):
        return None
    raw = lines.line(block.line + line).rstrip("\r\n")
    inner = block.text.split("\n")[line - 1]
    if not inner or not raw.endswith(inner) or raw[: -len(inner)].strip(" "):
        return None
    return block.line + line, len(raw) - len(inner) + column


def blocks_in(lines: Lines, places: Places) -> list[Scalar]:
    """The blocks of lines in a document."""
    return [
        scalar
        for (line, column), scalar in places.scalars.items()
        if scalar.text and lines.text.startswith(("|", ">"), lines.offset(line, column))
    ]


def block_around(blocks: Iterable[Scalar], line: int) -> Scalar | None:
    r"""The block that a line of the file lies in.

    >>> block_around([Scalar("a\nb\n", False, 1, 8)], 3) is None
    False
    """
    for each in blocks:
        if each.line < line <= each.line + each.text.rstrip("\n").count("\n") + 1:
            return each
    return None


class Block:
    """A block while values in it are changed."""

    def __init__(self, content: str, scalar: Scalar) -> None:
        self.content, self.scalar = content, scalar
        self.lines = Lines(scalar.text)
        self.documents = [Places(document) for document in documents(scalar.text)]
        self.spans: list[tuple[int, int, str]] = []

    def change(self, line: int, column: int, old: str, new: str) -> None:
        """Note a value at a position of the file. Raises Refused where it is not that value."""
        inner = line - self.scalar.line
        first = raw_position(self.content, self.scalar, inner, 1)
        if first is None or column < first[1]:
            raise Refused(f"{old!r} no longer stands there")
        at = column - first[1] + 1
        for places in self.documents:
            if (inner, at) in places.scalars:
                places.place(inner, at, old)
                span = span_of(self.scalar.text, self.lines.offset(inner, at), old)
                self.spans.append((*span, new))
                return
        raise Refused(f"{old!r} no longer stands there")

    @property
    def text(self) -> str:
        """What the block is to say."""
        return with_spans(self.scalar.text, self.spans)
