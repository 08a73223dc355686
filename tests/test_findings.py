"""Each code: a bad manifest, a good one as close to it as can be, and where it does not apply."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
import yaml

from protocol_analysis import Inventory, RulesetError, load
from protocol_analysis.findings.catalogue import Rule, catalogue, parse_catalogue
from protocol_analysis.findings.checking import CHECKS, check, codes
from protocol_analysis.findings.clusters import codes_of_clusters
from protocol_analysis.findings.finding import Finding
from protocol_analysis.findings.suppressing import annotated, findings, suppress
from protocol_analysis.plots import findings_plot
from protocol_analysis.proof.measured import answer_to
from protocol_analysis.proposals import named
from protocol_analysis.reading import read
from protocol_analysis.tables import finding_counts, findings_table, new_findings
from protocol_analysis.upgrade import upgraded
from tests.support import ROOT

TODAY = date(2026, 11, 25)
# At which release each bad manifest is bad; the newest where none is named.
AT = {
    "AP008": "v1.6.7",
    "AP014": "v1.6.1",
    "AP018": "v1.6.1",
    "AP019": "v1.8.3",
    "AP022": "v1.8.3",
}
OF_A_MESH = {"AP027"}
# A reader, or a release, to which the same bad manifest is not bad; None: it is to everybody.
FINE: dict[str, tuple[str, str] | None] = {
    "AP001": None,
    "AP002": ("cilium", "main"),
    "AP003": None,
    "AP004": None,
    "AP005": ("contour", "v1.28.0"),
    "AP006": ("contour", "main"),
    "AP007": None,
    "AP008": ("envoy-gateway", "v1.7.0"),
    "AP009": ("contour", "main"),
    "AP010": None,
    "AP011": None,
    "AP012": None,
    "AP013": ("contour", "main"),
    "AP014": ("contour", "main"),
    "AP015": ("contour", "main"),
    "AP016": ("contour", "main"),
    "AP017": ("envoy-gateway", "v1.6.7"),
    "AP018": ("envoy-gateway", "v1.8.3"),
    "AP019": ("envoy-gateway", "v1.9.0"),
    "AP020": None,
    "AP021": None,
    "AP022": ("envoy-gateway", "v1.9.0"),
    "AP023": None,
    "AP024": ("contour", "main"),
    "AP025": None,
    "AP026": None,
    "AP027": None,
    "AP028": None,
    "AP029": None,
    "AP030": None,
    "AP032": ("istio", "main"),
}

rules = pytest.mark.parametrize("rule", catalogue().values(), ids=list(catalogue()))


def manifests(folder: Path, text: str) -> Inventory:
    file = folder / "a.yaml"
    file.write_text(text, encoding="utf-8")
    inventory = load(file)
    assert inventory.unreadable == ()
    assert inventory.warnings == ()
    return inventory


def found(inventory: Inventory, code: str, release: str | None) -> list[Finding]:
    meshes = ["istio"] if code in OF_A_MESH else []
    return check(inventory, release=release, meshes=meshes, select=[code])


def found_in(folder: Path, text: str, code: str, release: str | None) -> list[Finding]:
    """What is found in manifests; `# cluster NAME` begins another cluster."""
    _, *named = re.split(r"^# cluster (\w+)\n", text, flags=re.MULTILINE)
    if not named:
        inventory = manifests(folder, text)
        return suppress(found(inventory, code, release), annotated(inventory)[0], TODAY)
    for name, of_cluster in zip(named[::2], named[1::2], strict=True):
        (folder / name).mkdir(exist_ok=True)
        manifests(folder / name, of_cluster)
    clusters = read({name: str(folder / name) for name in named[::2]}, release).clusters
    return findings(clusters, TODAY.isoformat(), [code])[0]


@rules
def test_bad_is_found_and_good_is_not(rule: Rule, tmp_path: Path) -> None:
    release = AT.get(rule.code)
    bad = found_in(tmp_path, rule.bad, rule.code, release)
    assert bad, "the bad manifest is not found"
    assert all(each.message and each.remedy and each.position.file for each in bad)
    assert not [
        each
        for each in found_in(tmp_path, rule.good, rule.code, release)
        if each.severity != "info"
    ]


@rules
def test_it_is_not_bad_for_everybody(rule: Rule, tmp_path: Path) -> None:
    if fine := FINE[rule.code]:
        inventory = manifests(tmp_path, rule.bad)
        assert check(inventory, *fine, select=[rule.code]) == []


CASES = yaml.safe_load((ROOT / "tests/manifests/real_cases.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[f"{c['code']} {c['case']}" for c in CASES])
def test_a_real_case_is_found(case: dict[str, str], tmp_path: Path) -> None:
    if "mesh" in case:
        inventory = manifests(tmp_path, case["manifests"])
        assert check(inventory, "envoy-gateway", case["release"], [case["mesh"]], [case["code"]])
    else:
        assert found_in(tmp_path, case["manifests"], case["code"], case["release"])


def test_every_code_has_a_real_case() -> None:
    assert {case["code"] for case in CASES} == set(catalogue())


def test_every_code_has_a_check_and_its_cases() -> None:
    assert set(catalogue()) == {*CHECKS, *codes_of_clusters()} == set(FINE)


def test_a_finding_is_the_contracts(tmp_path: Path) -> None:
    (finding,) = found(manifests(tmp_path, catalogue()["AP003"].bad), "AP003", None)
    row = finding.as_dict()
    wanted = {"code", "severity", "title", "message", "remedy", "cluster", "object", "position"}
    assert set(row) >= {*wanted, "references"}
    assert row["object"] == {"kind": "Service", "namespace": "default", "name": "orders"}
    assert row["position"]["line"] == 4
    assert row["remedy"] == "write kubernetes.io/h2c"


def test_fingerprints_stay_where_lines_move(tmp_path: Path) -> None:
    bad = catalogue()["AP003"].bad
    before, after = (
        found(manifests(tmp_path, text), "AP003", None)[0].fingerprint
        for text in (bad, f"# a comment\n\n{bad}")
    )
    assert before == after
    other = bad.replace("8080", "8081")
    assert found(manifests(tmp_path, other), "AP003", None)[0].fingerprint != before


def test_select_and_ignore() -> None:
    assert codes(["AP01"], ["AP012"])[:2] == ["AP010", "AP011"]
    for wrong in ("AP999", "", "XX"):
        with pytest.raises(RulesetError, match="is no rule; known are AP001"):
            codes([wrong])


@rules
def test_what_a_page_says_of_run_time_was_measured(rule: Rule) -> None:
    """What the words say of Envoy's flags, the cells of the measured matrix have."""
    seen = " ".join(answer_to(*cell).words for cell in rule.measured)
    if rule.measured:
        assert {
            flag for flag in re.findall(r"flags (\w+)", rule.shows) if flag not in seen
        } == set()
        assert any(
            status in seen for status in re.findall(r"\b[1-5]\d\d\b|UNAVAILABLE", rule.shows)
        )


def test_findings_of_several_clusters_less_what_is_borne() -> None:
    """Each cluster by its own reader, in order of the clusters; what is borne is asked."""
    read_there = read(
        {
            "east": "data/sample/east@envoy-gateway:v1.8.3",
            "west": "data/sample/west@envoy-gateway:v1.3.3",
        }
    )
    found, complaints = findings(read_there.clusters, "2026-11-25", ["AP003", "AP019"])
    assert {(each.meta.cluster, str(each.by)) for each in found} == {
        ("east", "envoy-gateway@v1.8.3"),
        ("west", "envoy-gateway@v1.3.3"),
    }
    assert complaints == []
    table = findings_table(found)
    counts = finding_counts(table)
    assert counts["total"].sum() == len(table)
    assert findings_plot(counts).shows(counts[["error", "warning", "info"]])
    later, _ = findings(upgraded(read_there.clusters, "v1.9.0"), "2026-11-25", ["AP003", "AP019"])
    healed = new_findings(findings_table(later), table)
    assert set(healed["code"]) >= {"AP019"}


RULE = (
    "- {code: A, title: t, severity: [SEVERITY], meaning: m, remedy: r, "
    "references: [https://a.example], bad: b, good: g}"
)
WRONG = [
    ("[{code: AP001}]", "rule without 'bad'"),
    (RULE.replace("SEVERITY", "{is: bad}"), "is: 'bad'; write one of error, warning, info"),
    (RULE.replace("SEVERITY", "{for: nobody, is: info}"), "for: 'nobody'; write an implementation"),
    (
        RULE.replace("SEVERITY", "{for: envoy-gateway, releases: [v0.99.0], is: info}"),
        "v0.99.0 is not in the list",
    ),
    (f"{RULE}\n{RULE}".replace("SEVERITY", "{is: info}"), "code A stands twice"),
    (
        RULE.replace("SEVERITY", "{is: info}").replace("g}", "g, measured: [{config: none}]}"),
        "measured without 'client'",
    ),
    (
        RULE.replace("SEVERITY", "{is: info}").replace("g}", "g, measured: none}"),
        "measured: 'none'; write a list",
    ),
    (RULE.replace("https://", "see "), "references: a list; write a list of https:// links"),
]


@pytest.mark.parametrize(("text", "told"), WRONG, ids=[told for _, told in WRONG])
def test_a_wrong_catalogue_is_refused(text: str, told: str) -> None:
    with pytest.raises(RulesetError, match=r"catalogue\.yaml:[12]: ") as raised:
        parse_catalogue(text, "catalogue.yaml")
    assert told in str(raised.value)


def test_a_proposal_is_checked_as_what_it_is_about() -> None:
    """What Envoy Gateway alone is blamed for, it is blamed for as it is proposed too."""
    sample = load("data/sample")
    kept = check(sample, *named("keep").split("@"))
    assert {(f.code, f.position) for f in kept} == {
        (f.code, f.position) for f in check(sample, release="v1.9.0")
    }
