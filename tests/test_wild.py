"""The facts of real use: what the CSV holds, that it can be made again, and what is said of it."""

from __future__ import annotations

import doctest
import io
import json
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.text import Text
from PIL import Image

from data import in_the_wild
from protocol_analysis.model import BACKEND_GROUPS, ManifestError
from protocol_analysis.plots import wild_plot
from protocol_analysis.wild import (
    WILD_CAVEATS_COLUMNS,
    WILD_COLUMNS,
    WILD_KINDS_COLUMNS,
    WILD_VALUES_COLUMNS,
    wild_caveats_table,
    wild_kinds_table,
    wild_table,
    wild_values_table,
)
from tests.support import ROOT, SHARED, needs_shared

CSV = ROOT / "data" / "in_the_wild.csv"
INDEX = SHARED / "real" / "index.jsonl"
LITERALS = SHARED / "facts" / "in-the-wild-helm.jsonl"
CHECKOUTS = SHARED / "real" / "manifests"
KINDS = (*BACKEND_GROUPS, "")

MANIFEST = """\
apiVersion: v1
kind: Service
metadata: {name: cart}
spec:
  ports:
  - {name: web, port: 8080, appProtocol: http}
  - {name: dns, port: 53, protocol: UDP}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: Backend
metadata: {name: rates}
spec:
  endpoints: [{fqdn: {hostname: rates.example.com, port: 443}}]
  appProtocols: [gateway.envoyproxy.io/h2c, gateway.envoyproxy.io/ws]
"""
VALUES = "service:\n  appProtocol: grpc\n  # appProtocol: http\n  httpAppProtocol: http\n"


def small(tmp_path: Path) -> Path:
    """A folder of checkouts with one repository, an index and literals beside it."""
    place = {"repo": "shop/charts", "commit": "0" * 40, "license": "MIT"}
    below = tmp_path / "shop__charts"
    for path, content in (("tests/cart.yaml", MANIFEST), ("chart/values.yaml", VALUES)):
        (below / path).parent.mkdir(parents=True)
        (below / path).write_text(content, encoding="utf-8")
    (tmp_path / "index.jsonl").write_text(json.dumps({**place, "path": "tests/cart.yaml"}) + "\n")
    literal = {**place, "path": "chart/values.yaml", "cls": "values", "literal": "grpc"}
    template = {**literal, "literal": None}
    program = {**literal, "cls": "go"}
    lines = "".join(json.dumps(entry) + "\n" for entry in (literal, template, program))
    (tmp_path / "literals.jsonl").write_text(lines)
    return tmp_path


def made(folder: Path) -> str:
    text, unreadable = in_the_wild.rebuilt(
        folder / "index.jsonl", folder / "literals.jsonl", folder
    )
    assert not unreadable
    return text


def some_rows(*changes: dict[str, Any]) -> pd.DataFrame:
    """Rows of a `wild_table`, each a declared port but for what is said of it."""
    plain = dict.fromkeys(WILD_COLUMNS, "")
    plain |= {"repository": "shop/one", "source": "manifest", "kind": "Service"}
    rows = [{**plain, "app_protocol": "http", "port": 80, "fixture": False, **c} for c in changes]
    return pd.DataFrame(rows, columns=list(WILD_COLUMNS)).astype(WILD_COLUMNS)


# What the CSV holds.


@needs_shared
def test_the_csv_is_what_the_script_writes() -> None:
    """`python data/in_the_wild.py` after a change of the reference data or of the reading."""
    text, unreadable = in_the_wild.rebuilt(INDEX, LITERALS, CHECKOUTS)
    assert all("port is no integer" in problem.reason for problem in unreadable)
    assert CSV.read_bytes() == text.encode()


@needs_shared
def test_every_manifest_of_the_csv_is_in_the_index() -> None:
    lines = [json.loads(line) for line in INDEX.read_text(encoding="utf-8").splitlines()]
    known = {tuple(e[key] for key in ("repo", "commit", "path", "license")) for e in lines}
    rows = wild_table(CSV)
    ports = rows[rows["source"] == "manifest"]
    found = set(
        ports[["repository", "commit", "path", "licence"]].itertuples(index=False, name=None)
    )
    assert found <= known
    assert set(ports["kind"]) == set(BACKEND_GROUPS)
    assert {repository for repository, *_ in found} < {e["repo"] for e in lines}


@needs_shared
def test_the_csv_and_the_repositories_are_enough_to_make_it_again(tmp_path: Path) -> None:
    """With the CSV as its own index. The charts' files are not at hand: their literals are."""
    for file in in_the_wild.indexed(CSV):
        there = file.below(tmp_path)
        there.parent.mkdir(parents=True, exist_ok=True)
        if file.source == "manifest":
            shutil.copyfile(file.below(CHECKOUTS), there)
    charts = wild_table(CSV)
    for row in charts[charts["source"] != "manifest"].itertuples():
        there = tmp_path / str(row.repository).replace("/", "__") / str(row.path)
        with there.open("a", encoding="utf-8") as out:
            out.write(f"  appProtocol: {row.app_protocol}\n")
    text, _ = in_the_wild.rebuilt(CSV, LITERALS, tmp_path)
    assert CSV.read_bytes() == text.encode()


def test_the_csv_is_lean_and_holds_nothing_but_facts() -> None:
    content = CSV.read_bytes()
    assert len(content) < 600_000
    assert b"\r" not in content
    rows = wild_table(CSV)
    assert not rows["path"].str.startswith("/").any()
    assert rows["app_protocol"].str.len().max() < 64
    assert rows["commit"].str.fullmatch("[0-9a-f]{10}|[0-9a-f]{40}").all()
    literals = rows[rows["source"] != "manifest"]
    assert set(literals["source"]) == set(in_the_wild.SOURCES)
    assert (literals["app_protocol"] != "").all()
    assert (literals["kind"] == "").all()


def test_what_is_known_of_real_use() -> None:
    """Spot facts, each counted elsewhere too; see the caveats in data/README.md."""
    rows = wild_table(CSV)
    kinds = wild_kinds_table(rows)
    assert list(kinds.loc["ServiceImport", ["ports", "declared"]]) == [30, 4]
    imports = rows[(rows["kind"] == "ServiceImport") & (rows["app_protocol"] != "")]
    assert set(imports["repository"]) == {"envoyproxy/gateway"}
    assert sorted(imports["app_protocol"]) == [
        "grpc", "kubernetes.io/h2c", "kubernetes.io/ws", "kubernetes.io/wss",
    ]  # fmt: skip
    services = wild_values_table(rows, kind="Service")
    assert list(services.loc["all"]) == [1, 6, 6]
    assert list(services.loc["h2c"]) == [1, 2, 2]
    assert services.loc["https", "occurrences"] == 110
    silent = rows[(rows["kind"] == "ServiceImport") & rows["port_name"].str.startswith("grpc")]
    assert (silent["app_protocol"] == "").sum() == 6


# How it is made.


def test_both_ways_to_make_it_give_the_same(tmp_path: Path) -> None:
    folder = small(tmp_path)
    text = made(folder)
    place = f"shop/charts,{'0' * 40}"
    backend = "gateway.envoyproxy.io/h2c gateway.envoyproxy.io/ws"
    assert text.splitlines() == [
        ",".join(in_the_wild.COLUMNS),
        f"{place},chart/values.yaml,MIT,values,,,,,grpc,false",
        f"{place},tests/cart.yaml,MIT,manifest,Backend,,,,{backend},true",
        f"{place},tests/cart.yaml,MIT,manifest,Service,dns,53,UDP,,true",
        f"{place},tests/cart.yaml,MIT,manifest,Service,web,8080,TCP,http,true",
    ]
    copy = folder / "copy.csv"
    copy.write_text(text, encoding="utf-8")
    assert in_the_wild.rebuilt(copy, folder / "absent", folder) == (text, ())
    assert wild_table(copy)["port"].tolist() == [pd.NA, pd.NA, 53, 8080]


def test_an_index_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        in_the_wild.main(["--index", "no-such-file", "--list"])
    assert ended.value.code == 2
    assert "no-such-file is no file" in capsys.readouterr().err


def test_it_says_what_it_needs(tmp_path: Path) -> None:
    folder = small(tmp_path)
    command = [sys.executable, "data/in_the_wild.py", "--index", str(folder / "index.jsonl")]
    command += ["--literals", str(folder / "literals.jsonl")]
    options = ["--checkouts", str(folder), "--to", str(folder / "out.csv")]
    listed = subprocess.run([*command, "--list"], cwd=ROOT, capture_output=True, check=True)
    assert listed.stdout.decode().splitlines() == [
        f"shop/charts@{'0' * 40}:chart/values.yaml",
        f"shop/charts@{'0' * 40}:tests/cart.yaml",
    ]
    written = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, check=True)
    assert written.stdout == b""
    assert (folder / "out.csv").read_bytes() == made(folder).encode()
    assert in_the_wild.needed(folder / "out.csv", folder / "absent") == in_the_wild.needed(
        folder / "index.jsonl", folder / "literals.jsonl"
    )


def test_what_is_missing_or_cannot_be_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = small(tmp_path)
    manifest = folder / "shop__charts" / "tests" / "cart.yaml"
    manifest.write_text("a: [", encoding="utf-8")
    options = ["--index", str(folder / "index.jsonl"), "--checkouts", str(folder)]
    options += ["--literals", str(folder / "literals.jsonl"), "--to", str(folder / "out.csv")]
    assert in_the_wild.main(options) == 3
    assert re.search(r"tests/cart\.yaml:\d+:\d+: not YAML", capsys.readouterr().err)
    assert len(wild_table(folder / "out.csv")) == 1
    manifest.unlink()
    with pytest.raises(SystemExit, match=r"1 of 1 files, shop/charts@0+:tests/cart\.yaml"):
        made(folder)


@pytest.mark.parametrize(
    ("path", "fixture"),
    [
        ("internal/gatewayapi/testdata/grpc.in.yaml", True),
        ("tests/e2e-instrumentation/java/01-assert.yaml", True),
        ("e2e-openshift/kafka/00.yaml", True),
        ("pkg/provider/kubernetes/gateway/fixtures/services.yml", True),
        ("integration/gateway-api-conformance/base.yaml", True),
        ("install/cp.golden.yaml", True),
        ("charts/collector/examples/default/rendered/service.yaml", False),
        ("samples/latest/contest.yaml", False),
        ("docs/e2e.md", False),
    ],
)
def test_a_path_says_whether_it_is_a_tests_own(path: str, *, fixture: bool) -> None:
    assert in_the_wild.is_fixture(path) is fixture


def test_the_scripts_examples_hold() -> None:
    result = doctest.testmod(in_the_wild)
    assert result.attempted
    assert not result.failed


# The tables.


def test_columns_are_as_documented() -> None:
    rows = wild_table(CSV)
    for table, columns in (
        (rows, WILD_COLUMNS),
        (wild_values_table(rows), WILD_VALUES_COLUMNS),
        (wild_values_table(rows, kind="Backend"), WILD_VALUES_COLUMNS),
        (wild_kinds_table(rows), WILD_KINDS_COLUMNS),
        (wild_caveats_table(rows), WILD_CAVEATS_COLUMNS),
    ):
        assert {name: str(kind) for name, kind in table.dtypes.items()} == columns
    assert tuple(WILD_COLUMNS) == in_the_wild.COLUMNS
    described = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in described for name in WILD_COLUMNS)
    assert all(f"| `{name}` |" in described for name in in_the_wild.SOURCES)
    assert all(f"- {name}: `{rule}`" in described for name, rule in in_the_wild.FIXTURES.items())


def test_repositories_count_before_occurrences() -> None:
    rows = some_rows(
        *[{"app_protocol": "often", "fixture": True}] * 9,
        {"app_protocol": "wide"},
        {"app_protocol": "wide", "repository": "shop/two", "fixture": True},
        {"app_protocol": "b"},
        {"app_protocol": "a"},
        {"app_protocol": "", "repository": "shop/three"},
    )
    table = wild_values_table(rows)
    assert table.index.tolist() == ["wide", "often", "a", "b"]
    assert list(table.loc["wide"]) == [2, 2, 1]
    assert list(table.loc["often"]) == [1, 9, 9]
    shuffled = rows.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(wild_values_table(shuffled), table)
    pd.testing.assert_frame_equal(wild_caveats_table(shuffled), wild_caveats_table(rows))


def test_the_values_of_a_backend_are_counted_one_by_one() -> None:
    rows = some_rows({"kind": "Backend", "app_protocol": "one two"}, {"app_protocol": "one two"})
    assert wild_values_table(rows)["occurrences"].to_dict() == {"one": 1, "one two": 1, "two": 1}
    assert wild_kinds_table(rows)["declared"].to_dict() == {
        "Service": 1, "ServiceImport": 0, "Backend": 1,
    }  # fmt: skip


def test_every_row_is_counted_in_one_kind_or_stands_outside_manifests() -> None:
    rows = wild_table(CSV)
    assert wild_kinds_table(rows)["ports"].sum() == (rows["source"] == "manifest").sum()
    parts = [wild_values_table(rows, kind=kind)["occurrences"].sum() for kind in KINDS]
    assert sum(parts) == wild_values_table(rows)["occurrences"].sum()


def test_caveats_are_counted() -> None:
    caveats = wild_caveats_table(
        some_rows(
            {"fixture": True},
            {"fixture": True, "repository": "shop/two"},
            {"kind": "ServiceImport", "repository": "shop/two", "app_protocol": "grpc"},
            {"kind": "ServiceImport", "app_protocol": "", "port_name": "GRPC-api"},
            {"kind": "", "source": "values", "repository": "shop/three"},
        )
    )
    assert list(caveats.itertuples(name=None)) == [
        ("ports that declare a value", 3, 4, 0.75, "shop/one, shop/two"),
        ("repositories that declare a value on any port", 2, 2, 1.0, "shop/one, shop/two"),
        ("declared ports in fixtures", 2, 3, 0.667, "shop/one, shop/two"),
        ("declared ports outside fixtures", 1, 3, 0.333, "shop/two"),
        ("declared ports in the repository with most", 2, 3, 0.667, "shop/two"),
        ("declared ports in the three repositories with most", 3, 3, 1.0, "shop/two, shop/one"),
        ("ServiceImport ports that declare a value", 1, 2, 0.5, "shop/two"),
        ("repositories that declare a value on a ServiceImport", 1, 2, 0.5, "shop/two"),
        ("ports named after gRPC or HTTP/2 that declare nothing", 1, 1, 1.0, "shop/one"),
        ("values that one repository alone states", 1, 2, 0.5, ""),
        ("values stated outside manifests, in the repository with most", 1, 1, 1.0, "shop/three"),
    ]


def test_many_repositories_are_not_all_named() -> None:
    rows = some_rows(*({"repository": f"shop/{number}"} for number in range(9)))
    where = wild_caveats_table(rows)["where"]
    assert where["ports that declare a value"] == "shop/0, shop/1, shop/2 and 6 more"


def test_nothing_at_all_is_counted_too() -> None:
    rows = some_rows()
    assert wild_values_table(rows).empty
    for table in (wild_kinds_table(rows), wild_caveats_table(rows)):
        counts = table.select_dtypes("int64")
        assert len(table)
        assert not counts.to_numpy().any()
        assert table.select_dtypes("Float64").isna().to_numpy().all()


def test_where_there_is_no_csv_the_error_says_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="clone the repository"):
        wild_table(tmp_path / "in_the_wild.csv")
    other = tmp_path / "other.csv"
    other.write_text("value,count\ngrpc,1\n", encoding="utf-8")
    with pytest.raises(
        ManifestError, match="its columns are value, count; accepted are repository"
    ):
        wild_table(other)


# The picture.


def texts(picture: Any) -> list[Text]:
    found: list[Text] = picture.figure.findobj(Text)
    return [text for text in found if text.get_text() and text.get_visible()]


def test_the_picture_shows_the_table() -> None:
    values = wild_values_table(wild_table(CSV))
    picture = wild_plot(values, most=len(values))
    assert picture.shows(values)
    pd.testing.assert_frame_equal(picture.data, values, check_names=False, check_index_type=False)
    assert "not shown" not in picture.alt
    fewer = wild_plot(values, most=5)
    assert fewer.shows(values.head(5))
    assert not fewer.shows(values)
    assert f"{len(values) - 5} not shown" in fewer.alt
    assert any(f"{len(values) - 5} not shown" in text.get_text() for text in texts(fewer))


def test_the_picture_says_its_numbers_in_words() -> None:
    counts = {"repositories": [3, 1], "occurrences": [1200, 4], "of_which_fixtures": [1000, 4]}
    picture = wild_plot(pd.DataFrame(counts, index=["grpc", "h2c"]))
    assert picture.alt == (
        "1 of 2 declared values is found in several repositories. "
        "Repositories, occurrences, those in tests: grpc 3, 1,200, 1,000; h2c 1, 4, 4."
    )
    said = {text.get_text() for text in texts(picture)}
    assert {"1,200, 1,000 in tests", "4, all in tests"} <= said


def test_the_picture_of_nothing_says_so() -> None:
    values = wild_values_table(some_rows())
    picture = wild_plot(values)
    assert picture.shows(values)
    assert picture.alt == "0 of 0 declared values are found in several repositories."
    assert any("nothing to show" in text.get_text() for text in texts(picture))


def test_what_repositories_say_is_drawn_as_plain_text() -> None:
    hostile = (
        r"$\frac{1}{0}$",
        "\x1b[31mred\n\u202eevil",
        "a" * 500,
        "\N{CJK UNIFIED IDEOGRAPH-4E2D}",
    )
    counts = {"repositories": 4, "occurrences": 12_345, "of_which_fixtures": 12_344}
    picture = wild_plot(pd.DataFrame(counts, index=list(hostile)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a missing glyph, for one
        png = picture.png()
    assert png == picture.png()
    with Image.open(io.BytesIO(png)) as image:
        assert image.width == round(picture.figure.get_figwidth() * 144)
    assert not any(c in picture.alt for c in "\x1b\n\u202e")
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(picture)]
    for number, (said, box) in enumerate(boxes):
        assert not any(c in said for c in "\x1b\n\u202e")
        assert 0 <= box.x0 <= box.x1 <= picture.figure.bbox.x1, said
        assert not [other for other, at in boxes[number + 1 :] if box.overlaps(at)], said
