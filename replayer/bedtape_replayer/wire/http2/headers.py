"""Encodes response headers to HPACK and decodes HPACK to request heads.

RFC 7541 defines HPACK, and RFC 9113, section 8, the rules for request heads. The encoder uses
neither the dynamic table nor Huffman coding, so an encoded block is valid on every connection.
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

from bedtape_replayer.answering.gaps import HeaderPairs
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.reply import FilledHeaders, is_date
from bedtape_replayer.wire.http2.frames import ConnectionFault, ErrorCode, StreamFault

# The size that the server announces. nginx, Apache and Node accept between 8 and 64 KiB; SDKs send
# 1 to 3 KiB.
MAX_HEADER_LIST_SIZE: Final = 64 * 1024
# Between the two sizes, the request is answered with 431. Above this size, the block is not decoded
# to its end. The state of the dynamic table is then unknown, so the connection ends. (A small block
# can refer to a large entry many times.)
_MAX_DECODED_SIZE: Final = 2 * MAX_HEADER_LIST_SIZE

# HTTP/1.1 headers about the connection make an HTTP/2 request malformed (RFC 9113, section 8.2.2).
_CONNECTION_SPECIFIC: Final = frozenset(
    {b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"}
)
_PSEUDO: Final = frozenset({b":method", b":scheme", b":authority", b":path"})
_NAME: Final = re.compile(rb"[^\x00-\x20A-Z\x7f-\xff:]+")  # section 8.2.1
_INVALID_OCTET: Final = re.compile(rb"[\x00\r\n]")  # section 8.2.1
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")

# The memo is small because two signed requests have different blocks. It helps health checks, load
# generators and tests with fixed headers: 9 µs per request instead of 60, or instead of 170 with
# Huffman coding. Other requests cost 3 µs more.
_MAX_MEMO: Final = 256
_MAX_MEMO_BLOCK: Final = 4096


# Responses


def _encode_integer(value: int, prefix: int, first: int) -> bytes:
    """Encode an integer (RFC 7541, section 5.1).

    first: the high bits of the first octet. prefix: the number of its low bits that `value` can
        use.
    """
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


_SHORT_LENGTHS: Final = tuple(_encode_integer(length, 7, 0) for length in range(256))
_FIELD_INDEX: Final = {field: index for index, field in enumerate(HeaderTable.STATIC_TABLE, 1)}
_NAME_INDEX: Final = {name: index for (name, _), index in reversed(_FIELD_INDEX.items())}
_DROPPED: Final = frozenset({b"connection", b"transfer-encoding", b"keep-alive"})


@lru_cache(maxsize=128)
def _encode_status(status: int) -> bytes:
    value = b"%03d" % status
    index = _FIELD_INDEX.get((b":status", value))
    if index is not None:
        return _encode_integer(index, 7, 0x80)
    return _encode_integer(_NAME_INDEX[b":status"], 4, 0) + _SHORT_LENGTHS[len(value)] + value


@lru_cache(maxsize=1024)
def _encode_name(name: bytes) -> bytes:
    """Encode the name of a literal without indexing (RFC 7541, section 6.2.2).

    Returns no bytes for a name that HTTP/2 forbids.
    """
    name = name.lower()
    if name in _DROPPED:
        return b""
    index = _NAME_INDEX.get(name)
    if index is not None:
        return _encode_integer(index, 4, 0)
    return b"\x00" + _encode_integer(len(name), 7, 0) + name


# The size covers the recordings of a large suite.
@lru_cache(maxsize=8192)
def _encode_blocks(status: int, headers: HeaderPairs) -> tuple[bytes, ...]:
    """Encode the header block of a response, in two parts around the current date if it has one."""
    parts, before = [_encode_status(status)], None
    for name, value in headers:
        start = _encode_name(name)
        if start and before is None and is_date(name, value):
            before, parts = b"".join((*parts, start)), []
        elif start:
            parts += (start, _encode_length(value), value)
    return (b"".join(parts),) if before is None else (before, b"".join(parts))


def _encode_length(value: bytes) -> bytes:
    length = len(value)
    return _SHORT_LENGTHS[length] if length < 256 else _encode_integer(length, 7, 0)


def encode_response(
    status: int, headers: Iterable[tuple[bytes, bytes]], date: bytes = b""
) -> bytes:
    """Encode the header block of a response.

    Names can have any case. Headers about the connection are omitted. date: replaces the first
    placeholder `reply.DATE`.
    """
    blocks: Sequence[bytes]
    if isinstance(headers, FilledHeaders):
        sample = headers.sample
        known = sample.encoded.get(status)
        if known is None:
            blocks = _encode_blocks(status, sample.headers)
            known = sample.encoded[status] = [sample.find_gaps(block) for block in blocks]
        blocks = [gaps.fill(headers.ids) for gaps in known]
    else:
        blocks = _encode_blocks(status, tuple(headers))
    return (
        blocks[0]
        if len(blocks) == 1
        else b"".join((blocks[0], _encode_length(date), date, blocks[1]))
    )


# Requests


class HeaderListTooLarge(Exception):
    """The decoded header list is larger than `MAX_HEADER_LIST_SIZE`."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """The head of a well-formed request.

    head: the headers. If there is no host header, :authority is the first header, under the name
        host.
    length: the content-length, or -1 without a content-length.
    """

    method: bytes
    target: bytes
    head: Head
    length: int
    expects_continue: bool


class RequestDecoder:
    """Decodes and checks the header blocks of one connection.

    memo: the decoded heads by header block. Connections can share it, because it contains no block
        that depends on the state of a connection.
    """

    __slots__ = ("_decoder", "_memo", "_stateless")

    def __init__(self, memo: dict[bytes, RequestHead]) -> None:
        self._decoder = Decoder(max_header_list_size=_MAX_DECODED_SIZE)
        self._memo = memo
        self._stateless = False

    def disable_table(self) -> None:
        """Disable the dynamic table after the client acknowledged SETTINGS_HEADER_TABLE_SIZE 0.

        The next header block must then declare the new size (section 4.3.1).
        """
        self._decoder.max_allowed_table_size = 0

    def decode_head(self, block: bytes) -> RequestHead:
        """Decode the head of a request.

        Raises `ConnectionFault` if the block is not HPACK, `StreamFault` if the request is
        malformed, and `HeaderListTooLarge`.
        """
        if not self._stateless:
            return _parse_head(self._decode(block))
        memo = self._memo
        head = memo.get(block)
        if head is None:
            head = _parse_head(self._decode(block))
            if len(block) <= _MAX_MEMO_BLOCK:
                if len(memo) >= _MAX_MEMO:
                    memo.clear()
                memo[block] = head
        return head

    def check_trailers(self, block: bytes) -> None:
        """Check and discard a trailer section. Raises the same errors as `decode_head`."""
        for name, value in self._decode(block):
            _check_field(name, value)

    def skip(self, block: bytes) -> None:
        """Decode and discard a block, because it can change the dynamic table."""
        with suppress(HeaderListTooLarge):
            self._decode(block)

    def _decode(self, block: bytes) -> Sequence[tuple[bytes, bytes]]:
        decoder = self._decoder
        try:
            fields: list[tuple[bytes, bytes]] = [(n, v) for n, v in decoder.decode(block, raw=True)]
        except OversizedHeaderListError:
            raise ConnectionFault(
                ErrorCode.ENHANCE_YOUR_CALM, f"header list over {_MAX_DECODED_SIZE} octets"
            ) from None
        except (HPACKError, IndexError, ValueError) as error:
            raise ConnectionFault(ErrorCode.COMPRESSION, f"expected HPACK: {error}"[:200]) from None
        # With a table of size 0 that must not grow, the meaning of a block does not depend on
        # earlier blocks.
        self._stateless = decoder.max_allowed_table_size == 0 and decoder.header_table_size == 0
        if (
            sum(len(name) + len(value) for name, value in fields) + 32 * len(fields)
            > MAX_HEADER_LIST_SIZE
        ):
            raise HeaderListTooLarge
        return fields


def _parse_head(fields: Sequence[tuple[bytes, bytes]]) -> RequestHead:
    pseudo: dict[bytes, bytes] = {}
    headers: list[tuple[bytes, bytes]] = []
    for field in fields:
        name, value = field
        if name in _PSEUDO:
            if headers or name in pseudo or _is_invalid_value(value):
                raise _make_fault(f"{name.decode()} twice, after a header, or with a bad value")
            pseudo[name] = value
        else:
            _check_field(name, value)
            headers.append(field)
    return _build_head(pseudo, headers)


def _build_head(pseudo: dict[bytes, bytes], headers: list[tuple[bytes, bytes]]) -> RequestHead:
    method, target = pseudo.get(b":method"), pseudo.get(b":path")
    if not method or not target or b":scheme" not in pseudo or method == b"CONNECT":
        # Section 8.3.1. CONNECT has no scheme and no path (section 8.5), and the server is not a
        # tunnel.
        raise _make_fault("expected :method, :scheme and :path")
    values = dict(headers)
    authority = pseudo.get(b":authority")
    if authority and b"host" not in values:
        headers.insert(0, (b"host", authority))
    expects_continue = values.get(b"expect", b"").lower() == b"100-continue"
    return RequestHead(
        method, target, Head.of(headers), _parse_content_length(headers), expects_continue
    )


def _parse_content_length(headers: Iterable[tuple[bytes, bytes]]) -> int:
    lengths = {value for name, value in headers if name == b"content-length"}
    if not lengths:
        return -1
    length = lengths.pop()
    if lengths or not _LENGTH.fullmatch(length):
        raise _make_fault("expected one numeric content-length")
    return int(length)


def _check_field(name: bytes, value: bytes) -> None:
    """Check a regular field (sections 8.2.1 and 8.2.2). Unknown pseudo-headers fail."""
    if not _NAME.fullmatch(name) or _is_invalid_value(value):
        raise _make_fault(f"header {name[:80]!r}")
    if name in _CONNECTION_SPECIFIC or (name == b"te" and value != b"trailers"):
        raise _make_fault(f"header {name!r} belongs to HTTP/1.1")


def _is_invalid_value(value: bytes) -> bool:
    """Whether a value violates section 8.2.1.

    One expression for both checks would read every octet twice: 12 µs per request instead of 3.
    """
    return _INVALID_OCTET.search(value) is not None or value.strip(b" \t") != value


def _make_fault(reason: str) -> StreamFault:
    return StreamFault(ErrorCode.PROTOCOL, f"malformed request: {reason}")
