"""Broken documents, templates, duplicate keys, fixtures: said with their place, never skipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol_analysis import Inventory, cli, load
from protocol_analysis.model import Problem

SERVICE = "apiVersion: v1\nkind: Service\n"
TEMPLATE = "a Helm template, not a manifest: render it first (helm template), or exclude it"


@pytest.fixture(name="folder", autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test reads from a folder of its own, by short names."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def service(name: str) -> str:
    return f"{SERVICE}metadata: {{name: {name}}}\n"


def read(*texts: str, name: str = "m.yaml") -> Inventory:
    """What is read of one file, whose documents are `texts`."""
    Path(name).write_text("---\n".join(texts), encoding="utf-8", newline="")
    return load(name)


def said(problems: tuple[Problem, ...]) -> list[str]:
    """Each problem without its file: `line:column: reason`."""
    return [str(problem).removeprefix(problem.position.file + ":") for problem in problems]


def names(inventory: Inventory) -> list[str]:
    """The Services that were read."""
    return [found.meta.name for found in inventory.services]


# A document between two good ones, of four lines each → what is said of it.
BETWEEN = [
    ("if", "{{- if .Values.on }}\nkind: Service\n{{- end }}\n", f"5:2: {TEMPLATE}; a mapping"),
    ("value", SERVICE + "metadata:\n  name: {{ .Values.name }}\n", f"8:10: {TEMPLATE}; a mapping"),
    ("quoted name", service('"{{ .Release.Name }}-x"'), f"7:18: {TEMPLATE}"),
    ("namespace", SERVICE + "metadata: {namespace: '{{ .n }}'}\n", f"7:23: {TEMPLATE}"),
    ("app protocol", SERVICE + "spec: {ports: [{appProtocol: '{{.p}}'}]}\n", f"7:30: {TEMPLATE}"),
    ("kind", "apiVersion: v1\nkind: '{{ .Values.kind }}'\n", f"5:1: {TEMPLATE}"),
    ("version", "apiVersion: '{{ .v }}'\nkind: Service\n", f"5:1: {TEMPLATE}"),
    ("in a list", "kind: List\nitems: [{apiVersion: v1, kind: Service, spec: '{{'}]\n", "6:47"),
    ("no template", "kind: [\n", "5:8: not YAML: did not find expected node content"),
    ("unknown alias", "kind: *k\n", "5:7: unknown anchor *k"),
    ("control character", "kind: \x07\n", "5:7: not YAML: control characters are not allowed"),
]


@pytest.mark.parametrize(
    ("document", "reason"), [pytest.param(*row, id=name) for name, *row in BETWEEN]
)
def test_a_broken_document_between_good_ones(document: str, reason: str) -> None:
    inventory = read(service("first"), document, service("last"))
    (problem,) = said(inventory.unreadable)
    assert problem.startswith(reason)
    assert names(inventory) == ["first", "last"]
    assert inventory.unreadable[0].position.document == 2


# Braces that are somebody else's business, or no template at all.
NO_TEMPLATES = [
    ("comment", service("a") + "# {{ .Values.a }}\n"),
    ("annotation", SERVICE + 'metadata: {name: a, annotations: {dns: "{{.Name}}.example.com"}}\n'),
    (
        "config",
        "apiVersion: v1\nkind: ConfigMap\ndata: {a: '{{ .Labels.a }}'}\n---\n" + service("a"),
    ),
    ("flow", "{apiVersion: v1, kind: Service, metadata: {name: a, labels: {a: {}}}}\n"),
    ("closing only", SERVICE + "metadata: {name: a, labels: {x: '}}'}}\n"),
]


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in NO_TEMPLATES])
def test_no_template(text: str) -> None:
    inventory = read(text)
    assert inventory.unreadable == ()
    assert names(inventory) == ["a"]


def test_only_the_document_with_braces_is_called_a_template() -> None:
    inventory = read("{{ .a }}\n", "}\n", service("last"))
    assert [TEMPLATE in reason for reason in said(inventory.unreadable)] == [True, False]
    assert names(inventory) == ["last"]


def test_duplicate_keys_are_warned_of_and_the_last_counts() -> None:
    inventory = read(service("a") + "kind: Service\nmetadata: {name: b}\n", service("c"))
    why = "the last one counts here, Kubernetes refuses it when strict"
    assert said(inventory.warnings) == [
        f"4:1: duplicate key 'kind': {why}",
        f"5:1: duplicate key 'metadata': {why}",
    ]
    assert names(inventory) == ["b", "c"]
    assert inventory.unreadable == ()


def test_a_strange_key_is_quoted_and_cut() -> None:
    key = '"' + "\\e[31m" + "x" * 200 + '"'
    ((problem),) = said(read(f"{key}: 1\n{key}: 2\n").warnings)
    assert "'\\x1b[31mxxx" in problem
    assert len(problem) < 200


FIXTURE = """\
{services}:
- apiVersion: v1
  kind: Service
  metadata: {{name: cart}}
  spec: {{ports: [{{port: 80, {appProtocol}: h2c}}]}}
{routes}:
- apiVersion: gateway.networking.k8s.io/v1
  kind: HTTPRoute
  metadata: {{name: web, namespace: shop}}
  spec: {{rules: [{{backendRefs: [{{name: cart, port: 80}}]}}]}}
"""
KEYS = [
    ("services", "httpRoutes", "appProtocol"),
    ("Services", "HTTPRoutes", "appprotocol"),
    ("SERVICES", "httproutes", "APPPROTOCOL"),
    ("service", "anything", "AppProtocol"),
]


@pytest.mark.parametrize("keys", KEYS, ids=[row[0] for row in KEYS])
def test_a_translator_fixture_has_keys_in_any_case(keys: tuple[str, str, str]) -> None:
    parts = dict(zip(("services", "routes", "appProtocol"), keys, strict=True))
    inventory = read(FIXTURE.format(**parts), name="case.in.yaml")
    ((found,), (route,)) = inventory.services, inventory.routes
    (port,) = found.ports
    assert port.app_protocol == "h2c"
    assert port.declared_at is not None
    assert (port.declared_at.line, port.declared_at.column) == (5, 42)
    # Envoy Gateway's tests give no namespace to what has none.
    assert (found.meta.namespace, route.meta.namespace) == ("", "shop")
    assert found.meta.world == route.meta.world
    assert (inventory.unreadable, inventory.skipped, inventory.unread) == ((), (), ())


def test_every_fixture_is_a_world_of_its_own() -> None:
    fixture = FIXTURE.format(services="services", routes="routes", appProtocol="appProtocol")
    Path("a.in.yaml").write_text(f"{fixture}---\n{fixture}", encoding="utf-8")
    Path("b.in.yaml").write_text(fixture, encoding="utf-8")
    Path("c.yaml").write_text(service("plain"), encoding="utf-8")
    worlds = [found.meta.world for found in load(".").services]
    assert len(worlds) == len(set(worlds)) == 4
    assert worlds[-1] == ""
    clusters = load(clusters={"east": "a.in.yaml", "west": "a.in.yaml"})
    assert len({found.meta.world for found in clusters.services}) == 4


# A fixture's outputs repeat its inputs: by the name of the file, or by what only they hold.
OUTPUTS = [("case.out.yaml", ""), ("case.yaml", "xdsIR: {}\n"), ("case.yaml", "InfraIR: {}\n")]


@pytest.mark.parametrize(("name", "more"), OUTPUTS, ids=["name", "xdsIR", "infraIR"])
def test_outputs_of_a_fixture_are_passed_over_and_said(name: str, more: str) -> None:
    fixture = FIXTURE.format(services="services", routes="routes", appProtocol="appProtocol")
    inventory = read(fixture + more, name=name)
    assert said(inventory.skipped) == ["1:1: outputs of a translator test, which repeat its inputs"]
    assert (inventory.services, inventory.routes, inventory.unreadable) == ((), (), ())


def test_a_plain_manifest_may_be_called_out() -> None:
    assert names(read(service("a"), name="plain.out.yaml")) == ["a"]


def test_what_is_no_object_is_counted() -> None:
    inventory = read("words\n", "[1]\n", "~\n", "a: 1\n", "kind: ''\n", "kind: [Service]\n", "")
    assert inventory.unread == (("no kind", 5),)
    assert inventory.unreadable == ()


def test_the_command_line_prints_what_it_could_read_and_says_the_rest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    good = service("a") + "spec: {ports: [{port: 80, appProtocol: grpc}]}\n"
    Path("m.yaml").write_text(f"{good}---\nkind: [\n---\n{{{{ .a }}}}", encoding="utf-8")
    Path("bell\x07.yaml").write_text("\x1b[2J: }", encoding="utf-8")
    assert cli.main(["coverage", ".", "missing.yaml", "-o", "csv"]) == 3
    out, err = capsys.readouterr()
    assert out.count("grpc") >= 1
    assert "not read: m.yaml:6:8: not YAML: did not find expected node content" in err
    assert f"not read: m.yaml:8:2: {TEMPLATE}" in err
    assert "not read: missing.yaml:1:1: no such file or folder" in err
    assert "4 could not be read" in err
    assert not {"\x07", "\x1b"} & set(err)


def test_the_command_line_is_content_with_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    Path("m.yaml").write_text(service("a") + "kind: Service\n", encoding="utf-8")
    assert cli.main(["coverage", "."]) == 0
    assert "warning: m.yaml:4:1: duplicate key 'kind'" in capsys.readouterr().err
