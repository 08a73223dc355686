"""Real clients, all in one process; `matrix.py` starts it as a script.

Its argument is a folder. For each `cells-N.json` that appears there, N from 1, it sends the
requests that are in it and writes a line to `answers-N.jsonl` for each that has ended. A request
is {"rid", "cell", "client", "port", "patient"}; an answer {"rid", "ok", "late", "said"}: `ok` is
the application's success, `late` that the client gave up waiting. The process ends by being killed.

At most `QUICK` requests are under way at once, so that servers in Python are not what is measured;
patient ones, which wait for a server that says nothing, wait all together beside them.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import h2.config
import h2.connection
import h2.events
import h11
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

LOCALHOST, HOST = "127.0.0.1", "backend.example"
QUICK = 24
DEADLINE = 3.5  # seconds, of a client; longer than Envoy's own
CLOSING = 0.2  # seconds that a WebSocket waits for the other end
HELLO = b"hello"
_POLL = 0.01

Headers = list[tuple[str, str]]
Said = tuple[bool, str]


async def h1_get(port: int, headers: Headers) -> Said:
    """GET over HTTP/1.1."""
    reader, writer = await asyncio.open_connection(LOCALHOST, port)
    connection = h11.Connection(h11.CLIENT)
    try:
        wanted = [("host", HOST), *headers, ("connection", "close")]
        request = h11.Request(method="GET", target="/", headers=wanted)
        writer.write(connection.send(request) or b"")
        writer.write(connection.send(h11.EndOfMessage()) or b"")
        status = 0
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(65_536))
            elif isinstance(event, h11.Response):
                status = event.status_code
        return status == 200, str(status)
    finally:
        writer.close()


async def h2_get(port: int, headers: Headers) -> Said:
    """GET over HTTP/2, by prior knowledge."""
    reader, writer = await asyncio.open_connection(LOCALHOST, port)
    connection = h2.connection.H2Connection(
        h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
    )
    try:
        connection.initiate_connection()
        pseudo = {":method": "GET", ":path": "/", ":scheme": "http", ":authority": HOST}
        connection.send_headers(1, [*pseudo.items(), *headers], end_stream=True)
        writer.write(connection.data_to_send())
        status = ""
        while data := await reader.read(65_536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    status = _status(event.headers or ())
                elif isinstance(event, h2.events.StreamEnded):
                    return status == "200", status
                elif isinstance(event, h2.events.StreamReset):
                    return False, f"reset {status}"
            writer.write(connection.data_to_send())
        return False, f"closed {status}"
    finally:
        writer.close()


def _status(headers: Any) -> str:
    return str(dict(headers).get(":status", ""))


def grpc_client(method: str) -> Callable[[int, Headers], Awaitable[Said]]:
    """A gRPC client of one of the three methods."""

    async def call(port: int, headers: Headers) -> Said:
        options = [
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.enable_http_proxy", 0),
            ("grpc.enable_retries", 0),
        ]
        async with grpc.aio.insecure_channel(f"{LOCALHOST}:{port}", options=options) as channel:
            try:
                return await _METHODS[method](channel, headers), "OK"
            except grpc.aio.AioRpcError as error:
                return False, str(error.code().name)

    return call


async def _unary(channel: Any, headers: Headers) -> bool:
    call = channel.unary_unary("/proof.Echo/Unary")
    return bool(await call(HELLO, metadata=headers, timeout=DEADLINE) == HELLO)


async def _stream(channel: Any, headers: Headers) -> bool:
    call = channel.unary_stream("/proof.Echo/Stream")
    answers = [answer async for answer in call(HELLO, metadata=headers, timeout=DEADLINE)]
    return answers == [HELLO] * 3


async def _bidi(channel: Any, headers: Headers) -> bool:
    """The second message is sent when the first has come back."""
    answered = asyncio.Event()

    # Not by write(): on a call that has failed it hides why.
    async def messages() -> AsyncIterator[bytes]:
        yield HELLO
        await answered.wait()
        yield HELLO

    call = channel.stream_stream("/proof.Echo/Bidi")
    answers = []
    try:
        async for answer in call(messages(), metadata=headers, timeout=DEADLINE):
            answers.append(answer)
            answered.set()
    finally:
        answered.set()
    return answers == [HELLO] * 2


_METHODS = {"Unary": _unary, "Stream": _stream, "Bidi": _bidi}


async def ws(port: int, headers: Headers) -> Said:
    """A WebSocket's upgrade, one message and its echo."""
    try:
        async with connect(
            f"ws://{LOCALHOST}:{port}/",
            additional_headers=headers,
            proxy=None,
            ping_interval=None,
            close_timeout=CLOSING,
        ) as connection:
            await connection.send(HELLO.decode())
            return await connection.recv() == HELLO.decode(), "101"
    except InvalidStatus as error:
        return False, str(error.response.status_code)


CLIENTS: dict[str, Callable[[int, Headers], Awaitable[Said]]] = {
    "h1_get": h1_get,
    "h2_get": h2_get,
    "grpc_unary": grpc_client("Unary"),
    "grpc_sstream": grpc_client("Stream"),
    "grpc_bidi": grpc_client("Bidi"),
    "ws": ws,
}


async def answer_of(request: dict[str, Any]) -> dict[str, Any]:
    """Send one request; what came of it, never an exception."""
    headers = [("x-cell", request["cell"]), ("x-rid", request["rid"])]
    try:
        async with asyncio.timeout(DEADLINE + 1):
            ok, said = await CLIENTS[request["client"]](request["port"], headers)
    except Exception as error:  # noqa: BLE001 - how a client fails is what is measured
        ok, said = False, f"{type(error).__name__}: {error}"
    late = said.startswith(("DEADLINE_EXCEEDED", "TimeoutError"))
    return {"rid": request["rid"], "ok": ok, "late": late, "said": said}


async def send_all(requests: list[dict[str, Any]], answers: Path) -> None:
    """Send requests, the quick ones a few at a time; write each answer as it comes."""
    gate = asyncio.Semaphore(QUICK)
    with answers.open("w", encoding="utf-8", buffering=1) as lines:

        async def one(request: dict[str, Any]) -> None:
            if request["patient"]:
                answer = await answer_of(request)
            else:
                async with gate:
                    answer = await answer_of(request)
            lines.write(json.dumps(answer) + "\n")

        async with asyncio.TaskGroup() as group:
            for request in requests:
                group.create_task(one(request))


async def main(folder: Path) -> None:
    """Answer one file of requests after the other, until killed."""
    number = 1
    while True:
        asked = folder / f"cells-{number}.json"
        while not asked.exists():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(_POLL)
        requests = json.loads(asked.read_text(encoding="utf-8"))
        await send_all(requests, folder / f"answers-{number}.jsonl")
        number += 1


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
