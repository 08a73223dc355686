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
    ROUTE_KINDS,
    Inventory,
    Meta,
    Position,
    Service,
    ServicePort,
    name_of,
)
from protocol_analysis.readers import Reader, all_readers, everyone
from protocol_analysis.readings import STANDS, alone, word_of
from protocol_analysis.resolution import Resolution
from protocol_analysis.resolver import TRANSPORTS
from protocol_analysis.rules import ruleset
from protocol_analysis.scope import Scope
from protocol_analysis.sheets import rows_of
from protocol_analysis.speaking import rules_of

_KEYS = {"value", "use", "upstream", "tls", "text", "source"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What the author of a value means; `tls` is None where the value does not say.

    `use` is http, http2, websocket or tcp: the same bytes may be meant for another use.
    """

    value: str
    use: str
    upstream: str
    tls: bool | None
    text: str
    source: str

    def is_met(self, answer: Resolution) -> bool:
        """Whether a port is spoken to as is meant. HTTPS may become HTTP/2 by ALPN."""
        by_alpn = (answer.upstream, answer.tls) == ("auto", True)
        spoken = "http/1.1" if by_alpn else answer.upstream
        return answer.sent and spoken == self.upstream and self.tls in (None, answer.tls)

    def is_said_by(self, other: Meaning) -> bool:
        """Whether another value says the same."""
        return self.use == other.use and self.tls in (None, other.tls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one reader makes of a port: what is spoken, and whether that was meant.

    `as_meant` is None where nobody can tell: what is meant, or what Service an import stands for.
    """

    reader: str
    word: str
    as_meant: bool | None
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
    `behind` is the kind of route that it was read behind, of those that lead there.
    """

    meta: Meta
    port: int | None
    app_protocol: str
    meant: Meaning | None
    readings: tuple[Reading, ...]
    right: str | None
    behind: str
    declared_at: Position

    @property
    def portable(self) -> bool:
        """Whether all readers take it as it was meant."""
        return bool(self.meant) and all(reading.as_meant is not False for reading in self.readings)

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
            "behind": self.behind,
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
    scope, kinds = Scope(inventory), _kinds(inventory)
    return [
        _of_port(inventory, scope, chosen, service, port, _behind(kinds, service, port))
        for service in (*inventory.services, *inventory.service_imports)
        for port in service.ports
        if port.app_protocol is not None
    ]


def value_words(value: str | None, reader: Reader, kind: str = "Service") -> tuple[str, bool]:
    """What a reader speaks to a port with a value, and whether that was read in the source.

    >>> from protocol_analysis.readers import reader
    >>> value_words("grpc", reader("istio")), value_words("HTTP2", reader("gke"))
    (('h2', True), ('h2+tls', False))
    """
    at = Position(file="", document=1, line=1, column=1)
    meta = Meta(group=BACKEND_GROUPS[kind], kind=kind, namespace="default", name="s", position=at)
    port = ServicePort(number=80, app_protocol=value, position=at)
    service = Service(meta=meta, ports=(port,))
    answer = alone(Scope(Inventory()), *rules_of(reader), service, port)
    return word_of(answer), answer.verified


@cache
def meanings() -> dict[str, Meaning]:
    """What each value means, by value. Raises RulesetError where the file is wrong."""
    file = resources.files("protocol_analysis") / "meanings.yaml"
    rows = rows_of(file.read_text(encoding="utf-8"), file.name, _KEYS, what="meaning")
    tls = {"yes": True, "no": False, "any": None}
    return {raw["value"]: Meaning(**{**raw, "tls": tls[raw["tls"]]}) for raw in rows}


def _kinds(inventory: Inventory) -> dict[tuple[Any, ...], set[str]]:
    """The kinds of routes that refer to a port, by the name of its object."""
    found: dict[tuple[Any, ...], set[str]] = {}
    for route in inventory.routes:
        for ref in route.refs:
            key = (route.meta.world, *name_of(ref), ref.port)
            found.setdefault(key, set()).add(route.meta.kind)
    return found


def _behind(kinds: dict[tuple[Any, ...], set[str]], service: Service, port: ServicePort) -> str:
    """The kind of route to read a port behind: of those that lead there, HTTPRoute first."""
    found = kinds.get((service.meta.world, *name_of(service.meta), port.number), set())
    transport = [kind for kind in ROUTE_KINDS if TRANSPORTS.get(kind, "TCP") == port.transport]
    return next((kind for kind in transport if kind in found), transport[0])


def _of_port(
    inventory: Inventory,
    scope: Scope,
    readers: Sequence[Reader],
    service: Service,
    port: ServicePort,
    behind: str,
) -> Portability:
    value = str(port.app_protocol)
    meant = meanings().get(value) or meanings().get(value.casefold())
    answers = [alone(scope, *rules_of(reader), service, port, behind) for reader in readers]
    exact = _with_tls(meant, answers) if meant else None
    right = _right(inventory, readers, service, port, behind, exact) if exact else iter(())
    return Portability(
        meta=service.meta,
        port=port.number,
        app_protocol=value,
        meant=meant,
        readings=tuple(
            _reading(reader, answer, meant) for reader, answer in zip(readers, answers, strict=True)
        ),
        right=next(right, None),
        behind=behind,
        declared_at=port.where,
    )


def _reading(reader: Reader, answer: Resolution, meant: Meaning | None) -> Reading:
    left_open = ruleset(reader.implementation).role == "specification" and not answer.protocol
    return Reading(
        reader=str(reader),
        word="left open" if left_open and answer.sent else word_of(answer),
        as_meant=None if left_open else _is_met(meant, answer),
        verified=answer.verified,
        text=answer.deciding.text,
        source=answer.deciding.source,
    )


def _with_tls(meant: Meaning, answers: Sequence[Resolution]) -> Meaning | None:
    """The meaning, with TLS as those have it who take it as meant; None where these differ."""
    tls = {answer.tls for answer in answers if meant.is_met(answer)}
    if meant.tls is not None or not tls:
        return meant
    return replace(meant, tls=tls.pop()) if len(tls) == 1 else None


def _is_met(meant: Meaning | None, answer: Resolution) -> bool | None:
    """Whether what is spoken was meant; None where nobody can tell."""
    unknown = meant is None or answer.deciding.row in STANDS
    return None if unknown or meant is None else meant.is_met(answer)


def _right(
    inventory: Inventory,
    readers: Sequence[Reader],
    service: Service,
    port: ServicePort,
    behind: str,
    meant: Meaning,
) -> Iterator[str]:
    """The values of the same meaning that all readers take as meant, what is declared first."""
    same = [each.value for each in meanings().values() if meant.is_said_by(each)]
    # A port read alone hangs on nothing: only policies that name its object matter.
    policies = Inventory(grants=inventory.grants, tls_policies=inventory.tls_policies)
    for value in dict.fromkeys((str(port.app_protocol), *same)):
        changed = replace(port, app_protocol=value)
        ports = tuple(changed if each is port else each for each in service.ports)
        other = replace(service, ports=ports)
        scope = Scope(replace(policies, services=(other,)))
        # One reader after the other: the first that takes it otherwise settles it.
        answers = (alone(scope, *rules_of(each), other, changed, behind) for each in readers)
        if all(_is_met(meant, answer) is not False for answer in answers):
            yield value
