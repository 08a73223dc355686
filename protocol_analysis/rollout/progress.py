"""Two plans, the earlier one from a file: what is done, what is new, what was decided otherwise."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocol_analysis.model import Inventory
from protocol_analysis.reading import Cluster
from protocol_analysis.releases import RulesetError
from protocol_analysis.rollout.deciding import Planned

STATES = ("done", "gone", "new", "other decision", "as before")
_MOST_BYTES = 64 * 1024 * 1024
_KEY = ("cluster", "kind", "namespace", "name", "port")
_NEEDED = (*_KEY, "appProtocol", "decision")
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One use then and now. `state`: one of `STATES`; `now` is what stands there today."""

    cluster: str
    kind: str
    namespace: str
    name: str
    port: int | None
    state: str
    then: str
    decision: str
    now: str

    def as_dict(self) -> dict[str, Any]:
        """The row, as `plan --since` prints it."""
        names = ("kind", "namespace", "name", "port", "state", "then", "decision", "now")
        return {
            "cluster": self.cluster or None,
            **{name: getattr(self, name) or None for name in names},
        }


def read_plan(path: str | Path) -> list[dict[str, Any]]:
    """The rows that `plan -o json` printed. Raises RulesetError for what is no such file.

    >>> read_plan("README.md")
    Traceback (most recent call last):
        ...
    protocol_analysis.releases.RulesetError: README.md: no plan: write one with `plan -o json`
    """
    try:
        with Path(path).open("rb") as stream:
            raw = stream.read(_MOST_BYTES + 1)
        rows = json.loads(raw[:_MOST_BYTES]) if len(raw) <= _MOST_BYTES else None
    except OSError as error:
        raise RulesetError(f"{path}: cannot be read: {error}") from None
    except (ValueError, RecursionError):
        rows = None
    if not isinstance(rows, list) or not all(map(_is_row, rows)):
        raise RulesetError(f"{path}: no plan: write one with `plan -o json`")
    return rows


def progress(
    clusters: Sequence[Cluster], rows: Sequence[Planned], earlier: Iterable[Mapping[str, Any]]
) -> list[Progress]:
    """What became of each use: those of the earlier plan in its order, then those that are new.

    `done` is a port that is still there and says something else; `gone`, one that is not there.

    >>> progress([], [], [])
    []
    """
    now = dict(_counted((row.use.key, row) for row in rows))
    said = {key: value for c in clusters for key, value in _values(c.name or "", c.inventory)}
    olds = ((((old["cluster"] or "", *(old[n] for n in _KEY[1:]))), old) for old in earlier)
    found = []
    then: set[Key] = set()
    for key, old in _counted(olds):
        then.add(key)
        row, value = now.get(key), said.get(key[0], "")
        if row is None:
            state = "done" if value else "gone"
        else:
            state = "as before" if row.decision == old["decision"] else "other decision"
        found.append(_progress(key[0], state, old["appProtocol"], row, value))
    found += [
        _progress(key[0], "new", "", row, row.use.value)
        for key, row in now.items()
        if key not in then
    ]
    return found


def _counted(pairs: Iterable[tuple[Key, Any]]) -> Iterator[tuple[Key, Any]]:
    """Each key with how often it was there before: a repository of examples has namesakes."""
    counts: Counter[Key] = Counter()
    for key, value in pairs:
        yield (key, counts[key]), value
        counts[key] += 1


def _progress(key: Key, state: str, then: str, row: Planned | None, now: str) -> Progress:
    cluster, kind, namespace, name, port = key
    return Progress(
        cluster=cluster,
        kind=kind,
        namespace=namespace,
        name=name,
        port=port,
        state=state,
        then=then,
        decision=row.decision if row else "",
        now=now,
    )


def _values(cluster: str, inventory: Inventory) -> Iterable[tuple[Key, str]]:
    """What every port says today."""
    for service in (*inventory.services, *inventory.service_imports):
        meta = service.meta
        for port in service.ports:
            key = (cluster, meta.kind, meta.namespace, meta.name, port.number)
            yield key, port.app_protocol or "nothing"
    for backend in inventory.backends:
        meta = backend.meta
        said = ", ".join(backend.app_protocol or ()) or "nothing"
        yield (cluster, meta.kind, meta.namespace, meta.name, None), said


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict) or not all(name in row for name in _NEEDED):
        return False
    texts = all(isinstance(row[name], str) for name in _NEEDED if name not in ("cluster", "port"))
    return texts and isinstance(row["cluster"], str | None) and isinstance(row["port"], int | None)
