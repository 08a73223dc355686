"""What a plan claims, tried anew: by resolving the manifests as they would be after it. Pure.

Decisions are made port by port; here every backend reference is resolved before and after, with
all that stands around it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from protocol_analysis.edits import with_value
from protocol_analysis.model import Inventory
from protocol_analysis.multicluster.telling import prefixes
from protocol_analysis.readers import Reader
from protocol_analysis.reading import Cluster
from protocol_analysis.readings import word_of
from protocol_analysis.rollout.census import class_of, later_of, rank, spoken
from protocol_analysis.rollout.deciding import WRITTEN, Planned
from protocol_analysis.rollout.planning import Plan
from protocol_analysis.rollout.waves import steps_of
from protocol_analysis.speaking import rules_of, speak


def each_use_once(found: Plan) -> bool:
    """Whether the rows are the ports that declare such a value, each once.

    >>> from protocol_analysis.reading import read
    >>> from protocol_analysis.rollout.planning import planned
    >>> each_use_once(planned(read("data/sample").clusters))
    True
    """
    wanted = Counter(
        (cluster.name or "", service.meta, port.number)
        for cluster in found.clusters
        for service in (*cluster.inventory.services, *cluster.inventory.service_imports)
        for port in service.ports
        if class_of(port.app_protocol)
    )
    rows = [row for row in found.rows if row.use.target.kind != "Backend"]
    return Counter((r.use.cluster, r.use.target, r.use.port) for r in rows) == wanted


def differing(found: Plan) -> list[str]:
    """The references that a step called neutral would have spoken to otherwise: there are none.

    All neutral rewrites of a cluster are made at once. Each is resolved by the release of its
    cluster, and by every later one that is asked about and reads all of them as before.

    >>> from protocol_analysis.reading import read
    >>> from protocol_analysis.rollout.planning import planned
    >>> differing(planned(read("data/sample").clusters))
    []
    """
    wrong = []
    for cluster in found.clusters:
        neutral = [row for row in _rewritten(found, cluster) if row.effect == "neutral"]
        after = _after(cluster.inventory, neutral)
        for by in _named_by(neutral, cluster):
            pairs = zip(
                speak(cluster.inventory, *rules_of(by)), speak(after, *rules_of(by)), strict=True
            )
            wrong += [
                f"{old.route}: {by} speaks {word_of(new)}, not {word_of(old)}"
                for old, new in pairs
                if spoken(old) != spoken(new)
            ]
    return wrong


def unkept(found: Plan) -> list[str]:
    """The references that speak less at the last release asked about though the plan was done.

    Of those that mean a port whose value the plan changes: there are none. What stays for a mesh or
    gets a route or a Service of its own is not among them.

    >>> from protocol_analysis.reading import read
    >>> from protocol_analysis.rollout.planning import planned
    >>> unkept(planned(read("data/sample").clusters))
    []
    """
    wrong = []
    for cluster in found.clusters:
        rows = _rewritten(found, cluster)
        written = {(row.use.target, row.use.port) for row in rows}
        after = _after(cluster.inventory, rows)
        for by in list(later_of(cluster.own, found.later))[-1:]:
            pairs = zip(
                speak(cluster.inventory, *rules_of(cluster.own)),
                speak(after, *rules_of(by)),
                strict=True,
            )
            wrong += [
                f"{old.route}: {by} speaks {word_of(new)}, not {word_of(old)}"
                for old, new in pairs
                if (old.target, old.ref.port) in written and rank(new) < rank(old)
            ]
    return wrong


def parted(found: Plan) -> list[int]:
    """How many pairs of exports and imports differ at first and after each wave.

    >>> from protocol_analysis.reading import read
    >>> from protocol_analysis.rollout.planning import planned
    >>> parted(planned(read("data/sample/east/catalog.yaml").clusters))
    [0, 0]
    """
    steps = steps_of(found.clusters, found.waves)
    return prefixes(found.clusters, steps, most=len(steps))


def _rewritten(found: Plan, cluster: Cluster) -> list[Planned]:
    """The rows of a cluster whose value a plan changes."""
    here = cluster.name or ""
    return [r for r in found.rows if r.use.cluster == here and r.decision in WRITTEN]


def _after(inventory: Inventory, rows: Sequence[Planned]) -> Inventory:
    """The manifests with all of these values written."""
    for row in rows:
        inventory = with_value(inventory, row.use.target, row.use.port, row.value)
    return inventory


def _named_by(rows: Sequence[Planned], cluster: Cluster) -> list[Reader]:
    """The gateways to which every one of these rows is said to be neutral."""
    said: dict[Reader, set[str]] = {cluster.own: {"neutral"}}
    for row in rows:
        for each in row.use.of_role("gateway"):
            said.setdefault(each.reader, set()).add(each.effect)
    return [reader for reader, effects in said.items() if effects == {"neutral"}]
