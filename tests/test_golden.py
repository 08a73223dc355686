"""Envoy Gateway's own translator tests, row by row: what it says is what we say."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from protocol_analysis import Inventory, load, resolve, ruleset
from protocol_analysis.model import (
    BACKEND_GROUPS,
    GATEWAY_API,
    Backend,
    BackendRef,
    Meta,
    Position,
    Route,
    Service,
    ServicePort,
)
from protocol_analysis.resolver import resolve_with
from tests.support import SHARED, needs_shared

Row = Mapping[str, Any]

GOLDEN = SHARED / "golden" / "envoy-gateway"
# What a row says of a reference; a field that a row does not have is not compared.
COMPARED = ("backendRef", "appProtocol", "protocol", "forceHTTP1", "tls")
MOST_SHOWN = 10
AT = Position(file="test.yaml", document=1, line=1, column=1)


@cache
def rows_of(name: str) -> tuple[Row, ...]:
    with (GOLDEN / name).open(encoding="utf-8") as lines:
        return tuple(json.loads(line) for line in lines if line.strip())


@cache
def inventory_of(name: str) -> Inventory:
    return load(GOLDEN / name)


def transport_of(route_kind: str) -> str:
    return "UDP" if route_kind == "UDPRoute" else "TCP"


def injected(inventory: Inventory, rows: Sequence[Row]) -> Inventory:
    """The inventory with the Services that Envoy Gateway's test code brings along.

    They stand nowhere in the input: each has the ports that are referenced, with the transport of
    the route kind, and declares nothing.
    """
    wanted: dict[tuple[str, str], set[tuple[int, str]]] = defaultdict(set)
    for row in rows:
        if row["declaredIn"] != "input":
            ref = row["backendRef"]
            port = (ref["port"], transport_of(row["routeKind"]))
            wanted[ref["namespace"], ref["name"]].add(port)
    if not wanted:
        return inventory
    beside = inventory.routes[0].meta
    added = tuple(
        Service(
            meta=replace(beside, group="", kind="Service", namespace=namespace, name=name),
            ports=tuple(
                ServicePort(number=number, transport=transport, position=beside.position)
                for number, transport in sorted(ports)
            ),
        )
        for (namespace, name), ports in wanted.items()
    )
    return replace(inventory, services=inventory.services + added)


def identity(row: Row) -> tuple[Any, ...]:
    """Which reference a golden row is about."""
    kind, route = row["routeKind"], row["route"]
    return (kind, route, row["ruleIndex"], row["role"], row["backendIndex"])


def answers(inventory: Inventory, release: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Our rows, by the same identity."""
    found = {}
    for row in (resolution.as_dict() for resolution in resolve(inventory, release=release)):
        route = row["route"]
        name = f"{route['namespace']}/{route['name']}"
        found[route["kind"], name, row["rule"], row["role"], row["backend"]] = row
    return found


def mismatches(rows: Sequence[Row]) -> Iterator[str]:
    """One line per row that we answer otherwise."""
    by_input: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        by_input[row["input"], row["release"]].append(row)
    for (name, release), group in by_input.items():
        ours = answers(injected(inventory_of(name), group), release)
        for row in group:
            where = f"{release} {name}: {' '.join(map(str, identity(row)))}"
            answer = ours.get(identity(row))
            if answer is None:
                yield f"{where}: no such reference among ours"
                continue
            for field in COMPARED:
                if field in row and answer[field] != row[field]:
                    why = " > ".join(reason["row"] for reason in answer["reasons"])
                    yield f"{where}: {field} {answer[field]!r}, not {row[field]!r} ({why})"


def report(found: Sequence[str]) -> str:
    return "\n".join([f"{len(found)} mismatches", *found[:MOST_SHOWN]])


@needs_shared
def test_all_golden_rows_are_at_hand() -> None:
    assert len(rows_of("backend_protocols.jsonl")) == 4740
    assert len(rows_of("value_matrix.jsonl")) == 4700
    assert len({row["release"] for row in rows_of("backend_protocols.jsonl")}) == 13


@needs_shared
def test_every_row_of_the_translators_own_tests() -> None:
    found = list(mismatches(rows_of("backend_protocols.jsonl")))
    assert not found, report(found)


@needs_shared
def test_no_input_of_the_translators_own_tests_is_unreadable() -> None:
    names = {row["input"] for row in rows_of("backend_protocols.jsonl")}
    assert {name: found for name in names if (found := inventory_of(name).unreadable)} == {}


def one_reference(row: Row) -> Inventory:
    """The row as manifests would say it: one backend, and one route that refers to it."""
    kind, declared = row["backendKind"], row["appProtocol"]
    group = BACKEND_GROUPS[kind]
    meta = Meta(group=group, kind=kind, namespace="default", name="backend", position=AT)
    port = ServicePort(
        number=80,
        transport=transport_of(row["routeKind"]),
        app_protocol=None if kind == "Backend" else declared,
        position=AT,
    )
    service = (Service(meta=meta, ports=(port,)),)
    backend = Backend(meta=meta, app_protocol=tuple(declared or ()) if kind == "Backend" else ())
    ref = BackendRef(
        rule=0,
        role="forward",
        backend=0,
        group=group,
        kind=kind,
        namespace="default",
        name="backend",
        port=80,
        weight=None,
        position=AT,
    )
    route = replace(meta, group=GATEWAY_API, kind=row["routeKind"], name="route")
    return Inventory(
        services=service if kind == "Service" else (),
        service_imports=service if kind == "ServiceImport" else (),
        backends=(backend,) if kind == "Backend" else (),
        routes=(Route(meta=route, refs=(ref,)),),
    )


@needs_shared
def test_every_value_at_every_tag() -> None:
    releases = json.loads((GOLDEN / "value_matrix.releases.json").read_text(encoding="utf-8"))
    rules = {tag: ruleset().at(tag) for tags in releases.values() for tag in tags}
    assert len(rules) == 76
    found = []
    for row in rows_of("value_matrix.jsonl"):
        inventory = one_reference(row)
        for tag in releases[row["variant"]]:
            (answer,) = resolve_with(inventory, rules[tag])
            said = (answer.release, answer.protocol, answer.force_http1)
            if said != (tag, row["protocol"], row["forceHTTP1"]):
                found.append(f"{tag} {dict(row)}: {said} by {answer.deciding.row}")
    assert not found, report(found)


@needs_shared
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("protocol", "TCP6"),
        ("forceHTTP1", "no"),
        ("tls", None),
        ("appProtocol", "x"),
        ("route", ""),
    ],
)
def test_a_wrong_row_is_noticed(field: str, value: Any) -> None:
    """The comparison itself can fail, for every field."""
    row = {**rows_of("backend_protocols.jsonl")[0], field: value}
    assert len(list(mismatches([row]))) == 1
