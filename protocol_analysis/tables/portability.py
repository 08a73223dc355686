"""Who means what: declarations by implementation, and values by implementation, as DataFrames."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from protocol_analysis.portability import Portability, value_words
from protocol_analysis.readers import Reader, everyone
from protocol_analysis.tables.frames import frame, text

PORTABILITY_COLUMNS = {
    "cluster": "string",
    "object": "string",
    "port": "Int64",
    "app_protocol": "string",
    "meant": "string",
    "portable": "bool",
    "right": "string",
    "as_meant": "string",
    "otherwise": "string",
    "declared_at": "string",
}
# The values of the specifications, and those that people write for the same.
VALUES = (
    *("kubernetes.io/h2c", "kubernetes.io/ws", "kubernetes.io/wss"),
    *("http", "https", "http2", "HTTP2", "grpc", None),
)


def portability_table(rows: Sequence[Portability]) -> pd.DataFrame:
    """One line per declaration: who takes it as meant, who otherwise; `PORTABILITY_COLUMNS`."""
    return frame(
        (
            (
                text(r.meta.cluster),
                f"{r.meta.kind} {r.meta.namespace}/{r.meta.name}",
                r.port,
                r.app_protocol,
                r.meant.text if r.meant else "",
                r.portable,
                r.right or "none",
                _each(r, as_meant=True),
                _each(r, as_meant=False),
                str(r.declared_at),
            )
            for r in rows
        ),
        PORTABILITY_COLUMNS,
    )


def value_matrix(
    readers: Sequence[Reader] = (), values: Sequence[str | None] = VALUES, kind: str = "Service"
) -> pd.DataFrame:
    """What each implementation (lines) speaks to a port with each value (columns).

    Behind an HTTPRoute, without policies. `?`: nobody has verified it; `not read`: turned away.

    >>> from protocol_analysis.readers import reader
    >>> value_matrix([reader("gke")], ["HTTP2", None]).loc["gke@v1.0.0"].to_list()
    ['h2+tls ?', 'http/1.1 ?']
    """
    chosen = tuple(readers) or everyone()
    rows = {
        str(reader): [
            word if verified else f"{word} ?"
            for word, verified in (value_words(value, reader, kind) for value in values)
        ]
        for reader in chosen
    }
    columns = [value or "none" for value in values]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns, dtype="object")


def _each(row: Portability, *, as_meant: bool) -> str:
    found = [r for r in row.readings if r.as_meant == as_meant]
    return ", ".join(r.reader if as_meant else f"{r.reader} {r.word}" for r in found)
