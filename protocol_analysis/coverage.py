"""Every backend port, routed or not: what it declares, and what one release makes of that. Pure.

A port is resolved as the only backend of an HTTPRoute rule would be, so ports compare with each
other whatever routes they happen to have today. Each falls into exactly one class:

recognised             the release reads the value
standard but ignored   Kubernetes defines the value, this release does not read it on this kind
near miss              not read, but one edit away from a value that is: `h2c`, `GRPC`
silent fallback        any other value that is not read; the default of the route is spoken
none declared          nothing is declared
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from protocol_analysis.model import (
    BACKEND_GROUPS,
    Backend,
    Declared,
    Inventory,
    Meta,
    Position,
    ServicePort,
    Target,
    name_of,
    values_of,
)
from protocol_analysis.readers import Reader, reader_of
from protocol_analysis.readings import Others, alone
from protocol_analysis.resolution import Resolution
from protocol_analysis.resolver import TRANSPORTS, resolve_with
from protocol_analysis.rows import Rules
from protocol_analysis.scope import Scope
from protocol_analysis.speaking import rules_of

Port = tuple[Meta, int | None, str | None]  # number and transport; a Backend has neither
CLASSES = ("recognised", "standard but ignored", "near miss", "silent fallback", "none declared")
# The same thing under another name; the right-hand side is what a recognised value ends in.
_SYNONYMS = {"http/2": "h2c", "http2": "h2c", "h2": "h2c", "websocket": "ws", "websockets": "ws"}
_DASHED = re.compile(r"(?:kubernetes|k8s)\.io-")  # a prefix, with a dash for its slash


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """One port of a Service or ServiceImport, or one Backend."""

    meta: Meta
    port: int | None
    port_name: str | None
    transport: str | None
    app_protocol: Declared
    standard: bool
    recognised: bool
    kind_of_declaration: str
    meant: str | None
    protocol: str | None
    upstream: str | None
    tls: bool
    routes: int
    declared_at: Position
    resolution: Resolution
    readings: tuple[Resolution, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The contract's `coverage` row."""
        declared = self.app_protocol
        return {
            "cluster": self.meta.cluster,
            "kind": self.meta.kind,
            "namespace": self.meta.namespace,
            "name": self.meta.name,
            "port": self.port,
            "portName": self.port_name,
            "transport": self.transport,
            "appProtocol": list(declared) if isinstance(declared, tuple) else declared,
            "standard": self.standard,
            "recognised": self.recognised,
            "class": self.kind_of_declaration,
            "meant": self.meant,
            "protocol": self.protocol,
            "upstream": self.upstream,
            "tls": self.tls,
            "routes": self.routes,
            "verified": self.resolution.verified,
            "readings": [reading.as_reading() for reading in self.readings],
            "declaredAt": self.declared_at.as_dict(),
        }


def coverage(
    inventory: Inventory,
    implementation: str = "envoy-gateway",
    release: str | None = None,
    meshes: Sequence[Reader | str] = (),
) -> list[Coverage]:
    """One row per port of every Service and ServiceImport, and one per Backend, in order.

    Beside it stand the readings of meshes, and of other gateways from which a route leads there.
    Raises RulesetError for an implementation or a release that is not known.
    """
    main = reader_of(implementation, release)
    rules, wires = rules_of(main)
    others = Others(inventory, main, meshes)
    scope = others.scope
    routed = _routed(inventory, rules, scope)
    pairs: list[tuple[Target, ServicePort | Backend]] = [
        (service, port)
        for service in (*inventory.services, *inventory.service_imports)
        for port in service.ports
    ]
    pairs += [(backend, backend) for backend in inventory.backends]
    return [
        _row(
            scope,
            rules,
            wires,
            target,
            says,
            routed,
            others.of_port(target, says if isinstance(says, ServicePort) else None),
        )
        for target, says in pairs
    ]


def _routed(inventory: Inventory, rules: Rules, scope: Scope) -> Counter[Port]:
    """How many backend references mean each port; namesakes that agree are all meant."""
    found: Counter[Port] = Counter()
    for resolution in resolve_with(inventory, rules, scope):
        if target := resolution.target:
            transport = TRANSPORTS.get(resolution.route.kind, "TCP")
            port = (resolution.ref.port, transport) if target.kind != "Backend" else (None, None)
            for meant in scope.nearest(resolution.route, *name_of(target)):
                found[meant.meta, *port] += 1
    return found


def _row(
    scope: Scope,
    rules: Rules,
    wires: Rules | None,
    target: Target,
    says: ServicePort | Backend,
    routed: Counter[Port],
    readings: tuple[Resolution, ...],
) -> Coverage:
    meta, values = target.meta, values_of(says.app_protocol)
    port = says if isinstance(says, ServicePort) else None
    resolution = alone(scope, rules, wires, target, port)
    recognised = any(
        rules.value(section, meta.kind, resolution.site, value)
        for value in values
        for section in ("values", "forces")
    )
    standard = bool(values) and all(value in rules.standard for value in values)
    meant = None
    if not recognised:
        meant = next(filter(None, (_meant(rules, meta.kind, value) for value in values)), None)
    return Coverage(
        meta=meta,
        port=port.number if port else None,
        port_name=port.name if port else None,
        transport=port.transport if port else None,
        app_protocol=says.app_protocol,
        standard=standard,
        recognised=recognised,
        kind_of_declaration=_class(
            declared=bool(values), standard=standard, recognised=recognised, meant=meant
        ),
        meant=meant,
        protocol=resolution.protocol,
        upstream=resolution.upstream,
        tls=resolution.tls,
        routes=routed[meta, port.number if port else None, port.transport if port else None],
        declared_at=says.where,
        resolution=resolution,
        readings=readings,
    )


def _class(*, declared: bool, standard: bool, recognised: bool, meant: str | None) -> str:
    if not declared:
        return "none declared"
    if recognised:
        return "recognised"
    if standard:
        return "standard but ignored"
    return "near miss" if meant else "silent fallback"


def _meant(rules: Rules, kind: str, value: str) -> str | None:
    """The value of this release that `value` nearly is: other case, blanks, prefix or name.

    >>> from protocol_analysis.rules import ruleset
    >>> _meant(ruleset("envoy-gateway").at("v1.8.3"), "Service", "GRPC")
    'grpc'
    >>> _meant(ruleset("envoy-gateway").at("v1.8.3"), "Service", "http") is None
    True
    """
    return {stem(name): name for name in reversed(readable(rules, kind))}.get(stem(value))


def readable(rules: Rules, kind: str) -> list[str]:
    """The values that a release reads on a kind behind an HTTPRoute and that may be written there.

    A kind that has values of its own group admits no others: the schema of a Backend has a list.

    >>> from protocol_analysis.rules import ruleset
    >>> readable(ruleset("envoy-gateway").at("v1.8.3"), "ServiceImport")
    ['kubernetes.io/h2c', 'kubernetes.io/ws', 'kubernetes.io/wss']

    Source: https://github.com/envoyproxy/gateway/blob/v1.9.0/api/v1alpha1/backend_types.go#L20-L32
    """
    site = "mesh" if rules.mesh else "HTTPRoute"
    rows = (*rules.find("values", kind, site), *rules.find("forces", kind, site))
    names = list(dict.fromkeys(name for row in rows for name in row.values))
    own = [name for name in names if name.startswith(f"{BACKEND_GROUPS[kind]}/")]
    return own or names


def stem(value: str) -> str:
    """A value without case, blanks and prefix, under the name that most use.

    >>> stem(" kubernetes.io/H2C"), stem("HTTP/2"), stem("kubernetes.io-ws"), stem("GRPC")
    ('h2c', 'h2c', 'ws', 'grpc')
    """
    value = _DASHED.sub("", value.strip().casefold())
    stem = value if value in _SYNONYMS else value.rpartition("/")[2]
    return _SYNONYMS.get(stem, stem)
