"""The words of an HTTP/2 connection: frame types, flags, settings and error codes (RFC 9113, sections 6 and 7).

Packs one frame and strips the padding of one. Holds no connection's state, opens no socket and looks at no clock.
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
    "number",
    "number_in",
    "unpadded",
    "unprioritised",
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

# Flags, section 6. Two names share a bit: which one is meant depends on the frame's type.
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

# Length (24 bits, as 8 and 16), type, flags, stream: section 4.1.
FRAME_HEADER: Final = Struct(">BHBBI")
SETTING: Final = Struct(">HI")
_NUMBER: Final = Struct(">I")


class Http2Fault(Exception):
    """What the client did wrong: the error code to answer with, and why in words.

    Http2Fault
    ├── ConnectionFault   the connection is lost: GOAWAY (section 5.4.1)
    └── StreamFault       only this stream is lost: RST_STREAM (section 5.4.2)
    """

    def __init__(self, error: int, why: str) -> None:
        super().__init__(error, why)
        self.error = error
        self.why = why


class ConnectionFault(Http2Fault):
    """After this the two ends no longer agree on anything: nothing more is read."""


class StreamFault(Http2Fault):
    """The stream of the frame being read is lost; its neighbours go on."""


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame. The payload must fit the receiver's SETTINGS_MAX_FRAME_SIZE."""
    length = len(payload)
    return FRAME_HEADER.pack(length >> 16, length & 0xFFFF, kind, flags, stream) + payload


def number(value: int) -> bytes:
    """The four octets that RST_STREAM, WINDOW_UPDATE and GOAWAY carry."""
    return _NUMBER.pack(value)


def number_in(payload: bytes) -> int:
    """What `number` packed."""
    return int.from_bytes(payload, "big")


def expect_size(name: str, payload: bytes, size: int) -> None:
    """Frames of a fixed size have no other (section 4.2)."""
    if len(payload) != size:
        raise ConnectionFault(FRAME_SIZE_ERROR, f"expected {name} of {size} octets, found {len(payload)}")


def unpadded(payload: bytes) -> bytes:
    """What a frame with the PADDED flag carries (section 6.1)."""
    if not payload:
        raise ConnectionFault(FRAME_SIZE_ERROR, "expected a pad length, found an empty payload")
    padding = payload[0]
    if padding >= len(payload):
        raise ConnectionFault(PROTOCOL_ERROR, f"expected padding within {len(payload)} octets, found {padding}")
    return payload[1 : len(payload) - padding]


def unprioritised(payload: bytes) -> bytes:
    """What is left of a HEADERS payload after the fields of its PRIORITY flag, which are ignored (section 5.3.2)."""
    if len(payload) < 5:
        raise ConnectionFault(FRAME_SIZE_ERROR, f"expected 5 octets of priority, found {len(payload)}")
    return payload[5:]
