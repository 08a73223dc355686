"""One connection to a server that nobody trusts: so many bytes, and closed as it should be.

TLS is done in memory, so that its bytes count too. Certificates are not verified: what a server
speaks is asked, not who it is, and nothing that is worth a secret is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass
from typing import Any

MOST_BYTES = 65_536  # that are read from one connection
MOST_ADDRESSES = 4
LINGER = 0.2  # seconds for the other end to close too
FIRST_WORDS = 0.2  # seconds in which a server may speak first
_CHUNK = 4_096
_HEAD = 16

Address = tuple[int, Any]  # the family, and what that family has as an address
NOWHERE: Address = (socket.AF_UNSPEC, ())


class TooMuch(Exception):  # noqa: N818 - what happened, no fault of this program
    """More bytes than a probe reads."""


@dataclass(slots=True)
class Wire:
    """A connection. `left` is how many bytes may still be read, `head` the first that came.

    `told` is the first of what was received: inside TLS, where there is TLS, whose `version` is
    that of the handshake.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    left: int = MOST_BYTES
    head: bytes = b""
    told: bytes = b""
    version: str | None = None
    tls: ssl.SSLObject | None = None
    arrived: ssl.MemoryBIO | None = None
    leaving: ssl.MemoryBIO | None = None

    async def send(self, data: bytes) -> None:
        """Send bytes, inside TLS where there is TLS."""
        if self.tls:
            self.tls.write(data)
            await self._flush()
        else:
            self.writer.write(data)
            await self.writer.drain()

    async def receive(self) -> bytes:
        """The next bytes; none at the end. Raises TooMuch, OSError."""
        data = await self._received()
        if len(self.told) < _HEAD:
            self.told += data[:_HEAD]
        return data

    async def _received(self) -> bytes:
        if not self.tls:
            return await self._raw()
        while True:
            try:
                return self.tls.read(_CHUNK)
            except ssl.SSLWantReadError:
                await self._more()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    async def secure(self, alpn: tuple[str, ...], name: str | None) -> None:
        """Shake hands. Raises SSLError, whose reason says what the other end is."""
        self.arrived, self.leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = _context(alpn).wrap_bio(self.arrived, self.leaving, server_hostname=name)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._more()
            finally:
                # An alert leaves too.
                await self._flush()
        self.tls, self.version = tls, tls.version()
        await self._flush()

    async def close(self) -> None:
        """Say goodbye, let the other end do so for a moment, and be gone."""
        with contextlib.suppress(TooMuch, OSError, ValueError):
            async with asyncio.timeout(LINGER):
                if self.tls:
                    with contextlib.suppress(ssl.SSLError):
                        self.tls.unwrap()
                    await self._flush()
                self.writer.write_eof()
                # What is left unread would make a reset of the closing.
                while await self._raw():
                    pass
        self.writer.transport.abort()
        await asyncio.sleep(0)

    async def _raw(self) -> bytes:
        if self.left <= 0:
            raise TooMuch
        data = await self.reader.read(min(_CHUNK, self.left))
        self.left -= len(data)
        if len(self.head) < _HEAD:
            self.head += data[:_HEAD]
        return data

    async def _more(self) -> None:
        await self._flush()
        data = await self._raw()
        if self.arrived:
            if data:
                self.arrived.write(data)
            else:
                self.arrived.write_eof()

    async def _flush(self) -> None:
        if self.leaving and self.leaving.pending:
            self.writer.write(self.leaving.read())
            await self.writer.drain()


async def connect(address: Address) -> Wire:
    """A connection to an address. Raises OSError."""
    family, where = address
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)  # noqa: FBT003 - that is its name
        await asyncio.get_running_loop().sock_connect(made, where)
        reader, writer = await asyncio.open_connection(sock=made)
    except BaseException:
        made.close()
        raise
    return Wire(reader=reader, writer=writer)


async def look_up(host: str, port: int) -> list[Address]:
    """The addresses of a host, the first few. Raises OSError: the name does not resolve."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[Address]] = loop.create_future()

    def tell(answer: list[Address] | OSError) -> None:
        if found.cancelled():
            return
        if isinstance(answer, OSError):
            found.set_exception(answer)
        else:
            found.set_result(answer)

    def ask() -> None:
        answer: list[Address] | OSError
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer = [(int(info[0]), info[4]) for info in infos[:MOST_ADDRESSES]]
        except OSError as error:
            answer = error
        except UnicodeError:
            answer = OSError("no name")
        with contextlib.suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(tell, answer)

    # A resolver cannot be interrupted; a daemon does not keep the program from ending.
    threading.Thread(target=ask, daemon=True).start()
    return await found


def _context(alpn: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # weak keys are not the question either
    context.set_alpn_protocols(list(alpn))
    return context
