"""Errors that prevent a recording.

RecorderError
├── GateError      the user did not allow real calls
└── MissingExtra  mitmproxy is not installed
"""

from __future__ import annotations


class RecorderError(Exception):
    """Base class of errors that prevent a recording. The message contains the fix."""


class GateError(RecorderError):
    """The environment does not allow real calls, which cost money."""


class MissingExtra(RecorderError):
    """mitmproxy is not installed. It is an extra, because replay does not need it."""
