"""How much work one HTTP/2 client may cause without asking for anything.

Every method counts one frame and raises ENHANCE_YOUR_CALM past its limit. There is no clock: limits are relative to
the requests that were served, as Envoy's are, so that a connection may live for ever if it is used.
"""

from __future__ import annotations

from typing import Final

from bedtape_replayer.wire.http2.frames import ENHANCE_YOUR_CALM, ConnectionFault

__all__ = ["Floods"]

# PING and SETTINGS floods (CVE-2019-9512, CVE-2019-9515): answers that wait for the writer. nghttp2 keeps 1,000.
MAX_WAITING_ACKS: Final = 1000
# Rapid reset (CVE-2023-44487) and "MadeYouReset" (CVE-2025-8671), where the client's errors make the server reset:
# nghttp2 allows a burst of 1,000, Envoy 500. The higher one, for a test of timeouts cancels every request it makes.
MAX_RESETS: Final = 1000
# Empty DATA frames (CVE-2019-9518) in a row. Envoy allows one; some clients flush with an empty frame.
MAX_EMPTY_FRAMES: Final = 100
# PRIORITY (CVE-2019-9513) and other frames that we ignore, for every stream that was opened: Envoy's figure.
MAX_IGNORED_PER_STREAM: Final = 100
# WINDOW_UPDATE: Envoy allows 5, 2 for every stream and 20 for every DATA frame sent. A wider start costs nothing.
MAX_WINDOW_UPDATES: Final = 1000
MAX_WINDOW_UPDATES_PER_STREAM: Final = 2
MAX_WINDOW_UPDATES_PER_DATA: Final = 20


class Floods:
    """The counts of one connection.

    Streams `opened` and requests `served` earn the client patience; whoever opens or serves adds one.
    """

    __slots__ = ("_acks", "_empty", "_ignored", "_resets", "_window_updates", "opened", "served")

    def __init__(self) -> None:
        self.opened = 0
        self.served = 0
        self._acks = 0
        self._empty = 0
        self._ignored = 0
        self._resets = 0
        self._window_updates = 0

    def taken(self) -> None:
        """The writer took everything: no acknowledgement waits."""
        self._acks = 0

    def ack(self) -> None:
        """A PING or SETTINGS was answered."""
        self._acks += 1
        if self._acks > MAX_WAITING_ACKS:
            raise ConnectionFault(
                ENHANCE_YOUR_CALM, f"more than {MAX_WAITING_ACKS} PING or SETTINGS wait for an answer"
            )

    def reset(self) -> None:
        """A stream ended before its time, by the client's RST_STREAM or by its error."""
        self._resets += 1
        if self._resets > MAX_RESETS + self.served:
            raise ConnectionFault(ENHANCE_YOUR_CALM, f"{self._resets} streams reset, {self.served} requests served")

    def data(self, size: int) -> None:
        """A DATA frame arrived which did not end its stream."""
        self._empty = 0 if size else self._empty + 1
        if self._empty > MAX_EMPTY_FRAMES:
            raise ConnectionFault(ENHANCE_YOUR_CALM, f"{self._empty} empty DATA frames in a row")

    def ignored(self) -> None:
        """A frame arrived which changes nothing: PRIORITY, an unknown type, RST_STREAM after the end."""
        self._ignored += 1
        if self._ignored > MAX_IGNORED_PER_STREAM * (1 + self.opened):
            raise ConnectionFault(ENHANCE_YOUR_CALM, f"{self._ignored} frames that change nothing")

    def window_update(self, sent: int) -> None:
        """A WINDOW_UPDATE arrived, after `sent` DATA frames of ours."""
        self._window_updates += 1
        earned = MAX_WINDOW_UPDATES_PER_STREAM * self.opened + MAX_WINDOW_UPDATES_PER_DATA * sent
        if self._window_updates > MAX_WINDOW_UPDATES + earned:
            raise ConnectionFault(ENHANCE_YOUR_CALM, f"{self._window_updates} WINDOW_UPDATE, {sent} DATA sent")
