"""How clusters disagree about an exported port: the kind, the place, who wins and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from protocol_analysis.model import Meta, Position, ServicePort
from protocol_analysis.readings import UNSENT
from protocol_analysis.releases import RulesetError
from protocol_analysis.sheets import rows_of

SEVERITIES = ("error", "warning")
_NOT_READ, _ITS_SERVICE = UNSENT
_OPEN = {"auto", "client", "differs", "unknown", _ITS_SERVICE}
# Where a reference leads that nothing is spoken to, by the word for that.
_LEADS = {_NOT_READ: "nowhere", _ITS_SERVICE: "to a Service that is not at hand"}
_KEYS = {"kind", "rule", "title", "remedy", "source"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One row of `kinds.yaml`. `rule` is a code of the catalogue of findings, or none."""

    kind: str
    title: str
    remedy: str
    source: str
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """One fault: which field of which object, where; what it says, what it should, who says so.

    `winner` is the cluster whose export speaks for all, "" where there is none. `meets` is what a
    request meets.
    """

    kind: Kind
    severity: str
    cluster: str
    object: Meta
    position: Position
    port: str
    field: str
    found: str | None
    wanted: str | None
    winner: str
    why: str
    meets: str

    def as_dict(self) -> dict[str, Any]:
        """What a `propagation` row has of it."""
        meta = self.object
        return {
            "kind": self.kind.kind,
            "severity": self.severity,
            "code": self.kind.rule or None,
            "object": {"kind": meta.kind, "namespace": meta.namespace, "name": meta.name},
            "port": self.port,
            "field": self.field,
            "found": self.found,
            "wanted": self.wanted,
            "winner": self.winner or None,
            "why": self.why,
            "meets": self.meets,
            "remedy": self.kind.remedy,
            "source": self.kind.source,
            "position": self.position.as_dict(),
        }


@cache
def kinds() -> Mapping[str, Kind]:
    """All kinds by name. Raises RulesetError where the file is wrong.

    >>> kinds()["dead import"].rule
    'AP019'
    """
    file = resources.files("protocol_analysis") / "multicluster" / "kinds.yaml"
    rows = rows_of(file.read_text(encoding="utf-8"), file.name, _KEYS, {"rule"}, what="kind")
    found = {raw["kind"]: Kind(**raw) for raw in rows}
    if len(found) < len(rows):
        raise RulesetError(f"{file.name}: a kind stands twice")
    return found


def disagreement(
    kind: str,
    cluster: str,
    meta: Meta,
    position: Position,
    *,
    why: str,
    port: ServicePort | None = None,
    field: str = "",
    found: str | None = None,
    wanted: str | None = None,
    winner: str = "",
    severity: str = "warning",
    meets: str = "",
) -> Disagreement:
    """A fault of a kind, at an object and a place. Raises KeyError for a kind that is not known."""
    return Disagreement(
        kind=kinds()[kind],
        severity=severity,
        cluster=cluster,
        object=meta,
        position=position,
        port=numbered(port) if port else "",
        field=field,
        found=found,
        wanted=wanted,
        winner=winner,
        why=why,
        meets=meets,
    )


def numbered(port: ServicePort) -> str:
    """A port's number and transport: `53/UDP`."""
    return f"{port.number}/{port.transport}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """A reference, what is spoken to it here, and to one like it where the port is exported.

    Not `guilty`: a fault has nothing to do with it. `opaque`: one of the two is tcp of a mesh, that
    passes on what its caller speaks.
    """

    route: Meta
    here: str
    meant: str
    guilty: bool = True
    opaque: bool = False


def clash(here: str, meant: str, *, opaque: bool = False) -> bool:
    """Whether two wires surely differ: not where ALPN or the client decides, unless by TLS.

    `opaque`: tcp is what the client decides, too.

    >>> clash("http/1.1", "h2"), clash("http/1.1+tls", "auto+tls"), clash("h2", "h2+tls")
    (True, False, True)
    >>> clash("not read", "auto"), clash("h2", "not read")
    (True, False)
    >>> clash("tcp", "h2"), clash("tcp", "h2", opaque=True)
    (True, False)
    """
    if _NOT_READ in (here, meant):
        return here != meant and here == _NOT_READ
    open_ = _OPEN | ({"tcp"} if opaque else set())
    words, tls = zip(*(each.partition("+")[::2] for each in (here, meant)), strict=True)
    return tls[0] != tls[1] or (words[0] != words[1] and not open_.intersection(words))


def judged(
    fault: Disagreement, met: Sequence[Met], spoken: str, meant: str, *, guilty: bool = True
) -> Disagreement:
    """A fault with its severity and what a request meets, by the references that lead there.

    `spoken` and `meant` are what an HTTPRoute would be spoken, here and where the port is exported;
    `guilty` is whether that is for this fault. An error is a reference that is surely spoken
    something else than one of its own kind is there.
    """
    wrong = [each for each in met if each.guilty and each.here != each.meant]
    if wrong:
        first, more = wrong[0], len(wrong) - 1
        who = f"{first.route}{f' and {more} more' if more else ''}"
        leads = _LEADS.get(first.here)
        does = f" leads {leads}:" if leads else f": {first.here} is spoken where"
        meets = f"{who}{does} {first.meant} is meant"
    elif met:
        leads = _LEADS.get(met[0].here)
        does = f"leads {leads}" if leads else f"speaks {met[0].here}"
        meets = f"nothing: {met[0].route} {does} all the same"
    elif spoken == meant == _NOT_READ:
        meets = "nothing: it is read on neither side"
    elif spoken == meant:
        meets = f"nothing: {meant} is spoken on both sides"
    elif not guilty:
        meets = f"nothing: {spoken} would be spoken without it too"
    else:
        leads = _LEADS.get(spoken)
        would = f"one would lead {leads}:" if leads else f"{spoken} would be spoken where"
        meets = f"no reference leads there today; {would} {meant} is meant"
    sure = any(clash(each.here, each.meant, opaque=each.opaque) for each in wrong)
    return replace(fault, severity="error" if sure else "warning", meets=meets)


def worst(faults: Sequence[Disagreement]) -> str:
    """The worst severity; "" where there is no fault.

    >>> worst([])
    ''
    """
    return min((fault.severity for fault in faults), key=SEVERITIES.index, default="")
