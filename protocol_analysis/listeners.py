"""Which listener takes a route: by kind, namespace and hostname, as Gateway API says. Pure."""

from __future__ import annotations

from protocol_analysis.model import Route
from protocol_analysis.policies import Gateway, Listener, ListenerSet, Wanted

Labels = dict[tuple[str, str], tuple[tuple[str, str], ...]]  # of a world's Namespace


def takes(listener: Listener, holder: Gateway | ListenerSet, route: Route, labels: Labels) -> bool:
    """Whether a listener of a Gateway, or of a ListenerSet, takes a route.

    A hostname that another listener on the port has to itself belongs to that one. A Namespace
    that is not among the manifests is taken to have the labels.

    Source: https://github.com/kubernetes-sigs/gateway-api/blob/v1.4.0/apis/v1/gateway_types.go#L447
    """
    meta = route.meta
    kinds = listener.kinds or (meta.kind,)
    if meta.kind not in kinds or not _carries(listener.protocol, meta.kind):
        return False
    names = _shared(listener.hostname, route.hostnames)
    if route.hostnames:
        beside = (each for each in holder.listeners if each != listener)
        names -= {each.hostname for each in beside if each.port == listener.port}
    if not names:
        return False
    if listener.takes_from == "Selector":
        found = labels.get((meta.world, meta.namespace))
        return found is None or hold(listener.of_namespace, found)
    return listener.takes_from == "All" or meta.namespace == holder.meta.namespace


def hold(wanted: tuple[Wanted, ...], labels: tuple[tuple[str, str], ...]) -> bool:
    """Whether labels are all as wanted.

    >>> hold((), ())
    True
    """
    return all(each.holds(labels) for each in wanted)


_CARRIES = {
    "HTTP": ("HTTPRoute", "GRPCRoute"),
    "HTTPS": ("HTTPRoute", "GRPCRoute"),
    "TLS": ("TLSRoute", "TCPRoute"),
    "TCP": ("TCPRoute",),
    "UDP": ("UDPRoute",),
}


def _carries(protocol: str, kind: str) -> bool:
    """Whether a listener's protocol takes such routes; of another protocol nothing is known.

    Source: https://github.com/kubernetes-sigs/gateway-api/blob/v1.4.0/apis/v1/gateway_types.go#L447
    """
    return kind in _CARRIES.get(protocol, (kind,))


def _shared(hostname: str, hostnames: tuple[str, ...]) -> set[str]:
    """The hostnames that a listener and a route have in common, each the narrower of two.

    >>> sorted(_shared("*.example.com", ("a.b.example.com", "example.com", "*.com")))
    ['*.example.com', 'a.b.example.com']

    Source: https://github.com/kubernetes-sigs/gateway-api/blob/v1.4.0/apis/v1/httproute_types.go#L62
    """
    if not hostname or not hostnames:
        return set(hostnames) or {hostname or "*"}
    pairs = [pair for name in hostnames for pair in ((hostname, name), (name, hostname))]
    return {
        narrow
        for wide, narrow in pairs
        if wide == narrow or (wide.startswith("*.") and narrow.endswith(wide[1:]))
    }
