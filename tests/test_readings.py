"""Who reads which route, and what others make of the same Service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from protocol_analysis import Resolution, RulesetError, compare, coverage, explain, load, resolve
from protocol_analysis.cli import main
from protocol_analysis.readers import Reader, everyone, reader
from protocol_analysis.readings import word_of
from protocol_analysis.tables import change_table, coverage_table, resolution_table
from tests.support import ENVOY, ISTIO, ROOT, gateways

ISTIO_MESH, LINKERD = reader("istio", mesh=True), reader("linkerd")
NEWEST = {str(each): each for each in everyone()}


def told(answer: Resolution) -> tuple[str, str]:
    return (answer.implementation, word_of(answer))


def readings(answer: Resolution) -> list[tuple[str, bool, str]]:
    return [(each.implementation, each.mesh, word_of(each)) for each in answer.readings]


def test_of_a_shared_service_each_route_is_read_by_its_own(tmp_path: Path) -> None:
    """`http2` is HTTP/1.1 to Envoy Gateway and HTTP/2 to Istio, on the very same port."""
    inventory = load(gateways(tmp_path, "http2", eg=ENVOY, istio=ISTIO))
    answers = {answer.route.name: answer for answer in resolve(inventory)}
    assert told(answers["eg"]) == ("envoy-gateway", "http/1.1")
    assert told(answers["istio"]) == ("istio", "h2")
    assert "v1.19.0 is assumed" in answers["istio"].reasons[0].text
    (row,) = coverage(inventory)
    assert (row.protocol, row.upstream) == ("HTTP", "http/1.1")
    assert [told(each) for each in row.readings] == [("istio", "h2")]
    # The other way round it is the same.
    (row,) = coverage(inventory, "istio")
    assert (row.upstream, [told(each) for each in row.readings]) == (
        "h2",
        [("envoy-gateway", "http/1.1")],
    )


def test_a_declared_mesh_tells_the_release_of_its_gateways(tmp_path: Path) -> None:
    inventory = load(gateways(tmp_path, "http2", istio=ISTIO))
    (answer,) = resolve(inventory, meshes=[ISTIO_MESH])
    assert [reason.row for reason in answer.reasons] == ["http2"]
    assert readings(answer) == [("istio", True, "h2")]


def test_a_route_on_two_gateways_is_read_by_both(tmp_path: Path) -> None:
    file = gateways(tmp_path, "http2", eg=ENVOY, istio=ISTIO)
    text = file.read_text(encoding="utf-8").replace("[{name: eg}]", "[{name: eg}, {name: istio}]")
    file.write_text(text, encoding="utf-8")
    answers = {answer.route.name: answer for answer in resolve(load(file))}
    assert told(answers["eg"]) == ("envoy-gateway", "http/1.1")
    assert readings(answers["eg"]) == [("istio", False, "h2")]


def test_a_controller_that_nobody_knows_stays_with_another(tmp_path: Path) -> None:
    (answer,) = resolve(load(gateways(tmp_path, "grpc", other="acme.example/gateways")))
    assert (answer.outcome, answer.readings) == ("other-implementation", ())


def test_a_route_of_the_mesh_belongs_to_the_first_that_is_declared(tmp_path: Path) -> None:
    inventory = load(gateways(tmp_path, "grpc", mesh=True))
    (alone,) = resolve(inventory)
    assert (alone.outcome, alone.readings) == ("mesh", ())
    (answer,) = resolve(inventory, meshes=[LINKERD, ISTIO_MESH])
    assert told(answer) == ("linkerd", "tcp")
    assert answer.as_dict()["mesh"] is True
    assert readings(answer) == [("istio", True, "h2")]


# value, what a gateway of Istio speaks, what its mesh does
ROLES = {
    "what is recognised is the same": ("kubernetes.io/h2c", "h2", "h2"),
    "what is not is detected in the mesh": ("acme.example/x", "http/1.1", "client"),
    "an opaque value": ("https", "http/1.1", "tcp"),
}


@pytest.mark.parametrize("name", ROLES)
def test_a_gateway_and_its_mesh(name: str, tmp_path: Path) -> None:
    value, by_gateway, by_mesh = ROLES[name]
    inventory = load(gateways(tmp_path, value, istio=ISTIO))
    (row,) = coverage(inventory, "istio", meshes=[ISTIO_MESH])
    assert (row.upstream, word_of(row.readings[0])) == (by_gateway, by_mesh)


def test_a_well_known_number_is_tcp_to_the_mesh(tmp_path: Path) -> None:
    file = gateways(tmp_path, "acme.example/x", istio=ISTIO)
    text = file.read_text(encoding="utf-8").replace("port: 80, name", "port: 3306, name")
    file.write_text(text, encoding="utf-8")
    (row,) = coverage(load(file), "istio", meshes=[ISTIO_MESH])
    assert (row.upstream, word_of(row.readings[0])) == ("http/1.1", "tcp")


def test_no_edit_changes_what_a_mesh_speaks(tmp_path: Path) -> None:
    """To Linkerd the port is opaque TCP, and must stay so: it reads h2c, and knows no grpc."""
    inventory = load(gateways(tmp_path, "http2", eg=ENVOY))
    (free,) = compare(inventory, "envoy-gateway@1.8", "istio")
    assert free.keep is not None
    assert free.adopt is not None
    assert free.adopt.value == "kubernetes.io/h2c"
    (bound,) = compare(inventory, "envoy-gateway@1.8", "istio", meshes=[LINKERD])
    assert bound.adopt is not None
    assert bound.adopt.value == "grpc"
    assert readings_of(bound.as_dict()) == [("linkerd", "tcp")]


def readings_of(row: dict[str, object]) -> list[tuple[str, str]]:
    found = json.loads(json.dumps(row["readings"]))
    return [(each["implementation"], each["upstream"]) for each in found]


def test_an_account_names_the_others(tmp_path: Path) -> None:
    inventory = load(gateways(tmp_path, "grpc", eg=ENVOY))
    (account,) = explain(resolve(inventory, meshes=[LINKERD]))
    (claim,) = [claim for claim in account.claims if claim.step == "also read"]
    assert claim.text.startswith("linkerd@v2.18.0 tcp: A value that is not known")
    assert claim.source.startswith("https://")


def test_tables_have_them_too(tmp_path: Path) -> None:
    inventory = load(gateways(tmp_path, "grpc", eg=ENVOY))
    meshes = [ISTIO_MESH, LINKERD]
    expected = "istio mesh@v1.19.0 h2, linkerd@v2.18.0 tcp"
    resolved = resolution_table(resolve(inventory, meshes=meshes))
    assert resolved[["implementation", "readings"]].to_numpy().tolist() == [
        ["envoy-gateway", expected]
    ]
    assert coverage_table(coverage(inventory, meshes=meshes))["readings"].to_list() == [expected]
    changes = compare(inventory, "1.0", "1.9", meshes=meshes)
    assert change_table(changes)["readings"].to_list() == [expected]


# What an edit must not change beside the gateway that is compared.
def test_no_edit_changes_what_another_gateway_speaks(tmp_path: Path) -> None:
    """`grpc` came to be read by v1.1; Istio's Gateway always read it, and must go on to."""
    alone = load(gateways(tmp_path, "grpc", eg=ENVOY))
    (change,) = compare(alone, "1.0", "1.9")
    assert change.keep is not None
    assert change.keep.value is None
    (change,) = compare(load(gateways(tmp_path, "grpc", eg=ENVOY, istio=ISTIO)), "1.0", "1.9")
    assert change.before.route.name == "eg"
    assert change.keep is None


def test_routes_of_others_stay_with_them(tmp_path: Path) -> None:
    inventory = load(gateways(tmp_path, "http2", eg=ENVOY, istio=ISTIO))
    changes = compare(inventory, "envoy-gateway@1.8", "istio")
    assert [change.before.route.name for change in changes] == ["eg"]


def test_only_a_grpc_route_of_the_service_says_grpc_to_a_mesh(tmp_path: Path) -> None:
    file = gateways(tmp_path, "~", eg=ENVOY, mesh=True)
    text = file.read_text(encoding="utf-8")
    for kinds, spoken in (("HTTPRoute", "client"), ("GRPCRoute", "h2")):
        at = text.index("metadata: {name: inside}")
        changed = text[:at].rpartition("kind: HTTPRoute")[0] + f"kind: {kinds}\n" + text[at:]
        file.write_text(changed, encoding="utf-8")
        answers = {a.route.name: a for a in resolve(load(file), meshes=[LINKERD])}
        assert word_of(answers["inside"]) == spoken
        # Whoever calls it is read alike.
        assert [word_of(each) for each in answers["eg"].readings] == [spoken]


def test_what_nobody_has_verified_is_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(gateways(tmp_path, "HTTP2", eg=ENVOY))
    assert main(["diff", file, "--from", "1.9", "--to", "gke", "-o", "markdown"]) == 0
    assert "h2+tls ?" in capsys.readouterr().out
    assert main(["resolve", file, "--mesh", "cilium"]) == 0
    assert "client ?" in capsys.readouterr().out


@pytest.mark.parametrize("text", NEWEST)
def test_a_reader_is_what_its_name_says(text: str) -> None:
    assert reader(text) == NEWEST[text]


def test_who_is_no_mesh() -> None:
    with pytest.raises(RulesetError, match="'contour' is no mesh that is known; known are cilium"):
        reader("contour@1.31", mesh=True)
    for wrong in ("foo", "foo@1.2"):
        with pytest.raises(RulesetError, match="no ruleset for 'foo'; there are agentgateway"):
            reader(wrong, mesh=True)
    with pytest.raises(RulesetError, match=r"istio: '1\.5' is no known release"):
        reader("istio@1.5")
    assert reader("linkerd") == Reader(implementation="linkerd", release="v2.18.0", mesh=True)


@pytest.mark.parametrize("command", ["resolve", "coverage"])
def test_the_command_has_a_column_for_each(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(gateways(tmp_path, "http2", eg=ENVOY, istio=ISTIO))
    assert main([command, file, "--mesh", "istio@1.26", "--mesh", "linkerd"]) == 0
    printed = capsys.readouterr()
    assert printed.err == (
        "warning: istio 1.26 is not in the list; taken as v1.19.0, the newest known before it\n"
    )
    head, *lines = printed.out.splitlines()
    for name, spoken in (("ISTIO MESH", "h2"), ("LINKERD", "tcp")):
        at = head.index(name)
        assert {line[at:].split()[0] for line in lines} == {spoken}
    assert main([command, file, "--mesh", "contour"]) == 2
    assert "'contour' is no mesh that is known" in capsys.readouterr().err


def test_the_sample_shares_a_service_with_a_mesh() -> None:
    """The ledger of payments: HTTP/1.1 by the gateway, HTTP/2 by the mesh and by its gateway."""
    answers = resolve(load(ROOT / "data/sample/east"), release="1.8", meshes=[ISTIO_MESH])
    found = {
        (each.route.name, each.ref.rule): (told(each), each.mesh)
        for each in answers
        if each.ref.name == "ledger"
    }
    assert found == {
        ("tills", 0): (("istio", "h2"), False),
        ("payments", 2): (("envoy-gateway", "http/1.1"), False),
        ("ledger-inside", 0): (("istio", "h2"), True),
    }
