"""Files, folders and standard input → one Inventory. Nothing is skipped silently."""

from __future__ import annotations

import codecs
import os
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping as MappingType
from pathlib import Path
from typing import Any

from protocol_analysis.manifests.kinds import KINDS, Source, get, items, text
from protocol_analysis.manifests.nodes import Document, Mapping, Node, Sequence, documents
from protocol_analysis.model import Inventory, ManifestError, Position, Problem

SUFFIXES = (".yaml", ".yml", ".json")
MAX_BYTES = 256 * 1024 * 1024
# What Envoy Gateway's translator tests call their lists, and what only their outputs hold.
_FIXTURE_OUTPUTS = ("infraIR", "xdsIR")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_TEMPLATE = "a Helm template, not a manifest: render it first (helm template)"
_NO_KIND = "no kind"
_LISTS = 10  # how deep one list of objects may stand in another
_DUPLICATE = "the last one counts here, Kubernetes refuses it when strict"

Progress = Callable[[Iterable[Path]], Iterable[Path]]


def load(
    *paths: str | os.PathLike[str],
    clusters: MappingType[str, str | os.PathLike[str]] | None = None,
    namespace: str = "default",
    progress: Progress | None = None,
) -> Inventory:
    """Read manifests from files, folders (recursively) and `-`, standard input.

    `clusters` maps a cluster's name to its file or folder; names never resolve from one cluster
    to another. `namespace` is given to objects that name none. `progress` wraps the files.

    What cannot be read, a path that does not exist included, is on `Inventory.unreadable` with its
    position and the reason. Raises ManifestError where no path is given.

    >>> inventory = load("data/sample")
    >>> inventory.unreadable
    ()
    >>> [port.app_protocol for s in inventory.service_imports for port in s.ports][:1]
    ['kubernetes.io/h2c']
    """
    if not paths and not clusters:
        msg = "no path given; name a file, a folder, or - for standard input"
        raise ManifestError(msg)
    reader = _Reader(namespace)
    for cluster, path in [(None, p) for p in paths] + [*(clusters or {}).items()]:
        files = list(_files(Path(path), reader))
        for file in progress(files) if progress else files:
            reader.read(file, cluster)
    return reader.inventory()


def _files(path: Path, reader: _Reader) -> Iterator[Path]:
    if str(path) == "-":
        yield path
        return
    if not path.exists():
        reader.unreadable.append(_problem(path, "no such file or folder"))
        return
    if not path.is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if name != ".git")
        for name in sorted(names):
            if not name.lower().endswith(SUFFIXES):
                continue
            file = Path(folder, name)
            if file.is_symlink() and not file.resolve().is_relative_to(path.resolve()):
                reader.unreadable.append(
                    _problem(file, "a link out of the folder; name its target to read it")
                )
            elif not stat.S_ISREG(file.stat().st_mode if file.exists() else 0):
                reader.unreadable.append(_problem(file, "not a regular file"))
            else:
                yield file


def _problem(file: Path, reason: str, document: int = 1, line: int = 1, column: int = 1) -> Problem:
    position = Position(file=file.as_posix(), document=document, line=line, column=column)
    return Problem(position=position, reason=reason)


class _Reader:
    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.objects: dict[str, list[Any]] = {kind.into: [] for kind in KINDS.values()}
        self.unreadable: list[Problem] = []
        self.skipped: list[Problem] = []
        self.warnings: list[Problem] = []
        self.unread: Counter[str] = Counter()
        self.files = self.documents = 0

    def inventory(self) -> Inventory:
        return Inventory(
            **{name: tuple(found) for name, found in self.objects.items()},
            unreadable=tuple(self.unreadable),
            skipped=tuple(self.skipped),
            warnings=tuple(self.warnings),
            unread=tuple(sorted(self.unread.items())),
            files=self.files,
            documents=self.documents,
        )

    def read(self, file: Path, cluster: str | None) -> None:
        self.files += 1
        try:
            content = _text(file)
        except (OSError, ManifestError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self.unreadable.append(_problem(file, f"cannot be read: {reason}"))
            return
        for document in documents(content):
            self.documents += 1
            if document.error:
                reason = f"{_TEMPLATE}; {document.error}" if "{{" in content else document.error
                self.unreadable.append(
                    _problem(file, reason, document.number, document.line, document.column)
                )
                continue
            self._document(document, file, cluster)

    def _document(self, document: Document, file: Path, cluster: str | None) -> None:
        for key in document.duplicates:
            reason = f"duplicate key {key.text[:80]!r}: {_DUPLICATE}"
            self.warnings.append(_problem(file, reason, document.number, key.line, key.column))
        root = document.root
        if isinstance(root, Mapping) and _is_fixture(root):
            if any(get(root, key, fold=True) for key in _FIXTURE_OUTPUTS) or file.name.endswith(
                ".out.yaml"
            ):
                self.skipped.append(
                    _problem(file, "outputs of a translator test, which repeat its inputs")
                )
                return
            world = f"{cluster or ''}#{file.as_posix()}#{document.number}"
            source = Source(file.as_posix(), document.number, world, cluster, "", fold_keys=True)
            for value in root.items.values():
                for node in value.items if isinstance(value, Sequence) else [value]:
                    self._object(node, source)
            return
        source = Source(file.as_posix(), document.number, cluster or "", cluster, self.namespace)
        self._object(root, source)

    def _object(
        self, node: Node | None, source: Source, of: tuple[str, str] = ("", ""), depth: int = 0
    ) -> None:
        """Read an object; `of` is the kind and apiVersion of one that stands in a typed list."""
        kind, version = text(get(node, "kind"), of[0]), text(get(node, "apiVersion"), of[1])
        if not isinstance(node, Mapping) or not kind:
            self.unread[_NO_KIND] += 1
            return
        if kind.endswith("List") and isinstance(get(node, "items"), Sequence) and depth < _LISTS:
            of = (kind.removesuffix("List"), version)
            for item in items(get(node, "items")):
                self._object(item, source, of, depth + 1)
            return
        group = version.rpartition("/")[0]
        row = KINDS.get((group, kind))
        if row is None:
            self.unread[f"{group}/{kind}" if group else kind] += 1
        else:
            self.objects[row.into].append(row.read(node, source, group, kind))


def _is_fixture(root: Mapping) -> bool:
    """A mapping of lists of objects, as Envoy Gateway's translator tests are written."""
    if "kind" in root.items or "apiVersion" in root.items:
        return False
    values = [n for v in root.items.values() for n in (v.items if isinstance(v, Sequence) else [v])]
    return any(
        isinstance(v, Mapping) and "kind" in v.items and "apiVersion" in v.items for v in values
    )


def _text(file: Path) -> str:
    """The file's text, by its byte-order mark, else UTF-8; line ends stay as they are."""
    if str(file) == "-":
        raw = sys.stdin.buffer.read(MAX_BYTES + 1)
    else:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        msg = f"larger than {MAX_BYTES // 2**20} MiB; split it"
        raise ManifestError(msg)
    encoding = next((name for mark, name in _BOMS if raw.startswith(mark)), None)
    if encoding:
        return raw.decode(encoding)
    return raw.decode("utf-8", errors="surrogateescape")
