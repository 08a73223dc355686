"""`plan` on the command line: what it prints, in which format, and with which status."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from protocol_analysis import Planned, cli, load, plan
from protocol_analysis.rollout.document import POINTS
from tests.support import ROOT, run
from tests.test_plan import IN_ISTIO, mcs, route, service

Captured = pytest.CaptureFixture[str]
SAMPLE = str(ROOT / "data/sample")


def written(path: Path, *objects: dict[str, Any]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    return str(path)


def test_json_is_what_the_function_returns(capsys: Captured) -> None:
    status, out, _ = run(capsys, "plan", SAMPLE, "--release", "1.8", "-o", "json")
    rows = [row.as_dict() for row in plan(load(SAMPLE), release="1.8")]
    assert status == 0
    # The command's rows know their waves; nothing else differs.
    assert [{**row, "wave": None} for row in json.loads(out)] == [
        {**row, "wave": None} for row in rows
    ]
    assert all(isinstance(each, Planned) for each in plan(load(SAMPLE)))


@pytest.mark.parametrize("output", ["table", "wide", "jsonl", "csv", "yaml"])
def test_every_format(capsys: Captured, output: str) -> None:
    status, out, _ = run(capsys, "plan", SAMPLE, "-o", output)
    assert status == 0
    assert "catalog" in out
    if output == "csv":
        first = next(csv.DictReader(io.StringIO(out)))
        assert {"decision", "owner.name", "declaredAt.line", "consumers"} <= set(first)


def test_markdown_is_the_whole_plan(capsys: Captured) -> None:
    status, out, _ = run(capsys, "plan", SAMPLE, "-o", "markdown", "--today", "2026-11-26")
    assert status == 0
    titles = [line for line in out.splitlines() if line.startswith("## ")]
    assert titles == [f"## {number}. {title}" for number, title in enumerate(POINTS, start=1)]
    again = run(capsys, "plan", SAMPLE, "-o", "markdown", "--today", "2026-11-26")[1]
    assert again == out


def test_progress(capsys: Captured, tmp_path: Path) -> None:
    path = written(tmp_path / "m.yaml", service(), route())
    (tmp_path / "earlier.json").write_text(run(capsys, "plan", path, "-o", "json")[1])
    command = ["plan", path, "--since", str(tmp_path / "earlier.json"), "-o", "json"]
    assert [row["state"] for row in json.loads(run(capsys, *command)[1])] == ["as before"]
    assert run(capsys, "rewrite", path, "--write")[0] == 0
    assert [row["state"] for row in json.loads(run(capsys, *command)[1])] == ["done"]


WRONG = {
    "no proposal": (["--to", "x.yaml"], "x.yaml: cannot be read"),
    "no file of calls": (["--calls", "x.yaml"], "x.yaml: cannot be read"),
    "no earlier plan": (["--since", "README.md"], "README.md: no plan"),
    "a release has no phases": (["--to", "1.8", "--between", "2"], "no phases to part"),
    "too few releases": (["--between", "1"], "need"),
    "no day": (["--today", "soon"], "'soon' is no day; write 2027-01-31"),
    "no mesh": (["--mesh", "contour"], "'contour' is no mesh"),
}


@pytest.mark.parametrize(("options", "said"), WRONG.values(), ids=WRONG)
def test_wrong_usage(capsys: Captured, options: list[str], said: str) -> None:
    try:
        status = cli.main(["plan", SAMPLE, *options])
    except SystemExit as error:
        status = int(error.code or 0)
    assert status == 2
    assert said in capsys.readouterr().err


def test_what_cannot_be_read_is_said(capsys: Captured, tmp_path: Path) -> None:
    path = written(tmp_path / "m.yaml", service(), route())
    (tmp_path / "bad.yaml").write_text("a: [")
    status, out, err = run(capsys, "plan", str(tmp_path))
    assert (status, "bad.yaml:1" in err) == (3, True)
    assert "rewrite" in out, path


def test_rewrite_keeps_what_the_plan_keeps(capsys: Captured, tmp_path: Path) -> None:
    """An export in a mesh stays, so the others of its name stay too."""
    objects = {
        "east": [service(), mcs("ServiceExport"), IN_ISTIO],
        "west": [service(), mcs("ServiceExport")],
        "north": [mcs("ServiceImport", "grpc"), route(to="ServiceImport")],
    }
    command = ["rewrite"]
    for name, each in objects.items():
        command += ["--cluster", f"{name}={written(tmp_path / name / 'm.yaml', *each)}"]
    status, out, err = run(capsys, *command)
    assert (status, out, err.count("not rewritten")) == (0, "", 3)


def test_a_cluster_is_read_by_its_own(capsys: Captured, tmp_path: Path) -> None:
    path = written(tmp_path / "m.yaml", service(), route())
    command = ["rewrite", "--cluster", f"a={path}@envoy-gateway:v1.0.2"]
    _, out, err = run(capsys, *command)
    assert out == ""
    assert "envoy-gateway@v1.0.2 speaks http/1.1 now, and would speak h2" in err
    assert "+  - appProtocol: kubernetes.io/h2c" in run(capsys, *command, "--gains")[1]
