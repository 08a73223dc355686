"""A Service for the gateway alone, beside one that a mesh reads: the manifest, and what it costs.

Not a second port on the Service of the mesh: that is one port of the pods under two names, which a
mesh's inbound side reads as the first of them (finding AP027). The new Service selects the same
pods, so the same is looked for once it stands beside the old one. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from protocol_analysis.coverage import coverage
from protocol_analysis.model import Inventory, Service, ServicePort
from protocol_analysis.readings import word_of
from protocol_analysis.rollout.deciding import Planned
from protocol_analysis.rollout.facts import INSTEAD
from protocol_analysis.rollout.planning import Plan
from protocol_analysis.workloads import Exposure

_SUFFIX = "-gateway"
_LONGEST = 63  # a name of a Service is a DNS label


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The Service to add, and how each mesh reads the same port of the pods by both names.

    `differs` are the meshes to which they are two protocols.
    """

    manifest: dict[str, Any]
    readings: tuple[tuple[str, str, str], ...]

    @property
    def differs(self) -> tuple[str, ...]:
        """The meshes that read the two Services otherwise."""
        return tuple(mesh for mesh, old, new in self.readings if old != new)

    @property
    def text(self) -> str:
        """The manifest, as YAML."""
        text: str = yaml.safe_dump(self.manifest, sort_keys=False)
        return text


def split(inventory: Inventory, row: Planned, meshes: Sequence[str] = ()) -> Split | None:
    """The Service for the gateway; None for what has no Service or no selector at hand.

    `meshes` are those that read the old one: by default those that the plan's row has.

    >>> from protocol_analysis.manifests import load
    >>> from protocol_analysis.rollout.planning import plan
    >>> inventory = load("data/sample/east/catalog.yaml")
    >>> found = split(inventory, plan(inventory)[0], ["istio"])
    >>> found.manifest["metadata"]["name"], found.manifest["spec"]["ports"][0]["appProtocol"]
    ('catalog-gateway', 'kubernetes.io/h2c')
    >>> found.differs
    ()
    """
    use = row.use
    exposure = next(
        (e for e in inventory.exposures if isinstance(e, Exposure) and e.meta == use.target), None
    )
    if use.service is None or exposure is None or not exposure.selector:
        return None
    at, port = next((n, p) for n, p in enumerate(use.service.ports) if p.number == use.port)
    target = exposure.targets[at] if at < len(exposure.targets) else None
    meta = replace(use.target, name=f"{use.target.name[: _LONGEST - len(_SUFFIX)]}{_SUFFIX}")
    own = Service(meta=meta, ports=(replace(port, app_protocol=INSTEAD),))
    names = meshes or [each.name for each in use.of_role("mesh")]
    return Split(
        manifest=_manifest(own, exposure, target),
        readings=tuple(_readings(inventory, use.service, port, own, names)),
    )


def splits(found: Plan) -> list[tuple[Planned, Split | None]]:
    """Every row of a plan that needs such a Service, with it.

    >>> from protocol_analysis.reading import read
    >>> from protocol_analysis.rollout.planning import planned
    >>> [str(row.use) for row, _ in splits(planned(read("data/sample/west").clusters))]
    ['Service checkout/baskets:8080']
    """
    inventories = {cluster.name or "": cluster.inventory for cluster in found.clusters}
    return [
        (row, split(inventories[row.use.cluster], row, found.meshes))
        for row in found.of("gateway-only Service")
    ]


def split_text(found: Plan) -> str:
    """All of these Services as YAML, to be read and applied.

    >>> from protocol_analysis.reading import read
    >>> from protocol_analysis.rollout.planning import planned
    >>> print(split_text(planned(read("data/sample/west").clusters)).splitlines()[3])
      name: baskets-gateway
    """
    return "---\n".join(made.text for _, made in splits(found) if made)


def _manifest(own: Service, exposure: Exposure, target: int | str | None) -> dict[str, Any]:
    port = own.ports[0]
    written: dict[str, Any] = {"name": port.name} if port.name else {}
    written |= {"port": port.number, "targetPort": target or port.number, "appProtocol": INSTEAD}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": own.meta.name, "namespace": own.meta.namespace},
        "spec": {"selector": dict(exposure.selector), "ports": [written]},
    }


def _readings(
    inventory: Inventory, old: Service, port: ServicePort, new: Service, meshes: Sequence[str]
) -> list[tuple[str, str, str]]:
    """What each mesh makes of both, once they stand beside each other."""
    both = replace(inventory, services=(*inventory.services, new))
    said: dict[str, list[str]] = {mesh: [] for mesh in meshes}
    for row in coverage(both, meshes=list(meshes)):
        if row.meta in (old.meta, new.meta) and row.port == port.number:
            for mesh, reading in zip(meshes, row.readings[-len(meshes) :], strict=False):
                said[mesh].append(word_of(reading))
    return [(mesh, words[0], words[-1]) for mesh, words in said.items() if words]
