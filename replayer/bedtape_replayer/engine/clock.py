"""The virtual clock by which quotas count: it stands still until a test moves it, so that tests never wait."""

from __future__ import annotations

__all__ = ["Clock"]


class Clock:
    """Seconds since the server started, as tests tell it."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = 0.0

    def advance(self, seconds: float) -> None:
        """Moves it on. Raises ValueError for a way back."""
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"expected seconds from 0, found {seconds}")
        self.now += seconds
