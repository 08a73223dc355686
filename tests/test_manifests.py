"""Manifests → nouns: every kind with its positions, lists, fixtures, and what is wrong in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol_analysis import Inventory, load
from protocol_analysis.manifests.kinds import KINDS
from protocol_analysis.model import Position, Problem

SERVICE = "apiVersion: v1\nkind: Service\n"
BACKEND = "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: Backend\n"
ROUTE = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"
CONFIG = "apiVersion: v1\nkind: ConfigMap\n"


@pytest.fixture(name="folder", autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test reads from a folder of its own, by short names."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(text: str, name: str = "m.yaml") -> Inventory:
    """What is read of one file."""
    Path(name).write_text(text, encoding="utf-8", newline="")
    return load(name)


def said(problems: tuple[Problem, ...]) -> list[str]:
    """Each problem without its file: `line:column: reason`."""
    return [str(problem).removeprefix(problem.position.file + ":") for problem in problems]


def names(inventory: Inventory) -> list[str]:
    """The Services that were read."""
    return [service.meta.name for service in inventory.services]


def named(name: str, of: str = SERVICE) -> str:
    return f"{of}metadata: {{name: {name}}}\n"


# Every version that was or is served, from the kinds' own release notes, and where it goes to.
GATEWAY_VERSIONS = "v1alpha2 v1beta1 v1"
READ = [
    ("Service", "", "v1", "services"),
    ("ServiceImport", "multicluster.x-k8s.io", "v1alpha1 v1beta1", "service_imports"),
    ("ServiceImport", "net.gke.io", "v1", "service_imports"),
    ("ServiceImport", "networking.fleet.azure.com", "v1alpha1", "service_imports"),
    ("ServiceImport", "application-networking.k8s.aws", "v1alpha1", "service_imports"),
    ("ServiceExport", "multicluster.x-k8s.io", "v1alpha1 v1beta1", "others"),
    ("ServiceExport", "net.gke.io", "v1", "others"),
    ("ServiceExport", "networking.fleet.azure.com", "v1alpha1", "others"),
    ("ServiceExport", "application-networking.k8s.aws", "v1alpha1", "others"),
    ("EndpointSlice", "discovery.k8s.io", "v1alpha1 v1beta1 v1", "others"),
    ("Backend", "gateway.envoyproxy.io", "v1alpha1", "backends"),
    ("HTTPRoute", "gateway.networking.k8s.io", GATEWAY_VERSIONS, "routes"),
    ("GRPCRoute", "gateway.networking.k8s.io", "v1alpha2 v1", "routes"),
    ("TLSRoute", "gateway.networking.k8s.io", "v1alpha2 v1alpha3 v1", "routes"),
    ("TCPRoute", "gateway.networking.k8s.io", "v1alpha2", "routes"),
    ("UDPRoute", "gateway.networking.k8s.io", "v1alpha2", "routes"),
    ("Gateway", "gateway.networking.k8s.io", GATEWAY_VERSIONS, "gateways"),
    ("GatewayClass", "gateway.networking.k8s.io", GATEWAY_VERSIONS, "gateway_classes"),
    ("ReferenceGrant", "gateway.networking.k8s.io", GATEWAY_VERSIONS, "grants"),
    ("BackendTLSPolicy", "gateway.networking.k8s.io", "v1alpha2 v1alpha3 v1", "tls_policies"),
    ("BackendTrafficPolicy", "gateway.envoyproxy.io", "v1alpha1", "traffic_policies"),
    ("ClientTrafficPolicy", "gateway.envoyproxy.io", "v1alpha1", "client_policies"),
    ("EnvoyPatchPolicy", "gateway.envoyproxy.io", "v1alpha1", "patch_policies"),
    ("HTTPRouteFilter", "gateway.envoyproxy.io", "v1alpha1", "filters"),
    ("EnvoyProxy", "gateway.envoyproxy.io", "v1alpha1", "proxies"),
    ("SecurityPolicy", "gateway.envoyproxy.io", "v1alpha1", "referrers"),
    ("EnvoyExtensionPolicy", "gateway.envoyproxy.io", "v1alpha1", "referrers"),
    ("ListenerSet", "gateway.networking.k8s.io", "v1", "listener_sets"),
    ("XListenerSet", "gateway.networking.x-k8s.io", "v1alpha1", "listener_sets"),
    ("CustomResourceDefinition", "apiextensions.k8s.io", "v1beta1 v1", "definitions"),
    ("Deployment", "apps", "v1beta1 v1beta2 v1", "workloads"),
    ("StatefulSet", "apps", "v1beta1 v1beta2 v1", "workloads"),
    ("DaemonSet", "apps", "v1beta2 v1", "workloads"),
    ("ReplicaSet", "apps", "v1beta2 v1", "workloads"),
    ("ReplicationController", "", "v1", "workloads"),
    ("Job", "batch", "v1", "workloads"),
    ("CronJob", "batch", "v1beta1 v1", "workloads"),
    ("Pod", "", "v1", "workloads"),
    ("Rollout", "argoproj.io", "v1alpha1", "workloads"),
    ("Ingress", "networking.k8s.io", "v1beta1 v1", "exposures"),
    ("Ingress", "extensions", "v1beta1", "exposures"),
    ("Namespace", "", "v1", "others"),
]


@pytest.mark.parametrize(
    ("kind", "group", "version", "into"),
    [
        pytest.param(kind, group, version, into, id=f"{kind}.{version}.{group}")
        for kind, group, versions, into in READ
        for version in versions.split()
    ],
)
def test_kind_in_every_version(kind: str, group: str, version: str, into: str) -> None:
    assert version in KINDS[group, kind].versions
    inventory = read(
        f"apiVersion: {group + '/' if group else ''}{version}\n{named('a', '')}kind: {kind}"
    )
    (found,) = getattr(inventory, into)
    wide = ("GatewayClass", "CustomResourceDefinition", "Namespace")
    namespace = "" if kind in wide else "default"
    assert (found.meta.kind, found.meta.group) == (kind, group)
    assert (found.meta.namespace, found.meta.name) == (namespace, "a")
    assert (inventory.unread, inventory.unreadable, inventory.warnings) == ((), (), ())


def test_no_other_kind_is_read() -> None:
    assert {(group, kind) for kind, group, _, _ in READ} == set(KINDS)
    inventory = read(
        "apiVersion: serving.knative.dev/v1\nkind: Service\n---\n" + CONFIG + "---\n{}"
    )
    assert inventory.services == ()
    assert inventory.unread == (
        ("ConfigMap", 1),
        ("no kind", 1),
        ("serving.knative.dev/Service", 1),
    )


EVERYTHING = """\
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop, creationTimestamp: "2024-03-01T12:00:00Z"}
spec:
  type: ExternalName
  ports:
  - port: 80
    appProtocol: h2c # plain
  - {"name": "two", "port": "0x51", "protocol": "UDP", "appProtocol": "grpc"}
  - port: 82
--- # a comment
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: Backend
metadata: {name: free}
spec:
  type: DynamicResolver
  endpoints: [{fqdn: {hostname: a.example}}, {unix: {path: /run/a.sock}}]
  tls: {}
  appProtocols:
  - gateway.envoyproxy.io/h2c
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec:
  parentRefs: [{name: edge, sectionName: https}, {kind: Service, group: "", name: mesh}]
  rules:
  - {}
  - filters: [{type: RequestMirror, requestMirror: {backendRef: {name: copy, port: 80}}}]
    backendRefs:
    - name: cart
      namespace: shop
      port: 80
      weight: 0
    - group: gateway.envoyproxy.io
      kind: Backend
      name: free
      filters:
      - type: RequestMirror
        requestMirror:
          backendRef:
            name: own
"""


def standing(position: Position | None) -> str:
    """The rest of the line where something stands."""
    assert position is not None
    lines = Path(position.file).read_text(encoding="utf-8").splitlines()
    return lines[position.line - 1][position.column - 1 :]


def test_what_is_read_and_where_it_stands() -> None:
    inventory = read(EVERYTHING)
    assert (inventory.unreadable, inventory.warnings, inventory.documents) == ((), (), 3)
    (service,), (backend,), (route,) = inventory.services, inventory.backends, inventory.routes

    assert (str(service.meta), service.type) == ("Service shop/cart", "ExternalName")
    assert service.meta.created == "2024-03-01T12:00:00Z"
    assert [
        (port.number, port.name, port.transport, port.app_protocol) for port in service.ports
    ] == [
        (80, "", "TCP", "h2c"),
        (81, "two", "UDP", "grpc"),
        (82, "", "TCP", None),
    ]
    assert [standing(port.where) for port in service.ports] == [
        "h2c # plain",
        '"grpc"}',
        "port: 82",
    ]

    assert (backend.type, backend.addresses, backend.tls) == (
        "DynamicResolver",
        frozenset({"FQDN", "UDS"}),
        True,
    )
    assert backend.app_protocol == ("gateway.envoyproxy.io/h2c",)
    assert standing(backend.declared_at) == "- gateway.envoyproxy.io/h2c"

    assert [(p.kind, p.group, p.section) for p in route.parents] == [
        ("Gateway", "gateway.networking.k8s.io", "https"),
        ("Service", "", None),
    ]
    refs = [(r.rule, r.role, r.backend, r.kind, f"{r.namespace}/{r.name}") for r in route.refs]
    assert refs == [
        (1, "forward", 0, "Service", "shop/cart"),
        (1, "forward", 1, "Backend", "default/free"),
        (1, "mirror", 0, "Service", "default/copy"),
        (1, "mirror", 1, "Service", "default/own"),
    ]
    assert [(r.port, r.weight) for r in route.refs] == [
        (80, 0),
        (None, None),
        (80, None),
        (None, None),
    ]
    assert [standing(ref.position) for ref in route.refs] == [
        "name: cart",
        "group: gateway.envoyproxy.io",
        "{name: copy, port: 80}}}]",
        "name: own",
    ]
    assert [meta.position.document for meta in (service.meta, backend.meta, route.meta)] == [
        1,
        2,
        3,
    ]


# An appProtocol as written → its value, or why Kubernetes would refuse it.
DECLARED = [
    ("h2c", "h2c"),
    ("'on'", "on"),
    ('""', ""),
    ("~", None),
    ("", None),
    ("on", "appProtocol: on is a boolean"),
    ("2", "appProtocol: 2 is a number"),
    ("0o755", "appProtocol: 0o755 is a number"),
    ("123456789012345678901234567890", "is a number"),
    (".inf", "is a number"),
    ("12:30", "12:30"),
    ("2024-01-02", "2024-01-02"),
    ("[grpc]", "appProtocol is a list or a mapping"),
    ("{a: b}", "appProtocol is a list or a mapping"),
]


@pytest.mark.parametrize(("written", "expected"), DECLARED, ids=[row[0] for row in DECLARED])
def test_app_protocol(written: str, expected: str | None) -> None:
    (service,) = read(f"{SERVICE}spec: {{ports: [{{port: 80, appProtocol: {written} }}]}}").services
    (port,) = service.ports
    if port.rejected:
        assert expected
        assert expected in port.rejected
        assert port.app_protocol is None
    else:
        assert port.app_protocol == expected
    assert standing(port.declared_at).startswith(written or "}")


# A Backend's appProtocols → their values, or why they would be refused.
LISTED = [
    ("[a, b]", ("a", "b")),
    ("[]", None),
    ("~", None),
    ("a", "no list"),
    ("''", "no list"),
    ("{a: b}", "no list"),
    ("[a, on]", "on is a boolean"),
    ("[a, [b]]", "a list or a mapping"),
    ("[a, ~]", "an empty item"),
]


@pytest.mark.parametrize(("written", "expected"), LISTED, ids=[row[0] for row in LISTED])
def test_app_protocols(written: str, expected: str | tuple[str, ...] | None) -> None:
    (backend,) = read(f"{BACKEND}spec: {{appProtocols: {written}}}").backends
    if isinstance(expected, str):
        assert expected in backend.rejected
        assert backend.app_protocol is None
    else:
        assert (backend.rejected, backend.app_protocol) == ("", expected)


@pytest.mark.parametrize(
    ("endpoints", "unix"),
    [("[{unix: {path: /a}}]", True), ("[{unix: ~}]", False), ("[{ip: {}}]", False), ("~", False)],
)
def test_a_unix_socket(endpoints: str, *, unix: bool) -> None:
    (backend,) = read(f"{BACKEND}spec: {{endpoints: {endpoints}}}").backends
    assert ("UDS" in backend.addresses) is unix


# A port as written → its number.
PORTS = [
    ("80", 80),
    ("'80'", 80),  # Kubernetes refuses the quotes; which port is meant is clear
    ("8_0", 80),
    ("0o120", 80),
    ("0x50", 80),
    ("8e1", 80),
    ("80.0", 80),
    ("2147483647", 2**31 - 1),
    ("-1", -1),  # no port either, but a number that a row can hold
    ("~", None),
]
NO_PORTS = ["http", "80.5", "on", "1:20", ".inf", ".nan", "1e400", "''", "[80]", "${PORT}"]
LONG_PORTS = ["2147483648", "-2147483648", "0x80000000", "1e30", "99999999999999999999999"]


@pytest.mark.parametrize(("written", "number"), PORTS, ids=[row[0] for row in PORTS])
def test_port(written: str, number: int | None) -> None:
    inventory = read(f"{SERVICE}spec: {{ports: [{{port: {written}}}]}}")
    assert [port.number for port in inventory.services[0].ports] == [number]
    assert inventory.unreadable == ()


@pytest.mark.parametrize("written", NO_PORTS + LONG_PORTS)
def test_what_is_no_port_is_said(written: str) -> None:
    inventory = read(f"{SERVICE}spec:\n  ports:\n  - port: {written}")
    assert [port.number for port in inventory.services[0].ports] == [None]
    what = "no integer of 32 bits" if written in LONG_PORTS else "no integer"
    assert said(inventory.unreadable) == [f"5:11: port is {what}, Kubernetes wants one"]


# What has the wrong shape, and what is said of it; the object is read all the same.
SHAPES = [
    ("ports", SERVICE + "spec: {ports: {port: 80}}", "3:15: ports is no list"),
    ("ports as text", SERVICE + "spec: {ports: 80}", "3:15: ports is no list"),
    ("port as text", SERVICE + "spec: {ports: [80]}", "3:16: ports has an item that is no mapping"),
    ("empty port", SERVICE + "spec: {ports: [~]}", "3:16: ports has an item that is no mapping"),
    ("spec", SERVICE + "spec: [ports]", "3:7: spec is no mapping"),
    ("metadata", SERVICE + "metadata: cart", "3:11: metadata is no mapping"),
    ("rules", ROUTE + "spec: {rules: {backendRefs: []}}", "3:15: rules is no list"),
    ("refs", ROUTE + "spec: {rules: [{backendRefs: a}]}", "3:30: backendRefs is no list"),
    ("ref", ROUTE + "spec: {rules: [{backendRefs: [a]}]}", "3:31: backendRefs has an item"),
    ("weight", ROUTE + "spec: {rules: [{backendRefs: [{weight: x}]}]}", "3:40: weight is no int"),
    ("endpoints", BACKEND + "spec: {endpoints: x}", "3:19: endpoints is no list"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), [pytest.param(*row, id=name) for name, *row in SHAPES])
def test_a_wrong_shape_is_said(text: str, reason: str) -> None:
    inventory = read(f"{text}\n---\n{named('next')}")
    (problem,) = said(inventory.unreadable)
    assert problem.startswith(reason)
    assert names(inventory)[-1] == "next"
    assert len(inventory.services) + len(inventory.routes) + len(inventory.backends) == 2


@pytest.mark.parametrize("empty", ["spec:", "spec: {}", "spec: {ports: }", "spec: {ports: []}", ""])
def test_what_is_empty_is_no_problem(empty: str) -> None:
    inventory = read(SERVICE + empty)
    assert [service.ports for service in inventory.services] == [()]
    assert inventory.unreadable == ()


def test_an_empty_namespace_or_transport_is_none() -> None:
    """As in Kubernetes, where the empty string is the zero value."""
    text = SERVICE + "metadata: {name: a, namespace: ''}\nspec: {ports: [{port: 1, protocol: ''}]}"
    (service,) = read(text).services
    assert (service.meta.namespace, service.ports[0].transport) == ("default", "TCP")


def test_an_object_without_api_version_is_read_with_a_warning() -> None:
    text = "kind: HTTPRoute\n---\nkind: ConfigMap\n---\nkind: Service\n---\n"
    # A list's own apiVersion is not that of its items, but for a typed one.
    text += "kind: List\napiVersion: v1\nitems: [{kind: GRPCRoute}]"
    inventory = read(text)
    assert (len(inventory.routes), len(inventory.services)) == (2, 1)
    assert inventory.unread == (("ConfigMap", 1),)
    assert said(inventory.warnings) == [
        "1:1: no apiVersion, which kubectl refuses: read as HTTPRoute of gateway.networking.k8s.io",
        "5:1: no apiVersion, which kubectl refuses: read as Service of v1",
        "9:9: no apiVersion, which kubectl refuses: read as GRPCRoute of gateway.networking.k8s.io",
    ]


# How many Services stand in a list, and what is counted as not read.
ITEMS = "{apiVersion: v1, kind: Service}, {apiVersion: v1, kind: Role}"
ROLES = (("Role", 2),)
LISTS = [
    ("list", f"kind: List\napiVersion: v1\nitems: [{ITEMS}]", 1, (("Role", 1),)),
    ("nested", f"kind: List\nitems: [{{kind: List, items: [{ITEMS}]}}, {ITEMS}]", 2, ROLES),
    ("typed", "kind: ServiceList\napiVersion: v1\nitems: [{metadata: {}}, {kind: Service}]", 2, ()),
    ("other type", "kind: ServiceList\napiVersion: a/v1\nitems: [{}]", 0, (("a/Service", 1),)),
    ("empty", "kind: List\nitems: []", 0, ()),
    ("no list", "kind: List\nitems: {kind: Service}", 0, (("List", 1),)),
    ("null items", "kind: List\nitems: [~, text]", 0, (("no kind", 1),)),
    ("aliases", "kind: List\nitems: [&a {apiVersion: v1, kind: Service}, *a, *a]", 3, ()),
    ("deep", "{kind: List, items: [" * 11 + "]}" * 11, 0, (("List", 1),)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "services", "unread"), [pytest.param(*row, id=name) for name, *row in LISTS]
)
def test_lists(text: str, services: int, unread: tuple[tuple[str, int], ...]) -> None:
    inventory = read(text)
    assert inventory.unreadable == ()
    assert (len(inventory.services), inventory.unread) == (services, unread)
