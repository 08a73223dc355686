"""Checks of one reference: what is spoken to a backend is not what was declared, or is served."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from protocol_analysis.coverage import Coverage
from protocol_analysis.findings.finding import Found
from protocol_analysis.findings.subject import (
    Subject,
    backend_key,
    grpc_asked,
    is_standard,
    port_key,
    port_name,
)
from protocol_analysis.model import values_of
from protocol_analysis.portability import Meaning, meanings
from protocol_analysis.readings import who, word_of
from protocol_analysis.resolution import ASSUMED, Resolution
from protocol_analysis.speaking import rules_of

L7, L4 = ("HTTPRoute", "GRPCRoute"), ("TLSRoute", "TCPRoute", "UDPRoute")
_WSS = ("kubernetes.io/wss", "gateway.envoyproxy.io/wss")
_HTTPS = ("https", "tls", "kubernetes.io/https")  # the last is no value, and says it all the same
_TLS = {**dict.fromkeys((*_WSS, "wss"), "wss"), **dict.fromkeys(_HTTPS, "https")}
_OPAQUE = ("tcp", "tls", "linkerd.io/opaque", "linkerd.io/tcp")
_WEBSOCKET = ("/ws", "/wss")
_PROXIED = "upgrade to v1.9, or drop proxyProtocol"
# Clues that say for sure that a port takes HTTP/2 only; the rest only hint.
_STRONG = ("probe",)
_GRPC_SINKS = ("accessLog als", "accessLog openTelemetry", "tracing openTelemetry", "metrics")


def hint_missing(subject: Subject) -> Iterator[Found]:
    """HTTP/1.1 to a port that takes HTTP/2 only, by what hints at it, and that declares nothing."""
    yield from _not_inferred(subject)
    yield from _dropped(subject)
    for answer in _once(subject, "HTTPRoute"):
        if not answer.target or answer.app_protocol or word_of(answer) != "http/1.1":
            continue
        # A GRPCRoute there is no evidence beside this HTTPRoute: the port may take both.
        known = subject.clues.get((answer.target, answer.ref.port), ())
        clues = [clue for clue in known if clue.clue.id != "route-grpc"]
        spoken = {clue.fact.upstream for clue in clues} - {"any"}
        asked = list(filter(None, map(grpc_asked, subject.matches(answer))))
        if spoken <= {"h2"} and (spoken or asked):
            # Connect has the paths of gRPC, so a plain rule to the same port makes them weak.
            only = bool(asked) and all(map(subject.is_for_grpc, _http_routes_to(subject, answer)))
            strong = only or any(clue.clue.looks in _STRONG for clue in clues)
            said = [clue.found for clue in clues] + [f"the rule matches {what}" for what in asked]
            told = ", ".join(dict.fromkeys(said))
            text = f"{answer.route} reaches {port_name(answer)} over HTTP/1.1, "
            text += f"and it looks as if it took HTTP/2 only: {told}"
            in_vain = _would_be_dropped(subject, answer)
            text += "; proxyProtocol of a policy would drop a value for HTTP/2" if in_vain else ""
            found = _of_reference(answer, text, grade="strong" if strong else "weak")
            remedy = f"use a GRPCRoute or declare kubernetes.io/h2c, and {_PROXIED}"
            yield replace(found, remedy=remedy) if in_vain else found


def _http_routes_to(subject: Subject, answer: Resolution) -> list[Resolution]:
    """The HTTPRoutes to the port of an answer."""
    return [a for a in _to_the_port(subject, answer) if a.route.kind == "HTTPRoute"]


def _not_inferred(subject: Subject) -> Iterator[Found]:
    """A GRPCRoute whose backend is not spoken HTTP/2: this reader does not go by the route."""
    for answer in _once(subject, "GRPCRoute"):
        known = answer.app_protocol or _is_dropped(answer)
        if not known and answer.upstream in ("http/1.1", "tcp"):
            spoken = f"{who(answer)} speaks {word_of(answer)} to {port_name(answer)}"
            text = f"{spoken}, which declares nothing, although {answer.route} leads there"
            found = _of_reference(answer, text, grade="strong")
            yield replace(found, remedy="declare kubernetes.io/h2c on the port")


def _dropped(subject: Subject) -> Iterator[Found]:
    """HTTP/2 by value or by route, which some releases drop where a policy says proxyProtocol."""
    for answer in _once(subject, *L7):
        http2 = answer.protocol in ("HTTP2", "GRPC") and not answer.force_http1
        if http2 and _is_dropped(answer) and answer.upstream == "http/1.1":
            text = f"{answer.route} reaches {port_name(answer)} over HTTP/1.1: proxyProtocol of a "
            found = _of_reference(answer, f"{text}policy drops HTTP/2", grade="strong")
            yield replace(found, remedy=_PROXIED)


def _would_be_dropped(subject: Subject, answer: Resolution) -> bool:
    """Whether HTTP/2 would be dropped if it were declared: a policy says proxyProtocol."""
    wires = rules_of(who(answer))[1]
    if who(answer) != subject.reader or not wires or not wires.find("wire", "dropped", "http"):
        return False
    route, rule = subject.routes[answer.route], answer.ref.rule
    places = subject.places(route)
    reached = (subject.attaching.traffic(route, rule, where) for where in places)
    return any(each.says.get("proxyProtocol") for each in reached)


def _is_dropped(answer: Resolution) -> bool:
    return answer.has_reason("dropped-by-proxy-protocol")


def tls_only_said(subject: Subject) -> Iterator[Found]:
    """A value that says TLS, where the gateway sends in the clear."""
    for answer in _once(subject, *L7):
        if grade := _says_tls_in_vain(subject, answer):
            value = ", ".join(values_of(answer.app_protocol))
            text = f"{value} on {port_name(answer)} does not make {who(answer)} begin TLS"
            # Of the port, however many references lead there.
            found = _of_reference(answer, text, grade=grade)
            remedy = "set tls on the Backend" if answer.ref.kind == "Backend" else ""
            yield replace(found, key=f"{answer.ref.port} {value}", remedy=remedy)


def _says_tls_in_vain(subject: Subject, answer: Resolution) -> str:
    """Which kind of value says TLS that nobody begins: `wss`, `https`, or nothing."""
    kinds = [_TLS[v.casefold()] for v in values_of(answer.app_protocol) if v.casefold() in _TLS]
    # To Istio's mesh `https` says that the workload begins TLS itself.
    by_workload = answer.mesh and answer.implementation == "istio" and kinds == ["https"]
    # What a Backend says itself of TLS is enough, even to a release that does not read it.
    known = not answer.sent or answer.tls or by_workload or answer.target in subject.with_tls
    return "" if known or not kinds else kinds[0]


def grpc_over_tls(subject: Subject) -> Iterator[Found]:
    """A GRPCRoute to a backend with TLS, which some implementations do not manage."""
    for answer in _once(subject, "GRPCRoute"):
        # Istio does where the port has said that it is gRPC, by its name too.
        manages = answer.implementation == "istio" and answer.upstream == "h2"
        # Of a policy that is not looked at for such a route the answer knows nothing.
        # Traefik does by https on the port; what it passes over is a policy.
        by_value = answer.tls and answer.implementation != "traefik"
        if (by_value or subject.has_tls_policy(answer)) and not manages:
            text = f"{who(answer)} does not speak gRPC over TLS to {port_name(answer)}"
            grade = "declared" if answer.app_protocol else "undeclared"
            found = _of_reference(answer, text, grade=grade)
            # Of the one that is asked the release is told.
            assumed = who(answer) != subject.reader and answer.has_reason(ASSUMED)
            yield replace(found, assumed=assumed)


def telemetry_sink(subject: Subject) -> Iterator[Found]:
    """A sink of logs, traces or metrics that takes gRPC, and is spoken to otherwise."""
    for answer in subject.answers:
        if answer.ref.site not in _GRPC_SINKS or not answer.sent:
            continue
        if answer.upstream not in ("h2", "auto"):
            text = f"{answer.route} sends to {port_name(answer)} over {word_of(answer)}, not gRPC"
            yield _of_reference(answer, text, grade="fails")
        elif answer.app_protocol and all(map(_is_fixed, _to_the_port(subject, answer))):
            text = f"{port_name(answer)} need not declare anything: {who(answer)} speaks gRPC to it"
            yield _of_reference(answer, text, grade="unneeded")


def _to_the_port(subject: Subject, answer: Resolution) -> list[Resolution]:
    """All that leads to the port of an answer: what one need not declare another may."""
    key = port_key(answer)
    return [answer, *(subject.leading.get(key, []) if key else ())]


def _is_fixed(answer: Resolution) -> bool:
    return any(reason.row.startswith("fixed") for reason in answer.reasons)


def unsupported(subject: Subject) -> Iterator[Found]:
    """A value that another gateway or a mesh refuses, or takes otherwise than it was meant."""
    yield from _unread_by_meshes(subject)
    for answer in subject.answers:
        if subject.is_envoy_gateway(answer) or answer.mesh or answer.route.kind not in L7:
            continue
        value = ", ".join(values_of(answer.app_protocol))
        if value == "grpc":  # a rule of its own
            continue
        meant = meanings().get(value) or meanings().get(value.casefold())
        spoken = f"{who(answer)} speaks {word_of(answer)} to {port_name(answer)}"
        if subject.refuses(answer):
            text = f"{who(answer)} turns {port_name(answer)} away for its appProtocol {value!r}"
            yield _of_reference(answer, text, grade="refused")
        elif answer.sent and meant:
            if not meant.is_met(answer):
                # That TLS is not begun, or that bytes are meant, has a rule of its own.
                told = _says_tls_in_vain(subject, answer) or _is_opaque(answer)
                if not told and not _is_well(answer, meant):
                    text = f"{spoken}, which is not what {value} says"
                    yield _of_reference(answer, text, grade="otherwise")
            elif meant.use == "websocket" and not subject.recognises(answer):
                text = f"{spoken} and lets nothing be upgraded: it does not read {value}"
                yield _of_reference(answer, text, grade="no upgrade")
            elif listener := _without_tls(subject, answer):
                text = f"behind listener {listener}, which has no TLS, it does not speak {value}"
                yield _of_reference(answer, f"{who(answer)}: {text}", grade="behind HTTP")


def _is_well(answer: Resolution, meant: Meaning) -> bool:
    """Whether http is no harm: the client's own protocol to a port that says so, or a GRPCRoute's.

    What a GRPCRoute, or both kinds of routes, make of http has rules of its own.
    """
    spoken = {"HTTPRoute": "client", "GRPCRoute": "h2"}.get(answer.route.kind)
    return meant.use == "http" and not meant.tls and answer.upstream == spoken


def _unread_by_meshes(subject: Subject) -> Iterator[Found]:
    """HTTP/2 as Kubernetes has it, of which a mesh makes something else, whatever leads there."""
    for row in subject.ports:
        meant = meanings()[str(row.app_protocol)] if is_standard(row.app_protocol) else None
        if meant is None or meant.upstream != "h2":
            continue
        for answer in (row.resolution, *row.readings):
            wrong = answer.mesh and answer.sent and not meant.is_met(answer)
            if wrong and not _is_annotated(subject, row, answer):
                spoken = f"{who(answer)} speaks {word_of(answer)} to {row.meta}:{row.port}"
                yield Found(
                    meta=row.meta,
                    position=row.declared_at,
                    message=f"{spoken}, which is not what {row.app_protocol} says",
                    by=who(answer),
                    grade="otherwise",
                    key=f"{row.port} {row.app_protocol}",
                    declares=row.meta,
                )


def _is_annotated(subject: Subject, row: Coverage, answer: Resolution) -> bool:
    """Whether HTTP/2 is told to Kuma by an annotation, by which it goes where it knows no value."""
    clues = subject.clues.get((row.meta, row.port), ())
    told = (clue.fact.upstream == "h2" for clue in clues if clue.clue.id == "kuma-protocol")
    return answer.implementation == "kuma" and any(told)


def _without_tls(subject: Subject, answer: Resolution) -> str:
    """The listener for HTTP that the route of an h2c backend hangs on, if any."""
    if answer.protocol != "HTTP2" or answer.route.kind != "HTTPRoute":
        return ""
    places = subject.places(subject.routes[answer.route])
    found = (p.listener.name for p in places if p.listener and p.listener.protocol == "HTTP")
    return next(found, "")


def opaque_behind_http(subject: Subject) -> Iterator[Found]:
    """A value for bytes as they come, on a port that routes lead HTTP to."""
    for answer in _once(subject, *L7):
        if _is_opaque(answer) and not _says_tls_in_vain(subject, answer):
            declared = f"{port_name(answer)} declares {answer.app_protocol}"
            text = f"{declared}, and {answer.route} leads HTTP there"
            yield _of_reference(answer, text)


def _is_opaque(answer: Resolution) -> bool:
    value = answer.app_protocol
    return isinstance(value, str) and value.casefold() in _OPAQUE


def client_protocol(subject: Subject) -> Iterator[Found]:
    """UseClientProtocol where the backend declares which protocol it takes."""
    for answer in _once(subject, *L7):
        known = answer.force_http1 or answer.protocol in ("HTTP2", "GRPC")
        if answer.upstream == "client" and known and answer.app_protocol and not answer.mesh:
            value = ", ".join(values_of(answer.app_protocol))
            text = f"useClientProtocol overrides {value} of {port_name(answer)}: the client decides"
            yield _of_reference(answer, text)


def websocket_on_grpc(subject: Subject) -> Iterator[Found]:
    """A GRPCRoute to a port for WebSocket, which is spoken to over HTTP/1.1."""
    for answer in _once(subject, "GRPCRoute"):
        if answer.force_http1 and "http/1.1" in _spoken(answer):
            text = (
                f"{answer.route} reaches {port_name(answer)} over HTTP/1.1, where gRPC cannot live"
            )
            yield _of_reference(answer, text)


def websocket_unheard(subject: Subject) -> Iterator[Found]:
    """Ws or wss over TLS, where the release does not force HTTP/1.1 and ALPN picks HTTP/2."""
    for answer in _once(subject, "HTTPRoute"):
        values = values_of(answer.app_protocol)
        asked = any(value.endswith(_WEBSOCKET) for value in values)
        picks = answer.upstream == "auto" and subject.is_envoy_gateway(answer)
        if asked and picks and _may_offer_h2(answer):
            text = (
                f"{port_name(answer)} declares {', '.join(values)}, and ALPN may still pick HTTP/2"
            )
            yield _of_reference(answer, text)


def value_on_l4(subject: Subject) -> Iterator[Found]:
    """A value that puts HTTP options on an Envoy cluster for TCP or UDP."""
    for answer in _once(subject, *L4):
        if answer.force_http1 or answer.protocol in ("HTTP2", "GRPC"):
            value = ", ".join(values_of(answer.app_protocol))
            given = f"{value} of {port_name(answer)} gives HTTP options"
            text = f"{given} to the Envoy cluster of {answer.route}"
            yield _of_reference(answer, text)


def h2c_with_tls(subject: Subject) -> Iterator[Found]:
    """h2c, which is HTTP/2 in the clear, on a port that is spoken to over TLS."""
    for answer in _once(subject, *L7):
        values = values_of(answer.app_protocol)
        clear = [value for value in values if value.endswith("/h2c") or value == "grpc"]
        if clear and answer.tls:
            text = (
                f"{port_name(answer)} declares {clear[0]}, in the clear, and is spoken to over TLS"
            )
            yield _of_reference(answer, text)


def _once(subject: Subject, *kinds: str) -> Iterator[Resolution]:
    """The references of these kinds of routes that are sent somewhere."""
    for answer in subject.answers:
        if answer.route.kind in kinds and answer.sent:
            yield answer


def _spoken(answer: Resolution) -> set[str | None]:
    """What is spoken, by any of the Gateways where they differ."""
    return {answer.upstream, *(word for _, word in answer.by_gateway)}


def _may_offer_h2(answer: Resolution) -> bool:
    """Whether ALPN has HTTP/2 in it: as TLS settings list it, or else as Envoy does by itself."""
    said = [reason.text for reason in answer.reasons if reason.row == "offers-alpn"]
    return not said or any({"h2", "nothing"} & set(re.findall(r"[\w/.]+", text)) for text in said)


def _of_reference(answer: Resolution, text: str, grade: str = "") -> Found:
    """At what is declared, where anything is; else at the reference."""
    ref = answer.ref
    # What is at fault by its names: an index would be another's as soon as one is put before it.
    names = (
        str(answer.route),
        ref.role,
        ref.site,
        backend_key(answer),
        *values_of(answer.app_protocol),
    )
    declared = answer.declared_at if answer.app_protocol else None
    return Found(
        meta=answer.target if declared and answer.target else answer.route,
        position=declared or ref.position,
        message=text,
        by=who(answer),
        grade=grade,
        key=" ".join(filter(None, names)),
        declares=answer.target,
    )


CHECKS = {
    "AP001": hint_missing,
    "AP006": tls_only_said,
    "AP007": grpc_over_tls,
    "AP008": telemetry_sink,
    "AP010": unsupported,
    "AP012": opaque_behind_http,
    "AP016": client_protocol,
    "AP017": websocket_on_grpc,
    "AP018": websocket_unheard,
    "AP022": value_on_l4,
}
