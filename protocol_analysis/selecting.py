"""The pods behind a Service: those that its selector means, the nearest of them. Pure.

A repository of examples has the same labels many times: as everywhere names are looked up, what
stands nearest to the Service is meant.
"""

from __future__ import annotations

from collections.abc import Iterable

from protocol_analysis.model import Inventory, Meta
from protocol_analysis.scope import places
from protocol_analysis.workloads import Exposure, Workload


class Selecting:
    """An inventory, asked which pods its Services lead to."""

    def __init__(self, inventory: Inventory) -> None:
        # By each of their labels: most of a namespace's pods are another Service's.
        self._pods: dict[tuple[str, ...], list[Workload]] = {}
        for pods in inventory.workloads:
            for label in set(pods.labels):
                key = (pods.meta.world, pods.meta.namespace, *label)
                self._pods.setdefault(key, []).append(pods)
        exposures = (e for e in inventory.exposures if isinstance(e, Exposure))
        self._exposures = {each.meta: each for each in exposures}
        # Of a thousand Services with one selector the pods are looked for once.
        self._found: dict[tuple[object, ...], list[Workload]] = {}

    def pods(self, service: Meta) -> list[Workload]:
        """The pods of a Service; none where it selects none, or they are not at hand.

        >>> from protocol_analysis.manifests import load
        >>> inventory = load("data/sample/east")
        >>> cart = next(s.meta for s in inventory.services if s.meta.name == "stock-levels")
        >>> [str(pods.meta) for pods in Selecting(inventory).pods(cart)]
        ['Deployment catalog/stock-levels']
        """
        exposure = self._exposures.get(service)
        selector = frozenset(exposure.selector if exposure else ())
        asked = (service.world, service.namespace, selector, service.position.file)
        if asked not in self._found:
            self._found[asked] = self._selected(service, selector)
        return self._found[asked]

    def _selected(self, service: Meta, selector: frozenset[tuple[str, str]]) -> list[Workload]:
        keys = ((service.world, service.namespace, *label) for label in selector)
        fewest = min((self._pods.get(key, []) for key in keys), key=len, default=[])
        selected = [pods for pods in fewest if selector <= set(pods.labels)]
        metas = set(nearest(service, [pods.meta for pods in selected]))
        return [pods for pods in selected if pods.meta in metas]

    def target(self, service: Meta, number: int) -> int | str | None:
        """The targetPort of a Service's port, by the port's place in the list; None without one."""
        exposure = self._exposures.get(service)
        targets = exposure.targets if exposure else ()
        return targets[number] if number < len(targets) else None


def nearest(seen_from: Meta, metas: Iterable[Meta]) -> list[Meta]:
    """Those of some objects that stand nearest to another.

    >>> from protocol_analysis.model import Position
    >>> def at(file): return Meta(group="", kind="Pod", namespace="", name=file, position=Position(
    ...     file=file, document=1, line=1, column=1))
    >>> [each.name for each in nearest(at("a/x.yaml"), [at("a/y.yaml"), at("b/y.yaml")])]
    ['a/y.yaml']
    """
    metas = list(metas)
    for place in places(seen_from.position.file) if metas else ():
        if near := [meta for meta in metas if place in places(meta.position.file)]:
            return near
    return []
