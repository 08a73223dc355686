"""What stands against a rewrite although the wire stays: data, each row with its source.

`never.yaml` has the values that are never rewritten by themselves, `hazards.yaml` what a value
loses with a mesh.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from protocol_analysis.releases import RulesetError, release_key
from protocol_analysis.rules import wrong_in_row
from protocol_analysis.sheets import rows_of

VALUE, INSTEAD = "grpc", "kubernetes.io/h2c"
Key = tuple[int, int, int, int]
_EARLIEST, _LATEST = (0, 0, 0, 0), (1_000_000, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Never:
    """A value that is never rewritten by itself, and why."""

    value: str
    text: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazard:
    """What giving up a value costs with a reader at some releases; `unless`: unary, or empty.

    `effect`: `loses` and `unknown` stand against a rewrite, `note` is only said.
    """

    reader: str
    value: str
    releases: tuple[str, ...]
    effect: str
    unless: str
    text: str
    source: str

    def holds(self, mesh: str) -> bool:
        """Whether it is there for a reader as it is named: `istio@1.26`; without a release, newest.

        >>> [hazards()[0].holds(name) for name in ("istio", "istio@1.24.4", "istio@1.26", "kuma")]
        [True, False, True, False]
        """
        wanted = self._wanted(mesh)
        return wanted is not None and any(
            low <= wanted <= high for low, high in map(_ends, self.releases)
        )

    def threatens(self, mesh: str) -> bool:
        """Whether it is there, or will be after an upgrade of the mesh.

        >>> [hazards()[0].threatens(name) for name in ("istio@1.24.4", "kuma")]
        [True, False]
        """
        wanted = self._wanted(mesh)
        return wanted is not None and any(wanted <= high for _, high in map(_ends, self.releases))

    def _wanted(self, mesh: str) -> Key | None:
        name, at, release = mesh.partition("@")
        if name.removesuffix(" mesh") != self.reader:
            return None
        return _key(release) if at else _LATEST


def _key(release: str) -> Key:
    """The order of a release; a line counts as its last patch, what is no release as the newest."""
    name = release if release == "main" or release.startswith("v") else f"v{release}"
    try:
        return release_key(name)
    except RulesetError:
        pass
    try:
        return (*release_key(f"{name}.0")[:2], _LATEST[0], _LATEST[0])
    except RulesetError:
        return _LATEST


def _ends(span: str) -> tuple[Key, Key]:
    low, dots, high = span.partition("..")
    first = _key(low) if low else _EARLIEST
    return first, (_key(high) if high else _LATEST if dots else first)


@cache
def never() -> dict[str, Never]:
    """The values that are never rewritten by themselves.

    >>> sorted(never())
    ['HTTP2', 'grpc-web', 'http2', 'https', 'tls']
    """
    rows = _rows("never.yaml", {"value", "text", "source"})
    return {row["value"]: Never(**row) for row in rows}


@cache
def hazards() -> tuple[Hazard, ...]:
    """What values lose with meshes.

    >>> [(row.reader, row.releases[0], row.effect) for row in hazards()][:2]
    [('istio', 'v1.24.5..v1.24', 'loses'), ('istio', 'v1.30.0..', 'note')]
    """
    keys = {"reader", "value", "releases", "effect", "unless", "text", "source"}
    rows = _rows("hazards.yaml", keys)
    return tuple(
        Hazard(**{**row, "releases": tuple(row["releases"]), "unless": row.get("unless", "")})
        for row in rows
    )


def _rows(name: str, keys: set[str]) -> list[dict[str, Any]]:
    file = resources.files("protocol_analysis") / "rollout" / name
    text = file.read_text(encoding="utf-8")
    return rows_of(text, f"rollout/{name}", keys, {"unless"}, _wrong)


def _wrong(key: str, value: Any) -> str:
    # In a ruleset these are words of its own.
    own = ("unless", "value", "effect", "reader")
    return "" if key in own and isinstance(value, str) else wrong_in_row(key, value)
