"""What of a folder is not read: by patterns, and by default; what is named itself always is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from protocol_analysis import load
from protocol_analysis.manifests.excluding import compiled, means_something
from protocol_analysis.model import ManifestError
from tests.support import run

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80%s}]}\n"
FILES = (
    "app.yaml",
    "charts/shop/templates/web.yaml",
    "charts/shop/values.yaml",
    "vendor/a/b/c.yaml",
    "vendor/top.yaml",
    "web/node_modules/pkg/m.yaml",
    ".venv/lib/m.yaml",
    ".git/m.yaml",
)
READ = [name for name in FILES if name[:4] not in (".git", ".ven") and "node_mod" not in name]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository, which is the current folder."""
    monkeypatch.chdir(tmp_path / "repo" if (tmp_path / "repo").is_dir() else tmp_path)
    for name in FILES:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SERVICE % "", encoding="utf-8")


def read_of(*paths: str, exclude: tuple[str, ...] = ()) -> list[str]:
    """The files that are read, as they are named."""
    found = load(*paths, exclude=exclude)
    assert found.unreadable == ()
    return sorted(service.meta.position.file for service in found.services)


def without(*gone: str) -> list[str]:
    return sorted(name for name in READ if name not in gone)


CASES = [
    ((), READ),
    (("templates",), without(FILES[1])),
    (("templates/",), without(FILES[1])),
    (("app.yaml/",), READ),  # a slash at the end means folders only
    (("*.yaml", "!app.yaml"), ["app.yaml"]),
    (("vendor/*.yaml",), without("vendor/top.yaml")),  # a star stays in its folder
    (("vendor/**/*.yaml",), without("vendor/top.yaml", "vendor/a/b/c.yaml")),
    (("/vendor",), without("vendor/top.yaml", "vendor/a/b/c.yaml")),
    (("a/b",), READ),  # a slash within: seen from here
    (("vendor/a/b",), without("vendor/a/b/c.yaml")),
    (("!node_modules",), sorted([*READ, "web/node_modules/pkg/m.yaml"])),
    (("!.git", "app.yaml"), sorted([*without("app.yaml"), ".git/m.yaml"])),
    (("charts/", "vendor/"), ["app.yaml"]),
]


@pytest.mark.parametrize(("exclude", "expected"), CASES, ids=[" ".join(c[0]) for c in CASES])
def test_patterns_are_those_of_gitignore(exclude: tuple[str, ...], expected: list[str]) -> None:
    assert read_of(".", exclude=exclude) == sorted(expected)


@pytest.mark.parametrize(
    "path",
    [
        "vendor/top.yaml",
        "vendor",
        "./vendor",
        "web/node_modules",
        ".venv",
        ".git/m.yaml",
        "vendor/a",
    ],
)
def test_what_is_named_is_read(path: str) -> None:
    assert read_of(path, exclude=("vendor", "m.yaml/"))


def test_below_what_is_named_patterns_still_hold() -> None:
    assert read_of("vendor", exclude=("vendor", "b/")) == ["vendor/top.yaml"]
    assert read_of("charts", exclude=("charts/shop/templates",)) == ["charts/shop/values.yaml"]


def test_from_elsewhere_the_same_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    repository = Path.cwd()
    here = [str(repository / name) for name in without(FILES[1])]
    assert read_of(str(repository), exclude=("templates/",)) == here
    (repository.parent / "beside").mkdir(exist_ok=True)
    monkeypatch.chdir(repository.parent / "beside")
    assert len(read_of(f"../{repository.name}", exclude=("templates/",))) == len(here)
    monkeypatch.chdir(repository / "web")
    assert len(read_of("..", exclude=("templates/",))) == len(here)


def test_folders_of_tools_are_told_and_those_that_were_asked_for_are_not() -> None:
    (told,) = load(".").skipped
    assert told.reason == (
        "folders of tools in it: 1 .venv, 1 node_modules; --exclude '!.venv' reads .venv"
    )
    assert [told.position.file for told in load("web").skipped] == ["web"]
    assert load(".", exclude=["node_modules", ".venv"]).skipped == ()
    assert load("charts").skipped == ()


def test_a_link_can_be_excluded(tmp_path: Path) -> None:
    Path("charts/out").symlink_to(tmp_path.parent)
    Path("charts/node_modules").symlink_to(tmp_path.parent)
    assert [str(p.position.file) for p in load("charts").unreadable] == ["charts/out"]
    assert load("charts", exclude=["out"]).unreadable == ()


@pytest.mark.parametrize("pattern", ["", " ", "!", "# all", "/", "\\"])
def test_a_pattern_that_excludes_nothing_is_refused(
    pattern: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ManifestError, match="excludes nothing"):
        load(".", exclude=[pattern])
    status, out, err = run(capsys, "check", ".", f"--exclude={pattern}")
    assert (status, out) == (2, "")
    assert "write a pattern as in .gitignore" in err


@given(st.text(alphabet="ab*?[]!\\/# \n.^$(){}|+é", max_size=12))
def test_any_pattern_is_understood_or_refused(pattern: str) -> None:
    if means_something(pattern):
        spec = compiled([pattern])
        assert spec is not None
        assert spec.match_file("x/a.yaml") in (True, False)
    else:
        with pytest.raises(ManifestError):
            compiled([pattern])


COMMANDS = ("check", "resolve", "coverage", "explain", "portability", "propagation")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_reads_takes_it(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("charts/shop/templates/web.yaml").write_text("a: {{ b }}\nc: [", encoding="utf-8")
    assert run(capsys, command, ".")[0] == 3
    status, _, err = run(capsys, command, ".", "--exclude", "templates/", "--exclude=.venv")
    assert status == 0, err
    assert "not read" not in err
    assert run(capsys, command, ".", "charts/shop/templates/web.yaml", "--exclude=*.yaml")[0] == 3


def test_rewrite_leaves_what_is_excluded(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("app.yaml", "vendor/top.yaml"):
        Path(name).write_text(SERVICE % ", appProtocol: grpc", encoding="utf-8")
    _, out, _ = run(capsys, "rewrite", ".", "--exclude", "vendor")
    assert "+++ b/app.yaml" in out
    assert "vendor" not in out
    run(capsys, "rewrite", ".", "--exclude", "vendor", "--write")
    assert "h2c" in Path("app.yaml").read_text(encoding="utf-8")
    assert "grpc" in Path("vendor/top.yaml").read_text(encoding="utf-8")


BROKEN = "charts/shop/templates/web.yaml"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (".protocol-analysis.yaml", "exclude: [templates/]\n"),
        (".protocol-analysis.yaml", "exclude: '{a,templates}'\n"),
        ("pyproject.toml", "[tool.protocol-analysis]\nexclude = ['charts/*/templates']\n"),
        ("charts/own.yaml", "exclude: [shop/templates]\n"),
        ("charts/own.yaml", "exclude: [templates]\n"),
    ],
)
def test_a_project_says_it_once(file: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(BROKEN).write_text("kind: [", encoding="utf-8")
    Path(file).write_text(text, encoding="utf-8")
    config = ["--config", file] if file.startswith("charts/") else []
    wanted = 3 if "{" in text else 0  # a comma is no sign here, nor are braces, as in .gitignore
    assert run(capsys, "check", ".", *config)[0] == wanted
    assert run(capsys, "check", ".", *config, "--exclude=nothing")[0] == 3  # the command line wins


def test_what_a_file_elsewhere_says_is_seen_from_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(BROKEN).write_text("kind: [", encoding="utf-8")
    Path("own.yaml").write_text("exclude: [charts/shop/templates]\n", encoding="utf-8")
    monkeypatch.chdir("web")
    assert run(capsys, "check", "..")[0] == 3
    assert run(capsys, "check", "..", "--config", "../own.yaml")[0] == 0


def test_a_pattern_of_the_project_that_excludes_nothing_has_its_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path(".protocol-analysis.yaml").write_text("fail-on: error\nexclude: ['!']\n", encoding="utf-8")
    status, _, err = run(capsys, "check", ".")
    assert status == 2
    assert ".protocol-analysis.yaml:2: exclude: '!' excludes nothing" in err


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("empty", "empty: nothing was read: there is no manifest"),
        (". --exclude **", ".: nothing was read: there is no manifest that --exclude leaves"),
        (
            "--cluster east=. --exclude **",
            "cluster east: nothing was read: there is no manifest that --exclude leaves",
        ),
        (".", ""),
        ("no-such-folder", ""),  # which is said already
    ],
)
@pytest.mark.parametrize("command", ["check", "resolve", "plan", "propagation"])
def test_nothing_to_read_is_said(
    command: str, asked: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of an empty folder, and alike of one that is excluded as a whole; neither is an error."""
    Path("empty").mkdir()
    status, _, err = run(capsys, command, *asked.split())
    assert [line for line in err.splitlines() if "nothing was read" in line] == (
        [f"warning: {said}"] if said else []
    )
    assert status == (3 if asked.startswith("no-such") else 0)
