"""Truncates an answer after a number of events and a number of bytes of the next event.

A body that is not a stream is one event. A place after the end of the answer is its end. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from bedtape_replayer.answering.reply import Piece

__all__ = ["truncate_pieces"]


def truncate_pieces(pieces: Iterable[Piece], events: int, more: int) -> Iterator[Piece]:
    """Yields the pieces before the place."""
    for piece in pieces:
        if events:
            events -= 1
            yield piece
        elif more:
            yield replace(piece, data=piece.data[:more])
            more -= min(more, len(piece.data))
