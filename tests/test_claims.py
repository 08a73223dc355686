"""The claims ledger: every verdict follows from the ruleset, and changes with it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources

import pytest

from protocol_analysis import RulesetError, ruleset
from protocol_analysis.claims import QUESTIONS, article, parse_claims, verdicts
from protocol_analysis.rows import Ruleset
from protocol_analysis.rules import parse_ruleset
from protocol_analysis.tables import CLAIM_COLUMNS, claims_table

TEXT = (resources.files("protocol_analysis") / "rulesets" / "envoy-gateway.yaml").read_text("utf-8")
Edit = Callable[[str], str]


def said(rules: Ruleset) -> dict[str, str]:
    return {verdict.claim.claim: verdict.verdict for verdict in verdicts(rules, article())}


def without(row: str) -> Edit:
    """The ruleset's text without a row."""

    def edit(text: str) -> str:
        start = text.index(f"  - id: {row}\n")
        ends = [text.find(mark, start + 1) for mark in ("\n  - id: ", "\n\n")]
        return text[:start] + text[min([end for end in ends if end > 0] or [len(text)]) + 1 :]

    return edit


def replaced(old: str, new: str) -> Edit:
    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return edit


VERDICTS = {
    "two kinds carry the field, a Service and a ServiceImport": "not asked",
    "kubernetes.io/h2c on a Service is read": "holds",
    "grpc on a Service is read too": "holds",
    "grpc is no standard value": "holds",
    "grpc comes from what Istio reads": "not asked",
    "kubernetes.io/h2c is a standard value for a ServiceImport too": "holds",
    "on a ServiceImport no value is read": "held until v1.3.3",
    "the same value is treated differently on a Service and on a ServiceImport": (
        "held until v1.8.3"
    ),
    "kubernetes.io/h2c is read on a ServiceImport before grpc is": "holds",
    "grpc on a ServiceImport is not read": "held until v1.8.3",
    "grpc on a Service has been retired": "not so",
    "one logic recognises the values of a Service and of a ServiceImport": "holds",
    "h2c is HTTP/2 without TLS": "holds",
    "a backend that declares grpc is spoken to in gRPC": "holds",
    "a GRPCRoute needs no value to speak gRPC, to a ServiceImport either": "holds",
    "h2, HTTP/2 over TLS, is what kubernetes.io/h2c gives": "not so",
    "all kinds of backend are treated alike, Envoy Gateway's own too": "not so",
    "more standard names, such as kubernetes.io/grpc, are read": "not so",
}

# What a change of the ruleset does to one claim.
CHANGED = [
    (without("unified-h2c"), "kubernetes.io/h2c on a Service is read", "held until v1.8.3"),
    (
        # v1.9 would no longer read it anywhere.
        without("unified-grpc"),
        "grpc on a Service has been retired",
        "holds",
    ),
    (without("unified-grpc"), "grpc on a Service is read too", "held until v1.8.3"),
    (without("unified-grpc"), "grpc on a ServiceImport is not read", "holds"),
    (without("import-h2c"), "on a ServiceImport no value is read", "held until v1.8.0"),
    (
        replaced("values: [grpc]\n    protocol: GRPC\n    releases: [v1.9.0-rc.1..]", (
            "values: [grpc, kubernetes.io/grpc]\n    protocol: GRPC\n    releases: [v1.9.0-rc.1..]"
        )),
        "more standard names, such as kubernetes.io/grpc, are read",
        "holds",
    ),
    (
        replaced("values: [kubernetes.io/h2c, kubernetes.io/ws, kubernetes.io/wss]", (
            "values: [grpc, kubernetes.io/h2c, kubernetes.io/ws, kubernetes.io/wss]"
        )),
        "grpc is no standard value",
        "not so",
    ),
    (
        without("standard-import"),
        "kubernetes.io/h2c is a standard value for a ServiceImport too",
        "not so",
    ),
    (
        replaced("    protocol: HTTP2\n    releases: [v1.9.0-rc.1..]", (
            "    protocol: HTTP\n    releases: [v1.9.0-rc.1..]"
        )),
        "h2c is HTTP/2 without TLS",
        "held until v1.8.3",
    ),
]  # fmt: skip


def test_the_article_today() -> None:
    assert said(ruleset()) == VERDICTS


@pytest.mark.parametrize(("edit", "claim", "verdict"), CHANGED)
def test_a_changed_row_changes_the_verdict(edit: Edit, claim: str, verdict: str) -> None:
    """No verdict is written anywhere but here."""
    text = edit(TEXT)
    assert text != TEXT
    assert said(parse_ruleset(text, "changed.yaml"))[claim] == verdict


def test_every_verdict_has_its_releases_and_a_source() -> None:
    table = claims_table(ruleset())
    assert table.dtypes.astype(str).to_dict() == CLAIM_COLUMNS
    assert table["source"].str.startswith("https://").all()
    without_releases = {claim.claim for claim in article() if claim.asks in ("standard", "outside")}
    of_releases = table[~table["claim"].isin(without_releases)]
    assert of_releases["releases"].ne("").eq(of_releases["verdict"].ne("not so")).all()
    assert table["releases"].ne("").sum() < len(of_releases) < len(table)
    ended = table[table["verdict"] == "held until v1.8.3"]["releases"]
    assert ended.str.endswith("v1.8.3").all()


def test_every_question_is_asked() -> None:
    assert {claim.asks for claim in article()} == set(QUESTIONS)


@pytest.mark.parametrize(
    "text",
    [
        "- {claim: a, asks: reads, about: {}}",
        "- {claim: a, asks: guesses, about: {}, wants: true}",
        "- {claim: a, asks: reads, about: {}, wants: true, verdict: holds}",
        "- a",
        "a: b",
    ],
)
def test_other_claims_are_refused(text: str) -> None:
    with pytest.raises(RulesetError, match=r"my\.yaml: claim 1: "):
        parse_claims(text, "my.yaml")
