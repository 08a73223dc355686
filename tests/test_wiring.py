"""The wire rules: what a broken table is told, with its line, and what the real one promises."""

from __future__ import annotations

import re
from dataclasses import fields
from importlib import resources

import pytest
import yaml
from hypothesis import given, strategies as st

from protocol_analysis import RulesetError, ruleset
from protocol_analysis.envoy import KINDS, Flags, Setting
from protocol_analysis.upstream import spoken
from protocol_analysis.wiring import KEYS, parse_wire, wire

REAL = (resources.files("protocol_analysis") / "wire" / "envoy-gateway.yaml").read_text("utf-8")
RELEASES = ruleset().releases
PERMANENT = re.compile(
    r"https://github\.com/envoyproxy/gateway/(?:blob|tree)/([^/]+)"
    r"/(?:internal|api)/[\w/]+(?:\.go#L\d+(?:-L\d+)?)?"
)


def test_every_row_knows_its_line_and_has_a_source_at_a_known_tag() -> None:
    lines = REAL.splitlines()
    for row in wire().rows:
        assert lines[row.line - 1] == f"- id: {row.id}"
        found = PERMANENT.fullmatch(row.source)
        assert found, row.source
        assert found[1] in RELEASES


def test_a_source_is_of_a_release_for_which_the_row_holds() -> None:
    """But for a row that says that nothing is written or known: it shows where that would be."""
    for row in wire().rows:
        found = PERMANENT.fullmatch(row.source)
        assert found
        assert found[1] in row.releases, row.id


def test_every_field_and_every_flag_is_asked_for() -> None:
    asked = {condition.split()[1] for row in wire().rows for condition in row.values}
    names = {field.name for kind in (Setting, Flags) for field in fields(kind)}
    assert names - asked == {"alpn"}  # handed on as it is


def test_the_wire_rules_have_the_releases_of_the_ruleset() -> None:
    assert wire().releases == ruleset().releases
    assert wire().at("1.8").release == "v1.8.3"
    with pytest.raises(RulesetError, match="no ruleset for 'envoy'"):
        wire("envoy")


def test_a_new_release_needs_no_code() -> None:
    """CONTRIBUTING: rows whose range is open at the end hold for it at once."""
    rows = parse_wire(REAL, "new.yaml", [*RELEASES[:-1], "v1.10.0", "main"])
    held = {row.id for row in rows if "v1.10.0" in row.releases}
    assert held == {row.id for row in rows if "v1.9.0" in row.releases}


def edited(old: str, new: str) -> str:
    """The real wire rules with their first `old` replaced."""
    assert old in REAL, f"{old!r} is not in the real wire rules: adapt the case"
    return REAL.replace(old, new, 1)


def complaints(text: str) -> list[str]:
    """What loading says, a line each; fails where it says nothing."""
    with pytest.raises(RulesetError) as caught:
        parse_wire(text, "broken.yaml", RELEASES)
    return str(caught.value).split("\n")


def line_of_text(text: str, part: str) -> int:
    """The line in which the first `part` begins."""
    return text.count("\n", 0, text.index(part)) + 1


def piece(first: str, after: str) -> str:
    """A row of the real wire rules."""
    return REAL[REAL.index(f"- id: {first}\n") : REAL.index(f"- id: {after}\n")]


FORCE = "if: any force_http1\n"
LINK = "source: https://github.com/envoyproxy/gateway/blob/v1.1.4/internal/xds/translator/"
HTTP2 = piece("http2", "http1-settings")
NO_OPTIONS = piece("no-options", "before-v0.6")
HTTP2_TO_END = piece("http2", "before-v0.6")

# What is replaced, by what, and the complaint; the line is that of the mark.
BROKEN = [
    # Keys.
    ("  terms: dropped\n", "  §term: dropped\n", "unknown key 'term' in row; known are gives, id"),
    ("- id: http2\n  terms", "- §terms", "row without 'id'"),
    (FORCE, f"{FORCE}  §{FORCE}", "key 'if' stands in line "),
    ("- id: http2\n", "- §http2\n- id: http2\n", "row is 'http2', no mapping"),
    # Conditions.
    (FORCE, "§if: any force_http2\n", "if: 'any force_http2'; write conditions: any tls and"),
    (FORCE, "§if: flag force_http1\n", "if: 'flag force_http1'; write conditions"),
    (FORCE, "§if: any use_client_protocol\n", "if: 'any use_client_protocol'; write conditions"),
    (FORCE, "§if: every force_http1\n", "if: 'every force_http1'; write conditions"),
    (FORCE, "§if: any force_http1, any tls\n", "write conditions: any tls and"),
    (FORCE, "§if: any force_http1 and\n", "if: 'any force_http1 and'; write conditions"),
    (FORCE, "§if: any\n", "if: 'any'; write conditions"),
    (FORCE, "§if: any force_http1 HTTP2\n", "if: 'any force_http1 HTTP2'; write conditions"),
    (FORCE, "§if: any protocol HTTP3\n", "if: 'any protocol HTTP3'; write conditions"),
    (FORCE, "§if: any address IP or GRPC\n", "if: 'any address IP or GRPC'; write conditions"),
    (FORCE, "§if: [any tls]\n", "if: a list; write a text"),
    (FORCE, "§if:\n", "if: nothing; write a text"),
    # The other texts.
    ("kinds: http, merged\n", "§kinds: http, https\n", "kinds: 'http, https'; write all, or some"),
    ("kinds: http, merged\n", "§kinds: [http]\n", "kinds: a list; write a text"),
    ("terms: dropped\n", "§terms: dropped config\n", "terms: 'dropped config'; write terms with"),
    ("gives: use_downstream\n", "§gives: client\n", "gives: 'client'; write one of none, explic"),
    # Sources: a file, a line, and for good.
    (f"{LINK}cluster.go#L504", f"§{LINK}cluster.go", "write a permanent link to a line of a file"),
    (f"{LINK}cluster.go#L504", f"§{LINK}#Lx", "write a permanent link to a line of a file"),
    (LINK, f"§{LINK.replace('v1.1.4', 'main')}", "write a permanent https:// link, to a tag or"),
    (
        f"  {LINK}cluster.go#L504",
        "  §source: https://github.com/envoyproxy/gateway/commit/8b89dadfbd#L1",
        "write a permanent link to a line of a file",
    ),
    # Releases.
    ("  releases: [v0.6.0..]\n", "  §releases: v0.6.0..\n", "releases: 'v0.6.0..'; write a list"),
    ("releases: [v1.1.0-rc.1..]", "§releases: [v1.1.0-rc.9..]", "v1.1.0-rc.9 is not in the list"),
    ("releases: [v1.1.0-rc.1..]", "§releases: [v1.2.0..v1.1]", "holds none of the list"),
]

# What is replaced, by what, what then stands in the line that is told, and the complaint.
BROKEN_ELSEWHERE = [
    # Missing keys, and keys of other rows.
    (f"  {LINK}cluster.go#L504\n", "", "- id: client-protocol", "row without 'source'"),
    ("  gives: use_downstream\n", "", "- id: client-protocol", "a row of config needs 'gives'"),
    ("terms: dropped\n", "terms: dropped\n  gives: none\n", "- id: dropped-by", "and no other has"),
    # Overlaps: the later row is told, with the line of the earlier.
    ("- id: http2\n", "- id: forced-http1\n", "- id: forced-http1\n  terms: config, HTTP2",
     "id 'forced-http1' stands in line "),
    ("[v1.6.0-rc.0..v1.6.2]", "[v1.6.0-rc.0..v1.6.3]", "- id: auto-all-tls\n",
     "'auto-all-tls' overlaps 'auto-any-tls' of line "),
    ("[v1.0.0-rc.1..v1.0]", "[v1.0.0-rc.1..v1.1]", "- id: timeouts\n",
     "'timeouts' overlaps 'timeouts-v1.0' of line "),
    (HTTP2, HTTP2 + HTTP2.replace("id: http2", "id: again"), "- id: again",
     "'again' overlaps 'http2' of line "),
    (NO_OPTIONS, NO_OPTIONS + NO_OPTIONS.replace("no-options", "again"), "- id: again",
     "'again' overlaps 'no-options' of line "),
    # A row that stands below what always holds would never be asked.
    (HTTP2_TO_END, NO_OPTIONS + HTTP2_TO_END.removesuffix(NO_OPTIONS), "- id: http2\n",
     "'http2' is never asked: 'no-options' of line "),
    # Gaps: of what always holds, and of terms that are asked for.
    ("releases: [v0.1.0..v0.6.0-rc.1]", "releases: [v0.2.0..v0.6.0-rc.1]", "# What Envoy",
     "gap: nothing always holds in v0.1.0, v0.2.0-rc1, v0.2.0-rc2"),
    (NO_OPTIONS, NO_OPTIONS.replace("kinds: all", "kinds: http, tcp, udp, mirror"), "# What Envoy",
     "gap: nothing always holds in v0.6.0, v1.0.0-rc.1"),
    ("[v1.6.4..v1.6, v1.7.0-rc.2..]", "[v1.6.5..v1.6, v1.7.0-rc.2..]", "- id: socket-for-auto",
     "no row above answers AUTO in v1.6.4"),
    ("if: is AUTO\n", "if: is auto\n", "- id: socket-for-auto", "no row above answers auto in"),
    ("if: is matches\n", "if: is splits\n", "- id: alpn", "no row above answers splits in"),
    ("if: is matches\n", "if: is alpn\n", "- id: alpn", "no row above answers alpn in"),
]  # fmt: skip


def assert_told(text: str, line: int, complaint: str) -> None:
    """The complaint is made, with the file and this line, and each stands in a line of its own."""
    found = complaints(text)
    told = [said for said in found if complaint in said]
    assert told, "\n".join(found)
    assert told[0].startswith(f"broken.yaml:{line}: "), "\n".join(found)
    assert all(re.match(r"broken\.yaml:\d+: \S", said) for said in found)


@pytest.mark.parametrize(("old", "new", "complaint"), BROKEN, ids=[c[1][:40] for c in BROKEN])
def test_what_is_wrong_is_told_with_its_line(old: str, new: str, complaint: str) -> None:
    marked = edited(old, new)
    assert_told(marked.replace("§", ""), line_of_text(marked, "§"), complaint)


@pytest.mark.parametrize(
    ("old", "new", "at", "complaint"), BROKEN_ELSEWHERE, ids=[c[3] for c in BROKEN_ELSEWHERE]
)
def test_what_overlaps_or_is_missing_is_told_too(
    old: str, new: str, at: str, complaint: str
) -> None:
    text = edited(old, new)
    assert_told(text, line_of_text(text, at), complaint)


def test_all_complaints_come_at_once_in_the_order_of_lines() -> None:
    text = edited(FORCE, "if: x\n").replace("gives: auto\n", "gives: y\n", 1)
    text = text.replace("kinds: http\n  if: flag timeouts", "kinds: z\n  if: flag timeouts")
    lines = [int(line.split(":")[1]) for line in complaints(text)]
    assert lines == [line_of_text(text, part) for part in ("if: x", "gives: y", "kinds: z")]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", ":1: the wire rules are no list of rows"),
        ("{}", ":1: the wire rules are no list of rows"),
        ("just text", ":1: the wire rules are no list of rows"),
        ("[]", ":1: gap: nothing always holds in v0.1.0, "),
        ("- []", ":1: row is a list, no mapping"),
        ("- &a [*a]", ":1: row is a list, no mapping"),
        ("- {", ":1: not YAML: "),
        ("- " * 5_000 + "x", ":1: nested too deep"),
    ],
    ids=lambda value: value[:20],
)
def test_what_are_no_wire_rules_is_told_and_never_another_exception(
    text: str, complaint: str
) -> None:
    assert complaints(text)[0].startswith(f"broken.yaml{complaint}")


# Anything that YAML can hold, in place of anything that a row holds.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
SMALL = [
    {
        "id": "http2",
        "terms": "config, HTTP2",
        "kinds": "all",
        "if": "any protocol GRPC or HTTP2",
        "gives": "explicit_http2",
        "releases": ["v1.9.0"],
        "text": "One is enough.",
        "source": "https://a.example/blob/v1.9.0/a.go#L1",
    },
    {
        "id": "no-options",
        "terms": "config",
        "kinds": "all",
        "gives": "none",
        "releases": ["v1.9.0"],
        "text": "Nothing is written.",
        "source": "https://a.example/blob/v1.9.0/a.go#L2",
    },
]


@given(st.sampled_from([0, 1]), st.sampled_from(sorted(KEYS)), VALUES)
def test_a_wrong_type_anywhere_is_a_ruleset_error(index: int, key: str, value: object) -> None:
    rows = [{**row, key: value} if at == index else row for at, row in enumerate(SMALL)]
    text = yaml.safe_dump(rows, allow_unicode=True, sort_keys=False)
    try:
        found = parse_wire(text, "broken.yaml", ["v1.9.0"])
    except RulesetError as error:
        said = str(error)
    else:
        assert {row.section for row in found} == {"wire"}
        return
    assert all(line.startswith("broken.yaml:") for line in said.split("\n"))


def test_what_loads_can_be_asked() -> None:
    for release in RELEASES:
        for kind in KINDS:
            rules = wire().at(release)
            assert rules.find("wire", "config", kind)[-1].values == ()
            assert spoken([], Flags(), "http", rules, role=kind).reasons
