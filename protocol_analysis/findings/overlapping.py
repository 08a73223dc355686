"""Listeners that overlap: for these Envoy Gateway offers clients http/1.1 alone, unless told. Pure.

Compared are all that one proxy serves: the listeners of a Gateway and of its ListenerSets, and of
all Gateways of a class whose EnvoyProxy merges them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from protocol_analysis.attaching import Attaching
from protocol_analysis.listeners import hold
from protocol_analysis.model import GATEWAY_API, Inventory, Meta, name_of
from protocol_analysis.policies import Gateway, GatewayClass, Listener, ListenerSet
from protocol_analysis.scope import Scope

_MOST_LISTENERS = 64  # that a Gateway may have, or a ListenerSet
_MOST_COMPARED = 1_000  # each with each
Key = tuple[Meta, str]  # who has the listener, and its name


@dataclass(frozen=True, slots=True, kw_only=True)
class _Served:
    """A listener, and the Gateway or ListenerSet that has it."""

    holder: Gateway | ListenerSet
    listener: Listener

    @property
    def key(self) -> Key:
        """What tells it apart."""
        return self.holder.meta, self.listener.name


class Overlapping:
    """The listeners of an inventory by what they share with others on their port."""

    def __init__(self, inventory: Inventory, scope: Scope, attaching: Attaching) -> None:
        self._gateways, self._scope, self._attaching = inventory.gateways, scope, attaching
        self._sets: dict[tuple[str, ...], list[ListenerSet]] = {}
        for each in inventory.listener_sets:
            self._sets.setdefault((each.meta.world, *name_of(each.parent)), []).append(each)
        self._found: dict[tuple[Meta, str], dict[Key, tuple[_Served, str]]] = {}

    def with_others(
        self, gateway: Gateway, holder: Meta, listener: str
    ) -> Iterator[tuple[str, str]]:
        """What a listener that a Gateway serves shares: of which sort, and with which other.

        Source: https://github.com/envoyproxy/gateway/blob/v1.4.0/internal/gatewayapi/listener.go
        """
        together = self._together.get(gateway.meta, (gateway,))
        for grade, shared in _SHARED.items():
            key = (together[0].meta, grade)
            if key not in self._found:
                served = [each for one in together for each in self._served(one)]
                self._found[key] = _compared(served, shared)
            if found := self._found[key].get((holder, listener)):
                other, what = found
                of = "" if other.holder.meta == holder else f" of {other.holder.meta}"
                yield grade, f"the {grade} as listener {other.listener.name}{of} ({what})"

    @cached_property
    def _together(self) -> dict[Meta, tuple[Gateway, ...]]:
        """The Gateways that are merged, each with all that one proxy serves with it."""
        merged: dict[Meta, list[Gateway]] = {}
        for gateway in sorted(self._gateways, key=_age):
            named = (GATEWAY_API, "GatewayClass", "", gateway.class_name)
            classes = self._scope.nearest(gateway.meta, *named)
            if classes and all(map(self._merges, classes)):
                merged.setdefault(classes[0].meta, []).append(gateway)
        return {each.meta: tuple(them) for them in merged.values() for each in them}

    def _merges(self, of: GatewayClass) -> bool:
        """Whether the EnvoyProxy of a class merges its Gateways; that of a Gateway cannot."""
        proxies = self._scope.nearest(of.meta, *name_of(of.proxy)) if of.proxy else []
        return bool(proxies) and all(dict(each.says).get("mergeGateways") for each in proxies)

    def _served(self, gateway: Gateway) -> Iterator[_Served]:
        """The listeners of a Gateway, then of the ListenerSets that it lets add to it."""
        meta = gateway.meta
        named = self._sets.get((meta.world, *name_of(meta)), ())
        sets = sorted((each for each in named if self._adds(each, gateway)), key=_age)
        holders: tuple[Gateway | ListenerSet, ...] = (gateway, *sets)
        for holder in holders:
            for listener in holder.listeners[:_MOST_LISTENERS]:
                yield _Served(holder=holder, listener=listener)

    def _adds(self, listeners: ListenerSet, gateway: Gateway) -> bool:
        """Whether a ListenerSet adds to this very Gateway, at a release that watches it.

        Source: https://gateway-api.sigs.k8s.io/geps/gep-1713/
        """
        meta = listeners.meta
        if gateway not in self._scope.nearest(meta, *name_of(listeners.parent)):
            return False
        labels = self._attaching.labels.get((meta.world, meta.namespace), ())
        allowed = {
            "All": True,
            "Same": meta.namespace == gateway.meta.namespace,
            "Selector": hold(gateway.of_namespace, labels),
        }
        return allowed.get(gateway.sets_from, False) and self._attaching.sees(listeners)


def _age(each: Gateway | ListenerSet) -> tuple[bool, str, str, str]:
    meta = each.meta
    return (not meta.created, meta.created, meta.namespace, meta.name)


def _compared(
    served: Sequence[_Served], shared: Callable[[Listener, Listener], str]
) -> dict[Key, tuple[_Served, str]]:
    """The HTTPS listeners that share something on a port: each with another, and what it is.

    As Envoy Gateway goes about it: one that is found already is not compared any more.
    """
    https = [each for each in served if each.listener.protocol == "HTTPS"][:_MOST_COMPARED]
    found: dict[Key, tuple[_Served, str]] = {}
    for at, one in enumerate(https):
        for other in https[at + 1 :] if one.key not in found else ():
            if other.key in found or one.listener.port != other.listener.port:
                continue
            if what := shared(one.listener, other.listener):
                found[one.key], found[other.key] = (other, what), (one, what)
    return found


def _same_hostname(one: Listener, other: Listener) -> str:
    """The hostname that two listeners share, the narrower of two; without one, all are taken."""
    if not one.hostname or not other.hostname:
        return one.hostname or other.hostname or "every hostname"
    names = (one.hostname, other.hostname)
    found = (narrow for wide, narrow in (names, names[::-1]) if _stands_for(wide, narrow))
    return next(found, "")


def _stands_for(wide: str, narrow: str) -> bool:
    """Whether a listener's hostname is another, or has a wildcard for its first label.

    >>> _stands_for("*.example.com", "a.example.com"), _stands_for("*.com", "a.example.com")
    (True, False)
    """
    label, _, rest = narrow.partition(".")
    return wide == narrow or (wide == f"*.{rest}" and label != "*")


def _same_certificate(one: Listener, other: Listener) -> str:
    """The certificate that two listeners name, which has the same hostnames for both."""
    return next((ref.name for ref in one.certificates if ref in other.certificates), "")


_SHARED = {"same certificate": _same_certificate, "same hostname": _same_hostname}
