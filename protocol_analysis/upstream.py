"""What Envoy is told to speak, from the backends of one Envoy cluster and what policies add. Pure.

The backends that a route rule refers to become one Envoy cluster, and it has one protocol: the
first row that holds decides it. Where `splits` says why, each backend becomes an Envoy cluster of
its own instead.
"""

from __future__ import annotations

from protocol_analysis.envoy import CONFIGS, Flags, Settings, Upstream, asker
from protocol_analysis.resolution import Reason, reason_of
from protocol_analysis.rows import Rules


def spoken(
    settings: Settings, flags: Flags, layer: str, rules: Rules, role: str = "", whole: Settings = ()
) -> Upstream:
    """What one Envoy cluster is told, by the wire rules of a release.

    `layer` is that of its routes: http (GRPCRoutes too), tcp (TLSRoutes too) or udp. `role` is
    `mirror` or `merged` (a backend that routes share) where it is not built for routes. `whole`
    has all backends of the rule where the Envoy cluster is for one of them.

    >>> from protocol_analysis.envoy import Setting
    >>> from protocol_analysis.wiring import wire
    >>> plain, h2c = Setting(protocol="HTTP"), Setting(protocol="HTTP2")
    >>> answer = spoken([plain, h2c], Flags(proxy_protocol=True), "http", wire().at("1.8"))
    >>> answer.upstream, [reason.row for reason in answer.reasons]
    ('http/1.1', ['http2', 'dropped-by-proxy-protocol'])

    Source: https://github.com/envoyproxy/gateway/blob/v1.9.0/internal/xds/translator/cluster.go#L1114
    """
    why = asker(tuple(settings), flags, role or layer, rules, tuple(whole or settings))
    decided = why("config")[0]
    dropped = () if decided.choice == "none" else why("dropped")[:1]
    config = "none" if dropped else decided.choice
    matches = [s.alpn if why("alpn") else None for s in settings if s.tls and why("matches")]
    return Upstream(
        protocol_config=config,
        upstream=CONFIGS[config] if layer == "http" or config == "unknown" else layer,
        transport_socket=bool(why("socket")),
        alpn_per_match=tuple(alpn or None for alpn in matches),
        auto_sni=config != "none" and bool(why("auto-sni")),
        reasons=tuple(map(reason_of, (decided, *dropped))),
    )


def splits(settings: Settings, flags: Flags, layer: str, rules: Rules) -> tuple[Reason, ...]:
    """Why each backend of a rule becomes an Envoy cluster of its own; empty where they share one.

    >>> from protocol_analysis.envoy import Setting
    >>> from protocol_analysis.wiring import wire
    >>> backends = [Setting(force_http1=True), Setting(protocol="GRPC")]
    >>> [reason.row for reason in splits(backends, Flags(), "http", wire().at("1.9"))]
    ['splits-by-protocol']
    >>> splits(backends, Flags(), "http", wire().at("1.6"))
    ()

    Source: https://github.com/envoyproxy/gateway/blob/v1.9.0/internal/ir/xds.go#L1109-L1121
    """
    why = asker(tuple(settings), flags, layer, rules, tuple(settings))
    return tuple(map(reason_of, why("splits")))
