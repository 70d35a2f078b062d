"""Header blocks: a response's fields to HPACK (RFC 7541), HPACK to a checked request head (RFC 9113, section 8).

The encoder never uses the dynamic table, nor Huffman coding, so its blocks mean the same on every connection.
Nothing here knows of frames, windows or sockets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from hpack import Decoder, HPACKError, OversizedHeaderListError
from hpack.table import HeaderTable

from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.reply import is_date
from bedtape_replayer.wire.http2.frames import (
    COMPRESSION_ERROR,
    ENHANCE_YOUR_CALM,
    PROTOCOL_ERROR,
    ConnectionFault,
    StreamFault,
)

__all__ = [
    "MAX_HEADER_LIST_SIZE",
    "Fields",
    "HeaderListTooLarge",
    "RequestDecoder",
    "RequestHead",
    "response_block",
]

Fields = tuple[tuple[bytes, bytes], ...]

# What we announce. nginx, Apache and Node stand between 8 and 64 KiB; SDKs send 1 to 3 KiB.
MAX_HEADER_LIST_SIZE: Final = 64 * 1024
# Between the two sizes the request is answered with 431. Past this one the block is not decoded to its end, which
# leaves the dynamic table unknown, so that the connection is lost (a small block can name a big entry many times).
_ABSURD_HEADER_LIST_SIZE: Final = 2 * MAX_HEADER_LIST_SIZE

# RFC 9113, section 8.2.2: what HTTP/1.1 says about its connection has no meaning here, and makes a request malformed.
_CONNECTION_SPECIFIC: Final = frozenset(
    {b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"}
)
_PSEUDO: Final = frozenset({b":method", b":scheme", b":authority", b":path"})
_NAME: Final = re.compile(rb"[^\x00-\x20A-Z\x7f-\xff:]+")  # section 8.2.1
_BAD_OCTET: Final = re.compile(rb"[\x00\r\n]")  # section 8.2.1
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")

# Signed requests never have equal blocks: the memo pays for health checks, load generators and tests with fixed
# headers (9 µs a request instead of 60, or 170 with Huffman coding), and costs the others 3 µs. So it is small.
_MAX_MEMO: Final = 256
_MAX_MEMO_BLOCK: Final = 4096


# Responses


def _integer(value: int, prefix: int, first: int) -> bytes:
    """RFC 7541, section 5.1: `value` after the high bits `first` of an octet that leaves `prefix` bits for it."""
    limit = (1 << prefix) - 1
    if value < limit:
        return bytes((first | value,))
    encoded = bytearray((first | limit,))
    value -= limit
    while value >= 128:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


_SHORT: Final = tuple(_integer(length, 7, 0) for length in range(256))
_FIELD_INDEX: Final = {field: index for index, field in enumerate(HeaderTable.STATIC_TABLE, 1)}
_NAME_INDEX: Final = {name: index for (name, _), index in reversed(_FIELD_INDEX.items())}
_DROPPED: Final = frozenset({b"connection", b"transfer-encoding", b"keep-alive"})


@lru_cache(maxsize=128)
def _status(status: int) -> bytes:
    value = b"%03d" % status
    index = _FIELD_INDEX.get((b":status", value))
    if index is not None:
        return _integer(index, 7, 0x80)
    return _integer(_NAME_INDEX[b":status"], 4, 0) + _SHORT[len(value)] + value


@lru_cache(maxsize=1024)
def _name(name: bytes) -> bytes:
    """The start of a literal without indexing (RFC 7541, section 6.2.2); empty for a name that HTTP/2 forbids."""
    name = name.lower()
    if name in _DROPPED:
        return b""
    index = _NAME_INDEX.get(name)
    if index is not None:
        return _integer(index, 4, 0)
    return b"\x00" + _integer(len(name), 7, 0) + name


# As many as there are recordings in a large suite.
@lru_cache(maxsize=8192)
def _blocks(status: int, headers: Fields) -> tuple[bytes, ...]:
    """A response's header block; in two where the present date stands between them."""
    parts, before = [_status(status)], None
    for name, value in headers:
        start = _name(name)
        if start and before is None and is_date(name, value):
            before, parts = b"".join((*parts, start)), []
        elif start:
            parts += (start, _length(value), value)
    return (b"".join(parts),) if before is None else (before, b"".join(parts))


def _length(value: bytes) -> bytes:
    length = len(value)
    return _SHORT[length] if length < 256 else _integer(length, 7, 0)


def response_block(status: int, headers: Iterable[tuple[bytes, bytes]], date: bytes = b"") -> bytes:
    """A response's header block. Names may have any case; the connection's own headers are left out.

    date: goes where the first header that waits for it has `reply.DATE`.
    """
    blocks = _blocks(status, tuple(headers))
    return blocks[0] if len(blocks) == 1 else b"".join((blocks[0], _length(date), date, blocks[1]))


# Requests


class HeaderListTooLarge(Exception):
    """The block was decoded, and is larger than MAX_HEADER_LIST_SIZE."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A well-formed request up to its body. `length` is its content-length, -1 if it gave none.

    `head` has :authority first, as `host`, if there was no host.
    """

    method: bytes
    target: bytes
    head: Head
    length: int
    expects_continue: bool


class RequestDecoder:
    """One connection's HPACK decoder, and the check that what it finds is a request.

    `memo` may be shared by connections: it is used only where a block means the same on all of them.
    """

    __slots__ = ("_decoder", "_memo", "_stateless")

    def __init__(self, memo: dict[bytes, RequestHead]) -> None:
        self._decoder = Decoder(max_header_list_size=_ABSURD_HEADER_LIST_SIZE)
        self._memo = memo
        self._stateless = False

    def table_refused(self) -> None:
        """The client acknowledged our SETTINGS_HEADER_TABLE_SIZE of 0: its next block must say so (section 4.3.1)."""
        self._decoder.max_allowed_table_size = 0

    def head(self, block: bytes) -> RequestHead:
        """Raises ConnectionFault if it is not HPACK, StreamFault if it is no request, or HeaderListTooLarge."""
        if not self._stateless:
            return _head(self._fields(block))
        memo = self._memo
        head = memo.get(block)
        if head is None:
            head = _head(self._fields(block))
            if len(block) <= _MAX_MEMO_BLOCK:
                if len(memo) >= _MAX_MEMO:
                    memo.clear()
                memo[block] = head
        return head

    def trailers(self, block: bytes) -> None:
        """Checks a trailer section, which nobody reads. Raises as `head` does."""
        for name, value in self._fields(block):
            _check(name, value)

    def skip(self, block: bytes) -> None:
        """Reads a block that nobody wants, for what it does to the dynamic table."""
        with suppress(HeaderListTooLarge):
            self._fields(block)

    def _fields(self, block: bytes) -> Sequence[tuple[bytes, bytes]]:
        decoder = self._decoder
        try:
            fields: list[tuple[bytes, bytes]] = [(n, v) for n, v in decoder.decode(block, raw=True)]
        except OversizedHeaderListError:
            raise ConnectionFault(ENHANCE_YOUR_CALM, f"header list over {_ABSURD_HEADER_LIST_SIZE} octets") from None
        except (HPACKError, IndexError, ValueError) as error:
            raise ConnectionFault(COMPRESSION_ERROR, f"expected HPACK: {error}"[:200]) from None
        # With no room in the table, and no leave to make any, a block can neither read state nor leave it behind.
        self._stateless = decoder.max_allowed_table_size == 0 and decoder.header_table_size == 0
        if sum(len(name) + len(value) for name, value in fields) + 32 * len(fields) > MAX_HEADER_LIST_SIZE:
            raise HeaderListTooLarge
        return fields


def _head(fields: Sequence[tuple[bytes, bytes]]) -> RequestHead:
    pseudo: dict[bytes, bytes] = {}
    headers: list[tuple[bytes, bytes]] = []
    for field in fields:
        name, value = field
        if name in _PSEUDO:
            if headers or name in pseudo or _bad(value):
                raise _malformed(f"{name.decode()} twice, after a header, or with a bad value")
            pseudo[name] = value
        else:
            _check(name, value)
            headers.append(field)
    return _request(pseudo, headers)


def _request(pseudo: dict[bytes, bytes], headers: list[tuple[bytes, bytes]]) -> RequestHead:
    method, target = pseudo.get(b":method"), pseudo.get(b":path")
    if not method or not target or b":scheme" not in pseudo or method == b"CONNECT":
        # Section 8.3.1. CONNECT (8.5) has neither scheme nor path, and asks for a tunnel, which we never are.
        raise _malformed("expected :method, :scheme and :path")
    values = dict(headers)
    authority = pseudo.get(b":authority")
    if authority and b"host" not in values:
        headers.insert(0, (b"host", authority))
    expects_continue = values.get(b"expect", b"").lower() == b"100-continue"
    return RequestHead(method, target, Head.of(headers), _content_length(headers), expects_continue)


def _content_length(headers: Iterable[tuple[bytes, bytes]]) -> int:
    lengths = {value for name, value in headers if name == b"content-length"}
    if not lengths:
        return -1
    length = lengths.pop()
    if lengths or not _LENGTH.fullmatch(length):
        raise _malformed("expected one content-length, a number")
    return int(length)


def _check(name: bytes, value: bytes) -> None:
    """A regular field, as sections 8.2.1 and 8.2.2 want it; a pseudo-header that we do not know fails here too."""
    if not _NAME.fullmatch(name) or _bad(value):
        raise _malformed(f"header {name[:80]!r}")
    if name in _CONNECTION_SPECIFIC or (name == b"te" and value != b"trailers"):
        raise _malformed(f"header {name!r} belongs to HTTP/1.1")


def _bad(value: bytes) -> bool:
    """Section 8.2.1. One expression for both would look at every octet twice: 12 µs a request, not 3."""
    return _BAD_OCTET.search(value) is not None or value.strip(b" \t") != value


def _malformed(why: str) -> StreamFault:
    return StreamFault(PROTOCOL_ERROR, f"malformed request: {why}")
