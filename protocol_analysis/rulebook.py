"""The rule book: what each release makes of each value, kind by kind. Pure.

A cell is found twice, and a test holds both equal: by looking the rows up, and by resolving one
backend that declares the value and the one route that refers to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocol_analysis.model import (
    BACKEND_GROUPS,
    GATEWAY_API,
    Backend,
    BackendRef,
    Inventory,
    Meta,
    Position,
    Route,
    Service,
    ServicePort,
)
from protocol_analysis.releases import finals, line_of, release_key
from protocol_analysis.resolution import Resolution
from protocol_analysis.resolver import resolve_with
from protocol_analysis.rows import Rules, Ruleset

_AT = Position(file="", document=1, line=1, column=1)


@dataclass(frozen=True, slots=True)
class Cell:
    """What one release makes of one value on one kind, behind one kind of route.

    `row` is the row that reads the value, "" where none does.
    """

    release: str
    kind: str
    route_kind: str
    value: str
    protocol: str | None
    force_http1: bool
    row: str


def values_of(ruleset: Ruleset) -> list[str]:
    """Every value that any release reads, and the standard ones; what is alike stands together."""
    values = {value for row in ruleset.rows for value in row.values}
    return sorted(values, key=lambda value: (value.rpartition("/")[2], value))


def line_releases(ruleset: Ruleset) -> list[str]:
    """The last final release of each line, oldest first."""
    return list({line_of(release): release for release in finals(ruleset.releases)}.values())


def cells(ruleset: Ruleset, releases: Sequence[str], route_kind: str = "HTTPRoute") -> list[Cell]:
    """The rule book, looked up in the rows; kinds that a release does not accept have no cell.

    >>> from protocol_analysis.rules import ruleset
    >>> [cell.protocol for cell in cells(ruleset(), ["v1.8.3"]) if cell.value == "grpc"]
    ['GRPC', 'HTTP', 'GRPC']
    """
    found = []
    for release in releases:
        rules = ruleset.at(release)
        for kind in BACKEND_GROUPS:
            if rules.find("accepts", kind, route_kind):
                default = rules.find("defaults", kind, route_kind)[0]
                for value in values_of(ruleset):
                    row = rules.value("values", kind, route_kind, value)
                    force = rules.value("forces", kind, route_kind, value)
                    read = row or force
                    protocol = (row or default).protocol
                    found.append(
                        Cell(
                            release,
                            kind,
                            route_kind,
                            value,
                            protocol,
                            force is not None,
                            read.id if read else "",
                        )
                    )
    return found


def resolve_one(
    rules: Rules, kind: str, value: str | None, route_kind: str = "HTTPRoute"
) -> Resolution:
    """One backend that declares one value, or none, resolved for one route to it."""
    group = BACKEND_GROUPS[kind]
    meta = Meta(group=group, kind=kind, namespace="default", name="backend", position=_AT)
    transport = "UDP" if route_kind == "UDPRoute" else "TCP"
    port = ServicePort(number=80, app_protocol=value, transport=transport, position=_AT)
    service = (Service(meta=meta, ports=(port,)),)
    declared = () if value is None else (value,)
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
        position=_AT,
    )
    of = Meta(group=GATEWAY_API, kind=route_kind, namespace="default", name="route", position=_AT)
    inventory = Inventory(
        services=service if kind == "Service" else (),
        service_imports=service if kind == "ServiceImport" else (),
        backends=(Backend(meta=meta, app_protocol=declared),) if kind == "Backend" else (),
        routes=(Route(meta=of, refs=(ref,)),),
    )
    return resolve_with(inventory, rules)[0]


@dataclass(frozen=True, slots=True)
class Step:
    """From a release on, until the next step, one kind's port with one value is treated so.

    `state` is `not accepted` (the kind is no backend yet), `not read` or `read`. `backports` are
    the first releases of older lines that do the same.
    """

    kind: str
    value: str
    release: str
    date: str
    state: str
    source: str
    backports: tuple[str, ...]


STATES = ("not accepted", "not read", "read")


def trunk(ruleset: Ruleset) -> list[str]:
    """The releases that were the newest when they came out, in order; patches of older lines not.

    >>> from protocol_analysis.rules import ruleset
    >>> {"v1.8.0-rc.1", "v1.8.1"} & set(trunk(ruleset()))  # v1.8.1 came after v1.9.0-rc.0
    {'v1.8.0-rc.1'}
    """
    found: list[str] = []
    for release in sorted(ruleset.releases, key=lambda r: (ruleset.dates[r], release_key(r))):
        if not found or release_key(release) > release_key(found[-1]):
            found.append(release)
    return found


def steps(ruleset: Ruleset, kind: str, value: str, route_kind: str = "HTTPRoute") -> list[Step]:
    """How a value came to be read on a kind along the `trunk`, oldest first.

    >>> from protocol_analysis.rules import ruleset
    >>> [(step.release, step.state) for step in steps(ruleset(), "ServiceImport", "grpc")]
    [('v0.1.0', 'not accepted'), ('v0.6.0-rc.1', 'not read'), ('v1.9.0-rc.1', 'read')]
    >>> steps(ruleset(), "Service", "kubernetes.io/ws")[-1].backports
    ('v1.7.4', 'v1.8.1')
    """
    found: list[Step] = []
    states = {r: _state(ruleset, r, kind, value, route_kind) for r in ruleset.releases}
    for release in trunk(ruleset):
        state, source = states[release]
        if found and found[-1].state == state:
            continue
        older: dict[str, str] = {}
        for other in ruleset.releases:
            begun = not found or release_key(other) > release_key(found[-1].release)
            if begun and release_key(other) < release_key(release) and states[other][0] == state:
                older.setdefault(line_of(other), other)
        backports = tuple(older.values())
        found.append(Step(kind, value, release, ruleset.dates[release], state, source, backports))
    return found


def _state(
    ruleset: Ruleset, release: str, kind: str, value: str, route_kind: str
) -> tuple[str, str]:
    """One of `STATES`, and the source that shows it."""
    rules = ruleset.at(release)
    accepts = rules.find("accepts", kind, route_kind)
    reads = rules.value("values", kind, route_kind, value) or rules.value(
        "forces", kind, route_kind, value
    )
    rows = [reads] if reads else [*accepts, *rules.find("defaults", kind, route_kind)]
    state = STATES[2 if accepts and reads else 1 if accepts else 0]
    return state, rows[0].source if rows else ""
