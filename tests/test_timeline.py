"""What was said and done about `grpc`, and what a proposal means line by line and day by day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from protocol_analysis import RulesetError, compare, load, ruleset
from protocol_analysis.plots import timeline_lines, timeline_plot
from protocol_analysis.plots.timeline import LOOKS
from protocol_analysis.proposals import Proposal, proposal, shipped
from protocol_analysis.releases import finals, line_of, release_key
from protocol_analysis.rollout import debate
from protocol_analysis.rollout.debate import (
    STANCES,
    deliverables,
    lines_between,
    positions,
    precedents,
)
from protocol_analysis.rollout.timeline import (
    KINDS,
    READ,
    STATES,
    STATUSES,
    retimed,
    supported,
    timeline,
)
from protocol_analysis.rulebook import resolve_one
from protocol_analysis.tables import (
    DELIVERABLE_COLUMNS,
    POSITION_COLUMNS,
    PRECEDENT_COLUMNS,
    SUPPORTED_COLUMNS,
    TIMELINE_COLUMNS,
    deliverables_table,
    positions_table,
    precedents_table,
    supported_table,
    timeline_table,
)
from tests.support import ROOT

TODAY = "2026-11-26"
SAMPLE = str(ROOT / "data/sample")
SOURCE = "https://github.com/envoyproxy/gateway/issues/5548"


def mine(base: str, *releases: str, **more: Any) -> Proposal:
    phases = [{"release": release, "text": "One.", "source": SOURCE} for release in releases]
    texts = {"title": "Mine", "text": "A sentence.", "source": SOURCE}
    return proposal({"proposal": "mine", "base": base, **texts, "phases": phases, **more})


# What was said, and what came before.


def test_every_row_has_a_source_and_names_nobody() -> None:
    rows: list[Any] = [*positions(), *precedents(), *deliverables()]
    assert len(rows) > 40
    for row in rows:
        assert row.source.startswith(("https://github.com/", "https://gateway.envoyproxy.io/")), row
        assert "@" not in str(row).replace("@v", ""), row


def test_positions_are_in_order_each_in_its_own_repository() -> None:
    found = positions()
    assert [each.date for each in found] == sorted(each.date for each in found)
    assert len({(each.date, each.number) for each in found}) == len(found)
    for each in found:
        repository, _, number = each.number.partition("#")
        assert each.source.startswith(f"https://github.com/{repository}/"), each
        assert each.source.endswith(f"/{number}") or "/blob/v" in each.source, each
    assert {each.stance for each in found} == set(STANCES)


POSITIONS = {  # the open decision, oldest first
    "envoyproxy/gateway#5548": ["remove", "keep"],
    "envoyproxy/gateway#5687": ["keep on Service"],
    "envoyproxy/gateway#9337": ["keep", "keep"],
    "kubernetes/kubernetes#116866": ["retire upstream"],
    "kubernetes-sigs/gateway-api#5154": ["retire upstream"],
    "linkerd/linkerd2#14033": ["standardise"],
}


@pytest.mark.parametrize("number", POSITIONS)
def test_who_wants_what(number: str) -> None:
    assert [each.stance for each in positions() if each.number == number] == POSITIONS[number]


def test_precedents_name_releases_that_are_known_or_to_come() -> None:
    known = ruleset().dates
    for each in precedents():
        assert not each.since or each.since in known, each
        if each.until and each.until not in known:
            assert release_key(each.until) > release_key(ruleset().newest), each
    assert {each.what: each.lines for each in precedents() if each.lines is not None} == {
        "XDSNameSchemeV2": 5
    }


def test_deliverables_fit_what_the_proposals_say() -> None:
    found = deliverables()
    assert {name for each in found for name in each.needed} <= set(shipped())
    items = {name: {each.item for each in found if name in each.needed} for name in shipped()}
    for name in shipped():
        design = proposal(name)
        warns = any("route condition" in phase.surface for phase in design.phases)
        counts = any("metric" in phase.surface for phase in design.phases)
        switch = any(phase.switch for phase in design.phases)
        assert ("A condition for values that are not read" in items[name]) == warns, name
        assert ("A counter of routes that need grpc" in items[name]) == counts, name
        assert ("A setting that brings grpc back" in items[name]) == switch, name
        code = any(item.startswith(("The code", "Telemetry")) for item in items[name])
        assert code == bool(design.alterations), name
    assert not items["keep"]


WRONG: tuple[tuple[Callable[[str, Any], str], str, Any, str], ...] = (
    (debate._of_position, "stance", "hope", "write one of ['remove', 'keep'"),
    (debate._of_position, "date", "2026-13", "write 2026-06-25"),
    (debate._of_position, "date", "yesterday", "write 2026-06-25"),
    (debate._of_position, "number", "5548", "write a/b#1"),
    (debate._of_position, "source", "https://github.com/a/b/blob/main/c", "permanent"),
    (debate._of_precedent, "since", "1.5", "is no release"),
    (debate._of_precedent, "until", ["v1.5.0"], "is no release"),
    (debate._of_deliverable, "needed", "remove", "write all, or proposals"),
    (debate._of_deliverable, "needed", [], "write all, or proposals"),
    (debate._of_deliverable, "where", "route.go", "write owner/repository/path@v1.9.0"),
    (debate._of_deliverable, "change", "", "write a text"),
)


@pytest.mark.parametrize(("judge", "key", "value", "told"), WRONG)
def test_a_wrong_row_is_told(
    judge: Callable[[str, Any], str], key: str, value: Any, told: str
) -> None:
    assert told in judge(key, value)


# How many lines lie between warning and removal.


@given(between=st.integers(2, 60))
@settings(deadline=None, max_examples=20)
def test_retiming_keeps_the_order_the_first_phase_and_the_shares(between: int) -> None:
    before = proposal("remove")
    found = retimed(before, between)
    releases = [phase.release for phase in found.phases]
    steps = [lines_between(releases[0], release) for release in releases]
    assert releases[0] == before.phases[0].release
    assert steps[-1] == between
    assert sorted(set(steps)) == steps
    assert abs(steps[1] - between / 2) <= 0.5
    assert found.ruleset.newest == releases[-1]
    assert [each.release for each in found.alterations] == [releases[1]]
    for old, new in zip(before.phases, found.phases, strict=True):
        assert (new.text, new.surface, new.switch) == (old.text, old.surface, old.switch)
        rows = [
            {row.id for row in p.ruleset.at(r.release).rows}
            for p, r in ((before, old), (found, new))
        ]
        assert rows[0] == rows[1]


@given(steps=st.lists(st.integers(1, 9), min_size=1, max_size=6), between=st.integers(6, 40))
@settings(deadline=None, max_examples=25)
def test_any_number_of_phases_gets_a_line_each(steps: list[int], between: int) -> None:
    at = [0]
    for step in steps:
        at.append(at[-1] + step)
    found = retimed(mine("envoy-gateway@v1.9.0", *(f"v1.{10 + n}.0" for n in at)), between)
    lines = [lines_between("v1.10.0", phase.release) for phase in found.phases]
    assert lines[0] == 0
    assert lines[-1] == between
    assert sorted(set(lines)) == lines


def test_the_same_way_is_the_same_proposal_and_another_is_read_beside_it() -> None:
    remove = proposal("remove")
    assert retimed(remove, 4) is remove
    keep = proposal("keep")
    assert retimed(keep, 0) is keep
    quick = retimed(remove, 2)
    assert quick.implementation == "envoy-gateway+remove-in-2"
    assert str(quick.at("1.11")) == "envoy-gateway+remove-in-2@v1.11.0"
    inventory = load(SAMPLE)
    changes = compare(inventory, "v1.9.0", quick.at("1.11"))
    assert [c.effect for c in changes] == [
        c.effect for c in compare(inventory, "v1.9.0", remove.at("1.12"))
    ]
    assert changes
    assert compare(inventory, "v1.9.0", quick.at("1.10")) == []
    assert remove.at("1.12").release == "v1.12.0", "the one that it was made from stays"


UNFIT = (
    ("remove", 1, "3 phases need 2 lines between the first and the last, or more"),
    ("remove", 0, "0 was asked for"),
    ("remove", -3, "-3 was asked for"),
    ("keep", 1, "keep has a single phase, so there are no releases between a first and a last"),
    ("remove", 101, "100 lines between the first phase and the last are the most; 101 was asked"),
    ("remove", 1_000_000_000_000, "are the most; 1000000000000 was asked for"),
)


@pytest.mark.parametrize(("name", "between", "told"), UNFIT)
def test_too_few_or_too_many_lines_are_told(name: str, between: int, told: str) -> None:
    with pytest.raises(RulesetError) as error:
        retimed(proposal(name), between)
    assert told in str(error.value)


# Line by line.


def test_what_is_known_of_a_line_is_the_rulesets_word() -> None:
    known = ruleset()
    firsts: dict[str, str] = {}
    for release in finals(known.releases):
        firsts.setdefault(line_of(release), known.dates[release])
    found = {each.line: each for each in timeline(proposal("remove"), TODAY)}
    for name, day in firsts.items():
        assert (found[name].date, found[name].projected) == (day, False)
        end = known.lines.get(name, {}).get("endOfLife")
        assert found[name].end_projected == (end is None)
        assert end in (None, found[name].end)
    assert [name for name in found if name not in firsts] == [f"v1.{n}" for n in range(10, 17)]


def test_what_is_projected_is_the_median_of_the_last_six_lines() -> None:
    # From v1.4 to v1.9 there were 87, 95, 86, 96 and 95 days from line to line; each was supported
    # for 184, 189, 183, 181, 180 and 183.
    found = {each.line: each for each in timeline(proposal("keep"), TODAY)}
    start = date.fromisoformat(found["v1.9"].date)
    for step, name in enumerate(("v1.10", "v1.11", "v1.12"), 1):
        begins = start + timedelta(days=95 * step)
        assert found[name].date == begins.isoformat()
        assert found[name].end == (begins + timedelta(days=183)).isoformat()
        assert found[name].projected
        assert found[name].end_projected


WARNED, OFF, GONE, NEVER = STATES[1:]
STATES_OF: dict[str, dict[str, tuple[str, str]]] = {  # on a Service, on a ServiceImport
    "keep": {"v1.0": (NEVER, NEVER), "v1.8": ("read", NEVER), "v1.12": ("read", "read")},
    "keep-on-service": {
        "v1.9": ("read", "read"),
        "v1.10": ("read", WARNED),
        "v1.11": ("read", GONE),
        "v1.13": ("read", GONE),
    },
    "remove": {
        "v1.9": ("read", "read"),
        "v1.10": (WARNED, WARNED),
        "v1.11": (WARNED, WARNED),
        "v1.12": (OFF, OFF),
        "v1.13": (OFF, OFF),
        "v1.14": (GONE, GONE),
        "v1.16": (GONE, GONE),
    },
    "standardise": {"v1.12": ("read", "read")},
    "unify": {"v1.12": ("read", "read")},
}


@pytest.mark.parametrize("name", shipped())
def test_what_each_line_makes_of_grpc(name: str) -> None:
    found = {each.line: each for each in timeline(proposal(name), TODAY)}
    told = {line: (found[line].service, found[line].service_import) for line in STATES_OF[name]}
    assert told == STATES_OF[name]


@pytest.mark.parametrize("name", shipped())
def test_a_line_reads_what_its_resolution_shows(name: str) -> None:
    design = proposal(name)
    for each in timeline(design, TODAY):
        rules = design.ruleset.at(each.release)
        for kind in KINDS:
            declared, none = (resolve_one(rules, kind, value).protocol for value in ("grpc", None))
            assert (each.state(kind) in READ) == (declared != none), (each.line, kind)
            assert each.state(kind) in STATES


def test_another_value_has_a_timeline_of_its_own() -> None:
    found = {
        e.line: e.service for e in timeline(proposal("standardise"), TODAY, "kubernetes.io/grpc")
    }
    assert (found["v1.9"], found["v1.10"]) == (NEVER, "read")
    assert {each.service for each in timeline(proposal("keep"), TODAY, "no-such")} == {NEVER}


STATUS = (
    ("2026-08-14", {"v1.7": "ended", "v1.8": "supported", "v1.9": "ahead"}),
    ("2026-11-08", {"v1.8": "supported", "v1.10": "ahead"}),
    ("2026-11-09", {"v1.8": "ended", "v1.9": "supported"}),
    ("2026-11-26", {"v1.9": "supported", "v1.10": "due", "v1.11": "ahead"}),
    ("2030-01-01", {"v1.9": "ended", "v1.16": "ended"}),
)


@pytest.mark.parametrize(("today", "wanted"), STATUS)
def test_a_status_is_that_of_the_day(today: str, wanted: dict[str, str]) -> None:
    found = {each.line: each.status for each in timeline(proposal("remove"), today)}
    assert {line: found[line] for line in wanted} == wanted
    assert set(found.values()) <= set(STATUSES)


def test_what_is_out_does_what_it_does_whatever_a_proposal_stands_on() -> None:
    found = {e.line: e for e in timeline(mine("envoy-gateway@v1.8.3", "v1.10.0"), TODAY)}
    assert found["v1.9"].service_import == "read"
    assert found["v1.10"].service_import == GONE
    assert found["v1.9"].phase is None
    held = {e.line: e for e in timeline(mine("envoy-gateway@v1.7.5", "v1.9.9"), TODAY)}
    assert held["v1.8"].service == "read"
    assert held["v1.9"].service_import == NEVER, "the proposal says what v1.9.9 is to be"
    assert list(held)[-1] == "v1.11"


REFUSED = (
    ("envoy-gateway@v1.9.0", ("v1.10.0", "v2.0.0"), "no count of lines leads from v1.9 to v2.0"),
    ("envoy-gateway@v1.9.0", ("v1.10.0", "v1.99999.0"), "lines ahead"),
    ("linkerd@v2.18.0", ("v2.19.0",), "no timeline without the dates"),
)


@pytest.mark.parametrize(("base", "releases", "told"), REFUSED)
def test_what_has_no_timeline_is_told(base: str, releases: tuple[str, ...], told: str) -> None:
    with pytest.raises(RulesetError, match=told):
        timeline(mine(base, *releases), TODAY)


@pytest.mark.parametrize("today", ["", "soon", "2026-02-30"])
def test_today_is_a_day(today: str) -> None:
    for ask in (timeline, supported):
        with pytest.raises(ValueError, match=r"isoformat|month|day"):
            ask(proposal("keep"), today)


# Day by day.


@given(
    today=st.dates(date(2022, 1, 1), date(2032, 1, 1)),
    name=st.sampled_from(shipped()),
    between=st.integers(2, 12),
)
@settings(deadline=None, max_examples=30)
def test_supported_lines_are_those_whose_time_it_is(today: date, name: str, between: int) -> None:
    design = retimed(proposal("remove"), between) if name == "remove" else proposal(name)
    lines = timeline(design, today.isoformat())
    found = supported(design, today.isoformat())
    days = [each.date for each in found]
    assert days == sorted(set(days))
    assert bool(found) == (today.isoformat() <= lines[-1].date)
    assert days[:1] in ([], [today.isoformat()])
    for each in found:
        now = tuple(line.line for line in lines if line.date <= each.date <= line.end)
        assert each.lines == now
        assert set(each.service) <= set(now)
        assert set(each.service_import) <= set(now)
        assert set(each.projected) <= set(now)
    for before, after in pairwise(found):
        began, over = set(after.lines) - set(before.lines), set(before.lines) - set(after.lines)
        assert began == set(after.begins)
        assert over == set(after.ends)
        assert began | over


def test_the_last_line_that_reads_grpc_ends_within_the_picture() -> None:
    for between in (2, 4, 9):
        found = supported(retimed(proposal("remove"), between), TODAY)
        assert found[0].service
        assert not found[-1].service
    assert supported(proposal("keep"), TODAY)[-1].service
    assert not supported(proposal("keep-on-service"), TODAY)[-1].service_import


# Tables and pictures.


def test_every_state_has_a_look_of_its_own() -> None:
    assert set(LOOKS) == set(STATES)
    assert len(set(LOOKS.values())) == len(STATES)


def test_tables_have_the_columns_that_they_promise() -> None:
    remove = proposal("remove")
    for table, columns in (
        (positions_table(), POSITION_COLUMNS),
        (precedents_table(), PRECEDENT_COLUMNS),
        (deliverables_table(["remove"]), DELIVERABLE_COLUMNS),
        (timeline_table(remove, TODAY), TIMELINE_COLUMNS),
        (supported_table(remove, TODAY), SUPPORTED_COLUMNS),
    ):
        assert {name: str(kind) for name, kind in table.dtypes.items()} == columns
        assert len(table)
        assert not table.drop(columns="lines", errors="ignore").isna().to_numpy().any()


def test_deliverables_are_those_that_are_needed() -> None:
    every = set(deliverables_table(["keep"])["item"])
    both = set(deliverables_table(["remove", "unify"])["item"])
    assert every == {each.item for each in deliverables() if not each.needed}
    assert set(deliverables_table([])["item"]) == every
    assert both - every == {
        each.item for each in deliverables() if {"remove", "unify"} & set(each.needed)
    }


def test_the_supported_table_counts() -> None:
    table = supported_table(proposal("remove"), TODAY).set_index("date")
    assert list(table.loc[TODAY, ["supported", "projected", "Service"]]) == [2, 1, 2]
    assert list(table.loc["2027-05-27", ["supported", "Service", "ends"]]) == [2, 1, ""]
    assert list(table.loc["2027-08-24", ["Service", "ServiceImport", "ends"]]) == [
        0,
        0,
        "v1.11",
    ]


DRAWN = (("keep", 0), ("remove", 4), ("remove", 2), ("remove", 9), ("keep-on-service", 1))


@pytest.mark.parametrize(("name", "between"), DRAWN)
def test_the_picture_is_the_table(name: str, between: int) -> None:
    design = retimed(proposal(name), between)
    table = timeline_table(design, TODAY)
    picture = timeline_plot(table, TODAY, design.title)
    shown = timeline_lines(table, TODAY)
    assert picture.shows(shown)
    assert not picture.shows(shown.assign(Service=GONE))
    assert set(shown.index) >= set(table.loc[table["status"] != "ended", "line"])
    assert f"Supported on {TODAY}: v1.9, v1.10; projected from v1.10 on." in picture.alt
    png = picture.png()
    assert png == timeline_plot(table, TODAY, design.title).png()
    assert len(png) < 100_000
    for axis in picture.figure.axes:
        bars = [bar for bar in axis.patches if isinstance(bar, Rectangle)]
        spans = [
            (date.fromordinal(round(b.get_x())), date.fromordinal(round(b.get_x() + b.get_width())))
            for b in bars
        ]
        ends = zip(shown["date"], shown["end"], strict=True)
        assert spans == [(date.fromisoformat(a), date.fromisoformat(b)) for a, b in ends]
        dashed = [bar.get_linestyle() not in ("-", "solid") for bar in bars]
        assert dashed == shown["projected"].to_list()
        marked: list[Any] = [line.get_xdata() for line in axis.lines]
        assert [days[0] for days in marked] == [date.fromisoformat(TODAY).toordinal()]


@pytest.mark.parametrize(("name", "between"), DRAWN[:4:3])
@pytest.mark.parametrize("today", ["2026-01-15", TODAY, "2027-12-24"])
def test_no_text_overlaps_another_nor_leaves_the_picture(
    name: str, between: int, today: str
) -> None:
    design = retimed(proposal(name), between)
    picture = timeline_plot(timeline_table(design, today), today, design.title)
    picture.png()  # lays it out
    figure = picture.figure
    found: list[Any] = figure.findobj(Text)
    boxes = [
        (t.get_text(), t.get_window_extent()) for t in found if t.get_text() and t.get_visible()
    ]
    for number, (said, box) in enumerate(boxes):
        assert box.x0 >= 0, said
        assert box.x1 <= figure.bbox.x1, said
        clashes = [other for other, at in boxes[number + 1 :] if box.overlaps(at)]
        assert not clashes, (said, clashes)


def test_nothing_left_to_draw_is_said() -> None:
    table = timeline_table(proposal("keep"), TODAY)
    for lines, today in ((table, "2040-01-01"), (table.iloc[:0], TODAY)):
        picture = timeline_plot(lines, today, "Keep grpc")
        assert picture.shows(timeline_lines(lines, today))
        assert picture.png().startswith(b"\x89PNG")
        pd.testing.assert_index_equal(picture.data.index, pd.Index([]), exact=False)
        assert "none of these" in picture.alt
