"""Exports → the ServiceImport that they should produce, and the conditions that result. Pure.

By KEP-1645 the import has the union of all exported ports. Oldest export first, each port

1. of a name that is there already with another number or transport is left out: a conflict;
2. of a number and transport that are there already is the same port: the older one's name and
   appProtocol stay, and where they differ that is a conflict;
3. of neither is added.

An export that does not have a port of another's is a conflict too: the ports are then not the same
in all of them (pull request 5706). What differs beyond ports, the type or the session affinity, is
decided by the oldest export as well.

An appProtocol that is not declared counts as one: where the oldest declares nothing, the import has
nothing. So does the one controller that says what it does; the KEP leaves it open.
Source: https://github.com/kubernetes/enhancements/blob/64765b4b02389318f2113119dd9e491479f978a0/\
keps/sig-multicluster/1645-multi-cluster-services-api/README.md#L1048-L1072
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from protocol_analysis.model import Service, ServicePort
from protocol_analysis.multicluster.exporting import Export, Port, Shared, key_of

DIFFERS = ("port", "name", "appProtocol")  # what of a port two exports may disagree on
_CONFIG = "sessionAffinityConfig"  # goes with its affinity: nothing by itself
# What of the whole, in the order of `Service.asks`, each with the reason of its condition.
WHOLE = (
    ("type", "TypeConflict"),
    ("sessionAffinity", "SessionAffinityConflict"),
    (_CONFIG, "SessionAffinityConfigConflict"),
    ("internalTrafficPolicy", "InternalTrafficPolicyConflict"),
    ("trafficDistribution", "TrafficDistributionConflict"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a younger export says of a port; `differs`: on which of DIFFERS it is overruled."""

    export: Export
    service: Service
    port: ServicePort
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedPort:
    """A port of the import as it should be: the oldest export's, and what younger ones say.

    `claims` are of the same port. `left_out` are those of its name that are reached by another
    number or transport: the import does not have them. `lacking` are the exports without either.
    """

    winner: Export
    service: Service
    port: ServicePort
    claims: tuple[Claim, ...] = ()
    left_out: tuple[Claim, ...] = ()
    lacking: tuple[Export, ...] = ()

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
        return (*self.left_out, *(claim for claim in self.claims if claim.differs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """What of an export beside its ports the oldest decides otherwise; `reason` as conditions."""

    export: Export
    winner: Export
    field: str
    found: str
    wanted: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition that a ServiceExport should have, and what its status says of it, if anything."""

    cluster: str
    export: Export
    type: str
    status: str
    reason: str
    message: str
    said: str = ""

    @property
    def same(self) -> bool:
        """Whether the status says so, or nothing."""
        return not self.said or self.said.partition(" ")[0] == self.status


def merged(exported: Shared) -> list[MergedPort]:
    """The ports of the import, in the order in which exports bring them.

    >>> merged(Shared(name=("shop", "cart", "multicluster.x-k8s.io")))
    []
    """
    found: dict[Port, MergedPort] = {}
    claims: dict[Port, list[Claim]] = {}
    left_out: dict[Port, list[Claim]] = {}
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
                (claims if at == own else left_out).setdefault(at, []).append(claim)
    ports = []
    for key, each in found.items():
        own_claims, others = tuple(claims.get(key, ())), tuple(left_out.get(key, ()))
        having = {each.winner.cluster, *(claim.export.cluster for claim in (*own_claims, *others))}
        lacking = tuple(export for export in exported.valid if export.cluster not in having)
        ports.append(replace(each, claims=own_claims, left_out=others, lacking=lacking))
    return ports


def conflicts(exported: Shared) -> list[Conflict]:
    """What valid exports say otherwise of the whole Service, of `WHOLE`.

    Source: https://github.com/kubernetes-sigs/mcs-api/blob/\
06391488f2096ec1ed676aa5149fc549ed702aa5/pkg/apis/v1beta1/serviceexport.go

    >>> conflicts(Shared(name=("shop", "cart", "multicluster.x-k8s.io")))
    []
    """
    return [
        Conflict(
            export=export,
            winner=exported.valid[0],
            field=field,
            found=found,
            wanted=wanted,
            reason=reason,
        )
        for export in exported.valid[1:]
        for (field, reason), found, wanted in zip(
            WHOLE, export.asks, exported.valid[0].asks, strict=True
        )
        if found != wanted and (field != _CONFIG or (found and wanted))
    ]


def whole(exported: Shared, imported: Service) -> list[tuple[str, str, str]]:
    """The fields of an import beside its ports: each with what the oldest gives it, and says.

    What an import does not say is no field of it; nor has a mirror any.

    >>> from protocol_analysis.manifests import load
    >>> imported = load("data/sample/east/imports.yaml").service_imports[0]
    >>> whole(Shared(name=("shop", "cart", "multicluster.x-k8s.io")), imported)
    []
    """
    if not exported.valid or imported.meta.kind != "ServiceImport":
        return []
    named = zip(WHOLE, exported.valid[0].asks, imported.asks, strict=True)
    return [(field, wanted, found) for (field, _), wanted, found in named if found]


def conditions(exported: Shared) -> list[Condition]:
    """What the ServiceExports should say of themselves: Valid; those that are, Conflict too.

    Source: https://github.com/kubernetes-sigs/mcs-api/blob/\
06391488f2096ec1ed676aa5149fc549ed702aa5/pkg/apis/v1beta1/serviceexport.go

    >>> conditions(Shared(name=("shop", "cart", "multicluster.x-k8s.io")))
    []
    """
    differing = list(_differing(exported))
    # Several reasons of one condition stand beside each other.
    reason = ",".join(dict.fromkeys(why for why, _ in differing)) or "NoConflicts"
    texts = "; ".join(text for _, text in differing)
    found = []
    for export in exported.exports:
        why = "Valid" if export.valid else "InvalidServiceType"
        said = [("Valid", str(export.valid), why if export.service else "NoService", "")]
        if export.valid:
            said.append(("Conflict", str(bool(differing)), reason, texts))
        found += [
            Condition(
                cluster=export.cluster,
                export=export,
                type=of,
                status=is_so,
                reason=why,
                message=text,
                said=next((f"{b} {c}" for a, b, c in export.conditions if a == of), ""),
            )
            for of, is_so, why, text in said
        ]
    return found


def _differing(exported: Shared) -> Iterator[tuple[str, str]]:
    """Why valid exports are in conflict: the reason of the condition, and a sentence."""
    for port in merged(exported):
        name = f"port {port.key[0]}/{port.key[1]}"
        for claim in port.overruled:
            what = f"the {' and '.join(claim.differs)} of {claim.export.place}"
            yield (
                "PortConflict",
                f"{name}: {what} is overruled: {why_older(port.winner, claim.export)}",
            )
        for export in port.lacking:
            yield "PortConflict", f"{name}: {export.place} does not export it"
    for each in conflicts(exported):
        what = f"{each.field} {each.found} of {each.export.place}"
        yield each.reason, f"{what} is overruled: {why_older(each.winner, each.export)}"


def why_older(winner: Export, loser: Export) -> str:
    """Why one export speaks for both: its age, or the name of its cluster where that is unknown."""
    if winner.created and loser.created and winner.created < loser.created:
        return f"the export of {winner.place} is older ({winner.meta.created})"
    if winner.created and not loser.created:
        return f"of the exports only that of {winner.place} has an age; it is taken as the oldest"
    which = "are of the same age" if winner.created else "have no creationTimestamp"
    return f"the exports {which}; {winner.place}, first by its name, is taken as the oldest"


def _differs(older: ServicePort, port: ServicePort) -> tuple[str, ...]:
    name = ("name",) if older.name != port.name else ()
    same = (older.app_protocol or None) == (port.app_protocol or None)
    return name if same else (*name, "appProtocol")
