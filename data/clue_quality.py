#!/usr/bin/env python3
"""Write protocol_analysis/clue_quality.yaml: how often each clue is right on real ports.

Measured on the manifests that data/in_the_wild.csv is made from, each repository as a cluster of
its own. `every port` counts all of them, `outside tests` those whose path is no test's own (by the
rules of in_the_wild.py). Only clues that speak of a port that declares a value have a row.

    python -m data.clue_quality --date 2026-11-26
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from data.in_the_wild import is_fixture
from protocol_analysis import Inventory, load
from protocol_analysis.measuring import ALL, Quality, quality

ROOT = Path(__file__).resolve().parents[1]
YAML = ROOT / "protocol_analysis" / "clue_quality.yaml"
CHECKOUTS = ROOT.parent / "shared" / "real" / "manifests"
HEAD = """\
# How often each clue is right: written by data/clue_quality.py, not by hand, from the manifests of
# data/in_the_wild.csv. Quality in measuring.py says what the numbers are.
measured: '{on}'
of: {{repositories: '{repositories}', files: '{files}', ports: '{ports}'}}
"""


def repositories(checkouts: Path) -> Inventory:
    """All manifests, each repository as a cluster."""
    return load(clusters={folder.name: folder for folder in sorted(checkouts.iterdir())})


def outside_tests(inventory: Inventory, checkouts: Path) -> Inventory:
    """The same without the Services and ServiceImports that stand in a test's own files."""

    def is_tests(file: str) -> bool:
        return is_fixture(Path(file).relative_to(checkouts).as_posix())

    return replace(
        inventory,
        services=tuple(s for s in inventory.services if not is_tests(s.meta.position.file)),
        service_imports=tuple(
            s for s in inventory.service_imports if not is_tests(s.meta.position.file)
        ),
    )


def written(checkouts: Path, on: str) -> str:
    """The file's text."""
    inventory = repositories(checkouts)
    count = len(list(checkouts.iterdir()))
    services = (*inventory.services, *inventory.service_imports)
    ports = sum(len(service.ports) for service in services)
    parts = [HEAD.format(on=on, repositories=count, files=inventory.files, ports=ports)]
    for name, part in (
        ("every port", inventory),
        ("outside tests", outside_tests(inventory, checkouts)),
    ):
        rows = [row for row in quality(part) if row.speaks or row.clue == ALL]
        parts.append("\n".join([f"{name}:", *map(_line, rows), ""]))
    return "".join(parts)


def _line(row: Quality) -> str:
    return "- {" + ", ".join(f"{key}: '{value}'" for key, value in asdict(row).items()) + "}"


def main(argv: Sequence[str] | None = None) -> int:
    """Write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--date", required=True, help="when it was measured")
    parser.add_argument("--checkouts", type=Path, default=CHECKOUTS)
    parser.add_argument("--to", type=Path, default=YAML)
    options = parser.parse_args(argv)
    options.to.write_text(written(options.checkouts, options.date), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
