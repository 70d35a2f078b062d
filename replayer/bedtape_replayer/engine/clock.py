"""The virtual clock of quotas. A test moves it with `advance`, so no test waits for a quota."""

from __future__ import annotations


class Clock:
    """Seconds since the server started. The value changes when a test calls `advance`."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = 0.0

    def advance(self, seconds: float) -> None:
        """Add seconds to the clock. Raises ValueError for a negative or infinite number."""
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"expected seconds from 0, found {seconds}")
        self.now += seconds
