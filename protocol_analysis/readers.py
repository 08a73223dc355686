"""Who reads Services: an implementation at a release, by its gateways or as a mesh. Pure.

The controllerName of a GatewayClass tells whose gateway it is. A mesh reads every Service that is
called in it, whoever else does; that a workload is in it is not to be seen here: it is declared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from protocol_analysis.releases import RulesetError
from protocol_analysis.rules import implementations, ruleset

_MESH = " mesh"
_PROPOSED = "+"  # between an implementation and what is proposed for it
_RELEASE = re.compile(r"v?[0-9]|main\Z|auto\Z|lines\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """An implementation at a release: its gateways, or the mesh that it is."""

    implementation: str
    release: str
    mesh: bool = False

    @property
    def name(self) -> str:
        """`istio`; `istio mesh` where its gateways read otherwise."""
        both = self.mesh and ruleset(self.implementation).role != "mesh"
        return f"{self.implementation}{_MESH if both else ''}"

    def __str__(self) -> str:
        return f"{self.name}@{self.release}"


def base_of(implementation: str) -> str:
    """The implementation that a proposal is about; any other is its own.

    >>> base_of("envoy-gateway+remove"), base_of("istio")
    ('envoy-gateway', 'istio')
    """
    return implementation.partition(_PROPOSED)[0]


def proposed(implementation: str, name: str) -> str:
    """What a proposal for an implementation is called among implementations.

    >>> proposed("envoy-gateway", "remove")
    'envoy-gateway+remove'
    """
    return f"{implementation}{_PROPOSED}{name}"


def reader(
    text: str | None, implementation: str = "envoy-gateway", *, mesh: bool = False
) -> Reader:
    """`1.8`, `istio@1.26`, or `istio mesh`. Raises RulesetError for what is not known, or no mesh.

    >>> str(reader("1.8")), str(reader("istio", mesh=True))
    ('envoy-gateway@v1.8.3', 'istio mesh@v1.19.0')
    >>> reader("contour", mesh=True)
    Traceback (most recent call last):
        ...
    protocol_analysis.releases.RulesetError: 'contour' is no mesh that is known; known are \
cilium, istio, kuma, linkerd, open-service-mesh
    """
    name, release = _named(text, implementation)
    bare = name.removesuffix(_MESH)
    return reader_of(bare, release, mesh=mesh or bare != name)


def reader_of(implementation: str, release: str | None = None, *, mesh: bool = False) -> Reader:
    """The same in parts; what is a mesh only is read as one. Raises as `reader` does."""
    rules = ruleset(implementation)
    if mesh and not rules.mesh:
        known = ", ".join(each for each in implementations() if ruleset(each).mesh)
        raise RulesetError(f"{implementation!r} is no mesh that is known; known are {known}")
    try:
        known_release = rules.pick(release)[0]
    except RulesetError as error:
        raise RulesetError(f"{implementation}: {error}") from None
    mesh = mesh or rules.role == "mesh"
    return Reader(implementation=implementation, release=known_release, mesh=mesh)


def all_readers(named: Iterable[Reader | str], *, mesh: bool = False) -> tuple[Reader, ...]:
    """Readers, each as such or by its name. Raises as `reader` does.

    >>> [str(each) for each in all_readers(["istio", "linkerd"], mesh=True)]
    ['istio mesh@v1.19.0', 'linkerd@v2.18.0']
    """
    return tuple(each if isinstance(each, Reader) else reader(each, mesh=mesh) for each in named)


def warning_of(text: str | None, implementation: str = "envoy-gateway") -> str:
    """What `reader` assumes of a release that is not known exactly; empty where it is.

    >>> warning_of("1.8.99")
    '1.8.99 is not known; taken as v1.8.3, the newest known of its line'
    """
    name, release = _named(text, implementation)
    if release in ("auto", "lines"):
        return ""
    warning = ruleset(name.removesuffix(_MESH)).pick(release)[1]
    return f"{name} {warning}" if warning and name != implementation else warning


def _named(text: str | None, implementation: str) -> tuple[str, str | None]:
    """An implementation and a release; a text without a digit at its start names the former."""
    name, at, release = (text or "").rpartition("@")
    if release and not at and not _RELEASE.match(release):
        name, release = release, ""
    return name or implementation, release or None


def everyone() -> tuple[Reader, ...]:
    """All that are known, at their newest releases; specifications read nothing.

    >>> names = [each.name for each in everyone()]
    >>> "istio" in names, "istio mesh" in names, "gateway-api" in names
    (True, True, False)
    """
    found = []
    for name in implementations():
        rules = ruleset(name)
        found += [
            Reader(implementation=name, release=rules.newest, mesh=mesh)
            for mesh, role in ((False, "gateway"), (True, "mesh"))
            if role in rules.role
        ]
    return tuple(found)


@cache
def gateway_of(controller: str) -> Reader | None:
    """The implementation of a controllerName, at its newest release.

    >>> str(gateway_of("istio.io/gateway-controller"))
    'istio@v1.19.0'
    """
    for each in everyone():
        if not each.mesh and controller in ruleset(each.implementation).controllers:
            return each
    return None


@cache
def gateway_of_group(group: str) -> Reader | None:
    """The implementation that an API group belongs to, by its controllers' domain.

    >>> str(gateway_of_group("gateway.envoyproxy.io"))
    'envoy-gateway@v1.9.0'
    """
    for each in everyone():
        controllers = ruleset(each.implementation).controllers
        if not each.mesh and any(name.startswith(f"{group}/") for name in controllers):
            return each
    return None
