"""Which listener takes a route: by hostname, by kind and by namespace. Cases have names."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from protocol_analysis import load
from protocol_analysis.attaching import Attaching
from protocol_analysis.scope import Scope
from protocol_analysis.wiring import wire

OPEN = {"namespaces": {"from": "All"}}
LABELLED = {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"routes": "public"}}}}

# hostname and allowedRoutes of the listener, hostnames of the route, whether it is taken
CASES = {
    "no hostname anywhere": (None, OPEN, [], True),
    "the route names one": (None, OPEN, ["a.example.com"], True),
    "the listener names one": ("a.example.com", OPEN, [], True),
    "the same": ("a.example.com", OPEN, ["b.example.com", "a.example.com"], True),
    "another": ("a.example.com", OPEN, ["b.example.com"], False),
    "a wildcard takes what ends so": ("*.example.com", OPEN, ["a.b.example.com"], True),
    "a wildcard does not take its own end": ("*.example.com", OPEN, ["example.com"], False),
    "the route has the wildcard": ("a.example.com", OPEN, ["*.example.com"], True),
    "two wildcards": ("*.a.example.com", OPEN, ["*.example.com"], True),
    "kinds that name it": (None, {**OPEN, "kinds": [{"kind": "HTTPRoute"}]}, [], True),
    "kinds that do not": (None, {**OPEN, "kinds": [{"kind": "GRPCRoute"}]}, [], False),
    "only its own namespace, which is the default": (None, {}, [], False),
    "a selector that the namespace has": (None, LABELLED, [], True),
    "a selector that it lacks": (
        None,
        {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"routes": "inner"}}}},
        [],
        False,
    ),
    "no namespace at all": (None, {"namespaces": {"from": "None"}}, [], False),
}


def manifests(hostname: str | None, allowed: object, hostnames: list[str], *, told: bool) -> str:
    gateway = "gateway.networking.k8s.io/v1"
    listener = {"name": "web", "protocol": "HTTP", "port": 80, "allowedRoutes": allowed}
    documents = [
        {
            "apiVersion": gateway,
            "kind": "Gateway",
            "metadata": {"name": "public", "namespace": "gateways"},
            "spec": {"listeners": [listener | ({"hostname": hostname} if hostname else {})]},
        },
        {
            "apiVersion": gateway,
            "kind": "HTTPRoute",
            "metadata": {"name": "shop", "namespace": "shop"},
            "spec": {
                "parentRefs": [{"name": "public", "namespace": "gateways"}],
                "hostnames": hostnames,
                "rules": [{"backendRefs": [{"name": "web", "port": 80}]}],
            },
        },
    ]
    if told:
        labels = {"name": "shop", "labels": {"routes": "public"}}
        documents.append({"apiVersion": "v1", "kind": "Namespace", "metadata": labels})
    return yaml.safe_dump_all(documents)


def taken(folder: Path, text: str) -> bool:
    file = folder / "a.yaml"
    file.write_text(text, encoding="utf-8")
    inventory = load(file)
    assert not inventory.unreadable
    attaching = Attaching(inventory, Scope(inventory), wire().at("v1.9.0"))
    return [place.listener for place in attaching.places(inventory.routes[0])] != []


@pytest.mark.parametrize("name", CASES)
def test_a_listener_takes_a_route(name: str, tmp_path: Path) -> None:
    hostname, allowed, hostnames, expected = CASES[name]
    assert taken(tmp_path, manifests(hostname, allowed, hostnames, told=True)) == expected


def test_a_namespace_that_is_not_at_hand_is_taken_to_have_the_labels(tmp_path: Path) -> None:
    assert taken(tmp_path, manifests(None, LABELLED, [], told=False))
