"""The truth table of a release, against what Envoy Gateway's own code says, and as fixtures."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from protocol_analysis import cli, load, resolve
from protocol_analysis.model import Declared
from protocol_analysis.proposals import proposal, shipped
from protocol_analysis.readers import reader
from protocol_analysis.rollout.cases import Case, cases
from protocol_analysis.rollout.fixtures import fixtures
from tests.support import SHARED, needs_shared

GOLDEN = SHARED / "golden/envoy-gateway"
Question = tuple[str, str, Declared]
Answer = tuple[str | None, bool]


def table(release: str = "1.9") -> dict[Question, Answer]:
    return {
        (case.kind, case.route_kind, case.app_protocol): (
            case.answer.protocol,
            case.answer.force_http1,
        )
        for case in cases(reader(release))
    }


def rows(name: str) -> list[dict[str, Any]]:
    with (GOLDEN / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def declared(row: dict[str, Any]) -> Declared:
    value: Any = row["appProtocol"]
    return tuple(value) or None if isinstance(value, list) else value


def wrong(known: dict[Question, Answer], golden: list[tuple[Question, Answer]]) -> list[Any]:
    return [(asked, told, known[asked]) for asked, told in golden if known[asked] != told]


@needs_shared
@pytest.mark.parametrize(
    ("release", "variant"), [("1.9", "H_v1.9"), ("1.8", "G"), ("1.5", "E"), ("1.0", "A")]
)
def test_the_table_is_what_the_gateways_own_code_says(release: str, variant: str) -> None:
    known = table(release)
    golden = [
        (
            (row["backendKind"], row["routeKind"], declared(row)),
            (row["protocol"], row["forceHTTP1"]),
        )
        for row in rows("value_matrix.jsonl")
        if row["variant"].startswith(variant)
    ]
    asked = [(question, told) for question, told in golden if question in known]
    if release == "1.9":
        assert len(asked) > 200
        singles = {q for q in known if q[0] != "Backend" and q[1] == "HTTPRoute"}
        assert len(singles & {question for question, _ in asked}) > 25
    assert wrong(known, asked) == []
    assert wrong({**known, asked[0][0]: ("FTP", False)}, asked), "the comparison can fail"


@needs_shared
def test_the_table_is_what_the_gateways_own_tests_say() -> None:
    known = table()
    golden = [
        ((r["backendRef"]["kind"], r["routeKind"], declared(r)), (r["protocol"], r["forceHTTP1"]))
        for r in rows("backend_protocols.jsonl")
        if r["release"] == "v1.9.0" and r["protocol"]
    ]
    asked = [(question, told) for question, told in golden if question in known]
    assert len(asked) > 600
    assert {"ServiceImport", "Service", "Backend"} == {question[0] for question, _ in asked}
    assert wrong(known, asked) == []


@needs_shared
def test_there_are_cases_that_the_gateways_own_tests_lack() -> None:
    tested = {
        (r["backendRef"]["kind"], r["routeKind"], declared(r))
        for r in rows("backend_protocols.jsonl")
        if r["release"] == "v1.9.0"
    }
    lacking = set(table()) - tested
    assert ("Service", "HTTPRoute", "kubernetes.io/h2c") in lacking
    assert ("Service", "HTTPRoute", "grpc") in lacking
    assert {q[1] for q in lacking if q[2] == "grpc"} == {
        "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"
    }  # fmt: skip


def asked_by(case: Case, number: int) -> tuple[str, str]:
    return (case.route_kind, f"{case.route_kind.lower()}-{number}")


@pytest.mark.parametrize("name", ["1.9", "1.8", "1.3", *(str(proposal(n).at()) for n in shipped())])
def test_fixtures_are_read_as_their_cases_say(tmp_path: Path, name: str) -> None:
    by = reader(name)
    for fixture in fixtures(by):
        (tmp_path / fixture.name).write_text(fixture.text, encoding="utf-8")
    inputs = sorted(tmp_path.glob("*.in.yaml"))
    assert len(inputs) == 15
    inventory = load(*map(str, inputs))
    assert inventory.unreadable == ()
    found = {
        (row.ref.kind, row.route.kind, row.app_protocol): row
        for row in resolve(inventory, by.implementation, by.release)
    }
    wanted = cases(by)
    assert len(found) == len(wanted)
    for case in wanted:
        row = found[case.kind, case.route_kind, case.app_protocol]
        assert (row.protocol, row.force_http1, row.sent) == (
            case.answer.protocol,
            case.answer.force_http1,
            case.answer.sent,
        ), case
        if row.sent:  # each is the only backend of its rule; TCP and UDP carry bytes
            assert row.upstream == case.answer.upstream, case


def test_fixtures_have_the_translators_format() -> None:
    for fixture in fixtures(reader("1.9"))[:15]:
        world = yaml.safe_load(fixture.text)
        assert set(world) <= {
            "gateways", "httpRoutes", "grpcRoutes", "tlsRoutes", "tcpRoutes", "udpRoutes",
            "services", "serviceImports", "backends", "endpointSlices",
        }  # fmt: skip
        routes = next(value for key, value in world.items() if key.endswith("Routes"))
        comments = [line for line in fixture.text.splitlines() if line.startswith("# ")]
        assert len(comments) == 2 + len(routes)
        listeners = [listener["name"] for listener in world["gateways"][0]["spec"]["listeners"]]
        assert len(set(listeners)) == len(listeners)
        for route in routes:
            assert route["spec"]["parentRefs"][0]["sectionName"] in listeners


def test_the_manifests_for_imports_stand_for_themselves(tmp_path: Path) -> None:
    found = [f for f in fixtures(reader("1.9")) if not f.name.endswith(".in.yaml")]
    assert len({fixture.name for fixture in found}) == len(found) > 15
    for fixture in found:
        file = tmp_path / fixture.name
        file.write_text(fixture.text, encoding="utf-8")
        (row,) = resolve(load(file), release="1.9")
        assert row.ref.kind == "ServiceImport"
        expected = fixture.text.splitlines()[0]
        assert f"is {row.protocol}" in expected
        assert f"upstream {row.upstream}" in expected


def test_what_a_proposal_ends_is_a_case_too() -> None:
    today, gone = table(), table(str(proposal("remove").at()))
    assert gone["Service", "HTTPRoute", "grpc"] == ("HTTP", False)
    differing = {q for q, told in today.items() if gone[q] != told}
    assert differing
    assert {q[2] for q in differing} <= {
        "grpc",
        ("grpc",),
        ("grpc", "gateway.envoyproxy.io/ws"),
        ("grpc", "gateway.envoyproxy.io/wss"),
        ("gateway.envoyproxy.io/ws", "grpc"),
        ("gateway.envoyproxy.io/wss", "grpc"),
        ("grpc", "gateway.envoyproxy.io/h2c"),
    }
    assert table(str(proposal("keep").at())) == today


def test_the_command_prints_the_table_and_writes_the_files(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.main(["proposal", "cases", "keep-on-service", "-o", "json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert Counter(row["kind"] for row in printed)["Service"] == 100
    told = {
        row["kind"]: row["protocol"]
        for row in printed
        if row["routeKind"] == "HTTPRoute" and row["appProtocol"] in ("grpc", ["grpc"])
    }
    assert told == {"Service": "GRPC", "ServiceImport": "HTTP", "Backend": "HTTP"}
    assert cli.main(["proposal", "cases", "1.9", "--to", str(tmp_path / "new/folder")]) == 0
    written = sorted(file.name for file in (tmp_path / "new/folder").iterdir())
    assert written == sorted(fixture.name for fixture in fixtures(reader("1.9")))
    capsys.readouterr()
    assert cli.main(["proposal", "cases", "1.9", "--fixtures"]) == 0
    assert len([*yaml.safe_load_all(capsys.readouterr().out)]) > len(written)
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert cli.main(["proposal", "cases", "1.9", "--to", str(tmp_path / "file")]) == 2
    assert cli.main(["proposal", "cases", "nothing"]) == 2
