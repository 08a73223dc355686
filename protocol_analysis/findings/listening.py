"""Checks of listeners and of what hangs on them: what they are, what they offer, who shares."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product, starmap

from protocol_analysis.attaching import Attachment
from protocol_analysis.findings.finding import Found
from protocol_analysis.findings.overlapping import Overlapping
from protocol_analysis.findings.subject import Subject
from protocol_analysis.model import Meta, ObjectRef, Route, name_of
from protocol_analysis.policies import Gateway, Listener, ListenerSet
from protocol_analysis.readers import Reader, base_of
from protocol_analysis.readings import who

_BOTH = ("GRPCRoute", "HTTPRoute")
_NO_LISTENER = ("GRPC", "H2", "H2C", "HTTP2")
_LONGEST_HOSTNAME = 253


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hung:
    """A route on a listener of a Gateway, or of a ListenerSet."""

    route: Route
    where: Attachment
    holder: Gateway | ListenerSet
    listener: Listener

    def found(self, by: Reader, text: str, grade: str) -> Found:
        """What is wrong with the listener, which is one fault for all routes on it."""
        on = f"{self.route.meta} hangs on listener {self.listener.name} of {self.where.name}"
        return Found(
            meta=self.holder.meta,
            position=self.listener.position,
            message=f"{on}: {text}",
            by=by,
            grade=grade,
            key=f"{self.where.name} {self.listener.name}",
        )


def grpc_without_alpn(subject: Subject) -> Iterator[Found]:
    """A GRPCRoute on an HTTPS listener that does not offer HTTP/2 to clients."""
    told: dict[tuple[Meta, str], _Hung] = {}
    for route in subject.inventory.routes:
        if route.meta.kind != "GRPCRoute":
            continue
        for where in subject.attaching.places(route):
            holder, listener = where.listener_set or where.gateway, where.listener
            if holder and listener and listener.protocol == "HTTPS":
                hung = _Hung(route=route, where=where, holder=holder, listener=listener)
                told.setdefault((holder.meta, listener.name), hung)
    overlapping = Overlapping(subject.inventory, subject.scope, subject.attaching)
    for hung in told.values():
        for by in subject.readers_of(hung.holder):
            if base_of(by.implementation) == "envoy-gateway":
                yield from _not_offered(subject, by, hung, overlapping)
            else:
                text = f"{by} offers no ALPN to clients unless it is told to"
                yield hung.found(by, text, "by default")


def _not_offered(
    subject: Subject, by: Reader, hung: _Hung, overlapping: Overlapping
) -> Iterator[Found]:
    """What Envoy Gateway offers: as a policy says, else http/1.1 alone where listeners overlap."""
    policy = subject.attaching.client(hung.where)
    if policy and policy.alpn is not None:
        if "h2" not in policy.alpn:
            offered = ", ".join(policy.alpn) or "nothing"
            found = hung.found(by, f"{policy.meta} offers {offered} in ALPN", "not offered")
            yield replace(found, meta=policy.meta, position=policy.meta.position)
        return
    gateway = hung.where.gateway
    if gateway:
        for grade, both in overlapping.with_others(gateway, hung.holder.meta, hung.listener.name):
            yield hung.found(by, f"it has {both}, so http/1.1 alone is offered", grade)


def listener_protocol(subject: Subject) -> Iterator[Found]:
    """A listener with a protocol that Gateway API does not know."""
    holders: tuple[Gateway | ListenerSet, ...] = (
        *subject.inventory.gateways,
        *subject.inventory.listener_sets,
    )
    for holder in holders:
        # Of another implementation's Gateway it is not ours to say what it does.
        for listener in holder.listeners if subject.reader in subject.readers_of(holder) else ():
            if listener.protocol.upper() in _NO_LISTENER:
                yield Found(
                    meta=holder.meta,
                    position=listener.position,
                    message=f"{holder.meta}: {listener.protocol} is no protocol of a listener",
                    key=listener.name,
                )


def same_hostnames(subject: Subject) -> Iterator[Found]:
    """An HTTPRoute and a GRPCRoute with a hostname in common on one listener."""
    hung: dict[tuple[Reader, Hashable], dict[Meta, list[ObjectRef]]] = {}
    for route, by in dict.fromkeys((answer.route, who(answer)) for answer in subject.answers):
        for spot, parents in _spots(subject, subject.routes[route]):
            hung.setdefault((by, spot), {})[route] = parents
    told: set[tuple[Reader, Meta, Meta]] = set()
    for (by, _), routes in hung.items():
        for grpc, http in _alike([subject.routes[meta] for meta in routes]):
            key = (by, grpc.meta, http.meta)
            meet = any(starmap(_meet, product(routes[grpc.meta], routes[http.meta])))
            if meet and key not in told:
                told.add(key)
                yield Found(
                    meta=grpc.meta,
                    position=grpc.meta.position,
                    message=f"{grpc.meta} and {http.meta} both take {_in_common(grpc, http)}",
                    by=by,
                    key=str(http.meta),
                )


def _alike(routes: Sequence[Route]) -> Iterator[tuple[Route, Route]]:
    """The GRPCRoutes and HTTPRoutes of which a hostname of one is, or covers, one of the other.

    By name, since one by one thousands of routes would take for ever.
    """
    grpcs, https = ([each for each in routes if each.meta.kind == kind] for kind in _BOTH)
    named: dict[str, list[Route]] = {}
    covered: dict[str, list[Route]] = {}
    for http in https:
        for name in http.hostnames or ("",):
            named.setdefault(name, []).append(http)
            for wide in _wildcards(name):
                covered.setdefault(wide, []).append(http)
    for grpc in grpcs:
        found = list(named.get("", ())) if grpc.hostnames else https
        for name in grpc.hostnames:
            found += [*named.get(name, ()), *covered.get(name, ())]
            found += [http for wide in _wildcards(name) for http in named.get(wide, ())]
        yield from ((grpc, http) for http in {id(http): http for http in found}.values())


def _wildcards(name: str) -> Iterator[str]:
    """The wildcards that cover a hostname; none where it is longer than any can be.

    >>> list(_wildcards("a.example.com")), list(_wildcards("*.com"))
    (['*.example.com', '*.com'], [])
    """
    rest = name if len(name) <= _LONGEST_HOSTNAME else ""
    while rest := rest.partition(".")[2]:
        if f"*.{rest}" != name:
            yield f"*.{rest}"


def _spots(subject: Subject, route: Route) -> Iterator[tuple[Hashable, list[ObjectRef]]]:
    """The listeners that take a route; for a parent that is not at hand, what is asked of it."""
    for where in subject.attaching.places(route):
        of_set = where.listener_set.meta if where.listener_set else None
        name = where.listener.name if where.listener else ""
        spot = (where.gateway.meta if where.gateway else None, of_set, name)
        yield spot, [ObjectRef(group="", kind="", namespace="", name=name)]
    for parent in route.parents:
        if not subject.scope.nearest(route.meta, *name_of(parent)):
            own = [each for each in route.parents if name_of(each) == name_of(parent)]
            yield (route.meta.world, name_of(parent)), own


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


CHECKS = {
    "AP024": grpc_without_alpn,
    "AP025": listener_protocol,
    "AP026": same_hostnames,
}
