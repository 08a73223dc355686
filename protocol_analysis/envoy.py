"""One Envoy cluster: what it is made of, what counts of that at a release, and what Envoy is told.

A `Setting` is one backend in it, as resolved; `Flags` is what policies and listeners add. The rows
of the wire rules name the fields of both, and `asker` answers with the rows that hold. Pure; what
a row may say stands at the top of `wire/envoy-gateway.yaml`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from protocol_analysis.resolution import Reason
from protocol_analysis.rows import Row, Rules

# What an Envoy cluster is built for: routes of a layer, a mirror, a backend that routes share.
KINDS = ("http", "tcp", "udp", "mirror", "merged")
# How Envoy can be told its protocol, and the contract's word for each.
CONFIGS = {
    "none": "http/1.1",  # Envoy's own default
    "explicit_http1": "http/1.1",
    "explicit_http2": "h2",
    "auto": "auto",
    "use_downstream": "client",
    "unknown": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One backend of an Envoy cluster, a DestinationSetting in Envoy Gateway's words.

    The first three are those of its Resolution. `sni` and `alpn` are written out in its TLS
    settings, `sni_of_endpoint` takes the name from each endpoint. `filters`: the reference has
    filters of its own; `credential_injection`: that one. `address` is IP, FQDN, UDS or MIXED.
    `prefer_local`: its Service keeps traffic in the zone. `unserved`: it has a weight, and is
    invalid or without endpoints.

    >>> Setting(protocol="HTTP2").tls
    False

    Source: https://github.com/envoyproxy/gateway/blob/v1.9.0/internal/xds/translator/cluster.go#L286
    """

    protocol: str | None = None
    tls: bool = False
    force_http1: bool = False
    dynamic_resolver: bool = False
    credential_injection: bool = False
    sni: str | None = None
    sni_of_endpoint: bool = False
    alpn: tuple[str, ...] | None = None
    filters: bool = False
    address: str | None = None
    prefer_local: bool = False
    unserved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What policies add to an Envoy cluster: of a BackendTrafficPolicy unless said otherwise.

    `http1_settings`: the listener's ClientTrafficPolicy sets trailers, header case or HTTP/1.0.
    `timeouts`: connectionIdleTimeout or maxConnectionDuration, no other. `consistent_hash`: with
    something to hash. `merged_backends`: the rule also has backends that routes share. What a
    policy says of HTTP/2 is not here: it never decides, in any release.

    >>> Flags(use_client_protocol=True).timeouts
    False

    Source: https://github.com/envoyproxy/gateway/blob/v1.9.0/internal/xds/translator/cluster.go#L1102-L1131
    """

    use_client_protocol: bool = False
    proxy_protocol: bool = False
    http1_settings: bool = False
    timeouts: bool = False
    max_stream_duration: bool = False
    circuit_breaker_max_requests: bool = False
    admission_control: bool = False
    consistent_hash: bool = False
    prefer_local: bool = False
    weighted_zones: bool = False
    merged_backends: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """What Envoy is told for one Envoy cluster, and why, in the order in which it was decided.

    `upstream` is the contract's word; on layers tcp and udp the configuration is written, and
    without effect. `alpn_per_match` has one item for each TLS backend that gets a socket of its
    own.
    """

    protocol_config: str
    upstream: str | None
    transport_socket: bool
    alpn_per_match: tuple[tuple[str, ...] | None, ...]
    auto_sni: bool
    reasons: tuple[Reason, ...]

    @property
    def transport_socket_matches(self) -> int:
        """How many TLS backends get a socket of their own."""
        return len(self.alpn_per_match)


Settings = Sequence[Setting]


@lru_cache(maxsize=16_384)  # thousands of Envoy clusters are made of a few dozen things
def asker(
    settings: tuple[Setting, ...], flags: Flags, kind: str, rules: Rules, whole: tuple[Setting, ...]
) -> Callable[[str], tuple[Row, ...]]:
    """A function from a term to the rows by which it holds, in their order; none: it does not."""
    among = {"flag": (flags,), "whole": whole[:1], "first": settings[:1]}

    def holds(condition: str) -> bool:
        how, name, *values = condition.split()
        if how in {"is", "not"}:
            return (how == "is") == bool(why(name))
        found = [getattr(each, name) for each in among.get(how, settings)]
        hits = [value in values if values else bool(value) for value in found]
        other = {"all": all(hits), "no": not any(hits), "lacking": not all(hits)}
        return other.get(how, any(hits)) and (how != "several" or len(hits) > 1)

    @cache
    def why(term: str) -> tuple[Row, ...]:
        rows = rules.find("wire", term, kind)
        return tuple(row for row in rows if all(map(holds, row.values)))

    return why
