"""What must not decide an answer: the order of documents and parents, what a release cannot see."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import yaml

from protocol_analysis import compare, load, resolve
from protocol_analysis.upgrade import order

GW, EG = "gateway.networking.k8s.io/v1", "gateway.envoyproxy.io/v1alpha1"
Object = dict[str, Any]


def thing(version: str, kind: str, name: str, **spec: Any) -> Object:
    meta = {"name": name, "namespace": "shop"}
    return {"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec}


def gateway(**listener: Any) -> Object:
    listeners = [{"name": n, "protocol": "HTTP", "port": p, **listener} for n, p in PORTS]
    return thing(GW, "Gateway", "web", gatewayClassName="eg", listeners=listeners)


PORTS = (("a", 80), ("b", 81))


def service(value: str | None = None) -> Object:
    return thing("v1", "Service", "s", ports=[{"port": 80, "appProtocol": value}])


def route(*parents: Object, name: str = "r", **more: Any) -> Object:
    rules = [{"backendRefs": [{"name": "s", "port": 80}]}]
    return thing(GW, "HTTPRoute", name, parentRefs=list(parents), rules=rules, **more)


def traffic(name: str, kind: str, of: str, section: str = "", **spec: Any) -> Object:
    target = {"group": "gateway.networking.k8s.io", "kind": kind, "name": of}
    target |= {"sectionName": section} if section else {}
    return thing(EG, "BackendTrafficPolicy", name, targetRefs=[target], **spec)


def definition(kind: str, group: str, *versions: str) -> Object:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.lower()}.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": kind},
            "versions": [{"name": v, "served": True} for v in versions],
        },
    }


def file_of(folder: Path, *objects: Object) -> Path:
    file = folder / "a.yaml"
    file.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    return file


def spoken(folder: Path, *objects: Object, release: str = "v1.9.0") -> list[str | None]:
    inventory = load(file_of(folder, *objects))
    assert not inventory.unreadable
    return [answer.upstream for answer in resolve(inventory, release=release)]


def test_a_policy_that_stands_twice_does_not_depend_on_the_order(tmp_path: Path) -> None:
    twice = [
        traffic("p", "HTTPRoute", "r", useClientProtocol=True),
        traffic("p", "HTTPRoute", "r", retry={"numRetries": 1}),
    ]
    rest = [gateway(), service(), route({"name": "web"})]
    answers = [spoken(tmp_path, *rest, *some) for some in permutations(twice)]
    assert answers[0] == answers[1]


def test_the_gateway_orders_its_listeners_and_not_the_route(tmp_path: Path) -> None:
    parents = [{"name": "web", "sectionName": name} for name, _ in PORTS]
    policy = traffic("p", "Gateway", "web", section="b", useClientProtocol=True)
    for some in permutations(parents):
        assert spoken(tmp_path, gateway(), service(), route(*some), policy) == ["http/1.1"]


@pytest.mark.parametrize(
    "listener", [{"hostname": "b.example"}, {"allowedRoutes": {"kinds": [{}]}}]
)
def test_a_gateway_that_does_not_take_the_route_says_nothing_to_it(
    listener: Object, tmp_path: Path
) -> None:
    policy = traffic("p", "Gateway", "web", useClientProtocol=True)
    mine = route({"name": "web"}, hostnames=["a.example"])
    assert spoken(tmp_path, gateway(**listener), service(), mine, policy) == ["http/1.1"]
    (answer,) = resolve(load(tmp_path / "a.yaml"), release="v1.9.0")
    assert "no-listener" in {reason.row for reason in answer.reasons}


@pytest.mark.parametrize(
    ("release", "expected"), [("v1.6.7", None), ("v1.7.5", "h2"), ("v1.8.3", None)]
)
def test_a_set_of_listeners_counts_where_it_is_watched(
    release: str, expected: str | None, tmp_path: Path
) -> None:
    group = "gateway.networking.x-k8s.io"
    more = [{"name": "x", "protocol": "HTTP", "port": 82}]
    listeners = thing(
        f"{group}/v1alpha1", "XListenerSet", "x", parentRef={"name": "web"}, listeners=more
    )
    mine = route({"group": group, "kind": "XListenerSet", "name": "x"})
    objects = [gateway(), service("kubernetes.io/h2c"), listeners, mine]
    assert spoken(tmp_path, *objects, release=release) == [expected]


def test_a_policy_whose_crd_serves_another_version_gives_no_tls(tmp_path: Path) -> None:
    policy = thing(
        "gateway.networking.k8s.io/v1alpha3",
        "BackendTLSPolicy",
        "p",
        targetRefs=[{"group": "", "kind": "Service", "name": "s"}],
    )
    served = definition("BackendTLSPolicy", "gateway.networking.k8s.io", "v1alpha3")
    file = file_of(tmp_path, gateway(), service(), route({"name": "web"}), policy, served)
    (change,) = compare(load(file), "v1.5.9", "v1.9.0")
    assert (change.before.tls, change.after.tls, change.effect) == (True, False, "breaks")
    assert [cause.release for cause in change.causes] == ["v1.6.0-rc.0"]


# declared, from, the releases that brought it: a row that was renamed on the way is no cause
CAUSES = {
    "h2c on an import": ("kubernetes.io/h2c", "v1.3.3", ["v1.4.0-rc.1"]),
    "grpc on an import": ("grpc", "v1.3.3", ["v1.9.0-rc.1"]),
}


@pytest.mark.parametrize("name", CAUSES)
def test_what_brought_it_is_the_release_where_the_answer_turned(name: str, tmp_path: Path) -> None:
    value, start, expected = CAUSES[name]
    group = "multicluster.x-k8s.io"
    port = {"port": 80, "appProtocol": value}
    imported = thing(f"{group}/v1alpha1", "ServiceImport", "s", ports=[port])
    mine = route({"name": "web"})
    mine["spec"]["rules"][0]["backendRefs"][0] |= {"group": group, "kind": "ServiceImport"}
    (change,) = compare(load(file_of(tmp_path, gateway(), imported, mine)), start, "v1.9.0")
    assert [cause.release for cause in change.causes] == expected


def test_no_edit_goes_first_that_breaks_what_runs_today(tmp_path: Path) -> None:
    policy = traffic("p", "HTTPRoute", "r", proxyProtocol={"version": "V1"})
    objects = [gateway(), service("kubernetes.io/h2c"), route({"name": "web"}), policy]
    changes = compare(load(file_of(tmp_path, *objects)), "v1.5.9", "v1.9.0")
    assert [step.action for step in order(changes, [None])] == ["upgrade"]
