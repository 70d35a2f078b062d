"""The event loop to serve on: uvloop's where there is one, else asyncio's own, which does the same at half the speed."""

from __future__ import annotations

import asyncio

try:
    import uvloop
except ImportError:  # it is not made for Windows or PyPy
    uvloop = None  # type: ignore[assignment]

__all__ = ["new_event_loop"]


def new_event_loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop() if uvloop is None else uvloop.new_event_loop()
