"""How a notebook's parameter names manifests, and who reads them."""

from __future__ import annotations

from typing import Any

import pytest

from protocol_analysis import ManifestError, RulesetError
from protocol_analysis.reading import read

SAMPLE = "data/sample"
OTHER_FORMS: list[tuple[str, Any]] = [
    ("nothing", None),
    ("a number", 5),
    ("a list in a mapping", {"east": [SAMPLE]}),
    ("a mapping in a list", [{"east": SAMPLE}]),
    ("a cluster without a name", {None: SAMPLE}),
]


@pytest.mark.parametrize(
    "given", [form[1] for form in OTHER_FORMS], ids=[f[0] for f in OTHER_FORMS]
)
def test_another_form_is_told_what_is_accepted(given: Any) -> None:
    with pytest.raises(ManifestError, match="name a path, a list of paths, or"):
        read(given)


@pytest.mark.parametrize("given", [[], {}])
def test_nothing_named_is_no_input(given: Any) -> None:
    with pytest.raises(ManifestError, match="no path given"):
        read(given)


def test_a_release_that_is_not_known_is_told() -> None:
    with pytest.raises(RulesetError, match="no known release"):
        read({"east": f"{SAMPLE}@envoy-gateway:tomorrow"})


def test_two_readers_are_named_and_more_are_counted() -> None:
    each = [f"{SAMPLE}/east@envoy-gateway:{release}" for release in ("v1.3.3", "v1.8.3", "main")]
    two = {str(number): path for number, path in enumerate(each[:2])}
    assert read(two).readers == "envoy-gateway@v1.3.3, envoy-gateway@v1.8.3"
    assert read({**two, "last": each[2]}).readers == "3 readers"


def test_clusters_are_worlds_of_their_own() -> None:
    both = read({name: f"{SAMPLE}/{name}" for name in ("east", "west")}, release="v1.8.3")
    alone = [read({name: f"{SAMPLE}/{name}"}, release="v1.8.3") for name in ("east", "west")]
    assert [row.as_dict() for row in both.references] == [
        row.as_dict() for one in alone for row in one.references
    ]
