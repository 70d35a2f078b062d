"""What keeps a recording from being made.

RecorderError
├── GateShut      the user has not said that real calls may be made
└── ExtraMissing  mitmproxy is not installed
"""

from __future__ import annotations

__all__ = ["ExtraMissing", "GateShut", "RecorderError"]


class RecorderError(Exception):
    """Whatever keeps a recording from being made; the message says what fixes it."""


class GateShut(RecorderError):
    """Real calls cost money, so they are only made where the user has said so."""


class ExtraMissing(RecorderError):
    """The proxy is an extra: most who replay never record."""
