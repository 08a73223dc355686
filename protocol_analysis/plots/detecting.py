"""How good clues are, as a picture that can be read back."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from protocol_analysis.drawing import (
    INK,
    SIZE,
    SMALL,
    Look,
    Mark,
    Picture,
    bar_panels,
    box,
    plain_style,
    sentence,
    write,
)

PRECISION = Look("#56B4E9")
RECALL = Look("#E69F00", "////")
_FULL = 100  # per cent
_ROOM = 1.42  # how much longer a panel is, for the counts


def quality_shares(quality: pd.DataFrame) -> pd.DataFrame:
    """The shares of a `quality_table` that are drawn, in whole per cent, of ports counted once.

    Each line is a clue and what it implies. Columns: precision, recall.

    >>> from protocol_analysis.tables.detecting import quality_table
    >>> list(quality_shares(quality_table([])).columns)
    ['precision', 'recall']
    """
    spoken = quality[quality["speaks_once"] > 0]
    names = [
        f"{title}: {protocol}" if protocol else title
        for title, protocol in zip(spoken["title"], spoken["protocol"], strict=True)
    ]
    shares = {
        name: [
            round(_FULL * right / of)
            for right, of in zip(spoken["right_once"], spoken[of_column], strict=True)
        ]
        for name, of_column in (("precision", "speaks_once"), ("recall", "means_once"))
    }
    return pd.DataFrame(shares, index=pd.Index(names, dtype="object"))


def quality_plot(quality: pd.DataFrame) -> Picture:
    """How often each clue is right that speaks at all, and how much it finds: a `quality_table`.

    Each port name, number and value counts once per repository or cluster. The line upon a bar
    is the 95 % interval of so few: where it is long, little is known.

    >>> from protocol_analysis.measuring import quality
    >>> from protocol_analysis.manifests import load
    >>> from protocol_analysis.tables.detecting import quality_table
    >>> quality_plot(quality_table(quality(load("data/sample/west")))).alt[:47]
    'All together are right of 11 of the 11 ports th'
    """
    shares = quality_shares(quality)
    rows = quality[quality["speaks_once"] > 0].to_dict("records")
    names = [str(name) for name in shares.index]
    total = next((row for row in rows if not row["protocol"]), None)
    title = _title(total)
    subtitle = "each port once per repository; a line spans where the true share lies, at 95 %"
    said = [
        f"{name} {row['right_once']} of {row['speaks_once']} ({_percent(row['low'])} to "
        f"{_percent(row['high'])} %), finds {row['right_once']} of {row['means_once']}"
        for name, row in zip(names, rows, strict=True)
    ]
    marks: list[Mark] = []
    with plain_style():
        figure, (left, right) = bar_panels(title, subtitle, names, 2)
        _panel(left, "right, of the ports it speaks of")
        _panel(right, "found, of the ports that declare it")
        drawn = zip(names, rows, shares["precision"], shares["recall"], strict=True)
        for line, (name, row, precision, recall) in enumerate(drawn):
            bar = box(left, (0, line - 0.36, precision, 0.72), PRECISION)
            _interval(left, line, row["low"] * _FULL, row["high"] * _FULL)
            _counts(left, line, row["high"] * _FULL, row["right_once"], row["speaks_once"])
            found = box(right, (0, line - 0.36, recall, 0.72), RECALL)
            _counts(right, line, recall, row["right_once"], row["means_once"])
            marks += [(name, "precision", bar), (name, "recall", found)]
    alt = sentence(". ".join([title, "; ".join(said)]) if said else title)
    return Picture(figure=figure, alt=alt, marks=tuple(marks))


def _title(total: Mapping[Hashable, Any] | None) -> str:
    right, of, ports = (
        (total["right_once"], total["speaks_once"], total["ports_once"]) if total else (0, 0, 0)
    )
    return (
        f"All together are right of {right:,} of the {of:,} ports they agree on, "
        f"of {ports:,} that declare a value"
    )


def _panel(axis: Axes, name: str) -> None:
    axis.set_title(name, fontsize=SIZE, loc="left", weight="bold")
    axis.set_xlim(0, _FULL * _ROOM)


def _interval(axis: Axes, line: int, low: float, high: float) -> None:
    axis.plot([low, high], [line, line], color=INK, linewidth=1.2, solid_capstyle="butt")
    for end in (low, high):
        axis.plot([end, end], [line - 0.18, line + 0.18], color=INK, linewidth=1.2)


def _counts(axis: Axes, line: int, after: float, part: int, of: int) -> None:
    write(axis, after + 2.5, line, f"{part:,} of {of:,}", va="center", size=SMALL)


def _percent(share: float) -> int:
    return round(_FULL * share)
