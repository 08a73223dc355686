"""What should be mended on an object that another tool writes, whichever check asks for it. Pure.

A chart, an operator or a GitOps controller writes it again: one finding for each object, with all
that asks for an edit of it, says who does, and where the edit belongs.
"""

from __future__ import annotations

from collections.abc import Iterator

from protocol_analysis.findings import (
    certificates,
    names,
    ports,
    routes,
    rules_of_routes,
    sharing,
    traffic,
)
from protocol_analysis.findings.catalogue import catalogue
from protocol_analysis.findings.finding import Found
from protocol_analysis.findings.subject import Subject
from protocol_analysis.model import Meta, Position
from protocol_analysis.owners import owner_of

# The checks whose remedy is an edit of the object that `declares` names: a Service or a Backend as
# a rule, the route whose rule mixes protocols, the policy of a health check, the pods of a probe.
_MENDED = {
    "AP001": routes.hint_missing,
    "AP002": ports.nonstandard_grpc,
    "AP003": ports.near_miss,
    "AP004": sharing.two_kinds_of_routes,
    "AP010": routes.unsupported,
    "AP011": names.name_contradicts,
    "AP012": routes.opaque_behind_http,
    "AP013": rules_of_routes.mixed_protocols,
    "AP015": traffic.http_health_check,
    "AP017": routes.websocket_on_grpc,
    "AP019": ports.import_unheard,
    "AP021": ports.backend_vocabulary,
    "AP022": routes.value_on_l4,
    "AP023": certificates.h2c_and_tls,
    "AP027": sharing.one_pod_port,
    "AP028": names.annotation_contradicts,
    "AP030": names.port_names,
    "AP032": ports.read_from_a_twin,
}


def owned_elsewhere(subject: Subject) -> Iterator[Found]:
    """What should be mended on an object that another tool writes: an edit there does not last."""
    asked: dict[Meta, dict[str, Position]] = {}
    for code, check in _MENDED.items():
        for found in subject.found(check):
            meta, weighs = found.declares, catalogue()[code].severity
            if meta and weighs(found.by or subject.reader, found.grade, assumed=found.assumed):
                at = found.position if found.meta == meta else meta.position
                asked.setdefault(meta, {}).setdefault(code, at)
    for meta, codes in asked.items():
        if owner := owner_of(meta):
            told = f"{owner.name} writes {meta} ({owner.told_by})"
            yield Found(
                meta=meta,
                position=next(iter(codes.values())),
                message=f"{told}: an edit of it does not last, as {', '.join(codes)} would have it",
                remedy=f"{owner.change}, and mend it there",
            )


CHECKS = {"AP029": owned_elsewhere}
