"""An edit of what another tool writes does not last, whichever check asks for the edit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.test_findings_names import H2C, SLASH, annotated, exposing, pod
from tests.test_findings_traps import TWO, Case, holds, policy, route, secured, service

HELM = "labels: {app.kubernetes.io/managed-by: Helm}"


def by_helm(text: str, kind: str, name: str) -> str:
    """The same, with an object that Helm writes."""
    plain = f"kind: {kind}\nmetadata: {{name: {name}"
    assert text.count(plain) == 1
    return text.replace(plain, f"{plain}, {HELM}")


BOTH = route() + route("GRPCRoute")
CHECKED = policy("healthCheck: {active: {type: HTTP, http: {path: /}}}")
ONE_POD = exposing("a", "http", "8080", "app: a") + exposing("b", "tcp", "8080", "app: a")
MIXED = service("kubernetes.io/h2c") + service(name="b")
# For each code: manifests, what is to be edited, and an object of theirs that is not.
EDITED = {
    "AP004": (service(H2C, port="api") + BOTH, ("Service", "a"), ("HTTPRoute", "h")),
    "AP011": (service("http", port="grpc"), ("Service", "a"), None),
    "AP013": (MIXED + route(refs=TWO), ("HTTPRoute", "h"), ("Service", "b")),
    "AP015": (service(H2C) + route() + CHECKED, ("BackendTrafficPolicy", "b"), ("Service", "a")),
    "AP023": (service(H2C) + secured() + route(), ("Service", "a"), ("BackendTLSPolicy", "ta")),
    "AP027": (ONE_POD, ("Service", "b"), ("Service", "a")),
    "AP028": (annotated("konghq.com/protocol", "grpc", "http"), ("Service", "a"), None),
    "AP030": (
        pod(f"name: c, image: i, livenessProbe: {{tcpSocket: {{port: {SLASH}}}}}")
        + service("http"),
        ("Deployment", "d"),
        ("Service", "a"),
    ),
}


@pytest.mark.parametrize("code", EDITED)
def test_an_edit_of_what_is_owned_does_not_last(code: str, tmp_path: Path) -> None:
    """Of what is to be edited, and of nothing else that is written by another tool."""
    text, edited, other = EDITED[code]
    mesh = "istio" if code == "AP027" else ""
    case = Case(name="", text=text, code="AP029", mesh=mesh)
    holds(case, tmp_path)
    if other:
        holds(replace(case, text=by_helm(text, *other)), tmp_path)
    wanted = f"Helm writes {edited[0]} default/{edited[1]} (labels app.kubernetes.io/managed-by)"
    found = replace(case, text=by_helm(text, *edited), severities=("info",), message=wanted)
    holds(found, tmp_path)
    holds(replace(found, message=f"does not last, as {code} would have it"), tmp_path)


def test_where_nothing_is_to_be_mended_nobody_is_asked(tmp_path: Path) -> None:
    """Envoy Gateway speaks to each route by its kind."""
    text = by_helm(service(port="api") + BOTH, "Service", "a")
    holds(Case(name="", text=text, code="AP004", severities=("info",)), tmp_path)
    holds(Case(name="", text=text, code="AP029"), tmp_path)
