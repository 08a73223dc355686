"""What became of an earlier plan: done is what it wanted, and namesakes are kept apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings, strategies as st

from protocol_analysis.reading import Cluster, read
from protocol_analysis.rollout.planning import Plan, planned
from protocol_analysis.rollout.progress import STATES, Progress, progress
from tests.test_plan import H2C, IN_ISTIO, IN_KUMA, backend, clusters_of, route, service

State = tuple[tuple[Cluster, ...], Plan]


def at(folder: Path, *objects: dict[str, Any]) -> State:
    clusters = clusters_of(folder, "v1.9.0", a=list(objects))
    return clusters, planned(clusters)


def between(before: State, after: State, **cut: Any) -> list[Progress]:
    rows = json.loads(json.dumps([row.as_dict() for row in before[1].rows]))
    return progress(after[0], after[1].rows, [{**row, **cut} for row in rows])


SHOP = route(path="/shop")  # no GRPCRoute can stand in for it
METHODS = route(path="/shop.v1.Cart")  # which a GRPCRoute can match too
CHART: dict[str, Any] = {"labels": {"helm.sh/chart": "s-1"}}
BECAME: dict[str, tuple[list[Any], str, list[Any], str, str]] = {
    "rewritten": ([service(), route()], "rewrite", [service(H2C), route()], "done", H2C),
    "another word": (
        [service(), route()],
        "rewrite",
        [service("http"), route()],
        "other value",
        "http",
    ),
    "nothing at all": (
        [service(), route()],
        "rewrite",
        [service(None), route()],
        "other value",
        "nothing",
    ),
    "a word that is nearly it": (
        [service(), route()],
        "rewrite",
        [service("GRPC"), route()],
        "other decision",
        "GRPC",
    ),
    "the port is gone": ([service(), route()], "rewrite", [service(None, port=1)], "gone", ""),
    "corrected": ([service("GRPC"), route()], "correct", [service(H2C), route()], "done", H2C),
    "the chart was changed": (
        [service(**CHART), route()],
        "change the owner",
        [service(H2C, **CHART), route()],
        "done",
        H2C,
    ),
    "kept, and changed all the same": (
        [service(), route("GRPCRoute")],
        "keep",
        [service(H2C), route("GRPCRoute")],
        "other value",
        H2C,
    ),
    "a GRPCRoute leads there": (
        [service(), METHODS, IN_ISTIO],
        "GRPCRoute",
        [service(), route("GRPCRoute"), IN_ISTIO],
        "done",
        "grpc",
    ),
    "an HTTPRoute goes on": (
        [service(), METHODS, IN_ISTIO],
        "GRPCRoute",
        [service(), METHODS, IN_ISTIO],
        "as before",
        "grpc",
    ),
    "rewritten where a GRPCRoute was wanted": (
        [service(), METHODS, IN_ISTIO],
        "GRPCRoute",
        [service(H2C), METHODS, IN_ISTIO],
        "other value",
        H2C,
    ),
    "the routes lead to another Service": (
        [service(), SHOP, IN_KUMA],
        "gateway-only Service",
        [service(), service(H2C) | {"metadata": {"name": "t", "namespace": "shop"}}, IN_KUMA],
        "done",
        "grpc",
    ),
    "the Service of the mesh was rewritten": (
        [service(), SHOP, IN_KUMA],
        "gateway-only Service",
        [service(H2C), SHOP, IN_KUMA],
        "other value",
        H2C,
    ),
    "a Backend that says something else": (
        [backend()],
        "nothing to migrate",
        [backend() | {"spec": {"appProtocols": ["gateway.envoyproxy.io/h2c"]}}],
        "other value",
        "gateway.envoyproxy.io/h2c",
    ),
    "a Backend as it was": ([backend()], "nothing to migrate", [backend()], "as before", "grpc"),
}


@pytest.mark.parametrize(
    ("before", "decided", "after", "state", "now"), BECAME.values(), ids=BECAME
)
def test_what_became_of_a_use(
    tmp_path: Path, before: list[Any], decided: str, after: list[Any], state: str, now: str
) -> None:
    then = at(tmp_path / "0", *before)
    assert [row.decision for row in then[1].rows] == [decided]
    (found,) = between(then, at(tmp_path / "1", *after))
    assert (found.state, found.now) == (state, now)


def files(folder: Path, **values: str | None) -> State:
    """The same Service and port in several files, as in a repository of examples."""
    folder.mkdir()
    for name, value in values.items():
        text = yaml.safe_dump(service(value))
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    clusters = read(str(folder)).clusters
    return clusters, planned(clusters)


NAMESAKES: dict[str, tuple[dict[str, Any], dict[str, Any], list[tuple[str, str]]]] = {
    "the second is done": (
        {"a": "grpc", "b": "grpc"},
        {"a": "grpc", "b": H2C},
        [("as before", "grpc"), ("done", H2C)],
    ),
    "the first is done": (
        {"a": "grpc", "b": "grpc"},
        {"a": H2C, "b": "grpc"},
        [("done", H2C), ("as before", "grpc")],
    ),
    "the first was never a use": (
        {"a": "http", "b": "grpc"},
        {"a": "http", "b": H2C},
        [("done", H2C)],
    ),
    "the first is a use by now": (
        {"a": "http", "b": "grpc"},
        {"a": "grpc", "b": H2C},
        [("done", H2C), ("new", "grpc")],
    ),
    "one is gone": (
        {"a": "grpc", "b": "grpc"},
        {"b": "grpc"},
        [("gone", ""), ("as before", "grpc")],
    ),
    "one more": (
        {"b": "grpc"},
        {"a": "grpc", "b": "grpc"},
        [("as before", "grpc"), ("new", "grpc")],
    ),
}


@pytest.mark.parametrize(("before", "after", "told"), NAMESAKES.values(), ids=NAMESAKES)
def test_namesakes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: dict[str, Any],
    after: dict[str, Any],
    told: list[tuple[str, str]],
) -> None:
    """Read from the same relative path, as one repository at two commits is."""
    states = []
    for number, values in enumerate((before, after)):
        (tmp_path / str(number)).mkdir()
        monkeypatch.chdir(tmp_path / str(number))
        states.append(files(Path("m"), **values))
    then, now = states
    assert [(each.state, each.now) for each in between(then, now)] == told


@given(
    values=st.lists(st.sampled_from(["grpc", H2C, "http", None]), min_size=1, max_size=5),
    then=st.lists(st.sampled_from(["grpc", "GRPC", "http"]), min_size=1, max_size=5),
)
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_each_port_is_met_once(
    tmp_path_factory: pytest.TempPathFactory, values: list[str | None], then: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("since")
    before = files(folder / "0", **{f"f{n}": value for n, value in enumerate(then)})
    after = files(folder / "1", **{f"f{n}": value for n, value in enumerate(values)})
    found = between(before, after)
    assert {each.state for each in found} <= set(STATES)
    old = [each for each in found if each.state != "new"]
    assert len(old) == len(before[1].rows)
    assert [each.then for each in old] == [row.use.value for row in before[1].rows]
    assert sum(each.decision != "" for each in found) == len(after[1].rows)
    gone = sum(each.state == "gone" for each in found)
    assert gone == max(0, len(old) - len(values))


WRONG_PLACES = [None, 1, {}, {"file": 3, "document": "a"}, {"file": "x.yaml", "document": 9}]


@pytest.mark.parametrize("place", WRONG_PLACES, ids=str)
def test_a_plan_without_places_is_read(tmp_path: Path, place: Any) -> None:
    then = at(tmp_path / "0", service(), route())
    (found,) = between(then, at(tmp_path / "1", service(H2C), route()), declaredAt=place)
    assert found.state == "done"
