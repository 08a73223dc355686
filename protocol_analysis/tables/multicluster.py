"""What is exported and imported across clusters → tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from protocol_analysis.multicluster.controllers import KEP, controller_of, controllers
from protocol_analysis.multicluster.exporting import shared
from protocol_analysis.multicluster.merging import conditions
from protocol_analysis.multicluster.propagation import Propagation
from protocol_analysis.multicluster.steps import Step
from protocol_analysis.multicluster.telling import Dragged, Field, Stage, Unaided
from protocol_analysis.reading import Cluster
from protocol_analysis.tables.frames import frame, text

FLEET_COLUMNS = {
    "cluster": "string",
    "reader": "string",
    "controller": "string",
    "exports": "int64",
    "imports": "int64",
    "routes": "int64",
    "warning": "string",
}
PROPAGATION_COLUMNS = {
    "cluster": "string",
    "side": "string",
    "service_port": "string",
    "app_protocol": "string",
    "wanted": "string",
    "winner": "string",
    "reader": "string",
    "wire": "string",
    "meant": "string",
    "behind": "string",  # other ways that lead there, of those that differ from what is meant
    "agrees": "bool",
    "routes": "int64",
    "position": "string",
}
DISAGREEMENT_COLUMNS = {
    "severity": "string",
    "kind": "string",
    "code": "string",
    "cluster": "string",
    "object": "string",
    "port": "string",
    "field": "string",
    "found": "string",
    "wanted": "string",
    "winner": "string",
    "why": "string",
    "meets": "string",
    "remedy": "string",
    "position": "string",
}
FIELD_COLUMNS = {
    "cluster": "string",
    "object": "string",
    "port": "string",
    "field": "string",
    "wanted": "string",
    "found": "string",
    "same": "bool",
}
STAGE_COLUMNS = {"stage": "string", "cluster": "string", "says": "string", "source": "string"}
CONDITION_COLUMNS = {
    "cluster": "string",
    "export": "string",
    "type": "string",
    "status": "string",
    "reason": "string",
    "message": "string",
    "said": "string",
    "same": "bool",
}
SAFE_ORDER_COLUMNS = {
    "number": "Int64",
    "cluster": "string",
    "action": "string",
    "why": "string",
    "left": "int64",
    "blocked": "string",
}
CONTROLLER_COLUMNS = {
    "controller": "string",
    "import": "string",
    "derived": "string",
    "conflict": "string",
    "nothing": "string",
    "by_hand": "string",
    "unverified": "string",
}
UNAIDED_COLUMNS = {
    "service_port": "string",
    "cluster": "string",
    "meant": "string",
    "by_http_route": "string",
    "by_grpc_route": "string",
}
MARK = " !"


def fleet_table(clusters: Sequence[Cluster], controller: str = KEP) -> pd.DataFrame:
    """Each cluster, who reads there and who writes its imports; columns as in `FLEET_COLUMNS`.

    >>> from protocol_analysis.reading import read
    >>> fleet_table(read({"east": "data/sample/east"}).clusters)["imports"].to_list()
    [3]
    """
    found = shared(clusters)
    exports = Counter(each.cluster for of in found for each in of.exports)
    imports = Counter(each.cluster for of in found for each in of.imports)
    return frame(
        (
            (
                text(cluster.name),
                cluster.reader,
                controller_of(controller).title,
                exports[cluster.name or ""],
                imports[cluster.name or ""],
                len(cluster.inventory.routes),
                cluster.warning,
            )
            for cluster in clusters
        ),
        FLEET_COLUMNS,
    )


def propagation_table(rows: Sequence[Propagation]) -> pd.DataFrame:
    """One line per exported port, cluster and side; columns as in `PROPAGATION_COLUMNS`."""
    return frame(
        (
            (
                r.cluster,
                r.side,
                r.service_port,
                text(r.app_protocol),
                text(r.wanted),
                r.winner,
                str(r.reader),
                r.wire,
                r.meant,
                "; ".join(f"{way} {wire}, not {meant}" for way, wire, meant in r.behind),
                r.agrees,
                r.routes,
                str(r.position),
            )
            for r in rows
        ),
        PROPAGATION_COLUMNS,
    )


def disagreement_table(rows: Sequence[Propagation]) -> pd.DataFrame:
    """One line per disagreement, the worst first; columns as in `DISAGREEMENT_COLUMNS`."""
    found = [fault for row in rows for fault in row.faults]
    return frame(
        (
            (
                f.severity,
                f.kind.kind,
                f.kind.rule,
                f.cluster,
                str(f.object),
                f.port,
                f.field,
                text(f.found),
                text(f.wanted),
                f.winner,
                f.why,
                f.meets,
                f.kind.remedy,
                str(f.position),
            )
            for f in sorted(found, key=lambda fault: fault.severity)
        ),
        DISAGREEMENT_COLUMNS,
    )


def propagation_matrix(rows: Sequence[Propagation]) -> pd.DataFrame:
    """What is spoken to each exported port (lines) in each cluster (columns).

    Where a cluster exports and imports and the two differ, both stand there, the Service first;
    what routes of other kinds are spoken follows where it is not what is meant. That is marked by
    `!`: a line without a mark says the same in every cluster. Of
    what is no side of a port nothing is meant: it is left out.
    """
    clusters = sorted({row.cluster for row in rows})
    cells: dict[str, dict[str, list[Propagation]]] = {}
    for row in rows:
        if not row.meant:
            continue
        cells.setdefault(row.service_port, {}).setdefault(row.cluster, []).append(row)
    lines = {
        name: [_cell(of.get(cluster, [])) for cluster in clusters] for name, of in cells.items()
    }
    heads = [cluster or "all" for cluster in clusters]
    return pd.DataFrame.from_dict(lines, orient="index", columns=heads, dtype="object")


def _cell(rows: Sequence[Propagation]) -> str:
    words = dict.fromkeys(
        ", ".join((row.wire, *(f"{wire} by {way}" for way, wire, _ in row.behind)))
        for row in sorted(rows, key=lambda row: row.side)
    )
    mark = "" if all(row.agrees for row in rows) else MARK
    return f"{' / '.join(words)}{mark}"


def marks_are_differences(matrix: pd.DataFrame) -> bool:
    """Whether exactly those lines have a mark in which not all cells say the same.

    >>> marks_are_differences(pd.DataFrame({"a": ["h2"], "b": ["tcp !"]}))
    True
    """
    for _, line in matrix.iterrows():
        cells = [str(cell) for cell in line if cell]
        words = {word for cell in cells for word in cell.removesuffix(MARK).split(" / ")}
        if (len(words) > 1) != any(cell.endswith(MARK) for cell in cells):
            return False
    return True


def import_field_table(fields: Sequence[Field]) -> pd.DataFrame:
    """The imports that should be against those found; columns as in `FIELD_COLUMNS`."""
    return frame(
        ((f.cluster, f.object, f.port, f.field, f.wanted, f.found, f.same) for f in fields),
        FIELD_COLUMNS,
    )


def condition_table(clusters: Sequence[Cluster]) -> pd.DataFrame:
    """The conditions of ServiceExports, due and said; columns as in `CONDITION_COLUMNS`."""
    return frame(
        (
            (c.cluster, str(of), c.type, c.status, c.reason, c.message, c.said, c.same)
            for of in shared(clusters)
            for c in conditions(of)
        ),
        CONDITION_COLUMNS,
    )


def stage_table(stages: Sequence[Stage]) -> pd.DataFrame:
    """The way of one port; columns as in `STAGE_COLUMNS`."""
    return frame(((s.stage, s.cluster, s.says, s.source) for s in stages), STAGE_COLUMNS)


def dragged_table(found: Sequence[Dragged]) -> pd.DataFrame:
    """Releases (lines) by kind of disagreement (columns), and how many `ports` do not agree."""
    named = sorted({kind for each in found for kind, _ in each.kinds})
    lines = [[each.ports, *(dict(each.kinds).get(kind, 0) for kind in named)] for each in found]
    # The index is named after the cluster whose release it is.
    whose = next((each.cluster for each in found if each.cluster), None)
    releases = pd.Index([each.release for each in found], name=whose, dtype="object")
    return pd.DataFrame(lines, index=releases, columns=["ports", *named], dtype="int64")


def safe_order_table(steps: Sequence[Step]) -> pd.DataFrame:
    """The steps, then those that are blocked; columns as in `SAFE_ORDER_COLUMNS`."""
    return frame(
        ((s.number or None, s.cluster, s.action, s.why, s.left, s.blocked) for s in steps),
        SAFE_ORDER_COLUMNS,
    )


def controller_table() -> pd.DataFrame:
    """What each controller does with the field; columns as in `CONTROLLER_COLUMNS`.

    >>> controller_table().set_index("controller").loc["linkerd", "import"]
    'drops'
    """
    return frame(
        (
            (c.controller, c.writes, c.derived, c.conflict, c.nothing, c.by_hand, c.unverified)
            for c in controllers().values()
        ),
        CONTROLLER_COLUMNS,
    )


def unaided_table(found: Sequence[Unaided]) -> pd.DataFrame:
    """What either kind of route speaks; columns as in `UNAIDED_COLUMNS`."""
    return frame(
        ((u.service_port, u.cluster, u.meant, u.by_http_route, u.by_grpc_route) for u in found),
        UNAIDED_COLUMNS,
    )
