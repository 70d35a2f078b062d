"""HTTP/2 frame types, flags, settings and error codes (RFC 9113, sections 6 and 7).

The functions pack a frame and strip the padding of a payload. The module has no state.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

__all__ = [
    "ACK",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONTINUATION",
    "DATA",
    "END_HEADERS",
    "END_STREAM",
    "ENHANCE_YOUR_CALM",
    "FLOW_CONTROL_ERROR",
    "FRAME_HEADER",
    "FRAME_SIZE_ERROR",
    "GOAWAY",
    "HEADERS",
    "INTERNAL_ERROR",
    "MAX_WINDOW",
    "NO_ERROR",
    "PADDED",
    "PING",
    "PREFACE",
    "PRIORITY",
    "PRIORITY_FLAG",
    "PROTOCOL_ERROR",
    "PUSH_PROMISE",
    "REFUSED_STREAM",
    "RST_STREAM",
    "SETTING",
    "SETTINGS",
    "SETTINGS_ENABLE_PUSH",
    "SETTINGS_HEADER_TABLE_SIZE",
    "SETTINGS_INITIAL_WINDOW_SIZE",
    "SETTINGS_MAX_CONCURRENT_STREAMS",
    "SETTINGS_MAX_FRAME_SIZE",
    "SETTINGS_MAX_HEADER_LIST_SIZE",
    "STREAM_CLOSED",
    "WINDOW_UPDATE",
    "ConnectionFault",
    "Http2Fault",
    "StreamFault",
    "expect_size",
    "frame",
    "pack_number",
    "strip_padding",
    "strip_priority",
    "unpack_number",
]

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

# Settings, section 6.5.2.
SETTINGS_HEADER_TABLE_SIZE: Final = 1
SETTINGS_ENABLE_PUSH: Final = 2
SETTINGS_MAX_CONCURRENT_STREAMS: Final = 3
SETTINGS_INITIAL_WINDOW_SIZE: Final = 4
SETTINGS_MAX_FRAME_SIZE: Final = 5
SETTINGS_MAX_HEADER_LIST_SIZE: Final = 6

# Error codes, section 7.
NO_ERROR: Final = 0
PROTOCOL_ERROR: Final = 1
INTERNAL_ERROR: Final = 2
FLOW_CONTROL_ERROR: Final = 3
STREAM_CLOSED: Final = 5
FRAME_SIZE_ERROR: Final = 6
REFUSED_STREAM: Final = 7
CANCEL: Final = 8
COMPRESSION_ERROR: Final = 9
ENHANCE_YOUR_CALM: Final = 11

MAX_WINDOW: Final = (1 << 31) - 1  # section 6.9.1

# Length (24 bits, as 8 and 16), type, flags and stream: section 4.1.
FRAME_HEADER: Final = Struct(">BHBBI")
SETTING: Final = Struct(">HI")
_NUMBER: Final = Struct(">I")


class Http2Fault(Exception):
    """A protocol error of the client. error: the error code of the answer. reason: an explanation.

    Http2Fault
    ├── ConnectionFault   ends the connection with GOAWAY (section 5.4.1)
    └── StreamFault       ends one stream with RST_STREAM (section 5.4.2)
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


def expect_size(name: str, payload: bytes, size: int) -> None:
    """Raise `ConnectionFault` if a frame of fixed size has a different size (section 4.2)."""
    if len(payload) != size:
        raise ConnectionFault(FRAME_SIZE_ERROR, f"expected {name} of {size} octets, found {len(payload)}")


def strip_padding(payload: bytes) -> bytes:
    """Return the payload of a frame with the PADDED flag, without its padding (section 6.1)."""
    if not payload:
        raise ConnectionFault(FRAME_SIZE_ERROR, "expected a pad length, found an empty payload")
    padding = payload[0]
    if padding >= len(payload):
        raise ConnectionFault(PROTOCOL_ERROR, f"expected padding within {len(payload)} octets, found {padding}")
    return payload[1 : len(payload) - padding]


def strip_priority(payload: bytes) -> bytes:
    """Return a HEADERS payload without the fields of its PRIORITY flag.

    The server ignores the priority fields (section 5.3.2).
    """
    if len(payload) < 5:
        raise ConnectionFault(FRAME_SIZE_ERROR, f"expected 5 octets of priority, found {len(payload)}")
    return payload[5:]
