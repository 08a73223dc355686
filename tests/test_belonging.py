"""Whose an object is, and which meshes its pods are in: a case per row that tells so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from protocol_analysis import load
from protocol_analysis.meshes import Mark, Meshes, marks
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
    "kpt": ({"annotations": {"config.k8s.io/owning-inventory": "shop"}}, "kpt inventory shop"),
    "Config Sync": (
        {
            "annotations": {
                "config.k8s.io/owning-inventory": "config-management-system_root-sync",
                "configmanagement.gke.io/managed": "enabled",
            }
        },
        "Config Sync",
    ),
    "kapp": ({"labels": {"kapp.k14s.io/app": "1654770"}}, "kapp application 1654770"),
    "Fleet": (
        {"annotations": {"objectset.rio.cattle.io/id": "default-shop"}},
        "object set default-shop of Rancher or Fleet",
    ),
    "an addon of K3s": (
        {
            "annotations": {
                "objectset.rio.cattle.io/id": "",
                "objectset.rio.cattle.io/owner-name": "coredns",
            }
        },
        "coredns, which K3s or Rancher applies",
    ),
    "Crossplane": ({"labels": {"crossplane.io/composite": "shop"}}, "Crossplane composite shop"),
    "the addon manager": (
        {"labels": {"addonmanager.kubernetes.io/mode": "Reconcile"}},
        "addon manager",
    ),
    "Flux, that Kustomize labelled too": (
        {
            "labels": {
                "app.kubernetes.io/managed-by": "kustomize-v5.4.3",
                "kustomize.toolkit.fluxcd.io/name": "shop",
            }
        },
        "Flux Kustomization shop",
    ),
    "another object, and kubectl": (
        {
            "labels": {"app.kubernetes.io/managed-by": "kubectl"},
            "ownerReferences": [{"kind": "Shop", "name": "a", "uid": "1"}],
        },
        "Shop a",
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
    "kubectl": {"labels": {"app.kubernetes.io/managed-by": "kubectl"}},
    "Kustomize": {"labels": {"app.kubernetes.io/managed-by": "kustomize"}},
    "Kustomize, with its version": {"labels": {"app.kubernetes.io/managed-by": "kustomize-v5.4.3"}},
    "an addon that may be edited": {"labels": {"addonmanager.kubernetes.io/mode": "EnsureExists"}},
    "what Config Sync leaves alone": {
        "annotations": {"configmanagement.gke.io/managed": "disabled"}
    },
    "an annotation that is a label": {"annotations": {"kapp.k14s.io/app": "1"}},
    "a label that is an annotation": {"labels": {"config.k8s.io/owning-inventory": "shop"}},
    "the key that kpt never had": {"annotations": {"config.kubernetes.io/owning-inventory": "a"}},
    "references that are no list": {"ownerReferences": {"kind": "A"}},
}


@pytest.mark.parametrize("meta", NOBODY.values(), ids=NOBODY)
def test_nobody_owns(tmp_path: Path, meta: dict[str, Any]) -> None:
    assert owner_of(read_from(tmp_path, service(PORT, **meta)).services[0].meta) is None


@pytest.mark.parametrize("mark", marks(), ids=str)
def test_every_mark_is_read(tmp_path: Path, mark: Any) -> None:
    """What says `out` is tried against what takes pods in by the same way."""
    entered = next(m for m in marks() if (m.mesh, m.way, m.says) == (mark.mesh, mark.way, "in"))
    said = found_in(tmp_path, *((entered, mark) if mark.says == "out" else (mark,)))
    assert said == ({mark.mesh: str(mark)} if mark.says == "in" else {})


def found_in(folder: Path, *written: Any) -> dict[str, str]:
    """The meshes of a Service whose Namespace and pods have what marks, or pairs, say."""
    deployment, space = pods(), namespace()
    for each in written:
        template = deployment["spec"]["template"]["metadata"]
        metadata = template if each.at == "pod" else space["metadata"]
        metadata.setdefault(each.of, {})[each.key] = each.value or "any"
    inventory = read_from(folder, service(PORT), deployment, space)
    return Meshes(inventory).of(inventory.services[0].meta)


def at(place: str, of: str, key: str, value: str) -> Mark:
    return Mark(mesh="", way="", at=place, of=of, key=key, value=value, says="", text="", source="")


SPACE_AMBIENT = at("namespace", "labels", "istio.io/dataplane-mode", "ambient")
SPACE_SIDECARS = at("namespace", "labels", "istio-injection", "enabled")
SPACE_NONE = at("namespace", "labels", "istio-injection", "disabled")
NO_SIDECAR = at("pod", "labels", "sidecar.istio.io/inject", "false")
A_SIDECAR = at("pod", "labels", "sidecar.istio.io/inject", "true")
HAS_SIDECAR = at("pod", "annotations", "sidecar.istio.io/status", '{"containers": []}')
NOT_AMBIENT = at("pod", "labels", "istio.io/dataplane-mode", "none")
REVISION = at("pod", "labels", "istio.io/rev", "")
WAYS: dict[str, tuple[tuple[Mark, ...], str]] = {
    "ambient, and no sidecar": ((SPACE_AMBIENT, NO_SIDECAR), str(SPACE_AMBIENT)),
    "sidecars, and not ambient": ((SPACE_SIDECARS, NOT_AMBIENT), str(SPACE_SIDECARS)),
    "both ways, and out of both": ((SPACE_AMBIENT, SPACE_SIDECARS, NOT_AMBIENT, NO_SIDECAR), ""),
    "ambient, and not ambient": ((SPACE_AMBIENT, NOT_AMBIENT), ""),
    "a revision": ((REVISION,), str(REVISION)),
    "a revision, and no sidecar": ((REVISION, NO_SIDECAR), ""),
    "a sidecar is there": ((HAS_SIDECAR,), "pod annotation sidecar.istio.io/status"),
    "a namespace that refuses what pods ask for": ((SPACE_NONE, A_SIDECAR), ""),
    "a sidecar is there, whatever was asked": (
        (SPACE_NONE, NO_SIDECAR, HAS_SIDECAR),
        "pod annotation sidecar.istio.io/status",
    ),
    "a label over an annotation": (
        (SPACE_SIDECARS, NO_SIDECAR, at("pod", "annotations", "sidecar.istio.io/inject", "true")),
        "",
    ),
    "a waypoint": ((at("namespace", "labels", "istio.io/use-waypoint", "w"),), ""),
    "a waypoint of the pods": ((at("pod", "labels", "istio.io/use-waypoint", "w"),), ""),
}


@pytest.mark.parametrize(("written", "told"), WAYS.values(), ids=WAYS)
def test_ways_into_istio(tmp_path: Path, written: tuple[Mark, ...], told: str) -> None:
    found = found_in(tmp_path, *written)
    assert list(found) == (["istio"] if told else [])
    assert found.get("istio", "").startswith(told)


def test_pods_that_linkerd_took_in_stay_in(tmp_path: Path) -> None:
    refused = at("pod", "annotations", "linkerd.io/inject", "disabled")
    has = at("pod", "annotations", "linkerd.io/proxy-version", "edge-25.4.4")
    assert found_in(tmp_path / "a", refused) == {}
    assert list(found_in(tmp_path / "b", refused, has)) == ["linkerd"]


def test_one_of_two_workloads_is_enough(tmp_path: Path) -> None:
    inside, outside = pods(), pods()
    outside["metadata"]["name"] = "outside"
    outside["spec"]["template"]["metadata"]["labels"]["sidecar.istio.io/inject"] = "false"
    space = namespace(labels={"istio-injection": "enabled"})
    inventory = read_from(tmp_path, service(PORT), outside, inside, space)
    assert list(Meshes(inventory).of(inventory.services[0].meta)) == ["istio"]


def test_pods_of_an_argo_rollout(tmp_path: Path) -> None:
    rollout = pods() | {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}
    rollout["spec"]["template"]["metadata"]["labels"]["sidecar.istio.io/inject"] = "true"
    inventory = read_from(tmp_path, service(PORT), rollout)
    assert list(Meshes(inventory).of(inventory.services[0].meta)) == ["istio"]


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
