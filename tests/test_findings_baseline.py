"""What a baseline remembers, and what a finding is known by: names and values, never indexes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from protocol_analysis import Finding, check, load
from protocol_analysis.findings.baseline import baseline_text, mark_known, parse_baseline

SERVICE = """\
---
apiVersion: v1
kind: Service
metadata: {name: %s, namespace: shop}
spec: {ports: [{name: api, port: 8080%s}]}
"""
ROUTE = """\
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: cart, namespace: shop}
spec: {rules: [%s]}
"""
RULE = "{backendRefs: [{name: cart, port: 8080}]}"
OTHER_RULE = "{backendRefs: [{name: other, port: 8080}]}"
GRPC_RULE = RULE.replace("{b", "{matches: [{path: {value: /shop.v1.Orders/}}], b", 1)


def cart(value: str = "") -> str:
    return SERVICE % ("cart", f", appProtocol: {value}" if value else "")


def found(folder: Path, code: str, *documents: str) -> list[Finding]:
    (folder / "m.yaml").write_text("".join(documents), encoding="utf-8")
    return check(load(folder / "m.yaml"), release="v1.8.3", select=[code])


def new(before: Sequence[Finding], after: Sequence[Finding]) -> list[Finding]:
    """Those of the second that a baseline of the first does not know."""
    assert before
    assert after
    baseline = parse_baseline(baseline_text(before), "b.json")
    marked, _ = mark_known(after, baseline, "b.json", [before[0].code])
    return [each for each in marked if not each.suppressed]


def test_what_is_worse_than_remembered_is_new(tmp_path: Path) -> None:
    mild = found(tmp_path, "AP003", cart("h2c"))
    worse = found(tmp_path, "AP003", cart("h2c"), ROUTE % RULE)
    assert [each.severity for each in (*mild, *worse)] == ["warning", "error"]
    assert new(mild, worse) == worse
    assert new(worse, worse) == new(mild, mild) == []
    assert new(worse, mild) == [], "what is milder is known"


def test_a_baseline_without_severities_knows_all_of_them(tmp_path: Path) -> None:
    worse = found(tmp_path, "AP003", cart("h2c"), ROUTE % RULE)
    rows = json.loads(baseline_text(worse))
    for row in rows:
        del row["severity"]
    (marked,), gone = mark_known(worse, parse_baseline(json.dumps(rows), "b"), "b", ["AP003"])
    assert marked.suppressed
    assert gone == 0


def test_another_value_is_another_finding(tmp_path: Path) -> None:
    https, tls = (found(tmp_path, "AP006", cart(value), ROUTE % RULE) for value in ("https", "tls"))
    assert new(https, tls) == tls
    assert new(https, https) == []
