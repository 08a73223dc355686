"""What should come of a cell, by what is sent and what is spoken there: to compare with.

A request is understood where the server speaks, in the clear or over TLS, what the configuration
sends. What the application then answers is its own affair: a gRPC server has no answer to a GET.
"""

from __future__ import annotations

from collections.abc import Iterable

from protocol_analysis.proof.cells import CONFIGS, SERVERS, Measurement

_HTTP1, _HTTP2 = "http/1.1", "h2"
_BOTH = (_HTTP1, _HTTP2)
# What servers of a kind speak, by the names of `SERVERS`; TLS is said there.
SPEAKS: dict[str, tuple[str, ...]] = {
    "HTTP/1.1 only": (_HTTP1,),
    "HTTP/1.1 only, gRPC with trailers": (_HTTP1,),
    "h2c only": (_HTTP2,),
    "HTTP/1.1 and h2c": _BOTH,
    "TLS, HTTP/1.1 only": (_HTTP1,),
    "TLS, HTTP/1.1 and h2": _BOTH,
    "TLS, HTTP/1.1 by ALPN, h2 by its preface": _BOTH,
    "TLS, h2 only": (_HTTP2,),
    "gRPC": (_HTTP2,),
    "gRPC over TLS": (_HTTP2,),
    "WebSocket": (_HTTP1,),
    "WebSocket over TLS": (_HTTP1,),
    "TCP that echoes": (),
    "TCP that says nothing": (),
    "TCP that speaks first": (),
    "nothing listens": (),
}
_OF_CLIENT = {"h1_get": _HTTP1, "h2_get": _HTTP2}
# Verdicts by which the server, or its application, was heard: it worked, or it refused by itself.
_HEARD = ("ok", "R")


def is_understood(config: str, server: str, client: str) -> bool | None:
    """Whether what is sent to a server should be understood there; None where ALPN has no TLS.

    `client` is one that only gets: h1_get or h2_get. Raises KeyError for names that are not known.

    >>> is_understood("h2c", "h1_uvicorn", "h1_get"), is_understood("h2c", "grpc_plain", "h1_get")
    (False, True)
    """
    sent, there = CONFIGS[config], SERVERS[server]
    spoken = SPEAKS[there.kind]
    if sent.options == "auto":
        return bool(spoken) and there.tls if sent.tls else None
    wires = {"h2": _HTTP2, "downstream": _OF_CLIENT[client]}
    return wires.get(sent.options, _HTTP1) in spoken and sent.tls == there.tls


def was_understood(row: Measurement) -> bool:
    """Whether a measured request was understood.

    nginx answers clear text on a port for TLS, and only to turn it away: that is not understood.
    """
    turned_away = row.verdict == "h400" and CONFIGS[row.config].tls != SERVERS[row.server].tls
    return row.verdict in _HEARD or (row.verdict.startswith("h") and not turned_away)


def predictable(rows: Iterable[Measurement]) -> list[Measurement]:
    """The cells for which there is a prediction: of clients that get; ALPN only with TLS.

    >>> from protocol_analysis.proof.measured import measured
    >>> len(predictable(measured())) > 500
    True
    """
    return [
        row
        for row in rows
        if row.client in _OF_CLIENT
        and is_understood(row.config, row.server, row.client) is not None
    ]


def surprises(rows: Iterable[Measurement]) -> list[Measurement]:
    """The cells that ended otherwise than predicted.

    >>> from protocol_analysis.proof.measured import measured
    >>> surprises(measured())
    []
    """
    return [
        row
        for row in predictable(rows)
        if was_understood(row) != is_understood(row.config, row.server, row.client)
    ]
