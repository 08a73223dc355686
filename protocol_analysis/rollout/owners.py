"""Who owns an object: a chart, a GitOps controller, an operator, the cluster itself.

What tells is data: `owners.yaml`, each row with its source; the first that fits is the owner. An
object with `ownerReferences` is its owner's, and one with a `uid` was read from a cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from protocol_analysis.manifests.fields import absent, get, items, text
from protocol_analysis.manifests.nodes import Mapping
from protocol_analysis.sheets import rows_of

_KEYS = {"in", "key", "value", "owner", "change", "source"}
_OPTIONAL = {"value"}
_MOST_SHOWN = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose an object is, what tells so, and where to change it."""

    name: str
    told_by: str
    change: str

    def __str__(self) -> str:
        return f"{self.name} owns it ({self.told_by}): {self.change}"


def owner_of(node: Mapping) -> Owner | None:
    """The owner of an object, by its metadata; None where nothing tells of one.

    >>> from protocol_analysis.manifests.nodes import documents
    >>> written = "metadata: {labels: {argocd.argoproj.io/instance: shop}}"
    >>> str(owner_of(next(documents(written)).root))
    'the Argo CD application shop owns it (labels argocd.argoproj.io/instance): change what that \
application is made from'
    """
    for row in _rows():
        found = get(node, "metadata", row["in"], row["key"])
        written = text(found)[:_MOST_SHOWN]
        if found is None or absent(found) or row.get("value", written) != written:
            continue
        name = row["owner"].replace("{value}", written)
        told = f"{row['in']} {row['key']}"
        return Owner(name=name, told_by=told, change=row["change"])
    for reference in items(get(node, "metadata", "ownerReferences")):
        name = f"{text(get(reference, 'kind'))} {text(get(reference, 'name'))}"[:_MOST_SHOWN]
        return Owner(name=name, told_by="ownerReferences", change="change that object")
    if not absent(get(node, "metadata", "uid")):
        change = "change the manifest that it was applied from"
        return Owner(name="a live cluster", told_by="metadata.uid", change=change)
    return None


@cache
def _rows() -> list[dict[str, Any]]:
    file = resources.files("protocol_analysis") / "rollout" / "owners.yaml"
    return rows_of(file.read_text(encoding="utf-8"), f"rollout/{file.name}", _KEYS, _OPTIONAL)
