"""Tables → pictures that need no explanation, and that can be read back.

Every function takes a DataFrame made by `tables` and returns a `Picture`: a matplotlib Figure, its
alternative text, and the artists that carry the numbers. `Picture.data` reads the numbers back from
those artists, and `Picture.shows` compares them with a table.
"""

from protocol_analysis.drawing import Picture
from protocol_analysis.plots.counts import (
    OUTCOMES,
    class_plot,
    declared_plot,
    findings_plot,
    outcome_plot,
)
from protocol_analysis.plots.detecting import quality_plot, quality_shares
from protocol_analysis.plots.grid import (
    route_kinds_plot,
    rulebook_cells,
    rulebook_plot,
    rulebook_steps,
)
from protocol_analysis.plots.implementations import (
    declared_matrix_plot,
    implementations_plot,
    same_cluster_plot,
    undeclared_plot,
)
from protocol_analysis.plots.multicluster import dragged_plot, matrix_lines, propagation_plot
from protocol_analysis.plots.proof import verdict_plot
from protocol_analysis.plots.rollout import cost_lines, cost_plot, decision_plot, remaining_plot
from protocol_analysis.plots.steps import steps_plot
from protocol_analysis.plots.timeline import timeline_lines, timeline_plot
from protocol_analysis.plots.upgrades import effect_plot, wire_plot
from protocol_analysis.plots.wild import wild_plot

__all__ = [
    "OUTCOMES",
    "Picture",
    "class_plot",
    "cost_lines",
    "cost_plot",
    "decision_plot",
    "declared_matrix_plot",
    "declared_plot",
    "dragged_plot",
    "effect_plot",
    "findings_plot",
    "implementations_plot",
    "matrix_lines",
    "outcome_plot",
    "propagation_plot",
    "quality_plot",
    "quality_shares",
    "remaining_plot",
    "route_kinds_plot",
    "rulebook_cells",
    "rulebook_plot",
    "rulebook_steps",
    "same_cluster_plot",
    "steps_plot",
    "timeline_lines",
    "timeline_plot",
    "undeclared_plot",
    "verdict_plot",
    "wild_plot",
    "wire_plot",
]
