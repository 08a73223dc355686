"""Clues: each has its source and its manifest, and what is wrong with a file of them is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from protocol_analysis import load
from protocol_analysis.clues import annotation_keys, clues, declared_values, fact, parse, protocols
from protocol_analysis.evidence import evidence
from protocol_analysis.portability import meanings
from protocol_analysis.releases import RulesetError

CASES = Path(__file__).parent / "manifests" / "clues"
EXPECTED: dict[str, dict[str, str]] = yaml.safe_load(
    (CASES / "clues.expected.yaml").read_text(encoding="utf-8")
)


def test_every_clue_has_a_case_and_every_case_a_clue() -> None:
    files = {file.stem for file in CASES.glob("*.yaml")} - {"clues.expected"}
    assert {clue.id for clue in clues()} == files == set(EXPECTED)


@pytest.mark.parametrize("clue", [clue.id for clue in clues()])
def test_a_clue_speaks_of_its_ports_and_of_no_other(clue: str) -> None:
    inventory = load(CASES / f"{clue}.yaml")
    assert inventory.unreadable == inventory.warnings == ()
    heard = {
        f"{service.meta.name}:{port.number}": str(each.fact)
        for service, port, found in evidence(inventory)
        for each in found
        if each.clue.id == clue
    }
    assert heard == EXPECTED[clue]
    # Every case has a near miss, beside all that every other case leaves silent.
    ports = [port for s in (*inventory.services, *inventory.service_imports) for port in s.ports]
    assert len(ports) > len(heard)


@pytest.mark.parametrize("clue", [clue.id for clue in clues()])
def test_all_that_a_clue_says_is_tried(clue: str) -> None:
    (said,) = (each.says for each in clues() if each.id == clue)
    implied = {str(value) for value in said.values()}
    assert implied == set(EXPECTED[clue].values())


def test_every_clue_has_a_source_and_a_sentence() -> None:
    for clue in clues():
        assert clue.source.startswith("https://"), clue.id
        assert clue.text.endswith("."), clue.id
    assert len({clue.id for clue in clues()}) == len(clues())


def test_what_a_clue_implies_is_told_apart_by_its_words() -> None:
    for clue in clues():
        assert len({str(said) for said in clue.says.values()}) == len(set(clue.says.values()))


def test_values_are_given_one_meaning() -> None:
    assert not set(declared_values()) & set(meanings())
    for protocol in protocols().values():
        for value in protocol.values:
            meant = meanings().get(value)
            assert meant, f"{value} has no meaning"
            assert meant.upstream == protocol.fact.upstream


def test_nothing_is_kept_of_annotations_that_no_clue_names(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    named = {"konghq.com/protocol": "grpc", "example.com/password": "hunter2"}
    named |= {"konghq.com/protocol-": "grpc", "haproxy.org/server-ssl": "x" * 5_000}
    meta = {"name": "s", "annotations": named}
    objects = [
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": [{"port": 1}]}},
        {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta, "spec": {}},
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"labels": {"a": "b"}, **meta},
            "spec": {
                "containers": [
                    {
                        "env": [{"name": "PASSWORD", "value": "hunter2"}],
                        "args": ["--password=hunter2"],
                        "livenessProbe": {
                            "exec": {"command": ["grpc_health_probe", "-addr=:1", "-x=hunter2"]}
                        },
                    }
                ]
            },
        },
    ]
    file.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    inventory = load(file)
    assert [len(each.annotations) for each in inventory.exposures] == [1, 1]
    assert {"konghq.com/protocol"} < annotation_keys()
    (pod,) = inventory.workloads
    assert [probe.port for c in pod.containers for probe in c.probes] == [1]
    assert "hunter2" not in repr(inventory)


def test_only_a_deployment_tells_the_release_by_its_image(tmp_path: Path) -> None:
    """A Job of the gateway's chart may be of an older one."""
    spec = {"template": {"spec": {"containers": [{"image": "envoyproxy/gateway:v1.8.3"}]}}}
    file = tmp_path / "m.yaml"
    kinds = {"Deployment": "apps/v1", "Job": "batch/v1", "DaemonSet": "apps/v1"}
    objects = [{"apiVersion": v, "kind": kind, "spec": spec} for kind, v in kinds.items()]
    file.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    images = [(each.meta.kind, each.images) for each in load(file).workloads]
    assert images == [
        ("Deployment", ("envoyproxy/gateway:v1.8.3",)),
        ("Job", ()),
        ("DaemonSet", ()),
    ]


CLUE = """\
- id: a
  title: A
  looks: number
  says: {'1': grpc}
  text: One.
  source: https://example.com/blob/v1/a
"""
WORD = "{word: grpc, upstream: h2, tls: any, values: [grpc], text: gRPC.}"
FILE = "protocols:\n- " + WORD + "\ndeclared: []\nclues:\n" + CLUE
# What is changed, and the complaint, which names the line.
WRONG = {
    "no text": (("text: One.", "text: []"), ":9: text: a list; write a text"),
    "no source": (("  source: https://example.com/blob/v1/a\n", ""), ":5: clues without 'source'"),
    "moving source": (("blob/v1", "blob/main"), ":10: source: 'https://example.com/blob/main/a'"),
    "unknown key": (("  text:", "  txt: a\n  text:"), ":9: unknown key 'txt' in clues"),
    "unknown look": (("looks: number", "looks: smell"), ":7: looks: 'smell'; known are name,"),
    "says nothing": (("{'1': grpc}", "{}"), ":8: says: write what is found"),
    "says a list": (("{'1': grpc}", "[grpc]"), ":8: says: write what is found"),
    "number": (("{'1': grpc}", "{1: grpc}"), ":8: '1' is no text; write it in quotes"),
    "unknown protocol": (
        ("{'1': grpc}", "{'1': gopher}"),
        ":8: 'gopher' is none of grpc, alone or",
    ),
    "unknown suffix": (("{'1': grpc}", "{'1': grpc+ssl}"), ":8: 'grpc+ssl' is none of grpc"),
    "no suffix": (("{'1': grpc}", "{'1': grpc+}"), ":8: 'grpc+' is none of grpc"),
    "part of a number": (
        ("looks: number", "looks: number\n  part: first"),
        ":5: a clue that looks",
    ),
    "name without part": (("looks: number", "looks: name"), "at name wants 'part'"),
    "annotation": (("looks: number", "looks: annotation"), "annotation wants 'annotation'"),
    "twice": ((CLUE, CLUE * 2), ":11: id 'a' stands here again"),
    "no section": (("declared: []\n", ""), ":1: the file without 'declared'"),
    "no list": (("declared: []", "declared: {}"), ":3: declared: a mapping; write a list"),
    "no mapping": ((CLUE, "- a\n"), ":5: clues is 'a', no mapping"),
    "tls": (("tls: any", "tls: perhaps"), ":2: tls: 'perhaps'; known are yes, no, any"),
    "nothing": ((FILE, ""), ":1: the file is nothing, no mapping"),
    "no YAML": ((FILE, "{"), ":1: not YAML"),
}


def test_a_good_file_is_read() -> None:
    words, declared, (clue,) = parse("c.yaml", FILE)
    assert (list(words), declared, clue.id) == (["grpc"], {}, "a")


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_refused(name: str) -> None:
    (old, new), complaint = WRONG[name]
    assert old in FILE
    with pytest.raises(RulesetError) as error:
        parse("c.yaml", FILE.replace(old, new))
    assert complaint in str(error.value)


LISTED = CLUE.replace(
    "looks: number", "looks: annotation\n  annotation: a/b\n  kinds: [{kind}]\n  takes: ports"
)


@pytest.mark.parametrize(
    ("kind", "says", "complaint"),
    [("Pod", "listed", "kinds: known are Service"), ("Service", "all", "a list says one thing")],
)
def test_a_wrong_annotation_is_refused(kind: str, says: str, complaint: str) -> None:
    content = FILE.replace(CLUE, LISTED.replace("{kind}", kind).replace("'1'", says))
    with pytest.raises(RulesetError, match=complaint):
        parse("c.yaml", content)


FITS = [
    ("grpc", "h2", True),
    ("grpc", "grpc+tls", True),
    ("grpc+clear", "grpc+tls", False),
    ("tls", "http/1.1+tls", True),
    ("tls", "http/1.1+clear", False),
    ("websocket", "http/1.1", True),
    ("tcp", "http/1.1", False),
    ("tcp", "tls", True),
    ("h2", "http/1.1", False),
]


@pytest.mark.parametrize(("one", "other", "fits"), FITS)
def test_what_may_be_true_of_one_port(one: str, other: str, *, fits: bool) -> None:
    assert fact(one).fits(fact(other)) is fits
    assert fact(other).fits(fact(one)) is fits
