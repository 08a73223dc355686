"""Counts → bars: declared values, classes of ports, what stops a reference."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

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
    drawable,
    plain_style,
    sentence,
    titled_figure,
    write,
)

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
SEVERITY_LOOKS = {
    "error": Look("#D55E00", "xxxx"),
    "warning": Look("#E69F00", "////"),
    "info": Look("#56B4E9"),
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
    "refuses-external-name": "an ExternalName Service, refused",
    "refuses-unix-socket": "a Unix socket, refused here",
}
_BAR, _STEP = 0.36, 0.95  # inches: a bar of `class_plot`, and from one bar to the next


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
        f"{_name(value)} {_total(shown.loc[[value]])}: {_parts(shown.loc[value, kinds])}"
        for value in shown.index
    ]
    said += [f"{others}, {_count(rest, 'time')}"] if rest else []
    marks: list[Mark] = []
    with plain_style():
        figure, axes = bar_panels(title, subtitle, [_name(v) for v in shown.index], len(kinds))
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
    'Of 4 ports the value of 3 is read, by v1.9.0. Service, 4 ports: recognised 3, none declared 1.'
    """
    kinds = _kinds(classes)
    ports = {kind: int(classes[kind].sum()) for kind in kinds}
    read = int(classes.loc[classes.index == "recognised", kinds].to_numpy().sum())
    of = _count(sum(ports.values()), "port")
    title = f"Of {of} the value of {read:,} is read, by {release or 'this release'}"
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


def findings_plot(counts: pd.DataFrame) -> Picture:
    """What was found, by rule and severity, from `finding_counts`.

    >>> table = pd.DataFrame({"error": [2], "total": [2]}, index=["AP003 A value not read"])
    >>> findings_plot(table).alt
    '2 findings by 1 rule. AP003 A value not read: error 2.'
    """
    severities = _kinds(counts)
    title = f"{_count(_total(counts), 'finding')} by {_count(len(counts), 'rule')}"
    parts = [_parts(counts.loc[rule, severities]) for rule in counts.index]
    said = [f"{rule}: {part}" for rule, part in zip(counts.index, parts, strict=True)]
    marks: list[Mark] = []
    with plain_style():
        codes = [str(rule).partition(" ")[0] for rule in counts.index]
        figure, (axis,) = bar_panels(title, "each rule's findings by severity", codes, 1)
        axis.set_xlim(0, _largest(counts[["total"]]) * 4)
        for line, (rule, part) in enumerate(zip(counts.index, parts, strict=True)):
            left = 0
            for severity in severities:
                count = int(counts.loc[rule, severity])
                look = SEVERITY_LOOKS.get(severity, PLAIN)
                marks.append(
                    (str(rule), severity, box(axis, (left, line - 0.34, count, 0.68), look))
                )
                left += count
            named = str(rule).partition(" ")[2]
            write(axis, left, line, f"  {part}:  {named}", va="center", size=SMALL)
    return Picture(figure=figure, alt=sentence(". ".join([title, *said])), marks=tuple(marks))


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


def _name(value: Any) -> str:
    """A declared value as a label: an empty one would be none."""
    return drawable(str(value)) or '""'
