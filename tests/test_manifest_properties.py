"""What holds for any text and any object, whatever wrote it."""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings, strategies as st

from protocol_analysis import Inventory, load
from protocol_analysis.manifests.nodes import Mapping, Node, Scalar, documents
from protocol_analysis.model import Position

# The same examples in every run; `make test-slow` looks further.
ANY_SPEED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
QUICK = settings(ANY_SPEED, max_examples=150, derandomize=True)
FAR = settings(ANY_SPEED, max_examples=10_000)

# Pieces that mean something to YAML, to JSON, to Helm or to whoever counts lines.
PIECES = (
    "---", "--- ", "...", "\n", "\r", "\r\n", "\x85", "\u2028", "\ufeff", "%YAML 1.1\n", "%TAG",
    "# c", " ", "\t", "- ", "? ", ": ", "kind: A\n", "a", "{", "}", "[", "]", ",", '"', "'", "\\",
    "\\ud83d\\ude00", '{"a": 1}', '"a":', "&a ", "*a ", "<<: ", "!!str ", "!<", "|\n", ">-\n", "~",
    "{{", "}}", "\0", "\x7f", "😀", "\ud800", "\udcff", "é",
)  # fmt: skip
TEXTS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=30).map("".join),
    st.text(st.characters(exclude_categories=()), max_size=40),
)


def lines_of(text: str) -> list[str]:
    """The lines as an editor shows them."""
    return re.split("\r\n|\r|\n", text)


def nodes_in(node: Node | None) -> Iterator[Node]:
    if node is None:
        return
    yield node
    if not isinstance(node, Scalar):
        for child in node.items.values() if isinstance(node, Mapping) else node.items:
            yield from nodes_in(child)


def check_any_text(text: str) -> None:
    """Nothing is raised, and every place that is named is a place in the text."""
    found = list(documents(text))
    # A byte-order mark at the start of a line is not shown, and takes no column.
    lines = [line.lstrip("\ufeff") for line in lines_of(text)]
    assert [d.number for d in found] == sorted({d.number for d in found})
    for document in found:
        places = [(document.line, document.column)] if document.error else []
        places += [(node.line, node.column) for node in nodes_in(document.root)]
        places += [(key.line, key.column) for key in document.duplicates]
        assert bool(document.error) is (document.root is None)
        assert document.number >= 1
        for line, column in places:
            assert 1 <= line <= len(lines)
            assert 1 <= column <= len(lines[line - 1]) + 1


@QUICK
@given(TEXTS)
def test_any_text_is_read_or_said_to_be_broken(text: str) -> None:
    check_any_text(text)


@pytest.mark.slow
@FAR
@given(TEXTS)
def test_far_more_texts_are_read_or_said_to_be_broken(text: str) -> None:
    check_any_text(text)


@QUICK
@given(st.lists(TEXTS, max_size=4))
def test_neighbours_of_any_text_survive(texts: list[str]) -> None:
    """What stands between markers cannot hide what stands beyond them."""
    # An empty document takes the directives that stand last, as they are about what follows.
    good = "\n---\n---\nkind: Good\n---\n"
    found = list(documents(good + good.join(texts) + good))
    kinds = [node.text for d in found for node in nodes_in(d.root) if isinstance(node, Scalar)]
    assert kinds.count("Good") >= len(texts) + 1


WORDS = st.one_of(
    st.sampled_from(["h2c", "kubernetes.io/h2c", "on", "1e3", "0755", "~", "<<", "a: b", "#", "-"]),
    # NEL is left out: PyYAML writes it so that it comes back as a line feed.
    st.text(st.characters(codec="utf-8", exclude_characters="\x85"), max_size=12),
)
SCALARS = st.one_of(WORDS, st.integers(), st.booleans(), st.none())
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(WORDS.filter(lambda word: word != "appProtocol"), inner, max_size=4),
        st.builds(lambda word, more: {"appProtocol": word, "next": more}, WORDS, inner),
    ),
    max_leaves=20,
)
YAML_STYLES = st.fixed_dictionaries(
    {
        "default_flow_style": st.sampled_from([None, True, False]),
        "default_style": st.sampled_from([None, '"', "'", "|", ">"]),
        "width": st.sampled_from([5, 80, 10_000]),
        "indent": st.sampled_from([2, 4, 7]),
        "allow_unicode": st.booleans(),
        "line_break": st.sampled_from(["\n", "\r\n", "\r"]),
        "explicit_start": st.booleans(),
    }
)
JSON_STYLES = st.fixed_dictionaries(
    {
        "indent": st.sampled_from([None, 0, 2, "\t"]),
        "ensure_ascii": st.booleans(),
        "separators": st.sampled_from([None, (",", ":"), (" , ", " : ")]),
    }
)


def words_at(tree: Any) -> Iterator[str]:
    """What stands under `appProtocol` in a tree."""
    if isinstance(tree, dict) and "appProtocol" in tree:
        yield tree["appProtocol"]
    if isinstance(tree, (dict, list)):
        for child in tree.values() if isinstance(tree, dict) else tree:
            yield from words_at(child)


def declared(text: str, tree: Any) -> list[tuple[int, str]]:
    """Every `appProtocol` that is read, by where in the text it stands: as many as in the tree."""
    (document,) = documents(text)
    assert document.error == ""
    starts = [0, *(found.end() for found in re.finditer("\r\n|\r|\n", text))]
    found = [
        (starts[value.line - 1] + value.column - 1, value.text)
        for node in nodes_in(document.root)
        if isinstance(node, Mapping) and isinstance(value := node.items.get("appProtocol"), Scalar)
    ]
    assert len({at for at, _ in found}) == len(found)
    assert sorted(word for _, word in found) == sorted(words_at(tree))
    return found


@QUICK
@given(TREES, YAML_STYLES)
def test_every_value_stands_where_it_is_said_in_yaml(tree: Any, style: dict[str, Any]) -> None:
    """PyYAML's own scanner, in Python, is who else knows where a scalar begins."""
    text = yaml.safe_dump(tree, **style)
    tokens = {
        token.start_mark.index: token.value
        for token in yaml.scan(text, Loader=yaml.SafeLoader)
        if isinstance(token, yaml.ScalarToken)
    }
    for at, word in declared(text, tree):
        assert tokens[at] == word


@QUICK
@given(TREES, JSON_STYLES)
def test_every_value_stands_where_it_is_said_in_json(tree: Any, style: dict[str, Any]) -> None:
    # In braces, so that it is read as JSON; a lone list or word is read as YAML.
    whole = {"appProtocol": "first", "next": tree}
    text = json.dumps(whole, **style)
    for at, word in declared(text, whole):
        assert json.JSONDecoder().raw_decode(text, at)[0] == word


NAMES = st.sampled_from(["cart", "till", "web"])
PORTS = st.fixed_dictionaries(
    {"port": st.integers(1, 65535)},
    optional={"name": NAMES, "appProtocol": st.sampled_from(["h2c", "grpc", "on", True, 2])},
)
REFS = st.fixed_dictionaries({"name": NAMES, "port": st.integers(1, 9)})


def manifest(api: str, kind: str, spec: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    meta = st.fixed_dictionaries({"name": NAMES}, optional={"namespace": NAMES})
    head = {"apiVersion": st.just(api), "kind": st.just(kind)}
    return st.fixed_dictionaries({**head, "metadata": meta, "spec": spec})


OBJECTS = st.one_of(
    manifest("v1", "Service", st.builds(lambda p: {"ports": p}, st.lists(PORTS, max_size=3))),
    manifest(
        "gateway.networking.k8s.io/v1",
        "HTTPRoute",
        st.builds(lambda r: {"rules": [{"backendRefs": r}]}, st.lists(REFS, max_size=3)),
    ),
    manifest(
        "gateway.envoyproxy.io/v1alpha1",
        "Backend",
        st.builds(lambda a: {"appProtocols": a}, st.lists(NAMES, max_size=2)),
    ),
)
STREAMS: dict[str, Callable[[list[Any]], str]] = {
    "yaml": lambda objects: yaml.safe_dump_all(objects, allow_unicode=True),
    "flow": lambda objects: yaml.safe_dump_all(objects, default_flow_style=True),
    "json lines": lambda objects: "".join(json.dumps(found) + "\n" for found in objects),
    "json joined": lambda objects: "".join(json.dumps(found, indent=1) for found in objects),
    "list": lambda objects: yaml.safe_dump({"kind": "List", "apiVersion": "v1", "items": objects}),
    "json list": lambda objects: json.dumps({"kind": "List", "items": objects}),
    # What is the same stands once, and is meant again by an alias.
    "aliases": lambda objects: yaml.safe_dump({"kind": "List", "items": [*objects, *objects]}),
}


def nouns(found: Any) -> Any:
    """What was read, without where it stands."""
    if isinstance(found, Position):
        return None
    if isinstance(found, tuple):
        return [nouns(item) for item in found]
    if is_dataclass(found) and not isinstance(found, type):
        left_out = {"files", "documents"} if isinstance(found, Inventory) else set()
        names = [field.name for field in fields(found) if field.name not in left_out]
        return {name: nouns(getattr(found, name)) for name in names}
    return found


@pytest.mark.parametrize("stream", STREAMS)
def test_one_stream_says_what_many_files_say(stream: str) -> None:
    @settings(QUICK, max_examples=25)
    @given(st.lists(OBJECTS, min_size=1, max_size=4))
    def check(objects: list[Any]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            one = Path(folder, "one.yaml")
            one.write_text(STREAMS[stream](objects), encoding="utf-8")
            many = Path(folder, "many")
            many.mkdir()
            for number, found in enumerate(objects * (1 + (stream == "aliases"))):
                name = many / f"{number}.yaml"
                name.write_text(yaml.safe_dump(found), encoding="utf-8")
            assert nouns(load(one)) == nouns(load(many))

    check()


def kubernetes(text: str) -> Any:
    """How Kubernetes reads plain text, step by step as its reader does.

    By the first character it looks the text up, or tries it as a number: as an integer in the
    base that its prefix says, then as a decimal with a point or an exponent.
    """
    table = {
        **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
        **dict.fromkeys([c for w in ("y", "yes", "true", "on") for c in cases(w)], True),
        **dict.fromkeys([c for w in ("n", "no", "false", "off") for c in cases(w)], False),
    }
    if text in table:
        return table[text]
    if text[0] not in "+-.0123456789":
        return text
    digits = text if text[0] == "." else text.replace("_", "")
    sign = digits[:1] if digits[:1] in ("+", "-") else ""
    body = digits[len(sign) :].lower()
    prefix = next((p for p in ("0x", "0o", "0b", "0") if body.startswith(p) and body != "0"), "")
    base = {"0x": 16, "0o": 8, "0b": 2, "0": 8, "": 10}[prefix]
    rest = body[len(prefix) :]
    if rest and set(rest) <= set("0123456789abcdef"[:base]):
        return int(sign + rest, base)
    if "_" not in digits and set(body) <= set("0123456789.+-e"):
        try:
            value = float(digits)
        except ValueError:
            return text
        return value if math.isfinite(value) else text
    return text


def cases(word: str) -> list[str]:
    return [word, word.capitalize(), word.upper()]


@settings(QUICK, max_examples=1500)
@given(
    st.one_of(
        st.text("0123456789_+-.eE", max_size=8),
        st.text("01_+-.xXoObBaf7", max_size=8),
        st.text("nyoufstreNYOUFSTRE~l", max_size=5),
        st.sampled_from(["true", "False", "ON", "off", "Null", "NO", "yes"]),
    )
)
def test_a_plain_scalar_means_what_kubernetes_makes_of_it(text: str) -> None:
    found = Scalar(text, plain=True, line=1, column=1).value()
    wanted = kubernetes(text)
    assert (type(found), found) == (type(wanted), wanted)
