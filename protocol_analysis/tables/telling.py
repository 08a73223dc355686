"""Findings → what a notebook shows of them: what is wrong, what to do, and where.

A table of sentences is wider than any page, so they stand below one another here. The code of a
finding leads to its page, `docs/rules/CODE.md` as seen from a notebook.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

import pandas as pd

from protocol_analysis.findings.catalogue import catalogue
from protocol_analysis.formats import printable
from protocol_analysis.proof.cells import CLIENTS, CONFIGS
from protocol_analysis.tables.frames import frame

SYMPTOM_COLUMNS = {
    "code": "string",
    "title": "string",
    "findings": "int64",
    "envoy_speaks": "string",
    "server": "string",
    "client": "string",
    "servers": "int64",  # that were measured so
    "failed": "int64",  # of these
}
PAGES = "../docs/rules"
_COLOURS = {"error": "#d55e00", "warning": "#b07d00", "info": "#5c5c5c"}
_LEFT = "text-align: left; vertical-align: top"
_RULE, _TEXT = f'style="{_LEFT}; white-space: nowrap"', f'style="{_LEFT}; overflow-wrap: anywhere"'


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingLines:
    """The first lines of a `findings_table`. A notebook shows them where a cell ends in it."""

    findings: pd.DataFrame
    most: int

    @property
    def left(self) -> str:
        """What is not shown, in words; nothing where all is."""
        more = len(self.findings) - self.most
        return f"and {more:,} more" if more > 0 else ""

    def __str__(self) -> str:
        """One finding in a line: for nbval, and where no HTML is shown."""
        lines = [f"{s} {code} {where}: {what}; {do}" for s, code, where, what, do in self._rows()]
        return "\n".join([*lines, self.left] if self.left else lines) or "nothing found"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Every word of a manifest is escaped, and is no mathematics."""
        lines = "".join(map(_line, self._rows()))
        if not lines:
            return "<p>nothing found</p>"
        left = f"<tr><td></td><td {_TEXT}>{self.left}</td></tr>" if self.left else ""
        return (
            '<table class="dataframe tex2jax_ignore mathjax_ignore"><thead><tr>'
            f"<th {_RULE}>rule</th><th {_TEXT}>what is wrong, what to do, and where</th>"
            f"</tr></thead><tbody>{lines}{left}</tbody></table>"
        )

    def _rows(self) -> Iterator[tuple[str, str, str, str, str]]:
        """Severity, code, place, message and remedy, fit to be shown."""
        shown = self.findings.head(self.most)
        columns = (shown[name] for name in ("severity", "code", "file", "line"))
        sentences = (shown["message"], shown["remedy"])
        for severity, code, file, line, what, do in zip(*columns, *sentences, strict=True):
            yield severity, code, printable(f"{file}:{line}"), printable(what), printable(do)


def finding_lines(findings: pd.DataFrame, most: int = 12) -> FindingLines:
    """The first findings of a `findings_table`, to be read.

    >>> from protocol_analysis.tables.findings import findings_table
    >>> finding_lines(findings_table([]))
    nothing found
    """
    return FindingLines(findings=findings, most=most)


def places(findings: pd.DataFrame) -> pd.Series[str]:
    """Where each line of a `findings_table` stands, as other tables say it: `file:line:column`.

    >>> from protocol_analysis.findings.checking import check
    >>> from protocol_analysis.manifests import load
    >>> from protocol_analysis.tables.findings import findings_table
    >>> found = check(load("data/sample/east/chat.yaml"), select=["AP003"])
    >>> places(findings_table(found)).to_list()
    ['data/sample/east/chat.yaml:100:20']
    """
    numbers = findings["line"].astype("string") + ":" + findings["column"].astype("string")
    return findings["file"] + ":" + numbers


def symptom_table(findings: pd.DataFrame, measured: pd.DataFrame) -> pd.DataFrame:
    """How the rules of a `findings_table` were measured to show; columns as in `SYMPTOM_COLUMNS`.

    A line for each way of a rule: what Envoy speaks, what the server takes, what the client sends.
    Rules that name no such way have none. `measured` is a `proof_table`.

    >>> from protocol_analysis.findings.checking import check
    >>> from protocol_analysis.manifests import load
    >>> from protocol_analysis.tables import findings_table, measured_table
    >>> found = findings_table(check(load("data/sample/east/checkout.yaml"), select=["AP013"]))
    >>> symptom_table(found, measured_table())[["server", "client"]].to_numpy().tolist()
    [['HTTP/1.1 only', 'GET over HTTP/1.1']]
    """
    counts = Counter(findings["code"])
    ways = Counter(zip(measured["config"], measured["kind"], measured["client"], strict=True))
    failed = measured[~measured["ok"]]
    bad = Counter(zip(failed["config"], failed["kind"], failed["client"], strict=True))
    return frame(
        (
            (
                *(code, catalogue()[code].title, counts[code]),
                *(CONFIGS[way[0]].about, way[1], CLIENTS[way[2]]),
                *(ways[way], bad[way]),
            )
            for code in sorted(counts)
            for way in catalogue()[code].measured
        ),
        SYMPTOM_COLUMNS,
    )


def _line(row: tuple[str, str, str, str, str]) -> str:
    severity, code, where, what, do = map(escape, row)
    title = escape(catalogue()[row[1]].title)
    return (
        f'<tr><td {_RULE}><a href="{PAGES}/{code}.md" title="{title}">{code}</a><br>'
        f'<span style="color: {_COLOURS[row[0]]}">{severity}</span></td>'
        f"<td {_TEXT}>{what}<br>→ {do}<br><code>{where}</code></td></tr>"
    )
