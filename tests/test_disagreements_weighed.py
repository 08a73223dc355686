"""How bad a disagreement is: by the requests that are sent, and by what is to blame for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from protocol_analysis.multicluster.propagation import propagation
from tests.disagreeing import (
    H2C,
    MCS,
    T1,
    T2,
    Object,
    Told,
    agree,
    export,
    gateway,
    imported,
    port,
    route,
    service,
    tls,
    told,
    world,
)

if TYPE_CHECKING:
    from pathlib import Path

CASES: dict[str, tuple[dict[str, list[Object]], list[Told]]] = {
    "the policy is to blame, and not the value": (
        {
            "a": [service(port(80)), export(T1)],
            "b": [service(port(80, "http")), tls("Service"), export(T2)],
            "c": [imported(port(80)), route()],
        },
        [
            ("b", "overridden", "warning", "appProtocol", "nothing: HTTPRoute shop/r speaks http/"),
            (
                *("b", "tls", "error", "BackendTLSPolicy"),
                "HTTPRoute shop/r: http/1.1 is spoken where auto+tls is spoken to the pods of b",
            ),
        ],
    ),
    "a mesh at home that passes bytes on": (
        {
            "a@linkerd:v2.18.0": [service(port(80, "grpc")), export(T1)],
            "c": [imported(port(80, "grpc")), route()],
        },
        [
            (
                "c",
                "release skew",
                "warning",
                "appProtocol",
                "HTTPRoute shop/r: h2 is spoken where tc",
            )
        ],
    ),
    "a mesh that passes on what another export declares": (
        {
            "a@linkerd:v2.18.0": [service(port(80, "http")), export(T1)],
            "b@linkerd:v2.18.0": [service(port(80, "grpc")), export(T2), route(to="Service")],
            "c": [imported(port(80, "http")), route()],
        },
        [("b", "overridden", "warning", "appProtocol", "HTTPRoute shop/r: http/1.1 is spoken whe")],
    ),
    "only a GRPCRoute at home": (
        {
            "a": [service(port(80, "grpc")), export(T1)],
            "b": [service(port(80)), export(T2), route("GRPCRoute", to="Service")],
        },
        [("b", "overridden", "warning", "appProtocol", "nothing: GRPCRoute shop/r speaks h2 at")],
    ),
}


@pytest.mark.parametrize(("clusters", "wanted"), CASES.values(), ids=CASES)
def test_who_is_to_blame(
    clusters: dict[str, list[Object]], wanted: list[Told], tmp_path: Path
) -> None:
    agree(told(propagation(world(tmp_path, clusters))), wanted)


NONE = [{"name": "g", "sectionName": "none"}]
# Routes by which nothing is sent to an import.
SILENT: dict[str, list[Object]] = {
    "weight 0": [route(weight=0)],
    "no such listener": [route(parents=NONE), gateway()],
    "no ReferenceGrant": [
        route(namespace="shop") | {"metadata": {"name": "r", "namespace": "far"}}
    ],
    "another group": [route(group="net.gke.io")],
}


@pytest.mark.parametrize("objects", SILENT.values(), ids=SILENT)
@pytest.mark.parametrize("mine", [[imported(port(80))], []], ids=["lost", "missing"])
def test_routes_that_send_nothing(
    objects: list[Object], mine: list[Object], tmp_path: Path
) -> None:
    """They make no fault an error, whether the import lost its value or is missing."""
    clusters = {"a": [service(port(80, H2C)), export(T1)], "c": [*mine, *objects]}
    rows = propagation(world(tmp_path, clusters))
    faults = [fault for row in rows for fault in row.faults]
    assert {fault.severity for fault in faults} == {"warning"}
    assert sum(row.routes for row in rows if row.name[2] == MCS) == 0


@pytest.mark.parametrize("mine", [[imported(port(80))], []], ids=["lost", "missing"])
def test_the_same_with_a_listener(mine: list[Object], tmp_path: Path) -> None:
    web = [route(parents=[{"name": "g", "sectionName": "web"}]), gateway()]
    clusters = {"a": [service(port(80, H2C)), export(T1)], "c": [*mine, *web]}
    (row,) = [row for row in propagation(world(tmp_path, clusters)) if row.faults]
    assert (row.faults[0].severity, row.routes) == ("error", 1)
