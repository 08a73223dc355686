"""How good clues are: what is counted, on what, and that the stored figures are those measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given

from data import clue_quality
from protocol_analysis import Inventory
from protocol_analysis.clues import clues
from protocol_analysis.detecting import suggestions
from protocol_analysis.evidence import evidence
from protocol_analysis.measuring import ALL, meaning, measured, quality, wilson
from protocol_analysis.plots.detecting import quality_plot, quality_shares
from protocol_analysis.reading import read
from protocol_analysis.tables.detecting import (
    EVERY_PORT,
    OUTSIDE_TESTS,
    QUALITY_COLUMNS,
    SUGGESTION_COLUMNS,
    WILD_QUALITY_COLUMNS,
    quality_table,
    suggestion_table,
    wild_quality_table,
)
from protocol_analysis.wild import wild_table
from tests.objects import OBJECTS, read_from, service
from tests.support import ROOT, SHARED, needs_shared

CHECKOUTS = SHARED / "real" / "manifests"


@given(OBJECTS)
def test_counts_add_up(
    tmp_path_factory: pytest.TempPathFactory, objects: list[dict[str, Any]]
) -> None:
    inventory = read_from(tmp_path_factory.mktemp("counts"), *objects)
    ports = sum(meaning(port.app_protocol) is not None for _, port, _ in evidence(inventory))
    for row in quality(inventory):
        assert row.ports == ports
        assert row.right + row.wrong == row.speaks <= row.ports
        assert row.right <= row.means <= row.ports
        assert row.right_once <= row.speaks_once <= row.speaks
        low, high = row.interval
        assert 0 <= low <= high <= 1
        assert row.precision is None or low - 0.0001 <= row.right_once / row.speaks_once <= high


def test_quality_counts_what_is_known(tmp_path: Path) -> None:
    ports = [
        {"name": "grpc", "port": 1, "appProtocol": "grpc"},
        {"name": "grpc-a", "port": 2, "appProtocol": "kubernetes.io/h2c"},
        {"name": "grpc-b", "port": 3, "appProtocol": "http"},
        {"name": "api", "port": 4, "appProtocol": "grpc"},
        {"name": "grpc-c", "port": 5, "appProtocol": "acme.example/tunnel"},
        {"name": "grpc-d", "port": 6},
    ]
    # The same Service again, as golden files repeat it: one more of each port, and none once.
    inventory = read_from(tmp_path, service(*ports), service(*ports, name="again"))
    row = next(r for r in quality(inventory) if (r.clue, r.protocol) == ("name-istio", "grpc"))
    assert (row.ports, row.speaks, row.right, row.wrong, row.means) == (8, 6, 4, 2, 6)
    assert (row.ports_once, row.speaks_once, row.right_once, row.means_once) == (4, 3, 2, 3)
    assert (row.precision, row.recall, row.interval) == (0.6667, 0.6667, wilson(2, 3))
    together = quality(inventory)[-1]
    assert (together.clue, together.protocol, together.right, together.speaks) == (ALL, "", 4, 6)
    assert json.loads(json.dumps(row.as_dict()))["speaksOnce"] == 3


def test_two_of_two_is_no_certainty() -> None:
    assert wilson(2, 2)[0] == pytest.approx(0.342, abs=0.001)
    assert wilson(0, 2)[1] == pytest.approx(0.658, abs=0.001)
    assert wilson(50, 100) == pytest.approx((0.404, 0.596), abs=0.001)


@needs_shared
def test_the_measured_figures_are_those_of_the_real_manifests() -> None:
    """`python -m data.clue_quality --date …` after a change of clues, reading or reference data."""
    text = clue_quality.YAML.read_text(encoding="utf-8")
    on = yaml.safe_load(text)["measured"]
    assert clue_quality.written(CHECKOUTS, on) == text


def test_what_was_measured_is_of_known_clues() -> None:
    known = {(clue.id, str(fact)) for clue in clues() for fact in clue.says.values()}
    assert set(measured()) - {(ALL, "")} <= known
    assert measured()[ALL, ""].ports > 300


def test_the_readme_says_what_was_measured() -> None:
    row = measured()[ALL, ""]
    said = f"of {row.ports_once} that differ, all clues together agree on {row.speaks_once} and are"
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"{said} right of {row.right_once}." in readme


def test_names_and_numbers_are_measured_on_the_facts_of_real_use() -> None:
    table = wild_quality_table(wild_table())
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == WILD_QUALITY_COLUMNS
    assert set(table["where"]) == {EVERY_PORT, OUTSIDE_TESTS}
    looks = {clue.id: clue.looks for clue in clues()}
    assert {looks.get(clue, "all") for clue in table["clue"]} == {
        "name",
        "number",
        "dialled",
        "all",
    }
    for row in table[table["where"] == EVERY_PORT].to_dict("records"):
        # Pods and routes take nothing from what a name says.
        if looks.get(row["clue"]) == "name":
            assert row["speaks"] == measured()[row["clue"], row["protocol"]].speaks
    apart = table[table["clue"] == ALL].set_index("where")["ports"]
    assert apart[OUTSIDE_TESTS] < 20
    assert apart[EVERY_PORT] > 300


def test_tables_are_as_documented() -> None:
    found = read(str(ROOT / "data" / "sample"))
    rows = suggestions(found)
    for empty, full, columns in (
        (suggestion_table([]), suggestion_table(rows), SUGGESTION_COLUMNS),
        (quality_table([]), quality_table(quality(found.inventory)), QUALITY_COLUMNS),
    ):
        assert len(full) > len(empty) == 0
        for table in (empty, full):
            assert {name: str(dtype) for name, dtype in table.dtypes.items()} == columns
    table = suggestion_table(rows)
    assert len(table) == len(rows)
    assert table["evidence"].ne("").all()
    assert table["suggested"].eq("").eq(table["contradictory"].ne("")).all()
    assert len(quality_table(quality(found.inventory), silent=True)) == len(quality(Inventory()))


def test_the_picture_shows_the_table() -> None:
    table = quality_table(list(measured().values()))
    picture = quality_plot(table)
    assert picture.shows(quality_shares(table))
    assert not picture.shows(quality_shares(table).iloc[1:])
    for row in table.to_dict("records"):
        counts = f"{row['right_once']} of {row['speaks_once']}"
        assert (
            f"{counts} ({round(100 * row['low'])} to {round(100 * row['high'])} %)" in picture.alt
        )
    assert len(picture.png()) < 100_000


def test_the_picture_of_nothing_says_so() -> None:
    table = quality_table(quality(Inventory()))
    picture = quality_plot(table)
    assert picture.shows(quality_shares(table))
    assert picture.alt.startswith("All together are right of 0 of the 0 ports")
    assert picture.png().startswith(b"\x89PNG")
