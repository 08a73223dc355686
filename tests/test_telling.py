"""How findings are shown in notebooks: every one of them, and every word as data."""

from __future__ import annotations

import re

import pytest

from protocol_analysis import check, load
from protocol_analysis.findings.catalogue import catalogue
from protocol_analysis.proof.cells import CLIENTS, CONFIGS, SERVERS
from protocol_analysis.proof.measured import measured_envoys
from protocol_analysis.tables import (
    finding_lines,
    findings_table,
    measured_table,
    places,
    symptom_table,
)
from tests.seen import Seen
from tests.support import ROOT

HOSTILE = '</td><script>alert("$x$")</script>\x1b[31m\u202e'
FOUND = findings_table(check(load(ROOT / "data" / "sample"), release="v1.9.0"))


def test_the_first_are_shown_and_the_rest_is_counted() -> None:
    shown = finding_lines(FOUND, 7)
    page, lines = Seen(shown._repr_html_()), str(shown).splitlines()
    assert page.tags.count("tr") == 1 + 7 + 1
    assert len(lines) == 7 + 1
    assert lines[-1] == f"and {len(FOUND) - 7} more"
    assert lines[-1] in page.text
    for _, row in FOUND.head(7).iterrows():
        line = f"{row['severity']} {row['code']} {row['file']}:{row['line']}"
        assert f"{line}: {row['message']}; {row['remedy']}" in lines
        assert row["message"] in page.text
        assert f"→ {row['remedy']}" in page.text
    assert "more" not in str(finding_lines(FOUND, len(FOUND)))


def test_every_code_leads_to_its_page() -> None:
    links = Seen(finding_lines(FOUND, len(FOUND))._repr_html_()).links
    assert len(links) == len(FOUND)
    assert all((ROOT / "notebooks" / link).is_file() for link in links)


def test_nothing_found_is_said() -> None:
    assert str(finding_lines(FOUND.head(0))) == "nothing found"
    assert "nothing found" in finding_lines(FOUND.head(0))._repr_html_()
    assert symptom_table(FOUND.head(0), measured_table()).empty


@pytest.mark.parametrize("column", ["file", "message", "remedy"])
def test_what_a_manifest_says_is_data(column: str) -> None:
    shown = finding_lines(FOUND.head(1).assign(**{column: HOSTILE}))
    html = shown._repr_html_()
    assert "script" not in Seen(html).tags
    assert Seen(html).tags == Seen(finding_lines(FOUND.head(1))._repr_html_()).tags
    assert not re.search("[\x1b\u202e]", html + str(shown))
    assert "mathjax_ignore" in html


def test_places_are_those_of_the_other_tables() -> None:
    first = FOUND.iloc[0]
    assert places(FOUND).iloc[0] == f"{first['file']}:{first['line']}:{first['column']}"


@pytest.mark.parametrize("envoy", measured_envoys())
def test_every_symptom_was_measured_to_fail(envoy: str) -> None:
    rules = [rule for rule in catalogue().values() if rule.measured]
    every = FOUND.head(1).loc[[FOUND.index[0]] * len(rules)].assign(code=[r.code for r in rules])
    table = symptom_table(every, measured_table(envoy))
    assert len(table) == sum(len(rule.measured) for rule in rules)
    assert table["failed"].gt(0).all()
    assert table["servers"].ge(table["failed"]).all()
    assert set(table["server"]) <= {server.kind for server in SERVERS.values()}
    assert set(table["client"]) <= set(CLIENTS.values())
    assert set(table["envoy_speaks"]) <= {config.about for config in CONFIGS.values()}
