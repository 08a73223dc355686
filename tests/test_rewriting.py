"""Values are changed where they stand, and not another byte; what cannot be, is left and named."""

from __future__ import annotations

import codecs
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from protocol_analysis import Inventory, Position, load
from protocol_analysis.rollout import places
from protocol_analysis.rollout.neutrality import candidates
from protocol_analysis.rollout.rewriting import File, Rewrite, rewritten
from tests.support import SHARED, needs_shared

OLD, NEW = "grpc", "kubernetes.io/h2c"
HEAD = "apiVersion: v1\nkind: Service\nmetadata: {name: cart}\nspec:\n"


def wanted(file: Path) -> list[Rewrite]:
    return candidates(load(file))


def changed(folder: Path, raw: bytes, name: str = "a.yaml") -> File:
    file = folder / name
    file.write_bytes(raw)
    return rewritten(str(file), raw, wanted(file))


# What stands around a value, which has to be there afterwards; `GRPC` is where the value is.
KEPT = {
    "block": "  ports:\n  - port: 80\n    appProtocol: GRPC\n",
    "comment": "  ports:\n  - port: 80\n    appProtocol: GRPC   # not grpc-web: grpc\n",
    "single quotes": "  ports:\n  - port: 80\n    appProtocol: 'GRPC'\n",
    "double quotes": '  ports:\n  - port: 80\n    appProtocol: "GRPC"\n',
    "flow": "  ports: [{port: 80, appProtocol: GRPC}, {port: 81}]\n",
    "flow without blanks": "  ports: [{port: 80,appProtocol: GRPC},{port: 81}]\n",
    "flow over lines": "  ports: [{port: 80, appProtocol:\n     GRPC\n    }]\n",
    "no end of file": "  ports: [{port: 80, appProtocol: GRPC}]",
    "a tag": "  ports: [{port: 80, appProtocol: !!str GRPC}]\n",
    "an anchor of its own": "  ports: [{port: 80, appProtocol: &mine GRPC}]\n",
    "a key in quotes": '  ports: [{port: 80, "appProtocol" : GRPC }]\n',
    "a question": "  ports:\n  - ? appProtocol\n    : GRPC\n    port: 80\n",
    "tabs behind": "  ports:\n  - port: 80\n    appProtocol: GRPC\t\n",
    "other uses of the word": "  ports:\n  - name: grpc\n    port: 80\n    appProtocol: GRPC\n",
    "two of them": "  ports: [{port: 8, appProtocol: GRPC},\n    {port: 9, appProtocol: 'GRPC'}]\n",
    "wide characters": "  ports: [{name: 'grüße 😀', port: 80, appProtocol: GRPC}]\n",
    "a separator of lines": '  ports: [{name: "a\u2028b", port: 80, appProtocol: GRPC}]\n',
    "documents around": "  ports: [{port: 80, appProtocol: GRPC}]\n--- # grpc\nkind: X\n...\n",
}
BYTES = {
    "LF": lambda text: text.encode(),
    "CR LF": lambda text: text.replace("\n", "\r\n").encode(),
    "CR": lambda text: text.replace("\n", "\r").encode(),
    "mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "UTF-16": lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
    "UTF-16 BE": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
}


@pytest.mark.parametrize("way", BYTES)
@pytest.mark.parametrize("case", KEPT)
def test_every_other_byte_stays(tmp_path: Path, case: str, way: str) -> None:
    text = HEAD + KEPT[case]
    before, after = (BYTES[way](text.replace("GRPC", value)) for value in (OLD, NEW))
    found = changed(tmp_path, before)
    assert found.refused == ()
    assert found.after == after
    assert len(found.made) == text.count("GRPC")
    again = changed(tmp_path, after)
    assert (again.after, again.made, again.diff) == (after, (), "")


@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_json_stays_json(tmp_path: Path, indent: Any) -> None:
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "grpc"},
        "spec": {"ports": [{"port": 80, "appProtocol": "GRPC"}, {"port": 81, "name": "grpc"}]},
    }  # fmt: skip
    text = json.dumps({"kind": "List", "apiVersion": "v1", "items": [service]}, indent=indent)
    found = changed(tmp_path, text.replace("GRPC", OLD).encode(), "a.json")
    assert found.after == text.replace("GRPC", NEW).encode()


# What is left as it is, and a word of the reason.
LEFT = {
    "a block of lines": (
        "  ports:\n  - port: 80\n    appProtocol: |-\n      grpc\n",
        "on one line",
    ),
    "an escape": ('  ports: [{port: 80, appProtocol: "gr\\x70c"}]\n', "so many letters"),
    "an alias": ("  ports: [{name: &p grpc, port: 80, appProtocol: *p}]\n", "shares it"),
    "an anchor that others use": (
        "  ports: [{port: 80, appProtocol: &p grpc}, {port: 81, appProtocol: *p}]\n",
        "shares it",
    ),
    "a merge key": (
        "  ports: [&p {port: 80, appProtocol: grpc}, {<<: *p, port: 81}]\n",
        "shares it",
    ),
    "a list that others use": (
        "  ports: &all [{port: 80, appProtocol: grpc}]\n  more: *all\n",
        "shares it",
    ),
    "a template": (
        "  ports: [{port: 80, appProtocol: grpc}]\nstatus: '{{ .Values.x }}'\n",
        "{{ }}",
    ),
}


@pytest.mark.parametrize("case", LEFT)
def test_what_is_not_one_ports_own_is_left(tmp_path: Path, case: str) -> None:
    text, reason = LEFT[case]
    raw = (HEAD + text).encode()
    found = changed(tmp_path, raw)
    assert (found.after, found.made, found.diff) == (raw, (), "")
    assert found.refused
    assert all(reason in refusal.reason for refusal in found.refused)


METADATA = {
    "labels: {app.kubernetes.io/managed-by: Helm}": "chart",
    "labels: {app.kubernetes.io/managed-by: tempo-operator}": "tempo-operator owns it",
    "labels: {helm.sh/chart: cart-1.2.3}": "the Helm chart cart-1.2.3",
    "annotations: {meta.helm.sh/release-name: shop}": "the Helm release shop",
    "labels: {argocd.argoproj.io/instance: shop}": "the Argo CD application shop",
    "annotations: {argocd.argoproj.io/tracking-id: 'shop:/Service:x/y'}": "Argo CD",
    "labels: {kustomize.toolkit.fluxcd.io/name: shop}": "the Flux Kustomization shop",
    "labels: {helm.toolkit.fluxcd.io/name: shop}": "the Flux HelmRelease shop",
    "labels: {olm.owner: shop}": "the operator of shop",
    "ownerReferences: [{kind: OpenTelemetryCollector, name: otel}]": "OpenTelemetryCollector otel",
    "uid: 0b1c": "a live cluster",
}


@pytest.mark.parametrize("metadata", METADATA)
def test_what_is_owned_elsewhere_is_left_and_says_where_to_change_it(
    tmp_path: Path, metadata: str
) -> None:
    text = HEAD.replace("name: cart", f"name: cart, {metadata}")
    raw = f"{text}  ports: [{{port: 80, appProtocol: grpc}}]\n".encode()
    found = changed(tmp_path, raw)
    assert found.after == raw
    (refusal,) = found.refused
    assert METADATA[metadata] in refusal.reason
    assert "change" in refusal.reason


def test_a_file_that_is_no_text_is_left(tmp_path: Path) -> None:
    raw = f"{HEAD}  ports: [{{port: 80, appProtocol: grpc}}]\n---\nkind: \xff\n".encode("latin-1")
    found = changed(tmp_path, raw)
    assert found.after == raw
    assert "not text" in found.refused[0].reason


def test_what_has_moved_is_left(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"{HEAD}  ports: [{{port: 80, appProtocol: grpc}}]\n", encoding="utf-8")
    edits = wanted(file)
    for raw in (b"# one more line\n" + file.read_bytes(), b"", b"kind: [", b"a: grpc"):
        found = rewritten(str(file), raw, edits)
        assert found.after == raw
        assert "no longer stands there" in found.refused[0].reason or "cannot be read" in str(
            found.refused[0]
        )


@pytest.mark.parametrize("new", ["a b", "x # y", "yes:", "", "{{ x }}", "a\nb"])
def test_a_value_that_may_need_quotes_is_not_written(tmp_path: Path, new: str) -> None:
    file = tmp_path / "a.yaml"
    raw = f"{HEAD}  ports: [{{port: 80, appProtocol: grpc}}]\n".encode()
    file.write_bytes(raw)
    found = rewritten(str(file), raw, [replace(each, new=new) for each in wanted(file)])
    assert found.after == raw
    assert "quotes" in found.refused[0].reason


HIDDEN = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n  password: aHVudGVyMg==\n"


def test_a_diff_shows_no_line_of_another_object(tmp_path: Path) -> None:
    service = f"{HEAD}  ports: [{{port: 80, appProtocol: grpc}}]\n"
    found = changed(tmp_path, f"{HIDDEN}---\n{service}---\n{HIDDEN}".encode())
    assert found.made
    assert "aHVudGVyMg" not in found.diff
    assert "+  ports" in found.diff


def test_what_stands_on_one_line_with_a_secret_is_left(tmp_path: Path) -> None:
    hidden = '{"kind": "Secret", "apiVersion": "v1", "data": {"password": "aHVudGVyMg=="}}'
    service = (
        '{"kind": "Service", "apiVersion": "v1", "metadata": {"name": "s"}, '
        '"spec": {"ports": [{"port": 80, "appProtocol": "grpc"}]}}'
    )
    text = f'{{"kind": "List", "apiVersion": "v1", "items": [{hidden}, {service}]}}'
    found = changed(tmp_path, text.encode(), "a.json")
    assert not found.diff
    assert "Secret" in found.refused[0].reason


@pytest.mark.skipif(not shutil.which("git"), reason="needs git in PATH")
@pytest.mark.parametrize("way", ["LF", "CR LF", "CR", "mark"])
def test_a_diff_is_one_that_git_applies(tmp_path: Path, way: str) -> None:
    ports = "".join(f"  - {{port: {n}, appProtocol: GRPC}}\n  # {n}\n" for n in (1, 2, 30))
    text = HEAD + "  ports:\n" + ports + "  x: 1\n" * 9 + "  y: 2"
    before, after = (BYTES[way](text.replace("GRPC", value)) for value in (OLD, NEW))
    file = tmp_path / "a.yaml"
    file.write_bytes(before)
    found = replace(rewritten(str(file), before, wanted(file)), name="a.yaml")
    assert found.after == after
    (tmp_path / "p.diff").write_text(found.diff, encoding="utf-8", newline="")
    command = ["git", "apply", "--unsafe-paths", "--whitespace=nowarn", "p.diff"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert file.read_bytes() == after


def told(inventory: Inventory) -> Any:
    """All that was read, but for columns, which move on the line of a value, and the value."""

    def plain(it: Any) -> Any:
        if isinstance(it, Position):
            return (it.file, it.document, it.line)
        if hasattr(it, "__dataclass_fields__"):
            own = {name: plain(getattr(it, name)) for name in it.__dataclass_fields__}
            if own.get("app_protocol") in (OLD, NEW):
                own["app_protocol"] = "either"
            return own
        return tuple(map(plain, it)) if isinstance(it, tuple) else it

    return plain(inventory)


def real_files() -> list[Path]:
    folder = SHARED / "real/manifests"
    return sorted(
        file
        for file in folder.rglob("*")
        if file.suffix in (".yaml", ".yml", ".json") and b"grpc" in file.read_bytes()
    )


@needs_shared
@pytest.mark.parametrize(
    ("step", "least"), [(5, 5), pytest.param(1, 50, marks=pytest.mark.slow)], ids=["few", "all"]
)
def test_every_real_file_keeps_every_other_byte(
    step: int, least: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Charts' outputs too: whose a file is, is no matter of bytes."""
    monkeypatch.setattr(places, "owner_of", lambda _: None)
    files, values, refused = 0, 0, []
    for number, origin in enumerate(list(real_files())[::step]):
        file = tmp_path / f"{number}-{origin.name}"
        shutil.copyfile(origin, file)
        edits = wanted(file)
        raw = file.read_bytes()
        found = rewritten(str(file), raw, edits)
        refused += [str(refusal) for refusal in found.refused]
        before = load(file)
        rest, at = [], 0
        for each in sorted(found.made, key=lambda each: each.position):
            start = raw.index(b"grpc", offset(raw, each.position))
            rest.append(raw[at:start])
            at = start + len(OLD)
        assert found.after == NEW.encode().join([*rest, raw[at:]])
        file.write_bytes(found.after)
        assert told(load(file)) == told(before)
        left = {each.position.line for each in wanted(file)}
        assert left == {refusal.position.line for refusal in found.refused}
        files, values = files + bool(found.made), values + len(found.made)
    assert files > least
    assert values > least
    assert all("shares it" in each or "{{ }}" in each for each in refused)


def offset(raw: bytes, position: Position) -> int:
    """Where a position stands in bytes; real files are UTF-8 with LF or CR LF."""
    lines = raw.split(b"\n")
    before = sum(len(line) + 1 for line in lines[: position.line - 1])
    line = lines[position.line - 1].decode()
    return before + len(line[: position.column - 1].encode())


NAMES = st.sampled_from(["grpc", "web", "grüße", "a-b", "admin"])
VALUES = st.sampled_from(
    ["grpc", "grpc", "'grpc'", '"grpc"', "http", "grpc-web", None, "!!str grpc"]
)
ENDS = st.sampled_from(["", " # grpc", "  ", "\t# 'grpc'"])
PORT = st.tuples(st.integers(1, 9999), NAMES, VALUES, ENDS)


@st.composite
def manifests(draw: Any) -> bytes:
    documents = []
    for number in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["Service", "ServiceImport", "ConfigMap"]))
        group = "multicluster.x-k8s.io/v1alpha1" if kind == "ServiceImport" else "v1"
        text = f"apiVersion: {group}\nkind: {kind}\nmetadata:\n  name: s{number}\nspec:\n  ports:\n"
        for port, name, value, end in draw(st.lists(PORT, max_size=4)):
            declared = f", appProtocol: {value}" if value else ""
            if draw(st.booleans()):
                text += f"  - {{port: {port}, name: {name}{declared}}}{end}\n"
            else:
                text += f"  - port: {port}{end}\n    name: {name}\n"
                text += f"    appProtocol: {value}{end}\n" if value else ""
        documents.append(text if "- " in text else f"kind: {kind}\n")
    text = draw(st.sampled_from(["---\n", "--- # grpc\n", "...\n---\n"])).join(documents)
    text = text.removesuffix("\n") if draw(st.booleans()) else text
    way = draw(st.sampled_from(sorted(BYTES)))
    raw: bytes = BYTES[way](text)
    return raw


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(raw=manifests())
def test_whatever_is_written_stays_but_for_the_value(tmp_path: Path, raw: bytes) -> None:
    file = tmp_path / "a.yaml"
    first = changed(tmp_path, raw)
    before = load(file)
    assert first.refused == ()
    assert len(first.made) == len(wanted(file))
    second = changed(tmp_path, first.after)
    assert second.after == first.after, "twice is once"
    assert told(load(file)) == told(before)
    mark = next((m for m in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) if raw.startswith(m)), b"")
    encoding = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}.get(
        mark, "utf-8"
    )
    texts = [part[len(mark) :].decode(encoding) for part in (raw, first.after)]
    assert texts[1].replace(NEW, OLD) == texts[0]
    assert texts[1].count(NEW) == len(first.made)
