"""`probe --declared`: what manifests say, held against what an endpoint speaks; the command."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, strategies as st

from protocol_analysis import cli, load
from protocol_analysis.declared import Named, declare, named, named_by
from protocol_analysis.model import Inventory
from protocol_analysis.portability import meanings
from protocol_analysis.proof.endpoints import endpoint_of
from protocol_analysis.proof.facts import Facts, Side
from protocol_analysis.proof.probed import Declaration, Evidence, Probed
from protocol_analysis.tables import (
    EVIDENCE_COLUMNS,
    PROBE_COLUMNS,
    evidence_table,
    probe_table,
)

HOSTILE = "\x1b[31mgrpc\u202e"
SHOP = f"""\
apiVersion: v1
kind: Service
metadata: {{name: cart, namespace: shop}}
spec:
  ports:
    - {{port: 1, name: h2c, appProtocol: kubernetes.io/h2c}}
    - {{port: 2, name: none}}
    - {{port: 3, name: https, appProtocol: https}}
    - {{port: 4, name: http2, appProtocol: HTTP2}}
    - {{port: 5, name: other, appProtocol: acme.example/x}}
    - {{port: 6, name: hostile, appProtocol: {json.dumps(HOSTILE)}}}
    - {{port: 7, name: udp, protocol: UDP, appProtocol: http}}
    - {{port: 8, name: secured}}
    - {{port: 9, name: ws, appProtocol: kubernetes.io/ws}}
    - {{port: 10, name: tcp, appProtocol: tcp}}
    - {{port: 11, name: wss, appProtocol: kubernetes.io/wss}}
---
apiVersion: multicluster.x-k8s.io/v1alpha1
kind: ServiceImport
metadata: {{name: cart, namespace: shop}}
spec: {{ports: [{{port: 1, appProtocol: http}}, {{port: 2, appProtocol: grpc}}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {{name: secured, namespace: shop}}
spec:
  targetRefs: [{{group: "", kind: Service, name: cart, sectionName: secured}}]
  validation: {{hostname: a.example, wellKnownCACertificates: System}}
"""
H1 = Facts(reachable=True, clear=Side(http1=True))
H2C = Facts(reachable=True, clear=Side(http2=True))
TLS_H2 = Facts(reachable=True, tls=True, alpn="h2", secure=Side(http2=True))
TLS_H1 = Facts(reachable=True, tls=True, secure=Side(http1=True))
WS = Facts(reachable=True, clear=Side(http1=True, websocket=True))
TLS_WS = Facts(reachable=True, tls=True, secure=Side(http1=True, websocket=True))
GRPC, NO_GRPC = Side(http2=True, grpc="answers"), Side(http2=True, no_grpc=True)
GRPC_PORT = "cart.shop.svc.clusterset.local:2"
REFUSED = Facts(reachable=True, tls=True, secure=Side(http1=None, http2=None, refused=True))
SILENT = Facts(reachable=True, tls=None, clear=Side(http1=None, http2=None))
# Endpoint, what it speaks → what is declared, the verdict, what is spoken to it, whether it works.
JUDGED: dict[str, tuple[str, Facts, tuple[str | None, str | None, str | None, bool | None]]] = {
    "as declared": (
        "cart.shop.svc:1", H2C, ("kubernetes.io/h2c", "as declared", "h2", True),
    ),
    "otherwise": (
        "cart.shop.svc:1", H1, ("kubernetes.io/h2c", "not what is declared", "h2", False),
    ),
    "nothing declared, and right": (
        "cart.shop:2", H1, (None, "not declared", "http/1.1", True),
    ),
    "nothing declared, and needed": (
        "cart.shop:2", H2C, (None, "not declared", "http/1.1", False),
    ),
    # https means TLS; Envoy Gateway does not read it.
    "https, which is not read": (
        "cart.shop.svc.cluster.local:3", TLS_H1, ("https", "as declared", "http/1.1", False),
    ),
    "https that is HTTP/2": (
        "cart.shop.svc:3", TLS_H2, ("https", "as declared", "http/1.1", False),
    ),
    "https that is none": (
        "cart.shop.svc:3", H1, ("https", "not what is declared", "http/1.1", True),
    ),
    "either with TLS or without": (
        "cart.shop.svc:4", TLS_H2, ("HTTP2", "as declared", "http/1.1", False),
    ),
    "a value of somebody's own": (
        "cart.shop.svc:5", H1, ("acme.example/x", None, "http/1.1", True),
    ),
    "a policy has TLS": ("cart.shop.svc:8", TLS_H2, (None, "not declared", "auto+tls", True)),
    "websocket": (
        "cart.shop.svc:9", WS, ("kubernetes.io/ws", "as declared", "http/1.1", True),
    ),
    # Only one path was asked.
    "http without websocket": (
        "cart.shop.svc:9", H1, ("kubernetes.io/ws", None, "http/1.1", True),
    ),
    "websocket over tls alone": (
        "cart.shop.svc:9", TLS_WS, ("kubernetes.io/ws", "not what is declared", "http/1.1", False),
    ),
    "secure websocket": (
        "cart.shop.svc:11", TLS_WS, ("kubernetes.io/wss", "as declared", "http/1.1", False),
    ),
    "secure http without websocket": (
        "cart.shop.svc:11", TLS_H1, ("kubernetes.io/wss", None, "http/1.1", False),
    ),
    "grpc": (GRPC_PORT, replace(H2C, clear=GRPC), ("grpc", "as declared", "h2", True)),
    "grpc that is another use of HTTP/2": (
        GRPC_PORT, replace(H2C, clear=NO_GRPC), ("grpc", "not what is declared", "h2", True),
    ),
    "grpc that did not let itself be asked": (GRPC_PORT, H2C, ("grpc", None, "h2", True)),
    "grpc that is HTTP/1.1": (GRPC_PORT, H1, ("grpc", "not what is declared", "h2", False)),
    "https that takes no client": (
        "cart.shop.svc:3", REFUSED, ("https", None, "http/1.1", False),
    ),
    "any bytes will do": ("cart.shop.svc:10", SILENT, ("tcp", "as declared", "http/1.1", None)),
    "silence decides nothing": (
        "cart.shop.svc:1", SILENT, ("kubernetes.io/h2c", None, "h2", None),
    ),
    "nobody there": ("cart.shop.svc:1", Facts(), ("kubernetes.io/h2c", None, "h2", None)),
    "an import has a name of its own": (
        GRPC_PORT, replace(H2C, clear=GRPC), ("grpc", "as declared", "h2", True),
    ),
}  # fmt: skip
# Endpoint → what is said where nothing is found.
NOT_FOUND = {
    "10.0.0.1:1": "10.0.0.1 is not the name of a Service",
    "[::1]:1": "::1 is not the name of a Service",
    "shop.example.com:1": "shop.example.com is not the name of a Service",
    "cart.shop.svc:99": "no Service shop/cart with a TCP port 99",
    "cart.shop.svc:7": "no Service shop/cart with a TCP port 7",
    "cart:1": "no Service default/cart",
    "nobody.shop.svc.clusterset.local:1": "no ServiceImport shop/nobody",
}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP, encoding="utf-8")
    return file


def of(inventory: Inventory, endpoint: str, facts: Facts = H1, **options: Any) -> Declaration:
    (row,) = declare([Probed(endpoint=endpoint_of(endpoint), facts=facts)], inventory, **options)
    assert row.declaration
    return row.declaration


@pytest.mark.parametrize("name", JUDGED)
def test_what_is_declared_is_judged(name: str, shop: Path) -> None:
    endpoint, facts, expected = JUDGED[name]
    found = of(load(shop), endpoint, facts)
    assert (found.value, found.verdict, found.spoken, found.works) == expected
    assert found.at
    assert f"{shop}:{found.at.line}:{found.at.column}" in found.text


def test_what_was_seen_beside_the_bytes_is_said(shop: Path) -> None:
    said = {
        "cart.shop.svc:9": (H1, "No WebSocket was accepted at the path that was asked"),
        GRPC_PORT: (replace(H2C, clear=NO_GRPC), "What answers a call of gRPC is no gRPC"),
    }
    for endpoint, (facts, text) in said.items():
        assert text in of(load(shop), endpoint, facts).text
    assert "cannot be told" in of(load(shop), GRPC_PORT, H2C).text


@pytest.mark.parametrize("endpoint", NOT_FOUND)
def test_what_is_not_found_is_said(endpoint: str, shop: Path) -> None:
    found = of(load(shop), endpoint)
    assert NOT_FOUND[endpoint] in found.text
    assert (found.value, found.verdict, found.at, found.works) == (None, None, None, None)


def test_a_service_may_be_said(shop: Path) -> None:
    inventory = load(shop)
    assert of(inventory, "127.0.0.1:1", service=named("shop/cart")).value == "kubernetes.io/h2c"
    # The port of a port-forward is not that of the Service.
    assert of(inventory, "127.0.0.1:18080", service=named("shop/cart:3")).value == "https"
    only = Inventory(service_imports=inventory.service_imports)
    assert of(only, "127.0.0.1:1", service=named("shop/cart")).value == "http"


def test_a_release_decides_what_is_spoken(shop: Path) -> None:
    inventory = load(shop)
    endpoint = "cart.shop.svc.clusterset.local:2"
    assert of(inventory, endpoint, H2C, release="v1.8.3").works is False
    assert of(inventory, endpoint, H2C, release="v1.9.0").works is True


def test_a_service_that_is_declared_twice(shop: Path) -> None:
    again = shop.with_name("again.yaml")
    again.write_text(SHOP, encoding="utf-8")
    assert of(load(shop.parent), "cart.shop.svc:1").verdict == "not what is declared"
    again.write_text(SHOP.replace("kubernetes.io/h2c", "http"), encoding="utf-8")
    found = of(load(shop.parent), "cart.shop.svc:1")
    assert (found.value, found.verdict) == (None, None)
    assert "shop.yaml:6" in found.text
    assert "again.yaml:6" in found.text


@pytest.mark.parametrize("value", meanings())
def test_every_meaning_can_be_met_and_missed(value: str, shop: Path) -> None:
    shop.write_text(SHOP.replace("kubernetes.io/h2c", value), encoding="utf-8")
    inventory = load(shop)
    seen = (WS, replace(H2C, clear=GRPC), TLS_WS, TLS_H2)
    found = {of(inventory, "cart.shop.svc:1", facts).verdict for facts in seen}
    met = {"as declared"} if value == "tcp" else {"as declared", "not what is declared"}
    assert found == met


@pytest.mark.parametrize(
    "text", ["", "cart", "/cart", "shop/", "shop/cart:", "shop/cart:x", "a/b/c"]
)
def test_what_is_no_service_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="NAMESPACE/NAME"):
        named(text)


@given(st.text(max_size=80))
def test_any_host_is_a_service_or_not(host: str) -> None:
    found = named_by(host)
    assert found is None or isinstance(found, Named)


def rows() -> list[Probed]:
    seen = (Evidence(step="h2c", text="SETTINGS exchanged, HTTP/2"),)
    return [
        Probed(endpoint=endpoint_of("a:1"), facts=H2C, evidence=seen),
        Probed(endpoint=endpoint_of("b:1"), facts=SILENT),
        Probed(endpoint=endpoint_of("c:1")),
    ]


def test_tables_have_their_columns() -> None:
    for found in (probe_table(rows()), probe_table([])):
        assert {name: str(kind) for name, kind in found.dtypes.items()} == PROBE_COLUMNS
    for found in (evidence_table(rows()), evidence_table([])):
        assert {name: str(kind) for name, kind in found.dtypes.items()} == EVIDENCE_COLUMNS
    table = probe_table(rows())
    assert table["h2c"].to_list() == ["yes", "?", "?"]
    assert table["recommended"].to_list() == ["kubernetes.io/h2c", "none", "none"]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    try:
        status = cli.main(["probe", *words])
    except SystemExit as error:
        status = int(str(error.code))
    said = capsys.readouterr()
    return status, said.out, said.err


FIELDS = [
    "endpoint", "address", "reachable", "http/1.1", "h2c", "tls", "alpn", "h2", "grpc",
    "websocket", "rfc8441", "recommended", "why", "source", "evidence", "declared", "verdict",
    "spoken", "works", "declaredAt",
]  # fmt: skip


@pytest.mark.parametrize("output", ["table", "wide", "json", "jsonl", "csv", "markdown", "yaml"])
def test_every_format(output: str, shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("h2", reason="needs the extra: pip install 'protocol-analysis[proof]'")
    asked = ["127.0.0.1:1", "--declared", str(shop), "--service", "shop/cart:6", "-o", output]
    status, out, err = run(capsys, *asked)
    assert (status, err) == (0, ""), "that nobody is there is an answer"
    assert "127.0.0.1:1" in out
    if output in {"table", "wide", "markdown"}:
        assert "\x1b" not in out
        assert "\u202e" not in out
    read: dict[str, Callable[[str], Any]] = {
        "json": json.loads,
        "yaml": yaml.safe_load,
        "jsonl": lambda t: [json.loads(t)],
    }
    if output in read:
        (row,) = read[output](out)
        assert list(row) == FIELDS
        assert row["declared"] == HOSTILE
        assert row["declaredAt"]["line"] == 11
    if output == "csv":
        (line,) = csv.DictReader(io.StringIO(out))
        assert (line["reachable"], line["declaredAt.line"]) == ("False", "11")


WRONG = {
    "no endpoint": ([], "HOST:PORT"),
    "no port": (["cart"], "no host or no port"),
    "a URL": (["http://cart:80"], "write HOST:PORT"),
    "no time": (["a:1", "--timeout", "0"], "timeout"),
    "no number": (["a:1", "--timeout", "soon"], "timeout"),
    "a service of nothing": (["a:1", "--service", "shop/cart"], "--declared"),
    "no service": (["a:1", "--service", "cart", "--declared", "data/sample"], "NAMESPACE/NAME"),
    "no release": (["a:1", "--release", "v99"], "v99"),
    "no name": (["a:1", "--sni", "a b"], "name"),
    "no path": (["a:1", "--path", "x"], "path"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("h2", reason="needs the extra: pip install 'protocol-analysis[proof]'")
    words, complaint = WRONG[name]
    status, out, err = run(capsys, *words)
    assert (status, out) == (2, "")
    assert complaint in err
    assert "Traceback" not in err


def test_manifests_that_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("h2", reason="needs the extra: pip install 'protocol-analysis[proof]'")
    status, out, err = run(capsys, "127.0.0.1:1", "--declared", "no/such/folder", "-o", "json")
    assert status == 3
    assert json.loads(out)[0]["endpoint"] == "127.0.0.1:1"
    assert "not read: no/such/folder" in err
