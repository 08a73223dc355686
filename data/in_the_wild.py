#!/usr/bin/env python3
"""Write data/in_the_wild.csv: which backend ports real repositories hold, and what they declare.

A manifest's ports are what `protocol_analysis.load` reads from it, one row per port of a Service
or ServiceImport and one per Backend, declared or not. What charts, documents and scripts state is
no manifest: there a row is one literal value, and says no more than where it stands.

Two ways to make it, with the same result:

    python data/in_the_wild.py                                    from the reference data
    python data/in_the_wild.py --index data/in_the_wild.csv --checkouts FOLDER

The second needs nothing but the repositories, each at its commit in FOLDER/<owner>__<name>; with
--list it says which files at which commits. Only facts are written: a value, a path, a name.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocol_analysis import Inventory, load
from protocol_analysis.model import Problem, values_of

HERE = Path(__file__).resolve().parent
CSV = HERE / "in_the_wild.csv"
SHARED = HERE.parents[1] / "shared"
MANIFEST = "manifest"
SOURCES = ("helm-template", "values", "docs", "other-yaml", "other-yaml-object", "shell")
COLUMNS = (
    "repository", "commit", "path", "licence", "source", "kind",
    "port_name", "port", "transport", "app_protocol", "fixture",
)  # fmt: skip

# A path is a test's own if one of these is found in it. A chart's `rendered` examples are not:
# they show what its users get.
FIXTURES = {
    "a folder of tests": r"(^|/)test[^/]*/",
    "a folder of fixtures": r"(^|/)fixtures?/",
    "expected output": r"(^|/)golden/|\.golden\.\w+$",
    "a conformance suite": r"(^|/)([^/]*-)?conformance/",
    "end-to-end tests": r"(^|/)[^/]*e2e[^/]*/",
}

# Repositories of which only literals are known, so that the index does not name their commits.
ELSEWHERE = {
    "GoogleCloudPlatform/gke-networking-recipes": ("cce161862b", "Apache-2.0"),
    "agentgateway/agentgateway": ("75b4e6ce6e0e1ac7959d5548ebe8dbeaede4f180", "Apache-2.0"),
    "apache/apisix-ingress-controller": ("d510f6656c5d2289dbb9b4c02c3c3473ff8abb2f", "Apache-2.0"),
    "bitnami/charts": ("5165628ae0", "Apache-2.0"),
    "jaegertracing/helm-charts": ("6c602b54a1", "Apache-2.0"),
    "openservicemesh/osm": ("7bec5b6b2f77deeb254ce9ccdfe397d4676370e6", "Apache-2.0"),
    "prometheus-community/helm-charts": ("cf408a290a", "Apache-2.0"),
    "zitadel/zitadel-charts": ("9df601b518", "Apache-2.0"),
}

# A literal value on a line of its own; neither a comment nor a template's expression.
LITERAL = re.compile(r"""(?m)^[ \t-]*["']?appProtocol["']?:[ \t]*["']?([A-Za-z0-9][\w./-]*)""")

Row = tuple[str, ...]  # the cells of COLUMNS


@dataclass(frozen=True, slots=True, order=True)
class File:
    """A file of a repository at a commit, and what it is: a manifest, or one of SOURCES."""

    repository: str
    commit: str
    path: str
    licence: str
    source: str

    def __str__(self) -> str:
        return f"{self.repository}@{self.commit}:{self.path}"

    def below(self, checkouts: Path) -> Path:
        """Where it lies in a folder of checkouts."""
        return checkouts / self.repository.replace("/", "__") / self.path

    def row(
        self,
        app_protocol: str,
        kind: str = "",
        port_name: str = "",
        port: int | None = None,
        transport: str = "",
    ) -> Row:
        """A row about something that stands in this file."""
        number = "" if port is None else str(port)
        place = (self.repository, self.commit, self.path, self.licence, self.source)
        said = (kind, port_name, number, transport, app_protocol)
        return (*place, *said, str(is_fixture(self.path)).lower())


def is_fixture(path: str) -> bool:
    """Whether a path is a test's own, by the rules of FIXTURES.

    >>> is_fixture("test/e2e/testdata/grpc.yaml"), is_fixture("examples/kubernetes/grpc.yaml")
    (True, False)
    """
    return any(re.search(rule, path) for rule in FIXTURES.values())


def json_lines(file: Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def indexed(index: Path) -> list[File]:
    """The files of an index: of JSON lines, or of a CSV that this script wrote."""
    if index.suffix == ".csv":
        rows = csv.DictReader(io.StringIO(index.read_text(encoding="utf-8")))
        names = COLUMNS[: COLUMNS.index("kind")]
        return sorted({File(*(row[name] for name in names)) for row in rows})
    return sorted(
        File(e["repo"], e["commit"], e["path"], e["license"], MANIFEST) for e in json_lines(index)
    )


def stated(literals: Path, manifests: Sequence[File]) -> list[tuple[File, str]]:
    """The literals that were found outside manifests, each with its file."""
    about = ELSEWHERE | {file.repository: (file.commit, file.licence) for file in manifests}
    found = []
    for entry in json_lines(literals):
        value, source, repository = entry["literal"], entry["cls"], entry["repo"]
        if value is not None and source in SOURCES:
            commit, licence = about[repository]
            found.append((File(repository, commit, entry["path"], licence, source), value))
    return found


def read_literals(text: str) -> list[str]:
    r"""The literal values that a text gives to `appProtocol`.

    >>> read_literals("  appProtocol: grpc\n  # appProtocol: http\n  appProtocol: {{ . }}\n")
    ['grpc']
    """
    return [found[1] for found in LITERAL.finditer(text)]


def manifest_rows(known: Mapping[str, File], inventory: Inventory) -> Iterator[Row]:
    """One row per backend port of what was read; `known` has the file of every path."""
    for service in (*inventory.services, *inventory.service_imports):
        file = known[service.meta.position.file]
        for port in service.ports:
            said = (port.name, port.number, port.transport)
            yield file.row(port.app_protocol or "", service.meta.kind, *said)
    for backend in inventory.backends:
        file = known[backend.meta.position.file]
        yield file.row(" ".join(values_of(backend.app_protocol)), backend.meta.kind)


def sorted_rows(rows: Iterable[Row]) -> list[Row]:
    """Rows in the order of their cells, and ports in that of their numbers."""
    number = COLUMNS.index("port")
    return sorted(rows, key=lambda row: (row[:number], int(row[number] or 0), row))


def rebuilt(index: Path, literals: Path, checkouts: Path) -> tuple[str, tuple[Problem, ...]]:
    """The CSV's text, and what could not be read. `literals` is for an index of manifests only.

    Raises SystemExit where a file is not in the folder of checkouts.
    """
    files = indexed(index)
    missing = [file for file in files if not file.below(checkouts).is_file()]
    if missing:
        raise SystemExit(f"not in {checkouts}: {len(missing)} of {len(files)} files, {missing[0]}")
    manifests = [file for file in files if file.source == MANIFEST]
    if index.suffix == ".csv":
        texts = [(file, file.below(checkouts)) for file in files if file.source != MANIFEST]
        said = [(f, v) for f, t in texts for v in read_literals(t.read_text(encoding="utf-8"))]
    else:
        said = stated(literals, manifests)
    known = {file.below(checkouts).as_posix(): file for file in manifests}
    inventory = load(*known)
    rows = [*manifest_rows(known, inventory), *(file.row(value) for file, value in said)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(sorted_rows(rows))
    return out.getvalue(), inventory.unreadable


def needed(index: Path, literals: Path) -> list[File]:
    """Every file that the CSV is made from, of manifests and of what else states a value."""
    files = indexed(index)
    others = [] if index.suffix == ".csv" else stated(literals, files)
    return sorted({*files, *(file for file, _ in others)})


def main(argv: Sequence[str] | None = None) -> int:
    """Write the CSV, or list what it is made from."""
    index = SHARED / "real" / "index.jsonl"
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--index",
        type=Path,
        default=index if index.is_file() else CSV,
        help="which files to read: the CSV itself, or JSON lines with repo, commit, path, license",
    )
    add(
        "--checkouts",
        type=Path,
        default=SHARED / "real" / "manifests",
        help="where they lie, each as <owner>__<name>/path",
    )
    add(
        "--literals",
        type=Path,
        default=SHARED / "facts" / "in-the-wild-helm.jsonl",
        help="beside JSON lines: what stands outside manifests (repo, path, cls, literal)",
    )
    add("--list", action="store_true", help="print repository@commit:path of each file instead")
    add("--to", type=Path, default=CSV, help="the CSV to write")
    options = parser.parse_args(argv)
    if not options.index.is_file():
        parser.error(f"--index: {options.index} is no file; see --help for what is wanted")
    if options.list:
        files = needed(options.index, options.literals)
        sys.stdout.writelines(f"{file}\n" for file in files)
        return 0
    text, unreadable = rebuilt(options.index, options.literals, options.checkouts)
    options.to.write_text(text, encoding="utf-8", newline="\n")
    sys.stderr.writelines(f"not read: {problem}\n" for problem in unreadable)
    return 3 if unreadable else 0  # as the command line says it


if __name__ == "__main__":
    sys.exit(main())
