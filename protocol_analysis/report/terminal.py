"""Report → text for a terminal: the coverage table, a summary, and what could not be read.

What manifests say is printed with control and direction characters shown, not obeyed.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from protocol_analysis.formats import printable
from protocol_analysis.model import Inventory
from protocol_analysis.reading import Read
from protocol_analysis.tables import attention_table, class_table, coverage_table, outcome_table

MOST_PORTS, MOST_WORST, MOST_UNREADABLE = 150, 20, 20
# How many characters columns keep where a table does not fit; those that go in a narrow terminal,
# in this order; and what the rest keeps then.
LEAST = {"port": 22, "appProtocol": 14, "declared at": 20}
LESS_WIDE = ("routes", "meant", "kind")
NARROW = {"port": 14, "appProtocol": 11, "declared at": 14}
ENDS = ("port", "declared at")
NUMBERS = ("routes", "Service", "ServiceImport", "Backend", "total")


def ports_text(found: Read, target: Path) -> str:
    """Every port; of very many, how many there are of each, and the worst."""
    ports = len(found.ports)
    table = coverage_table(found.ports)
    parts = []
    if not ports:
        parts += ["No backend ports in these manifests: no Service, ServiceImport or Backend."]
    if ports > MOST_PORTS:
        parts += [fitted(class_table(found.ports).reset_index().to_dict("records"))]
        table = table.loc[attention_table(table).index]
        few = f", the first {MOST_WORST} of {len(table):,}" if len(table) > MOST_WORST else ""
        parts += [f"Declared, and not read{few}:"] if len(table) else []
        table = table.head(MOST_WORST)
    rows = table.astype("object").where(table.notna(), "").to_dict("records")
    parts += [fitted([_line(row) for row in rows])] if rows else []
    parts += [f"All {ports:,} ports: {target / 'coverage.csv'}, {target / 'coverage.json'}"]
    return "\n\n".join(parts)


def _line(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A port as the terminal shows it."""
    of = f"{row['cluster']}: " if row["cluster"] else ""
    number = f":{row['port']}" if row["port"] != "" else ""
    return {
        "kind": row["kind"],
        "port": f"{of}{row['namespace']}/{row['name']}{number}",
        "appProtocol": row["app_protocol"],
        "class": row["class"],
        "meant": row["meant"],
        "protocol": "HTTP/1.1" if row.get("force_http1") else row["protocol"] or "-",
        "routes": row["routes"],
        "declared at": row["declared_at"],
    }


def fitted(rows: Sequence[Mapping[Any, Any]], width: int | None = None) -> str:
    """Rows as an aligned table of at most `width` characters, by default the terminal's.

    Names and positions give way first, and say so with an ellipsis; in a narrow terminal whole
    columns do.

    >>> print(fitted([{"routes": 1, "declared at": "a/long/folder/shop.yaml:3:5"}], 28))
    ROUTES  DECLARED AT
         1  …older/shop.yaml:3:5
    """
    if not rows:
        return ""
    room = width or shutil.get_terminal_size((120, 24)).columns
    cells = {str(name): [printable(row[name]) for row in rows] for name in rows[0]}
    widths = {name: max(map(len, (name, *column))) for name, column in cells.items()}
    for name in (None, *LESS_WIDE):
        widths.pop(name or "", None)
        if _wide(_least(widths, LEAST, room)) <= room:
            break
    for floors, others in ((LEAST, room), (NARROW, room), ({}, 4)):
        least = _least(widths, floors, others)
        while _wide(widths) > room and widths != least:
            widest = max(widths, key=lambda name: widths[name] - least[name])
            widths[widest] -= 1
    lines = [
        "  ".join(
            _fit(text, wide, name) for text, (name, wide) in zip(line, widths.items(), strict=True)
        )
        for line in (
            [name.upper() for name in widths],
            *zip(*(cells[name] for name in widths), strict=True),
        )
    ]
    return "\n".join(line.rstrip() for line in lines)


def _least(widths: Mapping[str, int], floors: Mapping[str, int], others: int) -> dict[str, int]:
    return {name: min(floors.get(name, others), wide) for name, wide in widths.items()}


def _wide(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + 2 * (len(widths) - 1)


def _fit(text: str, width: int, column: str) -> str:
    """Numbers stand at the right; of a name or position that is too long, the end is kept."""
    if len(text) > width:
        end = column in ENDS
        text = f"…{text[1 - width :]}" if end else f"{text[: width - 1]}…"
    return text.rjust(width) if column in NUMBERS else text.ljust(width)


def summary_text(found: Read) -> str:
    """How many of each there are, and what became of them."""
    inventory = found.inventory
    lines = [found.readers]
    for name, number, *parts in (
        ("files", f"{inventory.files:,}", f"{inventory.documents:,} documents"),
        ("ports", f"{len(found.ports):,}", _counts(class_table(found.ports)["total"])),
        ("references", f"{len(found.references):,}", _resolved(found)),
        ("not read", f"{len(inventory.unreadable):,}"),
        ("passed over", f"{len(inventory.skipped):,}"),
        ("warnings", f"{len(inventory.warnings):,}"),
    ):
        lines.append(f"  {name:<12}{': '.join([number, *filter(None, parts)])}")
    return "\n".join(lines)


def unreadable_lines(inventory: Inventory, target: Path) -> list[str]:
    """What could not be read, each with its line and the reason; of very many, how many more."""
    unreadable = inventory.unreadable
    lines = [f"not read: {printable(problem)}" for problem in unreadable[:MOST_UNREADABLE]]
    more = len(unreadable) - MOST_UNREADABLE
    if more > 0:
        lines.append(f"not read: and {more:,} more, see {target / 'problems.csv'}")
    return lines


def _resolved(found: Read) -> str:
    rest = _counts(outcome_table(found.references)["total"])
    return f"resolved {found.resolved:,}" + (f", {rest}" if rest else "")


def _counts(counts: Any) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
