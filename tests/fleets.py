"""A seeded fleet of clusters with exported services, and the faults that are put into it.

Without a fault nothing is to be reported: exporters agree, imports are as the oldest export has
them, and the two older gateways meet nothing that they read otherwise. Each faulty name has one.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from protocol_analysis.model import MCS, Inventory, Meta, Other, Position, Service, ServicePort
from protocol_analysis.reading import Cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

Fault = tuple[str, str, str, int]  # kind, cluster, name, port
VALUES = (None, "kubernetes.io/h2c", "kubernetes.io/ws", "http", "acme.example/own")
NEW, DEAD, OLD = "v1.9.0", "v1.8.3", "v1.0.2"  # OLD exports only: it does not read imports


@dataclass
class Named:
    """One exported name as it should be: ports, exporters oldest first, importers."""

    name: str
    ports: list[dict[str, Any]]
    exporters: list[str]
    importers: list[str]
    created: dict[str, str]


@dataclass
class Fleet:
    """Clusters as lists of objects, and what was done to them."""

    clusters: dict[str, list[dict[str, Any]]]
    releases: dict[str, str]
    faults: set[Fault] = field(default_factory=set)
    late: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def write(self, folder: Path) -> dict[str, str]:
        """The manifests as files; MANIFESTS as a notebook's parameter has it."""
        for name, items in self.clusters.items():
            (folder / name).mkdir(parents=True)
            text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
            (folder / name / "all.json").write_text(text, encoding="utf-8")
        return {name: f"{folder / name}@envoy-gateway:{r}" for name, r in self.releases.items()}


def fleet(clusters: int, names: int, seed: int, kinds: list[str] | None = None) -> Fleet:
    """A fleet in which a third of the names has a fault, kind by kind."""
    dice = random.Random(seed)  # noqa: S311 - the same fleet each time is what is wanted
    all_of = [f"c{number:02}" for number in range(clusters)]
    releases = {**dict.fromkeys(all_of, NEW), all_of[-2]: DEAD, all_of[-1]: OLD}
    made = Fleet(clusters={name: [] for name in all_of}, releases=releases)
    chosen = FAULTS if kinds is None else {kind: FAULTS[kind] for kind in kinds}
    turns = [*chosen] * names
    for number in range(names):
        named = _named(dice, f"s{number:03}", all_of)
        objects = _objects(named)
        if chosen and number % 3 == 0:
            fault = turns[number // 3]
            FAULTS[fault](Turn(dice, named, objects, made))
        for (cluster, _, _), item in objects.items():
            made.clusters[cluster].append(item)
    for items in made.clusters.values():
        dice.shuffle(items)
    for cluster, item in made.late:
        made.clusters[cluster].append(item)
    return made


Objects = dict[tuple[str, str, str], dict[str, Any]]  # cluster, kind, name


def _named(dice: random.Random, name: str, clusters: list[str]) -> Named:
    usual = clusters[:-1]
    exporters = dice.sample(usual[:-1], 2)
    start = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=dice.randrange(300))
    created = {
        cluster: (start + timedelta(hours=at + 1)).isoformat().replace("+00:00", "Z")
        for at, cluster in enumerate(exporters)
    }
    ports = [{"name": "main", "port": 8080, "protocol": "TCP"}]
    ports.append({"name": "metrics", "port": 9090, "protocol": "TCP"})
    if value := dice.choice(VALUES):
        ports[0]["appProtocol"] = value
    # The cluster that is one release behind always imports, and so does one that exports not.
    others = [cluster for cluster in usual[:-1] if dice.random() < 0.8]
    importers = sorted({*others, usual[-1], next(c for c in usual if c not in exporters)})
    return Named(name, ports, exporters, importers, created)


def _objects(of: Named) -> Objects:
    found: Objects = {}
    for cluster in of.exporters:
        found |= _exported(of, cluster, of.created[cluster])
    for cluster in of.importers:
        found[cluster, "ServiceImport", of.name] = _object(
            f"{MCS}/v1alpha1", "ServiceImport", of.name, spec={"ports": _copy(of.ports)}
        )
    return found


def _exported(of: Named, cluster: str, created: str) -> Objects:
    service = _object("v1", "Service", of.name, spec={"ports": _copy(of.ports)})
    export = _object(f"{MCS}/v1alpha1", "ServiceExport", of.name, creationTimestamp=created)
    return {
        (cluster, "Service", of.name): service,
        (cluster, "ServiceExport", of.name): export,
    }


def _object(version: str, kind: str, name: str, spec: Any = None, **meta: Any) -> dict[str, Any]:
    whole = {"name": name, "namespace": f"of-{name}", **meta}
    made = {"apiVersion": version, "kind": kind, "metadata": whole}
    return {**made, "spec": spec} if spec is not None else made


def _copy(ports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [dict(port) for port in ports]


@dataclass
class Turn:
    """One name of a fleet in the making, for a fault to be put into it."""

    dice: random.Random
    of: Named
    objects: Objects
    made: Fleet


def _with_value(turn: Turn, value: str) -> None:
    """All that export and import it say so."""
    turn.of.ports[0]["appProtocol"] = value
    turn.objects.clear()
    turn.objects.update(_objects(turn.of))


def _younger(turn: Turn) -> tuple[str, dict[str, Any]]:
    cluster = turn.of.exporters[1]
    return cluster, turn.objects[cluster, "Service", turn.of.name]["spec"]["ports"][0]


def _import(turn: Turn) -> tuple[str, dict[str, Any]]:
    cluster = turn.dice.choice([c for c in turn.of.importers if c not in turn.of.exporters])
    return cluster, turn.objects[cluster, "ServiceImport", turn.of.name]


def conflict(turn: Turn) -> None:
    cluster, port = _younger(turn)
    port["port"] = 8081
    turn.made.faults.add(("conflict", cluster, turn.of.name, 8080))


def conflict_of_names(turn: Turn) -> None:
    cluster, port = _younger(turn)
    port["name"] = "other"
    turn.made.faults.add(("conflict", cluster, turn.of.name, 8080))


def overridden(turn: Turn) -> None:
    cluster, port = _younger(turn)
    port["appProtocol"] = "grpc"
    turn.made.faults.add(("overridden", cluster, turn.of.name, 8080))


def lost(turn: Turn) -> None:
    _with_value(turn, "kubernetes.io/h2c")
    cluster, item = _import(turn)
    del item["spec"]["ports"][0]["appProtocol"]
    turn.made.faults.add(("lost", cluster, turn.of.name, 8080))


def edited(turn: Turn) -> None:
    cluster, item = _import(turn)
    item["spec"]["ports"][0]["appProtocol"] = "by-hand"
    turn.made.faults.add(("edited", cluster, turn.of.name, 8080))


def missing_import(turn: Turn) -> None:
    cluster, _ = _import(turn)
    del turn.objects[cluster, "ServiceImport", turn.of.name]
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": f"of-{turn.of.name}"},
    }
    turn.objects[cluster, "Namespace", turn.of.name] = namespace
    turn.made.faults |= {("missing import", cluster, turn.of.name, port) for port in (8080, 9090)}


def orphan_import(turn: Turn) -> None:
    for cluster in turn.of.exporters:
        del (
            turn.objects[cluster, "Service", turn.of.name],
            turn.objects[cluster, "ServiceExport", turn.of.name],
        )
    for cluster in turn.of.importers:
        turn.made.faults |= {
            ("orphan import", cluster, turn.of.name, port) for port in (8080, 9090)
        }


def missing_port(turn: Turn) -> None:
    cluster, item = _import(turn)
    del item["spec"]["ports"][1]
    turn.made.faults.add(("missing port", cluster, turn.of.name, 9090))


def port_of_no_export(turn: Turn) -> None:
    cluster, item = _import(turn)
    item["spec"]["ports"].append({"name": "old", "port": 7000, "protocol": "TCP"})
    turn.made.faults.add(("missing port", cluster, turn.of.name, 7000))


def dead_import(turn: Turn) -> None:
    _with_value(turn, "grpc")
    behind = next(name for name, release in turn.made.releases.items() if release == DEAD)
    turn.made.faults.add(("dead import", behind, turn.of.name, 8080))


def renamed(turn: Turn) -> None:
    """A port of the import that somebody gave another name."""
    cluster, item = _import(turn)
    item["spec"]["ports"][1]["name"] = "numbers"
    turn.made.faults.add(("edited", cluster, turn.of.name, 9090))


def release_skew(turn: Turn) -> None:
    """Exported by the oldest gateway too, to which `grpc` says nothing on a Service either."""
    oldest = next(name for name, release in turn.made.releases.items() if release == OLD)
    behind = next(name for name, release in turn.made.releases.items() if release == DEAD)
    turn.of.importers.remove(behind)
    _with_value(turn, "grpc")
    turn.objects.update(_exported(turn.of, oldest, "2026-01-01T00:00:00Z"))
    turn.made.faults.add(("release skew", oldest, turn.of.name, 8080))


def tls(turn: Turn) -> None:
    cluster, _ = _import(turn)
    target = {"group": MCS, "kind": "ServiceImport", "name": turn.of.name}
    turn.objects[cluster, "BackendTLSPolicy", turn.of.name] = _object(
        "gateway.networking.k8s.io/v1",
        "BackendTLSPolicy",
        turn.of.name,
        spec={"targetRefs": [target]},
    )
    turn.made.faults |= {("tls", cluster, turn.of.name, port) for port in (8080, 9090)}


def no_service(turn: Turn) -> None:
    cluster, _ = _younger(turn)
    del turn.objects[cluster, "Service", turn.of.name]
    turn.made.faults.add(("no service", cluster, turn.of.name, 8080))


def ambiguous(turn: Turn) -> None:
    """Said again further down, and otherwise: of two, the first is read."""
    cluster, item = _import(turn)
    again = json.loads(json.dumps(item))
    again["spec"]["ports"][0]["appProtocol"] = "again"
    turn.made.late.append((cluster, again))
    turn.made.faults.add(("ambiguous", cluster, turn.of.name, 8080))


FAULTS: dict[str, Callable[[Turn], None]] = {
    function.__name__: function
    for function in (
        *(conflict, conflict_of_names, overridden, lost, edited, missing_import, orphan_import),
        *(missing_port, port_of_no_export, dead_import, release_skew, tls, no_service, ambiguous),
        renamed,
    )
}


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
