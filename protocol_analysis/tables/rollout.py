"""A plan as DataFrames: uses, readers, decisions, waves, floors, what is left without whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import pandas as pd

from protocol_analysis.model import BACKEND_GROUPS
from protocol_analysis.proposals import Proposal
from protocol_analysis.readings import word_of
from protocol_analysis.rollout.census import CLASSES, EFFECTS
from protocol_analysis.rollout.deciding import DECISIONS, Planned
from protocol_analysis.rollout.document import supports
from protocol_analysis.rollout.facts import never
from protocol_analysis.rollout.floors import floors, heard
from protocol_analysis.rollout.planning import Plan
from protocol_analysis.rollout.splitting import splits
from protocol_analysis.rollout.waves import watched
from protocol_analysis.tables.frames import frame

PLAN_COLUMNS = {
    "cluster": "string",
    "kind": "string",
    "namespace": "string",
    "name": "string",
    "port": "Int64",
    "app_protocol": "string",
    "declared_as": "string",
    "owner": "string",
    "routes": "int64",
    "meshes": "string",
    "calls": "string",
    "decision": "string",
    "wave": "Int64",
    "effect": "string",
    "why": "string",
    "needed": "string",
    "losses": "string",
    "ask": "string",
    "position": "string",
}
CONSUMER_COLUMNS = {
    "use": "string",
    "consumer": "string",
    "role": "string",
    "told_by": "string",
    "way": "string",
    "later": "bool",
    "before": "string",
    "after": "string",
    "effect": "string",
    "loss": "string",
}
WAVE_COLUMNS = {
    "wave": "int64",
    "name": "string",
    "uses": "int64",
    "namespaces": "string",
    "gate": "string",
    "steps": "string",
    "rollback": "string",
    "source": "string",
}
WATCH_COLUMNS = {"number": "string", "of": "string", "hold": "string", "source": "string"}
FLOOR_COLUMNS = {
    "consumer": "string",
    "kind": "string",
    "since": "string",
    "grpc": "string",
    "h2c": "string",
    "verified": "bool",
    "text": "string",
    "source": "string",
}
NEVER_COLUMNS = {"value": "string", "text": "string", "source": "string"}
PLAN_SUPPORT_COLUMNS = {
    "cluster": "string",
    "reader": "string",
    "ends": "string",
    "state": "string",
}
REMAINING_COLUMNS = {"uses": "int64", "references": "int64"}
SPLIT_COLUMNS = {"use": "string", "service": "string", "differs": "string", "note": "string"}
WILD_EFFECT_COLUMNS = {
    "proposal": "string",
    "release": "string",
    "kind": "string",
    "repositories": "int64",
    "occurrences": "int64",
    "of_which_fixtures": "int64",
}


def plan_table(rows: Sequence[Planned]) -> pd.DataFrame:
    """One line per use; `PLAN_COLUMNS`.

    >>> from protocol_analysis.manifests import load
    >>> from protocol_analysis.rollout.planning import plan
    >>> plan_table(plan(load("data/sample/east/catalog.yaml")))["decision"].tolist()
    ['rewrite']
    """
    return frame(
        (
            (
                row.use.cluster,
                row.use.target.kind,
                row.use.target.namespace,
                row.use.target.name,
                row.use.port,
                row.use.value,
                row.use.declared_as,
                row.use.owner.name if row.use.owner else "",
                len(row.use.routes),
                ", ".join(each.name for each in row.use.of_role("mesh")),
                row.use.calls,
                row.decision,
                row.wave,
                row.effect,
                row.why,
                row.needed,
                "; ".join(row.losses),
                row.ask,
                str(row.use.position),
            )
            for row in rows
        ),
        PLAN_COLUMNS,
    )


def consumer_table(rows: Sequence[Planned]) -> pd.DataFrame:
    """One line per use of `grpc` and reader of it; `CONSUMER_COLUMNS`.

    >>> consumer_table([]).columns.tolist()[:3]
    ['use', 'consumer', 'role']
    """
    return frame(
        (
            (
                str(row.use),
                each.name,
                each.role,
                each.told_by,
                each.way,
                each.later,
                word_of(each.before),
                word_of(each.after),
                each.effect,
                each.loss,
            )
            for row in rows
            for each in row.use.consumers
        ),
        CONSUMER_COLUMNS,
    )


def effect_matrix(rows: Sequence[Planned]) -> pd.DataFrame:
    """What a rewrite does, use by use, to each who reads today; "" where one does not read a port.

    The worst, where one reads it in several ways. The index is `kind namespace/name:port`, with its
    cluster where there are several.

    >>> effect_matrix([]).empty
    True
    """
    cells: dict[str, dict[str, str]] = {}
    for row in rows:
        for each in row.use.consumers:
            if not each.later:
                own = cells.setdefault(str(row.use), {})
                known = own.get(each.name, EFFECTS[-1])
                own[each.name] = min(known, each.effect, key=EFFECTS.index)
    names = dict.fromkeys(name for line in cells.values() for name in line)
    found = pd.DataFrame.from_dict(cells, orient="index", columns=list(names), dtype="object")
    found = found.fillna("") if len(names) else pd.DataFrame(index=list(cells))
    return found.astype("string")


def class_of_use_table(rows: Sequence[Planned]) -> pd.DataFrame:
    """How many uses of each class there are on each kind, and in all.

    >>> class_of_use_table([])["total"].tolist()
    [0, 0, 0]
    """
    return _counted(rows, CLASSES, lambda row: row.use.declared_as)


def decision_table(rows: Sequence[Planned]) -> pd.DataFrame:
    """How many uses of each kind have each decision that any has, and in all.

    >>> decision_table([]).columns.tolist()
    ['Service', 'ServiceImport', 'Backend', 'total']
    """
    found = _counted(rows, DECISIONS, lambda row: row.decision)
    return found[found["total"] > 0]


def wave_table(found: Plan) -> pd.DataFrame:
    """One line per wave; `WAVE_COLUMNS`."""
    return frame(
        (
            (
                wave.number,
                wave.name,
                len(wave.planned),
                ", ".join(wave.namespaces),
                wave.gate,
                wave.steps,
                wave.rollback,
                wave.source,
            )
            for wave in found.waves
        ),
        WAVE_COLUMNS,
    )


def watch_table() -> pd.DataFrame:
    """What to watch in every wave, and when to hold; `WATCH_COLUMNS`."""
    return frame(((w.number, w.of, w.hold, w.source) for w in watched()), WATCH_COLUMNS)


def floor_table() -> pd.DataFrame:
    """From which release on each consumer reads the standard name; `FLOOR_COLUMNS`.

    >>> floor_table().query("consumer == 'envoy-gateway'")["since"].tolist()
    ['v0.6.0', 'v1.4.0']
    """
    return frame(
        (
            (f.consumer, f.kind, f.since, f.speaks, f.instead, f.verified, f.text, f.source)
            for f in floors()
        ),
        FLOOR_COLUMNS,
    )


def never_table() -> pd.DataFrame:
    """What is never rewritten by itself; `NEVER_COLUMNS`."""
    return frame(((n.value, n.text, n.source) for n in never().values()), NEVER_COLUMNS)


def plan_support_table(found: Plan, today: str) -> pd.DataFrame:
    """Each cluster's release, and whether it is supported on a day; `PLAN_SUPPORT_COLUMNS`."""
    return frame(supports(found, today), PLAN_SUPPORT_COLUMNS)


def remaining_table(rows: Sequence[Planned]) -> pd.DataFrame:
    """How many uses are left at the removal if one owner, or nobody, has moved; in that order.

    The index says who has not; what stays for a mesh is left in any case. References are those of
    the uses that are left. `REMAINING_COLUMNS`.

    >>> remaining_table([]).index.tolist()
    ['everybody has moved', 'nobody has moved']
    """
    needed = [row for row in rows if row.needed]
    stays = [row for row in needed if not row.open]
    owners = Counter(row.use.owner.name for row in needed if row.open and row.use.owner)
    scenarios: dict[str, list[Planned]] = {"everybody has moved": stays}
    for owner, _ in owners.most_common():
        own = [r for r in needed if r.open and r.use.owner and r.use.owner.name == owner]
        scenarios[f"without {owner}"] = [*stays, *own]
    scenarios["nobody has moved"] = needed
    return pd.DataFrame(
        {
            "uses": [len(left) for left in scenarios.values()],
            "references": [sum(len(r.use.routes) for r in left) for left in scenarios.values()],
        },
        index=list(scenarios),
    ).astype(REMAINING_COLUMNS)


def split_table(found: Plan) -> pd.DataFrame:
    """The Services to add for the gateway alone, and the meshes to which they are not the same.

    `note` says why there is none, and what to know of one. `SPLIT_COLUMNS`.
    """
    return frame(
        (
            (
                str(made),
                made.name,
                ", ".join(made.differs),
                "; ".join(filter(None, (made.refused, *made.told))),
            )
            for made in splits(found)
        ),
        SPLIT_COLUMNS,
    )


def wild_effect_table(rows: pd.DataFrame, proposals: Sequence[Proposal]) -> pd.DataFrame:
    """How much of real use each phase of each proposal is spoken to otherwise; by kind.

    `rows` is a `wild_table`; a port counts as the only backend of an HTTPRoute. Phases that change
    nothing have a line too. `WILD_EFFECT_COLUMNS`.

    >>> from protocol_analysis.proposals import proposal
    >>> from protocol_analysis.wild import wild_table
    >>> table = wild_effect_table(wild_table(), [proposal("keep")])
    >>> int(table["occurrences"].sum())
    0
    """
    declared = rows[rows["kind"].isin(list(BACKEND_GROUPS)) & (rows["app_protocol"] != "")]
    lines = []
    for each in proposals:
        for phase in each.phases:
            by = each.at(phase.release)
            for kind in BACKEND_GROUPS:
                own = declared[declared["kind"] == kind]
                changed = {
                    value
                    for value in own["app_protocol"].unique()
                    if word_of(heard(each.base, kind, value)) != word_of(heard(by, kind, value))
                }
                hit = own[own["app_protocol"].isin(changed)]
                lines.append(
                    (
                        each.name,
                        phase.release,
                        kind,
                        hit["repository"].nunique(),
                        len(hit),
                        int(hit["fixture"].sum()),
                    )
                )
    return frame(lines, WILD_EFFECT_COLUMNS)


def _counted(
    rows: Sequence[Planned], words: Iterable[str], of: Callable[[Planned], str]
) -> pd.DataFrame:
    counts = Counter((of(row), row.use.target.kind) for row in rows)
    words = list(words)
    kinds = list(BACKEND_GROUPS)
    found = pd.DataFrame(
        [[counts[word, kind] for kind in kinds] for word in words],
        index=pd.Index(words, dtype="object"),
        columns=kinds,
    ).astype("int64")
    return found.assign(total=found.sum(axis=1))
