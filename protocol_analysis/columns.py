"""What each command shows of its rows: the columns of a table, and the fields of a csv."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

from protocol_analysis.formats import Columns, Row
from protocol_analysis.readers import Reader
from protocol_analysis.resolution import ASSUMED


def _position(row: Row, name: str) -> str:
    at = row[name]
    return f"{at['file']}:{at['line']}:{at['column']}" if at else ""


def _declared(row: Row) -> Any:
    """What is declared; an empty text is a declaration too."""
    return '""' if row["appProtocol"] == "" else row["appProtocol"]


def _object(row: Row) -> str:
    return f"{row['kind']} {row['namespace']}/{row['name']}"


def _deciding(row: Row) -> Row:
    return next(reason for reason in row["reasons"] if reason["row"] != ASSUMED)


RESOLVE: Columns = {
    "cluster": lambda r: r["cluster"],
    "route": lambda r: _object(r["route"]),
    "rule": lambda r: r["rule"],
    "role": lambda r: r["role"],
    "backend": lambda r: _object(r["backendRef"]),
    "port": lambda r: r["backendRef"]["port"],
    "appProtocol": _declared,
    "protocol": lambda r: r["protocol"] or "-",
    "http/1.1 forced": lambda r: r["forceHTTP1"],
    "tls": lambda r: r["tls"],
    "upstream": lambda r: f"{r['upstream'] or '-'}{'' if r['verified'] else ' ?'}",
    "read by": lambda r: _reader(r).name,
    "row": lambda r: _deciding(r)["row"],
}
RESOLVE_WIDE: Columns = {
    "release": lambda r: r["release"],
    "why": lambda r: "; ".join(reason["text"] for reason in r["reasons"]),
    "referenced at": lambda r: _position(r, "referencedAt"),
    "declared at": lambda r: _position(r, "declaredAt"),
    "source": lambda r: _deciding(r)["source"],
}
COVERAGE: Columns = {
    "cluster": lambda r: r["cluster"],
    "kind": lambda r: r["kind"],
    "name": lambda r: f"{r['namespace']}/{r['name']}",
    "port": lambda r: r["port"],
    "appProtocol": _declared,
    "class": lambda r: r["class"],
    "meant": lambda r: r["meant"],
    "protocol": lambda r: r["protocol"] or "-",
    "tls": lambda r: r["tls"],
    "upstream": lambda r: f"{r['upstream'] or '-'}{'' if r['verified'] else ' ?'}",
    "routes": lambda r: r["routes"],
}
COVERAGE_WIDE: Columns = {
    "port name": lambda r: r["portName"],
    "transport": lambda r: r["transport"],
    "standard": lambda r: r["standard"],
    "declared at": lambda r: _position(r, "declaredAt"),
}
RELEASES: Columns = {
    "release": lambda r: r["release"],
    "date": lambda r: r["date"],
    "line": lambda r: r["line"],
    "envoy": lambda r: r["envoy"],
    "end of life": lambda r: r["endOfLife"],
    "newest": lambda r: r["newest"],
}
RELEASES_WIDE: Columns = {
    "implementation": lambda r: r["implementation"],
    "gateway api": lambda r: r["gatewayAPI"],
    "kubernetes": lambda r: r["kubernetes"],
}
IMPLEMENTATIONS: Columns = {
    "implementation": lambda r: r["implementation"],
    "title": lambda r: r["title"],
    "newest": lambda r: r["newest"],
    "known until": lambda r: r["knownUntil"],
    "rows": lambda r: r["rows"],
}


# What a csv has as its columns, whatever the rows.
_POSITION = ("file", "document", "line", "column")
RESOLVE_FIELDS = (
    "cluster",
    *(f"route.{name}" for name in ("kind", "namespace", "name")),
    *("rule", "role", "backend"),
    *(f"backendRef.{name}" for name in ("group", "kind", "namespace", "name", "port", "weight")),
    *("appProtocol", "protocol", "forceHTTP1", "tls", "upstream"),
    *("implementation", "release", "mesh", "verified", "reasons", "readings"),
    *(f"referencedAt.{name}" for name in _POSITION),
    *(f"declaredAt.{name}" for name in _POSITION),
)
COVERAGE_FIELDS = (
    *("cluster", "kind", "namespace", "name", "port", "portName", "transport", "appProtocol"),
    *("standard", "recognised", "class", "meant", "protocol", "upstream", "tls", "routes"),
    *("verified", "readings"),
    *(f"declaredAt.{name}" for name in _POSITION),
)


def _edit(edit: Row | None) -> str:
    if edit is None:
        return "none"
    value = edit["appProtocol"]
    return "remove appProtocol" if value is None else f"write {value}"


def _wire(side: Row) -> str:
    """What is spoken, in a word; with a question mark where nobody has verified it."""
    word = side["upstream"] or ("-" if side["protocol"] else "not read")
    return f"{word}{'+tls' if side['tls'] else ''}{'' if side['verified'] else ' ?'}"


def _cause(cause: Row) -> str:
    pull = f" #{cause['pull']}" if cause["pull"] else ""
    return f"{cause['release']}{pull}"


DIFF: Columns = {
    "cluster": lambda r: r["cluster"],
    "effect": lambda r: f"{r['effect']} (transient)" if r["transient"] else r["effect"],
    "route": lambda r: _object(r["route"]),
    "rule": lambda r: r["rule"],
    "backend": lambda r: _object(r["backendRef"]),
    "port": lambda r: r["backendRef"]["port"],
    "appProtocol": _declared,
    "before": lambda r: _wire(r["before"]),
    "after": lambda r: _wire(r["after"]),
    "since": lambda r: ", ".join(map(_cause, r["causes"])),
    "to keep it": lambda r: _edit(r["keep"]),
    "to have it now": lambda r: _edit(r["adopt"]),
}
DIFF_WIDE: Columns = {
    "from": lambda r: r["from"],
    "to": lambda r: r["to"],
    "role": lambda r: r["role"],
    "protocol": lambda r: f"{r['before']['protocol']} -> {r['after']['protocol']}",
    "release notes": lambda r: "; ".join(dict.fromkeys(c["notes"] for c in r["causes"])),
    "why": lambda r: "; ".join(reason["text"] for reason in r["after"]["reasons"]),
    "referenced at": lambda r: _position(r, "referencedAt"),
    "declared at": lambda r: _position(r, "declaredAt"),
}
_SIDE = ("protocol", "forceHTTP1", "upstream", "tls", "verified", "reasons")
DIFF_FIELDS = (
    *RESOLVE_FIELDS[:14],
    *("from", "to", "effect", "transient", "causes", "keep", "adopt", "readings"),
    *(f"{side}.{name}" for side in ("before", "after") for name in _SIDE),
    *(f"{at}.{name}" for at in ("referencedAt", "declaredAt") for name in _POSITION),
)
ORDER: Columns = {name: itemgetter(name) for name in ("number", "cluster", "action", "why", "left")}


def portability_columns(readers: Sequence[str]) -> Columns:
    """A column for each reader: what it speaks; ! is not what was meant, ? nobody has verified.

    >>> list(portability_columns(["istio@v1.19.0"]))[-2:]
    ['istio', 'right in all']
    """
    columns: dict[str, Callable[[Row], Any]] = {
        "cluster": lambda r: r["cluster"],
        "object": lambda r: f"{r['kind']} {r['namespace']}/{r['name']}",
        "port": lambda r: r["port"],
        "appProtocol": lambda r: r["appProtocol"],
    }
    heads = _heads(readers)
    columns |= {head: partial(_reading, at) for at, head in enumerate(heads)}
    return {**columns, "right in all": lambda r: r["right"] or "none"}


def with_readings(columns: Columns, rows: Sequence[Row]) -> Columns:
    """And a column for each other reader of the rows: what it speaks to the same port.

    >>> reading = {"implementation": "istio", "release": "v1.19.0", "mesh": True}
    >>> list(with_readings({}, [{"readings": [reading]}, {"readings": []}]))
    ['istio mesh']
    """
    found = [_reader(each) for row in rows for each in row["readings"]]
    readers = list(dict.fromkeys(found))
    heads = _heads([str(each) for each in readers])
    more = {head: partial(_read_by, by) for head, by in zip(heads, readers, strict=True)}
    return {**columns, **more}


def _reader(row: Row) -> Reader:
    return Reader(implementation=row["implementation"], release=row["release"], mesh=row["mesh"])


def _read_by(by: Reader, row: Row) -> str:
    return ", ".join(_wire(each) for each in row["readings"] if _reader(each) == by)


def _heads(readers: Sequence[str]) -> list[str]:
    """The names of readers; with their releases where a name alone would stand twice."""
    names = [reader.partition("@")[0] for reader in readers]
    return [
        name if names.count(name) == 1 else reader
        for name, reader in zip(names, readers, strict=True)
    ]


def _reading(at: int, row: Row) -> str:
    found = row["readings"][at]
    wrong = "!" if found["asMeant"] is False else ""
    return f"{found['spoken']}{wrong}{'' if found['verified'] else '?'}"


PORTABILITY_WIDE: Columns = {
    "meant": lambda r: r["meant"],
    "behind": lambda r: r["behind"],
    "portable": lambda r: r["portable"],
    "declared at": lambda r: _position(r, "declaredAt"),
}
PORTABILITY_FIELDS = (
    *("cluster", "kind", "namespace", "name", "port", "appProtocol", "meant", "portable", "right"),
    *("behind", "readings", *(f"declaredAt.{name}" for name in _POSITION)),
)
_PROVE = ("envoy", "config", "server", "client", "ok", "status", "flags")
PROVE: Columns = {name: itemgetter(name) for name in (*_PROVE, "verdict")}
PROVE_WIDE: Columns = {"details": itemgetter("details")}
PROVE_FIELDS = (*_PROVE, "details", "verdict")


def _seen(row: Row, name: str) -> str:
    return {True: "yes", False: "no", None: "?"}[row[name]] if row["reachable"] else ""


_PROBE = ("http/1.1", "h2c", "tls", "h2", "websocket", "rfc8441")
PROBE: Columns = {
    "endpoint": itemgetter("endpoint"),
    "reachable": itemgetter("reachable"),
    **{name: partial(_seen, name=name) for name in _PROBE},
    "alpn": itemgetter("alpn"),
    "grpc": itemgetter("grpc"),
    "recommended": lambda r: r["recommended"] or "-",
}
PROBE_DECLARED: Columns = {
    "declared": itemgetter("declared"),
    "verdict": lambda r: r["verdict"] or "?",
    "spoken": itemgetter("spoken"),
    "works": lambda r: {True: "yes", False: "no", None: "?"}[r["works"]],
    "declared at": lambda r: _position(r, "declaredAt"),
}
PROBE_WIDE: Columns = {
    "address": itemgetter("address"),
    "why": itemgetter("why"),
    "evidence": lambda r: "; ".join(f"{each['step']}: {each['text']}" for each in r["evidence"]),
}
PROBE_FIELDS = (
    *("endpoint", "address", "reachable", "http/1.1", "h2c", "tls", "alpn", "h2", "grpc"),
    *("websocket", "rfc8441", "recommended", "why", "source", "evidence"),
    *("declared", "verdict", "spoken", "works", *(f"declaredAt.{name}" for name in _POSITION)),
)
FINDINGS: Columns = {
    "cluster": lambda r: r["cluster"],
    "severity": lambda r: r["severity"],
    "code": lambda r: r["code"],
    "where": lambda r: _position(r, "position"),
    "object": lambda r: _object(r["object"]),
    "message": lambda r: r["message"],
}
FINDINGS_WIDE: Columns = {
    "remedy": lambda r: r["remedy"],
    "reader": lambda r: r["reader"],
    "title": lambda r: r["title"],
    "references": lambda r: " ".join(r["references"]),
}
SUPPRESSED: Columns = {
    "suppressed": lambda r: _borne(r["suppressed"]) if r["suppressed"] else "",
}
FINDING_FIELDS = (
    *("code", "severity", "title", "message", "remedy", "cluster"),
    *(f"object.{name}" for name in ("kind", "namespace", "name")),
    *(f"position.{name}" for name in _POSITION),
    *("references", "reader", "fingerprint", "suppressed.by", "suppressed.reason"),
    *(f"suppressed.position.{name}" for name in _POSITION),
    "suppressed.expires",
)
RULES: Columns = {
    "code": lambda r: r["code"],
    "at worst": lambda r: r["severity"],
    "title": lambda r: r["title"],
}


def _borne(why: Row) -> str:
    until = f" until {why['expires']}" if why["expires"] else ""
    return f"{why['by']}{until}: {why['reason']}"
