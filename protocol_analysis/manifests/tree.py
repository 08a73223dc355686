"""What a document is made of: nodes, each with its position, and how Kubernetes reads a scalar.

YAML's value of a scalar depends on who reads it. Kubernetes reads YAML 1.1 through its own table
(`on` and `y` are booleans, `12:30` is none), so scalars stay *text with a plain/quoted mark* here,
and `Scalar.value` applies Kubernetes' reading (sigs.k8s.io/yaml, goyaml.v2/resolve.go).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import Any

_BOOLEANS = {
    **dict.fromkeys(
        ("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"), True
    ),
    **dict.fromkeys(
        ("n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"), False
    ),
}
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_NO_NUMBERS = {
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_NUMERIC = frozenset("+-.0123456789")
_INTEGER = re.compile(
    r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[oO]?([0-7]+)|0[bB]([01]+)|(0|[1-9][0-9]*))\Z"
)
_BASES = (16, 8, 2, 10)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_MOST_DIGITS = 4_000  # Python refuses to read longer decimals as integers


@dataclass(slots=True)
class Scalar:
    """A scalar as written; `plain` where neither quotes nor a tag make it a string."""

    text: str
    plain: bool
    line: int
    column: int

    def value(self) -> Any:
        """The value as Kubernetes reads it: str, bool, int, float or None.

        >>> Scalar("on", True, 1, 1).value(), Scalar("on", False, 1, 1).value()
        (True, 'on')
        >>> Scalar("0755", True, 1, 1).value(), Scalar("12:30", True, 1, 1).value()
        (493, '12:30')
        """
        if not self.plain:
            return self.text
        if self.text in _NULLS:
            return None
        if self.text in _BOOLEANS:
            return _BOOLEANS[self.text]
        number = _number(self.text)
        return self.text if number is None else number

    def integer(self) -> int | None:
        """The scalar as an integer, quoted or not, `8e1` included; None where it is none."""
        value = replace(self, plain=True).value()
        if isinstance(value, float) and value.is_integer():
            return int(value)
        return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(text: str) -> int | float | None:
    """The number that plain text is; None where it is none."""
    if text in _NO_NUMBERS:
        return _NO_NUMBERS[text]
    if text[0] not in _NUMERIC:
        return None
    # Underscores go from what starts with a digit or a sign only: `_1` and `._1` are strings.
    digits = text if text[0] == "." else text.replace("_", "")
    found = _INTEGER.match(digits)
    # `08` is no octal; it becomes a float, as does what is too long for an integer.
    if found and len(found[5] or "") <= _MOST_DIGITS:
        written, base = next((d, b) for d, b in zip(found.groups()[1:], _BASES, strict=True) if d)
        return int(found[1] + written, base)
    if not _FLOAT.match(digits):
        return None
    value = float(digits)
    # `1e400` is a string; a whole number of any length stays a number.
    return None if math.isinf(value) and not found else value


@dataclass(slots=True)
class Mapping:
    """A mapping: nodes by key, and the keys themselves. `size` counts what is inside."""

    line: int
    column: int
    size: int = 1
    items: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Scalar] = field(default_factory=dict)


@dataclass(slots=True)
class Sequence:
    """A list of nodes. `size` counts what is inside."""

    line: int
    column: int
    size: int = 1
    items: list[Node] = field(default_factory=list)


Node = Scalar | Mapping | Sequence


@dataclass(slots=True)
class Document:
    """One document of a stream: its root, or why there is none.

    `template` where it holds `{{`, as Helm's templates do.
    """

    number: int
    line: int
    root: Node | None = None
    error: str = ""
    column: int = 1
    duplicates: list[Scalar] = field(default_factory=list)
    template: bool = False
