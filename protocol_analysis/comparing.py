"""h2c, h2 and gRPC beside each other: their names, what they are on the wire, and to Envoy. Pure.

Names and wires are facts with sources, `names.yaml` and `wires.yaml`. What Envoy is told comes
from the rules, release by release: whether `grpc` and h2c make the same Envoy cluster, and what is
spoken to a backend that declares nothing, which is all the detection that there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from protocol_analysis.attaching import layer_of
from protocol_analysis.envoy import Flags, Setting, Upstream
from protocol_analysis.model import BACKEND_GROUPS
from protocol_analysis.resolution import Resolution
from protocol_analysis.rows import Rules, Ruleset
from protocol_analysis.rulebook import Step, line_releases, resolve_one, steps
from protocol_analysis.sheets import rows_of
from protocol_analysis.upstream import spoken
from protocol_analysis.wiring import wire

ROUTES = ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute")
_H2C, _GRPC = ("kubernetes.io/h2c", "gateway.envoyproxy.io/h2c"), "grpc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something said or released about a name; `date` is a day, or a month."""

    date: str
    who: str
    value: str
    text: str
    source: str


@cache
def events() -> tuple[Event, ...]:
    """What was said and released elsewhere, oldest first. Raises RulesetError for a wrong file.

    >>> events()[0].date
    '2020-12-08'
    """
    found = (Event(**raw) for raw in _facts("names.yaml", set(Event.__slots__)))
    return tuple(sorted(found, key=lambda event: event.date))


def story(ruleset: Ruleset, values: Sequence[str] = ("kubernetes.io/h2c", "grpc")) -> list[Event]:
    """The events, and between them the releases of an implementation that began to read a value.

    >>> from protocol_analysis.rules import ruleset
    >>> [event.text for event in story(ruleset()) if "v1.9.0-rc.1" in event.text]
    ['v1.9.0-rc.1 reads it on a ServiceImport.']
    """
    began = [
        _began(ruleset, value, step)
        for value in values
        for kind in ("Service", "ServiceImport")
        for step in steps(ruleset, kind, value)
        if step.state == "read"
    ]
    return sorted([*events(), *began], key=lambda event: event.date)


def on_the_wire() -> list[dict[str, str]]:
    """What h2c, h2 and gRPC are on the wire, property by property, each with its source.

    >>> on_the_wire()[1]["h2c"]
    'no'
    """
    return _facts("wires.yaml", {"property", "h2c", "h2", "gRPC", "source"})


def same_cluster(ruleset: Ruleset) -> Iterator[tuple[str, str, str]]:
    """Whether `grpc` and h2c make the same Envoy cluster: (case, release, answer).

    A case is a kind, a kind of route, and whether there is TLS. The answer is `same` or `differs`,
    or what is read where not both are: `h2c only`, `grpc only`, `neither`.

    >>> from protocol_analysis.rules import ruleset
    >>> sorted({answer for _, release, answer in same_cluster(ruleset()) if release == "v1.9.0"})
    ['neither', 'same']
    """
    for kind in BACKEND_GROUPS:
        for route in ("HTTPRoute", "GRPCRoute"):
            for release in line_releases(ruleset):
                rules = ruleset.at(release)
                if not rules.find("accepts", kind, route):
                    continue
                h2c = _H2C[1] if kind == "Backend" else _H2C[0]
                both = [resolve_one(rules, kind, value, route) for value in (h2c, _GRPC)]
                nothing = resolve_one(rules, kind, None, route)
                for tls in _tls(rules, kind, route):
                    case = f"{kind} {route}" if not tls else f"{kind} TLS {route}"
                    yield case, release, _alike(both, nothing, release, tls=tls)


def undeclared(ruleset: Ruleset) -> Iterator[tuple[str, str, str]]:
    """What is spoken to a Service that declares nothing: (case, release, word).

    >>> from protocol_analysis.rules import ruleset
    >>> found = {(case, release): word for case, release, word in undeclared(ruleset())}
    >>> [found["TLS HTTPRoute", release] for release in ("v1.5.9", "v1.6.7")]
    ['http/1.1+tls', 'auto+tls']
    """
    for route in ROUTES:
        for release in line_releases(ruleset):
            rules = ruleset.at(release)
            answer = resolve_one(rules, "Service", None, route)
            for tls in _tls(rules, "Service", route):
                word = _told(answer, release, tls=tls).upstream or "unknown"
                case = f"{'TLS' if tls else 'clear'} {route}"
                yield case, release, f"{word}+tls" if tls and word != "unknown" else word


def _tls(rules: Rules, kind: str, route: str) -> tuple[bool, ...]:
    """Without TLS, and with it where something gives it behind a route that ends TLS."""
    return (False, True) if route in ROUTES[:2] and rules.find("tls", kind, route) else (False,)


def _began(ruleset: Ruleset, value: str, step: Step) -> Event:
    older = f", and {', '.join(step.backports)}" if step.backports else ""
    return Event(
        date=step.date,
        who=ruleset.title,
        value=value,
        text=f"{step.release}{older} reads it on a {step.kind}.",
        source=step.source,
    )


def _alike(both: list[Resolution], nothing: Resolution, release: str, *, tls: bool) -> str:
    read = [answer.deciding.row != nothing.deciding.row for answer in both]
    if not all(read):
        return "h2c only" if read[0] else "grpc only" if read[1] else "neither"
    h2c, grpc = (replace(_told(answer, release, tls=tls), reasons=()) for answer in both)
    return "same" if h2c == grpc else "differs"


def _told(answer: Resolution, release: str, *, tls: bool) -> Upstream:
    """What Envoy is told of a backend that is alone in its rule, without policies but for TLS."""
    setting = Setting(protocol=answer.protocol, tls=tls, force_http1=answer.force_http1)
    rules = wire(answer.implementation).at(release)
    return spoken([setting], Flags(), layer_of(answer.route), rules)


def _facts(name: str, keys: set[str]) -> list[dict[str, Any]]:
    file = resources.files("protocol_analysis") / name
    return rows_of(file.read_text(encoding="utf-8"), file.name, keys)
