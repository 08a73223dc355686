"""More nouns: what stands behind a port, and what else leads to it. Pure.

None of it decides what a gateway speaks; it hints at what a workload serves. Of annotations only
those are kept that some clue names, and the one that suppresses findings; of a probe's command
nothing but its port.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocol_analysis.model import Meta, Position

Labels = tuple[tuple[str, str], ...]
IGNORE = "protocol-analysis.dev/ignore"  # the annotation by which an object bears its findings
CALLS = "protocol-analysis.dev/calls"  # whether a Service's calls stream, which nothing else tells


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """An annotation that a clue names, and where it stands."""

    key: str
    value: str
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppressing:
    """An object of any kind that says which of its findings are known and borne, as written."""

    meta: Meta
    annotation: Annotation


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """How a Service leads to pods, beside its ports.

    `targets` has the targetPort of each port in order: a number, the name of a container's port,
    or None where it is the port's own number. `settings` are those of its spec that decide how it
    leads there: headless, affinity, addresses that are not ready, distribution.
    """

    meta: Meta
    selector: Labels = ()
    targets: tuple[int | str | None, ...] = ()
    settings: tuple[tuple[str, str | int | bool], ...] = ()
    annotations: tuple[Annotation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressBackend:
    """A Service that an Ingress leads to, and its port by number or by name."""

    name: str
    port: int | str | None
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingress:
    """An Ingress: its backends, and what its annotations say of them."""

    meta: Meta
    backends: tuple[IngressBackend, ...] = ()
    annotations: tuple[Annotation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPort:
    """A port that a container names."""

    number: int | None
    name: str = ""
    transport: str = "TCP"
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A probe by how it asks (grpc, http, https, tcp, grpc_health_probe) and which port."""

    way: str
    port: int | str
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container: the ports it names, its probes, and where it mounts certificates."""

    ports: tuple[ContainerPort, ...] = ()
    probes: tuple[Probe, ...] = ()
    certificates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What runs pods, or a Pod: its pods' labels and containers, and annotations about meshes.

    `images` are those of a Deployment: that of the gateway tells its release.
    """

    meta: Meta
    images: tuple[str, ...] = ()
    labels: Labels = ()
    annotations: Labels = ()
    containers: tuple[Container, ...] = ()
