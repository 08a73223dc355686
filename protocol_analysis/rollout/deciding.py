"""A decision for every use of `grpc`, with its reasons: what to do, or why it stays. Pure.

Nothing is touched that no release needs touched: where every reader that is asked about goes on
reading the value, it stays. Where one stops, the first of these that holds is taken, and the
default for what a mesh reads too is to keep.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from protocol_analysis.model import Position
from protocol_analysis.readers import base_of
from protocol_analysis.reading import Cluster
from protocol_analysis.readings import word_of
from protocol_analysis.rollout.census import COSTLY, EFFECTS, Consumer, Use, means_grpc, rank
from protocol_analysis.rollout.facts import INSTEAD, Hazard, hazards, never
from protocol_analysis.rollout.floors import first_release
from protocol_analysis.rollout.leading import Leading
from protocol_analysis.rollout.neutrality import decide

# What is decided, and what that means; in the order in which a plan tells them.
DECISIONS = {
    "change the owner": "what makes the object is changed, or the value comes back",
    "rewrite": f"{INSTEAD} is written where the value stands",
    "follow the export": "the controller writes the import anew when its exports say otherwise",
    "GRPCRoute": "the route's kind says gRPC, which needs no value; the Service stays as it is",
    "gateway-only Service": f"a Service for the gateway alone carries {INSTEAD}; the mesh's stays",
    "blocked": "a reader has to be upgraded first",
    "correct": "a value that no gateway reads as what was meant: that is written",
    "keep": "nothing is done",
    "never": "it means something else, and is never rewritten",
    "nothing to migrate": "the CRD of a Backend refuses the value, so none can be stored",
}
HAZARD = "AP031"  # a rewrite that costs something; no finding, since nothing is wrong before it
WRITTEN = ("change the owner", "rewrite", "follow the export", "correct")  # the value changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A use, what is decided for it, and why.

    `value` is what is to be written, where something is. `effect` is the worst that a rewrite has
    for anybody who reads the port today. `needed` says who stops reading the value, or is empty;
    `ask` is the question whose answer may change the decision.
    """

    use: Use
    decision: str
    why: str
    value: str = ""
    effect: str = ""
    needed: str = ""
    ask: str = ""
    hazards: tuple[Hazard, ...] = ()
    blocked_until: str = ""
    wave: int | None = None

    @property
    def losses(self) -> tuple[str, ...]:
        """What a rewrite would cost, reader by reader."""
        return tuple(f"{each.name}: {each.loss}" for each in _today(self.use) if each.loss)

    @property
    def open(self) -> bool:
        """Whether there is something to do."""
        return self.decision not in ("keep", "never", "nothing to migrate")

    def as_dict(self) -> dict[str, Any]:
        """The row of `plan`."""
        use, meta = self.use, self.use.target
        return {
            "cluster": use.cluster or None,
            "kind": meta.kind,
            "namespace": meta.namespace,
            "name": meta.name,
            "port": use.port,
            "portName": use.port_name or None,
            "appProtocol": use.value,
            "class": use.declared_as,
            "owner": use.owner.as_dict() if use.owner else None,
            "routes": len(use.routes),
            "routeKinds": list(use.route_kinds),
            "meshes": [each.name for each in use.of_role("mesh")],
            "exported": use.exported,
            "calls": use.calls or None,
            "decision": self.decision,
            "wave": self.wave,
            "value": self.value or None,
            "why": self.why,
            "needed": self.needed or None,
            "effect": self.effect or None,
            "losses": list(self.losses),
            "ask": self.ask or None,
            "blockedUntil": self.blocked_until or None,
            "hazards": [
                {"code": HAZARD, "text": each.text, "source": each.source} for each in self.hazards
            ],
            "consumers": [each.as_dict() for each in use.consumers],
            "declaredAt": use.position.as_dict(),
        }


def decisions(
    clusters: Sequence[Cluster], uses: Sequence[Use], meshes: Sequence[str] = ()
) -> list[Planned]:
    """What is decided for each use; `meshes` as they were declared for the census.

    >>> from protocol_analysis.proposals import proposal
    >>> from protocol_analysis.reading import read
    >>> from protocol_analysis.rollout.census import census
    >>> clusters = read("data/sample/east/catalog.yaml", "v1.9.0").clusters
    >>> for name in ("keep", "remove"):
    ...     found = decisions(clusters, census(clusters, [proposal(name).at()]))[0]
    ...     print(f"{found.decision}, {found.effect}: {found.needed or found.why}")
    keep, neutral: no reader that is asked about stops reading it
    rewrite, neutral: envoy-gateway+remove@v1.14.0 speaks http/1.1
    """
    told = {cluster.name or "": _refused(cluster, uses, meshes) for cluster in clusters}
    leading = {cluster.name or "": Leading(cluster) for cluster in clusters}
    alone = [_decided(use, told[use.cluster], leading[use.cluster]) for use in uses]
    return _together(alone, leading)


def _decided(use: Use, refused: Mapping[Any, str], leading: Leading) -> Planned:
    if use.target.kind == "Backend":
        return _planned(use, "nothing to migrate", DECISIONS["nothing to migrate"])
    if use.declared_as == "never rewritten":
        return _planned(use, "never", never()[use.value].text)
    against = [each for each in _today(use) if each.effect in COSTLY]
    if use.declared_as == "near miss":
        return _nearly(use, against)
    needed = _needed(use)
    if not needed:
        return _planned(use, "keep", "no reader that is asked about stops reading it")
    mesh = _kept_for_a_mesh(use)
    if use.target.kind == "ServiceImport" and use.exported:
        return _of_exports(use, needed)
    if mesh or any(each.role == "mesh" for each in against):
        return _beside_a_mesh(use, needed, mesh or _told(against), leading)
    if against:
        return _blocked(use, needed, _told(against), against)
    if behind := _left_behind(use):
        return _blocked(use, needed, _parting(behind), behind)
    stands = refused.get(use.position, "")
    if stands and effect_of(use) != "gains":  # a gain is a difference, and wanted
        return _planned(use, "keep", stands, needed=needed)
    same = "every reader speaks the very same to it then"
    why = "who reads it speaks HTTP/2 to it then" if effect_of(use) == "gains" else same
    return _owned(use, _planned(use, "rewrite", why, needed=needed, value=INSTEAD))


def _together(alone: Sequence[Planned], leading: Mapping[str, Leading]) -> list[Planned]:
    """What is exported under one name moves together, or not at all: the import has one value."""
    stays: dict[tuple[str, str, int | None], Planned] = {}
    for each in alone:
        is_export = each.use.exported and each.use.target.kind == "Service"
        if is_export and each.decision not in WRITTEN:
            stays.setdefault(_shared(each), each)
    return [_stays_with(each, stays.get(_shared(each)), leading) for each in alone]


def _stays_with(each: Planned, other: Planned | None, leading: Mapping[str, Leading]) -> Planned:
    """The same, unless what it is exported with stays as it is: routes are led past the value."""
    use = each.use
    if other is None or not use.exported or each.decision not in WRITTEN:
        return each
    why = f"{other.use} is exported under the same name and stays: {other.why}"
    by_route = use.target.kind == "ServiceImport" and "HTTPRoute" in use.route_kinds
    if by_route and not leading[use.cluster].against(use):
        return _planned(use, "GRPCRoute", why, needed=each.needed, ask=other.ask)
    return _planned(use, "keep", why, needed=each.needed, ask=other.ask)


def _shared(each: Planned) -> tuple[str, str, int | None]:
    return (each.use.target.namespace, each.use.target.name, each.use.port)


def _refused(cluster: Cluster, uses: Sequence[Use], meshes: Sequence[str]) -> dict[Position, str]:
    """What stands against a rewrite that a port alone does not show: neighbours, TLS, names."""
    own = [use for use in uses if use.cluster == (cluster.name or "")]
    unary = [f"{u.target.namespace}/{u.target.name}" for u in own if u.calls == "unary"]
    found = decide(cluster.inventory, [cluster.own], meshes, unary=unary)
    return {each.rewrite.position: each.reason for each in found if each.reason}


def _planned(use: Use, decision: str, why: str, **more: Any) -> Planned:
    notes = tuple(h for each in use.of_role("mesh") for h in each.hazards)
    return Planned(
        use=use, decision=decision, why=why, effect=effect_of(use), hazards=notes, **more
    )


def _nearly(use: Use, against: Sequence[Consumer]) -> Planned:
    """A mistake, whatever becomes of grpc: what was meant is written, unless it costs somebody."""
    if use.target.kind == "ServiceImport" and use.exported:
        return _of_exports(use, "")
    if against:
        return _planned(use, "keep", _told(against), ask=_asks(use))
    later = [each for each in use.consumers if each.later]
    if read := [each for each in later if word_of(each.alone[0]) == word_of(each.alone[1])]:
        return _planned(use, "keep", f"{read[-1].name} reads it as what was meant")
    if behind := _left_behind(use):
        return _blocked(use, "", _parting(behind), behind)
    return _owned(use, _planned(use, "correct", _unread(use), value=INSTEAD))


def _of_exports(use: Use, needed: str) -> Planned:
    """An import whose exports are at hand: what they say is what it will say."""
    if not means_grpc(use.import_says):
        said = use.import_says or "nothing"
        why = f"its exports say {said}, so it was edited: protocol-analysis propagation tells more"
        return _planned(use, "keep", why, needed=needed)
    why = "it is made of its exports, so it says what they say"
    return _planned(use, "follow the export", why, needed=needed, value=INSTEAD)


def _unread(use: Use) -> str:
    """What becomes of a value that is nearly grpc."""
    said = "; ".join(f"{each.name} speaks {word_of(each.before)}" for each in _today(use))
    return f"gRPC was meant, and {said or 'nobody reads it'}"


def _owned(use: Use, planned: Planned) -> Planned:
    """The same, done where the object is made."""
    if use.owner is None:
        return planned
    why = f"{use.owner.name} makes it: {use.owner.change}, so that it has {planned.value}"
    return _planned(use, "change the owner", why, needed=planned.needed, value=planned.value)


def effect_of(use: Use) -> str:
    """The worst effect that a rewrite has on who reads the port today; empty where nobody does."""
    found = [each.effect for each in _today(use)]
    return min(found, key=EFFECTS.index, default="")


def _today(use: Use) -> list[Consumer]:
    return [each for each in use.consumers if not each.later]


def _needed(use: Use, *roles: str) -> str:
    """Who speaks less to it than was spoken before; empty where everybody goes on."""
    best: dict[tuple[str, str, str], int] = {}
    for each in use.of_role(*(roles or ("gateway", "import"))):
        of = (each.role, each.way, base_of(each.before.implementation))
        if rank(each.before) < best.get(of, 0):
            return f"{each.name} speaks {word_of(each.before)}"
        best[of] = max(best.get(of, 0), rank(each.before))
    return ""


def _kept_for_a_mesh(use: Use) -> str:
    """Why what a mesh reads is kept although nothing is lost yet: an upgrade would lose it."""
    for each in use.of_role("mesh"):
        for hazard in hazards():
            known = hazard.value == use.value and hazard.effect == "loses"
            answered = hazard.unless and use.calls == hazard.unless
            if known and not answered and hazard.threatens(each.name):
                until = "" if hazard.holds(each.name) else f" (from {_from(hazard)} on)"
                return f"{each.name} reads it too: {hazard.text}{until}"
    return ""


def _from(hazard: Hazard) -> str:
    return hazard.releases[0].partition("..")[0]


def _asks(use: Use) -> str:
    """The question that manifests do not answer."""
    streams = any(h.unless for each in use.of_role("mesh") for h in each.hazards)
    meta = use.target
    return f"do calls to {meta.namespace}/{meta.name} stream?" if streams and not use.calls else ""


def _beside_a_mesh(use: Use, needed: str, why: str, leading: Leading) -> Planned:
    """The Service stays as it is for its mesh; the gateway is led past the value."""
    asked = _asks(use)
    if not any(not answer.mesh for answer in use.routes):
        return _planned(use, "keep", f"no gateway reads it; {why}", needed=needed, ask=asked)
    if not _needed(use, "gateway"):
        told = f"only its imports lose it, and a GRPCRoute to them needs no value; {why}"
        return _planned(use, "keep", told, needed=needed, ask=asked)
    if not (against := leading.against(use)):
        return _planned(use, "GRPCRoute", why, needed=needed, ask=asked)
    told = f"{why}; {against}"
    return _planned(use, "gateway-only Service", told, needed=needed, value=INSTEAD, ask=asked)


def _left_behind(use: Use) -> list[Consumer]:
    """Who is spoken like the others today, and would not be after a rewrite."""
    here = [(each, *each.alone) for each in _today(use) if each.role != "mesh"]
    return [
        each
        for each, before, after in here
        if any(word_of(before) == word_of(old) and rank(after) < rank(new) for _, old, new in here)
    ]


def _parting(behind: Sequence[Consumer]) -> str:
    words = "; ".join(f"{each.name} would speak {word_of(each.alone[1])}" for each in behind)
    return f"its imports would part from it: {words}"


def _blocked(use: Use, needed: str, why: str, against: Sequence[Consumer]) -> Planned:
    """Until a release of the readers that would lose; kept where none is known, or nobody knows."""
    floors = {
        each.reader: first_release(each.reader, each.before.ref.kind)
        for each in against
        if each.effect != "unknown"
    }
    if len(floors) == len({each.reader for each in against}) and all(floors.values()):
        until = ", ".join(f"{by.name} {floor}" for by, floor in floors.items())
        return _planned(use, "blocked", why, needed=needed, blocked_until=until, value=INSTEAD)
    return _planned(use, "keep", why, needed=needed)


def _told(consumers: Iterable[Consumer]) -> str:
    return "; ".join(f"{each.name}: {each.loss}" for each in consumers)
