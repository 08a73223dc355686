"""Tables → pictures that need no explanation, and that can be read back.

Every function takes a DataFrame made by `tables` and returns a `Picture`: a matplotlib Figure, its
alternative text, and the artists that carry the numbers. `Picture.data` reads the numbers back from
those artists, and `Picture.shows` compares them with a table.
"""

from protocol_analysis.drawing import Picture
from protocol_analysis.plots.counts import OUTCOMES, class_plot, declared_plot, outcome_plot
from protocol_analysis.plots.grid import (
    route_kinds_plot,
    rulebook_cells,
    rulebook_plot,
    rulebook_steps,
)
from protocol_analysis.plots.proof import verdict_plot
from protocol_analysis.plots.steps import steps_plot
from protocol_analysis.plots.upgrades import effect_plot, wire_plot
from protocol_analysis.plots.wild import wild_plot

__all__ = [
    "OUTCOMES",
    "Picture",
    "class_plot",
    "declared_plot",
    "effect_plot",
    "outcome_plot",
    "route_kinds_plot",
    "rulebook_cells",
    "rulebook_plot",
    "rulebook_steps",
    "steps_plot",
    "verdict_plot",
    "wild_plot",
    "wire_plot",
]
