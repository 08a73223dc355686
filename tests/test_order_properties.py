"""Orders over clusters of all kinds: each prefix is resolved anew, route by route."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings, strategies as st

from protocol_analysis.multicluster.ordering import safe_order
from protocol_analysis.multicluster.propagation import propagation
from protocol_analysis.multicluster.steps import applied
from protocol_analysis.readings import resolve, word_of
from tests.disagreeing import (
    DERIVED,
    H2C,
    T1,
    Object,
    export,
    imported,
    port,
    route,
    service,
    tls,
    world,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from protocol_analysis.reading import Cluster

READERS = [
    *(f"envoy-gateway:{release}" for release in ("v1.0.2", "v1.3.3", "v1.6.7", "v1.8.3", "v1.9.0")),
    *("istio:1.26", "contour:main", "cilium-app-protocol:v1.16.0"),
]
VALUE = st.sampled_from([None, None, H2C, "grpc", "kubernetes.io/ws", "http"])
PORT = st.builds(
    lambda number, value, name, transport: port(
        number, value, name=f"{name}-{number}-{transport.lower()}", protocol=transport
    ),
    st.sampled_from([80, 80, 81]),
    VALUE,
    st.sampled_from(["http", "http", "grpc"]),
    st.sampled_from(["TCP", "TCP", "TCP", "UDP"]),
)
PORTS = st.lists(
    PORT, min_size=1, max_size=3, unique_by=lambda each: (each["port"], each["protocol"])
)
KINDS = st.lists(st.sampled_from(["HTTPRoute", "GRPCRoute", "TCPRoute", "UDPRoute"]), max_size=2)


@st.composite
def a_cluster(draw: st.DrawFn) -> tuple[str, list[Object]]:
    """Who reads a cluster, and what it has: an export, an import, routes to both, policies."""
    found: list[Object] = []
    if draw(st.booleans()):
        found += [service(*draw(PORTS)), export(draw(st.sampled_from(["", T1])))]
        found += [
            named(route(kind, draw(st.sampled_from([80, 81])), to="Service"), f"s-{kind}")
            for kind in dict.fromkeys(draw(KINDS))
        ]
        found += [tls("Service")] if draw(st.integers(0, 5)) == 0 else []
    if not found or draw(st.booleans()):
        ports, derived = draw(PORTS), draw(st.integers(0, 3)) == 0
        found.append(imported(*ports, **({"annotations": DERIVED} if derived else {})))
        found += [service(*draw(st.just(ports) | PORTS), name="derived-abc")] if derived else []
        found += [
            named(route(kind, draw(st.sampled_from([80, 81]))), f"i-{kind}")
            for kind in dict.fromkeys(draw(KINDS))
        ]
        found += [tls()] if draw(st.integers(0, 5)) == 0 else []
    return draw(st.sampled_from(READERS)), found


def named(made: Object, name: str) -> Object:
    return {**made, "metadata": {**made["metadata"], "name": name.lower()}}


Words = dict[tuple[Any, ...], str]


def sides(clusters: Sequence[Cluster]) -> Words:
    """What is spoken on each side of a port, behind an HTTPRoute."""
    return {
        (row.name, row.port, row.cluster, row.side): row.wire
        for row in propagation(clusters)
        if row.resolution and row.meant
    }


def requests(clusters: Sequence[Cluster]) -> Words:
    """What the references of each kind of route are spoken that mean the exported name."""
    return {
        (answer.route.kind, answer.ref.port, cluster.name, answer.ref.kind): word_of(answer)
        for cluster in clusters
        for answer in resolve(cluster.inventory, cluster.implementation, cluster.release)
        if answer.outcome not in ("no-port", "no-object")
    }


def parted(before: Words, after: Words) -> list[tuple[Any, ...]]:
    """What was spoken to several alike, and is not any more."""
    words: dict[tuple[Any, ...], set[str]] = {}
    for side, word in before.items():
        words.setdefault((*side[:2], word), set()).add(after[side])
    return [alike for alike, now in words.items() if len(now) > 1]


def faults(clusters: Sequence[Cluster]) -> Counter[str]:
    """How many disagreements there are, and how many of them are errors."""
    found = [fault.severity for row in propagation(clusters) for fault in row.faults]
    return Counter(all=len(found), error=found.count("error"))


CLUSTERS = st.lists(a_cluster(), min_size=1, max_size=4)


def made_of(folder: Path, drawn: list[tuple[str, list[Object]]]) -> tuple[Cluster, ...]:
    return world(folder, {f"c{at}@{reader}": items for at, (reader, items) in enumerate(drawn)})


@given(CLUSTERS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_prefix_parts_anybody(tmp_path: Path, drawn: list[Any]) -> None:
    now = list(made_of(tmp_path, drawn))
    for step in safe_order(now, "v1.9.0"):
        if step.blocked:
            continue
        then = applied(now, step)
        assert parted(sides(now), sides(then)) == [], step.action
        assert parted(requests(now), requests(then)) == [], step.action
        before, after = faults(now), faults(then)
        assert after <= before, (step.action, before, after)
        now = then
