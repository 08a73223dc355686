"""Findings that are known and borne: by an annotation of their object, or by a row of a file.

Each names codes and a reason, and may name the last day on which it holds. On the object:

    metadata:
      annotations:
        protocol-analysis.dev/ignore: "AP003: the client is mended; AP011 until 2027-03-31: as well"

In a file, by default `.protocol-analysis-ignore.yaml`, a list of rows. In `object` and `path`, `*`
is any text and `?` any character; a path is seen from the folder of the file.

    - code: AP003                # or a list of codes
      object: {kind: Service, namespace: shop, name: 'cart-*'}
      path: 'vendor/*'
      cluster: east
      reason: comes from a chart; issue 14 there
      expires: 2027-03-31

What suppresses nothing, has expired, or cannot be read as such is told, and changes no exit status
by itself: the findings of what has expired count again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from protocol_analysis.findings.catalogue import catalogue
from protocol_analysis.findings.checking import check, codes
from protocol_analysis.findings.clusters import across
from protocol_analysis.findings.finding import Finding, Suppressed
from protocol_analysis.model import Inventory, Meta, Position, Problem
from protocol_analysis.reading import Cluster
from protocol_analysis.releases import RulesetError
from protocol_analysis.sheets import Sheet, not_a_text, shown
from protocol_analysis.workloads import IGNORE, Suppressing

SUPPRESS_FILE = ".protocol-analysis-ignore.yaml"
_KEYS = {"code", "object", "path", "cluster", "reason", "expires"}
_OBJECT = {"kind", "namespace", "name"}
_MOST = 64 * 2**20  # bytes of a file of the user's
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_STARTS = re.compile(r"\s*AP[0-9]", re.IGNORECASE)
_ENTRY = re.compile(r"(\w+)(?:\s+until\s+([^\s:]+))?\s*:\s*(\S.*)", re.DOTALL)
_RIGHT = "write `AP003: reason`, or `AP003 until 2027-01-31: reason`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """Which findings are borne, and why. `meta` is the object that says so, None for a row."""

    codes: tuple[str, ...]
    reason: str
    position: Position
    expires: date | None = None
    meta: Meta | None = None
    kind: str = "*"
    namespace: str = "*"
    name: str = "*"
    cluster: str = "*"
    path: str = "*"

    @property
    def by(self) -> str:
        """Where it is said: in an annotation, or in a file."""
        return "file" if self.meta is None else "annotation"

    def covers(self, finding: Finding) -> bool:
        """Whether it is about a finding."""
        meta = finding.meta
        if finding.code not in self.codes:
            return False
        if self.meta is not None:
            return self.meta == meta
        globs = (self.kind, self.namespace, self.name, self.cluster)
        texts = (meta.kind, meta.namespace, meta.name, meta.cluster or "")
        if not all(map(_is_like, texts, globs)):
            return False
        folder = Path(self.position.file).parent
        return _is_like(seen_from(folder, finding.position.file), self.path)

    def holds(self, today: date) -> bool:
        """Whether it has not expired."""
        return self.expires is None or today <= self.expires


def _is_like(text: str, glob: str) -> bool:
    """Whether a glob is about a text: to fnmatch a bracket is special, here it is not.

    >>> _is_like("[a]", "[?]"), _is_like("a", "[a]")
    (True, False)
    """
    return fnmatchcase(text, glob.replace("[", "[[]"))


def findings(
    clusters: Sequence[Cluster],
    today: str,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    suppressions: Sequence[Suppression] = (),
) -> tuple[list[Finding], list[Problem]]:
    """The findings of all clusters, and what is wrong with what suppresses them.

    `today` is an ISO date, for what expires. Findings that an object's annotation bears, or one of
    `suppressions`, are marked. Raises RulesetError for a code that is not known.

    >>> from protocol_analysis.reading import read
    >>> found, complaints = findings(read("data/sample").clusters, "2026-11-25", ["AP003"])
    >>> {finding.code for finding in found}, complaints
    ({'AP003'}, [])
    """
    chosen, day = codes(select, ignore), date.fromisoformat(today)
    found, bearing, wrong = list[Finding](), [*suppressions], list[Problem]()
    for c in clusters:
        found += check(c.inventory, c.implementation, c.release, c.meshes, chosen)
        said_there, misread = annotated(c.inventory)
        bearing += said_there
        wrong += misread
    found += dict.fromkeys(across(clusters, chosen, found))
    found = suppress(found, bearing, day)
    return found, [*wrong, *idle(found, bearing, day, chosen)]


def suppress(
    findings: Iterable[Finding], suppressions: Sequence[Suppression], today: date
) -> list[Finding]:
    """The same findings; those that are borne on that day say by what.

    An object's own word comes first: rows are for what cannot be touched.

    >>> suppress([], [], date(2027, 1, 1))
    []
    """
    borne = [each for each in suppressions if each.holds(today)]
    rows = [each for each in borne if each.meta is None]
    own: dict[tuple[Meta | None, str], Suppression] = {}
    for each in borne:
        for code in each.codes:
            own.setdefault((each.meta, code), each)
    found = []
    for finding in findings:
        by = own.get((finding.meta, finding.code))
        by = by or next((each for each in rows if each.covers(finding)), None)
        if by:
            why = Suppressed(by=by.by, reason=by.reason, position=by.position, expires=by.expires)
            found.append(replace(finding, suppressed=why))
        else:
            found.append(finding)
    return found


def idle(
    findings: Iterable[Finding],
    suppressions: Iterable[Suppression],
    today: date,
    codes: Iterable[str],
) -> Iterator[Problem]:
    """What suppresses nothing of the findings of `suppress`, or has expired.

    Of codes that were not checked nothing is said.
    """
    used = {(each.suppressed.position, each.code) for each in findings if each.suppressed}
    checked = set(codes)
    for each in suppressions:
        for code in each.codes:
            if not each.holds(today):
                reason = f"has expired on {each.expires}; its findings count again"
            elif code in checked and (each.position, code) not in used:
                reason = "suppresses nothing here; remove it"
            else:
                continue
            yield Problem(position=each.position, reason=f"{code} ({each.reason[:80]}) {reason}")


def annotated(inventory: Inventory) -> tuple[list[Suppression], list[Problem]]:
    """What the objects say themselves, and what of it cannot be understood.

    >>> annotated(Inventory())
    ([], [])
    """
    found: list[Suppression] = []
    wrong: list[Problem] = []
    for each in inventory.suppressing:
        for entry in _entries(each.annotation.value):
            made = _suppression(entry, each)
            if isinstance(made, Suppression):
                found.append(made)
            else:
                wrong.append(made)
    return found, wrong


def _entries(value: str) -> Iterator[str]:
    """The entries of an annotation; what begins with no code goes on with the reason before it.

    >>> list(_entries("AP003: old; will go; AP004: both"))
    ['AP003: old; will go', 'AP004: both']
    """
    entry = ""
    for piece in re.split(r"(?=[;\n])", value):
        if _STARTS.match(piece[1:]) and entry.strip():
            yield entry.strip("; \t\n")
            entry = piece[1:]
        else:
            entry += piece
    # Nothing at all is no entry either, and is said.
    yield entry.strip("; \t\n")


def _suppression(entry: str, of: Suppressing) -> Suppression | Problem:
    found = _ENTRY.fullmatch(entry)
    day = _day(found[2]) if found else None
    if found is None:
        reason = f"{entry[:80]!r} names no code with a reason; {_RIGHT}"
    elif found[1] not in catalogue():
        reason = f"{found[1][:80]!r} is no rule; known are {', '.join(catalogue())}"
    elif found[2] and day is None:
        reason = f"{found[2][:80]!r} is no day; write 2027-01-31"
    else:
        return Suppression(
            codes=(found[1],),
            reason=found[3],
            position=of.annotation.position,
            expires=day,
            meta=of.meta,
        )
    return Problem(position=of.annotation.position, reason=f"{IGNORE}: {reason}")


def read_suppressions(path: str | os.PathLike[str]) -> list[Suppression]:
    """The rows of a file. Raises RulesetError for what is wrong in it, a line each."""
    return parse_suppressions(text_of(path), Path(path).as_posix())


def parse_suppressions(text: str, name: str) -> list[Suppression]:
    """The same of a text. Raises RulesetError.

    >>> parse_suppressions("- {code: AP003, reason: as agreed}", "a.yaml")[0].reason
    'as agreed'
    """
    sheet = Sheet(name)
    top = sheet.document(text)
    if not isinstance(top, list | None):
        sheet.error(1, f"the file is {shown(top)}; write a list of rows")
    found = []
    for at, raw in enumerate(top if isinstance(top, list) else ()):
        line = sheet.lines[id(top), at]
        if sheet.mapping("row", raw, _KEYS, line, _KEYS - {"code", "reason"}, _wrong):
            globs = raw.get("object", {})
            if sheet.mapping("object", globs, _OBJECT, line, _OBJECT):
                codes = raw["code"]
                found.append(
                    Suppression(
                        codes=(codes,) if isinstance(codes, str) else tuple(codes),
                        reason=raw["reason"],
                        position=Position(file=name, document=1, line=line, column=1),
                        expires=_day(raw.get("expires")),
                        **globs,
                        **{key: raw[key] for key in ("path", "cluster") if key in raw},
                    )
                )
    sheet.stop()
    return found


def _wrong(key: str, value: Any) -> str:
    """What is wrong with a value of a row."""
    if key == "code":
        codes = [value] if isinstance(value, str) else value
        if codes and isinstance(codes, list) and all(isinstance(c, str) for c in codes):
            unknown = [code for code in codes if code not in catalogue()]
            known = ", ".join(catalogue())
            return f"code: {unknown[0][:80]!r} is no rule; known are {known}" if unknown else ""
        return f"code: {shown(value)}; write a code, or a list of codes"
    if key == "object":
        return "" if isinstance(value, dict) else f"object: {shown(value)}; write a mapping"
    if key == "expires":
        return "" if _day(value) else f"expires: {shown(value)}; write a day like 2027-01-31"
    return not_a_text(key, value)


def _day(text: Any) -> date | None:
    """The day that a text names; None where it names none."""
    if not isinstance(text, str) or not _DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def text_of(path: str | os.PathLike[str]) -> str:
    """What a file of the user's holds. Raises RulesetError where it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            held = file.read(_MOST + 1)
        if len(held) <= _MOST:
            return held.decode("utf-8-sig")
        raise RulesetError(f"{path}: larger than {_MOST >> 20} MiB; name a smaller file")
    except OSError as error:
        raise RulesetError(f"{path}: {error.strerror}; name a file that can be read") from None
    except UnicodeDecodeError:
        raise RulesetError(f"{path}: no text in UTF-8; write it as such") from None


def seen_from(folder: Path, file: str) -> str:
    """A path as seen from a folder; one that is not below it as it is.

    >>> seen_from(Path("deploy"), "deploy/east/a.yaml"), seen_from(Path("deploy"), "a.yaml")
    ('east/a.yaml', 'a.yaml')
    """
    whole = os.path.abspath(file)  # noqa: PTH100 - a link is not followed
    base = os.path.abspath(folder)  # noqa: PTH100
    found = Path(whole)
    return found.relative_to(base).as_posix() if found.is_relative_to(base) else file
