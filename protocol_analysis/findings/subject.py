"""What checks look at: one cluster's manifests as its reader has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache, cached_property
from importlib import resources
from typing import Any

from protocol_analysis.attaching import Attaching, Attachment
from protocol_analysis.coverage import Coverage, coverage
from protocol_analysis.evidence import Evidence, evidence
from protocol_analysis.findings.finding import Found
from protocol_analysis.findings.meshed import Meshed
from protocol_analysis.model import (
    Inventory,
    Meta,
    ObjectRef,
    Route,
    Service,
    ServicePort,
    name_of,
    values_of,
)
from protocol_analysis.policies import Gateway, GatewayClass, ListenerSet, RouteMatch
from protocol_analysis.portability import meanings
from protocol_analysis.readers import Reader, all_readers, base_of, gateway_of, reader_of
from protocol_analysis.readings import resolve, who
from protocol_analysis.resolution import Resolution
from protocol_analysis.resolver import SERVICES
from protocol_analysis.rows import Rules
from protocol_analysis.scope import Scope
from protocol_analysis.sheets import rows_of
from protocol_analysis.speaking import rules_of

PortKey = tuple[Meta, int | None]
# A service with its package, and perhaps a method: /shop.v1.Orders/List. The package is in lower
# case; a service in capitals needs its method, since it may be the ending of a file.
_PACKAGE = r"/(?:[a-z_][a-z0-9_]*\.)+"
_METHOD = r"/(?:\w*|\.[*+])"  # or any of them, as a regular expression
_GRPC_PATH = re.compile(_PACKAGE + rf"(?:[A-Z]\w*[a-z]\w*(?:{_METHOD})?|[A-Z]\w*/\w+)")
_GRPC_TYPE = re.compile(r"application/grpc(?!-web)")


class Subject:
    """One cluster's manifests, resolved; everything is looked up once."""

    def __init__(
        self,
        inventory: Inventory,
        implementation: str = "envoy-gateway",
        release: str | None = None,
        meshes: Sequence[Reader | str] = (),
    ) -> None:
        self.inventory = with_known_classes(inventory)
        self.reader = reader_of(implementation, release)
        self._declared = all_readers(meshes, mesh=True)
        self.meshed = Meshed(self.inventory, self.reader, self._declared)
        self._found: dict[Check, tuple[Found, ...]] = {}

    def found(self, check: Check) -> tuple[Found, ...]:
        """What a check finds here, which is looked for once."""
        if check not in self._found:
            self._found[check] = tuple(map(self.meshed.assuming, check(self)))
        return self._found[check]

    @property
    def meshes(self) -> tuple[Reader, ...]:
        """The meshes that read some of it: that are declared, and that marks tell of."""
        return (*self._declared, *self.meshed.readers)

    @cached_property
    def answers(self) -> list[Resolution]:
        """Every backend reference, read by its own implementation."""
        found = self._resolved(self._declared)
        # Inside a mesh the first that is declared reads; else one that marks tell of.
        if not self._declared and any(answer.outcome == "mesh" for answer in found):
            for by in self.meshed.readers:
                found = [
                    theirs if ours.outcome == "mesh" and self._is_inside(by, ours.route) else ours
                    for ours, theirs in zip(found, self._resolved((by,)), strict=True)
                ]
        return found

    def _resolved(self, meshes: Sequence[Reader]) -> list[Resolution]:
        return resolve(self.inventory, self.reader.implementation, self.reader.release, meshes)

    def _is_inside(self, by: Reader, route: Meta) -> bool:
        """Whether marks tell that a mesh reads a Service that is a parent of a route."""
        parents = (p for p in self.routes[route].parents if (p.group, p.kind) in SERVICES)
        found = (each for p in parents for each in self.scope.nearest(route, *name_of(p)))
        return any(self.meshed.read(by, each.meta) for each in found)

    @cached_property
    def ports(self) -> list[Coverage]:
        """Every backend port, as the chosen implementation reads it."""
        reader = self.reader
        rows = coverage(self.inventory, reader.implementation, reader.release, self.meshes)
        if not self.meshed.readers:
            return rows
        # A mesh that marks tell of reads the Services that are marked, and no other.
        return [
            replace(
                row,
                readings=tuple(r for r in row.readings if self.meshed.read(who(r), row.meta)),
            )
            for row in rows
        ]

    @cached_property
    def scope(self) -> Scope:
        """Who is meant by a name."""
        return Scope(self.inventory)

    @cached_property
    def routes(self) -> dict[Meta, Route]:
        """Routes, and what else refers to backends, by what they are."""
        return {route.meta: route for route in self.inventory.referring}

    @cached_property
    def leading(self) -> dict[PortKey, list[Resolution]]:
        """The references that mean a port, forwarded or mirrored; a Backend has no port."""
        found: dict[PortKey, list[Resolution]] = {}
        for answer in self.answers:
            if key := port_key(answer):
                found.setdefault(key, []).append(answer)
        return found

    @cached_property
    def clues(self) -> dict[PortKey, tuple[Evidence, ...]]:
        """What hints at the protocol that a port's workload serves."""
        return {
            (service.meta, port.number): found
            for service, port, found in evidence(self.inventory)
            if found
        }

    @cached_property
    def port_names(self) -> dict[PortKey, str]:
        """The names of ports."""
        return {(row.meta, row.port): row.port_name for row in self.ports if row.port_name}

    @cached_property
    def attaching(self) -> Attaching:
        """Where routes hang, and the policies that reach them, of which wire rules tell."""
        rules, wires = rules_of(self.reader)
        return Attaching(self.inventory, self.scope, wires or rules)

    @cached_property
    def with_tls(self) -> frozenset[Meta]:
        """The Backends that set TLS themselves."""
        return frozenset(backend.meta for backend in self.inventory.backends if backend.tls)

    def has_tls_policy(self, answer: Resolution) -> bool:
        """Whether a BackendTLSPolicy targets the port of a reference, whoever looks at it."""
        if not answer.target or not self.inventory.tls_policies:
            return False
        named = self.scope.nearest(answer.route, *name_of(answer.target))
        section = self.port_names.get((answer.target, answer.ref.port), "")
        return any(self.scope.has_tls_policy(target, section) for target in named)

    def recognises(self, answer: Resolution) -> bool:
        """Whether the reader of a reference has a row for what its backend declares."""
        rules = self.rules(answer)
        return any(
            rules.value(section, answer.ref.kind, answer.site, value)
            for value in values_of(answer.app_protocol)
            for section in ("values", "forces")
        )

    def rules(self, answer: Resolution) -> Rules:
        """The rules by which an answer was found."""
        return rules_of(who(answer))[0]

    def refuses(self, answer: Resolution) -> bool:
        """Whether a reader turned a reference away for what its port declares."""
        rejects = {row.id for row in self.rules(answer).rows if row.section == "rejects"}
        return not answer.sent and answer.deciding.row in rejects

    def leads(self, row: Coverage) -> list[Resolution]:
        """The references that mean the port of a row."""
        return self.leading.get((row.meta, row.port), [])

    def reads(self, row: Coverage) -> bool:
        """Whether the chosen implementation reads a port: no route of others alone leads there."""
        leads = self.leads(row)
        return not leads or any(who(answer) == self.reader for answer in leads)

    def rule_groups(self) -> Iterator[list[Resolution]]:
        """The references of each route rule that share an Envoy cluster: forwards; each mirror."""
        groups: dict[Any, list[Resolution]] = {}
        for answer in self.answers:
            ref = answer.ref
            mirror = ref.backend if ref.role == "mirror" else -1
            groups.setdefault((answer.route, ref.rule, ref.role, mirror), []).append(answer)
        yield from groups.values()

    def declared(self) -> Iterator[tuple[Service, ServicePort]]:
        """Every port of a Service or ServiceImport that declares a value."""
        for service in (*self.inventory.services, *self.inventory.service_imports):
            for port in service.ports:
                if port.app_protocol is not None:
                    yield service, port

    def is_envoy_gateway(self, answer: Resolution) -> bool:
        """Whether Envoy Gateway read it, as it is or as a proposal would have it."""
        return base_of(answer.implementation) == "envoy-gateway"

    def places(self, route: Route) -> list[Attachment]:
        """Where a route hangs, or nowhere that is known."""
        return self.attaching.places(route) or [Attachment()]

    def readers_of(self, holder: Gateway | ListenerSet) -> list[Reader]:
        """Who reads a Gateway: the one that is asked where nobody says whose it is."""
        meta = holder.meta
        me = ObjectRef(group=meta.group, kind=meta.kind, namespace=meta.namespace, name=meta.name)
        controllers, _ = self.scope.controllers(meta, me)
        if not controllers or controllers & set(rules_of(self.reader)[0].controllers):
            return [self.reader]
        return list(filter(None, map(gateway_of, sorted(controllers))))

    def matches(self, answer: Resolution) -> list[RouteMatch]:
        """What the rule of a reference matches; nothing where it takes all."""
        of_route = self.routes[answer.route].matches
        return [match for match in of_route if match.rule == answer.ref.rule]

    def is_for_grpc(self, answer: Resolution) -> bool:
        """Whether only gRPC comes by a reference: each match of its rule is for gRPC."""
        matches = self.matches(answer)
        return bool(matches) and all(map(grpc_asked, matches))


Check = Callable[[Subject], Iterator[Found]]


def grpc_asked(match: RouteMatch) -> str:
    """What a rule matches, if gRPC: a service or method by its path, or its content type.

    >>> grpc_asked(RouteMatch(rule=0, path="/shop.v1.Orders/List"))
    '/shop.v1.Orders/List'
    """
    types = [value for name, value in match.headers if name == "content-type"]
    if types:  # gRPC-Web and Connect have the same paths, and live over HTTP/1.1
        return f"content-type {types[0]}" if _GRPC_TYPE.match(types[0]) else ""
    path = match.path
    if match.way == "RegularExpression":
        path = path.removeprefix("^").removesuffix("$").replace(r"\.", ".")
    return match.path if _GRPC_PATH.fullmatch(path) else ""


def with_known_classes(inventory: Inventory) -> Inventory:
    """The manifests with the GatewayClasses that controllers make themselves, where one is named.

    They are seldom in a repository, and say whose the Gateway is: `classes.yaml`, each with its
    source.

    >>> with_known_classes(Inventory()).gateway_classes
    ()
    """
    there = {(c.meta.world, c.meta.name) for c in inventory.gateway_classes}
    made = {
        (gateway.meta.world, gateway.class_name): GatewayClass(
            meta=replace(gateway.meta, kind="GatewayClass", namespace="", name=gateway.class_name),
            controller=controller,
        )
        for gateway in inventory.gateways
        if (gateway.meta.world, gateway.class_name) not in there
        for pattern, controller in _classes()
        if fnmatchcase(gateway.class_name, pattern)
    }
    classes = (*inventory.gateway_classes, *made.values())
    return replace(inventory, gateway_classes=classes) if made else inventory


@cache
def _classes() -> list[tuple[str, str]]:
    file = resources.files("protocol_analysis") / "findings" / "classes.yaml"
    keys = {"class", "controller", "text", "source"}
    rows = rows_of(file.read_text(encoding="utf-8"), f"findings/{file.name}", keys)
    return [(row["class"], row["controller"]) for row in rows]


def port_key(answer: Resolution) -> PortKey | None:
    """The port that a reference means; a Backend has no port."""
    if not answer.target:
        return None
    return answer.target, answer.ref.port if answer.target.kind != "Backend" else None


def backend_key(answer: Resolution) -> str:
    """The backend of a reference by its names, for what tells findings apart."""
    ref = answer.ref
    return f"{ref.kind} {ref.namespace}/{ref.name}:{ref.port}"


def is_standard(value: object) -> bool:
    """Whether a value is one of those that Kubernetes has itself.

    >>> is_standard("kubernetes.io/h2c"), is_standard("kubernetes.io/grpc"), is_standard(None)
    (True, False, False)
    """
    return isinstance(value, str) and value.startswith("kubernetes.io/") and value in meanings()


def port_name(answer: Resolution) -> str:
    """What a reference means, for people: `Service shop/cart:80`."""
    ref = answer.ref
    number = "" if ref.port is None else f":{ref.port}"
    return f"{ref.kind} {ref.namespace}/{ref.name}{number}"
