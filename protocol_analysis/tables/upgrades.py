"""What an upgrade changes → tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from protocol_analysis.compare import EFFECTS, Change, way
from protocol_analysis.explain import Account
from protocol_analysis.history import Cause
from protocol_analysis.readers import reader
from protocol_analysis.reading import Cluster
from protocol_analysis.readings import readings_text, resolve, word_of
from protocol_analysis.releases import line_of
from protocol_analysis.tables.frames import frame, text
from protocol_analysis.upgrade import Step, requirements, summary

_PREFIX = "gateway.envoyproxy.io/"
CHANGE_COLUMNS = {
    "cluster": "string",
    "effect": "string",
    "transient": "bool",
    "route": "string",
    "rule": "int64",
    "backend": "string",
    "app_protocol": "string",
    "from_release": "string",
    "to_release": "string",
    "before": "string",
    "after": "string",
    "since": "string",
    "release_notes": "string",
    "keep": "string",
    "adopt": "string",
    "readings": "string",
    "referenced_at": "string",
}
UPGRADE_COLUMNS = {
    "number": "int64",
    "cluster": "string",
    "action": "string",
    "why": "string",
    "left": "int64",
}
REQUIREMENT_COLUMNS = {
    "cluster": "string",
    "kind": "string",
    "version": "string",
    "objects": "int64",
    "status": "string",
    "source": "string",
}
ACCOUNT_COLUMNS = {"step": "string", "text": "string", "source": "string"}


def change_table(changes: Sequence[Change]) -> pd.DataFrame:
    """One line per change; columns as in `CHANGE_COLUMNS`. Of several causes, all are named."""
    return frame(
        (
            (
                text(c.before.route.cluster),
                c.effect,
                c.transient,
                f"{c.before.route} {c.before.ref.site}".rstrip(),
                c.before.ref.rule,
                f"{c.before.ref.kind} {c.before.ref.namespace}/{c.before.ref.name}",
                text(c.after.app_protocol),
                c.before.release,
                c.after.release,
                word_of(c.before),
                word_of(c.after),
                _each(_since(cause) for cause in c.causes),
                _each(cause.notes for cause in c.causes),
                str(c.keep) if c.keep else "none",
                str(c.adopt) if c.adopt else "none",
                readings_text(c.readings),
                str(c.before.ref.position),
            )
            for c in changes
        ),
        CHANGE_COLUMNS,
    )


def _since(cause: Cause) -> str:
    return f"{cause.release} #{cause.pull}" if cause.pull else cause.release


def effect_table(changes: Sequence[Change], clusters: Sequence[Cluster]) -> pd.DataFrame:
    """Backend references by cluster (lines) and effect (columns); `unchanged` are all others."""
    names = [cluster.name for cluster in clusters]
    rows = {}
    for line, cluster in zip(summary(changes, names), clusters, strict=True):
        whole = cluster.reference_count
        counts = {effect: line[effect] for effect in EFFECTS}
        rest = whole - sum(counts.values())
        rows[cluster.name or "all"] = {**counts, "unchanged": rest, "total": whole}
    columns = [*EFFECTS, "unchanged", "total"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).astype("int64")


def wire_table(clusters: Sequence[Cluster], start: str, end: str | None = None) -> pd.DataFrame:
    """What is spoken in each line on the way (columns) to what does not stay the same (lines).

    A line is `kind value, route kind: references`, of all references that are alike; `eg/` is
    short for `gateway.envoyproxy.io/`.
    """
    releases = [stop.release for stop in way(reader(start), ["lines"], reader(end))]
    releases = list(dict.fromkeys(releases))
    cases: dict[tuple[str, ...], int] = {}
    for cluster in clusters:
        answers = [resolve(cluster.inventory, cluster.implementation, r) for r in releases]
        for same in zip(*answers, strict=True):
            words = tuple(map(word_of, same))
            value = text(same[-1].app_protocol).replace(_PREFIX, "eg/") or "no value"
            case = (same[0].ref.kind, value, same[0].ref.site or same[0].route.kind, *words)
            if len(set(words)) > 1:
                cases[case] = cases.get(case, 0) + 1
    rows: dict[str, tuple[str, ...]] = {}
    for case, count in sorted(cases.items()):
        kind, value, route = case[:3]
        rows[_unlike(f"{kind} {value}, {route}: {count}", rows)] = case[3:]
    columns = [line_of(release) or release for release in releases]
    if len(set(columns)) < len(columns):  # two releases of one line
        columns = releases
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns, dtype="object")


def upgrade_table(steps: Sequence[Step]) -> pd.DataFrame:
    """One line per step of an upgrade; columns as in `UPGRADE_COLUMNS`."""
    return frame(((s.number, s.cluster, s.action, s.why, s.left) for s in steps), UPGRADE_COLUMNS)


def requirement_table(clusters: Sequence[Cluster], end: str | None = None) -> pd.DataFrame:
    """What a release needs the CRDs of each cluster to serve, for the kinds that are used there."""
    release = reader(end).release
    return frame(
        (
            (text(cluster.name), r.kind, r.version, r.objects, r.status, r.source)
            for cluster in clusters
            for r in requirements(cluster.inventory, release)
        ),
        REQUIREMENT_COLUMNS,
    )


def account_table(accounts: Sequence[Account], most: int = 1) -> pd.DataFrame:
    """The claims of the first accounts, in order; columns as in `ACCOUNT_COLUMNS`."""
    claims = (claim for account in accounts[:most] for claim in account.claims)
    return frame(((c.step, c.text, c.source) for c in claims), ACCOUNT_COLUMNS)


def _unlike(name: str, rows: dict[str, Any]) -> str:
    """A name that is not taken yet."""
    number, free = 1, name
    while free in rows:
        number += 1
        free = f"{name} ({number})"
    return free


def _each(words: Any) -> str:
    return ", ".join(dict.fromkeys(words))
