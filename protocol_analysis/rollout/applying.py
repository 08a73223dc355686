"""Decisions → files: what `rewrite` shows, and what it writes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace as replaced
from pathlib import Path

from protocol_analysis.manifests.files import read_text
from protocol_analysis.model import ManifestError, Position
from protocol_analysis.readers import Reader
from protocol_analysis.reading import Cluster
from protocol_analysis.rollout.kustomize import Patch, patched, patches_of
from protocol_analysis.rollout.neutrality import BY_DEFAULT, candidates, decide
from protocol_analysis.rollout.rewriting import File, Refusal, Rewrite, rewritten
from protocol_analysis.rollout.scalars import Refused
from protocol_analysis.rollout.writing import real, replace, unchanged

_NO_PORT = "the port that it is for is not among what was read, so nobody can tell what it changes"


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
    clusters: Sequence[Cluster],
    readers: Sequence[Reader],
    known: Mapping[Path, str],
    meshes: Sequence[str] = (),
    values: Mapping[str, str] | None = None,
    unary: Collection[str] = (),
    unsafe: Mapping[Position, str] | None = None,
    *,
    gains: bool = False,
) -> Rewrites:
    """What is to be rewritten in files, which are read again; `known` are their digests before.

    Patches of the kustomizations among them are files to be changed too. `unsafe` has what a plan
    decides otherwise, and why. A cluster's own reader has its say beside `readers`. With `gains`,
    HTTP/2 where it was not spoken is no difference. Raises RulesetError for a reader that is not
    known.
    """
    values = values or BY_DEFAULT
    files = _reading(known)
    patches = [p for p in patches_of(map(str, known), files) if p.value in values]
    as_patched, unknown = _patched(clusters, patches)
    clusters = [*clusters, *as_patched]
    # What cannot be changed where it stands is left out before anybody's wire is looked at: what is
    # tried together is what is done together.
    wanted = [each for c in clusters for each in candidates(c.inventory, values)]
    stays = {each.position: each.reason for each in _in_files(wanted, known).refused}
    stays = {**(unsafe or {}), **stays}
    refused = [Refusal(patch.position, str(patch), _NO_PORT) for patch in unknown]
    made: list[Rewrite] = []
    for c in clusters:
        everyone = list(dict.fromkeys((c.own, *readers)))
        decided = decide(c.inventory, everyone, meshes, values, unary, stays, gains=gains)
        for decision in decided:
            each = decision.rewrite
            if decision.made:
                made.append(each)
            else:
                refused.append(Refusal(each.position, str(each), decision.reason))
    # A patch may be one of several Services: it is changed where all of them stay as they are.
    stay = {refusal.position for refusal in refused}
    found = _in_files([each for each in made if each.position not in stay], known)
    found.refused += dict.fromkeys(refused)
    return found


def _patched(
    clusters: Sequence[Cluster], patches: Sequence[Patch]
) -> tuple[list[Cluster], list[Patch]]:
    """The clusters as they are patched, and the patches of nothing in any of them."""
    found = [(c, *each) for c in clusters for each in patched(c.inventory, patches)]
    known = {patch for _, _, applied in found for patch in applied}
    return (
        [replaced(c, inventory=inventory) for c, inventory, _ in found],
        [p for p in patches if p not in known],
    )


def _reading(known: Collection[Path]) -> Callable[[str], str | None]:
    """Reads what was named: a kustomization may refer to any file of the machine."""

    def text_of(name: str) -> str | None:
        try:
            return read_text(Path(name)) if real(name) in known else None
        except ManifestError:
            return None

    return text_of


def _in_files(wanted: Sequence[Rewrite], known: Mapping[Path, str]) -> Rewrites:
    """The files with these values changed, as far as each can be changed where it stands."""
    found = Rewrites()
    by_file: dict[Path, list[Rewrite]] = {}
    for each in wanted:
        try:
            by_file.setdefault(real(each.position.file), []).append(each)
        except Refused as error:
            found.refused.append(Refusal(each.position, str(each), str(error)))
    for path, own in by_file.items():
        try:
            raw = unchanged(path, known.get(path))
        except Refused as error:
            found.refused += [Refusal(each.position, str(each), str(error)) for each in own]
            continue
        file = rewritten(own[0].position.file, raw, own)
        found.files[path] = file
        found.refused += file.refused
    return found
