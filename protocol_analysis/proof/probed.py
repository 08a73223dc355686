"""What `probe` says of an endpoint, and of what manifests declare for it: the rows. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from protocol_analysis.model import Position
from protocol_analysis.proof.endpoints import Endpoint
from protocol_analysis.proof.facts import Facts, Recommendation, recommended

AS_DECLARED, OTHERWISE, NONE_DECLARED = "as declared", "not what is declared", "not declared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was asked, and what was seen; never what a server said."""

    step: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What manifests declare for an endpoint, and whether that is what it speaks.

    `verdict` is None where it cannot be told. `spoken` is what the gateway speaks to the port as
    it is declared, `works` whether the endpoint speaks that too.
    """

    value: str | None
    at: Position | None
    verdict: str | None
    spoken: str | None
    works: bool | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What one endpoint speaks. `address` is the one that answered, of those that it has."""

    endpoint: Endpoint
    address: str | None = None
    facts: Facts = field(default_factory=Facts)
    evidence: tuple[Evidence, ...] = ()
    declaration: Declaration | None = None

    @property
    def recommended(self) -> Recommendation:
        """The appProtocol that is right, or none, and why."""
        return recommended(self.facts)

    def as_dict(self) -> dict[str, Any]:
        """The `probe` row. In it null is what cannot be told, and `evidence` says why.

        `http/1.1`, `websocket` and `rfc8441` (WebSocket over HTTP/2) hold in the clear or over TLS;
        `h2c` is HTTP/2 in the clear, by prior knowledge, `h2` HTTP/2 over TLS. `alpn` is what was
        chosen of h2 and http/1.1. `grpc` is health, reflection, health and reflection, answers
        (gRPC without either), or null. `recommended` is null where no value is right; `why` says
        so, with its `source`. `declared` to `declaredAt` are null without manifests.
        """
        facts, right, declared = self.facts, self.recommended, self.declaration
        at = declared.at if declared else None
        seen = [{"step": each.step, "text": each.text} for each in self.evidence]
        if declared:
            seen.append({"step": "declared", "text": declared.text})
        return {
            "endpoint": str(self.endpoint),
            "address": self.address,
            "reachable": facts.reachable,
            "http/1.1": facts.http1,
            "h2c": facts.h2c,
            "tls": facts.speaks_tls,
            "alpn": facts.alpn,
            "h2": facts.h2,
            "grpc": facts.grpc,
            "websocket": facts.websocket,
            "rfc8441": facts.rfc8441,
            "recommended": right.value,
            "why": right.text,
            "source": right.source or None,
            "evidence": seen,
            "declared": declared.value if declared else None,
            "verdict": declared.verdict if declared else None,
            "spoken": declared.spoken if declared else None,
            "works": declared.works if declared else None,
            "declaredAt": at.as_dict() if at else None,
        }
