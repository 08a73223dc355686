"""Orders over clusters of all kinds: each prefix is resolved anew, route by route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings, strategies as st

from protocol_analysis.multicluster.ordering import safe_order
from protocol_analysis.multicluster.propagation import propagation
from protocol_analysis.multicluster.steps import applied
from protocol_analysis.readings import resolve, word_of
from tests.disagreeing import (
    DERIVED,
    GATEWAY,
    H2C,
    T1,
    Object,
    Words,
    disagreements,
    export,
    imported,
    of,
    parted,
    port,
    route,
    service,
    sides,
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
    if draw(st.integers(0, 3)) == 0:
        found.append(proxy_protocol(found))
    if draw(st.integers(0, 3)) == 0:
        found = [shared(each) if each["kind"].endswith("Route") else each for each in found]
        found.append(service(port(80), name="y"))
    return draw(st.sampled_from(READERS)), found


def named(made: Object, name: str) -> Object:
    return {**made, "metadata": {**made["metadata"], "name": name.lower()}}


def proxy_protocol(objects: list[Object]) -> Object:
    """A policy of the routes that are there, by which some releases drop HTTP/2."""
    routes = [each for each in objects if each["kind"] in ("HTTPRoute", "GRPCRoute")]
    targets = [
        {"group": GATEWAY[:-3], "kind": each["kind"], "name": each["metadata"]["name"]}
        for each in routes
    ]
    spec = {"targetRefs": targets, "proxyProtocol": {"version": "V1"}}
    return of("gateway.envoyproxy.io/v1alpha1", "BackendTrafficPolicy", "p", {"spec": spec})


def shared(made: Object) -> Object:
    """A route in whose rule a plain Service is a backend too."""
    (rule,) = made["spec"]["rules"]
    refs = [*rule["backendRefs"], {"name": "y", "port": 80}]
    return {**made, "spec": {**made["spec"], "rules": [{"backendRefs": refs}]}}


def requests(clusters: Sequence[Cluster], name: str = "x") -> Words:
    """What the references of each kind of route are spoken that mean a name."""
    return {
        (answer.route.kind, answer.ref.port, cluster.name, answer.ref.kind): word_of(answer)
        for cluster in clusters
        for answer in resolve(cluster.inventory, cluster.implementation, cluster.release)
        if answer.outcome not in ("no-port", "no-object") and answer.ref.name == name
    }


# The folder is one for all examples: each writes its clusters anew.
anywhere = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
CLUSTERS = st.lists(a_cluster(), min_size=1, max_size=4)


def made_of(folder: Path, drawn: list[tuple[str, list[Object]]]) -> tuple[Cluster, ...]:
    return world(folder, {f"c{at}@{reader}": items for at, (reader, items) in enumerate(drawn)})


@anywhere
@given(CLUSTERS)
def test_no_prefix_parts_anybody(tmp_path: Path, drawn: list[Any]) -> None:
    now = list(made_of(tmp_path, drawn))
    for step in safe_order(now, "v1.9.0"):
        if step.blocked:
            continue
        then = applied(now, step)
        assert parted(sides(now), sides(then)) == [], step.action
        assert disagreements(then) <= disagreements(now), step.action
        if step.writes:
            assert requests(then, "y") == requests(now, "y"), step.action
        now = then


@anywhere
@given(CLUSTERS, st.sampled_from(["v1.6.7", "v1.8.3", "v1.9.0"]))
def test_no_prefix_parts_routes(tmp_path: Path, drawn: list[Any], to: str) -> None:
    """Whatever their rules and policies make of them."""
    now = list(made_of(tmp_path, drawn))
    for step in safe_order(now, to):
        if not step.blocked:
            then = applied(now, step)
            assert parted(requests(now), requests(then)) == [], step.action
            now = then


@anywhere
@given(a_cluster())
def test_twins_agree(tmp_path: Path, drawn: tuple[str, list[Object]]) -> None:
    """Two clusters that have and export the very same are spoken to alike."""
    reader, objects = drawn
    same = [each for each in objects if each["kind"] != "ServiceImport"]
    routes = [each for each in same if "ServiceImport" not in str(each.get("spec"))]
    rows = propagation(world(tmp_path, {f"{name}@{reader}": routes for name in "ab"}))
    assert all(row.agrees and not row.faults for row in rows)


@anywhere
@given(CLUSTERS)
def test_every_side_that_does_not_agree_is_told(tmp_path: Path, drawn: list[Any]) -> None:
    """By a fault of its port, in its cluster."""
    rows = propagation(made_of(tmp_path, drawn))
    told = {(row.port, row.cluster) for row in rows if row.faults}
    assert all((row.port, row.cluster) in told for row in rows if not row.agrees)
