"""What an upgrade changes: properties that always hold, and the changes of the sample by name."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from protocol_analysis import Inventory, RulesetError, compare, load, ruleset
from protocol_analysis.compare import EFFECTS, Change, key_of, resolved, way
from protocol_analysis.explain import explain
from protocol_analysis.history import history, parse_history
from protocol_analysis.model import Meta, ObjectRef
from protocol_analysis.readers import reader
from protocol_analysis.reading import read
from protocol_analysis.readings import resolve
from protocol_analysis.releases import finals
from protocol_analysis.stories import composed, not_kept, transients, unexplained
from protocol_analysis.upgrade import order, release_of, summary
from tests.support import ROOT, SHARED, needs_shared

SAMPLE = ROOT / "data" / "sample"
RELEASES = finals(ruleset().releases)
released = st.sampled_from(RELEASES)
few = settings(max_examples=20)  # each example reads the sample by two releases or three


@cache
def sample() -> Inventory:
    return load(SAMPLE)


def said(changes: list[Change]) -> list[object]:
    return [(key_of(c.before), c.effect, c.before.upstream, c.after.upstream) for c in changes]


@few
@given(released)
def test_a_release_differs_in_nothing_from_itself(release: str) -> None:
    assert compare(sample(), release, release) == []


@few
@given(released, released, released)
def test_two_steps_compose_to_the_whole(first: str, between: str, last: str) -> None:
    whole = compare(sample(), first, last, with_edits=False)
    steps = compare(sample(), first, last, [between], with_edits=False)
    assert composed(steps, whole)


@few
@given(released, released, st.randoms(use_true_random=False))
def test_the_order_of_files_and_documents_decides_nothing(
    first: str, last: str, chance: random.Random
) -> None:
    shuffled: dict[str, Any] = {}
    for name in ("services", "service_imports", "backends", "gateways", "gateway_classes",
                 "traffic_policies", "client_policies", "tls_policies", "filters"):  # fmt: skip
        objects = list(getattr(sample(), name))
        chance.shuffle(objects)
        shuffled[name] = tuple(objects)
    other = replace(sample(), **shuffled)
    assert said(compare(other, first, last, with_edits=False)) == said(
        compare(sample(), first, last, with_edits=False)
    )


@few
@given(released)
def test_every_row_has_a_reason_with_a_source(release: str) -> None:
    for row in resolve(sample(), release=release):
        assert row.reasons
        assert all(reason.source.startswith("https://") for reason in row.reasons)


@few
@given(released)
def test_what_no_route_reaches_changes_no_row(release: str) -> None:
    far = sample().routes[0].meta
    lonely = replace(far, kind="Gateway", namespace="nowhere", name="nobody")
    target = ObjectRef(group=lonely.group, kind="Gateway", namespace="nowhere", name="nobody")
    policies = [
        replace(policy, meta=replace(policy.meta, namespace="nowhere"), targets=(target,))
        for policy in sample().traffic_policies
    ]
    gateways = tuple(replace(g, meta=lonely) for g in sample().gateways[:1])
    more = replace(
        sample(),
        gateways=sample().gateways + gateways,
        traffic_policies=sample().traffic_policies + tuple(policies),
    )
    assert resolve(more, release=release) == resolve(sample(), release=release)


@settings(max_examples=5)
@given(released, released)
def test_after_an_edit_the_change_is_gone(first: str, last: str) -> None:
    changes = compare(sample(), first, last)
    assert not_kept(read(str(SAMPLE)).clusters, changes) == []


@few
@given(released, released)
def test_every_change_has_a_cause_and_an_effect(first: str, last: str) -> None:
    changes = compare(sample(), first, last, with_edits=False)
    assert unexplained(changes) == []
    assert {change.effect for change in changes} <= set(EFFECTS)
    for change in changes:
        assert all(cause.source.startswith("https://") for cause in change.causes)


def test_the_changes_of_the_sample_from_v1_8_to_v1_9() -> None:
    found = {
        f"{c.before.route} {c.before.ref.rule}": (c.effect, str(c.keep), str(c.adopt))
        for c in compare(sample(), "1.8", "1.9")
        if c.effect == "breaks"
    }
    assert found["HTTPRoute catalog/recommendations 1"] == (
        "breaks",
        "remove appProtocol of Service catalog/similar-items:8080",
        "write kubernetes.io/h2c on Service catalog/similar-items:8080",
    )
    assert "HTTPRoute events/dashboard 0" in found  # proxyProtocol


def test_what_comes_and_goes_is_marked() -> None:
    steps = compare(sample(), "v1.5.9", "v1.9.0", ["v1.8.3"], with_edits=False)
    gone = {str(change.before.route) for change in transients(steps)}
    assert "HTTPRoute events/dashboard" in gone


def test_a_downgrade_goes_the_other_way() -> None:
    up, down = (
        compare(sample(), a, b, with_edits=False) for a, b in (("1.8", "1.9"), ("1.9", "1.8"))
    )
    assert {key_of(c.before) for c in up} == {key_of(c.before) for c in down}


def test_the_way_by_lines_goes_both_ways() -> None:
    up = [str(stop) for stop in way(reader("1.6"), ["lines"], reader("1.9"))]
    down = [str(stop) for stop in way(reader("1.9"), ["lines"], reader("1.6"))]
    assert up == down[::-1]


@pytest.mark.parametrize("text", ["istio@1.2", "v99.0.0-x", "@"])
def test_an_unknown_reader_is_told(text: str) -> None:
    if text == "@":
        assert reader(text).release == ruleset().newest
        return
    with pytest.raises(RulesetError):
        reader(text)


def test_the_order_puts_edits_before_upgrades_and_safe_clusters_first() -> None:
    changes = [
        replace(c, before=replace(c.before, route=replace(c.before.route, cluster=name)))
        for name in ("east", "west")
        for c in compare(sample(), "1.6", "1.9")
        if name == "east" or c.keep
    ]
    steps = order(changes, ["east", "west"])
    upgrades = [step.cluster for step in steps if step.action == "upgrade"]
    assert upgrades == ["west", "east"]
    assert [step.action == "upgrade" for step in steps] == [False] * (len(steps) - 2) + [True] * 2
    assert [line["cluster"] for line in summary(changes, ["east", "west"])] == ["east", "west"]


def test_the_release_is_read_from_a_deployment(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("m") / "d.yaml"
    text = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: eg}\nspec: {template: {spec: "
        "{containers: [{image: 'docker.io/envoyproxy/gateway:v1.6.2'}]}}}\n"
    )
    file.write_text(text, encoding="utf-8")
    assert release_of(load(file)) == "v1.6.2"
    file.write_text(text + "---\n" + text.replace("1.6.2", "1.7.0"), encoding="utf-8")
    with pytest.raises(RulesetError, match=r"several releases .* v1\.6\.2, v1\.7\.0"):
        release_of(load(file))


def test_the_history_names_rows_and_releases_that_are_there() -> None:
    numbered = [pull.number for pull in history() if pull.number]
    assert len(set(numbered)) == len(numbered) > 10
    with pytest.raises(RulesetError, match="no such release or row"):
        parse_history("- {pull: '1', notes: {v7.7.7: none}}", "h.yaml", "envoy-gateway")
    with pytest.raises(RulesetError, match="no list"):
        parse_history("a: b", "h.yaml", "envoy-gateway")


@pytest.mark.parametrize(
    ("folder", "least"),
    [
        (SAMPLE, 10),
        pytest.param(SHARED / "real/manifests", 100, marks=[needs_shared, pytest.mark.slow]),
    ],
    ids=["sample", "real"],
)
def test_from_v1_3_to_v1_9(folder: Path, least: int) -> None:
    """It completes, and at its release the account of each change says what brought it about."""
    inventory = load(folder)
    changes = compare(inventory, "v1.3.3", "v1.9.0", with_edits=False)
    rows_told = cache(partial(told_rows, inventory))
    assert len(changes) > least
    assert unexplained(changes) == []
    for change in changes:
        assert change.causes
        for cause in change.causes:
            release = before(cause.release) if "No longer" in cause.text else cause.release
            assert cause.row in rows_told(release)[change.before.route], cause


def before(release: str) -> str:
    known = ruleset().releases
    return known[known.index(release) - 1]


def told_rows(inventory: Inventory, release: str) -> dict[Meta, set[str]]:
    """The rows that `explain` names for each route, whichever of its references."""
    found: dict[Meta, set[str]] = {}
    for account in explain(list(resolved(inventory, reader(release)).values())):
        named = {claim.text.rpartition("[")[2].partition(",")[0] for claim in account.claims}
        found.setdefault(account.resolution.route, set()).update(named)
    return found
