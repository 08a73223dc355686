"""Admission policies that keep new uses of a value out: Kubernetes' own, and Kyverno's. Pure.

Both are the same CEL: a ValidatingAdmissionPolicy with its binding, and a ValidatingPolicy of
policies.kyverno.io. They warn, then deny, in step with a proposal's phases. An object that had the
value on a port before may keep it there, so that nothing which runs is locked; a new port, another
Service, or another value is a new use.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from protocol_analysis.coverage import readable
from protocol_analysis.model import MCS
from protocol_analysis.proposals import ADMISSIONS, Phase, Proposal
from protocol_analysis.readers import Reader, reader
from protocol_analysis.releases import RulesetError
from protocol_analysis.speaking import rules_of

ENGINES = ("kubernetes", "kyverno")
KINDS = {"Service": ("", ("v1",), "services"), "ServiceImport": (MCS, ("*",), "serviceimports")}
_ACTIONS = {"warn": ["Warn", "Audit"], "deny": ["Deny", "Audit"]}
_PORTS = "has({of}.spec) && has({of}.spec.ports) ? {of}.spec.ports : []"
VARIABLES = {
    "ports": _PORTS.format(of="object"),
    "before": f"oldObject == null ? [] : ({_PORTS.format(of='oldObject')})",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One expression, which is true for what is admitted, and what is said where it is not."""

    expression: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What a policy does: `action` is warn or deny, of these values on these kinds.

    `near` are the words that near misses are told by; `allowed` are values that are none.
    """

    action: str
    values: tuple[str, ...] = ("grpc",)
    kinds: tuple[str, ...] = tuple(KINDS)
    instead: str = "kubernetes.io/h2c"
    allowed: tuple[str, ...] = ()
    near: tuple[str, ...] = ("grpc", "h2c")

    @property
    def checks(self) -> tuple[Check, ...]:
        """The value itself, then what is nearly a value: other case, prefix, or blanks.

        >>> [check.message for check in Admission(action="warn").checks][0]
        'appProtocol grpc is on its way out: write kubernetes.io/h2c'
        """
        instead = f"write {self.instead}"
        found = []
        if self.values:
            found.append(
                Check(
                    expression=_none_new(f"p.appProtocol in {_list(self.values)}"),
                    message=f"appProtocol {' or '.join(self.values)} is on its way out: {instead}",
                )
            )
        exact = _list((*self.values, *self.allowed))
        looks = f"p.appProtocol.matches({_text(_pattern(self.near))})"
        found.append(
            Check(
                expression=_none_new(f"!(p.appProtocol in {exact}) && {looks}"),
                message=f"appProtocol is nearly a value that is read, and is ignored: {instead}",
            )
        )
        return tuple(found)


def admission_of(
    proposal: Proposal,
    release: str | None = None,
    action: str | None = None,
    kinds: Sequence[str] = tuple(KINDS),
) -> Admission | None:
    """What a policy does in step with a proposal at a release; None where it says nothing.

    `action` instead of the phase's own, of `kinds` those that it is about. What is still read on a
    Service or a ServiceImport is allowed. Raises RulesetError for a release that is not known.

    >>> from protocol_analysis.proposals import proposal
    >>> [admission_of(proposal("remove"), at).action for at in ("1.10", "1.12")]
    ['warn', 'deny']
    >>> admission_of(proposal("keep")) is None
    True
    """
    phase: Phase = proposal.phase(release)
    does = action or phase.admission
    about = [kind for kind in kinds if kind in (phase.backends or KINDS)]
    if not does or not about:
        return None
    return admission(
        proposal.at(phase.release),
        does,
        values=phase.values,
        kinds=about,
    )


def admission(
    by: Reader | str | None = None,
    action: str = "warn",
    values: Sequence[str] = ("grpc",),
    kinds: Sequence[str] = tuple(KINDS),
) -> Admission:
    """What a policy does for a gateway at a release: values that it reads are no near misses."""
    if action not in ADMISSIONS:
        raise RulesetError(f"{action!r} is no action of a policy; write warn or deny")
    rules = rules_of(by if isinstance(by, Reader) else reader(by))[0]
    read = [name for kind in kinds for name in readable(rules, kind) if name not in values]
    return Admission(
        action=action,
        values=tuple(values),
        kinds=tuple(kinds),
        allowed=tuple(dict.fromkeys(read)),
    )


def policies(
    what: Admission,
    engines: Sequence[str] = ENGINES,
    selector: dict[str, str] | None = None,
    name: str = "app-protocol",
) -> list[dict[str, Any]]:
    """The objects to apply. `selector` are labels of the namespaces that they hold in; None: all.

    >>> [each["kind"] for each in policies(Admission(action="deny"))]
    ['ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding', 'ValidatingPolicy']
    """
    found = []
    if "kubernetes" in engines:
        found += [_kubernetes(what, name), _binding(what, name, selector)]
    if "kyverno" in engines:
        found.append(_kyverno(what, name, selector))
    return found


def as_yaml(objects: Sequence[dict[str, Any]]) -> str:
    """The objects as a stream of documents."""
    return "---\n".join(yaml.safe_dump(each, sort_keys=False, width=100) for each in objects)


def _kubernetes(what: Admission, name: str) -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {"failurePolicy": _failure(what), **_body(what, None)},
    }


def _binding(what: Admission, name: str, selector: dict[str, str] | None) -> dict[str, Any]:
    spec: dict[str, Any] = {"policyName": name, "validationActions": _ACTIONS[what.action]}
    if selector:
        spec["matchResources"] = {"namespaceSelector": {"matchLabels": selector}}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": spec,
    }


def _kyverno(what: Admission, name: str, selector: dict[str, str] | None) -> dict[str, Any]:
    return {
        "apiVersion": "policies.kyverno.io/v1",
        "kind": "ValidatingPolicy",
        "metadata": {"name": name},
        "spec": {
            "validationActions": _ACTIONS[what.action],
            "failurePolicy": _failure(what),
            **_body(what, selector),
        },
    }


def _failure(what: Admission) -> str:
    """A policy that only warns must not stand in the way where it cannot be asked."""
    return "Fail" if what.action == "deny" else "Ignore"


def _body(what: Admission, selector: dict[str, str] | None) -> dict[str, Any]:
    rules = [
        {
            "apiGroups": [group],
            "apiVersions": list(versions),
            "operations": ["CREATE", "UPDATE"],
            "resources": [resource],
        }
        for group, versions, resource in (KINDS[kind] for kind in what.kinds)
    ]
    match: dict[str, Any] = {"resourceRules": rules}
    if selector:
        match["namespaceSelector"] = {"matchLabels": selector}
    return {
        "matchConstraints": match,
        "variables": [
            {"name": name, "expression": expression} for name, expression in VARIABLES.items()
        ],
        "validations": [
            {"expression": each.expression, "message": each.message, "reason": "Invalid"}
            for each in what.checks
        ],
    }


def _none_new(bad: str) -> str:
    """No port declares what is bad, unless that port declared the same before."""
    kept = "variables.before.exists(b, b.port == p.port && has(b.appProtocol) && "
    kept += "b.appProtocol == p.appProtocol)"
    return f"variables.ports.all(p, !has(p.appProtocol) || !({bad}) || {kept})"


def _pattern(words: Sequence[str]) -> str:
    return rf"(?i)^\s*([^\s/]*/)?({'|'.join(words)})\s*$"


def _text(text: str) -> str:
    """A text in CEL, whose escapes are those of JSON for what may stand in a value."""
    return json.dumps(text, ensure_ascii=False)


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"
