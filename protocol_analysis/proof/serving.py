"""Servers for as long as a block runs: `with serving(["h1_stdlib", "closed"]) as ports: …`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from protocol_analysis.proof.bootstrap import LOCALHOST
from protocol_analysis.proof.cells import SERVERS
from protocol_analysis.proof.programs import Programs, ProofError, programs

_READY = 30.0  # seconds
_SCRIPT = Path(__file__).with_name("servers.py")
# Where Debian has servers' programs, which is not in every PATH.
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
_PACKAGES = {"nginx": "nginx-light", "nghttpd": "nghttp2-server"}
_BOTH_SINCE = (1, 25, 1)  # from which on nginx's HTTP/2 ports speak HTTP/1.1 too

_NGINX = """\
daemon off;
master_process off;
pid nginx.pid;
error_log stderr crit;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  ssl_certificate cert.pem;
  ssl_certificate_key key.pem;
{servers}
}}
"""
_NGINX_SERVER = '  server {{ listen 127.0.0.1:{port}{how}; location / {{ return 200 "ok\\n"; }} }}'
_NGINX_HOW = {
    "h1_nginx": "",
    "h2c_nginx": " http2",
    "tls_h1_nginx": " ssl",
    "tls_h1h2_nginx": " ssl http2",
}


@contextlib.contextmanager
def serving(names: Iterable[str]) -> Iterator[dict[str, int]]:
    """The port of each of these servers on 127.0.0.1, for as long as the block runs.

    Raises ProofError where a server is not known, its program is absent, or it does not start.
    """
    with programs() as running:
        yield start_servers(running, names)


def start_servers(running: Programs, names: Iterable[str]) -> dict[str, int]:
    """Start servers among what runs; the port of each, once all of them answer.

    `ca.pem` in the folder is what their TLS certificates are to be trusted by.
    """
    wanted = list(dict.fromkeys(names))
    if unknown := [name for name in wanted if name not in SERVERS]:
        raise ProofError(f"no server {unknown[0]!r}; known are {', '.join(SERVERS)}")
    absent = absent_servers()
    if missing := [name for name in wanted if name in absent]:
        raise ProofError(f"{missing[0]}: {absent[missing[0]]}")
    ours = [name for name in wanted if not SERVERS[name].program]
    running.python("servers", _SCRIPT, str(running.folder), *ours)
    running.wait("certificates", lambda: _there(running.folder / "ca.pem"), _READY)
    with contextlib.ExitStack() as held:
        others = {name: _hold(held) for name in wanted if SERVERS[name].program}
        _start_nginx(running, {name: port for name, port in others.items() if "nginx" in name})
        for name, port in others.items():
            if "nghttpd" in name:
                _start_nghttpd(running, name, port)
        for name, port in others.items():
            running.wait(f"{name} at port {port}", lambda port=port: _answers(port), _READY)  # type: ignore[misc]
        ports_file = running.wait("servers", lambda: _there(running.folder / "ports.json"), _READY)
    ports: dict[str, int] = json.loads(ports_file.read_text(encoding="utf-8"))
    return {name: {**ports, **others}[name] for name in wanted}


@cache
def absent_servers() -> Mapping[str, str]:
    """The servers that cannot be started on this machine, each with the reason and the remedy."""
    absent = {}
    for server in SERVERS.values():
        if server.program and not which(server.program):
            package = _PACKAGES[server.program]
            absent[server.name] = f"no {server.program} in PATH; apt install {package}"
    if "h2c_nginx" not in absent and _nginx_version() >= _BOTH_SINCE:
        absent["h2c_nginx"] = "this nginx speaks HTTP/1.1 on such a port too, since 1.25.1"
    return absent


def which(program: str) -> str | None:
    """Where a program is, in PATH or where servers' programs are."""
    return shutil.which(program, path=_PATH)


def _nginx_version() -> tuple[int, ...]:
    said = subprocess.run(  # noqa: S603 - a program that was found by name
        [which("nginx") or "nginx", "-v"], capture_output=True, text=True, check=False
    ).stderr
    found = re.search(r"nginx/([0-9]+)\.([0-9]+)\.([0-9]+)", said)
    return tuple(map(int, found.groups())) if found else ()


def _start_nginx(running: Programs, ports: Mapping[str, int]) -> None:
    if not ports:
        return
    servers = [
        _NGINX_SERVER.format(port=port, how=_NGINX_HOW[name]) for name, port in ports.items()
    ]
    conf = running.write("nginx.conf", _NGINX.format(servers="\n".join(servers)))
    where = ("-p", f"{running.folder}/", "-c", conf, "-e", "stderr")
    running.start("nginx", [which("nginx") or "nginx", *where])


def _start_nghttpd(running: Programs, name: str, port: int) -> None:
    root = running.folder / "htdocs"
    root.mkdir(exist_ok=True)
    (root / "index.html").write_text("ok\n", encoding="utf-8")
    options = ["--address", LOCALHOST, "--htdocs", str(root)]
    last = [str(port), "key.pem", "cert.pem"] if SERVERS[name].tls else ["--no-tls", str(port)]
    running.start(name, [which("nghttpd") or "nghttpd", *options, *last])


def _hold(held: contextlib.ExitStack) -> int:
    """A free port, kept from everybody but programs that may use it again, as servers do."""
    taken = held.enter_context(socket.socket())
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind((LOCALHOST, 0))
    return int(taken.getsockname()[1])


def _answers(port: int) -> bool | None:
    try:
        with socket.create_connection((LOCALHOST, port), 0.2):
            return True
    except OSError:
        return None


def _there(path: Path) -> Path | None:
    return path if path.exists() else None
