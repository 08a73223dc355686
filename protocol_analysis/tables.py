"""Rows → pandas. Flat columns with documented names and dtypes, in a stable order.

The tables are an interface: notebooks and users' own code build on the column names. Text columns
hold text, `""` where there is nothing; numbers that may be missing are `Int64`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from protocol_analysis.coverage import CLASSES, Coverage
from protocol_analysis.model import (
    BACKEND_GROUPS,
    GATEWAY_API,
    ROUTE_KINDS,
    Backend,
    BackendRef,
    Inventory,
    Meta,
    Position,
    Problem,
    Route,
    Service,
    ServicePort,
)
from protocol_analysis.releases import finals, line_of
from protocol_analysis.resolver import Resolution, resolve_with
from protocol_analysis.rows import Ruleset

RESOLUTION_COLUMNS = {
    "cluster": "string",
    "route_kind": "string",
    "route": "string",
    "rule": "int64",
    "role": "string",
    "backend": "int64",
    "kind": "string",
    "name": "string",
    "port": "Int64",
    "app_protocol": "string",
    "protocol": "string",
    "force_http1": "bool",
    "tls": "bool",
    "outcome": "string",
    "row": "string",
    "why": "string",
    "source": "string",
    "release": "string",
    "referenced_at": "string",
    "declared_at": "string",
}
COVERAGE_COLUMNS = {
    "cluster": "string",
    "kind": "string",
    "namespace": "string",
    "name": "string",
    "port": "Int64",
    "port_name": "string",
    "transport": "string",
    "app_protocol": "string",
    "class": "string",
    "meant": "string",
    "protocol": "string",
    "force_http1": "bool",
    "tls": "bool",
    "standard": "bool",
    "recognised": "bool",
    "routes": "int64",
    "why": "string",
    "declared_at": "string",
}
PROBLEM_COLUMNS = {"what": "string", "position": "string", "reason": "string"}
RULEBOOK_COLUMNS = {
    "release": "string",
    "line": "string",
    "kind": "string",
    "route_kind": "string",
    "value": "string",
    "protocol": "string",
    "force_http1": "bool",
    "row": "string",
}
RELEASE_COLUMNS = {
    "release": "string",
    "line": "string",
    "date": "string",
    "envoy": "string",
    "end_of_life": "string",
}


def _frame(rows: Iterable[Sequence[Any]], columns: dict[str, str]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=list(columns))
    return frame.astype(columns)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(value) + "]"
    return "" if value is None else str(value)


def resolution_table(rows: Sequence[Resolution]) -> pd.DataFrame:
    """One line per backend reference; columns as in `RESOLUTION_COLUMNS`."""
    return _frame(
        (
            (
                _text(r.route.cluster),
                r.route.kind,
                f"{r.route.namespace}/{r.route.name}",
                r.ref.rule,
                r.ref.role,
                r.ref.backend,
                r.ref.kind,
                f"{r.ref.namespace}/{r.ref.name}",
                r.ref.port,
                _text(r.app_protocol),
                _text(r.protocol),
                r.force_http1,
                r.tls,
                r.outcome,
                r.deciding.row,
                r.deciding.text,
                r.deciding.source,
                r.release,
                str(r.ref.position),
                _text(r.declared_at),
            )
            for r in rows
        ),
        RESOLUTION_COLUMNS,
    )


def coverage_table(rows: Sequence[Coverage]) -> pd.DataFrame:
    """One line per backend port; columns as in `COVERAGE_COLUMNS`."""
    return _frame(
        (
            (
                _text(c.meta.cluster),
                c.meta.kind,
                c.meta.namespace,
                c.meta.name,
                c.port,
                _text(c.port_name),
                _text(c.transport),
                _text(c.app_protocol),
                c.kind_of_declaration,
                _text(c.meant),
                _text(c.protocol),
                c.resolution.force_http1,
                c.tls,
                c.standard,
                c.recognised,
                c.routes,
                c.resolution.deciding.text,
                str(c.declared_at),
            )
            for c in rows
        ),
        COVERAGE_COLUMNS,
    )


def class_table(rows: Sequence[Coverage]) -> pd.DataFrame:
    """Ports by class (lines, in a fixed order) and kind (columns), with a total."""
    counts = pd.DataFrame(
        0, index=pd.Index(CLASSES, name="class"), columns=[*BACKEND_GROUPS, "total"]
    )
    for c in rows:
        counts.loc[c.kind_of_declaration, [c.meta.kind, "total"]] += 1
    return counts


def declared_table(rows: Sequence[Coverage]) -> pd.DataFrame:
    """Declared values (lines, most frequent first) by kind (columns), with a total."""
    values = [(value, c.meta.kind) for c in rows for value in _declared(c)]
    frame = pd.DataFrame(values, columns=["app_protocol", "kind"], dtype="string")
    counts = pd.crosstab(frame["app_protocol"], frame["kind"]).reindex(
        columns=list(BACKEND_GROUPS), fill_value=0
    )
    counts["total"] = counts.sum(axis=1)
    counts.columns.name = None
    return (
        counts.reset_index()
        .sort_values(["total", "app_protocol"], ascending=[False, True])
        .set_index("app_protocol")
    )


def _declared(row: Coverage) -> tuple[str, ...]:
    value = row.app_protocol
    return value if isinstance(value, tuple) else () if value is None else (value,)


def outcome_table(rows: Sequence[Resolution]) -> pd.DataFrame:
    """References that are not resolved, by reason (lines) and route kind (columns)."""
    counts = pd.DataFrame(
        0, index=pd.Index([], name="reason", dtype="string"), columns=[*ROUTE_KINDS, "total"]
    )
    for r in rows:
        if r.protocol is None:
            if r.outcome not in counts.index:
                counts.loc[r.outcome] = 0
            counts.loc[r.outcome, [r.route.kind, "total"]] += 1
    return counts.sort_index().sort_values("total", ascending=False, kind="stable")


def rulebook_table(
    ruleset: Ruleset, releases: Sequence[str] | None = None, route_kind: str = "HTTPRoute"
) -> pd.DataFrame:
    """What each release makes of each value on each kind, from the ruleset; `RULEBOOK_COLUMNS`.

    `releases` defaults to the last final release of each line, and `main`.
    """
    chosen = line_releases(ruleset) if releases is None else releases
    values = sorted({value for row in ruleset.rows for value in row.values} | set(ruleset.standard))
    found = []
    for release in chosen:
        rules = ruleset.at(release)
        for kind in BACKEND_GROUPS:
            if not rules.find("accepts", kind, route_kind):
                continue
            default = rules.find("defaults", kind, route_kind)[0]
            for value in values:
                row = rules.value("values", kind, route_kind, value)
                forced = rules.value("forces", kind, route_kind, value)
                read = row or forced
                found.append(
                    (
                        release,
                        line_of(release) or release,
                        kind,
                        route_kind,
                        value,
                        _text((row or default).protocol),
                        forced is not None,
                        read.id if read else "",
                    )
                )
    return _frame(found, RULEBOOK_COLUMNS)


def line_releases(ruleset: Ruleset) -> list[str]:
    """The last final release of each line, oldest first."""
    return list({line_of(release): release for release in finals(ruleset.releases)}.values())


def problem_table(inventory: Inventory) -> pd.DataFrame:
    """What was not read, passed over or doubtful; columns as in `PROBLEM_COLUMNS`."""
    groups: list[tuple[str, tuple[Problem, ...]]] = [
        ("unreadable", inventory.unreadable),
        ("skipped", inventory.skipped),
        ("warning", inventory.warnings),
    ]
    return _frame(
        ((what, str(p.position), p.reason) for what, found in groups for p in found),
        PROBLEM_COLUMNS,
    )


def release_table(ruleset: Ruleset) -> pd.DataFrame:
    """The releases that are known, oldest first; columns as in `RELEASE_COLUMNS`."""

    def row(release: str) -> tuple[str, ...]:
        line = line_of(release)
        facts = ruleset.lines.get(line, {})
        return (
            release,
            line,
            ruleset.dates[release],
            str(facts.get("envoy", "")),
            str(facts.get("endOfLife", "")),
        )

    return _frame((row(release) for release in ruleset.releases), RELEASE_COLUMNS)


def reading_table(inventory: Inventory) -> pd.DataFrame:
    """What was read and what was not: how many of each; one column, `count`.

    >>> reading_table(Inventory(files=2)).loc["files", "count"]
    np.int64(2)
    """
    counts = {
        "files": inventory.files,
        "documents": inventory.documents,
        "Services": len(inventory.services),
        "ServiceImports": len(inventory.service_imports),
        "Backends": len(inventory.backends),
        "routes": len(inventory.routes),
        "not read": len(inventory.unreadable),
        "passed over": len(inventory.skipped),
        "warnings": len(inventory.warnings),
    }
    return pd.DataFrame({"count": pd.Series(counts, dtype="int64")})


def attention_table(ports: pd.DataFrame) -> pd.DataFrame:
    """List the ports of a `coverage_table` whose value is not read: near misses come first.

    Then standard values, then the others; within each those with most routes. The index is that
    of `ports`; columns: class, port (a text such as `Service shop/cart:80`), app_protocol, meant,
    routes, declared_at.

    >>> attention_table(coverage_table([])).empty
    True
    """
    order = ("near miss", "standard but ignored", "silent fallback")
    found = ports[ports["class"].isin(order)].copy()
    number = (":" + found["port"].astype("string")).fillna("")
    cluster = found["cluster"].where(found["cluster"] == "", found["cluster"] + ": ")
    backend = cluster + found["kind"] + " " + found["namespace"] + "/" + found["name"] + number
    found["port"] = backend.astype("string")
    found["order"] = found["class"].map({name: place for place, name in enumerate(order)})
    found["unrouted"] = -found["routes"]
    columns = ["class", "port", "app_protocol", "meant", "routes", "declared_at"]
    by = ["order", "unrouted", "declared_at", "port"]
    return found.sort_values(by, kind="stable")[columns]


def resolved_rulebook_table(
    ruleset: Ruleset, releases: Sequence[str] | None = None, route_kind: str = "HTTPRoute"
) -> pd.DataFrame:
    """The rule book again, found by resolving one port per cell; `RULEBOOK_COLUMNS` but `row`.

    >>> from protocol_analysis.rules import ruleset
    >>> book = rulebook_table(ruleset(), ["v1.9.0"]).drop(columns="row")
    >>> book.equals(resolved_rulebook_table(ruleset(), ["v1.9.0"]))
    True
    """
    chosen = line_releases(ruleset) if releases is None else releases
    values = sorted({value for row in ruleset.rows for value in row.values} | set(ruleset.standard))
    found = []
    for release in chosen:
        rules = ruleset.at(release)
        line = release if release == "main" else release.rpartition(".")[0]
        for kind in BACKEND_GROUPS:
            for value in values:
                answer = resolve_with(_one_port(kind, value, route_kind), rules)[0]
                if answer.outcome != "kind-not-read":
                    said = (_text(answer.protocol), answer.force_http1)
                    found.append((release, line, kind, route_kind, value, *said))
    return _frame(found, {k: v for k, v in RULEBOOK_COLUMNS.items() if k != "row"})


def _one_port(kind: str, value: str, route_kind: str) -> Inventory:
    """One backend that declares one value, and one route to it."""
    at = Position(file="", document=1, line=1, column=1)
    group = BACKEND_GROUPS[kind]
    meta = Meta(group=group, kind=kind, namespace="default", name="backend", position=at)
    transport = "UDP" if route_kind == "UDPRoute" else "TCP"
    port = ServicePort(number=80, app_protocol=value, transport=transport, position=at)
    service = (Service(meta=meta, ports=(port,)),)
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
        position=at,
    )
    of = Meta(group=GATEWAY_API, kind=route_kind, namespace="default", name="route", position=at)
    return Inventory(
        services=service if kind == "Service" else (),
        service_imports=service if kind == "ServiceImport" else (),
        backends=(Backend(meta=meta, app_protocols=(value,)),) if kind == "Backend" else (),
        routes=(Route(meta=of, refs=(ref,)),),
    )


def use_notebook_display(rows: int = 24) -> None:
    """Show tables alike everywhere: plain text in their cells, at most `rows` rows of them."""
    pd.set_option("display.html.use_mathjax", False)  # noqa: FBT003 - a manifest may hold $
    pd.set_option("display.max_rows", rows)
    pd.set_option("display.min_rows", rows)
    pd.set_option("display.max_columns", 20)
    pd.set_option("display.max_colwidth", 160)
    pd.set_option("display.width", 200)


def check(claim: str, holds: object) -> None:
    """Say that a claim holds; raise AssertionError where it does not.

    >>> check("1 + 1 is 2", 1 + 1 == 2)
    holds: 1 + 1 is 2
    """
    if not holds:
        raise AssertionError(f"does not hold: {claim}")
    sys.stdout.write(f"holds: {claim}\n")
