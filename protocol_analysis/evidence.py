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
from protocol_analysis.workloads import Annotation, Exposure, Ingress, Labels, Workload

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
        behind = pods.behind(exposure) if exposure else {}
        annotated = _annotated(exposure) if exposure else {}
        for number, port in enumerate(service.ports):
            heard: Heard = {}
            if port.transport == "TCP":
                target = (targets[number] if number < len(targets) else None) or port.number
                _add(heard, _of_itself(port, target))
                for key in dict.fromkeys((port.number, port.name or None, None)):
                    _add(heard, annotated.get(key, {}).values())
                    _add(heard, told.of(service, key))
                _add(heard, behind.get(target, {}).values() if target else ())
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
        if clue.annotation == annotation.key and kind in clue.kinds:
            yield clue


def _said(clue: Clue, annotation: Annotation) -> Iterator[tuple[PortKey, Evidence]]:
    """What an annotation says, and of which ports, or Services; a foreign value says nothing."""
    values: dict[PortKey, str] = {}
    if clue.takes in ("ports", "services"):
        values = {_key(item): LISTED for item in annotation.value.split(",") if item.strip()}
    elif clue.takes == "json":
        values = {_key(port): value for port, value in _by_port(annotation.value).items()}
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
    """Pods by their labels: those behind a Service, and what their probes say of each port."""

    def __init__(self, workloads: Iterable[Workload]) -> None:
        self._having: dict[tuple[str, str, str, str], set[int]] = {}
        self._workloads = tuple(workloads)
        for number, each in enumerate(self._workloads):
            if any(container.probes for container in each.containers):
                for label in each.labels:
                    key = (each.meta.world, each.meta.namespace, *label)
                    self._having.setdefault(key, set()).add(number)
        self._selected: dict[tuple[str, str, Labels], dict[str, list[Workload]]] = {}
        self._probed: dict[int, dict[PortKey, Heard]] = {}

    def behind(self, exposure: Exposure) -> dict[PortKey, Heard]:
        """What the probes of the nearest pods say, by target port."""
        meta = exposure.meta
        if not exposure.selector:
            return {}
        key = (meta.world, meta.namespace, exposure.selector)
        if key not in self._selected:
            self._selected[key] = self._select(*key)
        near = self._selected[key]
        for place in places(meta.position.file) if near else ():
            if found := near.get(place):
                if id(found) not in self._probed:
                    self._probed[id(found)] = _probed(found)
                return self._probed[id(found)]
        return {}

    def _select(self, world: str, namespace: str, selector: Labels) -> dict[str, list[Workload]]:
        """The pods with all these labels, by each place that they stand in."""
        having = [self._having.get((world, namespace, *label), set()) for label in selector]
        found: dict[str, list[Workload]] = {}
        for number in sorted(set.intersection(*sorted(having, key=len))):
            each = self._workloads[number]
            for place in places(each.meta.position.file):
                found.setdefault(place, []).append(each)
        return found


def _probed(workloads: Iterable[Workload]) -> dict[PortKey, Heard]:
    """What probes say of the ports of these pods, by number, and by name where it has one."""
    found: dict[PortKey, Heard] = {}
    ways = {word: clue for clue in _looking_at("probe") for word in clue.says}
    for workload in workloads:
        ports = [port for c in workload.containers for port in c.ports if port.transport == "TCP"]
        first = {port.name: port.number for port in reversed(ports) if port.name}
        for container in workload.containers:
            own = {port.name: port.number for port in container.ports}
            for probe in container.probes:
                number = probe.port if isinstance(probe.port, int) else own.get(probe.port)
                if number is None or probe.way not in ways:
                    continue
                what = f"{probe.way} probe of port {number} in {workload.meta}"
                said = _evidence(ways[probe.way], probe.way, what, probe.position)
                # A name means the first container port that has it.
                names = [name for name, meant in first.items() if meant == number]
                keys: tuple[PortKey, ...] = (number, *names)
                for key in keys:
                    _add(found.setdefault(key, {}), [said])
    return found


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
                for listed, said in _said(clue, annotation):
                    for backend in ingress.backends:
                        meant = clue.takes != "services" or listed == backend.name
                        if meant and backend.port is not None:
                            where = ("", "Service", ingress.meta.namespace, backend.name)
                            self._tell(ingress.meta, *where, backend.port, said)
