"""A proposal against the calendar: each line from its release to the end of its support."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb

from protocol_analysis.drawing import (
    FAINT,
    INK,
    NONE_LEFT,
    PAPER,
    SMALL,
    TINY,
    WIDTH,
    Look,
    Mark,
    Picture,
    box,
    drawable,
    plain_style,
    sentence,
    tag,
    titled_figure,
    write,
)

LOOKS = {
    "read": Look("#0072B2", light=True),
    "read, warned of": Look("#E69F00", "////"),
    "off by default": Look("#CC79A7", "...."),
    "gone": Look("#D55E00", "xxxx"),
    "never read": Look("#E4E4E4"),
}
KINDS = ("Service", "ServiceImport")
_LANE, _GAP, _ABOVE, _BELOW = 0.21, 0.42, 1.02, 0.3  # inches
_LEFT, _WIDE = 0.215, 0.77  # shares of the width
_LETTER = 0.062  # inches: what a letter of a bar's word needs


def timeline_lines(lines: pd.DataFrame, today: str) -> pd.DataFrame:
    """The part of a `timeline_table` that is drawn, by line: a year before the day, and all later.

    >>> from protocol_analysis.proposals import proposal
    >>> from protocol_analysis.tables import timeline_table
    >>> table = timeline_table(proposal("keep"), "2026-11-26")
    >>> timeline_lines(table, "2026-11-26").index.to_list()
    ['v1.5', 'v1.6', 'v1.7', 'v1.8', 'v1.9', 'v1.10', 'v1.11', 'v1.12']
    """
    since = (date.fromisoformat(today) - timedelta(days=365)).isoformat()
    return lines[lines["end"] >= since].set_index("line")


def timeline_plot(lines: pd.DataFrame, today: str, title: str, value: str = "grpc") -> Picture:
    """The `timeline_lines` of a table, a panel for each kind; `title` is the proposal's.

    What is projected is pale, in a dashed outline, and its dates have a `~`.

    >>> from protocol_analysis.proposals import proposal
    >>> from protocol_analysis.tables import timeline_table
    >>> table = timeline_table(proposal("remove"), "2026-11-26")
    >>> picture = timeline_plot(table, "2026-11-26", "Retire grpc")
    >>> picture.shows(timeline_lines(table, "2026-11-26"))
    True
    """
    shown = timeline_lines(lines, today).reset_index()
    heading = f"{title}: which release lines read {value}, and how long they last"
    subtitle = (
        "from each line's release to the end of its support; pale, dashed, with a ~: projected"
    )
    marks: list[Mark] = []
    with plain_style():
        tall = _LANE * max(len(shown), 1) + 0.1
        height = _ABOVE + (tall + _GAP) * len(KINDS) - _GAP + _BELOW
        figure = titled_figure(height, heading, subtitle)
        if shown.empty:
            write(figure, 0.5, 0.3, NONE_LEFT, color=FAINT, ha="center")
        else:
            for number, kind in enumerate(KINDS):
                bottom = height - _ABOVE - tall - number * (tall + _GAP)
                axis = figure.add_axes((_LEFT, bottom / height, _WIDE, tall / height))
                _calendar(axis, shown, last=kind == KINDS[-1])
                where = f"{value} on a {kind}"
                write(axis, 0, 1 + 0.07 / tall, where, transform=axis.transAxes, weight="bold")
                marks += [_bar(axis, lane, row, kind) for lane, row in enumerate(_rows(shown))]
                _now(axis, len(shown), today)
    said = [heading, *(_said(shown, kind) for kind in KINDS), _around(shown, today)]
    return Picture(figure=figure, alt=sentence(". ".join(filter(None, said))), marks=tuple(marks))


def _rows(lines: pd.DataFrame) -> Iterator[dict[str, Any]]:
    columns = list(lines.columns)
    for row in lines.itertuples(index=False):
        yield dict(zip(columns, row, strict=True))


def _day(text: str) -> int:
    return date.fromisoformat(text).toordinal()


def _calendar(axis: Axes, lines: pd.DataFrame, *, last: bool) -> None:
    first, final = str(lines["date"].min()), str(lines["end"].max())
    axis.set_xlim(_day(first) - 10, _day(final) + 10)
    axis.set_ylim(len(lines) + 0.05, -0.45)
    years = range(int(first[:4]), int(final[:4]) + 1)
    months = (1, 7) if len(years) <= 5 else (1,)
    named = {date(year, m, 1).toordinal(): f"{year}-{m:02}" for year in years for m in months}
    ticks = {day: name for day, name in named.items() if _day(first) <= day <= _day(final)}
    axis.set_xticks(list(ticks), list(ticks.values()) if last else [""] * len(ticks))
    axis.grid(visible=True, axis="x", color="#E4E4E4", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.tick_params(labelsize=SMALL, length=3)
    axis.set_yticks([])
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    how: dict[str, Any] = {"transform": axis.get_yaxis_transform(), "va": "center"}
    for lane, row in enumerate(_rows(lines)):
        begin, end = ("~" * row[flag] + row[key] for key, flag in _DATES)
        write(axis, -0.263, lane + 0.3, drawable(row["line"], 12), size=SMALL, **how)
        span = f"{begin} to {end}"
        write(axis, -0.008, lane + 0.3, span, size=TINY, color=FAINT, ha="right", **how)


_DATES = (("date", "projected"), ("end", "end_projected"))


def _bar(axis: Axes, lane: int, row: dict[str, Any], kind: str) -> Mark:
    """A line's bar, with what it makes of the value in it, or beside it where that has no room."""
    start, end = _day(row["date"]), _day(row["end"])
    look = LOOKS[row[kind]]
    if row["projected"]:
        look = Look(_pale(look.colour), look.hatch)
    surface = box(axis, (start, lane - 0.08, end - start, 0.76), look)
    if row["projected"]:
        surface.set(linestyle=(0, (4, 2)), linewidth=1.0)
    low, high = axis.get_xlim()
    room = (end - start) / (high - low) * _WIDE * WIDTH
    fits = room >= _LETTER * len(row[kind])
    x = (start + end) / 2 if fits else end
    word = tag(axis, x, lane + 0.3, row[kind], look if fits else Look(PAPER))
    word.set_bbox({"facecolor": look.colour if fits else PAPER, "edgecolor": "none", "pad": 0.4})
    if not fits:
        late = (high - end) / (high - low) * _WIDE * WIDTH < _LETTER * len(row[kind])
        word.set(ha="right" if late else "left", x=start - 12 if late else end + 12)
    return (row["line"], kind, word)


def _pale(colour: str) -> str:
    """Half of a colour, and half of the paper."""
    red, green, blue = to_rgb(colour)
    return to_hex(((red + 1) / 2, (green + 1) / 2, (blue + 1) / 2))


def _now(axis: Axes, lanes: int, today: str) -> None:
    """A line through the day; its name stands where bars, which go down to the right, are not."""
    day = _day(today)
    low, high = axis.get_xlim()
    if not low <= day <= high:
        return
    axis.axvline(day, color=INK, linewidth=1.4)
    early = day < (low + high) / 2
    gap = (high - low) * 0.006
    write(
        axis,
        day + gap if early else day - gap,
        lanes - 0.7 if early else 0.3,
        f"today, {today}",
        size=SMALL,
        weight="bold",
        ha="left" if early else "right",
        va="center",
    )


def _said(lines: pd.DataFrame, kind: str) -> str:
    """`On a Service: read in v1.5 to v1.9; gone in v1.14`."""
    runs = []
    for state, run in groupby(_rows(lines), key=lambda row: row[kind]):
        names = [row["line"] for row in run]
        runs.append(f"{state} in {names[0]}" + (f" to {names[-1]}" if names[1:] else ""))
    return f"On a {kind}: {'; '.join(runs)}" if runs else ""


def _around(lines: pd.DataFrame, today: str) -> str:
    """What is supported on the day, and what is projected."""
    alive = lines[(lines["date"] <= today) & (today <= lines["end"])]
    guessed = list(lines.loc[lines["projected"], "line"])
    told = f"Supported on {today}: {', '.join(alive['line']) or 'none of these'}"
    return f"{told}; projected from {guessed[0]} on" if guessed else told
