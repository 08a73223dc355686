"""`HOST:PORT`, as it is written: a name, an IPv4 address, or an IPv6 address in brackets. Pure."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_WRITE = "write HOST:PORT, [::1]:8443 for IPv6"
# Underscores stand in names that DNS serves, though not in names of hosts.
_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
_ZONE = re.compile(r"[A-Za-z0-9_.-]{1,15}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A host, without brackets, and a port of TCP."""

    host: str
    port: int

    @property
    def is_address(self) -> bool:
        """Whether the host is an IP address; a name is looked up, and is sent to TLS as SNI."""
        return _is_address(self.host)

    @property
    def authority(self) -> str:
        """What HTTP names it: without the zone of an IPv6 address, which is this machine's own.

        >>> endpoint_of("[fe80::1%eth0]:80").authority
        '[fe80::1]:80'
        """
        host = self.host.partition("%")[0].removesuffix(".")
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def endpoint_of(text: str) -> Endpoint:
    """An endpoint from its text. Raises ValueError, which says what would be accepted.

    >>> endpoint_of("cart.shop.svc:9000")
    Endpoint(host='cart.shop.svc', port=9000)
    >>> endpoint_of("[::1]:443").host
    '::1'
    >>> endpoint_of("::1:443")
    Traceback (most recent call last):
    ValueError: '::1:443': an IPv6 address without brackets; write HOST:PORT, [::1]:8443 for IPv6
    """
    shown = repr(text[:80])
    if "/" in text:
        raise ValueError(f"{shown}: a URL or a path; {_WRITE}")
    host, colon, digits = text.rpartition(":")
    if not (colon and host):
        raise ValueError(f"{shown}: no host or no port; {_WRITE}")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 5):
        raise ValueError(f"{shown}: {digits[:80]!r} is no port; {_WRITE}")
    if not 1 <= int(digits) <= 65_535:
        raise ValueError(f"{shown}: a port is from 1 to 65535; {_WRITE}")
    if bracketed := host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if bracketed != (":" in host):
        raise ValueError(f"{shown}: an IPv6 address without brackets; {_WRITE}" if not bracketed
                         else f"{shown}: brackets are for IPv6 addresses; {_WRITE}")  # fmt: skip
    if not (_is_address(host) if bracketed else is_host_name(host)):
        raise ValueError(f"{shown}: {host[:80]!r} is no host; {_WRITE}")
    return Endpoint(host=host, port=int(digits))


def is_host_name(text: str) -> bool:
    """Whether a text is a name that DNS may serve, or an IPv4 address.

    >>> is_host_name("cart.shop.svc"), is_host_name("a b"), is_host_name("a..b")
    (True, False, False)
    """
    return len(text) <= 253 and _NAME.fullmatch(text) is not None


def _is_address(host: str) -> bool:
    address, percent, zone = host.partition("%")
    try:
        version = ipaddress.ip_address(address).version
    except ValueError:
        return False
    return not percent or (version == 6 and _ZONE.fullmatch(zone) is not None)
