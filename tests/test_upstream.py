"""What Envoy is told, release by release: each term alone, each against those it may meet."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from protocol_analysis import ruleset
from protocol_analysis.envoy import CONFIGS, KINDS, Flags, Setting, Upstream
from protocol_analysis.rows import Rules
from protocol_analysis.upstream import splits, spoken
from protocol_analysis.wiring import wire

ALL = ruleset().releases
# In the order of semantic versions; before v0.6.0 nothing is known.
KNOWN = ALL[ALL.index("v0.6.0") :]
RULES = {release: wire().at(release) for release in ALL}

HTTP, HTTP2, GRPC, HTTPS, TCP, UDP = (
    Setting(protocol=protocol) for protocol in ("HTTP", "HTTP2", "GRPC", "HTTPS", "TCP", "UDP")
)
NOTHING = Setting()
FORCED = Setting(protocol="HTTP", force_http1=True)
TLS = Setting(protocol="HTTP", tls=True)
NAMED = replace(TLS, sni="a.example")
OF_ENDPOINT = replace(TLS, sni_of_endpoint=True)
INJECTED = Setting(protocol="HTTP", filters=True, credential_injection=True)
RESOLVER = Setting(protocol="HTTP", dynamic_resolver=True)
NONE = Flags()
CLIENT, PROXY, HTTP1, TIMEOUTS = (
    Flags(use_client_protocol=True),
    Flags(proxy_protocol=True),
    Flags(http1_settings=True),
    Flags(timeouts=True),
)
REQUESTS, STREAMS, ADMISSION, HASH = (
    Flags(circuit_breaker_max_requests=True),
    Flags(max_stream_duration=True),
    Flags(admission_control=True),
    Flags(consistent_hash=True),
)

Settings = Sequence[Setting]
Steps = dict[str, Any]


def told(
    settings: Settings, flags: Flags, kind: str, rules: Rules, whole: Settings = ()
) -> Upstream:
    """What an Envoy cluster of that kind is told; mirrors and shared backends are HTTP's here."""
    role = kind if kind in {"mirror", "merged"} else ""
    return spoken(settings, flags, "http" if role else kind, rules, role, whole)


def steps(ask: Callable[[Rules], Any]) -> Steps:
    """The answers of all releases: each with the first release from which it holds."""
    found: Steps = {}
    for release in KNOWN:
        answer = ask(RULES[release])
        if not found or list(found.values())[-1] != answer:
            found[release] = answer
    return found


H1, H2, AUTO, USE, NO = "explicit_http1", "explicit_http2", "auto", "use_downstream", "none"
ALWAYS_H2 = {"v0.6.0": H2}
NEVER = {"v0.6.0": NO}
AUTO_FROM = {"v0.6.0": NO, "v1.6.0-rc.0": AUTO}
FORCED_OVER_H2 = {
    "v0.6.0": H2, "v1.7.3": H1, "v1.8.0-rc.0": H2, "v1.8.0-rc.1": H1,
}  # fmt: skip
CLIENT_OVER_H2 = {"v0.6.0": H2, "v1.1.0-rc.1": USE}
CLIENT_OVER_NO = {"v0.6.0": NO, "v1.1.0-rc.1": USE}
DROPS_H2 = {"v0.6.0": H2, "v1.6.0": NO, "v1.9.0-rc.1": H2}

# What it is about, the backends, what policies add, the kind, and what is told from when on.
# Release candidates of a line stand before its patches: v1.8.0-rc.0 is older than v1.7.3.
CONFIG: list[tuple[str, Settings, Flags, str, Steps]] = [
    # HTTP2: one is enough, on every kind of Envoy cluster.
    ("http2 alone", [HTTP2], NONE, "http", ALWAYS_H2),
    ("grpc alone", [GRPC], NONE, "http", ALWAYS_H2),
    ("http2 beside plain", [HTTP, HTTP2], NONE, "http", ALWAYS_H2),
    ("http2 before plain", [HTTP2, HTTP], NONE, "http", ALWAYS_H2),
    ("one http2 of many", [HTTP, HTTPS, NOTHING, GRPC, HTTP], NONE, "http", ALWAYS_H2),
    ("http2 on tcp", [HTTP2], NONE, "tcp", ALWAYS_H2),
    ("http2 on udp", [HTTP2], NONE, "udp", ALWAYS_H2),
    ("http2 of a mirror", [HTTP2], NONE, "mirror", ALWAYS_H2),
    ("http2 that is shared", [HTTP2], NONE, "merged", ALWAYS_H2),
    ("nothing that is http2", [HTTP, HTTPS, TCP, UDP, NOTHING], NONE, "http", NEVER),
    ("no backend at all", [], NONE, "http", NEVER),
    # FORCE, and against HTTP2 in one Envoy cluster.
    ("force alone", [FORCED], NONE, "http",
     {"v0.6.0": NO, "v1.7.3": H1, "v1.8.0-rc.0": NO, "v1.8.0-rc.1": H1}),
    ("force beside plain", [HTTP, FORCED], NONE, "http",
     {"v0.6.0": NO, "v1.7.3": H1, "v1.8.0-rc.0": NO, "v1.8.0-rc.1": H1}),
    ("force against http2", [HTTP2, FORCED], NONE, "http", FORCED_OVER_H2),
    ("force against grpc", [FORCED, GRPC], NONE, "http", FORCED_OVER_H2),
    ("force and http2 in one", [replace(HTTP2, force_http1=True)], NONE, "http", FORCED_OVER_H2),
    ("force against auto", [replace(TLS, force_http1=True)], NONE, "http",
     {"v0.6.0": NO, "v1.6.0-rc.0": AUTO, "v1.7.3": H1, "v1.8.0-rc.0": AUTO, "v1.8.0-rc.1": H1}),
    # UCP wins over all, where it reaches.
    ("client's protocol alone", [HTTP], CLIENT, "http", CLIENT_OVER_NO),
    ("client's against http2", [HTTP2], CLIENT, "http", CLIENT_OVER_H2),
    ("client's against force", [FORCED], CLIENT, "http", CLIENT_OVER_NO),
    ("client's against http1 settings", [HTTP], replace(CLIENT, http1_settings=True), "http",
     {"v0.6.0": NO, "v1.0.0-rc.1": H1, "v1.1.0-rc.1": USE}),
    ("client's against auto", [TLS], CLIENT, "http", CLIENT_OVER_NO),
    ("client's on a shared backend", [HTTP2], CLIENT, "merged", CLIENT_OVER_H2),
    ("client's does not reach tcp", [HTTP2], CLIENT, "tcp", ALWAYS_H2),
    ("client's does not reach udp", [HTTP], CLIENT, "udp", NEVER),
    ("client's does not reach a mirror", [HTTP2], CLIENT, "mirror", ALWAYS_H2),
    # H1: below HTTP2, above AUTO, on HTTP routes only.
    ("http1 settings alone", [HTTP], HTTP1, "http", {"v0.6.0": NO, "v1.0.0-rc.1": H1}),
    ("http1 settings against http2", [HTTP2], HTTP1, "http", ALWAYS_H2),
    ("http1 settings against auto", [TLS], HTTP1, "http", {"v0.6.0": NO, "v1.0.0-rc.1": H1}),
    ("http1 settings do not reach tcp", [HTTP], HTTP1, "tcp", NEVER),
    ("http1 settings do not reach a mirror", [TLS], HTTP1, "mirror", AUTO_FROM),
    ("http1 settings do not reach a shared backend", [HTTP], HTTP1, "merged", NEVER),
    # AUTO.
    ("tls alone", [TLS], NONE, "http", AUTO_FROM),
    ("tls twice", [TLS, NAMED], NONE, "http", AUTO_FROM),
    ("tls of a mirror", [TLS], NONE, "mirror", AUTO_FROM),
    ("tls on udp", [replace(UDP, tls=True)], NONE, "udp", AUTO_FROM),
    ("tls beside plain", [TLS, HTTP], NONE, "http",
     {"v0.6.0": NO, "v1.6.0-rc.0": AUTO, "v1.6.3": NO}),
    ("tls with https", [replace(HTTPS, tls=True)], NONE, "tcp", AUTO_FROM),
    ("tls with tcp", [replace(TCP, tls=True)], NONE, "tcp",
     {"v0.6.0": NO, "v1.6.0-rc.0": AUTO, "v1.6.4": NO, "v1.7.0-rc.0": AUTO, "v1.7.0-rc.2": NO}),
    ("tls, one of them tcp", [TLS, replace(TCP, tls=True)], NONE, "http",
     {"v0.6.0": NO, "v1.6.0-rc.0": AUTO, "v1.6.4": NO, "v1.7.0-rc.0": AUTO, "v1.7.0-rc.2": NO}),
    ("http2 against auto", [replace(GRPC, tls=True)], NONE, "http", ALWAYS_H2),
    # COMMON: the default, below all others.
    ("timeouts", [HTTP], TIMEOUTS, "http", {"v0.6.0": NO, "v1.0.0-rc.1": H1}),
    ("timeouts on tcp", [TCP], TIMEOUTS, "tcp", {"v0.6.0": NO, "v1.1.0-rc.1": H1}),
    ("timeouts on udp", [UDP], TIMEOUTS, "udp",
     {"v0.6.0": NO, "v1.1.0-rc.1": H1, "v1.2.0-rc.1": NO}),
    ("timeouts do not reach a mirror", [HTTP], TIMEOUTS, "mirror", NEVER),
    ("timeouts on a shared backend", [HTTP], TIMEOUTS, "merged",
     {"v0.6.0": NO, "v1.1.0-rc.1": H1}),
    ("timeouts against http2", [HTTP2], TIMEOUTS, "http", ALWAYS_H2),
    ("timeouts against auto", [TLS], TIMEOUTS, "http",
     {"v0.6.0": NO, "v1.0.0-rc.1": H1, "v1.6.0-rc.0": AUTO}),
    ("requests", [HTTP], REQUESTS, "http", {"v0.6.0": NO, "v1.0.0-rc.1": H1}),
    ("requests on tcp", [TCP], REQUESTS, "tcp", {"v0.6.0": NO, "v1.1.0-rc.1": H1}),
    ("requests do not reach udp", [UDP], REQUESTS, "udp", NEVER),
    ("streams on a shared backend", [HTTP], STREAMS, "merged", {"v0.6.0": NO, "v1.9.0-rc.1": H1}),
    ("streams on a route", [HTTP], STREAMS, "http", NEVER),
    ("streams against http2", [HTTP2], STREAMS, "merged", ALWAYS_H2),
    # FILTER: of the first backend only.
    ("credentials of the first", [INJECTED, HTTP], NONE, "http",
     {"v0.6.0": NO, "v1.4.0-rc.1": H1}),
    ("credentials of the second", [HTTP, INJECTED], NONE, "http", NEVER),
    ("credentials against http2", [INJECTED, HTTP2], NONE, "http", ALWAYS_H2),
    ("filters of another kind", [Setting(filters=True)], NONE, "http", NEVER),
    ("admission control", [HTTP], ADMISSION, "http", {"v0.6.0": NO, "v1.8.0-rc.1": H1}),
    ("admission control does not reach tcp", [TCP], ADMISSION, "tcp", NEVER),
    # HASH.
    ("hash on a shared backend", [HTTP], HASH, "merged", {"v0.6.0": NO, "v1.9.0-rc.1": H1}),
    ("hash on a route", [HTTP], HASH, "http", NEVER),
    ("hash against http2", [HTTP2], HASH, "merged", ALWAYS_H2),
    # PP: drops whatever was made, from v1.6.0 final.
    ("proxy protocol drops http2", [HTTP2], PROXY, "http", DROPS_H2),
    ("proxy protocol drops http2 beside plain", [HTTP, GRPC], PROXY, "http", DROPS_H2),
    ("proxy protocol drops http2 on tcp", [HTTP2], PROXY, "tcp", DROPS_H2),
    ("proxy protocol does not reach udp", [HTTP2], PROXY, "udp", ALWAYS_H2),
    ("proxy protocol does not reach a mirror", [HTTP2], PROXY, "mirror", ALWAYS_H2),
    ("proxy protocol drops auto", [TLS], PROXY, "http", {"v0.6.0": NO, "v1.6.0-rc.0": AUTO,
     "v1.6.0": NO, "v1.9.0-rc.1": AUTO}),
    ("proxy protocol drops the client's", [HTTP2], replace(CLIENT, proxy_protocol=True), "http",
     {"v0.6.0": H2, "v1.1.0-rc.1": USE, "v1.6.0": NO, "v1.9.0-rc.1": USE}),
    ("proxy protocol drops http1 settings", [HTTP], replace(HTTP1, proxy_protocol=True), "http",
     {"v0.6.0": NO, "v1.0.0-rc.1": H1, "v1.6.0": NO, "v1.9.0-rc.1": H1}),
    ("proxy protocol drops timeouts", [TCP], replace(TIMEOUTS, proxy_protocol=True), "tcp",
     {"v0.6.0": NO, "v1.1.0-rc.1": H1, "v1.6.0": NO, "v1.9.0-rc.1": H1}),
    ("proxy protocol with nothing to drop", [HTTP], PROXY, "http", NEVER),
]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "flags", "kind", "expected"), [c[1:] for c in CONFIG], ids=[c[0] for c in CONFIG]
)
def test_what_is_told_and_from_when_on(
    settings: Settings, flags: Flags, kind: str, expected: Steps
) -> None:
    assert steps(lambda rules: told(settings, flags, kind, rules).protocol_config) == expected


SOCKET: list[tuple[str, Settings, Flags, str, Steps]] = [
    # Transport socket, matches, auto SNI.
    ("plain", [HTTP], NONE, "http", {"v0.6.0": (False, 0, False)}),
    ("tls", [TLS], NONE, "http",
     {"v0.6.0": (False, 0, False), "v1.0.0-rc.1": (False, 1, False),
      "v1.6.0-rc.0": (True, 1, True)}),
    ("tls beside plain", [TLS, HTTP, TLS], NONE, "http",
     {"v0.6.0": (False, 0, False), "v1.0.0-rc.1": (False, 2, False),
      "v1.6.0-rc.0": (True, 2, True), "v1.6.3": (False, 2, False)}),
    ("tls with a name", [TLS, NAMED], NONE, "http",
     {"v0.6.0": (False, 0, False), "v1.0.0-rc.1": (False, 2, False),
      "v1.6.0-rc.0": (True, 2, False)}),
    ("tls with the endpoint's name", [OF_ENDPOINT], NONE, "http",
     {"v0.6.0": (False, 0, False), "v1.0.0-rc.1": (False, 1, False),
      "v1.6.0-rc.0": (True, 1, True), "v1.9.0-rc.1": (True, 1, False)}),
    # The socket and the name go with AUTO, whatever is decided.
    ("tls with grpc", [replace(GRPC, tls=True)], NONE, "http",
     {"v0.6.0": (False, 0, False), "v1.0.0-rc.1": (False, 1, False),
      "v1.6.0-rc.0": (True, 1, True)}),
    ("proxy protocol", [HTTP], PROXY, "http",
     {"v0.6.0": (False, 0, False), "v1.0.0-rc.1": (True, 0, False)}),
    ("proxy protocol on tcp", [TCP], PROXY, "tcp",
     {"v0.6.0": (False, 0, False), "v1.1.0-rc.1": (True, 0, False)}),
    ("proxy protocol does not reach udp", [UDP], PROXY, "udp", {"v0.6.0": (False, 0, False)}),
    ("proxy protocol does not reach a mirror", [TLS], PROXY, "mirror",
     {"v0.6.0": (False, 0, False), "v1.0.0-rc.1": (False, 1, False),
      "v1.6.0-rc.0": (True, 1, True)}),
    ("proxy protocol drops the name too", [TLS], PROXY, "http",
     {"v0.6.0": (False, 0, False), "v1.0.0-rc.1": (True, 1, False),
      "v1.6.0-rc.0": (True, 1, True), "v1.6.0": (True, 1, False),
      "v1.9.0-rc.1": (True, 1, True)}),
    ("resolver", [RESOLVER], NONE, "http", {"v0.6.0": (False, 0, False)}),
    ("resolver with http2", [replace(RESOLVER, protocol="HTTP2")], NONE, "http",
     {"v0.6.0": (False, 0, False), "v1.5.0-rc.1": (False, 0, True)}),
    ("resolver with tls", [replace(RESOLVER, tls=True)], NONE, "http",
     {"v0.6.0": (False, 0, False), "v1.0.0-rc.1": (False, 1, False),
      "v1.4.0-rc.1": (True, 0, False), "v1.6.0-rc.0": (True, 0, True)}),
    ("resolver with a name", [replace(RESOLVER, tls=True, sni="a.example")], NONE, "http",
     {"v0.6.0": (False, 0, False), "v1.0.0-rc.1": (False, 1, False),
      "v1.4.0-rc.1": (True, 0, False), "v1.6.0-rc.0": (True, 0, True)}),
    ("resolver of a mirror", [replace(RESOLVER, tls=True, protocol="HTTP2")], NONE, "mirror",
     {"v0.6.0": (False, 0, False), "v1.0.0-rc.1": (False, 1, False),
      "v1.5.8": (True, 0, True), "v1.6.0-rc.0": (True, 1, True), "v1.6.3": (True, 0, True)}),
    ("resolver that is not the first", [TLS, RESOLVER], NONE, "http",
     {"v0.6.0": (False, 0, False), "v1.0.0-rc.1": (False, 1, False),
      "v1.6.0-rc.0": (True, 1, True), "v1.6.3": (False, 1, False)}),
]  # fmt: skip


def sockets(answer: Upstream) -> tuple[bool, int, bool]:
    return answer.transport_socket, answer.transport_socket_matches, answer.auto_sni


@pytest.mark.parametrize(
    ("settings", "flags", "kind", "expected"), [c[1:] for c in SOCKET], ids=[c[0] for c in SOCKET]
)
def test_the_sockets_and_from_when_on(
    settings: Settings, flags: Flags, kind: str, expected: Steps
) -> None:
    assert steps(lambda rules: sockets(told(settings, flags, kind, rules))) == expected


def test_the_first_backend_of_the_whole_rule_decides_for_all_its_envoy_clusters() -> None:
    """One Envoy cluster for each backend: the type was that of the rule's first (7994)."""
    whole = [RESOLVER, TLS]
    assert steps(lambda rules: sockets(told([TLS], NONE, "http", rules, whole))) == {
        "v0.6.0": (False, 0, False),
        "v1.0.0-rc.1": (False, 1, False),
        "v1.4.0-rc.1": (True, 0, False),
        "v1.5.8": (False, 1, False),
        "v1.6.0-rc.0": (True, 0, True),
        "v1.6.3": (True, 1, True),
    }


def test_alpn_is_what_is_configured_for_each_match() -> None:
    listed = replace(TLS, alpn=("h2", "http/1.1"))
    settings = [listed, HTTP, TLS, replace(TLS, alpn=())]
    assert steps(lambda rules: told(settings, NONE, "http", rules).alpn_per_match) == {
        "v0.6.0": (),
        "v1.0.0-rc.1": (None, None, None),
        "v1.1.0-rc.1": (("h2", "http/1.1"), None, None),
    }
    forced = told([replace(listed, force_http1=True)], NONE, "http", RULES["v1.9.0"])
    assert (forced.protocol_config, forced.alpn_per_match) == (H1, (("h2", "http/1.1"),))


IP, FQDN, UDS, MIXED = (Setting(address=address) for address in ("IP", "FQDN", "UDS", "MIXED"))
ZONE = Setting(prefer_local=True)
NEVER_SPLIT: Steps = {"v0.6.0": ()}
SPLITS: list[tuple[str, Settings, Flags, str, Steps]] = [
    ("names and addresses", [IP, FQDN], NONE, "http",
     {"v0.6.0": (), "v1.4.0-rc.1": ("splits-by-name-and-address",)}),
    ("names and sockets", [UDS, FQDN], NONE, "http",
     {"v0.6.0": (), "v1.4.0-rc.1": ("splits-by-name-and-address",)}),
    ("a mixed backend", [MIXED], NONE, "http",
     {"v0.6.0": (), "v1.4.0-rc.1": ("splits-by-mixed-backend",)}),
    ("addresses and sockets", [IP, UDS], NONE, "http",
     {"v0.6.0": (), "v1.4.0-rc.1": ("splits-by-socket-and-address",), "v1.9.0-rc.1": ()}),
    ("names only", [FQDN, FQDN, HTTP], NONE, "http", NEVER_SPLIT),
    ("filters", [Setting(filters=True)], NONE, "http",
     {"v0.6.0": (), "v1.4.0-rc.1": ("splits-by-filters",)}),
    ("filters on tcp", [Setting(filters=True)], NONE, "tcp", NEVER_SPLIT),
    ("zone", [ZONE, HTTP], NONE, "http", {"v0.6.0": (), "v1.4.0-rc.1": ("splits-by-zone",)}),
    ("zone of one alone", [ZONE], NONE, "http", NEVER_SPLIT),
    ("zone by policy", [HTTP], Flags(prefer_local=True), "http",
     {"v0.6.0": (), "v1.5.0-rc.1": ("splits-by-zone-policy",)}),
    ("weighted zones", [HTTP], Flags(weighted_zones=True), "http",
     {"v0.6.0": (), "v1.8.0-rc.0": ("splits-by-weighted-zones",)}),
    ("unserved", [HTTP, Setting(unserved=True)], NONE, "http",
     {"v0.6.0": (), "v1.4.6": ("splits-by-unserved-backend",), "v1.5.0-rc.1": (),
      "v1.5.5": ("splits-by-unserved-backend",), "v1.6.0-rc.0": (),
      "v1.6.1": ("splits-by-unserved-backend",)}),
    ("force and grpc", [FORCED, GRPC], NONE, "http",
     {"v0.6.0": (), "v1.7.3": ("splits-by-protocol",), "v1.8.0-rc.0": (),
      "v1.8.0-rc.1": ("splits-by-protocol",)}),
    ("force and http2 in one", [replace(HTTP2, force_http1=True)], NONE, "http",
     {"v0.6.0": (), "v1.7.3": ("splits-by-protocol",), "v1.8.0-rc.0": (),
      "v1.8.0-rc.1": ("splits-by-protocol",)}),
    ("force and plain", [FORCED, HTTP, TLS], NONE, "http", NEVER_SPLIT),
    ("plain and http2", [HTTP, HTTP2], NONE, "http", NEVER_SPLIT),
    ("names of endpoints and not", [OF_ENDPOINT, TLS], NONE, "http",
     {"v0.6.0": (), "v1.9.0-rc.1": ("splits-by-sni",)}),
    ("names of endpoints beside plain", [OF_ENDPOINT, HTTP], NONE, "http",
     {"v0.6.0": (), "v1.9.0-rc.1": ("splits-by-sni",)}),
    ("names of endpoints only", [OF_ENDPOINT, OF_ENDPOINT], NONE, "http", NEVER_SPLIT),
    ("beside shared backends", [HTTP], Flags(merged_backends=True), "http",
     {"v0.6.0": (), "v1.9.0-rc.1": ("splits-by-merged-backends",)}),
    ("two reasons", [Setting(filters=True), FORCED, HTTP2], NONE, "http",
     {"v0.6.0": (), "v1.4.0-rc.1": ("splits-by-filters",),
      "v1.7.3": ("splits-by-filters", "splits-by-protocol"),
      "v1.8.0-rc.0": ("splits-by-filters",),
      "v1.8.0-rc.1": ("splits-by-filters", "splits-by-protocol")}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "flags", "layer", "expected"), [c[1:] for c in SPLITS], ids=[c[0] for c in SPLITS]
)
def test_what_splits_and_from_when_on(
    settings: Settings, flags: Flags, layer: str, expected: Steps
) -> None:
    def rows(rules: Rules) -> tuple[str, ...]:
        return tuple(reason.row for reason in splits(settings, flags, layer, rules))

    assert steps(rows) == expected


def test_the_tables_meet_every_row() -> None:
    """A row that no case above needs would be a row that nobody has looked at."""
    met: set[str] = set()
    for rules in RULES.values():
        for _, settings, flags, kind, _ in CONFIG:
            met |= {reason.row for reason in told(settings, flags, kind, rules).reasons}
        for _, settings, flags, layer, _ in SPLITS:
            met |= {reason.row for reason in splits(settings, flags, layer, rules)}
    rows = {row.id for row in wire().rows if {"config", "dropped", "splits"} & {*row.backends}}
    assert met == rows


# The contract's word, for each configuration and layer.
WORDS = [
    ([HTTP], NONE, "http", "http/1.1"),
    ([FORCED], NONE, "http", "http/1.1"),
    ([GRPC], NONE, "http", "h2"),
    ([TLS], NONE, "http", "auto"),
    ([TLS], CLIENT, "http", "client"),
    ([TCP], TIMEOUTS, "tcp", "tcp"),
    ([GRPC], NONE, "tcp", "tcp"),
    ([GRPC], NONE, "udp", "udp"),
]


@pytest.mark.parametrize(("settings", "flags", "layer", "word"), WORDS)
def test_the_contracts_word(settings: Settings, flags: Flags, layer: str, word: str) -> None:
    assert spoken(settings, flags, layer, RULES["v1.9.0"]).upstream == word


def test_a_shared_backend_of_a_tcp_route_has_its_layers_word() -> None:
    answer = spoken([TCP], CLIENT, "tcp", RULES["v1.9.0"], role="merged")
    assert (answer.protocol_config, answer.upstream) == (USE, "tcp")


def test_before_v0_6_nothing_is_claimed() -> None:
    for release in ALL[: ALL.index("v0.6.0")]:
        for layer in ("http", "tcp", "udp"):
            answer = spoken([HTTP2], PROXY, layer, RULES[release])
            assert (answer.protocol_config, answer.upstream) == ("unknown", None)
            assert [reason.row for reason in answer.reasons] == ["before-v0.6"]


def test_the_reasons_stand_in_the_order_in_which_they_decided() -> None:
    answer = spoken([HTTP, HTTP2], replace(PROXY, timeouts=True), "http", RULES["v1.8.3"])
    assert [reason.row for reason in answer.reasons] == ["http2", "dropped-by-proxy-protocol"]
    plain = spoken([HTTP], PROXY, "http", RULES["v1.8.3"])
    assert [reason.row for reason in plain.reasons] == ["no-options"]  # nothing was dropped


# Properties: any backends, any flags, any release.
SETTING = st.builds(
    Setting,
    protocol=st.sampled_from([None, "HTTP", "HTTP2", "GRPC", "HTTPS", "TCP", "UDP"]),
    tls=st.booleans(),
    force_http1=st.booleans(),
    dynamic_resolver=st.booleans(),
    credential_injection=st.booleans(),
    sni=st.sampled_from([None, "a.example"]),
    sni_of_endpoint=st.booleans(),
    alpn=st.sampled_from([None, ("h2",)]),
    filters=st.booleans(),
    address=st.sampled_from([None, "IP", "FQDN", "UDS", "MIXED"]),
    prefer_local=st.booleans(),
    unserved=st.booleans(),
)
FLAGS = st.builds(Flags, **{field.name: st.booleans() for field in fields(Flags)})
KIND = st.sampled_from(KINDS)
RELEASE = st.sampled_from(ALL)


def without_order(answer: Upstream) -> Upstream:
    """Of the matches only what they are; in which order is the order of the backends."""
    return replace(answer, alpn_per_match=tuple(sorted(answer.alpn_per_match, key=str)))


@given(st.lists(SETTING, max_size=4), FLAGS, KIND, RELEASE, st.randoms(use_true_random=False))
def test_order_matters_for_the_first_backend_only(
    settings: list[Setting], flags: Flags, kind: str, release: str, random: Any
) -> None:
    """And of the first only for injected credentials and for its being a DynamicResolver."""
    shuffled = settings[1:]
    random.shuffle(shuffled)
    before = told(settings, flags, kind, RULES[release])
    after = told([*settings[:1], *shuffled], flags, kind, RULES[release])
    assert without_order(after) == without_order(before)
    plain = [replace(s, credential_injection=False, dynamic_resolver=False) for s in settings]
    turned = told(plain[::-1], flags, kind, RULES[release])
    assert without_order(turned) == without_order(told(plain, flags, kind, RULES[release]))
    rules = RULES[release]
    assert splits(settings, flags, "http", rules) == splits(settings[::-1], flags, "http", rules)


@given(st.lists(SETTING, max_size=4), FLAGS, KIND, RELEASE, st.sampled_from([HTTP2, GRPC]))
def test_one_more_http2_never_leads_away_from_h2(
    settings: list[Setting], flags: Flags, kind: str, release: str, more: Setting
) -> None:
    before = told(settings, flags, kind, RULES[release])
    after = told([*settings, more], flags, kind, RULES[release])
    if before.protocol_config == H2:
        assert after.protocol_config == H2
    rows = [reason.row for reason in after.reasons]
    assert rows[0] in {"http2", "client-protocol", "forced-http1", "before-v0.6"}
    if after.protocol_config == NO:
        assert rows[1:] == ["dropped-by-proxy-protocol"]


@given(st.lists(SETTING, max_size=4), FLAGS, KIND, RELEASE)
def test_every_answer_has_reasons_with_sources(
    settings: list[Setting], flags: Flags, kind: str, release: str
) -> None:
    answer = told(settings, flags, kind, RULES[release])
    assert answer.protocol_config in CONFIGS
    assert answer.reasons
    for reason in (*answer.reasons, *splits(settings, flags, "http", RULES[release])):
        assert reason.text.endswith(".")
        assert re.search(r"/blob/v[^/]+/.+#L\d+", reason.source)
    for layer in ("tcp", "udp"):
        assert splits(settings, flags, layer, RULES[release]) == ()
