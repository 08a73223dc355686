"""Text → documents: YAML and JSON streams, read so that a broken document hides no other.

* `---` or `...` followed by a blank or the end of the line, in column 1, ends a document or is an
  error, wherever it stands. Each document is therefore cut out and parsed by itself.
* What starts with `{` is tried as JSON first, as kubectl does: JSON allows what YAML does not
  (values one after the other, escaped surrogate pairs, tabs, control characters), and a line
  separator in its strings is no line break.
* Lines end with LF, CR LF or CR, as in editors. libyaml counts NEL, U+2028 and U+2029 too.
"""

from __future__ import annotations

import json
import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import yaml

from protocol_analysis.manifests.composing import Budget, ComposeError, Composer
from protocol_analysis.manifests.tree import Document, Mapping, Node, Scalar, Sequence

__all__ = ["Document", "Mapping", "Node", "Scalar", "Sequence", "documents"]

_ENDS = re.compile(
    r"(?:\A|(?<=[\r\n]))(?:(---)(?=[ \t\r\n]|\Z)|\.\.\.(?:[ \t]+#[^\r\n]*|[ \t]*)(?=[\r\n]|\Z))"
)
# A byte-order mark stands where files were joined; it would shift the line that it starts.
_MARKS = re.compile("(?:\\A|(?<=[\r\n]))\ufeff+")
_BREAK = re.compile(r"\r\n?|\n")
_ODD_BREAK = re.compile("[\x85\u2028\u2029]")
_DIRECTIVE_OR_CONTENT = re.compile(r"(?:\A|(?<=[\r\n]))(?:(%)|[ \t]*[^ \t\r\n#])")
_CONTENT = re.compile(r"(?:\A|(?<=[\r\n]))[ \t]*[^ \t\r\n#]")
_CONTENT_AFTER_MARKER = re.compile(r"(?:\A---|(?<=[\r\n]))[ \t]*[^ \t\r\n#]")
_NODES = (yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent)
_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*(?:\s+(?:#[^\r\n]*\s+)*)?)*")
_UNDECODED = re.compile("[\ud800-\udfff]")
_NO_YAML = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_TEXT = "not text in UTF-8, or in UTF-16 with a byte-order mark"

_START = re.compile(r"(?:---)?[ \t\r\n]*")
_BLANK = re.compile(r"[ \t\r\n]*")
_GAP = re.compile(r"[ \t\r\n,:]*")
_WORD = re.compile(r"[^ \t\r\n,\]}]*")
# `}` and then `{` is no JSON inside a value, so no attempt reads on beyond the next such place.
_NEXT_VALUE = re.compile(r"\}[ \t\r\n]*\n(?=\{)")


def documents(text: str, budget: Budget | None = None) -> Iterator[Document]:
    r"""Yield the documents of `text`, in order.

    A broken one carries its `error`; its neighbours survive. `budget` is shared by texts that are
    read together.

    >>> found = documents("kind: A\n---\n{\n---\nkind: B")
    >>> [document.root.items["kind"].text if document.root else document.line for document in found]
    ['A', 3, 'B']
    """
    if "\ufeff" in text:
        text = _MARKS.sub("", text)
    budget = budget or Budget()
    number, line, counted = 0, 1, 0
    for start, end, explicit in _pieces(text):
        line += _breaks(text, counted, start)
        counted = start
        piece = text[start:end]
        if not (_CONTENT_AFTER_MARKER if explicit else _CONTENT).search(piece):
            number += explicit  # an empty document counts, what stands between two does not
            continue
        template = "{{" in piece
        for document in _read(piece, line, budget):
            number += 1
            yield replace(document, number=number, template=template)


def _pieces(text: str) -> Iterator[tuple[int, int, bool]]:
    """Where each document starts and ends, and whether `---` starts it."""
    start, explicit = 0, False
    for found in _ENDS.finditer(text):
        begins = found[1] is not None
        # Directives stand before the `---` of the document that they are about.
        cut = _directives(text, start, found.start()) if begins else found.start()
        yield start, cut, explicit
        start, explicit = (cut, cut == found.start()) if begins else (found.end(), False)
    yield start, len(text), explicit


def _directives(text: str, start: int, end: int) -> int:
    """Where the directives at the end of a piece begin; its end where there are none."""
    if text.find("%", start, end) < 0:
        return end
    cut = end
    for found in _DIRECTIVE_OR_CONTENT.finditer(text, start, end):
        if not found[1]:
            cut = end
        elif cut == end:
            cut = found.start()
    return cut


def _breaks(text: str, start: int, end: int) -> int:
    count = text.count("\n", start, end)
    if text.find("\r", start, end) >= 0:
        count += text.count("\r", start, end) - text.count("\r\n", start, end)
    return count


class _Lines:
    """Where each index of a text that starts at `line` stands: its line and column."""

    def __init__(self, text: str, line: int) -> None:
        self.text, self.line = text, line
        self.starts = array("q")

    def at(self, index: int) -> tuple[int, int]:
        if not self.starts:  # few texts are asked
            self.starts.append(0)
            self.starts.extend(found.end() for found in _BREAK.finditer(self.text))
        row = bisect_right(self.starts, index) - 1
        return self.line + row, index - self.starts[row] + 1


def _broken(reason: str, line: int, column: int) -> Document:
    return Document(0, line, error=reason, column=column)


def _read(text: str, line: int, budget: Budget) -> Iterator[Document]:
    """Yield the documents of a piece that starts at `line`: as a rule one."""
    if found := _UNDECODED.search(text):
        yield _broken(_NOT_TEXT, *_Lines(text, line).at(found.start()))
        return
    start = _skip(_START, text, 0)
    if text.startswith("{", start):
        yield from _read_json(text, start, line, budget)
    else:
        yield from _read_yaml(text, line, budget)


def _read_yaml(text: str, line: int, budget: Budget) -> Iterator[Document]:
    lines = _Lines(text, line)
    odd = _ODD_BREAK.search(text) is not None
    end = len(text.rstrip())

    def at(mark: Any) -> tuple[int, int]:
        # What is missing at the end is missing there, and not where the next document begins.
        if odd or mark.index >= end:
            return lines.at(min(mark.index, end))
        return mark.line + line, mark.column + 1

    def place(event: Any) -> tuple[int, int]:
        """Where the value itself stands: after its anchor and its tag."""
        mark: Any = event.start_mark
        if (
            isinstance(event, _NODES)
            and (event.anchor or event.tag)
            and getattr(event, "value", "-")
        ):
            return lines.at(_skip(_PROPERTIES, text, mark.index))
        return at(mark)

    composer, first = Composer(budget), line
    try:
        for event in yaml.parse(text, Loader=yaml.CLoader):
            if isinstance(event, yaml.DocumentStartEvent):
                composer, first = Composer(budget), at(event.start_mark)[0]
            elif isinstance(event, yaml.DocumentEndEvent):
                composer.finish()
                yield Document(0, first, composer.root, duplicates=composer.duplicates)
            elif not isinstance(event, (yaml.StreamStartEvent, yaml.StreamEndEvent)):
                composer.feed(event, *place(event))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = at(mark) if mark else (line, 1)
        yield _broken(f"not YAML: {error.problem or error.context}", *where)
    except yaml.YAMLError as error:
        found = _NO_YAML.search(text)
        where = lines.at(found.start()) if found else (line, 1)
        reason = getattr(error, "reason", None) or str(error).splitlines()[0]
        yield _broken(f"not YAML: {reason}", *where)
    except ComposeError as error:
        yield _broken(error.reason, error.line, error.column)


def _read_json(text: str, start: int, line: int, budget: Budget) -> Iterator[Document]:
    """Yield JSON values that follow each other; what is no such stream is read as YAML.

    After a broken value, reading goes on at the next `{` that starts a line after a `}`.
    """
    lines, at, broken = _Lines(text, line), start, False
    while at < len(text):
        try:
            end = _json_end(text, at)
        except (ValueError, RecursionError) as error:
            if at == start:
                found = list(_read_yaml(text, line, budget))
                yield from found
                if not any(document.error for document in found):
                    return
            elif not broken:
                where = lines.at(getattr(error, "pos", at))
                yield _broken(f"not JSON: {getattr(error, 'msg', error)}", *where)
            broken = True
            following = _NEXT_VALUE.search(text, at)
            at = following.end() if following else len(text)
            continue
        after = _skip(_BLANK, text, end)
        if at == start and after < len(text) and text[after] != "{":
            yield from _read_yaml(text, line, budget)
            return
        yield _compose_json(text, at, end, lines, budget)
        at, broken = after, False


def _no_constant(name: str) -> None:
    msg = f"{name} is no JSON"
    raise ValueError(msg)


# It says where a value ends, keeps nothing of it, and reads its strings. Python would refuse to
# make integers of more than 4,300 digits.
_JSON = json.JSONDecoder(
    object_pairs_hook=lambda _: None, parse_int=str, parse_float=str, parse_constant=_no_constant
)


def _json_end(text: str, at: int) -> int:
    end: int = _JSON.raw_decode(text, at)[1]
    return end


def _compose_json(text: str, at: int, end: int, lines: _Lines, budget: Budget) -> Document:
    """The document of a value which is known to be JSON."""
    composer = Composer(budget)
    first = lines.at(at)[0]
    try:
        while (at := _skip(_GAP, text, at)) < end:
            line, column = lines.at(at)
            char = text[at]
            if char == '"':
                value, at = _JSON.raw_decode(text, at)
                # Half a surrogate pair is no character; Go, too, reads the replacement character.
                value = _UNDECODED.sub("\ufffd", value)
                composer.scalar(value, line, column, plain=False)
            elif char in "{[":
                composer.open(Mapping(line, column) if char == "{" else Sequence(line, column))
                at += 1
            elif char in "}]":
                composer.close()
                at += 1
            else:
                word, at = at, _skip(_WORD, text, at)
                composer.scalar(text[word:at], line, column, plain=True)
    except ComposeError as error:
        return _broken(error.reason, error.line, error.column)
    composer.finish()
    return Document(0, first, composer.root, duplicates=composer.duplicates)


def _skip(what: re.Pattern[str], text: str, at: int) -> int:
    found = what.match(text, at)
    return found.end() if found else at
