"""What is known and borne: annotations, files, baselines, and the configuration of a project."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from protocol_analysis import Finding, Inventory, RulesetError, check, load
from protocol_analysis.findings.baseline import (
    baseline_text,
    mark_known,
    parse_baseline,
    read_baseline,
    write_baseline,
)
from protocol_analysis.findings.catalogue import catalogue
from protocol_analysis.findings.configuration import (
    Configuration,
    configuration,
    parse_configuration,
)
from protocol_analysis.findings.suppressing import (
    Suppression,
    annotated,
    idle,
    parse_suppressions,
    read_suppressions,
    suppress,
)
from protocol_analysis.model import Meta
from tests.test_check_command import SHOP as NEAR_MISS
from tests.test_findings import AT, found_in

CODES = list(catalogue())
TODAY = date(2027, 1, 31)
FILE = ".protocol-analysis-ignore.yaml"


def inventory_of(folder: Path, text: str, file: str = "deploy/shop.yaml") -> Inventory:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    inventory = load(path)
    assert inventory.unreadable == ()
    return inventory


def noted(value: str) -> str:
    """The manifest, with an annotation on its Service."""
    note = json.dumps({"protocol-analysis.dev/ignore": value})
    return NEAR_MISS.replace("shop}", f"shop, annotations: {note}}}", 1)


def borne(inventory: Inventory, rows: list[Suppression] | None = None) -> list[Finding]:
    found = check(inventory, select=["AP003"])
    assert len(found) == 1
    return suppress(found, [*annotated(inventory)[0], *(rows or [])], TODAY)


# An annotation, and the reason with which AP003 is suppressed on TODAY; None: it is not.
ANNOTATIONS = [
    ("AP003: the chart is not ours", "the chart is not ours"),
    ("AP011: other; AP003: the chart is not ours", "the chart is not ours"),
    ("AP011: other\nAP003: the chart is not ours\n", "the chart is not ours"),
    ("  AP003  :  blanks  ", "blanks"),
    ("AP003: old; will go; AP011: x", "old; will go"),
    ("AP003: HTTP2; h2c: both", "HTTP2; h2c: both"),
    ("AP003 until 2027-01-31: its last day", "its last day"),
    ("AP003 until 2027-01-30: yesterday", None),
    ("AP011: other", None),
    ("AP003", None),
    ("AP003:", None),
    ("AP003: ;", None),
    ("ap003: small letters", None),
    ("", None),
]


@pytest.mark.parametrize(("value", "reason"), ANNOTATIONS)
def test_an_object_bears_its_own_findings(tmp_path: Path, value: str, reason: str | None) -> None:
    (finding,) = borne(inventory_of(tmp_path, noted(value)))
    if reason is None:
        assert finding.suppressed is None
    else:
        assert finding.suppressed
        assert (finding.suppressed.by, finding.suppressed.reason) == ("annotation", reason)
        assert finding.suppressed.position.line == 3
        assert not finding.fails("info")


WRONG_ANNOTATIONS = [
    ("AP003", "'AP003' names no code with a reason; write `AP003: reason`"),
    ("AP003:", "names no code with a reason"),
    ("", "'' names no code with a reason"),
    ("all of it", "names no code with a reason"),
    ("ap003: small letters", "'ap003' is no rule; known are AP001"),
    ("AP999: no such rule", "'AP999' is no rule"),
    ("AP003 until soon: when it is time", "'soon' is no day; write 2027-01-31"),
    ("AP003 until 2027-02-30: no such day", "'2027-02-30' is no day"),
]


@pytest.mark.parametrize(("value", "told"), WRONG_ANNOTATIONS)
def test_what_an_annotation_means_otherwise_is_told(tmp_path: Path, value: str, told: str) -> None:
    (problem,) = annotated(inventory_of(tmp_path, noted(value)))[1]
    assert told in problem.reason
    assert (problem.position.line, problem.position.document) == (3, 1)


def test_an_annotation_is_about_its_own_object_alone(tmp_path: Path) -> None:
    other = NEAR_MISS.replace("cart", "other")
    inventory = inventory_of(tmp_path, f"{noted('AP003: mine')}---\n{other}")
    found = suppress(check(inventory, select=["AP003"]), annotated(inventory)[0], TODAY)
    assert [(each.meta.name, each.suppressed is None) for each in found] == [
        ("cart", False),
        ("other", True),
    ]


def with_note(text: str, meta: Meta, code: str) -> str:
    """The same manifests, of one cluster or more, with an annotation on an object."""
    note = f'protocol-analysis.dev/ignore: "{code}: known"'
    head = f"# cluster {meta.cluster}\n" if meta.cluster else ""
    before, _, after = text.partition(head) if head else ("", "", text)
    here, more, others = after.partition("# cluster ")
    parts = here.split("---\n")
    own = parts[meta.position.document - 1]
    if "annotations: {" in own:
        own = own.replace("annotations: {", f"annotations: {{{note}, ", 1)
    else:
        own = own.replace("metadata: {", f"metadata: {{annotations: {{{note}}}, ", 1)
    parts[meta.position.document - 1] = own
    return "".join([before, head, "---\n".join(parts), more, others])


def test_every_kind_that_a_finding_names_can_bear_it(tmp_path: Path) -> None:
    """The bad manifest of each rule, with the annotation on the object that its finding names."""
    for rule in catalogue().values():
        release = AT.get(rule.code)
        meta = found_in(tmp_path, rule.bad, rule.code, release)[0].meta
        again = found_in(tmp_path, with_note(rule.bad, meta, rule.code), rule.code, release)
        of_it = [each for each in again if each.meta.position == meta.position]
        assert of_it, rule.code
        assert all(each.suppressed for each in of_it), rule.code
        assert len(of_it) == sum(each.suppressed is not None for each in again)


def test_a_deep_or_long_annotation_costs_nothing(tmp_path: Path) -> None:
    for value in ("AP003:" + "\t" * 200_000, ";" * 200_000, "AP003: a" + " ;AP0" * 20_000):
        annotated(inventory_of(tmp_path, noted(value)))


# A row of a file, and whether it is about Service shop/cart in deploy/shop.yaml.
ROWS = [
    ("{code: AP003, reason: r}", True),
    ("{code: [AP011, AP003], reason: r}", True),
    ("{code: AP011, reason: r}", False),
    ("{code: AP003, object: {kind: Service, namespace: shop, name: cart}, reason: r}", True),
    ("{code: AP003, object: {name: 'c*'}, reason: r}", True),
    ("{code: AP003, object: {name: 'C*'}, reason: r}", False),
    ("{code: AP003, object: {namespace: 's?op'}, reason: r}", True),
    ("{code: AP003, object: {kind: HTTPRoute}, reason: r}", False),
    ("{code: AP003, path: 'deploy/*', reason: r}", True),
    ("{code: AP003, path: '*.yaml', reason: r}", True),
    ("{code: AP003, path: 'vendor/*', reason: r}", False),
    ("{code: AP003, path: shop.yaml, reason: r}", False),
    ("{code: AP003, cluster: east, reason: r}", False),
    ("{code: AP003, cluster: '*', reason: r}", True),
    ("{code: AP003, reason: r, expires: 2027-01-31}", True),
    ("{code: AP003, reason: r, expires: 2027-01-30}", False),
]


@pytest.mark.parametrize(("row", "is_about"), ROWS)
def test_a_file_names_what_is_borne(tmp_path: Path, row: str, is_about: bool) -> None:  # noqa: FBT001
    file = tmp_path / FILE
    file.write_text(f"- {row}\n", encoding="utf-8")
    (finding,) = borne(inventory_of(tmp_path, NEAR_MISS), read_suppressions(file))
    assert bool(finding.suppressed) is is_about
    if finding.suppressed:
        assert (finding.suppressed.by, finding.suppressed.position.line) == ("file", 1)


def test_a_row_may_be_about_a_cluster(tmp_path: Path) -> None:
    inventory_of(tmp_path, NEAR_MISS)
    found = check(load(clusters={"east": tmp_path}), select=["AP003"])
    rows = parse_suppressions("- {code: AP003, cluster: east, reason: r}", "a.yaml")
    assert suppress(found, rows, TODAY)[0].suppressed


WRONG_ROWS = [
    ("{code: AP003}", "row without 'reason'"),
    ("{reason: r}", "row without 'code'"),
    ("{code: AP003, reason: ''}", "reason: ''; write a text"),
    ("{code: AP999, reason: r}", "'AP999' is no rule; known are AP001"),
    ("{code: [], reason: r}", "code: a list; write a code, or a list of codes"),
    ("{code: {a: b}, reason: r}", "code: a mapping; write a code"),
    ("{code: AP003, reason: r, expires: tomorrow}", "'tomorrow'; write a day like 2027-01-31"),
    ("{code: AP003, reason: r, expires: 2027-02-30}", "write a day like"),
    ("{code: AP003, reason: r, until: 2027-01-31}", "unknown key 'until' in row"),
    ("{code: AP003, reason: r, object: cart}", "object: 'cart'; write a mapping"),
    ("{code: AP003, reason: r, object: {names: cart}}", "unknown key 'names' in object"),
    ("{code: AP003, reason: r, object: {name: 1}}", "'1' is no text; write it in quotes"),
    ("[a]", "row is a list, no mapping"),
]


@pytest.mark.parametrize(("row", "told"), WRONG_ROWS, ids=[row for row, _ in WRONG_ROWS])
def test_a_wrong_row_is_refused_with_its_line(row: str, told: str) -> None:
    with pytest.raises(RulesetError) as raised:
        parse_suppressions(f"# why\n- {row}\n", "a.yaml")
    assert told in str(raised.value)
    assert str(raised.value).startswith("a.yaml:2: ")


def test_a_file_of_another_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RulesetError, match=r"a\.yaml:1: the file is a mapping; write a list"):
        parse_suppressions("code: AP003", "a.yaml")
    with pytest.raises(RulesetError, match=r"a\.yaml:1: not YAML"):
        parse_suppressions("- {", "a.yaml")
    with pytest.raises(RulesetError, match="No such file or directory; name a file that can be"):
        read_suppressions(tmp_path / "none.yaml")
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(RulesetError, match="no text in UTF-8"):
        read_suppressions(tmp_path / "a.yaml")
    assert parse_suppressions("", "a.yaml") == []


def test_what_suppresses_nothing_or_has_expired_is_told(tmp_path: Path) -> None:
    rows = parse_suppressions(
        "- {code: AP003, reason: one}\n"
        "- {code: AP003, reason: two}\n"
        "- {code: [AP003, AP011], object: {name: nobody}, reason: three}\n"
        "- {code: AP003, expires: 2026-12-31, reason: four}\n",
        "a.yaml",
    )
    marked = borne(inventory_of(tmp_path, NEAR_MISS), rows)
    told = [str(problem) for problem in idle(marked, rows, TODAY, ["AP003"])]
    assert told == [
        "a.yaml:2:1: AP003 (two) suppresses nothing here; remove it",
        "a.yaml:3:1: AP003 (three) suppresses nothing here; remove it",
        "a.yaml:4:1: AP003 (four) has expired on 2026-12-31; its findings count again",
    ]


def test_an_objects_own_word_comes_first(tmp_path: Path) -> None:
    rows = parse_suppressions("- {code: AP003, reason: the file}", "a.yaml")
    inventory = inventory_of(tmp_path, noted("AP003: the object"))
    found = check(inventory, select=["AP003"])
    (finding,) = suppress(found, [*rows, *annotated(inventory)[0]], TODAY)
    assert finding.suppressed
    assert finding.suppressed.reason == "the object"


def test_a_baseline_knows_findings_whose_lines_have_moved(tmp_path: Path) -> None:
    before = check(inventory_of(tmp_path, NEAR_MISS))
    file = tmp_path / "baseline.json"
    write_baseline(file, before)
    moved = inventory_of(tmp_path, f"# a comment\n\n{NEAR_MISS}", "elsewhere/renamed.yaml")
    marked, gone = mark_known(check(moved), read_baseline(file), "b.json", CODES)
    assert gone == 0
    assert [each.suppressed.by for each in marked if each.suppressed] == ["baseline"] * len(before)
    other = inventory_of(tmp_path, NEAR_MISS.replace("cart", "other"), "other.yaml")
    marked, gone = mark_known(check(other), read_baseline(file), "b.json", CODES)
    assert gone == len(before)
    assert not any(each.suppressed for each in marked)


def test_a_baseline_counts_how_often_a_finding_was_there(tmp_path: Path) -> None:
    (finding,) = check(inventory_of(tmp_path, NEAR_MISS), select=["AP003"])
    baseline = parse_baseline(baseline_text([finding]), "b.json")
    marked, _ = mark_known([finding, finding], baseline, "b.json", CODES)
    assert [each.suppressed is not None for each in marked] == [True, False]


def test_a_baseline_keeps_what_it_knew_and_leaves_out_what_is_borne_elsewhere(
    tmp_path: Path,
) -> None:
    (finding,) = check(inventory_of(tmp_path, NEAR_MISS), select=["AP003"])
    (known,), _ = mark_known([finding], parse_baseline(baseline_text([finding]), "b"), "b", CODES)
    assert baseline_text([known]) == baseline_text([finding])
    assert known.suppressed
    (borne_,) = borne(inventory_of(tmp_path, noted("AP003: known")))
    assert baseline_text([borne_]) == "[]\n"
    assert mark_known([borne_], {("AP003", borne_.fingerprint): 1}, "b", CODES) == ([borne_], 0)


WRONG_BASELINES = [
    ("{", r"b\.json:1: not JSON"),
    ("[\n{]", r"b\.json:2: not JSON"),
    ("{}", "no list of findings"),
    ("[1]", "finding 1 of the list has no code and fingerprint"),
    ('[{"fingerprint": 3}]', "has no code and fingerprint"),
    ('[{"fingerprint": "x"}]', "has no code and fingerprint"),
    ('[{"fingerprint": "' + "0" * 32 + '"}]', "has no code and fingerprint"),
    ("[" * 200_000, "nested too deep|not JSON"),
]


@pytest.mark.parametrize(("text", "told"), WRONG_BASELINES, ids=range(len(WRONG_BASELINES)))
def test_a_wrong_baseline_is_refused(text: str, told: str) -> None:
    with pytest.raises(RulesetError, match=told) as raised:
        parse_baseline(text, "b.json")
    assert "--write-baseline FILE" in str(raised.value)


TOML = """\
[project]
name = "shop"

[tool.protocol-analysis]
implementation = "envoy-gateway"
release = "1.8"
namespace = "shop"
mesh = ["istio@1.26"]
select = "AP00, AP01"
ignore = ["AP011"]
fail-on = "warning"
suppress = "ignored.yaml"
baseline = "known/baseline.json"
"""
YAML = """\
implementation: envoy-gateway
release: '1.8'
namespace: shop
mesh: [istio@1.26]
select: AP00, AP01
ignore: [AP011]
fail-on: warning
suppress: ignored.yaml
baseline: known/baseline.json
"""


def test_both_files_say_the_same(tmp_path: Path) -> None:
    wanted = Configuration(
        implementation="envoy-gateway",
        release="1.8",
        namespace="shop",
        mesh=("istio@1.26",),
        select=("AP00", "AP01"),
        ignore=("AP011",),
        fail_on="warning",
        suppress=str(tmp_path / "ignored.yaml"),
        baseline=str(tmp_path / "known/baseline.json"),
    )
    for name, text in (("pyproject.toml", TOML), (".protocol-analysis.yaml", YAML)):
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert configuration(tmp_path) == wanted
        assert configuration(file=tmp_path / name) == wanted
        (tmp_path / name).unlink()
    assert configuration(tmp_path) == Configuration()


def test_one_of_them_is_enough(tmp_path: Path) -> None:
    (tmp_path / ".protocol-analysis.yaml").write_text(YAML, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'protocol-analysis'\n", "utf-8")
    assert configuration(tmp_path).release == "1.8"
    with pytest.raises(RulesetError, match=r"no \[tool.protocol-analysis\]; write one"):
        configuration(file=tmp_path / "pyproject.toml")
    (tmp_path / "pyproject.toml").write_text(TOML, encoding="utf-8")
    with pytest.raises(RulesetError, match=r"both configure; keep one"):
        configuration(tmp_path)


# A line of the configuration in YAML and in TOML, and what is said of it.
WRONG_LINES = [
    ("fail_on: error", 'fail_on = "error"', "unknown key 'fail_on' in the configuration; known"),
    ("fail-on: never", 'fail-on = "never"', "'never'; write one of error, warning, info, none"),
    ("release: 1.8", "release = 1.8", "in quotes"),
    ("release: '7'", 'release = "7"', "release: "),
    ("implementation: envoy", 'implementation = "envoy"', "there are agentgateway"),
    ("mesh: [contour]", 'mesh = ["contour"]', "'contour' is no mesh that is known"),
    ("select: AP9", 'select = "AP9"', "select: 'AP9' is no rule"),
    ("ignore: [AP9]", 'ignore = ["AP9"]', "ignore: 'AP9' is no rule"),
    ("ignore: ''", 'ignore = ""', "write a text in quotes, or a list of them"),
    ("ignore: [[AP001]]", "ignore = [1]", "write a list of texts"),
    ("suppress: [a]", 'suppress = ["a"]', "write a text in quotes"),
]


@pytest.mark.parametrize(("in_yaml", "in_toml", "told"), WRONG_LINES)
def test_a_wrong_line_is_refused(in_yaml: str, in_toml: str, told: str) -> None:
    for name, text, line in (
        (".protocol-analysis.yaml", f"# ours\nnamespace: shop\n{in_yaml}\n", 3),
        ("pyproject.toml", f'[tool.protocol-analysis]\nnamespace = "shop"\n\n{in_toml}\n', 4),
    ):
        with pytest.raises(RulesetError) as raised:
            parse_configuration(text, name)
        assert told in str(raised.value)
        assert str(raised.value).startswith(f"{name}:{line}: ")


WRONG_FILES = [
    (".protocol-analysis.yaml", "a: [", r"yaml:1: not YAML"),
    (".protocol-analysis.yaml", "- a", "yaml:1: the configuration is a list, no mapping"),
    ("pyproject.toml", "[tool.protocol-analysis]\na = = 1", r"toml:2: not TOML"),
    ("pyproject.toml", "[tool]\nprotocol-analysis = 3", "tool.protocol-analysis is 3; write"),
]


@pytest.mark.parametrize(("name", "text", "told"), WRONG_FILES)
def test_a_wrong_file_is_refused(name: str, text: str, told: str) -> None:
    with pytest.raises(RulesetError, match=told):
        parse_configuration(text, name)


def test_a_fingerprint_is_of_the_fault_not_of_its_place(tmp_path: Path) -> None:
    (finding,) = check(inventory_of(tmp_path, NEAR_MISS), select=["AP003"])
    at = replace(finding.position, file="b.yaml", line=90)
    moved = replace(finding, position=at, message="said otherwise", remedy="another")
    assert moved.fingerprint == finding.fingerprint
    assert replace(finding, key="8081").fingerprint != finding.fingerprint
