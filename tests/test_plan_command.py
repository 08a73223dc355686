"""`plan` on the command line: what it says on standard error of what was said to it in vain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from protocol_analysis.rollout.planning import planned
from protocol_analysis.rollout.unheard import unheard
from protocol_analysis.workloads import CALLS
from tests.support import run
from tests.test_plan import H2C, IN_ISTIO, clusters_of, route, service


def manifests(folder: Path, *objects: dict[str, Any]) -> str:
    path = folder / "m.yaml"
    path.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    return str(path)


SAID: dict[str, tuple[dict[str, Any], list[str], str, str]] = {
    "no such namespace": (
        service(),
        ["--canary", "typo"],
        "",
        "warning: --canary typo: nothing is to be done in a namespace of that name; there is shop",
    ),
    "no such Service": (
        service(),
        [],
        "shop/typo: unary",
        "warning: --calls: no Service is called shop/typo here",
    ),
    "a word in another case": (
        service(annotations={CALLS: "Unary"}),
        [],
        "",
        f"m.yaml:1:1: Service shop/s: {CALLS}: 'Unary' says nothing; write unary or streaming",
    ),
    "an empty word": (service(annotations={CALLS: ""}), [], "", "'' says nothing"),
    "a namespace that is there": (service(), ["--canary", "shop"], "", ""),
    "a Service that is there": (service(), [], "shop/s: streaming", ""),
    "a word that is known": (service(annotations={CALLS: "unary"}), [], "", ""),
}


@pytest.mark.parametrize(("object_", "options", "calls", "told"), SAID.values(), ids=SAID)
def test_what_is_said_in_vain_is_told(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    object_: dict[str, Any],
    options: list[str],
    calls: str,
    told: str,
) -> None:
    if calls:
        file = tmp_path / "calls.txt"
        file.write_text(calls, encoding="utf-8")
        options = [*options, "--calls", str(file)]
    path = manifests(tmp_path, object_, route())
    status, out, err = run(capsys, "plan", path, *options, "-o", "json")
    assert status == 0
    assert len(json.loads(out)) == 1
    assert told in err
    assert ("warning" in err) == bool(told)


def test_a_few_names_are_offered(tmp_path: Path) -> None:
    objects = []
    for number in range(7):
        space = {"namespace": f"n{number}"}
        objects += [each | {"metadata": each["metadata"] | space} for each in (service(), route())]
    clusters = clusters_of(tmp_path, "v1.9.0", a=objects)
    (text,) = unheard(clusters, planned(clusters).rows, {}, ["x" * 200])
    assert text.endswith("there is n0, n1, n2, n3, n4 and 2 more")
    assert len(text) < 200


def test_where_nothing_is_to_be_done_no_name_is_offered(tmp_path: Path) -> None:
    clusters = clusters_of(tmp_path, "v1.9.0", a=[service(H2C), route(), IN_ISTIO])
    (text,) = unheard(clusters, planned(clusters).rows, {}, ["shop", "shop"])
    assert text.endswith("in a namespace of that name, nor in any other")


BETWEEN = {
    "too many": (["1000000000000"], "100 lines between the first phase and the last are the most"),
    "too few": (["1"], "3 phases need 2 lines between the first and the last, or more"),
    "a single phase": (["1", "--to", "keep"], "keep has a single phase, so there are no releases"),
    "a release": (["2", "--to", "v1.8"], "is a release, which has no phases to part"),
}


@pytest.mark.parametrize(("asked", "told"), BETWEEN.values(), ids=BETWEEN)
def test_how_many_lines_can_be_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: list[str], told: str
) -> None:
    status, out, err = run(capsys, "plan", manifests(tmp_path, service()), "--between", *asked)
    assert (status, out) == (2, "")
    assert told in err
    assert "Traceback" not in err


def test_since_has_the_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = manifests(tmp_path, service(), route())
    _, out, _ = run(capsys, "plan", path, "-o", "json")
    earlier = tmp_path / "earlier.json"
    earlier.write_text(out, encoding="utf-8")
    for value, state in ((H2C, "done"), ("http", "other value"), ("grpc", "as before")):
        manifests(tmp_path, service(value), route())
        asked = ("plan", path, "--since", str(earlier), "-o", "json")
        (row,) = json.loads(run(capsys, *asked)[1])
        assert (row["state"], row["now"]) == (state, value)
