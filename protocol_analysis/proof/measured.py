"""What was measured, as data: the outcome of a resolution without any Envoy at hand.

`measured.yaml` has the verdict of every cell for one version of each line of Envoy,
`verdicts.yaml` what a verdict means. From there come the rows that `prove` would give, and what
each kind of server makes of a backend reference. Reading needs neither Envoy nor the extra.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from protocol_analysis.proof.cells import CLIENTS, SERVERS, Measurement
from protocol_analysis.proof.programs import ProofError
from protocol_analysis.releases import line_of
from protocol_analysis.resolution import Resolution
from protocol_analysis.rules import ruleset

MEASURED = Path(__file__).with_name("measured.yaml")
_VERDICTS = Path(__file__).with_name("verdicts.yaml")
_COUNTED = re.compile(r"([hD])([0-9]{3})\Z")  # verdicts with a status in them

# What is spoken, and whether over TLS → the configuration; GRPCRoutes and others have their own.
_CONFIGS = {
    ("http/1.1", False): "none",
    ("http/1.1", True): "tls_h1_noalpn",
    ("h2", False): "h2c",
    ("h2", True): "tls_h2_noalpn",
    ("auto", True): "auto_noalpn",
    ("auto", False): "mixed_auto",
    ("client", False): "downstream",
    ("client", True): "tls_downstream",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a cell can end, as the access log has it, and what it means.

    `status` is what a client of HTTP or WebSocket sees; the log of a gRPC request that Envoy itself
    ended has 200, and the client sees UNAVAILABLE.
    """

    name: str
    status: int
    flags: str
    details: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What servers of one kind make of what is spoken to them, for one client.

    >>> str(Outcome(kind="HTTP/1.1 only", client="h1_get", verdicts=(verdict("P"),)))
    'HTTP/1.1 only: 502, flags UPE'
    """

    kind: str
    client: str
    verdicts: tuple[Verdict, ...]

    @property
    def ok(self) -> bool:
        """Whether all of them work."""
        return all(each.name == "ok" for each in self.verdicts)

    @property
    def words(self) -> str:
        """What the client sees: `502, flags UPE`."""
        grpc = self.client.startswith("grpc")
        return " or ".join(words_of(each, grpc=grpc) for each in self.verdicts)

    def __str__(self) -> str:
        return f"{self.kind}: {self.words}"


def measured_envoys() -> tuple[str, ...]:
    """The versions of Envoy that were measured, oldest first.

    >>> [version.rpartition(".")[0] for version in measured_envoys()]
    ['1.36', '1.37', '1.38', '1.39', '1.40']
    """
    return tuple(_stored()["envoys"])


def measured(envoy: str | None = None) -> list[Measurement]:
    """The rows of the whole matrix for a version or line of Envoy, by default the newest measured.

    Another patch than the measured one is taken as that of its line. Where the client succeeded,
    `flags` and `details` are empty: they would tell who closed the connection first. Raises
    ProofError for a line that was not measured.
    """
    return list(_rows(measured_version(envoy)))


def envoy_of(release: str | None) -> tuple[str, str]:
    """The measured Envoy that stands for that of an Envoy Gateway release, and what to know of it.

    >>> envoy_of("v1.8.3")
    ('1.38.2', 'v1.8.3 compiles in 1.38.0')
    >>> envoy_of("v1.3.3")[1]
    'v1.3.3 compiles in 1.33.0, of a line that was not measured'
    """
    rules = ruleset("envoy-gateway")
    known = rules.pick(release)[0]
    compiled = str(rules.lines.get(line_of(known), {}).get("envoy", ""))
    versions = measured_envoys()
    if not compiled:
        return versions[-1], f"which Envoy {known} compiles in is not known"
    line = ".".join(compiled.split(".")[:2])
    own = [version for version in versions if version.startswith(f"{line}.")]
    told = f"{known} compiles in {compiled}"
    if not own:
        return versions[0], f"{told}, of a line that was not measured"
    return own[-1], "" if own[-1] == compiled else told


def measurements(measure: str = "", release: str | None = None) -> list[Measurement]:
    """What is stored of the Envoy of a release (`envoy_of`), by default the newest measured one.

    `now`: measured by the one that is installed. A version (`1.38.2`) is measured anew too. Raises
    ProofError as `prove` does.

    >>> measurements() == measured()
    True
    """
    if not measure:
        return measured(envoy_of(release)[0] if release else None)
    # What is stored reads without the extra that measuring needs.
    from protocol_analysis.proof.matrix import prove  # noqa: PLC0415

    return prove(None if measure == "now" else measure)


def measured_version(envoy: str | None = None) -> str:
    """The measured version that stands for a version or line of Envoy; raises ProofError.

    >>> measured_version("1.36.2")
    '1.36.4'
    """
    versions = measured_envoys()
    if envoy is None:
        return versions[-1]
    line = ".".join(envoy.split(".")[:2])
    found = [version for version in versions if version.startswith(f"{line}.")]
    if not found:
        raise ProofError(f"Envoy {envoy!r} was not measured; measured are {', '.join(versions)}")
    return found[-1]


def verdict(name: str) -> Verdict:
    """What a verdict means; `hNNN` is the server's own answer NNN.

    >>> verdict("h404").status, verdict("P").flags
    (404, 'UPE')
    """
    counted = _COUNTED.match(name)
    row = _verdicts().get(counted[1] + "NNN" if counted else name)
    if row is None:
        return Verdict(name=name, status=0, flags="", details="", text="not seen before")
    status = int(counted[2] if counted else row["status"])
    return Verdict(name=name, **{**row, "status": status})


def config_of(resolution: Resolution, alpn: Sequence[str] | None = None) -> str | None:
    """The configuration that Envoy is given for a backend reference, by its measured name.

    `alpn` is what its TLS settings list, where they do. None where no HTTP is spoken, or nothing.
    """
    name = _CONFIGS.get((resolution.upstream or "", resolution.tls))
    if name == "none" and resolution.force_http1:
        return "http1"
    if name == "h2c" and resolution.route.kind == "GRPCRoute":
        return "grpc"
    if name == "h2c" and resolution.protocol == "HTTP":
        return "mixed_h2c"  # of itself it would be spoken to in HTTP/1.1
    return name.removesuffix("_noalpn") if name and alpn else name


def outcomes(
    resolution: Resolution,
    client: str = "h1_get",
    *,
    envoy: str | None = None,
    alpn: Sequence[str] | None = None,
) -> list[Outcome]:
    """What each kind of server behind a backend reference answers a client; none without HTTP.

    Raises ProofError for a client that is not known, or a line of Envoy that was not measured.
    """
    if client not in CLIENTS:
        raise ProofError(f"no client {client!r}; known are {', '.join(CLIENTS)}")
    config = config_of(resolution, alpn)
    if config and client == "ws" and resolution.route.kind == "GRPCRoute":
        config = "grpc"  # its listener upgrades nothing, whatever is spoken behind it
    return list(_answers(config or "", client, measured_version(envoy)).values())


def answer_to(config: str, kind: str, client: str, envoy: str | None = None) -> Outcome:
    """What servers of a kind answer a client through a configuration, as measured.

    Raises ProofError where there is no such cell.

    >>> str(answer_to("none", "gRPC", "grpc_unary"))
    'gRPC: UNAVAILABLE, flags UPE'
    """
    answers = _answers(config, client, measured_version(envoy))
    if kind not in answers:
        raise ProofError(f"nothing was measured of {config!r}, {kind!r} and {client!r}")
    return answers[kind]


@cache
def _answers(config: str, client: str, envoy: str) -> dict[str, Outcome]:
    """What each kind of server answers a client through a configuration."""
    found: dict[str, list[str]] = {}
    for row in _rows(envoy):
        if (row.config, row.client) == (config, client):
            found.setdefault(SERVERS[row.server].kind, []).append(row.verdict)
    return {
        kind: Outcome(kind=kind, client=client, verdicts=tuple(map(verdict, dict.fromkeys(names))))
        for kind, names in found.items()
    }


@cache
def _rows(envoy: str) -> tuple[Measurement, ...]:
    stored = _stored()
    named = {
        (config, server, client): name
        for config, of_config in stored["matrix"].items()
        for server, names in of_config.items()
        for client, name in zip(CLIENTS, names.split(), strict=True)
    }
    for row in stored["differs"]:
        if envoy in row["envoys"]:
            named[row["config"], row["server"], row["client"]] = row["verdict"]
    return tuple(_row(envoy, *cell, verdict(name)) for cell, name in named.items())


def _row(envoy: str, config: str, server: str, client: str, how: Verdict) -> Measurement:
    status, flags, details = how.status, how.flags, how.details
    if client == "ws" and how.name == "ok":
        status = 101
    elif client == "ws" and how.name == "h200":
        details = "websocket_handshake_unsuccessful"
    elif client.startswith("grpc") and flags.startswith("U"):
        status = 200  # of Envoy's answer, whose gRPC status says UNAVAILABLE
    return Measurement(
        envoy=envoy,
        config=config,
        server=server,
        client=client,
        ok=how.name == "ok",
        status=status,
        flags=flags,
        details="" if how.name == "ok" else details,
    )


def words_of(how: Verdict, *, grpc: bool) -> str:
    """What a client sees, and the flags of the log: `502, flags UPE`.

    >>> words_of(verdict("P"), grpc=True)
    'UNAVAILABLE, flags UPE'
    """
    if how.name == "ok":
        return how.text
    said = "UNAVAILABLE" if grpc and how.flags.startswith("U") else str(how.status or "no answer")
    return f"{said}, flags {how.flags}" if how.flags else said


@cache
def _stored() -> dict[str, Any]:
    stored: dict[str, Any] = yaml.safe_load(MEASURED.read_text(encoding="utf-8"))
    return stored


@cache
def _verdicts() -> dict[str, dict[str, Any]]:
    verdicts: dict[str, dict[str, Any]] = yaml.safe_load(_VERDICTS.read_text(encoding="utf-8"))
    return verdicts
