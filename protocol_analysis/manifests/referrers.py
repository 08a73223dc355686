"""What refers to backends beside routes: policies' external services, and telemetry's sinks.

Each becomes a `Route` whose references say by `site` where they stand. `rule` counts, from 0, the
external processors of a policy, its JWT providers, or the sinks of an EnvoyProxy.
"""

from __future__ import annotations

from protocol_analysis.manifests.fields import (
    Source,
    absent,
    backend_ref,
    get,
    is_true,
    items,
    mappings,
    meta_of,
    text,
)
from protocol_analysis.manifests.policies import traffic_settings
from protocol_analysis.manifests.tree import Mapping, Node
from protocol_analysis.model import BackendRef, Meta, Route


def security_policy(node: Mapping, source: Source, group: str, kind: str) -> Route:
    """A SecurityPolicy: its external authorisation, OIDC provider and remote JWKS.

    Source: https://github.com/envoyproxy/gateway/blob/v1.9.0/internal/gatewayapi/securitypolicy.go#L2692
    """
    meta = meta_of(node, source, group, kind)
    refs: list[BackendRef] = []
    for way in ("http", "grpc"):
        refs += _refs(get(node, "spec", "extAuth", way), source, meta, f"extAuth {way}")
    provider = get(node, "spec", "oidc", "provider")
    url = get(provider, "tokenEndpoint") or get(provider, "issuer")
    refs += _refs(provider, source, meta, f"oidc {_scheme(url)}")
    for number, each in enumerate(items(get(node, "spec", "jwt", "providers"))):
        remote = get(each, "remoteJWKS")
        site = f"jwks {_scheme(get(remote, 'uri'))}"
        refs += _refs(remote, source, meta, site, number)
    return Route(meta=meta, refs=tuple(refs), api_version=text(get(node, "apiVersion")))


def extension_policy(node: Mapping, source: Source, group: str, kind: str) -> Route:
    """An EnvoyExtensionPolicy: its external processors."""
    meta = meta_of(node, source, group, kind)
    refs: list[BackendRef] = []
    for number, processor in enumerate(items(get(node, "spec", "extProc"))):
        refs += _refs(processor, source, meta, "extProc", number)
    return Route(meta=meta, refs=tuple(refs), api_version=text(get(node, "apiVersion")))


def telemetry(node: Mapping, source: Source, group: str, kind: str) -> Route:
    """An EnvoyProxy: where it sends access logs, traces and metrics.

    Source: https://github.com/envoyproxy/gateway/blob/v1.9.0/internal/gatewayapi/listener.go#L1309
    """
    meta = meta_of(node, source, group, kind)
    told = get(node, "spec", "telemetry")
    settings = items(get(told, "accessLog", "settings"))
    if is_true(get(told, "accessLog", "disable")):
        settings = []
    logs = [sink for setting in settings for sink in items(get(setting, "sinks"))]
    refs: list[BackendRef] = []
    for number, sink in enumerate(logs):
        way = {"ALS": "als", "OpenTelemetry": "openTelemetry"}.get(text(get(sink, "type")))
        if way:
            refs += _refs(get(sink, way), source, meta, f"accessLog {way}", number)
    provider = get(told, "tracing", "provider")
    known = text(get(provider, "type"), "OpenTelemetry") == "OpenTelemetry"
    refs += _refs(provider, source, meta, f"tracing {'openTelemetry' if known else 'other'}")
    for number, sink in enumerate(items(get(told, "metrics", "sinks"))):
        refs += _refs(get(sink, "openTelemetry"), source, meta, "metrics", number)
    return Route(meta=meta, refs=tuple(refs), api_version=text(get(node, "apiVersion")))


def _scheme(url: Node | None) -> str:
    """Envoy Gateway takes all that is not https for http."""
    return "https" if text(url).casefold().startswith("https:") else "http"


def _refs(
    node: Node | None, source: Source, meta: Meta, site: str, rule: int = 0
) -> list[BackendRef]:
    """The backendRefs of one external service, or the one backendRef of earlier days."""
    single = get(node, "backendRef")
    found = mappings(node, source, "backendRefs")
    if not found and single is not None and not absent(single):
        found = [single]
    says = tuple(traffic_settings(get(node, "backendSettings")).items())
    role = site.partition(" ")[0]
    return [
        backend_ref(each, source, meta.namespace, rule, role, number, site, says)
        for number, each in enumerate(found)
    ]
