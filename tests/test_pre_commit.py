"""The hook as pre-commit itself installs and runs it; PyPI is all that it needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from protocol_analysis.findings.catalogue import catalogue
from tests.support import ROOT

pytestmark = pytest.mark.slow
# What pip needs to build the package, and pre-commit to find the hook.
SOURCES = ("protocol_analysis", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml")
CONFIG = "repos: [{repo: '%s', rev: %s, hooks: [{id: protocol-analysis%s}]}]\n"
TEMPLATE = "kind: Service\n{{- if .Values.a }}\n"


class Project:
    """A git repository of a user's, with pre-commit in its hooks."""

    def __init__(self, folder: Path) -> None:
        """Fetch pre-commit, and put the package into a repository of its own."""
        self.hook, self.here, self.bin = (folder / name for name in ("hook", "project", "venv/bin"))
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            **{f"GIT_{who}_{what}": "t@t" for who in ("AUTHOR", "COMMITTER")
               for what in ("NAME", "EMAIL")},
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "PRE_COMMIT_HOME": str(folder / "cache"),
        }  # fmt: skip
        subprocess.run([sys.executable, "-m", "venv", self.bin.parent], check=True)
        pip = [str(self.bin / "python"), "-m", "pip", "install", "--quiet", "pre-commit"]
        if subprocess.run(pip, env=self.environment, check=False).returncode:
            pytest.skip("pre-commit cannot be fetched from PyPI")
        for repository in (self.hook, self.here):
            repository.mkdir()
            self.run("git", "init", "--quiet", where=repository)
        for name in SOURCES:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.hook / name)
        self.run("git", "add", ".", where=self.hook)
        self.run("git", "commit", "--quiet", "-m", "it", where=self.hook)
        self.rev = self.run("git", "rev-parse", "HEAD", where=self.hook)[1].strip()
        self.configure()
        self.run(str(self.bin / "pre-commit"), "install")

    def run(self, *command: str, where: Path | None = None) -> tuple[int, str]:
        """A command's status and all that it says."""
        done = subprocess.run(
            command,
            cwd=where or self.here,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def configure(self, more: str = "") -> None:
        """Use the hook, with more of its keys."""
        text = CONFIG % (self.hook, self.rev, more)
        (self.here / ".pre-commit-config.yaml").write_text(text, encoding="utf-8")

    def commit(self, **files: str) -> tuple[int, str]:
        """Commit everything with these files, of which `_` stands for a slash."""
        for name, text in files.items():
            path = self.here / f"{name.replace('_', '/')}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.run("git", "add", ".")
        return self.run("git", "commit", "-m", "change")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("pre commit"))


@pytest.mark.skipif(not shutil.which("git"), reason="needs git in PATH")
def test_a_commit_is_checked(project: Project) -> None:
    """What is wrong stops it, what is right does not, and what is no manifest can be left out."""
    rule = catalogue()["AP003"]
    status, said = project.commit(deploy_shop=rule.bad)
    assert status == 1, said
    assert "AP003   deploy/shop.yaml:" in said
    status, said = project.commit(deploy_shop=rule.good)
    assert status == 0, said
    assert "Passed" in said

    status, said = project.commit(charts_shop_templates_web=TEMPLATE)
    assert status == 1, said
    assert "exit code: 3" in said
    assert "a Helm template, not a manifest" in said
    project.configure(", args: [--exclude=templates/, .]")
    assert project.commit()[0] == 0

    project.configure()
    (project.here / ".protocol-analysis.yaml").write_text("exclude: [templates/]\n", "utf-8")
    status, said = project.commit(charts_other_templates_web=TEMPLATE)
    assert status == 0, said

    (project.here / "notes.txt").write_text("no manifest", encoding="utf-8")
    status, said = project.commit()
    assert status == 0
    assert "Skipped" in said, "nothing that it reads has changed"
