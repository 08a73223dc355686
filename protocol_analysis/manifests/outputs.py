"""What Envoy Gateway's own translator tests say came out: the backends of its xDS IR.

A `*.out.yaml` repeats the input and adds `xdsIR`: listeners, their routes, each with a destination
whose settings are the backends of one route rule, in their order. A destination is named
`httproute/NAMESPACE/NAME/rule/N`, a mirror's `…/rule/N-mirror-M`; from v1.4 on a setting adds
`/backend/I` (internal/gatewayapi/route.go, irRouteDestinationName and irDestinationSettingName).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from protocol_analysis.manifests.fields import get, items, text
from protocol_analysis.manifests.loading import load, read_text
from protocol_analysis.manifests.nodes import Mapping, Node, documents
from protocol_analysis.model import ROUTE_KINDS, Inventory, ManifestError, Position

_INPUT, _OUTPUT = ".in.yaml", ".out.yaml"
_KINDS = {kind.lower(): kind for kind in ROUTE_KINDS}
_DESTINATION = re.compile(
    r"(?P<kind>[a-z]+route)/(?P<namespace>[^/]+)/(?P<name>[^/]+)/rule/(?P<rule>-1|\d+)"
    r"(?:-mirror-(?P<mirror>\d+))?(?:/backend/(?P<backend>\d+))?\Z"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSetting:
    """One backend of one route rule, as a translator test expects it. Counts are from 0.

    `backends` is how many settings its destination has; `named` whether it says itself which
    backend it is, instead of by its place.
    """

    route: tuple[str, str, str]
    rule: int
    role: Literal["forward", "mirror"]
    backend: int
    backends: int
    named: bool
    protocol: str | None
    force_http1: bool
    tls: bool
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A translator test: its name, what goes in, and the backends that come out."""

    name: str
    inventory: Inventory
    settings: tuple[OutputSetting, ...]


def translator_cases(folder: str | os.PathLike[str]) -> Iterator[Case]:
    """Every `NAME.in.yaml` of a folder that has a `NAME.out.yaml` beside it, in order.

    Raises ManifestError where there is no such pair, or one cannot be read.
    """
    names = [file.name.removesuffix(_INPUT) for file in sorted(Path(folder).glob(f"*{_INPUT}"))]
    names = [name for name in names if Path(folder, name + _OUTPUT).is_file()]
    if not names:
        raise ManifestError(
            f"{folder}: no NAME{_INPUT} with a NAME{_OUTPUT} beside it; "
            "name internal/gatewayapi/testdata of a checkout of Envoy Gateway"
        )
    for name in names:
        inventory = load(Path(folder, name + _INPUT))
        if inventory.unreadable:
            raise ManifestError(str(inventory.unreadable[0]))
        settings = output_settings(Path(folder, name + _OUTPUT))
        yield Case(name=name, inventory=inventory, settings=tuple(settings))


def output_settings(file: Path) -> list[OutputSetting]:
    """The settings of a `*.out.yaml`, each once, though several listeners may repeat it.

    Where listeners differ in what they say of one, it stands there as often. Raises ManifestError
    or OSError where the file cannot be read.
    """
    found: dict[OutputSetting, OutputSetting] = {}
    for document in documents(read_text(file)):
        if document.error:
            raise ManifestError(
                f"{file.as_posix()}:{document.line}:{document.column}: {document.error}"
            )
        where = Position(file=file.as_posix(), document=document.number, line=1, column=1)
        ir = get(document.root, "xdsIR", fold=True)
        for gateway in ir.items.values() if isinstance(ir, Mapping) else ():
            for destination in _destinations(gateway):
                for setting in _settings(destination, where):
                    # Its place and the settings beside it may differ; what is said of it not.
                    same = replace(setting, position=where, backends=0)
                    found.setdefault(same, setting)
    return list(found.values())


def _destinations(gateway: Node) -> Iterator[Node]:
    for layer in ("http", "tcp", "udp"):
        for listener in items(get(gateway, layer)):
            single = get(listener, "route")  # a UDP listener has one
            for route in [*items(get(listener, "routes")), *([single] if single else [])]:
                if destination := get(route, "destination"):
                    yield destination
                for mirror in items(get(route, "mirrors")):
                    yield get(mirror, "destination") or mirror


def _settings(destination: Node, where: Position) -> Iterator[OutputSetting]:
    settings = items(get(destination, "settings"))
    for index, setting in enumerate(settings):
        own = text(get(setting, "name"))
        match = _DESTINATION.match(own) or _DESTINATION.match(text(get(destination, "name")))
        if match is None or match["kind"] not in _KINDS:
            continue
        mirror, backend = match["mirror"], match["backend"]
        place = mirror or backend or index
        yield OutputSetting(
            route=(_KINDS[match["kind"]], match["namespace"], match["name"]),
            rule=max(int(match["rule"]), 0),  # -1: a TCP or UDP route as a whole
            role="mirror" if mirror else "forward",
            backend=int(place),
            backends=len(settings),
            named=bool(mirror or backend),
            protocol=text(get(setting, "protocol")) or None,
            force_http1=text(get(setting, "forceHTTP1Upstream")) == "true",
            tls=isinstance(get(setting, "tls"), Mapping),
            position=Position(
                file=where.file,
                document=where.document,
                line=setting.line,
                column=setting.column,
            ),
        )
