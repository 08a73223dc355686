"""A picture that can be read back, and the strokes it is made of.

Colours are Okabe and Ito's, each with a hatch of its own, so that a picture also reads in grey.
Text is drawn as plain text: never as markup, mathematics or control characters.
"""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from protocol_analysis.formats import printable

WIDTH = 9.6  # inches: what a notebook shows at its full width
DPI = 144
SHADES = 64  # colours in a PNG; a third of the bytes of a full palette
FONT = "DejaVu Sans"  # comes with matplotlib, so every machine draws the same
SIZE, SMALL, TINY = 10.0, 8.5, 6.8
INK, FAINT, PAPER = "#1a1a1a", "#5c5c5c", "#ffffff"
LEFT = 0.305  # where bars begin, as a share of the width
NONE_LEFT = "nothing to show: the table has no rows"

Mark = tuple[str, str, Rectangle | Text]


@dataclass(frozen=True, slots=True)
class Look:
    """How a surface looks: a colour, a hatch, and whether the text on it is light."""

    colour: str
    hatch: str = ""
    light: bool = False


PLAIN = Look("#56B4E9")


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A figure, what it says in words, and the artists that carry its numbers.

    `marks` are (row, column, artist) in the order drawn: a Rectangle's width is a count, a Text is
    what it says. A notebook shows the picture where it is the last value of a cell.
    """

    figure: Figure
    alt: str
    marks: tuple[Mark, ...] = field(repr=False)

    @property
    def data(self) -> pd.DataFrame:
        """The table again, read from what is drawn; its lines and columns in the order drawn."""
        rows = dict.fromkeys(row for row, _, _ in self.marks)
        columns = dict.fromkeys(column for _, column, _ in self.marks)
        frame = pd.DataFrame(index=list(rows), columns=list(columns), dtype="object")
        for row, column, artist in self.marks:
            frame.loc[row, column] = _said(artist)
        return frame.infer_objects()

    def shows(self, table: pd.DataFrame) -> bool:
        """Whether what is drawn is what the table says, cell for cell.

        Columns that are not drawn (a total) do not count; lines that are not drawn do.
        """
        columns = dict.fromkeys(column for _, column, _ in self.marks)
        drawn = {(row, column): _said(artist) for row, column, artist in self.marks}
        lines = table.index
        wanted = {(_line(row), name): table.loc[row, name] for row in lines for name in columns}
        complete = bool(columns) or table.empty
        return complete and drawn == wanted and len(drawn) == len(self.marks)

    def png(self) -> bytes:
        """The picture's bytes, the same on every run; what it says is inside as `Description`."""
        drawn, out = io.BytesIO(), io.BytesIO()
        with plain_style():
            self.figure.savefig(drawn, format="rgba", dpi=DPI)
            size = self.figure.canvas.get_width_height()
        image = Image.frombytes("RGBA", size, drawn.getvalue())
        few = image.convert("RGB").quantize(SHADES, dither=Image.Dither.NONE)
        about = PngInfo()
        about.add_itxt("Description", self.alt)
        few.save(out, format="png", optimize=True, pnginfo=about)
        return out.getvalue()

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """For notebooks. nbval compares the text; exported HTML has it as the picture's `alt`."""
        del include, exclude
        width = round(self.figure.get_figwidth() * 96)
        said = textwrap.fill(f"Picture: {self.alt}", 100, break_on_hyphens=False)
        return (
            {"image/png": base64.b64encode(self.png()).decode(), "text/plain": said},
            {"image/png": {"alt": self.alt, "width": width}},
        )


def _line(row: Any) -> str:
    """A line's name, from an index of one level or of several."""
    return " ".join(map(str, row)) if isinstance(row, tuple) else str(row)


def _said(artist: Rectangle | Text) -> str | int:
    return artist.get_text() if isinstance(artist, Text) else round(artist.get_width())


@contextmanager
def plain_style() -> Iterator[None]:
    """Matplotlib's own defaults, whatever a matplotlibrc says, and only while we draw."""
    ours = {"font.family": FONT, "hatch.linewidth": 0.6, "text.color": INK}
    with style.context(["default", ours]):
        yield


def titled_figure(height: float, title: str, subtitle: str) -> Figure:
    """An empty figure, `height` inches tall, with what it shows written above."""
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor=PAPER)
    write(figure, 0.012, 1 - 0.12 / height, title, size=12, weight="bold", va="top")
    write(figure, 0.012, 1 - 0.4 / height, subtitle, va="top", color=FAINT)
    return figure


def bar_panels(
    title: str, subtitle: str, names: Sequence[str], panels: int
) -> tuple[Figure, list[Axes]]:
    """A figure for horizontal bars: a line per name in each of the panels."""
    lines = max(len(names), 1)
    height = 1.15 + 0.27 * lines
    figure = titled_figure(height, title, subtitle)
    wide = (0.985 - LEFT) / panels
    axes = []
    for number in range(panels):
        place = (LEFT + wide * number, 0.08 / height, wide * 0.96, (height - 1.1) / height)
        axis = figure.add_axes(place)
        axis.set_ylim(lines - 0.4, -0.6)
        for side in ("top", "right", "bottom"):
            axis.spines[side].set_visible(False)
        axis.spines["left"].set(color=FAINT, visible=bool(names))
        axis.tick_params(length=0)
        axis.set_xticks([])
        axis.set_yticks([])
        axes.append(axis)
    name_lines(axes[0], names)
    if not names:
        write(figure, LEFT + 0.01, 0.2 / height, NONE_LEFT, color=FAINT)
    return figure, axes


def name_lines(axis: Axes, names: Sequence[str], offset: float = 0.0) -> None:
    """Names to the left of an Axes, one per line. Tick labels would be parsed as mathematics."""
    x = -0.006 / axis.get_position().width
    how = {"transform": axis.get_yaxis_transform(), "ha": "right", "va": "center", "size": SMALL}
    axis.set_yticks([])
    for line, name in enumerate(names):
        write(axis, x, line + offset, drawable(name), **how)


def counted_bar(axis: Axes, line: int, count: int, look: Look, after: str = "") -> Rectangle:
    """A bar as long as its count, which stands at its end."""
    surface = box(axis, (0, line - 0.36, count, 0.72), look)
    x = count + axis.get_xlim()[1] * 0.015
    color = INK if count else FAINT
    write(axis, x, line, f"{count:,}{after}", va="center", size=SMALL, color=color)
    return surface


def box(where: Axes | Figure, at: tuple[float, float, float, float], look: Look) -> Rectangle:
    """A surface at (left, bottom, width, height); one without width has no outline either."""
    left, bottom, width, height = at
    surface = Rectangle(
        (left, bottom),
        width,
        height,
        facecolor=look.colour,
        hatch=look.hatch,
        edgecolor=INK,
        linewidth=0.6 if width else 0,
    )
    where.add_artist(surface)  # unlike add_patch it leaves the limits of the Axes alone
    return surface


def tag(where: Axes | Figure, x: float, y: float, text: str, look: Look) -> Text:
    """A word in the middle of a surface, legible on its hatch."""
    color = PAPER if look.light else INK
    word = write(where, x, y, text, ha="center", va="center", size=TINY, color=color)
    if look.hatch:
        word.set_bbox({"facecolor": look.colour, "edgecolor": "none", "pad": 0.4})
    return word


def write(where: Axes | Figure, x: float, y: float, text: str, **how: Any) -> Text:
    """Plain text, by default of ordinary size."""
    how.setdefault("size", SIZE)
    return where.text(x, y, drawable(text, 120), parse_math=False, **how)


def drawable(text: str, most: int = 40) -> str:
    r"""Text that the font can draw, on one line, no longer than it has room.

    >>> drawable("grpc\n\u4e2d")
    'grpc\\n\\u4e2d'
    >>> drawable("a-very-long-name", 8)
    'a-very-…'
    """
    text = "".join(
        c if ord(c) in _glyphs() else c.encode("unicode_escape").decode() for c in printable(text)
    )
    return text if len(text) <= most else f"{text[: most - 1]}…"


@cache
def _glyphs() -> frozenset[int]:
    """The characters that the font has."""
    return frozenset(get_font(findfont(FONT)).get_charmap())


def sentence(text: str) -> str:
    r"""Text on one line that ends as a sentence does.

    >>> sentence("two ports\x1b")
    'two ports\\x1b.'
    """
    return " ".join(printable(text).split()) + "."
