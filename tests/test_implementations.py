"""What each implementation makes of each value: a table beside the rulesets, from the same facts.

An HTTPRoute to a Service without policies, at the newest code known. `-`: turned away.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from protocol_analysis import (
    Resolution,
    RulesetError,
    compare,
    implementations,
    load,
    resolve,
    ruleset,
)
from tests.support import ENVOY, gateways

VALUES = (
    "kubernetes.io/h2c", "kubernetes.io/ws", "kubernetes.io/wss", "http", "https", "http2", "HTTP2",
    "grpc", "kubernetes.io/H2C", None,
)  # fmt: skip
H1, H2, TLS = "http/1.1", "h2", "http/1.1+tls"
MATRIX = {
    "envoy-gateway": (H2, H1, H1, H1, H1, H1, H1, H2, H1, H1),
    "istio": (H2, H1, H1, H1, H1, H2, H2, H2, H1, H1),
    "nginx-gateway-fabric": (H2, H1, "-", H1, H1, H1, H1, H1, H1, H1),
    "contour": (H2, H1, "-", H1, TLS, "-", "-", "-", "-", H1),
    "cilium": ("client",) * 10,
    "cilium-app-protocol": (H2, H1, H1, H1, H1, H1, H1, H1, H1, H1),
    "kgateway": (H2, H1, H1, H1, H1, H2, H2, H2, H2, H1),
    "traefik": (H2, H1, TLS, H1, "auto+tls", "-", "-", "-", H2, H1),
    "apisix": (H1, H1, TLS, H1, TLS, H1, H1, H1, H1, H1),
    "linkerd": (H2, "tcp", "tcp", H1, "tcp", "tcp", "tcp", "tcp", H2, "client"),
    "kuma": ("tcp", "tcp", "tcp", H1, "tcp", H2, H2, H2, "tcp", "tcp"),
    "aws-load-balancer-controller": (H2, H1, H1, H1, H1, H1, H1, H1, H1, H1),
    "gke": (H2, H1, H1, H1, H1, H1, "h2+tls", H1, H1, H1),
    "open-service-mesh": ("-", "-", "-", H1, "-", "-", "-", H2, "-", H1),
    "agentgateway": (H2, H1, "tcp", H1, "tcp", H2, H2, H2, "client", "client"),
    "gateway-api": (H2, H1, "-", *("client",) * 7),
    "kubernetes": (H2, H1, TLS, *("client",) * 7),
    # What it says of a ServiceImport; it has no word for a Service.
    "mcs-api": (H2, *("client",) * 9),
}  # fmt: skip
OF_IMPORTS = {"mcs-api"}


def resolved(folder: Path, implementation: str, value: str | None, **more: str) -> Resolution:
    kind, release = more.pop("kind", "Service"), more.pop("release", "main")
    version = "v1" if kind == "Service" else "multicluster.x-k8s.io/v1alpha1"
    group = "" if kind == "Service" else "multicluster.x-k8s.io"
    port = {"port": 80, "name": more.pop("name", "p"), "appProtocol": value}
    ref = {"group": group, "kind": kind, "name": "s", "port": 80}
    documents = [
        {"apiVersion": version, "kind": kind, "metadata": {"name": "s"}, "spec": {"ports": [port]}},
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": more.pop("route", "HTTPRoute"),
            "metadata": {"name": "r"},
            "spec": {"rules": [{"backendRefs": [ref]}]},
        },
    ]
    if more.pop("policy", ""):
        target = {"group": "", "kind": "Service", "name": "s"}
        documents.append(
            {
                "apiVersion": "gateway.networking.k8s.io/v1",
                "kind": "BackendTLSPolicy",
                "metadata": {"name": "s"},
                "spec": {"targetRefs": [target], "validation": {"hostname": "s"}},
            }
        )
    file = folder / "a.yaml"
    file.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    (answer,) = resolve(load(file), implementation, release)
    assert answer.reasons
    assert all(reason.source.startswith("https://") for reason in answer.reasons)
    return answer


def word(answer: Resolution) -> str:
    return f"{answer.upstream}{'+tls' if answer.tls else ''}" if answer.sent else "-"


@pytest.mark.parametrize("name", MATRIX)
def test_what_is_made_of_each_value(name: str, tmp_path: Path) -> None:
    kind = "ServiceImport" if name in OF_IMPORTS else "Service"
    found = tuple(word(resolved(tmp_path, name, value, kind=kind)) for value in VALUES)
    assert found == MATRIX[name]


def test_every_ruleset_has_its_line_here() -> None:
    assert set(MATRIX) == set(implementations())


# implementation, what is asked, what is spoken
CASES = {
    "a port's name is read where nothing is declared": ("istio", {"name": "grpc-web"}, None, H2),
    "and not where something is": ("istio", {"name": "grpc"}, "http", H1),
    "an import stands for the Service of its name": (
        "istio", {"kind": "ServiceImport"}, "grpc", "-",
    ),
    "imports are not taken": ("contour", {"kind": "ServiceImport"}, None, "-"),
    "ws is not for gRPC": ("nginx-gateway-fabric", {"route": "GRPCRoute"}, "kubernetes.io/ws", "-"),
    "h2c in vain": ("nginx-gateway-fabric", {"release": "2.1"}, "kubernetes.io/h2c", H1),
    "https for gRPC": ("traefik", {"route": "GRPCRoute"}, "https", "h2+tls"),
    "http is not for gRPC": ("traefik", {"route": "GRPCRoute"}, "http", "-"),
    "TLS by policy loses h2c": ("contour", {"policy": "yes"}, "kubernetes.io/h2c", TLS),
    "or leaves it to ALPN": ("traefik", {"policy": "yes"}, "kubernetes.io/h2c", "auto+tls"),
    "or keeps it": ("nginx-gateway-fabric", {"policy": "yes"}, "kubernetes.io/h2c", "h2+tls"),
    "wss is not for gRPC": ("traefik", {"route": "GRPCRoute"}, "kubernetes.io/wss", "-"),
    "bytes are bytes": ("istio", {"route": "TCPRoute"}, "kubernetes.io/h2c", "tcp"),
    "https before it was known": ("contour", {"release": "1.30"}, "https", "-"),
    "a port's name says TLS": ("traefik", {"name": "https-web"}, None, TLS),
    "and not where something is declared": ("traefik", {"name": "https"}, "http", H1),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_where_it_depends(name: str, tmp_path: Path) -> None:
    implementation, more, value, expected = CASES[name]
    assert word(resolved(tmp_path, implementation, value, **more)) == expected


def test_what_nobody_has_read_says_so(tmp_path: Path) -> None:
    assert "(unverified)" in resolved(tmp_path, "gke", "HTTP2").deciding.text
    assert not resolved(tmp_path, "gke", "HTTP2").verified
    assert "(unverified)" not in resolved(tmp_path, "kuma", "grpc").deciding.text


def test_a_release_between_those_that_are_listed() -> None:
    release, warning = ruleset("contour").pick("1.29.3")
    assert release == "v1.28.0"
    assert warning == "1.29.3 is not in the list; taken as v1.28.0, the newest known before it"
    with pytest.raises(RulesetError, match=r"'1\.2' is no known release"):
        ruleset("contour").pick("1.2")


def test_from_one_implementation_to_another(tmp_path: Path) -> None:
    """The same Gateways, read by another one; Gateway and class need not be its own."""
    inventory = load(gateways(tmp_path, "http2", envoy=ENVOY))
    (change,) = compare(inventory, "envoy-gateway@v1.8.3", "istio@1.26")
    assert (change.before.upstream, change.after.upstream, change.effect) == (H1, H2, "breaks")
    assert change.keep is not None
    assert change.keep.value is None  # nothing declared is HTTP/1.1 to both
    assert change.adopt is not None
    assert change.adopt.value == "kubernetes.io/h2c"
