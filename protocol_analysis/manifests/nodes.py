"""Text → documents of nodes, each scalar with its position, safely.

Facts that shape this module:

* YAML's value of a scalar depends on who reads it. Kubernetes reads YAML 1.1 through its own
  table (`on` and `y` are booleans), so scalars stay *text with a plain/quoted mark* here, and
  `Scalar.value` applies Kubernetes' reading (sigs.k8s.io/yaml, goyaml.v2/resolve.go).
* `---` followed by a blank or the end of the line, in column 1, always ends a document or is an
  error. Splitting there lets the neighbours of a broken document survive it. Directives, `...`
  and unusual line breaks need the stream read as a whole.
* PyYAML's C composer recurses: 100 kB of `- - -` ends the process. Its event stream does not.
  Nodes are therefore composed here, from events, with a limit on depth.
* Aliases and merge keys cost nothing to write and everything to walk: what they stand for is
  counted as it is composed, and limited.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from protocol_analysis.model import ManifestError

MAX_DEPTH = 200
MAX_ALIASED = 1_000_000

_SEPARATOR = re.compile(r"\n---(?=[ \t\r\n]|\Z)")
_WHOLE_STREAM = re.compile("\\A%|\n%|\n\\.\\.\\.|\0|\r(?!\n)|[\x85\u2028\u2029]|(?<!\\A)\ufeff")
_SURROGATE_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_UNDECODED = re.compile("[\udc80-\udcff]")
_BOOLEANS = {
    **dict.fromkeys(
        ("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"), True
    ),
    **dict.fromkeys(
        ("n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"), False
    ),
}
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*|0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+)\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")


@dataclass(slots=True)
class Scalar:
    """A scalar as written; `plain` where it is neither quoted nor tagged."""

    text: str
    plain: bool
    line: int
    column: int

    def value(self) -> Any:
        """The value as Kubernetes reads it: str, bool, int, float or None.

        >>> Scalar("on", True, 1, 1).value(), Scalar("on", False, 1, 1).value()
        (True, 'on')
        >>> Scalar("0755", True, 1, 1).value(), Scalar("12:30", True, 1, 1).value()
        (493, '12:30')
        """
        if not self.plain:
            return self.text
        if self.text in _NULLS:
            return None
        if self.text in _BOOLEANS:
            return _BOOLEANS[self.text]
        text = self.text.replace("_", "")
        if _INTEGER.match(text):
            return _integer(text)
        return float(text) if _FLOAT.match(text) else self.text


def _integer(text: str) -> int | str:
    sign, digits = (-1, text[1:]) if text[0] == "-" else (1, text.lstrip("+"))
    if len(digits) > 20:
        return text
    if digits.isdigit() and digits[0] == "0" and len(digits) > 1:
        return sign * int(digits, 8)
    return sign * int(digits, 0)


@dataclass(slots=True)
class Mapping:
    """A mapping: nodes by key, and the keys themselves. `size` counts what is inside."""

    line: int
    column: int
    size: int = 1
    items: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Scalar] = field(default_factory=dict)


@dataclass(slots=True)
class Sequence:
    """A list of nodes. `size` counts what is inside."""

    line: int
    column: int
    size: int = 1
    items: list[Node] = field(default_factory=list)


Node = Scalar | Mapping | Sequence


@dataclass(slots=True)
class Document:
    """One document of a stream: its root, or why there is none."""

    number: int
    line: int
    root: Node | None = None
    error: str = ""
    column: int = 1
    duplicates: list[Scalar] = field(default_factory=list)


def documents(text: str) -> Iterator[Document]:
    r"""Yield the documents of `text`, in order.

    A broken one carries its `error`; its neighbours survive.

    >>> found = documents("kind: A\n---\n{\n---\nkind: B")
    >>> [document.root.items["kind"].text if document.root else document.line for document in found]
    ['A', 4, 'B']
    """
    text = _SURROGATE_PAIR.sub(_join_surrogates, text.removeprefix("\ufeff"))
    if _WHOLE_STREAM.search(text):
        yield from _compose_all(text, 1, 0)
        return
    number, line = 0, 1
    for index, chunk in enumerate(_SEPARATOR.split(text)):
        if index:
            line += 1
        has_content = any(part and part[0] != "#" for part in map(str.strip, chunk.splitlines()))
        if has_content:
            # What follows `---` on its own line belongs to the document; blanks keep its column.
            for document in _compose_all("   " + chunk if index else chunk, line, number):
                number = document.number
                yield document
        elif index:
            number += 1
        line += chunk.count("\n")


def _join_surrogates(match: re.Match[str]) -> str:
    """JSON writes 😀 as two escapes, which libyaml refuses; it means one character."""
    high, low = int(match[0][2:6], 16), int(match[0][8:12], 16)
    return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))


def _compose_all(text: str, line: int, number: int) -> Iterator[Document]:
    if found := _UNDECODED.search(text):
        broken = line + text.count("\n", 0, found.start())
        yield Document(number + 1, broken, error="not UTF-8 text")
        return
    composer = _Composer(line - 1)
    events: Iterator[Any] = iter(())
    current = Document(number + 1, line)
    try:
        events = yaml.parse(text, Loader=yaml.CLoader)
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                number += 1
                current = Document(number, _line(event) + line)
                composer.begin()
            elif isinstance(event, yaml.DocumentEndEvent):
                current.root, current.duplicates = composer.root, composer.duplicates
                yield current
            elif not isinstance(event, (yaml.StreamStartEvent, yaml.StreamEndEvent)):
                composer.feed(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = (mark.line + line, mark.column + 1) if mark else (line, 1)
        yield Document(
            current.number, at[0], error=f"not YAML: {error.problem or error.context}", column=at[1]
        )
    except yaml.YAMLError as error:
        reason = getattr(error, "reason", None) or str(error).splitlines()[0]
        yield Document(current.number, line, error=f"not YAML: {reason}")
    except _ComposeError as error:
        yield Document(current.number, error.line, error=error.reason, column=error.column)


def _line(event: Any) -> int:
    return int(event.start_mark.line)


def _size(node: Node) -> int:
    return 1 if isinstance(node, Scalar) else node.size


class _ComposeError(ManifestError):
    def __init__(self, reason: str, line: int, column: int) -> None:
        super().__init__(reason)
        self.reason, self.line, self.column = reason, line, column


class _Composer:
    """Builds the nodes of one document after the other from the parser's events."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.begin()

    def begin(self) -> None:
        self.root: Node | None = None
        self.anchors: dict[str, Node] = {}
        self.duplicates: list[Scalar] = []
        self.stack: list[Mapping | Sequence] = []
        self.pending: list[Scalar | None] = []
        self.merges: list[list[Node]] = []
        self.aliased = 0

    def feed(self, event: Any) -> None:
        line, column = event.start_mark.line + 1 + self.offset, event.start_mark.column + 1
        if isinstance(event, yaml.ScalarEvent):
            # implicit[0]: plain and untagged. An explicit tag (`!!str on`) settles the type.
            node: Node = Scalar(event.value, bool(event.implicit[0]), line, column)
            self._add(event.anchor, node, line, column)
        elif isinstance(event, yaml.AliasEvent):
            target = self.anchors.get(anchor := event.anchor or "")
            if target is None:
                raise _ComposeError(f"unknown anchor *{anchor[:80]}", line, column)
            if any(target is open_one for open_one in self.stack):
                raise _ComposeError(f"*{anchor[:80]} stands inside itself", line, column)
            self._count(target, line, column)
            self._add(None, target, line, column)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            if len(self.stack) >= MAX_DEPTH:
                raise _ComposeError(f"nested deeper than {MAX_DEPTH} levels", line, column)
            kind = Mapping if isinstance(event, yaml.MappingStartEvent) else Sequence
            collection: Mapping | Sequence = kind(line, column)
            self._add(event.anchor, collection, line, column)
            self.stack.append(collection)
            self.pending.append(None)
            self.merges.append([])
        else:
            self._close(line, column)

    def _add(self, anchor: str | None, node: Node, line: int, column: int) -> None:
        if anchor is not None:
            self.anchors[anchor] = node
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        if not isinstance(top, Mapping):
            top.items.append(node)
            return
        key = self.pending[-1]
        if key is None:
            if not isinstance(node, Scalar):
                raise _ComposeError("a mapping or list where a key is expected", line, column)
            self.pending[-1] = node
            return
        self.pending[-1] = None
        if key.text == "<<" and key.plain:
            self.merges[-1].append(node)
            return
        if key.text in top.items:
            self.duplicates.append(key)
        top.items[key.text] = node
        top.keys[key.text] = key

    def _count(self, node: Node, line: int, column: int) -> None:
        """Note what stands here without being written here."""
        self.aliased += _size(node)
        if self.aliased > MAX_ALIASED:
            msg = f"aliases and merge keys stand for more than {MAX_ALIASED} nodes"
            raise _ComposeError(msg, line, column)

    def _close(self, line: int, column: int) -> None:
        top = self.stack.pop()
        self.pending.pop()
        sources = self.merges.pop()
        if isinstance(top, Mapping):
            self._merge(top, sources, line, column)
        inside = top.items.values() if isinstance(top, Mapping) else top.items
        top.size += sum(map(_size, inside))

    def _merge(self, top: Mapping, sources: list[Node], line: int, column: int) -> None:
        for source in sources:
            for mapping in source.items if isinstance(source, Sequence) else [source]:
                if not isinstance(mapping, Mapping):
                    raise _ComposeError("`<<` merges mappings only", line, column)
                self._count(mapping, line, column)
                for key, node in mapping.items.items():
                    if key not in top.items:
                        top.items[key] = node
                        top.keys[key] = mapping.keys[key]
