"""What Envoy Gateway's own code tells Envoy, row by row: what it says is what we say."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import pytest

from protocol_analysis.envoy import Flags, Setting
from protocol_analysis.rows import Rules
from protocol_analysis.upstream import splits, spoken
from protocol_analysis.wiring import wire
from tests.support import SHARED, needs_shared

Row = Mapping[str, Any]

GOLDEN = SHARED / "golden" / "envoy-gateway"
# What a row of clusters.jsonl expects, by our names.
COMPARED = {
    "protocolConfig": "protocol_config",
    "transportSocket": "transport_socket",
    "transportSocketMatches": "transport_socket_matches",
    "autoSni": "auto_sni",
    "alpnPerMatch": "alpn_per_match",
}
ROLES = {"mirror": "mirror", "merged": "merged", "destination": "", "setting": ""}
MOST_SHOWN = 10
# The opposite of what a setting says.
TURNED = {True: False, False: True, "HTTP2": "HTTP", "GRPC": "HTTP"}
TURNED |= dict.fromkeys(("HTTP", "HTTPS", "TCP"), "HTTP2")


@cache
def rows_of(name: str) -> tuple[Row, ...]:
    with (GOLDEN / name).open(encoding="utf-8") as lines:
        return tuple(json.loads(line) for line in lines if line.strip())


@cache
def rules_at(release: str) -> Rules:
    rules = wire().at(release)
    assert rules.release == release, f"{release} is not among the releases known"
    return rules


def setting_of(raw: Row) -> Setting:
    """A row's setting; rows of cluster_flags.jsonl have three fields only."""
    served = raw.get("endpoints", 1) or raw.get("isDynamicResolver") or raw.get("isCustomBackend")
    alpn = raw.get("alpnConfigured")
    return Setting(
        protocol=raw["protocol"] or None,
        tls=raw["tls"],
        force_http1=raw["forceHTTP1Upstream"],
        dynamic_resolver=raw.get("isDynamicResolver", False),
        credential_injection=raw.get("credentialInjection", False),
        sni=raw.get("sni"),
        sni_of_endpoint=raw.get("autoSNIFromEndpointHostname", False),
        alpn=None if alpn is None else tuple(alpn),
        filters=raw.get("hasFilters", False),
        address=raw.get("addressType"),
        prefer_local=raw.get("preferLocal", False),
        unserved=bool(raw.get("weight")) and (raw.get("invalid", False) or not served),
    )


def flags_of(raw: Row, **more: bool) -> Flags:
    return Flags(
        use_client_protocol=raw["useClientProtocol"],
        proxy_protocol=raw["proxyProtocol"] is not None,
        http1_settings=raw["http1Settings"],
        timeouts=raw["timeouts"],
        circuit_breaker_max_requests=raw["circuitBreakerMaxRequestsPerConnection"],
        max_stream_duration=raw.get("timeoutMaxStreamDuration", False),
        admission_control=raw.get("admissionControl", False),
        consistent_hash=raw.get("consistentHash", False),
        prefer_local=raw.get("preferLocalTraffic", False),
        **more,
    )


def cluster_mismatches(rows: Sequence[Row]) -> Iterator[str]:
    """One line for each field of an Envoy cluster that we answer otherwise."""
    for row in rows:
        # The rule's first backend decides for all of its Envoy clusters in some releases.
        whole = [Setting(dynamic_resolver=row["endpointTypeDynamicResolver"])]
        answer = spoken(
            [setting_of(raw) for raw in row["settings"]],
            flags_of(row["flags"]),
            row["routeProtocolLayer"],
            rules_at(row["release"]),
            role=ROLES[row["role"]],
            whole=whole,
        )
        for field, ours in COMPARED.items():
            said, wanted = getattr(answer, ours), row["expected"][field]
            if field == "alpnPerMatch":
                said = [alpn and list(alpn) for alpn in said] or None
            if said != wanted:
                where = f"{row['release']} {row['case']}: {row['cluster']}"
                why = " > ".join(reason.row for reason in answer.reasons)
                yield f"{where}: {field} {said!r}, not {wanted!r} ({why})"


def flag_mismatches(rows: Sequence[Row]) -> Iterator[str]:
    """One line for each combination of flags that we answer otherwise."""
    for row in rows:
        settings = [setting_of(raw) for raw in row["settings"]]
        rules = rules_at(row["release"])
        answer = spoken(settings, flags_of(row["flags"]), row["layer"], rules)
        if answer.protocol_config != row["expected"]:
            why = " > ".join(reason.row for reason in answer.reasons)
            yield f"{answer.protocol_config}, not by {why}: {json.dumps(row)}"


def report(found: Sequence[str]) -> str:
    return "\n".join([f"{len(found)} mismatches", *found[:MOST_SHOWN]])


@needs_shared
def test_all_golden_rows_are_at_hand() -> None:
    assert len(rows_of("clusters.jsonl")) == 2624
    assert len(rows_of("cluster_flags.jsonl")) == 9858
    assert len({row["release"] for row in rows_of("cluster_flags.jsonl")}) == 74


@needs_shared
def test_every_envoy_cluster_of_the_translators_own_tests() -> None:
    found = list(cluster_mismatches(rows_of("clusters.jsonl")))
    assert not found, report(found)


@needs_shared
def test_every_combination_of_flags() -> None:
    found = list(flag_mismatches(rows_of("cluster_flags.jsonl")))
    assert not found, report(found)


@needs_shared
def test_what_splits_has_an_envoy_cluster_for_each_backend() -> None:
    """A row of role `setting` is one backend's own; one of role `destination` is all of a rule."""
    rules: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows_of("clusters.jsonl"):
        if row["role"] in {"setting", "destination"}:
            rules[row["release"], row["case"], row["destination"]].append(row)
    wrong = []
    for where, rows in rules.items():
        settings = [setting_of(raw) for row in rows for raw in row["settings"]]
        # Which backends of a rule are shared is no field of a row; those cases are named for it.
        merged = where[1].startswith("merge-backends")
        flags = flags_of(rows[0]["flags"], merged_backends=merged and rows[0]["role"] == "setting")
        said = splits(settings, flags, rows[0]["routeProtocolLayer"], rules_at(where[0]))
        if bool(said) != (rows[0]["role"] == "setting"):
            wrong.append(f"{where}: {[reason.row for reason in said]}")
    assert len(rules) > 2_500
    assert not wrong, report(wrong)


def changed(row: Row, field: str, value: Any) -> Row:
    return {**row, "expected": {**row["expected"], field: value}}


@needs_shared
@pytest.mark.parametrize("field", COMPARED)
def test_a_wrong_envoy_cluster_is_noticed(field: str) -> None:
    """The comparison itself can fail, for every field."""
    row = rows_of("clusters.jsonl")[0]
    assert not list(cluster_mismatches([row]))
    assert len(list(cluster_mismatches([changed(row, field, "x")]))) == 1


@needs_shared
def test_a_wrong_combination_is_noticed() -> None:
    row = rows_of("cluster_flags.jsonl")[0]
    assert not list(flag_mismatches([row]))
    assert len(list(flag_mismatches([{**row, "expected": "auto"}]))) == 1


@needs_shared
@pytest.mark.parametrize(
    ("release", "flipped"),
    [("v1.6.7", "tls"), ("v1.8.3", "protocol"), ("v1.8.3", "forceHTTP1Upstream")],
)
def test_rows_notice_a_wrong_input(release: str, flipped: str) -> None:
    """The rows are not all of one kind: what decides, turned around, is told by some of them."""
    rows = [row for row in rows_of("cluster_flags.jsonl") if row["release"] == release]
    turned = [
        {**row, "settings": [{**raw, flipped: TURNED[raw[flipped]]} for raw in row["settings"]]}
        for row in rows
    ]
    assert list(flag_mismatches(turned))
