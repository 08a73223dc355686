"""What multi-cluster controllers really do with the field, as data, and the derived Service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from protocol_analysis.multicluster.merging import MergedPort
from protocol_analysis.releases import RulesetError
from protocol_analysis.sheets import Sheet, not_a_text, shown

KEP = "kep-1645"
_DOES = ("copies", "drops", "none")
_KEYS = {
    *("controller", "title", "import", "derived", "conflict", "nothing", "by_hand"),
    *("unverified", "text", "source"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """One row of `controllers.yaml`, whose top says what each of its words means."""

    controller: str
    title: str
    writes: str
    derived: str
    conflict: str
    nothing: str
    by_hand: str
    text: str
    source: str
    unverified: str = ""

    def carries(self, value: str | None, side: str) -> str | None:
        """What arrives of a value on an `import`, or on the Service `derived` from it."""
        dropping = {self.writes, *((self.derived,) if side == "derived" else ())}
        return None if "drops" in dropping else value

    def carried(self, port: MergedPort) -> str | None:
        """What the import carries of a port, once this controller has written it."""
        return self.carries(port.app_protocol, "import")


@cache
def controllers() -> Mapping[str, Controller]:
    """All that are known, by name. Raises RulesetError where the file is wrong.

    >>> [name for name, each in controllers().items() if each.writes == "drops"]
    ['linkerd']
    """
    file = resources.files("protocol_analysis") / "multicluster" / "controllers.yaml"
    return parse_controllers(file.read_text(encoding="utf-8"), file.name)


def parse_controllers(text: str, name: str) -> Mapping[str, Controller]:
    """Read and check the rows. All complaints come in one RulesetError, a line each.

    >>> parse_controllers("[]", "controllers.yaml")
    {}
    """
    sheet = Sheet(name)
    top = sheet.document(text)
    found: dict[str, Controller] = {}
    for at, raw in enumerate(top if isinstance(top, list) else ()):
        line = sheet.lines[id(top), at]
        if sheet.mapping("controller", raw, _KEYS, line, {"unverified"}, _wrong):
            facts = {("writes" if key == "import" else key): said for key, said in raw.items()}
            if facts["controller"] in found:
                sheet.error(line, f"controller {facts['controller']} stands twice")
            found[facts["controller"]] = Controller(**facts)
    sheet.stop()
    return found


def controller_of(name: str) -> Controller:
    """One of them. Raises RulesetError for a name that is not known.

    >>> controller_of("cilium").derived
    'copies'
    """
    if name not in controllers():
        raise RulesetError(f"{name!r} is no controller; known are {', '.join(controllers())}")
    return controllers()[name]


def _wrong(key: str, value: Any) -> str:
    if key in ("import", "derived") and value not in _DOES:
        return f"{key}: {shown(value)}; write one of {', '.join(_DOES)}"
    return not_a_text(key, value)
