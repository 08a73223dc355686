"""Real manifests of public repositories: every file is read, every port appears in coverage.

The ports are counted a second time with PyYAML alone, which knows nothing of this package.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from protocol_analysis import Inventory, coverage, load, resolve
from tests.support import SHARED, needs_shared

REAL = SHARED / "real"
MCS_GROUPS = (
    "multicluster.x-k8s.io",
    "net.gke.io",
    "networking.fleet.azure.com",
    "application-networking.k8s.aws",
)
Port = tuple[str, str, Any]  # file, kind, what it declares

pytestmark = needs_shared


@cache
def inventory() -> Inventory:
    return load(REAL / "manifests")


def index() -> list[dict[str, Any]]:
    lines = (REAL / "index.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


class Text(yaml.CSafeLoader):
    """PyYAML without dates and the odd constructors that real files trip over."""


for _tag in ("timestamp", "value"):
    Text.add_constructor(f"tag:yaml.org,2002:{_tag}", lambda _, node: node.value)


def objects(node: Any) -> Iterator[dict[str, Any]]:
    """The objects of a document: itself, those of a List, those of a translator fixture."""
    if not isinstance(node, dict):
        return
    if "kind" not in node and "apiVersion" not in node:
        if "xdsIR" in node or "infraIR" in node:
            return
        for value in node.values():
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, dict) and "kind" in item:
                    yield item
    elif str(node.get("kind")).endswith("List") and isinstance(node.get("items"), list):
        for item in node["items"]:
            yield from objects(item)
    else:
        yield node


def declared(item: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Kind and declared value of every backend port of an object."""
    kind, group = item.get("kind"), str(item.get("apiVersion", "")).rpartition("/")[0]
    spec = item.get("spec") or {}
    if (kind == "Service" and not group) or (kind == "ServiceImport" and group in MCS_GROUPS):
        for port in spec.get("ports") or []:
            yield kind, port.get("appProtocol")
    elif kind == "Backend" and group == "gateway.envoyproxy.io":
        values = next((v for k, v in spec.items() if k.lower() == "appprotocols"), None)
        yield kind, tuple(values) if values else None


def counted(file: Path) -> Iterator[Port]:
    text = file.read_text(encoding="utf-8-sig")
    for document in yaml.load_all(text, Loader=Text):
        for item in objects(document):
            yield from ((file.as_posix(), *found) for found in declared(item))


def test_every_file_is_read_in_one_run() -> None:
    read = inventory()
    assert len(index()) == read.files == 1739
    # Two test manifests have a word where a port's number belongs; all else of them is read.
    assert [problem.reason for problem in read.unreadable] == [
        "port is no integer, Kubernetes wants one"
    ] * 2
    # What is passed over is named, and is nothing but the outputs of translator tests.
    assert all(problem.position.file.endswith(".out.yaml") for problem in read.skipped)


def test_every_port_appears_in_coverage() -> None:
    files = [REAL / entry["file"] for entry in index()]
    expected = Counter(port for file in files for port in counted(file))
    rows = coverage(inventory())
    found = Counter((row.declared_at.file, row.meta.kind, row.app_protocol) for row in rows)
    assert sum(expected.values()) > 2000
    assert found == expected


def test_every_declared_port_says_where() -> None:
    """The position of a declaration holds the value, in the file as it is."""
    for row in coverage(inventory()):
        if isinstance(row.app_protocol, str) and row.app_protocol:
            at = row.declared_at
            line = Path(at.file).read_text(encoding="utf-8-sig").splitlines()[at.line - 1]
            assert line[at.column - 1 :].lstrip("\"'").startswith(row.app_protocol), at


@pytest.mark.parametrize("release", ["v0.6.0", "v1.3.3", "v1.8.3", "main"])
def test_every_reference_has_a_protocol_or_a_reason(release: str) -> None:
    rows = resolve(inventory(), release=release)
    assert len(rows) > 1500
    for row in rows:
        assert row.reasons
        assert (row.protocol is not None) is (row.outcome == "resolved")
