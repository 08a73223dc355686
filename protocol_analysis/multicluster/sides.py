"""One port of one name on all its sides: what is compared, in the table and along an order. Pure.

The sides of a port are the Services that export it, the imports that have it, and the Services that
controllers derived from those. What an import leaves out is no side of anything, and a port that
only imports have has sides all the same: two imports that were spoken alike can be parted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from protocol_analysis.model import Meta, Service, ServicePort
from protocol_analysis.multicluster.controllers import Controller, controller_of
from protocol_analysis.multicluster.exporting import HERE, Import, Port, Shared, key_of
from protocol_analysis.multicluster.hearing import AS_DECLARED, Ear, Way, plain
from protocol_analysis.multicluster.merging import MergedPort, merged
from protocol_analysis.multicluster.mirroring import MIRRORS
from protocol_analysis.readings import UNSENT, word_of

EXPORT, IMPORT, DERIVED = "export", "import", "derived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A port of one object in one cluster. `side` is one of EXPORT, IMPORT, DERIVED."""

    cluster: str
    side: str
    service: Service
    port: ServicePort

    @property
    def key(self) -> tuple[str, Meta, Port]:
        """What tells it from all others."""
        return (self.cluster, self.service.meta, key_of(self.port))

    @property
    def value(self) -> str | None:
        """What it declares; nothing and an empty text are the same."""
        return self.port.app_protocol or None

    @property
    def place(self) -> str:
        """Its cluster, in a sentence."""
        return self.cluster or HERE

    def __str__(self) -> str:
        return f"{self.service.meta.kind} of {self.place}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Across:
    """A port on all its sides. `merged` is None where no export at hand has it.

    What is spoken to the first side, in its own cluster, is what is meant, and its value is the one
    that is `wanted` everywhere.
    """

    of: Shared
    key: Port
    merged: MergedPort | None
    sides: tuple[Side, ...]
    wanted: str | None

    @property
    def plain(self) -> Way:
        """How its sides are compared, whatever leads there."""
        return plain(self.sides[0].port)

    @property
    def name(self) -> str | None:
        """The name that it should have on every side; None where no export says one."""
        return self.merged.port.name if self.merged else None

    def due(self, side: Side, controller: Controller) -> str | None:
        """The value that a side gets once its controllers have written it."""
        return self.wanted if side.side == EXPORT else controller.carries(self.wanted, side.side)

    def right(self, side: Side, value: str | None, controller: Controller) -> bool:
        """Whether a value is what the exports give a side, or what its controller makes of that."""
        return value in (self.wanted, self.due(side, controller))


def ports_across(of: Shared) -> list[Across]:
    """The ports that the import should have, then those that only imports have.

    >>> ports_across(Shared(name=("shop", "cart", "multicluster.x-k8s.io")))
    []
    """
    ports = {port.key: port for port in merged(of)}
    others = sorted({key for each in of.imports for key in each.ports} - set(ports))
    found = []
    for key in (*ports, *others):
        port = ports.get(key)
        sides = (*(_exports(port) if port else ()), *_imports(of.imports, key))
        wanted = sides[0].value
        found.append(Across(of=of, key=key, merged=port, sides=sides, wanted=wanted))
    return found


def writes_of(of: Shared, controller: Controller) -> Controller:
    """Who writes the imports of a name: mirrors are always written by the one that mirrors."""
    return controller_of("linkerd") if of.name[2] == MIRRORS else controller


@dataclass(frozen=True, slots=True, kw_only=True)
class Amiss:
    """What is amiss at a side: its `value`, which should be `right`; and something `else_`.

    Something else is a way by which it would not be spoken what is meant if the value were right.
    """

    value: bool
    right: str | None
    else_: Way | None


def amiss(
    differs: Callable[[str | None], Way | None],
    port: Across,
    side: Side,
    by: Controller,
    said: str | None = AS_DECLARED,
) -> Amiss:
    """What is amiss at a side, as it is or with another value.

    `differs` tells the way by which it is not spoken what is meant, with a value.
    """
    value, wanted = side.value if said == AS_DECLARED else said or None, port.wanted
    wrong = not port.right(side, value, by)
    if not wrong and value != wanted:
        # Its controller made that of it: a fault only where it is spoken otherwise for it.
        wrong = differs(said) is not None
    # What is no string is no value: it is left as it stands.
    kept = AS_DECLARED if side.port.rejected and said == AS_DECLARED else value
    right = wanted if wrong else kept
    return Amiss(value=wrong, right=right, else_=differs(right))


def aside(ear: Ear, of: Shared, side: Side) -> bool:
    """Whether a side is an import that no route means and no gateway takes, beside what is read.

    What is derived from it is at hand, and is compared.
    """
    derived = any(each.derived and each.cluster == side.cluster for each in of.imports)
    if side.side != IMPORT or not derived:
        return False
    silent = word_of(ear.hear(side.service, side.port)) in UNSENT
    return silent and not ear.leading(side.service, side.port)


def is_turned(word: str, home: str, alone: str, meant: str) -> bool:
    """Whether a neighbour or a policy makes a reference differ from one at home.

    `alone` and `meant` are what the two would be spoken by themselves: nothing of the port differs.

    >>> is_turned("h2", "http/1.1", "http/1.1", "http/1.1")
    True
    >>> is_turned("h2", "http/1.1", "h2", "http/1.1"), is_turned("not read", "h2", "h2", "h2")
    (False, False)
    """
    return alone == meant and word != home and not {word, home} & {*UNSENT}


def unlike(
    spoken: Callable[[Way], str], meant: Callable[[Way], str], ways: Iterable[Way], plain: Way
) -> Iterator[tuple[Way, str, str]]:
    """The ways by which something else is spoken than is meant: the way, and both words.

    Where the one that speaks for all takes no such route, nothing is meant by it; but for the
    `plain` way, by which all are compared.

    >>> http, grpc, tls = (Way(route=f"{kind}Route") for kind in ("HTTP", "GRPC", "TLS"))
    >>> words = {http: "h2", grpc: "h2", tls: "tcp"}
    >>> meant = {http: "http/1.1", grpc: "h2", tls: "not read"}
    >>> [str(way) for way, _, _ in unlike(words.get, meant.get, words, http)]
    ['HTTPRoute']
    """
    for way in ways:
        here, there = spoken(way), meant(way)
        if here != there and (way == plain or there not in UNSENT):
            yield way, here, there


def _exports(port: MergedPort) -> Iterator[Side]:
    """The oldest export's Service, then those of the others that have this port."""
    yield Side(cluster=port.winner.cluster, side=EXPORT, service=port.service, port=port.port)
    for claim in port.claims:
        yield Side(
            cluster=claim.export.cluster, side=EXPORT, service=claim.service, port=claim.port
        )


def _imports(imports: tuple[Import, ...], key: Port) -> Iterator[Side]:
    for each in imports:
        if here := each.port(key):
            yield Side(cluster=each.cluster, side=IMPORT, service=each.service, port=here)
        if each.derived and (there := each.derived_port(key)):
            yield Side(cluster=each.cluster, side=DERIVED, service=each.derived, port=there)
