"""Backend references → tables."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from protocol_analysis.model import ROUTE_KINDS
from protocol_analysis.outputs import VERDICTS, Compared
from protocol_analysis.readings import readings_text, who
from protocol_analysis.resolution import Resolution
from protocol_analysis.tables.frames import frame, text

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
    "upstream": "string",
    "outcome": "string",
    "row": "string",
    "why": "string",
    "source": "string",
    "implementation": "string",
    "release": "string",
    "readings": "string",
    "referenced_at": "string",
    "declared_at": "string",
}
OUTPUT_COLUMNS = {
    "case": "string",
    "route_kind": "string",
    "route": "string",
    "rule": "int64",
    "role": "string",
    "backend": "int64",
    "kind": "string",
    "app_protocol": "string",
    "output": "string",
    "resolved": "string",
    "verdict": "string",
    "row": "string",
    "source": "string",
    "output_at": "string",
}


def resolution_table(rows: Sequence[Resolution]) -> pd.DataFrame:
    """One line per backend reference; columns as in `RESOLUTION_COLUMNS`."""
    return frame(
        (
            (
                text(r.route.cluster),
                r.route.kind,
                f"{r.route.namespace}/{r.route.name}",
                r.ref.rule,
                r.ref.role,
                r.ref.backend,
                r.ref.kind,
                f"{r.ref.namespace}/{r.ref.name}",
                r.ref.port,
                text(r.app_protocol),
                text(r.protocol),
                r.force_http1,
                r.tls,
                text(r.upstream),
                r.outcome,
                r.deciding.row,
                r.deciding.text,
                r.deciding.source,
                who(r).name,
                r.release,
                readings_text(r.readings),
                str(r.ref.position),
                text(r.declared_at),
            )
            for r in rows
        ),
        RESOLUTION_COLUMNS,
    )


def outcome_table(rows: Sequence[Resolution]) -> pd.DataFrame:
    """References that are not resolved, by reason (lines) and route kind (columns).

    What is referred to outside routes has a column where there is any.
    """
    beside = sorted({r.route.kind for r in rows if not r.protocol} - {*ROUTE_KINDS})
    columns = [*ROUTE_KINDS, *beside, "total"]
    counts = pd.DataFrame(0, index=pd.Index([], name="reason", dtype="string"), columns=columns)
    for r in rows:
        if r.protocol is None:
            if r.outcome not in counts.index:
                counts.loc[r.outcome] = 0
            counts.loc[r.outcome, [r.route.kind, "total"]] += 1
    counts.index = counts.index.astype("string")  # each new line has made it another dtype
    return counts.sort_index().sort_values("total", ascending=False, kind="stable")


def outputs_table(rows: Sequence[Compared]) -> pd.DataFrame:
    """Translator outputs beside the resolver, what disagrees first; `OUTPUT_COLUMNS`.

    `output` and `resolved` are a protocol, `+force` where HTTP/1.1 is forced, `+tls` with TLS;
    `verdict` is one of `outputs.VERDICTS`, and `absent` and `unclear` were not compared.
    """
    ordered = sorted(rows, key=lambda row: VERDICTS.index(row.verdict))
    return frame(
        (
            (
                c.case,
                c.resolution.route.kind,
                f"{c.resolution.route.namespace}/{c.resolution.route.name}",
                c.resolution.ref.rule,
                c.resolution.ref.role,
                c.resolution.ref.backend,
                c.resolution.ref.kind,
                text(c.resolution.app_protocol),
                _said(c.expected),
                _said(c.resolved),
                c.verdict,
                c.resolution.deciding.row,
                c.resolution.deciding.source,
                str(c.output.position) if c.output else "",
            )
            for c in ordered
        ),
        OUTPUT_COLUMNS,
    )


def _said(answer: tuple[str | None, bool, bool]) -> str:
    protocol, force, tls = answer
    return (protocol or "none") + ("+force" if force else "") + ("+tls" if tls else "")
