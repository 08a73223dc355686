"""What a check finds, and what becomes of it: a finding, with rule, place and remedy."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from protocol_analysis.findings.catalogue import SEVERITIES, Rule
from protocol_analysis.model import Meta, Position
from protocol_analysis.readers import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a check yields: which object, where in it, what is wrong, for whom, and how surely.

    `by` is None where it is about the gateway that is asked. `remedy` is what to do in this very
    case, else the rule's own. `key` tells findings of one object apart where positions may move:
    names and values, no index. What is alike in all of it is told apart by `running` numbers.
    `assumed`: nobody has told the release of its reader. `declares` is the object whose declaration
    is to be mended, where one is.
    """

    meta: Meta
    position: Position
    message: str
    by: Reader | None = None
    grade: str = ""
    remedy: str = ""
    key: str = ""
    assumed: bool = False
    declares: Meta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppressed:
    """Why a finding does not count: `by` is annotation, file or baseline; where that is said.

    `expires` is the last day on which it holds.
    """

    by: str
    reason: str
    position: Position
    expires: date | None = None

    def as_dict(self) -> dict[str, Any]:
        """As a finding's row has it."""
        return {
            "by": self.by,
            "reason": self.reason,
            "position": self.position.as_dict(),
            "expires": self.expires.isoformat() if self.expires else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A rule that an object breaks, for a reader, with what to do about it."""

    rule: Rule
    severity: str
    meta: Meta
    position: Position
    message: str
    remedy: str
    by: Reader
    key: str = ""
    suppressed: Suppressed | None = None

    @property
    def code(self) -> str:
        """The rule's code."""
        return self.rule.code

    @property
    def object(self) -> dict[str, str]:
        """Which object, as a row has it."""
        meta = self.meta
        return {"kind": meta.kind, "namespace": meta.namespace, "name": meta.name}

    @property
    def fingerprint(self) -> str:
        """The same for the same fault as long as code, object and what is at fault stay the same.

        Lines may move, files be renamed and messages be reworded.
        """
        meta = self.meta
        where = (meta.cluster or "", meta.group, meta.kind, meta.namespace, meta.name)
        parts = (self.code, *where, self.by.name, self.key)
        # A cluster's name comes from the command line, which may hold what is no text.
        text = "\0".join(parts).encode(errors="surrogatepass")
        return hashlib.sha256(text).hexdigest()[:32]

    def fails(self, fail_on: str) -> bool:
        """Whether it counts for the exit status: as bad as that or worse, and not suppressed."""
        if fail_on == "none" or self.suppressed:
            return False
        return SEVERITIES.index(self.severity) <= SEVERITIES.index(fail_on)

    def as_dict(self) -> dict[str, Any]:
        """The contract's finding."""
        return {
            "code": self.code,
            "severity": self.severity,
            "title": self.rule.title,
            "message": self.message,
            "remedy": self.remedy,
            "cluster": self.meta.cluster,
            "object": self.object,
            "position": self.position.as_dict(),
            "references": list(self.rule.references),
            "reader": str(self.by),
            "fingerprint": self.fingerprint,
            "suppressed": self.suppressed.as_dict() if self.suppressed else None,
        }


def running(keys: Iterable[Hashable]) -> Iterator[int]:
    """For each key its number among its equals.

    >>> list(running("aba"))
    [1, 1, 2]
    """
    seen: Counter[Hashable] = Counter()
    for key in keys:
        seen[key] += 1
        yield seen[key]
