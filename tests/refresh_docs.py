"""Write the pages of `docs/rules/` anew where the catalogue has changed; `make docs` runs it."""

from __future__ import annotations

import sys
from pathlib import Path

from protocol_analysis.findings.pages import pages

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "rules"


def main(folder: Path = FOLDER) -> int:
    """Write what differs, remove what is no page any more; returns 0."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for path in sorted(folder.iterdir()):
        if path.name not in wanted:
            path.unlink()
            print(f"{path.name}: removed")
    for name, text in wanted.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8", newline="\n")
            print(f"{name}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
