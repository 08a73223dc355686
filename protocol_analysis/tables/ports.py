"""What was read → tables: the reading itself, every port, their classes, what is declared."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from protocol_analysis.coverage import CLASSES, Coverage
from protocol_analysis.model import BACKEND_GROUPS, Inventory, Problem, values_of
from protocol_analysis.reading import Read
from protocol_analysis.readings import readings_text
from protocol_analysis.remedies import UNREAD, remedy, unheard, worst
from protocol_analysis.rows import Ruleset
from protocol_analysis.tables.frames import frame, text

COVERAGE_COLUMNS = {
    "cluster": "string",
    "kind": "string",
    "namespace": "string",
    "name": "string",
    "port": "Int64",
    "port_name": "string",
    "transport": "string",
    "app_protocol": "string",
    "class": "string",
    "meant": "string",
    "protocol": "string",
    "force_http1": "bool",
    "tls": "bool",
    "upstream": "string",
    "standard": "bool",
    "recognised": "bool",
    "routes": "int64",
    "readings": "string",
    "why": "string",
    "declared_at": "string",
}
CLUSTER_COLUMNS = {
    "cluster": "string",
    "reader": "string",
    "files": "int64",
    "routes": "int64",
    "warning": "string",
}
WORST_COLUMNS = {"at": "string", "what": "string", "remedy": "string"}
PROBLEM_COLUMNS = {"what": "string", "position": "string", "reason": "string"}


def problem_table(inventory: Inventory) -> pd.DataFrame:
    """What was not read, passed over or doubtful; columns as in `PROBLEM_COLUMNS`."""
    groups: list[tuple[str, tuple[Problem, ...]]] = [
        ("unreadable", inventory.unreadable),
        ("skipped", inventory.skipped),
        ("warning", inventory.warnings),
    ]
    return frame(
        ((what, str(p.position), p.reason) for what, found in groups for p in found),
        PROBLEM_COLUMNS,
    )


def clusters_table(read: Read) -> pd.DataFrame:
    """Each cluster, and who reads it; columns as in `CLUSTER_COLUMNS`.

    >>> from protocol_analysis.reading import read
    >>> clusters_table(read("data/sample", "v1.8.3"))["reader"].to_list()
    ['envoy-gateway@v1.8.3']
    """
    return frame(
        (
            (
                text(cluster.name),
                cluster.reader,
                cluster.inventory.files,
                len(cluster.inventory.routes),
                cluster.warning,
            )
            for cluster in read.clusters
        ),
        CLUSTER_COLUMNS,
    )


def reading_table(inventory: Inventory) -> pd.DataFrame:
    """What was read and what was not: how many of each; one column, `count`.

    >>> reading_table(Inventory(files=2)).loc["files", "count"]
    np.int64(2)
    """
    counts = {
        "files": inventory.files,
        "documents": inventory.documents,
        "Services": len(inventory.services),
        "ServiceImports": len(inventory.service_imports),
        "Backends": len(inventory.backends),
        "routes": len(inventory.routes),
        "not read": len(inventory.unreadable),
        "passed over": len(inventory.skipped),
        "warnings": len(inventory.warnings),
    }
    return pd.DataFrame({"count": pd.Series(counts, dtype="int64")})


def coverage_table(rows: Sequence[Coverage]) -> pd.DataFrame:
    """One line per backend port; columns as in `COVERAGE_COLUMNS`."""
    return frame(
        (
            (
                text(c.meta.cluster),
                c.meta.kind,
                c.meta.namespace,
                c.meta.name,
                c.port,
                text(c.port_name),
                text(c.transport),
                text(c.app_protocol),
                c.kind_of_declaration,
                text(c.meant),
                text(c.protocol),
                c.resolution.force_http1,
                c.tls,
                text(c.upstream),
                c.standard,
                c.recognised,
                c.routes,
                readings_text(c.readings),
                c.resolution.deciding.text,
                str(c.declared_at),
            )
            for c in rows
        ),
        COVERAGE_COLUMNS,
    )


def class_table(rows: Sequence[Coverage]) -> pd.DataFrame:
    """Ports by class (lines, in a fixed order) and kind (columns), with a total."""
    counts = pd.DataFrame(
        0, index=pd.Index(CLASSES, name="class"), columns=[*BACKEND_GROUPS, "total"]
    )
    for c in rows:
        counts.loc[c.kind_of_declaration, [c.meta.kind, "total"]] += 1
    return counts


def numbers_table(rows: Sequence[Coverage]) -> pd.DataFrame:
    """What to know of the ports of each kind: a line each, and a total.

    Columns: `ports`, `routed` (some route refers to it), `declared`, and the classes.

    >>> numbers_table([]).loc["total", ["ports", "routed"]].to_list()
    [0, 0]
    """
    classes = class_table(rows).T
    counts = {"ports": classes.sum(axis=1)}
    for name, chosen in (
        ("routed", [row for row in rows if row.routes]),
        ("declared", [row for row in rows if row.kind_of_declaration != CLASSES[-1]]),
    ):
        counts[name] = class_table(chosen).sum()
    return pd.DataFrame(counts).join(classes).rename_axis("kind")


def declared_table(rows: Sequence[Coverage]) -> pd.DataFrame:
    """Declared values (lines, most frequent first) by kind (columns), with a total."""
    values = [(value, c.meta.kind) for c in rows for value in values_of(c.app_protocol)]
    frame = pd.DataFrame(values, columns=["app_protocol", "kind"], dtype="string")
    counts = pd.crosstab(frame["app_protocol"], frame["kind"]).reindex(
        columns=list(BACKEND_GROUPS), fill_value=0
    )
    counts["total"] = counts.sum(axis=1)
    counts.columns.name = None
    return (
        counts.reset_index()
        .sort_values(["total", "app_protocol"], ascending=[False, True])
        .set_index("app_protocol")
    )


def worst_table(rows: Sequence[Coverage], ruleset: Ruleset, most: int = 3) -> pd.DataFrame:
    """The `most` values that somebody wrote and the gateway does not read, and what to do.

    Those that most backend references mean come first, near misses before the rest. Columns: `at`
    (file:line:column), `what`, `remedy`.

    >>> from protocol_analysis.rules import ruleset
    >>> list(worst_table([], ruleset()).columns)
    ['at', 'what', 'remedy']
    """
    return frame(
        ((str(row.declared_at), unheard(row), remedy(row, ruleset)) for row in worst(rows)[:most]),
        WORST_COLUMNS,
    )


def attention_table(ports: pd.DataFrame) -> pd.DataFrame:
    """List the ports of a `coverage_table` whose value is not read: near misses come first.

    Then standard values, then the others; within each those with most routes. The index is that
    of `ports`; columns: class, port (a text such as `Service shop/cart:80`), app_protocol, meant,
    routes, declared_at.

    >>> attention_table(coverage_table([])).empty
    True
    """
    found = ports[ports["class"].isin(UNREAD)].copy()
    number = (":" + found["port"].astype("string")).fillna("")
    cluster = found["cluster"].where(found["cluster"] == "", found["cluster"] + ": ")
    backend = cluster + found["kind"] + " " + found["namespace"] + "/" + found["name"] + number
    found["port"] = backend.astype("string")
    found["order"] = found["class"].map({name: place for place, name in enumerate(UNREAD)})
    found["unrouted"] = -found["routes"]
    columns = ["class", "port", "app_protocol", "meant", "routes", "declared_at"]
    by = ["order", "unrouted", "declared_at", "port"]
    return found.sort_values(by, kind="stable")[columns]
