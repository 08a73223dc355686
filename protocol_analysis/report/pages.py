"""Report → HTML pages: an index, and a notebook that has been executed. They need no network.

Light or dark as the reader's system asks; every word that comes from a manifest is escaped.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from protocol_analysis.drawing import Picture
from protocol_analysis.formats import printable
from protocol_analysis.plots import OUTCOMES, class_plot
from protocol_analysis.reading import Read
from protocol_analysis.tables import class_table, outcome_table

MOST_PROBLEMS = 200
DATA = {
    "coverage.csv": "every port, as a table",
    "coverage.json": "every port, as JSON",
    "resolve.json": "every backend reference with its reasons, as JSON",
    "problems.csv": "what was not read, passed over or doubtful",
}
STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #ffffff; --soft: #f4f5f7;
  --rule: #d0d4da; --faint: #55595f; --link: #00568a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --paper: #16181c; --soft: #22252b;
  --rule: #3d424b; --faint: #a9aeb6; --link: #7cc4f0; } }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
a { color: var(--link); } h1 { line-height: 1.2; font-size: 1.9rem; }
h2 { margin-top: 2.4rem; font-size: 1.35rem; line-height: 1.25; }
nav, .faint { color: var(--faint); }
img { max-width: 100%; height: auto; border-radius: 6px; background: #ffffff; }
table { border: 0; border-collapse: collapse; font-size: .85rem; margin: .8rem 0; }
th, td { border: 0; border-bottom: 1px solid var(--rule); padding: .3rem .7rem; text-align: left;
  vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.wide, .output_html { overflow-x: auto; } .output_html p { margin: 0; color: var(--faint); }
pre, code { font: .85rem/1.5 ui-monospace, monospace; }
code { background: var(--soft); border-radius: 3px; padding: .08em .3em; }
pre { background: var(--soft); border-radius: 6px; padding: .6rem .8rem; overflow-x: auto;
  margin: .6rem 0; }
pre code { padding: 0; } .output_stdout pre { background: none; border-left: 3px solid #009e73;
  border-radius: 0; padding: .1rem .8rem; }
.output_error pre, .failed { border-left: 3px solid #d55e00; border-radius: 0;
  padding-left: .8rem; }
.dataframe { border: 0; } .dataframe thead th { text-align: left !important; }
.dataframe thead tr { text-align: left !important; }
.dataframe td:last-child { overflow-wrap: anywhere; min-width: 11rem; }
li { margin: .2rem 0; overflow-wrap: anywhere; }
"""


def page(title: str, body: str, style: str = "") -> str:
    """A whole page; `title` is plain text, `body` is HTML."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{said(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def said(text: Any) -> str:
    r"""Plain text as HTML; control and direction characters are shown, not obeyed.

    >>> said("<b>\x1b")
    '&lt;b&gt;\\x1b'
    """
    return escape(printable(text))


def title_of(notebook: Path) -> str:
    """The first heading of a notebook, or its name."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return heading(cells) or notebook.stem


def heading(cells: Sequence[Any]) -> str:
    r"""The first heading in Markdown cells, or nothing.

    >>> heading([{"cell_type": "markdown", "source": ["# What?\n", "This."]}])
    'What?'
    """
    for cell in cells:
        source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        if cell["cell_type"] == "markdown" and source.startswith("# "):
            return source.splitlines()[0].removeprefix("# ").strip()
    return ""


def notebook_page(book: Any) -> str:
    """An executed notebook as a page: its pictures have their alternative text."""
    from nbconvert import HTMLExporter  # noqa: PLC0415 - only a report needs Jupyter
    from pygments.formatters.html import (  # type: ignore[import-untyped] # noqa: PLC0415
        HtmlFormatter,
    )

    # "basic" is the body of the classic template, which, unlike the default, writes alt.
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="basic",
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    body, _ = exporter.from_notebook_node(book)
    light = HtmlFormatter(style="default").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    style = (
        f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"
        ".highlight, .highlight pre { background: var(--soft) !important; }"
    )
    body = _linked(body)
    home = '<nav><a href="index.html">← the report</a></nav>'
    return page(heading(book.cells) or "notebook", f"{home}\n{body}", style)


def _linked(body: str) -> str:
    """Links as a report has them: other notebooks are pages, and other files are not there.

    A cell of a table that holds an address and nothing else can be followed.

    >>> _linked('<a href="01_coverage.ipynb">one</a>, <a href="../data/README.md">two</a>')
    '<a href="01_coverage.html">one</a>, two'
    >>> _linked("<td>https://github.com/a#L1</td><td>see https://github.com</td>")
    '<td><a href="https://github.com/a#L1">https://github.com/a#L1</a></td><td>see https://github.com</td>'
    """
    body = re.sub(r"<td>(https://[\w./#~%-]+)</td>", r'<td><a href="\1">\1</a></td>', body)
    body = re.sub(r'(<a href="[\w-]+)\.ipynb"', r'\1.html"', body)
    return re.sub(r'<a href="\.\./[^"]*"[^>]*>(.*?)</a>', r"\1", body, flags=re.DOTALL)


def index_page(
    found: Read, notebooks: Sequence[tuple[str, str]], failures: Mapping[str, str]
) -> str:
    """The report's first page. `notebooks` are (name, title)."""
    title = "Which protocol is spoken to each backend port?"
    inventory = found.inventory
    classes = class_table(found.ports)
    outcomes = outcome_table(found.references)[["total"]].rename(index=OUTCOMES)
    outcomes = outcomes.rename(columns={"total": "references"})
    books = "".join(_notebook(name, question, failures) for name, question in notebooks)
    data = "".join(f'<li><a href="{name}">{name}</a>: {text}</li>' for name, text in DATA.items())
    summary = (
        f"<p>{said(found.readers)}, and {inventory.files:,} files with "
        f"{len(found.ports):,} backend ports and {len(found.references):,} backend references "
        f"of routes, of which {found.resolved:,} are resolved.</p>"
    )
    rest = (
        f"{len(inventory.skipped):,} documents passed over, {len(inventory.warnings):,} warnings."
    )
    parts = (
        f"<h1>{title}</h1>",
        summary,
        f"<h2>Notebooks</h2><ul>{books}</ul>",
        "<h2>Ports by class and kind</h2>",
        image(class_plot(classes, found.readers)),
        table(classes),
        "<h2>References not resolved, and why</h2>",
        table(outcomes) if len(outcomes) else "<p>None: every reference is resolved.</p>",
        "<h2>Not read</h2>",
        _problems(inventory.unreadable, "Nothing: everything was read."),
        f"<h2>Data</h2><ul>{data}</ul>",
        f'<p class="faint">{rest}</p>',
    )
    return page(title, "\n".join(parts))


def image(picture: Picture) -> str:
    """A picture with its alternative text, inside the page."""
    source = base64.b64encode(picture.png()).decode()
    return f'<img src="data:image/png;base64,{source}" width="922" alt="{said(picture.alt)}">'


def _notebook(name: str, title: str, failures: Mapping[str, str]) -> str:
    failed = f'<div class="failed">failed: {said(failures[name])}</div>' if name in failures else ""
    return f'<li><a href="{said(name)}.html">{said(title)}</a>{failed}</li>'


def _problems(problems: Sequence[Any], none: str) -> str:
    if not problems:
        return f"<p>{none}</p>"
    items = "".join(f"<li>{said(problem)}</li>" for problem in problems[:MOST_PROBLEMS])
    more = len(problems) - MOST_PROBLEMS
    rest = (
        f'<p>And {more:,} more in <a href="problems.csv">problems.csv</a>.</p>' if more > 0 else ""
    )
    return f"<ul>{items}</ul>{rest}"


def table(counts: Any) -> str:
    """Counts as an HTML table with row and column headings."""
    head = "".join(f'<th scope="col" class="n">{said(name)}</th>' for name in counts.columns)
    rows = "".join(
        f'<tr><th scope="row">{said(name)}</th>'
        + "".join(f'<td class="n">{int(value):,}</td>' for value in line)
        + "</tr>"
        for name, line in zip(counts.index, counts.to_numpy(), strict=True)
    )
    head = f'<tr><th scope="col">{said(counts.index.name or "")}</th>{head}</tr>'
    whole = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"
    return f'<div class="wide">{whole}</div>'
