"""`probe` in front of real servers: each is what it is known to be."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("h2", reason="needs the extra: pip install 'protocol-analysis[proof]'")
pytest.importorskip("grpc", reason="needs the extra: pip install 'protocol-analysis[proof]'")

from protocol_analysis.proof.cells import SERVERS
from protocol_analysis.proof.probing import probe
from protocol_analysis.proof.serving import absent_servers, serving
from tests.support import ROOT

FIELDS = ("http/1.1", "h2c", "tls", "alpn", "h2", "grpc", "websocket", "rfc8441", "recommended")
Y, N, U = True, False, None
H2C = "kubernetes.io/h2c"
KNOWN: dict[str, tuple[Any, ...]] = {
    "h1_uvicorn": (Y, N, N, U, N, U, Y, N, "http"),
    "h1_stdlib": (Y, N, N, U, N, U, N, N, "http"),
    "h1_nginx": (Y, N, N, U, N, U, N, N, "http"),
    # gRPC in the answers of HTTP/1.1 is not what clients of gRPC speak.
    "h1_grpc": (Y, N, N, U, N, U, N, N, "http"),
    "h2c_nghttpd": (N, Y, N, U, N, U, N, N, H2C),
    "h2c_nginx": (N, Y, N, U, N, U, N, N, H2C),
    "h1h2c_hypercorn": (Y, Y, N, U, N, U, Y, Y, H2C),
    "tls_h1_uvicorn": (Y, N, Y, U, N, U, Y, N, U),
    "tls_h1_stdlib": (Y, N, Y, U, N, U, N, N, U),
    "tls_h1_nginx": (Y, N, Y, "http/1.1", N, U, N, N, U),
    "tls_h1h2_hypercorn": (Y, N, Y, "h2", Y, U, Y, Y, U),
    "tls_h1h2_nginx": (Y, N, Y, "h2", Y, U, N, N, U),
    # Its ALPN says HTTP/1.1 only, and it takes HTTP/2 by its preface all the same.
    "tls_h1sniff_hypercorn": (Y, N, Y, "http/1.1", Y, U, Y, Y, U),
    "tls_h2_nghttpd": (N, N, Y, "h2", Y, U, N, N, U),
    "grpc_plain": (N, Y, N, U, N, "answers", N, N, H2C),
    "grpc_tls": (N, N, Y, "h2", Y, "answers", N, N, U),
    "ws_plain": (Y, N, N, U, N, U, Y, N, "kubernetes.io/ws"),
    "ws_tls": (Y, N, Y, U, N, U, Y, N, U),
    "tcp_echo": (N, N, N, U, N, U, N, N, U),
    "tcp_silent": (U, U, U, U, U, U, U, U, U),
    "tcp_banner": (N, N, N, U, N, U, N, N, U),
    "closed": (U, U, U, U, U, U, U, U, U),
}


@pytest.fixture(scope="module")
def probed() -> Iterator[dict[str, dict[str, Any]]]:
    """The row of every server that can be started here."""
    with serving(name for name in KNOWN if name not in absent_servers()) as ports:
        rows = probe([f"127.0.0.1:{port}" for port in ports.values()])
        yield dict(zip(ports, (row.as_dict() for row in rows), strict=True))


def test_every_server_of_the_matrix_is_here() -> None:
    assert set(KNOWN) == set(SERVERS)


@pytest.mark.parametrize("name", KNOWN)
def test_a_server_is_what_it_is_known_to_be(name: str, probed: dict[str, dict[str, Any]]) -> None:
    if why := absent_servers().get(name):
        pytest.skip(why)
    row = probed[name]
    assert tuple(row[field] for field in FIELDS) == KNOWN[name], row["evidence"]
    assert row["reachable"] == (name != "closed")
    assert row["evidence"]
    if row["tls"]:
        assert "BackendTLSPolicy" in row["why"]
        assert "certificate is not verified" in json.dumps(row["evidence"])


SERVICES = {
    "neither": ({}, "answers"),
    "health": ({"grpc.health.v1.Health": 0}, "health"),
    # The server as a whole is not known to it, which only a health service says.
    "health, not found": ({"grpc.health.v1.Health": 5}, "health"),
    "health, not for us": ({"grpc.health.v1.Health": 16}, "answers"),
    "reflection": ({"grpc.reflection.v1.ServerReflection": 0}, "reflection"),
    "former reflection": ({"grpc.reflection.v1alpha.ServerReflection": 0}, "reflection"),
    "both": (
        {"grpc.health.v1.Health": 0, "grpc.reflection.v1.ServerReflection": 0},
        "health and reflection",
    ),
}


@pytest.mark.parametrize("name", SERVICES)
def test_grpc_by_its_services(name: str) -> None:
    """The two services by grpcio; their messages as bytes of protobuf."""
    services, word = SERVICES[name]
    assert asyncio.run(_with_grpc(services)) == (word, "kubernetes.io/h2c")


async def _with_grpc(services: dict[str, int]) -> tuple[str | None, str | None]:
    import grpc

    codes = {code.value[0]: code for code in grpc.StatusCode}

    def handlers(service: str, status: int) -> Any:
        async def check(request: bytes, context: Any) -> bytes:
            assert request == b""
            if status:
                await context.abort(codes[status], "no")
            return b"\x08\x01"

        async def reflect(requests: Any, context: Any) -> None:
            async for request in requests:
                assert request == b"\x3a\x00"
                await context.write(b"\x32\x05\x0a\x03\x0a\x01a")

        methods = {
            "Check": grpc.unary_unary_rpc_method_handler(check),
            "ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(reflect),
        }
        return grpc.method_handlers_generic_handler(service, methods)

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers([handlers(*each) for each in services.items()])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        # Within a running loop, as in a notebook; the server goes on meanwhile.
        (row,) = await asyncio.to_thread(probe, [f"127.0.0.1:{port}"])
    finally:
        await server.stop(None)
    return row.facts.grpc, row.recommended.value


def test_a_notebook_may_probe_within_its_loop() -> None:
    async def cell() -> bool:
        return probe(["127.0.0.1:1"])[0].facts.reachable

    assert asyncio.run(cell()) is False


def test_a_name_of_several_addresses_takes_the_one_that_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        (row,) = probe([f"localhost:{port}"], timeout=0.1)
    assert (row.address, row.facts.reachable) == ("127.0.0.1", True)


def test_ipv6() -> None:
    try:
        listening = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with listening:
        (row,) = probe([f"[::1]:{listening.getsockname()[1]}"], timeout=0.1)
    assert (row.address, row.as_dict()["reachable"]) == ("::1", True)


def test_a_name_that_does_not_resolve_is_an_answer() -> None:
    (row,) = probe(["no-such-host.invalid:80"], timeout=5)
    assert not row.facts.reachable
    assert "resolve" in row.evidence[0].step


def test_each_endpoint_is_asked_once_and_rows_are_in_order() -> None:
    rows = probe(["127.0.0.1:2", "127.0.0.1:1", "127.0.0.1:2"])
    assert [row.endpoint.port for row in rows] == [2, 1]


def test_without_the_extra_there_is_a_remedy() -> None:
    code = (
        "import sys; sys.modules['h2'] = None\n"
        "from protocol_analysis.cli import main\n"
        "sys.exit(main(['probe', '127.0.0.1:1']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'protocol-analysis[proof]'" in done.stderr
