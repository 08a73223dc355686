"""What may be rewritten: nothing that anybody speaks changes, release by release, mesh by mesh."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protocol_analysis import load, resolve
from protocol_analysis.proposals import proposal
from protocol_analysis.rollout.facts import hazards, never
from protocol_analysis.rollout.neutrality import Decision, decide
from protocol_analysis.sheets import not_a_text
from tests.support import SHARED, needs_shared

SERVICE = (
    "apiVersion: v1\nkind: Service\nmetadata: {{name: s, namespace: shop}}\nspec: {{ports: [{}]}}\n"
)
IMPORT = SERVICE.replace("v1", "multicluster.x-k8s.io/v1alpha1", 1).replace(
    "kind: Service", "kind: ServiceImport"
)
PORT = "{port: 80, name: a, appProtocol: grpc}"


def decided(
    folder: Path, text: str, releases: Any = ("1.9",), meshes: Any = (), **more: Any
) -> Any:
    file = folder / "a.yaml"
    file.write_text(text, encoding="utf-8")
    return decide(load(file), list(releases), list(meshes), **more)


def reason(folder: Path, text: str, *releases: str, meshes: Any = (), **more: Any) -> str:
    (decision,) = decided(folder, text, releases or ("1.9",), meshes, **more)
    assert isinstance(decision, Decision)
    assert decision.made == (not decision.reason)
    return decision.reason


def test_on_envoy_gateway_a_service_is_rewritten_at_every_release_that_reads_grpc(
    tmp_path: Path,
) -> None:
    text = SERVICE.format(PORT)
    assert reason(tmp_path, text, "1.1", "1.3", "1.7", "1.8", "1.9", "main") == ""
    told = reason(tmp_path, text, "1.9", "1.0")
    assert told == "envoy-gateway@v1.0.2 speaks http/1.1 now, and would speak h2"


def test_an_import_is_rewritten_where_grpc_is_read_on_it(tmp_path: Path) -> None:
    text = IMPORT.format(PORT)
    assert reason(tmp_path, text, "1.9") == ""
    for release in ("1.4", "1.8"):
        assert "would speak h2" in reason(tmp_path, text, "1.9", release)
    # Before v1.4 neither value was read there: nothing changes, and nothing is gained.
    assert reason(tmp_path, text, "1.3") == ""
    assert "would speak h2" in reason(tmp_path, text, str(proposal("keep-on-service").at()))


MESHES = {
    "istio@1.24.4": "",
    "istio@1.20": "",
    "istio@1.24.5": "whether it streams is not known",
    "istio@1.26": "whether it streams is not known",
    "istio": "whether it streams is not known",
    "kuma": "kuma@main speaks h2 now, and would speak tcp",
    "linkerd": "linkerd@v2.18.0 speaks tcp now, and would speak h2",
    "cilium": "nobody has verified what cilium mesh@v1.16.0 makes of it",
}


@pytest.mark.parametrize("mesh", MESHES)
def test_each_mesh_has_its_say(tmp_path: Path, mesh: str) -> None:
    told = reason(tmp_path, SERVICE.format(PORT), meshes=[mesh])
    assert MESHES[mesh] in told
    assert bool(told) == bool(MESHES[mesh])


def test_a_workload_that_is_known_not_to_stream_is_rewritten(tmp_path: Path) -> None:
    text = SERVICE.format(PORT)
    assert reason(tmp_path, text, meshes=["istio@1.26"], unary=["shop/s"]) == ""
    assert reason(tmp_path, text, meshes=["istio@1.26"], unary=["other/s"]) != ""
    assert "kuma" in reason(tmp_path, text, meshes=["istio@1.26", "kuma"], unary=["shop/s"])


@pytest.mark.parametrize("value", ["grpc-web", "http2", "HTTP2", "https", "tls"])
def test_what_is_never_rewritten_even_where_it_is_asked_for(tmp_path: Path, value: str) -> None:
    text = SERVICE.format(PORT.replace("grpc", value))
    for values in ({value: "kubernetes.io/h2c"}, {"grpc": "kubernetes.io/h2c"}):
        told = reason(tmp_path, text, values=values)
        assert told.startswith(f"{value} is never rewritten by itself: ")


def test_the_facts_have_sources() -> None:
    assert set(never()) == {"grpc-web", "http2", "HTTP2", "https", "tls"}
    rows: list[Any] = [*never().values(), *hazards()]
    for row in rows:
        assert not_a_text("source", row.source) == ""
        assert row.text


@pytest.mark.parametrize(
    "port",
    [
        "{port: 443, name: a, appProtocol: grpc}",
        "{port: 8443, name: a, appProtocol: grpc}",
        "{port: 80, name: grpcs, appProtocol: grpc}",
        "{port: 80, name: https-api, appProtocol: grpc}",
        "{port: 80, name: tls, appProtocol: grpc}",
    ],
)
def test_a_port_for_tls_by_its_name_or_number_stays(tmp_path: Path, port: str) -> None:
    assert "for TLS" in reason(tmp_path, SERVICE.format(port))


def test_a_port_with_a_backend_tls_policy_stays(tmp_path: Path) -> None:
    policy = (
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\n"
        "metadata: {name: p, namespace: shop}\n"
        "spec: {targetRefs: [{group: '', kind: Service, name: s}], validation: {hostname: s}}\n"
    )
    assert "speaks TLS to it" in reason(tmp_path, SERVICE.format(PORT) + policy)


def test_two_ports_of_one_number_stay(tmp_path: Path) -> None:
    ports = f"{PORT}, {{port: 80, name: b, protocol: UDP}}"
    assert "the same number" in reason(tmp_path, SERVICE.format(ports))


def test_a_backend_has_nothing_to_migrate(tmp_path: Path) -> None:
    text = (
        "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: Backend\nmetadata: {name: b}\n"
        "spec: {appProtocols: [grpc], endpoints: [{ip: {address: 192.0.2.1, port: 1}}]}\n"
    )
    assert "nothing to migrate" in reason(tmp_path, text)


ROUTE = """---
apiVersion: gateway.networking.k8s.io/v1
kind: {kind}
metadata: {{name: r, namespace: shop}}
spec: {{rules: [{{backendRefs: [{refs}]}}]}}
"""


def test_neighbours_and_other_routes_are_asked(tmp_path: Path) -> None:
    plain = SERVICE.replace("name: s", "name: plain").format("{port: 80, name: a}")
    refs = "{name: s, port: 80}, {name: plain, port: 80}"
    text = SERVICE.format(PORT) + "---\n" + plain + ROUTE.format(kind="HTTPRoute", refs=refs)
    assert reason(tmp_path, text, "1.1", "1.8", "1.9") == ""
    # A TCPRoute made GRPC of grpc, and HTTP2 of h2c: bytes either way.
    tcp = SERVICE.format(PORT) + ROUTE.format(kind="TCPRoute", refs="{name: s, port: 80}")
    assert reason(tmp_path, tcp, "1.3", "1.8", "1.9") == ""


def test_what_stays_is_left_out_of_what_is_tried(tmp_path: Path) -> None:
    (first,) = decided(tmp_path, SERVICE.format(PORT))
    place = first.rewrite.position
    (second,) = decided(tmp_path, SERVICE.format(PORT), stays={place: "because"})
    assert (second.reason, second.made) == ("because", False)


RELEASES = ("1.1", "1.4", "1.8", "1.9")


@needs_shared
@pytest.mark.parametrize("releases", [("1.9",), pytest.param(RELEASES, marks=pytest.mark.slow)])
def test_on_real_manifests_whatever_is_called_neutral_is(releases: tuple[str, ...]) -> None:
    """With what was decided done, every reference at every release is spoken to as before."""
    folders = sorted((SHARED / "real/manifests").iterdir())
    made = 0
    for folder in folders:
        inventory = load(folder)
        found = [each for each in decide(inventory, releases) if each.made]
        made += len(found)
        wanted = {(e.rewrite.target, e.rewrite.port): e.rewrite.new for e in found}
        changed = _with(inventory, wanted)
        for release in releases if found else ():
            before, after = (resolve(each, release=release) for each in (inventory, changed))
            for old, new in zip(before, after, strict=True):
                assert (old.sent, old.upstream, old.tls, old.by_gateway) == (
                    new.sent,
                    new.upstream,
                    new.tls,
                    new.by_gateway,
                )
    assert made > 40


def _with(inventory: Any, wanted: dict[Any, str]) -> Any:
    """The inventory with these values, made in another way than what is tested."""

    def change(service: Any) -> Any:
        ports = [
            replace(p, app_protocol=wanted.get((service.meta, p.number), p.app_protocol))
            for p in service.ports
        ]
        return replace(service, ports=tuple(ports))

    return replace(
        inventory,
        services=tuple(map(change, inventory.services)),
        service_imports=tuple(map(change, inventory.service_imports)),
    )
