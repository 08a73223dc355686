"""Who reads each reference, and what others make of the same backend: other gateways, meshes. Pure.

A route is read by the implementation of its Gateway's GatewayClass; a route whose parents are
Services by the first mesh that is declared. Beside what that one makes of a backend stand the
readings of all others: of the meshes that are declared, which read whatever is called in them, and
of other gateways that a route hangs on, or, for a port, that any route leads to it from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from protocol_analysis.model import (
    BACKEND_GROUPS,
    GATEWAY_API,
    BackendRef,
    Inventory,
    Meta,
    ObjectRef,
    Route,
    Service,
    ServicePort,
    Target,
    name_of,
)
from protocol_analysis.readers import Reader, all_readers, gateway_of, gateway_of_group, reader_of
from protocol_analysis.resolution import ASSUMED, Reason, Resolution
from protocol_analysis.resolver import CHECKS, SERVICES, TRANSPORTS, Resolver
from protocol_analysis.rows import Rules
from protocol_analysis.scope import Scope
from protocol_analysis.settings import told_alone
from protocol_analysis.speaking import rules_of, speak


def resolve(
    inventory: Inventory,
    implementation: str = "envoy-gateway",
    release: str | None = None,
    meshes: Sequence[Reader | str] = (),
) -> list[Resolution]:
    """One Resolution per backend reference, in the order of the manifests, with its upstream.

    `implementation` reads the routes of its own Gateways, and those whose Gateway is not at hand;
    others are read by their own. `meshes` read the same Services: `istio@1.26`. For an
    implementation without wire rules `upstream` is what the protocol says by itself: neighbours and
    policies are not known. Raises RulesetError for an implementation, a mesh or a release that is
    not known.

    >>> from protocol_analysis.manifests import load
    >>> first = resolve(load("data/sample"), release="v1.8.3")[0]
    >>> first.protocol, first.upstream
    ('GRPC', 'h2')
    """
    main = reader_of(implementation, release)
    answers = speak(inventory, *rules_of(main))
    others = Others(inventory, main, meshes)
    return [others.beside(at, answer) for at, answer in enumerate(answers)]


class Others:
    """The readers of an inventory beside the one that is asked: by route, and by port."""

    def __init__(
        self, inventory: Inventory, main: Reader, meshes: Sequence[Reader | str] = ()
    ) -> None:
        declared = (*((main,) if main.mesh else ()), *all_readers(meshes, mesh=True))
        self.inventory, self.meshes = inventory, tuple(dict.fromkeys(declared))
        self.scope = Scope(inventory)
        self.main = main
        controllers = {each.controller for each in inventory.gateway_classes}
        controllers -= set(rules_of(main)[0].controllers)
        self.gateways = {name: own for name in controllers if (own := self._gateway(name))}
        self.owners = {route.meta: self._owners(route) for route in inventory.referring}
        self._called_by_grpc = called_by_grpc(inventory)
        self._answers: dict[Reader, list[Resolution]] = {}
        self._alone: dict[tuple[Reader, Meta, ServicePort], Resolution] = {}
        self._leading = self._leads()

    def beside(self, at: int, answer: Resolution) -> Resolution:
        """The answer at a place, by the reader that it belongs to, with what others make of it."""
        owners = self.owners.get(answer.route, ())
        own = [self._assumed(each, self._all(each)[at]) for each in owners]
        if answer.outcome == "mesh" and self.meshes:
            answer = self._all(self.meshes[0])[at]
        elif own and (answer.outcome == "other-implementation" or answer.mesh):
            answer = own.pop(0)
        return replace(answer, readings=(*own, *self._by_meshes(at, answer)))

    def of_port(self, target: Target, port: ServicePort | None) -> tuple[Resolution, ...]:
        """What others make of a port: the gateways from which a route leads there, the meshes."""
        if port is None:
            return ()
        leading = self._leading.get((target.meta, port.number), ())
        return tuple(self._read(each, target, port) for each in (*leading, *self.meshes))

    def _gateway(self, controller: str) -> Reader | None:
        """The reader of a controllerName; a mesh that is declared tells its gateways' release."""
        found = gateway_of(controller)
        releases = self._told(found.implementation) if found else set()
        return replace(found, release=releases.pop()) if found and len(releases) == 1 else found

    def _told(self, implementation: str) -> set[str]:
        """The releases at which an implementation is said to be a mesh."""
        return {mesh.release for mesh in self.meshes if mesh.implementation == implementation}

    def _owners(self, route: Route) -> tuple[Reader, ...]:
        """The other implementations whose Gateways a route hangs on, or whose API it is of."""
        if route.meta.group != GATEWAY_API:
            own = gateway_of_group(route.meta.group)
            return (own,) if own and own.implementation != self.main.implementation else ()
        if not self.gateways:
            return ()
        behind = (self.scope.controllers(route.meta, parent)[0] for parent in route.parents)
        found = (self.gateways.get(name) for names in behind for name in sorted(names))
        return tuple(dict.fromkeys(filter(None, found)))

    def _leads(self) -> dict[tuple[Meta, int | None], list[Reader]]:
        """The other gateways from which a route leads to a port."""
        found: dict[tuple[Meta, int | None], list[Reader]] = {}
        for each in sorted(set(self.gateways.values()), key=str):
            for answer in self._all(each) if self.gateways else ():
                if answer.target and each in self.owners.get(answer.route, ()):
                    readers = found.setdefault((answer.target, answer.ref.port), [])
                    readers += [] if each in readers else [each]
        return found

    def _all(self, by: Reader) -> list[Resolution]:
        """Every reference as one reader has it, in the order of the manifests."""
        if by not in self._answers:
            self._answers[by] = speak(self.inventory, *rules_of(by))
        return self._answers[by]

    def _assumed(self, by: Reader, answer: Resolution) -> Resolution:
        """The answer, with the reason why it is of that release."""
        if len(self._told(by.implementation)) == 1:
            return answer
        text = f"of {by.implementation} the release is not told; {by.release} is assumed"
        reason = Reason(ASSUMED, text, CHECKS["other-implementation"])
        return replace(answer, reasons=(reason, *answer.reasons))

    def _by_meshes(self, at: int, answer: Resolution) -> tuple[Resolution, ...]:
        """What the meshes make of the port that the reference at a place means."""
        if not self.meshes or answer.target:
            return self.meshes_on(answer)
        # Where another one reads the route, what is meant is found by who reads everything.
        return self.meshes_on(replace(answer, target=self._all(self.meshes[0])[at].target))

    def meshes_on(self, answer: Resolution) -> tuple[Resolution, ...]:
        """What the meshes make of the port that a reference means, but for who gave the answer."""
        wanted = answer.target if self.meshes else None
        for target in self.scope.nearest(answer.route, *name_of(wanted)) if wanted else ():
            port = _port_of(target, answer)
            if target.meta == wanted and port:
                meshes = (each for each in self.meshes if each != who(answer))
                return tuple(self._read(each, target, port) for each in meshes)
        return ()

    def _read(self, by: Reader, target: Target, port: ServicePort) -> Resolution:
        key = (by, target.meta, port)
        if key not in self._alone:
            called = by.mesh and self._called_by_grpc.get(
                (target.meta.world, *name_of(target.meta))
            )
            more = ("GRPCRoute", (called,)) if called else ()
            self._alone[key] = alone(self.scope, *rules_of(by), target, port, *more)
        return self._alone[key]


def called_by_grpc(inventory: Inventory) -> dict[tuple[str, ...], ObjectRef]:
    """The Services that are the parent of a GRPCRoute: to a mesh they are called by gRPC.

    By the world and the names of each.

    >>> called_by_grpc(Inventory())
    {}
    """
    return {
        (route.meta.world, *name_of(parent)): parent
        for route in inventory.routes
        if route.meta.kind == "GRPCRoute"
        for parent in route.parents
        if (parent.group, parent.kind) in SERVICES
    }


def _port_of(target: Any, answer: Resolution) -> ServicePort | None:
    """The port that a reference means: of its number, and of its route's transport if it can be."""
    transport = TRANSPORTS.get(answer.route.kind, "TCP")
    ports = [port for port in getattr(target, "ports", ()) if port.number == answer.ref.port]
    own = [port for port in ports if port.transport == transport]
    return next(iter((*own, *ports)), None)


UNSENT = ("not read", "its Service")  # the words where nothing is sent to what is at hand


def word_of(answer: Resolution) -> str:
    """What is spoken, in a word: `h2`, `auto+tls`, `not read`; by several Gateways, `differs`.

    `its Service`: a ServiceImport is taken, and the Service behind it read, which is not at hand.
    """
    if not answer.sent:
        return UNSENT[answer.deciding.row in STANDS]
    word = "differs" if answer.by_gateway else answer.upstream or "unknown"
    return f"{word}+tls" if answer.tls else word


def readings_text(readings: Sequence[Resolution]) -> str:
    """Who else reads, and what each speaks: `istio mesh@v1.19.0 h2, kuma@main tcp ?`."""
    said = ((each, "" if each.verified else " ?") for each in readings)
    return ", ".join(f"{who(each)} {word_of(each)}{doubt}" for each, doubt in said)


def who(answer: Resolution) -> Reader:
    """Who gave an answer."""
    return Reader(implementation=answer.implementation, release=answer.release, mesh=answer.mesh)


# The rows of reasons: it stands for a Service that is not at hand, of its name or derived from it.
ITS_SERVICE, ITS_DERIVED = STANDS = ("its-service", "its-derived")


def alone(
    scope: Scope,
    rules: Rules,
    wires: Rules | None,
    target: Target,
    port: ServicePort | None,
    kind: str = "HTTPRoute",
    parents: tuple[ObjectRef, ...] = (),
    site: str = "",
) -> Resolution:
    """A port as the only backend of a rule of such a route; a UDP port has no HTTP then.

    `site` is where else it stands than in a route, one of `rows.SITES`.
    """
    meta = target.meta
    position = port.position if port else meta.position
    if port and isinstance(target, Service) and port.transport != "TCP":
        # A TCP port of the same number (DNS has both) is another row's.
        target = replace(target, ports=(port,))
    route = Route(
        meta=replace(meta, group=GATEWAY_API, kind=kind, name="", position=position),
        parents=parents,
    )
    ref = BackendRef(
        rule=0,
        role="forward",
        backend=0,
        group=BACKEND_GROUPS[meta.kind],
        kind=meta.kind,
        namespace=meta.namespace,
        name=meta.name,
        port=port.number if port else None,
        weight=None,
        position=position,
        site=site,
    )
    answer, target = _against(Resolver(scope, rules), route, ref, target)
    return told_alone(answer, target, wires)


def _against(
    resolver: Resolver, route: Route, ref: BackendRef, target: Target
) -> tuple[Resolution, Target]:
    """The reference against one object at hand, whoever reads the route, and what it stands for."""
    taken, meta = resolver.accepted(route, ref), target.meta
    # A ServiceImport of a cloud's own API group is not the one that is read.
    if not taken or meta.group != BACKEND_GROUPS[ref.kind]:
        return resolver.answer(route, ref, [resolver.not_read(route, ref)], target=meta), target
    named = resolver.named(route, ref, taken)
    if named[1] == ref.kind:
        return resolver.against(route, ref, target, []), target
    found = resolver.scope.nearest(meta, *named)
    if len(found) == 1:
        return resolver.against(route, ref, found[0], []), found[0]
    row = ITS_DERIVED if taken.choice == "derived" else ITS_SERVICE
    stands = Reason(row, taken.text, taken.source)
    return resolver.answer(route, ref, [stands], target=meta), target
