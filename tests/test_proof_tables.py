"""What was measured, as tables, as a picture, and as the rows of a csv."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from matplotlib.text import Text

from protocol_analysis.cli import main
from protocol_analysis.drawing import Picture
from protocol_analysis.plots import verdict_plot
from protocol_analysis.plots.proof import VERDICT_LOOKS, look_of
from protocol_analysis.proof.cells import CLIENTS, CONFIGS, SERVERS
from protocol_analysis.proof.measured import measured
from protocol_analysis.tables import MEASURED_COLUMNS, measured_table, proof_table, verdict_matrix


def test_the_table_has_its_columns() -> None:
    table = measured_table()
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == MEASURED_COLUMNS
    assert len(table) == len(CONFIGS) * len(SERVERS) * len(CLIENTS)
    empty = proof_table([])
    assert {name: str(dtype) for name, dtype in empty.dtypes.items()} == MEASURED_COLUMNS


def test_a_matrix_is_of_one_client_and_one_envoy() -> None:
    both = proof_table([*measured("1.36"), *measured("1.40")])
    with pytest.raises(ValueError, match=r"several Envoys, 1\.36\.4, 1\.40\.0; choose one"):
        verdict_matrix(both)
    with pytest.raises(ValueError, match="no client 'curl'"):
        verdict_matrix(both, "curl")
    some = [row for row in measured() if (row.config, row.server) != ("h2c", "closed")]
    assert verdict_matrix(proof_table(some)).loc["h2c", "closed"] == ""


def texts(picture: Picture) -> list[Text]:
    found: list[Any] = picture.figure.findobj(Text)
    return found


@pytest.mark.parametrize("client", CLIENTS)
def test_the_picture_shows_the_matrix(client: str) -> None:
    matrix = verdict_matrix(measured_table(), client)
    picture = verdict_plot(matrix)
    assert picture.shows(matrix)
    assert {look_of(word) for word in matrix.to_numpy().ravel()} <= set(VERDICT_LOOKS) - {"?", ""}
    assert set(CONFIGS) | set(SERVERS) <= {text.get_text() for text in texts(picture)}
    assert CLIENTS[client] in picture.alt
    other = matrix.copy()
    other.loc["h2c", "closed"] = "ok"
    assert not picture.shows(other)


def test_texts_of_the_picture_do_not_overlap() -> None:
    picture = verdict_plot(verdict_matrix(measured_table(), "ws"))
    picture.png()
    boxes = []
    for text in texts(picture):
        if text.get_text() and text.get_visible():
            box = text.get_window_extent()
            assert 0 <= box.x0 <= box.x1 <= picture.figure.bbox.x1, text
            if not text.get_rotation():
                boxes.append((text.get_text(), box))
    for number, (said, box) in enumerate(boxes):
        clashes = [other for other, at in boxes[number + 1 :] if box.overlaps(at)]
        assert not clashes, (said, clashes)


def test_a_picture_of_nothing_says_so() -> None:
    matrix = verdict_matrix(proof_table([]))
    picture = verdict_plot(matrix)
    assert picture.shows(matrix)
    assert picture.png().startswith(b"\x89PNG")


def test_the_rows_of_a_csv_have_the_contracts_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row for row in measured() if row.client == "ws"]
    monkeypatch.setattr("protocol_analysis.proof.matrix.prove", lambda *_, **__: rows)
    assert main(["prove", "-o", "csv"]) == 0
    read = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    names = ["envoy", "config", "server", "client", "ok", "status", "flags", "details", "verdict"]
    assert list(read[0]) == names
    assert [row["verdict"] for row in read] == [row.verdict for row in rows]
