"""A plan as a document in Markdown: the memo, then the ten points that it has to contain. Pure.

The points are those under which the maintainers of Envoy Gateway and of meshes could accept a plan:
https://github.com/envoyproxy/gateway/issues/5548 and https://github.com/envoyproxy/gateway/pull/9337
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from operator import itemgetter

from protocol_analysis.formats import Columns, Row
from protocol_analysis.readings import word_of
from protocol_analysis.releases import line_of
from protocol_analysis.rollout.debate import positions, precedents
from protocol_analysis.rollout.deciding import DECISIONS
from protocol_analysis.rollout.facts import INSTEAD, Hazard, never
from protocol_analysis.rollout.floors import floors
from protocol_analysis.rollout.memo import escaped, memo, table
from protocol_analysis.rollout.planning import Plan
from protocol_analysis.rollout.splitting import splits
from protocol_analysis.rollout.timeline import Line, end_of, timeline
from protocol_analysis.rollout.waves import watched
from protocol_analysis.rules import ruleset

_WHERE: Columns = {
    "cluster": lambda r: r["cluster"],
    "kind": lambda r: r["kind"],
    "object": lambda r: f"{r['namespace']}/{r['name']}",
    "port": lambda r: r["port"],
}
DECIDED: Columns = {
    **_WHERE,
    "value": lambda r: r["appProtocol"],
    "decision": lambda r: r["decision"],
    "wave": lambda r: r["wave"],
    "effect": lambda r: r["effect"],
    "owner": lambda r: r["owner"]["name"] if r["owner"] else None,
    "meshes": lambda r: ", ".join(r["meshes"]),
    "why": lambda r: r["why"],
    "ask": lambda r: r["ask"],
}


def document(found: Plan, today: str) -> str:
    """The whole plan.

    >>> from protocol_analysis.reading import read
    >>> from protocol_analysis.rollout.planning import planned
    >>> text = document(planned(read("data/sample/east/catalog.yaml").clusters), "2026-11-26")
    >>> [line for line in text.splitlines() if line.startswith("## ")][:2]
    ['## 1. No silent removal', '## 2. Three kinds, three problems']
    """
    lines = [memo(found, today).rstrip("\n")]
    for number, (title, section) in enumerate(POINTS.items(), start=1):
        lines += ["", f"## {number}. {title}", "", *section(found, today)]
    return "\n".join(lines) + "\n"


def _line(line: Line) -> Row:
    return {
        "line": line.line,
        "out": f"~{line.date}" if line.projected else line.date,
        "supported until": f"~{line.end}" if line.end_projected else line.end,
        "Service": line.service,
        "ServiceImport": line.service_import,
    }


def _removal(found: Plan, today: str) -> Iterator[str]:
    phases = found.proposal.phases if found.proposal else ()
    yield f"{escaped(found.proposal.text if found.proposal else f'What {found.design} reads.')}"
    yield ""
    rows = [
        {
            "release": each.release,
            "seen": ", ".join(each.surface),
            "admission": each.admission,
            "switch": each.switch,
            "text": each.text,
        }
        for each in phases
    ]
    yield from table(rows, _named("release", "seen", "admission", "switch", "text"))
    yield ""
    yield (
        "A removal waits for numbers: as long as the metric or the conditions of the phases before "
        "show one use, the next phase does not come, whatever the calendar says."
    )
    if found.proposal:
        yield ""
        lines = _named("line", "out", "supported until", "Service", "ServiceImport")
        yield "The calendar, with what is not out yet projected (~):"
        yield ""
        yield from table([_line(each) for each in timeline(found.proposal, today)], lines)
    yield ""
    yield "No policy for deprecations is written down; what there is are precedents:"
    yield ""
    said = [
        {
            "what": p.what,
            "from": p.since,
            "to": p.until,
            "lines": p.lines,
            "text": p.text,
            "source": p.source,
        }
        for p in precedents()
    ]
    yield from table(said, _named("what", "from", "to", "lines", "text", "source"), own=True)


def _kinds(found: Plan, today: str) -> Iterator[str]:
    del today
    counts = Counter(row.use.target.kind for row in found.rows if row.use.declared_as == "grpc")
    said = {
        "Backend": "nothing to migrate: its CRD refuses the value, so only code goes",
        "ServiceImport": "read since v1.9 only, and no release note told: the cheapest to settle",
        "Service": "the population: what meshes read too stays until its owner says otherwise",
    }
    rows = [{"kind": kind, "uses": counts[kind], "problem": text} for kind, text in said.items()]
    yield from table(rows, _named("kind", "uses", "problem"))


def _decided(found: Plan, today: str) -> Iterator[str]:
    del today
    yield from table([row.as_dict() for row in found.rows], DECIDED)
    yield ""
    yield from (f"- *{word}*: {text}." for word, text in DECISIONS.items() if found.of(word))


def _neutrality(found: Plan, today: str) -> Iterator[str]:
    del today
    yield "What each reader speaks before and after a rewrite, resolved by its own ruleset:"
    yield ""
    rows = [
        {
            **row.as_dict(),
            "reader": c.name,
            "before": word_of(c.before),
            "after": word_of(c.after),
            "of": c.effect,
            "loss": c.loss,
        }
        for row in found.rows
        if row.use.declared_as == "grpc"
        for c in row.use.consumers
    ]
    columns: Columns = {
        **_WHERE,
        **_named("reader", "before", "after"),
        "effect": itemgetter("of"),
        "loss": itemgetter("loss"),
    }
    yield from table(rows, columns)
    yield ""
    waiting = found.streaming_unknown
    yield f"Of {len(waiting)} nobody has said whether their calls stream, so they stay:"
    yield ""
    yield from (f"- {escaped(str(row.use))}" for row in waiting)
    yield ""
    yield "What a wire does not show (AP031):"
    yield ""
    notes: dict[tuple[str, Hazard], list[str]] = {}
    for row in found.rows:
        for each in row.use.consumers:
            for hazard in each.hazards:
                notes.setdefault((each.name, hazard), []).append(str(row.use))
    for (name, hazard), uses in notes.items():
        releases = ", ".join(hazard.releases)
        told = f"{name} ({releases}): {hazard.text}; {hazard.source}"
        yield f"- {told}: {escaped(', '.join(dict.fromkeys(uses)))}"


def _split(found: Plan, today: str) -> Iterator[str]:
    del today
    yield "A Service of its own for the gateway, never a second port on the one that a mesh reads."
    for made in splits(found):
        where = escaped(str(made))
        yield ""
        if made.refused:
            yield f"{where}: {escaped(made.refused)}."
        elif not made.apart:
            yield f"{where}: every mesh reads both alike."
        else:
            yield f"{where}: to {escaped(', '.join(made.differs))} the two are not the same."
        yield from ("", *(f"- {escaped(mesh)}: {text}." for mesh, text in made.apart))
        yield from (f"- {escaped(text)}." for text in made.told)
        if made.documents:
            yield from ("", *_fenced(made.text))


def _fenced(text: str) -> Iterator[str]:
    """YAML in a fence that nothing in it can close."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    yield from (f"{fence}yaml", *text.splitlines(), fence)


def _order(found: Plan, today: str) -> Iterator[str]:
    del today
    for wave in found.waves:
        yield f"### Wave {wave.number}: {wave.name}"
        yield ""
        yield f"- Gate: {wave.gate}."
        yield f"- Steps: {wave.steps}."
        yield f"- Way back: {wave.rollback}."
        yield f"- Namespaces: {escaped(', '.join(wave.namespaces))}."
        yield ""
        yield from table(
            [row.as_dict() for row in wave.planned], {**_WHERE, "decision": itemgetter("decision")}
        )
        yield ""
    yield "What to watch, and when to hold:"
    yield ""
    rows = [{"number": w.number, "of": w.of, "hold": w.hold} for w in watched()]
    yield from table(
        rows,
        {
            "number": itemgetter("number"),
            "where": itemgetter("of"),
            "hold when": itemgetter("hold"),
        },
    )


def _floors(found: Plan, today: str) -> Iterator[str]:
    names = ("cluster", "reader", "support ends", "which is")
    rows = [dict(zip(names, each, strict=True)) for each in supports(found, today)]
    yield f"Support of the releases in use, on {today}:"
    yield ""
    yield from table(rows, _named(*names))
    yield ""
    yield f"From which release on {INSTEAD} is read as HTTP/2 in clear text:"
    yield ""
    said = [
        {
            "consumer": f.consumer,
            "kind": f.kind,
            "since": f.since or "no release known",
            "grpc": f.speaks,
            "note": "" if f.verified else "unverified",
            "text": f.text,
        }
        for f in floors()
    ]
    yield from table(said, _named("consumer", "kind", "since", "grpc", "note", "text"))


def _never(found: Plan, today: str) -> Iterator[str]:
    del today
    rows = [
        {"value": each.value, "why": each.text, "source": each.source} for each in never().values()
    ]
    yield from table(rows, _named("value", "why", "source"), own=True)
    yield ""
    yield (
        "Nor what has a BackendTLSPolicy or is for TLS by its name or number, and nothing that a "
        "chart, an operator or a GitOps controller makes. Found here:"
    )
    yield ""
    yield from table(
        [row.as_dict() for row in found.of("never")], {**_WHERE, "value": itemgetter("appProtocol")}
    )


def _itself(found: Plan, today: str) -> Iterator[str]:
    del found, today
    yield "The memo's last list: documentation, chart, release note, precedence, a condition."


def _name(found: Plan, today: str) -> Iterator[str]:
    del found, today
    yield (
        f"{INSTEAD} says how bytes travel, HTTP/2 without TLS, and nothing of the calls on it. "
        "What is particular to gRPC lives in a GRPCRoute, which needs no value. Who wants a name "
        "for gRPC itself has to say first whether TLS is meant: for want of that, "
        "kubernetes.io/grpc was taken back. The proposal `standardise` shows what a prefixed name "
        "would change here."
    )
    yield ""
    said = [p for p in positions() if p.stance in ("standardise", "retire upstream", "clarify")]
    rows = [{"date": p.date, "number": p.number, "stance": p.stance, "text": p.text} for p in said]
    yield from table(rows, _named("date", "number", "stance", "text"), own=True)


def supports(found: Plan, today: str) -> list[tuple[str, str, str, str]]:
    """Each cluster's name, who reads there, the last day of its support, and what it is on a day.

    >>> from protocol_analysis.reading import read
    >>> from protocol_analysis.rollout.planning import planned
    >>> supports(planned(read("data/sample/east/catalog.yaml", "v1.8.3").clusters), "2026-11-26")
    [('', 'envoy-gateway@v1.8.3', '2026-11-08', 'over')]
    """
    rows = []
    for cluster in found.clusters:
        end = end_of(ruleset(cluster.implementation), line_of(cluster.release))
        state = "not known" if not end else "over" if end < today else "supported"
        rows.append((cluster.name or "", cluster.reader, end, state))
    return rows


def _named(*names: str) -> Columns:
    return {name: itemgetter(name) for name in names}


Section = Callable[[Plan, str], Iterator[str]]
POINTS: dict[str, Section] = {
    "No silent removal": _removal,
    "Three kinds, three problems": _kinds,
    "Who reads it, and what is decided": _decided,
    "Proof that nothing changes": _neutrality,
    "Gateway-only Services": _split,
    "Order, and the way back": _order,
    "Floors": _floors,
    "Never rewritten": _never,
    "What Envoy Gateway changes itself": _itself,
    "A name for gRPC": _name,
}
