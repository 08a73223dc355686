"""Checks of what a port declares: values that nobody reads, or not as they are meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from protocol_analysis.coverage import Coverage
from protocol_analysis.findings.finding import Found
from protocol_analysis.findings.subject import Subject, is_standard
from protocol_analysis.measuring import meaning
from protocol_analysis.model import Backend, Position, Service, ServicePort, values_of
from protocol_analysis.portability import meanings
from protocol_analysis.readers import base_of
from protocol_analysis.readings import alone, who, word_of
from protocol_analysis.resolution import Resolution
from protocol_analysis.resolver import TRANSPORTS
from protocol_analysis.speaking import rules_of

_GRPC = "grpc"
_OURS = "envoy-gateway"
_ADMITTED = tuple(f"gateway.envoyproxy.io/{name}" for name in ("h2c", "ws", "wss"))
_KUBERNETES = ("kubernetes.io", "k8s.io")
_HTTP2 = ("http2", "http/2")
_LATER = "before the upgrade see that the workload takes HTTP/2, or drop the value"


def nonstandard_grpc(subject: Subject) -> Iterator[Found]:
    """`grpc`, which no specification has: for each reader of the port, what it makes of it."""
    for row in subject.ports:
        if row.app_protocol != _GRPC:
            continue
        where = _name(row)
        if row.recognised and subject.reads(row):
            text = f"{where} declares grpc, no value of Kubernetes; {subject.reader} reads it"
            yield _at(row, text, grade="works")
        # Routes as they are; then meshes, which read the port whatever leads to it.
        for answer in (*subject.leads(row), *(r for r in row.readings if who(r).mesh)):
            refused = subject.refuses(answer)
            if refused or (answer.sent and _breaks_grpc(subject, answer)):
                does = "turns it away" if refused else f"speaks {word_of(answer)}"
                text = f"{where} declares grpc, and {who(answer)} {does}"
                yield _at(row, text, by=who(answer), grade="breaks")


def _breaks_grpc(subject: Subject, answer: Resolution) -> bool:
    """Whether a port that declares grpc is spoken something else for that.

    What an import or telemetry meets by Envoy Gateway has rules of its own.
    """
    if who(answer).mesh:
        return answer.upstream != "h2"
    own = answer.ref.kind == "ServiceImport" and subject.is_envoy_gateway(answer)
    routed = answer.route.kind in ("HTTPRoute", "GRPCRoute")
    return answer.upstream == "http/1.1" and routed and not own


def near_miss(subject: Subject) -> Iterator[Found]:
    """A value that is not read, and nearly one that is, or that Kubernetes nearly has."""
    for row in subject.ports:
        meant = row.meant if row.kind_of_declaration == "near miss" else _bare(row)
        # What a Backend may not have is refused, and what Kubernetes has is spelled right: who does
        # not read it has other rules.
        if not meant or row.meta.kind == "Backend" or is_standard(row.app_protocol):
            continue
        if not subject.reads(row):
            continue
        harmed = [a for a in subject.leads(row) if who(a) == subject.reader and _harmed(a, meant)]
        text = f"{_name(row)}: {subject.reader} does not read {str(row.app_protocol)!r}"
        text += f" and speaks {word_of(harmed[0])} to it" if harmed else ""
        grade = "harmful" if harmed else "harmless"
        yield _at(row, text, grade=grade, remedy=_instead(row, meant))


def _bare(row: Coverage) -> str:
    """The everyday name behind a prefix of Kubernetes, which has no such value."""
    value = str(row.app_protocol or "").strip().casefold()
    prefix, _, bare = value.rpartition("/")
    unread = row.kind_of_declaration == "silent fallback" and prefix in _KUBERNETES
    return bare if unread and meaning(bare) and not meaning(value) else ""


def _harmed(answer: Resolution, meant: str) -> bool:
    """Whether an HTTPRoute's backend is spoken to otherwise than was meant; of TLS see AP006."""
    fact = meaning(meant)
    if answer.route.kind != "HTTPRoute" or not answer.sent or not fact or not fact.upstream:
        return False
    fine = {fact.upstream, "client", *(("auto",) if fact.upstream == "h2" else ())}
    return not {answer.upstream, *(word for _, word in answer.by_gateway)} - {None} <= fine


def _instead(row: Coverage, meant: str) -> str:
    """What to write instead, which over TLS may be nothing."""
    fact = meaning(meant)
    http2 = bool(fact and fact.upstream == "h2")
    by_alpn = row.upstream == "auto"
    if http2 and row.tls and (by_alpn or base_of(row.resolution.implementation) == _OURS):
        release = "" if by_alpn else ", from v1.6 on"
        return f"declare nothing: over TLS the two ends agree upon HTTP/2 by ALPN{release}"
    if str(row.app_protocol).strip().casefold() in _HTTP2:
        return (
            f"say which is meant: {meant} for HTTP/2 in the clear, as Istio has http2, "
            "or a BackendTLSPolicy for HTTP/2 over TLS, as GKE has HTTP2"
        )
    if meant == _GRPC:
        return "write kubernetes.io/h2c, or grpc where all that read the port take it"
    if meant == "https":
        return "write https, the registered name; TLS itself comes from a BackendTLSPolicy"
    return f"write {meant}, or nothing" if meant == "http" else f"write {meant}"


def import_unheard(subject: Subject) -> Iterator[Found]:
    """HTTP/2 that is declared on a ServiceImport, and that this release does not read there."""
    for row in subject.ports:
        meant = meanings().get(str(row.app_protocol))
        # A near miss is read by no release, on no kind: it has a rule of its own.
        near = row.kind_of_declaration == "near miss"
        unheard = row.meta.kind == "ServiceImport" and not row.recognised and not near
        if not unheard or not meant or meant.upstream != "h2":
            continue
        leads = subject.leads(row)
        spoken = {word_of(a) for a in leads if a.route.kind == "HTTPRoute" and a.sent}
        wrong = sorted(word for word in spoken if word.startswith(("http/1.1", "auto")))
        text = f"{_name(row)} declares {row.app_protocol}"
        if wrong:
            text += f"; {subject.reader} speaks {wrong[-1]}"
            yield _at(row, text, grade="by ALPN" if wrong == ["auto+tls"] else "lost")
        # What a route of another kind leads to is spoken the same before and after.
        elif row.app_protocol == _GRPC and (spoken or not leads) and subject.reads(row):
            yield _at(row, f"{text}, which counts from v1.9 on", grade="later", remedy=_LATER)


def backend_vocabulary(subject: Subject) -> Iterator[Found]:
    """Values that a Backend may not have, doubles, and ws beside h2c."""
    spoken = {row.meta: word_of(row.resolution) for row in subject.ports if row.resolution.sent}
    for backend in subject.inventory.backends:
        values = values_of(backend.app_protocol)
        for value in dict.fromkeys(values):
            if value not in _ADMITTED:
                text = f"{backend.meta}: the API server refuses {value!r}"
                remedy = f"write one of {', '.join(_ADMITTED)}"
                yield _of_backend(backend, text, "refused", value, remedy)
            if values.count(value) > 1:
                text = f"{backend.meta}: {value!r} stands twice"
                yield _of_backend(backend, text, "doubled", f"twice {value}", "name it once")
        if _ADMITTED[0] in values and {*_ADMITTED[1:]} & set(values):
            text = f"{backend.meta}: h2c and WebSocket exclude each other"
            word = spoken.get(backend.meta)
            text += f"; {subject.reader} speaks {word}" if word else ""
            yield _of_backend(backend, text, "at odds", "both", "name one of them")


def _of_backend(backend: Backend, text: str, grade: str, key: str, remedy: str) -> Found:
    return Found(
        meta=backend.meta,
        position=backend.where,
        message=text,
        grade=grade,
        key=key,
        remedy=remedy,
        declares=backend.meta,
    )


def read_from_a_twin(subject: Subject) -> Iterator[Found]:
    """A port whose value is read from another port of the same number, which stands before it."""
    for service in (*subject.inventory.services, *subject.inventory.service_imports):
        first: dict[int | None, tuple[str, str | None, Position]] = {}
        for port in service.ports:
            transport, value, _ = first.setdefault(
                port.number, (port.transport, port.app_protocol, port.where)
            )
            if transport == port.transport or value == port.app_protocol:
                continue
            leads = subject.leading.get((service.meta, port.number), ())
            if any(_turned(subject, answer, service, port, value) for answer in leads):
                said = "nothing" if value is None else repr(value)
                yield Found(
                    meta=service.meta,
                    position=port.where,
                    message=f"{service.meta}: for {port.transport} port {port.number} the value "
                    f"of {transport} port {port.number} is read, which is {said}",
                    key=f"{port.transport} {port.number}",
                    declares=service.meta,
                    remedy=f"declare the same on both, or list the {port.transport} port first",
                )


def _turned(
    subject: Subject, answer: Resolution, service: Service, port: ServicePort, value: str | None
) -> bool:
    """Whether a reference is spoken otherwise with another port's value than with its own."""
    kind = answer.route.kind
    alike = TRANSPORTS.get(kind, "TCP") == port.transport
    if not (answer.sent and alike and subject.is_envoy_gateway(answer)):
        return False
    if answer.upstream == "client":
        return False
    words = {
        word_of(alone(subject.scope, *rules_of(who(answer)), of_one, of_one.ports[0], kind))
        for of_one in (
            replace(service, ports=(replace(port, app_protocol=said),))
            for said in (port.app_protocol, value)
        )
    }
    return len(words) > 1


def _name(row: Coverage) -> str:
    port = "" if row.port is None else f":{row.port}"
    return f"{row.meta}{port}"


def _at(row: Coverage, text: str, **more: object) -> Found:
    # Another value on the same port is another fault.
    names = (str(row.port or ""), *values_of(row.app_protocol))
    facts = {"key": " ".join(filter(None, names)), "declares": row.meta, **more}
    return Found(meta=row.meta, position=row.declared_at, message=text, **facts)  # type: ignore[arg-type]


CHECKS = {
    "AP002": nonstandard_grpc,
    "AP003": near_miss,
    "AP019": import_unheard,
    "AP021": backend_vocabulary,
    "AP032": read_from_a_twin,
}
