"""Decisions → files: what `rewrite` shows, and what it writes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from protocol_analysis.model import Inventory
from protocol_analysis.readers import Reader
from protocol_analysis.rollout.neutrality import BY_DEFAULT, decide
from protocol_analysis.rollout.rewriting import File, Refusal, Rewrite, rewritten
from protocol_analysis.rollout.scalars import Refused
from protocol_analysis.rollout.writing import real, replace, unchanged


@dataclass(kw_only=True)
class Rewrites:
    """The files that would change, and the values that stay."""

    files: dict[Path, File] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)

    @property
    def diff(self) -> str:
        """All files as one unified diff."""
        return "".join(file.diff for file in self.files.values())

    @property
    def count(self) -> int:
        """How many values were written."""
        return sum(len(self.files[path].made) for path in self.written)

    def write(self) -> list[Refusal]:
        """Put the new files in the place of the old ones, each at once; those that stay."""
        refused = []
        for path, file in self.files.items():
            if file.before == file.after:
                continue
            try:
                replace(path, file.before, file.after)
            except Refused as error:
                refused += [Refusal(each.position, str(each), str(error)) for each in file.made]
            else:
                self.written.append(path)
        return refused


def rewrites(
    inventories: Sequence[Inventory],
    readers: Sequence[Reader],
    known: Mapping[Path, str],
    meshes: Sequence[str] = (),
    values: Mapping[str, str] | None = None,
    unary: Collection[str] = (),
) -> Rewrites:
    """What is to be rewritten in files, which are read again; `known` are their digests before.

    Raises RulesetError for a reader that is not known.
    """
    found = Rewrites()
    by_file: dict[Path, list[Rewrite]] = {}
    for inventory in inventories:
        for decision in decide(inventory, readers, meshes, values or BY_DEFAULT, unary):
            each = decision.rewrite
            if not decision.made:
                found.refused.append(Refusal(each.position, str(each), decision.reason))
                continue
            try:
                by_file.setdefault(real(each.position.file), []).append(each)
            except Refused as error:
                found.refused.append(Refusal(each.position, str(each), str(error)))
    for path, wanted in by_file.items():
        try:
            raw = unchanged(path, known.get(path))
        except Refused as error:
            found.refused += [Refusal(r.position, str(r), str(error)) for r in wanted]
            continue
        file = rewritten(wanted[0].position.file, raw, wanted)
        found.files[path] = file
        found.refused += file.refused
    return found
