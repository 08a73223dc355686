"""Plans: a case per decision, what is never rewritten, waves, progress, the document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings, strategies as st

from protocol_analysis.edits import wire_of, with_value
from protocol_analysis.multicluster.propagation import propagation
from protocol_analysis.multicluster.steps import applied
from protocol_analysis.multicluster.telling import never_worse
from protocol_analysis.proposals import shipped
from protocol_analysis.reading import Cluster, read
from protocol_analysis.readings import word_of
from protocol_analysis.releases import RulesetError
from protocol_analysis.rollout.calls import read_calls
from protocol_analysis.rollout.census import EFFECTS, census
from protocol_analysis.rollout.deciding import DECISIONS, Planned
from protocol_analysis.rollout.document import POINTS, document
from protocol_analysis.rollout.facts import never
from protocol_analysis.rollout.memo import recommended
from protocol_analysis.rollout.planning import Plan, design, planned, unsafe
from protocol_analysis.rollout.progress import progress, read_plan
from protocol_analysis.rollout.splitting import splits
from protocol_analysis.rollout.trying import differing, each_use_once, parted, unkept
from protocol_analysis.rollout.waves import steps_of
from protocol_analysis.speaking import rules_of, speak
from tests.support import ROOT, SHARED, needs_shared

TODAY = "2026-11-26"
H2C = "kubernetes.io/h2c"
GATEWAY = "gateway.networking.k8s.io"


def service(value: str | None = "grpc", port: int = 9000, **meta: Any) -> dict[str, Any]:
    declared: dict[str, Any] = {"name": "api", "port": port}
    declared |= {} if value is None else {"appProtocol": value}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s", "namespace": "shop", **meta},
        "spec": {"selector": {"app": "s"}, "ports": [declared]},
    }


def route(
    kind: str = "HTTPRoute", path: str = "/", port: int = 9000, to: str = "Service"
) -> dict[str, Any]:
    ref: dict[str, Any] = {"name": "s", "port": port}
    if to == "ServiceImport":
        ref |= {"group": "multicluster.x-k8s.io", "kind": to}
    rule: dict[str, Any] = {"backendRefs": [ref]}
    if kind == "HTTPRoute":
        rule["matches"] = [{"path": {"type": "PathPrefix", "value": path}}]
    return {
        "apiVersion": f"{GATEWAY}/v1",
        "kind": kind,
        "metadata": {"name": "r", "namespace": "shop"},
        "spec": {"rules": [rule]},
    }


def mcs(kind: str, value: str | None = None, created: str = "") -> dict[str, Any]:
    meta = {"name": "s", "namespace": "shop"} | ({"creationTimestamp": created} if created else {})
    found: dict[str, Any] = {
        "apiVersion": "multicluster.x-k8s.io/v1alpha1",
        "kind": kind,
        "metadata": meta,
    }
    if kind == "ServiceImport":
        port: dict[str, Any] = {"name": "api", "port": 9000}
        port |= {} if value is None else {"appProtocol": value}
        found["spec"] = {"type": "ClusterSetIP", "ports": [port]}
    return found


def namespace(**meta: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", **meta}}


def tls_policy() -> dict[str, Any]:
    return {
        "apiVersion": f"{GATEWAY}/v1",
        "kind": "BackendTLSPolicy",
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": "s"}]},
    }


def backend() -> dict[str, Any]:
    return {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "Backend",
        "metadata": {"name": "s", "namespace": "shop"},
        "spec": {"appProtocols": ["grpc"], "endpoints": [{"fqdn": {"hostname": "a.b", "port": 1}}]},
    }


IN_ISTIO = namespace(labels={"istio-injection": "enabled"})
IN_KUMA = namespace(labels={"kuma.io/sidecar-injection": "enabled"})
IN_LINKERD = namespace(annotations={"linkerd.io/inject": "enabled"})


def clusters_of(folder: Path, release: str, **objects: list[dict[str, Any]]) -> tuple[Cluster, ...]:
    """Each name a cluster; `release` of all that name none behind an underscore: `a_v1_8_3`."""
    named = {}
    for name, each in objects.items():
        cluster, _, own = name.partition("_")
        path = folder / cluster
        path.mkdir(parents=True)
        (path / "m.yaml").write_text(yaml.safe_dump_all(each), encoding="utf-8")
        named[cluster] = f"{path}@envoy-gateway:{own.replace('_', '.') or release}"
    return read(named).clusters


def one(folder: Path, *objects: dict[str, Any], release: str = "v1.9.0", **more: Any) -> Planned:
    """The plan of one cluster with one use."""
    (row,) = planned(clusters_of(folder, release, a=list(objects)), **more).rows
    return row


CASES: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str, str]] = {
    "to Envoy Gateway both are the same": ([service(), route()], {}, "rewrite", "neutral"),
    "nobody stops reading it": ([service(), route()], {"to": "keep"}, "keep", "neutral"),
    "a Service stays under keep-on-service": (
        [service(), route()],
        {"to": "keep-on-service"},
        "keep",
        "neutral",
    ),
    "a phase in which it counts": ([service(), route()], {"to": "remove@v1.10"}, "keep", "neutral"),
    "an import that it counts on since v1.9": (
        [mcs("ServiceImport", "grpc"), route(to="ServiceImport")],
        {"to": "keep-on-service"},
        "rewrite",
        "neutral",
    ),
    "an import where it is ignored": (
        [mcs("ServiceImport", "grpc"), route(to="ServiceImport")],
        {"release": "v1.8.3"},
        "rewrite",
        "gains",
    ),
    "a Backend": ([backend()], {}, "nothing to migrate", ""),
    "a chart": (
        [service(labels={"helm.sh/chart": "s-1"}), route()],
        {},
        "change the owner",
        "neutral",
    ),
    "an operator": (
        [service(labels={"app.kubernetes.io/managed-by": "opentelemetry-operator"}), route()],
        {},
        "change the owner",
        "neutral",
    ),
    "a GRPCRoute needs no value": ([service(), route("GRPCRoute")], {}, "keep", "neutral"),
    "a near miss": ([service("GRPC"), route()], {}, "correct", "gains"),
    "a near miss with a prefix": (
        [service("kubernetes.io/grpc"), route()],
        {"to": "keep"},
        "correct",
        "gains",
    ),
    "Istio, and whether it streams is not known": (
        [service(), route(path="/shop"), IN_ISTIO],
        {},
        "gateway-only Service",
        "unknown",
    ),
    "Istio, by a route that gRPC alone goes through": (
        [service(), route(path="/shop.v1.Cart"), IN_ISTIO],
        {},
        "GRPCRoute",
        "unknown",
    ),
    "Istio, by a route for everything": (
        [service(), route(), IN_ISTIO],
        {},
        "gateway-only Service",
        "unknown",
    ),
    "Istio, and no call streams": (
        [service(annotations={"protocol-analysis.dev/calls": "unary"}), route(), IN_ISTIO],
        {},
        "rewrite",
        "neutral",
    ),
    "Istio, and a file says that no call streams": (
        [service(), route(), IN_ISTIO],
        {"calls": {"shop/s": "unary"}},
        "rewrite",
        "neutral",
    ),
    "Istio, and calls stream": (
        [service(), route(path="/shop"), IN_ISTIO],
        {"calls": {"shop/s": "streaming"}},
        "gateway-only Service",
        "loses",
    ),
    "Istio reads it and no gateway does": ([service(), IN_ISTIO], {}, "keep", "unknown"),
    "Istio before the retries, which an upgrade brings": (
        [service(), route(path="/shop")],
        {"meshes": ["istio@1.22"]},
        "gateway-only Service",
        "neutral",
    ),
    "Kuma does not know it": (
        [service(), route(path="/shop"), IN_KUMA],
        {"calls": {"shop/s": "unary"}},
        "gateway-only Service",
        "loses",
    ),
    "Linkerd gains": ([service(), route(), IN_LINKERD], {}, "rewrite", "gains"),
    "a port for TLS": ([service(port=443), route(port=443)], {}, "keep", "neutral"),
    "a BackendTLSPolicy": ([service(), route(), tls_policy()], {}, "keep", "neutral"),
}


@pytest.mark.parametrize(("objects", "asked", "decision", "effect"), CASES.values(), ids=CASES)
def test_decisions(
    tmp_path: Path,
    objects: list[dict[str, Any]],
    asked: dict[str, Any],
    decision: str,
    effect: str,
) -> None:
    row = one(tmp_path, *objects, **asked)
    assert (row.decision, row.effect) == (decision, effect), row.why
    assert row.why
    assert bool(row.losses) == (effect in ("loses", "unknown"))


def ext_auth(kind: str = "http") -> dict[str, Any]:
    return {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "SecurityPolicy",
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {
            "targetRefs": [{"group": GATEWAY, "kind": "Gateway", "name": "g"}],
            "extAuth": {kind: {"backendRefs": [{"name": "s", "port": 9000}]}},
        },
    }


OUTSIDE = {
    "HTTP authorisation reads the value": ([ext_auth()], "rewrite"),
    "gRPC authorisation does not": ([ext_auth("grpc")], "keep"),
    "beside a GRPCRoute it still does": ([ext_auth(), route("GRPCRoute")], "rewrite"),
    "in a mesh no route can stand for it": ([ext_auth(), IN_ISTIO], "gateway-only Service"),
}


@pytest.mark.parametrize(("objects", "decision"), OUTSIDE.values(), ids=OUTSIDE)
def test_outside_routes(tmp_path: Path, objects: list[dict[str, Any]], decision: str) -> None:
    row = one(tmp_path, service(), *objects)
    assert row.decision == decision, row.why
    today = [each for each in row.use.of_role("gateway") if not each.later]
    assert all(word_of(each.before) == "h2" for each in today)


def only_http(**rule: Any) -> dict[str, Any]:
    found = route(path="/shop.v1.Cart")
    found["spec"]["rules"][0] |= rule
    return found


def matching(**match: Any) -> dict[str, Any]:
    return only_http(matches=[{"path": {"type": "PathPrefix", "value": "/shop.v1.Cart"}, **match}])


REWRITES = {"type": "URLRewrite", "urlRewrite": {"hostname": "a.b"}}
NO_GRPC_ROUTE = {
    "a filter": only_http(filters=[REWRITES]),
    "a timeout": only_http(timeouts={"request": "1s"}),
    "a method": matching(method="GET"),
    "a query": matching(queryParams=[{"name": "a", "value": "b"}]),
    "no match": only_http(matches=None),
    "a service's name alone": matching(path={"type": "Exact", "value": "/shop.v1.Cart"}),
}


@pytest.mark.parametrize("path", NO_GRPC_ROUTE.values(), ids=NO_GRPC_ROUTE)
def test_what_cannot_be_a_grpc_route(tmp_path: Path, path: dict[str, Any]) -> None:
    web = service("http", 80)
    web["metadata"]["name"] = "web"
    other = route(port=80)
    other["metadata"]["name"] = "other"
    row = one(tmp_path, service(), path, IN_ISTIO, web)
    assert row.decision == "gateway-only Service", row.why
    assert "HTTPRoute shop/r" in row.why


def test_a_rule_that_leads_elsewhere_stands_against_a_grpc_route(tmp_path: Path) -> None:
    web = service("http", 80)
    web["metadata"]["name"] = "web"
    path = route(path="/shop.v1.Cart")
    second = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/shop.v1.Web"}}],
        "backendRefs": [{"name": "web", "port": 80}],
    }
    path["spec"]["rules"].append(second)
    row = one(tmp_path, service(), path, IN_ISTIO, web)
    assert row.decision == "gateway-only Service"
    assert "leads to web too, which is spoken http/1.1" in row.why


def test_a_mesh_may_read_a_near_miss(tmp_path: Path) -> None:
    """Istio takes GRPC for grpc, so the same is lost."""
    row = one(tmp_path, service("GRPC"), route(), IN_ISTIO)
    assert (row.decision, row.effect) == ("keep", "unknown")
    assert row.ask


def test_a_design_may_read_a_near_miss(tmp_path: Path) -> None:
    row = one(tmp_path, service("kubernetes.io/grpc"), route(), to="standardise")
    assert row.decision == "keep"
    assert "standardise@v1.10.0 reads it" in row.why


def gateway_of(controller: str, listener: str = "HTTP") -> list[dict[str, Any]]:
    spec = {"gatewayClassName": "c", "listeners": [{"name": "l", "port": 80, "protocol": listener}]}
    return [
        {
            "apiVersion": f"{GATEWAY}/v1",
            "kind": "GatewayClass",
            "metadata": {"name": "c"},
            "spec": {"controllerName": controller},
        },
        {
            "apiVersion": f"{GATEWAY}/v1",
            "kind": "Gateway",
            "metadata": {"name": "g", "namespace": "shop"},
            "spec": spec,
        },
    ]


@pytest.mark.parametrize("controller", ["gateway.k8s.aws/alb", "networking.gke.io/gateway"])
def test_what_nobody_knows_is_kept(tmp_path: Path, controller: str) -> None:
    path = route()
    path["spec"]["parentRefs"] = [{"name": "g"}]
    second = route()
    second["metadata"]["name"] = "own"
    row = one(tmp_path, service(), path, second, *gateway_of(controller))
    assert (row.decision, row.effect) == ("keep", "unknown"), row.why


def memo_of(folder: Path, *objects: dict[str, Any], **asked: Any) -> str:
    return recommended(planned(clusters_of(folder, "v1.9.0", a=list(objects)), **asked)).word


MEMOS: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str]] = {
    "nothing": ([service("http"), route()], {}, "nothing at hand"),
    "a near miss alone": ([service("GRPC"), route()], {}, "nothing at hand"),
    "a plan to keep": ([service(), route()], {"to": "keep"}, "nothing to do"),
    "a plan for a release": ([service(), route()], {"to": "1.8"}, "nothing to do"),
    "nobody else": ([service(), route()], {}, "retire"),
    "a mesh": ([service(), route(), IN_ISTIO], {}, "keep on Service"),
    "a mesh that loses nothing": (
        [service(), route(), IN_ISTIO],
        {"calls": {"shop/s": "unary"}},
        "retire",
    ),
    "a port for TLS": ([service(port=443), route(port=443)], {}, "warn, and set no date"),
    "a chart": (
        [service(labels={"helm.sh/chart": "s"}), route()],
        {},
        "warn, and set no date",
    ),
}


@pytest.mark.parametrize(("objects", "asked", "word"), MEMOS.values(), ids=MEMOS)
def test_memos(
    tmp_path: Path, objects: list[dict[str, Any]], asked: dict[str, Any], word: str
) -> None:
    assert memo_of(tmp_path, *objects, **asked) == word


def test_a_removal_by_another_name_needs_the_same(tmp_path: Path) -> None:
    clusters = clusters_of(tmp_path, "v1.9.0", a=[service(), route()])
    text = (ROOT / "protocol_analysis/proposals/remove.yaml").read_text(encoding="utf-8")
    mine = {**yaml.safe_load(text), "proposal": "keep-not"}
    for to in ("remove", design("remove", 6), design(mine)):
        assert "charts/gateway-addons-helm" in document(planned(clusters, to), TODAY)


def test_every_decision_has_a_case() -> None:
    elsewhere = {"never", "blocked", "follow the export"}
    assert {decision for _, _, decision, _ in CASES.values()} | elsewhere == set(DECISIONS)
    assert {effect for _, _, _, effect in CASES.values()} - {""} == set(EFFECTS)


NEVER = [value for value in never() if value not in ("https", "tls")]


@pytest.mark.parametrize("value", NEVER)
def test_never_rewritten(tmp_path: Path, value: str) -> None:
    row = one(tmp_path, service(value), route())
    assert (row.decision, row.value) == ("never", "")
    assert row.wave is None


@pytest.mark.parametrize("value", ["https", "tls"])
def test_what_says_tls_is_no_use_of_grpc(tmp_path: Path, value: str) -> None:
    assert not planned(clusters_of(tmp_path, "v1.9.0", a=[service(value), route()])).rows


@pytest.mark.parametrize(
    "meta",
    [
        {"labels": {"helm.sh/chart": "s-1"}},
        {"labels": {"argocd.argoproj.io/instance": "s"}},
        {"annotations": {"meta.helm.sh/release-name": "s"}},
        {"ownerReferences": [{"kind": "OpenTelemetryCollector", "name": "s", "uid": "1"}]},
    ],
)
def test_owned_objects_are_not_rewritten_here(tmp_path: Path, meta: dict[str, Any]) -> None:
    clusters = clusters_of(tmp_path, "v1.9.0", a=[service(**meta), route()])
    found = planned(clusters)
    assert [row.decision for row in found.rows] == ["change the owner"]
    assert list(unsafe(found)) == [found.rows[0].use.position]


OLD, NEW = "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"


def across(folder: Path, **objects: list[dict[str, Any]]) -> Plan:
    found = planned(clusters_of(folder, "v1.9.0", **objects))
    assert never_worse(parted(found))
    assert not differing(found)
    return found


def words(found: Plan) -> list[tuple[str, str, str]]:
    return [(row.use.cluster, row.use.target.kind, row.decision) for row in found.rows]


def test_the_import_follows(tmp_path: Path) -> None:
    importer = [mcs("ServiceImport", "grpc"), route(to="ServiceImport")]
    found = across(tmp_path, a=[service(), route(), mcs("ServiceExport", created=OLD)], b=importer)
    assert words(found) == [
        ("a", "Service", "rewrite"),
        ("b", "ServiceImport", "follow the export"),
    ]
    assert [(wave.name, len(wave.planned)) for wave in found.waves] == [("exports", 2)]


def test_a_younger_export_in_a_mesh_keeps_all(tmp_path: Path) -> None:
    found = across(
        tmp_path,
        a=[service(), route(), mcs("ServiceExport", created=OLD)],
        b=[service(), IN_ISTIO, mcs("ServiceExport", created=NEW)],
        c=[mcs("ServiceImport", "grpc"), route(path="/shop.v1.Cart", to="ServiceImport")],
        d=[mcs("ServiceImport", "grpc"), route(path="/shop", to="ServiceImport")],
    )
    assert words(found) == [
        ("a", "Service", "keep"),
        ("b", "Service", "keep"),
        ("c", "ServiceImport", "GRPCRoute"),
        ("d", "ServiceImport", "keep"),
    ]
    assert "Service shop/s:9000 in b is exported" in found.rows[0].why


def test_a_chart_waits_for_what_is_exported_with_it(tmp_path: Path) -> None:
    owned = service(labels={"helm.sh/chart": "s"})
    found = across(
        tmp_path,
        a=[owned, route(), mcs("ServiceExport", created=OLD)],
        b=[service(), mcs("ServiceExport", created=NEW)],
        c=[mcs("ServiceImport", "grpc"), route(to="ServiceImport")],
    )
    assert [(wave.name, len(wave.planned)) for wave in found.waves] == [("exports", 3)]
    assert [len(conflicts(clusters)) for clusters in in_waves(found)] == [0, 0]


def in_waves(found: Plan) -> list[list[Cluster]]:
    """The clusters before, and after each wave."""
    states = [list(found.clusters)]
    for step in steps_of(found.clusters, found.waves):
        states.append(applied(states[-1], step))
    return states


def conflicts(clusters: list[Cluster]) -> list[str]:
    return [fault.kind.kind for row in propagation(clusters) for fault in row.faults]


def test_an_old_importer_gains_from_it(tmp_path: Path) -> None:
    found = across(
        tmp_path,
        a=[service(), route(), mcs("ServiceExport", created=OLD)],
        b_v1_8_3=[mcs("ServiceImport", "grpc"), route(to="ServiceImport")],
    )
    assert [row.effect for row in found.rows] == ["gains", "gains"]
    assert parted(found) == [1, 0]


@pytest.mark.parametrize("value", ["grpc", "GRPC"])
@pytest.mark.parametrize("kind", ["HTTPRoute", "GRPCRoute"])
def test_an_importer_that_would_part_comes_first(tmp_path: Path, kind: str, value: str) -> None:
    """v1.0 reads h2c on a Service, grpc nowhere, and nothing on an import."""
    found = across(
        tmp_path,
        a_v1_0_2=[service(value), route(kind), mcs("ServiceExport", created=OLD)],
        b_v1_0_2=[mcs("ServiceImport", "grpc"), route(to="ServiceImport")],
    )
    assert words(found)[0] == ("a", "Service", "blocked")
    assert found.rows[0].blocked_until == "envoy-gateway v1.4.0"


def test_an_edited_import_does_not_follow(tmp_path: Path) -> None:
    found = across(
        tmp_path,
        a=[service("http"), mcs("ServiceExport", created=OLD)],
        b=[mcs("ServiceImport", "grpc"), route(to="ServiceImport")],
    )
    assert words(found) == [("b", "ServiceImport", "keep")]
    assert "its exports say http" in found.rows[0].why


def test_another_gateway_that_would_lose_blocks(tmp_path: Path) -> None:
    """NGINX Gateway Fabric ignores grpc, and refuses h2c behind an HTTPRoute before v2.7."""
    controller = {"controllerName": "gateway.nginx.org/nginx-gateway-controller"}
    other = [
        {
            "apiVersion": f"{GATEWAY}/v1",
            "kind": "GatewayClass",
            "metadata": {"name": "nginx"},
            "spec": controller,
        },
        {
            "apiVersion": f"{GATEWAY}/v1",
            "kind": "Gateway",
            "metadata": {"name": "g", "namespace": "shop"},
            "spec": {"gatewayClassName": "nginx", "listeners": []},
        },
    ]
    second = route()
    second["metadata"]["name"] = "other"
    second["spec"]["parentRefs"] = [{"name": "g"}]
    clusters = clusters_of(tmp_path, "v1.9.0", a=[service(), route(), second, *other])
    (row,) = planned(clusters).rows
    named = {each.name for each in row.use.consumers if not each.later}
    assert {name.partition("@")[0] for name in named} == {"envoy-gateway", "nginx-gateway-fabric"}


@pytest.mark.parametrize("to", [*shipped(), "v1.9.0"])
@pytest.mark.parametrize("meshes", [(), ("istio@1.26",), ("kuma",), ("linkerd",)], ids=str)
def test_what_a_plan_of_the_sample_claims(to: str, meshes: tuple[str, ...]) -> None:
    paths = {"east": "envoy-gateway:v1.8.3", "west": "envoy-gateway:v1.5.9"}
    named = {name: f"{ROOT}/data/sample/{name}@{by}" for name, by in paths.items()}
    found = planned(read(named).clusters, to, meshes)
    assert each_use_once(found)
    assert not differing(found)
    assert not unkept(found)
    assert never_worse(parted(found))
    waves = [row for wave in found.waves for row in wave.planned]
    assert len(waves) == len({id(row) for row in waves}) == sum(row.open for row in found.rows)
    assert document(found, TODAY).count("\n## ") == len(POINTS) == 10
    if to == "keep":
        assert not [row for row in found.rows if row.needed]


def neutral_alone(found: Plan) -> int:
    """Every row that is neutral to a gateway, by itself: the same wire for every reference."""
    count = 0
    for cluster in found.clusters:
        for row in found.rows:
            readers = {c.reader for c in row.use.of_role("gateway") if c.effect == "neutral"}
            if row.decision != "rewrite" or row.use.cluster != (cluster.name or ""):
                continue
            after = with_value(cluster.inventory, row.use.target, row.use.port, row.value)
            for by in readers:
                pairs = zip(
                    speak(cluster.inventory, *rules_of(by)),
                    speak(after, *rules_of(by)),
                    strict=True,
                )
                assert all((a.sent, *wire_of(a)) == (b.sent, *wire_of(b)) for a, b in pairs)
                count += 1
    return count


@needs_shared
@pytest.mark.slow
@pytest.mark.parametrize("release", ["v1.1.4", "v1.3.3", "v1.5.9", "v1.8.3", "v1.9.0"])
def test_on_real_manifests_neutral_is_neutral(release: str) -> None:
    folders = sorted((SHARED / "real/manifests").iterdir())
    found = 0
    for folder in folders:
        plan = planned(read(str(folder), release).clusters)
        assert each_use_once(plan)
        assert not differing(plan)
        assert not unkept(plan)
        found += neutral_alone(plan)
    assert found > 0


_VALUES = st.sampled_from(["grpc", "GRPC", "kubernetes.io/grpc", "http2", H2C, "http", None])
_ROUTES = st.lists(
    st.builds(route, st.sampled_from(["HTTPRoute", "GRPCRoute"]), st.sampled_from(["/", "/a.B/c"])),
    max_size=2,
)
_SPACES = st.lists(st.sampled_from([IN_ISTIO, IN_KUMA, IN_LINKERD]), max_size=1)
_RELEASES = st.sampled_from(["v1.0.2", "v1.3.3", "v1.5.9", "v1.8.3", "v1.9.0"])


@given(
    exporter=st.tuples(_VALUES, _ROUTES, _SPACES, _RELEASES),
    importer=st.tuples(_VALUES, st.booleans(), _RELEASES),
    to=st.sampled_from(shipped()),
)
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_plan_parts_two_clusters(
    tmp_path_factory: pytest.TempPathFactory, exporter: Any, importer: Any, to: str
) -> None:
    folder = tmp_path_factory.mktemp("plan")
    value, routes, spaces, release = exporter
    for number, each in enumerate(routes):
        each["metadata"]["name"] = f"r{number}"
    imported, routed, other = importer
    objects = {
        f"a_{release.replace('.', '_')}": [service(value), *routes, *spaces, mcs("ServiceExport")],
        f"b_{other.replace('.', '_')}": [
            mcs("ServiceImport", imported),
            *([route(to="ServiceImport")] if routed else []),
        ],
    }
    found = planned(clusters_of(folder, "v1.9.0", **objects), to)
    assert each_use_once(found)
    assert not differing(found)
    assert not unkept(found)
    assert never_worse(parted(found))
    for row in found.rows:
        assert bool(row.losses) == (row.effect in ("loses", "unknown"))


def test_streaming_is_asked_for(tmp_path: Path) -> None:
    row = one(tmp_path, service(), route(path="/shop"), IN_ISTIO)
    assert row.ask == "do calls to shop/s stream?"
    assert "AP031" in {each["code"] for each in row.as_dict()["hazards"]}


WRONG_CALLS = {
    "another word": ("shop/s: sometimes", "calls.yaml:1: shop/s: 'sometimes'; write unary or"),
    "no name": ("shop: unary", "write namespace/name"),
    "a list": ("[shop/s]", "a list; write a line for each Service"),
    "no YAML": ("a: [", "calls.yaml:1: not YAML"),
    "twice": ("a/b: unary\na/b: unary", "calls.yaml:2: key 'a/b' stands in line 1 too"),
}


@pytest.mark.parametrize(("text", "said"), WRONG_CALLS.values(), ids=WRONG_CALLS)
def test_a_wrong_file_of_calls(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "calls.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RulesetError) as error:
        read_calls(path)
    assert said in str(error.value)


def test_an_empty_file_of_calls_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "calls.yaml"
    path.write_text("", encoding="utf-8")
    assert read_calls(path) == {}


def test_a_service_for_the_gateway_alone(tmp_path: Path) -> None:
    kuma = [service(), route(path="/shop"), IN_KUMA]
    found = planned(clusters_of(tmp_path, "v1.9.0", a=kuma))
    (made,) = splits(found)
    (manifest,) = made.documents
    assert manifest["metadata"] == {"name": "s-gateway", "namespace": "shop"}
    assert manifest["spec"]["ports"][0]["appProtocol"] == H2C
    assert made.differs == ("kuma",)  # tcp by the new name, HTTP/2 by the old


def test_between_parts_the_phases() -> None:
    for between in (2, 4, 7):
        phases = getattr(design("remove", between), "phases")  # noqa: B009 - a Proposal's
        first, last = (phase.release.split(".")[1] for phase in (phases[0], phases[-1]))
        assert int(last) - int(first) == between
    with pytest.raises(RulesetError):
        design("1.8", 2)


def planned_in(folder: Path, *objects: dict[str, Any]) -> tuple[tuple[Cluster, ...], Plan]:
    clusters = clusters_of(folder, "v1.9.0", a=list(objects))
    return clusters, planned(clusters)


def states_of(before: Plan, after: tuple[tuple[Cluster, ...], Plan]) -> list[str]:
    earlier = json.loads(json.dumps([row.as_dict() for row in before.rows]))
    return [each.state for each in progress(after[0], after[1].rows, earlier)]


def test_states(tmp_path: Path) -> None:
    _, before = planned_in(tmp_path / "0", service(), route())
    again = planned_in(tmp_path / "1", service(), route())
    assert states_of(before, again) == ["as before"]
    done = planned_in(tmp_path / "2", service(H2C), route())
    assert states_of(before, done) == ["done"]
    gone = planned_in(tmp_path / "3", route())
    assert states_of(before, gone) == ["gone"]
    other = planned_in(tmp_path / "4", service(), route(), IN_ISTIO)
    assert states_of(before, other) == ["other decision"]
    _, empty = planned_in(tmp_path / "5", route())
    assert states_of(empty, again) == ["new"]


@pytest.mark.parametrize("text", ["{}", "[1]", '[{"cluster": 1}]', "[", "\x00"])
def test_what_is_no_plan(tmp_path: Path, text: str) -> None:
    path = tmp_path / "earlier.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RulesetError, match="no plan"):
        read_plan(path)


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    bad = "<script>alert(1)</script>|`x`\n# h"
    objects = [service(labels={"helm.sh/chart": bad}), route()]
    text = document(planned(clusters_of(tmp_path, "v1.9.0", a=objects)), TODAY)
    assert "<script>" not in text
    assert "\n# h" not in text


def test_a_census_of_nothing() -> None:
    assert census([]) == []
    assert document(planned([]), TODAY).startswith("# Memo")
