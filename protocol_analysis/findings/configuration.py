"""What a project always asks of `check`: `.protocol-analysis.yaml`, or a table of pyproject.toml.

    [tool.protocol-analysis]
    release = "1.8"               # also: implementation, namespace
    mesh = ["istio@1.26"]
    ignore = ["AP011"]            # also: select
    fail-on = "warning"
    exclude = ["templates/"]      # patterns as in .gitignore, for what is not read of a folder
    suppress = "ignored.yaml"     # paths and patterns are seen from the file that names them
    baseline = "baseline.json"

The file is looked for in the current folder alone. Options of the command line win over it, one by
one. Unknown keys and values are refused with file and line.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocol_analysis.findings.catalogue import SEVERITIES
from protocol_analysis.findings.checking import codes
from protocol_analysis.findings.suppressing import text_of
from protocol_analysis.manifests.excluding import compiled, rebased
from protocol_analysis.model import ManifestError
from protocol_analysis.readers import reader, reader_of
from protocol_analysis.releases import RulesetError
from protocol_analysis.sheets import Sheet

YAML_FILE, TOML_FILE = ".protocol-analysis.yaml", "pyproject.toml"
FAIL_ON = (*SEVERITIES, "none")
_TABLE = "protocol-analysis"
_PATHS = ("suppress", "baseline")
_TEXTS = ("implementation", "release", "namespace", "fail-on", *_PATHS)
_LISTS = ("mesh", "select", "ignore", "exclude")
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What a file asks for; None, or nothing, where it is silent. Paths open as they are."""

    implementation: str | None = None
    release: str | None = None
    namespace: str | None = None
    mesh: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    fail_on: str | None = None
    suppress: str | None = None
    baseline: str | None = None


def configuration(
    folder: str | os.PathLike[str] = ".", file: str | os.PathLike[str] | None = None
) -> Configuration:
    """The configuration in a folder, or in the very file. Raises RulesetError for what is wrong.

    >>> configuration("data/sample")
    Configuration(implementation=None, release=None, namespace=None, mesh=(), select=(), \
ignore=(), exclude=(), fail_on=None, suppress=None, baseline=None)
    """
    if file is not None:
        found = parse_configuration(text_of(file), os.fspath(file))
        if found is None:
            raise RulesetError(f"{file}:1: no [tool.{_TABLE}]; write one, or name another file")
        return found
    asked: dict[Path, Configuration] = {}
    for path in (Path(folder) / YAML_FILE, Path(folder) / TOML_FILE):
        found = parse_configuration(text_of(path), str(path)) if path.is_file() else None
        if found is not None:
            asked[path] = found
    if len(asked) > 1:
        raise RulesetError(f"{' and '.join(map(str, asked))} both configure; keep one of them")
    return next(iter(asked.values()), Configuration())


def parse_configuration(text: str, name: str) -> Configuration | None:
    """The same of a text; None where a pyproject.toml does not speak of it. Raises RulesetError.

    >>> parse_configuration("fail-on: warning", ".protocol-analysis.yaml").fail_on
    'warning'
    """
    sheet = Sheet(Path(name).as_posix())
    raw = _toml(sheet, text) if name.endswith(".toml") else sheet.document(text) or {}
    sheet.stop()
    if raw is None:
        return None
    wanted = {*_TEXTS, *_LISTS}
    if sheet.mapping("the configuration", raw, wanted, 1, wanted, _wrong):
        _known(sheet, raw)
    sheet.stop()
    folder = Path(name).parent
    made: dict[str, Any] = {key.replace("-", "_"): value for key, value in raw.items()}
    made |= {key: _words(raw[key]) for key in _LISTS if key in raw}
    made |= {key: str(folder / raw[key]) for key in _PATHS if key in raw}
    patterns = _list(raw.get("exclude", []))  # a comma is part of one
    made["exclude"] = tuple(rebased(each, os.fspath(folder)) for each in patterns)
    return Configuration(**made)


def _toml(sheet: Sheet, text: str) -> Any:
    """The table of a pyproject.toml; None where it has none. TOML's reader tells no lines."""
    if _TABLE not in text:
        return None
    try:
        tool = tomllib.loads(text).get("tool", {})
    except tomllib.TOMLDecodeError as error:
        found = _AT_LINE.search(str(error))
        sheet.error(int(found[1]) if found else 1, f"not TOML: {_AT_LINE.sub('', str(error))}")
        return None
    except RecursionError:
        sheet.error(1, "nested too deep")
        return None
    raw = tool.get(_TABLE) if isinstance(tool, dict) else None
    lines = text.splitlines()
    head = re.compile(r"\s*\[\s*tool\s*\.\s*[\"']?" + _TABLE)
    start = next((at for at, line in enumerate(lines) if head.match(line)), 0)
    if not isinstance(raw, dict | None):
        sheet.error(start + 1, f"tool.{_TABLE} is {raw!r:.80}; write [tool.{_TABLE}], a table")
    for key in raw if isinstance(raw, dict) else ():
        here = re.compile(r"\s*[\"']?" + re.escape(key) + r"[\"']?\s*[=.]")
        after = (at for at in range(start, len(lines)) if here.match(lines[at]))
        sheet.lines[id(raw), key] = next(after, start) + 1
    return raw


def _known(sheet: Sheet, raw: Mapping[str, Any]) -> None:
    """Note the names that nobody knows, each in its line."""

    def ask(key: str, question: Callable[[], object]) -> None:
        if key in raw:
            try:
                question()
            except (RulesetError, ManifestError) as error:
                sheet.error(sheet.lines[id(raw), key], f"{key}: {error}")

    implementation = raw.get("implementation", "envoy-gateway")
    ask("implementation", lambda: reader_of(implementation))
    if not sheet.errors:
        ask("release", lambda: reader_of(implementation, raw["release"]))
    ask("mesh", lambda: [reader(each, mesh=True) for each in _words(raw["mesh"])])
    ask("select", lambda: codes(_words(raw["select"])))
    ask("ignore", lambda: codes((), _words(raw["ignore"])))
    ask("exclude", lambda: compiled(_list(raw["exclude"])))


def _wrong(key: str, value: Any) -> str:
    """What is wrong with a value."""
    shown = f"{key}: {value!r:.80}; write"
    if key in _LISTS and isinstance(value, list):
        return "" if all(isinstance(each, str) for each in value) else f"{shown} a list of texts"
    if not isinstance(value, str) or not value.strip():
        return f"{shown} a text in quotes{', or a list of them' if key in _LISTS else ''}"
    if key == "fail-on" and value not in FAIL_ON:
        return f"{shown} one of {', '.join(FAIL_ON)}"
    return ""


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _words(value: str | list[str]) -> tuple[str, ...]:
    return tuple(words(_list(value)))


def words(values: list[str]) -> list[str]:
    """Texts that may each hold several, with commas between.

    >>> words(["AP001,AP002", "AP003"])
    ['AP001', 'AP002', 'AP003']
    """
    return [word.strip() for value in values for word in value.split(",")]
