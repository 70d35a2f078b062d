"""Makes the server's event loop: uvloop's if it is installed, otherwise asyncio's, which has half the speed."""

from __future__ import annotations

import asyncio

try:
    import uvloop
except ImportError:  # uvloop does not support Windows and PyPy
    uvloop = None  # type: ignore[assignment]


def new_event_loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop() if uvloop is None else uvloop.new_event_loop()
