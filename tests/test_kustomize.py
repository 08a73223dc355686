"""Kustomize's patches: a value in a patch is changed there, by what it does to the Service."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol_analysis.readers import reader
from protocol_analysis.reading import read
from protocol_analysis.rollout.applying import Rewrites, rewrites
from protocol_analysis.rollout.writing import digests

BASE = """apiVersion: v1
kind: Service
metadata: {name: cart}
spec: {ports: [{name: a, port: 80}, {name: b, port: 81, appProtocol: http}]}
"""
IMPORT = BASE.replace("v1", "multicluster.x-k8s.io/v1alpha1").replace("Service", "ServiceImport")
JSON = '[{"op": "OP", "path": "/spec/ports/0/appProtocol", "value": "grpc"}]\n'
LIST = "# why\n- op: replace   # OP\n  path: /spec/ports/1/appProtocol\n  value: 'grpc'  # gRPC\n"
PORT = "- op: add\n  path: /spec/ports/1\n  value: {name: c, port: 82, appProtocol: grpc}\n"
MERGE = (
    "apiVersion: v1\nkind: Service\nmetadata: {name: cart}\nspec:\n  ports:\n"
    "  - port: 81\n    appProtocol: grpc # gRPC\n"
)
TARGET = "{kind: Service, name: cart}"


def indented(text: str, blanks: str = "      ") -> str:
    return "".join(f"{blanks}{line}\n" if line else "\n" for line in text.splitlines())


def tried(folder: Path, kustomization: str, release: str = "1.9", **files: str) -> Rewrites:
    base, over = folder / "base", folder / "over"
    for each in (base, over):
        each.mkdir(exist_ok=True)
    (base / "a.yaml").write_text(files.pop("base", BASE), encoding="utf-8")
    (over / "kustomization.yaml").write_bytes(kustomization.encode())
    for name, text in files.items():
        (over / name.replace("_", ".")).write_bytes(text.encode())
    known = digests([str(folder)])
    return rewrites(read(str(folder), release).clusters, [reader(release)], known)


def after(found: Rewrites) -> dict[str, str]:
    return {
        path.name: file.after.decode()
        for path, file in found.files.items()
        if file.before != file.after
    }


def new(text: str) -> str:
    return text.replace("'grpc'", "'kubernetes.io/h2c'").replace(
        "appProtocol: grpc", "appProtocol: kubernetes.io/h2c"
    )


IN_FILES = {
    "patches": "patches: [{path: p.yaml, target: TARGET}]\n",
    "patchesJson6902": "patchesJson6902:\n- path: ./p.yaml\n  target: TARGET\n",
}


@pytest.mark.parametrize("patch", [LIST, PORT, MERGE], ids=["list", "port", "merge"])
@pytest.mark.parametrize("way", IN_FILES)
def test_patches_in_files(tmp_path: Path, way: str, patch: str) -> None:
    text = IN_FILES[way].replace("TARGET", TARGET)
    found = tried(tmp_path, text, p_yaml=patch)
    assert after(found) == {"p.yaml": new(patch)}
    assert found.refused == []


@pytest.mark.parametrize("op", ["add", "replace"])
def test_patches_in_json(tmp_path: Path, op: str) -> None:
    patch = JSON.replace("OP", op)
    found = tried(tmp_path, f"patches: [{{path: p.json, target: {TARGET}}}]\n", p_json=patch)
    assert after(found) == {"p.json": patch.replace('"grpc"', '"kubernetes.io/h2c"')}


@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["LF", "CR LF"])
@pytest.mark.parametrize("patch", [LIST, PORT, MERGE], ids=["list", "port", "merge"])
@pytest.mark.parametrize("head", ["|", "|-", "|+", "|4-"])
def test_patches_inline(tmp_path: Path, head: str, patch: str, ends: str) -> None:
    text = f"# grpc\npatches:\n  - target: {TARGET}\n    patch: {head}  # grpc\n{indented(patch)}\n"
    text = text.replace("|4-", "|2-").replace("\n", ends)
    found = tried(tmp_path, text)
    assert after(found) == {"kustomization.yaml": new(text)}
    diff = found.files[next(iter(found.files))].diff
    assert diff.count("\n+ ") == diff.count("\n- ") == 1


def test_overlays_that_patch_one_port_are_each_asked(tmp_path: Path) -> None:
    inline = f"  - target: {TARGET}\n    patch: |\n{indented(LIST)}"
    found = tried(tmp_path, f"patches:\n{inline}{inline}  - path: p.yaml\n    target: {TARGET}\n",
                  p_yaml=LIST)  # fmt: skip
    assert sum(len(file.made) for file in found.files.values()) == 3
    assert found.refused == []


TEST = indented(LIST.replace("replace", "test"))
LEFT = {
    "a folded block": (f"patches:\n  - target: {TARGET}\n    patch: >\n{indented(MERGE)}", ""),
    "a string": (
        f'patches:\n  - target: {TARGET}\n    patch: "- op: add\\n  path: /spec/ports/0"\n',
        "",
    ),
    "another Service": (
        f"patches:\n  - target: {{kind: Service, name: other}}\n    patch: |\n{indented(LIST)}",
        "not among what was read",
    ),
    "an expression": (
        f"patches:\n  - target: {{kind: Service, name: car.*}}\n    patch: |\n{indented(LIST)}",
        "not among what was read",
    ),
    "another kind": (
        f"patches:\n  - target: {{kind: Deployment, name: cart}}\n    patch: |\n{indented(LIST)}",
        "",
    ),
    "no target": (f"patches:\n  - patch: |\n{indented(LIST)}", ""),
    "no file": (f"patches: [{{path: nothing.yaml, target: {TARGET}}}]\n", ""),
    "another operation": (
        f"patches:\n  - target: {TARGET}\n    patch: |\n" + TEST,
        "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LEFT)
def test_what_is_left(tmp_path: Path, case: str) -> None:
    text, reason = LEFT[case]
    found = tried(tmp_path, text)
    assert after(found) == {}
    assert bool(found.refused) == bool(reason)
    assert all(reason in refusal.reason for refusal in found.refused)


def test_a_file_that_was_not_named_is_not_read(tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text(LIST, encoding="utf-8")
    inside = tmp_path / "inside"
    inside.mkdir()
    text = f"patches: [{{path: ../../outside.yaml, target: {TARGET}}}]\n"
    found = tried(inside, text)
    assert (after(found), found.refused) == ({}, [])
    assert outside.read_text(encoding="utf-8") == LIST


def test_a_patch_is_judged_by_the_object_that_it_patches(tmp_path: Path) -> None:
    target = "{kind: ServiceImport, name: cart}"
    text = f"patches:\n  - target: {target}\n    patch: |\n{indented(LIST)}"
    assert after(tried(tmp_path, text, base=IMPORT)) == {"kustomization.yaml": new(text)}
    found = tried(tmp_path, text, "1.8", base=IMPORT)
    assert after(found) == {}
    assert "speaks http/1.1 now, and would speak h2" in found.refused[0].reason
