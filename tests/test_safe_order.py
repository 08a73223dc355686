"""Orders of edits and upgrades: each prefix resolved anew, none parts two sides that agreed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from protocol_analysis.multicluster.ordering import Step, apart, applied, safe_order
from protocol_analysis.multicluster.propagation import propagation
from protocol_analysis.multicluster.telling import never_worse, prefixes
from protocol_analysis.reading import Cluster, read
from tests.fleets import a_cluster, fleet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

H2C, WS = "kubernetes.io/h2c", "kubernetes.io/ws"
Sides = dict[tuple[Any, ...], str]


def sides(clusters: Sequence[Cluster]) -> Sides:
    """What is spoken on each side, by the public table alone."""
    return {
        (row.name, row.port, row.cluster, row.side): row.wire
        for row in propagation(clusters)
        if row.resolution and row.winner
    }


def parted(before: Sides, after: Sides) -> list[tuple[Any, ...]]:
    """What was spoken to several sides of one port alike, and is not any more."""
    words: dict[tuple[Any, ...], set[str]] = {}
    for side, word in before.items():
        words.setdefault((*side[:2], word), set()).add(after[side])
    return [alike for alike, now in words.items() if len(now) > 1]


def walk(clusters: Sequence[Cluster], steps: Sequence[Step]) -> list[Cluster]:
    """Take the steps that are not blocked; none of them parts anybody."""
    now = list(clusters)
    for step in steps:
        if not step.blocked:
            then = applied(now, step)
            assert parted(sides(now), sides(then)) == [], step.action
            now = then
    return now


VALUE = st.sampled_from([None, H2C, "grpc", WS, "http"])
RELEASE = st.sampled_from(["v1.0.2", "v1.2.8", "v1.3.3", "v1.5.9", "v1.8.0", "v1.8.3", "v1.9.0"])
# For each cluster: its release, what it exports if anything, and what it imports.
CLUSTER = st.tuples(RELEASE, st.none() | st.tuples(VALUE), st.none() | st.tuples(VALUE))


def clusters_of(made: list[Any]) -> list[Cluster]:
    return [
        a_cluster(
            f"c{at}",
            release,
            exports={"cart": (f"2024-01-0{9 - at}T00:00:00Z", [(80, "a", exported[0])])}
            if exported
            else {},
            imports={"cart": [(80, "a", imported[0])]} if imported else {},
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
            assert parted(sides(now), sides(applied(now, step))), step.blocked


@given(st.lists(CLUSTER, min_size=1, max_size=4))
def test_after_the_order_there_is_no_other(made: list[Any]) -> None:
    clusters = clusters_of(made)
    now = walk(clusters, safe_order(clusters, "v1.9.0"))
    assert all(step.blocked for step in safe_order(now, "v1.9.0"))


def test_a_whole_fleet_comes_to_agree(tmp_path: Path) -> None:
    made = fleet(4, 24, 3, ["lost", "edited", "overridden", "dead_import"])
    clusters = read(made.write(tmp_path)).clusters
    steps = safe_order(clusters, "v1.9.0")
    assert not any(step.blocked for step in steps)
    now = walk(clusters, steps)
    assert {cluster.release for cluster in now} == {"v1.9.0"}
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
    assert steps[0].blocked == ("shop/cart:80: ServiceImport of b h2, ServiceImport of c http/1.1")


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
