"""Which policies reach a route, by release, and what they say together. Pure.

A policy targets a Gateway, a listener, a route or a named rule of one; the nearest to the rule
comes first. How two of them go together is in the rows of the wire rules: the nearer one replaces
the other, is filled up from it, or is laid upon it (`mergeType`). Of two policies with one target
the older one counts, then the first by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from protocol_analysis.listeners import hold, takes
from protocol_analysis.model import Inventory, Meta, Route, name_of
from protocol_analysis.policies import (
    Gateway,
    Listener,
    ListenerSet,
    Policy,
    Selector,
    patched,
)
from protocol_analysis.resolution import Reason, reason_of
from protocol_analysis.rows import Row, Rules
from protocol_analysis.scope import Scope
from protocol_analysis.wiring import definitions_of, needs, unserved

LAYERS = {"TLSRoute": "tcp", "TCPRoute": "tcp", "UDPRoute": "udp"}
# Only some layers take these from a policy; all else the rows of the wire rules sort out.
_TAKEN = ("proxyProtocol", "useClientProtocol", "http2")
_SETS = ("ListenerSet", "XListenerSet")
Aim = tuple[Meta, str | None]


def layer_of(route: Meta) -> str:
    """The layer of a route's Envoy clusters: http, tcp or udp."""
    return LAYERS.get(route.kind, "http")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """Where a rule of a route hangs: a listener of a Gateway, or of a ListenerSet of one.

    Without a gateway, on one that is not among the manifests.
    """

    gateway: Gateway | None = None
    listener: Listener | None = None
    listener_set: ListenerSet | None = None

    @property
    def name(self) -> str:
        """The Gateway's namespace and name."""
        meta = self.gateway.meta if self.gateway else None
        return f"{meta.namespace}/{meta.name}" if meta else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """What policies say to a rule of a route where it hangs, and by which rows they reach it."""

    says: dict[str, bool]
    reasons: tuple[Reason, ...] = ()


class Attaching:
    """The policies of an inventory, by what they target under the wire rules of a release."""

    def __init__(self, inventory: Inventory, scope: Scope, rules: Rules) -> None:
        self._scope, self._rules = scope, rules
        self._objects: tuple[Any, ...] = (
            *inventory.gateways,
            *inventory.listener_sets,
            *inventory.routes,
        )
        self.labels = {
            (other.meta.world, other.meta.name): other.meta.labels
            for other in inventory.others
            if other.meta.kind == "Namespace"
        }
        self._definitions = definitions_of(inventory)
        self._targeted: dict[tuple[Meta, Aim], Row] = {}
        self._traffic = self._by_aim(inventory.traffic_policies)
        self._client = self._by_aim(inventory.client_policies)

    def traffic(self, route: Route, rule: int, where: Attachment) -> Reached:
        """What BackendTrafficPolicies say to a rule, by where it hangs."""
        layer = layer_of(route.meta)
        reaches = self._row("reaches", layer)
        if not reaches:
            return Reached(says={})
        mine = _mine(route, rule)
        own = list(self._of(self._traffic, mine))
        above = list(self._of(self._traffic, self._above(where)))
        used, says = self._together(layer, own, above, where)
        taken = {
            key: value
            for key, value in says.items()
            if key not in _TAKEN or self._row(f"takes-{key}", layer)
        }
        hides = len(used) < len(own) + len(above)
        reasons: list[Reason] = []
        for policy, row in used:
            if hides or any(key in taken for key, _ in policy.says):
                text = f"{policy.meta} counts: {_said(policy)}. {row.text}"
                reasons.append(Reason(row.id, text, row.source))
                reasons += self._how(policy, [*mine, *self._above(where)])
        return Reached(says=taken, reasons=tuple(reasons))

    def places(self, route: Route) -> list[Attachment]:
        """Every listener that takes a route, in the order in which its Gateway has them.

        A parent that is not among the manifests gives none, nor does one whose listeners do not
        take the route; a Gateway without listeners is one attachment without a listener.
        """
        found: list[Attachment] = []
        for parent in route.parents:
            for holder in self._scope.nearest(route.meta, *name_of(parent)):
                if not self.sees(holder):
                    continue
                if isinstance(holder, Gateway):
                    pairs: list[tuple[Gateway, ListenerSet | None]] = [(holder, None)]
                elif isinstance(holder, ListenerSet):
                    gateways = self._scope.nearest(holder.meta, *name_of(holder.parent))
                    pairs = [(gateway, holder) for gateway in gateways]
                else:
                    continue
                listeners = [
                    listener
                    for listener in holder.listeners
                    if parent.section in (None, listener.name)
                    and parent.port in (None, listener.port)
                    and takes(listener, holder, route, self.labels)
                ]
                found += [
                    Attachment(gateway=gateway, listener=each, listener_set=listener_set)
                    for gateway, listener_set in pairs
                    for each in listeners or ([] if holder.listeners else [None])
                ]
        return sorted(dict.fromkeys(found), key=_turn)

    def sees(self, holder: Any) -> bool:
        """Whether a release watches what a route hangs on, in a version that its CRD serves."""
        if not isinstance(holder, ListenerSet):
            return True
        meta = holder.meta
        served = self._definitions.get((meta.world, meta.group, meta.kind), [])
        return bool(needs(meta.kind, self._rules)) and not unserved(meta, served, self._rules)

    def unseen(self, route: Route) -> str:
        """The parents of a route that a release does not watch, where it has no others."""
        holders = self._holders(route)
        return "" if any(map(self.sees, holders)) else _names(holders)

    def untaken(self, route: Route) -> str:
        """The parents of a route of which no listener takes it, where none does."""
        return "" if self.places(route) else _names(self._holders(route))

    def watched(self, route: Route) -> list[Reason]:
        """The rows by which a release watches the ListenerSets that a route hangs on."""
        kinds = dict.fromkeys(each.meta.kind for each in self._holders(route))
        found = [needs(kind, self._rules) for kind in kinds if kind in _SETS]
        return [reason_of(known[1]) for known in found if known]

    def _holders(self, route: Route) -> list[Any]:
        return [
            holder
            for parent in route.parents
            for holder in self._scope.nearest(route.meta, *name_of(parent))
            if isinstance(holder, Gateway | ListenerSet)
        ]

    def _how(self, policy: Policy, aims: Sequence[Aim]) -> Iterator[Reason]:
        """The row by which a policy may have such a target, where not all releases know it."""
        for aim in aims:
            if row := self._targeted.get((policy.meta, aim)):
                yield reason_of(row)

    def counting(self, route: Route, rule: int, where: Attachment) -> list[Policy]:
        """The BackendTrafficPolicies that count for a rule where it hangs."""
        layer = layer_of(route.meta)
        own, above = (
            list(self._of(self._traffic, aims)) for aims in (_mine(route, rule), self._above(where))
        )
        used, _ = self._together(layer, own, above, where)
        return [policy for policy, _ in used]

    def client(self, where: Attachment) -> Policy | None:
        """The ClientTrafficPolicy of the listener."""
        return next(self._of(self._client, self._above(where)), None)

    def http1(self, where: Attachment) -> Policy | None:
        """The ClientTrafficPolicy of the listener, where it has HTTP/1 settings."""
        policy = self.client(where)
        return policy if policy and dict(policy.says).get("http1") else None

    def unshared(self, route: Route, rule: int, where: Attachment) -> Row | None:
        """The row by which a policy below the Gateway keeps the backends of a rule to itself."""
        layer = layer_of(route.meta)
        own = _mine(route, rule)
        whole = self._whole(where)
        rows = self._rules.find("wire", "unshared", layer)
        for policy in self._of(self._traffic, [*own, *self._above(where)]):
            if policy == whole:
                continue
            replaces = not policy.merge and policy in self._of(self._traffic, own)
            if rows and (replaces or _holds(rows[0], policy)):
                return rows[0]
        return None

    def of_gateway(self, where: Attachment) -> dict[str, bool]:
        """What the policy of the whole Gateway says, which is all that shared backends hear."""
        policy = self._whole(where)
        return dict(policy.says) if policy else {}

    def _whole(self, where: Attachment) -> Policy | None:
        """The policy that targets the Gateway itself."""
        return next(self._of(self._traffic, self._above(where)[-1:]), None)

    def _row(self, term: str, layer: str) -> Row | None:
        return next(iter(self._rules.find("wire", term, layer)), None)

    def _above(self, where: Attachment) -> list[Aim]:
        """What hangs above a route, from near to far."""
        if not where.gateway:
            return []
        gateway = where.gateway.meta
        name = where.listener.name if where.listener else None
        if where.listener_set:
            own = where.listener_set.meta
            return [(own, name), (own, None), (gateway, None)]
        return [*([(gateway, name)] if name else []), (gateway, None)]

    def _of(self, policies: dict[Aim, list[Policy]], aims: Iterable[Aim]) -> Iterator[Policy]:
        for aim in dict.fromkeys(aims):
            yield from policies.get(aim, [])[:1]

    def _together(
        self, layer: str, own: list[Policy], above: list[Policy], where: Attachment
    ) -> tuple[list[tuple[Policy, Row]], dict[str, bool]]:
        """The policies that count, each with the row by which it does, and what they say."""
        ways = {term: self._row(term, layer) for term in ("reaches", "fills", "merge")}
        reaches, fills, merge = ways["reaches"], ways["fills"], ways["merge"]
        if not reaches or not (own or above):
            return [], {}
        if own and own[0].merge and merge:
            with_listener = self._row("merge-listener", layer)
            whole = self._whole(where)
            bases = [p for p in above if with_listener or p == whole]
            used = [(own[0], merge), *((base, with_listener or merge) for base in bases[:1])]
            return used, dict((patched(own[0], bases[0]) if bases else own[0]).says)
        first, *rest = [*own, *above]
        used = [(first, reaches)]
        for policy in rest:
            if any(_holds(row, first) for row in self._rules.find("wire", "replaces", layer)):
                break
            first = patched(first, policy)
            used.append((policy, fills or reaches))
        return used, dict(first.says)

    def _by_aim(self, policies: Sequence[Policy]) -> dict[Aim, list[Policy]]:
        found: dict[Aim, list[Policy]] = {}
        for policy in sorted(policies, key=_age):
            for aim, row in (*self._named(policy), *self._selected(policy)):
                if policy not in found.setdefault(aim, []):
                    found[aim].append(policy)
                if row:
                    self._targeted[policy.meta, aim] = row
        return found

    def _named(self, policy: Policy) -> Iterator[tuple[Aim, Row | None]]:
        targets = policy.targets if self._row("target-list", "http") else policy.targets[:1]
        for target in targets:
            section = target.section if self._sections(policy, target.kind) else None
            if target.section and not section:
                continue
            if target.kind in _SETS and not self._row("target-listener-set", "http"):
                continue
            term = "target-listener-set" if target.kind in _SETS else ""
            term = "target-section" if section and not term else term
            if target.namespace != policy.meta.namespace:
                continue
            for each in self._scope.nearest(policy.meta, *name_of(target)):
                yield (each.meta, section), self._row(term, "http") if term else None

    def _sections(self, policy: Policy, kind: str) -> bool:
        """A ClientTrafficPolicy could always name a listener."""
        of_listener = policy.meta.kind == "ClientTrafficPolicy" and kind == "Gateway"
        return of_listener or bool(self._row("target-section", "http"))

    def _selected(self, policy: Policy) -> Iterator[tuple[Aim, Row | None]]:
        by_label = self._row("target-selectors", "http")
        if not policy.selectors or not by_label:
            return
        across = self._row("target-across", "http")
        for selector in policy.selectors:
            for each in self._objects:
                meta: Meta = each.meta
                if (meta.group, meta.kind) != (selector.group, selector.kind):
                    continue
                if meta.world != policy.meta.world or not hold(selector.wanted, meta.labels):
                    continue
                here = meta.namespace == policy.meta.namespace
                row = by_label if here else across
                if not row or not (here or self._reaches(policy, selector, meta)):
                    continue
                if self._is_near(policy, each):
                    yield (meta, None), row

    def _reaches(self, policy: Policy, selector: Selector, meta: Meta) -> bool:
        """Whether a policy may choose in another namespace by its labels, and is let in."""
        labels = self.labels.get((meta.world, meta.namespace), ())
        chosen = selector.namespaces == "Selector" and hold(selector.of_namespace, labels)
        reach = chosen or selector.namespaces == "All"
        return reach and self._scope.permitted(policy.meta, *name_of(meta))

    def _is_near(self, policy: Policy, each: Any) -> bool:
        """Of namesakes only the nearest is meant, by label as by name."""
        return any(each is near for near in self._scope.nearest(policy.meta, *name_of(each.meta)))


def _mine(route: Route, rule: int) -> list[Aim]:
    """A rule, where it has a name, then its route."""
    name = route.rules[rule] if rule < len(route.rules) else ""
    return [(route.meta, name or None), (route.meta, None)]


def _names(holders: Sequence[Any]) -> str:
    return ", ".join(dict.fromkeys(str(holder.meta) for holder in holders))


def _age(policy: Policy) -> tuple[bool, str, str, str, str]:
    """The older first; of namesakes one that the order of documents does not decide."""
    meta = policy.meta
    said = str((policy.says, sorted(policy.features), policy.merge))
    return (not meta.created, meta.created, meta.namespace, meta.name, said)


def _turn(where: Attachment) -> tuple[str, bool, str, str, int]:
    """The order in which the listeners of a Gateway make Envoy clusters: its own, then others'."""
    gateway = where.gateway.listeners if where.gateway else ()
    own = where.listener_set
    listeners = own.listeners if own else gateway
    at = listeners.index(where.listener) if where.listener in listeners else -1
    created = own.meta.created if own else ""
    return (where.name, bool(own), created, str(own.meta) if own else "", at)


def _holds(row: Row, policy: Policy) -> bool:
    """Whether a row's conditions hold of a policy: that it sets one of some fields."""
    return all(policy.features & set(condition.split()[1:]) for condition in row.values)


def _said(policy: Policy) -> str:
    said = [name if value else f"no {name}" for name, value in policy.says]
    return ", ".join(said) or "nothing that bears upon the protocol"
