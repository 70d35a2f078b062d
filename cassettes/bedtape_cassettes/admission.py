"""Decides which requests a port on this machine accepts: those of programs, not those of web pages.

A browser lets a page of any site send requests to a loopback address. A page whose own host name
was rebound to a loopback address can also read the answers. Both kinds of requests are recognised
by headers that a page cannot choose: Host, Origin and Sec-Fetch-Site. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bedtape_cassettes.addresses import read_host
from bedtape_cassettes.errors import ConfigInvalid, Problem

ALLOW_HOST = "--allow-host"

_NAME = r"\[[0-9A-Fa-f:.]+\]|[^\s:@/\[\]]+"
_HOST = re.compile(rf"({_NAME})(?::[0-9]+)?")
_LOOPBACK = re.compile(r"localhost|[a-z0-9.-]+\.localhost|127(?:\.[0-9]{1,3}){3}|\[::1\]")
# Sec-Fetch-Site of a request by a page of this server, or by the user, who typed the address.
_OWN_SITE = ("same-origin", "none")


def is_loopback(host: str) -> bool:
    """Whether a host name, or an IP address with or without brackets, always means this machine."""
    name = host.lower()
    return _LOOPBACK.fullmatch(f"[{name}]" if name == "::1" else name) is not None


@dataclass(frozen=True, slots=True)
class Admission:
    """The host names under which a port accepts requests.

    hosts: lower-case names besides those of loopback and of Bedrock's endpoints, without a
    port; None for every name.
    """

    hosts: frozenset[str] | None = frozenset()

    @classmethod
    def at(cls, address: str, allowed: Iterable[str] = ()) -> Admission:
        """Return the admission of a port at an address.

        allowed: the names of `--allow-host`. Without any, a port that other machines can reach
        accepts every name. Raises ConfigInvalid for a name that is not a host name.
        """
        names = tuple(allowed)
        wrong = [name for name in names if re.fullmatch(_NAME, name) is None]
        if wrong:
            expected = "a host name without scheme and port, such as bedtape.internal"
            raise ConfigInvalid(Problem(ALLOW_HOST, 0, expected, repr(name)) for name in wrong)
        return cls(frozenset(map(str.lower, names)) if names or is_loopback(address) else None)

    def find_problem(self, host: str | None, origin: str | None, site: str | None) -> str | None:
        """Return why the headers Host, Origin and Sec-Fetch-Site refuse a request, or None."""
        if self.hosts is not None:
            match = _HOST.fullmatch(host or "")
            name = match[1].lower() if match else None
            # A recorder with `--upstream` keeps the name of Bedrock's endpoint,
            # which no page can have.
            if name is None or not (is_loopback(name) or name in self.hosts or read_host(name)):
                fix = f"start with {ALLOW_HOST} {name} if it is yours" if name else "send one"
                return f"expected a Host on loopback, found {host!r}; {fix}"
        if origin is not None and origin.partition("://")[2] != host:
            return f"expected no page of another site, found Origin {origin!r}"
        if site is not None and site not in _OWN_SITE:
            return f"expected no page of another site, found Sec-Fetch-Site {site!r}"
        return None


LOOPBACK = Admission()
