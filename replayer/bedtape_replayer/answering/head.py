"""A request's headers as lines, read when somebody asks: to parse twenty costs more than to answer. No sockets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

__all__ = ["Head"]


class Head:
    """raw: the header lines, each ended by CR LF, behind one CR LF.

    version: of the HTTP that it came over; in HTTP/2's heads names are in lower case.
    """

    __slots__ = ("_is_packed", "_lowercase", "raw", "version")

    def __init__(self, raw: bytes, version: Literal["HTTP/1.1", "HTTP/2"] = "HTTP/1.1") -> None:
        self.raw = raw
        self.version = version
        self._lowercase: bytes | None = None
        self._is_packed = False

    @classmethod
    def of(cls, pairs: Iterable[tuple[bytes, bytes]]) -> Head:
        """One of HTTP/2, from names and values."""
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

    def pack(self) -> None:
        """Lets go of what can be made again, for good: for those who keep ten thousand."""
        self._is_packed, self._lowercase = True, None

    def get(self, name: str) -> str | None:
        """The value of the first header with this lower-case name."""
        at = self.lowercase.find(b"\r\n%b:" % name.encode())
        if at < 0:
            return None
        start = at + len(name) + 3
        return self.raw[start : self.raw.index(b"\r\n", start)].strip(b" \t").decode("latin-1")

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """All headers, in wire order."""
        lines = (line.partition(":") for line in self.raw.decode("latin-1").split("\r\n") if line)
        return tuple((name, value.strip(" \t")) for name, _, value in lines)

    @property
    def size(self) -> int:
        """The bytes that it keeps in memory once it is packed, about."""
        return len(self.raw)
