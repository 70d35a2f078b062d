"""Errors that prevent a recording.

RecorderError
├── GateShut      the user did not allow real calls
└── ExtraMissing  mitmproxy is not installed
"""

from __future__ import annotations


class RecorderError(Exception):
    """Base class of errors that prevent a recording. The message contains the fix."""


class GateShut(RecorderError):
    """The environment does not allow real calls, which cost money."""


class ExtraMissing(RecorderError):
    """mitmproxy is not installed. It is an extra, because replay does not need it."""
