"""Proposals: overlays that are checked like rulesets, and read like any release."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from protocol_analysis import RulesetError, cli, compare, coverage, load, ruleset
from protocol_analysis.history import history
from protocol_analysis.proposals import asked, named, proposal, shipped
from protocol_analysis.releases import release_key
from protocol_analysis.speaking import rules_of
from tests.support import ROOT

SAMPLE = "data/sample"
MINE: dict[str, Any] = {
    "proposal": "mine",
    "title": "Mine",
    "base": "envoy-gateway@v1.9.0",
    "text": "A sentence.",
    "source": "https://github.com/envoyproxy/gateway/issues/5548",
    "phases": [{"release": "v1.10.0", "text": "One.", "source": "https://example.com/1"}],
}
END = {"row": "unified-grpc", "from": "v1.10.0", "text": "Gone.", "source": "https://example.com/2"}
CHANGE = {**END, "id": "narrower"}
ADD = {
    "section": "values",
    "id": "more",
    "backends": ["Service"],
    "routes": ["HTTPRoute"],
    "values": ["example.com/h2c"],
    "protocol": "HTTP2",
    "releases": ["v1.10.0.."],
    "text": "Another.",
    "source": "https://example.com/3",
}


def mine(**changes: Any) -> dict[str, Any]:
    return {**MINE, **changes}


@pytest.mark.parametrize("name", shipped())
def test_what_is_shipped_is_read_at_every_release_of_its_own(name: str) -> None:
    found = proposal(name)
    known = ruleset(found.implementation)
    assert known is found.ruleset
    inventory = load(SAMPLE)
    for phase in found.phases:
        assert coverage(inventory, found.implementation, phase.release)
        assert rules_of(found.at(phase.release))[1] is not None, "it has wire rules too"
    assert found.at().release == found.phases[-1].release == known.newest
    assert "main" not in known.releases


@pytest.mark.parametrize("name", shipped())
def test_up_to_its_base_a_proposal_is_its_base(name: str) -> None:
    found = proposal(name)
    for release in ("v0.6.0", "v1.3.3", "v1.8.3", "v1.9.0"):
        same = compare(load(SAMPLE), f"envoy-gateway@{release}", found.at(release))
        assert same == [], release


def test_keep_changes_no_row() -> None:
    found = proposal("keep")
    base = ruleset("envoy-gateway").at("v1.9.0").rows
    kept = found.ruleset.at(None).rows
    assert found.alterations == ()
    assert [(row.id, row.values, row.protocol) for row in kept] == [
        (row.id, row.values, row.protocol) for row in base
    ]
    assert compare(load(SAMPLE), "v1.9.0", found.at()) == []


# Each alternative: what grpc is, release by release, on a Service, a ServiceImport and a Backend.
GRPC = {
    "keep": {"v1.10.0": ("h2", "h2", "h2")},
    "keep-on-service": {"v1.10.0": ("h2", "h2", "h2"), "v1.11.0": ("h2", "http/1.1", "http/1.1")},
    "remove": {
        "v1.10.0": ("h2", "h2", "h2"),
        "v1.12.0": ("http/1.1", "http/1.1", "http/1.1"),
        "v1.14.0": ("http/1.1", "http/1.1", "http/1.1"),
    },
    "standardise": {"v1.10.0": ("h2", "h2", "h2")},
    "unify": {"v1.10.0": ("h2", "h2", "h2")},
}


def declaring(folder: Path, value: str) -> Any:
    file = folder / "a.yaml"
    port = f"[{{port: 80, appProtocol: {value}}}]"
    file.write_text(
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: s}}\nspec: {{ports: {port}}}\n---\n"
        "apiVersion: multicluster.x-k8s.io/v1alpha1\nkind: ServiceImport\nmetadata: {name: s}\n"
        f"spec: {{ports: {port}}}\n---\n"
        "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: Backend\nmetadata: {name: s}\n"
        f"spec: {{appProtocols: [{value}], endpoints: [{{ip: {{address: 192.0.2.1}}}}]}}\n",
        encoding="utf-8",
    )
    return load(file)


@pytest.mark.parametrize("name", shipped())
def test_what_each_alternative_makes_of_grpc(tmp_path: Path, name: str) -> None:
    found = proposal(name)
    inventory = declaring(tmp_path, "grpc")
    told = {
        phase.release: tuple(
            row.upstream for row in coverage(inventory, found.implementation, phase.release)
        )
        for phase in found.phases
    }
    assert told == GRPC[name]


def test_standardise_reads_a_name_with_a_prefix(tmp_path: Path) -> None:
    inventory = declaring(tmp_path, "kubernetes.io/grpc")
    rows = coverage(inventory, proposal("standardise").implementation)
    assert [row.protocol for row in rows] == ["GRPC", "GRPC", "HTTP"]


def test_a_removal_has_its_cause_and_keeps_those_of_the_way_there() -> None:
    changes = compare(load(SAMPLE), "v1.8.3", proposal("remove").at())
    told = {str(cause) for change in changes for cause in change.causes}
    assert "v1.12.0 (proposed)" in told
    assert "v1.9.0-rc.1, pull request 9337 (not in the release notes)" in told
    assert {change.effect for change in changes if "v1.12.0 (proposed)" in map(str, change.causes)}
    back = compare(load(SAMPLE), proposal("remove").at(), "v1.9.0")
    assert {str(cause) for change in back for cause in change.causes} == {"v1.12.0 (proposed)"}
    assert history("envoy-gateway")


def test_phases_say_who_is_warned_and_where() -> None:
    found = proposal("remove")
    before, at, after = (found.phase(r) for r in ("v1.9.0", "v1.10.0", "v1.13.7"))
    assert not before.warns("Service", "grpc")
    assert at.warns("Service", "grpc")
    assert not at.warns("Service", "kubernetes.io/h2c")
    assert "route condition" in at.surface
    assert (after.release, bool(after.switch), after.admission) == ("v1.12.0", True, "deny")


def test_a_cell_may_hold_a_proposal_and_change_it() -> None:
    first = proposal(mine(ends=[END]))
    assert rules_of(first.at())[0].value("values", "Service", "HTTPRoute", "grpc") is None
    second = proposal(mine(adds=[ADD]))
    rules = rules_of(second.at())[0]
    assert rules.value("values", "Service", "HTTPRoute", "grpc")
    added = rules.value("values", "Service", "HTTPRoute", "example.com/h2c")
    assert added
    assert added.id == "more"
    assert [(each.how, each.row, each.release) for each in second.alterations] == [
        ("adds", "more", "v1.10.0")
    ]


def test_what_holds_at_the_base_goes_on_and_what_came_later_does_not() -> None:
    found = proposal(mine(base="envoy-gateway@v1.8.3"))
    known = found.ruleset
    assert max(known.releases, key=release_key) == "v1.10.0"
    assert "v1.9.0" not in known.releases
    assert {r.id for r in known.at("1.10").rows} == {r.id for r in known.at("1.8").rows}


WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    (mine(base="1.9"), "write a release that is out: envoy-gateway@v1.9.0"),
    (mine(base="envoy-gateway@main"), "write a release that is out"),
    (mine(base="nobody@v1"), "no ruleset for 'nobody'"),
    (mine(proposal="Mine!"), "write small letters"),
    (mine(phases=[]), "no phases"),
    (mine(phases=[{**MINE["phases"][0], "release": "v1.9.0"}]), "no later release"),
    (mine(phases=[{**MINE["phases"][0], "release": "soon"}]), "write a release: v1.10.0"),
    (mine(phases=[*MINE["phases"], *MINE["phases"]]), "no later release"),
    (mine(phases=[{**MINE["phases"][0], "surface": ["e-mail"]}]), "known are route condition"),
    (mine(phases=[{**MINE["phases"][0], "backends": ["Pod"]}]), "known are Service"),
    (mine(phases=[{**MINE["phases"][0], "admission": "hope"}]), "write warn or deny"),
    (mine(phases=[{"release": "v1.10.0", "text": "x"}]), "phase without 'source'"),
    (mine(ends=[{**END, "row": "nothing"}]), "none of the base's rows"),
    (mine(ends=[{**END, "from": "v1.20.0"}]), "write one of the phases' releases"),
    (mine(ends=[{**END, "row": "service-grpc"}]), "does not hold in v1.10.0 anyway"),
    (mine(ends=[{**END, "row": "default-http"}]), "gap in defaults"),
    (mine(ends=[{k: v for k, v in END.items() if k != "source"}]), "without 'source'"),
    (mine(changes=[CHANGE]), "no change"),
    (mine(changes=[{**CHANGE, "id": "default-http", "values": ["x"]}]), "is a row of the base"),
    (mine(changes=[{**CHANGE, "row": "default-http", "values": ["x"]}]), "no row of defaults"),
    (mine(changes=[{**CHANGE, "backends": ["Pod"]}]), "known are all, Service"),
    (mine(adds=[{**ADD, "section": "wishes"}]), "write one of accepts"),
    (mine(adds=[{**ADD, "values": ["grpc"]}]), "overlaps"),
    (mine(adds=[{**ADD, "source": "https://github.com/a/b/blob/main/c"}]), "permanent"),
    (mine(adds=[{**ADD, "releases": ["v1.11.0.."]}]), "not in the list of releases"),
    (mine(adds=[{**ADD, "releases": ["v1.0.0.."]}]), "v1.0.0 is out"),
    (mine(ends=[{**END, "from": "v1.9.0"}]), "from: 'v1.9.0'; write one of the phases'"),
    (mine(adds="all"), "write a list"),
    (mine(text=True), "is no text"),
    (mine(more=1), "unknown key 'more'"),
    ({"proposal": object()}, "cannot represent"),
)


@pytest.mark.parametrize(("wrong", "told"), WRONG, ids=[told for _, told in WRONG])
def test_what_is_wrong_is_told(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(RulesetError) as error:
        proposal(wrong)
    assert told in str(error.value)


def test_a_file_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(mine(ends=[{**END, "row": "nothing"}])), encoding="utf-8")
    with pytest.raises(RulesetError, match=rf"{file}:\d+: row: 'nothing'"):
        proposal(file)
    for name in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(RulesetError):
            proposal(name if name.suffix else str(name) + ".yaml")
    file.write_bytes(b"a: " + b"x" * 2_000_000)
    with pytest.raises(RulesetError, match="larger than"):
        proposal(file)
    with pytest.raises(RulesetError, match="no proposal 'nothing'; there are keep"):
        proposal("nothing")


def test_names_of_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "my@file.yaml"
    file.write_text(yaml.safe_dump(MINE), encoding="utf-8")
    assert named(str(file)) == "envoy-gateway+mine@v1.10.0"
    assert named(f"{file}@v1.8") == "envoy-gateway+mine@v1.8.3"
    assert named("remove") == "envoy-gateway+remove@v1.14.0"
    assert asked("envoy-gateway+remove@1.12")[1] == "1.12"
    for release in ("1.8", "v1.9.0", "main", "istio@1.26", "contour"):
        assert named(release) == release
    with pytest.raises(RulesetError, match="that proposal is envoy-gateway"):
        named("istio+remove")


@pytest.mark.parametrize("command", [["coverage"], ["resolve"], ["diff", "--from", "1.9"]])
def test_commands_take_a_proposal_for_a_release(
    capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    option = "--to" if command[0] == "diff" else "--release"
    file = str(ROOT / "protocol_analysis/proposals/remove.yaml")
    status = cli.main([*command, SAMPLE, option, f"{file}@v1.12", "-o", "json"])
    rows = json.loads(capsys.readouterr().out)
    assert status in (0, 3)
    if command[0] == "coverage":
        told = {
            r["upstream"] for r in rows if (r["appProtocol"], r["transport"]) == ("grpc", "TCP")
        }
        assert told == {"http/1.1"}
    else:
        assert "v1.12.0" in json.dumps(rows)
    if command[0] == "diff":
        assert {row["effect"] for row in rows} == {"breaks"}
        assert {row["to"] for row in rows} == {"envoy-gateway+remove@v1.12.0"}


def test_a_proposal_that_is_wrong_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("proposal: [", encoding="utf-8")
    assert cli.main(["coverage", SAMPLE, "--release", str(file)]) == 2
    assert "not YAML" in capsys.readouterr().err
