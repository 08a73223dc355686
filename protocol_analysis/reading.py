"""What is read, and who reads it: clusters, each with its manifests and its gateway's release.

A notebook's MANIFESTS and the command line's paths and `--cluster` both come here. Everything
counts as one cluster without a name, unless clusters are named; then names never resolve from one
to another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from protocol_analysis.coverage import Coverage, coverage
from protocol_analysis.manifests import Progress, load, split_reader
from protocol_analysis.model import Inventory, ManifestError
from protocol_analysis.readers import Reader, reader, reader_of, warning_of
from protocol_analysis.readings import resolve
from protocol_analysis.resolution import Resolution
from protocol_analysis.rules import ruleset

Manifests = str | Sequence[str] | Mapping[str, str]
Place = tuple[str | None, list[str], str, str]  # cluster, paths, implementation, release


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What was read of one Kubernetes cluster, and the implementation and release that reads it.

    `meshes` read the same Services. `warning` says what was assumed where the release asked for is
    not known exactly.
    """

    name: str | None
    inventory: Inventory
    implementation: str
    release: str
    warning: str = ""
    meshes: tuple[Reader, ...] = ()

    @property
    def own(self) -> Reader:
        """Who reads there, beside the meshes."""
        return Reader(implementation=self.implementation, release=self.release)

    @property
    def reader(self) -> str:
        """`envoy-gateway@v1.8.3`."""
        return f"{self.implementation}@{self.release}"

    @property
    def reference_count(self) -> int:
        """How many backend references there are, whatever becomes of them."""
        return sum(len(route.refs) for route in self.inventory.referring)


@dataclass(frozen=True, kw_only=True)
class Read:
    """All clusters, and what becomes of every port and of every backend reference in them."""

    clusters: tuple[Cluster, ...]

    @cached_property
    def ports(self) -> list[Coverage]:
        """Every backend port, resolved as its cluster's release does."""
        return [
            row
            for c in self.clusters
            for row in coverage(c.inventory, c.implementation, c.release, c.meshes)
        ]

    @cached_property
    def references(self) -> list[Resolution]:
        """Every backend reference, resolved as its cluster's release does."""
        return [
            row
            for c in self.clusters
            for row in resolve(c.inventory, c.implementation, c.release, c.meshes)
        ]

    @cached_property
    def inventory(self) -> Inventory:
        """What was read of all clusters together."""
        return merged([cluster.inventory for cluster in self.clusters])

    @property
    def names(self) -> list[str | None]:
        """The clusters' names, in order; None for what is read without one."""
        return [cluster.name for cluster in self.clusters]

    @property
    def reference_count(self) -> int:
        """How many backend references there are, whatever becomes of them."""
        return sum(cluster.reference_count for cluster in self.clusters)

    @property
    def readers(self) -> str:
        """Who reads: `envoy-gateway@v1.8.3`; of more than two, how many."""
        readers = dict.fromkeys(cluster.reader for cluster in self.clusters)
        return ", ".join(readers) if len(readers) <= 2 else f"{len(readers)} readers"

    @property
    def resolved(self) -> int:
        """How many references have a protocol."""
        return sum(reference.protocol is not None for reference in self.references)


def read(
    manifests: Manifests,
    release: str | None = None,
    implementation: str = "envoy-gateway",
    namespace: str = "default",
    progress: Progress | None = None,
    meshes: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> Read:
    """Manifests as a notebook's parameter names them.

    A path, a list of paths, or a mapping from a cluster's name to its path, which may end in
    `@IMPLEMENTATION:RELEASE`; `release` and `implementation` are those of the others, and a release
    may name its implementation, `istio@1.26`. `meshes` read the same Services; `exclude` has
    patterns, as in `.gitignore`, for what is not read of a folder. What cannot be read is on
    `Read.inventory.unreadable`. Raises ManifestError where nothing is named, or in another form,
    and RulesetError for an implementation or a release that is not known.

    >>> read(["no/such/folder"]).inventory.unreadable[0].reason
    'no such file or folder'
    >>> read({"east": "data/sample/east@envoy-gateway:1.8"}).readers
    'envoy-gateway@v1.8.3'
    """
    _of_known_form(manifests)
    if not isinstance(release, str | None):
        raise ManifestError(f"release: {release!r:.20} is no text; write it in quotes: '1.8'")
    declared = tuple(reader(text, mesh=True) for text in meshes)
    if isinstance(manifests, Mapping):
        named = [(name, *split_reader(text)) for name, text in manifests.items()]
        places: list[Place] = [(name, [path], reads, at) for name, path, reads, at in named]
    else:
        paths = [manifests] if isinstance(manifests, str) else list(manifests)
        places = [(None, paths, "", "")]
    if not any(paths for _, paths, _, _ in places):
        raise ManifestError("no path given; name a file, a folder, or - for standard input")
    default = (implementation, release)
    asked = [(reads, at) if reads else default for _, _, reads, at in places]
    known = [_reader(reads, at) for reads, at in asked]
    found = []
    for (name, paths, _, _), (by, warning) in zip(places, known, strict=True):
        if name is None:
            inventory = load(*paths, namespace=namespace, progress=progress, exclude=exclude)
        else:
            place = {name: paths[0]}
            inventory = load(
                clusters=place, namespace=namespace, progress=progress, exclude=exclude
            )
        found.append(
            Cluster(
                name=name,
                inventory=inventory,
                implementation=by.implementation,
                release=by.release,
                warning=warning,
                meshes=declared,
            )
        )
    return Read(clusters=tuple(found))


def _reader(implementation: str, release: str | None) -> tuple[Reader, str]:
    """Who reads, and what is assumed; a release may name its implementation."""
    if release and "@" in release:
        return reader(release), warning_of(release)
    known, warning = ruleset(implementation).pick(release)
    return reader_of(implementation, known), warning


def _of_known_form(manifests: Any) -> None:
    """A notebook's parameter is typed by hand, or comes from somebody's CI as JSON."""
    if isinstance(manifests, Mapping):
        names: list[Any] = [*manifests, *manifests.values()]
    elif isinstance(manifests, Sequence) and not isinstance(manifests, str):
        names = list(manifests)
    else:
        names = [manifests]
    wrong = [name for name in names if not isinstance(name, str)]
    if wrong:
        raise ManifestError(
            f"manifests: {wrong[0]!r:.80} is no path; name a path, a list of paths, or "
            '{"cluster": "path@implementation:release"}'
        )


def merged(inventories: Sequence[Inventory]) -> Inventory:
    """Several inventories as one; each object keeps the world that it lives in.

    >>> merged([Inventory(files=1), Inventory(files=2)]).files
    3
    """
    whole: dict[str, Any] = {}
    for field in fields(Inventory):
        parts = [getattr(inventory, field.name) for inventory in inventories]
        if isinstance(field.default, int):
            whole[field.name] = sum(parts)
        else:
            whole[field.name] = tuple(item for part in parts for item in part)
    counts: Counter[str] = Counter()
    for kind, count in whole["unread"]:
        counts[kind] += count
    return Inventory(**{**whole, "unread": tuple(sorted(counts.items()))})
