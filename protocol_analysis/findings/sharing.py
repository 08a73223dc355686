"""Checks of what shares a port, or a pod's port: one value cannot serve two protocols."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from posixpath import dirname

from protocol_analysis.coverage import Coverage
from protocol_analysis.findings.finding import Found
from protocol_analysis.findings.subject import Subject, port_name
from protocol_analysis.model import Meta, name_of, values_of
from protocol_analysis.readers import Reader
from protocol_analysis.readings import who, word_of
from protocol_analysis.resolution import Resolution
from protocol_analysis.workloads import Exposure

Label = tuple[str, str, str, str]  # of a world and a namespace
_HTTP2 = ("HTTP2", "GRPC")


def two_kinds_of_routes(subject: Subject) -> Iterator[Found]:
    """A port behind a GRPCRoute, and an HTTPRoute of the same reader that is not for gRPC."""
    for answers in subject.leading.values():
        sent = [a for a in answers if a.sent and a.ref.role == "forward" and a.target]
        for by in dict.fromkeys(map(who, sent)):
            own = [a for a in sent if who(a) == by]
            grpc = [a for a in own if a.route.kind == "GRPCRoute"]
            http = [a for a in own if a.route.kind == "HTTPRoute" and not subject.is_for_grpc(a)]
            turned = [a for a in http if a.app_protocol and a.upstream == "h2"]
            turned = [a for a in turned if a.protocol in _HTTP2]
            # What a neighbour in its rule turns has a rule of its own.
            others = [a for a in http if a.upstream != "h2"]
            if grpc and (turned or others):
                yield _of_two(turned, others, grpc)


def _of_two(turned: list[Resolution], http: list[Resolution], grpc: list[Resolution]) -> Found:
    """What becomes of a port with both: as its value turns it, or as each route says."""
    first = (turned or http)[0]
    behind = f"{port_name(first)} is behind {first.route} and {grpc[0].route}"
    if turned:
        value = ", ".join(values_of(first.app_protocol))
        text = f"{behind}, and {value} makes {who(first)} speak HTTP/2 for the former too"
        return _of_port(first, text, "turned")
    if all(a.upstream == "h2" for a in grpc):
        word = "as the client does" if first.upstream == "client" else word_of(first)
        text = f"{behind}: {who(first)} speaks {word} for the former, h2 for the latter"
        return _of_port(first, text, "apart")
    text = f"{behind}, and one appProtocol cannot serve both"
    return _of_port(first, text, "alike")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lead:
    """A port of a Service that selects pods, and the port of theirs that it leads to."""

    at: int
    row: Coverage
    selector: frozenset[Label]
    target: int | str | None


def one_pod_port(subject: Subject) -> Iterator[Found]:
    """Two ports that lead to the same port of the same pods, and that a mesh reads differently."""
    told: set[tuple[Reader, Meta, int | None]] = set()
    for found in _behind_one_port(subject) if subject.meshes else ():
        for by in subject.meshes:
            read = [(lead.row, r) for lead in found for r in lead.row.readings if who(r) == by]
            row = read[-1][0] if read else found[-1].row
            key = (by, row.meta, row.port)
            if len({word_of(reading) for _, reading in read}) > 1 and key not in told:
                told.add(key)
                said = ", ".join(f"{each.meta}:{each.port} {word_of(r)}" for each, r in read)
                yield Found(
                    meta=row.meta,
                    position=row.declared_at,
                    message=f"one port of the pods is several protocols to {by}: {said}",
                    by=by,
                    key=str(row.port),
                    declares=row.meta,
                )


def _behind_one_port(subject: Subject) -> Iterator[list[_Lead]]:
    """What leads to each port of the same pods: of those at hand, or that a selector means."""
    leads = list(_leads(subject))
    # A collection of examples has namesakes, and what stands in another folder is another's.
    namesakes = Counter(name_of(meta) for meta in {lead.row.meta for lead in leads})
    leads = [lead for lead in leads if namesakes[name_of(lead.row.meta)] == 1]
    often = Counter(label for lead in leads for label in lead.selector)
    # Each under the label that fewest have, so that many with a label in common cost little.
    under: dict[Label, list[_Lead]] = {}
    for lead in leads:
        rarest = min(lead.selector, key=lambda label: (often[label], label))
        under.setdefault(rarest, []).append(lead)
    selected = [(lead.selector, ()) for lead in leads]
    for labels, names in dict.fromkeys((*_pods(subject, often), *selected)):
        to: dict[tuple[str, int | str | None], list[_Lead]] = {}
        meant = [lead for label in labels for lead in under.get(label, ())]
        for lead in sorted(meant, key=lambda lead: lead.at):
            if lead.selector <= labels:
                folder = dirname(lead.row.meta.position.file)
                target = dict(names).get(lead.target, lead.target)
                to.setdefault((folder, target), []).append(lead)
        yield from (each for each in to.values() if len(each) > 1)


def _leads(subject: Subject) -> Iterator[_Lead]:
    exposures = {e.meta: e for e in subject.inventory.exposures if isinstance(e, Exposure)}
    rows: dict[Meta, list[Coverage]] = {}
    for row in subject.ports:
        rows.setdefault(row.meta, []).append(row)
    for at, service in enumerate(subject.inventory.services):
        meta, exposure = service.meta, exposures.get(service.meta)
        for number, row in enumerate(rows.get(meta, ())):
            if not exposure or not exposure.selector or row.transport != "TCP":
                continue
            target = exposure.targets[number] if number < len(exposure.targets) else None
            yield _Lead(
                at=at,
                row=row,
                selector=frozenset(
                    (meta.world, meta.namespace, *each) for each in exposure.selector
                ),
                target=target or row.port,
            )


def _pods(
    subject: Subject, known: Collection[Label]
) -> Iterator[tuple[frozenset[Label], tuple[tuple[int | str | None, int | None], ...]]]:
    """The labels of pods that some selector has, and the numbers of the ports that they name."""
    for workload in subject.inventory.workloads:
        meta = workload.meta
        labels = {(meta.world, meta.namespace, *each) for each in workload.labels}
        ports = [p for c in workload.containers for p in c.ports if p.transport == "TCP" and p.name]
        # A name means the first container port that has it.
        names = {port.name: port.number for port in reversed(ports)}
        yield frozenset(labels.intersection(known)), tuple(sorted(names.items()))


def _of_port(answer: Resolution, text: str, grade: str) -> Found:
    return Found(
        meta=answer.target or answer.route,
        position=answer.declared_at or answer.ref.position,
        message=text,
        by=who(answer),
        grade=grade,
        key=str(answer.ref.port),
        # Where each route is spoken to by its kind there is nothing to mend.
        declares=answer.target if grade != "apart" else None,
    )


CHECKS = {
    "AP004": two_kinds_of_routes,
    "AP027": one_pod_port,
}
