"""Tables: documented columns and dtypes, empty or full, a stable order, the right numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import protocol_analysis
from protocol_analysis import (
    Coverage,
    Finding,
    Inventory,
    Resolution,
    coverage,
    load,
    resolve,
    ruleset,
)
from protocol_analysis.coverage import CLASSES
from protocol_analysis.findings.catalogue import SEVERITIES, catalogue
from protocol_analysis.findings.finding import Suppressed
from protocol_analysis.model import BACKEND_GROUPS, ROUTE_KINDS, Position, Problem
from protocol_analysis.tables import (
    COVERAGE_COLUMNS,
    FINDING_COLUMNS,
    PROBLEM_COLUMNS,
    RELEASE_COLUMNS,
    RESOLUTION_COLUMNS,
    RULE_COLUMNS,
    RULEBOOK_COLUMNS,
    attention_table,
    check,
    class_table,
    coverage_table,
    declared_table,
    findings_table,
    outcome_table,
    problem_table,
    reading_table,
    release_table,
    resolution_table,
    resolved_rulebook_table,
    rulebook_table,
    rules_table,
)
from tests.support import ROOT

SAMPLE = {"east": ROOT / "data/sample/east", "west": ROOT / "data/sample/west"}
KINDS = [*BACKEND_GROUPS, "total"]
AT = Position(file="shop.yaml", document=1, line=2, column=3)


@cache
def sample() -> Inventory:
    return load(clusters=SAMPLE)


@cache
def ports() -> Sequence[Coverage]:
    return coverage(sample(), release="v1.8.3")


@cache
def references() -> Sequence[Resolution]:
    return resolve(sample(), release="v1.8.3")


@cache
def findings() -> Sequence[Finding]:
    return protocol_analysis.check(sample(), release="v1.8.3")


def problems(*found: Problem) -> Inventory:
    return Inventory(unreadable=found, skipped=found, warnings=found)


# A table without rows, the same with rows, and the columns that it documents.
DOCUMENTED: list[tuple[Callable[[], pd.DataFrame], Callable[[], pd.DataFrame], dict[str, str]]] = [
    (lambda: coverage_table([]), lambda: coverage_table(ports()), COVERAGE_COLUMNS),
    (lambda: resolution_table([]), lambda: resolution_table(references()), RESOLUTION_COLUMNS),
    (
        lambda: problem_table(Inventory()),
        lambda: problem_table(problems(Problem(position=AT, reason="x"))),
        PROBLEM_COLUMNS,
    ),
    (
        lambda: rulebook_table(ruleset(), []),
        lambda: rulebook_table(ruleset()),
        RULEBOOK_COLUMNS,
    ),
    (
        lambda: resolved_rulebook_table(ruleset(), []),
        lambda: resolved_rulebook_table(ruleset(), ["v1.8.3", "main"]),
        {name: dtype for name, dtype in RULEBOOK_COLUMNS.items() if name != "row"},
    ),
    (
        lambda: release_table(ruleset()).iloc[:0],
        lambda: release_table(ruleset()),
        RELEASE_COLUMNS,
    ),
    (lambda: findings_table([]), lambda: findings_table(findings()), FINDING_COLUMNS),
    (lambda: rules_table([]), lambda: rules_table([*catalogue().values()]), RULE_COLUMNS),
]
# Counts: without rows, and with them. Their columns are kinds, their lines what is counted.
COUNTED: list[tuple[Callable[[], pd.DataFrame], Callable[[], pd.DataFrame], list[str], str]] = [
    (lambda: class_table([]), lambda: class_table(ports()), KINDS, "class"),
    (lambda: declared_table([]), lambda: declared_table(ports()), KINDS, "app_protocol"),
    (
        lambda: outcome_table([]),
        lambda: outcome_table(references()),
        [*ROUTE_KINDS, "total"],
        "reason",
    ),
]


@pytest.mark.parametrize(("empty", "full", "columns"), DOCUMENTED)
def test_columns_and_dtypes_are_those_documented(
    empty: Callable[[], pd.DataFrame], full: Callable[[], pd.DataFrame], columns: dict[str, str]
) -> None:
    assert len(empty()) == 0
    assert len(full()) > 0
    for table in (empty(), full()):
        assert {name: str(dtype) for name, dtype in table.dtypes.items()} == columns
        assert list(table.columns) == list(columns)
    for name, dtype in columns.items():
        assert dtype == "Int64" or full()[name].notna().all(), f"{name} has cells without a value"


@pytest.mark.parametrize(("empty", "full", "columns", "index"), COUNTED)
def test_counts_have_the_same_shape_empty_and_full(
    empty: Callable[[], pd.DataFrame],
    full: Callable[[], pd.DataFrame],
    columns: list[str],
    index: str,
) -> None:
    assert empty()["total"].sum() == 0
    assert full()["total"].sum() > 0
    assert empty().index.dtype == full().index.dtype
    for table in (empty(), full()):
        assert list(table.columns) == columns
        assert table.columns.name is None
        assert table.index.name == index
        assert {str(dtype) for dtype in table.dtypes} == {"int64"}
        assert (table[columns[:-1]].sum(axis=1) == table["total"]).all()


def test_a_table_has_one_line_per_row_in_the_same_order() -> None:
    table = coverage_table(ports())
    assert table["declared_at"].to_list() == [str(row.declared_at) for row in ports()]
    assert table["port"].fillna(-1).to_list() == [row.port or -1 for row in ports()]
    assert table["protocol"].to_list() == [row.protocol or "" for row in ports()]
    table = resolution_table(references())
    assert table["referenced_at"].to_list() == [str(row.ref.position) for row in references()]
    assert table["row"].to_list() == [row.deciding.row for row in references()]
    assert list(table.index) == list(range(len(references())))


def test_what_decides_is_the_row_that_gave_no_protocol_and_not_its_tls() -> None:
    """A BackendTLSPolicy is a reason too, but not why there is no protocol."""
    folder = Path(__file__).parent / "manifests"
    rows = resolve(load(folder / "tls.yaml"), release="v1.2.8")
    (row,) = [r for r in rows if r.ref.kind == "Backend" and r.route.name == "web"]
    reasons = [reason.row for reason in row.reasons]
    assert reasons[:2] == ["default-backend-none", "tls-policy-backend"]
    assert row.upstream == "h2"  # by its neighbour
    assert (row.outcome, row.deciding.row) == ("default-backend-none", "default-backend-none")
    (line,) = resolution_table([row]).to_dict("records")
    assert (line["outcome"], line["row"], line["tls"]) == (row.outcome, row.outcome, True)
    assert outcome_table([row])["HTTPRoute"].to_dict() == {"default-backend-none": 1}


def test_classes_are_counted_once_each() -> None:
    table = class_table(ports())
    assert tuple(table.index) == CLASSES
    assert table["total"].to_dict() == {
        **dict.fromkeys(CLASSES, 0), **Counter(row.kind_of_declaration for row in ports())
    }  # fmt: skip
    assert table["total"].sum() == len(ports())


def test_declared_values_are_counted_most_frequent_first() -> None:
    counted: Counter[str] = Counter()
    for row in ports():
        value = row.app_protocol
        counted.update([value] if isinstance(value, str) else value or ())
    table = declared_table(ports())
    assert table["total"].to_dict() == counted
    assert list(table.index) == sorted(counted, key=lambda value: (-counted[value], value))


def test_outcomes_are_counted_most_frequent_first() -> None:
    counted = Counter(row.outcome for row in references() if row.protocol is None)
    table = outcome_table(references())
    assert table["total"].to_dict() == counted
    assert list(table.index) == sorted(counted, key=lambda name: (-counted[name], name))


def test_what_needs_attention_comes_in_order() -> None:
    found = attention_table(coverage_table(ports()))
    unread = ["near miss", "standard but ignored", "silent fallback"]
    assert len(found) == sum(row.kind_of_declaration in unread for row in ports())
    order = [(unread.index(line["class"]), -line["routes"]) for line in found.to_dict("records")]
    assert order == sorted(order)
    # A Backend has no port, and a cluster is named where there is one.
    kinds = {str(port).rpartition(": ")[2].partition(" ")[0] for port in found["port"]}
    assert kinds <= set(BACKEND_GROUPS)
    assert all(str(port).startswith(("east: ", "west: ")) for port in found["port"])
    assert not [port for port in found["port"] if "<NA>" in str(port) or str(port) == ""]


def changed(row: Coverage, **fields: Any) -> Coverage:
    return replace(row, **fields)


@pytest.mark.parametrize("value", ["\udcff", "\0", "a\nb", "nan", "NA", "<NA>", "None", " ", "1.0"])
def test_a_text_stays_the_text_it_is(value: str) -> None:
    """Not even what pandas takes for a missing value is one."""
    row = changed(ports()[0], app_protocol=value, port_name=value)
    (line,) = coverage_table([row]).to_dict("records")
    assert (line["app_protocol"], line["port_name"]) == (value, value)
    assert declared_table([row])["total"].to_dict() == {value: 1}


def test_a_missing_port_is_missing_and_large_ones_are_exact() -> None:
    rows = [changed(ports()[0], port=number) for number in (None, 2**31 - 1, -1, None, 2**53 + 1)]
    found = coverage_table(rows)["port"]
    assert found.isna().to_list() == [True, False, False, True, False]
    assert found.dropna().to_list() == [2**31 - 1, -1, 2**53 + 1]


def test_reading_is_counted() -> None:
    problem = Problem(position=AT, reason="x")
    inventory = replace(sample(), unreadable=(problem,), warnings=(problem, problem))
    table = reading_table(inventory)
    assert list(table.columns) == ["count"]
    assert table["count"].dtype == "int64"
    counts = table["count"].to_dict()
    assert counts["files"] == sample().files
    assert counts["routes"] == len(sample().routes)
    assert (counts["not read"], counts["warnings"]) == (1, 2)


@pytest.mark.parametrize("route_kind", ROUTE_KINDS)
def test_both_ways_to_the_rule_book_agree_at_every_release(route_kind: str) -> None:
    """Looked up in the rows, and found by resolving: candidates and `main` too."""
    known = ruleset().releases
    book = rulebook_table(ruleset(), known, [route_kind]).drop(columns="row")
    assert book.equals(resolved_rulebook_table(ruleset(), known, [route_kind]))


def test_releases_are_listed_oldest_first() -> None:
    table = release_table(ruleset())
    assert table["release"].to_list() == list(ruleset().releases)
    newest = table.set_index("release").loc["v1.9.0"].to_dict()
    assert newest == {
        "line": "v1.9", "date": "2026-08-15", "envoy": "1.39.0", "end_of_life": "2027-02-14",
    }  # fmt: skip


def test_a_claim_that_does_not_hold_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    check("two is two", holds=True)
    assert capsys.readouterr().out == "holds: two is two\n"
    with pytest.raises(AssertionError, match="does not hold: two is three"):
        check("two is three", holds=False)


def test_the_worst_findings_come_first() -> None:
    table = findings_table(findings())
    severities = table["severity"].to_list()
    assert severities == sorted(severities, key=SEVERITIES.index)
    assert set(severities) == set(SEVERITIES)
    assert sorted(table["fingerprint"]) == sorted(each.fingerprint for each in findings())
    why = Suppressed(by="file", reason="known", position=AT)
    first = findings_table([replace(findings()[0], suppressed=why), findings()[0]])
    assert first["suppressed"].to_list() == ["", "known"]
