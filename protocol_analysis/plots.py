"""Tables → pictures that need no explanation, and that can be read back.

Every function takes a DataFrame made by `tables` and returns a `Picture`: a matplotlib Figure, its
alternative text, and the artists that carry the numbers. `Picture.data` reads the numbers back from
those artists, and `Picture.shows` compares them with a table.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from protocol_analysis.drawing import (
    FAINT,
    INK,
    PAPER,
    PLAIN,
    SIZE,
    SMALL,
    Look,
    Mark,
    Picture,
    bar_panels,
    box,
    counted_bar,
    name_lines,
    plain_style,
    sentence,
    tag,
    titled_figure,
    write,
)

__all__ = [
    "OUTCOMES",
    "Picture",
    "class_plot",
    "declared_plot",
    "outcome_plot",
    "rulebook_cells",
    "rulebook_plot",
    "rulebook_steps",
]

CLASS_LOOKS = {
    "recognised": Look("#0072B2"),
    "standard but ignored": Look("#E69F00", "////"),
    "near miss": Look("#D55E00", "xxxx"),
    "silent fallback": Look("#CC79A7", "...."),
    "none declared": Look("#E4E4E4"),
}
KIND_LOOKS = {
    "Service": Look("#0072B2"),
    "ServiceImport": Look("#E69F00", "////"),
    "Backend": Look("#009E73", "...."),
}
# What a cell of the rule book says, how it looks, what it means; a word in brackets is not read.
CELLS = {
    "HTTP2": (Look("#0072B2", light=True), "read"),
    "GRPC": (Look("#009E73"), "read; on the wire HTTP/2 too"),
    "HTTP/1.1": (Look("#F0E442", "////"), "read; HTTP/1.1 is forced, as WebSocket needs"),
    "(none)": (Look("#F7F7F7", "...."), "not read, and no protocol per backend"),
    "-": (Look(PAPER), "the kind is not accepted as a backend"),
}
NOT_READ = Look("#E4E4E4")
OUTCOMES = {
    "other-implementation": "another implementation's Gateway",
    "mesh": "its parent is a Service: read by a mesh",
    "no-object": "no such object in these manifests",
    "no-port": "no such port with that transport",
    "not-permitted": "not permitted by a ReferenceGrant",
    "kind-not-read": "a kind that this release does not read",
    "ambiguous": "several objects of that name disagree",
    "weight-0": "weight 0: nothing is sent there",
    "rejected": "a value that Kubernetes rejects",
    "refuses-external-name": "an ExternalName Service, refused",
    "refuses-unix-socket": "a Unix socket, refused here",
}
_BAR, _STEP = 0.36, 0.95  # inches: a bar of `class_plot`, and from one bar to the next
_CELL, _GAP = 0.26, 0.62  # inches: a line of `rulebook_plot`, and what a panel needs beside lines


def declared_plot(declared: pd.DataFrame, most: int = 15) -> Picture:
    """What is declared, by kind: the `most` frequent values of a `declared_table`.

    >>> table = pd.DataFrame({"Service": [2], "Backend": [0], "total": [2]}, index=["grpc"])
    >>> declared_plot(table).alt
    '1 value, declared 2 times. grpc 2: Service 2.'
    """
    kinds = _kinds(declared)
    shown = declared.iloc[:most]
    rest = _total(declared) - _total(shown)
    title = f"{_count(len(declared), 'value')}, declared {_count(_total(declared), 'time')}"
    others = _count(len(declared) - len(shown), "other")
    subtitle = "ports by the appProtocol they declare, kind by kind"
    if rest:
        subtitle = f"the {most} most frequent values; {others}, {_count(rest, 'time')}"
    said = [
        f"{value} {_total(shown.loc[[value]])}: {_parts(shown.loc[value, kinds])}"
        for value in shown.index
    ]
    said += [f"{others}, {_count(rest, 'time')}"] if rest else []
    marks: list[Mark] = []
    with plain_style():
        figure, axes = bar_panels(title, subtitle, [str(v) for v in shown.index], len(kinds))
        for axis, kind in zip(axes, kinds, strict=True):
            axis.set_title(kind, fontsize=SIZE, loc="left", weight="bold")
            axis.set_xlim(0, _largest(shown[kinds]) * 1.3)
            for line, (value, count) in enumerate(shown[kind].items()):
                drawn = counted_bar(axis, line, int(count), KIND_LOOKS.get(kind, PLAIN))
                marks.append((str(value), kind, drawn))
    return Picture(figure=figure, alt=sentence(". ".join([title, *said])), marks=tuple(marks))


def class_plot(classes: pd.DataFrame, release: str = "") -> Picture:
    """The reader's ports by kind and class, from a `class_table`: one bar per kind, in shares.

    The counts stand below each bar, in the bar's order.

    >>> table = pd.DataFrame({"Service": [3, 1]}, index=["recognised", "none declared"])
    >>> class_plot(table, "v1.9.0").alt
    'Of 4 ports v1.9.0 reads the value of 3. Service, 4 ports: recognised 3, none declared 1.'
    """
    kinds = _kinds(classes)
    ports = {kind: int(classes[kind].sum()) for kind in kinds}
    read = int(classes.loc[classes.index == "recognised", kinds].to_numpy().sum())
    of = _count(sum(ports.values()), "port")
    title = f"Of {of} {release or 'this release'} reads the value of {read:,}"
    said = [f"{kind}, {_count(ports[kind], 'port')}: {_parts(classes[kind])}" for kind in kinds]
    marks: list[Mark] = []
    with plain_style():
        height = 0.85 + _STEP * len(kinds)
        figure = titled_figure(height, title, "each kind's ports by class, in shares; counts below")
        for number, kind in enumerate(kinds):
            bottom = (height - 0.8 - _STEP * number - _BAR) / height
            axis = figure.add_axes((0.16, bottom, 0.82, _BAR / height))
            axis.set_axis_off()
            longest = max(ports[kind], 1)
            axis.set_xlim(-0.002 * longest, 1.002 * longest)  # room for outlines
            axis.set_ylim(-0.02, 1.02)
            beside = {"transform": axis.transAxes, "ha": "right", "va": "center"}
            write(axis, -0.01, 0.74, kind, weight="bold", **beside)
            write(axis, -0.01, 0.16, _count(ports[kind], "port"), color=FAINT, **beside)
            box(axis, (0, 0, longest, 1), Look(PAPER))
            left = 0
            for name, count in classes[kind].items():
                look = CLASS_LOOKS.get(str(name), PLAIN)
                marks.append((str(name), kind, box(axis, (left, 0, int(count), 1), look)))
                left += int(count)
            _class_key(figure, bottom - 0.25 / height, classes[kind])
    return Picture(figure=figure, alt=sentence(". ".join([title, *said])), marks=tuple(marks))


def _class_key(figure: Figure, y: float, counts: pd.Series[Any]) -> None:
    """The counts below a bar, each with the look of its part."""
    widths = [len(str(name)) + 9 for name in counts.index]
    tall = 0.13 / figure.get_figheight()
    x = 0.16
    for (name, count), wide in zip(counts.items(), widths, strict=True):
        box(figure, (x, y, 0.016, tall), CLASS_LOOKS.get(str(name), PLAIN))
        color = INK if count else FAINT
        text = f"{int(count):,} {name}"
        write(figure, x + 0.021, y + tall / 2, text, va="center", size=SMALL, color=color)
        x += 0.82 * wide / sum(widths)


def outcome_plot(outcomes: pd.DataFrame, references: int | None = None) -> Picture:
    """References that are not resolved, by reason, from an `outcome_table`.

    >>> table = pd.DataFrame({"HTTPRoute": [2], "total": [2]}, index=["no-object"])
    >>> outcome_plot(table, references=5).alt
    '2 of 5 references are not resolved. no such object in these manifests 2: HTTPRoute 2.'
    """
    kinds = _kinds(outcomes)
    of = f" of {references:,}" if references is not None else ""
    title = f"{_total(outcomes):,}{of} references are not resolved"
    names = [OUTCOMES.get(str(r), str(r).replace("-", " ")) for r in outcomes.index]
    parts = [_parts(outcomes.loc[reason, kinds]) for reason in outcomes.index]
    counts = [int(count) for count in outcomes["total"]]
    said = [f"{n} {c:,}: {p}" for n, c, p in zip(names, counts, parts, strict=True)]
    marks: list[Mark] = []
    with plain_style():
        figure, (axis,) = bar_panels(title, "backend references, by what stops them", names, 1)
        axis.set_xlim(0, _largest(outcomes[["total"]]) * 4)
        for line, (reason, count) in enumerate(zip(outcomes.index, counts, strict=True)):
            drawn = counted_bar(axis, line, count, PLAIN, f"   {parts[line]}")
            marks.append((str(reason), "total", drawn))
    return Picture(figure=figure, alt=sentence(". ".join([title, *said])), marks=tuple(marks))


def rulebook_plot(rulebook: pd.DataFrame) -> Picture:
    """What each release makes of each value, one panel per kind, from a `rulebook_table`.

    Neighbouring cells that say the same are one field with one label. The lines of `data` are
    `kind value`, its columns the release lines, its cells those of `rulebook_cells`.

    >>> from protocol_analysis import ruleset
    >>> from protocol_analysis.tables import rulebook_table
    >>> picture = rulebook_plot(rulebook_table(ruleset(), ["v1.8.3", "v1.9.0"]))
    >>> picture.data.loc["ServiceImport grpc"].to_dict()
    {'v1.8': '(HTTP)', 'v1.9': 'GRPC'}
    """
    cells = rulebook_cells(rulebook)
    kinds = list(dict.fromkeys(rulebook["kind"]))
    routes = ", ".join(dict.fromkeys(rulebook["route_kind"]))
    title = "What Envoy Gateway speaks to a backend port, release by release"
    subtitle = f"by the appProtocol declared; {routes}; the newest patch of each release line"
    steps = rulebook_steps(rulebook)["spoken"]
    said = [f"{name}: {spoken}" for name, spoken in steps.items()]
    marks: list[Mark] = []
    with plain_style():
        panel = _CELL * len(cells) / max(len(kinds), 1)
        height = 1.75 + (panel + _GAP) * len(kinds)
        figure = titled_figure(height, title, subtitle)
        _cell_key(figure, cells)
        for number, kind in enumerate(kinds):
            of_kind = cells[[str(name).split(" ", 1)[0] == kind for name in cells.index]]
            tall = _CELL * len(of_kind)
            top = height - 1.9 - number * (panel + _GAP)
            axis = figure.add_axes((0.225, (top - tall) / height, 0.765, tall / height))
            marks += _panel(axis, kind, of_kind)
    return Picture(figure=figure, alt=sentence(". ".join([title, *said])), marks=tuple(marks))


def rulebook_cells(rulebook: pd.DataFrame) -> pd.DataFrame:
    """A `rulebook_table` as the plot shows it: lines `kind value`, columns release lines.

    A cell says what is spoken where the value is read: `HTTP2`, `GRPC`, or `HTTP/1.1` where that is
    forced. `(HTTP)`: not read, the default of the route; `(none)`: not read, and there is no
    protocol per backend; `-`: the kind is not accepted.
    """
    spoken = rulebook["protocol"].where(~rulebook["force_http1"], "HTTP/1.1").replace("", "none")
    says = spoken.where(rulebook["row"] != "", "(" + spoken + ")").astype("object")
    keys = zip(rulebook["kind"], rulebook["value"], rulebook["line"], strict=True)
    said = dict(zip(keys, says, strict=True))
    kinds = list(dict.fromkeys(rulebook["kind"]))
    lines = list(dict.fromkeys(rulebook["line"]))
    names = sorted(
        {(kind, value) for kind, value, _ in said},
        key=lambda name: (kinds.index(name[0]), name[1].rpartition("/")[2], name[1]),
    )
    rows = [[said.get((*name, line), "-") for line in lines] for name in names]
    index = [f"{kind} {value}" for kind, value in names]
    return pd.DataFrame(rows, index=index, columns=lines, dtype="object")


def rulebook_steps(rulebook: pd.DataFrame) -> pd.DataFrame:
    """`rulebook_cells` in words: from which release line on what is spoken; one column, `spoken`.

    >>> from protocol_analysis import ruleset
    >>> from protocol_analysis.tables import rulebook_table
    >>> rulebook_steps(rulebook_table(ruleset())).loc["Service grpc", "spoken"]
    'v0.1 (none), v0.6 (HTTP), v1.1 GRPC'
    """
    cells = rulebook_cells(rulebook)
    steps = {
        name: ", ".join(f"{run[0]} {says}" for says, run in _runs(cells.loc[name]))
        for name in cells.index
    }
    return pd.DataFrame({"spoken": pd.Series(steps, dtype="object")})


def _panel(axis: Axes, kind: str, cells: pd.DataFrame) -> list[Mark]:
    axis.set_xlim(0, len(cells.columns))
    axis.set_ylim(len(cells), 0)
    axis.set_title(kind, fontsize=SIZE, loc="left", weight="bold", pad=4)
    axis.set_xticks([i + 0.5 for i in range(len(cells.columns))], list(cells.columns))
    name_lines(axis, [str(name).split(" ", 1)[1] for name in cells.index], offset=0.5)
    axis.tick_params(length=0, labelsize=SMALL)
    marks: list[Mark] = []
    for y, name in enumerate(cells.index):
        x = 0
        for says, run in _runs(cells.loc[name]):
            look = _cell_look(says)
            field = box(axis, (x, y, len(run), 1), look)
            field.set(edgecolor="#b9b9b9", linewidth=0)  # of the hatch
            gap = Rectangle((x, y), len(run), 1, fill=False, edgecolor=PAPER, linewidth=1.5)
            axis.add_patch(gap)
            word = tag(axis, x + len(run) / 2, y + 0.52, says, look)
            marks += [(str(name), line, word) for line in run]
            x += len(run)
    return marks


def _cell_look(says: str) -> Look:
    known = CELLS.get(says)
    return known[0] if known else NOT_READ if says.startswith("(") else PLAIN


def _cell_key(figure: Figure, cells: pd.DataFrame) -> None:
    """What the cells' words mean, above the panels in two columns."""
    there = set(cells.to_numpy().ravel())
    plain = sorted(word for word in there if word not in CELLS)
    meanings = {word: meaning for word, (_, meaning) in CELLS.items() if word in there}
    meanings |= {word: "read" for word in plain if not word.startswith("(")}
    meanings |= {word: "not read: the route's default" for word in plain if word.startswith("(")}
    height = figure.get_figheight()
    for number, (word, meaning) in enumerate(sorted(meanings.items(), key=_unread)):
        column, line = divmod(number, (len(meanings) + 1) // 2)
        x, y = 0.225 + 0.36 * column, 1 - (0.85 + 0.24 * line) / height
        surface = box(figure, (x, y - 0.09 / height, 0.065, 0.19 / height), _cell_look(word))
        surface.set(edgecolor="#b9b9b9")
        tag(figure, x + 0.0325, y, word, _cell_look(word))
        write(figure, x + 0.072, y, meaning, va="center", size=SMALL)


def _unread(item: tuple[str, str]) -> int:
    return 2 if item[0] == "-" else int(item[0].startswith("("))


def _runs(cells: pd.Series[Any]) -> Iterator[tuple[str, list[str]]]:
    """Neighbouring cells that say the same."""
    for says, run in groupby(cells.items(), key=lambda cell: str(cell[1])):
        yield says, [str(name) for name, _ in run]


def _kinds(counts: pd.DataFrame) -> list[str]:
    return [name for name in counts.columns if name != "total"]


def _total(counts: pd.DataFrame) -> int:
    return int(counts["total"].sum())


def _largest(counts: pd.DataFrame) -> int:
    return max(1, int(counts.to_numpy().max(initial=0)))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _parts(counts: pd.Series[Any]) -> str:
    return ", ".join(f"{name} {int(count):,}" for name, count in counts.items() if count) or "none"
