"""Releases: their order, ranges of them, and which known one a user means."""

from __future__ import annotations

import csv
import random

import pytest
from hypothesis import given, strategies as st

from protocol_analysis import Inventory, RulesetError, resolve, ruleset
from protocol_analysis.releases import expand, finals, line_of, pick, release_key
from tests.support import SHARED, needs_shared

# As known in August 2026: a release that is added later changes none of these answers.
_LAST = release_key("v1.9.0")
KNOWN = [r for r in ruleset().releases if r == "main" or release_key(r) <= _LAST]

# What a user writes, the release it means, and a part of the warning; "" where it is exact.
MEANT = [
    ("v1.8.3", "v1.8.3", ""),
    ("1.8.3", "v1.8.3", ""),
    ("1.8", "v1.8.3", ""),
    ("v1.8", "v1.8.3", ""),
    ("1.0", "v1.0.2", ""),
    ("0.1", "v0.1.0", ""),
    ("1.9", "v1.9.0", ""),
    ("main", "main", ""),
    ("v1.9.0-rc.1", "v1.9.0-rc.1", ""),
    ("1.9.0-rc.1", "v1.9.0-rc.1", ""),
    ("v0.2.0-rc1", "v0.2.0-rc1", ""),  # the old way to write a candidate is a tag too
    ("v1.8.99", "v1.8.3", "v1.8.99 is not known; taken as v1.8.3, the newest known of its line"),
    ("1.8.4", "v1.8.3", "1.8.4 is not known; taken as v1.8.3"),
    ("v1.8.4-rc.1", "v1.8.3", "the newest known of its line"),
    ("v0.6.1", "v0.6.0", "the newest known of its line"),
    ("v1.9.1", "v1.9.0", "the newest known of its line"),
    ("1.10", "v1.9.0", "1.10 is not known; taken as v1.9.0, the newest release known"),
    ("v1.10.0-rc.1", "v1.9.0", "the newest release known"),
    ("v2.0.0", "v1.9.0", "the newest release known"),
    ("v999999.0.0", "v1.9.0", "the newest release known"),
]

WRONG = [
    "",
    " ",
    "v",
    "v1",
    "1",
    "1.8.x",
    "1.x",
    "latest",
    "Main",
    "vmain",
    "MAIN",
    "V1.8.3",
    " 1.8",
    "1.8\n",
    "v1.8.3\n",
    "v1.8.3 ",
    "vv1.8.3",
    "v1.8.3.1",
    "v1.8.-3",
    "-1.8",
    "v1.8.3-rc",
    "v1.8.3-beta.1",
    "v1.8.3+build",
    "v0.0.1",  # an earlier line than any
    "v0.7.0",  # between lines that are known
    "0.7",
    "v1.9.0-rc.7",  # a candidate that never was, of a release that is out
    "v1.7.0-rc1",  # the tag has a dot
    "v1.08.3",  # no semantic version has a leading zero
    "1.09",
    "v\N{FULLWIDTH DIGIT ONE}.8.3",
    "\N{ARABIC-INDIC DIGIT ONE}.\N{ARABIC-INDIC DIGIT EIGHT}",
    "v1.8." + "9" * 5000,  # more digits than Python turns into a number
    "v1000000.0.0",
    "\x1b[31mv1.8.3",
]


@pytest.mark.parametrize(("wanted", "release", "warning"), MEANT)
def test_what_a_release_means(wanted: str, release: str, warning: str) -> None:
    found, said = pick(wanted, KNOWN)
    assert found == release
    assert warning in said
    assert bool(said) is bool(warning)
    assert ruleset().at(wanted).release == pick(wanted, ruleset().releases)[0]


@pytest.mark.parametrize("wanted", WRONG)
def test_anything_else_is_an_error_that_lists_what_is_known(wanted: str) -> None:
    with pytest.raises(RulesetError) as caught:
        pick(wanted, KNOWN)
    message = str(caught.value)
    assert "\n" not in message
    assert "\x1b" not in message
    for release in KNOWN:
        assert f" {release}," in message
    assert "a line such as 1.8" in message
    with pytest.raises(RulesetError):
        resolve(Inventory(), release=wanted)


def test_nothing_means_the_newest_final_release() -> None:
    assert pick(None, KNOWN) == ("v1.9.0", "")
    assert ruleset().newest == finals(ruleset().releases)[-1]
    # Neither main nor a candidate of a later line is what people run.
    later = [*KNOWN[:-1], "v1.10.0-rc.1", "main"]
    assert pick(None, later) == ("v1.9.0", "")


def test_a_line_of_candidates_only_is_its_newest_candidate() -> None:
    known = ["v1.9.0", "v1.10.0-rc.0", "v1.10.0-rc.1", "main"]
    assert pick("v1.10.0-rc.0", known) == ("v1.10.0-rc.0", "")
    for wanted in ("1.10", "v1.10.0", "v1.10.3", "v1.10.0-rc.2"):
        release, warning = pick(wanted, known)
        assert release == "v1.10.0-rc.1"
        assert f"{wanted} is not known" in warning
        assert "the newest known of its line" in warning


@needs_shared
def test_every_tag_and_main_are_known_with_their_dates() -> None:
    with (SHARED / "facts" / "envoy-gateway-releases.csv").open(encoding="utf-8") as file:
        tags = {row["tag"]: row["date"] for row in csv.DictReader(file)}
    assert len(tags) > 80
    # `main` as the facts know it: d32f282942 of 2026-08-21.
    tags["main"] = "2026-08-21"
    assert {release: ruleset().dates[release] for release in KNOWN} == tags


@needs_shared
def test_the_lines_are_those_of_the_facts() -> None:
    with (SHARED / "facts" / "envoy-gateway-lines.csv").open(encoding="utf-8") as file:
        lines = {row.pop("line"): row for row in csv.DictReader(file)}
    assert lines
    names = {"gateway_api": "gatewayAPI", "end_of_life": "endOfLife"}
    assert ruleset().lines == {
        line: {names.get(name, name): value for name, value in facts.items()}
        for line, facts in lines.items()
    }


def test_every_line_of_releases_has_its_facts() -> None:
    # v0.1.0 alone has none: it had no translator to speak of.
    assert {line_of(release) for release in KNOWN} - {""} - set(ruleset().lines) == {"v0.1"}


def test_the_order_is_that_of_versions_and_not_of_dates() -> None:
    assert list(ruleset().releases) == sorted(ruleset().releases, key=release_key)
    place = {release: number for number, release in enumerate(KNOWN)}
    for earlier, later in (
        ("v0.2.0-rc2", "v0.2.0"),
        ("v1.1.4", "v1.2.0-rc.1"),  # it came out after v1.2.4
        ("v1.9.0-rc.0", "v1.9.0-rc.1"),
        ("v1.9.0", "main"),
    ):
        assert place[earlier] < place[later]


@given(st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_how_releases_are_listed(shuffle: random.Random) -> None:
    mixed = list(KNOWN)
    shuffle.shuffle(mixed)
    assert sorted(mixed, key=release_key) == list(KNOWN)
    assert finals(mixed) == finals(KNOWN)


# A range, and the first and last known release in it.
RANGES = [
    ("v1.4.0", "v1.4.0", "v1.4.0"),
    ("v1.4.0..v1.6.2", "v1.4.0", "v1.6.2"),
    ("v1.4.0..v1.4.0", "v1.4.0", "v1.4.0"),
    ("v1.7.3..v1.7", "v1.7.3", "v1.7.5"),
    ("v1.9.0-rc.1..", "v1.9.0-rc.1", "main"),
    ("v0.1.0..", "v0.1.0", "main"),
    ("main", "main", "main"),
    ("main..", "main", "main"),
    ("v1.9.0..main", "v1.9.0", "main"),
    ("v1.9.0-rc.0..v1.9", "v1.9.0-rc.0", "v1.9.0"),  # main is of no line
]


@pytest.mark.parametrize(("text", "first", "last"), RANGES)
def test_a_range_holds_both_ends_and_all_between(text: str, first: str, last: str) -> None:
    assert expand(text, KNOWN) == list(KNOWN[KNOWN.index(first) : KNOWN.index(last) + 1])


# A range that is none, and a part of the complaint.
WRONG_RANGES = [
    ("", "is no release"),
    ("..", "is no release"),
    ("..v1.4.0", "is no release"),
    ("v1.4", "is no release"),  # a line alone has no beginning: write its first candidate
    ("1.4.0", "is no release"),
    ("v1.4.0...v1.5.0", "is no release"),
    ("v1.4.0 .. v1.5.0", "is no release"),
    ("v1.4.0-v1.5.0", "is no release"),
    ("v1.4.9", "v1.4.9 is not in the list"),
    ("v1.4.0..v1.6.99", "v1.6.99 is not in the list"),
    ("v1.3.9..v1.6.0", "v1.3.9 is not in the list"),
    ("v1.8.0..v1.99", "v1.99 is not in the list"),
    ("v1.8.0..v1.7", "holds none"),
    ("main..v1.9.0", "holds none"),
]


@pytest.mark.parametrize(("text", "complaint"), WRONG_RANGES)
def test_a_wrong_range_is_told(text: str, complaint: str) -> None:
    with pytest.raises(RulesetError, match=complaint):
        expand(text, KNOWN)


NAMED = {name.removeprefix("v") for release in KNOWN for name in (release, line_of(release))}


@given(st.text() | st.from_regex(r"v?[0-9.]{0,8}(-rc\.?[0-9]{0,2})?", fullmatch=True))
def test_any_text_is_a_known_release_or_an_error(text: str) -> None:
    """And what is taken for another is said, always."""
    try:
        release, warning = pick(text, KNOWN)
    except RulesetError:
        return
    assert release in KNOWN
    assert bool(warning) is (text.removeprefix("v") not in NAMED)
