"""Whether a Service's calls stream, which no manifest tells: asked by annotation, or in a file.

The annotation is `protocol-analysis.dev/calls: unary` (or `streaming`) on the Service; the file is
YAML with a line per Service, `namespace/name: unary`, and wins. What is not said is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from protocol_analysis.model import Meta
from protocol_analysis.releases import RulesetError
from protocol_analysis.sheets import Sheet, shown
from protocol_analysis.workloads import CALLS

WORDS = ("unary", "streaming")
_MOST_BYTES = 1024 * 1024


def read_calls(path: str | Path) -> dict[str, str]:
    """What a file says, by `namespace/name`. Raises RulesetError, with every wrong line.

    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "calls.yaml"
    >>> _ = file.write_text("shop/feed: often")
    >>> read_calls(file)
    Traceback (most recent call last):
        ...
    protocol_analysis.releases.RulesetError: calls.yaml:1: shop/feed: 'often'; write unary or \
streaming
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            raw = stream.read(_MOST_BYTES + 1)
        text = raw.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise RulesetError(f"{file}: cannot be read: {error}") from None
    if len(raw) > _MOST_BYTES:
        raise RulesetError(f"{file}: larger than {_MOST_BYTES // 1024} KiB")
    sheet = Sheet(file.name)
    top = sheet.document(text)
    found: dict[str, str] = {}
    if top is not None and not isinstance(top, dict):
        sheet.error(1, f"{shown(top)}; write a line for each Service, namespace/name: unary")
        sheet.stop()
    for name, word in (top or {}).items():
        line = sheet.lines[id(top), name]
        if word not in WORDS:
            sheet.error(line, f"{name[:80]}: {shown(word)}; write {' or '.join(WORDS)}")
        elif name.count("/") != 1 or not all(name.split("/")):
            sheet.error(line, f"{name[:80]!r}: write namespace/name")
        else:
            found[name] = word
    sheet.stop()
    return found


def calls_of(meta: Meta, told: Mapping[str, str]) -> str:
    """`unary`, `streaming`, or empty where nobody says; another word in an annotation says nothing.

    >>> from protocol_analysis.manifests import load
    >>> meta = load("data/sample/east/catalog.yaml").services[0].meta
    >>> calls_of(meta, {}), calls_of(meta, {"catalog/catalog": "streaming"})
    ('', 'streaming')
    """
    word = told.get(f"{meta.namespace}/{meta.name}") or dict(meta.annotations).get(CALLS, "")
    return word if word in WORDS else ""
