"""Named cases of two or three clusters: each fault with its severity and what a request meets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from protocol_analysis.multicluster.ordering import safe_order
from protocol_analysis.multicluster.propagation import propagation
from protocol_analysis.multicluster.steps import applied
from protocol_analysis.multicluster.telling import imports_by_field
from protocol_analysis.tables import propagation_matrix
from tests.disagreeing import (
    DERIVED,
    H2C,
    T1,
    T2,
    Object,
    Told,
    agree,
    export,
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

# What east exports and by when, and what the others have; each fault as cluster, kind, severity,
# field, and how what a request meets begins.
CASES: dict[str, tuple[dict[str, list[Object]], list[Told]]] = {
    "a port that is left out is no side of the other": (
        {
            "a": [service(port(80, name="p")), export(T1)],
            "b@envoy-gateway:v1.0.2": [service(port(81, "grpc", name="p")), export(T2)],
        },
        [("b", "conflict", "warning", "port", "no reference leads there today")],
    ),
    "a port that is left out, and wanted": (
        {
            "a": [service(port(80, name="p")), export(T1)],
            "b": [service(port(81, name="p")), export(T2)],
            "c": [imported(port(80, name="p")), route(number=81)],
        },
        [("b", "conflict", "error", "port", "1 reference leads nowhere: the import lea")],
    ),
    "a port that one export lacks": (
        {
            "a": [service(port(80, "grpc"), port(90)), export(T1)],
            "b": [service(port(80, "grpc")), export(T2)],
            "c": [imported(port(80, "grpc"), port(90))],
        },
        [("b", "unequal ports", "warning", "port", "no request to it reaches the pods of b")],
    ),
    "a GRPCRoute on either side": (
        {
            "a": [service(port(80, "acme/x")), export(T1), route("GRPCRoute", to="Service")],
            "c": [imported(port(80)), route("GRPCRoute")],
        },
        [("c", "lost", "warning", "appProtocol", "nothing: GRPCRoute shop/r speaks h2 all the sa")],
    ),
    "a TLSRoute passes bytes on either side": (
        {
            "a": [service(port(80, "https")), export(T1)],
            "c": [imported(port(80)), route("TLSRoute")],
        },
        [("c", "lost", "warning", "appProtocol", "nothing: TLSRoute shop/r speaks tcp all the sa")],
    ),
    "a UDPRoute is of another port": (
        {
            "a": [service(port(53, "grpc"), port(53, name="u", protocol="UDP")), export(T1)],
            "c@envoy-gateway:v1.8.3": [
                imported(port(53, "grpc"), port(53, name="u", protocol="UDP")),
                route("UDPRoute", 53),
            ],
        },
        [("c", "dead import", "warning", "appProtocol", "no reference leads there today; http/1.")],
    ),
    "the first port of a number is read for all": (
        {
            "a": [service(port(80), port(80, H2C, name="u", protocol="UDP")), export(T1)],
            "c": [imported(port(80, H2C, name="u", protocol="UDP"), port(80)), route()],
        },
        [("c", "edited", "error", "ports", "HTTPRoute shop/r: h2 is spoken where http/1.1 is me")],
    ),
    "what is declared otherwise, and called by GRPCRoute at home": (
        {
            "a": [service(port(80, "grpc")), export(T1)],
            "b": [service(port(80)), export(T2), route("GRPCRoute", to="Service")],
            "c": [imported(port(80, "grpc")), route()],
        },
        [("b", "overridden", "warning", "appProtocol", "nothing: HTTPRoute shop/r speaks h2 all")],
    ),
    "what is declared otherwise, and reached by nobody": (
        {
            "a": [service(port(80, "grpc")), export(T1)],
            "b": [service(port(80)), export(T2)],
            "c": [imported(port(80, "grpc"))],
        },
        [("b", "overridden", "warning", "appProtocol", "no reference leads there today; the pod")],
    ),
    "what is declared otherwise, and reached": (
        {
            "a": [service(port(80, "grpc")), export(T1)],
            "b": [service(port(80)), export(T2)],
            "c": [imported(port(80, "grpc")), route()],
        },
        [
            (
                *("b", "overridden", "error", "appProtocol"),
                "HTTPRoute shop/r: h2 is spoken where http/1.1 is spoken to the pods of b at home",
            )
        ],
    ),
    "another name hides no release": (
        {
            "a": [service(port(80, "grpc")), export(T1)],
            "b@envoy-gateway:v1.0.2": [service(port(80, "grpc", name="q")), export(T2)],
        },
        [
            ("b", "conflict", "warning", "name", "nothing: a port is reached by its number"),
            ("b", "release skew", "warning", "appProtocol", "no reference leads there today; http"),
        ],
    ),
    "no imports are read, whatever they say": (
        {
            "a": [service(port(80, H2C), port(81, "grpc"), port(82)), export(T1)],
            "c@contour:main": [
                imported(port(80, H2C), port(81, "grpc"), port(82)),
                route(),
            ],
        },
        [
            ("c", "unread import", "error", "appProtocol", "HTTPRoute shop/r leads nowhere: h2 is"),
            ("c", "unread import", "warning", "appProtocol", "no reference leads there today; one"),
            ("c", "unread import", "warning", "appProtocol", "no reference leads there today; one"),
        ],
    ),
    "an import that Istio takes for a Service that is not at hand": (
        {
            "a": [service(port(80, "grpc")), export(T1)],
            "c@istio:1.26": [imported(port(80)), route()],
        },
        [
            ("c", "lost", "warning", "appProtocol", "nothing: HTTPRoute shop/r leads to a Service"),
            (
                "c",
                "unread import",
                "warning",
                "appProtocol",
                "HTTPRoute shop/r leads to a Service t",
            ),
        ],
    ),
    "a port that the Service which Istio reads does not have": (
        {
            "a": [service(port(80), port(81)), export(T1)],
            "c@istio:1.26": [
                *(service(port(81)), export(T2), imported(port(80), port(81)), route()),
            ],
        },
        [
            ("c", "unequal ports", "warning", "port", "no request to it reaches the pods of c"),
            ("c", "missing port", "error", "port", "HTTPRoute shop/r leads nowhere: http/1.1 is"),
        ],
    ),
    "UDP to an import that no gateway reads there": (
        {
            "a": [service(port(53, protocol="UDP")), export(T1)],
            "c@cilium:v1.16.0": [imported(port(53, protocol="UDP")), route("UDPRoute", 53)],
        },
        [
            (
                "c",
                "unread import",
                "error",
                "appProtocol",
                "UDPRoute shop/r leads nowhere: udp is me",
            )
        ],
    ),
    "a port of an import without a name": (
        {
            "a": [service(port(80, H2C)), export(T1)],
            "c": [imported(port(80, H2C, name=""))],
        },
        [("c", "edited", "warning", "name", "nothing: a port is reached by its number")],
    ),
    "a value that is lost in vain, beside a policy": (
        {
            "a": [service(port(80, "http")), export(T1)],
            "c": [imported(port(80)), route(), tls()],
        },
        [
            ("c", "lost", "warning", "appProtocol", "nothing: HTTPRoute shop/r speaks auto+tls al"),
            ("c", "tls", "error", "BackendTLSPolicy", "HTTPRoute shop/r: auto+tls is spoken wher"),
        ],
    ),
    "a value that is lost, and would be dead": (
        {
            "a": [service(port(80, "grpc")), export(T1)],
            "c@envoy-gateway:v1.8.3": [imported(port(80)), route()],
        },
        [
            ("c", "lost", "warning", "appProtocol", "nothing: HTTPRoute shop/r speaks http/1.1 al"),
            ("c", "dead import", "error", "appProtocol", "HTTPRoute shop/r: http/1.1 is spoken wh"),
        ],
    ),
    "a derived Service that lost the value": (
        {
            "a@cilium-app-protocol:v1.16.0": [service(port(80, H2C)), export(T1)],
            "c@cilium-app-protocol:v1.16.0": [
                imported(port(80, H2C), annotations=DERIVED),
                service(port(80), name="derived-abc"),
                route(),
            ],
        },
        [("c", "lost", "error", "appProtocol", "HTTPRoute shop/r: http/1.1 is spoken where h2 is")],
    ),
    "a derived Service without the port": (
        {
            "a": [service(port(80), port(81)), export(T1)],
            "c@cilium-app-protocol:v1.16.0": [
                imported(port(80), port(81), annotations=DERIVED),
                service(port(81), name="derived-abc"),
                route(),
            ],
            "d": [
                imported(port(80), port(81), annotations=DERIVED),
                service(port(81), name="derived-abc"),
                route(),
            ],
        },
        [
            ("c", "missing port", "error", "port", "1 reference leads nowhere: http/1.1"),
            ("d", "missing port", "warning", "port", "no reference leads there today"),
        ],
    ),
    "a mirror Service": (
        {
            "a": [service(port(80, H2C), labels={"mirror.linkerd.io/exported": "true"})],
            "c": [
                service(
                    port(80),
                    name="x-a",
                    labels={
                        "mirror.linkerd.io/mirrored-service": "true",
                        "mirror.linkerd.io/cluster-name": "a",
                    },
                ),
                route(to="Service", name="x-a"),
            ],
        },
        [("c", "lost", "error", "appProtocol", "HTTPRoute shop/r: http/1.1 is spoken where h2 is")],
    ),
    "another type and another affinity": (
        {
            "a": [service(port(80)), export(T1)],
            "b": [
                service(port(80), spec={"clusterIP": "None", "sessionAffinity": "ClientIP"}),
                export(T2),
            ],
        },
        [
            ("b", "conflict", "warning", "type", "the import has the type of a for all"),
            (
                "b",
                "conflict",
                "warning",
                "sessionAffinity",
                "the import has the sessionAffinity of",
            ),
        ],
    ),
    "a Service that is only a name": (
        {
            "a": [service(port(80), spec={"type": "ExternalName"}), export(T1)],
            "c": [imported(port(80))],
        },
        [
            ("a", "no service", "warning", "", ""),
            ("c", "orphan import", "warning", "metadata.name", "no reference leads there today"),
        ],
    ),
    "an import that is nowhere": (
        {"a": [service(port(80))], "c": [route()]},
        [
            (
                "c",
                "missing import",
                "warning",
                "metadata.name",
                "1 reference leads nowhere",
            )
        ],
    ),
    "one cluster by itself": (
        {"a": [service(port(80, "grpc")), export(T1), imported(port(80)), route()]},
        [("a", "lost", "error", "appProtocol", "HTTPRoute shop/r: http/1.1 is spoken where h2 is")],
    ),
}


# The same by what a controller does.
BY_CONTROLLER: dict[str, tuple[str, dict[str, list[Object]], list[Told]]] = {
    "none is derived": (
        "submariner",
        {
            "a": [service(port(80, H2C)), export(T1)],
            "c@cilium-app-protocol:v1.16.0": [imported(port(80, H2C)), route()],
        },
        [
            (
                *("c", "unread import", "warning", "appProtocol"),
                "HTTPRoute shop/r leads to a Service that is not at hand: h2 is meant",
            )
        ],
    ),
    "derived with the value": (
        "cilium",
        {
            "a": [service(port(80, H2C)), export(T1)],
            "c@cilium-app-protocol:v1.16.0": [imported(port(80, H2C)), route()],
        },
        [],
    ),
    "derived by another name than Istio reads": (
        "cilium",
        {
            "a": [service(port(80, H2C)), export(T1)],
            "c@istio:1.26": [
                imported(port(80, H2C), annotations=DERIVED),
                service(port(80, H2C), name="derived-abc"),
                route(),
            ],
        },
        [
            (
                *("c", "unread import", "warning", "appProtocol"),
                "HTTPRoute shop/r leads to a Service that is not at hand: h2 is meant",
            )
        ],
    ),
    "what no controller writes, as the exports have it": (
        "linkerd",
        {
            "a": [service(port(80, H2C)), export(T1)],
            "c": [imported(port(80, H2C)), route()],
        },
        [],
    ),
    "what the controller drops": (
        "linkerd",
        {
            "a": [service(port(80, H2C)), export(T1)],
            "c": [imported(port(80)), route()],
        },
        [("c", "lost", "error", "appProtocol", "HTTPRoute shop/r: http/1.1 is spoken where h2 is")],
    ),
    "what the controller drops, in vain": (
        "linkerd",
        {
            "a": [service(port(80, "http")), export(T1)],
            "c": [imported(port(80)), route()],
        },
        [],
    ),
}


@pytest.mark.parametrize(("clusters", "wanted"), CASES.values(), ids=CASES)
def test_what_is_told(
    clusters: dict[str, list[Object]], wanted: list[Told], tmp_path: Path
) -> None:
    agree(told(propagation(world(tmp_path, clusters))), wanted)


@pytest.mark.parametrize(
    ("controller", "clusters", "wanted"), BY_CONTROLLER.values(), ids=BY_CONTROLLER
)
def test_what_is_told_by_controller(
    controller: str, clusters: dict[str, list[Object]], wanted: list[Told], tmp_path: Path
) -> None:
    agree(told(propagation(world(tmp_path, clusters), controller)), wanted)


def test_what_is_left_out_is_compared_with_nothing(tmp_path: Path) -> None:
    """It has a row of its own number, and no cell: a matrix has what is spoken to one port."""
    clusters, _ = CASES["a port that is left out is no side of the other"]
    rows = propagation(world(tmp_path, clusters))
    assert [(row.cluster, row.port, row.meant, row.agrees) for row in rows] == [
        ("a", (80, "TCP"), "http/1.1", True),
        ("b", (81, "TCP"), "", True),
    ]
    assert rows[1].as_dict()["meant"] is None
    assert list(propagation_matrix(rows).index) == ["shop/x:80"]


def test_the_import_is_spoken_to_as_the_service_derived_from_it(tmp_path: Path) -> None:
    clusters, _ = CASES["a derived Service that lost the value"]
    known = world(tmp_path, clusters)
    wires = {row.side: row.wire for row in propagation(known)}
    assert wires == {"export": "h2", "import": "http/1.1", "derived": "http/1.1"}
    (step,) = safe_order(known)
    assert step.action == f"write {H2C} on Service shop/derived-abc:80"
    after = propagation(applied(known, step))
    assert all(row.agrees and not row.faults for row in after)
    fields = [field for field in imports_by_field(known) if not field.same]
    assert [(field.object, field.field, field.wanted) for field in fields] == [
        ("Service shop/derived-abc", "appProtocol", H2C)
    ]
