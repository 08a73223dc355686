"""What is drawn is what the table says, in words too, whatever the table holds."""

from __future__ import annotations

import io
import warnings
from typing import Any

import pandas as pd
import pytest
from matplotlib import rc_context
from matplotlib.text import Text
from PIL import Image

from protocol_analysis import coverage, resolve, ruleset
from protocol_analysis.coverage import CLASSES
from protocol_analysis.drawing import Picture
from protocol_analysis.measuring import measured
from protocol_analysis.model import BACKEND_GROUPS, ROUTE_KINDS, Inventory
from protocol_analysis.plots import (
    class_plot,
    declared_plot,
    outcome_plot,
    quality_plot,
    rulebook_cells,
    rulebook_plot,
    rulebook_steps,
)
from protocol_analysis.tables import (
    class_table,
    declared_table,
    outcome_table,
    quality_table,
    resolved_rulebook_table,
    rulebook_table,
)

HOSTILE = (
    r"$\frac{1}{0}$",
    "<script>alert(1)</script>",
    "a" * 500,
    "\x1b[31mred\n\u202eevil",
    "\N{CJK UNIFIED IDEOGRAPH-4E2D}\U0001f980",
    "_{^",
    "",
)


def declared(values: tuple[str, ...]) -> pd.DataFrame:
    counts = range(len(values), 0, -1)
    table = pd.DataFrame(
        {"Service": counts, "ServiceImport": 0, "Backend": 1}, index=pd.Index(values)
    )
    return table.assign(total=table.sum(axis=1))


def classes(*counts: int) -> pd.DataFrame:
    table = pd.DataFrame({"Service": counts, "ServiceImport": 0}, index=pd.Index(CLASSES))
    return table.assign(total=table.sum(axis=1))


def outcomes(reasons: tuple[str, ...]) -> pd.DataFrame:
    table = pd.DataFrame(0, index=pd.Index(reasons), columns=list(ROUTE_KINDS))
    table["HTTPRoute"] = range(1, len(reasons) + 1)
    return table.assign(total=table.sum(axis=1))


def written(picture: Picture) -> list[Text]:
    found: list[Any] = picture.figure.findobj(Text)
    return found


def texts(picture: Picture) -> list[str]:
    return [text.get_text() for text in written(picture)]


def test_declared_values_are_drawn_as_counted() -> None:
    table = declared(("grpc", "kubernetes.io/h2c", "http"))
    picture = declared_plot(table)
    assert picture.shows(table)
    pd.testing.assert_frame_equal(
        picture.data, table.drop(columns="total"), check_names=False, check_dtype=False
    )
    assert "3 values, declared 9 times" in picture.alt
    assert "grpc 4: Service 3, Backend 1" in picture.alt


def test_declared_values_beyond_the_most_frequent_are_counted_in_words() -> None:
    table = declared(tuple(f"value-{number}" for number in range(40)))
    picture = declared_plot(table, most=10)
    assert picture.shows(table.head(10))
    assert not picture.shows(table)
    assert "30 others" in picture.alt
    assert any("30 others" in text for text in texts(picture))


def test_classes_are_drawn_as_counted() -> None:
    table = classes(2000, 0, 7, 300, 1)
    picture = class_plot(table, "v1.9.0")
    assert picture.shows(table)
    assert "Of 2,308 ports the value of 2,000 is read, by v1.9.0" in texts(picture)
    assert "7 near miss" in texts(picture)
    assert "near miss 7" in picture.alt
    assert "ServiceImport, 0 ports: none" in picture.alt


def test_a_picture_does_not_show_another_table() -> None:
    table = classes(5, 0, 7, 3, 1)
    other = table.copy()
    other.loc["near miss", "Service"] = 8
    assert not class_plot(table).shows(other)
    assert not class_plot(table).shows(table.iloc[:-1])


def test_outcomes_are_drawn_as_counted_and_named_in_words() -> None:
    table = outcomes(("no-port", "refuses-something-new"))
    picture = outcome_plot(table, references=10)
    assert picture.shows(table)
    assert picture.data["total"].to_dict() == {"no-port": 1, "refuses-something-new": 2}
    assert "3 of 10 references are not resolved" in picture.alt
    assert "no such port with that transport" in texts(picture)
    assert "refuses something new" in texts(picture)


@pytest.mark.parametrize("route_kind", ROUTE_KINDS)
def test_every_cell_of_the_rule_book_is_what_the_resolver_answers(route_kind: str) -> None:
    book = rulebook_table(ruleset(), route_kinds=[route_kind])
    answers = resolved_rulebook_table(ruleset(), route_kinds=[route_kind])
    pd.testing.assert_frame_equal(answers, book.drop(columns="row"))
    picture = rulebook_plot(book)
    assert picture.shows(rulebook_cells(book))
    spoken = {
        "" if p in ("(none)", "none") else p.strip("()") for p in picture.data.to_numpy().ravel()
    }
    forced = set(book.loc[book["force_http1"], "protocol"])
    assert spoken - {"-", "HTTP/1.1"} <= set(book["protocol"])
    assert bool(forced) == ("HTTP/1.1" in spoken)


def test_the_rule_book_shows_what_is_read_and_from_when() -> None:
    book = rulebook_table(ruleset())
    cells = rulebook_plot(book).data
    assert list(cells.loc["Service grpc", ["v1.0", "v1.1"]]) == ["(HTTP)", "GRPC"]
    assert list(cells.loc["ServiceImport grpc", ["v1.8", "v1.9"]]) == ["(HTTP)", "GRPC"]
    assert list(cells.loc["ServiceImport kubernetes.io/h2c", ["v0.5", "v1.3", "v1.4"]]) == [
        "-",
        "(HTTP)",
        "HTTP2",
    ]
    assert cells.loc["Backend gateway.envoyproxy.io/ws", "v1.9"] == "HTTP/1.1"
    assert "ServiceImport grpc: v0.1 -, v0.6 (HTTP), v1.9 GRPC" in rulebook_plot(book).alt
    assert rulebook_steps(book).index.tolist() == cells.index.tolist()


def test_what_manifests_say_is_drawn_as_plain_text() -> None:
    table = declared(HOSTILE)
    pictures = [declared_plot(table), outcome_plot(outcomes(HOSTILE))]
    for picture in pictures:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a missing glyph, for one
            png = picture.png()
        with Image.open(io.BytesIO(png)) as image:
            assert image.width == round(picture.figure.get_figwidth() * 144)
        for text in texts(picture):
            assert "\x1b" not in text
            assert "\u202e" not in text
            assert "\n" not in text
            assert len(text) <= 120
        assert "\x1b" not in picture.alt
        assert "\u202e" not in picture.alt
    labels = written(pictures[0])
    assert any(text.get_text() == r"$\frac{1}{0}$" for text in labels)
    assert not any(text.get_parse_math() for text in labels if "$" in text.get_text())


def test_nothing_at_all_is_drawn_and_said_too() -> None:
    inventory = Inventory()
    ports, references = coverage(inventory), resolve(inventory)
    book = rulebook_table(ruleset()).iloc[:0]
    for picture, table, said in (
        (
            declared_plot(declared_table(ports)),
            declared_table(ports),
            "0 values, declared 0 times.",
        ),
        (class_plot(class_table(ports)), class_table(ports), "Of 0 ports"),
        (outcome_plot(outcome_table(references), 0), outcome_table(references), "0 of 0"),
        (rulebook_plot(book), rulebook_cells(book), "What Envoy Gateway speaks"),
    ):
        assert picture.shows(table)
        assert said in picture.alt
        assert picture.png().startswith(b"\x89PNG")
    assert any("nothing to show" in t for t in texts(declared_plot(declared_table(ports))))


def test_a_notebook_gets_the_picture_with_its_words() -> None:
    picture = class_plot(classes(1, 1, 1, 1, 1))
    data, metadata = picture._repr_mimebundle_()
    assert set(data) == {"image/png", "text/plain"}
    assert " ".join(data["text/plain"].split()) == f"Picture: {picture.alt}"
    assert metadata["image/png"]["alt"] == picture.alt


def test_pictures_are_the_same_every_time_and_small() -> None:
    book = rulebook_table(ruleset())
    first = rulebook_plot(book).png()
    with rc_context({"font.size": 30, "axes.facecolor": "red", "text.usetex": True}):
        again = rulebook_plot(book).png()
    assert first == again
    assert len(first) < 100_000


def test_no_text_overlaps_another() -> None:
    counts = class_table(())
    for kind in BACKEND_GROUPS:
        counts[kind] = 12_345
    counts["total"] = counts[list(BACKEND_GROUPS)].sum(axis=1)
    long = tuple(f"a-rather-long-vendor.example.com/value-{number}" for number in range(15))
    for picture in (
        class_plot(counts, "v1.9.0-rc.1"),
        declared_plot(declared(long) * 1000),
        outcome_plot(outcomes(tuple(f"reason-{number}" for number in range(9))) * 1000),
        rulebook_plot(rulebook_table(ruleset())),
        quality_plot(quality_table(list(measured().values()))),
    ):
        figure = picture.figure
        picture.png()
        boxes = [
            (text.get_text(), text.get_window_extent())
            for text in written(picture)
            if text.get_text() and text.get_visible()
        ]
        for number, (said, box) in enumerate(boxes):
            assert box.x0 >= 0, said
            assert box.x1 <= figure.bbox.x1, said
            clashes = [other for other, at in boxes[number + 1 :] if box.overlaps(at)]
            assert not clashes, (said, clashes)
