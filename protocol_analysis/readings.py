"""Who reads each reference, and what others make of the same backend: other gateways, meshes. Pure.

A route is read by the implementation of its Gateway's GatewayClass; a route whose parents are
Services by the first mesh that is declared. Beside what that one makes of a backend stand the
readings of all others: of the meshes that are declared, which read whatever is called in them, and
of other gateways that a route hangs on, or, for a port, that any route leads to it from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from protocol_analysis.model import (
    BACKEND_GROUPS,
    GATEWAY_API,
    BackendRef,
    Inventory,
    Meta,
    Route,
    Service,
    ServicePort,
    Target,
    name_of,
)
from protocol_analysis.readers import Reader, all_readers, gateway_of, reader_of
from protocol_analysis.resolution import ASSUMED, Reason, Resolution
from protocol_analysis.resolver import CHECKS, resolve_target
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
        self.inventory, self.meshes = inventory, all_readers(meshes, mesh=True)
        self.scope = Scope(inventory)
        controllers = {each.controller for each in inventory.gateway_classes}
        controllers -= set(rules_of(main)[0].controllers)
        self.gateways = {name: own for name in controllers if (own := self._gateway(name))}
        routes = inventory.routes if self.gateways else ()
        self.owners = {route.meta: self._owners(route) for route in routes}
        self._answers: dict[Reader, list[Resolution]] = {}
        self._alone: dict[tuple[Reader, Meta, ServicePort], Resolution] = {}
        self._leading = self._leads()

    def beside(self, at: int, answer: Resolution) -> Resolution:
        """The answer at a place, by the reader that it belongs to, with what others make of it."""
        owners = self.owners.get(answer.route, ())
        own = [self._assumed(each, self._all(each)[at]) for each in owners]
        if answer.outcome == "mesh" and self.meshes:
            answer = self._all(self.meshes[0])[at]
        elif answer.outcome == "other-implementation" and own:
            answer = own.pop(0)
        return replace(answer, readings=(*own, *self._by_meshes(answer)))

    def of_port(self, target: Target, port: ServicePort | None) -> tuple[Resolution, ...]:
        """What others make of a port: the gateways from which a route leads there, the meshes."""
        if port is None:
            return ()
        leading = self._leading.get((target.meta, port.number), ())
        return tuple(self._read(each, target, port) for each in (*leading, *self.meshes))

    def _gateway(self, controller: str) -> Reader | None:
        """The reader of a controllerName; a mesh that is declared tells its gateways' release."""
        found = gateway_of(controller)
        told = {mesh.implementation: mesh.release for mesh in self.meshes}
        if found and found.implementation in told:
            return replace(found, release=told[found.implementation])
        return found

    def _owners(self, route: Route) -> tuple[Reader, ...]:
        """The other implementations whose Gateways a route hangs on."""
        behind = (self.scope.controllers(route.meta, parent)[0] for parent in route.parents)
        found = (self.gateways.get(name) for names in behind for name in sorted(names))
        return tuple(dict.fromkeys(filter(None, found)))

    def _leads(self) -> dict[tuple[Meta, int | None], list[Reader]]:
        """The other gateways from which a route leads to a port."""
        found: dict[tuple[Meta, int | None], list[Reader]] = {}
        for each in sorted(set(self.gateways.values()), key=str):
            for answer in self._all(each):
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
        if by.implementation in {mesh.implementation for mesh in self.meshes}:
            return answer
        text = f"of {by.implementation} the release is not told; {by.release} is assumed"
        reason = Reason(ASSUMED, text, CHECKS["other-implementation"])
        return replace(answer, reasons=(reason, *answer.reasons))

    def _by_meshes(self, answer: Resolution) -> tuple[Resolution, ...]:
        """What the meshes make of the port that a reference means."""
        wanted = answer.target
        if not self.meshes or wanted is None:
            return ()
        for target in self.scope.nearest(answer.route, *name_of(wanted)):
            ports = getattr(target, "ports", ())
            port = next((each for each in ports if each.number == answer.ref.port), None)
            if target.meta == wanted and port:
                meshes = (each for each in self.meshes if each != who(answer))
                return tuple(self._read(each, target, port) for each in meshes)
        return ()

    def _read(self, by: Reader, target: Target, port: ServicePort) -> Resolution:
        key = (by, target.meta, port)
        if key not in self._alone:
            self._alone[key] = alone(self.scope, *rules_of(by), target, port)
        return self._alone[key]


def word_of(answer: Resolution) -> str:
    """What is spoken, in a word: `h2`, `auto+tls`, `not read`; by several Gateways, `differs`."""
    if not answer.sent:
        return "not read"
    word = "differs" if answer.by_gateway else answer.upstream or "unknown"
    return f"{word}+tls" if answer.tls else word


def readings_text(readings: Sequence[Resolution]) -> str:
    """Who else reads, and what each speaks: `istio mesh@v1.19.0 h2, linkerd@v2.18.0 tcp`."""
    return ", ".join(f"{who(each)} {word_of(each)}" for each in readings)


def who(answer: Resolution) -> Reader:
    """Who gave an answer."""
    return Reader(implementation=answer.implementation, release=answer.release, mesh=answer.mesh)


def alone(
    scope: Scope, rules: Rules, wires: Rules | None, target: Target, port: ServicePort | None
) -> Resolution:
    """A port as the only backend of an HTTPRoute rule would be; a UDP port has no protocol then."""
    meta = target.meta
    position = port.position if port else meta.position
    if port and isinstance(target, Service) and port.transport != "TCP":
        # A TCP port of the same number (DNS has both) is another row's.
        target = replace(target, ports=(port,))
    route = replace(meta, group=GATEWAY_API, kind="HTTPRoute", name="", position=position)
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
    )
    return told_alone(resolve_target(scope, rules, Route(meta=route), ref, target), target, wires)
