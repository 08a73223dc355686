"""`probe`: what live endpoints really speak; bounded in time and bytes, harmless to them.

`asking.py` has the order of the questions, `probe_steps.py` the questions, `facts.py` what follows
from the answers.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from protocol_analysis.proof.endpoints import Endpoint, endpoint_of, is_host_name
from protocol_analysis.proof.probed import Probed
from protocol_analysis.proof.programs import ProofError
from protocol_analysis.proof.wires import FIRST_WORDS, LINGER

TIMEOUT = 2.0  # seconds for each question
LONGEST_TIMEOUT = 60.0
AT_ONCE = 16  # endpoints
MOST_STEPS = 15  # name, connection, six in the clear, TLS, six inside it
_NEEDED = ("h2", "h11", "wsproto")


def probe(
    endpoints: Sequence[str | Endpoint],
    *,
    timeout: float = TIMEOUT,
    sni: str | None = None,
    path: str = "/",
) -> list[Probed]:
    """What each endpoint speaks, in order, each once; several are asked at once.

    `timeout` is for each question, in seconds; `sni` what TLS and HTTP are asked for instead of the
    host; `path` what GET and WebSocket ask for. An endpoint that is not there is an answer.

    Raises ProofError where the extra is not installed, ValueError for what is not HOST:PORT, no
    name, no path, or a time that is not above 0 and at most 60.

    >>> row = probe(["no-such-host.invalid:80"], timeout=5)[0]
    >>> row.facts.reachable, row.recommended.row
    (False, 'unreachable')
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        what = ", ".join(missing)
        raise ProofError(f"{what} not installed; pip install 'protocol-analysis[proof]'")
    if not 0 < timeout <= LONGEST_TIMEOUT:
        raise ValueError(f"a timeout of {timeout} s; take more than 0 and at most 60")
    if sni is not None and not is_host_name(sni):
        raise ValueError(f"{sni[:80]!r} is no name of a host")
    if not path.startswith("/") or not (path.isascii() and path.isprintable()) or " " in path:
        raise ValueError(f"{path[:80]!r} is no path; it begins with / and is ASCII without blanks")
    wanted = [endpoint_of(each) if isinstance(each, str) else each for each in endpoints]
    work = _all([(each, timeout, sni, path) for each in dict.fromkeys(wanted)])
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    # A notebook has a loop of its own.
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(asyncio.run, work).result()


def longest(timeout: float) -> float:
    """The seconds that one endpoint can take at most, whatever it does.

    >>> round(longest(2.0))
    33
    """
    return MOST_STEPS * (timeout + LINGER) + FIRST_WORDS


async def _all(asked: Sequence[tuple[Endpoint, float, str | None, str]]) -> list[Probed]:
    from protocol_analysis.proof.asking import Asking  # noqa: PLC0415 - it needs the extra

    gate = asyncio.Semaphore(AT_ONCE)

    async def one(what: tuple[Endpoint, float, str | None, str]) -> Probed:
        async with gate:
            asking = Asking(*what)
            try:
                return await asking.all()
            except Exception as error:  # noqa: BLE001 - one endpoint never costs the others
                return asking.broken(error)

    return await asyncio.gather(*map(one, asked))
