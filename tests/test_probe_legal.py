"""`probe` in front of servers that are legal and rare: each keeps its row, and says why."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import pytest

pytest.importorskip("h2", reason="needs the extra: pip install 'protocol-analysis[proof]'")
pytest.importorskip("trustme", reason="needs the extra: pip install 'protocol-analysis[proof]'")

import h2.config
import h2.connection
import h2.events

from protocol_analysis.proof import asking, probe_steps
from protocol_analysis.proof.probed import Probed
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


async def answers(reader: Reader, writer: Writer) -> None:
    if (await reader.read(65_536)).startswith(b"GET"):
        writer.write(OK)
        await writer.drain()


@pytest.mark.parametrize("step", ["http1", "websocket", "http2", "greeted"])
def test_a_question_that_fails_costs_no_other(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> probe_steps.Answer:
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
