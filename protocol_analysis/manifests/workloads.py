"""Objects → what stands behind a port: pods and their probes, selectors, annotations, Ingresses.

It tells something beside the point, so what cannot be read of it is passed over in silence. Pods
hold secrets (environment, arguments): nothing of them is kept but labels, images, ports, probes,
and the folders that certificates are mounted in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from protocol_analysis.clues import is_named
from protocol_analysis.manifests.fields import (
    Source,
    absent,
    get,
    is_true,
    items,
    meta_of,
    pairs,
    telling,
    text,
)
from protocol_analysis.manifests.tree import Mapping, Node, Scalar
from protocol_analysis.workloads import (
    IGNORE,
    Annotation,
    Container,
    ContainerPort,
    Exposure,
    Ingress,
    IngressBackend,
    Probe,
    Workload,
)

_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
_POD_TEMPLATES = {
    "Pod": (),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
_SETTINGS = ("sessionAffinity", "internalTrafficPolicy", "trafficDistribution", "ipFamilyPolicy")
_HIGHEST = 65_535
_LONGEST = 4_096  # no list of ports is as long
_COMMAND = 64  # arguments of a probe's command, at most
_DRIVER = "csi.cert-manager.io"
_CERTIFICATES = {"tls", "cert", "certs", "certificate", "certificates"}  # words in a Secret's name
_ADDRESS = re.compile(r"--?addr(?:=|\Z)(.{0,300})")


def exposure(node: Mapping, source: Source, group: str, kind: str) -> Exposure:
    """A Service: its selector, the targetPort of each port, its annotations."""
    external = text(get(node, "spec", "type")) == "ExternalName"
    return Exposure(
        meta=meta_of(node, source, group, kind),
        # The selector of an ExternalName is ignored.
        selector=() if external else pairs(get(node, "spec", "selector")),
        targets=tuple(
            _target(get(port, "targetPort")) for port in items(get(node, "spec", "ports"))
        ),
        settings=tuple(_settings(get(node, "spec"))),
        annotations=_annotations(node, source),
    )


def _settings(spec: Node | None) -> Iterator[tuple[str, str | int | bool]]:
    """What a Service beside this one needs in order to lead to the same pods in the same way."""
    if text(get(spec, "clusterIP")) == "None":  # an address would be its own
        yield "clusterIP", "None"
    for name in _SETTINGS:
        if value := text(get(spec, name)):
            yield name, value
    seconds = get(spec, "sessionAffinityConfig", "clientIP", "timeoutSeconds")
    if isinstance(seconds, Scalar) and (number := seconds.integer()):
        yield "timeoutSeconds", number
    families = [text(each) for each in items(get(spec, "ipFamilies"))[:2]]
    if families and set(families) <= {"IPv4", "IPv6"}:
        yield "ipFamilies", ",".join(families)
    if is_true(get(spec, "publishNotReadyAddresses")):
        yield "publishNotReadyAddresses", True


def ingress(node: Mapping, source: Source, group: str, kind: str) -> Ingress:
    """An Ingress of any version: the Services it leads to, its annotations."""
    return Ingress(
        meta=meta_of(node, source, group, kind),
        backends=tuple(_backends(get(node, "spec"), source)),
        annotations=_annotations(node, source),
    )


def workload(node: Mapping, source: Source, group: str, kind: str) -> Workload:
    """A Pod, or what runs pods: their labels, and each container's ports and probes."""
    template = get(node, *_POD_TEMPLATES.get(kind, ("spec", "template")))
    pod = get(template, "spec")
    containers = items(get(pod, "containers"))
    certificates = frozenset(_with_certificates(items(get(pod, "volumes"))))
    # A sidecar is an init container that goes on.
    sidecars = [
        c for c in items(get(pod, "initContainers")) if text(get(c, "restartPolicy")) == "Always"
    ]
    return Workload(
        meta=meta_of(node, source, group, kind),
        images=tuple(text(get(item, "image")) for item in containers if kind == "Deployment"),
        labels=pairs(get(template, "metadata", "labels")),
        annotations=telling(get(template, "metadata")),
        containers=tuple(
            _container(item, source, certificates) for item in (*containers, *sidecars)
        ),
    )


def _with_certificates(volumes: list[Node]) -> Iterator[str]:
    """The volumes that a certificate and its key are in, by name.

    A Secret, alone or among others, that is named so or of which that pair is taken; or the volume
    of cert-manager's CSI driver. A ConfigMap holds no key: what is in one is for clients.
    """
    for volume in volumes:
        parts = [get(volume, "secret")]
        parts += [get(each, "secret") for each in items(get(volume, "projected", "sources"))]
        driver = text(get(volume, "csi", "driver"))
        if driver.endswith(_DRIVER) or any(_is_certificate(part) for part in parts if part):
            yield text(get(volume, "name"))


def _is_certificate(secret: Node) -> bool:
    name = text(get(secret, "secretName")) or text(get(secret, "name"))
    keys = {text(get(item, "key")) for item in items(get(secret, "items"))}
    words = set(re.split(r"[-.]", name.casefold()[:_LONGEST]))
    # That of an authority is for the other side.
    named = bool(words & _CERTIFICATES) and "ca" not in words and not keys
    return named or keys >= {"tls.crt", "tls.key"}


def _container(node: Node, source: Source, certificates: frozenset[str]) -> Container:
    return Container(
        ports=tuple(
            ContainerPort(
                number=_number(get(port, "containerPort")),
                name=text(get(port, "name")),
                transport=text(get(port, "protocol")) or "TCP",
                position=source.position(port),
            )
            for port in items(get(node, "ports"))
        ),
        probes=tuple(
            found
            for name in _PROBES
            if (asked := get(node, name)) is not None
            for found in _probe(asked, source)
        ),
        certificates=tuple(
            text(get(mount, "mountPath"))
            for mount in items(get(node, "volumeMounts"))
            if text(get(mount, "name")) in certificates
        ),
    )


def _probe(node: Node, source: Source) -> Iterator[Probe]:
    asked = get(node, "grpc", "port")
    # A gRPC probe takes no name, and whoever gave it one wants to know.
    if asked is not None and (named := _target(asked)):
        yield Probe(way="grpc", port=named, position=source.position(asked))
    opened = get(node, "tcpSocket", "port")
    if opened is not None and (named := _target(opened)):
        yield Probe(way="tcp", port=named, position=source.position(opened))
    web = get(node, "httpGet")
    if web is not None and not absent(web) and (target := _target(get(web, "port"))):
        way = "https" if text(get(web, "scheme")) == "HTTPS" else "http"
        yield Probe(way=way, port=target, position=source.position(web))
    command = [text(word) for word in items(get(node, "exec", "command"))[:_COMMAND]]
    if port := _asked_by_command(command):
        yield Probe(way="grpc_health_probe", port=port, position=source.position(node))


def _asked_by_command(command: list[str]) -> int | None:
    """The port that a grpc_health_probe asks without TLS; of the rest nothing is kept.

    >>> _asked_by_command(["/bin/grpc_health_probe", "-addr=:5050"])
    5050
    """
    if not command or command[0].rpartition("/")[2] != "grpc_health_probe":
        return None
    if any(word.lstrip("-").partition("=")[0] == "tls" for word in command):
        return None
    for word, after in zip(command, [*command[1:], ""], strict=True):
        if match := _ADDRESS.fullmatch(word):
            digits = (match[1] or after).rpartition(":")[2]
            return int(digits) if re.fullmatch(r"[0-9]{1,5}", digits) else None
    return None


def _backends(spec: Node | None, source: Source) -> Iterator[IngressBackend]:
    paths = [
        path for rule in items(get(spec, "rules")) for path in items(get(rule, "http", "paths"))
    ]
    named = [get(spec, "defaultBackend"), get(spec, "backend"), *(get(p, "backend") for p in paths)]
    for backend in (node for node in named if node is not None):
        service = get(backend, "service")
        name = text(get(service, "name")) or text(get(backend, "serviceName"))
        port = (
            _number(get(service, "port", "number"))
            or text(get(service, "port", "name"))
            or _target(get(backend, "servicePort"))
        )
        if name:
            at = source.position(backend)
            yield IngressBackend(name=name, port=port or None, position=at)


def suppressing(node: Mapping, source: Source) -> Annotation | None:
    """What an object says of its own findings, whatever its kind."""
    found = get(node, "metadata", "annotations", IGNORE)
    if found is None or absent(found):
        return None
    value = found.text if isinstance(found, Scalar) else ""
    return Annotation(key=IGNORE, value=value, position=source.position(found))


def _annotations(node: Mapping, source: Source) -> tuple[Annotation, ...]:
    found = get(node, "metadata", "annotations")
    if not isinstance(found, Mapping) or not found.items:
        return ()
    return tuple(
        Annotation(key=key, value=value.text, position=source.position(value))
        for key, value in found.items.items()
        if is_named(key) and isinstance(value, Scalar) and len(value.text) <= _LONGEST
    )


def _target(node: Node | None) -> int | str | None:
    """A port by number or by name, as Kubernetes takes either."""
    if not isinstance(node, Scalar) or node.value() is None:
        return None
    return node.text if isinstance(node.value(), str) else _number(node)


def _number(node: Node | None) -> int | None:
    found = node.integer() if isinstance(node, Scalar) else None
    return found if found and 0 < found <= _HIGHEST else None
