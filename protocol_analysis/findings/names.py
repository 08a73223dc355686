"""Checks of names and annotations: what contradicts the value, and what is no name of a port."""

from __future__ import annotations

from collections.abc import Iterator

from protocol_analysis.clues import clues
from protocol_analysis.findings.finding import Found
from protocol_analysis.findings.subject import PortKey, Subject, port_name
from protocol_analysis.measuring import meaning
from protocol_analysis.model import Meta, Position
from protocol_analysis.readings import who, word_of
from protocol_analysis.workloads import Exposure, Ingress


def name_contradicts(subject: Subject) -> Iterator[Found]:
    """A port's name says another protocol than its appProtocol, or a GRPCRoute does."""
    told: set[PortKey] = set()
    for service, port in subject.declared():
        meant = meaning(port.app_protocol) if port.transport == "TCP" else None
        words = ((clue, clue.of_name(port.name)) for clue in clues() if clue.looks == "name")
        said = [(clue, clue.says[word]) for clue, word in words if word]
        # `http-grpc` says both: what one end of it says may be the other's transport.
        if meant and said and not any(meant.fits(fact) for _, fact in said):
            clue, fact = said[0]
            told.add((service.meta, port.number))
            yield Found(
                meta=service.meta,
                position=port.where,
                message=f"{service.meta} port {port.number}: port {port.name} says {fact}, "
                f"appProtocol {port.app_protocol} says {meant}",
                key=f"{port.number} {clue.id} {port.app_protocol}",
                declares=service.meta,
            )
    yield from _http_behind_grpc(subject, told)


def _http_behind_grpc(subject: Subject, told: set[PortKey]) -> Iterator[Found]:
    """`http` on a port that GRPCRoutes alone lead to; what is behind both has a rule of its own."""
    for key, answers in subject.leading.items():
        kinds = {answer.route.kind for answer in answers if answer.sent}
        first = next((a for a in answers if a.sent and a.route.kind == "GRPCRoute"), None)
        value = str(first.app_protocol) if first else ""
        if first and value.casefold() == "http" and "HTTPRoute" not in kinds and key not in told:
            spoken = f"{who(first)} speaks {word_of(first)}"
            yield Found(
                meta=key[0],
                position=first.declared_at or first.ref.position,
                message=f"{port_name(first)} declares {value}, and {first.route} leads gRPC there; "
                f"{spoken}",
                by=who(first),
                key=f"{key[1]} GRPCRoute {value}",
                declares=key[0],
            )


def annotation_contradicts(subject: Subject) -> Iterator[Found]:
    """An annotation that another gateway reads says another protocol than the appProtocol."""
    for service, port in subject.declared():
        meant = meaning(port.app_protocol)
        for clue in subject.clues.get((service.meta, port.number), ()) if meant else ():
            if clue.clue.looks == "annotation" and meant and not meant.fits(clue.fact):
                yield Found(
                    meta=service.meta,
                    position=port.where,
                    message=f"{service.meta} port {port.number}: {clue.found} says {clue.fact}, "
                    f"appProtocol {port.app_protocol} says {meant}",
                    key=f"{port.number} {clue.clue.id} {port.app_protocol}",
                    declares=service.meta,
                )


def port_names(subject: Subject) -> Iterator[Found]:
    """A value of appProtocol as the name of a port, or where the name of a port is wanted."""
    for meta, position, name, text in (
        *_named_by_services(subject),
        *_named_by_pods(subject),
        *_named_by_others(subject),
    ):
        if isinstance(name, str) and "/" in name:
            message = f"{meta}: {text}: {name!r}"
            yield Found(meta=meta, position=position, message=message, key=name, declares=meta)


Named = tuple[Meta, Position, int | str | None, str]  # where, by what name, and what is said of it


def _named_by_services(subject: Subject) -> Iterator[Named]:
    targets = {e.meta: e.targets for e in subject.inventory.exposures if isinstance(e, Exposure)}
    for service in (*subject.inventory.services, *subject.inventory.service_imports):
        own = targets.get(service.meta, ())
        for number, port in enumerate(service.ports):
            yield service.meta, port.position, port.name, "no name of a port"
            target = own[number] if number < len(own) else None
            yield service.meta, port.position, target, "a targetPort that no container can have"


def _named_by_pods(subject: Subject) -> Iterator[Named]:
    for workload in subject.inventory.workloads:
        for container in workload.containers:
            for port in container.ports:
                yield workload.meta, port.position, port.name, "no name of a container's port"
            for probe in container.probes:
                yield (
                    workload.meta,
                    probe.position,
                    probe.port,
                    "a probe asks a port that no container can have",
                )


def _named_by_others(subject: Subject) -> Iterator[Named]:
    for exposure in subject.inventory.exposures:
        if isinstance(exposure, Ingress):
            for each in exposure.backends:
                yield (
                    exposure.meta,
                    each.position,
                    each.port,
                    f"Service {each.name} can have no such port",
                )
    for policy in subject.inventory.tls_policies:
        for target in policy.targets:
            text = f"{target.kind} {target.name} can have no such section"
            yield policy.meta, policy.meta.position, target.section, text


CHECKS = {
    "AP011": name_contradicts,
    "AP028": annotation_contradicts,
    "AP030": port_names,
}
