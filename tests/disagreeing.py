"""Clusters of a few objects each, and how their disagreements are told and compared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from protocol_analysis.multicluster.propagation import propagation
from protocol_analysis.reading import Cluster, read

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from protocol_analysis.multicluster.propagation import Propagation

H2C, GATEWAY = "kubernetes.io/h2c", "gateway.networking.k8s.io/v1"
MCS = "multicluster.x-k8s.io"
T1, T2 = "2024-01-01T00:00:00Z", "2024-06-01T00:00:00Z"
DERIVED = {"multicluster.kubernetes.io/derived-service": "derived-abc"}
Told = tuple[str, str, str, str, str]  # cluster, kind, severity, field, what is met
Words = dict[tuple[Any, ...], str]  # by side: the name, the port, where
Object = dict[str, Any]
Port = dict[str, Any]


def port(number: int = 80, value: str | None = None, **more: str) -> Port:
    """A port; a name of its own unless it is told."""
    return {
        "port": number,
        "name": f"p{number}",
        **({"appProtocol": value} if value else {}),
        **more,
    }


def service(*ports: Port, name: str = "x", spec: Object | None = None, **meta: Any) -> Object:
    spec = {"ports": list(ports), **(spec or {})}
    return of("v1", "Service", name, {"spec": spec}, **meta)


def export(created: str = "") -> Object:
    return of(f"{MCS}/v1alpha1", "ServiceExport", "x", creationTimestamp=created)


def imported(*ports: Port, spec: Object | None = None, **meta: Any) -> Object:
    spec = {"type": "ClusterSetIP", "ports": list(ports), **(spec or {})}
    return of(f"{MCS}/v1alpha1", "ServiceImport", "x", {"spec": spec}, **meta)


def route(
    kind: str = "HTTPRoute", number: int = 80, to: str = "import", name: str = "x", **more: Any
) -> Object:
    """A route to the import, or to a Service; its parents, and more of its reference."""
    parents = more.pop("parents", [])
    ref = {"name": name, "port": number}
    ref |= {"group": MCS, "kind": "ServiceImport"} if to == "import" else {}
    rules = [{"backendRefs": [ref | more]}]
    return of(GATEWAY, kind, "r", {"spec": {"parentRefs": parents, "rules": rules}})


def gateway(listener: str = "web", of_class: str = "eg") -> Object:
    spec = {
        "gatewayClassName": of_class,
        "listeners": [{"name": listener, "port": 80, "protocol": "HTTP"}],
    }
    return of(GATEWAY, "Gateway", "g", {"spec": spec})


def tls(kind: str = "ServiceImport") -> Object:
    group = MCS if kind == "ServiceImport" else ""
    spec = {"targetRefs": [{"group": group, "kind": kind, "name": "x"}]}
    return of(GATEWAY, "BackendTLSPolicy", "t", {"spec": spec})


def of(version: str, kind: str, name: str, body: Object | None = None, **meta: Any) -> Object:
    meta = {"name": name, "namespace": "shop", **meta}
    return {"apiVersion": version, "kind": kind, "metadata": meta, **(body or {})}


def world(folder: Path, clusters: dict[str, list[Object]]) -> tuple[Cluster, ...]:
    """Clusters as `name@implementation:release`, each with its objects in a file."""
    paths = {}
    for named, items in clusters.items():
        name, _, reader = named.partition("@")
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
        paths[name] = f"{folder / name}.json@{reader or 'envoy-gateway:v1.9.0'}"
    return read(paths).clusters


def told(rows: list[Propagation]) -> list[Told]:
    return [
        (fault.cluster, fault.kind.kind, fault.severity, fault.field, fault.meets)
        for row in rows
        for fault in row.faults
    ]


def agree(found: list[Told], wanted: list[Told]) -> None:
    """What a request meets is told by its beginning."""
    assert [each[:4] for each in found] == [each[:4] for each in wanted]
    for has, should in zip(found, wanted, strict=True):
        assert has[4].startswith(should[4])


def sides(clusters: Sequence[Cluster]) -> Words:
    """What is spoken on each side of a port, by the public table alone."""
    return {
        (row.name, row.port, row.cluster, row.side): row.wire
        for row in propagation(clusters)
        if row.resolution and row.meant
    }


def disagreements(clusters: Sequence[Cluster]) -> int:
    """How many the public table has."""
    return sum(len(row.faults) for row in propagation(clusters))


def parted(before: Words, after: Words) -> list[tuple[Any, ...]]:
    """What was spoken to several sides of one port alike, and is not any more."""
    words: dict[tuple[Any, ...], set[str]] = {}
    for side, word in before.items():
        words.setdefault((*side[:2], word), set()).add(after[side])
    return [alike for alike, now in words.items() if len(now) > 1]
