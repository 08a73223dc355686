"""What readers of every kind share: where they stand, and how they take a field from a node."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from protocol_analysis import meshes, owners
from protocol_analysis.manifests.tree import Mapping, Node, Scalar, Sequence
from protocol_analysis.model import (
    GATEWAY_API,
    BackendRef,
    Meta,
    ObjectRef,
    Position,
    Problem,
)
from protocol_analysis.workloads import CALLS

_TOO_LARGE = 2**31


@dataclass(frozen=True, slots=True)
class Source:
    """Where a document stands, which world it belongs to, and where to say what is wrong in it."""

    file: str
    document: int
    world: str
    cluster: str | None
    namespace: str
    fold_keys: bool = False
    template: bool = False
    problems: list[Problem] = field(default_factory=list)

    def position(self, node: Node) -> Position:
        """Where a node stands."""
        return Position(file=self.file, document=self.document, line=node.line, column=node.column)

    def refuse(self, node: Node, reason: str) -> None:
        """Say that a node is passed over, and why; the rest of its object is read."""
        self.problems.append(Problem(position=self.position(node), reason=reason))


def get(node: Node | None, *path: str, fold: bool = False) -> Node | None:
    """The node at `path`, or None. `fold` matches keys in any case, as Go's JSON reader does."""
    for step in path:
        if not isinstance(node, Mapping):
            return None
        found = node.items.get(step)
        if found is None and fold:
            found = next((v for k, v in node.items.items() if k.lower() == step.lower()), None)
        node = found
    return node


def absent(node: Node | None) -> bool:
    """Whether nothing is declared: the key is missing, or its value is null."""
    return node is None or (isinstance(node, Scalar) and node.value() is None)


def text(node: Node | None, default: str = "") -> str:
    """The scalar's text; the default for null, for what is absent and for what is no scalar."""
    if not isinstance(node, Scalar) or node.value() is None:
        return default
    return node.text


def texts(node: Node | None) -> tuple[str, ...] | None:
    """The scalars of a list; None where there is no list."""
    if not isinstance(node, Sequence):
        return None
    return tuple(text(item) for item in node.items if isinstance(item, Scalar))


def is_true(node: Node | None) -> bool:
    """Whether the node is the boolean true."""
    return isinstance(node, Scalar) and node.value() is True


def items(node: Node | None) -> list[Node]:
    """The nodes of a list; none where it is no list."""
    return node.items if isinstance(node, Sequence) else []


def mappings(node: Node | None, source: Source, *path: str) -> list[Node]:
    """The mappings listed at `path`. What else stands there is refused, but keeps its number."""
    found = get(node, *path)
    if found is not None and not absent(found) and not isinstance(found, Sequence):
        source.refuse(found, f"{path[-1]} is no list, Kubernetes wants one")
    for item in items(found):
        if not isinstance(item, Mapping):
            source.refuse(item, f"{path[-1]} has an item that is no mapping")
    return items(found)


def integer(node: Node | None, source: Source, name: str) -> int | None:
    """The integer, quoted or not; None where it is none, and refused where it should be one.

    What is longer than Kubernetes' 32 bits is refused too: no table would hold it.
    """
    number = node.integer() if isinstance(node, Scalar) else None
    if number is not None and abs(number) < _TOO_LARGE:
        return number
    if node is not None and not absent(node):
        what = "no integer" if number is None else "no integer of 32 bits"
        source.refuse(node, f"{name} is {what}, Kubernetes wants one")
    return None


def meta_of(
    node: Mapping, source: Source, group: str, kind: str, *, namespaced: bool = True
) -> Meta:
    """What every object has, from its metadata."""
    # `namespace: ""` is no namespace either.
    namespace = (text(get(node, "metadata", "namespace")) or source.namespace) if namespaced else ""
    return Meta(
        group=group,
        kind=kind,
        namespace=namespace,
        name=text(get(node, "metadata", "name")),
        position=source.position(node),
        world=source.world,
        cluster=source.cluster,
        created=text(get(node, "metadata", "creationTimestamp")),
        labels=pairs(get(node, "metadata", "labels")),
        annotations=telling(get(node, "metadata")),
        owners=tuple(
            f"{text(get(each, 'kind'))} {text(get(each, 'name'))}"
            for each in items(get(node, "metadata", "ownerReferences"))
        ),
    )


def telling(metadata: Node | None) -> tuple[tuple[str, str], ...]:
    """The annotations that tell of an owner, of a mesh, or of calls; others may hold secrets."""
    found = get(metadata, "annotations")
    if not isinstance(found, Mapping) or not found.items:
        return ()
    return tuple((key, text(found.items[key])) for key in _telling() if key in found.items)


@cache
def _telling() -> tuple[str, ...]:
    return (*sorted(owners.annotation_keys()), *sorted(meshes.annotation_keys()), CALLS)


def pairs(node: Node | None) -> tuple[tuple[str, str], ...]:
    """A mapping of scalars, such as labels, in order of its keys."""
    found = node.items if isinstance(node, Mapping) else {}
    return tuple(sorted((key, text(value)) for key, value in found.items()))


def not_a_string(node: Node | None, name: str) -> str:
    """Why the API server would refuse `node` as a string; empty where it would not."""
    if node is None:
        return ""
    if not isinstance(node, Scalar):
        return f"{name} is a list or a mapping, Kubernetes wants a string"
    value = node.value()
    if value is None or isinstance(value, str):
        return ""
    kind = "boolean" if isinstance(value, bool) else "number"
    return (
        f'{name}: {node.text[:80]} is a {kind}, Kubernetes wants a string; write "{node.text[:80]}"'
    )


def object_ref(
    node: Node | None, namespace: str, group: str = "", kind: str = "", port: int | None = None
) -> ObjectRef:
    """What a node refers to; what it leaves out is `group`, `kind` and `namespace`."""
    section = get(node, "sectionName")
    return ObjectRef(
        group=text(get(node, "group"), group),
        kind=text(get(node, "kind"), kind),
        namespace=text(get(node, "namespace"), namespace),
        name=text(get(node, "name")),
        section=text(section) or None,
        port=port,
    )


def backend_ref(
    node: Node,
    source: Source,
    namespace: str,
    rule: int,
    role: str,
    backend: int,
    site: str = "",
    says: tuple[tuple[str, bool], ...] = (),
) -> BackendRef:
    """A backendRef; `rule` and `backend` say which, the rest where it stands."""

    def field(name: str) -> Node | None:
        return get(node, name, fold=source.fold_keys)

    return BackendRef(
        rule=rule,
        role=role,
        backend=backend,
        group=text(field("group")),
        kind=text(field("kind"), "Service"),
        namespace=text(field("namespace"), namespace),
        name=text(field("name")),
        port=integer(field("port"), source, "port"),
        weight=integer(field("weight"), source, "weight"),
        position=source.position(node),
        filters=tuple(_filter(item, namespace) for item in mappings(node, source, "filters")),
        site=site,
        says=says,
    )


def _filter(node: Node, namespace: str) -> ObjectRef:
    extension = get(node, "extensionRef")
    if isinstance(extension, Mapping):
        return object_ref(extension, namespace)
    kind = text(get(node, "type"))
    return ObjectRef(group=GATEWAY_API, kind=kind, namespace=namespace, name="")
