"""Orders of edits and upgrades: each prefix resolved anew, none parts two sides that agreed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from protocol_analysis.multicluster.ordering import safe_order
from protocol_analysis.multicluster.propagation import propagation
from protocol_analysis.multicluster.steps import Step, apart, applied
from protocol_analysis.multicluster.telling import never_worse, prefixes
from protocol_analysis.reading import Cluster, read
from tests.disagreeing import (
    DERIVED,
    GATEWAY,
    T1,
    T2,
    disagreements,
    export,
    imported,
    of,
    parted,
    port,
    route,
    service,
    sides,
    world,
)
from tests.fleet_faults import fleet
from tests.fleets import a_cluster

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

H2C, WS = "kubernetes.io/h2c", "kubernetes.io/ws"


def walk(clusters: Sequence[Cluster], steps: Sequence[Step]) -> list[Cluster]:
    """Take the steps that are not blocked; none of them parts anybody, or adds a disagreement."""
    now = list(clusters)
    for step in steps:
        if not step.blocked:
            then = applied(now, step)
            assert parted(sides(now), sides(then)) == [], step.action
            assert disagreements(then) <= disagreements(now), step.action
            now = then
    return now


VALUE = st.sampled_from([None, H2C, "grpc", WS, "http"])
RELEASE = st.sampled_from(["v1.0.2", "v1.2.8", "v1.3.3", "v1.5.9", "v1.8.0", "v1.8.3", "v1.9.0"])
# Two numbers, each with one of two names: exporters agree on them or not.
PORTS = st.dictionaries(st.sampled_from([80, 81]), st.tuples(st.sampled_from("ab"), VALUE)).map(
    lambda ports: [(number, name, value) for number, (name, value) in sorted(ports.items())]
)
NAMES = st.dictionaries(st.sampled_from(["cart", "till"]), PORTS)
# For each cluster: its release, what it exports, and what it imports, by name.
CLUSTER = st.tuples(RELEASE, NAMES, NAMES)


def clusters_of(made: list[Any]) -> list[Cluster]:
    return [
        a_cluster(
            f"c{at}",
            release,
            exports={name: (f"2024-01-0{9 - at}T00:00:00Z", e) for name, e in exported.items()},
            imports=imported,
        )
        for at, (release, exported, imported) in enumerate(made)
    ]


@given(st.lists(CLUSTER, min_size=1, max_size=5))
def test_no_prefix_parts_anybody(made: list[Any]) -> None:
    clusters = clusters_of(made)
    steps = safe_order(clusters, "v1.9.0")
    counts = prefixes(clusters, steps, most=len(steps))
    assert never_worse(counts)
    assert counts[1:] == [step.left for step in steps if not step.blocked]
    walk(clusters, steps)


@given(st.lists(CLUSTER, min_size=1, max_size=4))
def test_a_step_that_is_blocked_would_part_somebody(made: list[Any]) -> None:
    clusters = clusters_of(made)
    steps = safe_order(clusters, "v1.9.0")
    now = walk(clusters, steps)
    for step in steps:
        if step.blocked:
            then = applied(now, step)
            worse = disagreements(then) > disagreements(now)
            assert worse or parted(sides(now), sides(then)), step.blocked


@given(st.lists(CLUSTER, min_size=1, max_size=4))
def test_after_the_order_there_is_no_other(made: list[Any]) -> None:
    clusters = clusters_of(made)
    now = walk(clusters, safe_order(clusters, "v1.9.0"))
    assert all(step.blocked for step in safe_order(now, "v1.9.0"))


def test_a_whole_fleet_comes_to_agree(tmp_path: Path) -> None:
    made = fleet(7, 24, 3, ["lost", "edited", "overridden", "dead_import"])
    clusters = read(made.write(tmp_path)).clusters
    steps = safe_order(clusters, "v1.9.0")
    assert not any(step.blocked for step in steps)
    now = walk(clusters, steps)
    assert {cluster.release for cluster in now if cluster.implementation == "envoy-gateway"} == {
        "v1.9.0"
    }
    assert all(row.agrees and not row.faults for row in propagation(now))


def test_the_oldest_export_first_and_its_imports_follow() -> None:
    """Before v1.9 `grpc` is not read on an import: to upgrade one alone would part the two."""
    clusters = [
        a_cluster("a", exports={"cart": ("2024-01-01T00:00:00Z", [(80, "p", "grpc")])}),
        a_cluster("b", "v1.8.3", imports={"cart": [(80, "p", "grpc")]}),
        a_cluster("c", "v1.8.3", imports={"cart": [(80, "p", "grpc")]}),
    ]
    edit, *upgrades = safe_order(clusters, "v1.9.0")
    assert edit.action == f"write {H2C} on Service shop/cart:80; its imports follow"
    assert [write[0] for write in edit.writes] == ["a", "b", "c"]
    assert [step.cluster for step in upgrades] == ["b", "c"]
    assert edit.left == 0


def test_where_there_is_no_order_it_is_said() -> None:
    """Before v1.4 nothing is read on an import, so that no value helps two that are behind."""
    clusters = [
        a_cluster("a", exports={"cart": ("", [(80, "p", H2C)])}),
        a_cluster("b", "v1.3.3", imports={"cart": [(80, "p", H2C)]}),
        a_cluster("c", "v1.3.3", imports={"cart": [(80, "p", H2C)]}),
    ]
    steps = safe_order(clusters, "v1.9.0")
    assert [(step.cluster, step.action, step.number) for step in steps] == [
        ("b", "upgrade to v1.9.0", 0),
        ("c", "upgrade to v1.9.0", 0),
    ]
    assert steps[0].blocked == "shop/cart:80: ServiceImport of b h2, ServiceImport of c http/1.1"


def test_a_value_that_would_be_read_for_another_port_of_its_number(tmp_path: Path) -> None:
    """Envoy Gateway reads the first port of a number, whatever its transport."""
    tcp, udp = port(80), {"name": "u", "protocol": "UDP"}
    clusters = world(
        tmp_path,
        {
            "c": [service(tcp, port(80, H2C, **udp)), export()],
            "d": [imported(port(80, **udp), tcp)],
        },
    )
    (step,) = safe_order(clusters)
    assert step.action == f"write {H2C} on ServiceImport shop/x:80/UDP"
    assert step.blocked == "shop/x:80: Service of c http/1.1, ServiceImport of d h2"


def test_a_value_that_would_change_a_grpc_route_that_works(tmp_path: Path) -> None:
    """Later releases take the value of a WebSocket before the kind of the route."""
    clusters = world(
        tmp_path,
        {
            "b@envoy-gateway:v1.6.7": [
                *(service(port(80, WS)), export(), route("GRPCRoute", to="Service")),
            ],
            "c": [imported(port(80)), route("GRPCRoute")],
        },
    )
    steps = safe_order(clusters, "v1.9.0")
    assert [(step.cluster, step.action, step.blocked) for step in steps] == [
        ("b", "remove appProtocol of Service shop/x:80; its imports follow", ""),
        ("b", "upgrade to v1.9.0", ""),
    ]
    walk(clusters, steps)


def test_an_upgrade_that_would_part_grpc_routes(tmp_path: Path) -> None:
    behind = [imported(port(80, WS)), route("GRPCRoute")]
    clusters = world(tmp_path, {f"{name}@envoy-gateway:v1.6.7": behind for name in "cd"})
    steps = safe_order(clusters, "v1.9.0")
    said = "ServiceImport of c http/1.1, ServiceImport of d h2"
    assert steps[0].blocked == f"shop/x:80 behind GRPCRoute: {said}"


PROXY_PROTOCOL = of(
    "gateway.envoyproxy.io/v1alpha1",
    "BackendTrafficPolicy",
    "p",
    {
        "spec": {
            "targetRefs": [{"group": GATEWAY[:-3], "kind": "HTTPRoute", "name": "r"}],
            "proxyProtocol": {"version": "V1"},
        }
    },
)


def test_an_upgrade_that_would_part_what_a_policy_makes_alike(tmp_path: Path) -> None:
    """Up to v1.8 a policy with proxyProtocol takes HTTP/2 away: at home all speak HTTP/1.1."""
    clusters = world(
        tmp_path,
        {
            "a@envoy-gateway:v1.8.3": [
                *(service(port(80, H2C)), export(), route(to="Service"), PROXY_PROTOCOL),
            ],
            "c@envoy-gateway:v1.3.3": [imported(port(80, H2C)), route()],
        },
    )
    steps = safe_order(clusters, "v1.9.0")
    said = "Service of a http/1.1, ServiceImport of c h2"
    assert steps[0].blocked == f"shop/x:80 by the routes that lead there: {said}"


def test_an_upgrade_by_which_a_policy_begins_to_count(tmp_path: Path) -> None:
    """Before v1.6 it takes nothing away, so that nothing is unusual yet."""
    clusters = world(
        tmp_path,
        {
            "a@envoy-gateway:v1.5.9": [
                *(service(port(80, H2C)), export(), route(to="Service"), PROXY_PROTOCOL),
            ],
            "c@envoy-gateway:v1.5.9": [imported(port(80, H2C)), route(), PROXY_PROTOCOL],
        },
    )
    steps = safe_order(clusters, "v1.8.3")
    said = "Service of a http/1.1, ServiceImport of c h2"
    assert steps[0].blocked == f"shop/x:80 by the routes that lead there: {said}"
    assert all(step.blocked for step in steps)


def test_an_import_that_nobody_reads_holds_up_nothing(tmp_path: Path) -> None:
    """Contour turns `grpc` away, and takes the Service that is derived from the import."""
    clusters = world(
        tmp_path,
        {
            "a": [service(port(80, "grpc")), export(), route(to="Service")],
            "c@contour:main": [
                imported(port(80, "grpc"), annotations=DERIVED),
                service(port(80, "grpc"), name="derived-abc"),
                route(to="Service", name="derived-abc"),
            ],
        },
    )
    (step,) = safe_order(clusters)
    assert step.action == f"write {H2C} on Service shop/x:80; its imports follow"
    assert not step.blocked
    after = propagation(applied(clusters, step))
    assert all(row.agrees and not row.faults for row in after)


@pytest.mark.parametrize(
    ("made", "kind"),
    [([imported(port(80, "http"))], "ServiceImport"), ([service(port(80)), export(T2)], "Service")],
    ids=["imports", "exports"],
)
def test_who_says_the_same_is_edited_together(made: list[Any], kind: str, tmp_path: Path) -> None:
    """Equally wrong they are spoken alike: one alone would be parted from the other."""
    clusters = world(tmp_path, {"a": [service(port(80, H2C)), export(T1)], "c": made, "d": made})
    (step,) = safe_order(clusters)
    assert step.action == f"write {H2C} on {kind} shop/x:80 of c, d"
    assert not step.blocked
    assert not [fault for row in propagation(applied(clusters, step)) for fault in row.faults]


def test_no_other_use_is_offered(tmp_path: Path) -> None:
    """Kgateway takes `http2` for HTTP/2; what settles that is no WebSocket's value."""
    clusters = world(
        tmp_path,
        {
            "a": [service(port(80, "http2")), export(T1)],
            "c@kgateway:main": [service(port(80, "http2")), export(T2)],
        },
    )
    steps = [step for step in safe_order(clusters) if step.writes]
    assert [step.action for step in steps] == ["remove appProtocol of Service shop/x:80 of a, c"]


def test_a_name_is_no_matter_of_values(tmp_path: Path) -> None:
    """Istio goes by the name of a port; what is wrong there, no other value is to mend."""
    clusters = world(
        tmp_path,
        {
            "a@istio:main": [service(port(80, name="http")), export(T1)],
            "c@istio:main": [
                *(service(port(80, name="grpc")), export(T2), imported(port(80, name="http"))),
                route(),
            ],
        },
    )
    assert safe_order(clusters) == []


def test_what_stands_for_an_import_follows_its_own_write(tmp_path: Path) -> None:
    """Istio reads the Service of the same name: what is written there is heard for the import."""
    clusters = world(
        tmp_path,
        {
            "a": [service(port(80, "grpc")), export(T1)],
            "c@istio:1.26": [
                *(service(port(80, "grpc")), export(T2), imported(port(80, "grpc")), route()),
            ],
            "d@envoy-gateway:v1.8.3": [imported(port(80, "grpc")), route()],
        },
    )
    steps = safe_order(clusters, "v1.9.0")
    assert [(step.action, step.blocked) for step in steps] == [
        (f"write {H2C} on Service shop/x:80 of a, c; its imports follow", ""),
        ("upgrade to v1.9.0", ""),
    ]
    walk(clusters, steps)


def beside(*others: dict[str, Any]) -> dict[str, list[Any]]:
    """An import that lost its value, and a route with another backend in the same rule."""
    shared = route()
    shared["spec"]["rules"][0]["backendRefs"] += others
    return {
        "a": [service(port(80, H2C)), export()],
        "c": [imported(port(80)), shared, service(port(80), name="y")],
    }


def test_a_value_that_would_turn_a_neighbour(tmp_path: Path) -> None:
    """One Envoy cluster has one protocol: what is plain in the rule would be spoken HTTP/2."""
    (step,) = safe_order(world(tmp_path, beside({"name": "y", "port": 80})))
    assert step.action == f"write {H2C} on ServiceImport shop/x:80"
    said = "HTTPRoute shop/r would speak h2 to Service shop/y:80 of c, not http/1.1"
    assert step.blocked == said


def test_an_upgrade_that_would_turn_a_neighbour(tmp_path: Path) -> None:
    """Once `grpc` is read on an import, what is plain in its rule is spoken HTTP/2 too."""
    group = {"group": "multicluster.x-k8s.io", "kind": "ServiceImport"}
    shared = route()
    shared["spec"]["rules"][0]["backendRefs"].append({"name": "y", "port": 80, **group})
    plain = [
        each | {"metadata": each["metadata"] | {"name": "y"}}
        for each in (service(port(80)), export(), imported(port(80)))
    ]
    clusters = world(
        tmp_path,
        {
            "a": [service(port(80, "grpc")), export(), *plain[:2]],
            "c@envoy-gateway:v1.8.3": [imported(port(80, "grpc")), plain[2], shared],
        },
    )
    steps = safe_order(clusters, "v1.9.0")
    said = "Service of a http/1.1, ServiceImport of c h2"
    assert f"shop/y:80 by the routes that lead there: {said}" in {step.blocked for step in steps}
    assert all(step.blocked for step in steps)


def test_a_value_that_turns_a_neighbour_to_what_is_meant(tmp_path: Path) -> None:
    """Two imports lost their values, and are in one rule: what is written for one helps both."""
    group = {"group": "multicluster.x-k8s.io", "kind": "ServiceImport"}
    clusters = beside({"name": "z", "port": 80, **group})
    for objects in clusters.values():
        objects += [
            each | {"metadata": each["metadata"] | {"name": "z"}}
            for each in objects
            if each["kind"] in ("Service", "ServiceExport", "ServiceImport")
            and each["metadata"]["name"] == "x"
        ]
    known = world(tmp_path, clusters)
    steps = safe_order(known)
    assert [step.blocked for step in steps] == ["", ""]
    walk(known, steps)


# Clusters by their releases, and what stands in each; the steps, and those that are blocked.
ORDERS: dict[str, tuple[list[Cluster], list[str], list[str]]] = {
    "a port that is left out is compared with nothing": (
        [
            a_cluster("a", exports={"cart": ("2024-01-01T00:00:00Z", [(80, "p", None)])}),
            a_cluster(
                "b", "v1.0.2", exports={"cart": ("2024-06-01T00:00:00Z", [(81, "p", "grpc")])}
            ),
        ],
        ["b upgrade to v1.9.0"],
        [],
    ),
    "imports without an export at hand": (
        [
            a_cluster("c", "v1.8.3", imports={"cart": [(80, "p", "grpc")]}),
            a_cluster("d", "v1.8.3", imports={"cart": [(80, "p", "grpc")]}),
        ],
        [],
        ["c upgrade to v1.9.0", "d upgrade to v1.9.0"],
    ),
    "all exports in one step": (
        [
            *(
                a_cluster(name, exports={"cart": ("2024-01-01T00:00:00Z", [(80, "p", "grpc")])})
                for name in "abde"
            ),
            a_cluster("z", "v1.8.3", imports={"cart": [(80, "p", "grpc")]}),
        ],
        [
            f"a write {H2C} on Service shop/cart:80 of a, b, d, e; its imports follow",
            "z upgrade to v1.9.0",
        ],
        [],
    ),
    "a fault that an upgrade would add": (
        [
            a_cluster("a", "v1.0.2", exports={"cart": ("", [(80, "p", "grpc")])}),
            a_cluster("b", "v1.4.0", imports={"cart": [(80, "p", H2C)]}),
        ],
        ["b write grpc on ServiceImport shop/cart:80"],
        ["a upgrade to v1.9.0", "b upgrade to v1.9.0"],
    ),
}


@pytest.mark.parametrize(("clusters", "taken", "blocked"), ORDERS.values(), ids=ORDERS)
def test_orders(clusters: list[Cluster], taken: list[str], blocked: list[str]) -> None:
    steps = safe_order(clusters, "v1.9.0")
    named = [(f"{step.cluster} {step.action}", step.blocked) for step in steps]
    assert [name for name, why in named if not why] == taken
    assert [name for name, why in named if why] == blocked
    walk(clusters, steps)
    assert never_worse(prefixes(clusters, steps))


def test_a_mesh_that_would_hear_something_else_is_left_alone() -> None:
    """Linkerd takes `grpc` as bytes, and h2c as HTTP/2."""
    found = read({"a": "data/sample/east@envoy-gateway:1.8"}, meshes=["linkerd"]).clusters[0]
    export = a_cluster("a", exports={"cart": ("", [(80, "p", "grpc")])})
    meshed = Cluster(
        name="a",
        inventory=export.inventory,
        implementation="envoy-gateway",
        release="v1.9.0",
        meshes=found.meshes,
    )
    behind = a_cluster("b", "v1.8.3", imports={"cart": [(80, "p", "grpc")]})
    too = a_cluster("c", "v1.8.3", imports={"cart": [(80, "p", "grpc")]})
    edit = next(s for s in safe_order([meshed, behind, too], "v1.9.0") if s.writes)
    assert edit.blocked == "linkerd@v2.18.0 would speak h2 to Service of a, not tcp"


@pytest.mark.parametrize(
    ("words", "pairs"),
    [([], 0), (["a"], 0), (["a", "a"], 0), (["a", "b"], 1), (["a", "b", "a"], 2)],
)
def test_pairs_apart(words: list[str], pairs: int) -> None:
    assert apart(words) == pairs
