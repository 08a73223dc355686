"""When a value came to be read, kind by kind, against the calendar."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pandas as pd
from matplotlib.axes import Axes

from protocol_analysis.drawing import (
    FAINT,
    INK,
    PAPER,
    SIZE,
    SMALL,
    Look,
    Mark,
    Picture,
    box,
    plain_style,
    sentence,
    tag,
    titled_figure,
    write,
)

LOOKS = {
    "not accepted": Look(PAPER),
    "not read": Look("#E4E4E4"),
    "read": Look("#0072B2", light=True),
}
_DIFFERS = Look("#E69F00", "////")
_LANE, _GAP = 0.5, 0.62  # inches: a kind's lane, and what a panel needs beside its lanes
_NARROW, _LABEL = 150, 320  # days: what a word in a field, and a label above one, are wide


def steps_plot(steps: pd.DataFrame) -> Picture:
    """One panel per value, one lane per kind, from a `steps_table`; below, when the kinds differ.

    The lines of `data` are `value kind release`, its column `state`.

    >>> from protocol_analysis import ruleset
    >>> from protocol_analysis.tables import steps_table
    >>> table = steps_table(ruleset(), ["grpc"], ["Service", "ServiceImport"])
    >>> steps_plot(table).data.loc["grpc ServiceImport v1.9.0-rc.1", "state"]
    'read'
    """
    values = list(dict.fromkeys(steps["value"]))
    kinds = list(dict.fromkeys(steps["kind"]))
    title = f"When {' and '.join(values)} came to be read"
    said = [
        f"{line.value} on a {line.kind}: {line.state} from {line.release}, {line.date}"
        for line in steps.itertuples()
    ]
    marks: list[Mark] = []
    with plain_style():
        tall = _LANE * len(kinds) + 0.3
        height = 0.95 + (tall + _GAP) * len(values)
        figure = titled_figure(
            height, title, "release by release; hatched while one kind is read and another is not"
        )
        for number, value in enumerate(values):
            bottom = height - 1.0 - tall - number * (tall + _GAP)
            axis = figure.add_axes((0.135, bottom / height, 0.765, tall / height))
            _calendar(axis, steps, kinds)
            axis.set_title(value, fontsize=SIZE, loc="left", weight="bold", pad=4)
            of_value = steps[steps["value"] == value]
            for lane, kind in enumerate(kinds):
                marks += _lane(axis, lane, of_value[of_value["kind"] == kind])
            _differing(axis, len(kinds), of_value)
    return Picture(figure=figure, alt=sentence(". ".join([title, *said])), marks=tuple(marks))


def _day(text: str) -> int:
    return date.fromisoformat(text).toordinal()


def _calendar(axis: Axes, steps: pd.DataFrame, kinds: list[str]) -> None:
    first, last = str(steps["date"].min()), str(steps["until"].max())
    years = range(int(first[:4]) + 1, int(last[:4]) + 1)
    axis.set_xlim(_day(first), _day(last))
    axis.set_xticks([date(year, 1, 1).toordinal() for year in years], [str(y) for y in years])
    axis.set_ylim(len(kinds) + 0.6, 0)
    axis.tick_params(labelsize=SMALL, length=3)
    axis.set_yticks([])
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    how = {"transform": axis.get_yaxis_transform(), "ha": "right", "va": "center", "size": SMALL}
    for lane, kind in enumerate(kinds):
        write(axis, -0.01, lane + 0.62, kind, **how)
    write(axis, -0.01, len(kinds) + 0.3, "differ", **{**how, "color": FAINT})


def _lane(axis: Axes, lane: int, steps: pd.DataFrame) -> list[Mark]:
    marks: list[Mark] = []
    for line in steps.itertuples():
        start, end = _day(str(line.date)), _day(str(line.until))
        look = LOOKS[str(line.state)]
        surface = box(axis, (start, lane + 0.4, end - start, 0.45), look)
        surface.set(linewidth=0.6)
        wide = end - start >= _NARROW
        x = (start + end) / 2 if wide else end
        word = tag(axis, x, lane + 0.64, str(line.state), look if wide else Look(PAPER))
        if not wide:
            word.set(ha="left", x=end + 12)
        label = f"{line.release}, {line.date}"
        room = axis.get_xlim()[1] - start > _LABEL
        write(axis, start, lane + 0.3, label, size=SMALL, ha="left" if room else "right", color=INK)
        marks.append((f"{line.value} {line.kind} {line.release}", "state", word))
    return marks


def _differing(axis: Axes, lane: int, steps: pd.DataFrame) -> None:
    """Where one kind is read and another is not, accepted or not."""
    days = sorted({_day(str(day)) for day in (*steps["date"], *steps["until"])})
    for start, end in pairwise(days):
        of_day = steps[(steps["date"].map(_day) <= start) & (steps["until"].map(_day) > start)]
        if len(set(of_day["state"] == "read")) > 1:
            box(axis, (start, lane + 0.12, end - start, 0.3), _DIFFERS).set(linewidth=0)
