"""Checks of what shares a port, a pod's port, a listener: one value cannot serve two protocols."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import product, starmap

from protocol_analysis.coverage import Coverage
from protocol_analysis.findings.finding import Found
from protocol_analysis.findings.subject import Subject, port_name
from protocol_analysis.model import Meta, ObjectRef, Route, name_of
from protocol_analysis.policies import Gateway, ListenerSet
from protocol_analysis.readers import Reader
from protocol_analysis.readings import who, word_of
from protocol_analysis.resolution import Resolution
from protocol_analysis.speaking import rules_of
from protocol_analysis.workloads import Exposure

_BOTH = ("GRPCRoute", "HTTPRoute")
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


def same_hostnames(subject: Subject) -> Iterator[Found]:
    """An HTTPRoute and a GRPCRoute with a hostname in common on the same parent."""
    hung: dict[tuple[Reader, Hashable], dict[Meta, list[ObjectRef]]] = {}
    for answer in subject.answers:
        parents = subject.routes[answer.route].parents
        for parent in parents:
            key = (who(answer), (answer.route.world, name_of(parent)))
            own = [each for each in parents if name_of(each) == name_of(parent)]
            hung.setdefault(key, {})[answer.route] = own
    for (by, _), routes in hung.items():
        of_kind = {kind: [meta for meta in routes if meta.kind == kind] for kind in _BOTH}
        for grpc, http in product(*of_kind.values()):
            meet = any(starmap(_meet, product(routes[grpc], routes[http])))
            if meet and (shared := _in_common(subject.routes[grpc], subject.routes[http])):
                yield Found(
                    meta=grpc,
                    position=grpc.position,
                    message=f"{grpc} and {http} both take {shared}",
                    by=by,
                    key=str(http),
                )


def _meet(one: ObjectRef, other: ObjectRef) -> bool:
    """Whether two references to a Gateway may mean one listener; without a name, they mean all."""
    pairs = ((one.section, other.section), (one.port, other.port))
    return all(None in pair or pair[0] == pair[1] for pair in pairs)


def _in_common(one: Route, other: Route) -> str:
    """The first hostname that two routes share, the narrower of two; without any, all are taken."""
    if not one.hostnames or not other.hostnames:
        return next(iter(one.hostnames or other.hostnames), "every hostname")
    pairs = product(one.hostnames, other.hostnames)
    both = (pair for two in pairs for pair in (two, two[::-1]))
    return next((narrow for wide, narrow in both if _covers(wide, narrow)), "")


def _covers(wide: str, narrow: str) -> bool:
    """Whether a hostname is another, or has a wildcard that stands for it.

    >>> _covers("*.example.com", "a.example.com"), _covers("*.example.com", "example.com")
    (True, False)
    """
    return wide == narrow or (wide.startswith("*.") and narrow.endswith(wide[1:]))


def one_pod_port(subject: Subject) -> Iterator[Found]:
    """Two ports that lead to the same port of the same pods, and that a mesh reads differently."""
    exposures = {e.meta: e for e in subject.inventory.exposures if isinstance(e, Exposure)}
    behind: dict[tuple[Reader, Hashable], list[tuple[Coverage, Resolution]]] = {}
    rows: dict[Meta, list[Coverage]] = {}
    for row in subject.ports if subject.meshes else ():
        rows.setdefault(row.meta, []).append(row)
    for service in subject.inventory.services if subject.meshes else ():
        exposure = exposures.get(service.meta)
        for number, row in enumerate(rows.get(service.meta, ())):
            if not exposure or not exposure.selector or row.transport != "TCP":
                continue
            target = exposure.targets[number] if number < len(exposure.targets) else None
            meta = service.meta
            pods = (meta.world, meta.namespace, frozenset(exposure.selector), target or row.port)
            for reading in row.readings:
                behind.setdefault((who(reading), pods), []).append((row, reading))
    for (by, _), found in behind.items():
        if len({word_of(reading) for _, reading in found}) > 1:
            row = found[-1][0]
            said = ", ".join(f"{each.meta}:{each.port} {word_of(r)}" for each, r in found)
            yield Found(
                meta=row.meta,
                position=row.declared_at,
                message=f"one port of the pods is several protocols to {by}: {said}",
                by=by,
                key=str(row.port),
            )


def listener_protocol(subject: Subject) -> Iterator[Found]:
    """A listener with a protocol that Gateway API does not know."""
    holders: tuple[Gateway | ListenerSet, ...] = (
        *subject.inventory.gateways,
        *subject.inventory.listener_sets,
    )
    own = set(rules_of(subject.reader)[0].controllers)
    for holder in holders:
        # Of another implementation's Gateway it is not ours to say what it does.
        meta = holder.meta
        me = ObjectRef(group=meta.group, kind=meta.kind, namespace=meta.namespace, name=meta.name)
        controllers, _ = subject.scope.controllers(meta, me)
        for listener in holder.listeners if not controllers or controllers & own else ():
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


CHECKS = {
    "AP004": two_kinds_of_routes,
    "AP025": listener_protocol,
    "AP026": same_hostnames,
    "AP027": one_pod_port,
}
