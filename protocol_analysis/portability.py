"""In which implementations a declaration means what its author meant, and which would in all. Pure.

Each port is read as the only backend of an HTTPRoute rule, as in `coverage`. What a value means is
data: `meanings.yaml`, each row with its source.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from protocol_analysis.compare import Reader
from protocol_analysis.coverage import Coverage, coverage
from protocol_analysis.edits import with_value
from protocol_analysis.model import Inventory, Meta, Position, Service, ServicePort
from protocol_analysis.rules import implementations, ruleset
from protocol_analysis.sheets import Sheet

SPECIFICATIONS = ("gateway-api",)
_KEYS = {"value", "upstream", "tls", "text", "source"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What the author of a value means; `tls` is None where the value does not say."""

    value: str
    upstream: str
    tls: bool | None
    text: str
    source: str

    def is_met(self, row: Coverage) -> bool:
        """Whether a port is spoken to as is meant. HTTPS may become HTTP/2 by ALPN."""
        spoken = "http/1.1" if (row.upstream, row.tls) == ("auto", True) else row.upstream
        return spoken == self.upstream and self.tls in (None, row.tls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one reader makes of a port: what is spoken, and whether that was meant."""

    reader: str
    word: str
    as_meant: bool
    verified: bool
    text: str
    source: str

    def as_dict(self) -> dict[str, Any]:
        """What a `portability` row has of it."""
        names = {"asMeant": self.as_meant, "verified": self.verified}
        return {
            "reader": self.reader,
            "spoken": self.word,
            **names,
            "text": self.text,
            "source": self.source,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Portability:
    """One declaration in the eyes of several readers, and the one that all of them take as meant.

    `right` is None where there is none. `meant` is None where nobody has said what a value means.
    """

    meta: Meta
    port: int | None
    app_protocol: str
    meant: Meaning | None
    readings: tuple[Reading, ...]
    right: str | None
    declared_at: Position

    @property
    def portable(self) -> bool:
        """Whether all readers take it as it was meant."""
        return bool(self.meant) and all(reading.as_meant for reading in self.readings)

    def as_dict(self) -> dict[str, Any]:
        """The `portability` row."""
        meta = self.meta
        return {
            "cluster": meta.cluster,
            "kind": meta.kind,
            "namespace": meta.namespace,
            "name": meta.name,
            "port": self.port,
            "appProtocol": self.app_protocol,
            "meant": self.meant.text if self.meant else None,
            "portable": self.portable,
            "right": self.right,
            "readings": [reading.as_dict() for reading in self.readings],
            "declaredAt": self.declared_at.as_dict(),
        }


def portability(inventory: Inventory, readers: Sequence[Reader] = ()) -> list[Portability]:
    """One row per port of a Service or ServiceImport that declares a value, in order.

    Without readers: every implementation that has a ruleset, at its newest release.

    >>> from protocol_analysis.manifests import load
    >>> row = portability(load("data/sample"))[0]
    >>> row.app_protocol, row.portable
    ('grpc', False)
    """
    chosen = tuple(readers) or everyone()
    found = [_rows(inventory, reader) for reader in chosen]
    return [_of_port(inventory, chosen, same) for same in zip(*found, strict=True)]


def everyone() -> tuple[Reader, ...]:
    """Every implementation at its newest release; specifications read nothing.

    >>> "gateway-api" in [reader.implementation for reader in everyone()]
    False
    """
    names = [name for name in implementations() if name not in SPECIFICATIONS]
    return tuple(Reader(implementation=name, release=ruleset(name).newest) for name in names)


def word_of(row: Coverage) -> str:
    """What is spoken to a port: `h2`, `http/1.1+tls`; `not read` where it is turned away."""
    if not row.resolution.sent:
        return "not read"
    return f"{row.upstream}{'+tls' if row.tls else ''}"


def value_words(value: str | None, reader: Reader, kind: str = "Service") -> tuple[str, bool]:
    """What a reader speaks to a port with a value, and whether that was read in the source.

    >>> from protocol_analysis.compare import reader
    >>> value_words("grpc", reader("istio")), value_words("HTTP2", reader("gke"))
    (('h2', True), ('h2+tls', False))
    """
    (row,) = _rows(_alone(value, kind), reader, declared=False)
    return word_of(row), _verified(row)


@cache
def meanings() -> dict[str, Meaning]:
    """What each value means, by value. Raises RulesetError where the file is wrong."""
    file = resources.files("protocol_analysis") / "meanings.yaml"
    sheet = Sheet(file.name)
    top = sheet.document(file.read_text(encoding="utf-8"))
    for at, raw in enumerate(top):
        sheet.mapping("meaning", raw, _KEYS, sheet.lines[id(top), at])
    sheet.stop()
    tls = {"yes": True, "no": False, "any": None}
    return {raw["value"]: Meaning(**{**raw, "tls": tls[raw["tls"]]}) for raw in top}


def _rows(inventory: Inventory, reader: Reader, *, declared: bool = True) -> list[Coverage]:
    # How often a port is referred to is not asked, so no route need be resolved.
    plain = replace(inventory, backends=(), routes=(), referrers=())
    rows = coverage(plain, reader.implementation, reader.release)
    return [row for row in rows if row.app_protocol is not None or not declared]


def _of_port(
    inventory: Inventory, readers: Sequence[Reader], rows: Sequence[Coverage]
) -> Portability:
    first = rows[0]
    value = str(first.app_protocol)
    meant = meanings().get(value) or meanings().get(value.casefold())
    readings = tuple(
        _reading(reader, row, meant) for reader, row in zip(readers, rows, strict=True)
    )
    return Portability(
        meta=first.meta,
        port=first.port,
        app_protocol=value,
        meant=meant,
        readings=readings,
        right=next(_right(inventory, readers, first, meant), None) if meant else None,
        declared_at=first.declared_at,
    )


def _reading(reader: Reader, row: Coverage, meant: Meaning | None) -> Reading:
    deciding = row.resolution.deciding
    return Reading(
        reader=str(reader),
        word=word_of(row),
        as_meant=bool(meant and row.resolution.sent and meant.is_met(row)),
        verified=_verified(row),
        text=deciding.text,
        source=deciding.source,
    )


def _verified(row: Coverage) -> bool:
    return not any(reason.text.endswith("(unverified)") for reason in row.resolution.reasons)


def _right(
    inventory: Inventory, readers: Sequence[Reader], row: Coverage, meant: Meaning
) -> Iterator[str]:
    """The values of the same meaning that all readers take as meant, what is declared first."""
    same = [
        m.value for m in meanings().values() if (m.upstream, m.tls) == (meant.upstream, meant.tls)
    ]
    # A port read alone hangs on nothing: only policies that name its object matter.
    beside = Inventory(
        grants=inventory.grants,
        tls_policies=inventory.tls_policies,
        traffic_policies=inventory.traffic_policies,
        services=tuple(s for s in inventory.services if s.meta == row.meta),
        service_imports=tuple(s for s in inventory.service_imports if s.meta == row.meta),
    )
    for value in dict.fromkeys((str(row.app_protocol), *same)):
        changed = with_value(beside, row.meta, row.port, value)
        # One reader after the other: the first that takes it otherwise settles it.
        found = (
            next((r for r in _rows(changed, reader) if r.port == row.port), None)
            for reader in readers
        )
        if all(r and r.resolution.sent and meant.is_met(r) for r in found):
            yield value


def _alone(value: str | None, kind: str) -> Inventory:
    at = Position(file="", document=1, line=1, column=1)
    group = "" if kind == "Service" else "multicluster.x-k8s.io"
    meta = Meta(group=group, kind=kind, namespace="default", name="s", position=at)
    service = Service(meta=meta, ports=(ServicePort(number=80, app_protocol=value, position=at),))
    if kind == "Service":
        return Inventory(services=(service,))
    return Inventory(service_imports=(service,))
