"""Which BackendTrafficPolicy reaches which route, against the gateway's own translator tests."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import pytest

from protocol_analysis import Inventory, load
from protocol_analysis.attaching import Attaching, Attachment
from protocol_analysis.scope import Scope
from protocol_analysis.wiring import wire
from tests.support import SHARED, needs_shared

Row = Mapping[str, Any]

GOLDEN = SHARED / "golden" / "envoy-gateway"
COMPARED = ("useClientProtocol", "proxyProtocol", "http2")

pytestmark = needs_shared


@cache
def rows() -> tuple[Row, ...]:
    lines = (GOLDEN / "policy_attachment.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(json.loads(line) for line in lines if line.strip())


@cache
def inventory_of(name: str) -> Inventory:
    return load(GOLDEN / name)


def listener_of(where: Attachment) -> str:
    holder = (where.listener_set or where.gateway or pytest.fail("no Gateway")).meta
    name = where.listener.name if where.listener else ""
    return f"{holder.namespace}/{holder.name}/{name}"


def mismatches(golden: Sequence[Row]) -> Iterator[str]:
    """One line for each field of a route that we answer otherwise."""
    for row in golden:
        inventory = inventory_of(row["input"])
        scope = Scope(inventory)
        attaching = Attaching(inventory, scope, wire().at(row["release"]))
        routes = {
            (route.meta.kind.lower(), route.meta.namespace, route.meta.name): route
            for route in inventory.routes
        }
        for expected in row["routes"]:
            kind, namespace, name, _, rule, *_ = expected["route"].split("/")
            route = routes[kind, namespace, name]
            where = {listener_of(each): each for each in attaching.places(route)}
            label = f"{row['release']} {row['case']}: {expected['route']}"
            if expected["listener"] not in where:
                yield f"{label}: not on {expected['listener']}, on {', '.join(where)}"
                continue
            reached = attaching.traffic(route, max(int(rule), 0), where[expected["listener"]])
            for field in COMPARED:
                # Which version of the PROXY protocol it is makes no difference here.
                if reached.says.get(field, False) != bool(expected[field]):
                    yield f"{label}: {field} {reached.says.get(field)}, not {expected[field]}"


def test_all_golden_rows_are_at_hand() -> None:
    assert len(rows()) == 69
    assert sum(len(row["routes"]) for row in rows()) == 129


def test_every_policy_of_the_translators_own_tests() -> None:
    found = list(mismatches(rows()))
    assert not found, "\n".join([f"{len(found)} mismatches", *found[:10]])


@pytest.mark.parametrize("field", COMPARED)
def test_a_wrong_row_is_noticed(field: str) -> None:
    """The comparison can fail, for every field of every route."""
    for row in rows():
        for at, route in enumerate(row["routes"]):
            wrong = [*row["routes"]]
            wrong[at] = {**route, field: not route[field]}
            assert len(list(mismatches([{**row, "routes": wrong}]))) == 1
