"""The repository: what it is installed from, what lies in it, and what its files promise."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import protocol_analysis
from protocol_analysis import ruleset
from protocol_analysis.manifests.kinds import KINDS
from protocol_analysis.plots import rulebook_plot
from protocol_analysis.tables import rulebook_table
from tests import refresh_notebooks
from tests.support import ROOT

TOP_LEVEL = {
    ".ci", ".gitattributes", ".github", ".gitignore", ".pre-commit-hooks.yaml", "CHANGELOG.md",
    "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "data", "docs", "environment.yml",
    "notebooks", "protocol_analysis", "pyproject.toml", "requirements.lock", "tests",
}  # fmt: skip
# conda-forge's own name where it differs: matplotlib there brings Qt with it.
CONDA_NAMES = {"matplotlib-base": "matplotlib"}
HOME = re.compile(r"(?:/home/|/Users/|/root/)[\w.-]+/|[A-Z]:\\Users\\\w")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def project() -> dict[str, Any]:
    declared: dict[str, Any] = tomllib.loads(text("pyproject.toml"))["project"]
    return declared


def declared() -> dict[str, Requirement]:
    """What pyproject.toml asks for, extras included, by name."""
    about = project()
    extras = about["optional-dependencies"].values()
    lines = [*about["dependencies"], *(line for extra in extras for line in extra)]
    return {canonicalize_name(found.name): found for found in map(Requirement, lines)}


def tracked() -> list[str]:
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not done.stdout:
        pytest.skip("needs a clone: git lists the tracked files")
    return [name for name in done.stdout.split("\0") if name and (ROOT / name).exists()]


needs_git = pytest.mark.skipif(not shutil.which("git"), reason="needs git in PATH")


def test_conda_and_pip_install_the_same() -> None:
    conda = yaml.safe_load(text("environment.yml"))
    assert conda["name"] == project()["name"]
    assert conda["channels"] == ["conda-forge", "nodefaults"]
    *lines, last = conda["dependencies"]
    *from_pip, itself = last["pip"]
    assert itself == "-e ."
    listed = [Requirement(line) for line in (*lines, *from_pip)]
    assert len({found.name for found in listed}) == len(listed), "a name stands twice"
    ranges = {
        canonicalize_name(CONDA_NAMES.get(found.name, found.name)): found.specifier
        for found in listed
    }
    assert str(ranges.pop(canonicalize_name("python"))) == project()["requires-python"]
    ranges.pop(canonicalize_name("pip"))  # it installs this package
    assert ranges == {name: found.specifier for name, found in declared().items()}


def locked() -> list[tuple[Requirement, list[str]]]:
    """The lock file's requirements, each with its hashes."""
    joined = text("requirements.lock").replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line and not line.lstrip().startswith("#")]
    parts = [re.split(r"\s+--hash=", line) for line in lines]
    return [(Requirement(first.strip()), rest) for first, *rest in parts]


def test_every_locked_package_has_hashes_and_one_version() -> None:
    assert locked()
    for found, hashes in locked():
        assert re.fullmatch(r"==[^*,]+", str(found.specifier)), found
        assert hashes, f"{found} has no hash"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}\s*", value) for value in hashes), found


def test_the_lock_names_no_index_and_no_machine() -> None:
    lock = text("requirements.lock")
    assert "://" not in lock
    assert not re.search(r"(?m)^\s*(?:-i|-f|--(?!hash=))|@ |^[./]", lock)


@pytest.mark.parametrize("python", ["3.11.0", "3.12.0", "3.13.0", "3.14.0"])
@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_the_lock_covers_what_is_declared(python: str, platform: str) -> None:
    """`make lock` after a change in pyproject.toml."""
    about = {
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "sys_platform": platform,
        "platform_system": {"linux": "Linux", "darwin": "Darwin"}[platform],
        "platform_machine": {"linux": "x86_64", "darwin": "arm64"}[platform],
    }
    pins: dict[str, Requirement] = {}
    for found, _ in locked():
        if found.marker is None or found.marker.evaluate(about):
            name = canonicalize_name(found.name)
            assert name not in pins, f"two versions of {name} on Python {python}"
            pins[name] = found
    for wanted in declared().values():
        pin = pins.get(canonicalize_name(wanted.name))
        assert pin, f"{wanted.name} is not locked: make lock"
        version = str(pin.specifier).removeprefix("==")
        assert wanted.specifier.contains(version), f"locked {pin}, declared {wanted}"


def test_the_version_is_the_newest_of_the_changelog() -> None:
    versions = re.findall(r"(?m)^## \[?(\d+\.\d+\.\d+\S*?)\]? ", text("CHANGELOG.md"))
    assert versions, "CHANGELOG.md has no heading with a version"
    assert versions[0] == protocol_analysis.__version__


def test_the_wheel_holds_its_data_and_works(tmp_path: Path) -> None:
    """Built offline, unpacked, and run far from the repository."""
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.startswith(f"protocol_analysis-{protocol_analysis.__version__}-")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        archive.extractall(tmp_path / "installed")
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "protocol_analysis").rglob("*")
        if path.is_file() and path.suffix in {".py", ".yaml", ".typed"}
    }
    assert held == wanted
    assert any(name.startswith("protocol_analysis/rulesets/") for name in held)
    assert "protocol_analysis/py.typed" in held
    run = subprocess.run(
        [sys.executable, "-m", "protocol_analysis", "implementations", "-o", "json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "envoy-gateway" in run.stdout


@needs_git
def test_the_top_level_is_short() -> None:
    assert {name.partition("/")[0] for name in tracked()} == TOP_LEVEL


@needs_git
def test_no_file_names_a_home_folder() -> None:
    for name in tracked():
        try:
            content = text(name)
        except UnicodeDecodeError:
            continue  # a test's input in another encoding, or a picture
        found = HOME.search(content)
        assert found is None, f"{name}: {found}"


def targets() -> dict[str, str]:
    """The Makefile's phony targets, each with what `make help` says of it."""
    makefile = text("Makefile")
    (phony,) = re.findall(r"(?m)^\.PHONY: (.*)$", makefile)
    said = dict(re.findall(r"(?m)^([a-z-]+):[^#\n]*## (.+)$", makefile))
    return {name: said.get(name, "") for name in phony.split()}


@pytest.mark.skipif(not shutil.which("make"), reason="needs make in PATH")
def test_help_tells_every_target() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name, said in targets().items():
        assert said, f"{name} has no ## text in the Makefile"
        assert re.search(rf"(?m)^  {name} +{re.escape(said)}$", done.stdout), name
    wanted = {"run", "test", "test-slow", "lab", "notebooks", "docs", "lock", "clean"}
    assert wanted < set(targets())


def test_the_readme_tells_the_two_commands() -> None:
    readme = text("README.md")
    for command in ("make run", "make test", "MANIFESTS="):
        assert command in readme, command


def test_the_readmes_picture_says_what_the_ruleset_says() -> None:
    """`make notebooks` draws it anew."""
    assert f"]({refresh_notebooks.RULEBOOK.relative_to(ROOT).as_posix()})" in text("README.md")
    picture = rulebook_plot(rulebook_table(ruleset()))
    assert refresh_notebooks.described(refresh_notebooks.RULEBOOK) == picture.alt


def test_the_readme_names_every_command_and_every_notebook() -> None:
    readme = text("README.md")
    for command in (
        "resolve",
        "coverage",
        "explain",
        "diff",
        "portability",
        "check",
        "rules",
        "propagation",
        "prove",
        "releases",
        "implementations",
    ):
        assert f"protocol-analysis {command}" in readme, command
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        assert f"](notebooks/{path.name})" in readme, path.name
    for kind in {row.kind for row in KINDS.values()}:
        assert kind in readme, f"{kind} is read, and the README does not say so"


def test_lab_opens_a_notebook_that_is_there() -> None:
    opened = set(re.findall(r"notebooks/\w+\.ipynb", text("Makefile")))
    assert opened
    assert all((ROOT / name).is_file() for name in opened)


def test_ci_runs_what_is_quick_then_what_is_slow() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    commands = [line for line in text(".ci/run").splitlines() if line.startswith("make")]
    assert commands == ["make test", "make test-slow"]
    assert "set -eu" in text(".ci/run")
