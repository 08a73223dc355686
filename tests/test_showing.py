"""Tables as notebooks show them: what manifests say is shown, and never obeyed."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, strategies as st

from protocol_analysis.tables.showing import LONGEST, short, shown
from tests.seen import Seen

ALLOWED = {"div", "table", "thead", "tbody", "tr", "th", "td", "a", "p"}
SOURCE = "https://github.com/envoyproxy/gateway/blob/v1.9.0/internal/gatewayapi/route.go#L1-L9"


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "https://a.example/\"onmouseover='x'",
    "https://a.example/<script>",
    "&lt;b&gt; $x$ \\(y\\)",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("word", HOSTILE)
def test_nothing_is_obeyed(word: str) -> None:
    """Neither in a cell, nor in a name of a line, a column, or all of them."""
    table = pd.DataFrame({word: [word, "x"]}, index=pd.Index([word, "y"], name=word))
    table.columns.name = word
    page = Seen(shown(table))
    assert set(page.tags) <= ALLOWED
    assert page.attributes <= {"class", "style", "href", "border"}
    assert all(link.startswith("https://a.example/") for link in page.links)


@given(st.text(), st.text(), st.integers())
def test_any_text_is_shown(cell: str, head: str, number: int) -> None:
    page = Seen(shown(pd.DataFrame({f"a{head}": [cell], "n": [number]})))
    assert set(page.tags) <= ALLOWED
    assert str(number) in page.cells


def test_links_have_short_names() -> None:
    page = Seen(shown(pd.DataFrame({"source": [SOURCE, f"see {SOURCE}, {SOURCE}"]})))
    assert page.links == [SOURCE] * 3
    name = "envoyproxy/gateway v1.9.0 route.go#L1-L9"
    assert name in page.cells


NAMES = {
    "of a commit": (
        "https://github.com/kubernetes/enhancements/blob/64765b4b02389318f2113119dd9e491479f978a0/a/R.md",
        "kubernetes/enhancements 64765b4 R.md",
    ),
    "of an issue": ("https://github.com/a/b/issues/3", "a/b#3"),
    "of a branch": ("https://github.com/a/b/tree/main", "github.com/a/b/tree/main"),
    "of a folder": ("https://github.com/a/b/tree/main/c/d", "a/b main d"),
    "of a change": ("https://github.com/a/b/commit/a2f493764", "a/b a2f4937"),
    "elsewhere": ("https://a.example/b/", "a.example/b"),
    "far away": (f"https://a.example/{'b/' * 50}c#d", "a.example/…/c#d"),
}


@pytest.mark.parametrize(("url", "name"), NAMES.values(), ids=NAMES)
def test_names_of_links(url: str, name: str) -> None:
    assert short(url) == name


def test_numbers_are_numbers_and_what_is_missing_is_nothing() -> None:
    columns = {
        "n": pd.Series([1, None], dtype="Int64"),
        "share": pd.Series([0.25, None], dtype="Float64"),
        "yes": pd.Series([True, False], dtype="bool"),
    }
    cells = Seen(shown(pd.DataFrame(columns))).cells
    assert cells[-8:] == ["0", "1", "0.25", "True", "1", "", "", "False"]


def test_long_text_is_cut_and_long_tables_are_counted() -> None:
    table = pd.DataFrame({"a": ["x" * 10_000] * 100})
    page = Seen(shown(table))
    assert max(map(len, page.cells[:-1])) == LONGEST
    assert "100 rows" in " ".join(page.cells)
