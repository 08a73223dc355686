"""Files are replaced at once: old or new, whoever looks, and whenever it is killed."""

from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from protocol_analysis.rollout.scalars import Refused
from protocol_analysis.rollout.writing import digest, digests, real, replace, unchanged
from tests.support import ROOT

OLD, NEW = b"old\n", b"new\n"


def file_of(folder: Path, content: bytes = OLD) -> Path:
    file = folder / "a.yaml"
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o755, 0o664, 0o640])
def test_a_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    file = file_of(tmp_path)
    file.chmod(mode)
    replace(file, OLD, NEW)
    assert file.read_bytes() == NEW
    assert stat.S_IMODE(file.stat().st_mode) == mode
    assert [each.name for each in tmp_path.iterdir()] == ["a.yaml"], "nothing is left beside it"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    file = file_of(tmp_path)
    link = tmp_path / "b.yaml"
    link.symlink_to("a.yaml")
    replace(real(str(link)), OLD, NEW)
    assert link.is_symlink()
    assert (file.read_bytes(), link.read_bytes()) == (NEW, NEW)


def refused(file: Path, before: bytes = OLD) -> str:
    with pytest.raises(Refused) as error:
        replace(file, before, NEW)
    return str(error.value)


def test_what_must_not_be_replaced_is_left(tmp_path: Path) -> None:
    file = file_of(tmp_path)
    assert "has changed" in refused(file, b"older\n")
    file.chmod(0o444)
    assert "read-only" in refused(file)
    file.chmod(0o644)
    os.link(file, tmp_path / "other.yaml")
    assert "hard link" in refused(file)
    assert "cannot be read" in refused(tmp_path / "none.yaml")
    assert file.read_bytes() == OLD


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = file_of(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left" in refused(file)
    assert [each.name for each in tmp_path.iterdir()] == ["a.yaml"]
    assert file.read_bytes() == OLD


def test_digests_tell_what_has_changed(tmp_path: Path) -> None:
    file = file_of(tmp_path)
    known = digests([str(tmp_path), "-", str(tmp_path / "none")])
    assert known == {file.resolve(): digest(OLD)}
    assert unchanged(file, known[file.resolve()]) == OLD
    file.write_bytes(NEW)
    with pytest.raises(Refused, match="has changed"):
        unchanged(file, known[file.resolve()])
    with pytest.raises(Refused, match="standard input"):
        real("-")


MANY = 120


def manifests(folder: Path) -> dict[Path, tuple[bytes, bytes]]:
    """Files that take a while to be written, each with what it holds before and after."""
    found = {}
    for number in range(MANY):
        ports = "".join(f"  - {{port: {n}, appProtocol: VALUE}}\n" for n in range(1, 12))
        head = f"apiVersion: v1\nkind: Service\nmetadata: {{name: s{number}}}\nspec:\n  ports:\n"
        file = folder / f"{number}.yaml"
        texts = [(head + ports).replace("VALUE", v) for v in ("grpc", "kubernetes.io/h2c")]
        found[file] = (texts[0].encode(), texts[1].encode())
    return found


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_at_any_moment_each_file_is_old_or_new(tmp_path: Path) -> None:
    rewrite = [sys.executable, "-m", "protocol_analysis", "rewrite", str(tmp_path), "--write"]
    files = manifests(tmp_path)
    random_ = random.Random(5548)  # noqa: S311 - a moment is no secret
    between = 0
    for _ in range(12):
        for file, (before, _after) in files.items():
            file.write_bytes(before)
        first, last = tmp_path / "0.yaml", tmp_path / f"{MANY - 1}.yaml"
        process = subprocess.Popen(
            rewrite, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        # From when the first file is new on, at some moment of the writing.
        while process.poll() is None and first.read_bytes() == files[first][0]:
            time.sleep(0.0005)
        time.sleep(random_.random() * 0.15)
        process.kill()
        process.wait()
        states = [content.index(file.read_bytes()) for file, content in files.items()]
        between += 0 < sum(states) < MANY
        left = [each for each in tmp_path.iterdir() if each not in files]
        assert all(each.name.endswith(".new") for each in left), "no manifest is left behind"
        for each in left:
            each.unlink()
        assert last.exists()
    assert between > 2, "it has been killed while it wrote"
    subprocess.run(rewrite, cwd=ROOT, check=True, capture_output=True)
    assert [file.read_bytes() for file in files] == [after for _, after in files.values()]
