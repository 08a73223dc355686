"""Who owns an object: a chart, a GitOps controller, an operator. Pure.

What tells is data: `owners.yaml`, each row with its source; the first that fits is the owner. A row
may say that a value of a key tells of none. An object with `ownerReferences` that no row knows is
its owner's.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from typing import Any

from protocol_analysis.model import Meta
from protocol_analysis.sheets import rows_of

_KEYS = {"in", "key", "value", "owner", "change", "source"}
_OPTIONAL = {"value", "owner", "change"}
_MOST_SHOWN = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose an object is, what tells so, and where to change it."""

    name: str
    told_by: str
    change: str

    def as_dict(self) -> dict[str, Any]:
        """The owner, as a row of `plan` has it."""
        return {"name": self.name, "toldBy": self.told_by, "change": self.change}

    def __str__(self) -> str:
        return f"{self.name} owns it ({self.told_by}): {self.change}"


def owner_of(meta: Meta) -> Owner | None:
    """The owner of an object, by its metadata; None where nothing tells of one.

    >>> from dataclasses import replace
    >>> from protocol_analysis.model import Position
    >>> here = Position(file="a.yaml", document=1, line=1, column=1)
    >>> meta = Meta(group="", kind="Service", namespace="a", name="b", position=here)
    >>> str(owner_of(replace(meta, labels=(("helm.sh/chart", "shop-1.0"),))))
    'the Helm chart shop-1.0 owns it (labels helm.sh/chart): change the values or the template of \
the chart'
    """
    written = {"labels": dict(meta.labels), "annotations": dict(meta.annotations)}
    nobody: set[tuple[str, str]] = set()
    for row in _rows():
        at = (row["in"], row["key"])
        value = written[row["in"]].get(row["key"], "")[:_MOST_SHOWN]
        if not value or at in nobody or not fnmatchcase(value, row.get("value", "*")):
            continue
        if "owner" not in row:
            nobody.add(at)
            continue
        name = row["owner"].replace("{value}", value)
        return Owner(name=name, told_by=f"{row['in']} {row['key']}", change=row["change"])
    for name in meta.owners:
        return Owner(
            name=name[:_MOST_SHOWN], told_by="ownerReferences", change="change that object"
        )
    return None


@cache
def annotation_keys() -> frozenset[str]:
    """The annotations that tell of an owner.

    >>> "meta.helm.sh/release-name" in annotation_keys()
    True
    """
    return frozenset(row["key"] for row in _rows() if row["in"] == "annotations")


@cache
def _rows() -> list[dict[str, Any]]:
    file = resources.files("protocol_analysis") / "owners.yaml"
    return rows_of(file.read_text(encoding="utf-8"), file.name, _KEYS, _OPTIONAL)
