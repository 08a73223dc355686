"""Checks of policies against what is spoken to the backends that they reach, and of listeners."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from protocol_analysis.findings.finding import Found
from protocol_analysis.findings.subject import Subject, backend_key, port_name
from protocol_analysis.model import Route
from protocol_analysis.policies import Policy, RouteMatch
from protocol_analysis.readings import who
from protocol_analysis.resolution import Resolution

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
            sure = any(_takes_only_http2(subject, answer) for answer in only)
            text = (
                f"{policy.meta} checks {port_name(only[0])} over HTTP/1.1, which is spoken HTTP/2"
            )
            yield _of_policy(policy, text, "sure" if sure else "maybe")


def websocket_over_http2(subject: Subject) -> Iterator[Found]:
    """WebSocket to a backend that is spoken HTTP/2, where only RFC 8441 carries it."""
    upgrading: dict[tuple[object, ...], Policy] = {}
    for policy, answers in _reached(subject, lambda policy: "websocket" in policy.hints):
        upgrading |= {(a.route, a.ref.rule, a.ref.backend): policy for a in answers}
    for answer in subject.answers:
        if answer.route.kind != "HTTPRoute" or answer.upstream != "h2" or not answer.sent:
            continue
        route, rule = subject.routes[answer.route], answer.ref.rule
        told = upgrading.get((answer.route, rule, answer.ref.backend))
        by_header = any(map(_upgrades, _matches(route, rule)))
        if by_header or told:
            why = f"{told.meta} lets it be upgraded" if told else "the rule matches its upgrade"
            text = f"WebSocket goes to {port_name(answer)} over HTTP/2: {why}"
            yield Found(
                meta=answer.route,
                position=answer.ref.position,
                message=text,
                by=who(answer),
                key=backend_key(answer),
            )


def grpc_without_alpn(subject: Subject) -> Iterator[Found]:
    """A GRPCRoute on an HTTPS listener that does not offer HTTP/2 to clients."""
    for route in subject.inventory.routes if subject.attaching else ():
        for where in subject.places(route) if route.meta.kind == "GRPCRoute" else ():
            policy = subject.attaching.client(where) if subject.attaching else None
            listener = where.listener
            if not policy or not listener or listener.protocol != "HTTPS" or policy.alpn is None:
                continue
            if "h2" not in policy.alpn:
                offered = ", ".join(policy.alpn) or "nothing"
                on = f"{route.meta} hangs on listener {listener.name} of {where.name}"
                text = f"{on}, where {policy.meta} offers {offered} in ALPN"
                yield Found(
                    meta=policy.meta,
                    position=policy.meta.position,
                    message=text,
                    key=f"{route.meta} {where.name} {listener.name}",
                )


def _reached(
    subject: Subject, wanted: Callable[[Policy], bool]
) -> Iterator[tuple[Policy, list[Resolution]]]:
    """The BackendTrafficPolicies of a sort, each with the references that it counts for."""
    policies = [policy for policy in subject.inventory.traffic_policies if wanted(policy)]
    if not policies or not subject.attaching:
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
    """Whether a gRPC probe of the very port says that it does."""
    if not answer.target:
        return False
    clues = subject.clues.get((answer.target, answer.ref.port), ())
    return any(clue.clue.looks == "probe" and clue.fact.upstream == "h2" for clue in clues)


def _matches(route: Route, rule: int) -> Iterator[RouteMatch]:
    return (match for match in route.matches if match.rule == rule)


def _upgrades(match: RouteMatch) -> bool:
    return any(
        name == "upgrade" and value.casefold() == "websocket" for name, value in match.headers
    )


def _of_policy(policy: Policy, text: str, grade: str = "") -> Found:
    return Found(meta=policy.meta, position=policy.meta.position, message=text, grade=grade)


CHECKS = {
    "AP005": websocket_over_http2,
    "AP009": http2_settings_unheard,
    "AP015": http_health_check,
    "AP024": grpc_without_alpn,
}
