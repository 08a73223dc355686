"""What every table is made with, and how notebooks show and check them.

The `…_COLUMNS` beside each table are its interface, name by dtype:

string   text; "" where there is nothing, so that no cell is missing
int64    a count, or an index that is always there
Int64    a number that may be missing: a Backend has no port
Float64  a share, from 0 to 1; missing where there is nothing to share
bool     yes or no

An empty table has the same columns and dtypes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd


def frame(rows: Iterable[Sequence[Any]], columns: dict[str, str]) -> pd.DataFrame:
    """Rows as a DataFrame of these columns and dtypes, which an empty one has too.

    >>> frame([], {"port": "Int64"}).dtypes["port"]
    Int64Dtype()
    """
    cells = list(zip(*rows, strict=True)) or [()] * len(columns)
    # Column by column: a missing number among others would make floats of them on the way.
    return pd.DataFrame(
        {
            name: pd.Series(list(found), dtype=dtype)
            for (name, dtype), found in zip(columns.items(), cells, strict=True)
        }
    )


def text(value: Any) -> str:
    """A cell's text: lists in brackets, nothing as "".

    >>> text(("a", "b")), text(None)
    ('[a, b]', '')
    """
    if isinstance(value, tuple):
        return "[" + ", ".join(value) + "]"
    return "" if value is None else str(value)


class Markdown(str):
    """Text that a notebook shows as Markdown. What manifests say in it has to be escaped before."""

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        return str(self)


def as_markdown(text: str) -> Markdown:
    """A text as a notebook's cell shows it.

    >>> as_markdown("# Memo")
    '# Memo'
    """
    return Markdown(text)


def check(claim: str, holds: object) -> None:
    """Say that a claim holds; raise AssertionError where it does not.

    >>> check("1 + 1 is 2", 1 + 1 == 2)
    holds: 1 + 1 is 2
    """
    if not holds:
        raise AssertionError(f"does not hold: {claim}")
    sys.stdout.write(f"holds: {claim}\n")
