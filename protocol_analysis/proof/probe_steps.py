"""The questions that `probe` asks, each on a connection of its own.

All of them are harmless: GET, a WebSocket's handshake, HTTP/2's SETTINGS, and the two calls of
gRPC that only read, the health service's Check and the reflection service's list. No answer is
kept, and none of its text is told: what a server says may be a secret, or an attack on a terminal.

Sources: https://github.com/grpc/grpc/blob/v1.71.0/doc/health-checking.md,
https://github.com/grpc/grpc/blob/v1.71.0/doc/server-reflection.md,
https://github.com/grpc/grpc/blob/v1.71.0/doc/PROTOCOL-HTTP2.md,
https://www.rfc-editor.org/rfc/rfc8441#section-4
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
import h11
import wsproto
import wsproto.events

from protocol_analysis.proof.facts import may_be_settings
from protocol_analysis.proof.probe_answers import HTTP1, Answer, NotSpoken, To, Untold, other
from protocol_analysis.proof.wires import MOST_BYTES, Wire

USER_AGENT = "protocol-analysis-probe"
_HEALTH = "/grpc.health.v1.Health/Check"
_REFLECTION = (
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
)
# One message, uncompressed: its length, then nothing, or field 7 (list_services) with "".
_EMPTY = b"\0\0\0\0\0"
_LIST = b"\0\0\0\0\2\x3a\0"
_UNIMPLEMENTED = 12
_FRAME = 9  # bytes of the head of a frame
# What an implementation of the health service gives: OK, or NOT_FOUND where it does not know the
# server as a whole.
_HEALTHY = {0, 5}
# What a server of TLS says to clear text, beside a redirect to https.
_REFUSALS = {400, 497}
_KEEP_OUT = {401, 403, 407, 429}


async def greeted(wire: Wire, _: To) -> Answer:
    """What the handshake of TLS has come to."""
    chosen = wire.tls.selected_alpn_protocol() if wire.tls else None
    text = f"{wire.version}, ALPN {chosen or 'chooses nothing'}; the certificate is not verified"
    return Answer(spoken=True, text=text, alpn=chosen)


async def http1(wire: Wire, to: To) -> Answer:
    """GET over HTTP/1.1; the first line and the headers of the answer decide."""
    connection = h11.Connection(h11.CLIENT)
    request = h11.Request(
        method="GET",
        target=to.path,
        headers=[
            ("host", to.authority),
            ("user-agent", USER_AGENT),
            ("accept", "*/*"),
            ("connection", "close"),
        ],
    )
    wanted = [connection.send(request) or b"", connection.send(h11.EndOfMessage()) or b""]
    await wire.send(b"".join(wanted))
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            raise other(wire, "HTTP/1.1") from None
        if event is h11.NEED_DATA:
            connection.receive_data(await wire.receive())
            # A line of another protocol would be waited for the end of.
            if not HTTP1.startswith(wire.told[: len(HTTP1)]):
                raise other(wire, "HTTP/1.1")
        elif isinstance(event, h11.Response):
            location = dict(event.headers).get(b"location", b"")
            away = event.status_code in _REFUSALS or location.startswith(b"https:")
            version = event.http_version.decode()
            text = f"GET {to.path}: {event.status_code}, HTTP/{version}"
            return Answer(
                spoken=True,
                text=text,
                code=event.status_code,
                turns_away=away,
                http10=version == "1.0",
            )
        elif not isinstance(event, h11.InformationalResponse):
            raise other(wire, "HTTP/1.1")


async def websocket(wire: Wire, to: To) -> Answer:
    """A WebSocket's handshake, and its end."""
    connection = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
    agent = [(b"user-agent", USER_AGENT.encode())]
    request = wsproto.events.Request(host=to.authority, target=to.path, extra_headers=agent)
    await wire.send(connection.send(request))
    while True:
        data = await wire.receive()
        try:
            connection.receive_data(data or None)
            events = list(connection.events())
        except Exception:  # noqa: BLE001 - a hostile answer may upset a parser in any way
            raise NotSpoken("the upgrade is not answered as a WebSocket's") from None
        for event in events:
            if isinstance(event, wsproto.events.AcceptConnection):
                await wire.send(connection.send(wsproto.events.CloseConnection(code=1000)))
                return Answer(spoken=True, text=f"upgrade of {to.path}: accepted, 101", code=101)
            if isinstance(event, wsproto.events.RejectConnection):
                text = f"upgrade of {to.path}: refused, {event.status_code}"
                return Answer(spoken=False, text=text, code=event.status_code)
        if not data:
            raise other(wire, "a WebSocket")


async def http2(wire: Wire, to: To) -> Answer:
    """HTTP/2's preface: SETTINGS there and back, and ours acknowledged. No request is sent."""
    speaking = _Http2(wire, to)
    await speaking.begin(lambda it: it.settings and it.acknowledged)
    await speaking.end()
    return Answer(spoken=True, text="SETTINGS exchanged, HTTP/2")


async def grpc_health(wire: Wire, to: To) -> Answer:
    """The health service's Check, of the server as a whole."""
    speaking = _Http2(wire, to)
    await speaking.begin(lambda it: it.settings)
    stream = await speaking.call(_HEALTH, _EMPTY)
    await speaking.until(lambda _: stream.ended)
    await speaking.end()
    return _grpc_answer("health Check", stream, there=stream.grpc_status in _HEALTHY)


async def grpc_reflection(wire: Wire, to: To) -> Answer:
    """The reflection service's list of services, by its present name, then by its former one."""
    speaking = _Http2(wire, to)
    await speaking.begin(lambda it: it.settings)
    stream = await _listed(speaking, _REFLECTION[0])
    if stream.grpc_status == _UNIMPLEMENTED:
        stream = await _listed(speaking, _REFLECTION[1])
    await speaking.end()
    there = stream.grpc and (stream.data or stream.grpc_status == 0)
    return _grpc_answer("reflection", stream, there=there)


async def _listed(speaking: _Http2, path: str) -> _Stream:
    stream = await speaking.call(path, _LIST)
    # The list itself may be long: that it begins is enough.
    await speaking.until(lambda _: stream.ended or (stream.grpc and stream.data))
    return stream


async def rfc8441(wire: Wire, to: To) -> Answer:
    """A WebSocket's handshake over HTTP/2, where SETTINGS allow it."""
    speaking = _Http2(wire, to)
    await speaking.begin(lambda it: it.settings)
    if not speaking.connection.remote_settings.enable_connect_protocol:
        await speaking.end()
        return Answer(spoken=False, text="SETTINGS do not allow extended CONNECT")
    extra = [(":protocol", "websocket"), ("sec-websocket-version", "13")]
    stream = await speaking.request("CONNECT", to.path, extra, end=False)
    await speaking.until(lambda _: stream.status is not None or stream.ended)
    await speaking.end()
    ok = stream.status is not None and 200 <= stream.status < 300 and not stream.grpc
    said = stream.status if stream.status is not None else "reset"
    text = f"extended CONNECT to {to.path}: {said}"
    return Answer(spoken=ok, text=text, code=stream.status)


@dataclass(slots=True)
class _Stream:
    """What was answered on one stream. gRPC's status stands in its trailers, or alone in front."""

    status: int | None = None
    grpc: bool = False
    grpc_status: int | None = None
    data: bool = False
    ended: bool = False

    def take(self, headers: Any) -> None:
        for name, value in headers or ():
            if name == b":status":
                self.status = int(value)
            elif name == b"content-type":
                self.grpc = value.startswith(b"application/grpc")
                self.ended |= not self.grpc  # what else it says is of no interest
            elif name == b"grpc-status":
                self.grpc_status = int(value)


class _Http2:
    """The client's end of HTTP/2 for one or two requests."""

    def __init__(self, wire: Wire, to: To) -> None:
        self.wire, self.to = wire, to
        config = h2.config.H2Configuration(client_side=True, header_encoding=None)
        self.connection = h2.connection.H2Connection(config)
        codes = h2.settings.SettingCodes
        self.connection.local_settings = h2.settings.Settings(
            client=True,
            initial_values={codes.ENABLE_PUSH: 0, codes.MAX_HEADER_LIST_SIZE: MOST_BYTES},
        )
        self.settings = self.acknowledged = self.gone = False
        self.streams: dict[int | None, _Stream] = {}
        self.preface = b""

    async def begin(self, done: Callable[[_Http2], bool]) -> None:
        """Send the preface, and read until it is answered."""
        self.connection.initiate_connection()
        await self.until(done)

    async def request(
        self, method: str, path: str, extra: list[tuple[str, str]], *, end: bool
    ) -> _Stream:
        """Send a request without a body."""
        number = self.connection.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", self.to.scheme), (":path", path)]
        pseudo.append((":authority", self.to.authority))
        # Pseudo-headers come first.
        extra = sorted([*extra, ("user-agent", USER_AGENT)], key=lambda e: not e[0].startswith(":"))
        if self.gone:
            raise Untold("GOAWAY instead of an answer")
        try:
            self.connection.send_headers(number, [*pseudo, *extra], end_stream=end)
        except h2.exceptions.TooManyStreamsError:
            raise Untold("SETTINGS allow no request, MAX_CONCURRENT_STREAMS is 0") from None
        stream = self.streams[number] = _Stream()
        await self.wire.send(self.connection.data_to_send())
        return stream

    async def call(self, path: str, message: bytes) -> _Stream:
        """Send a gRPC request of one message."""
        extra = [("content-type", "application/grpc"), ("te", "trailers")]
        number = self.connection.get_next_available_stream_id()
        stream = await self.request("POST", path, extra, end=False)
        # The window may be smaller than the message, until the server has seen who asks.
        window = self.connection.local_flow_control_window
        await self.until(lambda _: stream.ended or window(number) >= len(message))
        if not stream.ended:
            self.connection.send_data(number, message, end_stream=True)
            await self.wire.send(self.connection.data_to_send())
        return stream

    async def until(self, done: Callable[[_Http2], bool]) -> None:
        """Read, and answer what HTTP/2 itself asks, until something is the case."""
        while not done(self):
            if self.gone:
                raise Untold("GOAWAY instead of an answer")
            await self.wire.send(self.connection.data_to_send())
            data = await self.wire.receive()
            if not data:
                raise other(self.wire, "HTTP/2")
            if len(self.preface) < _FRAME:
                self.preface += data[:_FRAME]
            if not may_be_settings(self.preface):
                raise other(self.wire, "HTTP/2")
            try:
                for event in self.connection.receive_data(data):
                    self._see(event)
            except Exception:  # noqa: BLE001 - a hostile answer may upset a parser in any way
                raise other(self.wire, "HTTP/2") from None

    async def end(self) -> None:
        """Say GOAWAY."""
        self.connection.close_connection()
        await self.wire.send(self.connection.data_to_send())

    def _see(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RemoteSettingsChanged():
                self.settings = True
            case h2.events.SettingsAcknowledged():
                self.acknowledged = True
            case h2.events.ConnectionTerminated():
                self.gone = True
            case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                if stream := self.streams.get(event.stream_id):
                    stream.take(event.headers)
            case h2.events.DataReceived():
                if stream := self.streams.get(event.stream_id):
                    stream.data = True
            case h2.events.StreamEnded() | h2.events.StreamReset():
                if stream := self.streams.get(event.stream_id):
                    stream.ended = True


def _grpc_answer(what: str, stream: _Stream, *, there: bool) -> Answer:
    grpc = stream.grpc or stream.grpc_status is not None
    if not grpc:
        said = f"{stream.status}, no gRPC" if stream.status is not None else "reset, no gRPC"
        # Whoever keeps strangers out, or cannot now, does not say what is behind.
        tells = stream.status is not None and stream.status < 500
        no_grpc = tells and stream.status not in _KEEP_OUT
        return Answer(spoken=False, text=f"{what}: {said}", code=stream.status, no_grpc=no_grpc)
    said = "answered" if stream.grpc_status is None else f"grpc-status {stream.grpc_status}"
    return Answer(spoken=there, text=f"{what}: {said}", grpc=True)
