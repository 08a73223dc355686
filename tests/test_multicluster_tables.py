"""Tables and pictures of exports: columns, marks, and pictures that say what tables do."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, strategies as st

from protocol_analysis.multicluster.ordering import safe_order
from protocol_analysis.multicluster.propagation import propagation
from protocol_analysis.multicluster.telling import (
    by_grpc_route,
    dragged,
    imports_by_field,
    journey,
)
from protocol_analysis.plots import dragged_plot, matrix_lines, propagation_plot
from protocol_analysis.reading import Cluster, read
from protocol_analysis.tables import (
    CONDITION_COLUMNS,
    CONTROLLER_COLUMNS,
    DISAGREEMENT_COLUMNS,
    FIELD_COLUMNS,
    FLEET_COLUMNS,
    PROPAGATION_COLUMNS,
    SAFE_ORDER_COLUMNS,
    STAGE_COLUMNS,
    UNAIDED_COLUMNS,
    condition_table,
    controller_table,
    disagreement_table,
    dragged_table,
    fleet_table,
    import_field_table,
    marks_are_differences,
    propagation_matrix,
    propagation_table,
    safe_order_table,
    stage_table,
    unaided_table,
)
from tests.test_safe_order import CLUSTER, clusters_of

PATHS = {
    "east": "data/sample/east@envoy-gateway:v1.8.3",
    "west": "data/sample/west@envoy-gateway:v1.5.9",
}
CLUSTERS = read(PATHS).clusters


def tables(clusters: tuple[Cluster, ...]) -> list[tuple[pd.DataFrame, dict[str, str]]]:
    rows = propagation(clusters)
    return [
        (fleet_table(clusters), FLEET_COLUMNS),
        (propagation_table(rows), PROPAGATION_COLUMNS),
        (disagreement_table(rows), DISAGREEMENT_COLUMNS),
        (import_field_table(imports_by_field(clusters)), FIELD_COLUMNS),
        (condition_table(clusters), CONDITION_COLUMNS),
        (stage_table(journey(clusters)), STAGE_COLUMNS),
        (safe_order_table(safe_order(clusters)), SAFE_ORDER_COLUMNS),
        (unaided_table(by_grpc_route(clusters)), UNAIDED_COLUMNS),
        (controller_table(), CONTROLLER_COLUMNS),
    ]


@pytest.mark.parametrize("clusters", [CLUSTERS, ()], ids=["sample", "nothing"])
def test_columns_are_as_documented(clusters: tuple[Cluster, ...]) -> None:
    for table, columns in tables(clusters):
        assert {str(name): str(dtype) for name, dtype in table.dtypes.items()} == columns
        assert not table.drop(columns=["number"], errors="ignore").isna().any(axis=None)


def test_nothing_is_lost_on_the_way_to_a_table() -> None:
    rows = propagation(CLUSTERS)
    assert len(propagation_table(rows)) == len(rows)
    assert len(disagreement_table(rows)) == sum(len(row.faults) for row in rows)
    assert disagreement_table(rows)["severity"].is_monotonic_increasing


def test_the_matrix_has_a_line_for_each_port_and_marks_what_is_not_meant() -> None:
    matrix = propagation_matrix(propagation(CLUSTERS))
    assert list(matrix.columns) == ["east", "west"]
    assert list(matrix.loc["catalog/catalog:9000"]) == ["h2", "http/1.1 !"]
    assert list(matrix.loc["checkout/baskets:8080"]) == ["h2", "h2"]
    assert marks_are_differences(matrix)
    assert not marks_are_differences(matrix.replace("http/1.1 !", "http/1.1"))


@given(st.lists(CLUSTER, max_size=4))
def test_no_mark_where_all_say_the_same(made: list[Any]) -> None:
    matrix = propagation_matrix(propagation(clusters_of(made)))
    assert marks_are_differences(matrix)


def test_the_matrix_is_drawn_cell_for_cell() -> None:
    matrix = propagation_matrix(propagation(CLUSTERS))
    picture = propagation_plot(matrix)
    assert picture.shows(matrix_lines(matrix))
    assert picture.alt.startswith("3 of 14 exported ports are not spoken alike in every cluster.")
    many = pd.concat([matrix.set_axis([f"{n}{at}" for n in matrix.index]) for at in range(5)])
    wide = pd.concat([many.add_suffix(str(at)) for at in range(6)], axis=1)
    drawn = matrix_lines(wide)
    assert drawn.shape == (40, 8)
    assert propagation_plot(wide).shows(drawn)
    assert all(name.startswith("west") for name in drawn.columns[drawn.isin(["http/1.1 !"]).any()])
    assert propagation_plot(matrix.head(0)).data.empty


def test_releases_are_drawn_as_counted() -> None:
    table = dragged_table(dragged(CLUSTERS, "west"))
    assert list(table.index)[0::6] == ["v1.3.3", "v1.9.0"]
    picture = dragged_plot(table)
    assert picture.data["ports"].astype(int).to_dict() == table["ports"].to_dict()
    assert "by the release of west's gateway: v1.3.3 4" in picture.alt
    assert dragged_plot(dragged_table([])).data.empty
