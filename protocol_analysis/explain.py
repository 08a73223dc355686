"""Why a reference is spoken to as it is: a short account, with a link for every claim. Pure."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from protocol_analysis.model import values_of
from protocol_analysis.proof.cells import CLIENTS
from protocol_analysis.proof.measured import config_of, envoy_of, outcomes
from protocol_analysis.readings import who, word_of
from protocol_analysis.resolution import ASSUMED, Resolution
from protocol_analysis.rules import ruleset

MEASURED = "protocol_analysis/proof/measured.yaml"
# What is behind such a port by mistake only.
_NO_HTTP = ("TCP that echoes", "TCP that says nothing", "TCP that speaks first", "nothing listens")
GEP_1911 = "https://github.com/kubernetes-sigs/gateway-api/blob/v1.4.0/geps/gep-1911/index.md"
# What the Gateway API's proposal on backend protocols wants for each value that it names.
WANTED = {
    "kubernetes.io/h2c": "HTTP/2 without TLS",
    "kubernetes.io/ws": "WebSocket over HTTP/1.1, without TLS",
    "kubernetes.io/wss": "WebSocket over HTTP/1.1, with TLS",
}
_WORDS = {
    "http/1.1": "HTTP/1.1",
    "h2": "HTTP/2",
    "auto": "HTTP/2 or HTTP/1.1, as ALPN has it",
    "client": "what the client speaks",
    "tcp": "TCP, as it comes",
    "udp": "UDP, as it comes",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One sentence, with the place in the manifests or the link that shows it."""

    step: str
    text: str
    source: str

    def as_dict(self) -> dict[str, str]:
        """The step, the text and the source."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What was made of one reference, step by step."""

    resolution: Resolution
    claims: tuple[Claim, ...]

    @property
    def title(self) -> str:
        """Which reference it is about."""
        r = self.resolution
        port = "" if r.ref.port is None else f":{r.ref.port}"
        where = f"{r.route} rule {r.ref.rule} {r.ref.role} {r.ref.backend}"
        return f"{where} -> {r.ref.kind} {r.ref.namespace}/{r.ref.name}{port}"

    def as_dict(self) -> dict[str, Any]:
        """The `resolve` row, with the claims."""
        return {
            **self.resolution.as_dict(),
            "claims": [claim.as_dict() for claim in self.claims],
        }

    def __str__(self) -> str:
        width = max(len(claim.step) for claim in self.claims)
        lines = [_one_line(self.title)]
        for claim in self.claims:
            lines += [
                f"  {claim.step:<{width}}  {_one_line(claim.text)}",
                f"  {'':<{width}}  {_one_line(claim.source)}",
            ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th scope='row'>{html.escape(c.step)}</th>"
            f"<td>{html.escape(c.text)}</td><td>{_link(c.source)}</td></tr>"
            for c in self.claims
        )
        return f"<table><caption>{html.escape(self.title)}</caption>{rows}</table>"


def explain(resolutions: Sequence[Resolution], route: str | None = None) -> list[Account]:
    """An account of each reference, or of those of one route, written KIND/NAMESPACE/NAME.

    >>> from protocol_analysis import load, resolve
    >>> rows = resolve(load("data/sample"), release="v1.8.3")
    >>> account = explain(rows, "HTTPRoute/checkout/checkout")[0]
    >>> [claim.step for claim in account.claims][:5]
    ['referenced', 'taken', 'declared', 'protocol', 'upstream']
    """
    return [
        Account(resolution=each, claims=tuple(_claims(each)))
        for each in resolutions
        if route in (None, f"{each.route.kind}/{each.route.namespace}/{each.route.name}")
    ]


def spoken_words(answer: Resolution) -> str:
    """What is spoken, for people: `HTTP/2 without TLS (h2c)`.

    >>> from protocol_analysis import load, resolve
    >>> spoken_words(resolve(load("data/sample"), release="v1.8.3")[0])
    'HTTP/2 without TLS (h2c)'
    """
    if answer.by_gateway:
        return "; ".join(f"{_WORDS.get(word, word)} by {name}" for name, word in answer.by_gateway)
    if answer.upstream is None:
        return "nothing" if answer.protocol is None else "not known"
    tls = "over TLS" if answer.tls else "without TLS"
    short = " (h2c)" if (answer.upstream, answer.tls) == ("h2", False) else ""
    return f"{_WORDS[answer.upstream]} {tls}{short}"


def _claims(answer: Resolution) -> Iterator[Claim]:
    ref = answer.ref
    port = "no port" if ref.port is None else f"port {ref.port}"
    to = f"{ref.kind} {ref.namespace}/{ref.name}, {port}"
    yield Claim(step="referenced", text=to, source=str(ref.position))
    rules = ruleset(answer.implementation).at(answer.release)
    for row in rules.find("accepts", ref.kind, answer.site):
        yield Claim(
            step="taken", text=f"{row.text} [{row.id}, {answer.release}]", source=row.source
        )
    if answer.declared_at:
        listed = values_of(answer.app_protocol)
        said = f"appProtocol {', '.join(map(repr, listed))}" if listed else "no appProtocol"
        yield Claim(step="declared", text=said, source=str(answer.declared_at))
    decided = False
    for reason in answer.reasons:
        step = "assumed" if reason.row == ASSUMED else "upstream" if decided else "protocol"
        decided = decided or reason == answer.deciding
        text = f"{reason.text} [{reason.row}, {answer.release}]"
        yield Claim(step=step, text=text, source=reason.source)
    yield Claim(step="spoken", text=spoken_words(answer), source=answer.reasons[-1].source)
    for told in _measured(answer):
        yield Claim(step="measured", text=told, source=f"{MEASURED}:{config_of(answer)}")
    for other in answer.readings:
        text = f"{who(other)} {word_of(other)}: {other.deciding.text} [{other.deciding.row}]"
        yield Claim(step="also read", text=text, source=other.deciding.source)
    yield Claim(step="GEP-1911", text=_wanted(answer), source=GEP_1911)


def _measured(answer: Resolution) -> Iterator[str]:
    """What each kind of server behind it was measured to answer, by the Envoy of its release."""
    # What was measured has lists of ALPN of its own.
    listed = answer.has_reason("offers-alpn")
    if not answer.sent or answer.implementation != "envoy-gateway" or answer.ref.site or listed:
        return
    envoy, told = envoy_of(answer.release)
    for client in _clients(answer):
        found = outcomes(answer, client, envoy=envoy)
        works = " / ".join(each.kind for each in found if each.ok)
        fails: dict[str, list[str]] = {}
        for each in found:
            if not each.ok and each.kind not in _NO_HTTP:
                fails.setdefault(str(each).partition(": ")[2], []).append(each.kind)
        said = [f"{how} behind {' / '.join(kinds)}" for how, kinds in fails.items()]
        if found:
            by = f"Envoy {envoy}{f' ({told})' if told else ''}, {CLIENTS[client]}"
            yield f"{by}: works behind {'; '.join([works or 'none of these', *said])}"


def _clients(answer: Resolution) -> tuple[str, ...]:
    """Whose requests matter: those of its route and value, or of both versions of HTTP."""
    if answer.route.kind == "GRPCRoute":
        return ("grpc_unary",)
    if answer.upstream == "client":
        return ("h1_get", "h2_get")
    return ("ws",) if answer.force_http1 else ("h1_get",)


def _wanted(answer: Resolution) -> str:
    """What GEP-1911 would have wanted."""
    if answer.route.kind not in ("HTTPRoute", "GRPCRoute"):
        return "says nothing of this kind of route"
    values = values_of(answer.app_protocol)
    if wanted := [WANTED[value] for value in values if value in WANTED]:
        return f"wants {', '.join(wanted)}"
    if not values:
        return "leaves it to the implementation: nothing is declared"
    return f"leaves {', '.join(map(repr, values))} to the implementation: it is none of its names"


def _one_line(text: str) -> str:
    """A manifest must not write lines of its own."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _link(source: str) -> str:
    shown = html.escape(source)
    return f'<a href="{shown}">source</a>' if source.startswith("https://") else shown
