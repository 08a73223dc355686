"""Rows → text: table, wide, json, jsonl, csv, markdown, yaml. What manifests say is untrusted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import yaml
from tabulate import tabulate

Row = Mapping[str, Any]
Columns = Mapping[str, Callable[[Row], Any]]
FORMATS = ("table", "wide", "json", "jsonl", "csv", "markdown", "yaml")

# Control, direction and other invisible characters, and halves of surrogate pairs.
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_CSV_QUOTED = re.compile(r'[",\r\n]|\A\s|\s\Z')


class _Dumper(yaml.SafeDumper):
    """Text with control characters in double quotes, since only those keep every one of them."""


def _yaml_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = '"' if _CONTROL.search(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _yaml_text)


def render(
    rows: Sequence[Row],
    output: str,
    columns: Columns,
    wide: Columns,
    *,
    fields: Sequence[str] = (),
    encoding: str = "utf-8",
) -> str:
    r"""The rows in a format of FORMATS. `columns` are what `table` shows, `wide` adds to them.

    `fields` are the columns that a csv has even where no row does; a field inside another is named
    `route.kind`. What `encoding` cannot hold is escaped: in json, jsonl and yaml so that it reads
    back as it was.

    >>> render([{"port": 80}], "table", {"port": lambda row: row["port"]}, {})
    'PORT\n80'
    """
    match output:
        case "json" | "jsonl" | "yaml":
            dump = {"json": _json, "jsonl": _jsonl, "yaml": _yaml}[output]
            text = dump(rows, ascii_only=False)
            if not _fits(text, encoding):
                text = dump(rows, ascii_only=True)
        case "csv":
            text = _csv(rows, fields)
        case "markdown":
            text = _markdown(rows, {**columns, **wide})
        case "wide":
            text = _table(rows, {**columns, **wide})
        case _:
            text = _table(rows, columns)
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _fits(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _json(rows: Any, *, ascii_only: bool, indent: int | None = 2) -> str:
    text = json.dumps(rows, indent=indent, ensure_ascii=ascii_only, default=dict)
    # Outside its texts JSON has no control character but the line break.
    return _CONTROL.sub(lambda c: "\n" if c[0] == "\n" else json.dumps(c[0])[1:-1], text)


def _jsonl(rows: Sequence[Row], *, ascii_only: bool) -> str:
    return "\n".join(_json(row, ascii_only=ascii_only, indent=None) for row in rows)


def _yaml(rows: Sequence[Row], *, ascii_only: bool) -> str:
    text: str = yaml.dump(
        list(rows), Dumper=_Dumper, sort_keys=False, allow_unicode=not ascii_only, width=1_000_000
    ).rstrip("\n")
    # What of them is left stands in double quotes, where YAML has the escapes that Python has.
    return _CONTROL.sub(lambda c: "\n" if c[0] == "\n" else _escaped(c[0]), text)


def _escaped(text: str) -> str:
    return text.encode("unicode_escape").decode()


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
    return _CONTROL.sub(lambda found: _escaped(found[0]), text)


def _cells(rows: Sequence[Row], columns: Columns) -> list[list[str]]:
    return [[_cell(printable(get(row))) for get in columns.values()] for row in rows]


def _cell(text: str) -> str:
    """Blanks at an end of a value count, so they are seen."""
    return text if text == text.strip() else f'"{text}"'


def _table(rows: Sequence[Row], columns: Columns) -> str:
    headers = [name.upper() for name in columns]
    return tabulate(_cells(rows, columns), headers, tablefmt="plain", disable_numparse=True)


def _markdown(rows: Sequence[Row], columns: Columns) -> str:
    cells = [
        [re.sub(r"([\\`*_{}\[\]<>|#!&~$])", r"\\\1", cell) for cell in row]
        for row in _cells(rows, columns)
    ]
    return tabulate(cells, list(columns), tablefmt="github", disable_numparse=True)


def _csv(rows: Sequence[Row], fields: Sequence[str]) -> str:
    """Rows as RFC 4180 has them, but for the line break; lists as JSON, null and "" as nothing.

    It has no escapes, and is read on terminals too: control characters are shown as in a table, but
    for tabs and line breaks, which its quotes hold. What has to read back exactly is json.
    """
    flat = [dict(_flatten(row)) for row in rows]
    names = list(dict.fromkeys([*fields, *(name for row in flat for name in row)]))
    # Where an object is null in some rows (`declaredAt`), its fields are empty there.
    parents = {name[:at] for name in names for at, c in enumerate(name) if c == "."}
    names = [name for name in names if name not in parents]
    lines = [names, *([_csv_text(row.get(name)) for name in names] for row in flat)]
    return "\n".join(",".join(map(_csv_field, line)) for line in lines)


def _csv_text(value: Any) -> str:
    if isinstance(value, list):
        return _json(value, ascii_only=False, indent=None)
    text = "" if value is None else str(value)
    return _CONTROL.sub(lambda c: c[0] if c[0] in "\t\n" else _escaped(c[0]), text)


def _csv_field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _CSV_QUOTED.search(text) else text


def _flatten(row: Row, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
