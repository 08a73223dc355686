"""Services for the gateway alone: one for all ports, never over another, as the old one leads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, strategies as st

from protocol_analysis.rollout.document import _fenced, document
from protocol_analysis.rollout.planning import planned
from protocol_analysis.rollout.splitting import Split, _named, split_text, splits
from protocol_analysis.tables import split_table
from tests.test_plan import (
    GATEWAY,
    H2C,
    IN_ISTIO,
    IN_KUMA,
    TODAY,
    clusters_of,
    namespace,
    route,
    service,
)

ON_DEMAND = {"istio.io/dataplane-mode": "ambient"}


def made_of(folder: Path, *objects: dict[str, Any], **more: Any) -> Split:
    """The one Service that a plan of these objects needs."""
    (made,) = splits(planned(clusters_of(folder, "v1.9.0", a=list(objects)), **more))
    return made


def named(name: str, *ports: dict[str, Any], **spec: Any) -> dict[str, Any]:
    found = service()
    found["metadata"]["name"] = name
    found["spec"] |= {"ports": list(ports)} if ports else {}
    found["spec"] |= spec
    return found


def port(number: int, value: str | None = "grpc", **more: Any) -> dict[str, Any]:
    declared = {"name": f"p{number}", "port": number, **more}
    return declared | ({} if value is None else {"appProtocol": value})


def led(to: str, *ports: int, space: str = "shop", name: str = "r") -> dict[str, Any]:
    """An HTTPRoute that no GRPCRoute can stand in for."""
    found = route(path="/shop")
    found["metadata"] = {"name": name, "namespace": space}
    refs = [{"name": to, "port": number, "namespace": "shop"} for number in ports]
    found["spec"]["rules"][0]["backendRefs"] = refs
    return found


def grant(*names: str, kind: str = "HTTPRoute", space: str = "edge") -> dict[str, Any]:
    targets = [{"group": "", "kind": "Service", **({"name": n} if n else {})} for n in names]
    return {
        "apiVersion": f"{GATEWAY}/v1beta1",
        "kind": "ReferenceGrant",
        "metadata": {"name": "g", "namespace": "shop"},
        "spec": {"from": [{"group": GATEWAY, "kind": kind, "namespace": space}], "to": targets},
    }


def test_two_ports_are_one_service(tmp_path: Path) -> None:
    old = named("s", port(9000, targetPort="api"), port(80, None), port(9001, targetPort=1))
    made = made_of(tmp_path, old, led("s", 9000, 9001), IN_KUMA)
    assert [row.use.port for row in made.rows] == [9000, 9001]
    (manifest,) = made.documents
    assert manifest["spec"]["ports"] == [
        {"name": "p9000", "port": 9000, "targetPort": "api", "appProtocol": H2C},
        {"name": "p9001", "port": 9001, "targetPort": 1, "appProtocol": H2C},
    ]
    assert [text.partition(":")[0] for _, text in made.apart] == ["port 9000", "port 9001"]
    assert made.differs == ("kuma",)


@given(
    names=st.lists(
        st.from_regex(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True), min_size=2, unique=True
    )
)
def test_names_stay_apart(names: list[str]) -> None:
    found = [_named(name) for name in names]
    assert len(set(found)) == len(names)
    for name in found:
        assert len(name) <= 63
        assert name.endswith("-gateway")


def test_names_alike_in_their_first_55_characters(tmp_path: Path) -> None:
    long = "a" * 55
    one, other = named(f"{long}bcdefgh", port(9000)), named(f"{long}ijklmno", port(9000))
    routes = [led(f"{long}bcdefgh", 9000), led(f"{long}ijklmno", 9000, name="q")]
    found = splits(planned(clusters_of(tmp_path, "v1.9.0", a=[one, other, *routes, IN_KUMA])))
    assert len({made.name for made in found}) == 2


def test_a_service_of_that_name_is_left_alone(tmp_path: Path) -> None:
    other = named("s-gateway", port(80, None), selector={"app": "other"})
    made = made_of(tmp_path, service(), led("s", 9000), other, IN_KUMA)
    assert made.name not in ("", "s-gateway")
    assert made.told == ("shop/s-gateway is there already and is another, so it is left alone",)


def test_both_names_taken_are_refused(tmp_path: Path) -> None:
    first = made_of(
        tmp_path / "a",
        service(),
        led("s", 9000),
        named("s-gateway", port(80, None), selector={"app": "other"}),
        IN_KUMA,
    )
    taken = [
        named(name, port(80, None), selector={"app": "other"}) for name in ("s-gateway", first.name)
    ]
    made = made_of(tmp_path / "b", service(), led("s", 9000), *taken, IN_KUMA)
    assert (made.documents, made.name) == ((), "")
    assert made.refused.endswith("write the Service by hand, under a name that is free")


def test_one_that_was_made_before_is_told(tmp_path: Path) -> None:
    before = named("s-gateway", port(9000, H2C))
    made = made_of(tmp_path, service(), led("s", 9000), before, IN_KUMA)
    assert made.refused == "shop/s-gateway is there already and leads to it: lead the routes there"


def test_without_a_selector_there_is_none(tmp_path: Path) -> None:
    old = service()
    del old["spec"]["selector"]
    made = made_of(tmp_path, old, led("s", 9000), IN_KUMA)
    assert made.refused == "its selector is not at hand; write the Service by hand"


GRANTS: dict[str, tuple[list[dict[str, Any]], int]] = {
    "by the old name": ([grant("s")], 1),
    "for every name": ([grant("")], 0),
    "by both names": ([grant("s", "")], 0),
}


@pytest.mark.parametrize(("grants", "needed"), GRANTS.values(), ids=GRANTS)
def test_routes_of_other_namespaces(
    tmp_path: Path, grants: list[dict[str, Any]], needed: int
) -> None:
    made = made_of(tmp_path, service(), led("s", 9000, space="edge"), *grants, IN_KUMA)
    assert len(made.documents) == 1 + needed
    said = "routes of edge need a ReferenceGrant for the new name"
    assert made.told.count(said) == needed
    if needed:
        granted = made.documents[1]
        assert granted["metadata"] == {"name": "s-gateway", "namespace": "shop"}
        assert granted["spec"] == grant("s-gateway")["spec"]


def test_routes_of_its_own_namespace_need_no_grant(tmp_path: Path) -> None:
    assert len(made_of(tmp_path, service(), led("s", 9000), grant("s"), IN_KUMA).documents) == 1


SETTINGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "headless": ({"clusterIP": "None"}, {"clusterIP": "None"}),
    "an address of its own": ({"clusterIP": "10.0.0.1"}, {}),
    "addresses that are not ready": (
        {"publishNotReadyAddresses": True},
        {"publishNotReadyAddresses": True},
    ),
    "ready ones": ({"publishNotReadyAddresses": False}, {}),
    "affinity": (
        {
            "sessionAffinity": "ClientIP",
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}},
        },
        {
            "sessionAffinity": "ClientIP",
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}},
        },
    ),
    "close by": (
        {"trafficDistribution": "PreferClose", "internalTrafficPolicy": "Local"},
        {"trafficDistribution": "PreferClose", "internalTrafficPolicy": "Local"},
    ),
    "both families, the newer first": (
        {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6", "IPv4"]},
        {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6", "IPv4"]},
    ),
    "a family that there is not": ({"ipFamilies": ["IPv5"]}, {}),
    "a type of its own": ({"type": "LoadBalancer"}, {}),
}


@pytest.mark.parametrize(("old", "new"), SETTINGS.values(), ids=SETTINGS)
def test_it_leads_as_the_old_one_does(
    tmp_path: Path, old: dict[str, Any], new: dict[str, Any]
) -> None:
    made = made_of(tmp_path, named("s", **old), led("s", 9000), IN_KUMA)
    spec = made.documents[0]["spec"]
    assert {key: spec[key] for key in spec if key not in ("selector", "ports")} == new
    assert list(yaml.safe_load_all(made.text)) == list(made.documents)


def test_it_prefers_the_zone_as_the_old_one_does(tmp_path: Path) -> None:
    mode = {"service.kubernetes.io/topology-mode": "Auto"}
    made = made_of(tmp_path, service(annotations=mode), led("s", 9000), IN_KUMA)
    assert made.documents[0]["metadata"]["annotations"] == mode


APART: dict[str, tuple[list[Any], dict[str, Any], str]] = {
    "Istio, which retries": ([IN_ISTIO], {}, "istio: Istio's default inbound retry leaves grpc"),
    "Istio before it retries": (
        [],
        {"meshes": ["istio@1.22"]},
        "istio@1.22: from v1.24.5 on, Istio's default inbound retry",
    ),
    "ambient": ([namespace(labels=ON_DEMAND)], {}, "istio: Istio's default inbound retry"),
    "Kuma": ([IN_KUMA], {}, "kuma: h2 by the old name and tcp by the new"),
}


@pytest.mark.parametrize(("objects", "asked", "told"), APART.values(), ids=APART)
def test_what_meshes_make_of_both(
    tmp_path: Path, objects: list[Any], asked: dict[str, Any], told: str
) -> None:
    clusters = clusters_of(tmp_path, "v1.9.0", a=[service(), led("s", 9000), *objects])
    found = planned(clusters, **asked)
    (made,) = splits(found)
    assert any(f"{mesh}: {text}".startswith(told) for mesh, text in made.apart), made.apart
    text = document(found, TODAY)
    assert "every mesh reads both alike" not in text
    assert "the two are not the same" in text


def test_every_mesh_reads_both_alike_where_it_does(tmp_path: Path) -> None:
    """Kuma keeps the Service as it is, by what it loses; a mesh that loses nothing is not named."""
    both = {"meshes": ["kuma", "linkerd"]}
    made = made_of(tmp_path, service(), led("s", 9000), **both)
    assert "istio" not in made.differs
    unary = {"calls": {"shop/s": "unary"}, "meshes": ["istio@1.26", "kuma"]}
    found = made_of(tmp_path / "b", service(), led("s", 9000), **unary)
    assert found.differs == ("kuma",)


def test_table_and_text_are_the_same_services(tmp_path: Path) -> None:
    old = named("s", port(9000), port(9001))
    objects = [old, led("s", 9000, 9001, space="edge"), grant("s"), IN_KUMA]
    found = planned(clusters_of(tmp_path, "v1.9.0", a=objects))
    documents = list(yaml.safe_load_all(split_text(found)))
    assert [each["kind"] for each in documents] == ["Service", "ReferenceGrant"]
    (line,) = split_table(found).to_dict("records")
    assert line["use"] == "Service shop/s:9000 in a, Service shop/s:9001 in a"
    assert (line["service"], line["differs"]) == ("s-gateway", "kuma")
    assert line["note"] == "routes of edge need a ReferenceGrant for the new name"


@given(st.text(alphabet=st.sampled_from("`a\n"), max_size=30))
def test_nothing_closes_the_fence(text: str) -> None:
    first, *lines, last = _fenced(text)
    assert first == f"{last}yaml"
    assert lines == text.splitlines()
    assert len(last) >= 3
    assert not any(last in line for line in lines)


def test_a_manifest_keeps_its_backticks(tmp_path: Path) -> None:
    old = service()
    old["spec"]["selector"] = {"app": "a```b"}
    found = planned(clusters_of(tmp_path, "v1.9.0", a=[old, led("s", 9000), IN_KUMA]))
    lines = document(found, TODAY).splitlines()
    first = lines.index("````yaml")
    text = "\n".join(lines[first + 1 : lines.index("````", first)])
    assert yaml.safe_load(text)["spec"]["selector"] == {"app": "a```b"}
