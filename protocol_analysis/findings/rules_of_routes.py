"""Checks of the backends of one route rule together: they share an Envoy cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from protocol_analysis.findings.finding import Found
from protocol_analysis.findings.subject import PortKey, Subject, backend_key, port_key, port_name
from protocol_analysis.measuring import meaning
from protocol_analysis.model import ROUTE_KINDS, values_of
from protocol_analysis.readings import who
from protocol_analysis.resolution import Resolution

_HTTP2 = ("HTTP2", "GRPC")


def mixed_protocols(subject: Subject) -> Iterator[Found]:
    """HTTP/1.1 and HTTP/2 backends in a rule, of which one decides for all."""
    meant = {(row.meta, row.port): row.meant for row in subject.ports if row.meant}
    for group in subject.rule_groups():
        sent = [answer for answer in group if answer.sent and answer.route.kind in ROUTE_KINDS]
        for answer in _turned(sent):
            wanted = answer.protocol in _HTTP2 or _wants_http2(subject, answer, meant)
            if answer.upstream == "h2" and not wanted:
                others = [port_name(a) for a in sent if a.protocol in _HTTP2]
                text = f"{port_name(answer)} is spoken HTTP/2 here because of {', '.join(others)}"
                # Most servers with TLS have both; alone the two ends would have agreed by ALPN.
                text += "; over TLS it fails unless the backend takes HTTP/2" if answer.tls else ""
                yield _at(answer, text, "turned over TLS" if answer.tls else "turned")
        if sent and sent[0].implementation == "nginx-gateway-fabric":
            yield from _fallen_back(sent)


def _wants_http2(subject: Subject, answer: Resolution, meant: Mapping[PortKey, str]) -> bool:
    """Whether a backend says that it takes HTTP/2: by a value, though not read, or by clues."""
    key = port_key(answer)
    if not key:
        return False
    if values := values_of(answer.app_protocol):
        said = [meaning(meant.get(key, value)) for value in values]
        return any(fact is not None and fact.upstream == "h2" for fact in said)
    clues = {clue.fact.upstream for clue in subject.clues.get(key, ())}
    return clues - {None} == {"h2"}


def _turned(sent: list[Resolution]) -> list[Resolution]:
    """Those that would be spoken to otherwise alone: not where the Envoy cluster is split."""
    return [a for a in sent if a.has_reason("neighbour")]


def _fallen_back(sent: list[Resolution]) -> Iterator[Found]:
    """NGINX speaks HTTP/2 to a rule only where every backend of it is h2c."""
    plain = [port_name(answer) for answer in sent if answer.protocol not in _HTTP2]
    for answer in sent if plain else ():
        if answer.protocol == "HTTP2" and answer.route.kind == "HTTPRoute":
            text = (
                f"{port_name(answer)} is spoken HTTP/1.1 in this rule because of {', '.join(plain)}"
            )
            yield _at(answer, text, "fallen back")


def mixed_tls(subject: Subject) -> Iterator[Found]:
    """Backends with TLS and without it in one rule, where ALPN would decide for the former."""
    for group in subject.rule_groups():
        sent = [answer for answer in group if answer.sent and subject.is_envoy_gateway(answer)]
        sent = [answer for answer in sent if answer.route.kind == "HTTPRoute"]
        clear = [port_name(answer) for answer in sent if not answer.tls]
        with_tls = [a for a in sent if a.tls and a.protocol == "HTTP" and not a.force_http1]
        # Nothing is lost where no choice by ALPN is made, or each has an Envoy cluster of its own.
        if clear and with_tls and _turned(sent):
            text = (
                f"{port_name(with_tls[0])} is spoken to over TLS, {', '.join(clear)} in the clear"
            )
            yield _at(with_tls[0], text, "mixed")


def _at(answer: Resolution, text: str, grade: str) -> Found:
    return Found(
        meta=answer.route,
        position=answer.ref.position,
        message=text,
        by=who(answer),
        grade=grade,
        key=f"{answer.ref.role} {backend_key(answer)}",
        declares=answer.route,
    )


CHECKS = {"AP013": mixed_protocols, "AP014": mixed_tls}
