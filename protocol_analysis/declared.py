"""What manifests declare for probed endpoints, and whether they speak that. Pure.

An endpoint is a Service's port by its name in a cluster's DNS (`cart.shop.svc`, a ServiceImport's
below `clusterset.local`), or because the user says so. A value is held against what its author
means (`meanings.yaml`), and what the gateway speaks to the port against what the endpoint speaks.

Source: https://github.com/kubernetes/dns/blob/1.22.28/docs/specification.md
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from protocol_analysis.coverage import Coverage, coverage
from protocol_analysis.model import Inventory
from protocol_analysis.portability import Meaning, meanings
from protocol_analysis.proof.endpoints import Endpoint
from protocol_analysis.proof.facts import Facts, speaks
from protocol_analysis.proof.probed import (
    AS_DECLARED,
    NONE_DECLARED,
    OTHERWISE,
    Declaration,
    Probed,
)
from protocol_analysis.readings import word_of

_GRPC = "grpc"  # HTTP/2 to Envoy Gateway, and to its author what is spoken upon it too
_NO_GRPC_SEEN = "HTTP/2 is spoken; whether gRPC is cannot be told."


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The port of a Service, of a ServiceImport, or of either: an empty `kind`."""

    kind: str = ""
    namespace: str
    name: str
    port: int | None = None

    def __str__(self) -> str:
        return f"{self.kind or 'Service'} {self.namespace}/{self.name}"


def declare(
    rows: Sequence[Probed],
    inventory: Inventory,
    service: Named | None = None,
    release: str | None = None,
    namespace: str = "default",
) -> list[Probed]:
    """The rows, each with what is declared for it; `service` says whose all of them are.

    `release` is of Envoy Gateway, as in `coverage`; `namespace` that of a host without one. Raises
    RulesetError for a release that is not known.

    >>> from protocol_analysis.manifests import load
    >>> from protocol_analysis.proof.endpoints import endpoint_of
    >>> row = Probed(endpoint=endpoint_of("nobody.shop.svc:9000"))
    >>> declare([row], load("data/sample"))[0].declaration.text
    'no Service shop/nobody with a TCP port 9000 is among the manifests'
    """
    plain = replace(inventory, backends=(), routes=(), referrers=())
    ports = [row for row in coverage(plain, release=release) if row.transport == "TCP"]
    return [replace(row, declaration=_declaration(row, ports, service, namespace)) for row in rows]


def named(text: str) -> Named:
    """A Service from NAMESPACE/NAME, or NAMESPACE/NAME:PORT. Raises ValueError.

    >>> named("shop/cart:9000").port
    9000
    """
    namespace, slash, rest = text.partition("/")
    name, colon, digits = rest.partition(":")
    whole = bool(namespace and slash and name) and "/" not in name
    if not whole or (colon and not (digits.isascii() and digits.isdigit() and len(digits) < 6)):
        raise ValueError(f"{text[:80]!r} is not NAMESPACE/NAME or NAMESPACE/NAME:PORT")
    return Named(namespace=namespace, name=name, port=int(digits) if colon else None)


def named_by(host: str, namespace: str = "default") -> Named | None:
    """The Service that a host is the name of; None where it is no such name.

    >>> print(named_by("cart.shop.svc.cluster.local"), named_by("cart"), named_by("a.b.example"))
    Service shop/cart Service default/cart None
    >>> print(named_by("cart.shop.svc.clusterset.local"))
    ServiceImport shop/cart
    """
    labels = host.casefold().removesuffix(".").split(".")
    if ":" in host or labels[-1].isdigit():  # an address
        return None
    if "svc" in labels[2:]:
        at = labels.index("svc", 2)
        kind = "ServiceImport" if labels[at + 1 :] == ["clusterset", "local"] else "Service"
        # What stands in front is a pod of a headless Service, or a cluster.
        return Named(kind=kind, namespace=labels[at - 1], name=labels[at - 2])
    if len(labels) > 2:
        return None
    return Named(kind="Service", name=labels[0], namespace=[*labels, namespace][1])


def _declaration(
    row: Probed, ports: Sequence[Coverage], service: Named | None, namespace: str
) -> Declaration:
    whose = service or named_by(row.endpoint.host, namespace)
    if whose is None:
        return _unknown(
            f"{row.endpoint.host} is not the name of a Service; --service says whose it is"
        )
    found = _found(ports, whose, row.endpoint)
    if not found:
        number = whose.port or row.endpoint.port
        return _unknown(f"no {whose} with a TCP port {number} is among the manifests")
    if len({(port.app_protocol, port.upstream, port.tls) for port in found}) > 1:
        where = ", ".join(str(port.declared_at) for port in found)
        return _unknown(f"{whose} is declared in several ways: {where}")
    return _judged(row.facts, found[0])


def _found(ports: Sequence[Coverage], whose: Named, endpoint: Endpoint) -> list[Coverage]:
    same = [
        port
        for port in ports
        if (port.meta.namespace, port.meta.name) == (whose.namespace, whose.name)
        and port.port == (whose.port or endpoint.port)
    ]
    first = whose.kind or next((port.meta.kind for port in same), "")
    return [port for port in same if port.meta.kind == first]


def _judged(facts: Facts, port: Coverage) -> Declaration:
    value = None if port.app_protocol is None else str(port.app_protocol)
    verdict: str | None
    if value is None:
        verdict, text = NONE_DECLARED, "no appProtocol is declared"
    elif meant := meanings().get(value) or meanings().get(value.casefold()):
        as_meant, seen = _as_meant(facts, meant)
        verdict = None if as_meant is None else AS_DECLARED if as_meant else OTHERWISE
        text = f"{value} is declared, which means: {meant.text}{seen}"
    else:
        verdict, text = None, f"{value!r} is declared; what it means is not known"
    sent = port.resolution.sent
    return Declaration(
        value=value,
        at=port.declared_at,
        verdict=verdict,
        spoken=word_of(port.resolution),
        works=speaks(facts, port.upstream, tls=port.tls) if sent else None,
        text=f"{text} ({port.meta}, {port.declared_at})",
    )


def _as_meant(facts: Facts, meant: Meaning) -> tuple[bool | None, str]:
    """Whether an endpoint is what a value means, and what was seen of it beside its bytes."""
    spoken = speaks(facts, meant.upstream, tls=meant.tls)
    side = facts.secure if meant.tls else facts.clear
    if spoken and meant.use == "websocket" and not side.websocket:
        # Another path may have one.
        return None, " No WebSocket was accepted at the path that was asked; --path asks another."
    if spoken and meant.value == _GRPC and not side.grpc:
        said = "What answers a call of gRPC is no gRPC." if side.no_grpc else _NO_GRPC_SEEN
        return (False if side.no_grpc else None), f" {said}"
    if meant.use == "http" and meant.tls:
        # HTTPS may become HTTP/2 by ALPN, as `Meaning.is_met` has it.
        return spoken or speaks(facts, "auto", tls=True), ""
    return spoken, ""


def _unknown(text: str) -> Declaration:
    return Declaration(value=None, at=None, verdict=None, spoken=None, works=None, text=text)
