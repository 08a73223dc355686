"""A plan → pictures: what is decided, what it costs whom, what is left without whom."""

from __future__ import annotations

import pandas as pd

from protocol_analysis.drawing import (
    INK,
    SMALL,
    Look,
    Mark,
    Picture,
    bar_panels,
    box,
    counted_bar,
    plain_style,
    sentence,
    write,
)
from protocol_analysis.plots.counts import KIND_LOOKS
from protocol_analysis.plots.grid import Known, grid

EFFECT_LOOKS: Known = {
    "neutral": (Look("#E4E4E4"), "the very same is spoken"),
    "gains": (Look("#0072B2", light=True), "HTTP/2 is spoken, and was not before"),
    "loses": (Look("#D55E00", "xxxx"), "something is lost"),
    "unknown": (Look("#E69F00", "////"), "nobody has said what would be lost"),
    "": (Look("#ffffff"), ""),
}
_COST = ("loses", "unknown", "gains", "neutral", "")  # the worst first
_LEFT = Look("#CC79A7", "....")
_COLUMNS, _LINES = 8, 30  # what there is room for


def decision_plot(decisions: pd.DataFrame) -> Picture:
    """What is decided, from a `decision_table`: one bar per decision, by kind.

    >>> table = pd.DataFrame({"Service": [2], "Backend": [0], "total": [2]}, index=["keep"])
    >>> decision_plot(table).alt
    '2 uses. keep: Service 2.'
    """
    kinds = [str(name) for name in decisions.columns if name != "total"]
    total = int(decisions["total"].sum())
    parts = {
        str(word): ", ".join(f"{kind} {count}" for kind, count in line[kinds].items() if count)
        for word, line in decisions.iterrows()
    }
    title = f"{total:,} use{'s' * (total != 1)}"
    marks: list[Mark] = []
    with plain_style():
        figure, (axis,) = bar_panels(title, "by what is decided, and kind", list(parts), 1)
        axis.set_xlim(0, max(decisions["total"].max() if total else 1, 1) * 1.8)
        for line, (word, said) in enumerate(parts.items()):
            left = 0
            for kind in kinds:
                count = int(str(decisions.loc[word, kind]))
                surface = box(axis, (left, line - 0.34, count, 0.68), KIND_LOOKS[kind])
                marks.append((word, kind, surface))
                left += count
            write(axis, left, line, f"  {said}", va="center", size=SMALL, color=INK)
    said_all = [f"{word}: {said}" for word, said in parts.items()]
    return Picture(figure=figure, alt=sentence(". ".join([title, *said_all])), marks=tuple(marks))


def cost_plot(matrix: pd.DataFrame) -> Picture:
    """What a rewrite does to each use and reader, from an `effect_matrix`, as `cost_lines` has it.

    >>> table = pd.DataFrame({"istio": ["unknown"]}, index=["Service a/b:80"])
    >>> cost_plot(table).data.loc["Service a/b:80", "istio"]
    'unknown'
    """
    shown = cost_lines(matrix)
    against = sum(any(word in ("loses", "unknown") for word in line) for line in matrix.to_numpy())
    title = (
        f"A rewrite costs somebody something, or nobody knows, for {against} of {len(matrix)} uses"
    )
    lines, columns = (whole - part for whole, part in zip(matrix.shape, shown.shape, strict=True))
    rest = [f"{n:,} {what}" for n, what in ((lines, "uses"), (columns, "readers")) if n > 0]
    more = f"; {' and '.join(rest)} more are in the table" if rest else ""
    return grid(
        shown,
        title,
        f"who reads the port, and what becomes of it{more}",
        EFFECT_LOOKS,
        joined=False,
    )


def cost_lines(matrix: pd.DataFrame) -> pd.DataFrame:
    """What is drawn of an `effect_matrix`: the uses that cost most first, and the first readers.

    >>> table = pd.DataFrame({"a": ["neutral", "loses"]}, index=["Service a/b:1", "Service a/b:2"])
    >>> cost_lines(table).index.tolist()
    ['Service a/b:2', 'Service a/b:1']
    """
    cost = [[_COST.index(word) for word in line] for line in matrix.to_numpy()]
    order = sorted(range(len(cost)), key=lambda at: (min(cost[at], default=0), at))
    chosen = matrix.iloc[order[:_LINES], :_COLUMNS]
    # Panels are by kind, and each is one run of lines.
    kinds = sorted(range(len(chosen)), key=lambda at: str(chosen.index[at]).split(" ")[0])
    return chosen.iloc[kinds]


def remaining_plot(remaining: pd.DataFrame) -> Picture:
    """How many uses are left at the removal, from a `remaining_table`: who has to move first.

    >>> remaining_plot(pd.DataFrame({"uses": [3]}, index=["nobody has moved"])).alt
    'uses that are left at the removal. nobody has moved: 3.'
    """
    title = "uses that are left at the removal"
    marks: list[Mark] = []
    with plain_style():
        names = [str(name) for name in remaining.index]
        figure, (axis,) = bar_panels(title, "if one owner, or nobody, has moved by then", names, 1)
        axis.set_xlim(0, max([1, *remaining["uses"]]) * 1.2)
        for line, (name, count) in enumerate(remaining["uses"].items()):
            marks.append((str(name), "uses", counted_bar(axis, line, int(count), _LEFT)))
    said = [f"{name}: {count}" for name, count in remaining["uses"].items()]
    return Picture(figure=figure, alt=sentence(". ".join([title, *said])), marks=tuple(marks))
