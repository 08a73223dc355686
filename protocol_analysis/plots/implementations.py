"""Implementations beside each other → pictures: values by reader, declarations by reader."""

from __future__ import annotations

import pandas as pd

from protocol_analysis.drawing import PAPER, Look, Picture
from protocol_analysis.plots.grid import NOT_READ, Known, grid
from protocol_analysis.plots.upgrades import WIRES

_DOTS = "...."
SPOKEN: Known = {
    **WIRES,
    **{
        f"{word} ?": (Look(look.colour, _DOTS, light=look.light), "")
        for word, (look, _) in WIRES.items()
    },
    "its Service": (Look("#CC79A7"), "the Service behind it is read, whatever it says"),
    "not read": (WIRES["not read"][0], "turned away"),
}
# Whether it is what was meant counts here, not what it is.
_MEANT, _OTHERWISE = "#56B4E9", "#E69F00"


def implementations_plot(matrix: pd.DataFrame) -> Picture:
    """What each implementation speaks to each value, gateways and meshes, from a `value_matrix`.

    >>> from protocol_analysis.readers import reader
    >>> from protocol_analysis.tables import value_matrix
    >>> table = value_matrix([reader("contour"), reader("linkerd")], ["grpc"])
    >>> implementations_plot(table).data["grpc"].to_list()
    ['not read', 'tcp']
    """
    title = "What each implementation speaks to a port, by the appProtocol declared"
    subtitle = "behind an HTTPRoute without policies, or called in a mesh; ? and dots: not verified"
    return grid(_flat(matrix), title, subtitle, SPOKEN, joined=False)


def declared_matrix_plot(matrix: pd.DataFrame) -> Picture:
    """Who takes declared values as they were meant, and who otherwise, from a `declared_matrix`.

    >>> from protocol_analysis.tables import declared_matrix
    >>> declared_matrix_plot(declared_matrix([])).data.empty
    True
    """
    title = "Who takes your declarations as they were meant"
    subtitle = "each value with the number of ports that declare it; ? and dots: not verified"
    words = dict.fromkeys(str(word) for word in matrix.to_numpy().ravel())
    looks: Known = {word: _judged(word) for word in words} | {"none": (NOT_READ, "")}
    return grid(_flat(matrix), title, subtitle, looks, joined=False)


SAME: Known = {
    "same": (Look("#0072B2", light=True), "the very same Envoy cluster"),
    "differs": (Look("#D55E00", "xxxx"), "another Envoy cluster"),
    "h2c only": (Look("#E69F00", "////"), "h2c is read, grpc is not"),
    "grpc only": (Look("#009E73", "////"), "grpc is read, h2c is not"),
    "neither": (NOT_READ, "neither is read: the route decides"),
    "-": (Look(PAPER), "the kind, or TLS for it, is not taken"),
}


def same_cluster_plot(table: pd.DataFrame) -> Picture:
    """Whether `grpc` and h2c make the same Envoy cluster, one panel per kind.

    From a `same_cluster_table`.

    >>> from protocol_analysis import ruleset
    >>> from protocol_analysis.tables import same_cluster_table
    >>> same_cluster_plot(same_cluster_table(ruleset())).data.loc["Service HTTPRoute", "v1.9"]
    'same'
    """
    title = "grpc and h2c: what Envoy Gateway makes of each, compared"
    subtitle = "one backend, alone in its rule; the newest patch of each release line"
    return grid(table, title, subtitle, SAME)


def undeclared_plot(table: pd.DataFrame) -> Picture:
    """What is spoken to a backend that declares nothing, from an `undeclared_table`.

    >>> from protocol_analysis import ruleset
    >>> from protocol_analysis.tables import undeclared_table
    >>> undeclared_plot(undeclared_table(ruleset())).data.loc["clear GRPCRoute", "v1.9"]
    'h2'
    """
    title = "What Envoy Gateway speaks to a Service that declares nothing"
    subtitle = "in the clear, and with a BackendTLSPolicy; the newest patch of each release line"
    known = {**WIRES, "-": (Look(PAPER), "TLS is not offered")}
    return grid(table, title, subtitle, known)


def _judged(word: str) -> tuple[Look, str]:
    """How a word looks: as it was meant, or not; dots where nobody has verified it."""
    wrong, doubtful = "!" in word, word.endswith("?")
    hatch = _DOTS if doubtful else "////" if wrong else ""
    meaning = "not what was meant" if wrong else "as it was meant"
    return Look(_OTHERWISE if wrong else _MEANT, hatch), "" if doubtful else meaning


def _flat(matrix: pd.DataFrame) -> pd.DataFrame:
    """Each line named by its panel and itself, as `grid` wants it."""
    flat = matrix.copy()
    flat.index = pd.Index([" ".join(map(str, name)) for name in matrix.index], dtype="object")
    return flat
