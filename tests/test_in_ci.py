"""What CI is given: the hook of pre-commit, the action of GitHub, and what the README tells."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from protocol_analysis import cli
from protocol_analysis.findings.catalogue import catalogue
from tests.support import ROOT

ACTION = ROOT / ".github/actions/check"


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
    assert {"id", "name", "language", "types_or"} <= set(hook)
    assert hook["pass_filenames"] is False
    (here / "broken.yaml").unlink()
    assert cli.main([command, *options, *hook["args"]]) == 1


def action() -> dict[str, Any]:
    text = (ACTION / "action.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def test_the_action_calls_what_there_is() -> None:
    assert action()["runs"]["using"] == "composite"
    told = set(re.findall(r"(?<=\s)(--[a-z-]+)", str(action()["inputs"])))
    for step in action()["runs"]["steps"]:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "an input would be code"
        told |= set(re.findall(r"(?<=\s)--[a-z][a-z-]+", step["run"])) - {"--quiet"}
    assert told <= options_of("check")


def run_step(number: int, runner: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """A step as GitHub runs it: expressions replaced, its text a script of its own."""
    step, context = action()["runs"]["steps"][number], {"github.action_path": str(ACTION)}
    for name, about in action()["inputs"].items():
        context[f"inputs.{name}"] = inputs.pop(name, about["default"])
    assert not inputs, "no such inputs"

    def replaced(text: str) -> str:
        return re.sub(r"\$\{\{ *(.*?) *\}\}", lambda found: context[found[1]], text)

    script = runner / f"{number}.sh"
    script.write_text(replaced(step["run"]), encoding="utf-8")
    python = Path(sys.executable).parent
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
        env={
            **os.environ,
            **{name: replaced(text) for name, text in step["env"].items()},
            "RUNNER_TEMP": str(runner),
            "PATH": f"{python}{os.pathsep}{os.environ['PATH']}",
            # Nothing is fetched: what the package needs is taken from this environment.
            "PIP_NO_INDEX": "1",
            "PIP_NO_DEPS": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it as the value of what it negates
            "PYTHONPATH": sysconfig.get_path("purelib"),
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What GitHub calls RUNNER_TEMP, after the first step: the package is installed there."""
    folder = tmp_path_factory.mktemp("runner's temp")
    done = run_step(0, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


EVIL = """it's "bad" $(touch owned) `touch owned`; touch owned & ${{ github.token }}.yaml"""
# The action's inputs, its status, and how much it says.
ACTIONS: list[tuple[dict[str, str], int, int]] = [
    ({}, 3, 3),
    ({"paths": f"good.yaml\n\n{EVIL}\n"}, 1, 1),
    ({"paths": "bad file.yaml\ngood.yaml\n", "options": "--fail-on=none\n--select=AP003\n"}, 0, 1),
    ({"options": "--exclude=bro*.yaml\n--exclude=*bad*.yaml"}, 0, 0),
    ({"paths": "bad file.yaml", "options": "-o\ntable"}, 1, 1),
    ({"paths": "bad file.yaml", "sarif": 'reports/$(touch owned)/it\'s "out".sarif'}, 1, 1),
    ({"paths": "broken.yaml", "sarif": "-out.sarif"}, 3, 1),
    ({"paths": "$(touch owned)", "options": "--today=`touch owned`"}, 2, 0),
    ({"paths": "$(touch owned)\n`touch owned`\n*"}, 3, 3),
    ({"paths": "-o"}, 3, 1),
    ({"paths": "good.yaml", "options": "--ignore=AP003;touch owned"}, 2, 0),
]


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash in PATH")
@pytest.mark.parametrize(("inputs", "status", "lines"), ACTIONS)
def test_the_action_runs(
    here: Path, runner: Path, inputs: dict[str, str], status: int, lines: int
) -> None:
    """Both steps, with inputs that would be code where they are not kept as data."""
    (here / "bad.yaml").rename(here / "bad file.yaml")
    shutil.copy(here / "bad file.yaml", here / EVIL)
    done = run_step(1, runner, **inputs)
    assert done.returncode == status, done.stderr
    assert len(done.stdout.splitlines()) == lines, done.stdout
    assert not (here / "owned").exists()
    if file := inputs.get("sarif"):
        log = json.loads((here / file).read_text(encoding="utf-8"))
        assert len(log["runs"][0]["results"]) == (lines if status < 3 else 0)


def test_the_readmes_examples_are_what_the_action_and_the_hook_take() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    shown = [yaml.load(block, yaml.BaseLoader) for block in blocks]  # noqa: S506 - texts alone
    (workflow,) = (each for each in shown if "jobs" in each)
    (steps,) = (job["steps"] for job in workflow["jobs"].values())
    (ours,) = (step for step in steps if "/.github/actions/" in step["uses"])
    assert (ROOT / ours["uses"].partition("@")[0].partition("REPOSITORY/")[2]).is_dir()
    assert set(ours["with"]) <= set(action()["inputs"])
    (config,) = (each for each in shown if "repos" in each)
    (hook,) = config["repos"][0]["hooks"]
    (known,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert hook["id"] == known["id"]
    told = {
        line.partition("=")[0] for line in [*ours["with"]["options"].split(), *hook["args"][1:]]
    }
    assert told <= options_of("check")


def test_the_readme_tells_what_there_is() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Findings, and how to live with them")[2].partition("\n## ")[0]
    told = set(re.findall(r"(?<=[`\s])--?[a-z][a-z-]*(?=[\s`])", section))
    assert told
    assert told <= options_of("check")
    for link in re.findall(r"\]\((?!https:)([^)]+)\)", section):
        assert (ROOT / link).is_file()
    assert (ROOT / ".github/actions/check/action.yml").is_file()
