"""`rewrite` on the command line: a diff, or new files; what stays is named, with the reason."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from protocol_analysis import cli, compare, load
from protocol_analysis.rollout import applying, neutrality
from tests.support import ROOT

Captured = pytest.CaptureFixture[str]
SERVICE = """apiVersion: v1
kind: Service
metadata: {name: cart}
spec: {ports: [{port: 80, appProtocol: grpc}]} # why
"""


@pytest.fixture(name="sample")
def fixture_sample(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "data/sample", tmp_path / "sample"))


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(f): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def test_it_shows_a_diff_and_changes_nothing(capsys: Captured, sample: Path) -> None:
    before = bytes_of(sample)
    assert cli.main(["rewrite", str(sample)]) in (0, 3)
    out, err = capsys.readouterr()
    assert bytes_of(sample) == before
    assert out.startswith("--- a/")
    assert "+      appProtocol: kubernetes.io/h2c\n" in out
    lines = [line for line in err.splitlines() if line.startswith("not rewritten: ")]
    for said in (
        "Service payments/ledger:8080: http2 is never rewritten",
        "Service search/suggest:8080: grpc-web is never rewritten",
        "Service search/search:9200: HTTP2 is never rewritten",
        "Service payments/payments-api:8443: https is never rewritten",
        "the Helm chart otel-collector-0.131.2 owns it (labels helm.sh/chart): change the values",
        "Backend partners/carrier-returns: the CRD of a Backend refuses it",
    ):
        assert any(said in line for line in lines), said


def test_it_writes_and_twice_is_once(capsys: Captured, sample: Path) -> None:
    before = load(sample)
    command = ["rewrite", str(sample), "--release", "1.9", "--release", "remove@1.10", "--write"]
    for name in ("payments/fraud", "risk/scoring", "checkout/baskets"):  # labels tell of a mesh
        command += ["--unary", name]
    assert cli.main(command) in (0, 3)
    out, err = capsys.readouterr()
    assert out == ""
    assert "6 files changed, 6 values" in err
    once = bytes_of(sample)
    assert cli.main(command) in (0, 3)
    assert "0 files changed, 0 values" in capsys.readouterr().err
    assert bytes_of(sample) == once
    # What is done is what keeps the wire when grpc is gone.
    left = compare(load(sample), "v1.9.0", "v1.9.0")
    assert left == []
    assert len(before.services) == len(load(sample).services)


def test_clusters_meshes_and_values(capsys: Captured, tmp_path: Path) -> None:
    east, west = tmp_path / "east", tmp_path / "west"
    for folder in (east, west):
        folder.mkdir()
        (folder / "a.yaml").write_text(SERVICE, encoding="utf-8")
    clusters = ["--cluster", f"east={east}", "--cluster", f"west={west}@envoy-gateway:1.8"]
    assert cli.main(["rewrite", *clusters]) == 0
    assert capsys.readouterr().out.count("+spec: ") == 2
    assert cli.main(["rewrite", *clusters, "--mesh", "kuma"]) == 0
    out, err = capsys.readouterr()
    assert (out, err.count("kuma: h2 now, tcp then")) == ("", 2)
    mesh = ["--mesh", "istio@1.26"]
    assert cli.main(["rewrite", str(east), *mesh]) == 0
    assert "--unary" in capsys.readouterr().err
    assert cli.main(["rewrite", str(east), *mesh, "--unary", "default/cart"]) == 0
    assert "+spec: " in capsys.readouterr().out
    assert cli.main(["rewrite", str(east), "--value", "grpc=http"]) == 0
    out, err = capsys.readouterr()
    assert (out, "would speak http/1.1" in err) == ("", True)


def test_a_file_that_changes_meanwhile_is_left(
    capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(SERVICE, encoding="utf-8")
    decide = neutrality.decide

    def slowly(*arguments: object, **more: object) -> object:
        file.write_text(SERVICE + "# somebody else\n", encoding="utf-8")
        return decide(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(applying, "decide", slowly)
    assert cli.main(["rewrite", str(file), "--write"]) == 0
    assert "changed since it was read" in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == SERVICE + "# somebody else\n"


def test_what_cannot_be_read_is_named_and_the_rest_is_done(
    capsys: Captured, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text(SERVICE, encoding="utf-8")
    (tmp_path / "b.yaml").write_text("kind: Service\nmetadata: [\n", encoding="utf-8")
    assert cli.main(["rewrite", str(tmp_path), "--write"]) == 3
    assert "not read: " in capsys.readouterr().err
    assert "kubernetes.io/h2c" in (tmp_path / "a.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "no PATH given"),
        (["PATH", "--release", "nothing"], "no ruleset for 'nothing'"),
        (["PATH", "--mesh", "contour"], "is no mesh that is known"),
        (["PATH", "--release", "nothing.yaml"], "cannot be read"),
    ],
)
def test_wrong_usage_is_told(
    capsys: Captured, tmp_path: Path, arguments: list[str], told: str
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(SERVICE, encoding="utf-8")
    named = [str(file) if each == "PATH" else each for each in arguments]
    assert cli.main(["rewrite", *named]) == 2
    out, err = capsys.readouterr()
    assert (out, told in err) == ("", True)


def test_standard_input_cannot_be_rewritten(
    capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(SERVICE, encoding="utf-8")
    with file.open(encoding="utf-8") as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert cli.main(["rewrite", "-"]) == 0
    out, err = capsys.readouterr()
    assert (out, "standard input cannot be written" in err) == ("", True)
