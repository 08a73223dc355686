"""Changes and references picked out for a story: what matters, what surprises, what stays. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from protocol_analysis.compare import Change, Key, editor_of, key_of
from protocol_analysis.edits import Editor, facts
from protocol_analysis.model import ROUTE_KINDS
from protocol_analysis.reading import Cluster
from protocol_analysis.readings import who
from protocol_analysis.resolution import Resolution

Told = TypeVar("Told", Change, Resolution)


def unexplained(changes: Sequence[Change]) -> list[Change]:
    """Those between releases of one implementation for which no row began or ended."""
    return [
        change
        for change in changes
        if not change.causes and change.before.implementation == change.after.implementation
    ]


def transients(steps: Sequence[Change]) -> list[Change]:
    """Those that come and go on the way."""
    return [change for change in steps if change.transient]


def mixed_rules(told: Sequence[Told]) -> list[Told]:
    """Those where a neighbour in the rule decides what is spoken, on either side."""
    return _because(told, "neighbour")


def proxy_protocol(told: Sequence[Told]) -> list[Told]:
    """Those whose protocol options are dropped because of proxyProtocol, on either side."""
    return _because(told, "dropped-by-proxy-protocol")


def outside_routes(told: Sequence[Told]) -> list[Told]:
    """Those that the gateway itself calls: for authorisation, for telemetry."""
    return [each for each in told if _sides(each)[0].route.kind not in ROUTE_KINDS]


def afterwards(changes: Sequence[Change]) -> list[Resolution]:
    """What each reference is spoken to in the end."""
    return [change.after for change in changes]


def composed(steps: Sequence[Change], changes: Sequence[Change]) -> bool:
    """Whether the steps taken together are the changes from end to end.

    >>> composed([], [])
    True
    """
    first: dict[Key, Resolution] = {}
    last: dict[Key, Resolution] = {}
    for step in steps:
        first.setdefault(key_of(step.before), step.before)
        last[key_of(step.after)] = step.after
    whole = {key: (facts(first[key]), facts(last[key])) for key in first}
    ends = {key_of(c.before): (facts(c.before), facts(c.after)) for c in changes}
    return ends == {key: both for key, both in whole.items() if both[0] != both[1]}


def not_kept(clusters: Sequence[Cluster], changes: Sequence[Change]) -> list[Change]:
    """Those that are still a change after one of their edits, or for a mesh: there should be none.

    >>> not_kept([], [])
    []
    """
    named = {cluster.name: cluster for cluster in clusters}
    editors: dict[Any, Editor] = {}
    found = []
    for change in changes:
        place = (change.before.route.cluster, who(change.before), who(change.after))
        if place not in editors:
            cluster = named[place[0]]
            editors[place] = editor_of(cluster.inventory, *place[1:], cluster.meshes)
        edits = filter(None, (change.keep, change.adopt))
        if not all(editors[place].holds(edit, change.before) for edit in edits):
            found.append(change)
    return found


def _because(told: Sequence[Told], row: str) -> list[Told]:
    return [each for each in told if any(s.has_reason(row) for s in _sides(each))]


def _sides(told: Change | Resolution) -> tuple[Resolution, ...]:
    return (told.before, told.after) if isinstance(told, Change) else (told,)
