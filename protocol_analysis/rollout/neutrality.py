"""Which values may be rewritten: those after which every reader speaks the very same wire. Pure.

All rewrites are tried together, since neighbours in a route rule bear upon each other: for every
reader that is named, for the other gateways whose routes lead there, and for every mesh, whatever
was spoken before is compared with what would be. Where anything differs, the rewrites of that
route or port are taken back, until nothing does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from protocol_analysis.model import Inventory, Meta, Position, Service, ServicePort
from protocol_analysis.readers import Reader, all_readers, reader
from protocol_analysis.readings import Others, alone, who, word_of
from protocol_analysis.resolution import Resolution
from protocol_analysis.rollout.census import rank, spoken
from protocol_analysis.rollout.facts import hazards, never
from protocol_analysis.rollout.rewriting import Rewrite
from protocol_analysis.scope import Scope
from protocol_analysis.speaking import rules_of, speak

BY_DEFAULT = {"grpc": "kubernetes.io/h2c"}
_TLS_PORTS = (443, 6443, 8443, 9443)
_TLS_NAMES = ("https", "tls", "grpcs", "wss", "http2s")
Place = tuple[Meta, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A value that is to be rewritten, or is to stay; `reason` says why it stays."""

    rewrite: Rewrite
    reason: str = ""

    @property
    def made(self) -> bool:
        """Whether it is to be rewritten."""
        return not self.reason


def decide(
    inventory: Inventory,
    readers: Sequence[Reader | str],
    meshes: Sequence[str] = (),
    values: Mapping[str, str] = BY_DEFAULT,
    unary: Collection[str] = (),
    stays: Mapping[Position, str] | None = None,
    *,
    gains: bool = False,
) -> list[Decision]:
    """What becomes of every port that declares one of `values`, or what is never rewritten.

    `readers` are gateways at a release, by default the newest of Envoy Gateway; the first of them
    reads what no Gateway's class says. `meshes` are named with their releases, `istio@1.26`.
    `unary` are the `namespace/name` of Services whose calls are known not to stream. `stays` has
    what cannot be changed where it stands, and why: the rest is tried without it. With `gains`,
    HTTP/2 where something less was spoken is no difference. Raises
    RulesetError for a reader that is not known.

    >>> from protocol_analysis.manifests import load
    >>> found = decide(load("data/sample/east/catalog.yaml"), ["1.9"])
    >>> [(str(each.rewrite), each.rewrite.new, each.reason) for each in found]
    [('Service catalog/catalog:9000', 'kubernetes.io/h2c', '')]
    """
    gateways = list(all_readers(readers)) or [reader(None)]
    of_meshes = [reader(each, mesh=True) for each in meshes]
    refused: list[Decision] = []
    open_ones: dict[Place, Rewrite] = {}
    for service, port, rewrite in _declaring(inventory, values):
        reason = _stands_against(service, port, rewrite.old, meshes, unary)
        reason = reason or (stays or {}).get(rewrite.position, "")
        if reason:
            refused.append(Decision(rewrite=rewrite, reason=reason))
        else:
            open_ones[service.meta, port.number] = rewrite
    differing = _not_neutral(inventory, open_ones, gateways, of_meshes, gains=gains)
    decided = [
        Decision(rewrite=rewrite, reason=differing.get(place, ""))
        for place, rewrite in open_ones.items()
    ]
    found = [*refused, *decided, *_of_backends(inventory, values)]
    return sorted(found, key=lambda each: each.rewrite.position)


def candidates(inventory: Inventory, values: Mapping[str, str] = BY_DEFAULT) -> list[Rewrite]:
    """Every port that declares one of `values`, whatever stands against a rewrite.

    >>> from protocol_analysis.manifests import load
    >>> [str(each) for each in candidates(load("data/sample/east/catalog.yaml"))]
    ['Service catalog/catalog:9000']
    """
    return [rewrite for _, _, rewrite in _declaring(inventory, values) if rewrite.new]


def _declaring(
    inventory: Inventory, values: Mapping[str, str]
) -> Iterable[tuple[Service, ServicePort, Rewrite]]:
    """The ports that declare one of `values`, or what is never rewritten."""
    for service, port in _all_ports(inventory):
        old = port.app_protocol
        if old is not None and (old in values or old in never()):
            new = values.get(old, "")
            where = port.where
            yield (
                service,
                port,
                Rewrite(target=service.meta, port=port.number, old=old, new=new, position=where),
            )


def _of_backends(inventory: Inventory, values: Mapping[str, str]) -> Iterable[Decision]:
    """A Backend that declares such a value: nothing that could be stored is to be changed."""
    for backend in inventory.backends:
        for value in backend.app_protocol or ():
            if value in values:
                rewrite = Rewrite(
                    target=backend.meta, port=None, old=value, new="", position=backend.where
                )
                reason = "the CRD of a Backend refuses it, so there is nothing to migrate"
                yield Decision(rewrite=rewrite, reason=reason)


def _stands_against(
    service: Service, port: ServicePort, old: str, meshes: Sequence[str], unary: Collection[str]
) -> str:
    """What stands against a rewrite, whatever is spoken; empty where nothing does."""
    meta = service.meta
    if old in never():
        return f"{old} is never rewritten by itself: {never()[old].text}"
    name = port.name.lower()
    if port.number in _TLS_PORTS or name.startswith(_TLS_NAMES):
        return f"port {port.name or port.number} is one for TLS by its name or number"
    if [each.number for each in service.ports].count(port.number) > 1:
        return "another port has the same number; which of them is read depends on the reader"
    for hazard in hazards():
        for mesh in meshes:
            against = hazard.value == old and hazard.effect != "note" and hazard.holds(mesh)
            if not against:
                continue
            if hazard.unless != "unary" or f"{meta.namespace}/{meta.name}" not in unary:
                ask = "; whether it streams is not known; --unary where it does not"
                return f"{mesh}: {hazard.text}{ask if hazard.unless else ''}"
    return ""


def _not_neutral(
    inventory: Inventory,
    wanted: Mapping[Place, Rewrite],
    gateways: Sequence[Reader],
    meshes: Sequence[Reader],
    *,
    gains: bool,
) -> dict[Place, str]:
    """The rewrites after which anybody would speak otherwise, and who would."""
    before = _View(inventory, gateways, meshes, wanted, gains=gains)
    refused = before.not_known()
    while left := {place: each for place, each in wanted.items() if place not in refused}:
        changed = _with_values(inventory, left)
        found = before.differences(_View(changed, gateways, meshes, wanted, gains=gains), left)
        if not found:
            break
        refused |= found
    return refused


def _with_values(inventory: Inventory, rewrites: Mapping[Place, Rewrite]) -> Inventory:
    """The manifests with all of these values."""

    def change(service: Service) -> Service:
        found = {port.number: rewrites.get((service.meta, port.number)) for port in service.ports}
        if not any(found.values()):
            return service
        ports = [
            replace(port, app_protocol=each.new) if (each := found[port.number]) else port
            for port in service.ports
        ]
        return replace(service, ports=tuple(ports))

    services, imports = (
        tuple(map(change, each)) for each in (inventory.services, inventory.service_imports)
    )
    return replace(inventory, services=services, service_imports=imports)


class _View:
    """What every reader speaks to every reference, and to the ports that are to be rewritten."""

    def __init__(
        self,
        inventory: Inventory,
        gateways: Sequence[Reader],
        meshes: Sequence[Reader],
        wanted: Mapping[Place, Rewrite],
        *,
        gains: bool,
    ) -> None:
        self.gains = gains
        others = Others(inventory, gateways[0], meshes)
        everyone = dict.fromkeys((*gateways, *sorted(others.gateways.values(), key=str)))
        self.references = {by: speak(inventory, *rules_of(by)) for by in everyone}
        scope, rules = Scope(inventory), [rules_of(by) for by in gateways]
        self.ports: dict[Place, list[Resolution]] = {}
        for service, port in _all_ports(inventory):
            if (place := (service.meta, port.number)) in wanted:
                by_gateways = [alone(scope, *known, service, port) for known in rules]
                self.ports[place] = [*by_gateways, *others.of_port(service, port)]

    def not_known(self) -> dict[Place, str]:
        """The ports of which nobody has verified what a reader makes of them, or that have TLS."""
        found: dict[Place, str] = {}
        for place, answers in self.ports.items():
            for answer in answers:
                if answer.tls:
                    found[place] = f"{who(answer)} speaks TLS to it"
                elif not answer.verified:
                    found[place] = f"nobody has verified what {who(answer)} makes of it"
        for answers in self.references.values():
            for answer in answers:
                if answer.tls and answer.target:
                    place = (answer.target, answer.ref.port)
                    found.setdefault(place, f"{who(answer)} speaks TLS to it")
        return {place: reason for place, reason in found.items() if place in self.ports}

    def differences(self, after: _View, tried: Mapping[Place, Rewrite]) -> dict[Place, str]:
        """The rewrites that make a difference, each with the first that it makes."""
        found: dict[Place, str] = {}
        for place in tried:
            for old, new in zip(self.ports[place], after.ports[place], strict=True):
                if self._differ(old, new):
                    found.setdefault(place, _told(old, new))
        by_name: dict[tuple[str, ...], list[Place]] = {}
        for place in tried:
            by_name.setdefault(_name(place[0]), []).append(place)
        for by, answers in self.references.items():
            meant: dict[Meta, set[tuple[str, ...]]] = {}
            for answer in answers:
                ref, world = answer.ref, answer.route.world
                names = meant.setdefault(answer.route, set())
                names.add((world, ref.kind, ref.namespace, ref.name))
            for old, new in zip(answers, after.references[by], strict=True):
                if self._differ(old, new):
                    places = [p for name in meant[old.route] for p in by_name.get(name, ())]
                    for place in places or tried:  # nobody is to blame: nothing is safe
                        found.setdefault(place, f"{old.route}: {_told(old, new)}")
        return found

    def _differ(self, old: Resolution, new: Resolution) -> bool:
        if self.gains and rank(new) > rank(old):
            return False
        return spoken(old) != spoken(new)


def _name(meta: Meta) -> tuple[str, ...]:
    return (meta.world, meta.kind, meta.namespace, meta.name)


def _all_ports(inventory: Inventory) -> Iterable[tuple[Service, ServicePort]]:
    for service in (*inventory.services, *inventory.service_imports):
        for port in service.ports:
            yield service, port


def _told(old: Resolution, new: Resolution) -> str:
    return f"{who(old)} speaks {word_of(old)} now, and would speak {word_of(new)}"
