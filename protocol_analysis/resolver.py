"""One backend reference × the rules of one release → a Resolution. Pure.

In this order, as Envoy Gateway processes a reference (route.go:2851 ff at v1.9.0):

1. Does this implementation read the route at all? The controllerName of the GatewayClass of a
   parent Gateway decides; a route whose parents are Services belongs to the mesh.
2. Is the reference accepted: a kind that the release reads, permitted by a ReferenceGrant when it
   crosses namespaces, an object that is there, a port with that number *and* transport?
3. A weight of 0 has no protocol.
4. TLS: by a BackendTLSPolicy, or by the Backend's own settings. It never changes the protocol.
5. The protocol: the value is read from the first port with that *number*, whatever its
   transport; a recognised value decides, else the default of the route kind.

What stops a reference is an outcome with its reason, never a guess: `protocol` is None.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from protocol_analysis.model import (
    BACKEND_GROUPS,
    Backend,
    BackendRef,
    Inventory,
    Meta,
    Position,
    Route,
    Service,
    ServicePort,
    Target,
)
from protocol_analysis.rules import Row, Rules, ruleset
from protocol_analysis.scope import Scope

GATEWAY_API_DOCS = "https://gateway-api.sigs.k8s.io"
_PARENTS = f"{GATEWAY_API_DOCS}/reference/spec/#parentreference"
_CLASS = f"{GATEWAY_API_DOCS}/api-types/gatewayclass/"
_MESH = f"{GATEWAY_API_DOCS}/mesh/"
_BACKEND_REF = f"{GATEWAY_API_DOCS}/reference/spec/#backendref"
_GRANT = f"{GATEWAY_API_DOCS}/api-types/referencegrant/"
_PORT = (
    "https://github.com/envoyproxy/gateway/blob/v1.9.0/internal/gatewayapi/validate.go#L215-L233"
)
_WEIGHT = "https://github.com/envoyproxy/gateway/blob/v1.9.0/internal/gatewayapi/route.go#L2886"
_STRING = "https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/"
TRANSPORTS = {"UDPRoute": "UDP"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why: the ruleset row (or the name of the check) that decided, a sentence, a source."""

    row: str
    text: str
    source: str

    def as_dict(self) -> dict[str, str]:
        return {"row": self.row, "text": self.text, "source": self.source}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What one release makes of one backend reference."""

    route: Meta
    ref: BackendRef
    app_protocol: str | tuple[str, ...] | None = None
    protocol: str | None = None
    force_http1: bool = False
    tls: bool = False
    upstream: str | None = None
    implementation: str
    release: str
    reasons: tuple[Reason, ...]
    declared_at: Position | None = None
    target: Meta | None = None

    @property
    def outcome(self) -> str:
        """`resolved`, or the name of the check that stopped it."""
        return "resolved" if self.protocol else self.reasons[-1].row

    @property
    def deciding(self) -> Reason:
        """The reason that decided: the row that gave the protocol, or what stopped it."""
        said = [reason for reason in self.reasons if reason.row != "assumed"]
        return said[0] if self.protocol else self.reasons[-1]

    def as_dict(self) -> dict[str, Any]:
        declared = self.app_protocol
        return {
            "cluster": self.route.cluster,
            "route": {
                "kind": self.route.kind,
                "namespace": self.route.namespace,
                "name": self.route.name,
            },
            "rule": self.ref.rule,
            "role": self.ref.role,
            "backend": self.ref.backend,
            "backendRef": self.ref.as_dict(),
            "appProtocol": list(declared) if isinstance(declared, tuple) else declared,
            "protocol": self.protocol,
            "forceHTTP1": self.force_http1,
            "tls": self.tls,
            "upstream": self.upstream,
            "implementation": self.implementation,
            "release": self.release,
            "reasons": [reason.as_dict() for reason in self.reasons],
            "referencedAt": self.ref.position.as_dict(),
            "declaredAt": None if self.declared_at is None else self.declared_at.as_dict(),
        }


def resolve(
    inventory: Inventory, implementation: str = "envoy-gateway", release: str | None = None
) -> list[Resolution]:
    """One Resolution per backend reference, in the order of the manifests.

    Raises RulesetError for an implementation or a release that is not known.
    """
    return resolve_with(inventory, ruleset(implementation).at(release))


def resolve_with(inventory: Inventory, rules: Rules) -> list[Resolution]:
    """The same with rules at hand: those of a release, or of a proposal."""
    resolver = _Resolver(Scope(inventory), rules)
    return [resolver.resolve(route, ref) for route in inventory.routes for ref in route.refs]


def resolve_target(
    scope: Scope, rules: Rules, route: Route, ref: BackendRef, target: Target
) -> Resolution:
    """The reference against one object at hand, whoever reads the route."""
    resolver = _Resolver(scope, rules)
    if (
        not rules.find("accepts", ref.kind, route.meta.kind)
        or target.meta.group != BACKEND_GROUPS[ref.kind]
    ):
        return resolver.unresolved(route, ref, [resolver.not_read(ref, route.meta.kind)])
    return resolver.against(route, ref, target, [])


class _Resolver:
    def __init__(self, scope: Scope, rules: Rules) -> None:
        self.scope = scope
        self.rules = rules

    def resolve(self, route: Route, ref: BackendRef) -> Resolution:
        said, stopped = self.who_reads(route)
        if stopped:
            return self.unresolved(route, ref, said)
        # The kind alone selects the object; the group only has to be one of the three.
        known = ref.kind in BACKEND_GROUPS and ref.group in BACKEND_GROUPS.values()
        if not known or not self.rules.find("accepts", ref.kind, route.meta.kind):
            return self.unresolved(route, ref, [*said, self.not_read(ref, route.meta.kind)])
        if not self.scope.permitted(route.meta, ref.group, ref.kind, ref.namespace, ref.name):
            text = f"no ReferenceGrant in {ref.namespace} lets a {route.meta.kind} of {route.meta.namespace} refer to {ref.kind} {ref.name}"
            return self.unresolved(
                route, ref, [*said, Reason(row="not-permitted", text=text, source=_GRANT)]
            )
        group = BACKEND_GROUPS[ref.kind]
        found = self.scope.nearest(route.meta, group, ref.kind, ref.namespace, ref.name)
        if not found:
            text = f"no {ref.kind} {ref.namespace}/{ref.name} in these manifests"
            return self.unresolved(
                route, ref, [*said, Reason(row="no-object", text=text, source=_BACKEND_REF)]
            )
        answers = [self.against(route, ref, target, said) for target in found]
        if len({_what_matters(answer) for answer in answers}) == 1:
            return answers[0]
        places = ", ".join(
            str(answer.declared_at or target.meta.position)
            for answer, target in zip(answers, found, strict=True)
        )
        text = f"{ref.kind} {ref.namespace}/{ref.name} stands several times and differs: {places}"
        return self.unresolved(
            route, ref, [*said, Reason(row="ambiguous", text=text, source=_BACKEND_REF)]
        )

    def unresolved(
        self, route: Route, ref: BackendRef, reasons: list[Reason], **more: Any
    ) -> Resolution:
        return Resolution(
            route=route.meta,
            ref=ref,
            implementation=self.rules.implementation,
            release=self.rules.release,
            reasons=tuple(reasons),
            **more,
        )

    def not_read(self, ref: BackendRef, route_kind: str) -> Reason:
        name = f"{ref.group}/{ref.kind}" if ref.group else ref.kind
        text = f"{name} is no backend kind that {self.rules.implementation} {self.rules.release} reads on {route_kind}"
        return Reason(row="kind-not-read", text=text, source=_BACKEND_REF)

    def who_reads(self, route: Route) -> tuple[list[Reason], bool]:
        """Whether another implementation, or a mesh, reads the route; and what is assumed."""
        mine = self.rules.implementation
        if not route.parents:
            text = f"the route names no parent; {mine} is assumed"
            return [Reason(row="assumed", text=text, source=_PARENTS)], False
        others: list[str] = []
        assumed = ""
        for parent in route.parents:
            if (parent.group, parent.kind) == ("", "Service"):
                others.append(f"Service {parent.name} belongs to the mesh")
                continue
            controllers, missing = self.scope.controllers(route, parent)
            if controllers & set(self.rules.controllers):
                return [], False
            assumed = assumed or missing
            name = f"{parent.kind} {parent.namespace}/{parent.name}"
            others.append(f"{name} is read by {', '.join(sorted(controllers))}")
        if assumed:
            text = f"{assumed} is not in these manifests; {mine} is assumed"
            return [Reason(row="assumed", text=text, source=_CLASS)], False
        mesh = all((parent.group, parent.kind) == ("", "Service") for parent in route.parents)
        row, source = ("mesh", _MESH) if mesh else ("other-implementation", _CLASS)
        return [Reason(row=row, text="; ".join(others), source=source)], True

    def against(
        self, route: Route, ref: BackendRef, target: Target, said: list[Reason]
    ) -> Resolution:
        """The reference resolved against one object that may be meant."""
        kind = route.meta.kind
        reasons = list(said)
        for row in self.rules.find("refuses", ref.kind, kind):
            if _CONDITIONS[row.choice](target):
                return self.unresolved(route, ref, [*reasons, _reason(row)], target=target.meta)
        port: ServicePort | None = None
        if isinstance(target, Service):
            port, refusal = _port(target, ref, TRANSPORTS.get(kind, "TCP"))
            if refusal:
                return self.unresolved(route, ref, [*reasons, refusal], target=target.meta)
        rejected = port.rejected if port else getattr(target, "rejected", "")
        declared_at = (
            port.declared_at or port.position if port else getattr(target, "declared_at", None)
        )
        declared: str | tuple[str, ...] | None = (
            port.app_protocol if port else getattr(target, "app_protocols", ()) or None
        )
        common = {"app_protocol": declared, "declared_at": declared_at, "target": target.meta}
        if rejected:
            return self.unresolved(
                route,
                ref,
                [*reasons, Reason(row="rejected", text=rejected, source=_STRING)],
                **common,
            )
        if ref.weight == 0:
            text = "weight 0: nothing is sent there"
            return self.unresolved(
                route, ref, [*reasons, Reason(row="weight-0", text=text, source=_WEIGHT)], **common
            )
        tls = self.tls(route, ref, target, port)
        values = (declared,) if isinstance(declared, str) else declared or ()
        row, force = self.protocol(ref.kind, kind, values)
        reasons += [
            _reason(r)
            for r in (
                *([row] if row else []),
                *([force] if force and force is not row else []),
                *([tls] if tls else []),
            )
        ]
        return self.unresolved(
            route,
            ref,
            reasons,
            protocol=row.protocol,
            force_http1=force is not None,
            tls=tls is not None,
            **common,
        )

    def protocol(self, backend: str, route: str, values: tuple[str, ...]) -> tuple[Row, Row | None]:
        """The row that gives the protocol, and the row that forces HTTP/1.1."""
        recognised = [
            row for value in values if (row := self.rules.value("values", backend, route, value))
        ]
        forced = next(
            (row for value in values if (row := self.rules.value("forces", backend, route, value))),
            None,
        )
        if not recognised:
            return self.rules.find("defaults", backend, route)[0], forced
        pick = self.rules.find("lists", backend, route)
        return recognised[-1 if pick and pick[0].choice == "last" else 0], forced

    def tls(
        self, route: Route, ref: BackendRef, target: Target, port: ServicePort | None
    ) -> Row | None:
        for row in self.rules.find("tls", ref.kind, route.meta.kind):
            if row.choice == "BackendTLSPolicy":
                section = (
                    (port.name if port else "")
                    if row.section_name == "name"
                    else str(ref.port or "")
                )
                if self.scope.has_tls_policy(target, section):
                    return row
            elif (
                isinstance(target, Backend)
                and target.tls
                and row.choice in ("Backend", target.type)
            ):
                return row
        return None


def _port(
    service: Service, ref: BackendRef, transport: str
) -> tuple[ServicePort | None, Reason | None]:
    """The port whose value is read, once a port with that number and transport exists."""
    same_number = [
        port for port in service.ports if port.number is not None and port.number == ref.port
    ]
    if any(port.transport == transport for port in same_number):
        return same_number[0], None
    if ref.port is None:
        text = f"the reference to {ref.kind} {ref.name} names no port"
    else:
        text = f"{transport} port {ref.port} not found on {ref.kind} {ref.namespace}/{ref.name}"
        known = ", ".join(f"{port.transport} {port.number}" for port in service.ports)
        text += f"; it has {known}" if known else "; it has no ports"
    return None, Reason(row="no-port", text=text, source=_PORT)


_CONDITIONS: dict[str, Callable[[Target], bool]] = {
    "externalName": lambda target: isinstance(target, Service) and target.type == "ExternalName",
    "unixSocket": lambda target: isinstance(target, Backend) and target.unix_socket,
    "dynamicResolver": lambda target: (
        isinstance(target, Backend) and target.type == "DynamicResolver"
    ),
    "dynamicResolverWithAppProtocols": lambda target: (
        isinstance(target, Backend)
        and target.type == "DynamicResolver"
        and bool(target.app_protocols)
    ),
}


def _reason(row: Row) -> Reason:
    return Reason(row=row.id, text=row.text, source=row.source)


def _what_matters(answer: Resolution) -> tuple[Any, ...]:
    return (answer.app_protocol, answer.protocol, answer.force_http1, answer.tls, answer.outcome)
