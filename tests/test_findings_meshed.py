"""`check` tells meshes as `plan` does: by labels and annotations, less than what is declared."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol_analysis import load
from protocol_analysis.findings.checking import check
from tests.support import ISTIO, run
from tests.test_findings_traps import Case, document, gateway, holds, route, service

LINKERD, KUMA = (
    "annotations: {linkerd.io/inject: enabled}",
    "labels: {kuma.io/sidecar-injection: enabled}",
)
SIDECARS = "labels: {istio-injection: enabled}"
GRPC, H2C, WSS = service("grpc"), service("kubernetes.io/h2c"), service("kubernetes.io/wss")
PARENT = "parentRefs: [{group: '', kind: Service, name: a}], "
INSIDE = route(spec=PARENT) + route("GRPCRoute", spec=PARENT)
ASSUMED = "its release is assumed"
BY_LINKERD = "linkerd is told by namespace annotation linkerd.io/inject: enabled, " + ASSUMED
PODS = """apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  template:
    metadata: {labels: {app: a}, annotations: {linkerd.io/inject: enabled}}
    spec: {containers: [{name: a, image: a}]}
---
"""
TWICE = "ports: [{name: one, port: 80, targetPort: 1, appProtocol: %s}], selector: {app: a}"
ONE_PORT = document("v1", "Service", "a", TWICE % "grpc") + document(
    "v1", "Service", "b", TWICE % "tcp"
)


def space(marks: str, name: str = "default") -> str:
    return f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, {marks}}}\n---\n"


CASES = [
    Case(name="nobody", text=GRPC, code="AP002", implementation="contour"),
    Case(
        name="linkerd, to which grpc is nothing",
        text=GRPC + space(LINKERD),
        code="AP002",
        severities=("warning",),
        implementation="contour",
        message=BY_LINKERD,
    ),
    Case(
        name="linkerd, by its pods",
        text=service("grpc", more=", selector: {app: a}") + PODS,
        code="AP002",
        severities=("warning",),
        implementation="contour",
        message=f"linkerd is told by pod annotation linkerd.io/inject: enabled, {ASSUMED}",
    ),
    Case(
        name="linkerd, for the pods of another",
        text=service("grpc", more=", selector: {app: b}") + PODS,
        code="AP002",
        implementation="contour",
    ),
    Case(
        name="linkerd, in another namespace",
        text=GRPC + space(LINKERD, "other"),
        code="AP002",
        implementation="contour",
    ),
    Case(
        name="linkerd, declared, is sure of its release",
        text=GRPC + space(LINKERD),
        code="AP002",
        severities=("error",),
        implementation="contour",
        mesh="linkerd@2.18",
        message="linkerd@v2.18.0 speaks tcp",
    ),
    Case(
        name="linkerd, beside a mesh that is declared",
        text=GRPC + space(LINKERD),
        code="AP002",
        severities=("warning",),
        implementation="contour",
        mesh="istio",
        message=BY_LINKERD,
    ),
    Case(
        name="linkerd, asked for itself",
        text=GRPC + space(LINKERD),
        code="AP002",
        severities=("error",),
        implementation="linkerd",
    ),
    Case(
        name="kuma, which reads grpc",
        text=GRPC + space(KUMA),
        code="AP002",
        implementation="contour",
    ),
    Case(name="nobody, inside", text=H2C + INSIDE, code="AP004"),
    Case(
        name="istio, inside",
        text=H2C + INSIDE + space(SIDECARS),
        code="AP004",
        severities=("warning",),
        message=f"istio mesh is told by namespace label istio-injection: enabled, {ASSUMED}",
    ),
    Case(
        name="istio, inside, declared",
        text=H2C + INSIDE + space(SIDECARS),
        code="AP004",
        severities=("error",),
        mesh="istio@1.19",
    ),
    Case(
        name="istio, inside, at the release of the gateways that are asked",
        text=H2C + INSIDE + space(SIDECARS),
        code="AP004",
        severities=("error",),
        implementation="istio",
        release="main",
        message="istio mesh is told by namespace label istio-injection: enabled",
    ),
    Case(
        name="linkerd, inside",
        text=WSS + route(spec=PARENT) + space(LINKERD),
        code="AP006",
        severities=("warning",),
        message=BY_LINKERD,
    ),
    Case(
        name="istio, one port of the pods",
        text=ONE_PORT + space(SIDECARS),
        code="AP027",
        severities=("warning",),
        message=ASSUMED,
    ),
    Case(name="nobody, one port of the pods", text=ONE_PORT, code="AP027"),
    Case(name="kuma, one port of the pods", text=ONE_PORT + space(KUMA), code="AP027"),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.code} {case.name}" for case in CASES])
def test_meshes_are_told(case: Case, tmp_path: Path) -> None:
    holds(case, tmp_path)


def test_a_gateway_is_as_sure_as_without_marks(tmp_path: Path) -> None:
    """What marks tell of a mesh is nothing of its gateways."""
    text = H2C + route(spec="parentRefs: [{name: g}], ") + gateway(ISTIO)
    file = tmp_path / "a.yaml"
    file.write_text(text, encoding="utf-8")
    plain = [(f.code, f.severity, f.message) for f in check(load(file))]
    file.write_text(text + space(SIDECARS), encoding="utf-8")
    assert [(f.code, f.severity, f.message) for f in check(load(file))] == plain


def test_the_command_says_what_tells(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """On standard error, once for each mesh; what is declared is told by nobody else."""
    (tmp_path / "a.yaml").write_text(GRPC + H2C.replace("name: a", "name: b") + space(LINKERD))
    told = (
        "linkerd reads 2 Services, told by namespace annotation linkerd.io/inject: enabled; "
        "linkerd@v2.18.0 is assumed, --mesh says which release it is"
    )
    status, out, err = run(capsys, "check", str(tmp_path), "-o", "json")
    assert (status, err.splitlines()[0]) == (0, told)
    assert ASSUMED in out
    _, _, err = run(capsys, "check", "--cluster", f"east={tmp_path}")
    assert err.splitlines()[0] == f"east: {told}"
    _, _, err = run(capsys, "check", str(tmp_path), "--implementation", "linkerd")
    assert "told by" not in err
    status, out, err = run(capsys, "check", str(tmp_path), "--mesh", "linkerd@2.18", "-o", "json")
    assert status == 1
    assert "told by" not in err
    assert ASSUMED not in out


def test_a_release_that_is_asked_is_not_assumed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Gateways and mesh of Istio are one installation."""
    (tmp_path / "a.yaml").write_text(H2C + INSIDE + space(SIDECARS))
    asked = ("--implementation", "istio", "--release", "main")
    _, out, err = run(capsys, "check", str(tmp_path), *asked, "-o", "json")
    assert err.splitlines()[0].endswith("istio mesh@main is asked")
    assert "assumed" not in out + err
