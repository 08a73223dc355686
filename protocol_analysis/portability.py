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

from protocol_analysis.model import (
    BACKEND_GROUPS,
    Inventory,
    Meta,
    Position,
    Service,
    ServicePort,
)
from protocol_analysis.readers import Reader, all_readers, everyone
from protocol_analysis.readings import alone, word_of
from protocol_analysis.resolution import Resolution
from protocol_analysis.scope import Scope
from protocol_analysis.sheets import Sheet
from protocol_analysis.speaking import rules_of

_KEYS = {"value", "upstream", "tls", "text", "source"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What the author of a value means; `tls` is None where the value does not say."""

    value: str
    upstream: str
    tls: bool | None
    text: str
    source: str

    def is_met(self, answer: Resolution) -> bool:
        """Whether a port is spoken to as is meant. HTTPS may become HTTP/2 by ALPN."""
        by_alpn = (answer.upstream, answer.tls) == ("auto", True)
        spoken = "http/1.1" if by_alpn else answer.upstream
        return answer.sent and spoken == self.upstream and self.tls in (None, answer.tls)


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


def portability(inventory: Inventory, readers: Sequence[Reader | str] = ()) -> list[Portability]:
    """One row per port of a Service or ServiceImport that declares a value, in order.

    Without readers: every implementation that has a ruleset, at its newest release.

    >>> from protocol_analysis.manifests import load
    >>> row = portability(load("data/sample"))[0]
    >>> row.app_protocol, row.portable
    ('grpc', False)
    """
    chosen = all_readers(readers) or everyone()
    scope = Scope(inventory)
    return [
        _of_port(inventory, scope, chosen, service, port)
        for service in (*inventory.services, *inventory.service_imports)
        for port in service.ports
        if port.app_protocol is not None
    ]


def value_words(value: str | None, reader: Reader, kind: str = "Service") -> tuple[str, bool]:
    """What a reader speaks to a port with a value, and whether that was read in the source.

    `its Service`: it takes the ServiceImport, and reads the Service behind it.

    >>> from protocol_analysis.readers import reader
    >>> value_words("grpc", reader("istio")), value_words("HTTP2", reader("gke"))
    (('h2', True), ('h2+tls', False))
    """
    at = Position(file="", document=1, line=1, column=1)
    meta = Meta(group=BACKEND_GROUPS[kind], kind=kind, namespace="default", name="s", position=at)
    port = ServicePort(number=80, app_protocol=value, position=at)
    service = Service(meta=meta, ports=(port,))
    rules, wires = rules_of(reader)
    answer = alone(Scope(Inventory()), rules, wires, service, port)
    taken = [row.id for row in rules.find("accepts", kind, answer.site)]
    stands_for_another = answer.deciding.row in taken
    return "its Service" if stands_for_another else word_of(answer), is_verified(answer)


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


def is_verified(answer: Resolution) -> bool:
    """Whether all that it stands on was read in the source."""
    return not any(reason.text.endswith("(unverified)") for reason in answer.reasons)


def _of_port(
    inventory: Inventory,
    scope: Scope,
    readers: Sequence[Reader],
    service: Service,
    port: ServicePort,
) -> Portability:
    value = str(port.app_protocol)
    meant = meanings().get(value) or meanings().get(value.casefold())
    answers = (alone(scope, *rules_of(reader), service, port) for reader in readers)
    return Portability(
        meta=service.meta,
        port=port.number,
        app_protocol=value,
        meant=meant,
        readings=tuple(
            _reading(reader, answer, meant) for reader, answer in zip(readers, answers, strict=True)
        ),
        right=next(_right(inventory, readers, service, port, meant), None) if meant else None,
        declared_at=port.where,
    )


def _reading(reader: Reader, answer: Resolution, meant: Meaning | None) -> Reading:
    return Reading(
        reader=str(reader),
        word=word_of(answer),
        as_meant=bool(meant and meant.is_met(answer)),
        verified=is_verified(answer),
        text=answer.deciding.text,
        source=answer.deciding.source,
    )


def _right(
    inventory: Inventory,
    readers: Sequence[Reader],
    service: Service,
    port: ServicePort,
    meant: Meaning,
) -> Iterator[str]:
    """The values of the same meaning that all readers take as meant, what is declared first."""
    same = [
        m.value for m in meanings().values() if (m.upstream, m.tls) == (meant.upstream, meant.tls)
    ]
    # A port read alone hangs on nothing: only policies that name its object matter.
    beside = Inventory(grants=inventory.grants, tls_policies=inventory.tls_policies)
    for value in dict.fromkeys((str(port.app_protocol), *same)):
        changed = replace(port, app_protocol=value)
        ports = tuple(changed if each is port else each for each in service.ports)
        other = replace(service, ports=ports)
        scope = Scope(replace(beside, services=(other,)))
        # One reader after the other: the first that takes it otherwise settles it.
        if all(meant.is_met(alone(scope, *rules_of(each), other, changed)) for each in readers):
            yield value
