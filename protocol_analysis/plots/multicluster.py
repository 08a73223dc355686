"""Exports across clusters → pictures: who speaks what where, and what one release does to it."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from protocol_analysis.drawing import (
    FAINT,
    INK,
    NONE_LEFT,
    PAPER,
    SMALL,
    Look,
    Mark,
    Picture,
    plain_style,
    sentence,
    titled_figure,
    write,
)
from protocol_analysis.plots.grid import Known, grid
from protocol_analysis.plots.upgrades import WIRES

_MARK = " !"
_APART = Look("#E69F00", "////")
_MEANINGS = {
    "": "neither exported nor imported here",
    "no import": "exported elsewhere, not imported here",
    "no port": "the import does not have this port",
}
_LINES, _COLUMNS = 40, 8  # what there is room for
_HEIGHT, _PLOT = 3.1, (0.09, 0.17, 0.86, 0.55)


def propagation_plot(matrix: pd.DataFrame) -> Picture:
    """What is spoken to each exported port in each cluster, from a `propagation_matrix`.

    The lines of `data` are `namespace service:port`; `!` is what is not meant. Of many, those are
    drawn that `matrix_lines` gives.

    >>> table = pd.DataFrame({"east": ["h2"], "west": ["http/1.1 !"]}, index=["shop/cart:80"])
    >>> propagation_plot(table).data.loc["shop cart:80", "west"]
    'http/1.1 !'
    """
    shown = matrix_lines(matrix)
    apart = sum(_marked(line) for _, line in matrix.iterrows())
    title = f"{apart:,} of {len(matrix):,} exported ports are not spoken alike in every cluster"
    lines, columns = (whole - part for whole, part in zip(matrix.shape, shown.shape, strict=True))
    rest = [f"{n:,} {what}" for n, what in ((lines, "ports"), (columns, "clusters")) if n > 0]
    more = f"; {' and '.join(rest)} more are in the table" if rest else ""
    subtitle = f"! is not what the oldest export's own cluster speaks; by namespace{more}"
    words = dict.fromkeys(str(word) for word in shown.to_numpy().ravel())
    return grid(shown, title, subtitle, {word: _look(word) for word in words}, joined=False)


def matrix_lines(matrix: pd.DataFrame) -> pd.DataFrame:
    """What is drawn of a `propagation_matrix`: the lines and columns with the most marks first.

    A line is named `namespace service:port`, so that each namespace is a panel. What routes of
    other kinds are spoken is left to the table: a cell has its mark, and no room for more.

    >>> cells = pd.DataFrame({"a": ["h2, http/1.1 by GRPCRoute !"]}, index=["shop/cart:80"])
    >>> matrix_lines(cells).loc["shop cart:80", "a"]
    'h2 !'
    """
    marked = [_marked(line) for _, line in matrix.iterrows()]
    spaces = [str(name).split("/", 1)[0] for name in matrix.index]
    urgent = {space for space, mark in zip(spaces, marked, strict=True) if mark}
    order = sorted(
        range(len(spaces)), key=lambda i: (spaces[i] not in urgent, spaces[i], not marked[i])
    )
    lines = matrix.iloc[order[:_LINES]]
    counts = [-sum(str(cell).endswith(_MARK) for cell in lines[name]) for name in lines.columns]
    kept = sorted(sorted(range(len(counts)), key=lambda i: counts[i])[:_COLUMNS])
    names = [str(name).replace("/", " ", 1) for name in lines.index]
    return lines.iloc[:, kept].set_axis(names, axis=0).map(_first_words)


def _first_words(cell: object) -> str:
    """Of each side what an HTTPRoute is spoken: `h2, tcp by TLSRoute / tcp !` is `h2 / tcp !`."""
    text = str(cell).removesuffix(_MARK)
    words = dict.fromkeys(side.partition(", ")[0] for side in text.split(" / "))
    return " / ".join(words) + (_MARK if str(cell).endswith(_MARK) else "")


def _marked(line: pd.Series[Any]) -> bool:
    return any(str(cell).endswith(_MARK) for cell in line)


def dragged_plot(found: pd.DataFrame) -> Picture:
    """How many ports do not agree, release by release, from a `dragged_table`.

    >>> table = pd.DataFrame({"ports": [2, 0]}, index=["v1.8.3", "v1.9.0"])
    >>> dragged_plot(table).data["ports"].to_dict()
    {'v1.8.3': '2', 'v1.9.0': '0'}
    """
    cluster = "" if found.index.name is None else str(found.index.name)
    whose = f"{cluster}'s gateway" if cluster else "one gateway"
    title = f"Exported ports that are not spoken alike, by the release of {whose}"
    counts = {str(release): int(count) for release, count in found.get("ports", {}).items()}
    marks: list[Mark] = []
    with plain_style():
        figure = titled_figure(_HEIGHT, title, "the other clusters stay as they are")
        if counts:
            axis = figure.add_axes(_PLOT)
            marks = _line(axis, counts)
        else:
            write(figure, 0.02, 0.5, NONE_LEFT, color=FAINT)
    said = ", ".join(f"{release} {count}" for release, count in counts.items())
    return Picture(figure=figure, alt=sentence(f"{title}: {said or 'none'}"), marks=tuple(marks))


def _line(axis: Axes, counts: dict[str, int]) -> list[Mark]:
    places = list(range(len(counts)))
    values = list(counts.values())
    axis.plot(places, values, color="#0072B2", marker="o", linewidth=1.6, drawstyle="default")
    axis.set_xlim(-0.4, len(counts) - 0.6)
    axis.set_ylim(0, max(1, *values) * 1.3)
    axis.set_yticks([])
    axis.set_xticks(places, list(counts))
    axis.tick_params(labelsize=SMALL, length=3)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    rise = axis.get_ylim()[1] * 0.06
    marks: list[Mark] = []
    for x, (release, count) in zip(places, counts.items(), strict=True):
        how = {"ha": "center", "va": "bottom", "size": SMALL, "color": INK}
        marks.append((release, "ports", write(axis, x, count + rise, str(count), **how)))
    return marks


def _look(word: str) -> tuple[Look, str]:
    wires: Known = WIRES
    if word.endswith(_MARK):
        usual = "spoken otherwise than where it is declared"
        return _APART, _MEANINGS.get(word.removesuffix(_MARK), usual)
    return wires.get(word) or (Look(PAPER), _MEANINGS.get(word, ""))
