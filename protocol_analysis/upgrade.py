"""An upgrade of one gateway or of many: from which release, what for, and in which order. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from protocol_analysis.compare import EFFECTS, Change, compare
from protocol_analysis.model import Inventory
from protocol_analysis.readers import reader
from protocol_analysis.reading import Cluster
from protocol_analysis.releases import RulesetError
from protocol_analysis.wiring import needs, wire

# The image of Envoy Gateway's own Deployment; a digest may follow.
_IMAGE = re.compile(r"(?:\A|/)envoyproxy/gateway(?:-dev)?(?::([\w.-]+))?(?:@.*)?\Z")
_RELEASE = re.compile(r"v[0-9]")
_URGENT = ("breaks", "changes", "no longer read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of an upgrade of many clusters. `left` counts what no edit keeps as it is."""

    number: int
    cluster: str
    action: str
    why: str
    left: int

    def as_dict(self) -> dict[str, Any]:
        """The step, as the command prints it."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A version of a kind that a release watches, and whether the CRDs at hand serve it."""

    kind: str
    version: str
    objects: int
    status: str
    source: str


def requirements(inventory: Inventory, release: str) -> list[Requirement]:
    """What a release of Envoy Gateway needs the CRDs to serve, for the kinds that are used.

    Source: https://github.com/envoyproxy/gateway/tree/v1.9.0/internal/provider/kubernetes

    >>> requirements(Inventory(), "v1.9.0")
    []
    """
    wires = wire().at(release)
    used: tuple[Any, ...] = (
        *inventory.routes,
        *inventory.tls_policies,
        *inventory.listener_sets,
        *inventory.service_imports,
    )
    counts = Counter((each.meta.group, each.meta.kind) for each in used)
    found = []
    for (group, kind), objects in sorted(counts.items()):
        if known := needs(kind, wires):
            version, row = known
            here = [d for d in inventory.definitions if (d.group, d.kind) == (group, kind)]
            served = any(version in each.served for each in here)
            status = "served" if served else "not served" if here else "no CRD here: look"
            found.append(
                Requirement(
                    kind=kind, version=version, objects=objects, status=status, source=row.source
                )
            )
    return found


def release_of(inventory: Inventory, cluster: str | None = None) -> str:
    """The release of the Envoy Gateway that is deployed by these manifests.

    Raises RulesetError where there is none, more than one, or an image that names no release;
    `cluster` is for the message.

    >>> release_of(Inventory(), "east")
    Traceback (most recent call last):
        ...
    protocol_analysis.releases.RulesetError: --from auto: no Deployment with an image of \
envoyproxy/gateway in cluster east; name the release
    """
    where = f"cluster {cluster}" if cluster else "these manifests"
    images = [image for workload in inventory.workloads for image in workload.images]
    tags = {image: match[1] or "" for image in images if (match := _IMAGE.search(image))}
    if not tags:
        raise RulesetError(
            "--from auto: no Deployment with an image of envoyproxy/gateway "
            f"in {where}; name the release"
        )
    for image, tag in sorted(tags.items()):
        if not _RELEASE.match(tag):
            raise RulesetError(
                f"--from auto: the image {image} in {where} names no release; name the release"
            )
    if len(found := set(tags.values())) > 1:
        names = ", ".join(sorted(found))
        raise RulesetError(
            f"--from auto: several releases are deployed in {where}: {names}; name one"
        )
    return found.pop()


def upgrade(
    clusters: Sequence[Cluster], end: str | None = None, via: Sequence[str] = ()
) -> list[Change]:
    """What changes in each cluster from the release that it has to another, step by step.

    >>> from protocol_analysis.reading import read
    >>> changes = upgrade(read("data/sample", "v1.8.3").clusters, "v1.9.0")
    >>> next(change for change in changes if change.effect == "breaks").causes[0].pull
    9234
    """
    return [
        change
        for cluster in clusters
        for change in compare(cluster.inventory, cluster.reader, end, via, cluster.meshes)
    ]


def upgraded(clusters: Sequence[Cluster], end: str | None = None) -> list[Cluster]:
    """The same clusters, read by another release than today's; by default the newest.

    >>> from protocol_analysis.reading import read
    >>> [cluster.release for cluster in upgraded(read("data/sample", "v1.8.3").clusters, "v1.9.0")]
    ['v1.9.0']
    """
    ends = [reader(end, cluster.implementation) for cluster in clusters]
    return [
        replace(cluster, implementation=by.implementation, release=by.release)
        for cluster, by in zip(clusters, ends, strict=True)
    ]


def summary(changes: Sequence[Change], clusters: Sequence[str | None]) -> list[dict[str, Any]]:
    """How many changes of each effect in each cluster; every cluster has a line.

    >>> summary([], ["east"])[0]["breaks"]
    0
    """
    rows = []
    for cluster in dict.fromkeys(clusters):
        own = [change for change in changes if change.before.route.cluster == cluster]
        counts = {name: sum(change.effect == name for change in own) for name in EFFECTS}
        rows.append({"cluster": cluster, **counts})
    return rows


def urgent(changes: Sequence[Change]) -> list[Change]:
    """Those that may break requests: breaks, changes, no longer read.

    >>> urgent([])
    []
    """
    return [change for change in changes if change.effect in _URGENT]


def order(changes: Sequence[Change], clusters: Sequence[str | None]) -> list[Step]:
    """Edits first, wherever they make the upgrade no change; then the clusters, safest first.

    An edit holds on both sides, so it may be made at any time before the upgrade; no step before
    the upgrade of a cluster changes what is spoken there.

    >>> order([], ["east"])[0].action
    'upgrade'
    """
    own = {
        name: [change for change in urgent(changes) if change.before.route.cluster == name]
        for name in dict.fromkeys(clusters)
    }
    left = {name: [change for change in own[name] if change.keep is None] for name in own}
    edits = {name: Counter(str(change.keep) for change in own[name] if change.keep) for name in own}
    steps = [
        (name or "", edit, f"{count} references keep their wire")
        for name, counts in edits.items()
        for edit, count in counts.items()
    ]
    found = [
        Step(number=at, cluster=cluster, action=action, why=why, left=0)
        for at, (cluster, action, why) in enumerate(steps, start=1)
    ]
    for cluster in sorted(left, key=lambda name: (len(left[name]), name or "")):
        rest = left[cluster]
        names = ", ".join(dict.fromkeys(str(change.before.route) for change in rest))
        found.append(
            Step(
                number=len(found) + 1,
                cluster=cluster or "",
                action="upgrade",
                why=f"change with it: {names}" if rest else "nothing changes with it",
                left=len(rest),
            )
        )
    return found
