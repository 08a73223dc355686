"""Tables → pictures that need no explanation, and that can be read back.

Every function takes a DataFrame made by `tables` and returns a `Picture`: a matplotlib Figure, its
alternative text, and the artists that carry the numbers. `Picture.data` reads the numbers back from
those artists, so a notebook, or a test, can hold the drawing itself to its table.

Colours are Okabe and Ito's, each with a hatch of its own, so that a picture also reads in grey.
What manifests say is drawn as plain text: never as markup, mathematics or control characters.
"""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from protocol_analysis.formats import printable

WIDTH = 9.6  # inches: what a notebook shows at its full width
DPI = 144
FONT = "DejaVu Sans"  # comes with matplotlib, so that every machine draws the same
SIZE, SMALL, TINY = 10.0, 8.5, 6.8
INK, PAPER, RULE = "#1a1a1a", "#ffffff", "#8a8a8a"
NONE_LEFT = "nothing to show: no row in the table"

Look = tuple[str, str]  # face colour, hatch
CLASS_LOOKS: dict[str, Look] = {
    "recognised": ("#0072B2", ""),
    "standard but ignored": ("#E69F00", "////"),
    "near miss": ("#D55E00", "xxxx"),
    "silent fallback": ("#CC79A7", "...."),
    "none declared": ("#E4E4E4", ""),
}
KIND_LOOKS: dict[str, Look] = {
    "Service": ("#0072B2", ""),
    "ServiceImport": ("#E69F00", "////"),
    "Backend": ("#009E73", "...."),
}
PLAIN: Look = ("#56B4E9", "")
# What a cell of the rule book says → its look, whether its text is light, and what it means.
CELLS: dict[str, tuple[str, str, bool, str]] = {
    "HTTP2": ("#0072B2", "", True, "read"),
    "GRPC": ("#009E73", "", True, "read; on the wire HTTP/2 too"),
    "HTTP/1.1": ("#F0E442", "////", False, "read; HTTP/1.1 is forced, as WebSocket needs"),
    "HTTP": ("#E4E4E4", "", False, "not read: the default of the HTTPRoute"),
    "none": ("#F7F7F7", "....", False, "not read, and no protocol per backend"),
    "-": ("#FFFFFF", "", False, "the kind is not accepted as a backend"),
}
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
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A figure, what it says in words, and the artists that carry its numbers.

    `marks` are (row, column, artist) in the order drawn: a Rectangle's width is a count, a Text is
    what it says.
    """

    figure: Figure
    alt: str
    marks: tuple[tuple[str, str, Rectangle | Text], ...] = field(repr=False)

    @property
    def data(self) -> pd.DataFrame:
        """The table again, read from what is drawn; its lines and columns in the order drawn."""
        rows = list(dict.fromkeys(row for row, _, _ in self.marks))
        columns = list(dict.fromkeys(column for _, column, _ in self.marks))
        frame = pd.DataFrame(index=rows, columns=columns, dtype="object")
        for row, column, artist in self.marks:
            frame.loc[row, column] = _said(artist)
        return frame.infer_objects()

    def shows(self, table: pd.DataFrame) -> bool:
        """Whether what is drawn is what the table says, cell for cell, in the table's order.

        Columns that are not drawn (a total) do not count; lines that are not drawn do.
        """
        columns = list(dict.fromkeys(column for _, column, _ in self.marks))
        drawn = [(row, column, _said(artist)) for row, column, artist in self.marks]
        wanted = {(str(r), c, table.loc[r, c]) for r in table.index for c in columns}
        return (
            set(drawn) == wanted and len(drawn) == len(wanted) and bool(len(drawn) or table.empty)
        )

    def png(self) -> bytes:
        """The picture's bytes: the same on every run."""
        out = io.BytesIO()
        with _plain_style():
            self.figure.savefig(out, format="png", dpi=DPI, metadata={"Software": None})
        return out.getvalue()

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """For notebooks. The text is compared by nbval and becomes the `alt` of exported HTML."""
        del include, exclude
        width = round(self.figure.get_figwidth() * 96)
        said = textwrap.fill(f"Picture: {self.alt}", 100, break_on_hyphens=False)
        return (
            {"image/png": base64.b64encode(self.png()).decode(), "text/plain": said},
            {"image/png": {"alt": self.alt, "width": width}},
        )


def declared_plot(declared: pd.DataFrame, most: int = 15) -> Picture:
    """What ports declare, by kind: the `most` frequent values of a `declared_table`.

    >>> table = pd.DataFrame({"Service": [2], "Backend": [0], "total": [2]}, index=["grpc"])
    >>> declared_plot(table).alt
    '1 value declared. grpc: 2 (Service 2).'
    """
    kinds = [name for name in declared.columns if name != "total"]
    shown = declared.iloc[:most]
    rest = declared.iloc[most:]
    title = (
        f"{_count(len(declared), 'value')} declared, on {_count(_sum(declared['total']), 'port')}"
    )
    more = f"the {most} most frequent; {_count(len(rest), 'more value')} on {_count(_sum(rest['total']), 'port')}"
    said = [
        f"{value}: {_sum(shown.loc[value, 'total'])} ({_parts(shown.loc[value, kinds])})"
        for value in shown.index
    ]
    alt = ". ".join([f"{_count(len(declared), 'value')} declared", *said])
    with _plain_style():
        figure, axes = _bars(
            title, more if len(rest) else "ports per value and kind", len(shown), len(kinds)
        )
        marks: list[tuple[str, str, Rectangle | Text]] = []
        widest = _largest(shown[kinds])
        for axis, kind in zip(axes, kinds, strict=True):
            axis.set_title(kind, fontsize=SIZE, loc="left")
            axis.set_xlim(0, widest * 1.3)
            look = KIND_LOOKS.get(kind, PLAIN)
            for line, (value, count) in enumerate(zip(shown.index, shown[kind], strict=True)):
                marks.append((str(value), kind, _bar(axis, line, int(count), look)))
        _names(axes[0], [str(value) for value in shown.index])
    return Picture(figure=figure, alt=_sentence(alt), marks=tuple(marks))


def class_plot(classes: pd.DataFrame, release: str = "") -> Picture:
    """The reader's ports by kind and class, from a `class_table`: one bar per kind, as shares.

    Each bar is as long as its kind has ports; the counts stand below it, in the order of the bar.

    >>> table = pd.DataFrame({"Service": [3, 1]}, index=["recognised", "none declared"])
    >>> class_plot(table, "v1.9.0").alt
    'Of 4 ports v1.9.0 reads the value of 3. Service, 4 ports: recognised 3, none declared 1.'
    """
    kinds = [name for name in classes.columns if name != "total"]
    ports = {kind: _sum(classes[kind]) for kind in kinds}
    whole = sum(ports.values())
    read = sum(_sum(classes.loc["recognised", kind]) for kind in kinds)
    who = release or "this release"
    title = f"Of {_count(whole, 'port')} {who} reads the value of {read:,}"
    said = [f"{kind}, {_count(ports[kind], 'port')}: {_parts(classes[kind])}" for kind in kinds]
    marks: list[tuple[str, str, Rectangle | Text]] = []
    with _plain_style():
        figure = _figure(
            0.85 + 0.95 * len(kinds), title, "each kind's ports by class, in shares; counts below"
        )
        height = figure.get_figheight()
        for number, kind in enumerate(kinds):
            bottom = (height - 0.8 - 0.95 * number - 0.36) / height
            axis = figure.add_axes((0.16, bottom, 0.82, 0.36 / height))
            axis.set_axis_off()
            axis.set_xlim(0, max(ports[kind], 1))
            axis.set_ylim(0, 1)
            _write(axis, -0.01, 0.72, kind, ha="right", va="center", weight="bold", inside=True)
            _write(
                axis, -0.01, 0.12, _count(ports[kind], "port"), ha="right", va="center", inside=True
            )
            left = 0
            for name, count in classes[kind].items():
                marks.append(
                    (
                        str(name),
                        kind,
                        _segment(axis, left, int(count), CLASS_LOOKS.get(str(name), PLAIN)),
                    )
                )
                left += int(count)
            axis.add_patch(
                Rectangle((0, 0), max(ports[kind], 1), 1, fill=False, edgecolor=INK, linewidth=0.8)
            )
            _key(figure, bottom - 0.25 / height, classes[kind], 0.16, 0.82)
    return Picture(figure=figure, alt=_sentence(". ".join([title, *said])), marks=tuple(marks))


def outcome_plot(outcomes: pd.DataFrame, references: int | None = None) -> Picture:
    """References that are not resolved, by reason, from an `outcome_table`.

    >>> table = pd.DataFrame({"HTTPRoute": [2], "total": [2]}, index=["no-object"])
    >>> outcome_plot(table, references=5).alt
    '2 of 5 references are not resolved. no such object in these manifests: 2 (HTTPRoute 2).'
    """
    kinds = [name for name in outcomes.columns if name != "total"]
    found = _sum(outcomes["total"])
    of = f" of {references:,}" if references is not None else ""
    title = f"{found:,}{of} references are not resolved"
    names = [OUTCOMES.get(str(r), str(r).replace("-", " ")) for r in outcomes.index]
    parts = [_parts(outcomes.loc[reason, kinds]) for reason in outcomes.index]
    said = [
        f"{name}: {_sum(outcomes.loc[reason, 'total'])} ({part})"
        for name, reason, part in zip(names, outcomes.index, parts, strict=True)
    ]
    with _plain_style():
        figure, (axis,) = _bars(
            title, "backend references by the reason that stops them", len(outcomes), 1
        )
        axis.set_xlim(0, _largest(outcomes[["total"]]) * 4)
        marks: list[tuple[str, str, Rectangle | Text]] = []
        for line, (reason, count) in enumerate(outcomes["total"].items()):
            bar = _bar(axis, line, int(count), PLAIN, f"   {parts[line]}")
            marks.append((str(reason), "total", bar))
        _names(axis, names)
    return Picture(figure=figure, alt=_sentence(". ".join([title, *said])), marks=tuple(marks))


def rulebook_plot(rulebook: pd.DataFrame) -> Picture:
    """What each release makes of each value, one panel per kind, from a `rulebook_table`.

    Neighbouring cells that say the same are one field with one label. The lines of `data` are
    `kind value`, its columns the release lines.

    >>> from protocol_analysis import ruleset
    >>> from protocol_analysis.tables import rulebook_table
    >>> picture = rulebook_plot(rulebook_table(ruleset(), ["v1.8.3", "v1.9.0"]))
    >>> picture.data.loc["ServiceImport grpc"].to_dict()
    {'v1.8': 'HTTP', 'v1.9': 'GRPC'}
    """
    cells = rulebook_cells(rulebook)
    lines = list(dict.fromkeys(rulebook["line"]))
    kinds = list(dict.fromkeys(rulebook["kind"]))
    title = "What Envoy Gateway speaks to a backend port, release by release"
    routes = ", ".join(dict.fromkeys(rulebook["route_kind"]))
    said = [
        f"{name}: " + ", ".join(f"{_span(run)} {says}" for says, run in _runs(cells.loc[name]))
        for name in cells.index
    ]
    marks: list[tuple[str, str, Rectangle | Text]] = []
    with _plain_style():
        panel = 0.26 * (len(cells) / max(len(kinds), 1))
        tall = 1.75 + (panel + 0.62) * len(kinds)
        figure = _figure(
            tall,
            title,
            f"by the appProtocol declared, for an {routes}; the newest patch of each line"
            if routes
            else "",
        )
        height = figure.get_figheight()
        used = [name for name in CELLS if (cells == name).any(axis=None)]
        _cell_key(figure, used, height)
        for number, kind in enumerate(kinds):
            of_kind = [str(name) for name in cells.index if str(name).split(" ", 1)[0] == kind]
            top = height - 1.9 - number * (panel + 0.62)
            axis = figure.add_axes((0.225, (top - panel) / height, 0.765, panel / height))
            marks += _panel(axis, kind, cells.loc[of_kind], lines)
    return Picture(figure=figure, alt=_sentence(". ".join([title, *said])), marks=tuple(marks))


def rulebook_cells(rulebook: pd.DataFrame) -> pd.DataFrame:
    """A `rulebook_table` as the plot shows it: lines `kind value`, columns release lines.

    A cell says what is spoken (`HTTP2`, `GRPC`, `HTTP`), `HTTP/1.1` where that is forced, `none`
    where the release has no protocol per backend, `-` where it does not accept the kind.
    """
    said = rulebook["protocol"].where(~rulebook["force_http1"], "HTTP/1.1").replace("", "none")
    flat = pd.DataFrame(
        {
            "kind": rulebook["kind"],
            "value": rulebook["value"],
            "line": rulebook["line"],
            "says": said,
        }
    )
    wide = flat.pivot_table(index=["kind", "value"], columns="line", values="says", aggfunc="last")
    kinds = list(dict.fromkeys(rulebook["kind"]))
    order = sorted(wide.index, key=lambda at: (kinds.index(at[0]), _stem(at[1]), at[1]))
    wide = wide.reindex(
        index=pd.MultiIndex.from_tuples(order, names=["kind", "value"]) if order else wide.index
    )
    wide = wide.reindex(columns=list(dict.fromkeys(rulebook["line"]))).astype("object").fillna("-")
    wide.index = pd.Index([f"{kind} {value}" for kind, value in wide.index], dtype="object")
    wide.columns.name = None
    return wide


def _said(artist: Rectangle | Text) -> str | int:
    return artist.get_text() if isinstance(artist, Text) else round(artist.get_width())


def _panel(
    axis: Axes, kind: str, cells: pd.DataFrame, lines: Sequence[str]
) -> Iterator[tuple[str, str, Text]]:
    axis.set_xlim(0, len(lines))
    axis.set_ylim(len(cells), 0)
    axis.set_title(kind, fontsize=SIZE, loc="left", weight="bold", pad=4)
    axis.set_xticks([i + 0.5 for i in range(len(lines))], list(lines))
    _names(axis, [str(name).split(" ", 1)[1] for name in cells.index], offset=0.5)
    axis.tick_params(length=0, labelsize=SMALL)
    found = []
    for y, name in enumerate(cells.index):
        x = 0
        for says, run in _runs(cells.loc[name]):
            colour, hatch, light, _ = CELLS.get(says, (*PLAIN, False, ""))
            axis.add_patch(
                Rectangle(
                    (x, y),
                    len(run),
                    1,
                    facecolor=colour,
                    hatch=hatch,
                    edgecolor="#c9b800" if says == "HTTP/1.1" else "#bdbdbd",
                    linewidth=0,
                )
            )
            axis.add_patch(
                Rectangle(
                    (x, y),
                    len(run),
                    1,
                    fill=False,
                    edgecolor=PAPER,
                    linewidth=1.5,
                )
            )
            text = _write(
                axis,
                x + len(run) / 2,
                y + 0.52,
                says,
                ha="center",
                va="center",
                size=TINY,
                color=PAPER if light else INK,
            )
            if hatch:
                text.set_bbox({"facecolor": colour, "edgecolor": "none", "pad": 0.4})
            found += [(str(name), line, text) for line in run]
            x += len(run)
    return iter(found)


def _cell_key(figure: Figure, used: Sequence[str], height: float) -> None:
    """What the cells' words mean, above the panels in two columns."""
    for number, name in enumerate(used):
        column, line = divmod(number, (len(used) + 1) // 2)
        x, y = 0.225 + 0.36 * column, 1 - (0.85 + 0.24 * line) / height
        colour, hatch, light, meaning = CELLS[name]
        figure.add_artist(
            Rectangle(
                (x, y - 0.09 / height),
                0.065,
                0.19 / height,
                facecolor=colour,
                hatch=hatch,
                edgecolor="#bdbdbd",
                linewidth=0.5,
            )
        )
        text = _write(
            figure,
            x + 0.0325,
            y,
            name,
            ha="center",
            va="center",
            size=TINY,
            color=PAPER if light else INK,
        )
        if hatch:
            text.set_bbox({"facecolor": colour, "edgecolor": "none", "pad": 0.4})
        _write(figure, x + 0.072, y, meaning, va="center", size=SMALL)


def _key(figure: Figure, y: float, counts: pd.Series[Any], left: float, width: float) -> None:
    """The counts below a bar, each with the look of its part."""
    widths = [len(str(name)) + 9 for name in counts.index]
    x = left
    for (name, count), wide in zip(counts.items(), widths, strict=True):
        colour, hatch = CLASS_LOOKS.get(str(name), PLAIN)
        tall = 0.13 / figure.get_figheight()
        figure.add_artist(
            Rectangle(
                (x, y), 0.016, tall, facecolor=colour, hatch=hatch, edgecolor=INK, linewidth=0.6
            )
        )
        _write(
            figure,
            x + 0.021,
            y + tall / 2,
            f"{int(count):,} {name}",
            va="center",
            size=SMALL,
            color=INK if count else "#6b6b6b",
        )
        x += width * wide / sum(widths)


@contextmanager
def _plain_style() -> Iterator[None]:
    """Matplotlib's own defaults, whatever a matplotlibrc says, and only while we draw."""
    ours = {
        "font.family": FONT,
        "hatch.linewidth": 0.6,
        "text.color": INK,
        "text.parse_math": False,
    }
    with style.context(["default", ours]):
        yield


def _figure(height: float, title: str, subtitle: str) -> Figure:
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor=PAPER)
    _write(figure, 0.012, 1 - 0.12 / height, title, size=12, weight="bold", va="top")
    _write(figure, 0.012, 1 - 0.4 / height, subtitle, size=SIZE, va="top", color="#4a4a4a")
    return figure


def _bars(title: str, subtitle: str, lines: int, panels: int) -> tuple[Figure, list[Axes]]:
    """A figure for horizontal bars: `lines` of them in each of `panels` that share their names."""
    height = 1.15 + 0.27 * max(lines, 1)
    figure = _figure(height, title, subtitle)
    wide = 0.68 / panels
    axes = []
    for number in range(panels):
        axis = figure.add_axes(
            (0.305 + wide * number, 0.08 / height, wide * 0.96, (height - 1.1) / height)
        )
        axis.set_ylim(max(lines, 1) - 0.4, -0.6)
        axis.spines[["top", "right", "bottom"]].set_visible(False)  # noqa: FBT003 - matplotlib's own way
        axis.spines["left"].set_color(RULE)
        axis.tick_params(length=0)
        axis.set_xticks([])
        axis.set_yticks([])
        axes.append(axis)
    if not lines:
        _write(figure, 0.305, 0.25 / height, NONE_LEFT, color="#4a4a4a")
    return figure, axes


def _bar(axis: Axes, line: int, count: int, look: Look, after: str = "") -> Rectangle:
    bar = Rectangle(
        (0, line - 0.36),
        count,
        0.72,
        facecolor=look[0],
        hatch=look[1],
        edgecolor=INK,
        linewidth=0.6 if count else 0,
    )
    axis.add_patch(bar)
    room = axis.get_xlim()[1] * 0.015
    _write(
        axis,
        count + room,
        line,
        f"{count:,}{after}",
        va="center",
        size=SMALL,
        color=INK if count else "#6b6b6b",
    )
    return bar


def _segment(axis: Axes, left: int, count: int, look: Look) -> Rectangle:
    part = Rectangle(
        (left, 0),
        count,
        1,
        facecolor=look[0],
        hatch=look[1],
        edgecolor=INK,
        linewidth=0.6 if count else 0,
    )
    axis.add_patch(part)
    return part


def _names(axis: Axes, names: Sequence[str], offset: float = 0.0) -> None:
    labels = [_drawable(name) for name in names]
    axis.set_yticks([line + offset for line in range(len(names))], labels, fontsize=SMALL)
    for label in axis.get_yticklabels():
        label.set_parse_math(False)


def _write(
    where: Axes | Figure, x: float, y: float, text: str, *, inside: bool = False, **how: Any
) -> Text:
    """Plain text; `inside` counts x and y in fractions of an Axes."""
    if inside and isinstance(where, Axes):
        how["transform"] = where.transAxes
    how.setdefault("size", SIZE)
    return where.text(x, y, _drawable(text, 120), parse_math=False, **how)


def _drawable(text: str, most: int = 40) -> str:
    """Text that the font can draw, on one line, no longer than it has room.

    >>> _drawable("grpc\\n\\u4e2d")
    'grpc\\\\n\\\\u4e2d'
    """
    glyphs = get_font(findfont(FONT)).get_charmap()
    text = "".join(
        c if ord(c) in glyphs else c.encode("unicode_escape").decode() for c in printable(text)
    )
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _runs(line: pd.Series[Any]) -> Iterator[tuple[str, list[str]]]:
    """Neighbouring cells that say the same."""
    for says, run in groupby(line.items(), key=lambda cell: cell[1]):
        yield str(says), [str(name) for name, _ in run]


def _span(run: Sequence[str]) -> str:
    return run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}"


def _stem(value: str) -> str:
    return value.rpartition("/")[2]


def _sum(values: Any) -> int:
    return int(values.sum()) if hasattr(values, "sum") else int(values)


def _largest(counts: pd.DataFrame) -> int:
    return max(1, int(counts.to_numpy().max(initial=0)))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _parts(counts: pd.Series[Any]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items() if count) or "none"


def _sentence(text: str) -> str:
    return " ".join(printable(text).split()) + "."
