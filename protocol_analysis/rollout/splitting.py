"""A Service for the gateway alone, beside one that a mesh reads: its manifest, and what it costs.

Not a second port on the Service of the mesh: that is one port of the pods under two names, which a
mesh's inbound side reads as the first of them (finding AP027). The new Service selects the same
pods, so what each mesh makes of both is told. A Service that is there is never taken over. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import yaml

from protocol_analysis.model import GATEWAY_API, Inventory, Meta, Service, name_of
from protocol_analysis.policies import ReferenceGrant
from protocol_analysis.readings import word_of
from protocol_analysis.rollout.deciding import Planned
from protocol_analysis.rollout.facts import INSTEAD, hazards
from protocol_analysis.rollout.planning import Plan
from protocol_analysis.scope import Scope
from protocol_analysis.workloads import Exposure

_SUFFIX = "-gateway"
_LONGEST = 63  # a name of a Service is a DNS label
_DIGITS = 8
_LOCAL = {"service.kubernetes.io/topology-mode": "Auto"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The Service to add for some ports of one that a mesh reads, with the grant it may need.

    `rows` are the ports. `documents` are the manifests, none where it is `refused`: then that says
    why. `told` is what to know of them; `apart`, each mesh that makes the two Services something
    else, and what.
    """

    rows: tuple[Planned, ...]
    documents: tuple[dict[str, Any], ...] = ()
    refused: str = ""
    told: tuple[str, ...] = ()
    apart: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The name of the new Service; empty where none is made."""
        return str(self.documents[0]["metadata"]["name"]) if self.documents else ""

    @property
    def differs(self) -> tuple[str, ...]:
        """The meshes to which the two Services are not the same."""
        return tuple(dict.fromkeys(mesh for mesh, _ in self.apart))

    @property
    def text(self) -> str:
        """The manifests, as YAML."""
        text: str = yaml.safe_dump_all(self.documents, sort_keys=False)
        return text

    def __str__(self) -> str:
        return ", ".join(str(row.use) for row in self.rows)


def splits(found: Plan) -> list[Split]:
    """One for each Service of which any port needs it, in the order of the plan.

    >>> from protocol_analysis.reading import read
    >>> from protocol_analysis.rollout.planning import planned
    >>> (made,) = splits(planned(read("data/sample/west").clusters))
    >>> str(made), made.name, made.documents[0]["spec"]["ports"][0]["appProtocol"]
    ('Service checkout/baskets:8080', 'baskets-gateway', 'kubernetes.io/h2c')
    """
    whole: dict[tuple[str, Meta], list[Planned]] = {}
    for row in found.of("gateway-only Service"):
        whole.setdefault((row.use.cluster, row.use.target), []).append(row)
    inventories = {cluster.name or "": cluster.inventory for cluster in found.clusters}
    scopes = {name: Scope(inventory) for name, inventory in inventories.items() if whole}
    return [
        _split(inventories[cluster], scopes[cluster], rows) for (cluster, _), rows in whole.items()
    ]


def split_text(found: Plan) -> str:
    """All of these manifests as YAML, to be read and applied.

    >>> from protocol_analysis.reading import read
    >>> from protocol_analysis.rollout.planning import planned
    >>> print(split_text(planned(read("data/sample/west").clusters)).splitlines()[3])
      name: baskets-gateway
    """
    return "---\n".join(made.text for made in splits(found) if made.documents)


def _split(inventory: Inventory, scope: Scope, rows: Sequence[Planned]) -> Split:
    """The Service for some ports of another, or why there is none."""
    use = rows[0].use
    own, meta = use.service, use.target
    apart = tuple(_apart(rows))
    exposures = (e for e in inventory.exposures if isinstance(e, Exposure) and e.meta == meta)
    exposure = next(exposures, None)
    if own is None or exposure is None or not exposure.selector:
        told = "its selector is not at hand; write the Service by hand"
        return Split(rows=tuple(rows), apart=apart, refused=told)
    ports = list(_ports(own, exposure, rows))
    said = []
    for name in (_named(meta.name), _marked(meta.name)):
        there = scope.nearest(meta, meta.group, meta.kind, meta.namespace, name)
        if not there:
            break
        if all(_stands(inventory, other, exposure, ports) for other in there):
            told = (
                f"{meta.namespace}/{name} is there already and leads to it: lead the routes there"
            )
            return Split(rows=tuple(rows), apart=apart, refused=told)
        said.append(f"{meta.namespace}/{name} is there already and is another, so it is left alone")
    else:
        told = "; ".join([*said, "write the Service by hand, under a name that is free"])
        return Split(rows=tuple(rows), apart=apart, refused=told)
    documents = [_manifest(own, exposure, name, ports)]
    if grant := _grant(inventory, meta, name, rows):
        documents.append(grant)
        origins = sorted({each["namespace"] for each in grant["spec"]["from"]})
        said.append(f"routes of {', '.join(origins)} need a ReferenceGrant for the new name")
    return Split(rows=tuple(rows), documents=tuple(documents), told=tuple(said), apart=apart)


def _named(name: str) -> str:
    """The new name; one that has to be cut is told from others by its mark."""
    return f"{name}{_SUFFIX}" if len(name) + len(_SUFFIX) <= _LONGEST else _marked(name)


def _marked(name: str) -> str:
    mark = sha256(name.encode()).hexdigest()[:_DIGITS]
    left = name[: _LONGEST - len(_SUFFIX) - _DIGITS - 1].rstrip("-.")
    return f"{left}-{mark}{_SUFFIX}"


def _ports(own: Service, exposure: Exposure, rows: Sequence[Planned]) -> Iterator[dict[str, Any]]:
    places = {row.use.position for row in rows}
    for at, port in enumerate(own.ports):
        if port.where not in places:
            continue
        target = exposure.targets[at] if at < len(exposure.targets) else None
        written: dict[str, Any] = {"name": port.name} if port.name else {}
        written |= {} if port.transport == "TCP" else {"protocol": port.transport}
        yield {
            **written,
            "port": port.number,
            "targetPort": target or port.number,
            "appProtocol": INSTEAD,
        }


def _stands(
    inventory: Inventory, other: Service, exposure: Exposure, ports: Sequence[dict[str, Any]]
) -> bool:
    """Whether a Service that is there is what would be made: an earlier run's, say."""
    here = {port.number: port.app_protocol for port in other.ports}
    same = any(
        isinstance(each, Exposure)
        and each.meta == other.meta
        and each.selector == exposure.selector
        for each in inventory.exposures
    )
    return same and all(here.get(port["port"]) == INSTEAD for port in ports)


def _manifest(
    own: Service, exposure: Exposure, name: str, ports: list[dict[str, Any]]
) -> dict[str, Any]:
    """The Service: the same pods in the same way, so that only its name and value are others."""
    settings: dict[str, Any] = dict(exposure.settings)
    if seconds := settings.pop("timeoutSeconds", None):
        settings["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": seconds}}
    if families := settings.pop("ipFamilies", ""):
        settings["ipFamilies"] = families.split(",")
    local = own.prefer_local and "trafficDistribution" not in settings
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": own.meta.namespace,
            **({"annotations": dict(_LOCAL)} if local else {}),
        },
        "spec": {**settings, "selector": dict(exposure.selector), "ports": ports},
    }


def _grant(
    inventory: Inventory, meta: Meta, name: str, rows: Sequence[Planned]
) -> dict[str, Any] | None:
    """The ReferenceGrant that routes of other namespaces need, unless one has no names."""
    origins = {
        (answer.route.group, answer.route.kind, answer.route.namespace)
        for row in rows
        for answer in row.use.routes
        if not answer.mesh and answer.route.namespace != meta.namespace
    }
    near = [grant for grant in inventory.grants if _is_beside(grant, meta)]
    missing = sorted(o for o in origins if not any(_lets(grant, o, meta) for grant in near))
    if not missing:
        return None
    return {
        "apiVersion": f"{GATEWAY_API}/v1beta1",
        "kind": "ReferenceGrant",
        "metadata": {"name": name, "namespace": meta.namespace},
        "spec": {
            "from": [{"group": g, "kind": k, "namespace": n} for g, k, n in missing],
            "to": [{"group": meta.group, "kind": meta.kind, "name": name}],
        },
    }


def _is_beside(grant: ReferenceGrant, meta: Meta) -> bool:
    return (grant.meta.world, grant.meta.namespace) == (meta.world, meta.namespace)


def _lets(grant: ReferenceGrant, origin: tuple[str, str, str], meta: Meta) -> bool:
    """Whether a grant lets an origin reach every Service of its namespace."""
    return any(name_of(each)[:3] == origin for each in grant.origins) and any(
        (each.group, each.kind, each.name) == (meta.group, meta.kind, "") for each in grant.targets
    )


def _apart(rows: Sequence[Planned]) -> Iterator[tuple[str, str]]:
    """What each mesh makes of the new Service that it does not make of the old."""
    for row in rows:
        port = f"port {row.use.port}: " if len(rows) > 1 else ""
        for each in row.use.of_role("mesh"):
            old, new = (word_of(answer) for answer in each.alone)
            if old != new:
                told = f"{old} by the old name and {new} by the new, two protocols of one port"
                yield each.name, f"{port}{told} (AP027): keep the new one out of the mesh"
            for hazard in hazards():
                is_none = bool(hazard.unless) and row.use.calls == hazard.unless
                known = hazard.value == row.use.value and hazard.effect == "loses"
                if known and not is_none and hazard.threatens(each.name):
                    since = hazard.releases[0].partition("..")[0]
                    until = "" if hazard.holds(each.name) else f"from {since} on, "
                    yield each.name, f"{port}{until}{hazard.text}; the new one carries no grpc"
