"""The values that real repositories declare, as a picture that can be read back."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from protocol_analysis.drawing import (
    SIZE,
    Look,
    Mark,
    Picture,
    bar_panels,
    box,
    counted_bar,
    plain_style,
    sentence,
)

COLUMNS = ("repositories", "occurrences", "of_which_fixtures")
REPOSITORIES = Look("#0072B2")
OCCURRENCES = Look("#E69F00")
FIXTURES = Look("#F0E442", "////")


def wild_plot(values: pd.DataFrame, most: int = 15) -> Picture:
    """In how many repositories, and how often: the first `most` values of a `wild_values_table`.

    The hatched part of a bar of occurrences stands in fixtures, which are projects' own tests.

    >>> counts = {"repositories": [2], "occurrences": [5], "of_which_fixtures": [4]}
    >>> wild_plot(pd.DataFrame(counts, index=["grpc"])).data.loc["grpc"].to_dict()
    {'repositories': 2, 'occurrences': 5, 'of_which_fixtures': 4}
    """
    shown = values.iloc[:most]
    names = [str(value) for value in shown.index]
    counts = list(zip(*(map(int, shown[column]) for column in COLUMNS), strict=True))
    title = _title(values)
    rest = f"{len(values) - len(shown):,} not shown" if len(values) > len(shown) else ""
    key = ["how widespread, and how often", "hatched: in projects' own tests", rest]
    said = [f"{name} {r:,}, {o:,}, {f:,}" for name, (r, o, f) in zip(names, counts, strict=True)]
    words = [title, "Repositories, occurrences, those in tests: " + "; ".join(said), rest]
    marks: list[Mark] = []
    with plain_style():
        figure, (wide, often) = bar_panels(title, "; ".join(filter(None, key)), names, 2)
        _panel(wide, "repositories", shown, 1.2)
        _panel(often, "occurrences", shown, 1.7)
        for line, (name, (repositories, occurrences, fixtures)) in enumerate(
            zip(names, counts, strict=True)
        ):
            share = "all" if fixtures == occurrences else f"{fixtures:,}"
            after = f", {share} in tests" if fixtures else ""
            bars = (
                counted_bar(wide, line, repositories, REPOSITORIES),
                counted_bar(often, line, occurrences, OCCURRENCES, after),
                box(often, (0, line - 0.345, fixtures, 0.69), FIXTURES),
            )
            bars[-1].set_linewidth(0)  # within the outline of the whole
            marks += [(name, column, bar) for column, bar in zip(COLUMNS, bars, strict=True)]
    alt = sentence(". ".join(filter(None, words if names else [title])))
    return Picture(figure=figure, alt=alt, marks=tuple(marks))


def _title(values: pd.DataFrame) -> str:
    several = int((values["repositories"] > 1).sum())
    verb = "is" if several == 1 else "are"
    return f"{several:,} of {len(values):,} declared values {verb} found in several repositories"


def _panel(axis: Axes, name: str, values: pd.DataFrame, room: float) -> None:
    """A panel's name, and how much longer it is than its longest bar: labels need room."""
    axis.set_title(name, fontsize=SIZE, loc="left", weight="bold")
    axis.set_xlim(0, max([1, *map(int, values[name])]) * room)
