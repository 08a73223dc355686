"""Checks of policies against what is spoken to the backends that they reach."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from protocol_analysis.findings.finding import Found
from protocol_analysis.findings.subject import Subject, backend_key, port_key, port_name
from protocol_analysis.policies import Policy, RouteMatch
from protocol_analysis.readings import who
from protocol_analysis.resolution import Resolution

_WEBSOCKET_NAME = re.compile(r"(?:wss?|websockets?)(?:-|\Z)")
_MAYBE_HTTP2 = ("h2", "auto", "client")


def http2_settings_unheard(subject: Subject) -> Iterator[Found]:
    """HTTP/2 settings in a policy that reaches no backend with HTTP/2: they choose no protocol."""
    for policy, answers in _reached(subject, lambda policy: dict(policy.says).get("http2", False)):
        # Of a backend that is not among the manifests nobody can tell.
        if not any(answer.upstream in _MAYBE_HTTP2 or _is_unknown(answer) for answer in answers):
            text = (
                f"{policy.meta} has settings for HTTP/2, which no backend that it reaches is spoken"
            )
            yield _of_policy(policy, text)


def http_health_check(subject: Subject) -> Iterator[Found]:
    """A health check over HTTP/1.1 of backends that take HTTP/2."""
    for policy, answers in _reached(subject, lambda policy: "httpHealthCheck" in policy.hints):
        only = [answer for answer in answers if answer.upstream == "h2" and not answer.tls]
        if only:
            # The surest first.
            sure = [answer for answer in only if _takes_only_http2(subject, answer)]
            checked = port_name((sure or only)[0])
            text = f"{policy.meta} checks {checked} over HTTP/1.1, which is spoken HTTP/2"
            yield _of_policy(policy, text, "sure" if sure else "maybe")


def websocket_over_http2(subject: Subject) -> Iterator[Found]:
    """WebSocket to a backend that is spoken HTTP/2, where only RFC 8441 carries it."""
    upgrading: dict[tuple[object, ...], Policy] = {}
    for policy, answers in _reached(subject, lambda policy: "websocket" in policy.hints):
        upgrading |= {(a.route, a.ref.rule, a.ref.backend): policy for a in answers}
    for answer in subject.answers:
        if answer.route.kind != "HTTPRoute" or answer.upstream != "h2" or not answer.sent:
            continue
        told = upgrading.get((answer.route, answer.ref.rule, answer.ref.backend))
        why = f"{told.meta} lets it be upgraded" if told else ""
        if any(map(_upgrades, subject.matches(answer))):
            why = "the rule matches its upgrade"
        # What only gRPC is led to takes no WebSocket, whatever it is called.
        elif not why and not subject.is_for_grpc(answer):
            why = _named_for_websocket(subject, answer)
        if why:
            yield Found(
                meta=answer.route,
                position=answer.ref.position,
                message=f"WebSocket goes to {port_name(answer)} over HTTP/2: {why}",
                by=who(answer),
                key=backend_key(answer),
            )


def _named_for_websocket(subject: Subject, answer: Resolution) -> str:
    """What says that a port is for WebSocket: its name, or an annotation."""
    key = port_key(answer)
    name = subject.port_names.get(key, "") if key else ""
    if _WEBSOCKET_NAME.match(name):
        return f"the port is named {name}"
    clues = subject.clues.get(key, ()) if key else ()
    return next((clue.found for clue in clues if clue.fact.word == "websocket"), "")


def _reached(
    subject: Subject, wanted: Callable[[Policy], bool]
) -> Iterator[tuple[Policy, list[Resolution]]]:
    """The BackendTrafficPolicies of a sort, each with the references that it counts for."""
    policies = [policy for policy in subject.inventory.traffic_policies if wanted(policy)]
    if not policies:
        return
    found: dict[int, list[Resolution]] = {id(policy): [] for policy in policies}
    own: dict[object, list[Resolution]] = {}
    for answer in subject.answers:
        counts = answer.sent or _is_unknown(answer)
        if counts and subject.is_envoy_gateway(answer) and answer.ref.role == "forward":
            own.setdefault((answer.route, answer.ref.rule), []).append(answer)
    for route in subject.inventory.routes:
        for where in subject.places(route):
            for rule in range(len(route.rules)):
                for policy in subject.attaching.counting(route, rule, where):
                    if id(policy) in found:
                        found[id(policy)] += own.get((route.meta, rule), [])
    for policy in policies:
        if answers := list(dict.fromkeys(found[id(policy)])):
            yield policy, answers


def _is_unknown(answer: Resolution) -> bool:
    """Whether the backend is not among the manifests, or not told from namesakes."""
    return not answer.sent and answer.outcome in ("no-object", "ambiguous")


def _takes_only_http2(subject: Subject, answer: Resolution) -> bool:
    """Whether a gRPC probe says that it does, or only GRPCRoutes lead there.

    What a probe asks over HTTP/1.1, or a port that an HTTPRoute leads to, may take both.
    """
    key = port_key(answer)
    clues = subject.clues.get(key, ()) if key else ()
    probed = {clue.fact.upstream for clue in clues if clue.clue.looks == "probe"}
    leading = subject.leading.get(key, ()) if key else ()
    kinds = {each.route.kind for each in leading} & {"HTTPRoute", "GRPCRoute"}
    return probed == {"h2"} or (not probed and kinds == {"GRPCRoute"})


def _upgrades(match: RouteMatch) -> bool:
    return any(
        name == "upgrade" and value.casefold() == "websocket" for name, value in match.headers
    )


def _of_policy(policy: Policy, text: str, grade: str = "") -> Found:
    meta = policy.meta
    return Found(meta=meta, position=meta.position, message=text, grade=grade, declares=meta)


CHECKS = {
    "AP005": websocket_over_http2,
    "AP009": http2_settings_unheard,
    "AP015": http_health_check,
}
