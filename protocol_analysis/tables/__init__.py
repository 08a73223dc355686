"""Rows → pandas. Flat columns with documented names and dtypes, in a stable order.

The tables are an interface: notebooks and users' own code build on the column names, which the
`…_COLUMNS` of each module document. Text columns hold text, `""` where there is nothing; numbers
that may be missing are `Int64`.
"""

from protocol_analysis.tables.frames import check, use_notebook_display
from protocol_analysis.tables.portability import (
    PORTABILITY_COLUMNS,
    portability_table,
    value_matrix,
)
from protocol_analysis.tables.ports import (
    CLUSTER_COLUMNS,
    COVERAGE_COLUMNS,
    PROBLEM_COLUMNS,
    WORST_COLUMNS,
    attention_table,
    class_table,
    clusters_table,
    coverage_table,
    declared_table,
    numbers_table,
    problem_table,
    reading_table,
    worst_table,
)
from protocol_analysis.tables.probing import (
    EVIDENCE_COLUMNS,
    PROBE_COLUMNS,
    evidence_table,
    probe_table,
)
from protocol_analysis.tables.proof import (
    MEASURED_COLUMNS,
    measured_table,
    proof_table,
    verdict_matrix,
)
from protocol_analysis.tables.references import (
    OUTPUT_COLUMNS,
    RESOLUTION_COLUMNS,
    outcome_table,
    outputs_table,
    resolution_table,
)
from protocol_analysis.tables.rulebook import (
    CLAIM_COLUMNS,
    RELEASE_COLUMNS,
    RULEBOOK_COLUMNS,
    STEP_COLUMNS,
    SUPPORT_COLUMNS,
    claims_table,
    knowledge_table,
    release_table,
    resolved_rulebook_table,
    rulebook_table,
    steps_table,
    support_table,
)
from protocol_analysis.tables.upgrades import (
    ACCOUNT_COLUMNS,
    CHANGE_COLUMNS,
    REQUIREMENT_COLUMNS,
    UPGRADE_COLUMNS,
    account_table,
    change_table,
    effect_table,
    requirement_table,
    upgrade_table,
    wire_table,
)

__all__ = [
    "ACCOUNT_COLUMNS",
    "CHANGE_COLUMNS",
    "CLAIM_COLUMNS",
    "CLUSTER_COLUMNS",
    "COVERAGE_COLUMNS",
    "EVIDENCE_COLUMNS",
    "MEASURED_COLUMNS",
    "OUTPUT_COLUMNS",
    "PORTABILITY_COLUMNS",
    "PROBE_COLUMNS",
    "PROBLEM_COLUMNS",
    "RELEASE_COLUMNS",
    "REQUIREMENT_COLUMNS",
    "RESOLUTION_COLUMNS",
    "RULEBOOK_COLUMNS",
    "STEP_COLUMNS",
    "SUPPORT_COLUMNS",
    "UPGRADE_COLUMNS",
    "WORST_COLUMNS",
    "account_table",
    "attention_table",
    "change_table",
    "check",
    "claims_table",
    "class_table",
    "clusters_table",
    "coverage_table",
    "declared_table",
    "effect_table",
    "evidence_table",
    "knowledge_table",
    "measured_table",
    "numbers_table",
    "outcome_table",
    "outputs_table",
    "portability_table",
    "probe_table",
    "problem_table",
    "proof_table",
    "reading_table",
    "release_table",
    "requirement_table",
    "resolution_table",
    "resolved_rulebook_table",
    "rulebook_table",
    "steps_table",
    "support_table",
    "upgrade_table",
    "use_notebook_display",
    "value_matrix",
    "verdict_matrix",
    "wire_table",
    "worst_table",
]
