"""What each cluster's gateway speaks to an exported port: on its Service, and on its import. Pure.

A port is resolved as the only backend of an HTTPRoute rule, so that clusters compare whatever
routes they happen to have; with the BackendTLSPolicies of its cluster, and without any. With
another value, or by another release, it is resolved in the same way: nothing is assumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from protocol_analysis.model import MCS, BackendRef, Inventory, Meta, Service, ServicePort
from protocol_analysis.multicluster.exporting import Port, key_of
from protocol_analysis.readers import Reader
from protocol_analysis.reading import Cluster
from protocol_analysis.readings import ITS_SERVICE, alone, resolve, word_of
from protocol_analysis.resolution import Resolution
from protocol_analysis.scope import Scope
from protocol_analysis.speaking import rules_of

AS_DECLARED = "\0"  # no manifest can hold it


@dataclass(slots=True, kw_only=True)
class Ear:
    """One cluster, asked what is spoken to its ports; answers are kept, since many ask the same."""

    cluster: Cluster
    _around: dict[tuple[str, str], Inventory] = field(default_factory=dict)
    _heard: dict[tuple[object, ...], Resolution] = field(default_factory=dict)
    _references: dict[tuple[Meta, int | None], list[Resolution]] | None = None
    _wanted: dict[tuple[str, str], list[BackendRef]] | None = None
    _spaces: frozenset[str] | None = None

    @property
    def reader(self) -> Reader:
        """Who reads there."""
        return Reader(implementation=self.cluster.implementation, release=self.cluster.release)

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
        by: Reader | None = None,
        kind: str = "",
        policies: bool = True,
        route: str = "HTTPRoute",
    ) -> Resolution:
        """What is spoken to a port: with another value, by another reader, on another kind.

        `kind`: as if the port stood on a `Service` or a `ServiceImport`. Without `policies`, no
        BackendTLSPolicy counts.
        """
        reader = by or self.reader
        key = (service.meta, key_of(port), value, reader, kind, policies, route)
        if key not in self._heard:
            target = service if value == AS_DECLARED else with_port(service, key_of(port), value)
            if kind:
                group = MCS if kind == "ServiceImport" else ""
                target = replace(target, meta=replace(target.meta, group=group, kind=kind))
            scope = Scope(self._near(target, service.meta, policies=policies))
            at = service.ports.index(port)
            found = alone(scope, *rules_of(reader), target, target.ports[at], route)
            if found.deciding.row == ITS_SERVICE and not kind:
                # The Service that stands for the import is not at hand; controllers copy the value.
                found = self.hear(
                    service, port, value, by=by, kind="Service", policies=policies, route=route
                )
            self._heard[key] = found
        return self._heard[key]

    def word(self, service: Service, port: ServicePort) -> str:
        """The same as declared, in a word."""
        return word_of(self.hear(service, port))

    def references(self, service: Service, port: Port) -> list[Resolution]:
        """The backend references of this cluster that mean a port, each with what it is spoken."""
        if self._references is None:
            own = self.cluster
            self._references = {}
            for answer in resolve(own.inventory, own.implementation, own.release):
                if answer.target and answer.sent:
                    key = (answer.target, answer.ref.port)
                    self._references.setdefault(key, []).append(answer)
        return self._references.get((service.meta, port[0]), [])

    def wants(self, namespace: str, name: str) -> list[BackendRef]:
        """The backend references of this cluster that name a ServiceImport, there or not."""
        if self._wanted is None:
            self._wanted = {}
            for route in self.cluster.inventory.referring:
                for ref in route.refs:
                    if ref.kind == "ServiceImport" and route.meta.world == (
                        self.cluster.name or ""
                    ):
                        self._wanted.setdefault((ref.namespace, ref.name), []).append(ref)
        return self._wanted.get((namespace, name), [])

    def _near(self, target: Service, original: Meta, *, policies: bool) -> Inventory:
        """The namesakes of a port's object, with it in the place of the original."""
        whole, named = self.cluster.inventory, (original.namespace, original.name)
        if named not in self._around:
            self._around[named] = Inventory(
                services=tuple(
                    s for s in whole.services if (s.meta.namespace, s.meta.name) == named
                ),
                tls_policies=tuple(
                    policy
                    for policy in whole.tls_policies
                    if any(wanted.name == original.name for wanted in policy.targets)
                ),
                grants=whole.grants,
            )
        around = self._around[named]
        services = [s for s in around.services if s.meta not in (original, target.meta)]
        if target.meta.kind == "Service":
            services.append(target)
        imports = (target,) if target.meta.kind == "ServiceImport" else ()
        return replace(
            around,
            services=tuple(services),
            service_imports=imports,
            tls_policies=around.tls_policies if policies else (),
        )


def ears(clusters: Sequence[Cluster]) -> dict[str, Ear]:
    """An ear in each cluster, by its name."""
    return {cluster.name or "": Ear(cluster=cluster) for cluster in clusters}


def with_port(service: Service, wanted: Port, value: str | None) -> Service:
    """A Service or ServiceImport with another value on one port.

    >>> from protocol_analysis.manifests import load
    >>> service = load("data/sample/east/imports.yaml").service_imports[0]
    >>> with_port(service, (8080, "TCP"), "grpc").ports[0].app_protocol
    'grpc'
    """
    ports = [
        replace(p, app_protocol=value, rejected="") if key_of(p) == wanted else p
        for p in service.ports
    ]
    return replace(service, ports=tuple(ports))
