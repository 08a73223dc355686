"""Measure the matrix anew and write `measured.yaml`: python -m tests.refresh_measured.

One version of each line of Envoy: those of the newest releases of Envoy Gateway, and the newest
known. Each is measured until three runs in a row agree, so that nothing is stored that a busy
machine made. Needs nginx (before 1.25.1) and nghttpd.
"""

from __future__ import annotations

import sys
from itertools import count
from typing import TYPE_CHECKING

from protocol_analysis.proof.binaries import newest
from protocol_analysis.proof.cells import CLIENTS, CONFIGS, SERVERS
from protocol_analysis.proof.matrix import prove
from protocol_analysis.proof.measured import MEASURED
from protocol_analysis.proof.serving import absent_servers

if TYPE_CHECKING:
    from collections.abc import Mapping

ENVOYS = ("1.36.4", "1.37.0", "1.38.2", "1.39.0", newest())
RUNS = 3
HEAD = f"""\
# The matrix as measured: for each version of Envoy the verdict of every cell. Written by
# `python -m tests.refresh_measured`; verdicts.yaml has what they mean, cells.py the names.
#
# A line has the verdicts of the clients {" ".join(CLIENTS)},
# those of the newest version; `differs` has the cells in which another version ends otherwise.
"""

Cell = tuple[str, str, str]


def agreed(envoy: str) -> dict[Cell, str]:
    """The verdict of every cell, of three runs in a row that agree."""
    runs: list[dict[Cell, str]] = []
    for number in count(1):
        rows = prove(envoy)
        runs.append({(row.config, row.server, row.client): row.verdict for row in rows})
        last = runs[-RUNS:]
        changed = [cell for cell in last[0] if any(run[cell] != last[0][cell] for run in last)]
        print(
            f"{envoy} run {number}: {len(rows)} cells, {len(changed)} not as before {changed[:4]}"
        )
        if len(last) == RUNS and not changed:
            return runs[-1]
    raise AssertionError


def text_of(measured: Mapping[str, Mapping[Cell, str]]) -> str:
    """The file's text."""
    envoys = list(measured)
    newest_measured = measured[envoys[-1]]
    lines = [f"envoys: [{', '.join(envoys)}]", "matrix:"]
    for config in CONFIGS:
        lines.append(f"  {config}:")
        for server in SERVERS:
            usual = [newest_measured[config, server, client] for client in CLIENTS]
            lines.append(f"    {server}: {' '.join(usual)}")
    lines.append("differs:")
    for (config, server, client), usual_name in newest_measured.items():
        found = {envoy: cells[config, server, client] for envoy, cells in measured.items()}
        for name in dict.fromkeys(found.values()):
            if name != usual_name:
                where = ", ".join(envoy for envoy in envoys if found[envoy] == name)
                cell = f"config: {config}, server: {server}, client: {client}"
                lines.append(f"  - {{envoys: [{where}], {cell}, verdict: {name}}}")
    return HEAD + "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and write."""
    if absent := absent_servers():
        sys.exit("\n".join(f"{name}: {why}" for name, why in absent.items()))
    MEASURED.write_text(text_of({envoy: agreed(envoy) for envoy in ENVOYS}), encoding="utf-8")


if __name__ == "__main__":
    main()
