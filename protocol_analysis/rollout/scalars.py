"""One scalar in a file's bytes: where it stands, and the same file with another value there. Pure.

Nothing is parsed and printed anew: quotes, comments, blanks, line ends and marks stay as they are.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_BREAK = re.compile(r"\r\n?|\n")
_END_OF_PLAIN = re.compile(r"[ \t]*(?:\Z|[\r\n]|(?<=[ \t])#|[,\]}])")
_SAFE = re.compile(r"[A-Za-z][A-Za-z0-9./-]*\Z")
_QUOTES = "\"'"


class Refused(ValueError):  # noqa: N818 - it is an answer, not a failure
    """Why a value is left as it is; the message says so to its owner."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A file's text, which `encoded` makes the very same bytes of."""

    text: str
    encoding: str
    mark: bytes

    @property
    def encoded(self) -> bytes:
        """The bytes of the file."""
        return self.mark + self.text.encode(self.encoding)


def decoded(raw: bytes) -> Decoded:
    r"""The text of a file as manifests are read. Raises Refused where it is no text.

    >>> decoded(b"\xff\xfea\x00").text
    'a'
    """
    mark = next((mark for mark in _MARKS if raw.startswith(mark)), b"")
    encoding = _MARKS.get(mark, "utf-8")
    try:
        found = Decoded(raw[len(mark) :].decode(encoding), encoding, mark)
    except UnicodeDecodeError as error:
        raise Refused(f"the file is not text in UTF-8 or UTF-16: byte {error.start}") from None
    if found.encoded != raw:
        raise Refused("the file's text does not make its bytes again")
    return found


class Lines:
    r"""The lines of a text, as editors count them: LF, CR LF and CR end one.

    >>> Lines("a\r\nbc").offset(2, 2)
    4
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = [0, *(found.end() for found in _BREAK.finditer(text))]

    def offset(self, line: int, column: int) -> int:
        """Where a position stands; a byte-order mark that starts its line is no column."""
        start = self.starts[line - 1]
        while self.text.startswith("\ufeff", start):
            start += 1
        return start + column - 1

    def line_at(self, offset: int) -> int:
        """The line of an offset."""
        return bisect_right(self.starts, offset)

    def line(self, number: int) -> str:
        """A line with its end."""
        end = self.starts[number] if number < len(self.starts) else len(self.text)
        return self.text[self.starts[number - 1] : end]

    def __len__(self) -> int:
        return len(self.starts) - (self.starts[-1] == len(self.text))


def span_of(text: str, at: int, old: str) -> tuple[int, int]:
    """Where a value stands, without its quotes. Raises Refused where it is written otherwise.

    >>> span_of("appProtocol: 'grpc' # why", 13, "grpc")
    (14, 18)
    """
    quote = text[at : at + 1] if text[at : at + 1] in _QUOTES else ""
    start = at + len(quote)
    end = start + len(old)
    if text[at : at + 1] in ("|", ">"):
        raise Refused("it is a block of lines; write it on one line")
    if text[start:end] != old:
        raise Refused(f"{old!r} does not stand there in so many letters")
    if quote and text[end : end + 1] != quote:
        raise Refused(f"{old!r} does not end with its quote")
    if not quote and not _END_OF_PLAIN.match(text, end):
        raise Refused(f"{old!r} goes on behind what was read")
    return start, end


def with_spans(text: str, spans: Sequence[tuple[int, int, str]]) -> str:
    """The text with other values at places that do not overlap.

    A value is one that needs no quotes, wherever it stands. Raises Refused for any other.

    >>> with_spans("a: grpc, b: grpc", [(3, 7, "h2"), (12, 16, "h2")])
    'a: h2, b: h2'
    """
    parts, done = [], 0
    for start, end, new in sorted(spans):
        if not _SAFE.match(new):
            raise Refused(f"{new!r} may need quotes; name a value without blanks and marks")
        if start < done:
            raise Refused("two values stand in one place")
        parts += [text[done:start], new]
        done = end
    return "".join([*parts, text[done:]])
