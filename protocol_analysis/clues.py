"""The clues to what a workload serves: `clues.yaml`, read and checked. See there what they look at.

They are data, each with its source; `evidence.py` finds them in manifests. How often each is right
is data too, `clue_quality.yaml`, measured and not estimated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from protocol_analysis.sheets import Sheet, not_a_text, shown

LOOKS = ("name", "number", "dialled", "probe", "reference", "policy", "annotation")
_CHOICES = {
    "looks": LOOKS,
    "part": ("whole", "first", "last"),
    "takes": ("value", "json", "ports", "services", "key"),
    "tls": ("yes", "no", "any"),
}
_ONLY_OF = {"part": ("name",), **dict.fromkeys(("annotation", "kinds", "takes"), ("annotation",))}
_KEYS: dict[str, set[str]] = {
    "protocols": {"word", "upstream", "tls", "values", "text"},
    "declared": {"value", "upstream", "tls", "text", "source"},
    "clues": {"id", "title", "looks", "says", "text", "source", *_ONLY_OF},
}
_NAMED_BY = {"protocols": "word", "declared": "value", "clues": "id"}
_TLS = {"yes": True, "no": False, "any": None}
LISTED = "listed"  # what a list says of those that stand in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What is implied, or declared: a protocol by its word, and what is spoken then.

    `upstream` is None, as `tls` is, where nothing is said of it.

    >>> str(protocols()["grpc"].fact), str(fact("grpc+tls"))
    ('grpc', 'grpc+tls')
    """

    word: str
    upstream: str | None
    tls: bool | None

    def fits(self, other: Fact) -> bool:
        """Whether both may be true of one port.

        >>> fact("grpc").fits(fact("tls")), fact("grpc").fits(fact("http/1.1"))
        (True, False)
        """
        pairs = ((self.upstream, other.upstream), (self.tls, other.tls))
        return all(None in pair or pair[0] == pair[1] for pair in pairs)

    def __str__(self) -> str:
        return f"{self.word}+tls" if self.tls and self.word != "tls" else self.word


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A word for a protocol, and the values of appProtocol that say it, standard ones first."""

    word: str
    fact: Fact
    values: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Clue:
    """One row: what it looks at, what follows from what is found there, and who says so."""

    id: str
    title: str
    looks: str
    says: Mapping[str, Fact]
    text: str
    source: str
    part: str = ""
    annotation: str = ""
    kinds: tuple[str, ...] = ()
    takes: str = ""

    def of_name(self, name: str) -> str | None:
        """The word of `says` that a port's name has where this clue looks; the longest of them.

        >>> clue = next(clue for clue in clues() if clue.id == "name-istio")
        >>> clue.of_name("grpc-web-api"), clue.of_name("grpc-api"), clue.of_name("grpcapi")
        ('grpc-web', 'grpc', None)
        """
        name = name.casefold()
        fits: Callable[[str], bool] = {
            "whole": lambda word: name == word,
            "first": lambda word: name == word or name.startswith(f"{word}-"),
            "last": lambda word: name.endswith(f"-{word}"),
        }[self.part]
        return max(filter(fits, self.says), key=len, default=None)

    def names(self, key: str) -> bool:
        """Whether it is about an annotation; where it takes the key, a port stands before it.

        >>> clue = next(clue for clue in clues() if clue.id == "kuma-protocol")
        >>> clue.names("8080.service.kuma.io/protocol"), clue.names("service.kuma.io/protocol")
        (True, False)
        """
        return self.annotation == (key.partition(".")[2] if self.takes == "key" else key)

    def of_value(self, value: str) -> str | None:
        """The word of `says` that an annotation's value is, in any case."""
        value = value.strip().casefold()
        return next((word for word in self.says if word.casefold() == value), None)


def clues() -> tuple[Clue, ...]:
    """All clues, in their order. Raises RulesetError where the file is wrong."""
    return _read()[2]


def protocols() -> Mapping[str, Protocol]:
    """The words for protocols, from the general to the particular."""
    return _read()[0]


def declared_values() -> Mapping[str, Fact]:
    """What declared values mean, beside those whose meaning `portability` knows."""
    return _read()[1]


@cache
def annotation_keys() -> frozenset[str]:
    """The annotations that some clue names; no others are kept of any manifest."""
    return frozenset(clue.annotation for clue in clues() if clue.annotation)


def is_named(key: str) -> bool:
    """Whether some clue names an annotation.

    >>> is_named("konghq.com/protocol"), is_named("example.com/secret")
    (True, False)
    """
    known = annotation_keys() & {key, key.partition(".")[2]}
    return bool(known) and any(clue.names(key) for clue in clues())


def fact(said: str) -> Fact:
    """What a word, with `+tls` or `+clear`, implies. Raises KeyError for an unknown one."""
    return _fact(said, protocols())


def parse(name: str, content: str) -> tuple[dict[str, Protocol], dict[str, Fact], tuple[Clue, ...]]:
    """The three sections of a file of clues. Raises RulesetError, which names what is wrong."""
    sheet = Sheet(name)
    top = sheet.document(content)
    if not sheet.mapping("the file", top, set(_KEYS), 1, complaint_about=_no_list):
        sheet.stop()
    for section, known in _KEYS.items():
        optional = [*_ONLY_OF] if section == "clues" else []
        for at, row in enumerate(top[section]):
            line = sheet.lines[id(top[section]), at]
            sheet.mapping(section, row, known, line, optional, _complaint)
        _no_duplicates(sheet, top[section], _NAMED_BY[section])
    sheet.stop()
    words = {row["word"]: _protocol(row) for row in top["protocols"]}
    for row in top["clues"]:
        for line, complaint in _wrong(sheet, row, words):
            sheet.error(line, complaint)
    sheet.stop()
    meant = {row["value"]: _row_fact(row["value"], row) for row in top["declared"]}
    return words, meant, tuple(_clue(row, words) for row in top["clues"])


@cache
def _read() -> tuple[dict[str, Protocol], dict[str, Fact], tuple[Clue, ...]]:
    file = resources.files("protocol_analysis") / "clues.yaml"
    return parse(file.name, file.read_text(encoding="utf-8"))


def _no_list(key: str, value: Any) -> str:
    return "" if isinstance(value, list) else f"{key}: {shown(value)}; write a list"


def _complaint(key: str, value: Any) -> str:
    if key in ("kinds", "values"):
        wrong = not isinstance(value, list) or any(not_a_text(key, item) for item in value)
        return f"{key}: write a list of texts" if wrong else ""
    if key == "says":
        wrong = not isinstance(value, dict) or not value
        wrong = wrong or any(not_a_text(key, item) for item in value.values())
        return "says: write what is found, and what it implies" if wrong else ""
    known = _CHOICES.get(key)
    if known and value not in known:
        return f"{key}: {shown(value)}; known are {', '.join(known)}"
    return not_a_text(key, value)


def _no_duplicates(sheet: Sheet, rows: list[Any], key: str) -> None:
    seen: set[str] = set()
    for row in rows:
        if isinstance(row, dict) and isinstance(name := row.get(key), str):
            if name in seen:
                sheet.error(sheet.lines[id(row), key], f"{key} {name!r} stands here again")
            seen.add(name)


def _wrong(
    sheet: Sheet, row: dict[str, Any], words: Mapping[str, Protocol]
) -> Iterator[tuple[int, str]]:
    line = sheet.lines[id(row), "id"]
    for key, looks in _ONLY_OF.items():
        if (row["looks"] in looks) != (key in row):
            verb = "wants" if key not in row else "takes no"
            yield line, f"a clue that looks at {row['looks']} {verb} {key!r}"
    if {*row.get("kinds", ())} - {"Service", "Ingress"}:
        yield line, "kinds: known are Service, Ingress"
    if row.get("takes") in ("ports", "services") and list(row["says"]) != [LISTED]:
        yield line, f"a list says one thing: {LISTED}"
    for found, said in row["says"].items():
        try:
            _fact(said, words)
        except KeyError:
            at = sheet.lines[id(row["says"]), found]
            yield at, f"{said!r} is none of {', '.join(words)}, alone or with +tls or +clear"


def _row_fact(word: str, row: Mapping[str, str]) -> Fact:
    upstream = None if row["upstream"] == "any" else row["upstream"]
    return Fact(word=word, upstream=upstream, tls=_TLS[row["tls"]])


def _protocol(row: Mapping[str, Any]) -> Protocol:
    values = tuple(row["values"])
    return Protocol(
        word=row["word"], fact=_row_fact(row["word"], row), values=values, text=row["text"]
    )


def _fact(said: str, words: Mapping[str, Protocol]) -> Fact:
    word, plus, more = said.partition("+")
    found = words[word].fact
    return replace(found, tls={"tls": True, "clear": False}[more]) if plus else found


def _clue(row: Mapping[str, Any], words: Mapping[str, Protocol]) -> Clue:
    says = {found: _fact(said, words) for found, said in row["says"].items()}
    return Clue(**{**row, "says": says, "kinds": tuple(row.get("kinds", ()))})
