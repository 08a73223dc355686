"""From what was seen of an endpoint to what is right for it: endpoints, facts, first bytes."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given, strategies as st

from protocol_analysis.portability import meanings
from protocol_analysis.proof.endpoints import Endpoint, endpoint_of
from protocol_analysis.proof.facts import (
    Facts,
    Side,
    is_tls,
    may_be_settings,
    recommendations,
    recommended,
    speaks,
)
from protocol_analysis.proof.probed import Probed
from protocol_analysis.sheets import not_a_text

SEEN = st.sampled_from([True, False, None])
SIDES = st.builds(
    Side,
    http1=SEEN,
    http2=SEEN,
    grpc=st.sampled_from([None, "health", "reflection", "health and reflection", "answers"]),
    websocket=SEEN,
    rfc8441=SEEN,
    only_upgrades=st.booleans(),
    turns_away=st.booleans(),
    http10=st.booleans(),
    no_grpc=st.booleans(),
    other=st.booleans(),
    refused=st.booleans(),
)
FACTS = st.builds(
    Facts,
    reachable=st.booleans(),
    speaks_first=st.booleans(),
    tls=SEEN,
    alpn=st.sampled_from([None, "h2", "http/1.1"]),
    clear=SIDES,
    secure=SIDES,
)
UPSTREAMS = ("http/1.1", "h2", "auto", "client", "tcp", "udp", None)
H1, H2 = Side(http1=True), Side(http2=True)
# What was seen → the row that is taken. One line per row of recommended.yaml, and the odd ones.
ROWS: dict[str, tuple[Facts, str, str | None]] = {
    "nothing there": (Facts(), "unreachable", None),
    "silence": (
        Facts(reachable=True, tls=None, clear=Side(http1=None, http2=None)), "silent", None,
    ),
    "silence after garbage": (Facts(reachable=True, clear=Side(http2=None)), "unsure", None),
    "a banner": (Facts(reachable=True, speaks_first=True), "other", None),
    "garbage": (Facts(reachable=True), "other", None),
    # Its TLS is asked with bytes that have no end of a line.
    "a line of another protocol, then silence": (
        Facts(reachable=True, tls=None, clear=Side(other=True)), "other", None,
    ),
    "http/1.0": (
        Facts(reachable=True, clear=Side(http1=True, http10=True)), "http-1.0", "http",
    ),
    "tls that takes no client": (
        Facts(reachable=True, tls=True, secure=Side(http1=None, http2=None, refused=True)),
        "tls-refused", None,
    ),
    "tls, a line of another protocol, then silence": (
        Facts(reachable=True, tls=True, secure=Side(http2=None, other=True)), "tls-other", None,
    ),
    "tls, h2 chosen and not spoken": (
        Facts(reachable=True, tls=True, alpn="h2", secure=H1), "tls-h1-misnegotiated", None,
    ),
    "http": (Facts(reachable=True, clear=H1), "http", "http"),
    # What is silent to other questions waits for more of its own protocol.
    "http, then silence": (
        Facts(reachable=True, tls=None, clear=Side(http1=True, http2=None)), "http", "http",
    ),
    "websocket beside http": (
        Facts(reachable=True, clear=Side(http1=True, websocket=True)), "http", "http",
    ),
    "websocket alone": (
        Facts(reachable=True, clear=Side(http1=True, websocket=True, only_upgrades=True)),
        "websocket", "kubernetes.io/ws",
    ),
    "426, and no websocket either": (
        Facts(reachable=True, clear=Side(http1=True, only_upgrades=True)), "http", "http",
    ),
    "h2c": (Facts(reachable=True, clear=H2), "h2c", "kubernetes.io/h2c"),
    "grpc": (
        Facts(reachable=True, clear=Side(http2=True, grpc="answers")), "grpc", "kubernetes.io/h2c",
    ),
    "both": (
        Facts(reachable=True, clear=Side(http1=True, http2=True)), "both", "kubernetes.io/h2c",
    ),
    # HTTP/2 would lose the WebSocket.
    "both, websocket over one": (
        Facts(reachable=True, clear=Side(http1=True, http2=True, websocket=True)),
        "both-websocket", "http",
    ),
    "both, websocket over both": (
        Facts(reachable=True, clear=Side(http1=True, http2=True, websocket=True, rfc8441=True)),
        "both", "kubernetes.io/h2c",
    ),
    "tls, http/1.1": (Facts(reachable=True, tls=True, secure=H1), "tls-h1", None),
    # nginx and Go answer clear text with 400 where they want TLS.
    "tls, clear text turned away": (
        Facts(reachable=True, tls=True, clear=Side(http1=True, turns_away=True), secure=H1),
        "tls-h1", None,
    ),
    "tls and clear text on one port": (
        Facts(reachable=True, tls=True, clear=H1, secure=H1), "http", "http",
    ),
    "400 without tls": (
        Facts(reachable=True, clear=Side(http1=True, turns_away=True)), "http", "http",
    ),
    "tls, h2": (Facts(reachable=True, tls=True, alpn="h2", secure=H2), "tls-h2", None),
    "tls, h2 without alpn": (
        Facts(reachable=True, tls=True, secure=H2), "tls-h2-unnegotiated", None,
    ),
    "tls, both": (
        Facts(reachable=True, tls=True, secure=Side(http1=True, http2=True)), "tls-both", None,
    ),
    "tls, neither": (Facts(reachable=True, tls=True), "tls-other", None),
    "tls, silence": (
        Facts(reachable=True, tls=True, secure=Side(http1=None, http2=None)), "tls-silent", None,
    ),
}  # fmt: skip
# Text → host and port.
ENDPOINTS: dict[str, tuple[str, int]] = {
    "cart.shop.svc:9000": ("cart.shop.svc", 9000),
    "localhost.:80": ("localhost.", 80),
    "10.0.0.1:1": ("10.0.0.1", 1),
    "[::1]:65535": ("::1", 65535),
    "[fe80::1%eth0]:80": ("fe80::1%eth0", 80),
    "_grpc._tcp.example:00080": ("_grpc._tcp.example", 80),
}
# Text → what is said of it.
NO_ENDPOINTS: dict[str, str] = {
    "": "no host or no port",
    "cart": "no host or no port",
    ":80": "no host or no port",
    "cart:": "is no port",
    "cart:http": "is no port",
    "cart:٨٠": "is no port",
    "cart:-1": "is no port",
    "cart:+80": "is no port",
    "cart:0": "from 1 to 65535",
    "cart:65536": "from 1 to 65535",
    "cart:999999999999999999": "is no port",
    "::1:80": "without brackets",
    "[cart]:80": "brackets are for IPv6",
    "[::g]:80": "is no host",
    "[::1%eth 0]:80": "is no host",
    "http://cart:80": "a URL or a path",
    "user@cart:80": "is no host",
    "ca rt:80": "is no host",
    "cart\r\nx:80": "is no host",
    "cart\n:80": "is no host",
    "a..b:80": "is no host",
    "-a:80": "is no host",
    "a" * 64 + ":80": "is no host",
    ".".join(["a" * 60] * 5) + ":80": "is no host",
    "münchen:80": "is no host",
}


@pytest.mark.parametrize("name", ROWS)
def test_what_was_seen_has_its_row(name: str) -> None:
    facts, row, value = ROWS[name]
    assert (recommended(facts).row, recommended(facts).value) == (row, value)


def test_every_row_is_taken_by_something() -> None:
    assert {row for _, row, _ in ROWS.values()} == set(recommendations())


def test_rows_have_texts_and_permanent_sources() -> None:
    for row in recommendations().values():
        assert not not_a_text("text", row.text)
        assert not row.source or not not_a_text("source", row.source)
        # What is said beside the evidence, of Envoy Gateway or of a value, has a source.
        assert row.source or row.row in {"unreachable", "silent", "unsure"}


@given(FACTS)
def test_what_is_recommended_never_contradicts_what_was_seen(facts: Facts) -> None:
    value = recommended(facts).value
    if value is not None:
        meant = meanings()[value]
        assert speaks(facts, meant.upstream, tls=meant.tls) is True
        assert not meant.tls, "no value gives TLS"
    if value is None and facts.reachable:
        assert True not in {facts.clear_http1, facts.h2c}, "a value would be right"


@given(FACTS)
def test_every_combination_has_a_row_of_the_same_shape(facts: Facts) -> None:
    row = Probed(endpoint=Endpoint(host="a", port=1), facts=facts).as_dict()
    assert row["why"]
    for name in ("http/1.1", "h2c", "tls", "h2", "websocket", "rfc8441"):
        assert row[name] in {True, False, None}
        assert facts.reachable or row[name] is None, "nobody was asked"


@given(FACTS, st.sampled_from(UPSTREAMS), st.sampled_from([True, False, None]))
def test_what_is_spoken_was_seen(facts: Facts, upstream: str | None, tls: Any) -> None:
    spoken = speaks(facts, upstream, tls=tls)
    if not facts.reachable:
        assert spoken is None
    if spoken and tls:
        assert facts.tls
    if spoken and upstream == "h2":
        assert facts.clear.http2 or facts.secure.http2
    if spoken and upstream == "http/1.1":
        assert facts.clear.http1 or facts.secure.http1


@given(st.sampled_from(UPSTREAMS))
def test_silence_is_neither_yes_nor_no(upstream: str | None) -> None:
    silent = ROWS["silence"][0]
    if upstream != "tcp":
        assert speaks(silent, upstream, tls=False) is None
    assert speaks(silent, upstream, tls=True) is None


@pytest.mark.parametrize("text", ENDPOINTS)
def test_endpoints(text: str) -> None:
    host, port = ENDPOINTS[text]
    assert endpoint_of(text) == Endpoint(host=host, port=port)


@pytest.mark.parametrize("text", NO_ENDPOINTS)
def test_what_is_no_endpoint_says_what_would_be(text: str) -> None:
    with pytest.raises(ValueError, match=NO_ENDPOINTS[text]) as raised:
        endpoint_of(text)
    assert "write HOST:PORT" in str(raised.value)
    assert len(str(raised.value)) < 300


@given(st.text(max_size=300))
def test_any_text_is_an_endpoint_or_a_complaint(text: str) -> None:
    try:
        found = endpoint_of(text)
    except ValueError:
        return
    assert endpoint_of(str(found)) == found
    assert found.authority.isascii()
    assert not set(found.authority) & set(" \r\n\t/@%")


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)), st.integers(1, 65_535))
def test_addresses_come_back(address: Any, port: int) -> None:
    host = f"[{address}]" if address.version == 6 else str(address)
    found = endpoint_of(f"{host}:{port}")
    assert ipaddress.ip_address(found.host) == address
    assert str(found) == f"{host}:{port}"
    assert found.is_address


@given(st.integers(0, 10), st.integers(0, 9))
def test_settings_are_known_by_any_beginning(settings: int, length: int) -> None:
    frame = (6 * settings).to_bytes(3) + b"\4\0" + bytes(4) + bytes(6 * settings)
    assert may_be_settings(frame[:length])


@pytest.mark.parametrize(
    "data",
    [b"+OK\r\n", b"SSH-2.0-x\r\n", b"J\0\0\0\x0a8.0", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
     b"\0\0\6\1\0\0\0\0\0", b"\0\0\0\4\1\0\0\0\0", b"\0\0\5\4\0\0\0\0\0", b"\x15\3\3\0\2\2\n"],
)  # fmt: skip
def test_other_beginnings_are_not_settings(data: bytes) -> None:
    assert not may_be_settings(data)


def test_an_echo_of_our_own_hello_is_not_tls() -> None:
    assert is_tls(b"\x16\3\3\0\x7a\2")
    assert not is_tls(b"\x16\3\1\2\0\1")
    assert not is_tls(b"")
