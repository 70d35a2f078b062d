"""The event loop to serve on: uvloop's where there is one, else asyncio's own, which does the same at half the speed."""

from __future__ import annotations

import asyncio

try:
    from uvloop import new_event_loop
except ImportError:  # not made for Windows or PyPy
    new_event_loop = asyncio.new_event_loop

__all__ = ["new_event_loop"]
