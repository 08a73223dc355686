"""What real repositories declare: the tables of `data/in_the_wild.csv`.

The rows are ports of manifests, declared or not, and literal values that charts, documents and
scripts state. Most stand in projects' own tests, and few repositories hold most of them, so every
table counts repositories first: a number of occurrences alone says who has many golden files.

The CSV belongs to the repository and is no part of an installed package; `data/README.md` says
where it comes from.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from protocol_analysis.model import BACKEND_GROUPS, ManifestError

WILD_COLUMNS = {
    "repository": "string",  # owner/name on GitHub
    "commit": "string",
    "path": "string",
    "licence": "string",  # of the repository
    "source": "string",  # manifest, or what else states a value: helm-template, values, docs …
    "kind": "string",  # "" outside manifests
    "port_name": "string",
    "port": "Int64",
    "transport": "string",
    "app_protocol": "string",  # "" where none is declared; a Backend's list, by blanks
    "fixture": "bool",  # the path is a test's own
}
WILD_VALUES_COLUMNS = {
    "repositories": "int64",
    "occurrences": "int64",
    "of_which_fixtures": "int64",
}
WILD_KINDS_COLUMNS = {
    "repositories": "int64",
    "repositories_declaring": "int64",
    "ports": "int64",
    "declared": "int64",
    "declared_share": "Float64",
    "fixture_share": "Float64",
}
WILD_CAVEATS_COLUMNS = {"number": "int64", "of": "int64", "share": "Float64", "where": "string"}

_CSV = Path(__file__).resolve().parents[1] / "data" / "in_the_wild.csv"


def wild_table(path: str | os.PathLike[str] = _CSV) -> pd.DataFrame:
    """The rows of the CSV, in its order; columns as in `WILD_COLUMNS`.

    Raises FileNotFoundError where there is none, as beside an installed package, and ManifestError
    where the file is another one.

    >>> rows = wild_table()
    >>> bool((rows["kind"] == "ServiceImport").sum() == 30)
    True
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"{Path(path).name} is not at hand. It is in the repository's folder data/, not in the "
            "installed package: clone the repository, or give wild_table the path of a copy"
        )
    text = pd.read_csv(path, dtype="string", keep_default_na=False, encoding="utf-8")
    if list(text.columns) != list(WILD_COLUMNS):
        raise ManifestError(
            f"{Path(path).name}: its columns are {', '.join(text.columns)}; "
            f"accepted are {', '.join(WILD_COLUMNS)}, as data/in_the_wild.py writes them"
        )
    text["port"] = pd.to_numeric(text["port"].mask(text["port"] == ""))
    text["fixture"] = text["fixture"] == "true"
    return text.astype(WILD_COLUMNS)


def wild_values_table(rows: pd.DataFrame, kind: str | None = None) -> pd.DataFrame:
    """Each declared value: in how many repositories, how often, how often of that in fixtures.

    `rows` is a `wild_table`. Those in most repositories come first, then those with most
    occurrences; the index is `app_protocol`, the columns are as in `WILD_VALUES_COLUMNS`. `kind`
    limits it to Service, ServiceImport or Backend; without it charts and documents count too.

    >>> wild_values_table(wild_table(), kind="ServiceImport").index.tolist()
    ['grpc', 'kubernetes.io/h2c', 'kubernetes.io/ws', 'kubernetes.io/wss']
    """
    said = _values(rows if kind is None else rows[rows["kind"] == kind])
    by_value = said.groupby("app_protocol")
    counts = {
        "repositories": by_value["repository"].nunique(),
        "occurrences": by_value.size(),
        "of_which_fixtures": by_value["fixture"].sum(),
    }
    table = pd.DataFrame(counts).astype(WILD_VALUES_COLUMNS).sort_index()
    by = ["repositories", "occurrences"]
    return table.sort_values(by, ascending=False, kind="stable")


def wild_kinds_table(rows: pd.DataFrame) -> pd.DataFrame:
    """What manifests hold of each kind; the index is `kind`, columns as in `WILD_KINDS_COLUMNS`.

    `ports` counts every port, `declared` those with a value; `declared_share` and `fixture_share`
    are of the ports. A Backend counts as one port. What charts and documents state is left out:
    there only values were looked for, so no share says anything.

    >>> wild_kinds_table(wild_table()).loc["ServiceImport", ["ports", "declared"]].tolist()
    [30, 4]
    """
    found = []
    for kind in BACKEND_GROUPS:
        ports = rows[rows["kind"] == kind]
        declared = _declared(ports)
        number, of = len(declared), len(ports)
        fixtures = _share(int(ports["fixture"].sum()), of)
        declaring, repositories, _ = _repositories(declared, ports)
        found.append((repositories, declaring, of, number, _share(number, of), fixtures))
    index = pd.Index(list(BACKEND_GROUPS), name="kind", dtype="string")
    return _frame(found, WILD_KINDS_COLUMNS, index)


def wild_caveats_table(rows: pd.DataFrame) -> pd.DataFrame:
    """What to know before a number is quoted, as numbers; the index is `caveat`.

    Columns as in `WILD_CAVEATS_COLUMNS`: `number` of `of`, the `share` (missing where there is
    nothing to share), and `where`, the repositories it is found in. Ports are those of manifests.

    >>> caveats = wild_caveats_table(wild_table())
    >>> caveats.loc["ServiceImport ports that declare a value", "where"]
    'envoyproxy/gateway'
    """
    ports = rows[rows["kind"].isin(list(BACKEND_GROUPS))]
    imports = ports[ports["kind"] == "ServiceImport"]
    named = ports[ports["port_name"].str.contains("grpc|http2|h2c", case=False)]
    declared, on_imports = _declared(ports), _declared(imports)
    fixtures, elsewhere = declared[declared["fixture"]], declared[~declared["fixture"]]
    stated = rows.drop(index=ports.index)
    seen = wild_values_table(rows)["repositories"]
    facts: dict[str, tuple[int, int, str]] = {
        "ports that declare a value": _ports(declared, ports),
        "repositories that declare a value on any port": _repositories(declared, ports),
        "declared ports in fixtures": _ports(fixtures, declared),
        "declared ports outside fixtures": _ports(elsewhere, declared),
        "declared ports in the repository with most": _most(declared, 1),
        "declared ports in the three repositories with most": _most(declared, 3),
        "ServiceImport ports that declare a value": _ports(on_imports, imports),
        "repositories that declare a value on a ServiceImport": _repositories(on_imports, imports),
        "ports named after gRPC or HTTP/2 that declare nothing": _ports(
            named[named["app_protocol"] == ""], named
        ),
        "values that one repository alone states": (int((seen == 1).sum()), len(seen), ""),
        "values stated outside manifests, in the repository with most": _most(stated, 1),
    }
    index = pd.Index(list(facts), name="caveat", dtype="string")
    cells = [(number, of, _share(number, of), where) for number, of, where in facts.values()]
    return _frame(cells, WILD_CAVEATS_COLUMNS, index)


def _frame(rows: Iterable[tuple[Any, ...]], columns: dict[str, str], index: Any) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=list(columns), index=index, dtype="object")
    return frame.astype(columns)


def _declared(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["app_protocol"] != ""]


def _values(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per declared value: a Backend's list is taken apart."""
    said = _declared(rows)
    lists = said["kind"] == "Backend"
    values = said["app_protocol"].str.split(" ").where(lists, said["app_protocol"])
    taken_apart = said.assign(app_protocol=values).explode("app_protocol")
    return taken_apart.astype({"app_protocol": "string"})


def _ports(part: pd.DataFrame, of: pd.DataFrame) -> tuple[int, int, str]:
    return len(part), len(of), _names(part)


def _repositories(part: pd.DataFrame, of: pd.DataFrame) -> tuple[int, int, str]:
    return part["repository"].nunique(), of["repository"].nunique(), _names(part)


def _names(rows: pd.DataFrame, most: int = 3) -> str:
    names = sorted(set(rows["repository"]))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _most(rows: pd.DataFrame, most: int) -> tuple[int, int, str]:
    """How many of the rows the repositories with most of them hold, and which these are."""
    counts = rows.groupby("repository").size().sort_values(ascending=False, kind="stable")[:most]
    return int(counts.sum()), len(rows), ", ".join(counts.index)


def _share(number: int, of: int) -> float | None:
    return round(number / of, 3) if of else None
