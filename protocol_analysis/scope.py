"""Whose reference is it, and to what: lookups inside one world. Pure.

A world is one cluster, or one translator fixture; names never resolve from one to another. In a
world the same name may stand several times, in a repository of examples for instance: a
reference looks in its own file, then in its folder, then outward.
"""

from __future__ import annotations

from functools import cache
from posixpath import dirname
from typing import TYPE_CHECKING, Any

from protocol_analysis.model import GATEWAY_API, Inventory, Meta, ObjectRef, Target, name_of

if TYPE_CHECKING:
    from protocol_analysis.policies import Policy, ReferenceGrant


# What is looked up by name.
_NAMED = (
    *("services", "service_imports", "backends", "gateways", "gateway_classes", "routes"),
    *("listener_sets", "proxies", "filters"),
)
# What a route hangs on; a ListenerSet hangs on a Gateway in turn.
_HOLDERS = ("Gateway", "ListenerSet", "XListenerSet")


class Scope:
    """An inventory, indexed: the nearest object of a name, grants, policies by target."""

    def __init__(self, inventory: Inventory) -> None:
        self._namesakes: dict[tuple[str, ...], list[Any]] = {}
        for item in (item for name in _NAMED for item in getattr(inventory, name)):
            key = (item.meta.world, *name_of(item.meta))
            self._namesakes.setdefault(key, []).append(item)
        self._nearest: dict[tuple[str, ...], dict[str, list[Any]]] = {}
        self._grants: dict[tuple[str, str], list[ReferenceGrant]] = {}
        for grant in inventory.grants:
            self._grants.setdefault((grant.meta.world, grant.meta.namespace), []).append(grant)
        self._tls: dict[tuple[str, str, str], list[Policy]] = {}
        for policy in inventory.tls_policies:
            for kind, name in {(wanted.kind, wanted.name) for wanted in policy.targets}:
                self._tls.setdefault((policy.meta.world, kind, name), []).append(policy)

    def nearest(
        self, seen_from: Meta, group: str, kind: str, namespace: str, name: str
    ) -> list[Any]:
        """The objects of that name nearest to `seen_from`; several where none is nearer."""
        key = (seen_from.world, group, kind, namespace, name)
        if key not in self._nearest:  # most names are never asked for
            by_place = self._nearest[key] = {}
            for item in self._namesakes.get(key, ()):
                for place in places(item.meta.position.file):
                    by_place.setdefault(place, []).append(item)
        by_place = self._nearest[key]
        return next((by_place[p] for p in places(seen_from.position.file) if p in by_place), [])

    def controllers(self, seen_from: Meta, parent: ObjectRef) -> tuple[set[str], str]:
        """The controllerNames behind a parent of a route, or what is missing to tell."""
        name = f"{parent.kind} {parent.namespace}/{parent.name}"
        holders = self.nearest(seen_from, *name_of(parent)) if parent.kind in _HOLDERS else []
        if not holders:
            return set(), name
        found: set[str] = set()
        for holder in holders:
            if parent.kind != "Gateway":
                of_gateway, unknown = self.controllers(holder.meta, holder.parent)
                if unknown:
                    return set(), unknown
                found |= of_gateway
                continue
            classes = self.nearest(holder.meta, GATEWAY_API, "GatewayClass", "", holder.class_name)
            if not classes:
                return set(), f"{f'GatewayClass {holder.class_name}'.strip()} of {name}"
            found |= {gateway_class.controller for gateway_class in classes}
        return (set(), f"the controllerName of {name}") if "" in found else (found, "")

    def permitted(self, origin: Meta, group: str, kind: str, namespace: str, name: str) -> bool:
        """Whether `origin` may refer to it: in its own namespace, or by a ReferenceGrant."""
        if namespace == origin.namespace:
            return True
        source = (origin.group, origin.kind, origin.namespace)
        wanted = {(group, kind, ""), (group, kind, name)}
        return any(
            source in ((o.group, o.kind, o.namespace) for o in grant.origins)
            and not wanted.isdisjoint((t.group, t.kind, t.name) for t in grant.targets)
            for grant in self._grants.get((origin.world, namespace), ())
        )

    def has_tls_policy(self, target: Target, section: str) -> bool:
        """Whether a BackendTLSPolicy means this very object, at this port."""
        meta = target.meta
        for policy in self._tls.get((meta.world, meta.kind, meta.name), ()):
            nearest = self.nearest(policy.meta, *name_of(meta))
            if any(candidate.meta == meta for candidate in nearest) and any(
                self._means(policy, wanted, meta, section) for wanted in policy.targets
            ):
                return True
        return False

    def _means(self, policy: Policy, wanted: ObjectRef, meta: Meta, section: str) -> bool:
        return (
            name_of(wanted) == name_of(meta)
            and wanted.section in (None, section)
            and self.permitted(policy.meta, *name_of(meta))
        )


@cache
def places(file: str) -> list[str]:
    """Where a file stands, from near to far: itself, beside it, then under each folder outward.

    >>> places("a/b/route.yaml")
    ['a/b/route.yaml', 'a/b/', 'a/b/**', 'a/**', '**']
    """
    folder = dirname(file)
    places = [file, f"{folder}/"]
    while folder.strip("/"):
        places.append(f"{folder}/**")
        folder = dirname(folder)
    return [*places, "**"]
