"""Declarations in the eyes of several implementations: surprises, and the one that is right."""

from __future__ import annotations

from operator import itemgetter
from pathlib import Path

import pytest
import yaml

from protocol_analysis import load
from protocol_analysis.formats import render
from protocol_analysis.plots import declared_matrix_plot, implementations_plot
from protocol_analysis.portability import Portability, meanings, portability
from protocol_analysis.readers import everyone, reader
from protocol_analysis.tables import declared_matrix, portability_table, value_matrix
from tests.support import ROOT


def rows(folder: Path, *values: str, readers: tuple[str, ...] = ()) -> list[Portability]:
    ports = [{"port": at, "name": f"p{at}", "appProtocol": v} for at, v in enumerate(values, 80)]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
    file = folder / "a.yaml"
    file.write_text(yaml.safe_dump({**service, "spec": {"ports": ports}}), encoding="utf-8")
    return portability(load(file), [reader(name) for name in readers])


def words(row: Portability) -> dict[str, str]:
    return {reading.reader.partition("@")[0]: reading.word for reading in row.readings}


# The three divergences that surprise most: one declaration, and what it becomes.
SURPRISES = {
    "one name, four wires": (
        "HTTP2",
        {"gke": "h2+tls", "istio": "h2", "envoy-gateway": "http/1.1", "linkerd": "tcp",
         "contour": "not read"},
        None,
    ),
    "https in the clear": (
        "https",
        {"traefik": "auto+tls", "contour": "http/1.1+tls", "apisix": "http/1.1+tls",
         "envoy-gateway": "http/1.1", "kgateway": "http/1.1", "istio": "http/1.1"},
        None,
    ),
    "the standard value, lost": (
        "kubernetes.io/h2c",
        {"envoy-gateway": "h2", "nginx-gateway-fabric@2.1": "http/1.1", "apisix": "http/1.1",
         "cilium": "client", "kuma": "tcp"},
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SURPRISES)
def test_the_surprises_come_out(name: str, tmp_path: Path) -> None:
    value, expected, right = SURPRISES[name]
    (row,) = rows(tmp_path, value, readers=tuple(expected))
    assert words(row) == {key.partition("@")[0]: word for key, word in expected.items()}
    assert (row.portable, row.right) == (False, right)


def test_the_declaration_that_is_right_in_all(tmp_path: Path) -> None:
    """`grpc` is turned away by one of them; the standard value says the same to all."""
    (row,) = rows(tmp_path, "grpc", readers=("envoy-gateway@1.8", "istio", "contour", "traefik"))
    assert (row.portable, row.right) == (False, "kubernetes.io/h2c")
    (row,) = rows(tmp_path, "kubernetes.io/h2c", readers=("envoy-gateway@1.8", "istio"))
    assert (row.portable, row.right) == (True, "kubernetes.io/h2c")


def test_what_nobody_has_said_the_meaning_of_is_not_judged(tmp_path: Path) -> None:
    (row,) = rows(tmp_path, "acme.example/tunnel", readers=("envoy-gateway",))
    assert (row.meant, row.portable, row.right) == (None, False, None)


def test_without_readers_it_is_all_that_are_known(tmp_path: Path) -> None:
    found = rows(tmp_path, "grpc", "http")
    assert [[each.reader for each in row.readings] for row in found] == [
        [str(each) for each in everyone()]
    ] * 2
    table = portability_table(found)
    assert table["port"].to_list() == [80, 81]
    assert table["portable"].to_list() == [False, False]


def test_every_meaning_has_a_source_and_every_reading_too(tmp_path: Path) -> None:
    assert all(each.source.startswith("https://") for each in meanings().values())
    for row in rows(tmp_path, *meanings()):
        assert all(reading.source.startswith("https://") for reading in row.readings)


def test_the_readme_shows_what_the_rulesets_say() -> None:
    matrix = value_matrix().reset_index()
    lines = [{str(key): cell for key, cell in line.items()} for line in matrix.to_dict("records")]
    table = render(lines, "markdown", {str(key): itemgetter(key) for key in matrix.columns}, {})
    assert table.strip() in (ROOT / "README.md").read_text(encoding="utf-8"), f"write:\n{table}"


def test_the_pictures_show_the_tables(tmp_path: Path) -> None:
    """What is unverified and what was not meant can be seen, cell by cell."""
    matrix = value_matrix()
    picture = implementations_plot(matrix)
    assert picture.shows(matrix)
    assert picture.data.loc["gateway gke@main", "HTTP2"] == "h2+tls ?"
    three = ("istio", "gke", "contour")
    found = rows(tmp_path, "grpc", "grpc", "kubernetes.io/h2c", readers=three)
    declared = declared_matrix(found)
    assert declared_matrix_plot(declared).shows(declared)
    assert declared.columns.to_list() == ["grpc: 2", "kubernetes.io/h2c: 1"]
    assert dict(zip(declared.index, declared.to_numpy().tolist(), strict=True)) == {
        ("gateway", "istio@v1.19.0"): ["h2", "h2"],
        ("gateway", "contour@v1.31.0"): ["not read !", "h2"],
        ("gateway", "gke@main"): ["http/1.1 ! ?", "h2 ?"],
        ("all", "right in all"): ["kubernetes.io/h2c", "kubernetes.io/h2c"],
    }
    assert declared_matrix(found, kind="ServiceImport").empty
