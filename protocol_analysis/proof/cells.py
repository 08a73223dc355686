"""What is measured: configurations of an Envoy cluster, servers, clients, and how answers read.

A cell is one configuration, one server and one client. The names are those of the matrix and of
`measured.yaml`. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CLIENTS = {
    "h1_get": "GET over HTTP/1.1",
    "h2_get": "GET over HTTP/2, by prior knowledge",
    "grpc_unary": "gRPC, one message for one",
    "grpc_sstream": "gRPC, one message for a stream",
    "grpc_bidi": "gRPC, streams both ways",
    "ws": "WebSocket over HTTP/1.1: upgrade and echo",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One way in which Envoy Gateway tells an Envoy cluster its protocol.

    `options` is none, http1, h2, auto or downstream; `alpn` what the TLS settings list. `neighbour`
    is a server in the same Envoy cluster, as a rule with two backends has it; what is measured is
    the other one. `listener` is http, grpc (that of a GRPCRoute) or trailers (one whose
    ClientTrafficPolicy enables HTTP/1.1 trailers).
    """

    name: str
    about: str
    options: str = "none"
    tls: bool = False
    alpn: tuple[str, ...] = ()
    listener: str = "http"
    neighbour: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A real server: what kind it is, in words, and what it needs.

    `program` is what has to be installed beside Python. `slow` are the clients whose requests it
    does not answer in time: timeouts are what they are for.
    """

    name: str
    kind: str
    tls: bool = False
    program: str = ""
    slow: tuple[str, ...] = ()


_BOTH = ("h2", "http/1.1")
CONFIGS = {
    config.name: config
    for config in (
        Config(name="none", about="no options: Envoy's own default, HTTP/1.1"),
        Config(name="http1", about="HTTP/1.1, explicitly", options="http1"),
        Config(
            name="http1_trailers",
            about="HTTP/1.1 with trailers, by a ClientTrafficPolicy",
            options="http1",
            listener="trailers",
        ),
        Config(name="h2c", about="HTTP/2, no TLS", options="h2"),
        Config(
            name="grpc",
            about="HTTP/2, no TLS, through a listener of GRPCRoutes",
            options="h2",
            listener="grpc",
        ),
        Config(
            name="mixed_h2c",
            about="a plain backend beside an h2c or gRPC one: HTTP/2 for both",
            options="h2",
            neighbour="grpc_plain",
        ),
        Config(name="downstream", about="what the client speaks", options="downstream"),
        Config(name="tls_h2", about="TLS, HTTP/2, ALPN h2", options="h2", tls=True, alpn=_BOTH[:1]),
        Config(name="tls_h2_noalpn", about="TLS, HTTP/2, no ALPN", options="h2", tls=True),
        Config(
            name="tls_h1",
            about="TLS, HTTP/1.1, ALPN http/1.1",
            options="http1",
            tls=True,
            alpn=_BOTH[1:],
        ),
        Config(name="tls_h1_noalpn", about="TLS, HTTP/1.1, no ALPN", options="http1", tls=True),
        Config(
            name="auto",
            about="TLS, the better one by ALPN h2, http/1.1",
            options="auto",
            tls=True,
            alpn=_BOTH,
        ),
        Config(
            name="auto_noalpn",
            about="TLS, the better one by Envoy's own ALPN",
            options="auto",
            tls=True,
        ),
        Config(
            name="mixed_auto",
            about="a plain backend beside a TLS one, as v1.6.0 to v1.6.2: by ALPN for both",
            options="auto",
            neighbour="grpc_tls",
        ),
        Config(
            name="tls_downstream",
            about="TLS, what the client speaks",
            options="downstream",
            tls=True,
        ),
    )
}

_BIDI = ("grpc_bidi",)
_H1, _H2C, _BOTH_PLAIN = "HTTP/1.1 only", "h2c only", "HTTP/1.1 and h2c"
_TLS_H1, _TLS_BOTH = "TLS, HTTP/1.1 only", "TLS, HTTP/1.1 and h2"
SERVERS = {
    server.name: server
    for server in (
        Server(name="h1_uvicorn", kind=_H1),
        Server(name="h1_stdlib", kind=_H1),
        Server(name="h1_nginx", kind=_H1, program="nginx"),
        Server(name="h1_grpc", kind="HTTP/1.1 only, gRPC with trailers"),
        Server(name="h2c_nghttpd", kind=_H2C, program="nghttpd", slow=_BIDI),
        Server(name="h2c_nginx", kind=_H2C, program="nginx"),
        Server(name="h1h2c_hypercorn", kind=_BOTH_PLAIN, slow=_BIDI),
        Server(name="tls_h1_uvicorn", kind=_TLS_H1, tls=True),
        Server(name="tls_h1_stdlib", kind=_TLS_H1, tls=True),
        Server(name="tls_h1_nginx", kind=_TLS_H1, tls=True, program="nginx"),
        Server(name="tls_h1h2_hypercorn", kind=_TLS_BOTH, tls=True, slow=_BIDI),
        Server(name="tls_h1h2_nginx", kind=_TLS_BOTH, tls=True, program="nginx"),
        Server(
            name="tls_h1sniff_hypercorn",
            kind="TLS, HTTP/1.1 by ALPN, h2 by its preface",
            tls=True,
            slow=_BIDI,
        ),
        Server(name="tls_h2_nghttpd", kind="TLS, h2 only", tls=True, program="nghttpd", slow=_BIDI),
        Server(name="grpc_plain", kind="gRPC"),
        Server(name="grpc_tls", kind="gRPC over TLS", tls=True),
        Server(name="ws_plain", kind="WebSocket"),
        Server(name="ws_tls", kind="WebSocket over TLS", tls=True),
        Server(name="tcp_echo", kind="TCP that echoes"),
        Server(name="tcp_silent", kind="TCP that says nothing", slow=tuple(CLIENTS)),
        Server(name="tcp_banner", kind="TCP that speaks first"),
        Server(name="closed", kind="nothing listens"),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one client saw of one server through one configuration, and what Envoy logged of it.

    `ok` is the application's success: the answer, the echo. The rest is Envoy's access log, where
    a gRPC request that failed has the status 200. `details` are Envoy's RESPONSE_CODE_DETAILS.
    """

    envoy: str
    config: str
    server: str
    client: str
    ok: bool
    status: int
    flags: str
    details: str

    @property
    def verdict(self) -> str:
        """One word for how it ended: `ok`, or one of `measured.yaml`'s verdicts."""
        return verdict_of(ok=self.ok, status=self.status, flags=self.flags, details=self.details)

    def as_dict(self) -> dict[str, Any]:
        """The contract's `prove` row, and the verdict."""
        return {
            "envoy": self.envoy,
            "config": self.config,
            "server": self.server,
            "client": self.client,
            "ok": self.ok,
            "status": self.status,
            "flags": self.flags,
            "details": self.details,
            "verdict": self.verdict,
        }


# What Envoy's details hold → the verdict; the first that is found. TLS has its own words.
_SIGNS = (
    ("WRONG_VERSION_NUMBER", "V"),
    ("UNEXPECTED_MESSAGE", "M"),
    ("NO_APPLICATION_PROTOCOL", "A"),
    ("Connection_refused", "X"),
    ("connection_timeout", "T"),
    ("remote_connection_failure", "F"),
    ("upgrade_failed", "u403"),
    ("response_timeout", "t"),
    ("protocol_error", "P"),
    ("connection_termination", "C"),
    ("{remote_reset", "R"),
)
# What a busy machine brings about too: time that ran out, and a reset that overtook the answer.
DOUBTFUL = frozenset({"t", "T", "D", "C"})


def verdict_of(*, ok: bool, status: int, flags: str, details: str) -> str:
    """How it ended, in one word; `?` for what has not been seen before.

    >>> verdict_of(ok=False, status=200, flags="", details="via_upstream")
    'h200'
    >>> verdict_of(ok=False, status=502, flags="UPE",
    ...            details="upstream_reset_before_response_started{protocol_error}")
    'P'
    """
    if ok:
        return "ok"
    for sign, verdict in _SIGNS:
        if sign in details:
            return verdict
    if details.startswith(("via_upstream", "websocket_handshake_unsuccessful")):
        return "fake101" if status == 101 else f"h{status}"
    return f"D{status or ''}" if {"DR", "DC"} & set(flags.split(",")) else "?"
