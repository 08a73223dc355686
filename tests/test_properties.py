"""What holds whatever the manifests say: found by Hypothesis, on small worlds full of namesakes."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from protocol_analysis import Coverage, Inventory, Resolution, coverage, load, resolve, ruleset
from protocol_analysis.coverage import CLASSES
from protocol_analysis.model import BACKEND_GROUPS, ENVOY_GATEWAY, GATEWAY_API, MCS, ROUTE_KINDS
from protocol_analysis.tables import class_table, coverage_table, resolution_table
from tests.support import ROOT

Object = dict[str, Any]
Files = Mapping[str, Sequence[Object]]

# The same examples in every run, and no clock: files take what they take to write and read.
quick = settings(
    max_examples=settings().max_examples * 3 // 10,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

FILES = ("a.yaml", "b.yaml", "app/a.yaml", "app/b.yaml")
RELEASES = ("v1.8.3", "v1.9.0", "main", "v1.4.6", "v1.2.8", "v1.1.4", "v1.0.2", "v0.6.0", "v0.2.0")
VALUES = (
    "grpc", "GRPC", "h2c", "http", "", " grpc", "kubernetes.io/h2c", "kubernetes.io/ws",
    "gateway.envoyproxy.io/h2c", "gateway.envoyproxy.io/wss", "example.net/x",
)  # fmt: skip
OURS = "gateway.envoyproxy.io/gatewayclass-controller"

# Few names, and some oftener: what refers and what is referred to should meet, and so should
# namesakes.
namespaces = st.sampled_from(("shop", "shop", "shop", "shop", "shop", "bank"))
names = st.sampled_from(("cart", "cart", "cart", "cart", "till"))
numbers = st.sampled_from((80, 80, 80, 53))
releases = st.sampled_from(RELEASES)


def versioned(group: str) -> str:
    return f"{group}/v1" if group else "v1"


def an_object(kind: str, group: str, spec: st.SearchStrategy[Object]) -> st.SearchStrategy[Object]:
    metadata = st.fixed_dictionaries({"name": names, "namespace": namespaces})
    head = {"apiVersion": st.just(versioned(group)), "kind": st.just(kind)}
    return st.fixed_dictionaries({**head, "metadata": metadata, "spec": spec})


port = st.fixed_dictionaries(
    {"port": numbers, "name": st.sampled_from(("web", "dns"))},
    optional={
        "protocol": st.sampled_from(("TCP", "TCP", "TCP", "UDP")),
        "appProtocol": st.sampled_from((*VALUES, True, 80, None)),  # some are no strings
    },
)
ports = st.fixed_dictionaries(
    {"ports": st.lists(port, max_size=3) | st.lists(port, min_size=2, max_size=3)},
    optional={"type": st.sampled_from(("ClusterIP", "ClusterIP", "ExternalName"))},
)
backend = st.fixed_dictionaries(
    {},
    optional={
        "appProtocols": st.lists(st.sampled_from(VALUES), max_size=3),
        "type": st.sampled_from(("Endpoints", "DynamicResolver")),
        "tls": st.just({}),
        "endpoints": st.sampled_from(([{"unix": {"path": "/x"}}], [{"ip": {"port": 80}}])),
    },
)
kinds = st.sampled_from(
    [*({"kind": kind, "group": group} for kind, group in BACKEND_GROUPS.items()), {}, {}] * 2
    + [{"kind": "Secret"}, {"kind": "Backend"}, {"group": "example.net"}]
)
backend_ref = st.tuples(
    kinds,
    st.fixed_dictionaries(
        {"name": names, "port": numbers},
        optional={"namespace": namespaces, "weight": st.sampled_from((0, 1, 5))},
    ),
).map(lambda parts: {**parts[0], **parts[1]})
parent = st.fixed_dictionaries(
    {"name": names},
    optional={
        "namespace": namespaces,
        "kind": st.sampled_from(("Gateway", "Service")),
        "group": st.sampled_from((GATEWAY_API, "")),
    },
)
rule = st.fixed_dictionaries({"backendRefs": st.lists(backend_ref, min_size=1, max_size=2)})
route = st.fixed_dictionaries(
    {"rules": st.lists(rule, min_size=1, max_size=3)},
    optional={"parentRefs": st.lists(parent, max_size=2)},
)
target = st.tuples(
    kinds,
    st.fixed_dictionaries(
        {"name": names},
        optional={"sectionName": st.sampled_from(("web", "80")), "namespace": namespaces},
    ),
).map(lambda parts: {**parts[0], **parts[1]})
grant = st.fixed_dictionaries(
    {
        "from": st.lists(
            st.fixed_dictionaries(
                {
                    "group": st.just(GATEWAY_API),
                    "kind": st.sampled_from((*ROUTE_KINDS, "BackendTLSPolicy")),
                    "namespace": namespaces,
                }
            ),
            max_size=2,
        ),
        "to": st.lists(
            st.fixed_dictionaries({"group": st.just(""), "kind": st.just("Service")}), max_size=1
        ),
    }
)
gateway = st.fixed_dictionaries({"gatewayClassName": names})
gateway_class = st.fixed_dictionaries({"controllerName": st.sampled_from((OURS, "example.net/x"))})
policy = st.fixed_dictionaries({"targetRefs": st.lists(target, min_size=1, max_size=2)})

backends = st.one_of(
    *[an_object("Service", "", ports)] * 3,
    an_object("ServiceImport", MCS, ports),
    an_object("Backend", ENVOY_GATEWAY, backend),
)
routes = st.sampled_from(ROUTE_KINDS).flatmap(lambda kind: an_object(kind, GATEWAY_API, route))
about = st.one_of(
    an_object("Gateway", GATEWAY_API, gateway),
    an_object("GatewayClass", GATEWAY_API, gateway_class),
    an_object("ReferenceGrant", GATEWAY_API, grant),
    *[an_object("BackendTLSPolicy", GATEWAY_API, policy)] * 3,
)


def in_files(objects: Sequence[tuple[set[str], Object]]) -> Files:
    """Objects by the files that each stands in."""
    found: dict[str, list[Object]] = {}
    for places_of, one in objects:
        for name in sorted(places_of):
            found.setdefault(name, []).append(one)
    return found


def placed(
    objects: st.SearchStrategy[Object], least: int, most: int, copies: int = 1
) -> st.SearchStrategy[list[tuple[set[str], Object]]]:
    some = st.sets(st.sampled_from(FILES), min_size=1, max_size=copies)
    return st.lists(st.tuples(some, objects), min_size=least, max_size=most)


worlds = st.tuples(placed(backends, 4, 8, 2), placed(routes, 1, 3), placed(about, 0, 6)).map(
    lambda parts: in_files([one for part in parts for one in part])
)


def written(folder: Path, files: Files) -> list[Path]:
    """Each list of objects as a file of documents, in the order of the mapping."""
    for name, documents in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("\n---\n".join(map(json.dumps, documents)), encoding="utf-8")
    return [folder / name for name in files]


def read(files: Files) -> Inventory:
    """The files, in this order."""
    with tempfile.TemporaryDirectory() as folder:
        return load(*written(Path(folder), files))


def file_of(name: str) -> str:
    """A position's file without the folder that was made for it."""
    return "/".join(part for part in name.split("/")[-2:] if part in {"app", "a.yaml", "b.yaml"})


def answers(rows: Iterable[Resolution]) -> Counter[tuple[Any, ...]]:
    """The references with their answers and reasons. Namesakes are counted, lines are not."""
    return Counter(
        (
            file_of(row.ref.position.file),
            str(row.route).partition("@")[0],
            (row.ref.rule, row.ref.role, row.ref.backend),
            row.app_protocol,
            (row.protocol, row.force_http1, row.tls, row.outcome),
            tuple(reason.row for reason in row.reasons),
            row.declared_at and file_of(row.declared_at.file),
        )
        for row in rows
    )


def covered(rows: Iterable[Coverage]) -> Counter[tuple[Any, ...]]:
    """The ports with what is said of each; `routes` only where a port has no namesake."""
    return Counter(
        (
            file_of(row.declared_at.file),
            (str(row.meta), row.port, row.port_name, row.transport),
            row.app_protocol,
            (row.kind_of_declaration, row.meant, row.standard, row.recognised),
            (row.protocol, row.tls, row.routes),
        )
        for row in rows
    )


@pytest.mark.slow
def test_all_of_this_with_five_times_as_many_examples() -> None:
    """In a process of its own: how many there are is decided where settings are made."""
    command = [sys.executable, "-m", "pytest", "-q", "--hypothesis-profile=thorough", __file__]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@quick
@given(worlds, releases, st.randoms(use_true_random=False))
def test_the_order_of_files_and_documents_changes_no_answer(
    files: Files, release: str, order: random.Random
) -> None:
    mixed = [(name, order.sample(list(found), len(found))) for name, found in files.items()]
    order.shuffle(mixed)
    one, other = read(files), read(dict(mixed))
    assert answers(resolve(one, release=release)) == answers(resolve(other, release=release))
    assert covered(coverage(one, release=release)) == covered(coverage(other, release=release))


@quick
@given(worlds, st.lists(st.one_of(backends, routes), min_size=1), releases, st.sampled_from(FILES))
def test_an_object_of_another_namespace_changes_nothing(
    files: Files, others: Sequence[Object], release: str, place: str
) -> None:
    """No reference goes to the namespace `far`, and what is there refers to nothing elsewhere."""
    for other in others:
        other["metadata"]["namespace"] = "far"
        for rule_of in other["spec"].get("rules", ()):
            for ref in rule_of["backendRefs"]:
                ref["namespace"] = "far"
    more = {**files, place: [*files.get(place, ()), *others]}
    alone, together = read(files), read(more)
    for before, after in (
        (answers(resolve(found, release=release)) for found in (alone, together)),
        (covered(coverage(found, release=release)) for found in (alone, together)),
    ):
        assert before <= after
        assert all("far/" in str(row) for row in after - before)


@quick
@given(worlds, worlds, releases)
def test_clusters_do_not_see_each_other(east: Files, west: Files, release: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, files in (("east", east), ("west", west)):
            written(Path(folder, name), files)
        east_path, west_path = Path(folder, "east"), Path(folder, "west")
        both = load(clusters={"east": east_path, "west": west_path})
        alone = load(clusters={"east": east_path})
    rows = resolve(both, release=release)
    assert [r for r in rows if r.route.cluster == "east"] == resolve(alone, release=release)
    ports_of = coverage(both, release=release)
    assert [c for c in ports_of if c.meta.cluster == "east"] == coverage(alone, release=release)


@quick
@given(worlds, releases)
def test_equal_clusters_get_equal_answers(files: Files, release: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        written(Path(folder), files)
        found = load(clusters={"east": folder, "west": folder})
    for said in (
        [row.as_dict() for row in resolve(found, release=release)],
        [row.as_dict() for row in coverage(found, release=release)],
    ):
        east = [{**row, "cluster": None} for row in said if row["cluster"] == "east"]
        west = [{**row, "cluster": None} for row in said if row["cluster"] == "west"]
        assert east == west
        assert len(east) + len(west) == len(said)


@quick
@given(worlds, releases)
def test_every_reference_has_a_protocol_or_a_reason(files: Files, release: str) -> None:
    found = read(files)
    rows = resolve(found, release=release)
    assert len(rows) == sum(len(one.refs) for one in found.routes)
    known = {row.id for row in ruleset().rows}
    for row in rows:
        assert row.reasons
        assert (row.outcome == "resolved") is (row.protocol is not None)
        assert row.deciding.row != "assumed"
        assert row.deciding.text
        # A row of the ruleset decides every protocol, and never TLS alone.
        assert row.protocol is None or row.deciding.row in known
        assert not row.deciding.row.startswith("tls-")


@quick
@given(worlds, releases)
def test_classes_part_the_ports(files: Files, release: str) -> None:
    found = read(files)
    rows = coverage(found, release=release)
    services = (*found.services, *found.service_imports)
    assert len(rows) == sum(len(one.ports) for one in services) + len(found.backends)
    counts = class_table(rows)
    assert tuple(counts.index) == CLASSES
    assert counts["total"].sum() == len(rows)
    assert (counts[list(BACKEND_GROUPS)].sum(axis=1) == counts["total"]).all()
    for row in rows:
        declared = row.app_protocol not in (None, ())
        assert declared is (row.kind_of_declaration != "none declared")
        assert row.recognised is (row.kind_of_declaration == "recognised")
        assert declared or not (row.recognised or row.standard or row.meant)
        assert row.meant is None or not row.recognised
        assert (row.kind_of_declaration != "near miss") or row.meant is not None


@quick
@given(backends, st.lists(an_object("BackendTLSPolicy", GATEWAY_API, policy)), releases)
def test_coverage_says_what_an_httproute_to_that_port_alone_would(
    one: Object, policies: Sequence[Object], release: str
) -> None:
    meta = one["metadata"]
    refs: list[Object] = [
        {"port": number, "name": meta["name"], "kind": one["kind"],
         "group": BACKEND_GROUPS[one["kind"]]}
        for number in (53, 80)
    ]  # fmt: skip
    only = {
        "apiVersion": versioned(GATEWAY_API),
        "kind": "HTTPRoute",
        "metadata": {"name": "only", "namespace": meta["namespace"]},
        "spec": {"rules": [{"backendRefs": [ref]} for ref in refs]},
    }
    found = read({"a.yaml": [one, *policies, only]})
    by_port = {row.ref.port: row for row in resolve(found, release=release)}
    for row in coverage(found, release=release):
        if row.transport in (None, "TCP"):
            answer = by_port[row.port or 80]
            assert (row.protocol, row.tls) == (answer.protocol, answer.tls)
            assert row.upstream == answer.upstream
        else:  # an HTTPRoute does not reach it, whatever TCP port has the same number
            assert (row.protocol, row.routes) == (None, 0)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


def places(node: Any) -> Iterable[tuple[Any, Any]]:
    """Every mapping and list in a document, each with a key of its own."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield node, key
        if isinstance(value, (dict, list)):
            yield from places(value)


@quick
@given(worlds, junk, releases, st.randoms(use_true_random=False))
def test_junk_in_any_place_is_an_answer_and_no_exception(
    files: Files, value: Any, release: str, choose: random.Random
) -> None:
    documents = [document for found in files.values() for document in found]
    node, key = choose.choice([place for one in documents for place in places(one)])
    node[key] = value
    found = read({"a.yaml": documents})
    rows, ports_of = resolve(found, release=release), coverage(found, release=release)
    json.dumps([*(row.as_dict() for row in rows), *(row.as_dict() for row in ports_of)])
    assert len(resolution_table(rows)) == len(rows)
    assert len(coverage_table(ports_of)) == len(ports_of)
    assert all(row.reasons for row in rows)
