"""The headers of a request as lines, because parsing costs more than answering. No sockets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

_SENDER_HEADERS = ("host", "origin", "sec-fetch-site")


# The values of Host, Origin and Sec-Fetch-Site, `None` for each that a request does not have.
Sender: TypeAlias = tuple[bytes | None, bytes | None, bytes | None]


class Head:
    """The headers of a request. raw: CR LF, then the header lines, each with CR LF at its end.

    version: the HTTP version of the request. In HTTP/2, names are in lower case. known_sender: the
    sender, if the wire has read it with other headers. form: the same object for heads of one
    client that differ only in what no kept answer depends on, such as signatures and ids; `None` if
    it is not known.
    """

    __slots__ = ("_is_packed", "_lowercase", "form", "known_sender", "raw", "version")

    def __init__(self, raw: bytes, version: Literal["HTTP/1.1", "HTTP/2"] = "HTTP/1.1") -> None:
        self.raw = raw
        self.version = version
        self.known_sender: Sender | None = None
        self.form: object | None = None
        self._lowercase: bytes | None = None
        self._is_packed = False

    @classmethod
    def of(cls, pairs: Iterable[tuple[bytes, bytes]]) -> Head:
        """Creates the head of an HTTP/2 request from names and values."""
        return cls(b"\r\n" + b"".join([b"%b: %b\r\n" % pair for pair in pairs]), version="HTTP/2")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Head) and (self.raw, self.version) == (other.raw, other.version)

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"Head({self.raw!r}, version={self.version!r})"

    @property
    def lowercase(self) -> bytes:
        """The lines in lower case."""
        lowercase = self._lowercase
        if lowercase is None:
            lowercase = self.raw.lower()
            if not self._is_packed:
                self._lowercase = lowercase
        return lowercase

    @property
    def sender(self) -> Sender:
        """The headers by which the server decides whether to accept the request."""
        sender = self.known_sender
        if sender is None:
            host, origin, site = (
                None if (value := self.get(name)) is None else value.encode("latin-1")
                for name in _SENDER_HEADERS
            )
            sender = self.known_sender = (host, origin, site)
        return sender

    def pack(self) -> None:
        """Frees what was derived from the lines, because a history keeps ten thousand heads."""
        self._is_packed, self._lowercase, self.known_sender = True, None, None

    def get(self, name: str) -> str | None:
        """Returns the value of the first header with this lower-case name."""
        at = self.lowercase.find(b"\r\n%b:" % name.encode())
        if at < 0:
            return None
        start = at + len(name) + 3
        return self.raw[start : self.raw.index(b"\r\n", start)].strip(b" \t").decode("latin-1")

    def without(self, name: str, text: str) -> Head:
        """Returns the head without the headers that have this lower-case name or contain the text.

        text: ASCII.
        """
        start, part = f"{name}:".encode(), text.encode()
        lines = self.raw.split(b"\r\n")
        kept = [line for line in lines if part not in line and not line.lower().startswith(start)]
        head = Head(b"\r\n".join(kept), self.version)
        head.known_sender = self.known_sender
        return head

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """All headers, in wire order."""
        lines = (line.partition(":") for line in self.raw.decode("latin-1").split("\r\n") if line)
        return tuple((name, value.strip(" \t")) for name, _, value in lines)

    @property
    def size(self) -> int:
        """The approximate size in memory after `pack`, in bytes."""
        return len(self.raw)
