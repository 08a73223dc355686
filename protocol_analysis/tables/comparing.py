"""h2c, h2 and gRPC beside each other → tables."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from protocol_analysis.comparing import on_the_wire, same_cluster, story, undeclared
from protocol_analysis.releases import line_of
from protocol_analysis.rows import Ruleset
from protocol_analysis.tables.frames import frame

STORY_COLUMNS = {
    "date": "string",
    "who": "string",
    "value": "string",
    "text": "string",
    "source": "string",
}
ON_THE_WIRE_COLUMNS = {
    "property": "string",
    "h2c": "string",
    "h2": "string",
    "gRPC": "string",
    "source": "string",
}


def story_table(ruleset: Ruleset) -> pd.DataFrame:
    """Where the names come from, and since when they are read, by date; `STORY_COLUMNS`.

    >>> from protocol_analysis.rules import ruleset
    >>> story_table(ruleset())["date"].is_monotonic_increasing
    True
    """
    return frame(
        ((e.date, e.who, e.value, e.text, e.source) for e in story(ruleset)), STORY_COLUMNS
    )


def on_the_wire_table() -> pd.DataFrame:
    """What h2c, h2 and gRPC are on the wire, a line for each property; `ON_THE_WIRE_COLUMNS`.

    >>> on_the_wire_table().set_index("property").loc["TLS", ["h2c", "h2"]].to_list()
    ['no', 'yes']
    """
    return frame(
        ([row[name] for name in ON_THE_WIRE_COLUMNS] for row in on_the_wire()), ON_THE_WIRE_COLUMNS
    )


def same_cluster_table(ruleset: Ruleset) -> pd.DataFrame:
    """Whether `grpc` and h2c make the same Envoy cluster: cases (lines) by release lines (columns).

    `same`, `differs`, or what is read where not both are; `-`: the kind is not accepted.

    >>> from protocol_analysis.rules import ruleset
    >>> same_cluster_table(ruleset()).loc["ServiceImport HTTPRoute", ["v1.8", "v1.9"]].to_list()
    ['h2c only', 'same']
    """
    return _by_line(same_cluster(ruleset))


def undeclared_table(ruleset: Ruleset) -> pd.DataFrame:
    """What is spoken to a Service that declares nothing: cases (lines) by release lines (columns).

    >>> from protocol_analysis.rules import ruleset
    >>> undeclared_table(ruleset()).loc["TLS HTTPRoute", ["v1.5", "v1.6"]].to_list()
    ['http/1.1+tls', 'auto+tls']
    """
    table = _by_line(undeclared(ruleset))
    return table.sort_index(key=lambda names: names.str.startswith("TLS "), kind="stable")


def _by_line(found: Iterable[tuple[str, str, str]]) -> pd.DataFrame:
    """Answers as a grid, in the order in which cases and releases come."""
    answers = {(case, line_of(release)): answer for case, release, answer in found}
    cases, lines = (list(dict.fromkeys(key[at] for key in answers)) for at in (0, 1))
    lines.sort(key=lambda line: tuple(map(int, line.removeprefix("v").split("."))))
    rows = [[answers.get((case, line), "-") for line in lines] for case in cases]
    return pd.DataFrame(rows, index=cases, columns=lines, dtype="object")
