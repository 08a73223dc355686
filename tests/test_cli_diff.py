"""`diff` and `explain`: the contract's rows, exit statuses, and what goes to standard error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from protocol_analysis.cli import main
from tests.support import ROOT

SAMPLE = str(ROOT / "data" / "sample")
DIFF_KEYS = {
    "cluster", "route", "rule", "role", "backend", "backendRef", "appProtocol", "from", "to",
    "before", "after", "effect", "transient", "causes", "keep", "adopt", "readings",
    "referencedAt", "declaredAt",
}  # fmt: skip
Captured = pytest.CaptureFixture[str]


def test_a_diff_row_is_the_contracts(capsys: Captured) -> None:
    assert main(["diff", SAMPLE, "--from", "1.8", "--to", "1.9", "-o", "json"]) == 0
    printed = capsys.readouterr()
    rows = json.loads(printed.out)
    assert {row["effect"] for row in rows} >= {"breaks", "same wire"}
    for row in rows:
        assert set(row) == DIFF_KEYS
        for side in (row["before"], row["after"]):
            wanted = {"protocol", "forceHTTP1", "upstream", "tls"}
            assert set(side) == {*wanted, "verified", "reasons"}
            assert side["reasons"]
    assert "breaks" in printed.err


def test_clusters_have_their_own_rows_and_counts(capsys: Captured) -> None:
    clusters = [f"--cluster=east={SAMPLE}/east@envoy-gateway:1.9", f"--cluster=west={SAMPLE}/west"]
    assert main(["diff", *clusters, "--from", "1.8", "--to", "1.9", "-o", "json"]) == 0
    printed = capsys.readouterr()
    # The east says that it is there already.
    assert {row["cluster"] for row in json.loads(printed.out)} == {"west"}
    assert "east: 0 breaks, 0 changes" in printed.err


def test_the_way_and_the_order(capsys: Captured) -> None:
    asked = ["diff", SAMPLE, "--from", "v1.5.9", "--to", "1.9"]
    assert main([*asked, "--via", "lines", "-o", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert any(row["transient"] for row in rows)
    assert {row["to"] for row in rows} >= {"envoy-gateway@v1.6.7", "envoy-gateway@v1.9.0"}
    assert main([*asked, "--order", "-o", "json"]) == 0
    steps = json.loads(capsys.readouterr().out)
    assert steps[-1]["action"] == "upgrade"
    assert [step["number"] for step in steps] == list(range(1, len(steps) + 1))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["diff", SAMPLE], "--from"),
        (["diff", SAMPLE, "--from", "0.99"], "'0.99' is no known release"),
        (["diff", SAMPLE, "--from", "1.8", "--to", "nothing@1.2"], "no ruleset for 'nothing'"),
        (["explain", SAMPLE, "--route", "HTTPRoute/a/b"], "no references of --route HTTPRoute/a/b"),
    ],
)
def test_wrong_usage_is_told(arguments: list[str], told: str, capsys: Captured) -> None:
    status = 0
    try:
        status = main(arguments)
    except SystemExit as stopped:
        status = int(str(stopped.code))
    assert status == 2
    assert told in capsys.readouterr().err


def test_from_auto_needs_a_deployment(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: Service\nmetadata: {name: a}\n")
    assert main(["diff", str(tmp_path), "--from", "auto"]) == 2
    assert "no Deployment" in capsys.readouterr().err


def test_explain_links_every_claim(capsys: Captured) -> None:
    asked = ["explain", SAMPLE, "--release", "1.8", "--route", "HTTPRoute/events/dashboard"]
    assert main(asked) == 0
    printed = capsys.readouterr().out
    assert "dropped-by-proxy-protocol" in printed
    assert main([*asked, "-o", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["claims"]
    for claim in row["claims"]:
        assert claim["source"].startswith("https://") or ".yaml:" in claim["source"]


def test_explain_shows_nothing_of_a_terminal(tmp_path: Path, capsys: Captured) -> None:
    """A value may hold an escape sequence; it is printed as text."""
    (tmp_path / "a.yaml").write_text(
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n"
        'spec: {ports: [{port: 80, appProtocol: "\\e[31mred"}]}\n---\n'
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\n"
        "spec: {rules: [{backendRefs: [{name: a, port: 80}]}]}\n"
    )
    assert main(["explain", str(tmp_path)]) == 0
    assert "\x1b" not in capsys.readouterr().out
