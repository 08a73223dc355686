"""Exports → the ServiceImport that they should produce, and the conditions that result. Pure.

By KEP-1645 the import has the union of all exported ports. Oldest export first, each port

1. of a name that is there already with another number or transport is left out: a conflict;
2. of a number and transport that are there already is the same port: the older one's name and
   appProtocol stay, and where they differ that is a conflict;
3. of neither is added.

An appProtocol that is not declared counts as one: where the oldest declares nothing, the import has
nothing. So does the one controller that says what it does; the KEP leaves it open.
Source: https://github.com/kubernetes/enhancements/blob/64765b4b02389318f2113119dd9e491479f978a0/\
keps/sig-multicluster/1645-multi-cluster-services-api/README.md#L1048-L1072
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from protocol_analysis.model import Service, ServicePort
from protocol_analysis.multicluster.exporting import EXTERNAL, Export, Port, Shared, key_of

DIFFERS = ("port", "name", "appProtocol")  # what of a port two exports may disagree on


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a younger export says of a port; `differs`: on which of DIFFERS it is overruled."""

    export: Export
    service: Service
    port: ServicePort
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedPort:
    """A port of the import as it should be: the oldest export's, and what younger ones say."""

    winner: Export
    service: Service
    port: ServicePort
    claims: tuple[Claim, ...] = ()

    @property
    def key(self) -> Port:
        """What it is reached by."""
        return key_of(self.port)

    @property
    def app_protocol(self) -> str | None:
        """What the import should carry; nothing and an empty text are the same."""
        return self.port.app_protocol or None

    @property
    def overruled(self) -> tuple[Claim, ...]:
        """The claims that differ."""
        return tuple(claim for claim in self.claims if claim.differs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition that a ServiceExport should have."""

    cluster: str
    export: Export
    type: str
    status: str
    reason: str
    message: str


def merged(exported: Shared) -> list[MergedPort]:
    """The ports of the import, in the order in which exports bring them.

    >>> merged(Shared(name=("shop", "cart", "multicluster.x-k8s.io")))
    []
    """
    found: dict[Port, MergedPort] = {}
    claims: dict[Port, list[Claim]] = {}
    named: dict[str, Port] = {}
    for export in exported.exports:
        if not (service := export.service):
            continue
        for port in export.ports:
            own = key_of(port)
            at = named.get(port.name, own)
            if at == own and own not in found:
                found[own] = MergedPort(winner=export, service=service, port=port)
                named.setdefault(port.name, own)
            elif found[at].winner is not export:
                differs = ("port",) if at != own else _differs(found[at].port, port)
                claim = Claim(export=export, service=service, port=port, differs=differs)
                claims.setdefault(at, []).append(claim)
    return [replace(each, claims=tuple(claims.get(key, ()))) for key, each in found.items()]


def conditions(exported: Shared) -> list[Condition]:
    """What the ServiceExports should say of themselves: Valid, and Conflict on all or on none.

    Source: https://github.com/kubernetes-sigs/mcs-api/blob/\
ded161af6ea9596cd9e878c61ed4f4e8d5cf8401/pkg/apis/v1beta1/serviceexport.go

    >>> conditions(Shared(name=("shop", "cart", "multicluster.x-k8s.io")))
    []
    """
    overruled = [(port, claim) for port in merged(exported) for claim in port.overruled]
    texts = [
        f"port {port.key[0]}/{port.key[1]}: the {' and '.join(claim.differs)} of "
        f"{claim.export.cluster} is overruled: {why_older(port.winner, claim.export)}"
        for port, claim in overruled
    ]
    found = []
    for export in exported.exports:
        type_of = export.service.type if export.service else ""
        reason = "NoService" if not export.service else "Valid"
        reason = "InvalidServiceType" if type_of == EXTERNAL else reason
        said = [("Valid", "True" if reason == "Valid" else "False", reason, "")]
        reason = "PortConflict" if texts else "NoConflicts"
        said.append(("Conflict", "True" if texts else "False", reason, "; ".join(texts)))
        found += [
            Condition(
                cluster=export.cluster,
                export=export,
                type=of,
                status=is_so,
                reason=why,
                message=text,
            )
            for of, is_so, why, text in said
        ]
    return found


def why_older(winner: Export, loser: Export) -> str:
    """Why one export speaks for both: its age, or the name of its cluster where that is unknown."""
    if winner.created and loser.created and winner.created < loser.created:
        return f"the export of {winner.cluster} is older ({winner.meta.created})"
    if winner.created and not loser.created:
        return f"of the exports only that of {winner.cluster} has an age; it is taken as the oldest"
    which = "are of the same age" if winner.created else "have no creationTimestamp"
    return f"the exports {which}; {winner.cluster}, first by its name, is taken as the oldest"


def _differs(older: ServicePort, port: ServicePort) -> tuple[str, ...]:
    name = ("name",) if older.name != port.name else ()
    same = (older.app_protocol or None) == (port.app_protocol or None)
    return name if same else (*name, "appProtocol")
