"""What a real Envoy was measured to do → a picture: configurations by servers, for one client."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from protocol_analysis.drawing import (
    FAINT,
    NONE_LEFT,
    PAPER,
    PLAIN,
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
from protocol_analysis.proof.cells import CLIENTS, CONFIGS, SERVERS

# How a verdict looks, and what it means in a few words; one with a status goes by its letter.
_ANSWER, _TLS = Look("#F0E442"), "#56B4E9"
VERDICT_LOOKS = {
    "ok": (Look("#009E73", light=True), "works"),
    "P": (Look("#D55E00", light=True), "502 UPE: not the HTTP version that is spoken"),
    "C": (Look("#E69F00"), "503 UC: the server closes without an answer"),
    "R": (Look("#CC79A7"), "503 UR: right protocol, the application refuses"),
    "V": (Look(_TLS), "503 UF: TLS is spoken to a server without"),
    "M": (Look(_TLS, "...."), "503 UF: TLS is spoken, and echoed"),
    "A": (Look(_TLS, "////"), "503 UF: nothing in common by ALPN"),
    "F": (Look(_TLS, "xxxx"), "503 UF: TLS is spoken, the server closes"),
    "T": (Look(_TLS, "----"), "503 UF: TLS is spoken, no answer"),
    "h": (_ANSWER, "the server's own answer, but no success"),
    "fake101": (Look("#F0E442", "////"), "101 that is none: no WebSocket there"),
    "u403": (Look("#0072B2", light=True), "403: Envoy lets no WebSocket through"),
    "t": (Look("#BDBDBD"), "504 UT: no answer in time"),
    "D": (Look("#BDBDBD", "////"), "the client gives up waiting"),
    "X": (Look("#595959", light=True), "503 UF: connection refused"),
    "?": (PLAIN, "not seen before"),
    "": (Look(PAPER), "not measured"),
}
_CELL, _GAP, _KEY = 0.24, 0.16, 0.225  # inches: a line, between groups, a line of the key
_FEWEST = 8  # configurations that the width is shared by: few are no bars
_HEAD, _NAMES = 0.72, 0.98  # inches: the titles, the configurations' names
_LEFT, _WIDE = 0.185, 0.757  # of the width: the servers' names, the cells
_NUMBERED = {"h": "h200", "D": "D200"}  # as the key shows those with a status


def verdict_plot(matrix: pd.DataFrame) -> Picture:
    """How each configuration (across) ends at each server (down), from a `verdict_matrix`.

    The lines of `data` are the configurations, its columns the servers, as in the matrix. Servers
    without TLS, with TLS and without HTTP stand apart, and so do the configurations with TLS.

    >>> from protocol_analysis.tables import measured_table, verdict_matrix
    >>> matrix = verdict_matrix(measured_table(), "ws")
    >>> verdict_plot(matrix).shows(matrix)
    True
    """
    client = str(matrix.attrs.get("client", ""))
    envoy = f"Envoy {matrix.attrs['envoy']}" if matrix.attrs.get("envoy") else "Envoy"
    title = f"What {envoy} was measured to do for {CLIENTS.get(client, 'a client')}"
    subtitle = "by what its cluster is told (across) and what listens there (down)"
    if client.startswith("grpc"):
        subtitle += "; 50x: the log has 200, the client UNAVAILABLE"
    servers, configs = _groups(matrix.columns, _kind), _groups(matrix.index, _wire)
    key = list(dict.fromkeys(look_of(str(word)) for word in matrix.to_numpy().ravel()))
    marks: list[Mark] = []
    with plain_style():
        tall = _GAP * max(len(servers) - 1, 0) + _CELL * max(len(matrix.columns), 2)
        height = _HEAD + _KEY * ((len(key) + 1) // 2) + _NAMES + tall + 0.1
        figure = titled_figure(height, title, subtitle)
        _draw_key(figure, key)
        axis = figure.add_axes((_LEFT, 0.1 / height, _WIDE, tall / height))
        axis.set_axis_off()
        wide = _WIDE * figure.get_figwidth()
        axis.set_xlim(0, wide)
        axis.set_ylim(tall, 0)
        step = (wide - _GAP * max(len(configs) - 1, 0)) / max(len(matrix.index), _FEWEST)
        down, across = _places(servers, _CELL), _places(configs, step)
        for server, y in down.items():
            write(axis, -0.06, y + _CELL / 2, server, ha="right", va="center", size=SMALL)
        for config, x in across.items():
            _name(axis, x + step / 2, config)
            for server, y in down.items():
                word = _cell(axis, (x, y, step, _CELL), str(matrix.loc[config, server]))
                marks.append((config, server, word))
        if not marks:
            write(axis, 0.1, tall / 2, NONE_LEFT, color=FAINT)
    alt = ". ".join([title, *_in_words(matrix)])
    return Picture(figure=figure, alt=sentence(alt), marks=tuple(marks))


def look_of(verdict: str) -> str:
    """The key of a verdict's look; one that is not known has that of `?`.

    >>> look_of("h404"), look_of("D200"), look_of("fake101")
    ('h', 'D', 'fake101')
    """
    for name in (verdict, verdict.rstrip("0123456789")):
        if name in VERDICT_LOOKS:
            return name
    return "?"


def _kind(server: str) -> int:
    """Without TLS, with TLS, without HTTP."""
    known = SERVERS[server]
    return 1 if known.tls else 2 if server.startswith("tcp_") or server == "closed" else 0


def _wire(config: str) -> int:
    known = CONFIGS[config]
    return int(known.tls or known.options == "auto")


def _groups(names: Iterable[str], of: Callable[[str], int]) -> list[list[str]]:
    """Names that stand together, in their order."""
    found: dict[int, list[str]] = {}
    for name in names:
        found.setdefault(of(name), []).append(name)
    return [found[number] for number in sorted(found)]


def _places(groups: list[list[str]], step: float) -> dict[str, float]:
    """Where each name begins, in inches, with a gap between groups."""
    names = [(name, number) for number, group in enumerate(groups) for name in group]
    return {name: at * step + number * _GAP for at, (name, number) in enumerate(names)}


def _name(axis: Axes, x: float, config: str) -> None:
    write(axis, x, -0.07, config, size=SMALL, rotation=50, rotation_mode="anchor")


def _cell(axis: Axes, at: tuple[float, float, float, float], verdict: str) -> Text:
    look = VERDICT_LOOKS[look_of(verdict)][0]
    x, y, wide, tall = at
    box(axis, at, look).set(edgecolor="#b9b9b9", linewidth=0)  # of the hatch
    axis.add_artist(Rectangle((x, y), wide, tall, fill=False, edgecolor=PAPER, linewidth=1.5))
    return tag(axis, x + wide / 2, y + tall / 2, verdict, look)


def _draw_key(figure: Figure, key: list[str]) -> None:
    """What the letters mean, above the cells in two columns, what works first."""
    height = figure.get_figheight()
    ordered = [name for name in VERDICT_LOOKS if name in key]
    for number, name in enumerate(ordered):
        look, meaning = VERDICT_LOOKS[name]
        column, line = divmod(number, (len(ordered) + 1) // 2)
        x, y = 0.012 + 0.49 * column, 1 - (_HEAD + 0.12 + _KEY * line) / height
        box(figure, (x, y - 0.085 / height, 0.05, 0.17 / height), look).set(edgecolor="#b9b9b9")
        tag(figure, x + 0.025, y, _NUMBERED.get(name, name), look)
        write(figure, x + 0.058, y, meaning, va="center", size=SMALL)


def _in_words(matrix: pd.DataFrame) -> Iterator[str]:
    """For each configuration: where it works, and how often it ends otherwise."""
    for config in matrix.index:
        row = matrix.loc[config]
        works = [str(server) for server in matrix.columns if row[server] == "ok"]
        others = Counter(str(word) for word in row if word not in {"ok", ""})
        said = ", ".join(f"{word} {count}" for word, count in others.items())
        yield f"{config}: works with {', '.join(works) or 'none'}; else {said or 'nothing'}"
