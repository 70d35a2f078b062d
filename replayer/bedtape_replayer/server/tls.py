"""TLS on a connection: a layer between the socket's transport and the `Connection`, which
reads and writes clear text.

The TLS machine works on memory (`ssl.MemoryBIO`). The layer passes all other events through, so a
reset, a truncation or a stalled answer is the same with and without TLS.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

# The first byte of a TLS connection: a record that contains a part of a handshake (RFC 8446,
# section 5.1). No request of HTTP/1.1 begins with it, and no preface of HTTP/2.
HANDSHAKE = 0x16
_RECORD = 256 * 1024
_TRUST = (
    "; the client must trust the certificate that bedtape ca prints (bedtape run --tls passes it to"
    " programs)"
)


class TlsLayer(asyncio.Transport, asyncio.Protocol):
    """The protocol of a socket's transport, and the transport of a `Connection`.

    complain: is called with the reason if a handshake fails, or if the client refuses the
    certificate or leaves during the handshake.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        outer: asyncio.Transport,
        inner: asyncio.Protocol,
        complain: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._outer = outer
        self._inner = inner
        self._complain = complain
        self._received, self._unsent = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._unsent, server_side=True)
        self._ready = False  # the handshake is complete
        # close_notify was sent, or TLS has failed: nothing more is read or written
        self._ended = False
        self._half_closed = False  # the client has sent close_notify
        outer.set_protocol(self)
        inner.connection_made(self)

    # -- from the socket ---------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._ended:
            # read and dropped, because unread bytes would turn an orderly close into a reset
            return
        self._received.write(data)
        try:
            for text in self._decrypt():
                self._inner.data_received(text)
                if self._ended:
                    return
            self._flush()
        except ssl.SSLError as error:
            self._fail(error)

    def eof_received(self) -> bool:
        return self._ready and (self._half_closed or bool(self._inner.eof_received()))

    def connection_lost(self, exc: Exception | None) -> None:
        if not (self._ready or self._ended):  # a client may refuse a certificate without an alert
            self._complain(f"a TLS connection failed: the client left during the handshake{_TRUST}")
        self._ended = True
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def _decrypt(self) -> Iterator[bytes]:
        """Advance the handshake, then yield clear text. May raise ssl.SSLError."""
        try:
            if not self._ready:
                self._tls.do_handshake()
                self._ready = True
            while not self._half_closed and (text := self._tls.read(_RECORD)):
                yield text
            self._receive_close()  # read returned nothing: close_notify
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._receive_close()

    def _receive_close(self) -> None:
        if not self._half_closed:
            self._half_closed = True
            if not self._inner.eof_received():
                self.close()

    def _fail(self, error: ssl.SSLError) -> None:
        """Send the alert and close. Most failures are clients that do not trust the certificate."""
        self._ended = True
        self._flush()
        self._complain(
            f"a TLS connection failed: {error.reason or error}{_suggest_fix(str(error.reason))}"
        )
        self._outer.close()

    # -- from the connection -----------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if data and not self._ended:
            with suppress(ssl.SSLError):  # the client has violated TLS; reading reports it
                self._tls.write(data)
            self._flush()

    def _flush(self) -> None:
        if self._unsent.pending and not self._outer.is_closing():
            self._outer.write(self._unsent.read())

    def _end(self) -> None:
        """Send close_notify, so that the client knows that nobody else cut the answer."""
        if not self._ended:
            self._ended = True
            if self._ready:
                # it waits for the client's close_notify, which may never come
                with suppress(ssl.SSLError):
                    self._tls.unwrap()
                self._flush()

    def write_eof(self) -> None:
        self._end()
        self._outer.write_eof()

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self._end()
        self._outer.close()

    def abort(self) -> None:
        self._ended = True
        self._outer.abort()

    def is_closing(self) -> bool:
        return self._outer.is_closing()

    def pause_reading(self) -> None:
        self._outer.pause_reading()

    def resume_reading(self) -> None:
        self._outer.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._outer.get_extra_info(name, default)


def _suggest_fix(reason: str) -> str:
    """Return the fix for a reason of OpenSSL: the client's alert names what it refuses."""
    if any(alert in reason for alert in ("UNKNOWN_CA", "BAD_CERTIFICATE", "CERTIFICATE_UNKNOWN")):
        return _TRUST
    return ""
