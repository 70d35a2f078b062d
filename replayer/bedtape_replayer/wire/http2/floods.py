"""Limits the work that one HTTP/2 client can cause without sending requests.

Every method whose name begins with count_ counts one frame and raises `ConnectionFault` with
ENHANCE_YOUR_CALM above its limit. There is no clock. The limits grow with the number of served
requests, as in Envoy, so a connection in use can live forever.
"""

from __future__ import annotations

from typing import Final

from bedtape_replayer.wire.http2.frames import ConnectionFault, ErrorCode

# PING and SETTINGS floods (CVE-2019-9512, CVE-2019-9515): acknowledgements that wait for the
# writer. nghttp2 keeps 1,000.
MAX_WAITING_ACKS: Final = 1000
# Rapid reset (CVE-2023-44487) and "MadeYouReset" (CVE-2025-8671), in which the client's errors make
# the server reset streams. nghttp2 allows a burst of 1,000, Envoy 500. The higher limit is used
# because a test of timeouts cancels all of its requests.
MAX_RESETS: Final = 1000
# Consecutive empty DATA frames (CVE-2019-9518). Envoy allows 1; some clients flush with an empty
# frame.
MAX_EMPTY_FRAMES: Final = 100
# PRIORITY (CVE-2019-9513) and other ignored frames, for every opened stream. Envoy uses the same
# value.
MAX_IGNORED_PER_STREAM: Final = 100
# WINDOW_UPDATE: Envoy allows 5, plus 2 for every stream and 20 for every sent DATA frame. A higher
# start value costs nothing.
MAX_WINDOW_UPDATES: Final = 1000
MAX_WINDOW_UPDATES_PER_STREAM: Final = 2
MAX_WINDOW_UPDATES_PER_DATA: Final = 20


class Floods:
    """The counters of one connection.

    opened_streams, served_requests: the limits grow with both numbers. The connection increments
        them.
    """

    __slots__ = (
        "_acks",
        "_empty",
        "_ignored",
        "_resets",
        "_window_updates",
        "opened_streams",
        "served_requests",
    )

    def __init__(self) -> None:
        self.opened_streams = 0
        self.served_requests = 0
        self._acks = 0
        self._empty = 0
        self._ignored = 0
        self._resets = 0
        self._window_updates = 0

    def clear_acks(self) -> None:
        """Reset the number of waiting acknowledgements, because the writer has sent all of them."""
        self._acks = 0

    def count_ack(self) -> None:
        """Count an acknowledgement of PING or SETTINGS."""
        self._acks += 1
        if self._acks > MAX_WAITING_ACKS:
            raise ConnectionFault(
                ErrorCode.ENHANCE_YOUR_CALM,
                f"more than {MAX_WAITING_ACKS} PING or SETTINGS wait for an answer",
            )

    def count_reset(self) -> None:
        """Count a stream that ended early, by the client's RST_STREAM or by its error."""
        self._resets += 1
        if self._resets > MAX_RESETS + self.served_requests:
            raise ConnectionFault(
                ErrorCode.ENHANCE_YOUR_CALM,
                f"{self._resets} streams reset, {self.served_requests} requests served",
            )

    def count_data(self, size: int) -> None:
        """Count a DATA frame that does not end its stream."""
        self._empty = 0 if size else self._empty + 1
        if self._empty > MAX_EMPTY_FRAMES:
            raise ConnectionFault(
                ErrorCode.ENHANCE_YOUR_CALM, f"{self._empty} empty DATA frames in a row"
            )

    def count_ignored(self) -> None:
        """Count a frame without effect: PRIORITY, an unknown type, a late RST_STREAM."""
        self._ignored += 1
        if self._ignored > MAX_IGNORED_PER_STREAM * (1 + self.opened_streams):
            raise ConnectionFault(
                ErrorCode.ENHANCE_YOUR_CALM, f"{self._ignored} frames that change nothing"
            )

    def count_window_update(self, sent: int) -> None:
        """Count a WINDOW_UPDATE that arrived after the server had sent `sent` DATA frames."""
        self._window_updates += 1
        earned = (
            MAX_WINDOW_UPDATES_PER_STREAM * self.opened_streams + MAX_WINDOW_UPDATES_PER_DATA * sent
        )
        if self._window_updates > MAX_WINDOW_UPDATES + earned:
            raise ConnectionFault(
                ErrorCode.ENHANCE_YOUR_CALM,
                f"{self._window_updates} WINDOW_UPDATE, {sent} DATA sent",
            )
