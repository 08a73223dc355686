"""What was seen of an endpoint → what it speaks, and which appProtocol is right for it. Pure.

Each fact has three values: it is spoken, something else is, or it cannot be told (None), because
nothing was answered in time or nobody could be asked.
Silence means nothing where everything is silent. Where something is spoken it means no: a server
that waits for more of what it takes for its own protocol does not speak the other one.

A port of TLS may answer clear text, only to turn it away: nginx and Go say 400, others redirect to
https. That is no HTTP/1.1 in the clear.

Which row of `recommended.yaml` is taken, in this order: what is spoken in the clear, since there a
value decides; then TLS, for which no value is right; then what is neither.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import yaml

_RECOMMENDED = Path(__file__).with_name("recommended.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What is spoken in the clear, or inside TLS.

    `grpc` is health, reflection, health and reflection, or answers (gRPC without either).
    `only_upgrades`: a GET is told to upgrade (426). `turns_away`: a GET is refused as ports of TLS
    refuse clear text. `http10`: what HTTP/1 there is answers as HTTP/1.0. `no_grpc`: gRPC's health
    service was asked for, and what answers is no gRPC. `other`: there are answers, which are
    neither HTTP nor TLS. `refused`: TLS does not take this client, so nobody could be asked inside.
    """

    http1: bool | None = False
    http2: bool | None = False
    grpc: str | None = None
    websocket: bool | None = False
    rfc8441: bool | None = False
    only_upgrades: bool = False
    turns_away: bool = False
    http10: bool = False
    no_grpc: bool = False
    other: bool = False
    refused: bool = False

    @property
    def speaks(self) -> bool:
        """Whether any HTTP is spoken."""
        return bool(self.http1 or self.http2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that was seen of an endpoint.

    `alpn` is what was chosen when h2 and http/1.1 were offered.
    """

    reachable: bool = False
    speaks_first: bool = False
    tls: bool | None = False
    alpn: str | None = None
    clear: Side = field(default_factory=Side)
    secure: Side = field(default_factory=Side)

    @property
    def turned_away(self) -> bool:
        """Whether clear text is answered only to be turned away."""
        return bool(self.tls and self.clear.turns_away)

    @property
    def answers(self) -> bool:
        """Whether anything was understood, so that silence elsewhere means no."""
        return bool(self.tls or self.clear.speaks or self.clear.other or self.speaks_first)

    @property
    def clear_http1(self) -> bool | None:
        """HTTP/1 in the clear."""
        return self._settled(False if self.turned_away else self.clear.http1)

    @property
    def h2c(self) -> bool | None:
        """HTTP/2 in the clear, by prior knowledge."""
        return self._settled(self.clear.http2)

    @property
    def secure_http1(self) -> bool | None:
        """HTTP/1 over TLS."""
        return self._inside(self.secure.http1)

    @property
    def h2(self) -> bool | None:
        """HTTP/2 over TLS."""
        return self._inside(self.secure.http2)

    @property
    def speaks_tls(self) -> bool | None:
        """TLS."""
        return self._settled(self.tls)

    @property
    def http1(self) -> bool | None:
        """HTTP/1.1, in the clear or over TLS; not what answers as HTTP/1.0."""
        return _either(
            self.clear_http1 and not self.clear.http10,
            self.secure_http1 and not self.secure.http10,
        )

    @property
    def websocket(self) -> bool | None:
        """WebSocket over HTTP/1.1, in the clear or over TLS."""
        return _either(
            _upon(self.clear_http1, self.clear.websocket),
            _upon(self.secure_http1, self.secure.websocket),
        )

    @property
    def rfc8441(self) -> bool | None:
        """WebSocket over HTTP/2, in the clear or over TLS."""
        return _either(_upon(self.h2c, self.clear.rfc8441), _upon(self.h2, self.secure.rfc8441))

    @property
    def grpc(self) -> str | None:
        """What of gRPC answers, in the clear or over TLS."""
        return (self.clear.grpc if self.h2c else None) or (self.secure.grpc if self.h2 else None)

    def _settled(self, seen: bool | None) -> bool | None:  # noqa: FBT001 - a fact itself
        if not self.reachable:
            return None
        return False if seen is None and self.answers else seen

    def _inside(self, seen: bool | None) -> bool | None:  # noqa: FBT001 - a fact itself
        if not self.speaks_tls:
            return self.speaks_tls
        answers = self.secure.speaks or self.secure.other
        return False if seen is None and answers else seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """The appProtocol that is right, or None where none is; why, and where that is said."""

    row: str
    value: str | None
    text: str
    source: str


def recommended(facts: Facts) -> Recommendation:
    """What to declare for an endpoint.

    >>> recommended(Facts(reachable=True, clear=Side(http2=True))).value
    'kubernetes.io/h2c'
    >>> recommended(Facts(reachable=True, tls=True, secure=Side(http1=True))).row
    'tls-h1'
    """
    return recommendations()[_row(facts)]


@cache
def recommendations() -> dict[str, Recommendation]:
    """The rows of `recommended.yaml`, by name."""
    rows = yaml.safe_load(_RECOMMENDED.read_text(encoding="utf-8"))
    return {name: Recommendation(row=name, **row) for name, row in rows.items()}


def speaks(facts: Facts, upstream: str | None, *, tls: bool | None) -> bool | None:
    """Whether an endpoint speaks what a proxy, or the author of a value, says `upstream` is.

    `upstream` and `tls` are those of a Resolution or a Meaning; `tls` None is either. The answer is
    None where it cannot be told.

    >>> speaks(Facts(reachable=True, clear=Side(http1=True)), "h2", tls=False)
    False
    >>> speaks(Facts(reachable=True, clear=Side(http1=None)), "http/1.1", tls=False) is None
    True
    """
    if not facts.reachable:
        return None
    if tls is None:
        return _either(*(speaks(facts, upstream, tls=each) for each in (False, True)))
    if upstream == "tcp":
        # Any bytes will do; TLS has to be there first.
        return facts.speaks_tls if tls else True
    if tls and not facts.tls:
        return facts.speaks_tls
    http1 = facts.secure_http1 if tls else facts.clear_http1
    http2 = facts.h2 if tls else facts.h2c
    match upstream:
        case "http/1.1":
            return http1
        case "h2":
            return http2
        case "auto":
            return http2 if facts.alpn == "h2" else http1
        case "client" if http1 and http2:
            return True
    # What the client speaks is not known here, nor is UDP asked.
    return None


def grpc_word(*, health: bool, reflection: bool) -> str:
    """The word for a server that answers as gRPC does, by which of the two services it has.

    >>> grpc_word(health=True, reflection=True), grpc_word(health=False, reflection=False)
    ('health and reflection', 'answers')
    """
    found = [("health", health), ("reflection", reflection)]
    return " and ".join(name for name, there in found if there) or "answers"


def may_be_settings(data: bytes) -> bool:
    r"""Whether bytes begin as a server of HTTP/2 does, with SETTINGS; as far as they go.

    Source: https://www.rfc-editor.org/rfc/rfc9113#section-3.4

    >>> may_be_settings(b"\0\0\x06\4\0\0\0\0\0"), may_be_settings(b"220 ready\r\n")
    (True, False)
    """
    kind, stream = data[3:5], data[5:9]
    # Below 64 KiB; a frame that is longer is refused anyway.
    length = bytes(1).startswith(data[:1]) and (len(data) < 3 or int.from_bytes(data[:3]) % 6 == 0)
    return length and b"\4\0".startswith(kind) and bytes(4).startswith(stream)


def is_tls(data: bytes) -> bool:
    r"""Whether bytes begin as a server of TLS does: with a ServerHello, or with an alert.

    An echo of the ClientHello is neither.
    Source: https://www.rfc-editor.org/rfc/rfc8446#section-5.1

    >>> is_tls(b"\x15\3\1\0\2\2\x46"), is_tls(b"\x16\3\1\0\xf8\1"), is_tls(b"HTTP/1.1")
    (True, False, False)
    """
    hello = data[:2] == b"\x16\3" and data[5:6] == b"\2"
    return hello or (data[:2] == b"\x15\3" and data[3:5] == b"\0\2")


def _row(facts: Facts) -> str:
    if not facts.reachable:
        return "unreachable"
    clear = facts.clear
    if clear.http2 and clear.grpc:
        return "grpc"
    if clear.http2 and facts.clear_http1:
        lost = clear.websocket and not clear.rfc8441
        return "both-websocket" if lost else "both"
    if clear.http2:
        return "h2c"
    if facts.clear_http1:
        if clear.http10:
            return "http-1.0"
        return "websocket" if clear.websocket and clear.only_upgrades else "http"
    if facts.tls:
        return _row_of_tls(facts)
    seen = {clear.http1, clear.http2, facts.tls}
    if facts.answers or None not in seen:
        return "other"
    return "silent" if seen == {None} else "unsure"


def _row_of_tls(facts: Facts) -> str:
    match facts.secure_http1, facts.h2:
        case True, True:
            return "tls-both"
        case False, True:
            return "tls-h2" if facts.alpn == "h2" else "tls-h2-unnegotiated"
        case True, False:
            return "tls-h1-misnegotiated" if facts.alpn == "h2" else "tls-h1"
        case False, False:
            return "tls-other"
    return "tls-refused" if facts.secure.refused else "tls-silent"


def _upon(base: bool | None, seen: bool | None) -> bool | None:  # noqa: FBT001 - facts themselves
    """What stands on another protocol, which has to be spoken first."""
    return seen if base else base


def _either(*seen: bool | None) -> bool | None:
    return True if True in seen else None if None in seen else False
