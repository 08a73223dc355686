"""What was said to a plan and changed nothing, since nothing here is meant by it. Pure.

A namespace, a Service or a word that is written wrongly would otherwise pass in silence: the plan
would begin elsewhere, or ask again whether calls stream.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from protocol_analysis.model import Service
from protocol_analysis.reading import Cluster
from protocol_analysis.rollout.calls import WORDS
from protocol_analysis.rollout.deciding import Planned
from protocol_analysis.workloads import CALLS

_MOST_NAMED = 5  # names that a warning offers
_MOST_SHOWN = 80


def unheard(
    clusters: Sequence[Cluster],
    rows: Sequence[Planned],
    calls: Mapping[str, str],
    canary: Collection[str],
) -> list[str]:
    """A sentence for each canary, line of a file of calls, and annotation that says nothing.

    >>> from protocol_analysis.reading import read
    >>> from protocol_analysis.rollout.planning import planned
    >>> clusters = read("data/sample/east/catalog.yaml").clusters
    >>> for text in unheard(clusters, planned(clusters).rows, {"a/b": "unary"}, ["cataloge"]):
    ...     print(text)
    --canary cataloge: nothing is to be done in a namespace of that name; there is catalog
    --calls: no Service is called a/b here
    """
    services = [
        service
        for cluster in clusters
        for service in (*cluster.inventory.services, *cluster.inventory.service_imports)
    ]
    return [
        *_canaries(rows, canary),
        *_calls(services, calls),
        *_annotations(services),
    ]


def _canaries(rows: Sequence[Planned], canary: Collection[str]) -> Iterator[str]:
    namespaces = sorted({row.use.target.namespace for row in rows if row.open})
    for name in dict.fromkeys(canary):
        if name not in namespaces:
            there = f"; there is {_offered(namespaces)}" if namespaces else ", nor in any other"
            told = f"nothing is to be done in a namespace of that name{there}"
            yield f"--canary {name[:_MOST_SHOWN]}: {told}"


def _calls(services: Iterable[Service], calls: Mapping[str, str]) -> Iterator[str]:
    names = {f"{each.meta.namespace}/{each.meta.name}" for each in services}
    for name in calls:
        if name not in names:
            yield f"--calls: no Service is called {name[:_MOST_SHOWN]} here"


def _annotations(services: Iterable[Service]) -> Iterator[str]:
    for each in services:
        word = dict(each.meta.annotations).get(CALLS)
        if word is not None and word not in WORDS:
            told = f"{CALLS}: {word[:_MOST_SHOWN]!r} says nothing; write {' or '.join(WORDS)}"
            yield f"{each.meta.position}: {each.meta}: {told}"


def _offered(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
