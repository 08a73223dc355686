"""Two plans, the earlier one from a file: what is done, what is new, what was decided otherwise.

Done is what the earlier plan wanted, and nothing else: its value stands there, or, where the value
was to stay, no route of a gateway needs it any more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocol_analysis.model import Inventory, Meta, Position
from protocol_analysis.reading import Cluster
from protocol_analysis.releases import RulesetError
from protocol_analysis.rollout.deciding import WRITTEN, Planned

STATES = ("done", "other value", "gone", "new", "other decision", "as before")
_AROUND = ("GRPCRoute", "gateway-only Service")  # the value stays, and gateways are led past it
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

    `gone` is a port that is not there. One that is no use any more is `done` where the value that
    was decided on stands there, and has an `other value` where nothing or something else does. Of
    namesakes those of one place are the same, then those of one file, then whatever is left.

    >>> progress([], [], [])
    []
    """
    left: dict[Key, list[_Port]] = {}
    ports = list(_ports(clusters, rows))
    for port in ports:
        left.setdefault(port.key, []).append(port)
    olds = list(earlier)
    met = _met(olds, left)
    found = [
        _progress(_key(old), _state(old, port), old["appProtocol"], port)
        for old, port in zip(olds, met, strict=True)
    ]
    known = {id(port) for port in met}
    found += [
        _progress(port.key, "new", "", port)
        for port in ports
        if port.row is not None and id(port) not in known
    ]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Port:
    """A port, or a Backend, as it is today; `row` where it is a use."""

    key: Key
    value: str
    place: tuple[str, int]
    row: Planned | None


def _key(old: Mapping[str, Any]) -> Key:
    return (old["cluster"] or "", *(old[name] for name in _KEY[1:]))


def _met(olds: Sequence[Mapping[str, Any]], left: Mapping[Key, list[_Port]]) -> list[_Port | None]:
    """The port that each earlier use is today, each at most once."""
    found: list[_Port | None] = [None] * len(olds)
    fitting: tuple[Callable[[tuple[str, int], _Port], bool], ...] = (
        lambda place, port: place == port.place,
        lambda place, port: place[0] == port.place[0],
        lambda _, port: port.row is not None,
        lambda *_: True,
    )
    for fits in fitting:
        for at, old in enumerate(olds):
            if found[at] is not None:
                continue
            here = left.get(_key(old), [])
            found[at] = next((port for port in here if fits(_place(old), port)), None)
            if (taken := found[at]) is not None:
                here.remove(taken)
    return found


def _place(old: Mapping[str, Any]) -> tuple[str, int]:
    """The file and the document of an earlier use; a plan that was cut down may have neither."""
    at = old.get("declaredAt")
    named = at if isinstance(at, dict) else {}
    file, document = named.get("file"), named.get("document")
    return (
        file if isinstance(file, str) else "",
        document if isinstance(document, int) else 0,
    )


def _state(old: Mapping[str, Any], port: _Port | None) -> str:
    """One of `STATES`."""
    if port is None:
        return "gone"
    decision, row = old["decision"], port.row
    if row is None:
        wanted = decision in (*WRITTEN, "blocked") and port.value == old.get("value")
        return "done" if wanted else "other value"
    if decision in _AROUND and row.use.value == old["appProtocol"] and not _needs_value(row):
        return "done"
    return "as before" if row.decision == decision else "other decision"


def _needs_value(row: Planned) -> bool:
    """Whether a gateway is led there by a route to which the value matters."""
    return any(answer.route.kind != "GRPCRoute" for answer in row.use.routes if not answer.mesh)


def _progress(key: Key, state: str, then: str, port: _Port | None) -> Progress:
    cluster, kind, namespace, name, number = key
    return Progress(
        cluster=cluster,
        kind=kind,
        namespace=namespace,
        name=name,
        port=number,
        state=state,
        then=then,
        decision=port.row.decision if port and port.row else "",
        now=port.value if port else "",
    )


def _ports(clusters: Sequence[Cluster], rows: Sequence[Planned]) -> Iterator[_Port]:
    """Every port of today in order, and every Backend: one for each use of it, or for none."""
    uses: dict[tuple[str, Meta, Position | None], list[Planned | None]] = {}
    for each in rows:
        use = each.use
        at = None if use.port is None else use.position
        uses.setdefault((use.cluster, use.target, at), []).append(each)
    for cluster in clusters:
        for key, meta, value, at, where in _values(cluster.name or "", cluster.inventory):
            for row in uses.get((key[0], meta, at)) or [None]:
                place = (where.file, where.document)
                yield _Port(key=key, value=value, place=place, row=row)


def _values(
    cluster: str, inventory: Inventory
) -> Iterator[tuple[Key, Meta, str, Position | None, Position]]:
    """What every port says today, and where."""
    for service in (*inventory.services, *inventory.service_imports):
        meta = service.meta
        for port in service.ports:
            key = (cluster, meta.kind, meta.namespace, meta.name, port.number)
            yield key, meta, port.app_protocol or "nothing", port.where, port.where
    for backend in inventory.backends:
        meta = backend.meta
        said = ", ".join(backend.app_protocol or ()) or "nothing"
        key = (cluster, meta.kind, meta.namespace, meta.name, None)
        yield key, meta, said, None, backend.where


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict) or not all(name in row for name in _NEEDED):
        return False
    texts = all(isinstance(row[name], str) for name in _NEEDED if name not in ("cluster", "port"))
    return texts and isinstance(row["cluster"], str | None) and isinstance(row["port"], int | None)
