"""Whose an object is, and which meshes its pods are in: a case per row that tells so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from protocol_analysis import load
from protocol_analysis.meshes import Meshes, marks
from protocol_analysis.owners import owner_of
from tests.objects import pods, read_from, service

PORT = {"name": "grpc", "port": 9000, "appProtocol": "grpc"}


def namespace(**meta: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default", **meta}}


OWNERS = {
    "a Helm release": ({"annotations": {"meta.helm.sh/release-name": "shop"}}, "Helm release shop"),
    "a chart": ({"labels": {"helm.sh/chart": "shop-1.0"}}, "Helm chart shop-1.0"),
    "Helm": ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, "Helm"),
    "Argo CD by label": ({"labels": {"argocd.argoproj.io/instance": "shop"}}, "application shop"),
    "Argo CD by annotation": (
        {"annotations": {"argocd.argoproj.io/tracking-id": "shop:/Service:a/b"}},
        "application shop:/Service:a/b",
    ),
    "Flux": ({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}, "Flux Kustomization apps"),
    "a Flux release": ({"labels": {"helm.toolkit.fluxcd.io/name": "shop"}}, "HelmRelease shop"),
    "an operator": (
        {"labels": {"app.kubernetes.io/managed-by": "opentelemetry-operator"}},
        "opentelemetry-operator",
    ),
    "another object": (
        {"ownerReferences": [{"kind": "OpenTelemetryCollector", "name": "otel", "uid": "1"}]},
        "OpenTelemetryCollector otel",
    ),
}


@pytest.mark.parametrize(("meta", "owner"), OWNERS.values(), ids=OWNERS)
def test_owners(tmp_path: Path, meta: dict[str, Any], owner: str) -> None:
    found = owner_of(read_from(tmp_path, service(PORT, **meta)).services[0].meta)
    assert found is not None
    assert found.name.endswith(owner)


NOBODY: dict[str, dict[str, Any]] = {
    "nothing": {},
    "an empty label": {"labels": {"helm.sh/chart": ""}},
    "another label": {"labels": {"app": "helm"}},
    "references that are no list": {"ownerReferences": {"kind": "A"}},
}


@pytest.mark.parametrize("meta", NOBODY.values(), ids=NOBODY)
def test_nobody_owns(tmp_path: Path, meta: dict[str, Any]) -> None:
    assert owner_of(read_from(tmp_path, service(PORT, **meta)).services[0].meta) is None


@pytest.mark.parametrize("mark", marks(), ids=str)
def test_every_mark_is_read(tmp_path: Path, mark: Any) -> None:
    """What says `out` is tried against a Namespace that is in it."""
    said = {mark.of: {mark.key: mark.value or "any"}}
    deployment = pods()
    objects = [service(PORT), deployment]
    if mark.at == "pod":
        template = deployment["spec"]["template"]["metadata"]
        template.setdefault(mark.of, {}).update(said[mark.of])
        entered = next(
            m for m in marks() if (m.mesh, m.at, m.says) == (mark.mesh, "namespace", "in")
        )
        if mark.says == "out":
            objects.append(namespace(**{entered.of: {entered.key: entered.value or "any"}}))
    else:
        objects.append(namespace(**said))
    inventory = read_from(tmp_path, *objects)
    found = Meshes(inventory).of(inventory.services[0].meta)
    assert found == ({mark.mesh: str(mark)} if mark.says == "in" else {})


def test_pods_that_are_not_selected_say_nothing(tmp_path: Path) -> None:
    other = pods()
    other["spec"]["template"]["metadata"]["labels"] = {
        "app": "b",
        "sidecar.istio.io/inject": "true",
    }
    inventory = read_from(tmp_path, service(PORT), other)
    assert Meshes(inventory).of(inventory.services[0].meta) == {}


def test_the_nearest_namespace_counts(tmp_path: Path) -> None:
    """A repository of examples has the same Namespace twice."""
    read_from(tmp_path, namespace(labels={"istio-injection": "enabled"}), file="a/n.yaml")
    read_from(tmp_path, namespace(), service(PORT), file="b/n.yaml")
    whole = load(tmp_path)
    assert Meshes(whole).of(whole.services[0].meta) == {}
