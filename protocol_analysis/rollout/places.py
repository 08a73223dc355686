"""Where a value stands in its document: in which object, shared with whom, and whose it is. Pure.

An alias or a merge key has one scalar stand in several places; a value that others share is not
one port's to change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from protocol_analysis.manifests.fields import Source, absent, get, meta_of, text
from protocol_analysis.manifests.nodes import Document, Mapping, Node, Scalar, Sequence
from protocol_analysis.owners import owner_of
from protocol_analysis.rollout.scalars import Refused

_NOWHERE = Source(file="", document=0, world="", cluster=None, namespace="")


@dataclass(frozen=True, slots=True)
class Place:
    """A scalar, and the lines of the object, or of the patch, that it is in."""

    scalar: Scalar
    first: int
    last: int


class Places:
    """A document whose values are looked up by where they stand; it is walked once."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.parents = _parents(document.root) if document.root else {}
        self.scalars = {
            (node.line, node.column): node
            for node, _ in self.parents.values()
            if isinstance(node, Scalar)
        }

    def place(self, line: int, column: int, old: str) -> Place:
        """The place of a value. Raises Refused where it is not there, shared, or not its own."""
        root, scalar = self.document.root, self.scalars.get((line, column))
        if root is None:
            raise Refused(f"its document cannot be read: {self.document.error}")
        if scalar is None or scalar.text != old:
            raise Refused(f"{old!r} no longer stands there")
        if self.document.template:
            raise Refused("its document holds {{ }}, so a template makes it: change the template")
        whole: Mapping | None = None
        node: Node = scalar
        while above := self.parents[id(node)][1]:
            if len(above) > 1:
                raise Refused("an alias or a merge key shares it with others; write it out first")
            node = above[0]
            if whole is None and isinstance(node, Mapping) and "kind" in node.items:
                whole = node
        if whole is None:
            return Place(scalar, root.line, last_line(root))  # a JSON patch
        if owner := owner_of(meta_of(whole, _NOWHERE, "", "")):
            raise Refused(str(owner))
        if not absent(get(whole, "metadata", "uid")):
            raise Refused("it is of a live cluster: change the manifest it was applied from")
        return Place(scalar, whole.line, last_line(whole))


def _parents(root: Node) -> dict[int, tuple[Node, list[Node]]]:
    """Every node, with all that it stands in: more than one where it is shared."""
    found: dict[int, tuple[Node, list[Node]]] = {id(root): (root, [])}
    left = [root]
    while left:
        node = left.pop()
        for child in children(node):
            if id(child) not in found:
                found[id(child)] = (child, [])
                left.append(child)
            found[id(child)][1].append(node)
    return found


def children(node: Node) -> list[Node]:
    """What stands in a mapping or a list."""
    if isinstance(node, Mapping):
        return list(node.items.values())
    return node.items if isinstance(node, Sequence) else []


def inside(root: Node) -> Iterator[Node]:
    """A node and all that it holds, each once."""
    seen, left = {id(root)}, [root]
    while left:
        node = left.pop()
        yield node
        new = [child for child in children(node) if id(child) not in seen]
        seen.update(map(id, new))
        left += new


def last_line(node: Node) -> int:
    """The line in which the last value of a node starts."""
    return max(each.line for each in inside(node))


def secrets_in(root: Node) -> Iterator[tuple[int, int]]:
    """The first and last line of every Secret."""
    for node in inside(root):
        if isinstance(node, Mapping) and text(get(node, "kind")) == "Secret":
            yield node.line, last_line(node)


def _keys(node: Node) -> list[str]:
    return list(node.items) if isinstance(node, Mapping) else []


def same_but(one: Node, other: Node, changed: dict[tuple[int, int], str]) -> bool:
    """Whether two trees are the same, but for the scalars at these places of the first.

    >>> scalar = Scalar("grpc", True, 1, 1)
    >>> same_but(scalar, Scalar("h2", True, 1, 1), {(1, 1): "h2"})
    True
    >>> same_but(scalar, Scalar("h2", True, 1, 1), {})
    False
    """
    seen: set[tuple[int, int]] = set()
    left = [(one, other)]
    while left:
        before, after = left.pop()
        if (id(before), id(after)) in seen:
            continue
        seen.add((id(before), id(after)))
        if type(before) is not type(after) or before.line != after.line:
            return False
        if isinstance(before, Scalar) and isinstance(after, Scalar):
            wanted = changed.get((before.line, before.column), before.text)
            if (after.text, after.plain) != (wanted, before.plain):
                return False
            continue
        if _keys(before) != _keys(after):
            return False
        pairs = (children(before), children(after))
        if len(pairs[0]) != len(pairs[1]):
            return False
        left += zip(*pairs, strict=True)
    return True
