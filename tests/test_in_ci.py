"""What CI is given: the hook of pre-commit, the action of GitHub, and what the README tells."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from protocol_analysis import cli
from protocol_analysis.findings.catalogue import catalogue
from tests.support import ROOT


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a bad, a good and a broken manifest, which is the current one."""
    rule = catalogue()["AP003"]
    for name, text in (("bad", rule.bad), ("good", rule.good), ("broken", "kind: [")):
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def options_of(command: str) -> set[str]:
    """The options that a command has, as its help tells them."""
    done = subprocess.run(
        [sys.executable, "-m", "protocol_analysis", command, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", done.stdout))


def test_the_hook_calls_what_there_is(here: Path) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    program, command, *options = shlex.split(hook["entry"])
    assert program in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert set(options) <= options_of(command)
    assert {"id", "name", "language", "types"} <= set(hook)
    assert hook["pass_filenames"] is False
    (here / "broken.yaml").unlink()
    assert cli.main([command, *options, *hook["args"]]) == 1


def action() -> dict[str, Any]:
    text = (ROOT / ".github/actions/check/action.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def test_the_action_calls_what_there_is() -> None:
    (install, run_check) = action()["runs"]["steps"]
    assert action()["runs"]["using"] == "composite"
    source = install["env"]["SOURCE"].partition("}}")[2]
    assert (ROOT / ".github/actions/check" / source.strip("/") / "pyproject.toml").is_file()
    for step in (install, run_check):
        assert "${{" not in step["run"], "an input would be code"
    used = set(re.findall(r"(?<=\s)--[a-z][a-z-]+", run_check["run"]))
    assert used <= options_of("check")
    told = re.findall(r"(?<=\s)(--[a-z-]+)", str(action()["inputs"]))
    assert set(told) <= options_of("check")
    for name in action()["inputs"]:
        assert f"${{{{ inputs.{name} }}}}" in run_check["env"].values()


# The action's inputs, its status, and how much it says.
ACTIONS = [
    ({"PATHS": "bad file.yaml"}, 1, 1),
    ({"PATHS": "bad file.yaml\ngood.yaml\n", "OPTIONS": "--fail-on=none\n--select=AP003"}, 0, 1),
    ({"PATHS": "good.yaml", "SARIF": "out.sarif"}, 0, 0),
    ({"PATHS": "bad file.yaml", "SARIF": "out.sarif"}, 1, 1),
    ({"PATHS": "broken.yaml", "SARIF": "out.sarif"}, 3, 1),
    ({"PATHS": "$(touch owned)", "OPTIONS": "`touch owned`"}, 3, 2),
    ({"PATHS": "-o", "OPTIONS": ""}, 3, 1),
]


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash in PATH")
@pytest.mark.parametrize(("inputs", "status", "lines"), ACTIONS)
def test_the_action_runs(here: Path, inputs: dict[str, str], status: int, lines: int) -> None:
    """The step as GitHub runs it, with the program where the first step puts it."""
    (here / "bad.yaml").rename(here / "bad file.yaml")
    programs = here / "runner/protocol-analysis/bin"
    programs.mkdir(parents=True)
    program = programs / "protocol-analysis"
    shown = f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -m protocol_analysis "$@"'
    program.write_text(f"#!/bin/sh\n{shown}\n", encoding="utf-8")
    program.chmod(0o755)
    step = action()["runs"]["steps"][1]
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=here,
        env={
            **os.environ,
            **dict.fromkeys(step["env"], ""),
            **inputs,
            "RUNNER_TEMP": str(here / "runner"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert len(done.stdout.splitlines()) == lines
    assert not (here / "owned").exists()
    if "SARIF" in inputs:
        log = json.loads((here / "out.sarif").read_text(encoding="utf-8"))
        assert len(log["runs"][0]["results"]) == (lines if status < 3 else 0)


def test_the_readme_tells_what_there_is() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Findings, and how to live with them")[2].partition("\n## ")[0]
    told = set(re.findall(r"(?<=[`\s])--?[a-z][a-z-]*(?=[\s`])", section))
    assert told
    assert told <= options_of("check")
    for link in re.findall(r"\]\(([^)]+)\)", section):
        assert (ROOT / link).is_file()
    assert (ROOT / ".github/actions/check/action.yml").is_file()
