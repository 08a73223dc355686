"""`check` and `rules`: formats, exit statuses, and what is suppressed."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

import protocol_analysis
from protocol_analysis import Finding, check, load
from protocol_analysis.findings.catalogue import catalogue
from protocol_analysis.findings.pages import page
from tests.support import ROOT, run

SHOP = """\
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {ports: [{name: api, port: 8080, appProtocol: h2c}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: cart, namespace: shop}
spec: {rules: [{backendRefs: [{name: cart, port: 8080}]}]}
"""
NOTE = 'protocol-analysis.dev/ignore: "AP003 until 2027-01-31: known"'
NOTED = SHOP.replace("shop}", f"shop, annotations: {{{NOTE}}}}}", 1)
# The name of a port says another protocol: a warning, and nothing else.
WARNING = """\
apiVersion: v1
kind: Service
metadata: {name: list, namespace: shop}
spec: {ports: [{name: grpc, port: 8080, appProtocol: http}]}
"""
GOOD = SHOP.replace("h2c", "kubernetes.io/h2c")
BROKEN = "kind: Service\nmetadata: [\n"
IGNORE = ".protocol-analysis-ignore.yaml"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a few manifests, which is the current one."""
    for name, text in (
        ("bad", SHOP),
        ("noted", NOTED),
        ("warning", WARNING),
        ("good", GOOD),
        ("broken", BROKEN),
    ):
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(capsys, "check", *arguments, "-o", "json")[1])
    return found


# What is asked, and the exit status.
STATUSES = [
    ("good.yaml", 0),
    ("bad.yaml", 1),
    ("bad.yaml --fail-on error", 1),
    ("bad.yaml --fail-on none", 0),
    ("bad.yaml --ignore AP003", 0),
    ("bad.yaml --select AP011", 0),
    ("bad.yaml --select AP00 --ignore AP003", 0),
    ("bad.yaml --ignore AP011,AP003", 0),
    ("bad.yaml --ignore AP011 --ignore AP003", 0),
    ("bad.yaml --ignore AP00", 0),
    ("warning.yaml", 0),
    ("warning.yaml --fail-on warning", 1),
    ("warning.yaml --fail-on info", 1),
    ("good.yaml --fail-on info", 0),
    ("noted.yaml --today 2027-01-31", 0),
    ("noted.yaml --today 2027-02-01", 1),
    ("bad.yaml broken.yaml", 3),
    ("good.yaml broken.yaml", 3),
    ("broken.yaml --fail-on none", 3),
    ("bad.yaml no-such-file", 3),
    ("--cluster east=bad.yaml", 1),
    ("--cluster east=good.yaml --cluster west=bad.yaml", 1),
    ("bad.yaml --suppress no-such-file", 2),
    ("bad.yaml --baseline no-such-file", 2),
    ("bad.yaml --config no-such-file", 2),
    ("bad.yaml --select AP999", 2),
    ("bad.yaml --ignore", 2),
    ("bad.yaml --fail-on never", 2),
    ("bad.yaml --today tomorrow", 2),
    ("bad.yaml --release 7", 2),
    ("bad.yaml -o xml", 2),
    ("bad.yaml --write-baseline no/such/folder", 2),
    ("", 2),
]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("asked", "wanted"), STATUSES)
def test_exit_status(capsys: pytest.CaptureFixture[str], asked: str, wanted: int) -> None:
    status, out, err = run(capsys, "check", *shlex.split(asked))
    assert status == wanted, err
    if status == 2:
        assert out == ""
        assert err.count("\n") == 1


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("output", ["json", "csv", "sarif", "junit", "github"])
def test_the_exit_status_is_the_same_whatever_the_format(
    capsys: pytest.CaptureFixture[str], output: str
) -> None:
    for asked in ("good.yaml", "bad.yaml", "bad.yaml --suppress none", "bad.yaml broken.yaml"):
        status, out, err = run(capsys, "check", "-o", output, *asked.split())
        assert status == dict(STATUSES).get(asked, 2), err
        assert (out == "") is (status == 2 or (output, asked) == ("github", "good.yaml"))


@pytest.mark.usefixtures("here")
def test_a_row_is_what_python_says(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = rows(capsys, "bad.yaml")
    (finding,) = check(load("bad.yaml"))
    assert isinstance(finding, Finding)
    assert row == finding.as_dict()
    assert row["suppressed"] is None
    assert row["position"] == {"file": "bad.yaml", "document": 1, "line": 4, "column": 53}


@pytest.mark.usefixtures("here")
def test_a_table_is_short_and_wide_adds_to_it(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, err = run(capsys, "check", "bad.yaml")
    assert out.splitlines()[0].split() == ["SEVERITY", "CODE", "WHERE", "OBJECT", "MESSAGE"]
    assert re.search(
        r"error +AP003 +bad\.yaml:4:53 +Service shop/cart +Service shop/cart:8080", out
    )
    assert err == "1 error, 0 warnings, 0 info\n"
    _, out, _ = run(capsys, "check", "bad.yaml", "-o", "wide")
    head, line = out.splitlines()
    assert head.split()[5:] == ["REMEDY", "READER", "TITLE", "REFERENCES"]
    assert "write kubernetes.io/h2c" in line
    assert catalogue()["AP003"].references[0] in line
    _, out, _ = run(capsys, "check", "--cluster", "east=bad.yaml", "-o", "markdown")
    assert out.startswith("| cluster ")


@pytest.mark.usefixtures("here")
def test_a_csv_has_the_same_columns_whatever_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    heads, lines = set(), list[dict[str, str]]()
    for arguments in (["good.yaml"], ["bad.yaml"], ["noted.yaml", "--show-suppressed"]):
        _, out, _ = run(capsys, "check", *arguments, "--today", "2027-01-01", "-o", "csv")
        heads.add(out.splitlines()[0])
        lines = list(csv.DictReader(io.StringIO(out)))
    assert len(heads) == 1
    assert lines[0]["suppressed.reason"] == "known"
    assert json.loads(lines[0]["references"])


@pytest.mark.usefixtures("here")
def test_what_is_suppressed_does_not_count_and_can_be_seen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ("noted.yaml", "--today", "2027-01-01")
    assert rows(capsys, *asked) == []
    status, out, err = run(capsys, "check", *asked, "--show-suppressed")
    assert status == 0
    assert "SUPPRESSED" in out
    assert "annotation until 2027-01-31: known" in out
    assert err == "0 errors, 0 warnings, 0 info; suppressed: 1 by annotation\n"
    (row,) = rows(capsys, *asked, "--show-suppressed")
    assert row["suppressed"]["by"] == "annotation"
    assert row["suppressed"]["expires"] == "2027-01-31"
    for output, there in (("sarif", '"inSource"'), ("junit", "<skipped"), ("github", "::notice")):
        assert there not in run(capsys, "check", *asked, "-o", output)[1]
        assert there in run(capsys, "check", *asked, "-o", output, "--show-suppressed")[1]


@pytest.mark.usefixtures("here")
def test_what_has_expired_is_told_and_counts_again(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "check", "noted.yaml", "--today", "2027-02-01")
    assert status == 1
    assert "warning: noted.yaml:3:" in err
    assert "AP003 (known) has expired on 2027-01-31; its findings count again" in err
    # Without --today it is the day that it is.
    status, _, _ = run(capsys, "check", "noted.yaml")
    assert status == int(datetime.now(UTC).date().isoformat() > "2027-01-31")


def test_a_file_of_suppressions_is_found_by_its_name(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "- {code: AP003, path: bad.yaml, reason: known}\n- {code: AP006, reason: never}\n"
    (here / IGNORE).write_text(text, encoding="utf-8")
    status, _, err = run(capsys, "check", "bad.yaml")
    assert status == 0
    assert f"warning: {IGNORE}:2:1: AP006 (never) suppresses nothing here; remove it\n" in err
    assert "suppressed: 1 by file" in err
    # What is not checked is not called idle.
    assert "AP006" not in run(capsys, "check", "bad.yaml", "--select", "AP003")[2]
    (here / "other.yaml").write_text("- {code: AP003, reason: known\n", encoding="utf-8")
    status, out, err = run(capsys, "check", "bad.yaml", "--suppress", "other.yaml")
    assert (status, out) == (2, "")
    assert "other.yaml:2: not YAML" in err


def test_all_faults_of_a_file_are_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / IGNORE).write_text("- {code: AP999, reason: a}\n- {code: AP003}\n", encoding="utf-8")
    status, _, err = run(capsys, "check", "bad.yaml")
    assert status == 2
    assert [line.split(": ")[1] for line in err.splitlines()] == [f"{IGNORE}:1", f"{IGNORE}:2"]


def test_only_what_is_new_fails(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "check", "bad.yaml", "--write-baseline", "known.json")
    assert (status, err) == (0, "0 errors, 0 warnings, 0 info; suppressed: 1 by baseline\n")
    (here / "bad.yaml").write_text(f"# moved\n\n{SHOP}", encoding="utf-8")
    asked = ("check", "bad.yaml", "--baseline", "known.json")
    assert run(capsys, *asked)[0] == 0
    new = SHOP.replace("cart", "other")
    (here / "bad.yaml").write_text(f"{SHOP}---\n{new}", encoding="utf-8")
    status, out, _ = run(capsys, *asked)
    assert status == 1
    assert "shop/other" in out
    assert "shop/cart" not in out
    (here / "bad.yaml").write_text(GOOD, encoding="utf-8")
    status, _, err = run(capsys, *asked)
    assert status == 0
    assert "known.json: 1 of it not found here; --write-baseline drops them" in err
    assert "not found here" not in run(capsys, *asked, "--select", "AP011")[2]
    run(capsys, *asked, "--write-baseline", "known.json")
    assert json.loads((here / "known.json").read_text(encoding="utf-8")) == []


def test_what_json_prints_is_a_baseline(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "check", "bad.yaml", "-o", "json")
    (here / "known.json").write_text(out, encoding="utf-8")
    assert run(capsys, "check", "bad.yaml", "--baseline", "known.json")[0] == 0


def test_a_configuration_is_what_is_asked_unless_asked_otherwise(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "[tool.protocol-analysis]\nrelease = '1.6'\nfail-on = 'none'\nmesh = ['istio']\n"
    (here / "pyproject.toml").write_text(text, encoding="utf-8")
    (row,) = rows(capsys, "bad.yaml", "--select", "AP003")
    assert row["reader"] == "envoy-gateway@v1.6.7"
    assert run(capsys, "check", "bad.yaml")[0] == 0
    assert run(capsys, "check", "bad.yaml", "--fail-on", "error")[0] == 1
    (row,) = rows(capsys, "bad.yaml", "--release", "main", "--select", "AP003")
    assert row["reader"] == "envoy-gateway@main"
    # A release belongs to its implementation.
    assert run(capsys, "check", "good.yaml", "--implementation", "contour")[0] == 0
    (here / "pyproject.toml").unlink()
    (here / ".protocol-analysis.yaml").write_text("ignore: AP003\n", encoding="utf-8")
    assert run(capsys, "check", "bad.yaml")[0] == 0
    assert run(capsys, "check", "bad.yaml", "--ignore", "AP011")[0] == 1
    (here / "ours.yaml").write_text("ignore: AP011\n", encoding="utf-8")
    assert run(capsys, "check", "bad.yaml", "--config", "ours.yaml")[0] == 1


def test_paths_of_a_configuration_are_seen_from_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "ci").mkdir()
    (here / "ci/ignored.yaml").write_text("- {code: AP003, reason: known}\n", encoding="utf-8")
    (here / "ci/ours.yaml").write_text("suppress: ignored.yaml\n", encoding="utf-8")
    assert run(capsys, "check", "bad.yaml", "--config", "ci/ours.yaml")[0] == 0


def test_a_wrong_configuration_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "[tool.protocol-analysis]\nfail_on = 'none'\n"
    (here / "pyproject.toml").write_text(text, encoding="utf-8")
    status, out, err = run(capsys, "check", "bad.yaml")
    assert (status, out) == (2, "")
    assert "pyproject.toml:2: unknown key 'fail_on' in the configuration; known are" in err


def test_a_misread_annotation_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "bad.yaml").write_text(NOTED.replace(": known", ""), encoding="utf-8")
    status, _, err = run(capsys, "check", "bad.yaml")
    assert status == 1
    assert "warning: bad.yaml:3:" in err
    assert "write `AP003: reason`" in err


@pytest.mark.usefixtures("here")
def test_what_cannot_be_read_is_in_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    for output, there in (
        ("sarif", "not YAML"),
        ("junit", "<error"),
        ("github", "::error file=br"),
    ):
        _, out, err = run(capsys, "check", "good.yaml", "broken.yaml", "-o", output)
        assert there in out
        assert "not read: broken.yaml:" in err


HOSTILE = "\x1b[31m]]>\n::error::|<b>\u202e[a](https://evil.example)"


@pytest.mark.parametrize(
    "output",
    ["table", "wide", "markdown", "csv", "json", "jsonl", "yaml", "sarif", "junit", "github"],
)
def test_hostile_names_are_data(
    here: Path, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    name = json.dumps(HOSTILE)
    note = json.dumps({"protocol-analysis.dev/ignore": f"AP003: {HOSTILE}"})
    text = SHOP.replace("name: cart", f"name: {name}")
    noted = SHOP.replace("shop}", f"shop, annotations: {note}}}", 1)
    (here / "bad.yaml").write_text(f"{text}---\n{noted}", encoding="utf-8")
    status, out, err = run(capsys, "check", "bad.yaml", "-o", output, "--show-suppressed")
    assert status == 1
    assert not re.search("[\x1b\u202e]", out + err)
    if output == "junit":
        assert len(list(ET.fromstring(out).iter("failure"))) == 1  # noqa: S314 - our own
    elif output == "sarif":
        assert len(json.loads(out)["runs"][0]["results"]) == 2
    elif output == "github":
        assert len(out.splitlines()) == 2
    elif output == "markdown":
        assert len(out.splitlines()) == 4
    elif output == "csv":
        assert len(list(csv.reader(io.StringIO(out, newline="")))) == 3
    elif output in ("json", "yaml"):
        assert len(yaml.safe_load(out)) == 2
    elif output == "jsonl":
        assert len([json.loads(line) for line in out.splitlines()]) == 2
    else:
        assert len(out.splitlines()) == 3


def test_a_file_name_that_is_no_text(here: Path) -> None:
    try:
        shutil.copy(here / "bad.yaml", here / "\udcff:1,2.yaml")
    except OSError:
        pytest.skip("this file system has no such names")
    for output, there in (
        ("sarif", '"uri": "%FF%3A1%2C2.yaml"'),
        ("junit", "\\udcff:1,2.yaml"),
        ("github", "file=\\udcff%3A1%2C2.yaml"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "protocol_analysis", "check", ".", "-o", output],
            cwd=here,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 3
        assert there in done.stdout


def test_rules_are_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "rules")
    assert (status, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[1:]] == list(catalogue())
    _, out, _ = run(capsys, "rules", "-o", "json")
    assert json.loads(out) == [rule.as_dict() for rule in catalogue().values()]


def test_a_rule_is_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    for output in ("table", "markdown", "wide"):
        status, out, _ = run(capsys, "rules", "ap003", "-o", output)
        assert (status, out) == (0, page(catalogue()["AP003"]))
    _, out, _ = run(capsys, "rules", "AP003", "-o", "yaml")
    assert yaml.safe_load(out) == [catalogue()["AP003"].as_dict()]
    status, out, err = run(capsys, "rules", "AP000")
    assert (status, out) == (2, "")
    assert "'AP000' is no rule; known are AP001" in err


def test_it_is_exported() -> None:
    assert {"check", "Finding"} <= set(protocol_analysis.__all__)
