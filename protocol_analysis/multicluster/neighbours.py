"""What is written for one backend, and turns another in the same rule of a route. Pure.

An Envoy cluster has one protocol, and a rule is one Envoy cluster: a backend that says HTTP/2
turns its plain neighbours, which are no side of its port. `findings` tells of such rules as they
are; here it is asked what a write would make of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from protocol_analysis.model import Route, name_of
from protocol_analysis.multicluster.steps import Write, written
from protocol_analysis.readers import Reader
from protocol_analysis.reading import Cluster
from protocol_analysis.readings import resolve, word_of
from protocol_analysis.resolution import Resolution

_Name = tuple[str, str, str, str]  # of an object: API group, kind, namespace, name


class Neighbours:
    """The rules of a cluster's routes in which several objects are the backends.

    >>> from protocol_analysis.reading import read
    >>> (east,) = read({"east": "data/sample/east"}).clusters
    >>> sorted(name for *_, name in Neighbours(east).sharing)[:2]
    ['chat', 'chat-next']
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.sharing: dict[_Name, dict[Route, None]] = {}
        for route in cluster.inventory.routes:
            for names in _rules(route):
                for name in names if len(names) > 1 else ():
                    self.sharing.setdefault(name, {})[route] = None

    def turned(
        self, taken: Sequence[Write], writes: Sequence[Write], readers: Sequence[Reader]
    ) -> Iterator[tuple[Resolution, Resolution]]:
        """The references that a step turns beside those that it writes for: now and then.

        `taken` was written before, `writes` is then; all of this cluster. `readers` are who reads
        it now and then: another one turns whatever it does.
        """
        names = {name_of(meta) for _, meta, *_ in writes}
        routes = dict.fromkeys(
            r for name in names or self.sharing for r in self.sharing.get(name, ())
        )
        if not routes:
            return
        now = written(replace(self.cluster.inventory, routes=tuple(routes), referrers=()), taken)
        spoken = (
            resolve(each, by.implementation, by.release)
            for each, by in zip((now, written(now, writes)), readers, strict=True)
        )
        for before, after in zip(*spoken, strict=True):
            if word_of(before) != word_of(after) and name_of(before.ref) not in names:
                yield before, after


def _rules(route: Route) -> Iterator[set[_Name]]:
    """The names of the backends of each rule."""
    found: dict[int, set[_Name]] = {}
    for ref in route.refs:
        found.setdefault(ref.rule, set()).add(name_of(ref))
    yield from found.values()
