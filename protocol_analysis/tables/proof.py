"""What a real Envoy was measured to do, as DataFrames."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from protocol_analysis.proof.cells import CLIENTS, CONFIGS, SERVERS, Measurement
from protocol_analysis.proof.measured import measured, verdict
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
