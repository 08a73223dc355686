"""Clues → evidence: what the manifests say, port by port, of what is served there. Pure.

Whose evidence it is follows Kubernetes: a Service selects pods of its own namespace by all labels
of its selector; a targetPort is a number, or a container port's name with the same transport; an
Ingress names Services of its own namespace; a route's backendRef and a policy's target may name
another namespace, where a ReferenceGrant permits it. Nothing reaches from one world to another,
and of namesakes the nearest are meant, as everywhere (see `scope`).

Sources:
https://github.com/kubernetes/kubernetes/blob/00bdb3fade2ef1ada898bd8fae2c6a1958da3a5d/pkg/api/v1/pod/util.go
https://github.com/kubernetes/api/blob/v0.34.0/core/v1/types.go
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from protocol_analysis.clues import LISTED, Clue, Fact, clues
from protocol_analysis.model import Inventory, Meta, Position, Service, ServicePort
from protocol_analysis.scope import Scope, places
from protocol_analysis.workloads import Annotation, Exposure, Ingress, Workload

_KINDS = ("Service", "ServiceImport")
PortKey = int | str | None  # by number, by name; None means every port


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One clue that speaks of a port: what was found, where, and what it implies."""

    clue: Clue
    found: str
    fact: Fact
    position: Position

    def as_dict(self) -> dict[str, Any]:
        """What a suggestion's row has of it."""
        said = {"clue": self.clue.id, "found": self.found, "implies": str(self.fact)}
        about = {"text": self.clue.text, "source": self.clue.source}
        return {**said, **about, "position": self.position.as_dict()}


Heard = dict[tuple[str, str], Evidence]  # the first of each clue that implies the same


def evidence(inventory: Inventory) -> Iterator[tuple[Service, ServicePort, tuple[Evidence, ...]]]:
    """Every port of a Service or ServiceImport, in order, with what speaks of it; often nothing.

    Clues come in their own order. A port of another transport than TCP has none.
    """
    pods, told = _Pods(inventory.workloads), _Told(inventory)
    exposures = {e.meta: e for e in inventory.exposures if isinstance(e, Exposure)}
    order = {clue.id: number for number, clue in enumerate(clues())}
    for service in (*inventory.services, *inventory.service_imports):
        exposure = exposures.get(service.meta) if service.meta.kind == "Service" else None
        targets = exposure.targets if exposure else ()
        behind = pods.behind(exposure)
        annotated = _annotated(exposure) if exposure else {}
        for number, port in enumerate(service.ports):
            heard: Heard = {}
            if port.transport == "TCP":
                target = (targets[number] if number < len(targets) else None) or port.number
                _add(heard, _of_itself(port, target))
                for key in dict.fromkeys((port.number, port.name or None, None)):
                    _add(heard, annotated.get(key, {}).values())
                    _add(heard, told.of(service, key))
                _add(heard, pods.say(behind, target))
                # A default is heard only where nothing else speaks.
                _add(heard, () if heard else _of_number("number", port.number, port))
            yield service, port, tuple(sorted(heard.values(), key=lambda e: order[e.clue.id]))


def _looking_at(what: str) -> list[Clue]:
    return [clue for clue in clues() if clue.looks == what]


def _add(heard: Heard, more: Iterable[Evidence]) -> None:
    """Keep the first evidence, by position, of each clue and what it implies."""
    for each in more:
        key = (each.clue.id, str(each.fact))
        if key not in heard or each.position < heard[key].position:
            heard[key] = each


def _of_itself(port: ServicePort, target: PortKey) -> Iterator[Evidence]:
    """What a port's own name says, and the number that pods are dialled at."""
    for clue in _looking_at("name"):
        if word := clue.of_name(port.name):
            yield _evidence(clue, word, f"port {port.name}", port.position)
            break
    dialled = target if isinstance(target, int) else port.number
    yield from _of_number("dialled", dialled, port)


def _of_number(looks: str, number: int | None, port: ServicePort) -> Iterator[Evidence]:
    for clue in _looking_at(looks):
        if str(number) in clue.says:
            yield _evidence(clue, str(number), f"port {number}", port.position)


def _evidence(clue: Clue, word: str, found: str, position: Position) -> Evidence:
    return Evidence(clue=clue, found=found, fact=clue.says[word], position=position)


def _annotated(exposure: Exposure) -> dict[PortKey, Heard]:
    """What a Service's own annotations say, by port."""
    found: dict[PortKey, Heard] = {}
    for annotation in exposure.annotations:
        for clue in _naming(annotation, "Service"):
            for key, each in _said(clue, annotation):
                _add(found.setdefault(key, {}), [each])
    return found


def _naming(annotation: Annotation, kind: str) -> Iterator[Clue]:
    for clue in _looking_at("annotation"):
        if clue.names(annotation.key) and kind in clue.kinds:
            yield clue


def _said(clue: Clue, annotation: Annotation) -> Iterator[tuple[PortKey, Evidence]]:
    """What an annotation says, and of which ports, or Services; a foreign value says nothing."""
    values: dict[PortKey, str] = {}
    if clue.takes in ("ports", "services"):
        values = {_key(item): LISTED for item in annotation.value.split(",") if item.strip()}
    elif clue.takes == "json":
        values = {_key(port): value for port, value in _by_port(annotation.value).items()}
    elif clue.takes == "key":
        values = {_key(annotation.key.partition(".")[0]): annotation.value}
    else:
        values = {None: annotation.value}
    for key, value in values.items():
        if word := clue.of_value(value):
            found = annotation.key if word == LISTED else f"{annotation.key}: {word}"
            yield key, _evidence(clue, word, found, annotation.position)


def _key(written: str) -> PortKey:
    written = written.strip()
    number = written.isascii() and written.isdigit() and len(written) <= 5
    return int(written) if number else written


def _by_port(value: str) -> dict[str, str]:
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    pairs = found.items() if isinstance(found, dict) else ()
    return {key: said for key, said in pairs if isinstance(said, str)}


class _Pods:
    """Pods by their labels, and what their probes say of each port of theirs.

    Sets of numbers, which count pods in the order of their positions, are intersected: thousands
    of Services and pods that all share labels would take for ever one by one.
    """

    def __init__(self, workloads: Iterable[Workload]) -> None:
        self._having: dict[tuple[str, str, str, str], set[int]] = {}
        self._at: dict[str, set[int]] = {}
        self._saying: dict[PortKey, dict[tuple[str, str], dict[int, Evidence]]] = {}
        ordered = sorted(workloads, key=lambda workload: workload.meta.position)
        for number, each in enumerate(ordered):
            said = list(_probed(each))
            for target, found in said:
                saying = self._saying.setdefault(target, {})
                what = (found.clue.id, str(found.fact))
                saying.setdefault(what, {}).setdefault(number, found)
            for label in each.labels if said else ():
                key = (each.meta.world, each.meta.namespace, *label)
                self._having.setdefault(key, set()).add(number)
            for place in places(each.meta.position.file) if said else ():
                self._at.setdefault(place, set()).add(number)

    def behind(self, exposure: Exposure | None) -> set[int]:
        """The nearest pods that a Service selects, by number; only those that a probe asks."""
        if exposure is None or not exposure.selector:
            return set()
        meta = exposure.meta
        keys = [(meta.world, meta.namespace, *label) for label in exposure.selector]
        selected = set.intersection(*sorted((self._having.get(k, set()) for k in keys), key=len))
        for place in places(meta.position.file) if selected else ():
            if near := selected & self._at.get(place, set()):
                return near
        return set()

    def say(self, pods: set[int], target: PortKey) -> Iterator[Evidence]:
        """What the first of these pods says of a target port, for each clue."""
        for saying in self._saying.get(target, {}).values() if pods else ():
            if both := pods & saying.keys():
                yield saying[min(both)]


def _probed(workload: Workload) -> Iterator[tuple[PortKey, Evidence]]:
    """What probes say of the ports of these pods, by number, and by name where it has one."""
    ways = {word: clue for clue in _looking_at("probe") for word in clue.says}
    asked: dict[tuple[str, int], Evidence] = {}
    for container in workload.containers:
        own = {port.name: port.number for port in container.ports}
        for probe in container.probes:
            number = probe.port if isinstance(probe.port, int) else own.get(probe.port)
            if number is not None and probe.way in ways:
                what = f"{probe.way} probe of port {number} in {workload.meta}"
                said = _evidence(ways[probe.way], probe.way, what, probe.position)
                asked.setdefault((probe.way, number), said)
    ports = [port for c in workload.containers for port in c.ports if port.transport == "TCP"]
    # A name means the first container port that has it.
    first = {port.name: port.number for port in reversed(ports) if port.name}
    names: dict[int | None, list[str]] = {}
    for name, meant in first.items():
        names.setdefault(meant, []).append(name)
    for (_, number), said in asked.items():
        yield number, said
        for name in names.get(number, ()):
            yield name, said


class _Told:
    """What refers to ports from elsewhere: routes, other referrers, policies, Ingresses."""

    def __init__(self, inventory: Inventory) -> None:
        self._scope = Scope(inventory)
        # By the list of namesakes that is meant, so that a thousand of them cost no more than one.
        self._said: dict[tuple[int, PortKey], Heard] = {}
        self._lists: dict[int, list[int]] = {}
        self._known: dict[int, list[Any]] = {}
        self._references(inventory)
        self._policies(inventory)
        for each in inventory.exposures:
            if isinstance(each, Ingress):
                self._ingress(each)

    def of(self, service: Service, key: PortKey) -> Iterator[Evidence]:
        """What is said of a Service's port, by one of its names."""
        for each in self._lists.get(id(service), ()):
            yield from self._said.get((each, key), {}).values()

    def _tell(
        self,
        origin: Meta,
        group: str,
        kind: str,
        namespace: str,
        name: str,
        key: PortKey,
        said: Evidence,
    ) -> None:
        found = self._scope.nearest(origin, group, kind, namespace, name)
        if not found or not self._scope.permitted(origin, group, kind, namespace, name):
            return
        if id(found) not in self._known:
            self._known[id(found)] = found
            for service in found:
                self._lists.setdefault(id(service), []).append(id(found))
        _add(self._said.setdefault((id(found), key), {}), [said])

    def _references(self, inventory: Inventory) -> None:
        words = {word: clue for clue in _looking_at("reference") for word in clue.says}
        for route in inventory.referring:
            for ref in route.refs:
                word = ref.site or route.meta.kind
                if word in words and ref.kind in _KINDS and ref.port is not None:
                    said = _evidence(words[word], word, f"{route.meta}", ref.position)
                    where = (ref.group, ref.kind, ref.namespace, ref.name)
                    self._tell(route.meta, *where, ref.port, said)

    def _policies(self, inventory: Inventory) -> None:
        words = {word: clue for clue in _looking_at("policy") for word in clue.says}
        for policy in inventory.tls_policies:
            for wanted in policy.targets:
                if policy.meta.kind in words and wanted.kind in _KINDS:
                    clue = words[policy.meta.kind]
                    said = _evidence(clue, policy.meta.kind, f"{policy.meta}", policy.meta.position)
                    where = (wanted.group, wanted.kind, wanted.namespace, wanted.name)
                    self._tell(policy.meta, *where, wanted.section, said)

    def _ingress(self, ingress: Ingress) -> None:
        for annotation in ingress.annotations:
            for clue in _naming(annotation, "Ingress"):
                said = dict(_said(clue, annotation))
                for backend in ingress.backends:
                    found = said.get(backend.name if clue.takes == "services" else None)
                    if found and backend.port is not None:
                        where = ("", "Service", ingress.meta.namespace, backend.name)
                        self._tell(ingress.meta, *where, backend.port, found)
