"""The SETTINGS that the server sends and reads, and their limits (RFC 9113, section 6.5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bedtape_replayer.wire.http2.frames import (
    ACK,
    SETTING,
    SETTINGS,
    WINDOW_UPDATE,
    ConnectionFault,
    ErrorCode,
    Setting,
    frame,
    pack_number,
)
from bedtape_replayer.wire.http2.headers import MAX_HEADER_LIST_SIZE
from bedtape_replayer.wire.http2.streams import STREAM_WINDOW

# The limit is far above an SDK's connection pool, and low enough that all open requests of a
# connection fit in memory. nghttp2 uses 100.
MAX_STREAMS: Final = 1000
CONNECTION_WINDOW: Final = 16 << 20
MAX_SETTINGS: Final = 32  # per frame, as in nghttp2

# A header table of size 0 makes the client's header blocks independent of each other; see
# `RequestDecoder`.
GREETING: Final = frame(
    SETTINGS,
    0,
    0,
    SETTING.pack(Setting.HEADER_TABLE_SIZE, 0)
    + SETTING.pack(Setting.MAX_CONCURRENT_STREAMS, MAX_STREAMS)
    + SETTING.pack(Setting.INITIAL_WINDOW_SIZE, STREAM_WINDOW)
    + SETTING.pack(Setting.MAX_HEADER_LIST_SIZE, MAX_HEADER_LIST_SIZE),
) + frame(WINDOW_UPDATE, 0, 0, pack_number(CONNECTION_WINDOW - 65535))
SETTINGS_ACK: Final = frame(SETTINGS, ACK, 0)


def read_settings(payload: bytes) -> Iterator[tuple[int, int]]:
    """Yield the (name, value) pairs of a SETTINGS frame.

    Raises `ConnectionFault` if the frame is malformed or too long.
    """
    if len(payload) % SETTING.size:
        raise ConnectionFault(
            ErrorCode.FRAME_SIZE, f"expected SETTINGS of 6 octets each, found {len(payload)}"
        )
    if len(payload) > MAX_SETTINGS * SETTING.size:
        raise ConnectionFault(
            ErrorCode.ENHANCE_YOUR_CALM, f"more than {MAX_SETTINGS} settings in a frame"
        )
    return SETTING.iter_unpack(payload)
