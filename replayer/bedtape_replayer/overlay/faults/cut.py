"""The place in an answer where it ends too early: after so many events, then so many bytes more.

A whole body is one event. A place beyond the answer's end is at its end. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from bedtape_replayer.answering.reply import Piece

__all__ = ["truncate_pieces"]


def truncate_pieces(pieces: Iterable[Piece], events: int, more: int) -> Iterator[Piece]:
    """What comes before the place."""
    for piece in pieces:
        if events:
            events -= 1
            yield piece
        elif more:
            yield replace(piece, data=piece.data[:more])
            more -= min(more, len(piece.data))
