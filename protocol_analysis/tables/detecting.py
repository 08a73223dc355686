"""Clues and how good they are → tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from protocol_analysis.clues import clues
from protocol_analysis.detecting import Suggestion
from protocol_analysis.measuring import ALL, Quality, quality
from protocol_analysis.model import MCS, Inventory, Meta, Position, Service, ServicePort
from protocol_analysis.tables.frames import frame, text

SUGGESTION_COLUMNS = {
    "cluster": "string",
    "kind": "string",
    "namespace": "string",
    "name": "string",
    "port": "Int64",
    "port_name": "string",
    "app_protocol": "string",  # as declared
    "suggested": "string",  # grpc, http/1.1+tls; "" where clues contradict one another
    "value": "string",  # the appProtocol that says so and is read, "" where there is none
    "agrees": "string",  # yes, no; "" where nothing is declared, or nobody can tell
    "confidence": "Float64",  # a lower bound; missing where it was never measured
    "grade": "string",  # high, medium, low, not measured
    "contradictory": "string",  # what the clues imply, where it cannot all be true
    "clues": "string",
    "evidence": "string",  # what was found, each with its position
    "declared_at": "string",
}
QUALITY_COLUMNS = {
    "clue": "string",
    "title": "string",  # what it looks at, shortly
    "protocol": "string",  # what it implies; "" for all together
    "ports": "int64",  # that declare a value whose meaning is known
    "speaks": "int64",
    "right": "int64",
    "wrong": "int64",
    "means": "int64",  # ports that declare what it implies
    "precision": "Float64",  # right of speaks
    "recall": "Float64",  # right of means
    "ports_once": "int64",  # the same, each name, number and value of a cluster once
    "speaks_once": "int64",
    "right_once": "int64",
    "means_once": "int64",
    "low": "Float64",  # Wilson's 95 % interval of right_once of speaks_once
    "high": "Float64",
}
WILD_QUALITY_COLUMNS = {"where": "string", **QUALITY_COLUMNS}
EVERY_PORT, OUTSIDE_TESTS = "every port", "outside tests"


def suggestion_table(rows: Sequence[Suggestion]) -> pd.DataFrame:
    """One line per port of which a clue speaks; columns as in `SUGGESTION_COLUMNS`.

    >>> suggestion_table([]).empty
    True
    """
    return frame(
        (
            (
                text(s.meta.cluster),
                s.meta.kind,
                s.meta.namespace,
                s.meta.name,
                s.port.number,
                s.port.name,
                text(s.port.app_protocol),
                text(s.implied),
                text(s.value),
                {True: "yes", False: "no", None: ""}[s.agrees],
                s.confidence,
                s.grade,
                " or ".join(s.contradictory),
                ", ".join(each.clue.id for each in s.evidence),
                "; ".join(f"{each.found} ({each.position})" for each in s.evidence),
                str(s.port.where),
            )
            for s in rows
        ),
        SUGGESTION_COLUMNS,
    )


def quality_table(rows: Sequence[Quality], *, silent: bool = False) -> pd.DataFrame:
    """One line per clue and what it implies, then all together; columns as in `QUALITY_COLUMNS`.

    Those that speak of no port with a known value are left out, unless `silent`.

    >>> quality_table([]).empty
    True
    """
    return frame(map(_cells, _heard(rows, silent=silent)), QUALITY_COLUMNS)


def wild_quality_table(wild: pd.DataFrame) -> pd.DataFrame:
    """What names and numbers of ports tell, on the manifests of a `wild_table`.

    Columns as in `WILD_QUALITY_COLUMNS`; `where` is every port, or those outside projects' own
    tests. Each repository counts as a cluster. Pods, routes and annotations are not in the rows.
    """
    found = []
    for where, rows in ((EVERY_PORT, wild), (OUTSIDE_TESTS, wild[~wild["fixture"]])):
        heard = _heard(quality(_inventory(rows)), silent=False)
        found += [(where, *_cells(row)) for row in heard]
    return frame(found, WILD_QUALITY_COLUMNS)


def _heard(rows: Iterable[Quality], *, silent: bool) -> list[Quality]:
    return [row for row in rows if silent or row.speaks or row.clue == ALL]


def _cells(row: Quality) -> tuple[Any, ...]:
    counts = (row.ports, row.speaks, row.right, row.wrong, row.means)
    once = (row.ports_once, row.speaks_once, row.right_once, row.means_once)
    titles = {clue.id: clue.title for clue in clues()}
    named = (row.clue, titles.get(row.clue, row.clue), row.protocol)
    return (*named, *counts, row.precision, row.recall, *once, *row.interval)


def _inventory(wild: pd.DataFrame) -> Inventory:
    """The ports of a `wild_table` as Services and ServiceImports, one port each."""
    made: dict[str, list[Service]] = {"Service": [], "ServiceImport": []}
    for row in wild.to_dict("records"):
        if row["kind"] in made:
            at = Position(file=row["path"], document=1, line=1, column=1)
            repository = row["repository"]
            meta = Meta(
                group=MCS if row["kind"] == "ServiceImport" else "",
                kind=row["kind"],
                namespace="",
                name="",
                position=at,
                world=repository,
                cluster=repository,
            )
            port = ServicePort(
                number=None if pd.isna(row["port"]) else int(row["port"]),
                name=row["port_name"],
                transport=row["transport"],
                app_protocol=row["app_protocol"] or None,
                position=at,
            )
            made[row["kind"]].append(Service(meta=meta, ports=(port,)))
    return Inventory(services=tuple(made["Service"]), service_imports=tuple(made["ServiceImport"]))
