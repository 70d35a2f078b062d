"""The certificates of a server: the user's own, or short-lived ones of bedtape's authority."""

from __future__ import annotations

import os
import ssl
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bedtape_cassettes.addresses import read_host
from bedtape_cassettes.admission import is_loopback
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.storage.authority import Authority, open_authority

# HTTP/2 first: a client that offers both gets it, as from Bedrock.
_PROTOCOLS = ("h2", "http/1.1")
_LOCALHOST = "localhost"
_NAMES = (_LOCALHOST, "127.0.0.1", "::1")
# A leaf of the authority is valid for days. A server that runs longer makes a
# new one before it ends.
_RENEWAL_SECONDS = 24 * 3600.0
# Clients choose the name, so the contexts that are kept have a limit.
_MOST_HOSTS = 64


class Certificates:
    """Chooses the certificate of each TLS connection by the name that the client asks for.

    Without an authority, the certificate is the user's own, and never changes.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        authority: Authority | None = None,
        names: tuple[str, ...] = (),
    ) -> None:
        self._context = context
        self._authority = authority
        self._names = names
        self._issued = time.monotonic()
        self._by_host: dict[str, ssl.SSLContext] = {}
        if authority is not None:
            context.sni_callback = self._select

    def permits(self, host: str) -> bool:
        """Return whether there is a certificate for a host of Bedrock that clients accept."""
        return self._authority is not None and self._authority.permits(host)

    @property
    def context(self) -> ssl.SSLContext:
        """The context for a new connection."""
        if self._authority is not None and time.monotonic() - self._issued > _RENEWAL_SECONDS:
            self._issued = time.monotonic()
            self._by_host.clear()
            _load(self._context, self._authority, self._names)
        return self._context

    def _select(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        """Use a certificate of the client's name alone: a host of Bedrock, localhost, or a name
        below localhost, which no wildcard covers.

        AWS's CRT for Java refuses each certificate with an IP address, because AWS-LC cannot
        compare IP addresses with the name constraints of the authority. So the certificate of
        localhost contains none.

        Returns the alert for a certificate that cannot be issued.
        """
        if name is None or (name in self._names and name != _LOCALHOST):
            return None
        if not (read_host(name) or is_loopback(name)):
            return None
        try:
            connection.context = self._find_context(name.lower())
        except (OSError, ValueError):
            return int(ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)
        return None

    def _find_context(self, host: str) -> ssl.SSLContext:
        if (context := self._by_host.get(host)) is None:
            assert self._authority is not None
            if len(self._by_host) >= _MOST_HOSTS:
                self._by_host.clear()
            context = self._by_host[host] = _load(_make_context(), self._authority, (host,))
        return context


def open_certificates(environ: Mapping[str, str], address: str = "127.0.0.1") -> Certificates:
    """Return certificates of bedtape's authority. address: the address that the server listens on.

    Raises CassetteError if the authority cannot be used.
    """
    authority = open_authority(environ)
    names = (*_NAMES, address) if is_loopback(address) and address not in _NAMES else _NAMES
    return Certificates(_load(_make_context(), authority, names), authority, names)


def read_certificates(certificate: Path, key: Path | None) -> Certificates:
    """Return the certificate of two PEM files, or of one with both. Raises CassetteError."""
    context = _make_context()
    for option, file in (("--tls-cert", certificate), ("--tls-key", key)):
        try:
            if file is not None:
                file.read_bytes()
        except OSError as error:
            raise CassetteError(
                f"{option}: expected a readable file, found {file}: {error.strerror}"
            ) from None
    try:
        context.load_cert_chain(certificate, key, password=_refuse_password)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        expected = "a certificate chain and its private key in PEM, without a password"
        files = f"{certificate}" if key is None else f"{certificate} and {key}"
        raise CassetteError(
            f"--tls-cert, --tls-key: expected {expected}, found {files} ({reason})"
        ) from None
    return Certificates(context)


def _refuse_password() -> str:
    raise ValueError("the key has a password")


def _make_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(list(_PROTOCOLS))
    # Every connection makes a whole handshake. A client that leaves early would reset the
    # connection because of the unread tickets, and a renegotiation lets a client use the server's
    # time without sending a request.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    return context


def _load(context: ssl.SSLContext, authority: Authority, names: tuple[str, ...]) -> ssl.SSLContext:
    """Give a context a new certificate by a private file, because OpenSSL reads files alone."""
    handle, file = tempfile.mkstemp(prefix="bedtape-")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(authority.issue(names))
        context.load_cert_chain(file)
    finally:
        Path(file).unlink()
    return context
