"""A seeded fleet of clusters with exported services; `fleet_faults` puts faults into it.

Without a fault nothing is to be reported: exporters agree, imports are as the oldest export has
them, and the two older gateways meet nothing that they read otherwise. Routes lead to imports, so
that each fault is told with how bad it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from protocol_analysis.model import MCS, Inventory, Meta, Other, Position, Service, ServicePort
from protocol_analysis.reading import Cluster

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Fault = tuple[str, str, str, int, str]  # kind, cluster, name, port, severity
H2C, WS = "kubernetes.io/h2c", "kubernetes.io/ws"
VALUES = (None, H2C, WS, "http", "acme.example/own")
NEW, DEAD, OLD = "v1.9.0", "v1.8.3", "v1.0.2"  # OLD exports only: it does not read imports
FOREIGN = "contour:main"  # reads no imports either, and has one only where that is the fault
GATEWAY = "gateway.networking.k8s.io/v1"


@dataclass
class Named:
    """One exported name as it should be: ports, exporters oldest first, importers, their routes."""

    name: str
    ports: list[dict[str, Any]]
    exporters: list[str]
    importers: list[str]
    created: dict[str, str]
    routes: dict[str, str]


@dataclass
class Fleet:
    """Clusters as lists of objects, and what was done to them."""

    clusters: dict[str, list[dict[str, Any]]]
    readers: dict[str, str]
    faults: set[Fault] = field(default_factory=set)
    late: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def of(self, reader: str) -> str:
        """The last cluster that is read so."""
        return [name for name, by in self.readers.items() if by.endswith(reader)][-1]

    def write(self, folder: Path) -> dict[str, str]:
        """The manifests as files; MANIFESTS as a notebook's parameter has it."""
        for name, items in self.clusters.items():
            (folder / name).mkdir(parents=True)
            text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
            (folder / name / "all.json").write_text(text, encoding="utf-8")
        return {name: f"{folder / name}@{by}" for name, by in self.readers.items()}


Objects = dict[tuple[str, str, str], dict[str, Any]]  # cluster, kind, name


def a_name(dice: random.Random, name: str, clusters: list[str]) -> Named:
    """A name of a fleet, without a fault."""
    usual, behind = clusters[:-3], clusters[-2]
    # One cluster imports only.
    exporters = dice.sample(usual[:-1], min(dice.choice([2, 2, 3]), len(usual) - 1))
    start = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=dice.randrange(300))
    hours: list[int | None] = list(range(1, len(exporters) + 1))
    if dice.random() < 0.4:
        # Of the same age, or of none that is known: then the name of the cluster decides.
        exporters.sort()
        hours = [dice.choice([None, 1])] * len(exporters)
    created = {
        cluster: "" if at is None else f"{start + timedelta(hours=at):%Y-%m-%dT%H:%M:%SZ}"
        for cluster, at in zip(exporters, hours, strict=True)
    }
    ports = [{"name": "main", "port": 8080, "protocol": "TCP"}]
    ports.append({"name": "metrics", "port": 9090, "protocol": "TCP"})
    if value := dice.choice(VALUES):
        ports[0]["appProtocol"] = value
    # The cluster that is one release behind always imports, and so does one that exports not.
    others = [cluster for cluster in usual if dice.random() < 0.8]
    importers = sorted({*others, behind, next(c for c in usual if c not in exporters)})
    kinds = ("", "", "HTTPRoute", "GRPCRoute", "TCPRoute")
    routes = {cluster: dice.choice(kinds) for cluster in importers}
    return Named(name, ports, exporters, importers, created, routes)


def objects_of(of: Named) -> Objects:
    """All that one name has, without a fault."""
    found: Objects = {}
    for cluster in of.exporters:
        found |= exported(of, cluster, of.created[cluster])
    for cluster in of.importers:
        found[cluster, "ServiceImport", of.name] = an_import(of)
        if kind := of.routes[cluster]:
            found[cluster, kind, of.name] = a_route(of, kind)
    return found


def an_import(of: Named) -> dict[str, Any]:
    spec = {"ports": copied(of.ports)}
    return an_object(f"{MCS}/v1alpha1", "ServiceImport", of.name, of.name, spec=spec)


def a_route(
    of: Named, kind: str, port: int = 8080, to: str = "ServiceImport", name: str = ""
) -> dict[str, Any]:
    """A route to the name, or to another one in its namespace."""
    ref = {"kind": to, "name": name or of.name, "port": port}
    ref |= {"group": MCS} if to == "ServiceImport" else {}
    spec = {"rules": [{"backendRefs": [ref]}]}
    return an_object(GATEWAY, kind, f"{kind.lower()}-{port}-{to.lower()}", of.name, spec=spec)


def exported(of: Named, cluster: str, created: str) -> Objects:
    """A Service of a cluster, and its export."""
    spec = {"ports": copied(of.ports)}
    stamp = {"creationTimestamp": created} if created else {}
    return {
        (cluster, "Service", of.name): an_object("v1", "Service", of.name, of.name, spec=spec),
        (cluster, "ServiceExport", of.name): an_object(
            f"{MCS}/v1alpha1", "ServiceExport", of.name, of.name, **stamp
        ),
    }


def an_object(
    version: str, kind: str, name: str, space: str, spec: Any = None, **meta: Any
) -> dict[str, Any]:
    """An object in the namespace of a name: each has one of its own."""
    whole = {"name": name, "namespace": f"of-{space}", **meta}
    made = {"apiVersion": version, "kind": kind, "metadata": whole}
    return {**made, "spec": spec} if spec is not None else made


def copied(ports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [dict(port) for port in ports]


# Clusters of a few objects, for cases and properties.
Ports: TypeAlias = "Sequence[tuple[int, str, str | None]]"  # number, name, appProtocol


def a_cluster(
    name: str,
    release: str = NEW,
    exports: Mapping[str, tuple[str, Ports]] | None = None,
    imports: Mapping[str, Ports] | None = None,
    implementation: str = "envoy-gateway",
    **more: Any,
) -> Cluster:
    """A cluster that exports by name with an age and ports, and imports by name with ports."""
    given, taken = (exports or {}).items(), (imports or {}).items()
    services = [_service(name, "Service", "", each, ports) for each, (_, ports) in given]
    marks = [
        Other(meta=replace(_meta(name, "ServiceExport", MCS, each), created=created))
        for each, (created, _) in given
    ]
    found = [_service(name, "ServiceImport", MCS, each, ports) for each, ports in taken]
    inventory = Inventory(
        services=tuple(services), service_imports=tuple(found), others=tuple(marks), **more
    )
    return Cluster(name=name, inventory=inventory, implementation=implementation, release=release)


def _meta(cluster: str, kind: str, group: str, name: str) -> Meta:
    position = Position(file=f"{cluster}.yaml", document=1, line=1, column=1)
    return Meta(
        group=group,
        kind=kind,
        namespace="shop",
        name=name,
        position=position,
        world=cluster,
        cluster=cluster,
    )


def _service(cluster: str, kind: str, group: str, name: str, ports: Ports) -> Service:
    meta = _meta(cluster, kind, group, name)
    return Service(
        meta=meta,
        ports=tuple(
            ServicePort(number=number, name=each, app_protocol=value, position=meta.position)
            for number, each, value in ports
        ),
    )
