"""Hostile input: no crash, no hang, no memory without end; and the neighbours are still read.

It is read by a process apart: what would end that process, or fill it, must not end the tests.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from protocol_analysis.manifests import composing
from protocol_analysis.manifests.nodes import documents

# Says of each text what was read of it, before it begins the next.
READ = """
import io, json, resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]) << 20,) * 2)
from protocol_analysis import load
for text in json.load(sys.stdin):
    sys.stdin = io.TextIOWrapper(io.BytesIO(text.encode()))
    started = time.process_time()
    inventory = load("-")
    print(json.dumps({
        "seconds": time.process_time() - started,
        "said": [str(problem) for problem in inventory.unreadable[:3]],
        "services": len(inventory.services),
        "documents": inventory.documents,
    }), flush=True)
"""
NEIGHBOUR = "\n---\n{apiVersion: v1, kind: Service}\n"
ITEM = "{apiVersion: v1, kind: Service, spec: {ports: [{port: 80}]}}"


def read(*texts: str, megabytes: int = 512, seconds: float = 120) -> list[dict[str, Any]]:
    """What a process with so much memory and time says of each text; its error is the last."""
    child = subprocess.Popen(
        [sys.executable, "-c", READ, str(megabytes)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    try:
        out, error = child.communicate(json.dumps(texts), timeout=seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        out, error = child.communicate()
    found: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    if child.returncode:
        found.append({"error": f"{child.returncode}: {error[-500:]}"})
    return found


def doubling(first: str, step: str, levels: int) -> str:
    """Levels of anchors, each of which stands for ten of the one before."""
    lines = [first.format(name="a0")]
    lines += [
        step.format(name=f"a{n}", ten=", ".join([f"*a{n - 1}"] * 10)) for n in range(1, levels)
    ]
    return "".join(lines)


LAUGHS = doubling("a0: &a0 x\n", "{name}: &{name} [{ten}]\n", 20)
# A few hundred bytes that stand for a million Services.
SERVICES = doubling(
    f"kind: List\nitems:\n- &{{name}} {ITEM.replace('{', '{{').replace('}', '}}')}\n",
    "- &{name} {{kind: List, items: [{ten}]}}\n",
    7,
)
MERGES = doubling("a0: &a0 {{x: 1}}\n", "{name}: &{name} {{{name}: 1, <<: [{ten}]}}\n", 20)
WIDE = "a: &a {" + ", ".join(f"k{n}: 1" for n in range(1000)) + "}\n"

# Text, and what is said of it first; None where it is good. Each has two seconds.
HOSTILE: list[tuple[str, str, str | None]] = [
    ("lists in lines", "- " * 50_000, ":1:401: nested deeper than 200 levels"),
    ("lists in flow", "[" * 100_000, "nest"),
    ("mappings in flow", "{" * 100_000, "nest"),
    ("mappings in lines", "{\n" * 50_000, "where a key is expected"),
    ("explicit keys", "? " * 50_000, "where a key is expected"),
    ("block mappings", "".join(f"{' ' * n}a:\n" for n in range(1000)), ":201:201: nested deeper"),
    ("json objects", '{"a":' * 20_000, "nest"),
    ("json lists", '{"a":' + "[" * 50_000, "nest"),
    ("deep json", '{"a":' * 500 + "1" + "}" * 500, ":1:1001: nested deeper than 200 levels"),
    ("json in json lines", '{"a":{}\n' * 10_000, "not YAML"),
    ("broken json lines", '{"a":1}\n{"b":\n' * 10_000, ":4:1: not JSON"),
    ("laughs", LAUGHS, "aliases and merge keys stand for more than 250000 values"),
    ("services", SERVICES, "aliases and merge keys stand for more than 250000 values"),
    ("many small bombs", f"{WIDE}b: [{'*a, ' * 99}]\n---\n" * 20, ":8:"),
    ("merges", MERGES, None),
    ("wide merges", WIDE + "b:\n" + "- {<<: *a}\n" * 2000, "stand for more than"),
    ("merged lists", WIDE + "b: {<<: [" + "*a, " * 2000 + "]}", "stand for more than"),
    ("inside itself", "a: &a [*a, *a]", "*a stands inside itself"),
    ("merge inside itself", "a: &a {<<: *a}", "*a stands inside itself"),
    ("quotes", '"' * 100_001, "not YAML"),
    ("anchors", "- &a x\n" * 20_000, None),
    ("long line", "a: " + "x" * 2**20, None),
    ("long key", "k" * 2**20 + ": 1", "not YAML"),
    ("long list in a line", "[" + "a," * 100_000 + "]", None),
    ("long json line", '{"a": [' + "1," * 100_000 + "1]}", None),
    ("long number", "kind: Service\nspec: {ports: [{port: " + "9" * 2**20 + "}]}", "no integer"),
    (
        "long hexadecimal",
        "kind: Service\nspec: {ports: [{port: 0x" + "f" * 2**20 + "}]}",
        "no integer",
    ),
    ("long words", "kind: Service\nspec: {ports: [{port: " + "9 " * 2**19 + "}]}", "no integer"),
    ("escapes", '{"a": "' + "\\ud83d\\ude00" * 50_000 + '"}', None),
    ("comments", "# x\n" * 200_000, None),
    ("directives", "%a\n#\n" * 50_000 + "---\na: 1", "not YAML"),
    ("directives and words", "#\n%a\nb\n" * 30_000, "not YAML"),
    ("marks", "\ufeff\n" * 100_000, None),
    ("ends", "...\n" * 100_000, None),
    ("markers", "---\n" * 100_000, None),
    ("blanks", " " * 2**20, None),
    ("tabs", "\t" * 2**20, None),
    ("braces", "a: '" + "{{" * 2**19 + "'", None),
    ("line separators", "- a\u2028" * 50_000, None),
    ("broken documents", "}\n---\n" * 5_000, ":1:1: not YAML"),
    ("duplicate keys", "a: 1\n" * 50_000, None),
    ("duplicates after a merge", "<<: {a: 1}\n" + "a: 1\n" * 50_000, None),
    ("no end of lists", "{kind: List, items: [" * 90 + "]}" * 90, None),
]


@pytest.fixture(name="said", scope="module")
def _said() -> dict[str, dict[str, Any]]:
    """What is said of each hostile text; after one that ends the process there is none."""
    found = read(*(text + NEIGHBOUR for _, text, _ in HOSTILE))
    return dict(zip([name for name, _, _ in HOSTILE], found, strict=False))


@pytest.mark.parametrize(
    ("name", "reason"), [pytest.param(name, reason, id=name) for name, _, reason in HOSTILE]
)
def test_hostile_text(name: str, reason: str | None, said: dict[str, dict[str, Any]]) -> None:
    found = said.get(name, {"error": "it was not reached"})
    assert "error" not in found
    if reason is None:
        assert found["said"] == []
    else:
        assert reason in found["said"][0]
    # The neighbour, and in the good ones the Service that holds the long number.
    assert found["services"] >= 1
    assert found["seconds"] < 2


# What is only large is read, in a time that grows no faster than it does.
LARGE: list[tuple[str, Callable[[], str], int, float]] = [
    ("documents", lambda: f"{ITEM}\n---\n" * 100_000, 100_000, 60),
    ("scalar", lambda: "a: |\n" + ("  " + "x" * 78 + "\n") * 650_000 + NEIGHBOUR, 1, 20),
    ("line", lambda: "a: " + "x" * 50 * 2**20 + NEIGHBOUR, 1, 20),
    ("list", lambda: "kind: List\nitems:\n" + f"- {ITEM}\n" * 100_000, 100_000, 60),
    ("json list", lambda: json.dumps({"kind": "List", "items": [{}] * 10**6}) + NEIGHBOUR, 1, 60),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "services", "seconds"), [pytest.param(*row, id=name) for name, *row in LARGE]
)
def test_large_text(make: Callable[[], str], services: int, seconds: float) -> None:
    (found,) = read(make(), megabytes=2048)
    assert found["said"] == []
    assert found["services"] == services
    assert found["seconds"] < seconds


@pytest.mark.slow
def test_values_without_end_stop_in_time() -> None:
    (found,) = read("- a\n" * 40_000_000 + NEIGHBOUR, megabytes=3072)
    assert found["said"] == ["-:5000000:3: more than 5000000 values in one document; split it"]
    assert found["services"] == 1


def test_many_documents() -> None:
    (found,) = read("a: 1\n---\n" * 20_000 + NEIGHBOUR)
    assert (found["documents"], found["services"]) == (20_001, 1)
    assert found["seconds"] < 10


def test_the_number_of_values_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """In each document, so that a good one may follow; `[` and two keys are values too."""
    monkeypatch.setattr(composing, "MAX_NODES", 5)
    found = list(documents("[1, 2, 3, 4]\n---\n[1, 2, 3,\n 4, 5]\n---\na: 1"))
    assert [(document.line, document.column) for document in found if document.error] == [(4, 5)]
    assert [document.root is None for document in found] == [False, True, False]


# Which documents are refused where aliases may stand for ten values more than are written.
BUDGETS = [
    ("under", "[&a [1, 2], *a, *a, *a]", [False]),
    ("over", "[&a [1, 2], *a, *a, *a, *a, *a, *a, *a, *a]", [True]),
    ("much is written", "[&a [1, 2], 1, 2, 3, 4, 5, 6, *a, *a, *a, *a, *a, *a, *a, *a]", [False]),
    ("together", "---\n[&a [1, 2], *a, *a, *a]\n" * 8, [False] * 4 + [True] * 4),
    # A document that is refused takes nothing from those after it.
    ("refused", f"[&a [1, 2]{', *a' * 40}]\n---\n[&a [1, 2], *a, *a, *a]", [True, False]),
]


@pytest.mark.parametrize(
    ("text", "refused"), [pytest.param(*row, id=name) for name, *row in BUDGETS]
)
def test_what_aliases_stand_for_is_limited(
    text: str, refused: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(composing, "MAX_ALIASED", 10)
    assert [bool(document.error) for document in documents(text)] == refused


def test_the_limits_can_fail() -> None:
    """A text that is read, one that is too large for the memory, and one that is not reached."""
    large = "a: " + "x" * 30 * 2**20
    good, bad = read("a: 1", large, "a: 1", megabytes=200)
    assert good["said"] == []
    assert "MemoryError" in bad["error"]
    (late,) = read("a: 1", seconds=0.001)
    assert "-9" in late["error"]
