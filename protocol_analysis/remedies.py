"""Values that somebody wrote and the gateway does not read, and what to do about each. Pure.

A remedy is the nearest edit, else the nearest release; a test holds that what it names is read.
"""

from __future__ import annotations

from collections.abc import Sequence

from protocol_analysis.coverage import Coverage, readable
from protocol_analysis.model import values_of
from protocol_analysis.releases import finals, release_key
from protocol_analysis.rows import Rules, Ruleset

UNREAD = ("near miss", "standard but ignored", "silent fallback")
_ROUTE = "HTTPRoute"
_TLS = ("https", "tls")


def worst(rows: Sequence[Coverage]) -> list[Coverage]:
    """Ports whose value is not read: those that most references mean first, then near misses.

    >>> worst([])
    []
    """
    unread = [row for row in rows if row.kind_of_declaration in UNREAD]
    return sorted(
        unread,
        key=lambda row: (-row.routes, UNREAD.index(row.kind_of_declaration), row.declared_at),
    )


def unheard(row: Coverage) -> str:
    """Which port declares what, who does not read it, and how many references that concerns."""
    port = "" if row.port is None else f":{row.port}"
    where = f"{row.meta.kind} {row.meta.namespace}/{row.meta.name}{port}"
    of = f"{row.meta.cluster}: " if row.meta.cluster else ""
    declared = row.app_protocol
    value = declared if isinstance(declared, str) else ", ".join(declared or ())
    routes = "1 backend reference" if row.routes == 1 else f"{row.routes} backend references"
    reader = f"{row.resolution.implementation} {row.resolution.release}"
    return f"{of}{where} declares {value!r}, which {reader} does not read; {routes}"


def remedy(row: Coverage, ruleset: Ruleset) -> str:
    """What would make the gateway do what was declared, in the release that reads the port now.

    >>> from protocol_analysis.reading import read
    >>> from protocol_analysis.rules import ruleset
    >>> ports = read("data/sample", "v1.8.3").ports
    >>> remedy(next(port for port in ports if port.kind_of_declaration == "near miss"), ruleset())
    'write kubernetes.io/ws'
    """
    if row.meant:
        return f"write {row.meant}"
    values, kind = filter(None, values_of(row.app_protocol)), row.meta.kind
    rules = ruleset.at(row.resolution.release)
    for value in values:
        stem = value.strip().casefold().rpartition("/")[2]
        if release := _reading(ruleset, rules.release, kind, value):
            until = "; until then a GRPCRoute speaks gRPC to it" if stem == "grpc" else ""
            return f"{value} is read from {release} on{until}"
        if stem in _TLS:
            of = "the Backend's tls" if kind == "Backend" else "a BackendTLSPolicy"
            return f"TLS comes from {of}, never from appProtocol"
    return f"HTTP/1.1 is spoken; {_http2(rules, kind)}, for what is no HTTP use a TCPRoute"


def _reading(ruleset: Ruleset, release: str, kind: str, value: str) -> str | None:
    """The first final release after this one that reads the value; a patch of its line first."""
    later = (r for r in finals(ruleset.releases) if release_key(r) > release_key(release))
    return next((r for r in later if value in readable(ruleset.at(r), kind)), None)


def _http2(rules: Rules, kind: str) -> str:
    """How to have HTTP/2 without TLS from this release."""
    for value in readable(rules, kind):
        row = rules.value("values", kind, _ROUTE, value)
        if row and row.protocol == "HTTP2":
            return f"for HTTP/2 write {value}"
    return "for gRPC use a GRPCRoute"
