"""Rows → text: table, wide, json, jsonl, csv, markdown, yaml. What manifests say is untrusted."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import yaml
from tabulate import tabulate

Row = Mapping[str, Any]
Columns = Mapping[str, Callable[[Row], Any]]
FORMATS = ("table", "wide", "json", "jsonl", "csv", "markdown", "yaml")

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def render(rows: Sequence[Row], output: str, columns: Columns, wide: Columns) -> str:
    r"""The rows in a format of FORMATS. `columns` are what `table` shows, `wide` adds to them.

    >>> render([{"port": 80}], "table", {"port": lambda row: row["port"]}, {})
    'PORT\n80'
    """
    match output:
        case "json":
            return json.dumps(rows, indent=2, ensure_ascii=False, default=dict)
        case "jsonl":
            return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        case "yaml":
            return yaml.safe_dump(list(rows), sort_keys=False, allow_unicode=True).rstrip("\n")
        case "csv":
            return _csv(rows)
        case "markdown":
            return _markdown(rows, {**columns, **wide})
        case "wide":
            return _table(rows, {**columns, **wide})
        case _:
            return _table(rows, columns)


def printable(value: Any) -> str:
    r"""Text for a terminal: control and direction characters are shown, not obeyed.

    >>> printable("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    if isinstance(value, list):
        return "[" + ", ".join(printable(item) for item in value) + "]"
    if isinstance(value, bool):
        return "yes" if value else ""
    text = "" if value is None else str(value)
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _cells(rows: Sequence[Row], columns: Columns) -> list[list[str]]:
    return [[printable(get(row)) for get in columns.values()] for row in rows]


def _table(rows: Sequence[Row], columns: Columns) -> str:
    headers = [name.upper() for name in columns]
    return tabulate(_cells(rows, columns), headers, tablefmt="plain", disable_numparse=True)


def _markdown(rows: Sequence[Row], columns: Columns) -> str:
    cells = [
        [re.sub(r"([\\`*_{}\[\]<>|#!&~])", r"\\\1", cell) for cell in row]
        for row in _cells(rows, columns)
    ]
    return tabulate(cells, list(columns), tablefmt="github", disable_numparse=True)


def _csv(rows: Sequence[Row]) -> str:
    flat = [dict(_flatten(row)) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return out.getvalue().rstrip("\n")


def _flatten(row: Row, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield (
                prefix + name,
                json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value,
            )
