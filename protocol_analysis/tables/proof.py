"""What a real Envoy was measured to do, as DataFrames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from protocol_analysis.proof.cells import CLIENTS, CONFIGS, SERVERS, Measurement
from protocol_analysis.proof.measured import measured, verdict, words_of
from protocol_analysis.proof.predicting import predictable, surprises, was_understood
from protocol_analysis.tables.frames import frame

MEASURED_COLUMNS = {
    "envoy": "string",
    "config": "string",
    "server": "string",
    "kind": "string",
    "client": "string",
    "ok": "bool",
    "status": "int64",
    "flags": "string",
    "details": "string",
    "verdict": "string",
    "meaning": "string",
}


PREDICTION_COLUMNS = {
    "config": "string",
    "cells": "int64",
    "understood": "int64",  # as measured
    "as_predicted": "int64",
}
MISTAKE_COLUMNS = {
    "mistake": "string",
    "client": "string",
    "sees": "string",
    "status": "int64",
    "flags": "string",
    "details": "string",
    "servers": "string",
}
# A wrong wire: what it is, the configuration, the kind of server.
_MISTAKES = (
    ("HTTP/1.1 to an HTTP/2 server", "none", "h2c only"),
    ("HTTP/1.1 to a gRPC server", "none", "gRPC"),
    ("HTTP/2 to an HTTP/1.1 server", "h2c", "HTTP/1.1 only"),
    ("HTTP/2 to a WebSocket server", "h2c", "WebSocket"),
    ("HTTP/1.1 in the clear to a TLS server", "none", "TLS, HTTP/1.1 and h2"),
    ("h2c to a TLS server", "h2c", "TLS, HTTP/1.1 and h2"),
    ("TLS to a server without it", "tls_h2_noalpn", "h2c only"),
)


def measured_table(envoy: str | None = None) -> pd.DataFrame:
    """The stored matrix of a version or line of Envoy, by default the newest; one line per cell.

    `kind` says what the server is, `status` is that of Envoy's access log (0: no answer), `verdict`
    one word for how it ended, `meaning` the same as a sentence. Needs neither Envoy nor the extra.
    Raises ProofError for a line of Envoy that was not measured.

    >>> table = measured_table("1.38")
    >>> cell = table[(table.config == "h2c") & (table.server == "h1_nginx")].iloc[0]
    >>> cell["client"], cell["status"], cell["flags"]
    ('h1_get', np.int64(502), 'UPE')
    """
    return proof_table(measured(envoy))


def proof_table(rows: Iterable[Measurement]) -> pd.DataFrame:
    """What `prove` has measured, one line per cell; `MEASURED_COLUMNS`, as in `measured_table`."""
    return frame(
        (
            (
                row.envoy,
                row.config,
                row.server,
                SERVERS[row.server].kind,
                row.client,
                row.ok,
                row.status,
                row.flags,
                row.details,
                row.verdict,
                verdict(row.verdict).text,
            )
            for row in rows
        ),
        MEASURED_COLUMNS,
    )


def verdict_matrix(measurements: pd.DataFrame, client: str = "h1_get") -> pd.DataFrame:
    """The verdicts for one client, from a `measured_table` of one Envoy: configurations by servers.

    Cells that were not measured are "". The attribute `attrs` has the client and the Envoy.

    >>> verdict_matrix(measured_table(), "grpc_unary").loc["h2c", ["h1_uvicorn", "grpc_plain"]]
    h1_uvicorn     P
    grpc_plain    ok
    Name: h2c, dtype: object
    """
    if client not in CLIENTS:
        raise ValueError(f"no client {client!r}; known are {', '.join(CLIENTS)}")
    of_client = measurements[measurements["client"] == client]
    envoys = sorted(set(of_client["envoy"]))
    if len(envoys) > 1:
        raise ValueError(f"measurements of several Envoys, {', '.join(envoys)}; choose one")
    there = {name: set(of_client[name]) for name in ("config", "server")}
    keys = zip(of_client["config"], of_client["server"], of_client["verdict"], strict=True)
    said = {(config, server): str(name) for config, server, name in keys}
    configs = [name for name in CONFIGS if name in there["config"]]
    servers = [name for name in SERVERS if name in there["server"]]
    rows = [[said.get((config, server), "") for server in servers] for config in configs]
    matrix = pd.DataFrame(rows, index=configs, columns=servers, dtype="object")
    matrix.attrs = {"client": client, "envoy": envoys[0] if envoys else ""}
    return matrix


def prediction_table(rows: Sequence[Measurement]) -> pd.DataFrame:
    """By configuration, how many cells end as predicted; columns as in `PREDICTION_COLUMNS`.

    >>> table = prediction_table(measured())
    >>> bool((table["cells"] == table["as_predicted"]).all())
    True
    """
    wrong = surprises(rows)
    found = []
    for config in CONFIGS:
        own = [row for row in predictable(rows) if row.config == config]
        heard = sum(map(was_understood, own))
        right = len(own) - sum(row.config == config for row in wrong)
        found += [(config, len(own), heard, right)] if own else []
    return frame(found, PREDICTION_COLUMNS)


def mistakes_table(rows: Sequence[Measurement]) -> pd.DataFrame:
    """The same mistake seen from outside: by the client, and in the log; `MISTAKE_COLUMNS`.

    >>> mistakes_table(measured())["sees"].to_list()[:2]
    ['502', 'UNAVAILABLE']
    """
    found: dict[tuple[object, ...], list[str]] = {}
    for mistake, config, kind in _MISTAKES:
        for client in ("h1_get", "grpc_unary"):
            for row in rows:
                if (row.config, SERVERS[row.server].kind, row.client) == (config, kind, client):
                    how = verdict(row.verdict)
                    sees = words_of(how, grpc=client.startswith("grpc")).partition(",")[0]
                    key = (mistake, client, sees, row.status, row.flags, row.details)
                    found.setdefault(key, []).append(row.server)
    return frame(((*key, ", ".join(names)) for key, names in found.items()), MISTAKE_COLUMNS)
