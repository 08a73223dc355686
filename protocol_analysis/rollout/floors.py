"""From which release on each consumer reads the standard name: computed from the rulesets. Pure.

What has no ruleset (Kubernetes itself, a router, an operator) is in `floors.yaml`, with its source.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

from protocol_analysis.model import (
    BACKEND_GROUPS,
    Backend,
    Inventory,
    Meta,
    Position,
    Service,
    ServicePort,
    Target,
)
from protocol_analysis.readers import Reader, everyone
from protocol_analysis.readings import alone, word_of
from protocol_analysis.releases import finals, release_key
from protocol_analysis.resolution import Resolution
from protocol_analysis.rollout.facts import INSTEAD, VALUE
from protocol_analysis.rules import ruleset
from protocol_analysis.scope import Scope
from protocol_analysis.sheets import rows_of
from protocol_analysis.speaking import rules_of

_KINDS = ("Service", "ServiceImport")
_HERE = Position(file="", document=1, line=1, column=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """What a consumer speaks to `grpc` today, and from which release it reads the standard name.

    `since` is empty where no release that is known does; `verified`: all of it was read in source.
    """

    consumer: str
    kind: str
    since: str
    speaks: str
    instead: str
    verified: bool
    text: str
    source: str


def floors() -> list[Floor]:
    """Every implementation that is known, on each kind; then those without a ruleset.

    >>> [(f.consumer, f.kind, f.since) for f in floors() if f.consumer == "envoy-gateway"]
    [('envoy-gateway', 'Service', 'v0.6.0'), ('envoy-gateway', 'ServiceImport', 'v1.4.0')]
    """
    found = [_floor(by, kind) for by in everyone() for kind in _KINDS]
    file = resources.files("protocol_analysis") / "rollout" / "floors.yaml"
    keys = {"consumer", "kind", "from", "text", "source"}
    rows = rows_of(file.read_text(encoding="utf-8"), f"rollout/{file.name}", keys)
    return found + [
        Floor(since=row.pop("from"), speaks="", instead="", verified=True, **row) for row in rows
    ]


@cache
def first_release(by: Reader, kind: str, route: str = "HTTPRoute") -> str:
    """The first final release, not before the reader's, that speaks HTTP/2 to the standard name.

    Where only `main` does it is that; empty where none does.

    >>> from protocol_analysis.readers import reader
    >>> first_release(reader("1.3.3"), "ServiceImport"), first_release(reader("kuma"), "Service")
    ('v1.4.0', '')
    """
    releases = ruleset(by.implementation).releases
    main = ["main"] if "main" in releases else []
    for release in (*finals(releases), *main):
        at = Reader(implementation=by.implementation, release=release, mesh=by.mesh)
        later = release_key(release) >= release_key(by.release)
        if later and word_of(heard(at, kind, INSTEAD, route)) == "h2":
            return release
    return ""


@cache
def floor_of(by: Reader, kind: str) -> str:
    """The first release of all that are known which reads the standard name on a kind.

    >>> from protocol_analysis.readers import reader
    >>> floor_of(reader("1.9"), "ServiceImport")
    'v1.4.0'
    """
    releases = ruleset(by.implementation).releases
    oldest = (finals(releases) or list(releases))[0]
    at = Reader(implementation=by.implementation, release=oldest, mesh=by.mesh)
    return first_release(at, kind)


def _floor(by: Reader, kind: str) -> Floor:
    since = floor_of(by, kind)
    speaks = heard(by, kind, VALUE)
    at = Reader(implementation=by.implementation, release=since or by.release, mesh=by.mesh)
    instead = heard(at, kind, INSTEAD)
    return Floor(
        consumer=by.name,
        kind=kind,
        since=since,
        speaks=word_of(speaks),
        instead=word_of(instead),
        verified=speaks.verified and instead.verified,
        text=instead.deciding.text,
        source=instead.deciding.source,
    )


@cache
def heard(by: Reader, kind: str, value: str, route: str = "HTTPRoute") -> Resolution:
    """What is spoken to a port, or a Backend, with that value, wherever it may stand.

    An import has its Service beside it, for those who read that instead.

    >>> from protocol_analysis.readers import reader
    >>> word_of(heard(reader("1.8"), "ServiceImport", "grpc"))
    'http/1.1'
    """
    port = ServicePort(number=80, app_protocol=value, position=_HERE)
    service, of_import, of_backend = (
        Meta(group=BACKEND_GROUPS[of], kind=of, namespace="a", name="b", position=_HERE)
        for of in BACKEND_GROUPS
    )
    inventory = Inventory(
        services=(Service(meta=service, ports=(port,)),),
        service_imports=(Service(meta=of_import, ports=(port,)),),
        backends=(Backend(meta=of_backend, app_protocol=tuple(value.split())),),
    )
    targets: dict[str, Target] = {
        "Service": inventory.services[0],
        "ServiceImport": inventory.service_imports[0],
        "Backend": inventory.backends[0],
    }
    has_port = None if kind == "Backend" else port
    return alone(Scope(inventory), *rules_of(by), targets[kind], has_port, route)
