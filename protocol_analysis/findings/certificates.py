"""A value for HTTP/2 in the clear on a port that TLS is begun to, or that a certificate is for."""

from __future__ import annotations

from collections.abc import Iterator

from protocol_analysis.findings import routes
from protocol_analysis.findings.finding import Found
from protocol_analysis.findings.subject import Subject
from protocol_analysis.model import Service, ServicePort
from protocol_analysis.selecting import Selecting
from protocol_analysis.workloads import Workload

_CLEAR = ("kubernetes.io/h2c", "grpc")
_OF_TLS = (443, 8443)
_REMEDY = (
    "if the pods begin TLS there, drop the value and add a BackendTLSPolicy; "
    "else lead to a port that is not known for TLS"
)


def h2c_and_tls(subject: Subject) -> Iterator[Found]:
    """What is spoken to over TLS; then, where nothing is, what pods seem to expect TLS on."""
    yield from routes.h2c_with_tls(subject)
    selecting = Selecting(subject.inventory)
    for service in subject.inventory.services:
        for at, port in enumerate(service.ports):
            if port.transport != "TCP" or port.app_protocol not in _CLEAR:
                continue
            if not _is_settled(subject, service, port):
                yield from _with_certificate(selecting, service, port, at)


def _is_settled(subject: Subject, service: Service, port: ServicePort) -> bool:
    """Whether it is known: TLS is spoken there, or kubelet asks there by gRPC, which has no TLS."""
    key = (service.meta, port.number)
    probed = any(
        clue.clue.looks == "probe" and clue.fact.upstream == "h2"
        for clue in subject.clues.get(key, ())
    )
    return probed or any(answer.tls for answer in subject.leading.get(key, ()))


def _with_certificate(
    selecting: Selecting, service: Service, port: ServicePort, at: int
) -> Iterator[Found]:
    """A port of pods that is known for TLS, where one of them mounts a certificate."""
    target = selecting.target(service.meta, at) or port.number
    if isinstance(target, int) and target not in _OF_TLS:
        return
    for pods in selecting.pods(service.meta):
        number = target if isinstance(target, int) else _named(pods, target)
        mounts = [path for container in pods.containers for path in container.certificates]
        if number in _OF_TLS and mounts:
            where = f"{service.meta}:{port.number}"
            text = f"{where} declares {port.app_protocol}, in the clear, and leads to port {number}"
            yield Found(
                meta=service.meta,
                position=port.where,
                message=f"{text} of {pods.meta}, which mounts a certificate at {mounts[0]}",
                grade="mounted",
                key=f"{port.number} {port.app_protocol} mounted",
                remedy=_REMEDY,
                declares=service.meta,
            )
            return


def _named(pods: Workload, name: str | None) -> int | None:
    """The number of the first container port of a name."""
    ports = (port for container in pods.containers for port in container.ports)
    return next((port.number for port in ports if port.name == name), None)


CHECKS = {"AP023": h2c_and_tls}
