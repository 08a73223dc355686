"""One reference, one answer: cases as manifests, each beside what is expected of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from protocol_analysis import Inventory, Resolution, load, resolve, ruleset
from protocol_analysis.model import ROUTE_KINDS
from protocol_analysis.resolver import CHECKS, resolve_with

CASES = Path(__file__).parent / "manifests"
NAMES = sorted(file.name.removesuffix(".expected.yaml") for file in CASES.glob("*.expected.yaml"))

ROW_KEYS = {
    "cluster", "route", "rule", "role", "backend", "backendRef", "appProtocol", "protocol",
    "forceHTTP1", "tls", "upstream", "implementation", "release", "mesh",
    "verified", "reasons", "readings", "referencedAt", "declaredAt",
}  # fmt: skip


def case_of(name: str) -> tuple[Path, Mapping[str, Any]]:
    """The manifest, or the folder of them, and what is expected."""
    folder, file = CASES / name, CASES / f"{name}.yaml"
    text = (CASES / f"{name}.expected.yaml").read_text(encoding="utf-8")
    return (folder if folder.is_dir() else file), yaml.safe_load(text)


def reference(row: Resolution) -> str:
    """Which reference a row is about, as the expectations write it."""
    of = f"{row.route.kind} {row.route.namespace}/{row.route.name}"
    return f"{of} {row.ref.rule} {row.ref.role} {row.ref.backend}"


def answer(row: Resolution) -> str:
    """The answer and its reasons, as the expectations write them."""
    flags = (" forced" if row.force_http1 else "") + (" tls" if row.tls else "")
    rows = ", ".join(reason.row for reason in row.reasons)
    return f"{row.protocol or 'null'}{flags} by {rows}"


def answers(inventory: Inventory, release: str) -> dict[str, str]:
    rules = ruleset().at(release)
    return {reference(row): answer(row) for row in resolve_with(inventory, rules)}


def expected_at(expected: Mapping[str, Any], release: str) -> dict[str, str]:
    """What is expected of each reference at a release."""
    return {
        name: text
        for name, by_release in expected["references"].items()
        for releases, text in by_release.items()
        if release in releases.split()
    }


def case_releases() -> Iterator[tuple[str, str]]:
    for name in NAMES:
        for release in case_of(name)[1]["releases"]:
            yield name, release


@pytest.mark.parametrize(("name", "release"), list(case_releases()))
def test_case(name: str, release: str) -> None:
    source, expected = case_of(name)
    inventory = load(source)
    assert inventory.unreadable == ()
    # Both ways: no reference is missing, and none is there that nobody expects.
    assert answers(inventory, release) == expected_at(expected, release)


@pytest.mark.parametrize("name", NAMES)
def test_expectations_name_every_release_once(name: str) -> None:
    """A typing error in an expectation must not make it hold nothing."""
    expected = case_of(name)[1]
    for reference_name, by_release in expected["references"].items():
        named = [release for releases in by_release for release in releases.split()]
        assert sorted(named) == sorted(expected["releases"]), reference_name


def all_rows() -> Iterator[Resolution]:
    for name, release in case_releases():
        yield from resolve(load(case_of(name)[0]), release=release)


def test_the_cases_cover_every_outcome_and_every_row() -> None:
    """Every check, every row of the ruleset, every route kind and role stands in some case."""
    said: set[str] = set()
    kinds: set[tuple[str, str]] = set()
    for row in all_rows():
        said |= {reason.row for reason in row.reasons}
        kinds.add((row.route.kind, row.ref.role))
    wanted = {
        row.id for row in ruleset().rows if row.section not in ("accepts", "lists", "standard")
    }
    # Defaults of a Backend on the other route kinds are held by the matrix of values.
    assert {name for name in wanted | set(CHECKS) - said if name not in said} <= {
        "default-backend-grpc",
        "default-backend-tls-https",
        "default-backend-udp",
    }
    assert kinds >= {(kind, "forward") for kind in ROUTE_KINDS}
    assert kinds >= {("HTTPRoute", "mirror"), ("GRPCRoute", "mirror")}


def test_every_row_is_the_contracts_and_says_why() -> None:
    for row in all_rows():
        as_json = json.loads(json.dumps(row.as_dict()))
        assert set(as_json) == ROW_KEYS
        assert set(as_json["route"]) == {"kind", "namespace", "name"}
        assert set(as_json["backendRef"]) == {
            "group", "kind", "namespace", "name", "port", "weight",
        }  # fmt: skip
        assert set(as_json["referencedAt"]) == {"file", "document", "line", "column"}
        assert as_json["reasons"]
        for reason in as_json["reasons"]:
            assert set(reason) == {"row", "text", "source"}
            assert reason["text"]
            assert reason["source"].startswith("https://")
        assert (row.outcome == "resolved") is (row.protocol is not None)
        assert row.deciding.row != "assumed"
        if row.protocol is None:
            assert not row.force_http1
