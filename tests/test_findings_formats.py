"""SARIF, JUnit, GitHub's annotations, YAML: valid, and safe whatever manifests are called."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET

import pytest
import xmlschema
import yaml
from hypothesis import given, strategies as st
from jsonschema import Draft4Validator

from protocol_analysis import Finding, check, load
from protocol_analysis.findings.catalogue import catalogue
from protocol_analysis.findings.checking import codes
from protocol_analysis.findings.finding import Suppressed
from protocol_analysis.findings.github import github
from protocol_analysis.findings.junit import junit
from protocol_analysis.findings.pages import pages
from protocol_analysis.findings.sarif import sarif, uri
from protocol_analysis.formats import render
from protocol_analysis.model import Position, Problem
from tests import refresh_docs
from tests.support import ROOT, SHARED, needs_shared

AT = Position(file="deploy/a.yaml", document=1, line=7, column=3)
UNREADABLE = [Problem(position=AT, reason="not YAML")]
HOSTILE = [
    "plain",
    "two\nlines\r\n::error::mine",
    "]]><failure/>&amp;<!--",
    "\x00\x08\x1b[31m\x7f\x9b",
    "\u202egpj.exe\u2066\u200b\ufeff",
    "\ud800 and \udcff",
    "\ufffe\uffff\ufdd0",
    "100%,a:b,line=1::",
    "%0A::error::%25",
    "[a](https://evil.example) [b]",
    r"\[fix it](https://evil.example)",
    r"\\[fix [it]\](https://evil.example)",
    r"[fix \[it\]](https://evil.example)",
    "[fix [it] now](https://evil.example)",
    "{0} {{1}}",
    "\u2028\u2029\x85",
    "\"quotes\" 'and' `ticks` $(x) ${y}",
    "a" * 5_000,
    "",
]
texts = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(codec=None)))


@cache
def sample() -> tuple[Finding, ...]:
    return tuple(check(load(ROOT / "data/sample"), release="v1.8.3"))


def called(name: str, reason: str = "") -> Finding:
    """A finding on something of that name, suppressed where there is a reason."""
    finding = sample()[0]
    why = Suppressed(by="file", reason=reason, position=AT) if reason else None
    return replace(
        finding,
        meta=replace(finding.meta, name=name, cluster=name),
        position=replace(finding.position, file=f"deploy/{name}"),
        message=f"it is {name}",
        key=name,
        suppressed=why,
    )


@cache
def sarif_schema() -> Draft4Validator:
    schema = json.loads((SHARED / "schemas/sarif-2.1.0.schema.json").read_text(encoding="utf-8"))
    return Draft4Validator(schema)


@cache
def junit_schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(str(SHARED / "schemas/junit-10.xsd"))


def log(*findings: Finding, unreadable: list[Problem] | None = None) -> Any:
    text = sarif(findings, codes(), "0.1.0", unreadable or [])
    assert text.isascii()
    return json.loads(text)


def suites(*findings: Finding, **options: Any) -> ET.Element:
    text = junit(findings, options.pop("codes", []), **options)
    assert text.isascii()
    return ET.fromstring(text)  # noqa: S314 - our own


@needs_shared
def test_sarif_is_valid() -> None:
    whole = log(*sample(), called("x", "a reason"), unreadable=UNREADABLE)
    assert [error.message for error in sarif_schema().iter_errors(whole)] == []
    assert len(whole["runs"]) == 1
    del whole["runs"][0]["tool"]["driver"]["name"]
    assert [error.message for error in sarif_schema().iter_errors(whole)], "the schema tells"


@needs_shared
def test_junit_is_valid() -> None:
    text = junit([*sample(), called("x", "a reason")], codes(), UNREADABLE)
    assert [str(error) for error in junit_schema().iter_errors(io.StringIO(text))] == []
    wrong = text.replace('tests="', 'skipped="1" tests="', 1)
    assert [*junit_schema().iter_errors(io.StringIO(wrong))], "the schema tells"


def test_sarif_says_what_a_finding_says() -> None:
    run = log(*sample(), unreadable=UNREADABLE)["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(catalogue())
    for rule in rules:
        assert rule["helpUri"].startswith("https://")
        assert rule["help"]["markdown"].startswith(f"# {rule['id']}: ")
    assert len(run["results"]) == len(sample())
    for result, finding in zip(run["results"], sample(), strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == finding.code
        assert result["level"] == {"info": "note"}.get(finding.severity, finding.severity)
        assert finding.message in result["message"]["text"]
        assert finding.remedy in result["message"]["text"]
        (place,) = result["locations"]
        physical = place["physicalLocation"]
        file = physical["artifactLocation"]["uri"]
        assert (ROOT / file).is_file()
        region = {"startLine": finding.position.line, "startColumn": finding.position.column}
        assert physical["region"] == region
        assert place["logicalLocations"][0]["fullyQualifiedName"] == str(finding.meta)
        assert result["partialFingerprints"] == {"protocolAnalysis/v1": finding.fingerprint}
        assert result["suppressions"] == []
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    (note,) = invocation["toolExecutionNotifications"]
    assert note["locations"][0]["physicalLocation"]["region"]["startLine"] == 7


@pytest.mark.parametrize(
    ("by", "kind"), [("annotation", "inSource"), ("file", "external"), ("baseline", "external")]
)
def test_sarif_names_what_is_suppressed(by: str, kind: str) -> None:
    why = Suppressed(by=by, reason="as agreed", position=AT)
    (result,) = log(replace(sample()[0], suppressed=why))["runs"][0]["results"]
    (suppression,) = result["suppressions"]
    assert (suppression["kind"], suppression["justification"]) == (kind, "as agreed")
    where = suppression["location"]["physicalLocation"]["artifactLocation"]
    assert where == {"uri": "deploy/a.yaml"}


# A file as it is named, and its URI from the root.
URIS = [
    ("deploy/a.yaml", "deploy/a.yaml"),
    ("./deploy//b/../a.yaml", "deploy/a.yaml"),
    (str(ROOT / "deploy/a.yaml"), "deploy/a.yaml"),
    ("a b#c?d%e.yaml", "a%20b%23c%3Fd%25e.yaml"),
    ("c:x/y.yaml", "c%3Ax/y.yaml"),
    ("é\udcff.yaml", "%C3%A9%FF.yaml"),
    ("/srv/a b.yaml", "file:///srv/a%20b.yaml"),
    ("-", "-"),
]


@pytest.mark.parametrize(("file", "wanted"), URIS)
def test_files_are_uris(monkeypatch: pytest.MonkeyPatch, file: str, wanted: str) -> None:
    monkeypatch.chdir(ROOT)
    assert uri(file) == wanted
    split = urlsplit(wanted)
    assert (split.netloc, split.query, split.fragment) == ("", "", "")
    assert unquote(wanted, errors="surrogateescape").endswith(Path(file).name)


# What a test is at which --fail-on; the tag that says so.
OUTCOMES = [
    ("error", None, "error", "failure"),
    ("warning", None, "error", "system-out"),
    ("warning", None, "warning", "failure"),
    ("info", None, "warning", "system-out"),
    ("info", None, "info", "failure"),
    ("error", None, "none", "system-out"),
    ("error", "a reason", "error", "skipped"),
]


@pytest.mark.parametrize(("severity", "reason", "fail_on", "tag"), OUTCOMES)
def test_junit_fails_what_fails(severity: str, reason: str | None, fail_on: str, tag: str) -> None:
    finding = replace(called("cart", reason or ""), severity=severity)
    top = suites(finding, fail_on=fail_on)
    (case,) = top.iter("testcase")
    (said,) = case
    assert said.tag == tag
    assert finding.remedy in (said.text or "")
    assert f"{finding.position}" in (said.text or "")
    counts = (top.get("tests"), top.get("failures"), top[0].get("skipped"))
    assert counts == ("1", str(int(tag == "failure")), str(int(tag == "skipped")))


def test_junit_has_a_test_for_what_found_nothing_and_an_error_for_what_is_unreadable() -> None:
    top = suites(sample()[0], codes=codes(), unreadable=UNREADABLE)
    silent = {case.get("classname") for case in top[-1]}
    assert silent == set(catalogue()) - {sample()[0].code}
    (error,) = top.iter("error")
    assert error.text == "deploy/a.yaml:7:3: not YAML"
    assert (top.get("tests"), top.get("errors")) == (str(len(catalogue()) + 1), "1")


def test_a_junit_test_keeps_its_name_where_lines_move() -> None:
    finding = sample()[0]
    moved = replace(finding, position=replace(finding.position, line=999))
    before, after = (next(suites(each).iter("testcase")).get("name") for each in (finding, moved))
    assert before == after


def read_back(line: str) -> tuple[str, Mapping[str, str], str]:
    """A command as GitHub's runner reads it: properties between the first blank and `::`."""
    found = re.fullmatch(r"::(\w+) ([^\n]*?)::(.*)", line)
    assert found, line
    properties = dict(each.split("=", 1) for each in found[2].split(","))

    def plain(text: str) -> str:
        for escaped, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ",")):
            text = text.replace(escaped, char)
        return text.replace("%25", "%")

    return found[1], {key: plain(value) for key, value in properties.items()}, plain(found[3])


def test_github_shows_a_finding_beside_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    lines = github([*sample(), called("x", "as agreed")], UNREADABLE).splitlines()
    assert len(lines) == len(sample()) + 2
    for line, finding in zip(lines, sample(), strict=False):
        command, properties, message = read_back(line)
        assert command == {"info": "notice"}.get(finding.severity, finding.severity)
        assert (ROOT / properties["file"]).samefile(finding.position.file)
        at = (str(finding.position.line), str(finding.position.column))
        assert (properties["line"], properties["col"]) == at
        assert properties["title"] == f"{finding.code} {finding.rule.title}"
        assert message == f"{finding.message}\nremedy: {finding.remedy}"
    command, properties, _ = read_back(lines[-2])
    assert command == "notice"
    assert properties["title"].endswith("(suppressed: as agreed)")
    assert read_back(lines[-1])[0] == "error"


@given(name=texts, reason=texts)
def test_nothing_that_is_called_something_leaves_its_place(name: str, reason: str) -> None:
    finding = called(name, reason)
    problem = Problem(position=replace(AT, file=name), reason=name)
    shown = github([finding], [problem])
    assert len(shown.splitlines()) == 2
    for line in shown.splitlines():
        command, properties, _ = read_back(line)
        assert command in ("error", "warning", "notice")
        assert list(properties) == ["file", "line", "col", "title"]
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    top = suites(finding, unreadable=[problem])
    assert sum(1 for _ in top.iter("testcase")) == 2
    assert sum(1 for _ in top.iter("error")) == 1


_INVISIBLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


@given(name=texts, reason=texts)
def test_no_name_breaks_a_line(name: str, reason: str) -> None:
    """Two lines, the finding and its remedy, whatever is in either; of a problem it is one."""
    finding = replace(called(name, reason), position=AT, remedy=f"write {name}")
    problem = Problem(position=AT, reason=name)
    run = log(finding, unreadable=[problem])["runs"][0]
    (result,), (note,) = run["results"], run["invocations"][0]["toolExecutionNotifications"]
    (logical,) = result["locations"][0]["logicalLocations"]
    _, properties, message = read_back(github([finding]).splitlines()[0])
    top = suites(finding, unreadable=[problem])
    (outcome,) = next(top.iter("testcase"))
    (error,) = top.iter("error")
    two = (result["message"]["text"], message, outcome.text)
    one = (
        *(note["message"]["text"], *logical.values(), *result["properties"].values()),
        *(each["justification"] for each in result["suppressions"]),
        *(properties["title"], error.text),
        *(value for each in top.iter() for value in each.attrib.values()),
    )
    for lines, shown in ((2, two), (1, one)):
        for text in shown:
            assert text is not None
            assert text.count("\n") == lines - 1
            assert not _INVISIBLE.search(text)


@needs_shared
@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_are_valid(name: str) -> None:
    safe = name.replace("\ud800", "")  # no file system has a file of that name
    finding, problem = called(safe, name), Problem(position=AT, reason=name)
    whole = log(finding, unreadable=[problem])
    assert [error.message for error in sarif_schema().iter_errors(whole)] == []
    (result,) = whole["runs"][0]["results"]
    # What is escaped is no bracket, and a backslash before it may be escaped itself.
    bare = re.sub(r"\\[\\\[\]]", "", result["message"]["text"])
    assert not re.search(r"\[.*\]\(", bare, re.DOTALL), "a link"
    assert not re.search(r"(?<!\\)\[[^\[\]]*\]\(", result["message"]["text"]), "a link"
    text = junit([finding], [], [problem])
    assert [str(error) for error in junit_schema().iter_errors(io.StringIO(text))] == []


@needs_shared
def test_findings_on_real_manifests_are_valid() -> None:
    inventory = load(SHARED / "real")
    findings = check(inventory)
    assert findings
    whole = log(*findings, unreadable=[*inventory.unreadable])
    assert [error.message for error in sarif_schema().iter_errors(whole)] == []
    text = junit(findings, codes(), inventory.unreadable)
    assert [str(error) for error in junit_schema().iter_errors(io.StringIO(text))] == []
    lines = github(findings, inventory.unreadable).splitlines()
    assert len([read_back(line) for line in lines]) == len(findings) + len(inventory.unreadable)


def test_the_pages_are_those_of_the_catalogue() -> None:
    """`make docs` writes them."""
    held = {path.name: path.read_text(encoding="utf-8") for path in refresh_docs.FOLDER.iterdir()}
    assert held == dict(pages()), "docs/rules/ is stale: make docs"


def test_the_docs_are_written_where_they_differ(tmp_path: Path) -> None:
    (tmp_path / "AP000.md").write_text("a code that is gone", encoding="utf-8")
    refresh_docs.main(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(pages())


@pytest.mark.parametrize("rule", catalogue().values(), ids=list(catalogue()))
def test_a_page_tells_all_of_its_rule(rule: Any) -> None:
    text = pages()[f"{rule.code}.md"]
    for part in (rule.title, rule.meaning, rule.bad, rule.good, *rule.references):
        assert part.rstrip() in text
    assert rule.remedy[1:].rstrip(".") in text
    assert all(f"| {weight.severity} |" in text for weight in rule.weights)
    assert f"[{rule.code}]({rule.code}.md)" in pages()["README.md"]


# What a terminal would obey, or not show.
OBEYED = "\x00\x1b\x7f\x85\x9b\xad\u061c\u200b\u200f\u2028\u202e\u2066\ufeff\ufff9\U000e0041"


@pytest.mark.parametrize("text", [*OBEYED, f"a: {OBEYED}\nb", f"# '{OBEYED}\""], ids=ascii)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_yaml_escapes_what_a_terminal_obeys(text: str, encoding: str) -> None:
    held = [{"name": text, text: [text]}]
    shown = render(held, "yaml", {}, {}, encoding=encoding)
    assert not set(shown).intersection(OBEYED)
    assert yaml.safe_load(shown) == held


def test_yaml_keeps_its_lines_and_letters() -> None:
    assert render([{"a": "gr\xfcn", "b": 1}], "yaml", {}, {}) == "- a: gr\xfcn\n  b: 1"
