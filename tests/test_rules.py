"""Rulesets: what a broken one is told, with its line, and what the real one promises."""

from __future__ import annotations

import re
from copy import deepcopy
from importlib import resources
from typing import Any

import pytest
import yaml
from hypothesis import example, given, strategies as st

from protocol_analysis import RulesetError, implementations, ruleset
from protocol_analysis.model import BACKEND_GROUPS, ROUTE_KINDS
from protocol_analysis.resolver import CHECKS
from protocol_analysis.rows import Ruleset
from protocol_analysis.rules import SECTIONS, parse_ruleset

REAL = (resources.files("protocol_analysis") / "rulesets" / "envoy-gateway.yaml").read_text("utf-8")

# What a source may be: a line or a file at a tag or a commit, a commit, a page of one version.
PERMANENT = re.compile(
    r"https://(?:"
    r"github\.com/[\w.-]+/[\w.-]+/(?:"
    r"blob/(?:v\d+\.\d+\.\d+[\w.-]*|[0-9a-f]{40})/[\w./-]+(?:#L\d+(?:-L\d+)?)?"
    r"|commit/[0-9a-f]{10,40})"
    r"|(?!github\.com/)[\w.-]+/(?:[\w.-]+/)*v?\d+\.\d+[\w./#-]*"
    r")"
)


def edited(old: str, new: str) -> str:
    """The real ruleset with its first `old` replaced."""
    assert old in REAL, f"{old!r} is not in the real ruleset: adapt the case"
    return REAL.replace(old, new, 1)


def complaints(text: str) -> list[str]:
    """What loading says, a line each; fails where it says nothing."""
    with pytest.raises(RulesetError) as caught:
        parse_ruleset(text, "broken.yaml")
    return str(caught.value).split("\n")


def line_of_text(text: str, part: str) -> int:
    """The line in which the first `part` begins."""
    return text.count("\n", 0, text.index(part)) + 1


# Pieces of the real ruleset. The first of each is the one that is meant.
GRPC = """\
  - id: service-grpc
    backends: [Service]
    routes: *everywhere
    values: [grpc]
    protocol: GRPC
    releases: [v1.1.0-rc.1..v1.9.0-rc.0]
    text: grpc on a Service is GRPC, on every route kind (pull request 3749).
"""
LINK = "/v1.1.4/internal/gatewayapi/route.go#L1287-L1294"
SOURCE = f"    source: https://github.com/envoyproxy/gateway/blob{LINK}\n"
KINDS = "    backends: [Backend]\n    routes: [HTTPRoute]\n"
UNTIL_RC0 = "    releases: [v0.1.0..v1.9.0-rc.0]\n"
NULLS = "    releases: [v0.1.0..v0.6.0-rc.1]\n"
UDP = "    routes: [UDPRoute]\n    protocol: UDP\n    releases: [v1.3.0-rc.1..]\n"
V02 = "v0.2: {envoy: '1.23', gatewayAPI: v0.5.1, kubernetes: v1.24, endOfLife: '2023-04-20'}"

# What is replaced, by what, and the complaint; the line is that of the mark.
BROKEN = [
    # Duplicates.
    ("id: import-h2c", "§id: service-h2c", "id 'service-h2c' stands in line "),
    ("pick: last\n", "pick: last\n    §pick: first\n", "key 'pick' stands in line "),
    ("\nforces:\n", "\n§values:\n", "key 'values' stands in line "),
    ("  v1.8.3: 20", "  v1.8.3: 2026-07-21\n  §v1.8.3: 20", "key 'v1.8.3' stands in line "),
    ("values: [grpc]", "§values: [grpc, grpc]", "values: 'grpc' twice"),
    (KINDS, KINDS.replace("backends: [", "§backends: [Backend, "), "backends: 'Backend' twice"),
    ("releases: [v1.7.4..v1.7,", "§releases: [v1.7.4..v1.8.1,", "releases name v1.8.1 twice"),
    # Keys.
    (
        "    pick: last\n",
        "    §pik: last\n",
        "unknown key 'pik' in lists row; known are backends, case, id",
    ),
    ("pick: last\n", "pick: last\n    §when: unixSocket\n", "unknown key 'when' in lists row"),
    ("pick: last\n", "pick: last\n    §7: x\n", "'7' is no text; write it in quotes"),
    ("pick: last\n", "pick: last\n    §~: x\n", "a key is no text"),
    ("pick: last\n", "pick: last\n    ? §[a]\n    : x\n", "a key is no text"),
    ("pick: last\n", "§<<: {pick: last}\n", "'<<' is no text"),
    ("\nforces:\n", "\n§froces:\n", "unknown key 'froces' in the ruleset"),
    ("  - id: list-last\n    back", "  - §back", "lists row without 'id'"),
    # Sources.
    (SOURCE, "    §source: ''\n", "source: ''; write a text"),
    (SOURCE, "    §source:\n", "source: nothing; write a text"),
    (SOURCE, "    §source: [https://a.example/v1.2]\n", "source: a list; write a text"),
    (SOURCE, "    §source: route.go:1287@v1.1.4\n", "write a permanent https:// link"),
    (SOURCE, SOURCE.replace("source: https", "§source: http"), "write a permanent https:// link"),
    (LINK, "§/main/route.go#L1", "write a permanent https:// link, to a tag or a commit"),
    (LINK, "§/master/route.go", "write a permanent https:// link"),
    (LINK, "§/HEAD/route.go", "write a permanent https:// link"),
    (LINK, "§/release/v1.8/route.go", "write a permanent https:// link"),  # a branch, not a tag
    ("blob" + LINK, "§raw/release-1.8/route.go", "write a permanent https:// link"),
    ("github.com/envoyproxy/gateway/blob" + LINK, "a.example/latest/§api", "write a permanent"),
    # Values, one by one.
    ("protocol: GRPC", "§protocol: grpc", "write one of HTTP, HTTP2, GRPC, HTTPS, TCP, UDP, None"),
    ("protocol: GRPC", "§protocol: [GRPC]", "protocol: a list; write one of HTTP"),
    ("when: unixSocket", "§when: unixsocket", "when: 'unixsocket'; write one of externalName, "),
    ("pick: last", "§pick: any", "pick: 'any'; write one of first, last"),
    ("pick: last", "§pick:", "pick: nothing; write one of first, last"),
    ("routes: [UDPRoute]", "§routes: [UdpRoute]", "routes: 'UdpRoute'; known are all, HTTPRoute, "),
    (
        KINDS,
        KINDS.replace("backends: [Backend]", "§backends: Backend"),
        "backends: 'Backend'; write",
    ),
    (KINDS, KINDS.replace("backends: [Backend]", "§backends: []"), "write a list of texts or all"),
    (
        KINDS,
        KINDS.replace("backends: [Backend]", "§backends: {a: b}"),
        "backends: a mapping; write",
    ),
    (KINDS, KINDS.replace("backends: [Backend]", "§backends: [[a]]"), "backends: a list; write"),
    (
        KINDS,
        KINDS.replace("backends: [Backend]", "§backends: [Pod]"),
        "'Pod'; known are all, Service, ",
    ),
    ("values: [grpc]", "values: [§on]", "'on' is no text; write it in quotes"),
    ("values: [grpc]", "values: [§80]", "'80' is no text; write it in quotes"),
    ("values: [grpc]", "§values: ['']", "values: a list; write a list of texts"),
    ("values: [grpc]", "§values: grpc", "values: 'grpc'; write a list of texts"),
    ("values: [grpc]", "§values:", "values: nothing; write a list of texts"),
    ("title: Envoy Gateway", "title: §1.8", "'1.8' is no text; write it in quotes"),
    ("title: Envoy Gateway", "§title: ' '", "title: ' '; write a text"),
    ("title: Envoy Gateway", "title: §!!python/name:os.system x", "'x' is no text"),
    ("controllers: [", "§controllers: [[], ", "controllers: a list; write a list of texts"),
    # Releases and lines.
    (UNTIL_RC0, "    §releases: v0.1.0..\n", "releases: 'v0.1.0..'; write a list of texts"),
    (UNTIL_RC0, "    §releases: [v0.1.0..v1.9.9]\n", "v1.9.9 is not in the list of releases"),
    (UNTIL_RC0, "    §releases: [v0.1.0..v1.11]\n", "v1.11 is not in the list of releases"),
    (UNTIL_RC0, "    §releases: [v1.2.0..v1.1]\n", "holds none of the list of releases"),
    (
        UNTIL_RC0,
        "    §releases: [latest]\n",
        "'latest' is no release; write v1.8.3, v1.9.0-rc.1 or",
    ),
    ("v1.8.3: 2026-07-22", "§v1.8.3: 2026-02-30", "'v1.8.3': '2026-02-30' is no release with its"),
    (
        "v1.8.3: 2026-07-22",
        "§v1.8.3: July",
        "is no release with its date; write v1.9.0: 2026-08-15",
    ),
    ("v1.8.3: 2026-07-22", "§v1.8.3: 2026-07-22T10:00:00Z", "is no release with its date"),
    ("v1.8.3: 2026-07-22", "§v1.8.3:", "'v1.8.3': nothing is no release with its date"),
    ("v1.8.3: 2026-07-22", "§v1.8.3: {}", "'v1.8.3': a mapping is no release with its date"),
    ("v1.8.3: 2026-07-22", "§v1.8.x: 2026-07-22", "'v1.8.x': '2026-07-22' is no release with its"),
    ("v1.9: {envoy", "§v1.10: {envoy", "lines: no release of 'v1.10'"),
    (
        "v1.9: {envoy",
        "v1.9: {§envoi",
        "unknown key 'envoi' in 'v1.9' of lines; known are endOfLife, ",
    ),
    ("v1.9: {envoy: '1.39.0'", "v1.9: {envoy: §1.39", "'1.39' is no text; write it in quotes"),
    (V02, "§v0.2: [x]", "'v0.2' of lines is a list, no mapping"),
    # Rows and the whole.
    ("lists:\n", "lists:\n  - §list-last\n", "lists row is 'list-last', no mapping"),
    ("lists:\n", "lists:\n  §-\n", "lists row is nothing, no mapping"),
    ("lists:\n", "lists:\n  - §[pick]\n", "lists row is a list, no mapping"),
    ("lists:\n", "lists: [\n  §", "not YAML: expected the node content"),
    ("lists:\n", "lists:§\0\n", "not YAML: special characters are not allowed"),
]

# What is replaced, by what, what then stands in the line that is told, and the complaint.
BROKEN_ELSEWHERE = [
    # Overlaps: the later row is told, with the line of the earlier.
    (UNTIL_RC0, UNTIL_RC0.replace("rc.0]", "rc.1]"), "- id: list-first",
     "'list-first' overlaps 'list-last' of line "),
    (NULLS, NULLS.replace("-rc.1", ""), "- id: default-http\n",
     "'default-http' overlaps 'no-protocol-yet' of line "),
    ("when: unixSocket\n", "when: dynamicResolverWithAppProtocols\n",
     "- id: refuses-resolver-values", "overlaps 'refuses-unix-socket' of line "),
    (GRPC + SOURCE, GRPC + SOURCE + (GRPC + SOURCE).replace("service-grpc", "again"),
     "- id: again", "'again' overlaps 'service-grpc' of line "),
    # Gaps: the section is told, since no row is to blame.
    (NULLS, NULLS.replace("v0.6.0-rc.1", "v0.5.0"), "defaults:\n",
     "gap in defaults: no row for Service on HTTPRoute in v0.6.0-rc.1"),
    (UDP, UDP.replace("..]", "..v1.8]"), "defaults:\n",
     "for Backend on UDPRoute in v1.9.0-rc.0, v1.9.0-rc.1, v1.9.0"),
    (UNTIL_RC0, UNTIL_RC0.replace("v1.9.0-rc.0", "v1.8"), "lists:\n",
     "gap in lists: no row for Backend on GRPCRoute in v1.9.0-rc.0"),
    ("releases: [v0.1.0..]", "releases: [v0.2.0-rc1..]", "accepts:\n",
     "gap in accepts: no row at all in v0.1.0"),
    # What is missing: its row is told, or the first line for a section.
    (SOURCE, "", "- id: service-grpc", "values row without 'source'"),
    (UNTIL_RC0, "", "- id: list-last", "lists row without 'releases'"),
    ("    pick: last\n", "", "- id: list-last", "lists row without 'pick'"),
    ("    protocol: GRPC\n", "", "- id: default-grpc", "defaults row without 'protocol'"),
    # A policy must say how it names a port; the other ways to TLS have no use for it.
    ("    section: number\n", "", "- id: tls-policy-v1.0", "tls row without 'section'"),
    ("\nforces:\n", "\nfroces:\n", "# What Envoy Gateway makes", "the ruleset without 'forces'"),
    ("title: Envoy Gateway\n", "", "# What Envoy Gateway makes", "the ruleset without 'title'"),
]  # fmt: skip


def assert_told(text: str, line: int, complaint: str) -> None:
    """The complaint is made, with the file and this line, and each stands in a line of its own."""
    found = complaints(text)
    told = [said for said in found if complaint in said]
    assert told, "\n".join(found)
    assert told[0].startswith(f"broken.yaml:{line}: "), "\n".join(found)
    assert all(re.match(r"broken\.yaml:\d+: \S", said) for said in found)


@pytest.mark.parametrize(("old", "new", "complaint"), BROKEN, ids=[case[1][:40] for case in BROKEN])
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
    text = edited("when: unixSocket", "when: x").replace("pick: last", "pick: x")
    text = text.replace(SOURCE, "    source: y\n")
    lines = [int(line.split(":")[1]) for line in complaints(text)]
    assert lines == [line_of_text(text, part) for part in ("when: x", "pick: x", "source: y")]


def test_a_row_left_out_is_not_a_gap_as_well() -> None:
    """One mistake, one complaint: not one for every release that the row answered for."""
    assert len(complaints(edited("    protocol: UDP\n", "    protocol: udp\n"))) == 1


# Documents that are no ruleset at all, and the complaint.
HOSTILE = [
    ("", ":1: the ruleset is nothing"),
    ("# only a comment\n", ":1: the ruleset is nothing"),
    ("null", ":1: the ruleset is nothing"),
    ("[]", ":1: the ruleset is a list"),
    ("just text", ":1: the ruleset is 'just text'"),
    ("{}", ":1: the ruleset without 'accepts'"),
    ("a: 1\n---\nb: 2\n", ":2: not YAML: but found another document"),
    ("? {a: b}\n: c\n", ":1: a key is no text"),
    ("&a [*a]", ":1: the ruleset is a list"),
    ("&a {title: *a}", ":1: title: a mapping"),
    ("title: *gone", ":1: not YAML: found undefined alias"),
    ("title: !!bool maybe", ":1: 'maybe' is no text"),
    ("title: !!int ''", ":1: '' is no text"),
    ("title: !!timestamp x", "title: x"),
    ("title: !!binary x", ":1: 'x' is no text"),
    ("title: !!set {a}", ":1: title: a mapping; write a text"),
    ("!!map title", ":1: 'title' is no text"),
    ("title: !unknown x", ":1: 'x' is no text"),
    ("- " * 5_000 + "x", ":1: nested too deep"),
    ("{a: " * 5_000, ":1: nested too deep"),
    ("\ud800", ":1: not YAML: "),
    ("a\n\n\x07", ":3: not YAML: special characters are not allowed"),
    ("releases: &r [x]\nlines: *r\n", ":1: releases: a list; write a mapping"),
    ("@", ":1: not YAML: "),
]  # fmt: skip


@pytest.mark.parametrize(("text", "complaint"), HOSTILE, ids=[c[0][:20] for c in HOSTILE])
def test_what_is_no_ruleset_is_told_and_never_another_exception(text: str, complaint: str) -> None:
    if complaint.startswith(":"):
        assert f"broken.yaml{complaint}" in "\n".join(complaints(text))
    else:  # read as a text, so other keys are what is missing
        assert not [line for line in complaints(text) if "title" in line]


def test_aliases_cost_nothing() -> None:
    """Nine times nine lists of nine of nine …: a value is made once, however often it stands."""
    bomb = "\n".join(
        [
            "a0: &a0 [x, x]",
            *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 60)),
            "implementation: *a59",
            "title: *a58",
        ]
    )
    found = complaints(bomb)
    assert f"broken.yaml:{bomb.count(chr(10))}: implementation: a list; write a text" in found
    assert max(map(len, found)) < 500


# Anything that YAML can hold, in place of anything that a ruleset holds.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
TOP = yaml.safe_load(REAL)
SMALL = {
    **TOP,
    "releases": {"v0.1.0": "2022-05-13", "main": "2026-08-21"},
    "lines": {"v0.1": {"envoy": "1.22"}},
    **{
        section: [{**TOP[section][0], "releases": ["v0.1.0.."], "backends": "all", "routes": "all"}]
        for section in SECTIONS
        if section in TOP
    },
}
PLACES = [
    *((key,) for key in SMALL),
    ("releases", "v0.1.0"),
    ("lines", "v0.1"),
    ("lines", "v0.1", "envoy"),
    *((section, 0) for section in SECTIONS if section in TOP),
    *(
        (section, 0, key)
        for section, keys in SECTIONS.items()
        if section in TOP
        for key in sorted(keys)
    ),
    *((section, 0, "releases", 0) for section in SECTIONS if section in TOP),
]


@given(st.sampled_from(PLACES), VALUES)
@example(("lines",), {"\n": None})
@example(("values", 0, "backends"), ["\n"])
@example(("values", 0, "values"), ["grpc"])  # it loads, so the other branch is taken too
def test_a_wrong_type_anywhere_is_a_ruleset_error(place: tuple[Any, ...], value: object) -> None:
    top = deepcopy(SMALL)
    *way, last = place
    inner: Any = top
    for step in way:
        inner = inner[step]
    inner[last] = value
    text = yaml.safe_dump(top, allow_unicode=True, sort_keys=False)
    try:
        found = parse_ruleset(text, "broken.yaml")
    except RulesetError as error:
        said = str(error)
    else:
        assert_usable(found)
        return
    assert all(line.startswith("broken.yaml:") for line in said.split("\n"))


def assert_usable(rules: Ruleset) -> None:
    """What loads can be asked: every release has an answer wherever a kind is accepted."""
    for release in rules.releases:
        at = rules.at(release)
        for backend in BACKEND_GROUPS:
            for route in ROUTE_KINDS:
                if taken := at.find("accepts", backend, route):
                    # A Service may stand for it: that of its name, or one derived from it.
                    asked = "Service" if taken[0].choice in ("Service", "derived") else backend
                    assert len(at.find("defaults", asked, route)) == 1


def test_the_real_ruleset_is_usable_and_its_own_text() -> None:
    assert "envoy-gateway" in implementations()
    assert ruleset().rows == parse_ruleset(REAL, "x").rows
    for name in implementations():
        assert_usable(ruleset(name))


def test_every_row_knows_its_line() -> None:
    lines = REAL.splitlines()
    for row in ruleset().rows:
        assert lines[row.line - 1] == f"  - id: {row.id}"


def test_every_source_is_permanent() -> None:
    """A tag, a commit, or one version's page: what a link shows must not change under it."""
    sources = {row.id: row.source for row in ruleset().rows} | CHECKS
    assert {name: s for name, s in sources.items() if not PERMANENT.fullmatch(s)} == {}
    assert PERMANENT.fullmatch("https://gateway.envoyproxy.io/v1.3/api/extension_types/")
    for moving in (
        "https://github.com/envoyproxy/gateway/blob/main/route.go",
        "https://github.com/envoyproxy/gateway/blob/release/v1.8/route.go",
        "https://github.com/envoyproxy/gateway",
        "https://gateway.envoyproxy.io/latest/api/",
        "http://gateway.envoyproxy.io/v1.3/api/",
    ):
        assert not PERMANENT.fullmatch(moving)


def test_a_source_in_the_gateway_is_of_a_release_that_is_known() -> None:
    """A tag in a link is one of the list, so it exists; open ends are shown by any of them."""
    for row in ruleset().rows:
        found = re.search(r"/envoyproxy/gateway/blob/([^/]+)/", row.source)
        assert found is None or found[1] in ruleset().releases, row.id


@pytest.mark.parametrize("name", ["", "eg", "../envoy-gateway", "envoy-gateway.yaml", "ENVOY"])
def test_an_unknown_implementation_is_told_with_those_that_there_are(name: str) -> None:
    with pytest.raises(RulesetError, match=r"there are .*envoy-gateway"):
        ruleset(name)


def test_a_new_release_needs_no_code() -> None:
    """CONTRIBUTING: a tag with its date, and a row whose range begins there."""
    text = edited("  main: 2026-08-21\n", "  main: 2026-11-01\n  v1.10.0: 2026-10-30\n")
    text = text.replace(
        "  - id: unified-grpc\n",
        "  - id: new-mqtt\n    backends: all\n    routes: [HTTPRoute]\n    values: [mqtt]\n"
        "    protocol: TCP\n    releases: [v1.10.0..]\n    text: mqtt is TCP.\n"
        "    source: https://github.com/envoyproxy/gateway/blob/v1.10.0/x.go#L1\n"
        "  - id: unified-grpc\n",
    )
    rules = parse_ruleset(text, "new.yaml")
    assert rules.newest == "v1.10.0"
    assert rules.at("1.10").value("values", "Service", "HTTPRoute", "mqtt") is not None
    assert rules.at("1.9").value("values", "Service", "HTTPRoute", "mqtt") is None
    assert rules.at("1.10").value("values", "ServiceImport", "HTTPRoute", "grpc") is not None
