"""`probe` in front of servers that are legal and rare: each keeps its row, and says why."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("h2", reason="needs the extra: pip install 'protocol-analysis[proof]'")
pytest.importorskip("trustme", reason="needs the extra: pip install 'protocol-analysis[proof]'")

import h2.config
import h2.connection
import h2.events
import trustme

from protocol_analysis.proof import asking, probe_steps
from protocol_analysis.proof.probe_answers import Answer
from protocol_analysis.proof.probed import Probed
from protocol_analysis.proof.probing import probe
from tests.test_probe_hostile import ACKNOWLEDGED, SETTINGS, Handler, Reader, Writer, asked, says

H2C = "kubernetes.io/h2c"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
STREAMS, WINDOW, CONNECT = 3, 4, 8  # settings of HTTP/2
GOAWAY = b"\0\0\x08\7\0\0\0\0\0" + struct.pack(">II", 2**31 - 1, 0)


def settings(**values: int) -> bytes:
    names = {"streams": STREAMS, "window": WINDOW, "connect": CONNECT}
    body = b"".join(struct.pack(">HI", names[name], value) for name, value in values.items())
    return len(body).to_bytes(3) + b"\4\0" + bytes(4) + body


def http2(*parts: bytes, later: bytes = b"") -> Handler:
    """Answers HTTP/2's preface, and nothing else; says `later` a moment afterwards."""

    async def handle(reader: Reader, writer: Writer) -> None:
        if not (await reader.read(65_536)).startswith(b"PRI"):
            return
        writer.write(b"".join(parts))
        await asyncio.sleep(0.05)
        writer.write(later)
        while await reader.read(65_536):
            pass

    return handle


async def narrow_grpc(reader: Reader, writer: Writer) -> None:
    """A server of gRPC whose window is 0 until a request has come."""
    config = h2.config.H2Configuration(client_side=False)
    connection = h2.connection.H2Connection(config)
    connection.update_settings({WINDOW: 0})
    connection.initiate_connection()
    data = await reader.read(65_536)
    if not data.startswith(b"PRI"):
        return
    while data:
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                connection.increment_flow_control_window(5, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                said = [(":status", "200"), ("content-type", "application/grpc")]
                trailers = [*said, ("grpc-status", "12")]
                connection.send_headers(event.stream_id, trailers, end_stream=True)
        writer.write(connection.data_to_send())
        data = await reader.read(65_536)


# What the server is → http/1.1, h2c, grpc, recommended, and what is said as evidence.
LEGAL: dict[str, tuple[Handler, tuple[Any, ...], str]] = {
    "no stream is allowed": (
        http2(settings(streams=0, connect=1), ACKNOWLEDGED),
        (False, True, None, H2C), "MAX_CONCURRENT_STREAMS is 0",
    ),
    "a window of 0": (
        http2(settings(window=0), ACKNOWLEDGED), (False, True, None, H2C), "no answer within",
    ),
    "a window of 3": (
        http2(settings(window=3), ACKNOWLEDGED), (False, True, None, H2C), "no answer within",
    ),
    "a window that opens for who asks": (
        narrow_grpc, (False, True, "answers", H2C), "grpc-status 12",
    ),
    "a server that ends, in one packet": (
        http2(SETTINGS, ACKNOWLEDGED, GOAWAY), (False, True, None, H2C), "GOAWAY",
    ),
    "a server that ends, a moment later": (
        http2(SETTINGS, ACKNOWLEDGED, later=GOAWAY), (False, True, None, H2C), "GOAWAY",
    ),
}  # fmt: skip


def evidence(row: Probed) -> str:
    return " | ".join(f"{each.step}: {each.text}" for each in row.evidence)


@pytest.fixture(scope="module")
def legal() -> dict[str, Probed]:
    rows, _ = asked(*(handler for handler, *_ in LEGAL.values()))
    return dict(zip(LEGAL, rows, strict=True))


@pytest.mark.parametrize("name", LEGAL)
def test_a_legal_server_keeps_its_row(name: str, legal: dict[str, Probed]) -> None:
    _, expected, said = LEGAL[name]
    row = legal[name].as_dict()
    found = tuple(row[field] for field in ("http/1.1", "h2c", "grpc", "recommended"))
    assert found == expected, evidence(legal[name])
    assert said in evidence(legal[name])


def test_silence_is_not_said_where_it_was_goaway(legal: dict[str, Probed]) -> None:
    (said,) = [
        each.text
        for each in legal["a server that ends, a moment later"].evidence
        if each.step == "grpc health"
    ]
    assert said == "GOAWAY instead of an answer"


def answering(status: str, kind: str = "text/plain") -> Handler:
    """HTTP/2 with the same answer to everything; a reset, where there is no status."""

    async def handle(reader: Reader, writer: Writer) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        data = await reader.read(65_536)
        if not data.startswith(b"PRI"):
            return
        while data:
            for event in connection.receive_data(data):
                if not isinstance(event, h2.events.RequestReceived):
                    continue
                if status:
                    headers = [(":status", status), ("content-type", kind)]
                    connection.send_headers(event.stream_id, headers, end_stream=True)
                else:
                    connection.reset_stream(event.stream_id)
            writer.write(connection.data_to_send())
            data = await reader.read(65_536)

    return handle


# What answers the Check of gRPC's health service → whether that shows that there is no gRPC.
CHECKED: dict[str, tuple[Handler, bool]] = {
    "a page": (answering("200"), True),
    "no such page": (answering("404"), True),
    "strangers are kept out": (answering("401"), False),
    "not now": (answering("503"), False),
    "a reset": (answering(""), False),
    "grpc": (answering("200", "application/grpc"), False),
}


def test_an_answer_that_is_no_grpc_is_told_from_none() -> None:
    rows, _ = asked(*(handler for handler, _ in CHECKED.values()))
    found = {name: row.facts.clear.no_grpc for name, row in zip(CHECKED, rows, strict=True)}
    assert found == {name: no_grpc for name, (_, no_grpc) in CHECKED.items()}
    assert all(row.facts.h2c for row in rows)


async def answers(reader: Reader, writer: Writer) -> None:
    if (await reader.read(65_536)).startswith(b"GET"):
        writer.write(OK)
        await writer.drain()


@pytest.mark.parametrize("step", ["http1", "websocket", "http2", "greeted"])
def test_a_question_that_fails_costs_no_other(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> Answer:
        raise RuntimeError("s3cr3t")

    monkeypatch.setattr(probe_steps, step, fail)
    (row, silent), _ = asked(answers, says())
    assert row.facts.reachable
    assert silent.facts.reachable
    assert "s3cr3t" not in evidence(row)
    if step in {"http1", "http2"}:
        assert "could not be asked: RuntimeError" in evidence(row)


def test_an_endpoint_that_fails_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    first = asking._first_words
    failed: list[int] = []

    async def fail_once(wire: Any) -> bytes:
        if not failed:
            failed.append(1)
            await wire.close()
            raise RuntimeError("s3cr3t")
        return await first(wire)

    monkeypatch.setattr(asking, "_first_words", fail_once)
    rows, _ = asked(answers, answers)
    assert sorted(str(row.recommended.value) for row in rows) == ["None", "http"]
    assert all(row.facts.reachable for row in rows)


def line(said: bytes, *, first: bool = False, wait: float = 0) -> Handler:
    """A protocol of lines, which answers each; what has no end of a line is waited for."""

    async def handle(reader: Reader, writer: Writer) -> None:
        if first:
            await asyncio.sleep(wait)
            writer.write(said)
        while data := await reader.read(65_536):
            if data.endswith(b"\n") and not first:
                writer.write(said)

    return handle


# Who answers in the clear → http/1.1, tls, the row.
LINES: dict[str, tuple[Handler, tuple[Any, ...]]] = {
    "memcached": (line(b"ERROR\r\n"), (False, False, "other")),
    "redis": (line(b"-ERR unknown command\r\n"), (False, False, "other")),
    "a banner that is late": (line(b"220 hi\r\n", first=True, wait=0.3), (False, False, "other")),
    "http/1.0": (
        says(OK.replace(b"1.1", b"1.0")), (False, False, "http-1.0"),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def lines() -> dict[str, Probed]:
    rows, _ = asked(*(handler for handler, _ in LINES.values()), timeout=0.6)
    return dict(zip(LINES, rows, strict=True))


@pytest.mark.parametrize("name", LINES)
def test_what_is_plainly_no_http_is_told(name: str, lines: dict[str, Probed]) -> None:
    row = lines[name]
    found = (row.as_dict()["http/1.1"], row.as_dict()["tls"], row.recommended.row)
    assert found == LINES[name][1], evidence(row)


def secured(**options: Any) -> ssl.SSLContext:
    """TLS of a server: `wants` a certificate, `only` one name, `newest` version, `alpn`."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("backend.example").configure_cert(context)
    if options.get("wants"):
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    if newest := options.get("newest"):
        context.maximum_version = newest
    if only := options.get("only"):
        unknown = ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        context.sni_callback = lambda _, name, __: None if name == only else unknown
    context.set_alpn_protocols(options.get("alpn", []))
    return context


@contextlib.contextmanager
def blocking(context: ssl.SSLContext | None, alert: bytes = b"") -> Iterator[str]:
    """A server whose alerts are sent, as those of asyncio are not; HTTP/1.1 inside TLS."""

    def serve(one: socket.socket) -> None:
        with contextlib.suppress(OSError), one:
            if context is None:
                if one.recv(65_536)[:1] == b"\x16":
                    one.sendall(alert)
                return
            with context.wrap_socket(one, server_side=True) as inside:
                if inside.recv(65_536).startswith(b"GET"):
                    inside.sendall(OK)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _ = listening.accept()
                one.settimeout(5)
                threading.Thread(target=serve, args=(one,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


# A server of TLS → the row, http/1.1, and what is said as evidence.
REFUSING: dict[str, tuple[dict[str, Any], tuple[str, bool | None], str]] = {
    "a certificate, TLS 1.3": (
        {"wants": True}, ("tls-refused", None), "certificate required|closed after the handshake",
    ),
    "a certificate, TLS 1.2": (
        {"wants": True, "newest": ssl.TLSVersion.TLSv1_2}, ("tls-refused", None), "alert",
    ),
    "another name": ({"only": "backend.example"}, ("tls-refused", None), "unrecognized name"),
    "ALPN without HTTP": ({"alpn": ["acme-tls/1"]}, ("tls-h1", True), "ALPN chooses nothing"),
    "h2 that is not spoken": ({"alpn": ["h2"]}, ("tls-h1-misnegotiated", True), "ALPN h2"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSING)
def test_tls_that_takes_no_stranger_is_not_judged(name: str) -> None:
    options, expected, said = REFUSING[name]
    with blocking(secured(**options)) as endpoint:
        (row,) = probe([endpoint], timeout=1)
    assert (row.recommended.row, row.as_dict()["http/1.1"]) == expected, evidence(row)
    assert any(each in evidence(row) for each in said.split("|")), evidence(row)


def test_an_older_tls_is_not_judged() -> None:
    """Alert 70, protocol_version, which a server says that has TLS 1.1 at most."""
    with blocking(None, alert=b"\x15\3\1\0\2\2\x46") as endpoint:
        (row,) = probe([endpoint], timeout=1)
    assert (row.recommended.row, row.as_dict()["http/1.1"]) == ("tls-refused", None)
    assert "alert protocol version" in evidence(row)


def test_the_right_name_is_taken() -> None:
    with blocking(secured(only="backend.example")) as endpoint:
        (row,) = probe([endpoint], timeout=1, sni="backend.example")
    assert row.recommended.row == "tls-h1", evidence(row)
