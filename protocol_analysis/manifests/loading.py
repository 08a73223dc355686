"""Files, folders and standard input → one Inventory. Nothing is skipped silently."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping as MappingType
from dataclasses import replace
from pathlib import Path
from typing import Any

from protocol_analysis.manifests.composing import Budget
from protocol_analysis.manifests.fields import Source, absent, get, items, text
from protocol_analysis.manifests.files import STDIN, files_of, read_text
from protocol_analysis.manifests.kinds import KINDS, Kind
from protocol_analysis.manifests.nodes import Document, Mapping, Node, Scalar, Sequence, documents
from protocol_analysis.manifests.workloads import suppressing
from protocol_analysis.model import Inventory, ManifestError, Position, Problem
from protocol_analysis.workloads import Suppressing

__all__ = ["Progress", "load", "read_text"]

# What only the outputs of Envoy Gateway's translator tests hold.
_FIXTURE_OUTPUTS = ("infraIR", "xdsIR")
_TEMPLATE = "a Helm template, not a manifest: render it first (helm template), or exclude it"
_NO_KIND = "no kind"
_LISTS = 10  # how deep one list of objects may stand in another
_DUPLICATE = "the last one counts here, Kubernetes refuses it when strict"
_GROUP_OF = {kind.kind: kind.groups[0] for kind in KINDS.values()}

Progress = Callable[[Iterable[Path]], Iterable[Path]]


def load(
    *paths: str | os.PathLike[str],
    clusters: MappingType[str, str | os.PathLike[str]] | None = None,
    namespace: str = "default",
    progress: Progress | None = None,
    exclude: Iterable[str] = (),
) -> Inventory:
    """Read manifests from files, folders (recursively) and `-`, standard input.

    `clusters` maps a cluster's name to its file or folder; names never resolve from one cluster
    to another. `namespace` is given to objects that name none. `progress` wraps the files.
    `exclude` has patterns, as in `.gitignore`, for what is not read of a folder.

    What cannot be read, a path that does not exist included, is on `Inventory.unreadable` with its
    position and the reason. Raises ManifestError where no path is given, and for a pattern that
    excludes nothing.

    >>> inventory = load("data/sample")
    >>> inventory.unreadable
    ()
    >>> [port.app_protocol for s in inventory.service_imports for port in s.ports][:1]
    ['kubernetes.io/h2c']
    """
    if not paths and not clusters:
        msg = "no path given; name a file, a folder, or - for standard input"
        raise ManifestError(msg)
    reader, patterns = _Reader(namespace), [*exclude]
    for cluster, path in [(None, p) for p in paths] + [*(clusters or {}).items()]:
        # `./-` is a file of that name.
        stdin = os.fspath(path) == str(STDIN)
        found = files_of(Path(path), reader.refuse, patterns, reader.pass_over)
        files = [STDIN] if stdin else list(found)
        for file in progress(files) if progress else files:
            reader.read(file if stdin or file != STDIN else file.absolute(), cluster)
    return reader.inventory()


def _problem(file: Path, reason: str, document: int = 1, line: int = 1, column: int = 1) -> Problem:
    position = Position(file=file.as_posix(), document=document, line=line, column=column)
    return Problem(position=position, reason=reason)


class _Reader:
    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.budget = Budget()
        self.objects: dict[str, list[Any]] = {kind.into: [] for kind in KINDS.values()}
        self.suppressing: list[Suppressing] = []
        self.unreadable: list[Problem] = []
        self.skipped: list[Problem] = []
        self.warnings: list[Problem] = []
        self.unread: Counter[str] = Counter()
        self.files = self.documents = 0

    def inventory(self) -> Inventory:
        return Inventory(
            **{name: tuple(found) for name, found in self.objects.items()},
            suppressing=tuple(self.suppressing),
            unreadable=tuple(self.unreadable),
            skipped=tuple(self.skipped),
            warnings=tuple(self.warnings),
            unread=tuple(sorted(self.unread.items())),
            files=self.files,
            documents=self.documents,
        )

    def refuse(self, file: Path, reason: str) -> None:
        """Note a file or a folder that cannot be read."""
        self.unreadable.append(_problem(file, reason))

    def pass_over(self, folder: Path, reason: str) -> None:
        """Note what nobody misses."""
        self.skipped.append(_problem(folder, reason))

    def read(self, file: Path, cluster: str | None) -> None:
        """Add what a file holds."""
        self.files += 1
        try:
            content = read_text(file)
        except ManifestError as error:
            self.refuse(file, str(error))
            return
        for document in documents(content, self.budget):
            self.documents += 1
            if document.error:
                reason = f"{_TEMPLATE}; {document.error}" if document.template else document.error
                self.unreadable.append(
                    _problem(file, reason, document.number, document.line, document.column)
                )
            else:
                self._document(document, file, cluster)

    def _document(self, document: Document, file: Path, cluster: str | None) -> None:
        for key in document.duplicates:
            reason = f"duplicate key {key.text[:80]!r}: {_DUPLICATE}"
            self.warnings.append(_problem(file, reason, document.number, key.line, key.column))
        root = document.root
        source = Source(
            file=file.as_posix(),
            document=document.number,
            world=cluster or "",
            cluster=cluster,
            namespace=self.namespace,
            template=document.template,
            problems=self.unreadable,
        )
        if not isinstance(root, Mapping) or not _is_fixture(root):
            self._object(root, source)
        elif file.name.endswith(".out.yaml") or any(
            get(root, key, fold=True) for key in _FIXTURE_OUTPUTS
        ):
            self.skipped.append(
                _problem(file, "outputs of a translator test, which repeat its inputs")
            )
        else:
            world = f"{cluster or ''}#{source.file}#{document.number}"
            source = replace(source, world=world, namespace="", fold_keys=True)
            for node in _listed(root):
                self._object(node, source)

    def _object(
        self, node: Node | None, source: Source, of: tuple[str, str] = ("", ""), depth: int = 0
    ) -> None:
        """Read an object; `of` is the kind and apiVersion of one that stands in a typed list."""
        if absent(node):
            return  # kubectl passes over empty documents and `null` too
        kind, version = text(get(node, "kind"), of[0]), text(get(node, "apiVersion"), of[1])
        if not isinstance(node, Mapping) or not kind:
            self.unread[_NO_KIND] += 1
            return
        if kind.endswith("List") and isinstance(get(node, "items"), Sequence) and depth < _LISTS:
            item_kind = kind.removesuffix("List")
            of = (item_kind, version if item_kind else "")
            for item in items(get(node, "items")):
                self._object(item, source, of, depth + 1)
            return
        group = version.rpartition("/")[0]
        if not version and kind in _GROUP_OF:
            group = _GROUP_OF[kind]
            reason = f"no apiVersion, which kubectl refuses: read as {kind} of {group or 'v1'}"
            self.warnings.append(Problem(position=source.position(node), reason=reason))
        row = KINDS.get((group, kind))
        if "{{" in kind or "{{" in version:
            source.refuse(node, _TEMPLATE)
        elif row is None:
            self.unread[f"{group}/{kind}" if group else kind] += 1
        else:
            self._known(row, group, node, source)

    def _known(self, row: Kind, group: str, node: Mapping, source: Source) -> None:
        """Read an object of a kind that is read."""
        if found := _template_in(node) if source.template else None:
            if row.aside:
                self.unread[f"{group}/{row.kind}" if group else row.kind] += 1
            else:
                source.refuse(found, _TEMPLATE)
            return
        for name in ("metadata", "spec"):
            part = get(node, name)
            if part is not None and not absent(part) and not isinstance(part, Mapping):
                source.refuse(part, f"{name} is no mapping, Kubernetes wants one")
        made = row.read(node, source, group, row.kind)
        self.objects[row.into].append(made)
        if annotation := suppressing(node, source):
            self.suppressing.append(Suppressing(meta=made.meta, annotation=annotation))
        if row.also:
            self.objects[row.also_into].append(row.also(node, source, group, row.kind))


def _listed(root: Mapping) -> Iterator[Node]:
    for value in root.items.values():
        yield from value.items if isinstance(value, Sequence) else [value]


def _is_fixture(root: Mapping) -> bool:
    """A mapping of lists of objects, as Envoy Gateway's translator tests are written."""
    if "kind" in root.items or "apiVersion" in root.items:
        return False
    return any(
        isinstance(node, Mapping) and "kind" in node.items and "apiVersion" in node.items
        for node in _listed(root)
    )


def _template_in(node: Mapping) -> Node | None:
    """The first `{{` where no manifest has one: in an object's name, namespace and spec.

    Annotations and ConfigMaps may hold templates that are other programs' business.
    """
    left = [
        get(node, "spec"),
        get(node, "metadata", "namespace"),
        get(node, "metadata", "name"),
    ]
    while left:
        found = left.pop()
        if isinstance(found, Scalar):
            if "{{" in found.text:
                return found
        elif isinstance(found, Mapping):
            left += reversed(found.items.values())
        elif found is not None:
            left += reversed(found.items)
    return None
