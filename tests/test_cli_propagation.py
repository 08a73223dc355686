"""`propagation` on the command line: rows, exit statuses, clusters from a file, the order."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

from protocol_analysis.cli import main
from protocol_analysis.propagating import PROPAGATION_FIELDS
from tests.support import ROOT

if TYPE_CHECKING:
    from pathlib import Path

EAST, WEST = (str(ROOT / "data" / "sample" / name) for name in ("east", "west"))
BOTH = [
    "--cluster",
    f"east={EAST}@envoy-gateway:1.8",
    "--cluster",
    f"west={WEST}@envoy-gateway:1.5",
]
ERROR = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: shop}
spec:
  rules:
  - backendRefs: [{group: multicluster.x-k8s.io, kind: ServiceImport, name: cart, port: 80}]
---
apiVersion: multicluster.x-k8s.io/v1beta1
kind: ServiceImport
metadata: {name: cart, namespace: shop}
spec: {ports: [{port: 80}]}
"""
EXPORT = """
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {ports: [{port: 80, appProtocol: kubernetes.io/h2c}]}
---
apiVersion: multicluster.x-k8s.io/v1beta1
kind: ServiceExport
metadata: {name: cart, namespace: shop}
"""


@pytest.fixture
def lost(tmp_path: Path) -> Path:
    """Two clusters in folders; a route leads to an import that has lost its value."""
    for name, text in (("a", EXPORT), ("b", ERROR)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "all.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def test_rows_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["propagation", *BOTH, "-o", "json"]) == 1
    out = capsys.readouterr()
    rows = json.loads(out.out)
    (west,) = (
        r for r in rows if r["cluster"] == "west" and (r["name"], r["port"]) == ("catalog", 9000)
    )
    assert (west["appProtocol"], west["wanted"], west["wire"], west["meant"]) == (
        *("grpc", "grpc", "http/1.1", "h2"),
    )
    (fault,) = west["disagreements"]
    assert (fault["kind"], fault["code"], fault["severity"]) == ("dead import", "AP019", "warning")
    assert fault["position"]["file"].endswith("west/imports.yaml")
    assert out.err == "14 exported ports in 2 clusters, 6 disagreements\n"


def test_csv_has_the_same_columns_whatever_the_rows(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["propagation", *BOTH, "-o", "csv"]) == 1
    reader = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert tuple(reader.fieldnames or ()) == PROPAGATION_FIELDS
    assert main(["propagation", str(tmp_path), "-o", "csv"]) == 0
    assert capsys.readouterr().out.strip() == ",".join(PROPAGATION_FIELDS)


@pytest.mark.parametrize("output", ["table", "wide", "jsonl", "markdown", "yaml"])
def test_other_formats(output: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["propagation", *BOTH, "-o", output]) == 1
    assert "dead import" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("limit", "status"), [([], 1), (["--fail-on", "warning"], 1), (["--fail-on", "never"], 0)]
)
def test_status_of_an_error(limit: list[str], status: int, lost: Path) -> None:
    assert main(["propagation", str(lost), *limit]) == status


def test_clusters_that_nobody_named_are_said(
    lost: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["propagation", str(lost)])
    assert capsys.readouterr().err.startswith("a cluster for each folder: a, b\n")
    main(["propagation", str(lost / "a")])
    assert "folder" not in capsys.readouterr().err


def test_status_of_warnings(lost: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without its route the import is spoken to by nobody."""
    (lost / "b" / "all.yaml").write_text(ERROR.partition("---")[2], encoding="utf-8")
    assert main(["propagation", str(lost)]) == 0
    assert main(["propagation", str(lost), "--fail-on", "warning"]) == 1
    with pytest.raises(SystemExit, match="2"):
        main(["propagation", str(lost), "--fail-on", "everything"])
    assert "choose from" in capsys.readouterr().err


def test_what_cannot_be_read_wins(lost: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (lost / "b" / "wrong.yaml").write_text("a: [", encoding="utf-8")
    assert main(["propagation", str(lost)]) == 3
    out = capsys.readouterr()
    assert "lost (error)" in out.out
    assert "wrong.yaml" in out.err


def test_clusters_from_a_file(lost: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = lost / "clusters.yaml"
    file.write_text("a: a@envoy-gateway:1.9\nb: ./b@envoy-gateway:1.3\n", encoding="utf-8")
    assert main(["propagation", "--clusters", str(file), "-o", "json"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert {(row["cluster"], row["release"]) for row in rows} == {("a", "v1.9.0"), ("b", "v1.3.3")}
    assert main(["resolve", "--clusters", str(file), "--cluster", f"c={lost}/a"]) == 0
    capsys.readouterr()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- a", "write NAME: PATH for each cluster"),
        ("a: [x]", "write NAME: PATH for each cluster"),
        ("a: {", "not YAML"),
        ("a: x\na: y", "stands in line 1 too"),
        (None, "No such file"),
    ],
)
def test_a_wrong_file_of_clusters(
    text: str | None, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "clusters.yaml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit, match="2"):
        main(["propagation", "--clusters", str(file)])
    assert complaint in capsys.readouterr().err


def test_the_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["propagation", *BOTH, "--order", "--to", "1.9", "-o", "json"]) == 0
    steps = json.loads(capsys.readouterr().out)
    assert [step["number"] for step in steps] == [1, 2, 3, 4, 5]
    assert steps[0]["action"].startswith("write kubernetes.io/h2c on Service catalog/catalog:9000")
    assert [step["cluster"] for step in steps[-2:]] == ["west", "east"]


def test_an_order_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    clusters = ["--cluster", f"east={EAST}@envoy-gateway:1.3"]
    clusters += ["--cluster", f"west={WEST}@envoy-gateway:1.3"]
    assert main(["propagation", *clusters, "--order"]) == 0
    out = capsys.readouterr()
    assert "no safe order was found for 2 steps: each parts what it names" in out.err
    assert "ServiceImport of east h2, ServiceImport of west http/1.1" in out.out


def test_the_controller(capsys: pytest.CaptureFixture[str]) -> None:
    main(["propagation", *BOTH, "--controller", "linkerd", "-o", "json"])
    rows = json.loads(capsys.readouterr().out)
    assert all(row["wanted"] is None for row in rows)
    with pytest.raises(SystemExit, match="2"):
        main(["propagation", *BOTH, "--controller", "istio"])
    assert "submariner" in capsys.readouterr().err
