"""Coverage: every port, its class, what it nearly says, and how many references mean it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protocol_analysis import Coverage, RulesetError, coverage, load, resolve
from protocol_analysis.coverage import CLASSES
from protocol_analysis.model import BACKEND_GROUPS

ROW_KEYS = {
    "cluster", "kind", "namespace", "name", "port", "portName", "transport", "appProtocol",
    "standard", "recognised", "protocol", "upstream", "tls", "routes", "declaredAt",
}  # fmt: skip


def backend(kind: str, value: str | list[str] | None, name: str = "cart", **port: Any) -> str:
    """One backend that declares a value on a port, as a document."""
    spec: dict[str, Any] = {"appProtocols": value} if kind == "Backend" else {}
    if kind != "Backend":
        spec = {"ports": [{"port": 80, "appProtocol": value, **port}]}
    return document(BACKEND_GROUPS[kind], kind, name, spec)


def document(group: str, kind: str, name: str, spec: dict[str, Any], space: str = "shop") -> str:
    version = f"{group}/v1alpha1" if group else "v1"
    metadata = {"name": name, "namespace": space}
    return json.dumps({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})


def route(name: str, *refs: dict[str, Any], kind: str = "HTTPRoute", **spec: Any) -> str:
    """A route with one rule for each reference."""
    rules = [{"backendRefs": [{"port": 80, **ref}]} for ref in refs]
    return document("gateway.networking.k8s.io", kind, name, {"rules": rules, **spec})


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Documents into a file of the current folder; returns the rows of all files."""
    monkeypatch.chdir(tmp_path)

    def rows(*documents: str, file: str = "a.yaml", release: str | None = None) -> list[Coverage]:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text("\n---\n".join(documents), encoding="utf-8")
        return coverage(load("."), release=release)

    return rows


H2C, WS = "kubernetes.io/h2c", "kubernetes.io/ws"
EG_H2C, EG_WS = "gateway.envoyproxy.io/h2c", "gateway.envoyproxy.io/ws"

# Kind, what it declares, release, class, what is nearly meant, protocol.
DECLARED = [
    ("Service", None, "v1.8.3", "none declared", None, "HTTP"),
    ("Service", "grpc", "v1.8.3", "recognised", None, "GRPC"),
    ("Service", "grpc", "v1.0.2", "silent fallback", None, "HTTP"),
    ("Service", H2C, "v1.8.3", "recognised", None, "HTTP2"),
    ("Service", H2C, "v0.5.0", "standard but ignored", None, None),
    ("Service", WS, "v1.8.0", "standard but ignored", None, "HTTP"),
    ("Service", WS, "v1.8.3", "recognised", None, "HTTP"),
    ("Service", WS, "v1.9.0", "recognised", None, "HTTP"),  # it only forces HTTP/1.1 now
    ("Service", EG_H2C, "v1.8.3", "near miss", H2C, "HTTP"),
    ("Service", EG_H2C, "v1.9.0", "recognised", None, "HTTP2"),
    ("Service", "h2c", "v1.8.3", "near miss", H2C, "HTTP"),
    ("Service", "H2C", "v1.8.3", "near miss", H2C, "HTTP"),
    ("Service", "http2", "v1.8.3", "near miss", H2C, "HTTP"),
    ("Service", "HTTP2", "v1.8.3", "near miss", H2C, "HTTP"),
    ("Service", "h2", "v1.8.3", "near miss", H2C, "HTTP"),
    ("Service", "Kubernetes.io/h2c", "v1.8.3", "near miss", H2C, "HTTP"),
    ("Service", "example.net/h2c", "v1.8.3", "near miss", H2C, "HTTP"),
    ("Service", "GRPC", "v1.8.3", "near miss", "grpc", "HTTP"),
    ("Service", " grpc", "v1.8.3", "near miss", "grpc", "HTTP"),
    ("Service", "grpc\n", "v1.8.3", "near miss", "grpc", "HTTP"),
    ("Service", "kubernetes.io/grpc", "v1.8.3", "near miss", "grpc", "HTTP"),
    ("Service", "GRPC", "v1.0.2", "silent fallback", None, "HTTP"),  # near nothing that is read
    ("Service", "websocket", "v1.8.3", "near miss", WS, "HTTP"),
    ("Service", "websocket", "v1.7.3", "silent fallback", None, "HTTP"),
    ("Service", "http", "v1.8.3", "silent fallback", None, "HTTP"),
    ("Service", "https", "v1.8.3", "silent fallback", None, "HTTP"),
    ("Service", "grpc-web", "v1.8.3", "silent fallback", None, "HTTP"),
    ("Service", "mongo", "v1.8.3", "silent fallback", None, "HTTP"),
    ("Service", "", "v1.8.3", "silent fallback", None, "HTTP"),  # declared, and not read
    ("Service", "/", "v1.8.3", "silent fallback", None, "HTTP"),
    ("ServiceImport", "grpc", "v1.8.3", "silent fallback", None, "HTTP"),
    ("ServiceImport", "grpc", "v1.9.0", "recognised", None, "GRPC"),
    ("ServiceImport", H2C, "v1.3.3", "standard but ignored", None, "HTTP"),
    ("ServiceImport", H2C, "v1.4.0", "recognised", None, "HTTP2"),
    ("Backend", None, "v1.8.3", "none declared", None, "HTTP"),
    ("Backend", [], "v1.8.3", "none declared", None, "HTTP"),
    ("Backend", None, "v1.2.8", "none declared", None, None),
    ("Backend", [EG_H2C], "v1.0.2", "silent fallback", None, None),
    ("Backend", [EG_H2C], "v1.8.3", "recognised", None, "HTTP2"),
    ("Backend", [H2C], "v1.8.3", "standard but ignored", EG_H2C, "HTTP"),
    ("Backend", [EG_WS, EG_H2C], "v1.8.3", "recognised", None, "HTTP2"),  # the last wins
    ("Backend", [EG_WS, EG_H2C], "v1.9.0", "recognised", None, "HTTP2"),  # ws is no protocol now
    ("Backend", [EG_H2C, "grpc"], "v1.8.3", "recognised", None, "GRPC"),
    ("Backend", [EG_H2C, "grpc"], "v1.9.0", "recognised", None, "HTTP2"),  # the first wins
    ("Backend", ["x", EG_H2C], "v1.8.3", "recognised", None, "HTTP2"),  # one of them is enough
    ("Backend", ["x", "h2c"], "v1.8.3", "near miss", EG_H2C, "HTTP"),
    ("Backend", [H2C, "x"], "v1.8.3", "near miss", EG_H2C, "HTTP"),  # not all are standard
]


@pytest.mark.parametrize(("kind", "value", "release", "named", "meant", "protocol"), DECLARED)
def test_what_a_declaration_is(
    write: Any,
    kind: str,
    value: str | list[str] | None,
    release: str,
    named: str,
    meant: str | None,
    protocol: str | None,
) -> None:
    (row,) = write(backend(kind, value), release=release)
    assert (row.kind_of_declaration, row.meant, row.protocol) == (named, meant, protocol)
    assert row.recognised is (named == "recognised")
    assert row.as_dict()["appProtocol"] == (None if value == [] else value)


def test_the_cases_above_hold_every_class() -> None:
    assert {case[3] for case in DECLARED} == set(CLASSES)


@pytest.mark.parametrize("kind", BACKEND_GROUPS)
def test_rows_have_the_contracts_keys(write: Any, kind: str) -> None:
    value = ["grpc"] if kind == "Backend" else "grpc"
    (row,) = write(backend(kind, value, name="cart"))
    said = json.loads(json.dumps(row.as_dict()))
    assert set(said) >= ROW_KEYS
    assert (said["kind"], said["namespace"], said["name"]) == (kind, "shop", "cart")
    assert (said["port"], said["portName"]) == ((None, None) if kind == "Backend" else (80, ""))
    assert said["transport"] == (None if kind == "Backend" else "TCP")
    assert said["appProtocol"] == value
    assert (said["recognised"], said["standard"], said["tls"]) == (True, False, False)
    assert said["declaredAt"]["file"] == "a.yaml"


def test_none_declared_is_never_recognised(write: Any) -> None:
    for release in ("v0.5.0", "v1.2.8", "v1.9.0"):
        rows = write(*(backend(kind, None, name=kind.lower()) for kind in BACKEND_GROUPS),
                     release=release)  # fmt: skip
        assert [row.recognised for row in rows] == [False] * 3
        assert [row.kind_of_declaration for row in rows] == ["none declared"] * 3


def test_services_come_first_then_imports_then_backends(write: Any) -> None:
    rows = write(*(backend(kind, None) for kind in ("Backend", "ServiceImport", "Service")))
    assert [row.meta.kind for row in rows] == ["Service", "ServiceImport", "Backend"]


def test_a_udp_port_is_no_httproutes_even_beside_a_tcp_port_of_its_number(write: Any) -> None:
    """As DNS has it: 53 is two ports, and each has the references of its own transport."""
    both = [
        {"name": "dns", "port": 53, "protocol": "UDP", "appProtocol": "x"},
        {"name": "dns-tcp", "port": 53, "appProtocol": "grpc"},
    ]
    dns = document("", "Service", "dns", {"ports": both})
    to_udp = route("udp", {"name": "dns", "port": 53}, kind="UDPRoute")
    to_tcp = (route(f"tcp{n}", {"name": "dns", "port": 53}, kind="TCPRoute") for n in range(2))
    udp, tcp = write(dns, to_udp, *to_tcp, release="v1.8.3")
    assert (udp.transport, udp.protocol, udp.routes) == ("UDP", None, 1)
    assert udp.resolution.outcome == "no-port"
    # The value is read by number alone: the first port's, which is the UDP one.
    assert (tcp.transport, tcp.protocol, tcp.routes) == ("TCP", "HTTP", 2)


def test_references_are_counted_and_mirrors_too(write: Any) -> None:
    mirror = {
        "type": "RequestMirror",
        "requestMirror": {"backendRef": {"name": "cart", "port": 80}},
    }
    rows = write(
        backend("Service", "grpc"),
        backend("Service", None, name="idle"),
        route("one", {"name": "cart"}, {"name": "cart"}),
        route("off", {"name": "cart", "weight": 0}),  # it is a reference all the same
        route("other-port", {"name": "cart", "port": 81}),
        route("gone", {"name": "gone"}),
        route("mirrored", {"name": "gone", "filters": [mirror]}),
        route("mesh", {"name": "cart"}, parentRefs=[{"group": "", "kind": "Service", "name": "x"}]),
    )
    assert {row.meta.name: row.routes for row in rows} == {"cart": 4, "idle": 0}


def test_copies_that_agree_are_all_meant_and_the_order_of_files_decides_nothing(
    write: Any,
) -> None:
    write(route("one", {"name": "cart"}), file="app/route.yaml")
    write(backend("Service", "grpc"), file="app/b.yaml")
    rows = write(backend("Service", "grpc"), file="app/a.yaml")
    assert [(row.declared_at.file, row.routes) for row in rows] == [
        ("app/a.yaml", 1),
        ("app/b.yaml", 1),
    ]
    names = ("app/route.yaml", "app/b.yaml", "app/a.yaml")
    for paths in (names, names[::-1]):
        (answer,) = resolve(load(*paths))
        assert answer.declared_at is not None
        assert answer.declared_at.file == "app/a.yaml"


def test_all_places_of_an_ambiguous_name_are_told(write: Any) -> None:
    for number in range(7):
        write(backend("Service", f"x-{number}"), file=f"s{number}.yaml")
    rows = write(route("one", {"name": "cart"}))
    assert [row.routes for row in rows] == [0] * 7
    (answer,) = resolve(load("."))
    assert answer.outcome == "ambiguous"
    assert all(f"s{number}.yaml:1:" in answer.reasons[-1].text for number in range(7))


def test_an_import_of_another_group_is_listed_and_not_read(write: Any) -> None:
    spec = {"ports": [{"port": 80, "appProtocol": H2C}]}
    (row,) = write(document("net.gke.io", "ServiceImport", "cart", spec))
    assert row.protocol is None
    assert row.resolution.outcome == "kind-not-read"


def test_what_the_api_refuses_has_no_protocol(write: Any) -> None:
    spec = {"ports": [{"port": 80, "appProtocol": True}]}
    (row,) = write(document("", "Service", "cart", spec))
    assert (row.protocol, row.app_protocol, row.resolution.outcome) == (None, None, "rejected")


def test_tls_is_that_of_the_port(write: Any) -> None:
    ports = [{"name": "web", "port": 80}, {"name": "safe", "port": 443}]
    target = {"group": "", "kind": "Service", "name": "cart", "sectionName": "safe"}
    policy = document(
        "gateway.networking.k8s.io", "BackendTLSPolicy", "cart", {"targetRefs": [target]}
    )
    rows = write(document("", "Service", "cart", {"ports": ports}), policy)
    assert [(row.port_name, row.tls, row.protocol) for row in rows] == [
        ("web", False, "HTTP"),
        ("safe", True, "HTTP"),
    ]


@pytest.mark.parametrize(
    ("implementation", "release"), [("envoy", None), ("envoy-gateway", "latest")]
)
def test_who_is_not_known_is_told(write: Any, implementation: str, release: str | None) -> None:
    write(backend("Service", None))
    with pytest.raises(RulesetError, match=r"known|there are"):
        coverage(load("."), implementation, release)


GATEWAY = "gateway.networking.k8s.io"
OURS = "gateway.envoyproxy.io/gatewayclass-controller"

# A GatewayClass's spec and a Gateway's, whether the route is read, and what is assumed.
READERS = [
    ({"controllerName": OURS}, {"gatewayClassName": "eg"}, 1, ""),
    ({"controllerName": "example.net/x"}, {"gatewayClassName": "eg"}, 0, ""),
    ({"controllerName": OURS}, {"gatewayClassName": "none"}, 1, "GatewayClass none of Gateway"),
    ({"controllerName": OURS}, {}, 1, "GatewayClass of Gateway shop/edge"),
    # An empty class is no other implementation's.
    ({}, {"gatewayClassName": "eg"}, 1, "the controllerName of Gateway shop/edge"),
    ({"controllerName": ""}, {"gatewayClassName": "eg"}, 1, "the controllerName of Gateway"),
]


@pytest.mark.parametrize(("of_class", "of_gateway", "read", "assumed"), READERS)
def test_who_reads_a_route(
    write: Any, of_class: dict[str, Any], of_gateway: dict[str, Any], read: int, assumed: str
) -> None:
    (row,) = write(
        backend("Service", "grpc"),
        document(GATEWAY, "GatewayClass", "eg", of_class),
        document(GATEWAY, "Gateway", "edge", of_gateway),
        route("one", {"name": "cart"}, parentRefs=[{"name": "edge"}]),
    )
    assert row.routes == read
    (answer,) = resolve(load("."))
    assert (answer.protocol == "GRPC") is bool(read)
    said = " ".join(reason.text for reason in answer.reasons if reason.row == "assumed")
    assert assumed in said
    assert bool(said) is bool(assumed)
    assert "  " not in said
