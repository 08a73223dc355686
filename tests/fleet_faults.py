"""The faults of a fleet: one function each, which says what is to be found, and how bad it is.

`fleet` makes a fleet with any of them.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from protocol_analysis.model import MCS
from tests.fleets import (
    DEAD,
    FOREIGN,
    GATEWAY,
    H2C,
    NEW,
    OLD,
    WS,
    Fleet,
    Named,
    Objects,
    a_name,
    a_route,
    an_import,
    an_object,
    copied,
    exported,
    objects_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TLS_TOO = ("", "HTTPRoute", "GRPCRoute")


@dataclass
class Turn:
    """One name of a fleet in the making, for a fault to be put into it."""

    dice: random.Random
    of: Named
    objects: Objects
    made: Fleet

    @property
    def younger(self) -> str:
        """The second exporter."""
        return self.of.exporters[1]

    def has(self, kind: str, cluster: str, port: int = 8080, *, error: bool = False) -> None:
        """What is to be found."""
        severity = "error" if error else "warning"
        self.made.faults.add((kind, cluster, self.of.name, port, severity))

    def ports(self, cluster: str, kind: str = "Service") -> list[dict[str, Any]]:
        """The ports of the name's object in a cluster."""
        found: list[dict[str, Any]] = self.objects[cluster, kind, self.of.name]["spec"]["ports"]
        return found

    def importer(self) -> str:
        """A cluster that only imports it."""
        return self.dice.choice([c for c in self.of.importers if c not in self.of.exporters])

    def all_say(self, value: str) -> None:
        """All that export and import it say so."""
        self.of.ports[0]["appProtocol"] = value
        self.anew()

    def no_websocket(self) -> None:
        """Another value where it is one that forces HTTP/1.1 on GRPCRoutes too."""
        if self.of.ports[0].get("appProtocol") == WS:
            self.all_say("http")

    def anew(self) -> None:
        """Its objects, made again."""
        self.objects.clear()
        self.objects.update(objects_of(self.of))

    def led(self, cluster: str, *kinds: str) -> bool:
        """Whether a route leads to the import there, of one of these kinds."""
        return self.of.routes.get(cluster, "") in (kinds or ("HTTPRoute", "GRPCRoute", "TCPRoute"))

    def maybe_route(self, cluster: str, to: str = "Service", name: str = "") -> bool:
        """An HTTPRoute to another object, half of the time; whether there is one."""
        if self.dice.random() < 0.5:
            return False
        route = a_route(self.of, "HTTPRoute", to=to, name=name)
        self.objects[cluster, f"HTTPRoute to {to}", name or self.of.name] = route
        return True


def conflict(turn: Turn) -> None:
    """Another number: it is left out, and only who wants that number meets nothing."""
    turn.ports(turn.younger)[0]["port"] = 8081
    wanted = turn.dice.random() < 0.5
    if wanted:
        cluster = turn.importer()
        route = a_route(turn.of, "HTTPRoute", port=8081)
        turn.objects[cluster, "HTTPRoute to 8081", turn.of.name] = route
    turn.has("conflict", turn.younger, 8081, error=wanted)


def conflict_of_names(turn: Turn) -> None:
    turn.ports(turn.younger)[0]["name"] = "other"
    turn.has("conflict", turn.younger)


def conflict_of_types(turn: Turn) -> None:
    turn.objects[turn.younger, "Service", turn.of.name]["spec"]["clusterIP"] = "None"
    turn.has("conflict", turn.younger)


def unequal_ports(turn: Turn) -> None:
    del turn.ports(turn.younger)[1]
    turn.has("unequal ports", turn.younger, 9090)


def overridden(turn: Turn) -> None:
    """Who comes through an import by HTTPRoute speaks as the oldest says; others by their kind."""
    turn.no_websocket()
    turn.ports(turn.younger)[0]["appProtocol"] = "grpc"
    through = any(turn.led(cluster, "HTTPRoute") for cluster in turn.of.importers)
    other = turn.of.ports[0].get("appProtocol") != H2C
    turn.has("overridden", turn.younger, error=through and other)


def name_and_value(turn: Turn) -> None:
    overridden(turn)
    conflict_of_names(turn)


def lost(turn: Turn) -> None:
    turn.all_say(H2C)
    cluster = turn.importer()
    del turn.ports(cluster, "ServiceImport")[0]["appProtocol"]
    turn.has("lost", cluster, error=turn.led(cluster, "HTTPRoute"))


def edited(turn: Turn) -> None:
    turn.no_websocket()
    cluster = turn.importer()
    turn.ports(cluster, "ServiceImport")[0]["appProtocol"] = "by-hand"
    spoken_otherwise = turn.of.ports[0].get("appProtocol") == H2C
    turn.has("edited", cluster, error=spoken_otherwise and turn.led(cluster, "HTTPRoute"))


def renamed(turn: Turn) -> None:
    """A port of the import that somebody gave another name."""
    cluster = turn.importer()
    turn.ports(cluster, "ServiceImport")[1]["name"] = "numbers"
    turn.has("edited", cluster, 9090)


def nameless(turn: Turn) -> None:
    cluster = turn.importer()
    del turn.ports(cluster, "ServiceImport")[1]["name"]
    turn.has("edited", cluster, 9090)


def missing_import(turn: Turn) -> None:
    cluster = turn.importer()
    del turn.objects[cluster, "ServiceImport", turn.of.name]
    turn.objects[cluster, "Namespace", turn.of.name] = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": f"of-{turn.of.name}"},
    }
    turn.has("missing import", cluster, 8080, error=turn.led(cluster))
    turn.has("missing import", cluster, 9090)


def import_that_is_nowhere(turn: Turn) -> None:
    cluster = turn.importer()
    gone = f"{turn.of.name}-gone"
    route = a_route(turn.of, "HTTPRoute", name=gone)
    turn.objects[cluster, "HTTPRoute to nothing", gone] = route
    turn.made.faults.add(("missing import", cluster, gone, 8080, "warning"))


def orphan_import(turn: Turn) -> None:
    for cluster in turn.of.exporters:
        for kind in ("Service", "ServiceExport"):
            del turn.objects[cluster, kind, turn.of.name]
    for cluster in turn.of.importers:
        for port in (8080, 9090):
            turn.has("orphan import", cluster, port)


def missing_port(turn: Turn) -> None:
    cluster, at = turn.importer(), turn.dice.choice([0, 1])
    del turn.ports(cluster, "ServiceImport")[at]
    turn.has("missing port", cluster, (8080, 9090)[at], error=at == 0 and turn.led(cluster))


def port_of_no_export(turn: Turn) -> None:
    cluster = turn.importer()
    old = {"name": "old", "port": 7000, "protocol": "TCP"}
    turn.ports(cluster, "ServiceImport").append(old)
    turn.has("missing port", cluster, 7000)


def dead_import(turn: Turn) -> None:
    turn.all_say("grpc")
    behind = turn.made.of(DEAD)
    turn.has("dead import", behind, error=turn.led(behind, "HTTPRoute"))


def lost_and_dead(turn: Turn) -> None:
    """With its value it would be spoken the same: the loss is to blame for nothing."""
    turn.all_say("grpc")
    behind = turn.made.of(DEAD)
    del turn.ports(behind, "ServiceImport")[0]["appProtocol"]
    turn.has("lost", behind)
    turn.has("dead import", behind, error=turn.led(behind, "HTTPRoute"))


def dead_beside_udp(turn: Turn) -> None:
    """Two transports on one number; a UDPRoute leads to the one that has no value."""
    behind = turn.made.of(DEAD)
    turn.of.routes = dict.fromkeys(turn.of.importers, "UDPRoute")
    turn.of.ports[0] |= {"port": 8080, "appProtocol": "grpc"}
    turn.of.ports[1] = {"name": "datagrams", "port": 8080, "protocol": "UDP"}
    turn.anew()
    turn.has("dead import", behind)


def unread_import(turn: Turn) -> None:
    cluster = turn.made.of(FOREIGN)
    turn.objects[cluster, "ServiceImport", turn.of.name] = an_import(turn.of)
    led = turn.maybe_route(cluster, "ServiceImport")
    turn.has("unread import", cluster, 8080, error=led)
    turn.has("unread import", cluster, 9090)


def release_skew(turn: Turn) -> None:
    """Exported by the oldest gateway too, to which `grpc` says nothing on a Service either."""
    oldest, behind = turn.made.of(OLD), turn.made.of(DEAD)
    turn.of.importers.remove(behind)
    turn.all_say("grpc")
    created = "2026-01-01T00:00:00Z" if all(turn.of.created.values()) else ""
    turn.objects.update(exported(turn.of, oldest, created))
    turn.has("release skew", oldest, error=turn.maybe_route(oldest))


def name_and_skew(turn: Turn) -> None:
    release_skew(turn)
    oldest = turn.made.of(OLD)
    turn.ports(oldest)[0]["name"] = "other"
    turn.has("conflict", oldest)


def tls(turn: Turn) -> None:
    cluster = _policy(turn)
    turn.has("tls", cluster, 8080, error=turn.led(cluster))
    turn.has("tls", cluster, 9090)


def lost_beside_tls(turn: Turn) -> None:
    """The value that is lost says what is spoken anyway; the policy is what is otherwise."""
    turn.all_say("http")
    cluster = _policy(turn)
    del turn.ports(cluster, "ServiceImport")[0]["appProtocol"]
    turn.has("lost", cluster)
    turn.has("tls", cluster, 8080, error=turn.led(cluster))
    turn.has("tls", cluster, 9090)


def _policy(turn: Turn) -> str:
    cluster = turn.importer()
    turn.of.routes[cluster] = turn.dice.choice(TLS_TOO)
    turn.anew()
    target = {"group": MCS, "kind": "ServiceImport", "name": turn.of.name}
    turn.objects[cluster, "BackendTLSPolicy", turn.of.name] = an_object(
        GATEWAY,
        "BackendTLSPolicy",
        turn.of.name,
        turn.of.name,
        spec={"targetRefs": [target]},
    )
    return cluster


def turned(turn: Turn) -> None:
    """A neighbour in the rule says HTTP/2, and both are one Envoy cluster."""
    turn.all_say("http")
    cluster, name = turn.importer(), f"{turn.of.name}-beside"
    ports = [{"name": "main", "port": 8080, "appProtocol": H2C}]
    turn.objects[cluster, "Service", name] = an_object(
        "v1", "Service", name, turn.of.name, spec={"ports": ports}
    )
    route = a_route(turn.of, "HTTPRoute")
    route["metadata"]["name"] = "together"
    route["spec"]["rules"][0]["backendRefs"].append({"name": name, "port": 8080})
    turn.objects[cluster, "HTTPRoute to both", name] = route
    turn.has("turned", cluster, error=True)


def unknown_port(turn: Turn) -> None:
    cluster = turn.importer()
    turn.objects[cluster, "HTTPRoute to 7001", turn.of.name] = a_route(
        turn.of, "HTTPRoute", port=7001
    )
    turn.has("missing port", cluster, 7001, error=True)


def derived_lost(turn: Turn) -> None:
    """The Service that a controller made of the import has no value; whoever means it is misled."""
    turn.all_say(H2C)
    cluster, name = turn.importer(), f"derived-{turn.of.name}"
    item = turn.objects[cluster, "ServiceImport", turn.of.name]
    item["metadata"]["annotations"] = {"multicluster.kubernetes.io/derived-service": name}
    _without_value(turn, cluster, name)
    turn.has("lost", cluster, error=turn.maybe_route(cluster, name=name))


def mirror_lost(turn: Turn) -> None:
    turn.all_say(H2C)
    oldest, cluster = turn.of.exporters[0], turn.importer()
    name = f"{turn.of.name}-{oldest}"
    own = turn.objects[oldest, "Service", turn.of.name]
    own["metadata"]["labels"] = {"mirror.linkerd.io/exported": "true"}
    mirror = _without_value(turn, cluster, name)
    mirror["metadata"]["labels"] = {
        "mirror.linkerd.io/mirrored-service": "true",
        "mirror.linkerd.io/cluster-name": oldest,
    }
    severity = "error" if turn.maybe_route(cluster, name=name) else "warning"
    turn.made.faults.add(("lost", cluster, name, 8080, severity))


def _without_value(turn: Turn, cluster: str, name: str) -> dict[str, Any]:
    ports = copied(turn.of.ports)
    del ports[0]["appProtocol"]
    made = an_object("v1", "Service", name, turn.of.name, spec={"ports": ports})
    turn.objects[cluster, "Service", name] = made
    return made


def no_service(turn: Turn) -> None:
    del turn.objects[turn.younger, "Service", turn.of.name]
    turn.has("no service", turn.younger)


def external_name(turn: Turn) -> None:
    turn.objects[turn.younger, "Service", turn.of.name]["spec"]["type"] = "ExternalName"
    turn.has("no service", turn.younger)


def ambiguous(turn: Turn) -> None:
    """Said again further down, and otherwise: of two, the first is read."""
    cluster = turn.importer()
    # A reference to the name would mean either of them.
    turn.of.routes[cluster] = ""
    turn.anew()
    again = json.loads(json.dumps(turn.objects[cluster, "ServiceImport", turn.of.name]))
    again["spec"]["ports"][0]["appProtocol"] = "again"
    turn.made.late.append((cluster, again))
    turn.has("ambiguous", cluster)


FAULTS: dict[str, Callable[[Turn], None]] = {
    function.__name__: function
    for function in (
        *(conflict, conflict_of_names, conflict_of_types, unequal_ports, overridden),
        *(name_and_value, lost, edited, renamed, nameless, missing_import, orphan_import),
        *(import_that_is_nowhere, missing_port, port_of_no_export, dead_import, lost_and_dead),
        *(dead_beside_udp, unread_import, release_skew, name_and_skew, tls, lost_beside_tls),
        *(turned, unknown_port, derived_lost, mirror_lost, no_service, external_name, ambiguous),
    )
}


def fleet(clusters: int, names: int, seed: int, kinds: Sequence[str] | None = None) -> Fleet:
    """A fleet in which a third of the names has a fault, kind by kind."""
    dice = random.Random(seed)  # noqa: S311 - the same fleet each time is what is wanted
    all_of = [f"c{number:02}" for number in range(clusters)]
    special = (FOREIGN, f"envoy-gateway:{DEAD}", f"envoy-gateway:{OLD}")
    readers = dict.fromkeys(all_of, f"envoy-gateway:{NEW}")
    readers |= dict(zip(all_of[-3:], special, strict=True))
    made = Fleet(clusters={name: [] for name in all_of}, readers=readers)
    turns = [*(FAULTS if kinds is None else kinds)] * names
    for number in range(names):
        named = a_name(dice, f"s{number:03}", all_of)
        objects = objects_of(named)
        if turns and number % 3 == 0:
            FAULTS[turns[number // 3]](Turn(dice, named, objects, made))
        for (cluster, _, _), item in objects.items():
            made.clusters[cluster].append(item)
    for items in made.clusters.values():
        dice.shuffle(items)
    for cluster, item in made.late:
        made.clusters[cluster].append(item)
    return made
