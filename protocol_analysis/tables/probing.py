"""What endpoints were seen to speak, as DataFrames."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from protocol_analysis.proof.probed import Probed
from protocol_analysis.tables.frames import frame, text

PROBE_COLUMNS = {
    "endpoint": "string",
    "reachable": "bool",
    "http1": "string",
    "h2c": "string",
    "tls": "string",
    "alpn": "string",
    "h2": "string",
    "grpc": "string",
    "websocket": "string",
    "rfc8441": "string",
    "recommended": "string",
    "why": "string",
    "declared": "string",
    "verdict": "string",
    "spoken": "string",
    "works": "string",
    "declared_at": "string",
}
EVIDENCE_COLUMNS = {"endpoint": "string", "step": "string", "text": "string"}
_WORDS = {True: "yes", False: "no", None: "?"}


def probe_table(rows: Iterable[Probed]) -> pd.DataFrame:
    """One line per endpoint, `PROBE_COLUMNS`: yes, no, ? for what cannot be told.

    `recommended` is none where no appProtocol is right; from `declared` on, "" without manifests.

    >>> from protocol_analysis.proof.endpoints import endpoint_of
    >>> from protocol_analysis.proof.facts import Facts, Side
    >>> facts = Facts(reachable=True, clear=Side(http2=True))
    >>> table = probe_table([Probed(endpoint=endpoint_of("cart:9000"), facts=facts)])
    >>> table.loc[0, ["http1", "h2c", "recommended"]].to_list()
    ['no', 'yes', 'kubernetes.io/h2c']
    """
    return frame((_line(row.as_dict(), row) for row in rows), PROBE_COLUMNS)


def evidence_table(rows: Iterable[Probed]) -> pd.DataFrame:
    """One line per question, in the order in which they were asked; `EVIDENCE_COLUMNS`."""
    return frame(
        (
            (str(row.endpoint), each["step"], each["text"])
            for row in rows
            for each in row.as_dict()["evidence"]
        ),
        EVIDENCE_COLUMNS,
    )


def _line(row: dict[str, object], probed: Probed) -> tuple[object, ...]:
    declared = probed.declaration
    return (
        row["endpoint"],
        row["reachable"],
        *(_word(row[name]) for name in ("http/1.1", "h2c", "tls")),
        text(row["alpn"]),
        _word(row["h2"]),
        text(row["grpc"]),
        *(_word(row[name]) for name in ("websocket", "rfc8441")),
        row["recommended"] or "none",
        row["why"],
        text(row["declared"]),
        (declared.verdict or "?") if declared else "",
        text(row["spoken"]),
        _word(declared.works) if declared else "",
        text(declared.at) if declared else "",
    )


def _word(seen: object) -> str:
    return _WORDS[bool(seen)] if seen is not None else "?"
