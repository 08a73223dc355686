"""Proposals by name, from files and from cells: designs to be read like any implementation.

What a proposal says is explained in `overlaying`; those under `proposals/` come with the package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from protocol_analysis import rules, wiring
from protocol_analysis.overlaying import ADMISSIONS, Phase, Proposal, continued, overlaid
from protocol_analysis.readers import base_of, proposed
from protocol_analysis.releases import RulesetError
from protocol_analysis.wiring import wire, wired

__all__ = [
    "ADMISSIONS",
    "Phase",
    "Proposal",
    "alternatives",
    "asked",
    "entered",
    "named",
    "proposal",
    "shipped",
]

SUFFIXES = (".yaml", ".yml", ".json")
_MOST_BYTES = 1024 * 1024


def shipped() -> tuple[str, ...]:
    """The names of the proposals that come with the package.

    >>> shipped()
    ('keep', 'keep-on-service', 'remove', 'standardise', 'unify')
    """
    files = (resources.files("protocol_analysis") / "proposals").iterdir()
    return tuple(sorted(f.name.removesuffix(".yaml") for f in files if f.name.endswith(".yaml")))


def alternatives() -> list[Proposal]:
    """The proposals that come with the package.

    >>> [each.name for each in alternatives()][:2]
    ['keep', 'keep-on-service']
    """
    return [proposal(name) for name in shipped()]


def proposal(what: str | Path | Mapping[str, Any]) -> Proposal:
    """A proposal by its name, from a file, or as a mapping; it can be read from then on.

    One of the same name that was there before is replaced. Raises RulesetError where there is none,
    or it is wrong; all complaints come together, a line each.

    >>> found = proposal("keep-on-service")
    >>> [(each.how, each.row, each.release) for each in found.alterations]
    [('changes', 'unified-grpc', 'v1.11.0')]
    >>> rules.ruleset(found.implementation).newest
    'v1.11.0'
    """
    if isinstance(what, Mapping):
        name = str(what.get("proposal", ""))[:80]
        try:
            text = yaml.safe_dump(dict(what), sort_keys=False)
        except yaml.YAMLError as error:
            raise RulesetError(f"proposal {name!r}: {error}") from None
        return entered(overlaid(text, f"proposal {name!r}"))
    if isinstance(what, str) and not what.endswith(SUFFIXES):
        if what not in shipped():
            raise RulesetError(
                f"no proposal {what!r}; there are {', '.join(shipped())}, or name a file"
            )
        return entered(_shipped(what))
    path = Path(what)
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MOST_BYTES + 1)
        text = raw.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise RulesetError(f"{path}: cannot be read: {error}") from None
    if len(raw) > _MOST_BYTES:
        raise RulesetError(f"{path}: larger than {_MOST_BYTES // 1024} KiB, no proposal is")
    return entered(overlaid(text, str(path)))


@cache
def _shipped(name: str) -> Proposal:
    """One that comes with the package, which does not change: read once."""
    file = resources.files("protocol_analysis") / "proposals" / f"{name}.yaml"
    return overlaid(file.read_text(encoding="utf-8"), f"proposals/{file.name}")


def named(text: str) -> str:
    """What stands for a release on the command line, as `reader` takes it.

    A proposal is named by its file, as `envoy-gateway+remove`, or `remove` where it comes with the
    package; `@v1.12` behind it is one of its releases, default the last. Anything else stays as it
    is. Raises RulesetError as `proposal`.

    >>> named("1.8"), named("istio@1.26"), named("envoy-gateway+remove@1.10")
    ('1.8', 'istio@1.26', 'envoy-gateway+remove@v1.10.0')
    """
    name = _parted(text)[0]
    if not name.endswith(SUFFIXES) and name not in shipped() and base_of(name) == name:
        return text
    found, release = asked(text)
    return str(found.at(release))


def asked(text: str) -> tuple[Proposal, str | None]:
    """A proposal as the command line names it, and its release where one is named.

    >>> asked("remove@v1.12")[1]
    'v1.12'
    """
    name, release = _parted(text)
    base = base_of(name)
    if name.endswith(SUFFIXES) or base == name:
        return proposal(name), release or None
    found = proposal(name.removeprefix(proposed(base, "")))
    if found.implementation != name:
        raise RulesetError(f"{name}: that proposal is {found.implementation}")
    return found, release or None


def _parted(text: str) -> tuple[str, str]:
    """A name, and the release behind its @."""
    name, at, release = text.rpartition("@")
    return (name, release) if at and not text.endswith(SUFFIXES) else (text, "")


def entered(found: Proposal) -> Proposal:
    """The same proposal, which is found by its name from now on."""
    rules.LOADED[found.implementation] = found.ruleset
    wiring.LOADED.pop(found.implementation, None)
    base = found.base.implementation
    if wired(base):
        known = wire(base)
        rows = [continued(row, found.ruleset.releases, found.base.release) for row in known.rows]
        wires = replace(found.ruleset, rows=tuple(row for row in rows if row.releases))
        wiring.LOADED[found.implementation] = wires
    return found
