"""Disagreements between clusters: every fault of a fleet is found, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from protocol_analysis import load
from protocol_analysis.multicluster.disagreeing import kinds
from protocol_analysis.multicluster.fleets import read_fleet
from protocol_analysis.multicluster.ordering import safe_order
from protocol_analysis.multicluster.propagation import propagation
from protocol_analysis.multicluster.telling import (
    by_grpc_route,
    dragged,
    imports_by_field,
    journey,
)
from protocol_analysis.reading import Cluster, read
from tests.fleet_faults import FAULTS, fleet
from tests.fleets import DEAD, Fault, a_cluster

if TYPE_CHECKING:
    from pathlib import Path

H2C, WS = "kubernetes.io/h2c", "kubernetes.io/ws"
SAMPLE = {
    "east": "data/sample/east@envoy-gateway:v1.8.3",
    "west": "data/sample/west@envoy-gateway:v1.5.9",
}


def found_in(clusters: tuple[Cluster, ...]) -> set[Fault]:
    """Every fault once; an error says which request meets it, and no other says so."""
    found = [(row, fault) for row in propagation(clusters) for fault in row.faults]
    for _, fault in found:
        said = " is spoken where " in fault.meets or " nowhere: " in fault.meets
        assert said or fault.severity == "warning", fault.meets
        assert not fault.meets.startswith("no") or fault.severity == "warning", fault.meets
    faults = [
        (fault.kind.kind, fault.cluster, row.name[1], row.port[0], fault.severity)
        for row, fault in found
    ]
    assert len(faults) == len(set(faults))
    return set(faults)


def test_every_fault_of_a_large_fleet_is_found_and_nothing_else(tmp_path: Path) -> None:
    made = fleet(clusters=20, names=200, seed=2026)
    found = read(made.write(tmp_path))
    assert found.inventory.unreadable == ()
    assert len(found.clusters) == 20
    assert {kind for kind, *_ in made.faults} == set(kinds())
    assert {severity for *_, severity in made.faults} == {"error", "warning"}
    assert found_in(found.clusters) == made.faults


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(25))
def test_fleets_of_other_seeds(seed: int, tmp_path: Path) -> None:
    made = fleet(clusters=12, names=90, seed=seed)
    assert found_in(read(made.write(tmp_path)).clusters) == made.faults


@pytest.mark.slow
def test_thousands_of_ports_on_one_import() -> None:
    """Each port costs the same: asking all of them of each took minutes."""
    ports = [(number, f"p{number}", "grpc") for number in range(1, 4001)]
    exporting = a_cluster("a", exports={"cart": ("", ports)})
    clusters = [exporting, a_cluster("b", DEAD, imports={"cart": ports})]
    start = monotonic()
    assert len(propagation(clusters)) == 8000
    assert len(safe_order(clusters)) == 4001
    assert monotonic() - start < 40


@pytest.mark.parametrize("kind", FAULTS)
def test_each_kind_alone(kind: str, tmp_path: Path) -> None:
    made = fleet(clusters=8, names=24, seed=1, kinds=[kind])
    assert made.faults
    assert found_in(read(made.write(tmp_path)).clusters) == made.faults


def test_a_fleet_without_faults(tmp_path: Path) -> None:
    made = fleet(clusters=7, names=24, seed=1, kinds=[])
    rows = propagation(read(made.write(tmp_path)).clusters)
    assert rows
    assert all(row.agrees and not row.faults for row in rows)


def two(value: str | None, imported: str | None, release: str = "v1.9.0") -> list[Cluster]:
    return [
        a_cluster("west", exports={"cart": ("", [(80, "a", value)])}),
        a_cluster("east", release, imports={"cart": [(80, "a", imported)]}),
    ]


# What west exports, what east imports at which release: the kind, and what is spoken in the east.
CASES: dict[str, tuple[str | None, str | None, str, str, str]] = {
    "as it was sent": (H2C, H2C, "v1.9.0", "", "h2"),
    "grpc before v1.9": ("grpc", "grpc", DEAD, "dead import", "http/1.1"),
    "grpc since v1.9": ("grpc", "grpc", "v1.9.0", "", "h2"),
    "h2c before v1.4": (H2C, H2C, "v1.3.3", "dead import", "http/1.1"),
    "h2c since v1.4": (H2C, H2C, "v1.4.0", "", "h2"),
    "lost": (H2C, None, "v1.9.0", "lost", "http/1.1"),
    "lost, and dead all the same": ("grpc", None, DEAD, "lost, dead import", "http/1.1"),
    "an empty text is nothing": (None, "", "v1.9.0", "", "http/1.1"),
    "lost without consequence": (WS, None, "v1.9.0", "lost", "http/1.1"),
    "edited": (None, H2C, "v1.9.0", "edited", "h2"),
    "edited without consequence": ("grpc", H2C, "v1.9.0", "edited", "h2"),
    "a value that nobody reads": ("acme", "acme", "v1.3.3", "", "http/1.1"),
}


@pytest.mark.parametrize(
    ("value", "imported", "release", "kind", "wire"), CASES.values(), ids=CASES
)
def test_kinds(value: str | None, imported: str | None, release: str, kind: str, wire: str) -> None:
    rows = propagation(two(value, imported, release))
    (east,) = (row for row in rows if row.cluster == "east")
    assert ", ".join(fault.kind.kind for fault in east.faults) == kind
    assert east.wire == wire
    assert all(fault.severity == "warning" for fault in east.faults), "no route leads there"


ROUTES = """
apiVersion: gateway.networking.k8s.io/v1
kind: KIND
metadata: {name: r, namespace: shop}
spec:
  rules:
  - backendRefs: [{group: multicluster.x-k8s.io, kind: ServiceImport, name: cart, port: 80}]
"""


def routed(tmp_path: Path, kind: str, clusters: list[Cluster]) -> list[Cluster]:
    """The east with a route to its import."""
    (tmp_path / "r.yaml").write_text(ROUTES.replace("KIND", kind), encoding="utf-8")
    (route,) = load(clusters={"east": tmp_path}).routes
    return [
        replace(c, inventory=replace(c.inventory, routes=(route,))) if c.name == "east" else c
        for c in clusters
    ]


def test_a_route_that_is_spoken_otherwise_is_an_error(tmp_path: Path) -> None:
    rows = propagation(routed(tmp_path, "HTTPRoute", two("grpc", "grpc", DEAD)))
    (fault,) = (fault for row in rows for fault in row.faults)
    assert fault.severity == "error"
    assert fault.meets == "HTTPRoute shop/r: http/1.1 is spoken where h2 is meant"
    assert (fault.winner, fault.found, fault.wanted) == ("west", "grpc", "grpc")


def test_a_grpc_route_needs_no_value(tmp_path: Path) -> None:
    clusters = routed(tmp_path, "GRPCRoute", two("grpc", None, DEAD))
    faults = [fault for row in propagation(clusters) for fault in row.faults]
    assert [fault.kind.kind for fault in faults] == ["lost", "dead import"]
    for fault in faults:
        assert fault.severity == "warning"
        assert fault.meets == "nothing: GRPCRoute shop/r speaks h2 all the same"
    (way,) = by_grpc_route(clusters)
    assert (way.by_http_route, way.by_grpc_route) == ("http/1.1", "h2")


def test_a_route_to_an_import_that_is_not_there(tmp_path: Path) -> None:
    west, _ = two(H2C, H2C)
    rows = propagation(routed(tmp_path, "HTTPRoute", [west, a_cluster("east")]))
    (fault,) = (fault for row in rows for fault in row.faults)
    assert (fault.kind.kind, fault.severity) == ("missing import", "error")
    assert fault.position.file.endswith("r.yaml"), "the route that wants it"
    (east,) = (row for row in rows if row.cluster == "east")
    assert (east.wire, east.agrees, east.routes) == ("no import", False, 1)


def test_what_alpn_decides_is_no_sure_difference() -> None:
    """The sample's payments: TLS on both sides, and ALPN since v1.6 on one of them."""
    faults = {
        (row.service_port, fault.kind.kind): fault
        for row in propagation(read(SAMPLE).clusters)
        for fault in row.faults
    }
    fault = faults["payments/payments-api:8443", "release skew"]
    assert (fault.severity, fault.winner) == ("warning", "east")
    assert "http/1.1+tls is spoken where auto+tls is meant" in fault.meets


def test_an_implementation_that_takes_no_imports() -> None:
    west, east = two(H2C, H2C)
    contour = replace(east, implementation="contour", release="main")
    (row,) = (row for row in propagation([west, contour]) if row.cluster == "east")
    assert (row.wire, row.faults[0].kind.kind) == ("not read", "unread import")


def test_an_import_that_stands_for_its_service() -> None:
    """Cilium reads the derived Service, to which its controller copies the value."""
    west, east = two(H2C, H2C)
    cilium = replace(east, implementation="cilium-app-protocol", release="v1.16.0")
    rows = propagation([replace(west, implementation="envoy-gateway"), cilium], "cilium")
    assert [(row.wire, row.agrees) for row in rows] == [("h2", True), ("h2", True)]


def test_the_way_of_a_port_has_a_place_for_every_stage() -> None:
    stages = journey(read(SAMPLE).clusters, port="catalog/catalog:9000")
    both = ("routed", "resolved", "routed", "resolved")
    assert [stage.stage for stage in stages] == [
        *("declared", "exported", "merged", *both, "imported", *both, "disagrees")
    ]
    assert all(stage.source.startswith(("https://", "data/sample/")) for stage in stages)
    assert journey(read(SAMPLE).clusters, port="no/such:1") == []


def test_the_way_of_a_port_is_that_of_its_routes(tmp_path: Path) -> None:
    """Behind a GRPCRoute it is not what an HTTPRoute would be spoken, which stands in for none."""
    clusters = two("grpc", "grpc", DEAD)
    wires = [
        [stage.says.partition(": ")[0] for stage in journey(each) if stage.stage == "resolved"]
        for each in (clusters, routed(tmp_path, "GRPCRoute", clusters))
    ]
    west = "envoy-gateway@v1.9.0 speaks h2 behind an HTTPRoute; no route leads there"
    none = f"envoy-gateway@{DEAD} speaks http/1.1 behind an HTTPRoute; no route leads there"
    assert wires[0] == [none, west]
    assert wires[1] == [f"envoy-gateway@{DEAD} speaks h2 behind this GRPCRoute", west]


def test_the_import_that_should_be_against_the_one_found() -> None:
    differ = [field for field in imports_by_field(read(SAMPLE).clusters) if not field.same]
    assert [(field.object, field.field, field.wanted, field.found) for field in differ] == [
        ("ServiceImport chat/chat", "appProtocol", WS, "")
    ]


def test_one_cluster_dragged_along() -> None:
    clusters = two("grpc", "grpc", DEAD)
    counts = {each.release: each.ports for each in dragged(clusters, "east")}
    assert counts["v1.3.3"] == counts["v1.8.3"] == 1
    assert counts["v1.9.0"] == 0
    assert (
        dragged([replace(c, implementation="contour", release="main") for c in clusters], "x") == []
    )


FOLDERS = {
    "a folder per cluster": ("data/sample", ["east", "west"]),
    "with a slash": ("data/sample/", ["east", "west"]),
    "from here": ("./data/sample", ["east", "west"]),
    "one cluster": ("data/sample/east", [None]),
    "a file": ("data/sample/west/imports.yaml", [None]),
    "several paths": (["data/sample/east", "data/sample/west"], [None]),
    "named": ({"a": "data/sample/east"}, ["a"]),
    "nothing there": ("no/such", [None]),
}


@pytest.mark.parametrize(("manifests", "names"), FOLDERS.values(), ids=FOLDERS)
def test_a_folder_per_cluster(
    manifests: str | list[str] | dict[str, str], names: list[str | None]
) -> None:
    assert read_fleet(manifests).names == names
