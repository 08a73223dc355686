"""What a finding is known by, to a baseline, to other programs, and to a suppression file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from protocol_analysis import Finding, check, load
from protocol_analysis.findings.baseline import baseline_text, mark_known, parse_baseline
from protocol_analysis.findings.junit import junit
from protocol_analysis.findings.sarif import sarif
from protocol_analysis.findings.suppressing import parse_suppressions

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


def names_of(findings: Sequence[Finding]) -> list[str | None]:
    """How JUnit calls them."""
    top = ET.fromstring(junit(findings, []))  # noqa: S314 - our own
    return [case.get("name") for case in top.iter("testcase")]


def prints_of(findings: Sequence[Finding]) -> list[str]:
    """By what SARIF knows them."""
    (run,) = json.loads(sarif(findings, [findings[0].code], "0.1.0"))["runs"]
    return [result["partialFingerprints"]["protocolAnalysis/v1"] for result in run["results"]]


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


def test_a_rule_or_a_backend_that_is_put_before_makes_nothing_new(tmp_path: Path) -> None:
    other = SERVICE % ("other", "")
    beside = RULE.replace("[{", "[{name: other, port: 8080}, {", 1)
    for code, value, rule in (("AP001", "", GRPC_RULE), ("AP006", "https", RULE)):
        before = found(tmp_path, code, cart(value), ROUTE % rule)
        later = found(tmp_path, code, cart(value), other, ROUTE % f"{OTHER_RULE}, {rule}")
        assert new(before, later) == []
        assert names_of(before) == names_of(later)
    before = found(tmp_path, "AP006", cart("https"), ROUTE % RULE)
    assert new(before, found(tmp_path, "AP006", cart("https"), other, ROUTE % beside)) == []


def test_another_port_of_the_backend_is_another_finding(tmp_path: Path) -> None:
    both = SERVICE.replace("[{", "[{name: b, port: 9090}, {", 1) % ("cart", "")
    before, after = (
        found(tmp_path, "AP001", both, ROUTE % GRPC_RULE.replace("8080", port))
        for port in ("8080", "9090")
    )
    assert new(before, after) == after


def test_what_is_alike_is_one_finding_at_one_place(tmp_path: Path) -> None:
    """Two rules of a route to one port with a value: the fault is the port's."""
    assert len(found(tmp_path, "AP006", cart("https"), ROUTE % f"{RULE}, {RULE}")) == 1


def test_what_is_alike_elsewhere_is_told_apart_by_a_number(tmp_path: Path) -> None:
    one = found(tmp_path, "AP001", cart(), ROUTE % GRPC_RULE)
    two = found(tmp_path, "AP001", cart(), ROUTE % f"{GRPC_RULE}, {GRPC_RULE}")
    assert len(new(one, two)) == 1
    assert new(two, one) == []
    (first, second), (same,) = names_of(two), names_of(one)
    assert (first, second) == (same, f"{same} (2)")
    (first, second), (same,) = prints_of(two), prints_of(one)
    assert (first, second) == (same, f"{same}:2")


# A glob of a suppression file, a name, and 1 where the one is about the other.
GLOBS = [
    ("[a]", "[a]", 1),
    ("[a]", "a", 0),
    ("[!a]", "b", 0),
    ("ca[r]t-*", "ca[r]t-1", 1),
    ("ca[r]t-*", "cart-1", 0),
    ("c?rt-*", "cart-1", 1),
    ("]*[", "]x[", 1),
]


@pytest.mark.parametrize(("glob", "name", "covered"), GLOBS)
def test_only_stars_and_question_marks_are_special(
    tmp_path: Path, glob: str, name: str, covered: int
) -> None:
    (finding,) = found(tmp_path, "AP003", cart("h2c"))
    called = replace(
        finding,
        meta=replace(finding.meta, name=name),
        position=replace(finding.position, file=name),
    )
    for key in ("object: {name: '%s'}", "path: '%s'"):
        (row,) = parse_suppressions(f"- {{code: AP003, reason: known, {key % glob}}}", "a.yaml")
        assert row.covers(called) == bool(covered)
