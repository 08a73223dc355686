"""How bad a disagreement is: by the requests that are sent, and by what is to blame for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from protocol_analysis.multicluster.propagation import propagation
from protocol_analysis.reading import read
from protocol_analysis.tables import propagation_matrix
from protocol_analysis.tables.multicluster import marks_are_differences
from tests.disagreeing import (
    DERIVED,
    GATEWAY,
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
    of,
    port,
    route,
    service,
    tls,
    told,
    world,
)

if TYPE_CHECKING:
    from pathlib import Path

WS = "kubernetes.io/ws"
CONTOUR = [
    of(
        GATEWAY,
        "GatewayClass",
        "c",
        {"spec": {"controllerName": "projectcontour.io/gateway-controller"}},
    ),
    gateway("web", "c"),
    route(parents=[{"name": "g"}]),
]
FROM = "mirror.linkerd.io/cluster-name"
OF_HEADLESS = "mirror.linkerd.io/headless-mirror-svc-name"
MIRROR = {"mirror.linkerd.io/mirrored-service": "true"}


def mirrored(name: str, value: str) -> Object:
    return service(port(80, value), name=name, labels={"mirror.linkerd.io/exported": "true"})


def serves(kind: str, plural: str, group: str, version: str) -> Object:
    """A CRD that serves one version."""
    names = {"kind": kind, "plural": plural}
    spec = {"group": group, "names": names, "versions": [{"name": version, "served": True}]}
    made = of("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"{plural}.{group}")
    return {**made, "spec": spec}


OLD_POLICIES = serves("BackendTLSPolicy", "backendtlspolicies", GATEWAY[:-3], "v1alpha3")
NEW_IMPORTS = serves("ServiceImport", "serviceimports", MCS, "v1beta1")
SHARED = route()
SHARED["spec"]["rules"][0]["backendRefs"].append({"name": "y", "port": 80})
AT_HOME = route(to="Service")
AT_HOME["spec"]["rules"][0]["backendRefs"].append({"name": "y", "port": 80})
ON_G: dict[str, Any] = {"parents": [{"name": "g"}]}
ISTIO = [
    of(GATEWAY, "GatewayClass", "i", {"spec": {"controllerName": "istio.io/gateway-controller"}}),
    gateway("web", "i"),
]
NAMED = [service(port(80, name="grpc")), export(T2), imported(port(80, name="http")), route()]
CASES: dict[str, tuple[dict[str, list[Object]], list[Told]]] = {
    "a value that only GRPCRoutes hear": (
        {
            "a": [service(port(80, WS)), export(T1), route("GRPCRoute", to="Service")],
            "c@envoy-gateway:v1.3.3": [imported(port(80, WS)), route("GRPCRoute")],
        },
        [
            (
                "c",
                "release skew",
                "error",
                "appProtocol",
                "GRPCRoute shop/r: h2 is spoken where http/",
            )
        ],
    ),
    "another gateway of the cluster, that takes no imports": (
        {
            "a": [service(port(80, H2C)), export(T1)],
            "c": [imported(port(80, H2C)), *CONTOUR],
        },
        [
            (
                "c",
                "unread import",
                "error",
                "appProtocol",
                "HTTPRoute shop/r leads nowhere: h2 is mea",
            )
        ],
    ),
    "the same, and a value that is lost in vain": (
        {
            "a": [service(port(80, H2C)), export(T1)],
            "c": [imported(port(80)), *CONTOUR],
        },
        [
            ("c", "lost", "warning", "appProtocol", "nothing: HTTPRoute shop/r leads nowhere all"),
            ("c", "unread import", "error", "appProtocol", "HTTPRoute shop/r leads nowhere: h2 is"),
        ],
    ),
    "the name of what stands for an import": (
        {"a@istio:main": [service(port(80, name="http")), export(T1)], "c@istio:main": NAMED},
        [
            (
                "c",
                "conflict",
                "warning",
                "name",
                "nothing: HTTPRoute shop/r speaks h2 all the same",
            ),
            (
                "c",
                "conflict",
                "error",
                "name",
                "HTTPRoute shop/r: h2 is spoken where http/1.1 is m",
            ),
        ],
    ),
    "the name of a Service that stands for an import and is not exported": (
        {
            "a@istio:main": [service(port(80, name="grpc")), export(T1)],
            "c@istio:main": [
                *(service(port(80, name="web")), imported(port(80, name="grpc")), route()),
            ],
        },
        [("c", "conflict", "error", "name", "HTTPRoute shop/r: http/1.1 is spoken where h2 is me")],
    ),
    "its value": (
        {
            "a@istio:main": [service(port(80, "grpc")), export(T1)],
            "c@istio:main": [service(port(80, "http")), imported(port(80, "grpc")), route()],
        },
        [("c", "overridden", "error", "appProtocol", "HTTPRoute shop/r: http/1.1 is spoken where")],
    ),
    "a Service that Karmada derived, and did not follow": (
        {
            "a": [service(port(80, H2C)), export(T1)],
            "c": [
                imported(port(80, H2C)),
                service(port(80), name="derived-x"),
                route(to="Service", name="derived-x"),
            ],
        },
        [("c", "lost", "error", "appProtocol", "HTTPRoute shop/r: http/1.1 is spoken where h2 is")],
    ),
    "values that are no strings": (
        {
            "a": [service({**port(80), "appProtocol": True}), export(T1)],
            "c": [service({**port(80), "appProtocol": 5}), export(T2)],
        },
        [],
    ),
    "the same where a port is reached by its number": (
        {"a": [service(port(80, name="http")), export(T1)], "c": NAMED},
        [("c", "conflict", "warning", "name", "nothing: a port is reached by its number")],
    ),
    "a neighbour in the rule": (
        {
            "a": [service(port(80)), export(T1)],
            "c": [imported(port(80)), SHARED, service(port(80, H2C), name="y")],
        },
        [("c", "turned", "error", "", "HTTPRoute shop/r: h2 is spoken where http/1.1 is meant")],
    ),
    "the same neighbour in both clusters": (
        {
            "a": [service(port(80)), export(T1), AT_HOME, service(port(80, H2C), name="y")],
            "c": [imported(port(80)), SHARED, service(port(80, H2C), name="y")],
        },
        [],
    ),
    "a neighbour at home": (
        {
            "a": [service(port(80)), export(T1), AT_HOME, service(port(80, H2C), name="y")],
            "c": [imported(port(80)), route()],
        },
        [("c", "turned", "error", "", "HTTPRoute shop/r: http/1.1 is spoken where h2 is meant")],
    ),
    "the same gateways in both clusters": (
        {
            "a": [service(port(80, "http2")), export(T1), *ISTIO, route(to="Service", **ON_G)],
            "c": [service(port(80, "http2")), export(T2), *ISTIO, route(to="Service", **ON_G)],
        },
        [],
    ),
    "a value that the gateway of a derived Service refuses": (
        {
            "a": [service(port(80, "grpc")), export(T1)],
            "c@contour:main": [
                imported(port(80, "grpc"), annotations=DERIVED),
                service(port(80, "grpc"), name="derived-abc"),
                route(to="Service", name="derived-abc"),
            ],
        },
        [
            (
                "c",
                "release skew",
                "error",
                "appProtocol",
                "HTTPRoute shop/r leads nowhere: h2 is mea",
            )
        ],
    ),
    "an import that nobody reads beside a derived Service": (
        {
            "a": [service(port(80, H2C)), export(T1)],
            "c@contour:main": [
                imported(port(80, H2C), annotations=DERIVED),
                service(port(80, H2C), name="derived-abc"),
                route(to="Service", name="derived-abc"),
            ],
        },
        [],
    ),
    "mirrors that stand for no one Service": (
        {
            "a": [service(port(80, H2C), labels={"mirror.linkerd.io/exported": "true"})],
            "d": [
                service(port(80, H2C), name="x-federated", labels=MIRROR),
                service(
                    port(80, H2C),
                    name="x-0-a",
                    labels=MIRROR
                    | {FROM: "a", "mirror.linkerd.io/headless-mirror-svc-name": "x-a"},
                ),
            ],
        },
        [],
    ),
    "a policy that is not seen, since its CRD serves another version": (
        {
            "a": [service(port(80, H2C)), export(T1), tls("Service")],
            "c": [imported(port(80, H2C)), route(), tls(), OLD_POLICIES],
        },
        [("c", "tls", "error", "BackendTLSPolicy", "HTTPRoute shop/r: h2 is spoken where h2+tls")],
    ),
    "an import that is not seen, since its CRD serves another version": (
        {
            "a": [service(port(80, H2C)), export(T1)],
            "c": [imported(port(80, H2C)), route(), NEW_IMPORTS],
        },
        [("c", "unread import", "error", "appProtocol", "HTTPRoute shop/r leads nowhere: h2 is")],
    ),
    "a port that one import has and another not": (
        {
            "a": [service(port(80, name="h")), export(T1)],
            "b": [service(port(81, name="h")), export(T2)],
            "c": [imported(port(80, name="h"), port(81))],
            "d": [imported(port(80, name="h")), route(number=81)],
        },
        [
            (
                "b",
                "conflict",
                "error",
                "port",
                "1 reference leads nowhere: the import leaves the p",
            ),
            ("c", "missing port", "warning", "port", "no reference leads there today"),
        ],
    ),
    "no import at all, in a cluster that exports": (
        {
            "a": [service(port(80)), export(T1)],
            "b": [
                service(port(80), name="y"),
                {**export(T2), "metadata": {"name": "y", "namespace": "shop"}},
            ],
            "c": [imported(port(80))],
        },
        [
            ("b", "missing import", "warning", "metadata.name", "no reference leads there today"),
            ("a", "missing import", "warning", "metadata.name", "no reference leads there today"),
            ("c", "missing import", "warning", "metadata.name", "no reference leads there today"),
        ],
    ),
    "no imports at all, as in Git": (
        {
            "a": [service(port(80)), export(T1)],
            "b": [
                service(port(80), name="y"),
                {**export(T2), "metadata": {"name": "y", "namespace": "shop"}},
            ],
        },
        [],
    ),
    "a port that nobody has": (
        {
            "a": [service(port(80)), export(T1)],
            "c": [imported(port(80)), route(number=9999)],
        },
        [("c", "missing port", "error", "port", "1 reference leads nowhere: no such port")],
    ),
    "mirrors of one name": (
        {
            "c": [mirrored("a-b", "grpc")],
            "b-c": [mirrored("a", "http")],
            "d": [
                service(port(80), name="a-b-c", labels=MIRROR | {FROM: "c"}),
                route(to="Service", name="a-b-c"),
            ],
        },
        [("d", "lost", "error", "appProtocol", "HTTPRoute shop/r: http/1.1 is spoken where h2 is")],
    ),
    "the value of what stands for an import": (
        {
            "a@istio:main": [service(port(80, "http")), export(T1)],
            "c@istio:main": [
                *(service(port(80, "grpc")), export(T2), imported(port(80, "http")), route()),
            ],
        },
        [
            (
                "c",
                "overridden",
                "warning",
                "appProtocol",
                "nothing: HTTPRoute shop/r speaks h2 all",
            ),
            (
                "c",
                "overridden",
                "error",
                "appProtocol",
                "HTTPRoute shop/r: h2 is spoken where http",
            ),
        ],
    ),
    "an import of another type, and without the affinity": (
        {
            "a": [service(port(80), spec={"sessionAffinity": "ClientIP"}), export(T1)],
            "c": [imported(port(80), spec={"type": "Headless"})],
        },
        [
            ("c", "edited", "warning", "type", "clients of c get Headless where ClusterSetIP is"),
            (
                "c",
                "edited",
                "warning",
                "sessionAffinity",
                "clients of c get None where ClientIP is",
            ),
        ],
    ),
    "two that read no imports agree on nothing": (
        {
            "a@contour:main": [service(port(80, H2C)), export(T1), imported(port(80, H2C))],
            "c@contour:main": [imported(port(80, H2C))],
        },
        [
            ("a", "unread import", "warning", "appProtocol", "no reference leads there today; one"),
            ("c", "unread import", "warning", "appProtocol", "no reference leads there today; one"),
        ],
    ),
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


def test_what_routes_of_other_kinds_are_spoken(tmp_path: Path) -> None:
    """The table has it beside the wire of an HTTPRoute, and the matrix marks it."""
    clusters, _ = CASES["a value that only GRPCRoutes hear"]
    rows = propagation(world(tmp_path, clusters))
    assert [(row.wire, row.behind, row.agrees) for row in rows] == [
        ("http/1.1", (), True),
        ("http/1.1", (("GRPCRoute", "h2", "http/1.1"),), False),
    ]
    assert rows[1].as_dict()["behind"] == [{"way": "GRPCRoute", "wire": "h2", "meant": "http/1.1"}]
    matrix = propagation_matrix(rows)
    assert list(matrix.loc["shop/x:80"]) == ["http/1.1", "http/1.1, h2 by GRPCRoute !"]
    assert marks_are_differences(matrix)


def test_every_side_that_does_not_agree_is_told(tmp_path: Path) -> None:
    """By the faults of its port, in its cluster."""
    for at, (clusters, _) in enumerate(CASES.values()):
        folder = tmp_path / str(at)
        folder.mkdir()
        rows = propagation(world(folder, clusters))
        told_of = {(row.name, row.port, row.cluster) for row in rows if row.faults}
        apart = [row for row in rows if not row.agrees]
        assert all((row.name, row.port, row.cluster) in told_of for row in apart)


def test_a_cluster_without_a_name(tmp_path: Path) -> None:
    objects = [service(port(80, H2C)), export(T1), imported(port(80)), route()]
    world(tmp_path, {"a": objects})
    clusters = read(str(tmp_path / "a.json")).clusters
    (fault,) = [fault for row in propagation(clusters) for fault in row.faults]
    assert fault.why.startswith("this cluster declares it")
