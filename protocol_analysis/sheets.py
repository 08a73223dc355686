"""YAML as mappings and lists that know their lines: what all files of rows are read with.

Nothing is made of any tag but texts and None, and all complaints come together, a line each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import yaml

from protocol_analysis.releases import RulesetError

# Links whose text changes under them: branches, and pages about whatever is newest.
_MOVING = re.compile(
    r"/(?:blob|tree|raw|blame)/(?:main|master|HEAD|develop|trunk|release[^/]*)/|/latest(?:/|\Z)"
)
SHAPES: dict[type, str] = {list: "list", dict: "mapping"}
_TEXT_TAGS = {"tag:yaml.org,2002:str", "tag:yaml.org,2002:timestamp"}


def rows_of(
    text: str,
    name: str,
    keys: set[str],
    optional: Iterable[str] = (),
    complaint_about: Callable[[str, Any], str] | None = None,
    what: str = "row",
) -> list[dict[str, Any]]:
    """The rows of a file that is a list of mappings with these keys.

    Raises RulesetError, with all complaints.

    >>> rows_of("- {value: grpc, text: Istio's}", "a.yaml", {"value", "text"})
    [{'value': 'grpc', 'text': "Istio's"}]
    """
    sheet = Sheet(name)
    top = sheet.document(text)
    for at, raw in enumerate(top):
        line = sheet.lines[id(top), at]
        sheet.mapping(what, raw, keys, line, optional, complaint_about or not_a_text)
    sheet.stop()
    found: list[dict[str, Any]] = top
    return found


def not_a_text(key: str, value: Any) -> str:
    """What is wrong with a value that should be a text, or a permanent link; else nothing.

    >>> not_a_text("text", "A sentence."), not_a_text("text", [])
    ('', 'text: a list; write a text')
    """
    wrong = f"{key}: {shown(value)}; write"
    if not isinstance(value, str) or not value.strip():
        return f"{wrong} a text"
    if key == "source" and (not value.startswith("https://") or _MOVING.search(value)):
        return f"{wrong} a permanent https:// link, to a tag or a commit"
    return ""


def shown(value: Any) -> str:
    """A wrong value, shortly."""
    shape = SHAPES.get(type(value))
    return f"a {shape}" if shape else "nothing" if value is None else repr(value[:80])


def _composed(text: str) -> Any:
    """The document as PyYAML's nodes; none where it is empty.

    libyaml is many times as fast. What it refuses is read again by PyYAML, which says more exactly
    what is wrong.
    """
    try:
        return yaml.compose(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, UnicodeError):
        return yaml.compose(text, Loader=yaml.SafeLoader)


class Sheet:
    """One YAML file while it is read: where everything stands, and what is wrong with it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.errors: list[tuple[int, str]] = []
        # Where each key of a mapping, and each item of a list, stands.
        self.lines: dict[tuple[int, str | int], int] = {}

    def error(self, line: int, message: str) -> None:
        """Note what is wrong in a line."""
        self.errors.append((line, message))

    def stop(self) -> None:
        """Raise RulesetError where anything is wrong."""
        if self.errors:
            found = sorted(self.errors)
            raise RulesetError("\n".join(f"{self.name}:{line}: {text}" for line, text in found))

    def document(self, text: str) -> Any:
        """The document as mappings, lists, texts and None; nothing else is made of any tag."""
        try:
            node = _composed(text)
            return self.plain(node, {}) if node else None
        except RecursionError:
            self.error(1, "nested too deep")
        except yaml.reader.ReaderError as error:
            self.error(text.count("\n", 0, error.position) + 1, f"not YAML: {error.reason}")
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self.error(mark.line + 1 if mark else 1, f"not YAML: {error.problem}")
        return self.stop()

    def plain(self, node: Any, done: dict[int, Any]) -> Any:
        """A node's value. `done` has those of aliases, each made once however often it stands."""
        line = node.start_mark.line + 1
        if id(node) in done:
            return done[id(node)]
        if isinstance(node, yaml.ScalarNode):
            if node.tag == "tag:yaml.org,2002:null":
                return None
            if node.tag not in _TEXT_TAGS:
                self.error(line, f"{node.value[:80]!r} is no text; write it in quotes")
            return str(node.value)
        value: Any = done.setdefault(id(node), [] if isinstance(node, yaml.SequenceNode) else {})
        if isinstance(value, list):
            for index, item in enumerate(node.value):
                self.lines[id(value), index] = item.start_mark.line + 1
                value.append(self.plain(item, done))
            return value
        for key_node, value_node in node.value:
            key, line = self.plain(key_node, done), key_node.start_mark.line + 1
            if not isinstance(key, str):
                self.error(line, "a key is no text")
            elif key in value:
                self.error(line, f"key {key!r} stands in line {self.lines[id(value), key]} too")
            else:
                self.lines[id(value), key] = line
                value[key] = self.plain(value_node, done)
        return value

    def mapping(
        self,
        what: str,
        raw: Any,
        known: set[str],
        line: int,
        optional: Iterable[str] = (),
        complaint_about: Callable[[str, Any], str] = not_a_text,
    ) -> bool:
        """Whether it is a mapping with these keys, and every value is of its kind."""
        before = len(self.errors)
        if not isinstance(raw, dict):
            self.error(line, f"{what} is {shown(raw)}, no mapping")
            return False
        for key in sorted(known.difference(raw, optional)):
            self.error(line, f"{what} without {key!r}")
        for key, value in raw.items():
            complaint = f"unknown key {key!r} in {what}; known are {', '.join(sorted(known))}"
            if key in known:
                complaint = complaint_about(key, value)
            if complaint:
                self.error(self.lines[id(raw), key], complaint)
        return len(self.errors) == before
