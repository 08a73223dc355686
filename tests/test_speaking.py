"""What is spoken to each reference: named cases, each of manifests in short and of an answer.

A case is what a rule refers to, which policies there are, a release, and what is spoken. The terms
that Envoy Gateway's own tests leave open stand here: neighbours, force beside HTTP/2, the client's
protocol above all, HTTP/1 settings, proxyProtocol, merging, sections, shared backends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from protocol_analysis import Inventory, Resolution, load, resolve

EG, GW = "gateway.envoyproxy.io/v1alpha1", "gateway.networking.k8s.io/v1"
CLASS = {
    "apiVersion": GW,
    "kind": "GatewayClass",
    "metadata": {"name": "eg"},
    "spec": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"},
}
VALUES = {"plain": None, "h2c": "kubernetes.io/h2c", "grpc": "grpc", "ws": "kubernetes.io/ws"}
Object = dict[str, Any]


def thing(kind: str, name: str, spec: Object, version: str = EG, **meta: Any) -> Object:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": "shop", **meta},
        "spec": spec,
    }


def gateway(name: str = "web", **spec: Any) -> Object:
    listeners = [
        {"name": name, "protocol": protocol, "port": port}
        for name, protocol, port in (("http", "HTTP", 80), ("tcp", "TCP", 90), ("tls", "TLS", 91))
    ]
    return thing("Gateway", name, {"gatewayClassName": "eg", "listeners": listeners, **spec}, GW)


def service(name: str) -> Object:
    port = {"port": 80, "appProtocol": VALUES[name.partition("-")[0]]}
    return thing("Service", name, {"ports": [port]}, "v1")


def route(*backends: Any, kind: str = "HTTPRoute", name: str = "web", **more: Any) -> Object:
    refs = [{"name": b, "port": 80} if isinstance(b, str) else b for b in backends]
    parents = more.pop("parents", [{"name": "web"}])
    rule = {"name": "main", "backendRefs": refs, **more}
    return thing(kind, name, {"parentRefs": parents, "rules": [rule]}, GW)


def traffic(target: str, name: str = "policy", section: str = "", **spec: Any) -> Object:
    kind, _, of = target.partition(" ")
    ref = {"group": "gateway.networking.k8s.io", "kind": kind, "name": of}
    ref |= {"sectionName": section} if section else {}
    return thing("BackendTrafficPolicy", name, {"targetRefs": [ref], **spec})


def tls(name: str) -> Object:
    ref = {"group": "", "kind": "Service", "name": name}
    return thing("BackendTLSPolicy", f"tls-{name}", {"targetRefs": [ref]}, GW)


def client(section: str = "", **http1: Any) -> Object:
    ref = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "web"}
    ref |= {"sectionName": section} if section else {}
    return thing("ClientTrafficPolicy", f"c{section}", {"targetRefs": [ref], "http1": http1})


def read(objects: Sequence[Object], folder: Path) -> Inventory:
    services = [service(name) for name in ("plain", "plain-b", "h2c", "grpc", "ws")]
    file = folder / "case.yaml"
    whole = [CLASS, *services, *objects]
    if not any(o["kind"] == "Gateway" for o in objects):
        whole.append(gateway())
    file.write_text(yaml.safe_dump_all(whole), encoding="utf-8")
    return load(file)


def words(rows: Sequence[Resolution]) -> str:
    return " ".join(
        f"{row.upstream or ('differs' if row.by_gateway else '-')}{'+tls' if row.tls else ''}"
        for row in rows
    )


CLIENT: Object = {"useClientProtocol": True}
PROXY: Object = {"proxyProtocol": {"version": "V1"}}
IDLE: Object = {"timeout": {"http": {"connectionIdleTimeout": "1s"}}}
MERGE: Object = {"mergeType": "StrategicMerge"}
INJECT = {
    "name": "plain",
    "port": 80,
    "filters": [
        {
            "type": "ExtensionRef",
            "extensionRef": {
                "group": "gateway.envoyproxy.io",
                "kind": "HTTPRouteFilter",
                "name": "inject",
            },
        }
    ],
}
FILTER = thing("HTTPRouteFilter", "inject", {"credentialInjection": {"credential": {}}})
MERGED = thing("EnvoyProxy", "merged", {"mergeBackends": {}})
SHARING = gateway(
    infrastructure={
        "parametersRef": {
            "group": "gateway.envoyproxy.io",
            "kind": "EnvoyProxy",
            "name": "merged",
        }
    }
)

# name: the objects, and by release what is spoken to each reference, in order.
CASES: Mapping[str, tuple[list[Object], Mapping[str, str]]] = {
    "nothing is declared": ([route("plain")], {"v0.6.0": "http/1.1", "v1.9.0": "http/1.1"}),
    "before v0.6 nothing is known": ([route("plain")], {"v0.5.0": "-"}),
    "one backend with h2c turns its rule": (
        [route("plain", "h2c")],
        {"v0.6.0": "h2 h2", "v1.3.3": "h2 h2", "v1.9.0": "h2 h2"},
    ),
    "grpc turns its rule too": (
        [route("plain", "grpc")],
        {"v1.0.2": "http/1.1 http/1.1", "v1.9": "h2 h2"},
    ),
    "force beside HTTP/2 splits the rule": (
        [route("ws", "h2c")],
        {"v1.7.2": "h2 h2", "v1.7.4": "http/1.1 h2", "v1.8.0": "h2 h2", "v1.9.0": "http/1.1 h2"},
    ),
    "a mirror is by itself": (
        [
            route(
                "plain",
                filters=[
                    {
                        "type": "RequestMirror",
                        "requestMirror": {"backendRef": {"name": "h2c", "port": 80}},
                    }
                ],
            )
        ],
        {"v1.9.0": "http/1.1 h2"},
    ),
    "TLS with h2c is h2": ([route("h2c"), tls("h2c")], {"v1.5.9": "h2+tls", "v1.9.0": "h2+tls"}),
    "TLS alone asks by ALPN since v1.6": (
        [route("plain"), tls("plain")],
        {"v1.5.9": "http/1.1+tls", "v1.6.0": "auto+tls", "v1.9.0": "auto+tls"},
    ),
    "TLS beside plaintext": (
        [route("plain", "plain-b"), tls("plain")],
        {
            "v1.6.2": "auto+tls auto",
            "v1.6.3": "http/1.1+tls http/1.1",
            "v1.9": "http/1.1+tls http/1.1",
        },
    ),
    "the client's protocol goes above all": (
        [route("h2c"), traffic("HTTPRoute web", **CLIENT)],
        {"v1.0.2": "h2", "v1.1.0": "client", "v1.9.0": "client"},
    ),
    "the client's protocol is for HTTP and gRPC only": (
        [route("plain", kind="TCPRoute"), traffic("TCPRoute web", **CLIENT)],
        {"v1.9.0": "tcp"},
    ),
    "proxyProtocol drops HTTP/2": (
        [route("h2c"), traffic("HTTPRoute web", **PROXY)],
        {
            "v1.5.9": "h2",
            "v1.6.0-rc.1": "h2",
            "v1.6.0": "http/1.1",
            "v1.8.3": "http/1.1",
            "v1.9.0": "h2",
        },
    ),
    "proxyProtocol drops the client's protocol": (
        [route("h2c"), traffic("HTTPRoute web", **PROXY, **CLIENT)],
        {"v1.5.9": "client", "v1.8.3": "http/1.1", "v1.9.0": "client"},
    ),
    "proxyProtocol of a Gateway": (
        [route("h2c"), traffic("Gateway web", **PROXY)],
        {"v1.8.3": "http/1.1", "v1.9.0": "h2"},
    ),
    "an empty policy of the route hides the Gateway's since v1.1": (
        [route("h2c"), traffic("HTTPRoute web"), traffic("Gateway web", "other", **CLIENT)],
        {"v1.1.0": "h2", "v1.9.0": "h2"},
    ),
    "mergeType lays a policy upon the Gateway's": (
        [
            route("h2c"),
            traffic("HTTPRoute web", **MERGE),
            traffic("Gateway web", "other", **CLIENT),
        ],
        {"v1.3.3": "h2", "v1.4.0": "client", "v1.9.0": "client"},
    ),
    "a route that says false keeps it when merged": (
        [
            route("h2c"),
            traffic("HTTPRoute web", useClientProtocol=False, **MERGE),
            traffic("Gateway web", "other", **CLIENT),
        ],
        {"v1.4.0": "h2", "v1.9.0": "h2"},
    ),
    "mergeType without a Gateway's policy": (
        [route("h2c"), traffic("HTTPRoute web", **MERGE, **CLIENT)],
        {"v1.4.0": "client"},
    ),
    "a policy for a listener": (
        [route("h2c"), traffic("Gateway web", section="http", **CLIENT)],
        {"v1.5.9": "h2", "v1.6.0": "client"},
    ),
    "a policy for another listener": (
        [route("h2c"), traffic("Gateway web", section="tcp", **CLIENT)],
        {"v1.9.0": "h2"},
    ),
    "a policy for a rule goes above that of the route": (
        [
            route("h2c"),
            traffic("HTTPRoute web", section="main", useClientProtocol=False),
            traffic("HTTPRoute web", "other", **CLIENT),
        ],
        {"v1.5.9": "client", "v1.6.2": "h2"},
    ),
    "a rule's policy is merged with the listener's, not the route's": (
        [
            route("h2c"),
            traffic("HTTPRoute web", section="main", **MERGE),
            traffic("HTTPRoute web", "other", **CLIENT),
            traffic("Gateway web", "third"),
        ],
        {"v1.9.0": "h2"},
    ),
    "the older of two policies counts": (
        [
            route("h2c"),
            {
                **traffic("HTTPRoute web", "a"),
                "metadata": {
                    "name": "a",
                    "namespace": "shop",
                    "creationTimestamp": "2025-02-01T00:00:00Z",
                },
            },
            {
                **traffic("HTTPRoute web", "b", **CLIENT),
                "metadata": {
                    "name": "b",
                    "namespace": "shop",
                    "creationTimestamp": "2025-01-01T00:00:00Z",
                },
            },
        ],
        {"v1.9.0": "client"},
    ),
    "a limit in time writes HTTP/1.1, which is what Envoy does anyhow": (
        [route("plain"), traffic("HTTPRoute web", **IDLE)],
        {"v0.6.0": "http/1.1", "v1.9.0": "http/1.1"},
    ),
    "TLS with a limit in time still asks by ALPN": (
        [route("plain"), tls("plain"), traffic("HTTPRoute web", **IDLE)],
        {"v1.5.9": "http/1.1+tls", "v1.9.0": "auto+tls"},
    ),
    "HTTP/1 settings of the listener go above ALPN and below HTTP/2": (
        [route("plain"), route("h2c", name="b"), tls("plain"), client(preserveHeaderCase=True)],
        {"v1.9.0": "http/1.1+tls h2"},
    ),
    "HTTP/1 settings of another listener": (
        [route("plain"), tls("plain"), client("tcp", http10={})],
        {"v1.9.0": "auto+tls"},
    ),
    "HTTP/1 settings switched off": (
        [route("plain"), tls("plain"), client(enableTrailers=False)],
        {"v1.9.0": "auto+tls"},
    ),
    "credentials for one backend split the rule": (
        [route(INJECT, "h2c"), FILTER],
        {"v1.3.3": "h2 h2", "v1.9.0": "http/1.1 h2"},
    ),
    "shared backends leave their rule": (
        [MERGED, SHARING, route("plain", "h2c")],
        {"v1.8.3": "h2 h2", "v1.9.0": "http/1.1 h2"},
    ),
    "shared backends hear the Gateway's policy only": (
        [MERGED, SHARING, route("plain"), traffic("Gateway web", **CLIENT)],
        {"v1.9.0": "client"},
    ),
    "a route's policy keeps its backends to itself": (
        [MERGED, SHARING, route("plain", "h2c"), traffic("HTTPRoute web", **PROXY)],
        {"v1.9.0": "h2 h2"},
    ),
    "bytes go through": (
        [route("h2c", kind="TCPRoute"), route("grpc", kind="TLSRoute", name="b")],
        {"v1.3.3": "tcp tcp", "v1.9.0": "tcp tcp"},
    ),
    "Gateways that differ are both named": (
        [
            gateway(),
            gateway("other"),
            route("h2c", parents=[{"name": "web"}, {"name": "other"}]),
            traffic("Gateway other", **CLIENT),
        ],
        {"v1.9.0": "differs"},
    ),
}


@pytest.mark.parametrize(
    ("name", "release"), [(name, release) for name, (_, by) in CASES.items() for release in by]
)
def test_case(name: str, release: str, tmp_path: Path) -> None:
    objects, expected = CASES[name]
    rows = resolve(read(objects, tmp_path), release=release)
    assert words(rows) == expected[release], [reason.row for row in rows for reason in row.reasons]


def test_a_neighbour_is_named(tmp_path: Path) -> None:
    plain, h2c = resolve(read([route("plain", "h2c")], tmp_path), release="v1.9.0")
    (note,) = [reason for reason in plain.reasons if reason.row == "neighbour"]
    assert note.text == "alone it would be http/1.1; in its rule Service shop/h2c:80 is HTTP2"
    assert "neighbour" not in {reason.row for reason in h2c.reasons}


def test_a_neighbour_that_is_not_there_is_named(tmp_path: Path) -> None:
    plain, _ = resolve(read([route("plain", "nowhere")], tmp_path))
    assert "no-neighbour" in {reason.row for reason in plain.reasons}


def test_a_patch_is_a_caveat(tmp_path: Path) -> None:
    ref = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "web"}
    patch = thing("EnvoyPatchPolicy", "patch", {"targetRef": ref})
    (row,) = resolve(read([route("plain"), patch], tmp_path))
    assert row.reasons[-1].row == "patched"


def test_a_route_whose_crd_serves_another_version_is_not_read(tmp_path: Path) -> None:
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "tcproutes.gateway.networking.k8s.io"},
        "spec": {
            "group": "gateway.networking.k8s.io",
            "names": {"kind": "TCPRoute"},
            "versions": [{"name": "v1alpha2", "served": True}, {"name": "v1", "served": False}],
        },
    }
    inventory = read([route("plain", kind="TCPRoute"), crd], tmp_path)
    assert words(resolve(inventory, release="v1.8.3")) == "tcp"
    (row,) = resolve(inventory, release="v1.9.0")
    assert (row.protocol, row.outcome) == (None, "needs-tcproute-v1")
    # The CRD of another example beside it decides nothing; in a cluster that is named it does.
    for name, text in (("a/route.yaml", "case.yaml"), ("b/crd.yaml", "crd")):
        (tmp_path / name).parent.mkdir()
        objects = [crd] if text == "crd" else yaml.safe_load_all((tmp_path / text).read_text())
        rest = [o for o in objects if text == "crd" or o["kind"] != crd["kind"]]
        (tmp_path / name).write_text(yaml.safe_dump_all(rest), encoding="utf-8")
    (tmp_path / "case.yaml").unlink()
    assert words(resolve(load(tmp_path), release="v1.9.0")) == "tcp"
    assert words(resolve(load(clusters={"east": tmp_path}), release="v1.9.0")) == "-"


def test_a_listener_set_that_names_itself_is_not_followed_for_ever(tmp_path: Path) -> None:
    own = {"kind": "ListenerSet", "name": "loop", "group": "gateway.networking.k8s.io"}
    loop = thing("ListenerSet", "loop", {"parentRef": own, "listeners": []}, GW)
    (row,) = resolve(read([loop, route("h2c", parents=[own])], tmp_path))
    assert row.upstream == "h2"
