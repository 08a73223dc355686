"""Events → the nodes of one document, with limits.

* PyYAML's C composer recurses: 100 kB of `- - -` ends the process. Its event stream does not.
  Nodes are therefore composed here, from events, with a limit on depth and on their number.
* Aliases and merge keys cost nothing to write and everything to walk: what they stand for is
  counted as it is composed, and limited over all that is read together. A thousand small bombs
  are a large one; a document that is refused leaves the others what it would have taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from protocol_analysis.manifests.tree import Mapping, Node, Scalar, Sequence
from protocol_analysis.model import ManifestError

MAX_DEPTH = 200
MAX_NODES = 5_000_000
MAX_ALIASED = 250_000

_TYPED = frozenset(f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "float", "null"))


class ComposeError(ManifestError):
    """Why a document cannot be composed, and where."""

    def __init__(self, reason: str, line: int, column: int) -> None:
        super().__init__(reason)
        self.reason, self.line, self.column = reason, line, column


@dataclass(slots=True)
class Budget:
    """What was composed so far: nodes that are written, and those that aliases stand for."""

    written: int = 0
    aliased: int = 0


class Composer:
    """Builds the nodes of one document from what a parser meets, in order."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.root: Node | None = None
        self.duplicates: list[Scalar] = []
        self._anchors: dict[str, Node] = {}
        self._stack: list[Mapping | Sequence] = []
        self._pending: list[Scalar | None] = []
        # For each open mapping: its entries from the first `<<` on, in order.
        self._later: list[list[tuple[Scalar, Node]]] = []
        self._nodes = self._aliased = 0

    def feed(self, event: Any, line: int, column: int) -> None:
        """Take one of PyYAML's events, which stands at `line` and `column`."""
        if isinstance(event, yaml.ScalarEvent):
            # implicit[0]: plain and untagged. `!!str on` is a string, `!!bool "on"` a boolean.
            plain = bool(event.implicit[0]) or event.tag in _TYPED
            self.scalar(event.value, line, column, plain=plain, anchor=event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event.anchor or "", line, column)
        elif isinstance(event, yaml.MappingStartEvent):
            self.open(Mapping(line, column), event.anchor)
        elif isinstance(event, yaml.SequenceStartEvent):
            self.open(Sequence(line, column), event.anchor)
        else:
            self.close()

    def scalar(
        self, text: str, line: int, column: int, *, plain: bool, anchor: str | None = None
    ) -> None:
        """Add a scalar."""
        self._add(anchor, Scalar(text, plain, line, column), line, column)

    def open(self, collection: Mapping | Sequence, anchor: str | None = None) -> None:
        """Start a mapping or a list."""
        line, column = collection.line, collection.column
        if len(self._stack) >= MAX_DEPTH:
            raise ComposeError(f"nested deeper than {MAX_DEPTH} levels", line, column)
        self._add(anchor, collection, line, column)
        self._stack.append(collection)
        self._pending.append(None)
        self._later.append([])

    def close(self) -> None:
        """End the mapping or the list that was started last."""
        top = self._stack.pop()
        self._pending.pop()
        later = self._later.pop()
        if isinstance(top, Mapping):
            if later:
                self._merge(top, later)
            top.size += sum(map(_size, top.items.values()))
        else:
            top.size += sum(map(_size, top.items))

    def finish(self) -> None:
        """End the document, which is good."""
        self._budget.written += self._nodes
        self._budget.aliased += self._aliased

    def _alias(self, anchor: str, line: int, column: int) -> None:
        target = self._anchors.get(anchor)
        if target is None:
            raise ComposeError(f"unknown anchor *{anchor[:80]}", line, column)
        if any(target is open_one for open_one in self._stack):
            raise ComposeError(f"*{anchor[:80]} stands inside itself", line, column)
        self._count(target, line, column)
        self._add(None, target, line, column)

    def _add(self, anchor: str | None, node: Node, line: int, column: int) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise ComposeError(
                f"more than {MAX_NODES} values in one document; split it", line, column
            )
        if anchor is not None:
            # The same anchor may stand again; an alias means the nearest before it.
            self._anchors[anchor] = node
        if not self._stack:
            self.root = node
            return
        top = self._stack[-1]
        if not isinstance(top, Mapping):
            top.items.append(node)
            return
        key = self._pending[-1]
        if key is None:
            if not isinstance(node, Scalar):
                raise ComposeError("a mapping or list where a key is expected", line, column)
            self._pending[-1] = node
            return
        self._pending[-1] = None
        if self._later[-1] or _is_merge(key):
            self._later[-1].append((key, node))
        else:
            self._put(top, key, node, merged=set())

    def _put(self, top: Mapping, key: Scalar, node: Node, merged: set[str]) -> None:
        if key.text in top.items and key.text not in merged:
            self.duplicates.append(key)
        merged.discard(key.text)
        top.items[key.text], top.keys[key.text] = node, key

    def _count(self, node: Node, line: int, column: int) -> None:
        """Note what stands here without being written here."""
        self._aliased += _size(node)
        # As many as are written are fine in any number.
        written = self._budget.written + self._nodes
        if self._budget.aliased + self._aliased > MAX_ALIASED + written:
            msg = f"aliases and merge keys stand for more than {MAX_ALIASED} values"
            raise ComposeError(msg, line, column)

    def _merge(self, top: Mapping, entries: list[tuple[Scalar, Node]]) -> None:
        """Add what stands from the first `<<` on, in order: what comes later wins.

        YAML lets a mapping's own key win wherever it stands; Kubernetes' reader does not. Where
        that matters, because `<<` stands below the key, the key is noted as a duplicate.
        """
        merged: set[str] = set()
        for key, node in entries:
            if not _is_merge(key):
                self._put(top, key, node, merged)
                continue
            # In a list of mappings the first one wins.
            for mapping in reversed(node.items) if isinstance(node, Sequence) else [node]:
                if not isinstance(mapping, Mapping):
                    raise ComposeError("`<<` merges mappings only", key.line, key.column)
                self._count(mapping, key.line, key.column)
                own = [name for name in mapping.items if name in top.items and name not in merged]
                self.duplicates += [top.keys[name] for name in own]
                merged |= mapping.items.keys()
                top.items |= mapping.items
                top.keys |= mapping.keys


def _is_merge(key: Scalar) -> bool:
    return key.text == "<<" and key.plain


def _size(node: Node) -> int:
    return 1 if isinstance(node, Scalar) else node.size
