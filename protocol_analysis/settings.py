"""A resolved reference, and what policies say, as the wire rules ask for them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from protocol_analysis.attaching import layer_of
from protocol_analysis.envoy import Flags, Setting
from protocol_analysis.model import Backend, Service, Target
from protocol_analysis.policies import Policy
from protocol_analysis.resolution import Resolution
from protocol_analysis.rows import Rules
from protocol_analysis.upstream import spoken

_TIMEOUTS = ("connectionIdleTimeout", "maxConnectionDuration")


def setting_of(
    answer: Resolution, target: Target, filters: Iterable[Policy] = (), proxy: Policy | None = None
) -> Setting:
    """A resolved reference as Envoy Gateway hands it on: one backend of an Envoy cluster."""
    backend = target if isinstance(target, Backend) else Backend(meta=target.meta)
    addresses = backend.addresses if isinstance(target, Backend) else {"IP"}
    alpn = backend.alpn if backend.alpn is not None else proxy.alpn if proxy else None
    return Setting(
        protocol=answer.protocol,
        tls=answer.tls,
        force_http1=answer.force_http1,
        dynamic_resolver=backend.type == "DynamicResolver",
        credential_injection=any(dict(f.says).get("credentialInjection") for f in filters),
        sni_of_endpoint=backend.sni_of_endpoint,
        alpn=alpn if answer.tls else None,
        filters=bool(answer.ref.filters),
        address="MIXED" if len(addresses) > 1 else next(iter(addresses), None),
        prefer_local=isinstance(target, Service) and target.prefer_local,
    )


def flags_of(says: dict[str, bool], *, http1: bool = False, merged: bool = False) -> Flags:
    """What policies say, as the wire rules ask for it."""
    return Flags(
        use_client_protocol=says.get("useClientProtocol", False),
        proxy_protocol=says.get("proxyProtocol", False),
        http1_settings=http1,
        timeouts=any(says.get(name, False) for name in _TIMEOUTS),
        max_stream_duration=says.get("maxStreamDuration", False),
        circuit_breaker_max_requests=says.get("maxRequestsPerConnection", False),
        admission_control=says.get("admissionControl", False),
        consistent_hash=says.get("consistentHash", False),
        prefer_local=says.get("preferLocal", False),
        weighted_zones=says.get("weightedZones", False),
        merged_backends=merged,
    )


def told_alone(answer: Resolution, target: Target, wires: Rules | None) -> Resolution:
    """The reference as the only backend of its rule, without policies, with its upstream."""
    if not answer.sent:
        return answer
    if wires is None:
        return plainly(answer)
    told = spoken([setting_of(answer, target)], Flags(), layer_of(answer.route), wires)
    return replace(answer, upstream=told.upstream, reasons=(*answer.reasons, *told.reasons))


_PLAIN = {
    "HTTP": "http/1.1",
    "HTTP2": "h2",
    "GRPC": "h2",
    "HTTPS": "auto",
    "TCP": "tcp",
    "UDP": "udp",
    None: "client",
}


def plainly(answer: Resolution) -> Resolution:
    """What the protocol says by itself, where there are no wire rules; detected, what is sent."""
    return replace(answer, upstream=_PLAIN.get(answer.protocol)) if answer.sent else answer
