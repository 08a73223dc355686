"""The order of the questions to one endpoint.

One question after the other, each on a connection of its own, since a server that is asked in the
wrong protocol may say anything afterwards, and some serve one connection at a time. A question
that an answer has made idle is not asked: WebSocket where there is no HTTP/1.1, gRPC where there is
no HTTP/2, anything where the server speaks first.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from protocol_analysis.proof import probe_answers as answers, probe_steps as steps
from protocol_analysis.proof.endpoints import Endpoint
from protocol_analysis.proof.facts import Facts, Side, grpc_word, may_be_settings
from protocol_analysis.proof.probed import Evidence, Probed
from protocol_analysis.proof.wires import (
    FIRST_WORDS,
    NOWHERE,
    Address,
    Wire,
    connect,
    look_up,
)

_BOTH = ("h2", "http/1.1")


@dataclass(slots=True)
class Asking:
    """One endpoint while it is asked."""

    endpoint: Endpoint
    timeout: float
    sni: str | None
    path: str
    address: Address = NOWHERE
    evidence: list[Evidence] = field(default_factory=list)

    async def all(self) -> Probed:
        """Every question that makes sense."""
        wire = await self._reach()
        if wire is None:
            return self._row(Facts())
        if first := await _first_words(wire):
            self._note("first words", f"the server speaks first, {len(first)} bytes or more")
            if not may_be_settings(first):
                return self._row(Facts(reachable=True, speaks_first=True))
        clear = await self._side(secure=False)
        tls = await self._ask("tls", steps.greeted, _BOTH)
        facts = Facts(reachable=True, clear=clear, tls=tls.spoken, alpn=tls.alpn)
        if tls.refused:
            facts = replace(facts, secure=Side(http1=None, http2=None, refused=True))
        elif tls.spoken:
            facts = replace(facts, secure=await self._side(secure=True))
        return self._row(facts)

    def broken(self, error: Exception) -> Probed:
        """The row where asking itself has failed: nothing can be told."""
        self._note(
            "probe", f"asking failed, which is a fault of this program: {type(error).__name__}"
        )
        reached = self.address != NOWHERE
        nothing = Side(http1=None, http2=None)
        return self._row(Facts(reachable=reached, clear=nothing, tls=None))

    async def _reach(self) -> Wire | None:
        """A connection to the first address that accepts one."""
        try:
            async with asyncio.timeout(self.timeout):
                addresses = await look_up(self.endpoint.host, self.endpoint.port)
        except TimeoutError:
            self._note("resolve", f"the name does not resolve within {self.timeout:g} s")
            return None
        except OSError:
            self._note("resolve", "the name does not resolve")
            return None
        for address in addresses:
            where = address[1][0]
            try:
                async with asyncio.timeout(self.timeout / len(addresses)):
                    wire = await connect(address)
            except TimeoutError:
                self._note("connect", f"{where}: no connection in time")
            except ConnectionRefusedError:
                self._note("connect", f"{where}: refused")
            except OSError:
                self._note("connect", f"{where}: cannot be reached")
            else:
                self._note("connect", f"{where}: accepted")
                self.address = address
                return wire
        return None

    async def _side(self, *, secure: bool) -> Side:
        """What is spoken in the clear, or inside TLS."""
        before = "tls " if secure else ""
        h1, h2 = (_BOTH[1:], _BOTH[:1]) if secure else ((), ())
        answer = await self._ask(f"{before}http/1.1", steps.http1, h1)
        side = Side(
            http1=answer.spoken,
            only_upgrades=answer.code == 426,
            turns_away=answer.turns_away,
            http10=answer.http10,
            other=answer.other,
            refused=answer.refused,
        )
        if answer.spoken:
            upgraded = await self._ask(f"{before}websocket", steps.websocket, h1)
            side = replace(side, websocket=upgraded.spoken)
        answer = await self._ask(f"{before}h2" if secure else "h2c", steps.http2, h2)
        side = replace(
            side,
            http2=answer.spoken,
            other=side.other or answer.other,
            refused=side.refused or answer.refused,
        )
        if not answer.spoken:
            return side
        health = await self._ask(f"{before}grpc health", steps.grpc_health, h2)
        listed = False
        side = replace(side, no_grpc=health.no_grpc)
        if health.grpc:
            reflection = await self._ask(f"{before}grpc reflection", steps.grpc_reflection, h2)
            listed = bool(reflection.spoken)
            side = replace(side, grpc=grpc_word(health=bool(health.spoken), reflection=listed))
        extended = await self._ask(f"{before}rfc8441", steps.rfc8441, h2)
        return replace(side, rfc8441=extended.spoken)

    async def _ask(self, step: str, ask: answers.Ask, alpn: tuple[str, ...] = ()) -> answers.Answer:
        """One question on a connection of its own; inside TLS where `alpn` offers something."""
        wire: Wire | None = None
        try:
            async with asyncio.timeout(self.timeout):
                wire = await connect(self.address)
                if alpn:
                    await wire.secure(alpn, self._server_name())
                answer = await ask(wire, self._to(bool(alpn)))
        except Exception as error:  # noqa: BLE001 - one question never costs the others
            if wire and ask is steps.greeted:
                answer = answers.handshake_failure(error, self.timeout, wire.head)
            else:
                closed = answers.closed_by_tls(error, wire) if wire else None
                answer = closed or answers.failure(error, self.timeout)
        finally:
            if wire:
                await wire.close()
        self._note(step, answer.text)
        return answer

    def _to(self, secure: bool) -> answers.To:  # noqa: FBT001 - one of two schemes
        where = self.endpoint
        authority = f"{self.sni}:{where.port}" if self.sni else where.authority
        return answers.To(scheme="https" if secure else "http", authority=authority, path=self.path)

    def _server_name(self) -> str | None:
        if self.sni or not self.endpoint.is_address:
            return (self.sni or self.endpoint.host).removesuffix(".")
        return None

    def _note(self, step: str, text: str) -> None:
        self.evidence.append(Evidence(step=step, text=text))

    def _row(self, facts: Facts) -> Probed:
        address = None if self.address == NOWHERE else str(self.address[1][0])
        return Probed(
            endpoint=self.endpoint, address=address, facts=facts, evidence=tuple(self.evidence)
        )


async def _first_words(wire: Wire) -> bytes:
    """What a server says before it is asked, as those of SMTP, SSH and MySQL do."""
    try:
        async with asyncio.timeout(FIRST_WORDS):
            return await wire.receive()
    except OSError:  # time is over, or the connection is
        return b""
    finally:
        await wire.close()
