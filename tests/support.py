"""What several test modules need: where things are, and what to do where they are not."""

from pathlib import Path

import pytest

ROOT: Path = Path(__file__).resolve().parents[1]
SHARED: Path = ROOT.parent / "shared"

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(),
    reason="needs the folder `shared` beside the repository (golden rows, real manifests)",
)
