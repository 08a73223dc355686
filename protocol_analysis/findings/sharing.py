"""Checks of what shares a port, a pod's port, a listener: one value cannot serve two protocols."""

from __future__ import annotations

from collections.abc import Iterator

from protocol_analysis.findings.finding import Found
from protocol_analysis.findings.subject import Subject, port_name
from protocol_analysis.policies import Gateway, ListenerSet
from protocol_analysis.readings import who
from protocol_analysis.resolution import Resolution

_NO_LISTENER = ("GRPC", "H2", "H2C", "HTTP2")


def two_kinds_of_routes(subject: Subject) -> Iterator[Found]:
    """A port behind an HTTPRoute and a GRPCRoute of the same reader."""
    for answers in subject.leading.values():
        sent = [a for a in answers if a.sent and a.ref.role == "forward" and a.target]
        for by in dict.fromkeys(map(who, sent)):
            own = [a for a in sent if who(a) == by]
            http = [a for a in own if a.route.kind == "HTTPRoute"]
            grpc = [a for a in own if a.route.kind == "GRPCRoute"]
            if http and grpc:
                first = http[0]
                grade = "declared" if first.app_protocol else "undeclared"
                text = (
                    f"{port_name(first)} is behind {http[0].route} and {grpc[0].route}, "
                    "and one appProtocol cannot serve both"
                )
                yield _of_port(first, text, grade)


def listener_protocol(subject: Subject) -> Iterator[Found]:
    """A listener with a protocol that Gateway API does not know."""
    holders: tuple[Gateway | ListenerSet, ...] = (
        *subject.inventory.gateways,
        *subject.inventory.listener_sets,
    )
    for holder in holders:
        for listener in holder.listeners:
            if listener.protocol.upper() in _NO_LISTENER:
                yield Found(
                    meta=holder.meta,
                    position=listener.position,
                    message=f"{holder.meta}: {listener.protocol} is no protocol of a listener",
                    key=listener.name,
                )


def _of_port(answer: Resolution, text: str, grade: str) -> Found:
    return Found(
        meta=answer.target or answer.route,
        position=answer.declared_at or answer.ref.position,
        message=text,
        by=who(answer),
        grade=grade,
        key=str(answer.ref.port),
    )


CHECKS = {"AP004": two_kinds_of_routes, "AP025": listener_protocol}
