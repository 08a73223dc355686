"""Manifests as clusters: those that are named, or one for each folder of a folder.

A repository with a folder per cluster is common, and naming the folder is enough then. It counts as
such where exports and imports lie in two or more of the folders right below it, and none elsewhere:
what lies in other folders beside them is of no cluster, and is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from posixpath import normpath

from protocol_analysis.manifests import Progress
from protocol_analysis.model import Inventory
from protocol_analysis.reading import Manifests, Read, read


def read_fleet(
    manifests: Manifests,
    release: str | None = None,
    implementation: str = "envoy-gateway",
    namespace: str = "default",
    progress: Progress | None = None,
    meshes: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> Read:
    """As `read`; a single folder whose folders export and import is as many clusters.

    A name in one folder never means an object of another: without clusters, what is exported and
    imported would be one. Raises as `read` does.

    >>> read_fleet("data/sample", "v1.8.3").names
    ['east', 'west']
    >>> read_fleet("data/sample/west", "v1.8.3").names
    [None]
    """
    found = read(manifests, release, implementation, namespace, progress, meshes, exclude)
    if found.names != [None] or not (isinstance(manifests, str) or len(manifests) == 1):
        return found
    path = manifests if isinstance(manifests, str) else next(iter(manifests))
    folders = _folders(found.inventory, path)
    if len(folders) < 2:
        return found
    named = {folder: f"{path.rstrip('/')}/{folder}" for folder in folders}
    return read(named, release, implementation, namespace, progress, meshes, exclude)


def _folders(inventory: Inventory, path: str) -> list[str]:
    """The folders right below a path that hold exports or imports; none where a file does."""
    start = normpath(path.replace("\\", "/"))
    metas = [other.meta for other in inventory.others if other.meta.kind == "ServiceExport"]
    metas += [each.meta for each in inventory.service_imports]
    if any("#" in meta.world for meta in metas):
        return []  # fixtures of tests, each a world of its own
    found = set()
    for meta in metas:
        file = normpath(meta.position.file)
        below = file if start == "." else file.removeprefix(f"{start.rstrip('/')}/")
        folder, slash, _ = below.partition("/")
        if not slash or (start != "." and below == file):
            return []
        found.add(folder)
    return sorted(found)
