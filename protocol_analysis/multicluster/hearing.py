"""What each cluster's gateway speaks to an exported port: on its Service, and on its import. Pure.

A port is resolved as the only backend of an HTTPRoute rule, or of a UDPRoute's, so that clusters
compare whatever routes they happen to have; with the BackendTLSPolicies of its cluster, and without
any, and by the CRDs that it serves. With another value, or by another release, it is resolved in
the same way: nothing is assumed. Where a ServiceImport stands for a derived Service that is at
hand, that follows the value as its controller makes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from protocol_analysis.attaching import Attaching
from protocol_analysis.model import (
    BACKEND_GROUPS,
    GATEWAY_API,
    MCS,
    Inventory,
    Meta,
    Service,
    ServicePort,
)
from protocol_analysis.multicluster.controllers import KEP, Controller, controller_of
from protocol_analysis.multicluster.exporting import Name, Port, key_of, with_name, with_ports
from protocol_analysis.policies import Definition
from protocol_analysis.readers import Reader
from protocol_analysis.reading import Cluster
from protocol_analysis.readings import ITS_DERIVED, STANDS, alone, resolve, who, word_of
from protocol_analysis.resolution import Reason, Resolution
from protocol_analysis.resolver import CHECKS, TRANSPORTS
from protocol_analysis.rows import Rules
from protocol_analysis.scope import Scope
from protocol_analysis.speaking import passed_over, rules_of
from protocol_analysis.wiring import definitions_of, seen, unserved

# Outcomes of references by which nothing would be sent, were their object at hand and right.
_SILENT = ("not-permitted", "not-watched", "weight-0")
# Outcomes other than that a gateway refuses the very port for what it says.
_NOT_REFUSED = (*_SILENT, *CHECKS, "no-listener")
AS_DECLARED = "\0"  # no manifest can hold it
Values = tuple[tuple[Port, str | None], ...]  # of one object, by port
Written = tuple[tuple[Meta, Port, str | None], ...]  # on several objects
_Led = tuple[object, int, str]  # an object or the name of one, a number, a transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a port is referred to: by which kind of route, and where, one of `rows.SITES`.

    `by` reads it, where that is another gateway of the cluster than its own.

    >>> str(Way()), str(Way(route="GRPCRoute", site="mirror"))
    ('HTTPRoute', 'GRPCRoute mirror')
    """

    route: str = "HTTPRoute"
    site: str = ""
    by: Reader | None = None

    def __str__(self) -> str:
        return " ".join(filter(None, (self.route, self.site, f"of {self.by}" if self.by else "")))


_UDP = Way(route="UDPRoute")


def plain(port: ServicePort) -> Way:
    """How every side is compared, whatever leads there: by the kind of route that can.

    >>> from protocol_analysis.model import Position
    >>> from protocol_analysis.model import Position
    >>> here = Position(file="a.yaml", document=1, line=1, column=1)
    >>> str(plain(ServicePort(number=53, transport="UDP", position=here)))
    'UDPRoute'
    """
    return _UDP if port.transport == "UDP" else Way()


@dataclass(slots=True, kw_only=True)
class Ear:
    """One cluster, asked what is spoken to its ports; answers are kept, since many ask the same."""

    cluster: Cluster
    controller: Controller = field(default_factory=lambda: controller_of(KEP))
    _around: dict[tuple[str, ...], Inventory] = field(default_factory=dict)
    _heard: dict[tuple[object, ...], Resolution] = field(default_factory=dict)
    _numbered: dict[Meta, dict[int | None, tuple[ServicePort, ...]]] = field(default_factory=dict)
    _rules: dict[Reader, tuple[Rules, Rules | None]] = field(default_factory=dict)
    _readers: dict[str, Reader] = field(default_factory=dict)
    _references: dict[_Led, list[Resolution]] | None = None
    _naming: dict[_Led, list[Resolution]] | None = None
    _wanted: dict[Name, dict[Port, list[Resolution]]] | None = None
    _definitions: dict[tuple[str, str, str], list[Definition]] | None = None
    _untaken: frozenset[Meta] = frozenset()
    _spaces: frozenset[str] | None = None

    @property
    def reader(self) -> Reader:
        """Who reads there."""
        return self.cluster.own

    @property
    def namespaces(self) -> frozenset[str]:
        """The namespaces that the cluster has, as far as its manifests show."""
        if self._spaces is None:
            whole = self.cluster.inventory
            named = (other.meta for other in whole.others if other.meta.kind == "Namespace")
            kinds = (whole.services, whole.service_imports, whole.routes)
            found = {each.meta.namespace for objects in kinds for each in objects}
            self._spaces = frozenset({*found, *(meta.name for meta in named)})
        return self._spaces

    def hear(
        self,
        service: Service,
        port: ServicePort,
        value: str | None = AS_DECLARED,
        *,
        way: Way | None = None,
        by: Reader | None = None,
        kind: str = "",
        name: str | None = None,
        policies: bool = True,
        written: Written = (),
    ) -> Resolution:
        """What is spoken to a port: with another value, by another reader, on another kind.

        `by` reads instead of the cluster's own, `kind` is as if the port stood on a `Service` or a
        `ServiceImport`, and `name` is another name of it and of what stands for it. Without
        `policies`, no BackendTLSPolicy counts. `written` are other values nearby: of its number, or
        of what stands for the object.
        """
        way = way or plain(port)
        reader = way.by or by or self.reader
        if value == port.app_protocol and not port.rejected and not service.derived:
            value = AS_DECLARED
        if name == port.name and not self.namesakes(service):
            name = None  # nothing stands for it that could have another
        key = (service.meta, key_of(port), value, reader, kind, name, policies, way, written)
        if key in self._heard:
            return self._heard[key]
        own = tuple((at, said) for meta, at, said in written if meta == service.meta)
        values = (*own, *([(key_of(port), value)] if value != AS_DECLARED else ()))
        target = with_name(with_ports(self._narrow(service, port), values), key_of(port), name)
        if kind:
            group = MCS if kind == "ServiceImport" else ""
            target = replace(target, meta=replace(target.meta, group=group, kind=kind))
        near = self._near(target, service, port, values, written, policies=policies)
        if name is not None:
            others = tuple(with_name(each, key_of(port), name) for each in near.services)
            near = replace(near, services=others)
        mine = next(each for each in target.ports if key_of(each) == key_of(port))
        if reader not in self._rules:
            self._rules[reader] = rules_of(reader)
        rules, wires = self._rules[reader]
        if near.definitions and wires:
            near, _ = seen(near, wires)
        found = alone(Scope(near), rules, wires, target, mine, way.route, site=way.site)
        if found.deciding.row == ITS_DERIVED and not kind and self.controller.derived != "none":
            # Its controller derives it, and it is as that does.
            found = self.hear(
                *(service, port, self.controller.carries(value, "derived")),
                way=way,
                by=by,
                kind="Service",
                name=name,
                policies=policies,
                written=tuple((service.meta, *each) for each in self._carried(own)),
            )
        if near.definitions and wires and found.sent:
            route = replace(target.meta, group=GATEWAY_API, kind=way.route)
            missing = self._unserved(target.meta, wires) or self._unserved(route, wires)
            found = passed_over(found, missing) if missing else found
        self._heard[key] = found
        return found

    def word(self, service: Service, port: ServicePort, value: str | None = AS_DECLARED) -> str:
        """The same in a word."""
        return word_of(self.hear(service, port, value))

    def references(self, service: Service, port: Port) -> list[Resolution]:
        """The backend references of this cluster that mean a port, each with what it is spoken."""
        if self._references is None:
            self._listen()
        return (self._references or {}).get((service.meta, *port), [])

    def leading(self, service: Service, port: ServicePort) -> list[Resolution]:
        """The references that send requests to a port or name it: those too that are refused.

        What stands for an object of another kind that is not at hand is heard as that would be.
        """
        meta, key = service.meta, key_of(port)
        found = [answer for answer in self.references(service, key) if self._sends(answer)]
        named = (meta.group, meta.kind, meta.namespace, meta.name)
        for answer in filter(self._sends, (self._naming or {}).get((named, *key), [])):
            if answer.outcome != "no-object":
                found = [*found, answer]
                continue
            heard = self.hear(service, port, way=self.way(answer))
            if heard.sent or heard.deciding.row in STANDS:
                found = [*found, replace(heard, route=answer.route, ref=answer.ref)]
        return found

    def way(self, answer: Resolution) -> Way:
        """How a reference leads, as it would in this cluster: by its own reader, here or there."""
        mine = answer.route.world == (self.cluster.name or "")
        by, own = who(answer), self.reader
        other = (by.implementation, by.release) != (own.implementation, own.release)
        reader = by if mine and other else None
        return Way(route=answer.route.kind, site=answer.ref.site, by=reader)

    def here(self, way: Way) -> Way:
        """A way of another cluster in this one: by a gateway of that implementation, if it has one.

        Else by the cluster's own.
        """
        if way.by is None:
            return way
        if self._references is None:
            self._listen()
        return replace(way, by=self._readers.get(way.by.implementation))

    def ways(self, service: Service, port: ServicePort) -> list[Way]:
        """How the references lead that send requests to a port, each way once."""
        return list(dict.fromkeys(map(self.way, self.leading(service, port))))

    def wants(self, name: Name) -> dict[Port, list[Resolution]]:
        """The backend references of this cluster that name a ServiceImport, there or not."""
        return self.wanted.get(name, {})

    def called(self, name: Name, port: Port) -> list[Resolution]:
        """Those of them to one port by which requests are sent."""
        return [answer for answer in self.wants(name).get(port, ()) if self._sends(answer)]

    @property
    def wanted(self) -> dict[Name, dict[Port, list[Resolution]]]:
        """The references to every ServiceImport that is named."""
        if self._wanted is None:
            self._listen()
        return self._wanted or {}

    def _sends(self, answer: Resolution) -> bool:
        """Whether requests are sent by a reference: by its weight, its grant, its listener."""
        if answer.ref.weight == 0 or answer.outcome in _SILENT:
            return False
        return not answer.has_reason("no-listener") and answer.route not in self._untaken

    def _listen(self) -> None:
        """Every reference, by the port that it means; the others by the port that they name."""
        own, here = self.cluster, self.cluster.name or ""
        self._references, self._naming, self._wanted = {}, {}, {}
        self._untaken = self._without_listener()
        for answer in resolve(own.inventory, own.implementation, own.release):
            ref, target = answer.ref, answer.target
            port = (ref.port or 0, TRANSPORTS.get(answer.route.kind, "TCP"))
            # The kind alone selects the object, but for a group of somebody else's.
            known = ref.kind in BACKEND_GROUPS and ref.group in BACKEND_GROUPS.values()
            group = BACKEND_GROUPS[ref.kind] if known else ref.group
            if ref.kind == "ServiceImport" and answer.route.world == here:
                ports = self._wanted.setdefault((ref.namespace, ref.name, group), {})
                ports.setdefault(port, []).append(answer)
            if (by := who(answer)).implementation != own.implementation:
                self._readers[by.implementation] = by
            stands = (
                target and target.kind != ref.kind and (answer.sent or answer.outcome == "no-port")
            )
            missing = answer.outcome in ("no-object", "kind-not-read")
            named = stands or missing or self._unserved(answer.target)
            refused = not (named or answer.sent or answer.outcome in _NOT_REFUSED)
            if target and (answer.sent or refused):
                self._references.setdefault((target, *port), []).append(answer)
            if named:
                name = (group, ref.kind, ref.namespace, ref.name)
                self._naming.setdefault((name, *port), []).append(answer)

    def _without_listener(self) -> frozenset[Meta]:
        """The routes that no listener of their Gateways takes, whatever they refer to."""
        whole, (_, wires) = self.cluster.inventory, rules_of(self.reader)
        if wires is None:
            return frozenset()
        attaching = Attaching(whole, Scope(whole), wires)
        return frozenset(route.meta for route in whole.routes if attaching.untaken(route))

    def numbered(self, service: Service, port: ServicePort) -> tuple[ServicePort, ...]:
        """The ports of an object with the number of one: a gateway may read the first of them."""
        if service.meta not in self._numbered:
            found: dict[int | None, list[ServicePort]] = {}
            for each in service.ports:
                found.setdefault(each.number, []).append(each)
            self._numbered[service.meta] = {n: tuple(ports) for n, ports in found.items()}
        return self._numbered[service.meta].get(port.number, ())

    def near(self, service: Service, port: ServicePort) -> list[tuple[Meta, Port]]:
        """Whose values may be heard for a port: those of its number, and of its namesakes."""
        return [
            (each.meta, key_of(own))
            for each in (service, *self.namesakes(service))
            for own in self.numbered(each, port)
        ]

    def namesakes(self, service: Service) -> list[Service]:
        """The Services of its cluster that may be read for an import."""
        if service.meta.kind != "ServiceImport":
            return []
        return [s for s in self._around_it(service).services if s.meta != service.meta]

    def _narrow(self, service: Service, port: ServicePort) -> Service:
        """A Service or ServiceImport with its ports of one number: others bear on nothing."""
        ports = self.numbered(service, port)
        return service if len(ports) == len(service.ports) else replace(service, ports=ports)

    def _near(
        self,
        target: Service,
        original: Service,
        port: ServicePort,
        values: Values,
        written: Written,
        *,
        policies: bool,
    ) -> Inventory:
        """The namesakes of a port's object, with it in the place of the original."""
        around = self._around_it(original)
        services = [s for s in around.services if s.meta not in (original.meta, target.meta)]
        if original.derived:
            services = [self._following(s, original, port, values) for s in services]
        services = [
            with_ports(s, [(at, said) for meta, at, said in written if meta == s.meta])
            for s in services
        ]
        if target.meta.kind == "Service":
            services.append(target)
        imports = (target,) if target.meta.kind == "ServiceImport" else ()
        return replace(
            around,
            services=tuple(services),
            service_imports=imports,
            tls_policies=around.tls_policies if policies else (),
        )

    def _around_it(self, service: Service) -> Inventory:
        """The Services of its name, or that stand for it, and what says something of them."""
        whole, space = self.cluster.inventory, service.meta.namespace
        names = (service.meta.name, *filter(None, [service.derived]))
        if (space, *names) not in self._around:
            self._around[space, *names] = Inventory(
                services=tuple(
                    s for s in whole.services if s.meta.namespace == space and s.meta.name in names
                ),
                tls_policies=tuple(
                    policy
                    for policy in whole.tls_policies
                    if any(wanted.name in names for wanted in policy.targets)
                ),
                grants=whole.grants,
                definitions=whole.definitions,
            )
        return self._around[space, *names]

    def _unserved(self, meta: Meta | None, wires: Rules | None = None) -> Reason | None:
        """Why an object is not seen at all: its CRD here serves another version than is watched."""
        wires = wires or rules_of(self.reader)[1]
        if meta is None or wires is None or not self.cluster.inventory.definitions:
            return None
        if self._definitions is None:
            self._definitions = definitions_of(self.cluster.inventory)
        own = self._definitions.get((meta.world, meta.group, meta.kind), [])
        return unserved(meta, own, wires)

    def _following(
        self, service: Service, of: Service, port: ServicePort, values: Values
    ) -> Service:
        """The Service that is derived from an import, after the import's values."""
        if service.meta.name != of.derived:
            return service
        return with_ports(self._narrow(service, port), self._carried(values))

    def _carried(self, values: Values) -> Values:
        """What the Service that is derived from an import has of its values."""
        return tuple((key, self.controller.carries(value, "derived")) for key, value in values)


def ears(clusters: Sequence[Cluster], controller: Controller | None = None) -> dict[str, Ear]:
    """An ear in each cluster, by its name; the controller derives Services from imports."""
    by = controller or controller_of(KEP)
    return {cluster.name or "": Ear(cluster=cluster, controller=by) for cluster in clusters}
