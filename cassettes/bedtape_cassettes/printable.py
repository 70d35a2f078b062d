"""Text of recordings and requests, fit for a terminal. Pure."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str) -> str:
    """One line that steers no terminal: whatever is no printable character is shown as its escape."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
