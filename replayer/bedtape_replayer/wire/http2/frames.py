"""HTTP/2 frame types, flags, settings and error codes (RFC 9113, sections 6 and 7).

The functions pack a frame and strip the padding of a payload. The module has no state.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

# Frame types, section 6.
DATA: Final = 0
HEADERS: Final = 1
PRIORITY: Final = 2
RST_STREAM: Final = 3
SETTINGS: Final = 4
PUSH_PROMISE: Final = 5
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9

# Flags, section 6. END_STREAM and ACK share a bit, which the frame type disambiguates.
END_STREAM: Final = 0x01
ACK: Final = 0x01
END_HEADERS: Final = 0x04
PADDED: Final = 0x08
PRIORITY_FLAG: Final = 0x20

MAX_WINDOW: Final = (1 << 31) - 1  # section 6.9.1

# Length (24 bits, as 8 and 16), type, flags and stream: section 4.1.
FRAME_HEADER: Final = Struct(">BHBBI")
SETTING: Final = Struct(">HI")
_NUMBER: Final = Struct(">I")


class Setting(IntEnum):
    """The names of SETTINGS, section 6.5.2."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class ErrorCode(IntEnum):
    """The codes of RST_STREAM and GOAWAY, section 7."""

    NO_ERROR = 0
    PROTOCOL = 1
    INTERNAL = 2
    FLOW_CONTROL = 3
    STREAM_CLOSED = 5
    FRAME_SIZE = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION = 9
    ENHANCE_YOUR_CALM = 11


class Http2Fault(Exception):
    """A protocol error of the client. error: the error code of the answer. reason: an explanation.

    Http2Fault ├── ConnectionFault ends the connection with GOAWAY (section 5.4.1) └── StreamFault
    ends one stream with RST_STREAM (section 5.4.2)
    """

    def __init__(self, error: int, reason: str) -> None:
        super().__init__(error, reason)
        self.error = error
        self.reason = reason


class ConnectionFault(Http2Fault):
    """An error after which client and server no longer share a state. No more frames are read."""


class StreamFault(Http2Fault):
    """An error that ends the stream of the current frame. Other streams continue."""


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Pack one frame. The payload must fit the receiver's SETTINGS_MAX_FRAME_SIZE."""
    length = len(payload)
    return FRAME_HEADER.pack(length >> 16, length & 0xFFFF, kind, flags, stream) + payload


def pack_number(value: int) -> bytes:
    """Pack the value as the four octets that RST_STREAM, WINDOW_UPDATE and GOAWAY contain."""
    return _NUMBER.pack(value)


def unpack_number(payload: bytes) -> int:
    """Return the value that `pack_number` packed."""
    return int.from_bytes(payload, "big")


def expect_no_stream(what: str, stream: int) -> None:
    """Raise ConnectionFault for a frame of the whole connection that has a stream."""
    if stream:
        raise ConnectionFault(ErrorCode.PROTOCOL, f"expected {what} on stream 0, found {stream}")


def expect_size(name: str, payload: bytes, size: int) -> None:
    """Raise `ConnectionFault` if a frame of fixed size has a different size (section 4.2)."""
    if len(payload) != size:
        raise ConnectionFault(
            ErrorCode.FRAME_SIZE, f"expected {name} of {size} octets, found {len(payload)}"
        )


def strip_padding(payload: bytes) -> bytes:
    """Return the payload of a frame with the PADDED flag, without its padding (section 6.1)."""
    if not payload:
        raise ConnectionFault(ErrorCode.FRAME_SIZE, "expected a pad length, found an empty payload")
    padding = payload[0]
    if padding >= len(payload):
        raise ConnectionFault(
            ErrorCode.PROTOCOL, f"expected padding within {len(payload)} octets, found {padding}"
        )
    return payload[1 : len(payload) - padding]


def strip_priority(payload: bytes) -> bytes:
    """Return a HEADERS payload without the fields of its PRIORITY flag.

    The server ignores the priority fields (section 5.3.2).
    """
    if len(payload) < 5:
        raise ConnectionFault(
            ErrorCode.FRAME_SIZE, f"expected 5 octets of priority, found {len(payload)}"
        )
    return payload[5:]
