"""What an upgrade changes → pictures: how much of what effect, and what flips in which line."""

from __future__ import annotations

import pandas as pd

from protocol_analysis.drawing import (
    PAPER,
    SIZE,
    Look,
    Mark,
    Picture,
    bar_panels,
    counted_bar,
    plain_style,
    sentence,
)
from protocol_analysis.plots.grid import grid

EFFECT_LOOKS = {
    "breaks": Look("#D55E00", "xxxx"),
    "changes": Look("#E69F00", "////"),
    "no longer read": Look("#CC79A7", "...."),
    "newly read": Look("#009E73"),
    "same wire": Look("#56B4E9"),
}
WIRES = {
    "h2": (Look("#0072B2", light=True), "HTTP/2 without TLS: h2c"),
    "h2+tls": (Look("#0072B2", light=True), "HTTP/2 over TLS"),
    "http/1.1": (Look("#F0E442"), "HTTP/1.1 without TLS"),
    "http/1.1+tls": (Look("#F0E442", "////"), "HTTP/1.1 over TLS"),
    "auto+tls": (Look("#009E73"), "as ALPN has it"),
    "client": (Look("#E69F00"), "what the client speaks"),
    "client+tls": (Look("#E69F00", "////"), "what the client speaks, over TLS"),
    "tcp": (Look("#E4E4E4"), "bytes as they come"),
    "tcp+tls": (Look("#E4E4E4", "////"), "bytes as they come, over TLS"),
    "udp": (Look("#E4E4E4"), "datagrams as they come"),
    "differs": (Look("#CC79A7"), "differs from Gateway to Gateway"),
    "unknown": (Look("#F7F7F7", "...."), "not in the rules"),
    "not read": (Look(PAPER), "the reference is not resolved"),
}


def effect_plot(effects: pd.DataFrame) -> Picture:
    """How many references of each cluster change, one panel per cluster, from an `effect_table`.

    >>> row = {"breaks": 1, "same wire": 2, "unchanged": 3, "total": 6}
    >>> effect_plot(pd.DataFrame([row], index=["all"])).alt
    '3 of 6 backend references change, 1 of them breaks. all: breaks 1, same wire 2.'
    """
    names = [name for name in effects.columns if name in EFFECT_LOOKS]
    changed = int(effects[names].to_numpy().sum())
    broken = int(effects["breaks"].sum())
    title = f"{changed:,} of {int(effects['total'].sum()):,} backend references change"
    said = []
    for cluster in effects.index:
        parts = [f"{name} {n:,}" for name in names if (n := int(effects.loc[cluster, name]))]
        said.append(f"{cluster}: {', '.join(parts) or 'none'}")
    marks: list[Mark] = []
    with plain_style():
        figure, axes = bar_panels(title, "by effect", names, max(len(effects.index), 1))
        for axis, cluster in zip(axes, effects.index, strict=False):
            axis.set_title(str(cluster), fontsize=SIZE, loc="left", weight="bold")
            axis.set_xlim(0, max(1, int(effects[names].to_numpy().max(initial=0))) * 1.3)
            for line, name in enumerate(names):
                count = int(effects.loc[cluster, name])
                bar = counted_bar(axis, line, count, EFFECT_LOOKS[name])
                marks.append((str(cluster), name, bar))
    alt = ". ".join([f"{title}, {broken:,} of them breaks", *said])
    return Picture(figure=figure, alt=sentence(alt), marks=tuple(marks))


def wire_plot(wires: pd.DataFrame, most: int = 30) -> Picture:
    """What is spoken in each line to what changes on the way, from a `wire_table`.

    >>> table = pd.DataFrame({"v1.8": ["http/1.1"], "v1.9": ["h2"]}, index=["ServiceImport grpc"])
    >>> wire_plot(table).data.loc["ServiceImport grpc"].to_dict()
    {'v1.8': 'http/1.1', 'v1.9': 'h2'}
    """
    shown = wires.iloc[:most]
    rest = len(wires) - len(shown)
    more = f"; {rest:,} more are in the table" if rest else ""
    subtitle = (
        f"by kind, value (eg/ is gateway.envoyproxy.io/) and route: how many references{more}"
    )
    title = "What is spoken, line by line, to what does not stay the same"
    return grid(shown, title, subtitle, WIRES)
