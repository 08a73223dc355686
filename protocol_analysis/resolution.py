"""What one release makes of one backend reference, with its reasons. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from protocol_analysis.model import BackendRef, Declared, Meta, Position
from protocol_analysis.rows import Row

UNVERIFIED = " (unverified)"
ASSUMED = "assumed"  # the row of a reason that says what was not to be seen


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: the ruleset row (or the name of the check) that decided, a sentence, a source."""

    row: str
    text: str
    source: str

    def as_dict(self) -> dict[str, str]:
        """The contract's reason."""
        return {"row": self.row, "text": self.text, "source": self.source}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What one release makes of one backend reference.

    `by_gateway` has what each Gateway speaks where they differ; `upstream` is None then. `sent`:
    nothing stopped it, though some releases give some backends no protocol. `site` is where rules
    look it up. `mesh`: it is what a mesh speaks to whoever calls the backend. `readings` are what
    others make of the same backend.
    """

    route: Meta
    ref: BackendRef
    app_protocol: Declared = None
    protocol: str | None = None
    force_http1: bool = False
    tls: bool = False
    sent: bool = False
    upstream: str | None = None
    by_gateway: tuple[tuple[str, str], ...] = ()
    implementation: str
    release: str
    reasons: tuple[Reason, ...]
    declared_at: Position | None = None
    target: Meta | None = None
    site: str = ""
    mesh: bool = False
    readings: tuple[Resolution, ...] = ()

    @property
    def verified(self) -> bool:
        """Whether all that it stands on was read in the source."""
        return not any(reason.text.endswith(UNVERIFIED) for reason in self.reasons)

    @property
    def outcome(self) -> str:
        """`resolved`, or the name of the check that stopped it."""
        return "resolved" if self.protocol else self.deciding.row

    @property
    def deciding(self) -> Reason:
        """The reason that decided: the row that gave the protocol, or what stopped it."""
        return next(reason for reason in self.reasons if reason.row != ASSUMED)

    def has_reason(self, row: str) -> bool:
        """Whether a row of the rules is among the reasons."""
        return any(reason.row == row for reason in self.reasons)

    def as_dict(self) -> dict[str, Any]:
        """The contract's `resolve` row."""
        declared, route = self.app_protocol, self.route
        return {
            "cluster": route.cluster,
            "route": {"kind": route.kind, "namespace": route.namespace, "name": route.name},
            "rule": self.ref.rule,
            "role": self.ref.role,
            "backend": self.ref.backend,
            "backendRef": self.ref.as_dict(),
            "appProtocol": list(declared) if isinstance(declared, tuple) else declared,
            **self.as_reading(),
            "readings": [reading.as_reading() for reading in self.readings],
            "referencedAt": self.ref.position.as_dict(),
            "declaredAt": self.declared_at.as_dict() if self.declared_at else None,
        }

    def as_reading(self) -> dict[str, Any]:
        """What the row of another reader has of it."""
        return {
            "protocol": self.protocol,
            "forceHTTP1": self.force_http1,
            "tls": self.tls,
            "upstream": self.upstream,
            "implementation": self.implementation,
            "release": self.release,
            "mesh": self.mesh,
            "verified": self.verified,
            "reasons": [reason.as_dict() for reason in self.reasons],
        }


def reason_of(row: Row) -> Reason:
    """A row as the reason that it is."""
    text = row.text if row.verified else f"{row.text}{UNVERIFIED}"
    return Reason(row.id, text, row.source)
