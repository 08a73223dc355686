"""What references are spoken once values are written and gateways upgraded, rule and all. Pure.

Alone a port is heard as such; in a rule with others, or by a policy, a reference may be spoken
something else: an Envoy cluster has one protocol, and a rule is one Envoy cluster. Where that is so
in any cluster, the references of all clusters are resolved anew.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from protocol_analysis.model import Inventory, Meta, Route, name_of
from protocol_analysis.multicluster.hearing import Ear, Way
from protocol_analysis.multicluster.sides import Across, Side
from protocol_analysis.multicluster.steps import Now, Write, written
from protocol_analysis.readers import Reader
from protocol_analysis.readings import resolve, word_of
from protocol_analysis.resolution import Resolution

_Name = tuple[str, str, str, str]  # of an object: API group, kind, namespace, name
Led = list[tuple[Side, Way, str]]  # a reference: the side, by which way it leads there, the word


class References:
    """All clusters, asked about their references as they will be.

    >>> from protocol_analysis.multicluster.hearing import ears
    >>> from protocol_analysis.reading import read
    >>> found = References(ears(read({"east": "data/sample/east"}).clusters))
    >>> sorted(name for *_, name in found.sharing["east"])[:2]
    ['chat', 'chat-next']
    """

    def __init__(self, ears: Mapping[str, Ear]) -> None:
        self.ears = ears
        self._resolved: dict[tuple[object, ...], list[Resolution]] = {}
        self.sharing: dict[str, dict[_Name, set[Meta]]] = {}
        for cluster, ear in ears.items():
            found = self.sharing.setdefault(cluster, {})
            for route in ear.cluster.inventory.routes:
                for names in _rules(route):
                    for name in names if len(names) > 1 else ():
                        found.setdefault(name, set()).add(route.meta)

    def unusual(self, port: Across) -> bool:
        """Whether any reference to a side may be spoken otherwise than that alone, now or later.

        It has neighbours, or its cluster has policies, or it is spoken otherwise as it is.
        """
        for side in port.sides:
            ear, sharing = self.ears[side.cluster], self.sharing[side.cluster]
            for answer in ear.leading(side.service, side.port):
                alone = ear.hear(side.service, side.port, way=ear.way(answer))
                if _has_policies(ear.cluster.inventory) or word_of(answer) != word_of(alone):
                    return True
                if answer.route in sharing.get(name_of(answer.ref), ()):
                    return True
        return False

    def to_sides(self, port: Across, now: Now) -> Led:
        """What each reference to a side is spoken, in the same order whatever is written."""
        found: Led = []
        for side in port.sides:
            ear = self.ears[side.cluster]
            leading = ear.leading(side.service, side.port)
            ways = {(each.route, each.ref): ear.way(each) for each in leading}
            routes = {route for route, _ in ways}
            if not ways:
                continue
            writes, by = now.writes(side.cluster), now.readers[side.cluster]
            for each in self._spoken(ear, routes, writes, by):
                if way := ways.get((each.route, each.ref)):
                    found.append((side, way, word_of(each)))
        return found

    def beside(
        self, cluster: str, now: Now, then: Now, writes: Sequence[Write]
    ) -> Iterator[tuple[Resolution, Resolution]]:
        """The references of a cluster that writes turn beside those that they are for."""
        names = {name_of(meta) for _, meta, *_ in writes}
        sharing, ear = self.sharing[cluster], self.ears[cluster]
        routes = {route for name in names for route in sharing.get(name, ())}
        if not routes:
            return
        spoken = (
            self._spoken(ear, routes, at.writes(cluster), at.readers[cluster]) for at in (now, then)
        )
        for before, after in zip(*spoken, strict=True):
            if word_of(before) != word_of(after) and name_of(before.ref) not in names:
                yield before, after

    def _spoken(
        self, ear: Ear, routes: Iterable[Meta], writes: Sequence[Write], by: Reader
    ) -> list[Resolution]:
        """Some routes of a cluster resolved; kept, since most steps change little of it."""
        whole, wanted = ear.cluster.inventory, frozenset(routes)
        led = tuple(each for each in whole.routes if each.meta in wanted)
        others = tuple(each for each in whole.referrers if each.meta in wanted)
        spaces = {ref.namespace for route in (*led, *others) for ref in route.refs}
        near = tuple(write for write in writes if write[1].namespace in spaces)
        key = (ear.cluster.name, by, wanted, near)
        if key not in self._resolved:
            changed = written(replace(whole, routes=led, referrers=others), near)
            self._resolved[key] = resolve(changed, by.implementation, by.release)
        return self._resolved[key]


def _has_policies(whole: Inventory) -> bool:
    """Whether anything in a cluster may say more of what is spoken than ports do."""
    policies = (whole.traffic_policies, whole.client_policies, whole.patch_policies)
    return any((*policies, whole.filters, whole.proxies))


def kind_of(way: Way) -> tuple[str, str, str]:
    """By what two ways are the same in different clusters.

    >>> kind_of(Way(route="GRPCRoute"))
    ('GRPCRoute', '', '')
    """
    return (way.route, way.site, way.by.implementation if way.by else "")


def parted(found: Iterable[tuple[Hashable, Side, str, str]]) -> str:
    """The first two that were spoken alike and are not any more, in words; or "".

    Of each what it is compared by, the side, and what is spoken now and then.

    >>> parted([])
    ''
    """
    first: dict[tuple[Hashable, str], tuple[Side, str]] = {}
    for by, side, old, new in found:
        one, word = first.setdefault((by, old), (side, new))
        if word != new:
            return f"{one} {word}, {side} {new}"
    return ""


def _rules(route: Route) -> Iterator[set[_Name]]:
    """The names of the backends of each rule."""
    found: dict[int, set[_Name]] = {}
    for ref in route.refs:
        found.setdefault(ref.rule, set()).add(name_of(ref))
    yield from found.values()
