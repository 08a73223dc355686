"""Exports → the import: who is the oldest, how ports merge, what each controller does."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from protocol_analysis import RulesetError, load
from protocol_analysis.findings.clusters import across, codes_of_clusters
from protocol_analysis.multicluster.controllers import (
    controller_of,
    controllers,
    parse_controllers,
)
from protocol_analysis.multicluster.exporting import shared
from protocol_analysis.multicluster.merging import conditions, merged, why_older
from protocol_analysis.multicluster.propagation import propagation
from protocol_analysis.reading import Cluster, read
from tests.fleets import a_cluster
from tests.support import SHARED, needs_shared

if TYPE_CHECKING:
    from pathlib import Path

EARLY, LATE = "2024-01-01T00:00:00Z", "2024-06-01T00:00:00Z"
H2C, WS = "kubernetes.io/h2c", "kubernetes.io/ws"
Ports = list[tuple[int, str, str | None]]

# What an older and a younger export say, the import that comes of it, and what differs: what of a
# port is overruled, and the ports that one of them lacks.
MERGES: dict[str, tuple[Ports, Ports, Ports, list[str]]] = {
    "alike": ([(80, "a", H2C)], [(80, "a", H2C)], [(80, "a", H2C)], []),
    "a union": (
        [(80, "a", None)],
        [(81, "b", H2C)],
        [(80, "a", None), (81, "b", H2C)],
        ["80 lacked", "81 lacked"],
    ),
    "one port more": (
        [(80, "a", None)],
        [(80, "a", ""), (81, "b", None)],
        [(80, "a", None), (81, "b", None)],
        ["81 lacked"],
    ),
    "another value": ([(80, "a", H2C)], [(80, "a", "grpc")], [(80, "a", H2C)], ["appProtocol"]),
    "no value wins too": ([(80, "a", None)], [(80, "a", H2C)], [(80, "a", None)], ["appProtocol"]),
    "empty is none": ([(80, "a", "")], [(80, "a", None)], [(80, "a", None)], []),
    "another number": ([(80, "a", H2C)], [(81, "a", H2C)], [(80, "a", H2C)], ["port"]),
    "another name": ([(80, "a", H2C)], [(80, "b", H2C)], [(80, "a", H2C)], ["name"]),
    "name and value": (
        [(80, "a", H2C)],
        [(80, "b", WS)],
        [(80, "a", H2C)],
        ["name", "appProtocol"],
    ),
    "names crossed": (
        [(80, "a", None), (81, "b", None)],
        [(81, "a", None), (80, "b", None)],
        [(80, "a", None), (81, "b", None)],
        ["port", "port"],
    ),
    "nothing from one": ([], [(80, "a", H2C)], [(80, "a", H2C)], ["80 lacked"]),
}


def two(older: Ports, younger: Ports, ages: tuple[str, str] = (EARLY, LATE)) -> list[Cluster]:
    """West is the older one, so that names do not decide it."""
    west = a_cluster("west", exports={"cart": (ages[0], older)})
    return [west, a_cluster("east", exports={"cart": (ages[1], younger)})]


@pytest.mark.parametrize(("older", "younger", "wanted", "differs"), MERGES.values(), ids=MERGES)
def test_merging(older: Ports, younger: Ports, wanted: Ports, differs: list[str]) -> None:
    (of,) = shared(two(older, younger))
    ports = merged(of)
    assert [(p.port.number, p.port.name, p.app_protocol) for p in ports] == wanted
    found = [each for p in ports for claim in p.overruled for each in claim.differs]
    found += [f"{p.port.number} lacked" for p in ports for _ in p.lacking]
    assert found == differs
    status = {c.status for c in conditions(of) if c.type == "Conflict"}
    assert status == {"True" if differs else "False"}


def test_transports_are_ports_of_their_own(tmp_path: Path) -> None:
    text = """
kind: List
apiVersion: v1
items:
- {apiVersion: multicluster.x-k8s.io/v1beta1, kind: ServiceExport, metadata: {name: dns}}
- apiVersion: v1
  kind: Service
  metadata: {name: dns}
  spec:
    ports: [{port: 53, name: udp, protocol: UDP}, {port: 53, name: tcp}, {port: "53"}]
"""
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    (of,) = shared(read({"a": str(tmp_path)}).clusters)
    assert [port.key for port in merged(of)] == [(53, "UDP"), (53, "TCP")]


AGES = {
    "by age": ((EARLY, LATE), "west", "is older"),
    "whatever the offset": (("2024-06-01T00:30:00+02:00", LATE), "west", "is older"),
    "only one is known": ((EARLY, ""), "west", "only that of west has an age"),
    "only the other is known": (("", LATE), "east", "only that of east has an age"),
    "none is known": (("", ""), "east", "no creationTimestamp"),
    "of the same age": ((EARLY, EARLY), "east", "of the same age"),
    "no timestamps": (("yesterday", "9999"), "east", "no creationTimestamp"),
}


@pytest.mark.parametrize(("ages", "winner", "why"), AGES.values(), ids=AGES)
def test_the_oldest(ages: tuple[str, str], winner: str, why: str) -> None:
    clusters = two([(80, "a", H2C)], [(80, "a", WS)], ages)
    (of,) = shared(clusters)
    (port,) = merged(of)
    assert port.winner.cluster == winner
    assert why in why_older(port.winner, port.claims[0].export)


def test_an_export_without_a_service_is_not_valid() -> None:
    cluster = a_cluster("west", exports={"cart": (EARLY, [])})
    cluster = Cluster(
        name="west",
        inventory=type(cluster.inventory)(others=cluster.inventory.others),
        implementation="envoy-gateway",
        release="v1.9.0",
    )
    (of,) = shared([cluster])
    assert [(c.status, c.reason) for c in conditions(of)] == [
        ("False", "NoService"),
    ]
    (row,) = propagation([cluster])
    assert [fault.kind.kind for fault in row.faults] == ["no service"]


PORTS = st.lists(
    st.tuples(
        st.sampled_from([80, 81, 82]), st.sampled_from("abc"), st.sampled_from([None, H2C, WS])
    ),
    max_size=3,
    unique_by=(lambda port: port[0], lambda port: port[1]),
)
AGE = st.sampled_from(["", EARLY, LATE, "never"])


def fleet_of(exported: list[tuple[str, Ports]], imported: list[Ports]) -> list[Cluster]:
    return [
        a_cluster(f"c{at}", exports={"cart": each}, imports={"cart": ports})
        for at, (each, ports) in enumerate(zip(exported, imported, strict=True))
    ]


@given(st.lists(st.tuples(st.tuples(AGE, PORTS), PORTS), min_size=1, max_size=4), st.randoms())
def test_the_order_of_clusters_decides_nothing(
    made: list[tuple[tuple[str, Ports], Ports]], dice: random.Random
) -> None:
    clusters = fleet_of([each for each, _ in made], [ports for _, ports in made])
    rows = [row.as_dict() for row in propagation(clusters)]
    dice.shuffle(clusters)
    assert [row.as_dict() for row in propagation(clusters)] == rows


@given(st.lists(st.tuples(AGE, PORTS), min_size=1, max_size=4))
def test_merging_what_is_merged_changes_nothing(exported: list[tuple[str, Ports]]) -> None:
    def ports_of(clusters: list[Cluster]) -> Ports:
        (of,) = shared(clusters)
        return [(p.port.number or 0, p.port.name, p.app_protocol) for p in merged(of)]

    once = ports_of(fleet_of(exported, [[] for _ in exported]))
    again = [(age, once) for age, _ in exported]
    assert ports_of(fleet_of(again, [once for _ in again])) == once
    assert not any(row.faults for row in propagation(fleet_of(again, [once for _ in again])))


@given(PORTS, st.integers(1, 4), st.sampled_from(["v1.2.8", "v1.3.3", "v1.5.9", "v1.8.3", "main"]))
def test_without_a_conflict_equal_releases_resolve_alike(
    ports: Ports, count: int, release: str
) -> None:
    """Imports like imports and Services like Services: before v1.9 the kinds are read otherwise."""
    clusters = [
        a_cluster(f"c{at}", release, exports={"cart": ("", ports)}, imports={"cart": ports})
        for at in range(count)
    ]
    rows = propagation(clusters)
    for side in ("import", "export"):
        for port in ports:
            words = {row.wire for row in rows if (row.side, row.port[0]) == (side, port[0])}
            assert len(words) == 1
    assert {f.kind.kind for row in rows for f in row.faults} <= {"dead import"}
    if release == "main":
        assert all(row.agrees for row in rows)


def test_what_controllers_carry_and_derive() -> None:
    (of,) = shared(two([(80, "a", H2C)], []))
    (port,) = merged(of)
    carried = {name: each.carried(port) for name, each in controllers().items()}
    assert {name for name, value in carried.items() if value is None} == {"linkerd"}
    derived = {name: each.carries(H2C, "derived") for name, each in controllers().items()}
    assert {name for name, value in derived.items() if value is None} == {"linkerd"}


def test_a_controller_that_drops_the_field_is_why_it_is_lost() -> None:
    west = a_cluster("west", exports={"cart": (EARLY, [(80, "a", H2C)])})
    east = a_cluster("east", imports={"cart": [(80, "a", None)]})
    (fault,) = (f for row in propagation([west, east], "linkerd") for f in row.faults)
    assert (fault.kind.kind, fault.wanted) == ("lost", H2C)
    assert "dropped" in fault.why
    (fault,) = (f for row in propagation([west, east]) for f in row.faults)
    assert "west declares it" in fault.why


def test_a_controller_that_is_not_known() -> None:
    with pytest.raises(RulesetError, match="known are kep-1645, mcs-api"):
        controller_of("istio")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- {controller: x}", "controller without 'import'"),
        ("- 3", "no mapping"),
        ("- {import: maybe}", "import: 'maybe'; write one of copies, drops, none"),
    ],
)
def test_wrong_rows_are_named_by_line(text: str, complaint: str) -> None:
    with pytest.raises(RulesetError, match=r"c\.yaml:1: .*") as error:
        parse_controllers(text, "c.yaml")
    assert complaint in str(error.value)


@needs_shared
def test_the_manifests_of_the_mcs_api_are_read_and_explained() -> None:
    folder = SHARED / "real" / "manifests" / "kubernetes-sigs__mcs-api"
    inventory = load(folder)
    assert inventory.unreadable == ()
    rows = propagation(read({"demo": str(folder)}).clusters)
    names = {f"{each.meta.namespace}/{each.meta.name}" for each in inventory.service_imports}
    assert {row.service_port.partition(":")[0] for row in rows} == names
    # The demo exports with a command, so the manifests hold imports alone.
    faults = [fault for row in rows for fault in row.faults]
    assert {fault.kind.kind for fault in faults} == {"orphan import"}
    assert len(faults) == sum(len(each.ports) for each in inventory.service_imports)
    # One of them has a Service beside its import.
    assert {fault.why.partition("; ")[::2] for fault in faults} == {
        ("no cluster at hand exports it", ""),
        (
            "no cluster at hand exports it",
            "Service demo/serve of the same name has no ServiceExport",
        ),
    }
    assert all(row.wire == "http/1.1" and row.app_protocol is None for row in rows)


def test_fixtures_of_tests_are_no_clusters(tmp_path: Path) -> None:
    text = """
serviceImports:
- apiVersion: multicluster.x-k8s.io/v1alpha1
  kind: ServiceImport
  metadata: {name: cart, namespace: shop}
  spec: {ports: [{port: 80}]}
"""
    (tmp_path / "a.in.yaml").write_text(text, encoding="utf-8")
    found = read({"a": str(tmp_path)})
    assert found.inventory.service_imports
    assert propagation(found.clusters) == []


def test_checks_across_clusters_have_codes() -> None:
    paths = {name: f"data/sample/{name}@envoy-gateway:1.8" for name in ("east", "west")}
    clusters = read(paths).clusters
    found = list(across(clusters, codes_of_clusters()))
    assert {(each.code, each.meta.name) for each in found} == {
        ("AP019", "catalog"),
        ("AP019", "chat"),
        ("AP020", "baskets"),
    }
    # What a cluster's own check has said is not said again.
    assert not set(across(clusters, codes_of_clusters(), found)).intersection(found)
    assert {each.code for each in across(clusters, ["AP020"])} == {"AP020"}
    assert list(across(clusters[:1], codes_of_clusters())) == []


def test_a_lost_value_needs_no_second_cluster() -> None:
    one = a_cluster(
        "a", exports={"cart": (EARLY, [(80, "a", H2C)])}, imports={"cart": [(80, "a", None)]}
    )
    assert [each.code for each in across([one], codes_of_clusters())] == ["AP019"]
    # What is there and not read is for the cluster's own check.
    dead = a_cluster(
        *("a", "v1.8.3"),
        exports={"cart": (EARLY, [(80, "a", "grpc")])},
        imports={"cart": [(80, "a", "grpc")]},
    )
    assert list(across([dead], codes_of_clusters())) == []


STATUS = """
apiVersion: multicluster.x-k8s.io/v1beta1
kind: ServiceExport
metadata: {name: cart, namespace: shop}
status:
  conditions:
  - {type: Valid, status: "True", reason: Valid}
  - {type: Conflict, status: "STATUS", reason: PortConflict}
"""


@pytest.mark.parametrize(
    ("status", "differs"), [("True", True), ("False", False), ("", True), ("[", True)]
)
def test_what_the_status_says_is_compared(status: str, *, differs: bool, tmp_path: Path) -> None:
    service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: cart, namespace: shop}\n"
    text = STATUS.replace("STATUS", status) + service
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    (of,) = shared(read({"a": str(tmp_path)}).clusters)
    valid, conflict = conditions(of)
    assert (valid.said, valid.same) == ("True Valid", True)
    assert (conflict.said, conflict.same) == (f"{status} PortConflict", not differs)
    assert conflict.status == "False"


def test_conditions_beyond_ports() -> None:
    """The type and the affinity are the oldest export's; what is not valid is in no conflict."""
    west, east = two([(80, "a", None)], [(80, "a", None)])
    (service,) = east.inventory.services
    asking = replace(service, asks=("Headless", "ClientIP", "10800", "Local", "PreferClose"))
    inventory = replace(east.inventory, services=(asking,))
    (of,) = shared([west, replace(east, inventory=inventory)])
    reasons = (
        "TypeConflict,SessionAffinityConflict,InternalTrafficPolicyConflict,"
        "TrafficDistributionConflict"
    )
    assert [(c.cluster, c.type, c.status, c.reason) for c in conditions(of)] == [
        ("west", "Valid", "True", "Valid"),
        ("west", "Conflict", "True", reasons),
        ("east", "Valid", "True", "Valid"),
        ("east", "Conflict", "True", reasons),
    ]
    assert (
        "type Headless of east is overruled: the export of west is older"
        in conditions(of)[1].message
    )
    mere = replace(service, type="ExternalName")
    (of,) = shared([west, replace(east, inventory=replace(east.inventory, services=(mere,)))])
    assert [(c.cluster, c.type, c.reason) for c in conditions(of)] == [
        ("west", "Valid", "Valid"),
        ("west", "Conflict", "NoConflicts"),
        ("east", "Valid", "InvalidServiceType"),
    ]
