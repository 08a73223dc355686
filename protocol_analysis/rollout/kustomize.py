"""What Kustomize's patches declare: JSON patches and merge patches, in files and inline. Pure.

A merge patch in a file of its own looks like the Service that it changes, and is read as one. Of
the others a kustomization.yaml tells what they are for; a port's value then stands in the patch,
and what it does is seen on the Service that is patched.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from protocol_analysis.manifests.fields import absent, get, items, text
from protocol_analysis.manifests.nodes import Mapping, Node, Scalar, documents
from protocol_analysis.model import Inventory, Position, Service
from protocol_analysis.rollout.inline import raw_position

NAMES = ("kustomization.yaml", "kustomization.yml")
_LISTS = ("patches", "patchesJson6902", "patchesStrategicMerge")
_PORT = re.compile(r"/spec/ports/(\d+)(/appProtocol)?\Z")
_PLAIN_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?\Z")
Read = Callable[[str], str | None]  # a file's name → its text, None where it cannot be read


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A value that a patch gives to a port: by its place in the list, or by its number."""

    kind: str
    name: str
    index: int | None
    number: int | None
    value: str
    position: Position

    def __str__(self) -> str:
        port = f"/spec/ports/{self.index}" if self.number is None else f":{self.number}"
        return f"patch of {self.kind} {self.name}{port}"


def patches_of(files: Iterable[str], read: Read) -> list[Patch]:
    """Every value that the patches of these kustomizations give to a port of a Service.

    >>> files = {
    ...     "k/kustomization.yaml": "patches: [{path: p.yaml, target: {kind: Service, name: s}}]",
    ...     "k/p.yaml": "- {op: add, path: /spec/ports/0/appProtocol, value: grpc}",
    ... }
    >>> [str(patch) for patch in patches_of(["k/kustomization.yaml"], files.get)]
    ['patch of Service s/spec/ports/0']
    """
    found: list[Patch] = []
    for file in files:
        if posixpath.basename(file) in NAMES and (content := read(file)) is not None:
            for document in documents(content):
                for item in _patches(document.root):
                    found += _of_item(item, file, document.number, content, read)
    return found


def _patches(root: Node | None) -> Iterator[Node]:
    for name in _LISTS:
        yield from items(get(root, name))


def _of_item(item: Node, file: str, number: int, content: str, read: Read) -> Iterator[Patch]:
    """What one item of the lists gives: inline, or in a file."""
    inline = item if isinstance(item, Scalar) else get(item, "patch")
    target = get(item, "target")
    named = (text(get(target, "kind")), text(get(target, "name")))
    path, said = text(get(item, "path")), text(inline)
    path = path or ("" if "\n" in said else said)
    if isinstance(inline, Scalar) and "\n" in said:
        block = inline

        def place(node: Node, _: int) -> Position | None:
            at = raw_position(content, block, node.line, node.column)
            return Position(file=file, document=number, line=at[0], column=at[1]) if at else None

        yield from _of_text(inline.text, named, place)
    elif path:
        other = posixpath.normpath(posixpath.join(posixpath.dirname(file), path))
        if (patch := read(other)) is not None:

            def stands(node: Node, document: int) -> Position | None:
                at = (node.line, node.column)
                return Position(file=other, document=document, line=at[0], column=at[1])

            yield from _of_text(patch, named, stands, in_file=True)


def _of_text(
    patch: str,
    named: tuple[str, str],
    place: Callable[[Node, int], Position | None],
    *,
    in_file: bool = False,
) -> Iterator[Patch]:
    for document in documents(patch):
        root = document.root
        if isinstance(root, Mapping):
            if in_file:
                continue  # it is read as the object that it looks like
            merged = (text(get(root, "kind")) or named[0], named[1])
            merged = (merged[0], merged[1] or text(get(root, "metadata", "name")))
            values = _merged(root)
        else:
            merged, values = named, _operations(items(root))
        for index, number, node in values:
            position = place(node, document.number)
            if position and merged[0] in ("Service", "ServiceImport"):
                yield Patch(
                    kind=merged[0],
                    name=merged[1],
                    index=index,
                    number=number,
                    value=node.text,
                    position=position,
                )


def _merged(root: Node) -> Iterator[tuple[int | None, int | None, Scalar]]:
    """The ports of a merge patch, which go by their numbers."""
    for port in items(get(root, "spec", "ports")):
        declared, number = get(port, "appProtocol"), get(port, "port")
        known = number.integer() if isinstance(number, Scalar) else None
        if isinstance(declared, Scalar) and known is not None and not absent(declared):
            yield None, known, declared


def _operations(operations: Sequence[Node]) -> Iterator[tuple[int | None, int | None, Scalar]]:
    """The operations of a JSON patch that write a port's value, by the place of the port."""
    for each in operations:
        found = _PORT.match(text(get(each, "path")))
        if text(get(each, "op")) not in ("add", "replace") or not found:
            continue
        value = get(each, "value") if found[2] else get(each, "value", "appProtocol")
        if isinstance(value, Scalar) and not absent(value):
            yield int(found[1][:6]), None, value


def patched(inventory: Inventory, patches: Sequence[Patch]) -> list[tuple[Inventory, list[Patch]]]:
    """The inventory with the ports as the patches have them, and which patches those are.

    Several patches of one port are of several overlays, so each has an inventory of its own. One
    that is in none means no port here, or its target's name is an expression, as Kustomize allows.
    """
    found: list[tuple[Inventory, list[Patch]]] = []
    left = [patch for patch in patches if _PLAIN_NAME.match(patch.name)]
    while left:
        changed, applied, later = inventory, list[Patch](), list[Patch]()
        for patch in left:
            done = {each.position for each in applied}
            new, clash = _with(changed, patch, done)
            if clash:
                later.append(patch)
            elif new != changed:
                changed = new
                applied.append(patch)
        if applied:
            found.append((changed, applied))
        left = later if applied else []
    return found


def _with(inventory: Inventory, patch: Patch, done: set[Position]) -> tuple[Inventory, bool]:
    """The inventory with one patch, and whether another has that port already."""
    clash = False

    def change(service: Service) -> Service:
        nonlocal clash
        if (service.meta.kind, service.meta.name) != (patch.kind, patch.name):
            return service
        ports = list(service.ports)
        for index, port in enumerate(ports):
            if (patch.index == index) if patch.number is None else (port.number == patch.number):
                clash |= port.declared_at in done
                ports[index] = replace(
                    port, app_protocol=patch.value, rejected="", declared_at=patch.position
                )
        return replace(service, ports=tuple(ports))

    services, imports = (
        tuple(map(change, each)) for each in (inventory.services, inventory.service_imports)
    )
    return replace(inventory, services=services, service_imports=imports), clash
