"""The matrix, measured: one Envoy between real clients and real servers, every cell of it.

Envoy, the servers and the clients are processes of their own, on 127.0.0.1, in a folder that is
gone afterwards. What a client saw and what Envoy logged of it are joined by the request's own id.
Some cells are measured again, in a further round, and the last answer counts:

- one that timed out at a server that does answer, or whose connection ended without a word: a
  busy machine does that too, and is not what is measured; it counts when it stays so;
- one of a rule with two backends where Envoy chose the other one.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any
from urllib.error import URLError

from protocol_analysis.proof.binaries import Envoy, find_envoy, require_extra
from protocol_analysis.proof.bootstrap import ACCESS_LOG, LISTENERS, LOCALHOST, bootstrap
from protocol_analysis.proof.cells import CLIENTS, CONFIGS, DOUBTFUL, SERVERS, Measurement
from protocol_analysis.proof.programs import Lines, Programs, ProofError, programs
from protocol_analysis.proof.serving import absent_servers, start_servers

_SCRIPT = Path(__file__).with_name("clients.py")
_READY, _ROUND = 30.0, 120.0  # seconds: for Envoy to be live, for a round to be over
_LOGGED = 5.0  # seconds for the last lines of the access log
_ROUNDS = 12
_BELIEVED = 3  # rounds in which what is doubtful has to be the same
_ARGUMENTS = (
    *("--config-path", "envoy.json", "--admin-address-path", "admin", "--disable-hot-restart"),
    *("--concurrency", "1", "--file-flush-interval-msec", "50", "--log-level", "warning"),
)

Cell = tuple[str, str, str]  # config, server, client
Progress = Callable[[int, int], None]  # cells that have an answer, and all


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """What runs, and where it listens."""

    running: Programs
    envoy: str
    listeners: Mapping[str, int]
    servers: Mapping[str, int]
    log: Lines


def prove(
    envoy: str | None = None,
    *,
    configs: Iterable[str] = (),
    servers: Iterable[str] = (),
    clients: Iterable[str] = (),
    progress: Progress | None = None,
) -> list[Measurement]:
    """Measure every cell of these configurations, servers and clients; of none named: of all.

    `envoy` is a version, by default the installed one. Servers whose program is absent
    (`absent_servers`) are left out, unless they are named. Sorted as `cells.py` has the names.
    Raises ProofError: a name or version is not known, the extra is not installed, or Envoy or a
    server does not run.
    """
    named = list(servers)
    possible = [name for name in SERVERS if named or name not in absent_servers()]
    cells = list(
        product(
            _chosen("config", configs, CONFIGS),
            _chosen("server", named or possible, SERVERS),
            _chosen("client", clients, CLIENTS),
        )
    )
    require_extra()
    program = find_envoy(envoy)
    with programs() as running:
        return _measure(running, program, cells, progress or (lambda *_: None))


def _chosen(what: str, names: Iterable[str], known: Mapping[str, Any]) -> list[str]:
    wanted = list(names) or list(known)
    if unknown := [name for name in wanted if name not in known]:
        raise ProofError(f"no {what} {unknown[0]!r}; known are {', '.join(known)}")
    return [name for name in known if name in wanted]


def _measure(
    running: Programs, envoy: Envoy, cells: Sequence[Cell], progress: Progress
) -> list[Measurement]:
    running.python("clients", _SCRIPT, str(running.folder))  # it loads while others start
    pairs = {(config, server) for config, server, _ in cells}
    neighbours = {CONFIGS[config].neighbour for config, _ in pairs} - {""}
    ports = start_servers(running, {server for _, server in pairs} | neighbours)
    listeners = start_envoy(running, envoy, bootstrap(pairs, ports, str(running.folder / "ca.pem")))
    bench = _Bench(
        running=running,
        envoy=envoy.version,
        listeners=listeners,
        servers=ports,
        log=Lines(running.folder / ACCESS_LOG),
    )
    measured: dict[Cell, list[Measurement]] = {}
    left = list(cells)
    for number in range(1, _ROUNDS + 1):
        # Further rounds are of few cells, whose first answers have been counted.
        found = _round(bench, number, left, progress if number == 1 else lambda *_: None)
        for cell, row in found.items():
            measured.setdefault(cell, []).append(row)
        left = [cell for cell in left if _again(measured.get(cell, []))]
        if not left:
            return [measured[cell][-1] for cell in cells]
    raise ProofError(f"no answer in {'/'.join(left[0])}; is the machine busy? Try again")


def _again(rows: Sequence[Measurement]) -> bool:
    """Whether a cell is to be measured again, by what is known of it."""
    if not rows:
        return True
    last = rows[-1]
    slow = last.client in SERVERS[last.server].slow
    return last.verdict in DOUBTFUL and not slow and len(rows) < _BELIEVED


def start_envoy(running: Programs, envoy: Envoy, config: Mapping[str, Any]) -> dict[str, int]:
    """Start Envoy with a configuration; the port of each listener, once it is live."""
    running.write("envoy.json", json.dumps(config))
    running.start("envoy", [envoy.program, *_ARGUMENTS])
    # The file is there before the listeners are parsed: that it lives is asked as well.
    admin = running.wait("Envoy's admin address", lambda: _text(running.folder / "admin"), _READY)
    running.wait("Envoy is live", lambda: _get(admin, "/ready") == "LIVE\n" or None, _READY)
    said = json.loads(_get(admin, "/listeners?format=json"))
    found = {each["name"]: each["local_address"] for each in said["listener_statuses"]}
    return {name: int(found[name]["socket_address"]["port_value"]) for name in LISTENERS}


def _round(
    bench: _Bench, number: int, cells: Sequence[Cell], progress: Progress
) -> dict[Cell, Measurement]:
    """Send a request for each cell; those that reached the server in question."""
    # Envoy takes two backends in turn, so that one of two requests reaches the one in question.
    doubled = (c for cell in cells for c in [cell] * (2 if CONFIGS[cell[0]].neighbour else 1))
    asked = {f"{number}.{at}": cell for at, cell in enumerate(doubled)}
    requests = [_request(bench, rid, *cell) for rid, cell in asked.items()]
    bench.running.write(f"cells-{number}.json", json.dumps(requests))
    answers: dict[str, dict[str, Any]] = {}
    lines = Lines(bench.running.folder / f"answers-{number}.jsonl")

    def answered() -> bool | None:
        answers.update({each["rid"]: each for each in map(json.loads, lines.new())})
        progress(len({asked[rid] for rid in answers}), len(cells))
        return len(answers) == len(asked) or None

    bench.running.wait("all clients have an answer", answered, _ROUND)
    logged: dict[str, dict[str, Any]] = {}

    def written() -> bool | None:
        logged.update({each["rid"]: each for each in map(json.loads, bench.log.new())})
        return asked.keys() <= logged.keys() or None

    bench.running.wait("Envoy has logged all requests", written, _LOGGED)
    return {
        cell: _measurement(bench.envoy, cell, answers[rid], logged[rid])
        for rid, cell in asked.items()
        if _reached(bench, cell, logged[rid])
    }


def _request(bench: _Bench, rid: str, config: str, server: str, client: str) -> dict[str, Any]:
    return {
        "rid": rid,
        "cell": f"{config}/{server}",
        "client": client,
        "port": bench.listeners[CONFIGS[config].listener],
        "patient": client in SERVERS[server].slow,
    }


def _reached(bench: _Bench, cell: Cell, logged: Mapping[str, Any]) -> bool:
    """Whether it went to the server in question, or to none at all."""
    config, server, _ = cell
    host = logged["host"]
    return not CONFIGS[config].neighbour or host in {
        None,
        "-",
        f"{LOCALHOST}:{bench.servers[server]}",
    }


def _measurement(
    envoy: str, cell: Cell, answer: Mapping[str, Any], logged: Mapping[str, Any]
) -> Measurement:
    config, server, client = cell
    status, flags, details = (logged[name] for name in ("status", "flags", "details"))
    if status and flags in {"DR", "DC"} and not (answer["ok"] or answer["late"]):
        flags, details = None, "via_upstream"  # it had its answer, and left before the end of it
    return Measurement(
        envoy=envoy,
        config=config,
        server=server,
        client=client,
        ok=answer["ok"],
        status=int(status or 0),
        flags=_text_of(flags),
        details=_text_of(details),
    )


def _text_of(value: str | None) -> str:
    """Envoy writes - for nothing."""
    return "" if value in {None, "-"} else str(value)


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") or None if path.exists() else None


def _get(admin: str, path: str) -> str:
    """What Envoy's admin interface says; nothing while it is not there."""
    try:
        with urllib.request.urlopen(f"http://{admin}{path}", timeout=1) as answer:
            return str(answer.read().decode())
    except (URLError, OSError):
        return ""
