"""Positions on `grpc`, precedents, what is to do, and a proposal in time, as DataFrames."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from protocol_analysis.proposals import Proposal
from protocol_analysis.rollout.debate import deliverables, positions, precedents
from protocol_analysis.rollout.timeline import supported, timeline
from protocol_analysis.tables.frames import frame

POSITION_COLUMNS = {
    "date": "string",
    "number": "string",
    "stance": "string",
    "text": "string",
    "source": "string",
}
PRECEDENT_COLUMNS = {
    "what": "string",
    "since": "string",
    "until": "string",
    "lines": "Int64",
    "text": "string",
    "source": "string",
}
DELIVERABLE_COLUMNS = {
    "item": "string",
    "needed": "string",
    "where": "string",
    "change": "string",
    "source": "string",
}
TIMELINE_COLUMNS = {
    "line": "string",
    "date": "string",
    "projected": "bool",
    "end": "string",
    "end_projected": "bool",
    "status": "string",
    "Service": "string",
    "ServiceImport": "string",
    "phase": "string",
    "surface": "string",
    "switch": "string",
    "text": "string",
    "source": "string",
}
SUPPORTED_COLUMNS = {
    "date": "string",
    "begins": "string",
    "ends": "string",
    "supported": "int64",
    "projected": "int64",
    "Service": "int64",
    "ServiceImport": "int64",
    "lines": "string",
}


def positions_table() -> pd.DataFrame:
    """Each position on `grpc`, oldest first; `POSITION_COLUMNS`.

    >>> positions_table()["stance"].value_counts().to_dict()["retire upstream"]
    3
    """
    return frame(
        ([each.date, each.number, each.stance, each.text, each.source] for each in positions()),
        POSITION_COLUMNS,
    )


def precedents_table() -> pd.DataFrame:
    """How things were retired before; `PRECEDENT_COLUMNS`. `lines` lie between the two releases.

    >>> precedents_table()["lines"].dropna().to_list()
    [5]
    """
    return frame(
        (
            [each.what, each.since, each.until, each.lines, each.text, each.source]
            for each in precedents()
        ),
        PRECEDENT_COLUMNS,
    )


def deliverables_table(proposals: Sequence[str]) -> pd.DataFrame:
    """What the proposals of these names need to have changed, or all; `DELIVERABLE_COLUMNS`.

    `needed` is `all` for what has to be done whichever way the decision goes.

    >>> deliverables_table(["keep"])["needed"].unique().tolist()
    ['all']
    """
    return frame(
        (
            [each.item, ", ".join(each.needed) or "all", each.where, each.change, each.source]
            for each in deliverables()
            if not each.needed or any(map(each.needed_by, proposals))
        ),
        DELIVERABLE_COLUMNS,
    )


def timeline_table(proposal: Proposal, today: str, value: str = "grpc") -> pd.DataFrame:
    """Each line with its dates and what it makes of a value; `TIMELINE_COLUMNS`.

    Raises as `timeline` does.

    >>> from protocol_analysis.proposals import proposal
    >>> table = timeline_table(proposal("keep"), "2026-11-26").set_index("line")
    >>> table.loc["v1.10", ["date", "status", "Service"]].to_list()
    ['2026-11-18', 'due', 'read']
    """
    found = []
    for each in timeline(proposal, today, value):
        phase = each.phase
        told = [phase.release, ", ".join(phase.surface), phase.switch] if phase else [""] * 3
        found.append(
            [
                *(each.line, each.date, each.projected, each.end, each.end_projected),
                *(each.status, each.service, each.service_import),
                *told,
                *((phase.text, phase.source) if phase else ("", "")),
            ]
        )
    return frame(found, TIMELINE_COLUMNS)


def supported_table(proposal: Proposal, today: str, value: str = "grpc") -> pd.DataFrame:
    """From today on: how many lines are supported, and how many read a value; `SUPPORTED_COLUMNS`.

    A line per day on which support begins or is over; `projected` are those not known to be out.
    Raises as `timeline` does.

    >>> from protocol_analysis.proposals import proposal
    >>> table = supported_table(proposal("remove"), "2026-11-26")
    >>> table.loc[table["Service"] == 0, "date"].iloc[0]
    '2027-08-24'
    """
    return frame(
        (
            [
                each.date,
                ", ".join(each.begins),
                ", ".join(each.ends),
                *(len(each.lines), len(each.projected)),
                *(len(each.service), len(each.service_import)),
                ", ".join(each.lines),
            ]
            for each in supported(proposal, today, value)
        ),
        SUPPORTED_COLUMNS,
    )
