"""The resolver against outputs of translator tests: what a branch changed is what is shown."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from protocol_analysis import ManifestError, RulesetError
from protocol_analysis.outputs import Compared, compare_with_outputs
from protocol_analysis.tables import OUTPUT_COLUMNS, outputs_table
from tests.support import SHARED, needs_shared

TESTDATA = (
    SHARED / "real" / "manifests" / "envoyproxy__gateway" / "internal" / "gatewayapi" / "testdata"
)
INPUT = """\
backends:
- apiVersion: gateway.envoyproxy.io/v1alpha1
  kind: Backend
  metadata: {name: carrier, namespace: default}
  spec: {appProtocols: [gateway.envoyproxy.io/h2c]}
httpRoutes:
- apiVersion: gateway.networking.k8s.io/v1
  kind: HTTPRoute
  metadata: {name: shop, namespace: default}
  spec:
    rules:
    - backendRefs:
      - {group: gateway.envoyproxy.io, kind: Backend, name: carrier}
      - {name: added-by-the-test, port: 80}
      filters:
      - type: RequestMirror
        requestMirror: {backendRef: {name: added-by-the-test, port: 80}}
udpRoutes:
- apiVersion: gateway.networking.k8s.io/v1alpha2
  kind: UDPRoute
  metadata: {name: time, namespace: default}
  spec: {rules: [{backendRefs: [{name: clock, port: 123}]}]}
"""
# Settings that name themselves, as since v1.4, and a mirror as v1.9 writes it.
NAMED = """\
xdsIR:
  default/gateway:
    http:
    - routes:
      - destination:
          name: httproute/default/shop/rule/0
          settings:
          - {name: httproute/default/shop/rule/0/backend/1, protocol: HTTP}
          - {name: httproute/default/shop/rule/0/backend/0, protocol: HTTP2}
        mirrors:
        - destination:
            name: httproute/default/shop/rule/0-mirror-0
            settings: [{name: httproute/default/shop/rule/0-mirror-0, protocol: HTTP}]
    - routes:
      - destination:
          settings: [{name: httproute/default/shop/rule/0/backend/0, protocol: HTTP2}]
    udp:
    - route:
        destination:
          settings: [{name: udproute/default/time/rule/-1/backend/0, protocol: UDP}]
"""
# Settings by their place, as before v1.4.
PLACED = """\
xdsIR:
  default/gateway:
    http:
    - routes:
      - destination:
          name: httproute/default/shop/rule/0
          settings: [{protocol: HTTP2}, {protocol: HTTP, tls: {}}]
        mirrors:
        - name: httproute/default/shop/rule/0-mirror-0
          settings: [{protocol: GRPC, forceHTTP1Upstream: true}]
"""
FEWER = PLACED.replace(", {protocol: HTTP, tls: {}}", "")


def compared(tmp_path: Path, output: str) -> list[Compared]:
    (tmp_path / "shop.in.yaml").write_text(INPUT, encoding="utf-8")
    (tmp_path / "shop.out.yaml").write_text(output, encoding="utf-8")
    (tmp_path / "alone.in.yaml").write_text("httpRoutes: []\n", encoding="utf-8")
    return compare_with_outputs(str(tmp_path))


def said(rows: list[Compared]) -> list[tuple[str, int, str, str | None, str]]:
    found = ((row.resolution.ref, row.expected[0], row.verdict) for row in rows)
    return [(ref.role, ref.backend, ref.name, output, verdict) for ref, output, verdict in found]


def test_settings_are_found_by_their_names(tmp_path: Path) -> None:
    assert said(compared(tmp_path, NAMED)) == [
        ("forward", 0, "carrier", "HTTP2", "agrees"),
        ("forward", 1, "added-by-the-test", "HTTP", "agrees"),
        ("mirror", 0, "added-by-the-test", "HTTP", "agrees"),
        ("forward", 0, "clock", "UDP", "agrees"),
    ]


def test_settings_are_found_by_their_place(tmp_path: Path) -> None:
    rows = compared(tmp_path, PLACED)
    assert said(rows) == [
        ("forward", 0, "carrier", "HTTP2", "agrees"),
        ("forward", 1, "added-by-the-test", "HTTP", "differs"),
        ("mirror", 0, "added-by-the-test", "GRPC", "differs"),
        ("forward", 0, "clock", None, "absent"),
    ]
    table = outputs_table(rows)
    assert table.dtypes.astype(str).to_dict() == OUTPUT_COLUMNS
    assert table["verdict"].to_list() == ["differs", "differs", "absent", "agrees"]
    assert table[["output", "resolved"]].to_numpy().tolist() == [
        ["HTTP+tls", "HTTP"],
        ["GRPC+force", "HTTP"],
        ["none", "UDP"],
        ["HTTP2", "HTTP2"],
    ]
    assert rows[1].as_dict()["expected"] == {"protocol": "HTTP", "forceHTTP1": False, "tls": True}


def test_where_a_setting_is_missing_nothing_is_guessed(tmp_path: Path) -> None:
    rows = compared(tmp_path, FEWER)
    assert [row.verdict for row in rows] == ["unclear", "unclear", "differs", "absent"]
    assert rows[0].as_dict()["expected"] is None


def test_listeners_that_differ_are_both_shown(tmp_path: Path) -> None:
    last = "HTTP2}]\n    udp:"
    rows = compared(tmp_path, NAMED.replace(last, last.replace("HTTP2", "HTTP")))
    assert [row.verdict for row in rows] == ["agrees", "differs", "agrees", "agrees", "agrees"]


@pytest.mark.parametrize("broken", ["xdsIR: [", NAMED + "\tudp: 1\n"])
def test_an_output_that_cannot_be_read_is_named_with_its_line(tmp_path: Path, broken: str) -> None:
    with pytest.raises(ManifestError, match=r"shop\.out\.yaml:\d+:\d+: "):
        compared(tmp_path, broken)


def test_a_folder_without_pairs_is_told_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="internal/gatewayapi/testdata"):
        compare_with_outputs(str(tmp_path))
    with pytest.raises(RulesetError, match=r"v1\.9\.0"):
        compare_with_outputs(str(tmp_path), "nonsense")


@needs_shared
def test_the_gateways_own_outputs_agree() -> None:
    rows = compare_with_outputs(str(TESTDATA))
    assert sum(row.verdict == "agrees" for row in rows) > 40
    assert [row.as_dict() for row in rows if row.verdict == "differs"] == []


@needs_shared
def test_what_a_branch_changed_is_shown(tmp_path: Path) -> None:
    """An output where one backend came out as another protocol."""
    name = "httproute-rule-with-non-service-backends-and-app-protocols"
    for end in (".in.yaml", ".out.yaml"):
        shutil.copy(TESTDATA / (name + end), tmp_path / (name + end))
    output = tmp_path / f"{name}.out.yaml"
    output.chmod(0o644)
    text = output.read_text(encoding="utf-8")
    output.write_text(text.replace("protocol: HTTP2\n", "protocol: HTTP\n", 1), encoding="utf-8")
    (changed,) = [row for row in compare_with_outputs(str(tmp_path)) if row.verdict == "differs"]
    assert changed.output
    assert (changed.output.protocol, changed.resolution.protocol) == ("HTTP", "HTTP2")
    line = output.read_text(encoding="utf-8").splitlines()[changed.output.position.line - 1]
    assert line.lstrip().startswith("- ")
