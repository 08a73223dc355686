"""The truth table of a release or a proposal: kind, value and route kind → what is spoken. Pure.

Each case is the only backend of its rule, without policies. The values are those that a release
reads or has read on any kind, what is mistaken for them, what must never be taken for them, and
none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from protocol_analysis.model import (
    BACKEND_GROUPS,
    ENVOY_GATEWAY,
    ROUTE_KINDS,
    Backend,
    Declared,
    Inventory,
    Meta,
    Position,
    Service,
    ServicePort,
)
from protocol_analysis.readers import Reader
from protocol_analysis.readings import alone
from protocol_analysis.resolution import Resolution
from protocol_analysis.resolver import TRANSPORTS
from protocol_analysis.rows import Rules
from protocol_analysis.rules import ruleset
from protocol_analysis.scope import Scope
from protocol_analysis.speaking import rules_of

PORT = 8080
# Another case, another prefix or none, blanks: none of them is the value that it looks like.
MISTAKEN = ("GRPC", "h2c", "kubernetes.io/H2C", "kubernetes.io/grpc", " grpc")
# Other implementations' values, which say TLS there, or another protocol.
OTHERS = ("grpc-web", "http", "http2", "HTTP2", "https", "tls", "tcp")
_NOWHERE = Position(file="", document=1, line=1, column=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One line of the truth table; `app_protocol` is a list on a Backend, None where none is."""

    kind: str
    route_kind: str
    app_protocol: Declared
    answer: Resolution

    def as_dict(self) -> dict[str, Any]:
        """The row that `proposal cases` prints."""
        declared = self.app_protocol
        return {
            "kind": self.kind,
            "routeKind": self.route_kind,
            "appProtocol": list(declared) if isinstance(declared, tuple) else declared,
            "accepted": self.answer.sent,
            "protocol": self.answer.protocol,
            "forceHTTP1": self.answer.force_http1,
            "upstream": self.answer.upstream,
            "tls": self.answer.tls,
            "implementation": self.answer.implementation,
            "release": self.answer.release,
            "reasons": [reason.as_dict() for reason in self.answer.reasons],
        }


def cases(by: Reader) -> list[Case]:
    """Every case of a release or a proposal, in the order of kinds, routes and values.

    >>> from protocol_analysis.readers import reader
    >>> found = cases(reader("1.9"))
    >>> [c.answer.protocol for c in found if (c.kind, c.app_protocol) == ("ServiceImport", "grpc")]
    ['GRPC', 'GRPC', 'TCP', 'TCP', 'UDP']
    """
    rules, wires = rules_of(by)
    scope = Scope(Inventory())
    found = []
    for kind in BACKEND_GROUPS:
        for route in ROUTE_KINDS:
            for declared in declarations(rules, kind):
                target, port = _target(kind, route, declared)
                answer = alone(scope, rules, wires, target, port, route)
                found.append(
                    Case(kind=kind, route_kind=route, app_protocol=declared, answer=answer)
                )
    return found


def declarations(rules: Rules, kind: str) -> Iterator[Declared]:
    """What a kind may declare, as far as it is worth a case; a Backend has lists of values.

    >>> from protocol_analysis.rules import ruleset
    >>> list(declarations(ruleset().at("1.9"), "Service"))[:4]
    [None, 'kubernetes.io/h2c', 'grpc', 'kubernetes.io/ws']
    """
    read = dict.fromkeys(
        name
        for row in ruleset(rules.implementation).rows  # what ended is a case too
        if row.section in ("values", "forces") and set(row.backends) & set(BACKEND_GROUPS)
        for name in row.values
    )
    singles = tuple(dict.fromkeys((*read, *MISTAKEN, *OTHERS)))
    yield None
    if kind != "Backend":
        yield from singles
        return
    yield from ((value,) for value in singles)
    own = [name for name in read if name.startswith(f"{ENVOY_GATEWAY}/")]
    ordered = [*own, "grpc"]
    yield from ((one, other) for one in ordered for other in ordered if one != other)


def _target(
    kind: str, route: str, declared: Declared
) -> tuple[Service | Backend, ServicePort | None]:
    """The object that declares it, and the port."""
    meta = Meta(
        group=BACKEND_GROUPS[kind],
        kind=kind,
        namespace="default",
        name="backend",
        position=_NOWHERE,
    )
    if kind == "Backend":
        values = declared if isinstance(declared, tuple) else None
        return Backend(meta=meta, app_protocol=values, addresses=frozenset({"IP"})), None
    port = ServicePort(
        number=PORT,
        transport=TRANSPORTS.get(route, "TCP"),
        app_protocol=declared if isinstance(declared, str) else None,
        position=_NOWHERE,
    )
    return Service(meta=meta, ports=(port,)), port
