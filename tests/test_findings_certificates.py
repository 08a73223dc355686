"""AP023 by what pods mount: a certificate behind a port for TLS hints that they expect it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from protocol_analysis import load
from tests.test_findings_traps import Case, document, holds, route, secured

NAMED = "{name: v, secret: {secretName: shop-tls}}"
MOUNT = "volumeMounts: [{name: v, mountPath: /etc/shop}]"
H2C = "kubernetes.io/h2c"
WARNED = ("warning",)


def service(value: str = H2C, target: str = "8443", app: str = "a", more: str = "") -> str:
    port = f"{{name: api, port: 8080, targetPort: {target}, appProtocol: {value}{more}}}"
    return document("v1", "Service", "a", f"ports: [{port}], selector: {{app: {app}}}")


def pods(volume: str = NAMED, container: str = MOUNT) -> str:
    ports = "ports: [{name: secure, containerPort: 8443}, {name: plain, containerPort: 8080}]"
    spec = f"containers: [{{name: c, image: i, {ports}, {container}}}], volumes: [{volume}]"
    template = f"template: {{metadata: {{labels: {{app: a}}}}, spec: {{{spec}}}}}"
    return document("apps/v1", "Deployment", "d", template)


def secret(name: str = "shop", keys: str = "") -> str:
    items = ", ".join(f"{{key: {key}, path: x}}" for key in keys.split())
    more = f", items: [{items}]" if keys else ""
    return f"{{name: v, secret: {{secretName: {name}{more}}}}}"


CSI = "{name: v, csi: {driver: csi.cert-manager.io}}"
PROJECTED = "{name: v, projected: {sources: [{secret: {name: shop-tls}}, {configMap: {name: x}}]}}"
GRPC_PROBE = f"{MOUNT}, readinessProbe: {{grpc: {{port: 8443}}}}"
TEXTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "h2c": (service() + pods(), WARNED),
    "grpc": (service("grpc") + pods(), WARNED),
    "443": (service(target="443") + pods(), WARNED),
    "a name for it": (service(target="secure") + pods(), WARNED),
    "routed": (service() + pods() + route(refs="{name: a, port: 8080}"), WARNED),
    "the key and its certificate": (service() + pods(secret(keys="tls.crt tls.key")), WARNED),
    "cert-manager": (service() + pods(CSI), WARNED),
    "among other sources": (service() + pods(PROJECTED), WARNED),
    "another value": (service("http") + pods(), ()),
    "wss": (service("kubernetes.io/wss") + pods(), ()),
    "another number": (service(target="9443") + pods(), ()),
    "a name for another": (service(target="plain") + pods(), ()),
    "a name for none": (service(target="other") + pods(), ()),
    "UDP": (service(more=", protocol: UDP") + pods(), ()),
    "other pods": (service(app="b") + pods(), ()),
    "no pods": (service(), ()),
    "not mounted": (service() + pods(container="tty: true"), ()),
    "another Secret": (service() + pods(secret()), ()),
    "a word of a name": (service() + pods(secret("certainly")), ()),
    "of an authority": (service() + pods(secret("root-ca-cert")), ()),
    "the certificate alone": (service() + pods(secret("shop-tls", "ca.crt")), ()),
    "a ConfigMap": (service() + pods("{name: v, configMap: {name: shop-tls}}"), ()),
    "a probe in the clear": (service() + pods(container=GRPC_PROBE), ()),
    # Which is found already, once for each route.
    "over TLS": (service() + pods() + secured() + route(refs="{name: a, port: 8080}"), WARNED),
}


@pytest.mark.parametrize(("text", "severities"), TEXTS.values(), ids=TEXTS)
def test_a_certificate_hints(text: str, severities: tuple[str, ...], tmp_path: Path) -> None:
    holds(Case(name="", text=text, code="AP023", severities=severities), tmp_path)


def test_it_says_where(tmp_path: Path) -> None:
    case = Case(
        name="",
        text=service() + pods(),
        code="AP023",
        severities=WARNED,
        message="port 8443 of Deployment default/d, which mounts a certificate at /etc/shop",
        remedy="if the pods begin TLS there, drop the value and add a BackendTLSPolicy",
    )
    holds(case, tmp_path)
    over_tls = service() + pods() + secured() + route(refs="{name: a, port: 8080}")
    holds(replace(case, text=over_tls, message="is spoken to over TLS", remedy=""), tmp_path)


def test_nothing_of_a_secret_is_kept_but_where_it_is_mounted(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(pods(), encoding="utf-8")
    (workload,) = load(tmp_path).workloads
    assert [each.certificates for each in workload.containers] == [("/etc/shop",)]
    assert "shop-tls" not in repr(workload)
