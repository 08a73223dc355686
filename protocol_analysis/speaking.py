"""What is spoken to every backend reference: resolutions, policies and wire rules together. Pure.

For each Gateway that a route hangs on, the backends of a route rule become one Envoy cluster, or
one each where `splits` says why; the rules of a TCPRoute, TLSRoute or UDPRoute share one, and a
mirror has its own. Of several listeners with one Gateway the first makes the Envoy cluster.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from protocol_analysis.attaching import Attaching, Attachment, layer_of
from protocol_analysis.envoy import Flags, Setting, Upstream
from protocol_analysis.model import (
    GATEWAY_API,
    BackendRef,
    Inventory,
    ObjectRef,
    Route,
    name_of,
)
from protocol_analysis.policies import Policy
from protocol_analysis.readers import Reader
from protocol_analysis.resolution import Reason, Resolution, reason_of
from protocol_analysis.resolver import resolve_with
from protocol_analysis.rows import Rules
from protocol_analysis.rules import ruleset
from protocol_analysis.scope import Scope
from protocol_analysis.settings import flags_of, plainly, setting_of
from protocol_analysis.upstream import splits, spoken
from protocol_analysis.wiring import definitions_of, seen, unserved, wire, wired

_CODE = "https://github.com/envoyproxy/gateway/blob"
_API = "https://github.com/kubernetes-sigs/gateway-api/blob/v1.4.0/apis/v1"
# What stands beside the rows in the reasons for an upstream, with its source.
NOTES = {
    "neighbour": f"{_CODE}/v1.9.0/internal/xds/translator/cluster.go#L286",
    "no-neighbour": f"{_CODE}/v1.9.0/internal/xds/translator/cluster.go#L286",
    "http1-policy": f"{_CODE}/v1.0.2/internal/xds/translator/cluster.go#L483",
    "offers-alpn": f"{_CODE}/v1.5.9/internal/gatewayapi/backendtlspolicy.go#L190",
    "differs-by-gateway": f"{_CODE}/v1.9.0/internal/xds/translator/translator.go#L1191",
    "no-listener": f"{_API}/gateway_types.go#L447",
    "not-watched": "https://github.com/envoyproxy/gateway/tree/v1.9.0/internal/provider/kubernetes",
    "patched": f"{_CODE}/v1.9.0/api/v1alpha1/envoypatchpolicy_types.go",
}
# What a reference may lack without being refused: its object may stand elsewhere.
_UNKNOWN = ("no-object", "ambiguous")
_OTHERS = ("other-implementation", "mesh")  # whatever the release sees of such a route


def rules_of(reader: Reader) -> tuple[Rules, Rules | None]:
    """The rules for protocols and, where there are any, those for the wire."""
    rules = ruleset(reader.implementation).at(reader.release, mesh=reader.mesh)
    if rules.mesh or not wired(reader.implementation):
        return rules, None
    return rules, wire(reader.implementation).at(reader.release)


def speak(inventory: Inventory, rules: Rules, wires: Rules | None) -> list[Resolution]:
    """One Resolution per backend reference, in the order of the manifests, with its upstream.

    Without wire rules that is what the protocol says by itself.
    """
    passed_over: dict[tuple[str, ...], Reason] = {}
    if wires is not None:
        inventory, passed_over = seen(inventory, wires)
    scope = Scope(inventory)
    answers = resolve_with(inventory, rules, scope)
    if wires is None:
        return [plainly(answer) for answer in answers]
    answers = [_without(answer, passed_over) for answer in answers]
    speaker = _Speaker(inventory, scope, rules, wires)
    told: list[Resolution] = []
    at = 0
    for route in inventory.referring:
        own = answers[at : at + len(route.refs)]
        at += len(own)
        told += speaker.route(route, own)
    return told


def _without(answer: Resolution, passed_over: dict[tuple[str, ...], Reason]) -> Resolution:
    """The answer, with the reason why a policy for its backend does not count."""
    target = answer.target
    missing = passed_over.get((target.world, *name_of(target))) if target else None
    return replace(answer, reasons=(*answer.reasons, missing)) if missing else answer


def _content(each: Any) -> str:
    """What tells namesakes apart: the order of documents must not."""
    return repr(replace(each, meta=None))


@dataclass(frozen=True, slots=True)
class _Told:
    """What one Gateway speaks to a reference, and why."""

    gateway: str
    upstream: str | None
    reasons: tuple[Reason, ...]


class _Speaker:
    def __init__(self, inventory: Inventory, scope: Scope, rules: Rules, wires: Rules) -> None:
        self.scope, self.rules, self.wires = scope, rules, wires
        self.attaching = Attaching(inventory, scope, wires)
        self.definitions = definitions_of(inventory)
        self.patches = inventory.patch_policies
        self.proxies = inventory.proxies

    def route(self, route: Route, answers: Sequence[Resolution]) -> list[Resolution]:
        """The references of a route, each with what is spoken to it."""
        meta = route.meta
        definitions = self.definitions.get((meta.world, meta.group, meta.kind), [])
        missing = unserved(meta, definitions, self.wires)
        if not missing and (names := self.attaching.unseen(route)):
            release = f"{self.rules.implementation} {self.rules.release}"
            missing = _note("not-watched", f"{release} does not watch {names}")
        if missing:
            return [a if a.outcome in _OTHERS else passed_over(a, missing) for a in answers]
        answers = [self.served(answer) for answer in answers]
        if not any(answer.sent for answer in answers):
            return list(answers)
        told: dict[BackendRef, list[_Told]] = {answer.ref: [] for answer in answers}
        places = self.hangs_on(route)
        for where in places:
            for group in _groups(route, answers):
                for ref, said in self.group(route, group, where):
                    told[ref].append(said)
        caveats = [*self.attaching.watched(route), *self.caveats(places)]
        if names := self.attaching.untaken(route):
            text = f"no listener of {names} takes this route, so nothing is sent"
            caveats.append(_note("no-listener", text))
        return [_together(answer, told[answer.ref], caveats) for answer in answers]

    def hangs_on(self, route: Route) -> list[Attachment]:
        """The first listener with each Gateway of ours that the route hangs on."""
        first: dict[Any, Attachment] = {}
        for where in self.attaching.places(route):
            if where.gateway and self.is_ours(where):
                first.setdefault(where.gateway.meta, where)
        return list(first.values()) or [Attachment()]

    def served(self, answer: Resolution) -> Resolution:
        """The answer, unless the release does not see the object that is referred to."""
        if (target := answer.target) is None:
            return answer
        definitions = self.definitions.get((target.world, target.group, target.kind), [])
        missing = unserved(target, definitions, self.wires)
        return passed_over(answer, missing) if missing else answer

    def is_ours(self, where: Attachment) -> bool:
        classes = self.classes(where)
        controllers = {each.controller for each in classes} - {""}
        return not controllers or bool(controllers & set(self.rules.controllers))

    def classes(self, where: Attachment) -> list[Any]:
        if not where.gateway:
            return []
        named = (GATEWAY_API, "GatewayClass", "", where.gateway.class_name)
        return self.scope.nearest(where.gateway.meta, *named)

    def proxy(self, where: Attachment) -> Policy | None:
        """The EnvoyProxy of a Gateway, else that of its class.

        A translator fixture has one and no GatewayClass that would name it.
        """
        if not where.gateway:
            return None
        classes = self.classes(where)
        named = [where.gateway.proxy, *(each.proxy for each in classes)]
        for ref in filter(None, named):
            namespace = ref.namespace or where.gateway.meta.namespace
            found = self.scope.nearest(where.gateway.meta, ref.group, ref.kind, namespace, ref.name)
            if proxies := [each for each in found if isinstance(each, Policy)]:
                return min(proxies, key=_content)
        here = [p for p in self.proxies if p.meta.world == where.gateway.meta.world]
        return here[0] if "#" in where.gateway.meta.world and not classes and here else None

    def group(
        self, route: Route, answers: Sequence[Resolution], where: Attachment
    ) -> Iterable[tuple[BackendRef, _Told]]:
        """What is spoken to the references that would share an Envoy cluster, or are of a rule."""
        layer, proxy = layer_of(route.meta), self.proxy(where)
        pairs = [(a, self.setting(a, proxy)) for a in answers if a.sent]
        if (ref := answers[0].ref).role == "mirror":
            yield from self.clusters(answers, pairs, Flags(), layer, where, (), role="mirror")
            return
        if ref.site:  # one Envoy cluster, with what the settings beside the references say
            flags = flags_of(dict(ref.says))
            yield from self.clusters(answers, pairs, flags, layer, where, (), shared=True)
            return
        reached = self.attaching.traffic(route, answers[0].ref.rule, where)
        http1 = self.attaching.http1(where) if layer == "http" else None
        shared = self.shared(route, pairs, where, proxy, http1=bool(http1))
        for answer, setting in shared:
            flags = flags_of(self.attaching.of_gateway(where))
            told = spoken([setting], flags, layer, self.wires, role="merged")
            row = self.wires.find("wire", "shared", layer)[0]
            reasons = (reason_of(row), *self.reasons(told, layer, setting))
            yield answer.ref, _Told(where.name, told.upstream, reasons)
        alone = [pair for pair in pairs if pair not in shared]
        flags = flags_of(reached.says, http1=bool(http1), merged=bool(shared))
        said = (*reached.reasons, *_note_http1(http1))
        yield from self.clusters(answers, alone, flags, layer, where, said)

    def clusters(
        self,
        answers: Sequence[Resolution],
        pairs: Sequence[tuple[Resolution, Setting]],
        flags: Flags,
        layer: str,
        where: Attachment,
        said: Sequence[Reason],
        role: str = "",
        *,
        shared: bool = False,
    ) -> Iterable[tuple[BackendRef, _Told]]:
        """What one Envoy cluster is told, or one for each backend; none where there is none."""
        if not pairs:
            return
        refused = [
            Setting(unserved=True)
            for a in answers
            if not a.sent and a.outcome not in (*_UNKNOWN, "weight-0")
        ]
        settings = [setting for _, setting in pairs]
        everything = [*settings, *refused]
        apart = () if role or shared else splits(everything, flags, layer, self.wires)
        for answer, setting in pairs:
            alone = spoken([setting], flags, layer, self.wires, role=role, whole=everything)
            told = alone
            if not apart:
                told = spoken(settings, flags, layer, self.wires, role=role, whole=everything)
            why = [*said, *(apart if len(everything) > 1 else ())]
            why += self.reasons(told, layer, setting)
            why += () if apart else _neighbours(answer, answers, told, alone)
            yield answer.ref, _Told(where.name, told.upstream, tuple(why))

    def setting(self, answer: Resolution, proxy: Policy | None) -> Setting:
        target = answer.target
        if target is None:
            return Setting(protocol=answer.protocol)
        found = self.scope.nearest(answer.route, *name_of(target))
        filters = [
            policy
            for ref in answer.ref.filters
            for policy in self.scope.nearest(answer.route, *name_of(ref))
        ]
        return setting_of(answer, min(found, key=_content), filters, proxy)

    def shared(
        self,
        route: Route,
        pairs: list[tuple[Resolution, Setting]],
        where: Attachment,
        proxy: Policy | None,
        *,
        http1: bool,
    ) -> list[tuple[Resolution, Setting]]:
        """The backends that all routes of a Gateway share, where its EnvoyProxy says so."""
        rows = self.wires.find("wire", "shared", layer_of(route.meta))
        if not rows or not proxy or not dict(proxy.says).get("mergeBackends") or http1:
            return []
        if pairs and self.attaching.unshared(route, pairs[0][0].ref.rule, where):
            return []
        wanted = proxy.selectors[0].wanted
        return [
            (answer, setting)
            for answer, setting in pairs
            if not (setting.filters or setting.dynamic_resolver)
            and answer.target
            and all(each.holds(answer.target.labels) for each in wanted)
        ]

    def reasons(self, told: Upstream, layer: str, setting: Setting) -> list[Reason]:
        """Why it is told so; on layers tcp and udp, that it makes no difference."""
        rows = self.wires.find("wire", "layer", layer)
        if rows:
            return list(map(reason_of, rows))
        if setting.alpn is None or not self.wires.find("wire", "alpn", layer):
            return list(told.reasons)
        offered = ", ".join(setting.alpn) or "nothing"
        text = f"by its TLS settings the connection offers {offered} in ALPN"
        return [*told.reasons, _note("offers-alpn", text)]

    def caveats(self, places: Sequence[Attachment]) -> list[Reason]:
        """The EnvoyPatchPolicies for the Gateways of a route, or for their class."""
        return [
            _note("patched", f"{patch.meta} may override all of this")
            for patch in self.patches
            if any(self.means(patch, to, where) for to in patch.targets for where in places)
        ]

    def means(self, patch: Policy, to: ObjectRef, where: Attachment) -> bool:
        """Whether a patch's target is the Gateway where a route hangs, or the class of it."""
        if not where.gateway or patch.meta.world != where.gateway.meta.world:
            return False
        of_class = to.kind == "GatewayClass"
        found = self.scope.nearest(
            patch.meta, GATEWAY_API, to.kind, "" if of_class else to.namespace, to.name
        )
        here = self.classes(where) if of_class else [where.gateway]
        if of_class and not found:
            return where.gateway.class_name == to.name and not here
        return any(each is other for each in found for other in here)


def _together(answer: Resolution, told: Sequence[_Told], caveats: Sequence[Reason]) -> Resolution:
    """The reference with what its Gateways speak; where they differ, each by its name."""
    if not told:
        return answer
    facts: dict[str, Any] = {"upstream": told[0].upstream}
    reasons = [*answer.reasons, *(reason for said in told for reason in said.reasons)]
    if len({said.upstream for said in told}) > 1:
        each = tuple(sorted((said.gateway, said.upstream or "-") for said in told))
        facts = {"by_gateway": each}
        text = "; ".join(f"Gateway {name} speaks {word}" for name, word in each)
        reasons.append(_note("differs-by-gateway", text))
    return replace(answer, reasons=tuple(dict.fromkeys([*reasons, *caveats])), **facts)


def passed_over(answer: Resolution, missing: Reason) -> Resolution:
    """A reference that leads nowhere, since the release does not see its route or its object.

    >>> from protocol_analysis import load, resolve
    >>> answer = resolve(load("data/sample"), release="v1.8.3")[0]
    >>> passed_over(answer, answer.deciding).sent
    False
    """
    return replace(
        answer, protocol=None, force_http1=False, tls=False, sent=False, reasons=(missing,)
    )


def _groups(route: Route, answers: Sequence[Resolution]) -> list[list[Resolution]]:
    """The references that would share an Envoy cluster: those of a rule, or of all rules."""
    groups: dict[Any, list[Resolution]] = {}
    for answer in answers:
        ref = answer.ref
        rule = ref.rule if layer_of(route.meta) == "http" else -1
        key = (rule, ref.backend if ref.role == "mirror" else -1)
        groups.setdefault((ref.role, *key), []).append(answer)
    return list(groups.values())


def _neighbours(
    answer: Resolution, answers: Sequence[Resolution], told: Upstream, single: Upstream
) -> list[Reason]:
    """What the other backends of the rule do to this one."""
    notes = []
    others = [other for other in answers if other.ref != answer.ref]
    if told.upstream != single.upstream:
        names = ", ".join(f"{_backend(o)} is {o.protocol}" for o in others if o.protocol)
        text = f"alone it would be {single.upstream}; in its rule {names}"
        notes.append(_note("neighbour", text))
    unknown = [_backend(other) for other in others if other.outcome in _UNKNOWN]
    if unknown:
        text = f"{', '.join(unknown)} of the same rule is not known here, and was left out"
        notes.append(_note("no-neighbour", text))
    return notes


def _backend(answer: Resolution) -> str:
    ref = answer.ref
    port = "" if ref.port is None else f":{ref.port}"
    return f"{ref.kind} {ref.namespace}/{ref.name}{port}"


def _note_http1(policy: Policy | None) -> list[Reason]:
    if not policy:
        return []
    return [_note("http1-policy", f"{policy.meta} has HTTP/1 settings for the listener")]


def _note(name: str, text: str) -> Reason:
    return Reason(name, text, NOTES[name])
