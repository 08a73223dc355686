"""Which HTTPRoutes could be GRPCRoutes, which need no value: route by route. Pure.

A GRPCRoute speaks HTTP/2 to all of its backends and matches methods of services; so a route is one
of those only if every rule matches such methods, says nothing that a GRPCRoute has no field for,
and leads to nothing that is spoken to otherwise today. A ReferenceGrant for HTTPRoutes permits no
GRPCRoute, so a backend of another namespace stands against it as well.

Source: https://github.com/kubernetes-sigs/gateway-api/blob/v1.3.0/apis/v1/grpcroute_types.go
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

from protocol_analysis.model import Meta, Route
from protocol_analysis.policies import RouteMatch
from protocol_analysis.reading import Cluster
from protocol_analysis.readings import word_of
from protocol_analysis.resolution import Resolution
from protocol_analysis.rollout.census import Use
from protocol_analysis.speaking import rules_of, speak

_SERVICE = r"/(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*"
_FILTERS = {"RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror"}
_PATHS = {
    "PathPrefix": re.compile(rf"{_SERVICE}(?:/\w*)?"),
    "Exact": re.compile(rf"{_SERVICE}/\w+"),
}


class Leading:
    """The routes of a cluster, asked what stands against their being GRPCRoutes."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.routes = {route.meta: route for route in cluster.inventory.referring}

    def against(self, use: Use) -> str:
        """Why what leads to a use cannot be GRPCRoutes; empty where it can, or is.

        >>> from protocol_analysis.reading import read
        >>> from protocol_analysis.rollout.census import census
        >>> (cluster,) = read("data/sample/east/catalog.yaml", "v1.9.0").clusters
        >>> Leading(cluster).against(census([cluster])[0])
        ''
        """
        for answer in use.routes:
            if answer.ref.site or answer.route.kind not in ("HTTPRoute", "GRPCRoute"):
                return f"{answer.route} leads there, for which no route can stand"
            route = self.routes.get(answer.route)
            reasons = self._against(route) if route and route.meta.kind == "HTTPRoute" else iter(())
            if reason := next(reasons, ""):
                return f"{answer.route} {reason}"
        return ""

    def _against(self, route: Route) -> Iterator[str]:
        rules = {ref.rule for ref in route.refs} | set(range(len(route.rules)))
        if rules - {match.rule for match in route.matches}:
            yield "has a rule without a match, so anything may come that way"
        for match in route.matches:
            if reason := _of_match(match):
                yield reason
        for ref in route.refs:
            if others := {each.kind for each in ref.filters if each.name == ""} - _FILTERS:
                yield f"has the filter {min(others)}, which a GRPCRoute has not"
        for answer in self._spoken.get(route.meta, ()):
            if answer.sent and word_of(answer) != "h2":
                yield f"leads to {answer.ref.name} too, which is spoken {word_of(answer)}"
            if answer.ref.namespace != route.meta.namespace:
                yield "leads to another namespace, whose ReferenceGrant is for HTTPRoutes"

    @cached_property
    def _spoken(self) -> dict[Meta, list[Resolution]]:
        found: dict[Meta, list[Resolution]] = {}
        for answer in speak(self.cluster.inventory, *rules_of(self.cluster.own)):
            found.setdefault(answer.route, []).append(answer)
        return found


def _of_match(match: RouteMatch) -> str:
    """What a match, or its rule, says that a GRPCRoute cannot."""
    if match.only_http:
        return f"says {match.only_http[0]}, which a GRPCRoute has no field for"
    path = _PATHS.get(match.way)
    if path is None or not path.fullmatch(match.path or "/"):
        return f"matches {match.path or '/'}, which is no method of a gRPC service"
    return ""
