"""The command line's contract: rows, formats, exit statuses, and where each kind of text goes."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from protocol_analysis import __version__, ruleset
from protocol_analysis.formats import FORMATS, printable
from tests.support import ROOT, run

HOSTILE = "\x1b[31m=1+1|<b>\u202e$x$`*"
SHOP = f"""\
apiVersion: v1
kind: Service
metadata: {{name: cart, namespace: shop}}
spec:
  ports:
    - {{name: grpc, port: 9000, appProtocol: grpc}}
    - {{name: web, port: 80, appProtocol: {json.dumps(HOSTILE)}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: cart}}
spec: {{rules: [{{backendRefs: [{{name: cart, namespace: shop, port: 9000}}]}}]}}
"""
BROKEN = "kind: Service\nmetadata: [\n"
RESOLVE = {
    "cluster", "route", "rule", "role", "backend", "backendRef", "appProtocol", "protocol",
    "forceHTTP1", "tls", "upstream", "implementation", "release", "reasons", "referencedAt",
    "declaredAt",
}  # fmt: skip
COVERAGE = {
    "cluster", "kind", "namespace", "name", "port", "portName", "transport", "appProtocol",
    "standard", "recognised", "protocol", "upstream", "tls", "routes", "declaredAt",
}  # fmt: skip


RELEASES = {
    "implementation", "release", "date", "line", "newest", "envoy", "gatewayAPI", "kubernetes",
    "endOfLife",
}  # fmt: skip
IMPLEMENTATIONS = {"implementation", "title", "newest", "knownUntil", "rows"}

# How another program reads a format. Line breaks in jsonl are \n alone.
READ: dict[str, Callable[[str], Any]] = {
    "json": json.loads,
    "jsonl": lambda text: [json.loads(line) for line in text.split("\n") if line],
    "yaml": yaml.safe_load,
}


def flat(row: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A row as a csv has it: objects as columns with a dot, null as nothing.

    Control characters are shown; a csv has no escapes.
    """
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            found[prefix + name] = value
        else:
            text = "" if value is None else str(value)
            found[prefix + name] = "".join(c if c in "\t\n" else printable(c) for c in text)
    return found


LISTS = ("reasons", "readings")


def csv_rows(text: str) -> list[dict[str, Any]]:
    """The lines of a csv as a standard reader has them; lists are JSON."""
    lines = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    return [
        {
            name: json.loads(cell) if name in ("reasons", "readings") else cell
            for name, cell in line.items()
        }
        for line in lines
    ]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one manifest, which is the current one."""
    (tmp_path / "shop.yaml").write_text(SHOP, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    status, out, _ = run(capsys, *arguments, "-o", "json")
    assert status == 0
    found: list[dict[str, Any]] = json.loads(out)
    return found


@pytest.mark.usefixtures("shop")
def test_rows_have_the_contracts_fields(capsys: pytest.CaptureFixture[str]) -> None:
    (resolution,) = rows(capsys, "resolve", "shop.yaml", "--namespace", "shop")
    assert set(resolution) >= RESOLVE
    assert (resolution["protocol"], resolution["route"]["namespace"]) == ("GRPC", "shop")
    ports = rows(capsys, "coverage", "shop.yaml")
    assert all(set(port) >= COVERAGE for port in ports)
    assert [port["appProtocol"] for port in ports] == ["grpc", HOSTILE]
    assert [port["recognised"] for port in ports] == [True, False]
    assert ports[0]["declaredAt"] == {"file": "shop.yaml", "document": 1, "line": 6, "column": 45}


@pytest.mark.parametrize("output", FORMATS)
def test_nothing_to_print_is_printed_as_such(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    status, out, err = run(capsys, "resolve", str(tmp_path), "-o", output)
    assert (status, err) == (
        0,
        f"warning: {tmp_path}: nothing was read: there is no manifest\n",
    )
    assert {"json": "[]", "yaml": "[]", "jsonl": ""}.get(output, out.strip()) == out.strip()


# Wrong usage, and what the message says would be right.
WRONG = [
    (["resolve"], "no PATH given"),
    (["resolve", ""], "write . for the current folder"),
    (["resolve", "shop.yaml", "--release", "latest"], "v1.9.0"),
    (["resolve", "shop.yaml", "--implementation", "envoy"], "there are agentgateway, "),
    (["resolve", "shop.yaml", "--cluster", "east"], "NAME=PATH"),
    (["resolve", "--cluster", "=shop.yaml"], "NAME=PATH"),
    (["resolve", "--cluster", "a=shop.yaml", "--cluster", "a=shop.yaml"], "named twice"),
    (["resolve", "--cluster", "a=shop.yaml@envoy-gatway:v1.8.3"], "there are agentgateway, "),
    (["resolve", "-", "-"], "standard input is named twice"),
    (["resolve", "shop.yaml", "-o", "xml"], "markdown"),
    (["guess"], "resolve"),
    ([], "COMMAND"),
]


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(("arguments", "remedy"), WRONG)
def test_wrong_usage_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], remedy: str
) -> None:
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert remedy in err
    assert err.count("\n") == 1


def test_what_cannot_be_read_is_named_and_the_rest_is_printed(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "broken.yaml").write_text(BROKEN, encoding="utf-8")
    status, out, err = run(capsys, "coverage", ".", "no-such-file", "-o", "json")
    assert status == 3
    assert len(json.loads(out)) == 2
    assert re.search(r"not read: broken\.yaml:[23]:\d+: not YAML", err)
    assert "not read: no-such-file:1:1: no such file" in err
    assert "2 could not be read" in err


def test_each_cluster_has_its_release_and_its_names(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = shop / "a=b c@envoy-gateway:x"
    odd.mkdir()
    (odd / "shop.yaml").write_text(SHOP, encoding="utf-8")
    found = rows(
        capsys, "coverage", "--release", "1.6",
        "--cluster", "old=shop.yaml@envoy-gateway:v1.0.2",
        "--cluster", f"odd={odd.name}",
        "--cluster", f"both={odd.name}@envoy-gateway:main",
    )  # fmt: skip
    assert [(row["cluster"], row["protocol"]) for row in found if row["port"] == 9000] == [
        ("old", "HTTP"),
        ("odd", "GRPC"),
        ("both", "GRPC"),
    ]
    found = rows(capsys, "resolve", "shop.yaml", "--cluster", "old=shop.yaml@envoy-gateway:v1.0.2")
    assert [(row["cluster"], row["release"]) for row in found] == [
        (None, ruleset().newest),
        ("old", "v1.0.2"),
    ]


@pytest.mark.usefixtures("shop")
def test_an_unknown_release_is_taken_as_the_newest_with_a_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, out, err = run(capsys, "resolve", "shop.yaml", "--release", "v1.8.99", "-o", "jsonl")
    assert (status, json.loads(out)["release"]) == (0, "v1.8.3")
    assert err == ("warning: v1.8.99 is not known; taken as v1.8.3, the newest known of its line\n")


def test_what_is_known_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    releases = rows(capsys, "releases")
    assert [row["release"] for row in releases if row["newest"]] == [ruleset().newest]
    assert releases[-1]["release"] == "main"
    assert releases[-2]["endOfLife"] == "2027-02-14"
    known = next(
        row for row in rows(capsys, "implementations") if row["implementation"] == "envoy-gateway"
    )
    assert (known["implementation"], known["newest"]) == ("envoy-gateway", ruleset().newest)


def module(
    *arguments: str, stdin: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "protocol_analysis", *arguments],
        input=stdin,
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
        timeout=60,
    )


def test_as_a_module_with_standard_input() -> None:
    done = module("coverage", "-", "-o", "jsonl", stdin=SHOP.encode())
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout.splitlines()[0])["declaredAt"]["file"] == "-"
    assert module("--version").stdout.decode().strip() == f"protocol-analysis {__version__}"


def test_a_terminal_that_is_not_utf_8() -> None:
    text = SHOP.replace("grpc, port", "grün, port").encode()
    done = module("coverage", "-", "-o", "json", stdin=text, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert json.loads(done.stdout)[0]["portName"] == "grün"
    assert module("coverage", "-", stdin=text, PYTHONIOENCODING="ascii").returncode == 0


def test_a_reader_that_goes_is_no_error() -> None:
    """`| head -1` ends the pipe; nothing is said of it."""
    code = f"{sys.executable} -m protocol_analysis releases -o jsonl | head -1"
    done = subprocess.run(["sh", "-c", code], capture_output=True, check=False, timeout=60)
    assert done.stderr == b""
    assert done.stdout.count(b"\n") == 1


# Names and values that somebody may write to fool a terminal, a browser or a spreadsheet.
NAMES = [
    "\x1b[2J\x1b]0;title\x07",
    "\x9b31m",
    "\u202egnp.exe\u200f",
    "a\nprotocol-analysis: all is well",
    "a\r\nb",
    "a\rb",
    "a\x85b",
    "\u2028",
    "<img src=x onerror=alert(1)>",
    "=1+1",
    "@SUM(1)",
    "a|b|c",
    '", "protocol": "GRPC',
    "- a: b",
    "%s {name} \\ $x$",
    " ",
]


def hostile(name: str) -> bytes:
    """A Service and a route to it, with the name wherever a name may stand, and a broken end."""
    meta = {"name": name, "namespace": name}
    port = {"port": 80, "name": name, "appProtocol": name}
    ref = {"name": name, "namespace": name, "port": 80}
    documents: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": [port]}},
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": meta,
            "spec": {"parentRefs": [{"name": name}], "rules": [{"backendRefs": [ref]}]},
        },
    ]
    broken = f'{json.dumps(name)}: &a\n{json.dumps(name)}: *"'
    return "\n---\n".join([*map(json.dumps, documents), broken]).encode()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("command", ["resolve", "coverage"])
def test_hostile_names_are_data(
    command: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(hostile(name))
    found = {}
    for output in FORMATS:
        status, found[output], err = run(capsys, command, str(file), "-o", output)
        assert status == 3
        assert f"not read: {file}:" in err
        assert all(c.isprintable() for c in err.replace("\n", ""))
    (row,) = wanted = json.loads(found["json"])
    assert row["appProtocol"] == name
    assert name in (row.get("name"), row.get("backendRef", {}).get("name"))
    for output, read in READ.items():
        assert read(found[output]) == wanted
    assert csv_rows(found["csv"]) == [flat(row)]
    for output in ("table", "wide", "markdown"):
        lines = found[output].rstrip("\n").split("\n")
        assert len(lines) == (3 if output == "markdown" else 2)
        assert all(c.isprintable() for line in lines for c in line)


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize(
    ("command", "keys"), [("releases", RELEASES), ("implementations", IMPLEMENTATIONS)]
)
def test_what_is_known_in_every_format(
    capsys: pytest.CaptureFixture[str], command: str, keys: set[str], output: str
) -> None:
    wanted = rows(capsys, command)
    assert all(set(row) == keys for row in wanted)
    status, out, err = run(capsys, command, "-o", output)
    assert (status, err) == (0, "")
    if output in READ:
        assert READ[output](out) == wanted
    elif output == "csv":
        assert csv_rows(out) == [flat(row) for row in wanted]
    else:
        assert len(out.splitlines()) == len(wanted) + (2 if output == "markdown" else 1)


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("command", ["resolve", "coverage"])
def test_a_csv_has_its_columns_whatever_was_found(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    found = []
    for arguments in (["empty"], ["shop.yaml"], ["shop.yaml", "--namespace", "shop"]):
        _, out, _ = run(capsys, command, *arguments, "-o", "csv")
        found.append(out.split("\n")[0])
    assert len(set(found)) == 1
    assert found[0].startswith("cluster,")


@pytest.mark.parametrize("name", ["a b", "a=b", "a@b", "a:b", "me@host:x", "c@envoy-gateway:1.8"])
def test_a_path_may_hold_what_a_reader_is_written_with(
    name: str, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "shop.yaml").rename(shop / name)
    found = rows(capsys, "coverage", "--cluster", f"east={name}")
    assert {row["cluster"] for row in found} == {"east"}
    assert {row["declaredAt"]["file"] for row in found} == {name}
    assert found[0]["protocol"] == "GRPC"
    found = rows(capsys, "resolve", "--cluster", f"e={name}@envoy-gateway:v1.0.2")
    assert [row["release"] for row in found] == ["v1.0.2"]


def test_what_gives_no_output_gives_no_traceback(tmp_path: Path) -> None:
    """Closed, full, or gone: whatever becomes of the output, one line at most says so."""
    command = f"{sys.executable} -m protocol_analysis"
    for line, status in (
        (f"{command} releases >&-", 0),
        (f"{command} --version >&-", 0),
        (f"{command} releases 2>&-", 0),
        (f"{command} resolve no-such-file 2>&-", 3),
        (f"{command} releases >/dev/full", 2),
        (f"{command} --version >/dev/full", 2),
        (f"{command} releases -o jsonl 2>&1 | true", 0),
        (f"{command} --help | true", 0),
        (f"({command} coverage no-such-file -o json; echo $? >&2) | true", 0),
    ):
        if "/dev/full" in line and not Path("/dev/full").exists():
            continue
        done = subprocess.run(
            ["sh", "-c", line], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == status, line
        assert "Traceback" not in done.stderr, line
        assert "Exception" not in done.stderr, line
        if status == 2:
            assert done.stderr.count("\n") == 1, line
            assert "write it elsewhere" in done.stderr
        if "echo" in line:  # what was wrong with the input counts, whoever reads the output
            assert done.stderr.endswith("\n3\n")


def test_a_file_name_that_is_no_text(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff\x1b.yaml"
    try:
        Path(os.fsdecode(name)).write_text(SHOP, encoding="utf-8")
    except OSError:
        pytest.skip("needs a file system that takes any bytes for a name")
    for output in FORMATS:
        done = module("coverage", str(tmp_path), "-o", output)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"udcff" in done.stdout.lower() or output in ("table", "markdown")
    (first, _) = json.loads(module("coverage", str(tmp_path), "-o", "json").stdout)
    assert os.fsencode(first["declaredAt"]["file"]) == name


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    """Read as it should be, or broken in a way that a message might quote."""
    for number, text in enumerate(
        (
            "data: {password: hunter2}",
            "data: {password: hunter2}\ndata: {password: hunter2}",
            'stringData: {a: "hunter2}',
            "stringData: {a: hunter2, a: *gone}",
            "stringData:\n  a: b: hunter2",
            "metadata: hunter2",
            "stringData: [hunter2\x01]",
            "{{ .Values.hunter }}2",
        )
    ):
        manifest = f"kind: Secret\napiVersion: v1\n{text}\n"
        (tmp_path / f"{number}.yaml").write_text(manifest, encoding="utf-8")
    for output in FORMATS:
        done = module("resolve", str(tmp_path), "-o", output)
        assert done.returncode == 3
        assert b"hunter2" not in done.stdout + done.stderr


def test_an_interrupt_before_there_is_a_command_is_quiet() -> None:
    code = (
        "import runpy, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'protocol_analysis.cli':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "runpy.run_module('protocol_analysis', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
