"""One backend reference against the rules of one release → a Resolution. Pure.

In this order, as Envoy Gateway processes a reference (route.go:2851 ff at v1.9.0):

1. Does this implementation read the route at all? The controllerName of the GatewayClass of a
   parent Gateway decides; a route whose parents are Services belongs to the mesh.
2. Is the reference accepted: a kind that the release reads, permitted by a ReferenceGrant when it
   crosses namespaces, an object that is there, a port with that number *and* transport?
3. A weight of 0 has no protocol.
4. The protocol: the value is read from the first port with that *number*, whatever its
   transport; a recognised value decides, else the default of the route kind.
5. TLS: by a BackendTLSPolicy, or by the Backend's own settings. It never changes the protocol.

What stops a reference is an outcome with its reason, never a guess: `protocol` is None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from protocol_analysis.model import (
    BACKEND_GROUPS,
    GATEWAY_API,
    Backend,
    BackendRef,
    Inventory,
    Position,
    Route,
    Service,
    ServicePort,
    Target,
    name_of,
    values_of,
)
from protocol_analysis.resolution import ASSUMED, Reason, Resolution, reason_of
from protocol_analysis.rows import Row, Rules
from protocol_analysis.scope import Scope

_API = "https://github.com/kubernetes-sigs/gateway-api/blob/v1.4.0/apis"
_CODE = "https://github.com/envoyproxy/gateway/blob/v1.9.0/internal/gatewayapi"
# What stops a reference before, or beside, the rows of a ruleset (`refuses`), with its source.
CHECKS = {
    "mesh": f"{_API}/v1/shared_types.go#L28",
    "other-implementation": f"{_API}/v1/gatewayclass_types.go#L79",
    "kind-not-read": f"{_API}/v1/shared_types.go#L423",
    "not-permitted": f"{_API}/v1beta1/referencegrant_types.go#L27",
    "no-object": f"{_API}/v1/shared_types.go#L427",
    "ambiguous": f"{_API}/v1/object_reference_types.go#L129",
    "no-port": f"{_CODE}/validate.go#L215-L233",
    "rejected": "https://github.com/kubernetes/api/blob/v0.34.0/core/v1/types.go#L6123",
    "weight-0": f"{_CODE}/route.go#L2886",
}
# What a route kind speaks to a port; every other kind TCP.
TRANSPORTS = {"UDPRoute": "UDP"}
# Parents that belong to the mesh.
SERVICES = tuple((BACKEND_GROUPS[kind], kind) for kind in ("Service", "ServiceImport"))


def resolve_with(
    inventory: Inventory, rules: Rules, scope: Scope | None = None
) -> list[Resolution]:
    """One Resolution per backend reference, in the order of the manifests.

    What is then spoken upstream depends on the other references of its rule, and is not told here.
    """
    resolver = Resolver(scope or Scope(inventory), rules)
    return [resolver.resolve(route, ref) for route in inventory.referring for ref in route.refs]


class Resolver:
    """One release's rules, asked about references in one inventory."""

    def __init__(self, scope: Scope, rules: Rules) -> None:
        self.scope = scope
        self.rules = rules

    def resolve(self, route: Route, ref: BackendRef) -> Resolution:
        """What is made of a reference, whoever its object is."""
        said, stop = self.who_reads(route)
        taken = self.accepted(route, ref)
        if stop or not taken or (stop := self.not_permitted(route, ref, taken)):
            return self.answer(route, ref, [*said, stop or self.not_read(route, ref)])
        wanted = self.named(route, ref, taken)
        found = self.scope.nearest(route.meta, *wanted)
        answers = [self.against(route, ref, target, said) for target in found]
        if answers and len({_what_matters(answer) for answer in answers}) == 1:
            # Whichever is read first, the same one: the order of files decides nothing.
            return min(answers, key=_place)
        name = f"{wanted[1]} {ref.namespace}/{wanted[3]}"
        stop = _stop("no-object", f"no {name} in these manifests")
        if answers:
            places = ", ".join(map(str, sorted(map(_place, answers))))
            stop = _stop("ambiguous", f"{name} stands several times and differs: {places}")
        return self.answer(route, ref, [*said, stop])

    def answer(
        self, route: Route, ref: BackendRef, reasons: Iterable[Reason], **facts: Any
    ) -> Resolution:
        """An answer with its reasons."""
        return Resolution(
            route=route.meta,
            ref=ref,
            implementation=self.rules.implementation,
            release=self.rules.release,
            site=self.site(route, ref),
            mesh=self.rules.mesh,
            reasons=tuple(reasons),
            **facts,
        )

    def who_reads(self, route: Route) -> tuple[list[Reason], Reason | None]:
        """What is assumed about who reads the route; what stops it, where another one does."""
        own = any(name.startswith(f"{route.meta.group}/") for name in self.rules.controllers)
        if own or self.rules.mesh:  # of its own API; a mesh reads whoever calls
            return [], None
        if route.meta.group != GATEWAY_API:
            return [], _stop("other-implementation", f"{route.meta.kind} is of {route.meta.group}")
        others: list[str] = []
        missing = "" if route.parents else "a parent"
        mesh = [parent for parent in route.parents if (parent.group, parent.kind) in SERVICES]
        for parent in route.parents:
            if parent in mesh:
                others.append(f"{parent.kind} {parent.name} belongs to the mesh")
                continue
            controllers, unknown = self.scope.controllers(route.meta, parent)
            if controllers & set(self.rules.controllers):
                return [], None
            missing = missing or unknown
            name = f"{parent.kind} {parent.namespace}/{parent.name}"
            others.append(f"{name} is read by {', '.join(sorted(controllers))}")
        if missing:
            text = f"{missing} is not in these manifests; {self.rules.implementation} is assumed"
            return [Reason(ASSUMED, text, CHECKS["other-implementation"])], None
        check = "mesh" if len(mesh) == len(route.parents) else "other-implementation"
        return [], _stop(check, "; ".join(others))

    def accepted(self, route: Route, ref: BackendRef) -> Row | None:
        """The row by which the kind is read here at all.

        The kind alone selects the object; the group only has to be one of the three.
        """
        known = ref.kind in BACKEND_GROUPS and ref.group in BACKEND_GROUPS.values()
        rows = self.rules.find("accepts", ref.kind, self.site(route, ref)) if known else ()
        return rows[0] if rows else None

    def named(self, route: Route, ref: BackendRef, taken: Row) -> tuple[str, str, str, str]:
        """What is looked up: the object that is named, or the Service that stands for it.

        That is the Service of its name, or the one that is derived from it.
        """
        own = (BACKEND_GROUPS[ref.kind], ref.kind, ref.namespace, ref.name)
        found = self.scope.nearest(route.meta, *own) if taken.choice == "derived" else []
        name = next((each.derived for each in found if each.derived), ref.name)
        return own if taken.choice in ("", "no") else ("", "Service", ref.namespace, name)

    def site(self, route: Route, ref: BackendRef) -> str:
        """Where rules look it up: by the kind of its route, or by its place outside routes.

        To a mesh it is a call to the Service, wherever it comes from, unless a GRPCRoute of its own
        says more.
        """
        if not self.rules.mesh:
            return ref.site or route.meta.kind
        own = any((parent.group, parent.kind) in SERVICES for parent in route.parents)
        return "mesh grpc" if own and route.meta.kind == "GRPCRoute" else "mesh"

    def not_read(self, route: Route, ref: BackendRef) -> Reason:
        """That its kind is not read here."""
        name = f"{ref.group}/{ref.kind}" if ref.group else ref.kind
        reader = f"{self.rules.implementation} {self.rules.release}"
        where = f"{route.meta.kind} {ref.site}".rstrip()
        return _stop(
            "kind-not-read", f"{name} is no backend kind that {reader} is known to read on {where}"
        )

    def not_permitted(self, route: Route, ref: BackendRef, taken: Row) -> Reason | None:
        """That no ReferenceGrant lets it reach another namespace, where one is needed."""
        if taken.choice == "no" or self.scope.permitted(route.meta, *name_of(ref)):
            return None
        who = f"a {route.meta.kind} of {route.meta.namespace}"
        text = f"no ReferenceGrant in {ref.namespace} lets {who} refer to {ref.kind} {ref.name}"
        return _stop("not-permitted", text)

    def against(
        self, route: Route, ref: BackendRef, target: Target, said: list[Reason]
    ) -> Resolution:
        """The reference resolved against one object that may be meant."""
        site = self.site(route, ref)
        refusing = self.rules.find("refuses", ref.kind, site)
        stops = (reason_of(row) for row in refusing if _CONDITIONS[row.choice](target))
        stop = next(stops, None)
        transport = TRANSPORTS.get(site, "TCP")
        ports = _ports(target, ref)
        own = [port for port in ports if port.transport == transport]
        # Envoy Gateway reads the value of the first port with that number, whatever its transport.
        port = (ports if self.rules.by_number else own)[0] if own else None
        if isinstance(target, Service) and not port:
            stop = stop or _no_port(target, ref, transport)
        says = target if isinstance(target, Backend) else port
        facts: dict[str, Any] = {"target": target.meta}
        if says:
            facts |= {"app_protocol": says.app_protocol, "declared_at": says.where}
        if not stop and says and says.rejected:
            stop = _stop("rejected", says.rejected)
        values = values_of(says.app_protocol if says else None)
        tls = self.tls(site, ref, target, port, values)
        if not stop and (row := self.rejected(target, site, values, tls)):
            stop = reason_of(row)
        if not stop and ref.weight == 0:
            stop = _stop("weight-0", "weight 0: nothing is sent there")
        if stop:
            return self.answer(route, ref, [*said, stop], **facts)
        row, force = self.protocol(target, site, values, port)
        row = tls if tls and tls.protocol else row
        rows = dict.fromkeys(filter(None, (row, force, tls)))
        facts |= {"protocol": row.protocol, "force_http1": bool(force), "tls": bool(tls)}
        return self.answer(route, ref, [*said, *map(reason_of, rows)], sent=True, **facts)

    def rejected(
        self, target: Target, site: str, values: tuple[str, ...], tls: Row | None
    ) -> Row | None:
        """The row that turns the reference away for what its port declares."""
        backend = target.meta.kind
        known = any(self.rules.value("values", backend, site, value) for value in values)
        for row in self.rules.find("rejects", backend, site):
            hit = any(map(row.names, values)) if row.values else bool(values) and not known
            if hit and not (row.choice and tls and tls.choice == row.choice):
                return row
        return None

    def protocol(
        self, target: Target, site: str, values: tuple[str, ...], port: ServicePort | None
    ) -> tuple[Row, Row | None]:
        """The row that gives the protocol, and the row that forces HTTP/1.1."""
        backend = target.meta.kind
        recognised, forced = (
            [row for value in values if (row := self.rules.value(section, backend, site, value))]
            for section in ("values", "forces")
        )
        force = forced[0] if forced else None
        for row in self.rules.find("fixed", backend, site):
            if not row.choice or _CONDITIONS[row.choice](target):
                return row, force
        if not recognised:
            name, number = (port.name, str(port.number)) if port else ("", "")
            named = None if values else self.rules.value("names", backend, site, name)
            hint = named or self.rules.value("numbers", backend, site, number)
            unknown = self.rules.find("unknown", backend, site) if values else ()
            return hint or (*unknown, *self.rules.find("defaults", backend, site))[0], force
        pick = self.rules.find("lists", backend, site)
        return recognised[-1 if pick and pick[0].choice == "last" else 0], force

    def tls(
        self,
        site: str,
        ref: BackendRef,
        target: Target,
        port: ServicePort | None,
        values: tuple[str, ...],
    ) -> Row | None:
        """The row by which the backend is spoken to over TLS."""
        name, number = (port.name, str(port.number)) if port else ("", "")
        hints = {"value": values} if values else {"name": (name,), "number": (number,)}
        for row in self.rules.find("tls", ref.kind, site):
            if row.choice == "BackendTLSPolicy":
                section = name if row.section_name == "name" else str(ref.port or "")
                if self.scope.has_tls_policy(target, section):
                    return row
            elif any(map(row.names, hints.get(row.choice, ()))) or (
                getattr(target, "tls", False) and row.choice in ("Backend", target.type)
            ):
                return row
        return None


def _ports(target: Target, ref: BackendRef) -> list[ServicePort]:
    """The ports of a Service with the reference's number."""
    if isinstance(target, Backend) or ref.port is None:
        return []
    return [port for port in target.ports if port.number == ref.port]


def _no_port(service: Service, ref: BackendRef, transport: str) -> Reason:
    if ref.port is None:
        return _stop("no-port", f"the reference to {ref.kind} {ref.name} names no port")
    known = ", ".join(f"{port.transport} {port.number}" for port in service.ports) or "no ports"
    where = f"{ref.kind} {ref.namespace}/{ref.name}"
    return _stop("no-port", f"{transport} port {ref.port} not found on {where}; it has {known}")


# Each is asked of the backend kinds that its row names.
_CONDITIONS: dict[str, Callable[[Target], bool]] = {
    "externalName": lambda target: target.type == "ExternalName",
    "unixSocket": lambda target: "UDS" in getattr(target, "addresses", ()),
    "dynamicResolver": lambda target: target.type == "DynamicResolver",
    "dynamicResolverWithAppProtocols": lambda target: (
        target.type == "DynamicResolver" and bool(getattr(target, "app_protocol", None))
    ),
}


def _stop(check: str, text: str) -> Reason:
    return Reason(check, text, CHECKS[check])


def _what_matters(answer: Resolution) -> tuple[Any, ...]:
    return (answer.app_protocol, answer.protocol, answer.force_http1, answer.tls, answer.outcome)


def _place(answer: Resolution) -> Position:
    return answer.declared_at or (answer.target or answer.ref).position
