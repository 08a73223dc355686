"""A remedy is right for the kind, the value and the release that it is given for."""

from __future__ import annotations

import re

import pytest

from protocol_analysis.coverage import Coverage, coverage, readable
from protocol_analysis.model import (
    BACKEND_GROUPS,
    Backend,
    Inventory,
    Meta,
    Position,
    Service,
    ServicePort as Port,
)
from protocol_analysis.releases import release_key
from protocol_analysis.remedies import remedy
from protocol_analysis.rulebook import line_releases, values_of
from protocol_analysis.rules import ruleset
from protocol_analysis.tables import worst_table

AT = Position(file="shop.yaml", document=1, line=1, column=1)
EVERYDAY = ("http", "http2", "h2", "GRPC", "https", "tls", "tcp", "mysql", "h3", "grpc-web", "H2C")
UNREAD = {"near miss", "standard but ignored", "silent fallback"}


def one(kind: str, value: str, release: str) -> Coverage:
    meta = Meta(group=BACKEND_GROUPS[kind], kind=kind, namespace="shop", name="cart", position=AT)
    service = (Service(meta=meta, ports=(Port(number=80, app_protocol=value, position=AT),)),)
    inventory = Inventory(
        services=service if kind == "Service" else (),
        service_imports=service if kind == "ServiceImport" else (),
        backends=(Backend(meta=meta, app_protocol=(value,)),) if kind == "Backend" else (),
    )
    return coverage(inventory, release=release)[0]


@pytest.mark.parametrize("kind", BACKEND_GROUPS)
@pytest.mark.parametrize("release", [*line_releases(ruleset()), "v1.7.3", "v1.8.0"])
def test_what_a_remedy_names_is_true(kind: str, release: str) -> None:
    rules = ruleset().at(release)
    for value in (*values_of(ruleset()), *EVERYDAY):
        row = one(kind, value, release)
        if row.kind_of_declaration not in UNREAD:
            continue
        said = remedy(row, ruleset())
        for name in re.findall(r"write ([^\s,]+)", said):
            assert name in readable(rules, kind)
            assert one(kind, name, release).recognised
        if found := re.search(r"is read from (\S+) on", said):
            then = found[1].rstrip(";")
            assert release_key(then) > release_key(release)
            assert one(kind, value, then).recognised
        if "GRPCRoute" in said and "read from" in said:
            assert value.endswith("grpc")


CASES = [
    ("near miss", "Service", "GRPC", "v1.8.3", "write grpc"),
    ("everyday name", "Service", "http2", "v1.8.3", "write kubernetes.io/h2c"),
    ("standard elsewhere", "Backend", "kubernetes.io/h2c", "v1.8.3", "gateway.envoyproxy.io/h2c"),
    ("a Backend's own names", "Backend", "h2c", "v1.8.3", "write gateway.envoyproxy.io/h2c"),
    ("a patch of its line", "Service", "kubernetes.io/ws", "v1.8.0", "read from v1.8.1 on"),
    ("its line first", "Service", "kubernetes.io/ws", "v1.7.3", "read from v1.7.4 on"),
    ("the next line", "ServiceImport", "grpc", "v1.8.3", "read from v1.9.0 on; until then a GRPC"),
    ("no gRPC", "ServiceImport", "kubernetes.io/h2c", "v1.3.2", "kubernetes.io/h2c is read from"),
    ("TLS", "Service", "https", "v1.9.0", "TLS comes from a BackendTLSPolicy"),
    ("TLS of a Backend", "Backend", "https", "v1.9.0", "TLS comes from the Backend's tls"),
    ("no HTTP", "Service", "mysql", "v1.9.0", "for what is no HTTP use a TCPRoute"),
    ("no HTTP/2 here", "ServiceImport", "http", "v1.2.8", "for gRPC use a GRPCRoute"),
]


@pytest.mark.parametrize(
    ("kind", "value", "release", "said"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_remedies(kind: str, value: str, release: str, said: str) -> None:
    assert said in remedy(one(kind, value, release), ruleset())


def test_equal_ones_stand_in_the_order_of_their_places() -> None:
    rows = [one("Service", value, "v1.9.0") for value in ("mysql", "redis")]
    assert worst_table(rows, ruleset())["what"].str.contains("mysql").to_list() == [True, False]
