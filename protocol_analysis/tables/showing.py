"""How notebooks show tables: text to the left, links by short names, and no word of it obeyed.

A notebook aligns every cell to the right, cuts what is long, and prints links in full, which leaves
no room for sentences. What is shown as plain text, and compared by nbval, stays as pandas has it.
"""

from __future__ import annotations

import html
import re
import sys
from typing import Any

import pandas as pd

from protocol_analysis.formats import printable

LONGEST = 600  # characters of a cell
_LEFT = '<div style="text-align: left{}">{}</div>'
_WORD = 24  # characters of a word that is not broken: a date, a release
_NAME = 48  # of a link's
_URL = re.compile(r"https://[^\s<>\"',;]+")
_OF_GITHUB = re.compile(
    r"https://github\.com/(?P<repository>[\w.-]+/[\w.-]+)/"
    r"(?:(?:pull|issues)/(?P<number>\d+)|commit/(?P<commit>[0-9a-f]+)"
    r"|(?:blob|tree)/(?P<at>[^/]+)/(?P<path>[^#]+))(?:#(?P<lines>.+))?"
)


def use_notebook_display(rows: int = 24) -> None:
    """Show tables alike everywhere, at most `rows` rows of them; see `shown`."""
    pd.set_option("display.html.use_mathjax", False)  # noqa: FBT003 - a manifest may hold $
    pd.set_option("display.max_rows", rows)
    pd.set_option("display.min_rows", rows)
    pd.set_option("display.max_columns", 20)
    pd.set_option("display.max_colwidth", 220)
    pd.set_option("display.width", 200)
    ipython = sys.modules.get("IPython")
    if ipython and (shell := ipython.get_ipython()):
        shell.display_formatter.formatters["text/html"].for_type(pd.DataFrame, shown)


def shown(table: pd.DataFrame) -> str:
    """A table as HTML. Every word of a manifest is escaped, and is no mathematics.

    >>> page = shown(pd.DataFrame({"name": ["<b>"], "port": [80]}))
    >>> "&lt;b&gt;</div>" in page, "<td>80</td>" in page
    (True, True)
    """
    numbers = [pd.api.types.is_numeric_dtype(dtype) for dtype in table.dtypes]
    heads = [
        html.escape(str(name)) if number else _LEFT.format("", html.escape(str(name)))
        for name, number in zip(table.columns, numbers, strict=True)
    ]
    most = pd.get_option("display.max_rows")
    page = table.set_axis(heads, axis="columns")
    page.index = pd.Index([_cell(label) for label in table.index], name=_name(table.index))
    page.columns.name = _name(table.columns)
    return page.to_html(
        formatters=[_number if number else _text for number in numbers],
        escape=False,
        max_rows=most,
        show_dimensions=len(table) > most,
    )


def _name(index: pd.Index) -> str | None:
    return None if index.name is None else html.escape(str(index.name))


def _number(value: Any) -> str:
    if pd.isna(value):
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _text(value: Any) -> str:
    word = str(value)
    whole = len(word) <= _WORD and not re.search(r"\s", word)
    return _LEFT.format("; white-space: nowrap" if whole else "", _cell(value))


def _cell(value: Any) -> str:
    """Text fit to be shown, its links by their short names."""
    text = printable(str(value))
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    found, at = [], 0
    for link in _URL.finditer(text):
        found += [html.escape(text[at : link.start()]), _link(link[0])]
        at = link.end()
    return "".join((*found, html.escape(text[at:])))


def _link(url: str) -> str:
    return f'<a href="{html.escape(url)}">{html.escape(short(url))}</a>'


def short(url: str) -> str:
    """What a link is called: repository, release or commit, file and lines of one to GitHub.

    Of others the host, and the end of what is long.

    >>> short("https://github.com/envoyproxy/gateway/blob/v1.9.0/internal/gatewayapi/route.go#L35")
    'envoyproxy/gateway v1.9.0 route.go#L35'
    >>> short("https://github.com/envoyproxy/gateway/pull/9337")
    'envoyproxy/gateway#9337'
    >>> short("https://istio.io/latest/docs/")
    'istio.io/latest/docs'
    """
    found = _OF_GITHUB.fullmatch(url)
    if not found:
        name = url.removeprefix("https://").rstrip("/")
        parts = name.split("/")
        return name if len(name) <= _NAME else f"{parts[0]}/…/{parts[-1]}"
    if found["number"]:
        return f"{found['repository']}#{found['number']}"
    if found["commit"]:
        return f"{found['repository']} {found['commit'][:7]}"
    at = found["at"][:7] if re.fullmatch(r"[0-9a-f]{40}", found["at"]) else found["at"]
    lines = f"#{found['lines']}" if found["lines"] else ""
    return f"{found['repository']} {at} {found['path'].rpartition('/')[2]}{lines}"
