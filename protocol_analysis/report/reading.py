"""What a report is about: the manifests that were read, and what one release makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from protocol_analysis.coverage import Coverage, coverage
from protocol_analysis.manifests import Progress, load
from protocol_analysis.model import Inventory
from protocol_analysis.resolver import Resolution, resolve

Manifests = str | Sequence[str] | Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What was read, and what one release makes of each port and of each backend reference."""

    inventory: Inventory
    ports: list[Coverage]
    references: list[Resolution]
    release: str

    @property
    def resolved(self) -> int:
        """How many references have a protocol."""
        return sum(reference.protocol is not None for reference in self.references)


def read(
    manifests: Manifests, namespace: str = "default", progress: Progress | None = None
) -> Inventory:
    """Manifests as a notebook's parameter names them.

    A path, a list of paths, or a mapping from a cluster's name to its path; a cluster's names
    never resolve to another's. Raises ManifestError where nothing is named.

    >>> read(["no/such/folder"]).unreadable[0].reason
    'no such file or folder'
    """
    if isinstance(manifests, Mapping):
        return load(clusters=manifests, namespace=namespace, progress=progress)
    paths = [manifests] if isinstance(manifests, str) else list(manifests)
    return load(*paths, namespace=namespace, progress=progress)


def read_at(
    release: str, manifests: Manifests, namespace: str, progress: Progress | None = None
) -> Read:
    """Read manifests as one known release of Envoy Gateway does.

    >>> read_at("v1.9.0", ["no/such/folder"], "default").resolved
    0
    """
    inventory = read(manifests, namespace, progress)
    return Read(
        inventory=inventory,
        ports=coverage(inventory, release=release),
        references=resolve(inventory, release=release),
        release=release,
    )
