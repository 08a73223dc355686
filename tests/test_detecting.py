"""Suggestions: what clues imply together, whose evidence it is, how much it is to be trusted."""

from __future__ import annotations

import json
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import given, strategies as st

from protocol_analysis import Inventory, load
from protocol_analysis.detecting import GRADES, NOT_MEASURED, Suggestion, suggestions
from protocol_analysis.measuring import meaning, measured
from protocol_analysis.reading import read
from protocol_analysis.releases import RulesetError
from tests.objects import OBJECTS, pods, read_from, route, service, tls_policy


def said(row: Suggestion) -> tuple[str | None, str | None]:
    return (str(row.implied) if row.implied else None, row.value)


# What a port says and what else there is; what is suggested, the value, who contradicts whom.
GRPC = {"name": "grpc", "port": 9000}
TOGETHER: dict[str, tuple[list[dict[str, Any]], str | None, str | None, tuple[str, ...]]] = {
    "a name": ([service(GRPC)], "grpc", "kubernetes.io/h2c", ()),
    "a name and TLS": ([service(GRPC), tls_policy()], "grpc+tls", None, ()),
    "HTTP/2, and more exactly gRPC": (
        [service({"name": "http2", "port": 9000}), route()], "grpc", "kubernetes.io/h2c", (),
    ),
    "TLS, and more exactly HTTPS": (
        [service({"name": "https", "port": 9000}), tls_policy()], "http/1.1+tls", None, (),
    ),
    "HTTP, and more exactly WebSocket": (
        [
            service({"name": "ws", "port": 9000}),
            pods(readinessProbe={"httpGet": {"port": 9000}}),
        ],
        "websocket", "kubernetes.io/ws", (),
    ),
    "WebSocket over TLS": ([service({"name": "wss", "port": 9000})], "websocket+tls", None, ()),
    "HTTP": ([service({"name": "http", "port": 9000})], "http/1.1", None, ()),
    "a database": ([service({"name": "redis", "port": 9000})], "tcp", None, ()),
    "a name against a route": (
        [service({"name": "http", "port": 9000}), route()], None, None, ("http/1.1", "grpc"),
    ),
    "a probe in the clear against TLS": (
        [service({"name": "a", "port": 9000}), pods(), tls_policy()], None, None, ("tls", "grpc"),
    ),
    "three that clash": (
        [
            service({"name": "tcp", "port": 9000}),
            pods(readinessProbe={"httpGet": {"port": 9000}}),
            route(),
        ],
        None, None, ("tcp", "http/1.1", "grpc"),
    ),
    "a default that yields": (
        [service({"name": "a", "port": 80}), route(port=80)], "grpc", "kubernetes.io/h2c", (),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TOGETHER)
def test_what_clues_imply_together(name: str, tmp_path: Path) -> None:
    objects, implied, value, contradictory = TOGETHER[name]
    (row,) = suggestions(read_from(tmp_path, *objects))
    assert said(row) == (implied, value)
    assert row.contradictory == contradictory
    assert (row.grade == "", row.confidence is None or implied is not None) == (not implied, True)


def test_a_port_without_a_clue_has_no_suggestion(tmp_path: Path) -> None:
    ports = [{"name": "api", "port": 8080}, {"name": "grpc", "port": 1, "protocol": "UDP"}]
    assert suggestions(read_from(tmp_path, service(*ports))) == []


def test_a_value_is_one_that_the_release_reads_on_the_kind(tmp_path: Path) -> None:
    imported = {
        **service(GRPC),
        "apiVersion": "multicluster.x-k8s.io/v1alpha1",
        "kind": "ServiceImport",
    }
    inventory = read_from(tmp_path, service(GRPC), imported)
    values = {
        release: [row.value for row in suggestions(inventory, release)]
        for release in ("v0.5.0", "v1.1.0", "v1.3.3", "v1.4.0", "main")
    }
    standard = "kubernetes.io/h2c"
    assert values == {
        "v0.5.0": [None, None],
        "v1.1.0": [standard, None],
        "v1.3.3": [standard, None],
        "v1.4.0": [standard, standard],
        "main": [standard, standard],
    }
    with pytest.raises(RulesetError):
        suggestions(inventory, "v99")


def test_each_cluster_is_suggested_what_its_own_release_reads(tmp_path: Path) -> None:
    imported = {
        **service(GRPC),
        "apiVersion": "multicluster.x-k8s.io/v1alpha1",
        "kind": "ServiceImport",
    }
    read_from(tmp_path, imported)
    readers = {
        "old": "envoy-gateway:v1.3.3",
        "new": "envoy-gateway:v1.9.0",
        "mesh": "istio:v1.26.0",
    }
    found = read({name: f"{tmp_path}@{reader}" for name, reader in readers.items()})
    assert [(row.meta.cluster, row.value) for row in suggestions(found)] == [
        ("old", None), ("new", "kubernetes.io/h2c"), ("mesh", "kubernetes.io/h2c"),
    ]  # fmt: skip


DECLARED = [
    ("grpc", True), ("kubernetes.io/h2c", True), ("HTTP2", True), ("http", False), ("HTTPS", False),
    ("mongo", False), ("acme.example/tunnel", None), (None, None),
]  # fmt: skip


@pytest.mark.parametrize(("value", "agrees"), DECLARED)
def test_what_is_declared_is_compared(value: str | None, *, agrees: bool, tmp_path: Path) -> None:
    port = {**GRPC, **({"appProtocol": value} if value else {})}
    (row,) = suggestions(read_from(tmp_path, service(port)))
    assert (row.port.app_protocol, row.agrees) == (value, agrees)
    assert said(row) == ("grpc", "kubernetes.io/h2c")


def test_nothing_reaches_from_one_cluster_to_another(tmp_path: Path) -> None:
    port = {"name": "api", "port": 9000}
    east, west = tmp_path / "east", tmp_path / "west"
    read_from(east, service(port))
    read_from(west, pods(), route(), tls_policy())
    assert suggestions(load(clusters={"east": east, "west": west})) == []
    (row,) = suggestions(load(tmp_path))
    assert [each.clue.id for each in row.evidence] == ["probe-grpc", "route-grpc", "policy-tls"]


def test_pods_of_another_namespace_are_not_behind_a_service(tmp_path: Path) -> None:
    port = {"name": "api", "port": 9000}
    assert suggestions(read_from(tmp_path, service(port), pods(namespace="other"))) == []
    (row,) = suggestions(
        read_from(tmp_path, service(port, namespace="other"), pods(namespace="other"))
    )
    assert [each.clue.id for each in row.evidence] == ["probe-grpc"]


def test_of_namesakes_the_nearest_are_meant(tmp_path: Path) -> None:
    """Two examples in one repository, with the same names and labels."""
    port = {"name": "api", "port": 9000}
    web = pods(readinessProbe={"httpGet": {"port": 9000}})
    read_from(tmp_path, service(port), pods(), file="one/all.yaml")
    read_from(tmp_path, service(port), file="two/service.yaml")
    read_from(tmp_path, web, file="two/pods.yaml")
    read_from(tmp_path, service(port), file="three/service.yaml")
    found = {row.meta.position.file: row for row in suggestions(load(tmp_path))}
    names = {Path(file).parts[-2]: [e.clue.id for e in row.evidence] for file, row in found.items()}
    assert names["one"] == ["probe-grpc"]
    assert names["two"] == ["probe-http"]
    # Neither is nearer: both may be meant.
    assert names["three"] == ["probe-grpc", "probe-http"]
    read_from(tmp_path, route(), file="one/route.yaml")
    found = {row.meta.position.file: row for row in suggestions(load(tmp_path))}
    assert [e.clue.id for e in found[str(tmp_path / "one/all.yaml")].evidence] == [
        "probe-grpc", "route-grpc",
    ]  # fmt: skip
    assert "route-grpc" not in [
        e.clue.id for e in found[str(tmp_path / "two/service.yaml")].evidence
    ]


def test_a_row_says_everything(tmp_path: Path) -> None:
    (row,) = suggestions(read_from(tmp_path, service({**GRPC, "appProtocol": "http"}), pods()))
    found = row.as_dict()
    assert json.loads(json.dumps(found)) == found
    assert (found["kind"], found["namespace"], found["name"]) == ("Service", "default", "s")
    assert (found["port"], found["portName"], found["appProtocol"]) == (9000, "grpc", "http")
    assert found["suggested"] == {"protocol": "grpc", "tls": False}
    assert (found["value"], found["agrees"]) == ("kubernetes.io/h2c", False)
    assert (found["contradictory"], found["grade"]) == ([], "low")
    name, probe = found["evidence"]
    assert (name["clue"], name["found"], name["implies"]) == ("name-istio", "port grpc", "grpc")
    assert probe["found"] == "grpc probe of port 9000 in Deployment default/a"
    assert probe["position"]["line"] > name["position"]["line"] > 0
    assert all(each["source"].startswith("https://") and each["text"] for each in (name, probe))


def test_confidence_is_the_best_clues_lower_bound(tmp_path: Path) -> None:
    (row,) = suggestions(read_from(tmp_path, service({"name": "grpc", "port": 4317})))
    bounds = [measured()[e.clue.id, str(e.fact)].interval[0] for e in row.evidence]
    assert len(bounds) == 2
    assert row.confidence == max(bounds)
    assert row.confidence is not None
    assert row.grade == next(grade for grade, low in GRADES.items() if row.confidence >= low)
    (row,) = suggestions(read_from(tmp_path, service({"name": "api", "port": 9000}), pods()))
    assert (row.confidence, row.grade) == (None, NOT_MEASURED)


SERVICE = "apiVersion: v1\nkind: Service\n"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {labels: {a: b}}\n"
INGRESS = "apiVersion: networking.k8s.io/v1\nkind: Ingress\n"
PORT = "spec: {ports: [{port: 1}]}\n"
# What must not crash, hang or be taken for a clue.
HOSTILE: dict[str, str] = {
    "deep JSON": SERVICE
    + f"metadata: {{annotations: {{cloud.google.com/app-protocols: '{'[' * 4_000}'}}}}\n{PORT}",
    "a list": f"{SERVICE}metadata: {{annotations: [konghq.com/protocol]}}\n{PORT}",
    "a mapping": f"{SERVICE}metadata: {{annotations: {{konghq.com/protocol: {{}}}}}}\n{PORT}",
    "digits": SERVICE
    + "metadata: {annotations: {projectcontour.io/upstream-protocol.h2c: '"
    + f"{'9' * 4_000},\N{ARABIC-INDIC DIGIT ONE}'}}}}\n{PORT}",
    "selector": f"{SERVICE}spec: {{selector: [a], ports: [{{port: 1, targetPort: {{a: 1}}}}]}}",
    "containers": f"{POD}spec: {{containers: {{a: 1}}, initContainers: [~, 1, [2]]}}",
    "probes": f"""{POD}spec:
  containers:
  - ports: [1, {{containerPort: x}}]
    livenessProbe: [1]
    readinessProbe: {{grpc: {{port: 99999999}}, httpGet: 5, exec: {{command: 5}}}}
    startupProbe: {{grpc: {{port: -1}}, exec: {{command: [grpc_health_probe, --addr]}}}}
""",
    "cron": "apiVersion: batch/v1\nkind: CronJob\nspec: {jobTemplate: []}",
    "ingress": f"""{INGRESS}metadata: {{annotations: {{nginx.org/grpc-services: ','}}}}
spec:
  defaultBackend: []
  rules:
  - http: [{{paths: 1}}]
  - http: {{paths: [{{backend: {{service: {{name: [], port: {{number: x}}}}}}}}]}}
""",
    "template": INGRESS + "metadata: {annotations: {a: '{{ .b }}'}}\nspec: {a: '{{ .b }}'}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_manifests_say_nothing(name: str, tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    # The pods of a Service that would hear of them.
    listening = f"{SERVICE}spec: {{selector: {{a: b}}, ports: [{{port: 1}}]}}\n"
    file.write_text(f"{HOSTILE[name]}\n---\n{listening}", encoding="utf-8")
    inventory = load(file)
    assert inventory.documents == 2
    assert suggestions(inventory) == []


def test_many_namesakes_take_no_time_without_end(tmp_path: Path) -> None:
    """Hundreds of Services, pods and routes of one name: what is shared is worked out once."""
    many = 500
    port = {"name": "api", "port": 9000}
    text = yaml.safe_dump_all([service(port), pods(), route()])
    (tmp_path / "m.yaml").write_text("---\n".join([text] * many), encoding="utf-8")
    found = suggestions(load(tmp_path))
    assert len(found) == many
    # One of each clue, however many there are: the first.
    assert {len(row.evidence) for row in found} == {2}


def test_many_selectors_take_no_time_without_end(tmp_path: Path) -> None:
    """A thousand Services with selectors of their own, each of which means every pod."""
    labels = [f"l{number}" for number in range(11)]
    documents = []
    for number in range(1_000):
        chosen = [label for at, label in enumerate(labels) if number + 1024 >> at & 1 or at == 10]
        selector = ", ".join(f"{label}: x" for label in chosen)
        spec = f"{{selector: {{{selector}}}, ports: [{{port: 9000}}]}}"
        documents.append(f"{SERVICE}metadata: {{name: s{number}}}\nspec: {spec}\n")
        every = ", ".join(f"{label}: x" for label in labels)
        container = "{livenessProbe: {grpc: {port: 9000}}}"
        meta = f"{{name: p{number}, labels: {{{every}}}}}"
        documents.append(
            f"apiVersion: v1\nkind: Pod\nmetadata: {meta}\nspec: {{containers: [{container}]}}\n"
        )
    (tmp_path / "m.yaml").write_text("---\n".join(documents), encoding="utf-8")
    inventory = load(tmp_path)
    started = time.process_time()
    found = suggestions(inventory)
    assert time.process_time() - started < 4  # a third of a second on its own
    # The probe of the first pod of all stands in line 9.
    assert [[e.position.line for e in row.evidence] for row in found] == [[9]] * 1_000


def answers(inventory: Inventory) -> list[str]:
    """What is suggested, without positions."""
    found = []
    for row in suggestions(inventory):
        clues = [(each.clue.id, str(each.fact)) for each in row.evidence]
        said = (row.meta.name, row.port.number, row.port.name, row.port.app_protocol)
        found.append(repr((*said, row.implied, row.value, row.confidence, clues)))
    return sorted(found)


@given(OBJECTS, st.randoms(use_true_random=False))
def test_the_order_of_documents_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, objects: list[dict[str, Any]], random: Random
) -> None:
    folder = tmp_path_factory.mktemp("orders")
    shuffled = random.sample(objects, len(objects))
    assert answers(read_from(folder, *shuffled)) == answers(read_from(folder, *objects))


@given(OBJECTS)
def test_a_suggestion_has_evidence_and_is_one_or_contradictory(
    tmp_path_factory: pytest.TempPathFactory, objects: list[dict[str, Any]]
) -> None:
    inventory = read_from(tmp_path_factory.mktemp("evidence"), *objects)
    for row in suggestions(inventory):
        assert row.evidence
        assert all(each.clue.source and each.position.file for each in row.evidence)
        assert (row.implied is None) == (len(row.contradictory) > 1)
        if row.implied:
            assert all(each.fact.fits(row.implied) for each in row.evidence)
        if row.value:
            meant = meaning(row.value)
            assert meant
            assert row.implied
            assert meant.fits(row.implied)
