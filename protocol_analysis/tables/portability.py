"""Who means what: declarations by implementation, and values by implementation, as DataFrames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd

from protocol_analysis.portability import Portability, Reading, value_words
from protocol_analysis.readers import Reader, all_readers, everyone, reader
from protocol_analysis.tables.frames import frame, text

PORTABILITY_COLUMNS = {
    "cluster": "string",
    "object": "string",
    "port": "Int64",
    "app_protocol": "string",
    "meant": "string",
    "portable": "bool",
    "right": "string",
    "as_meant": "string",
    "otherwise": "string",
    "declared_at": "string",
}
# The values of the specifications, and those that people write for the same.
VALUES = (
    *("kubernetes.io/h2c", "kubernetes.io/ws", "kubernetes.io/wss"),
    *("http", "https", "http2", "HTTP2", "grpc", None),
)


def portability_table(rows: Sequence[Portability]) -> pd.DataFrame:
    """One line per declaration: who takes it as meant, who otherwise; `PORTABILITY_COLUMNS`."""
    return frame(
        (
            (
                text(r.meta.cluster),
                f"{r.meta.kind} {r.meta.namespace}/{r.meta.name}",
                r.port,
                r.app_protocol,
                r.meant.text if r.meant else "",
                r.portable,
                r.right or "none",
                _each(r, as_meant=True),
                _each(r, as_meant=False),
                str(r.declared_at),
            )
            for r in rows
        ),
        PORTABILITY_COLUMNS,
    )


def value_matrix(
    readers: Sequence[Reader | str] = (),
    values: Sequence[str | None] = VALUES,
    kind: str = "Service",
) -> pd.DataFrame:
    """What each implementation (lines) speaks to a port with each value (columns).

    Behind an HTTPRoute without policies, or called in a mesh: the first level of the index says
    which. `?`: nobody has verified it; `not read`: turned away.

    >>> from protocol_analysis.readers import reader
    >>> value_matrix([reader("gke")], ["HTTP2", None]).loc[("gateway", "gke@main")].to_list()
    ['h2+tls ?', 'http/1.1 ?']
    """
    chosen = sorted(all_readers(readers) or everyone(), key=lambda each: each.mesh)
    cells = {
        value or "none": [_word(*value_words(value, each, kind)) for each in chosen]
        for value in values
    }
    return pd.DataFrame(cells, index=_lines(chosen), dtype="object")


def declared_matrix(
    rows: Sequence[Portability], kind: str = "Service", most: int = 8
) -> pd.DataFrame:
    """What each reader (lines) speaks to what is declared on a kind (columns), frequent ones first.

    A column is a value with how many ports declare it and are read alike. `!`: not what was meant;
    `?`: nobody has verified it. The index is that of `value_matrix`; the last line has the one
    declaration that is right in all.

    >>> declared_matrix([]).empty
    True
    """
    alike: Counter[tuple[str, ...]] = Counter()
    for row in (row for row in rows if row.meta.kind == kind):
        said = (_word(_meant(each), each.verified) for each in row.readings)
        alike[row.app_protocol, row.right or "none", *said] += 1
    readers = [reader(each.reader) for each in rows[0].readings] if rows else []
    index = _lines(readers).append(pd.MultiIndex.from_tuples([("all", "right in all")]))
    cells = {
        f"{value}: {count:,}": [*said, right]
        for (value, right, *said), count in sorted(alike.items(), key=_frequent)[:most]
    }
    table = pd.DataFrame(cells, index=index, dtype="object")
    return table.sort_index(key=_by_role, level=0, kind="stable", sort_remaining=False)


def _lines(readers: Sequence[Reader]) -> pd.MultiIndex:
    names = [("mesh" if each.mesh else "gateway", _name(each)) for each in readers]
    return pd.MultiIndex.from_tuples(names, names=["as", "implementation"])


def _name(each: Reader) -> str:
    return f"{each.implementation}@{each.release}"


def _by_role(roles: pd.Index[Any]) -> pd.Index[Any]:
    return roles.map({"gateway": 0, "mesh": 1, "all": 2}.get)


def _frequent(item: tuple[tuple[str, ...], int]) -> tuple[int, tuple[str, ...]]:
    return (-item[1], item[0])


def _meant(reading: Reading) -> str:
    return f"{reading.word} !" if reading.as_meant is False else reading.word


def _word(word: str, verified: bool) -> str:  # noqa: FBT001 - a word and what stands behind it
    return word if verified else f"{word} ?"


def _each(row: Portability, *, as_meant: bool) -> str:
    found = [r for r in row.readings if r.as_meant is as_meant]
    return ", ".join(r.reader if as_meant else f"{r.reader} {r.word}" for r in found)
