"""Rows as text: whatever they hold, what reads back is what was written, and no terminal obeys."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings, strategies as st

from protocol_analysis.formats import FORMATS, printable, render

Row = Mapping[str, Any]
COLUMNS = {"name": lambda row: row["name"], "list": lambda row: row["list"]}
WIDE = {"flag": lambda row: row["flag"]}

# Texts that a name or a value in a manifest may be.
HOSTILE = [
    "",
    " ",
    " grpc",
    "a\nb",
    "a\r\nb",
    "a\rb",  # csv readers take it for the end of a line
    "\ttab",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x00\x01\x08\x7f",
    "\x9b31m",  # an escape sequence's beginning in one character
    "a\x85b",  # a line break for YAML, and nowhere else
    "a\u2028 b",
    "\u202egnp.exe",  # reads backwards from here
    "\u2066a\u2069\u200f\u200e\u061c",
    "zero\u200bwidth\ufeff",
    "\U000e0041\U000e007f",  # tags: invisible, and read by machines
    "=1+1",
    "@SUM(A1)",
    "-1",
    '+"cmd"',
    'say "hi", he said',
    "a|b",
    "|---|",
    "<script>alert(1)</script>",
    "[x](https://example.net)",
    "![x](y) `code` **bold** _it_ ~~no~~ $\\frac{1}{0}$ &amp; #1 \\",
    "null",
    "~",
    "yes",
    "1.0",
    "0x10",
    "2026-08-15",
    "- a",
    "a: b",
    "a #b",
    "{a: b}",
    "!!python/name:os.system",
    "&a *a %a @a `a",
    "=",
    "<<",
    "---",
    "...",
    "'",
    '"',
    "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n \N{CJK UNIFIED IDEOGRAPH-4E2D} \U0001f980",
    "\udcff",  # what a file name that is not UTF-8 becomes
    "a" * 300,
    "long words " * 30,
]
ENCODINGS = ("utf-8", "ascii", "latin-1", "cp1252")

texts = st.sampled_from(HOSTILE) | st.text(
    st.characters(exclude_categories=()) | st.sampled_from("\n\r\x85\u2028 \t\"',:#-"), max_size=12
)
quick = settings(max_examples=150, deadline=None, derandomize=True, database=None)


def a_row(text: str) -> Row:
    """A row with the text in every place that a row has."""
    inner = {"file": text, "line": 1}
    return {"name": text, "list": [text, "b"], "flag": True, "none": None, "at": inner, "rows": []}


def written(text: str, output: str, encoding: str = "utf-8") -> str:
    """The row as bytes of the encoding, read again."""
    out = render([a_row(text)], output, COLUMNS, WIDE, encoding=encoding)
    return out.encode(encoding).decode(encoding)


def read_back(output: str, text: str) -> Any:
    """The rows as another program would read them."""
    if output == "json":
        return json.loads(text)
    if output == "jsonl":
        return [json.loads(line) for line in text.split("\n")]
    return yaml.safe_load(text)


def cells(text: str) -> list[list[str]]:
    """A csv's lines as a standard reader has them."""
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@quick
@given(texts, st.sampled_from(("json", "jsonl", "yaml")), st.sampled_from(ENCODINGS))
@example("a\x85b", "yaml", "utf-8")
@example("a\u2028 b", "yaml", "utf-8")
@example("\udcff", "yaml", "utf-8")
@example("\U0001f980", "json", "ascii")
def test_json_and_yaml_read_back_as_they_were(text: str, output: str, encoding: str) -> None:
    assert read_back(output, written(text, output, encoding)) == [a_row(text)]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("output", ["json", "jsonl", "yaml", "csv"])
def test_every_hostile_text_reads_back(output: str, text: str) -> None:
    if output != "csv":
        assert read_back(output, written(text, output)) == [a_row(text)]
    else:
        assert_csv(text)


def assert_csv(text: str) -> None:
    header, line = cells(written(text, "csv"))
    assert header == ["name", "list", "flag", "none", "at.file", "at.line", "rows"]
    name, listed, flag, none, file, number, empty = line
    kept = "".join(c if c in "\t\n" else printable(c) for c in text)
    assert (name, file) == (kept, kept)
    assert json.loads(listed) == [text, "b"]
    assert (flag, none, number, empty) == ("True", "", "1", "[]")


@quick
@given(st.text(st.characters(codec="utf-8") | st.sampled_from('\r\n",\0'), max_size=12))
@example("a\rb")
@example('"\r\n"')
def test_csv_reads_back_as_it_was_but_for_control_characters(text: str) -> None:
    assert_csv(text)


# What gives text another direction, besides the characters that Unicode calls so.
MARKS = "\u200e\u200f\u061c"
ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\xad"
DIRECTIONS = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}


def is_obeyed(character: str) -> bool:
    """Whether a terminal does something else with it than show it."""
    return (
        unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
        or unicodedata.bidirectional(character) in DIRECTIONS
        or character in MARKS + ZERO_WIDTH
        or "\U000e0000" <= character <= "\U000e007f"
    )


@quick
@given(texts, st.sampled_from(("table", "wide", "markdown")), st.sampled_from(ENCODINGS))
@example("\x9b31m", "table", "utf-8")
@example("\u200f\u061c", "wide", "utf-8")
@example("\U000e0041", "markdown", "utf-8")
def test_people_see_no_control_character(text: str, output: str, encoding: str) -> None:
    lines = written(text, output, encoding).split("\n")
    assert len(lines) == (3 if output == "markdown" else 2)
    assert not [c for line in lines for c in line if is_obeyed(c)]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_markdown_row_stays_one_row_of_its_table(text: str) -> None:
    row = written(text, "markdown").split("\n")[-1]
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == 4
    # No markup is left: each character that Markdown reads is escaped.
    bare = re.sub(r"\\[!-/:-@\[-`{-~]", "", row)
    assert not set("`*_[]<>#!&~$\\{}") & set(bare)


def test_blanks_at_an_end_are_seen() -> None:
    out = render([{"name": " grpc", "list": []}], "table", COLUMNS, {})
    assert '" grpc"' in out


def test_wide_adds_to_what_table_shows() -> None:
    rows = [a_row("x")]
    assert render(rows, "table", COLUMNS, WIDE).splitlines()[0].split() == ["NAME", "LIST"]
    assert render(rows, "wide", COLUMNS, WIDE).splitlines()[0].split() == ["NAME", "LIST", "FLAG"]
    assert "yes" in render(rows, "wide", COLUMNS, WIDE)


@pytest.mark.parametrize("output", FORMATS)
def test_nothing_is_written_as_nothing(output: str) -> None:
    text = render([], output, COLUMNS, WIDE, fields=("name", "at.file"))
    wanted = {"json": "[]", "yaml": "[]", "jsonl": "", "csv": "name,at.file"}
    assert text == wanted.get(output, text)
    assert output in wanted or "NAME" in text.upper()


def test_a_csv_has_the_same_columns_whatever_its_rows() -> None:
    """An object that is null in one row has its fields there, empty."""
    fields = ("name", "at.file", "at.line")
    there: Row = {"name": "a", "at": {"file": "f", "line": 1}}
    absent: Row = {"name": "b", "at": None}
    lines = {"a": ["a", "f", "1"], "b": ["b", "", ""]}
    for rows in ([there, absent], [absent, there], [absent], []):
        found = cells(render(rows, "csv", {}, {}, fields=fields))
        assert found == [list(fields), *(lines[row["name"]] for row in rows)]
    assert cells(render([absent, there], "csv", {}, {}))[0] == list(fields)


def test_letters_stay_as_they_are_where_they_can() -> None:
    for output in FORMATS:
        assert "gr\xfcn" in render([a_row("gr\xfcn")], output, COLUMNS, WIDE)
        assert "gr\xfcn" not in render([a_row("gr\xfcn")], output, COLUMNS, WIDE, encoding="ascii")


@quick
@given(texts)
def test_printable_changes_only_what_is_not_shown(text: str) -> None:
    shown = printable(text)
    assert printable(shown) == shown
    if all(c.isprintable() for c in text):
        assert shown == text
