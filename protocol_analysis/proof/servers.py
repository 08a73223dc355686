"""Real servers, all in one process; `serving.py` starts it as a script.

Standard input is not read. The arguments are a folder and the names of servers (`cells.py`). First
come `ca.pem`, `cert.pem` and `key.pem`, since other programs wait for them; then the servers; then
`ports.json`, with the port of each. The process ends by being killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import logging
import socket
import ssl
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import trustme

LOCALHOST, HOSTNAME = "127.0.0.1", "backend.example"
BANNER = b"220 ready\r\n"
BUSY_BACKLOG = 512
LINGER = 1.0  # seconds

_LOG = logging.getLogger(__name__)

Start = Callable[[Path, str], Awaitable[int]]


def issue(folder: Path) -> None:
    """A certificate for `HOSTNAME`, with its key, and the authority to trust."""
    authority = trustme.CA()
    certificate = authority.issue_cert(HOSTNAME, LOCALHOST)
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    # Last: whoever sees it finds the others.
    (folder / "ca.half").write_bytes(authority.cert_pem.bytes())
    (folder / "ca.half").rename(folder / "ca.pem")


def bound() -> socket.socket:
    """A socket at a port that the system gives; nobody listens yet."""
    made = socket.socket()
    made.bind((LOCALHOST, 0))
    made.setblocking(False)  # noqa: FBT003 - that is its name
    return made


def secured(folder: Path) -> ssl.SSLContext:
    """TLS with the certificate of the folder, and no ALPN."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


async def app(scope: Any, receive: Any, send: Any) -> None:
    """ASGI: 200 for every request, before its body has ended; an echo for every WebSocket."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message.get("text") or ""})
        return
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"3")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok\n", "more_body": True})
    # What is left unread would end the connection, and with it the streams beside this one.
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.body"})


async def uvicorn(folder: Path, name: str) -> int:
    """HTTP/1.1 by h11, WebSocket by wsproto."""
    from uvicorn import Config, Server  # noqa: PLC0415 - only what is started is loaded

    tls = name.startswith("tls_")
    config = Config(
        app,
        http="h11",
        ws="wsproto",
        log_level="critical",
        lifespan="off",
        backlog=BUSY_BACKLOG,
        ssl_certfile=folder / "cert.pem" if tls else None,
        ssl_keyfile=folder / "key.pem" if tls else None,
    )
    listening = bound()
    listening.listen(BUSY_BACKLOG)
    _forever(Server(config).serve(sockets=[listening]))
    return _port(listening)


async def hypercorn(folder: Path, name: str) -> int:
    """HTTP/1.1 and HTTP/2 on one port; over TLS by ALPN, in which the names differ."""
    from hypercorn.asyncio import serve  # noqa: PLC0415 - only what is started is loaded
    from hypercorn.config import Config  # noqa: PLC0415 - as above

    listening = bound()
    port = _port(listening)
    config = Config()
    config.bind = [f"fd://{listening.detach()}"]
    config.loglevel = "CRITICAL"
    config.backlog = BUSY_BACKLOG
    if name.startswith("tls_"):
        config.certfile, config.keyfile = str(folder / "cert.pem"), str(folder / "key.pem")
        config.alpn_protocols = ["http/1.1"] if "sniff" in name else ["h2", "http/1.1"]
    _forever(serve(app, config, shutdown_trigger=asyncio.Event().wait))
    return port


class Plain(http.server.BaseHTTPRequestHandler):
    """Python's own HTTP/1.1: GET, and 501 for what it does not know."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer 200."""
        self.send_response(200)
        self.send_header("content-length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Listening(http.server.ThreadingHTTPServer):
    """A thread for each connection, in which TLS shakes hands too."""

    daemon_threads = True
    request_queue_size = BUSY_BACKLOG

    def handle_error(self, *_: object) -> None:
        """Say nothing: a client that speaks otherwise is what is measured."""

    def shutdown_request(self, request: Any) -> None:
        """Read what still comes before closing: a reset would overtake the answer."""
        with contextlib.suppress(OSError):
            request.shutdown(socket.SHUT_WR)
            request.settimeout(LINGER)
            while request.recv(65_536):
                pass
        self.close_request(request)


async def stdlib(folder: Path, name: str) -> int:
    """Python's `http.server`."""
    server = Listening((LOCALHOST, 0), Plain)
    if name.startswith("tls_"):
        server.socket = secured(folder).wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_address[1])


async def grpcio(folder: Path, name: str) -> int:
    """GRPC by grpcio: an echo of one message, three times, and of every message."""
    import grpc  # noqa: PLC0415 - only what is started is loaded

    async def unary(request: bytes, _: Any) -> bytes:
        return request

    async def sstream(request: bytes, context: Any) -> None:
        for _ in range(3):
            await context.write(request)

    async def bidi(requests: Any, context: Any) -> None:
        async for request in requests:
            await context.write(request)

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    methods = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Stream": grpc.unary_stream_rpc_method_handler(sstream),
        "Bidi": grpc.stream_stream_rpc_method_handler(bidi),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("proof.Echo", methods)])
    if name.endswith("_tls"):
        pair = ((folder / "key.pem").read_bytes(), (folder / "cert.pem").read_bytes())
        port = server.add_secure_port(f"{LOCALHOST}:0", grpc.ssl_server_credentials([pair]))
    else:
        port = server.add_insecure_port(f"{LOCALHOST}:0")
    await server.start()
    _KEPT.append(server)
    return int(port)


async def h1_grpc(_: Path, __: str) -> int:
    """HTTP/1.1 that answers gRPC as HTTP/2 servers do: chunked, the status in trailers."""
    import h11  # noqa: PLC0415 - only what is started is loaded

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        times = 1

        def send(event: Any) -> None:
            writer.write(connection.send(event) or b"")

        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(65_536))
            elif isinstance(event, h11.Request):
                times = 3 if event.target.endswith(b"/Stream") else 1
                kind = dict(event.headers).get(b"content-type", b"text/plain")
                headers = [(b"content-type", kind), (b"transfer-encoding", b"chunked")]
                send(h11.Response(status_code=200, headers=headers))
            elif isinstance(event, h11.Data):
                send(h11.Data(data=bytes(event.data) * times))
            elif isinstance(event, h11.EndOfMessage):
                send(h11.EndOfMessage(headers=[("grpc-status", "0")]))
                connection.start_next_cycle()
            else:
                return

    return await _tcp(_closing(serve))


async def websocket(folder: Path, name: str) -> int:
    """WebSocket by websockets: an echo, and 426 for other requests."""
    from websockets.asyncio.server import ServerConnection, serve  # noqa: PLC0415 - as above

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    listening = bound()
    tls = secured(folder) if name.endswith("_tls") else None
    # What is not HTTP/1.1 is told to the log, and there is much of it.
    logger = logging.getLogger("websockets")
    logger.setLevel(logging.CRITICAL)
    _KEPT.append(await serve(echo, sock=listening, ssl=tls, ping_interval=None, logger=logger))
    return _port(listening)


async def tcp(_: Path, name: str) -> int:
    """Raw TCP: echoes, says nothing, or speaks first."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if name == "tcp_banner":
            writer.write(BANNER)
        while data := await reader.read(65_536):
            if name == "tcp_echo":
                writer.write(data)

    return await _tcp(_closing(serve))


async def closed(_: Path, __: str) -> int:
    """A port that is taken, so that nobody else gets it, and where nothing listens."""
    taken = bound()
    _KEPT.append(taken)
    return _port(taken)


KINDS: dict[str, Start] = {
    "uvicorn": uvicorn,
    "hypercorn": hypercorn,
    "stdlib": stdlib,
    "h1_grpc": h1_grpc,
    "grpc": grpcio,
    "ws": websocket,
    "tcp": tcp,
    "closed": closed,
}
_KEPT: list[Any] = []  # what would be closed with its last name


def kind_of(name: str) -> Start:
    """What starts a server: by its whole name, or the first or last word of it."""
    first, last = name.partition("_")[0], name.rpartition("_")[2]
    return KINDS[next(key for key in (name, first, last) if key in KINDS)]


def _forever(work: Any) -> None:
    _KEPT.append(asyncio.ensure_future(work))


def _port(listening: socket.socket) -> int:
    return int(listening.getsockname()[1])


async def _tcp(serve: Any) -> int:
    server = await asyncio.start_server(serve, LOCALHOST, 0, backlog=BUSY_BACKLOG)
    _KEPT.append(server)
    return _port(server.sockets[0])


def _closing(serve: Any) -> Any:
    """A handler whose connection is closed after it, whatever its client did."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except Exception:  # noqa: BLE001 - what a client does is what is measured
            _LOG.debug("a client spoke otherwise", exc_info=True)
        finally:
            writer.close()

    return handle


async def main(folder: Path, names: list[str]) -> None:
    """Start the servers and serve until killed."""
    issue(folder)
    ports = {name: await kind_of(name)(folder, name) for name in names}
    (folder / "ports.half").write_text(json.dumps(ports), encoding="utf-8")
    (folder / "ports.half").rename(folder / "ports.json")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
