"""Text → nodes: where each value stands, how Kubernetes reads it, which documents there are."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from protocol_analysis.manifests.nodes import Document, Mapping, Node, Scalar, documents

OFFSET = len("appProtocol: ")


def nodes_at(node: Node | None, key: str) -> Iterator[Node]:
    """Every node below `node` that stands under `key`, in order."""
    if isinstance(node, Scalar) or node is None:
        return
    for name, child in node.items.items() if isinstance(node, Mapping) else enumerate(node.items):
        if name == key:
            yield child
        yield from nodes_at(child, key)


def declared(text: str) -> list[Node]:
    """Every appProtocol of a text whose documents can all be read."""
    found = list(documents(text))
    assert [document.error for document in found if document.error] == []
    return [node for document in found for node in nodes_at(document.root, "appProtocol")]


def outcome(document: Document) -> str:
    """The `kind` of a document, or where it is broken."""
    if document.error:
        return f"{document.line}:{document.column}"
    found = list(nodes_at(document.root, "kind"))
    return found[0].text if found and isinstance(found[0], Scalar) else "-"


# Each text has `appProtocol: h2c` once; the last two are the line and the column of `h2c`.
POSITIONS = [
    ("block", "spec:\n  appProtocol: h2c\n", 2, 3 + OFFSET),
    ("crlf", "a: 1\r\nappProtocol: h2c\r\n", 2, 1 + OFFSET),
    ("lone cr", "a: 1\rappProtocol: h2c\r", 2, 1 + OFFSET),
    ("mixed line ends", "a: 1\r\n\rb: 1\n\nappProtocol: h2c", 5, 1 + OFFSET),
    ("byte-order mark", "\ufeffappProtocol: h2c", 1, 1 + OFFSET),
    # Files with marks, joined: an editor shows no mark, so it takes no column.
    ("joined marks", "\ufeffa: 1\n\ufeff---\n\ufeffb: 1\nappProtocol: h2c", 4, 1 + OFFSET),
    ("first marker", "---\nappProtocol: h2c", 2, 1 + OFFSET),
    ("marker", "a: 1\n---\nappProtocol: h2c", 3, 1 + OFFSET),
    ("marker crlf", "a: 1\r\n---\r\nappProtocol: h2c", 3, 1 + OFFSET),
    ("marker cr", "a: 1\r---\rappProtocol: h2c", 3, 1 + OFFSET),
    ("marker and comment", "a: 1\n--- # next\nappProtocol: h2c", 3, 1 + OFFSET),
    ("marker and flow", "a: 1\n--- {appProtocol: h2c}", 2, 6 + OFFSET),
    ("marker, tab, flow", "a: 1\n---\t{appProtocol: h2c}", 2, 6 + OFFSET),
    ("marker and tag", "a: 1\n--- !!map\nappProtocol: h2c", 3, 1 + OFFSET),
    ("comments only before", "a: 1\n---\n# none\n\n---\nappProtocol: h2c", 6, 1 + OFFSET),
    ("comment at the head", "# none\n\n---\nappProtocol: h2c", 4, 1 + OFFSET),
    ("directive", "%YAML 1.1\n---\nappProtocol: h2c", 3, 1 + OFFSET),
    ("second directive", "a: 1\n...\n# c\n%YAML 1.1\n---\nappProtocol: h2c", 6, 1 + OFFSET),
    ("directive without end", "a: 1\n%YAML 1.1\n---\nappProtocol: h2c", 4, 1 + OFFSET),
    ("document end", "a: 1\n...\n---\nappProtocol: h2c", 4, 1 + OFFSET),
    # YAML 1.2 has it; libyaml wants `---` after `...`.
    ("bare after the end", "a: 1\n... # end\nappProtocol: h2c", 3, 1 + OFFSET),
    # These end a line for YAML, and for no editor.
    ("nel", "a: x\x85\nappProtocol: h2c", 2, 1 + OFFSET),
    ("nel on the line", "a: x\x85appProtocol: h2c", 1, 6 + OFFSET),
    ("line separator", "# a\u2028# b\nappProtocol: h2c", 2, 1 + OFFSET),
    ("paragraph separator", "a: 'x\u2029y'\n---\nappProtocol: h2c", 3, 1 + OFFSET),
    ("wide characters", "{a: 😀é, appProtocol: h2c}", 1, 9 + OFFSET),
    ("quoted key", '"appProtocol": h2c', 1, 3 + OFFSET),
    ("single quotes", "appProtocol: 'h2c'", 1, 1 + OFFSET),
    ("explicit key", "? appProtocol\n: h2c", 2, 3),
    ("next line", "appProtocol:\n\n    h2c", 3, 5),
    ("folded", "appProtocol: >-\n  h2c", 1, 1 + OFFSET),
    ("in a list", "- - appProtocol: h2c", 1, 5 + OFFSET),
    ("after its anchor", "appProtocol: &v h2c", 1, 4 + OFFSET),
    ("after anchor and tag", "appProtocol: &v !!str # why\n  h2c", 2, 3),
    ("anchored far away", "x: &v h2c\ny: 1\nappProtocol: *v", 1, 7),
    ("anchor again", "x: &v tcp\ny: &v h2c\nappProtocol: *v", 2, 7),
    ("merged", "<<: {appProtocol: h2c}\na: 1", 1, 6 + OFFSET),
    ("json", '{"a": [1],\n "appProtocol": "h2c"}', 2, 4 + OFFSET),
    ("json surrogates", '{"a": "\\ud83d\\ude00", "appProtocol": "h2c"}', 1, 25 + OFFSET),
    ("json with tabs", '{\n\t"a":\t1,\n\t"appProtocol":\t"h2c"\n}', 3, 4 + OFFSET),
    ("json after a tab", '\t{"appProtocol": "h2c"}', 1, 5 + OFFSET),
    ("json crlf", '{"a": 1,\r\n"appProtocol": "h2c"}\r\n', 2, 3 + OFFSET),
    ("json line separator", '{"a": "\u2028", "appProtocol": "h2c"}', 1, 14 + OFFSET),
    ("json joined", '{"a": 1}{"appProtocol": "h2c"}', 1, 12 + OFFSET),
    ("json lines", '{"a": 1}\n\n{"appProtocol": "h2c"}\n', 3, 4 + OFFSET),
    ("json after yaml", 'a: 1\n---\n {"appProtocol": "h2c"}', 3, 5 + OFFSET),
    ("json after a marker", 'a: 1\n--- {"appProtocol": "h2c"}', 2, 8 + OFFSET),
    ("json and a comment", '{"appProtocol": "h2c"} # why', 1, 4 + OFFSET),
    ("flow, not json", "{\n  # why\n  appProtocol: h2c,\n}", 3, 3 + OFFSET),
]


@pytest.mark.parametrize(
    ("text", "line", "column"), [pytest.param(*row, id=name) for name, *row in POSITIONS]
)
def test_position(text: str, line: int, column: int) -> None:
    (node,) = declared(text)
    assert isinstance(node, Scalar)
    assert node.text == "h2c"
    assert (node.line, node.column) == (line, column)


TRUE = ("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE")
FALSE = ("n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE")
NO_LONGER_PLAIN = "'on'", '"on"', "!!str on", "!local on", "|-\n  on", ">-\n  on"

# What stands in YAML → what Kubernetes makes of it (goyaml.v2/resolve.go, strconv.ParseInt).
VALUES: list[tuple[str, object]] = [
    *((written, True) for written in TRUE),
    *((written, False) for written in FALSE),
    *((written, written) for written in ("yEs", "oN", "tRUE", "t", "nO", "nope", "null1")),
    *((written, None) for written in ["", "~", "null", "Null", "NULL"]),
    *((written, "on") for written in NO_LONGER_PLAIN),
    ("nULL", "nULL"),
    ("0", 0),
    ("-0", 0),
    ("+1", 1),
    ("80", 80),
    ("8_0", 80),
    ("1_000_", 1000),
    ("_1", "_1"),  # a number starts with a digit, a sign or a point
    ("0755", 493),
    ("0o755", 493),
    ("0O17", 15),
    ("08", 8.0),  # no octal, so a float
    ("0x1F", 31),
    ("-0x1f", -31),
    ("0b11", 3),
    ("0b12", "0b12"),
    ("0xg", "0xg"),
    ("1e3", 1000.0),
    ("1E+3", 1000.0),
    (".5", 0.5),
    ("5.", 5.0),
    ("._5", "._5"),
    (".", "."),
    ("-x", "-x"),
    ("+", "+"),
    ("1.2.3", "1.2.3"),
    ("12:30", "12:30"),  # no sexagesimals
    ("12:30:45.5", "12:30:45.5"),
    ("2024-01-02", "2024-01-02"),  # a timestamp, which it hands on as text
    ("2024-03-01T12:00:00Z", "2024-03-01T12:00:00Z"),
    ("18446744073709551615", 2**64 - 1),
    ("99999999999999999999999", 99999999999999999999999),
    ("0x" + "f" * 20, int("f" * 20, 16)),
    ("9" * 5000, math.inf),  # too long for an integer of Python, and no string
    ("1e400", "1e400"),  # out of range
    (".inf", math.inf),
    ("-.INF", -math.inf),
    ("=", "="),
    ("<<", "<<"),
    ("kubernetes.io/h2c", "kubernetes.io/h2c"),
    ("!!bool 'on'", True),
    ("!!int '80'", 80),
    ("!!float 80", 80),
    ("!!null x", "x"),
    ("! on", True),  # libyaml and its Go translation drop the lone `!`
]


@pytest.mark.parametrize(
    ("written", "value"), [pytest.param(*row, id=row[0][:30] or "empty") for row in VALUES]
)
def test_value(written: str, value: object) -> None:
    (node,) = declared(f"appProtocol: {written}")
    assert isinstance(node, Scalar)
    found = node.value()
    assert found == value
    assert type(found) is type(value)


def test_not_a_number_is_a_number() -> None:
    assert math.isnan(Scalar(".nan", plain=True, line=1, column=1).value())


# JSON has its own words, and its strings are strings.
JSON_VALUES = [
    ('"on"', "on"),
    ('"80"', "80"),
    ("true", True),
    ("null", None),
    ("80", 80),
    ("8e1", 80.0),
    ('"<<"', "<<"),
    ('"\\ud83d\\ude00"', "😀"),
    ('"\\ud83d"', "\ufffd"),  # half a pair; Go reads the same
    ('"\\\\ud83d\\\\ude00"', "\\ud83d\\ude00"),  # a backslash is written here, no escape
    ('"\\u0000"', "\0"),
    ('"\x7f"', "\x7f"),  # legal in JSON, not in YAML
    ('"a\u2028b"', "a\u2028b"),
    ('"' + "9" * 5000 + '"', "9" * 5000),
    ("9" * 5000, math.inf),
    ("NaN", "NaN"),  # no JSON, so YAML: a string
]


@pytest.mark.parametrize(("written", "value"), JSON_VALUES, ids=range(len(JSON_VALUES)))
def test_json_value(written: str, value: object) -> None:
    (node,) = declared(f'{{"appProtocol": {written}}}')
    assert isinstance(node, Scalar)
    assert node.value() == value


# What each document is, in order: its kind, or the line and column where it is broken.
STREAMS = [
    ("none", "", []),
    ("comments", "# a\n\n  # b", []),
    ("markers", "---\n---\n", []),
    ("blank with tabs", " \n\t\n", []),
    ("null", "null", ["-"]),
    ("scalar", "just words", ["-"]),
    ("no-break space", "\xa0", ["-"]),  # content for YAML, blank for Python's strip()
    ("marker in a scalar", "kind: |\n  ---\n  x", ["---\nx"]),
    ("---foo is no marker", "kind: A\n---foo: 1", ["A"]),
    ("marker in quotes", 'kind: "a\n---\nkind: B', ["1:9", "B"]),
    ("first broken", "kind: [\n---\nkind: B", ["1:8", "B"]),
    ("middle broken", "kind: A\n---\nb: }\n---\nkind: C", ["A", "3:4", "C"]),
    ("last broken", "kind: A\n---\nkind: B\nbad\n--- ", ["A", "4:4"]),
    (
        "broken after a directive",
        "%YAML 1.1\n---\nkind: A\n---\n}\n---\nkind: C",
        ["A", "5:1", "C"],
    ),
    ("broken with document ends", "kind: A\n...\n---\n}\n...\n---\nkind: C", ["A", "4:1", "C"]),
    ("broken with lone cr", "kind: A\r---\r}\r---\rkind: C", ["A", "3:1", "C"]),
    ("broken with nel", "kind: A\n---\n# \x85\nb: }\n---\nkind: C", ["A", "4:4", "C"]),
    ("control character", "kind: A\n---\na: 1\nb: \x01\n---\nkind: C", ["A", "4:4", "C"]),
    ("nul", "kind: A\n---\nb: \0\n---\nkind: C", ["A", "3:4", "C"]),
    ("bad byte", "kind: A\n---\nk: 1\nb: \udcff\n---\nkind: C", ["A", "4:4", "C"]),
    ("half a pair", "kind: A\n---\nb: \ud800\n---\nkind: C", ["A", "3:4", "C"]),
    ("tab as indent", "kind: A\n---\na:\n\tb: 1\n---\nkind: C", ["A", "4:1", "C"]),
    ("unknown directive", "%FOO\n---\nkind: A\n---\nkind: B", ["1:5", "B"]),
    ("future directive", "%YAML 2.0\n---\nkind: A\n---\nkind: B", ["1:1", "B"]),
    ("tag of its directive", "%TAG !e! tag:e,1:\n---\nkind: !e!x A\n---\nkind: B", ["A", "B"]),
    ("words after the marker", "kind: A\n--- kind: B\n---\nkind: C", ["A", "2:9", "C"]),
    ("words after the end", "kind: A\n... kind: B\n---\nkind: C", ["A", "2:5", "C"]),
    ("unknown anchor", "a: *x\n---\nkind: B", ["1:4", "B"]),
    ("anchors end with their document", "a: &x 1\n---\na: *x", ["-", "3:4"]),
    ("anchor inside itself", "a: &x [*x]\n---\nkind: B", ["1:8", "B"]),
    ("mapping as key", "{a: 1}: b\n---\nkind: B", ["1:1", "B"]),
    ("list as key", "? [a]\n: b\n---\nkind: B", ["1:3", "B"]),
    ("merge of a scalar", "a: &x 1\n<<: *x\n---\nkind: B", ["2:1", "B"]),
    ("other keys", "1: a\nyes: b\n~: c\n1.5: d\nkind: A", ["A"]),
    ("json", '{"kind": "A"}{"kind": "B"}\n{"kind": "C"}', ["A", "B", "C"]),
    ("json, then yaml", '{"kind": "A"}\n---\nkind: B', ["A", "B"]),
    ("broken json first", '{"kind": "A" 1}\n{"kind": "B"}', ["1:14", "B"]),
    ("broken json", '{"kind": "A"}\n{"k" 1}\n{"kind": "C"}', ["A", "2:6", "C"]),
    ("truncated json", '{"kind": "A"}\n{"kind": "B",\n ', ["A", "3:2"]),
    ("words after json", '{"kind": "A"}\n{"kind": "B"}\nkind: C', ["A", "B", "3:1"]),
    # Each item of a list that has lost its end is no document.
    ("truncated list", '{"items": [\n{"kind": "A"},\n{"kind": "B"},', ["3:15"]),
]


@pytest.mark.parametrize(
    ("text", "expected"), [pytest.param(*row, id=name) for name, *row in STREAMS]
)
def test_documents(text: str, expected: list[str]) -> None:
    found = list(documents(text))
    assert [outcome(document) for document in found] == expected


def test_documents_are_numbered_as_they_stand() -> None:
    """An empty document counts, as in YAML; what stands before the first marker does not."""
    text = "# head\n---\na: 1\n---\n---\n}\n---\n{}\n{}\n...\n# between\n---\nb: 1"
    assert [document.number for document in documents(text)] == [1, 3, 4, 5, 6]


# The duplicated keys, each as `key:line:column`.
DUPLICATES = [
    ("none", "a: 1\nb: {a: 1}", []),
    ("last wins", "a: 1\nkind: 1\nkind: 2", ["kind:3:1"]),
    ("in flow", "{kind: 1, kind: 2}", ["kind:1:11"]),
    ("in json", '{"kind": 1,\n "kind": 2}', ["kind:2:2"]),
    ("quoted or not", "1: a\n'1': b", ["1:2:1"]),  # Kubernetes makes strings of keys
    ("key over merged", "<<: {kind: 1}\nkind: 2", []),
    # Kubernetes goes line by line; YAML says that the key of the mapping itself wins.
    ("merged over key", "kind: 1\n<<: {kind: 2}", ["kind:1:1"]),
    ("key, merged, key", "kind: 1\n<<: {kind: 3}\nkind: 2", ["kind:1:1"]),
    ("merged twice", "<<: {kind: 1}\n<<: {kind: 2}", []),
    ("first of a list", "<<: [{kind: 2}, {kind: 1}]", []),
    ("merged of merged", "a: &a {kind: 1}\nb: &b {<<: *a, kind: 2}\nc: {<<: *b}", []),
]


@pytest.mark.parametrize(
    ("text", "expected"), [pytest.param(*row, id=name) for name, *row in DUPLICATES]
)
def test_duplicate_keys(text: str, expected: list[str]) -> None:
    (document,) = documents(text)
    found = document.duplicates
    assert [f"{key.text}:{key.line}:{key.column}" for key in found] == expected
    values = [node.text for node in nodes_at(document.root, "kind") if isinstance(node, Scalar)]
    assert values[-1:] in ([], ["2"])
