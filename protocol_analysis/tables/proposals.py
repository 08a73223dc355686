"""Designs side by side, and what a design is, as DataFrames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd

from protocol_analysis.compare import EFFECTS, compare
from protocol_analysis.coverage import coverage
from protocol_analysis.model import Inventory, values_of
from protocol_analysis.proposals import Proposal
from protocol_analysis.readers import Reader
from protocol_analysis.rollout.cases import cases
from protocol_analysis.tables.frames import frame

ALTERNATIVES_COLUMNS = {
    "proposal": "string",
    "title": "string",
    "release": "string",
    "rows": "Int64",
    "warned": "Int64",
    "surface": "string",
    "admission": "string",
    "changed": "Int64",
    **dict.fromkeys(EFFECTS, "Int64"),
    "text": "string",
    "source": "string",
}
CASES_COLUMNS = {
    "kind": "string",
    "route": "string",
    "app_protocol": "string",
    "protocol": "string",
    "forced": "bool",
    "upstream": "string",
    "row": "string",
    "source": "string",
}


def alternatives_table(inventory: Inventory, proposals: Sequence[Proposal]) -> pd.DataFrame:
    """One line per phase of each proposal, on these manifests; `ALTERNATIVES_COLUMNS`.

    `rows` are those of the ruleset that end, change or come by then, `warned` the ports that a user
    is warned of, `changed` the references that are spoken to otherwise than at the base, by effect.

    >>> from protocol_analysis import load
    >>> from protocol_analysis.proposals import proposal
    >>> table = alternatives_table(load("data/sample"), [proposal("keep"), proposal("remove")])
    >>> table[["release", "rows", "changed"]].to_numpy().tolist()
    [['v1.10.0', 0, 0], ['v1.10.0', 0, 0], ['v1.12.0', 1, 7], ['v1.14.0', 1, 7]]
    """
    return frame(
        (line for each in proposals for line in _phases(inventory, each)), ALTERNATIVES_COLUMNS
    )


def _phases(inventory: Inventory, proposal: Proposal) -> list[list[Any]]:
    order = proposal.ruleset.releases
    found = []
    for phase in proposal.phases:
        by = proposal.at(phase.release)
        changes = compare(inventory, proposal.base, by, with_edits=False)
        effects = Counter(change.effect for change in changes)
        warned = [
            port
            for port in coverage(inventory, by.implementation, by.release)
            if any(phase.warns(port.meta.kind, value) for value in values_of(port.app_protocol))
        ]
        begun = order[: order.index(phase.release) + 1]
        found.append(
            [
                proposal.name,
                proposal.title,
                phase.release,
                sum(each.release in begun for each in proposal.alterations),
                len(warned),
                ", ".join(phase.surface),
                phase.admission,
                len(changes),
                *(effects[effect] for effect in EFFECTS),
                phase.text,
                phase.source,
            ]
        )
    return found


def cases_table(by: Reader) -> pd.DataFrame:
    """The truth table of a release or a proposal; `CASES_COLUMNS`. `protocol` is empty if not read.

    >>> from protocol_analysis.readers import reader
    >>> table = cases_table(reader("1.9")).query("app_protocol == 'grpc' and route == 'HTTPRoute'")
    >>> table[["kind", "protocol"]].to_numpy().tolist()[:2]
    [['Service', 'GRPC'], ['ServiceImport', 'GRPC']]
    """
    return frame(
        (
            (
                case.kind,
                case.route_kind,
                ", ".join(values_of(case.app_protocol)) or "none",
                case.answer.protocol or "",
                case.answer.force_http1,
                case.answer.upstream or "",
                case.answer.deciding.row,
                case.answer.deciding.source,
            )
            for case in cases(by)
        ),
        CASES_COLUMNS,
    )
