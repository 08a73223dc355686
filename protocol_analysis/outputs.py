"""The resolver against the outputs of Envoy Gateway's own translator tests: what a branch changed.

A maintainer changes the translation, renews the expected outputs under
`internal/gatewayapi/testdata`, and asks which backends are now treated otherwise than the rules
here say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from protocol_analysis.manifests.outputs import Case, OutputSetting, translator_cases
from protocol_analysis.model import Inventory, Position, Service, ServicePort
from protocol_analysis.resolution import Resolution
from protocol_analysis.resolver import resolve_with
from protocol_analysis.rows import Rules
from protocol_analysis.rules import ruleset

VERDICTS = ("differs", "absent", "unclear", "agrees")
Key = tuple[str, str, str, int, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One backend reference of a translator test: what its output says, and what we say.

    Without an `output` nothing was compared: it has no setting for the rule (`absent`; a listener
    may not take the route), or not one for each backend and they do not name themselves, so that
    which one is meant cannot be told (`unclear`).
    """

    case: str
    resolution: Resolution
    output: OutputSetting | None
    unclear: bool = False

    @property
    def expected(self) -> tuple[str | None, bool, bool]:
        """Protocol, forced HTTP/1.1 and TLS of the output."""
        if self.output is None:
            return (None, False, False)
        return (self.output.protocol, self.output.force_http1, self.output.tls)

    @property
    def resolved(self) -> tuple[str | None, bool, bool]:
        """Protocol, forced HTTP/1.1 and TLS of the resolver."""
        answer = self.resolution
        return (answer.protocol, answer.force_http1, answer.tls)

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`."""
        if self.output is None:
            return "unclear" if self.unclear else "absent"
        return "agrees" if self.expected == self.resolved else "differs"

    def as_dict(self) -> dict[str, Any]:
        """A `resolve` row, with the case and what its output says."""
        names = ("protocol", "forceHTTP1", "tls")
        expected = dict(zip(names, self.expected, strict=True))
        return {
            "case": self.case,
            "verdict": self.verdict,
            "expected": expected if self.output else None,
            "expectedAt": self.output.position.as_dict() if self.output else None,
            **self.resolution.as_dict(),
        }


def compare_with_outputs(folder: str, release: str | None = "main") -> list[Compared]:
    """Every backend reference of the cases in `folder` that resolves, or that an output has.

    `folder` holds `NAME.in.yaml` beside `NAME.out.yaml`. Services that an input lacks are those
    which the test's own code adds; they declare nothing. Raises ManifestError where the folder has
    no such pair, or one cannot be read, and RulesetError for a release that is not known.
    """
    rules = ruleset("envoy-gateway").at(release)
    return [row for case in translator_cases(folder) for row in _compared(case, rules)]


def _compared(case: Case, rules: Rules) -> Iterator[Compared]:
    # What the outputs say of policies and telemetry is not read.
    routes = replace(case.inventory, referrers=())
    answers = resolve_with(_with_added_services(routes), rules)
    backends = Counter(_key(answer)[:-1] for answer in answers)
    settings: dict[Key, list[OutputSetting]] = {}
    unclear = set()
    for setting in case.settings:
        rule = (*setting.route, setting.rule, setting.role)
        if setting.named or setting.backends == backends[rule]:
            settings.setdefault((*rule, setting.backend), []).append(setting)
        else:
            unclear.add(rule)
    for answer in answers:
        key = _key(answer)
        for setting in settings.get(key, []):
            yield Compared(case=case.name, resolution=answer, output=setting)
        if answer.protocol and key not in settings:
            yield Compared(
                case=case.name, resolution=answer, output=None, unclear=key[:-1] in unclear
            )


def _key(answer: Resolution) -> Key:
    route, ref = answer.route, answer.ref
    return (route.kind, route.namespace, route.name, ref.rule, ref.role, ref.backend)


def _with_added_services(inventory: Inventory) -> Inventory:
    """The inventory with the Services that only the test's code knows."""
    there = {(service.meta.namespace, service.meta.name) for service in inventory.services}
    wanted: dict[tuple[str, str], set[tuple[int, str]]] = {}
    for route in inventory.routes:
        transport = "UDP" if route.meta.kind == "UDPRoute" else "TCP"
        for ref in route.refs:
            if ref.kind == "Service" and ref.port and (ref.namespace, ref.name) not in there:
                ports = wanted.setdefault((ref.namespace, ref.name), set())
                ports.add((ref.port, transport))
    if not wanted:
        return inventory
    beside = inventory.routes[0].meta
    added = tuple(
        Service(
            meta=replace(beside, group="", kind="Service", namespace=namespace, name=name),
            ports=_ports(sorted(ports), beside.position),
        )
        for (namespace, name), ports in wanted.items()
    )
    return replace(inventory, services=(*inventory.services, *added))


def _ports(numbers: Sequence[tuple[int, str]], at: Position) -> tuple[ServicePort, ...]:
    return tuple(
        ServicePort(number=number, transport=transport, position=at)
        for number, transport in numbers
    )
