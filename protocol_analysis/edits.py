"""Edits that make a change of release no change: found by trying values on both sides. Pure.

An edit is another `appProtocol` on the port (or `appProtocols` on the Backend) that a reference
means. It is only offered where both sides then give the very same answer, and where no other
reference to that object, nor a neighbour in its rules, is spoken to otherwise for it: not by the
gateway, not by another that reads routes to the same object, and not by a mesh.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from protocol_analysis.coverage import readable
from protocol_analysis.model import (
    Backend,
    BackendRef,
    Inventory,
    Meta,
    Position,
    Route,
    Service,
    name_of,
)
from protocol_analysis.resolution import Resolution
from protocol_analysis.rows import Rules
from protocol_analysis.speaking import speak

Side = tuple[Rules, Rules | None]
Sides = tuple[Side, Side]
Wire = tuple[str | None, tuple[tuple[str, str], ...], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Write this value at this place; None: remove what is declared."""

    value: str | None
    target: Meta
    port: int | None
    position: Position | None

    def as_dict(self) -> dict[str, Any]:
        """What a `diff` row has of it."""
        target = self.target
        return {
            "appProtocol": self.value,
            "object": {"kind": target.kind, "namespace": target.namespace, "name": target.name},
            "port": self.port,
            "position": self.position.as_dict() if self.position else None,
        }

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        where = f"{self.target.kind} {self.target.namespace}/{self.target.name}{port}"
        if self.value is None:
            return f"remove appProtocol of {where}"
        return f"write {self.value} on {where}"


class Editor:
    """Tries values on both sides; what was tried is kept, since many references share a port."""

    def __init__(self, inventory: Inventory, sides: Sides, others: Sequence[Side] = ()) -> None:
        self.inventory, self.sides, self.others = inventory, sides, others
        self._around: dict[Meta, tuple[Inventory, list[dict[BackendRef, Wire]]]] = {}
        self._tried: dict[tuple[Meta, int | None, str | None], _Trial] = {}

    def edits(self, before: Resolution, after: Resolution) -> tuple[Edit | None, Edit | None]:
        """The edit that keeps today's wire on both sides, and the one with tomorrow's today."""
        target = after.target or before.target
        if target is None or before.ref.weight == 0:
            return None, None
        port = before.ref.port if target.kind != "Backend" else None
        keep = adopt = None
        for value in _candidates(target.kind, self.sides):
            trial = self._trial(target, before.ref.port, value)
            old, new = (found[before.ref] for found in trial.answers)
            if not old.sent or facts(old) != facts(new):
                continue
            position = after.declared_at or before.declared_at
            edit = Edit(value=value, target=target, port=port, position=position)
            keep = keep or (edit if trial.keeps else None)
            adopt = adopt or (edit if trial.adopts and after.sent else None)
        return keep, adopt

    def holds(self, edit: Edit, before: Resolution) -> bool:
        """Whether an edit leaves one answer for a reference on both sides, and meshes as before."""
        trial = self._trial(edit.target, before.ref.port, edit.value)
        old, new = (found[before.ref] for found in trial.answers)
        return trial.undisturbed and facts(old) == facts(new)

    def _trial(self, target: Meta, port: int | None, value: str | None) -> _Trial:
        """What both sides speak to all that share the port, with another value there."""
        if (target, port, value) not in self._tried:
            if target not in self._around:
                around = _around(self.inventory, target)
                readers = (*self.sides, *self.others)
                wires = [_wires(_answers(around, side)) for side in readers]
                self._around[target] = (around, wires)
            around, (today, tomorrow, *others) = self._around[target]
            changed = with_value(around, target, port, value)
            answers = [_answers(changed, side) for side in self.sides]
            now, later = map(_wires, answers)
            same = others == [_wires(_answers(changed, side)) for side in self.others]
            trial = _Trial(
                answers=answers,
                undisturbed=same,
                keeps=same and now == today,
                adopts=same and later == tomorrow,
            )
            self._tried[target, port, value] = trial
        return self._tried[target, port, value]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    answers: list[dict[BackendRef, Resolution]]
    undisturbed: bool
    keeps: bool
    adopts: bool


def facts(answer: Resolution) -> tuple[Any, ...]:
    """All that two sides are compared by."""
    return (answer.protocol, answer.force_http1, *wire_of(answer))


def wire_of(answer: Resolution) -> Wire:
    """What is spoken, by which Gateway, and whether over TLS."""
    return (answer.upstream, answer.by_gateway, answer.tls)


def with_value(
    inventory: Inventory, target: Meta, port: int | None, value: str | None
) -> Inventory:
    """The manifests with another value on one port, or on one Backend."""
    if target.kind == "Backend":
        values = None if value is None else (value,)
        backends = [
            replace(b, app_protocol=values, rejected="") if b.meta == target else b
            for b in inventory.backends
        ]
        return replace(inventory, backends=tuple(backends))
    services, imports = (
        tuple(_service_with(s, port, value) if s.meta == target else s for s in objects)
        for objects in (inventory.services, inventory.service_imports)
    )
    return replace(inventory, services=services, service_imports=imports)


def _service_with(service: Service, port: int | None, value: str | None) -> Service:
    ports = [
        replace(p, app_protocol=value, rejected="") if p.number == port else p
        for p in service.ports
    ]
    return replace(service, ports=tuple(ports))


def _candidates(kind: str, sides: Sides) -> list[str | None]:
    """Of what both sides read: what makes HTTP/2, then nothing at all, then the rest."""
    (old, new), standard = [rules for rules, _ in sides], sides[1][0].standard
    both = [name for name in readable(new, kind) if name in readable(old, kind)]
    both.sort(key=lambda name: name not in standard)
    rows = {name: new.value("values", kind, "HTTPRoute", name) for name in both}
    http2 = [name for name, row in rows.items() if row and row.protocol in ("HTTP2", "GRPC")]
    return [*http2, None, *(name for name in both if name not in http2)]


def _in_world(inventory: Inventory, world: str) -> Inventory:
    """What stands in one world: no name, and no policy, reaches another."""
    whole = {field.name: getattr(inventory, field.name) for field in fields(Inventory)}
    own: dict[str, Any] = {
        name: tuple(each for each in found if each.meta.world == world)
        for name, found in whole.items()
        if isinstance(found, tuple) and found and hasattr(found[0], "meta")
    }
    return replace(inventory, **own)


def _around(inventory: Inventory, target: Meta) -> Inventory:
    """The routes that refer to an object, their namesakes, and all that bears upon them."""
    inventory = _in_world(inventory, target.world)
    wanted = name_of(target)[1:]
    named = {
        name_of(route.meta)
        for route in inventory.referring
        if any((ref.kind, ref.namespace, ref.name) == wanted for ref in route.refs)
    }

    def meant(candidates: Sequence[Route]) -> tuple[Route, ...]:
        return tuple(route for route in candidates if name_of(route.meta) in named)

    routes, referrers = meant(inventory.routes), meant(inventory.referrers)
    names = {
        (ref.kind, ref.namespace, ref.name) for each in (*routes, *referrers) for ref in each.refs
    }
    parents = {(parent.namespace, parent.name) for route in routes for parent in route.parents}
    parents |= {(each.parent.namespace, each.parent.name) for each in inventory.listener_sets}

    def near(objects: Sequence[Service] | Sequence[Backend]) -> Iterator[Any]:
        return (each for each in objects if name_of(each.meta)[1:] in names)

    return replace(
        inventory,
        routes=routes,
        referrers=referrers,
        services=tuple(near(inventory.services)),
        service_imports=tuple(near(inventory.service_imports)),
        backends=tuple(near(inventory.backends)),
        gateways=tuple(
            each for each in inventory.gateways if (each.meta.namespace, each.meta.name) in parents
        ),
    )


def _answers(inventory: Inventory, side: Side) -> dict[BackendRef, Resolution]:
    return {answer.ref: answer for answer in speak(inventory, *side)}


def _wires(answers: dict[BackendRef, Resolution]) -> dict[BackendRef, Wire]:
    return {ref: wire_of(answer) for ref, answer in answers.items()}
