"""What can come of a question that `probe` asks, and what the exceptions on the way tell. Pure."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from protocol_analysis.proof.facts import is_tls, may_be_settings
from protocol_analysis.proof.wires import MOST_BYTES, TooMuch, Wire

HTTP1 = b"HTTP/"  # how its answers begin
_NO_PROTOCOL = "no application protocol"


class NotSpoken(Exception):  # noqa: N818 - an answer, no fault
    """The other end speaks something else; the message says what was seen.

    `other`: it has said something that is neither HTTP nor TLS.
    """

    def __init__(self, text: str, *, other: bool = False) -> None:
        super().__init__(text)
        self.other = other


class Untold(Exception):  # noqa: N818 - an answer, no fault
    """The other end does not let itself be asked; the message says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class To:
    """Whom a request is for: `scheme` is http or https."""

    scheme: str
    authority: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a question: spoken or not, or None where it cannot be told; and in words.

    `code` is the status of HTTP; `turns_away`, that it is one which ports of TLS give to clear
    text; `grpc`, that a gRPC server has answered, `no_grpc`, that another one has;
    `alpn`, what TLS has chosen; `http10`, that HTTP/1.0 was answered; `other`, that what was
    answered is neither HTTP nor TLS; `refused`, that TLS does not take this client.
    """

    spoken: bool | None
    text: str
    code: int | None = None
    turns_away: bool = False
    grpc: bool = False
    no_grpc: bool = False
    alpn: str | None = None
    http10: bool = False
    other: bool = False
    refused: bool = False


Ask = Callable[[Wire, To], Awaitable[Answer]]


def failure(error: Exception, timeout: float) -> Answer:
    """What an exception tells of the other end."""
    if isinstance(error, TimeoutError):
        return Answer(spoken=None, text=f"no answer within {timeout:g} s")
    if isinstance(error, TooMuch):
        text = f"more than {MOST_BYTES // 1024} KiB without an answer"
        return Answer(spoken=False, text=text)
    if isinstance(error, NotSpoken):
        return Answer(spoken=False, text=str(error), other=error.other)
    if isinstance(error, Untold):
        return Answer(spoken=None, text=str(error))
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "refused").replace("_", " ").lower()
        # Of all alerts one is about what is spoken: none of the names in ALPN.
        refused = "alert" in reason and _NO_PROTOCOL not in reason
        spoken = None if refused else False
        return Answer(spoken=spoken, text=f"no TLS is agreed on: {reason}", refused=refused)
    if isinstance(error, OSError):
        return Answer(spoken=False, text="the connection was closed without an answer")
    # Whatever it is, it is about this question only.
    return Answer(spoken=None, text=f"the question could not be asked: {type(error).__name__}")


def handshake_failure(error: Exception, timeout: float, head: bytes) -> Answer:
    """Whether a handshake that failed was with TLS at all, by the first bytes that came back."""
    seen = failure(error, timeout)
    if is_tls(head):
        # Without a name in common it is still known what is not spoken.
        refused = _NO_PROTOCOL not in seen.text
        text = f"TLS that does not accept this client; {seen.text}"
        return Answer(spoken=True, text=text, refused=refused)
    if not head and isinstance(error, ssl.SSLEOFError | ConnectionError):
        text = "closed without a word, as TLS does too that wants another name (--sni)"
        return Answer(spoken=None, text=text)
    return seen


def closed_by_tls(error: Exception, wire: Wire) -> Answer | None:
    """The answer where TLS 1.3 ends after the handshake without a word; else None.

    A server learns only then that there is no certificate, and its alert may be lost.
    """
    ended = isinstance(error, NotSpoken | ConnectionError) and not wire.told
    if not ended or wire.version != "TLSv1.3":
        return None
    text = "closed after the handshake without a word, as for want of a client's certificate"
    return Answer(spoken=None, text=text, refused=True)


def other(wire: Wire, what: str) -> NotSpoken:
    """What to raise where something else than `what` is answered, or nothing."""
    told = wire.told
    if not told:
        return NotSpoken("the connection was closed without an answer")
    known = HTTP1.startswith(told[: len(HTTP1)]) or may_be_settings(told) or is_tls(told)
    return NotSpoken(f"what is answered is not {what}", other=not known)
