"""The decision that a plan leads to, as a memo in Markdown: it may be to keep. Pure.

A recommendation is computed from the rows of a plan and says which rows it stands on, and what
would change it. It is of these manifests: what the rest of the world declares is in the notebook.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from protocol_analysis.formats import Columns, Row, render
from protocol_analysis.rollout.census import COSTLY
from protocol_analysis.rollout.debate import deliverables
from protocol_analysis.rollout.deciding import Planned
from protocol_analysis.rollout.planning import Plan

_MOST_TOLD = 5
_LINK = re.compile(r"https://\S+")
QUESTION = "https://github.com/envoyproxy/gateway/issues/5548"
RECOMMENDATIONS = {
    "nothing at hand": "no port at hand says grpc, so the positions decide",
    "nothing to do": "what is planned for goes on reading grpc wherever it stands here",
    "keep on Service": "keep grpc where meshes read the same Services; settle ServiceImport now",
    "warn, and set no date": "somebody has to move first; until then a removal breaks routes",
    "retire": "every use has a way out before the removal that costs no reader that is seen here",
}
_UNSEEN = (
    "a mesh, a gateway or an owner that reads or makes these ports and is not among what was read"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """What the manifests at hand speak for, why, and what would change it."""

    word: str
    because: tuple[str, ...]
    would_change: tuple[str, ...]

    @property
    def text(self) -> str:
        """It in a sentence."""
        return RECOMMENDATIONS[self.word]


def recommended(found: Plan) -> Recommendation:
    """What the rows of a plan speak for: of those that what is planned for concerns.

    >>> from protocol_analysis.reading import read
    >>> from protocol_analysis.rollout.planning import planned
    >>> clusters = read("data/sample/east/catalog.yaml").clusters
    >>> [recommended(planned(clusters, to)).word for to in ("keep", "remove")]
    ['nothing to do', 'retire']
    """
    uses = [row for row in found.rows if row.use.declared_as == "grpc"]
    uses = [row for row in uses if row.use.target.kind != "Backend"]
    needed = [row for row in uses if row.needed]
    stay = [row for row in needed if not row.open]
    meshed = [row for row in needed if _for_a_mesh(row)]
    stuck = [row for row in stay if row not in meshed]
    waiting = [row for row in needed if row.decision in ("change the owner", "blocked")]
    if not uses:
        because = ("the census found no port with grpc",)
        return Recommendation(
            word="nothing at hand", because=because, would_change=("a port with grpc",)
        )
    if not needed:
        because = (f"{found.design} changes nothing for any of {len(uses)} uses",)
        other = "a proposal that stops reading it: plan --to remove says what that would cost"
        return Recommendation(word="nothing to do", because=because, would_change=(other,))
    if meshed:
        return Recommendation(
            word="keep on Service",
            because=(
                f"{len(meshed)} of {len(needed)} uses that lose it stay as they are for a mesh",
                *_unanswered(meshed),
            ),
            would_change=_for_meshes(meshed),
        )
    if waiting or stuck:
        owners = sorted({row.use.owner.name for row in waiting if row.use.owner})
        return Recommendation(
            word="warn, and set no date",
            because=(
                f"{len(waiting)} of {len(needed)} uses that lose it wait for somebody else",
                *(f"{_count(waiting, name)} for {name}" for name in owners),
                *(f"{row.use}: {row.why}" for row in stuck[:_MOST_TOLD]),
            ),
            would_change=("a release of each of these with kubernetes.io/h2c", _UNSEEN),
        )
    return Recommendation(
        word="retire",
        because=(f"{len(needed)} uses that lose it, each with a way out",),
        would_change=(_UNSEEN,),
    )


def _for_a_mesh(row: Planned) -> bool:
    """Whether a row stays, or gets something beside it, because a mesh reads it."""
    costs = any(each.effect in COSTLY for each in row.use.of_role("mesh"))
    kept = row.decision in ("keep", "GRPCRoute", "gateway-only Service")
    return kept and bool(row.use.of_role("mesh")) and (costs or bool(row.ask))


def _unanswered(meshed: Sequence[Planned]) -> Iterator[str]:
    if asked := sum(bool(row.ask) for row in meshed):
        yield f"of {asked} nobody has said whether their calls stream"


def _for_meshes(meshed: Sequence[Planned]) -> tuple[str, ...]:
    asked = any(row.ask for row in meshed)
    lost = dict.fromkeys(
        f"{each.name}: {each.loss}"
        for row in meshed
        for each in row.use.of_role("mesh")
        if each.effect == "loses"
    )
    return (
        *(("an answer: protocol-analysis.dev/calls: unary on the Service",) if asked else ()),
        *(f"a release of the mesh without this: {text}" for text in lost),
        "a standard name for gRPC that meshes and gateways both read",
    )


def memo(found: Plan, today: str) -> str:
    """The memo for the open decision, as Markdown.

    >>> from protocol_analysis.reading import read
    >>> from protocol_analysis.rollout.planning import planned
    >>> text = memo(planned(read("data/sample/east/catalog.yaml").clusters), "2026-11-26")
    >>> text.splitlines()[0]
    '# Memo: grpc as an appProtocol, 2026-11-26'
    """
    return "\n".join(_memo(found, today)) + "\n"


def _memo(found: Plan, today: str) -> Iterator[str]:
    advice = recommended(found)
    yield f"# Memo: grpc as an appProtocol, {today}"
    yield ""
    yield f"For the open decision {QUESTION}, planned against `{found.design}`."
    yield ""
    yield f"**{advice.word[0].upper()}{advice.word[1:]}**: {advice.text}."
    yield ""
    yield "Because"
    yield ""
    yield from (f"- {escaped(each)}" for each in advice.because)
    yield ""
    yield "What would change it"
    yield ""
    yield from (f"- {escaped(each)}" for each in advice.would_change)
    yield ""
    yield "The numbers"
    yield ""
    yield from table(list(_numbers(found.rows)), NUMBERS)
    yield ""
    yield "What Envoy Gateway has to change itself"
    yield ""
    yield from _deliverables(found)


NUMBERS: Columns = {
    "kind": lambda r: r["kind"],
    "class": lambda r: r["class"],
    "decision": lambda r: r["decision"],
    "uses": lambda r: r["uses"],
}


def _numbers(rows: Sequence[Planned]) -> Iterator[Row]:
    counts = Counter((r.use.target.kind, r.use.declared_as, r.decision) for r in rows)
    for (kind, declared, decision), count in sorted(counts.items()):
        yield {"kind": kind, "class": declared, "decision": decision, "uses": count}


def _deliverables(found: Plan) -> Iterator[str]:
    for each in deliverables():
        if each.needed_by(found.alike):
            yield f"- **{each.item}**, `{each.where}`: {each.change} ([source]({each.source}))"


def table(rows: Sequence[Row], columns: Columns, *, own: bool = False) -> Iterator[str]:
    """Rows as lines of a Markdown table, or a line that there is none.

    `own` are rows of this package: their links stay as they are, which those of manifests do not.
    """
    for line in render(rows, "markdown", columns, {}).splitlines() if rows else ("None.",):
        yield _LINK.sub(lambda link: link[0].replace("\\", ""), line) if own else line


def escaped(text: str) -> str:
    r"""What manifests say, as it is in a paragraph of Markdown.

    >>> escaped("a*b")
    'a\\*b'
    """
    line = render([{"text": text}], "markdown", {"text": lambda r: r["text"]}, {})
    return line.splitlines()[-1].strip("| ")


def _count(rows: Sequence[Planned], name: str) -> int:
    return sum(bool(row.use.owner and row.use.owner.name == name) for row in rows)
