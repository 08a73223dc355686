"""Admission policies: their CEL is compiled and asked by CEL's own library."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from cel_expr_python import cel

from protocol_analysis import RulesetError, cli
from protocol_analysis.proposals import proposal, shipped
from protocol_analysis.rollout.admission import (
    Admission,
    admission,
    admission_of,
    as_yaml,
    policies,
)

FROM = "multicluster.x-k8s.io/v1alpha1"


def service(*values: str | None, kind: str = "Service") -> dict[str, Any]:
    """An object whose ports declare these values; None declares nothing."""
    ports = [
        {"port": 80 + n, "protocol": "TCP", **({} if value is None else {"appProtocol": value})}
        for n, value in enumerate(values)
    ]
    version = "v1" if kind == "Service" else FROM
    spec: dict[str, Any] = {"ports": ports} if ports else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "s"}, "spec": spec}


class Policy:
    """A policy's expressions, compiled as the API server does: with what is there, and dynamic."""

    def __init__(self, spec: dict[str, Any]) -> None:
        dynamic = {"object": cel.Type.DYN, "oldObject": cel.Type.DYN}
        outer = cel.NewEnv(variables=dynamic)
        self.variables = {v["name"]: outer.compile(v["expression"]) for v in spec["variables"]}
        inner = cel.NewEnv(
            variables={**dynamic, "variables": cel.Type.Map(cel.Type.STRING, cel.Type.DYN)}
        )
        self.checks = [(inner.compile(v["expression"]), v["message"]) for v in spec["validations"]]
        assert all(check.return_type() == cel.Type.BOOL for check, _ in self.checks)

    def complaints(self, new: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
        """What is said of an object that is made, or changed from an old one."""
        data: dict[str, Any] = {"object": new, "oldObject": old}
        variables = {
            name: expression.eval(data=data).plain_value()
            for name, expression in self.variables.items()
        }
        told = []
        for check, message in self.checks:
            answer = check.eval(data={**data, "variables": variables}).plain_value()
            assert isinstance(answer, bool), answer
            told += [] if answer else [message]
        return told


def of(what: Admission) -> list[Policy]:
    """The policies of both engines, which say the same."""
    found = policies(what)
    return [Policy(each["spec"]) for each in found if "validations" in each["spec"]]


BOTH = [*enumerate(("kubernetes", "kyverno"))]
GOOD: list[tuple[Any, ...]] = [
    (service(),),
    (service(None),),
    (service("kubernetes.io/h2c"),),
    (service("kubernetes.io/ws", "kubernetes.io/wss", None, "http", "https", "tcp"),),
    (service("grpc-web"),),
    (service("http2", "HTTP2", "mongo", "example.com/mine"),),
    (service("my-grpc", "grpcs", "h2c2"),),
    ({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}},),
    (service("kubernetes.io/h2c", kind="ServiceImport"),),
]
EXACT = ["grpc"]
NEAR = ["GRPC", "Grpc", " grpc", "grpc ", "kubernetes.io/grpc", "h2c", "H2C", "kubernetes.io/H2C",
        "example.com/h2c", "h2c\n"]  # fmt: skip


@pytest.mark.parametrize("engine", BOTH, ids=str)
@pytest.mark.parametrize("good", GOOD, ids=range(len(GOOD)))
def test_what_is_good_is_admitted(engine: tuple[int, str], good: tuple[Any, ...]) -> None:
    assert of(admission())[engine[0]].complaints(*good) == []


@pytest.mark.parametrize("engine", BOTH, ids=str)
@pytest.mark.parametrize("kind", ["Service", "ServiceImport"])
@pytest.mark.parametrize("bad", [*EXACT, *NEAR], ids=repr)
def test_what_is_bad_is_told(engine: tuple[int, str], kind: str, bad: str) -> None:
    policy = of(admission())[engine[0]]
    for values in ((bad,), (None, bad), ("kubernetes.io/h2c", bad)):
        (told,) = policy.complaints(service(*values, kind=kind))
        assert ("on its way out" in told) == (bad in EXACT)
        assert "write kubernetes.io/h2c" in told


@pytest.mark.parametrize("bad", [*EXACT, *NEAR], ids=repr)
def test_what_a_port_had_before_it_may_keep(bad: str) -> None:
    policy = of(admission(action="deny"))[0]
    old = service(bad, None)
    assert policy.complaints(old, old) == []
    assert policy.complaints(service(bad, "kubernetes.io/h2c"), old) == []
    assert policy.complaints(service("kubernetes.io/h2c"), old) == []
    assert policy.complaints(service(bad, bad), old), "another port is a new use"
    assert policy.complaints(service(bad), service(None)), "so is another value"
    assert policy.complaints(service(bad), service()), "and a port that was not there"


def test_actions_and_failures() -> None:
    for action, actions, failure in (
        ("warn", ["Warn", "Audit"], "Ignore"),
        ("deny", ["Deny", "Audit"], "Fail"),
    ):
        policy, binding, kyverno = policies(admission(action=action))
        assert binding["spec"]["validationActions"] == actions
        assert binding["spec"]["policyName"] == policy["metadata"]["name"]
        assert kyverno["spec"]["validationActions"] == actions
        assert policy["spec"]["failurePolicy"] == kyverno["spec"]["failurePolicy"] == failure
        rules = policy["spec"]["matchConstraints"]["resourceRules"]
        assert [rule["resources"] for rule in rules] == [["services"], ["serviceimports"]]
        assert rules == kyverno["spec"]["matchConstraints"]["resourceRules"]
    with pytest.raises(RulesetError, match="write warn or deny"):
        admission(action="hope")


def test_in_step_with_phases() -> None:
    told = {
        (name, phase.release): (what.action, what.values, what.kinds) if what else None
        for name in shipped()
        for phase in proposal(name).phases
        for what in [admission_of(proposal(name), phase.release)]
    }
    both = ("Service", "ServiceImport")
    assert told == {
        ("keep", "v1.10.0"): None,
        ("keep-on-service", "v1.10.0"): ("warn", ("grpc",), ("ServiceImport",)),
        ("keep-on-service", "v1.11.0"): ("deny", ("grpc",), ("ServiceImport",)),
        ("remove", "v1.10.0"): ("warn", ("grpc",), both),
        ("remove", "v1.12.0"): ("deny", ("grpc",), both),
        ("remove", "v1.14.0"): ("deny", ("grpc",), both),
        ("standardise", "v1.10.0"): None,
        ("unify", "v1.10.0"): None,
    }


def test_a_value_that_a_proposal_reads_is_no_near_miss() -> None:
    what = admission(proposal("standardise").at(), values=[])
    (policy, _) = of(what)
    assert policy.complaints(service("kubernetes.io/grpc", "grpc")) == []
    assert policy.complaints(service("kubernetes.io/GRPC"))


@pytest.mark.parametrize("value", ['a"b', "a\\b", "a'b", "a\nb", "😀", "grpc"])
def test_values_are_texts_in_cel(value: str) -> None:
    policy = of(admission(values=[value]))[0]
    assert policy.complaints(service(value))
    assert policy.complaints(service("kubernetes.io/h2c")) == []


def test_the_command_prints_what_can_be_applied(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["policy"]) == 0
    printed = list(yaml.safe_load_all(capsys.readouterr().out))
    assert as_yaml(printed) == as_yaml(policies(admission()))
    wave = ["--namespaces", "wave=1", "--name", "mine", "--engine", "kubernetes"]
    assert cli.main(["policy", "--proposal", "remove@1.12", *wave]) == 0
    policy, binding = yaml.safe_load_all(capsys.readouterr().out)
    assert binding["spec"]["matchResources"]["namespaceSelector"]["matchLabels"] == {"wave": "1"}
    assert binding["spec"]["validationActions"] == ["Deny", "Audit"]
    assert Policy(policy["spec"]).complaints(service("grpc"))
    assert cli.main(["policy", "--proposal", "keep"]) == 0
    out, err = capsys.readouterr()
    assert (out, "asks for no policy" in err) == ("", True)
    assert cli.main(["policy", "--proposal", "keep", "--action", "warn"]) == 0
    assert "on its way out" in capsys.readouterr().out
    assert cli.main(["policy", "--kind", "Service", "--engine", "kyverno"]) == 0
    (policy,) = yaml.safe_load_all(capsys.readouterr().out)
    (rule,) = policy["spec"]["matchConstraints"]["resourceRules"]
    assert rule["resources"] == ["services"]
    assert cli.main(["policy", "--proposal", "keep-on-service", "--kind", "Service"]) == 0
    assert capsys.readouterr().out == ""
    assert cli.main(["policy", "--proposal", "nothing"]) == 2
    assert cli.main(["policy", "--release", "9.9.x"]) == 2
    with pytest.raises(SystemExit):
        cli.main(["policy", "--namespaces", "wave"])
    assert "wave' is not" in capsys.readouterr().err
