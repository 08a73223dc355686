"""The rule book → grids: what is spoken, release line by release line.

A grid has panels, a panel has lines, a line has a cell for each release line. Neighbouring cells
that say the same are one field with one label.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from protocol_analysis.drawing import (
    PAPER,
    PLAIN,
    SIZE,
    SMALL,
    TINY,
    Look,
    Mark,
    Picture,
    box,
    name_lines,
    plain_style,
    sentence,
    tag,
    titled_figure,
    write,
)

Known = Mapping[str, tuple[Look, str]]
# What a cell says, how it looks, what it means; a word in brackets is not read.
CELLS = {
    "HTTP2": (Look("#0072B2", light=True), "read"),
    "GRPC": (Look("#009E73"), "read; on the wire HTTP/2 too"),
    "HTTP/1.1": (Look("#F0E442", "////"), "read; HTTP/1.1 is forced, as WebSocket needs"),
    "(none)": (Look("#F7F7F7", "...."), "not read, and no protocol per backend"),
    "-": (Look(PAPER), "the kind is not accepted as a backend"),
}
NOT_READ = Look("#E4E4E4")
# Inches: a line, what a panel needs beside its lines, and the second line of a column's head.
_CELL, _GAP, _HEAD = 0.26, 0.62, 0.14
_LETTER = 0.0076  # of the width, for a letter of a line's name


def rulebook_plot(rulebook: pd.DataFrame) -> Picture:
    """What each release makes of each value, one panel per kind, from a `rulebook_table`.

    The lines of `data` are `kind value`, its columns the release lines, its cells those of
    `rulebook_cells`.

    >>> from protocol_analysis import ruleset
    >>> from protocol_analysis.tables import rulebook_table
    >>> picture = rulebook_plot(rulebook_table(ruleset(), ["v1.8.3", "v1.9.0"]))
    >>> picture.data.loc["ServiceImport grpc"].to_dict()
    {'v1.8': '(HTTP)', 'v1.9': 'GRPC'}
    """
    routes = ", ".join(dict.fromkeys(rulebook["route_kind"]))
    title = "What Envoy Gateway speaks to a backend port, release by release"
    subtitle = f"by the appProtocol declared; {routes}; the newest patch of each release line"
    return grid(rulebook_cells(rulebook), title, subtitle)


def route_kinds_plot(rulebook: pd.DataFrame) -> Picture:
    """What the same value does behind each kind of route, one panel per value.

    From a `rulebook_table` of one backend kind and several route kinds; the lines of `data` are
    `value route-kind`.

    >>> from protocol_analysis import ruleset
    >>> from protocol_analysis.tables import rulebook_table
    >>> table = rulebook_table(ruleset(), ["v1.8.3", "v1.9.0"], ["TCPRoute"], ["Service"])
    >>> route_kinds_plot(table).data.loc["grpc TCPRoute"].to_dict()
    {'v1.8': 'GRPC', 'v1.9': '(TCP)'}
    """
    kinds = ", ".join(dict.fromkeys(rulebook["kind"]))
    title = f"The same value on a {kinds}, behind each kind of route"
    subtitle = "one panel per appProtocol; the newest patch of each release line"
    return grid(rulebook_cells(rulebook, ("value", "route_kind")), title, subtitle)


def rulebook_cells(rulebook: pd.DataFrame, by: tuple[str, str] = ("kind", "value")) -> pd.DataFrame:
    """A `rulebook_table` as a grid: lines by two of its columns, panel and line; release lines.

    A cell says what is spoken where the value is read: `HTTP2`, `GRPC`, or `HTTP/1.1` where that is
    forced. `(HTTP)`: not read, the default of the route; `(none)`: not read, and there is no
    protocol per backend; `-`: the kind is not accepted.
    """
    spoken = rulebook["protocol"].where(~rulebook["force_http1"], "HTTP/1.1").replace("", "none")
    says = spoken.where(rulebook["row"] != "", "(" + spoken + ")").astype("object")
    panel, line = by
    keys = zip(rulebook[panel], rulebook[line], rulebook["line"], strict=True)
    said = dict(zip(keys, says, strict=True))
    releases = list(dict.fromkeys(rulebook["line"]))
    panels, named = (list(dict.fromkeys(rulebook[column])) for column in by)
    names = sorted(
        {(panel, line) for panel, line, _ in said},
        key=lambda name: (panels.index(name[0]), named.index(name[1])),
    )
    rows = [[said.get((*name, release), "-") for release in releases] for name in names]
    index = [f"{panel} {line}" for panel, line in names]
    return pd.DataFrame(rows, index=index, columns=releases, dtype="object")


def rulebook_steps(rulebook: pd.DataFrame, by: tuple[str, str] = ("kind", "value")) -> pd.DataFrame:
    """`rulebook_cells` in words: from which release line on what is spoken; one column, `spoken`.

    >>> from protocol_analysis import ruleset
    >>> from protocol_analysis.tables import rulebook_table
    >>> rulebook_steps(rulebook_table(ruleset())).loc["Service grpc", "spoken"]
    'v0.1 (none), v0.6 (HTTP), v1.1 GRPC'
    """
    return _in_words(rulebook_cells(rulebook, by))


def _in_words(cells: pd.DataFrame) -> pd.DataFrame:
    said = {
        name: ", ".join(f"{run[0]} {says}" for says, run in _runs(cells.loc[name]))
        for name in cells.index
    }
    return pd.DataFrame({"spoken": pd.Series(said, dtype="object")})


def _each_in_words(cells: pd.DataFrame) -> pd.DataFrame:
    """Every cell by the name of its column; one column, `spoken`."""
    said = {
        name: ", ".join(f"{head} {says}" for head, says in cells.loc[name].items())
        for name in cells.index
    }
    return pd.DataFrame({"spoken": pd.Series(said, dtype="object")})


def grid(
    cells: pd.DataFrame, title: str, subtitle: str, known: Known = CELLS, *, joined: bool = True
) -> Picture:
    """Cells as fields with words in them; `known` has the look and the meaning of each word.

    `joined`: neighbours that say the same are one field, as along releases; values are no sequence.
    """
    panels = {
        panel: list(names) for panel, names in groupby(cells.index, lambda n: str(n).split(" ")[0])
    }
    words = _in_words(cells) if joined else _each_in_words(cells)
    said = [f"{name}: {spoken}" for name, spoken in words["spoken"].items()]
    heads = [_in_two_lines(str(name)) for name in cells.columns]
    gap = _GAP + (_HEAD if any("\n" in head for head in heads) else 0)
    marks: list[Mark] = []
    with plain_style():
        key = 0.24 * ((len(_meanings(cells, known)) + 1) // 2)
        height = 1.03 + key + _CELL * len(cells) + gap * len(panels)
        figure = titled_figure(height, title, subtitle)
        longest = max((len(str(name).split(" ", 1)[1]) for name in cells.index), default=0)
        left = min(0.4, max(0.225, longest * _LETTER))
        _cell_key(figure, cells, known, left)
        top = height - 1.18 - key
        for panel, names in panels.items():
            tall = _CELL * len(names)
            axis = figure.add_axes((left, (top - tall) / height, 0.99 - left, tall / height))
            axis.set_xticks([i + 0.5 for i in range(len(heads))], heads)
            marks += _panel(axis, panel, cells.loc[names], known, joined=joined)
            top -= tall + gap
    ends = list(dict.fromkeys([*cells.columns[:1], *cells.columns[-1:]]))
    about = " to ".join(["; ".join([title, *ends[:1]]), *ends[1:]]) if joined else title
    return Picture(figure=figure, alt=sentence(". ".join([about, *said])), marks=tuple(marks))


def _in_two_lines(name: str) -> str:
    """A value's prefix and its rest, or a reader and its release."""
    if "/" in name:
        return name.replace("/", "/\n", 1)
    return name.replace("@", "\n@", 1)


def _panel(axis: Axes, kind: str, cells: pd.DataFrame, known: Known, *, joined: bool) -> list[Mark]:
    axis.set_xlim(0, max(1, len(cells.columns)))
    axis.set_ylim(len(cells), 0)
    axis.set_title(kind, fontsize=SIZE, loc="left", weight="bold", pad=4)
    name_lines(axis, [str(name).split(" ", 1)[1] for name in cells.index], offset=0.5)
    axis.tick_params(length=0, labelsize=SMALL)
    if any("\n" in head.get_text() for head in axis.get_xticklabels()):
        axis.tick_params(axis="x", labelsize=TINY)
    marks: list[Mark] = []
    for y, name in enumerate(cells.index):
        x = 0
        line = cells.loc[name]
        alone = ((str(says), [str(head)]) for head, says in line.items())
        for says, run in _runs(line) if joined else alone:
            look = _cell_look(says, known)
            field = box(axis, (x, y, len(run), 1), look)
            field.set(edgecolor="#b9b9b9", linewidth=0)  # of the hatch
            gap = Rectangle((x, y), len(run), 1, fill=False, edgecolor=PAPER, linewidth=1.5)
            axis.add_artist(gap)
            word = tag(axis, x + len(run) / 2, y + 0.52, says, look)
            marks += [(str(name), head, word) for head in run]
            x += len(run)
    return marks


def _cell_look(says: str, looks: Known) -> Look:
    known = looks.get(says)
    return known[0] if known else NOT_READ if says.startswith("(") else PLAIN


def _cell_key(figure: Figure, cells: pd.DataFrame, known: Known, left: float) -> None:
    """What the cells' words mean, above the panels in two columns."""
    meanings = _meanings(cells, known)
    height = figure.get_figheight()
    for number, (word, meaning) in enumerate(sorted(meanings.items(), key=_unread)):
        column, line = divmod(number, (len(meanings) + 1) // 2)
        x, y = left + 0.36 * column * (1 - left) / 0.775, 1 - (0.85 + 0.24 * line) / height
        surface = box(figure, (x, y - 0.09 / height, 0.065, 0.19 / height), _cell_look(word, known))
        surface.set(edgecolor="#b9b9b9")
        tag(figure, x + 0.0325, y, word, _cell_look(word, known))
        write(figure, x + 0.072, y, meaning, va="center", size=SMALL)


def _meanings(cells: pd.DataFrame, known: Known) -> dict[str, str]:
    there = set(cells.to_numpy().ravel())
    plain = sorted(word for word in there if word not in known)
    meanings: dict[str, str] = {}
    for word, (_, meaning) in known.items():
        if word in there and meaning not in ("", *meanings.values()):
            meanings[word] = meaning
    meanings |= {word: "read" for word in plain if not word.startswith("(")}
    defaults = [word for word in plain if word.startswith("(")]
    if defaults:
        word = defaults[0] if len(defaults) == 1 else "(…)"
        meanings[word] = "not read: the route's default"
    return meanings


def _unread(item: tuple[str, str]) -> int:
    return 2 if item[0] == "-" else int(item[0].startswith("("))


def _runs(cells: pd.Series[Any]) -> Iterator[tuple[str, list[str]]]:
    """Neighbouring cells that say the same."""
    for says, run in groupby(cells.items(), key=lambda cell: str(cell[1])):
        yield says, [str(name) for name, _ in run]
