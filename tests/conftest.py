"""What every test stands on: nothing of the user's own settings, no window.

Notebooks run in kernels, which inherit this process's environment, so it is cleaned here and not
in a fixture.
"""

import os
import tempfile
from pathlib import Path

import matplotlib as mpl
import pytest
from hypothesis import settings

# A maintainer's own manifests must not be what notebooks are compared on; and with MPLBACKEND
# set, a kernel shows no figures.
for _name in [name for name in os.environ if name.startswith("PROTOCOL_")]:
    del os.environ[_name]
os.environ.pop("MPLBACKEND", None)

# Start-up files and display settings of the user's IPython would change what notebooks show.
_IPYTHON = tempfile.TemporaryDirectory(prefix="ipython-")
os.environ["IPYTHONDIR"] = _IPYTHON.name

mpl.use("Agg")
# A busy machine is no failure: how fast things are is for benchmarks.
settings.register_profile("any speed", deadline=None)
# `--hypothesis-profile=thorough`; test_properties.py is run by it in `make test-slow`.
settings.register_profile("thorough", deadline=None, max_examples=500)
settings.load_profile("any speed")


def pytest_unconfigure() -> None:
    _IPYTHON.cleanup()


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Help and tables as in a terminal of 80 columns without colours."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")


def pytest_report_header() -> str:
    here = Path(__file__).resolve().parents[2] / "shared"
    return f"shared: {'found' if here.is_dir() else 'absent, the tests that need it are skipped'}"
