"""Services that are mirrored rather than imported: Linkerd's, by their labels. Pure.

A Service with the label `mirror.linkerd.io/exported` is mirrored into clusters that are linked to
its own, as a Service `NAME-CLUSTER` there, and no two exports are ever merged: each is a name of
its own, whose oldest export is its only one. The mirror takes the place of the import.
Source: https://github.com/linkerd/linkerd2/blob/b24cd4059841f8cee2fb7a9c2ac23a693c583579/\
multicluster/service-mirror/cluster_watcher.go#L904-L917
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from protocol_analysis.model import Service
from protocol_analysis.multicluster.exporting import (
    Export,
    Import,
    Name,
    Shared,
    one_of,
    shared,
    together,
)
from protocol_analysis.reading import Cluster

MIRRORS = "mirror.linkerd.io"  # takes the place of an API group: these objects have labels alone
_EXPORTED, _MIRROR, _FROM, _OF_HEADLESS = (
    f"{MIRRORS}/{name}"
    for name in ("exported", "mirrored-service", "cluster-name", "headless-mirror-svc-name")
)


def across_clusters(clusters: Iterable[Cluster]) -> list[Shared]:
    """Every name that is exported, imported or mirrored, in order of the names.

    >>> across_clusters([])
    []
    """
    known = list(clusters)
    return sorted((*shared(known), *mirrored(known)), key=lambda each: each.name)


def mirrored(clusters: Iterable[Cluster]) -> list[Shared]:
    """The mirrors and what they mirror, by the name of the mirror.

    >>> mirrored([])
    []
    """
    exports: dict[Name, list[Export]] = {}
    mirrors: dict[tuple[Name, str], list[Import]] = {}
    for cluster in clusters:
        name = cluster.name or ""
        for services in _by_name(cluster, _EXPORTED):
            service, namesakes = one_of(services)
            if service:
                export = Export(
                    cluster=name, meta=service.meta, service=service, namesakes=namesakes
                )
                key = (service.meta.namespace, f"{service.meta.name}-{name}", MIRRORS)
                exports.setdefault(key, []).append(export)
        for services in _by_name(cluster, _MIRROR):
            service, namesakes = one_of(services)
            if service:
                key = (service.meta.namespace, service.meta.name, MIRRORS)
                each = Import(cluster=name, service=service, namesakes=namesakes)
                mirrors.setdefault((key, source_of(service)), []).append(each)
    # A Service that nobody has mirrored yet is nothing to compare.
    found = []
    for (key, source), imports in sorted(mirrors.items()):
        # `a-b` of a cluster `c`, and `a` of `b-c`, have mirrors of one name.
        own = [each for each in exports.get(key, ()) if source == each.cluster]
        found += together({key: own} if own else {}, {key: imports})
    return found


def source_of(mirror: Service) -> str:
    """The cluster that a mirror says it comes from; "" where it does not."""
    return dict(mirror.meta.labels).get(_FROM, "")


def _by_name(cluster: Cluster, label: str) -> Iterator[list[Service]]:
    found: dict[tuple[str, str], list[Service]] = {}
    for service in cluster.inventory.services:
        labels = dict(service.meta.labels)
        if service.meta.world == (cluster.name or "") and label in labels:
            if label == _EXPORTED and (labels[label] == "false" or _MIRROR in labels):
                continue
            # Of a federated Service no cluster is named; an endpoint's is part of another mirror.
            if label == _MIRROR and (_FROM not in labels or _OF_HEADLESS in labels):
                continue
            found.setdefault((service.meta.namespace, service.meta.name), []).append(service)
    yield from found.values()
