"""`probe` in front of servers that stall, flood or lie: bounded, and nothing of theirs is told."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("h2", reason="needs the extra: pip install 'protocol-analysis[proof]'")
pytest.importorskip("trustme", reason="needs the extra: pip install 'protocol-analysis[proof]'")

import trustme

from protocol_analysis.proof.probed import Probed
from protocol_analysis.proof.probing import AT_ONCE, longest, probe
from protocol_analysis.proof.wires import MOST_BYTES

TIMEOUT = 0.3
SECRET = "s3cr3t-\x1b[31m"  # noqa: S105 - what must not be shown
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
ACKNOWLEDGED = b"\0\0\0\4\1\0\0\0\0"
OK = b"HTTP/1.1 200 OK\r\n"
# What a kernel takes in advance of whoever reads.
BUFFERED = 8 * 1024 * 1024

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Handler = Callable[[Reader, Writer], Awaitable[None]]


def says(*parts: bytes, first: bool = False, again: bytes = b"", every: float = 0.0) -> Handler:
    """Waits for a question unless it is `first`, says its parts, and one of them for ever."""

    async def handle(reader: Reader, writer: Writer) -> None:
        if not first:
            await reader.read(65_536)
        for part in parts:
            writer.write(part)
        while again:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(every)
        await writer.drain()
        await asyncio.sleep(30)

    return handle


async def echo(reader: Reader, writer: Writer) -> None:
    while data := await reader.read(65_536):
        writer.write(data)


async def close_at_once(_: Reader, __: Writer) -> None:
    pass


async def reset(reader: Reader, writer: Writer) -> None:
    await reader.read(1)
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def garbage() -> Handler:
    """Another answer to each question, none of which is one."""
    answers = itertools.cycle(
        [
            b"\xff" * 100,
            b"HTTP/9.9 abc\r\n\r\n",
            b"HTTP/1.1 200\0OK\r\nx\r\n\r\n",
            b"\x16\3\3\xff\xff" + b"\0" * 64,
            b"\0\0\6\4\0\0\0\0\0" + b"\xff" * 6,
            b"\x15\3\3",
        ]
    )

    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.read(65_536)
        writer.write(next(answers))
        await writer.drain()

    return handle


async def impostor_101(reader: Reader, writer: Writer) -> None:
    """GET is answered; an upgrade with 101, whose key nobody has worked out."""
    asked = await reader.read(65_536)
    if b"pgrade: websocket" in asked:
        writer.write(b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n")
        writer.write(b"sec-websocket-accept: AAAA\r\n\r\n")
    else:
        writer.write(OK + b"content-length: 0\r\n\r\n")
    await writer.drain()


async def liar_of_grpc(reader: Reader, writer: Writer) -> None:
    """HTTP/2 that never answers a request."""
    await reader.read(65_536)
    writer.write(SETTINGS + ACKNOWLEDGED)
    await asyncio.sleep(30)


HEADERS = OK + f"x-key: {SECRET}\r\nset-cookie: {SECRET}\r\n".encode()
# Who answers, and the row of recommended.yaml that is taken. These are ended by time.
STALLING: dict[str, tuple[Handler, str]] = {
    "never says anything": (says(), "silent"),
    "drips a byte per tick": (says(again=b"H", every=0.05), "other"),
    "drips HTTP/1.1 headers": (says(OK, again=b"a: b\r\n", every=0.05), "unsure"),
    "drips SETTINGS": (says(again=SETTINGS, every=0.05), "unsure"),
    "SETTINGS, then GOAWAY": (says(SETTINGS, b"\0\0\x08\7\0\0\0\0\0" + bytes(8)), "unsure"),
    "HTTP/2 that answers no request": (liar_of_grpc, "h2c"),
    "a banner first": (says(b"220 ready " + SECRET.encode(), first=True), "other"),
    "101 without its key": (impostor_101, "http"),
    "SETTINGS in pieces, then garbage": (
        says(again=b"\0\0\0\4\0", every=0.02), "other",
    ),
    "a TLS alert to everything": (says(b"\x15\3\3\0\2\2\x28"), "tls-refused"),
}  # fmt: skip
# These are ended by what they say, or by how much of it.
FLOODING: dict[str, tuple[Handler, str]] = {
    "endless headers": (says(OK, again=b"x: y\r\n" * 100), "other"),
    "one endless header": (says(OK + b"x: ", again=b"y" * 1000), "other"),
    "endless 100 Continue": (says(again=b"HTTP/1.1 100 Continue\r\n\r\n" * 20), "other"),
    "endless body": (says(HEADERS + b"\r\n", again=SECRET.encode() * 200), "http"),
    "endless chunks": (
        says(OK + b"transfer-encoding: chunked\r\n\r\n", again=b"5\r\nhello\r\n" * 50), "http",
    ),
    "endless zeros": (says(again=b"\0" * 4096), "other"),
    "endless random bytes": (says(again=bytes(range(256)) * 16), "other"),
    "huge frames": (says(SETTINGS, again=b"\xff\xff\xff\0\0\0\0\0\1" + b"a" * 4096), "other"),
    "a flood of SETTINGS": (says(again=SETTINGS * 400), "other"),
    "a flood of PING": (says(SETTINGS, again=(b"\0\0\x08\6\0\0\0\0\0" + bytes(8)) * 200), "other"),
    "a flood of CONTINUATION": (
        says(SETTINGS, b"\0\0\0\1\0\0\0\0\1", again=b"\0\0\0\t\0\0\0\0\1" * 200), "other",
    ),
    "closes at once": (close_at_once, "unsure"),
    "resets": (reset, "unsure"),
    "echoes": (echo, "other"),
    "an endless banner": (says(first=True, again=b"x" * 4096), "other"),
    "garbage to each question": (garbage(), "other"),
    "a TLS record without an end": (
        says(b"\x16\3\3\x3f\xff\2\0\xff\xff", again=b"\0" * 4_096), "tls-refused",
    ),
    "endless empty TLS records": (says(again=b"\x16\3\3\0\0" * 100), "other"),
}  # fmt: skip
HOSTILE = {**STALLING, **FLOODING}


@asynccontextmanager
async def listening(handlers: Iterable[Handler], **tls: Any) -> AsyncIterator[list[str]]:
    """Servers in this process, which end with the block."""
    tasks: set[asyncio.Task[None] | None] = set()

    def kept(handler: Handler) -> Handler:
        async def handle(reader: Reader, writer: Writer) -> None:
            tasks.add(asyncio.current_task())
            try:
                await handler(reader, writer)
            except (OSError, asyncio.CancelledError):
                pass
            finally:
                writer.close()

        return handle

    servers = [await asyncio.start_server(kept(h), "127.0.0.1", 0, **tls) for h in handlers]
    try:
        yield [f"127.0.0.1:{server.sockets[0].getsockname()[1]}" for server in servers]
    finally:
        for server in servers:
            server.close()
        for task in tasks:
            if task:
                task.cancel()
        await asyncio.sleep(0.05)


def asked(*handlers: Handler, timeout: float = TIMEOUT, **tls: Any) -> tuple[list[Probed], float]:
    """The rows of hostile servers, all asked at once, and the seconds that it took."""

    async def ask() -> tuple[list[Probed], float]:
        async with listening(handlers, **tls) as endpoints:
            begun = time.monotonic()
            rows = await asyncio.to_thread(probe, endpoints, timeout=timeout)
            return rows, time.monotonic() - begun

    return asyncio.run(ask())


@pytest.fixture(scope="module")
def probed() -> dict[str, Probed]:
    """The row of every hostile server."""
    found: dict[str, Probed] = {}
    for table, timeout in ((STALLING, TIMEOUT), (FLOODING, 10.0)):
        rows, seconds = asked(*(handler for handler, _ in table.values()), timeout=timeout)
        # More than are asked at once take turns.
        assert seconds < longest(timeout) * math.ceil(len(table) / AT_ONCE)
        found |= zip(table, rows, strict=True)
    return found


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_server_is_told_for_what_it_is(name: str, probed: dict[str, Probed]) -> None:
    row = probed[name]
    assert row.recommended.row == HOSTILE[name][1], row.evidence


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_is_told_of_what_a_server_says(name: str, probed: dict[str, Probed]) -> None:
    shown = json.dumps(probed[name].as_dict())
    assert "s3cr3t" not in shown
    assert "\\u001b" not in shown
    assert len(shown) < 4_000


def test_one_that_stalls_everywhere_takes_no_longer_than_is_said() -> None:
    _, seconds = asked(says(), timeout=0.2)
    assert 3 * 0.2 <= seconds < longest(0.2)


def test_a_flood_is_read_to_its_limit_only() -> None:
    taken: list[int] = []

    async def flood(reader: Reader, writer: Writer) -> None:
        await reader.read(65_536)
        # Small buffers, so that what is given is what is taken.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        taken.append(0)
        at = len(taken) - 1
        while True:
            writer.write(b"\1" * 1_024)
            await writer.drain()
            taken[at] += 1_024

    _, seconds = asked(flood, timeout=20)
    assert seconds < 20, "it was time that ended it"
    assert len(taken) >= 3
    # What the two kernels hold between the ends comes on top.
    assert max(taken) < MOST_BYTES + BUFFERED


@pytest.fixture(scope="module")
def certificate() -> ssl.SSLContext:
    """TLS of a server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("backend.example").configure_cert(context)
    return context


def test_tls_that_stalls_inside(certificate: ssl.SSLContext) -> None:
    (row,), _ = asked(says(), ssl=certificate)
    assert (row.recommended.row, row.as_dict()["http/1.1"], row.as_dict()["tls"]) == (
        "tls-silent", None, True,
    )  # fmt: skip


def test_tls_that_floods_inside(certificate: ssl.SSLContext) -> None:
    (row,), seconds = asked(says(again=b"\0" * 4_096), ssl=certificate)
    assert row.recommended.row == "tls-other"
    assert seconds < longest(TIMEOUT)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_that_wants_a_certificate_is_tls(version: ssl.TLSVersion) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("backend.example").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = version
    (row,), _ = asked(says(OK + b"\r\n"), ssl=context)
    assert (row.facts.tls, row.recommended.row) == (True, "tls-refused")
    assert row.as_dict()["http/1.1"] is row.as_dict()["h2"] is None


def test_what_is_asked_is_harmless() -> None:
    """Everything that a server in the clear is sent: GET, or what HTTP/2 and TLS begin with."""
    heard: list[bytes] = []

    async def listen(reader: Reader, writer: Writer) -> None:
        asked = await reader.read(65_536)
        heard.append(asked)
        if asked.startswith(b"GET"):
            writer.write(OK + b"content-length: 0\r\n\r\n")
            await writer.drain()

    asked(listen)
    assert [each[:5] for each in heard] == [b"", b"GET /", b"GET /", b"PRI *", b"\x16\3\1\2\0"]
    for each in heard[1:3]:
        assert b"user-agent: protocol-analysis-probe\r\n" in each
    assert b"connection: close" in heard[1]


def test_a_connection_is_closed_from_this_side_too() -> None:
    ended: list[bool] = []

    async def wait(reader: Reader, _: Writer) -> None:
        while await reader.read(65_536):
            pass
        ended.append(True)

    (row,), _ = asked(wait, timeout=0.1)
    assert row.recommended.row == "silent"
    assert len(ended) == 4


def test_a_server_that_accepts_nobody() -> None:
    """Connections wait in its backlog, whose end is never reached here."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        begun = time.monotonic()
        (row,) = probe([f"127.0.0.1:{server.getsockname()[1]}"], timeout=0.1)
    assert row.recommended.row == "silent"
    assert time.monotonic() - begun < longest(0.1)


def test_many_endpoints_take_turns() -> None:
    open_now = most = 0

    async def count(reader: Reader, _: Writer) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await reader.read(65_536)
        open_now -= 1

    rows, _ = asked(*[count] * (2 * AT_ONCE))
    assert len(rows) == 2 * AT_ONCE
    # Each has one connection at a time; the last may not have been seen to close yet.
    assert most <= 2 * AT_ONCE


WRONG: dict[str, dict[str, Any]] = {
    "no time": {"timeout": 0},
    "no number": {"timeout": float("nan")},
    "for ever": {"timeout": float("inf")},
    "another header in the path": {"path": "/\r\nx: y"},
    "no path": {"path": "x"},
    "a blank in the path": {"path": "/a b"},
    "another header in the name": {"sni": "a\r\nb"},
    "no name": {"sni": ""},
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_asked_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"timeout|path|name"):
        probe(["127.0.0.1:1"], **WRONG[name])
