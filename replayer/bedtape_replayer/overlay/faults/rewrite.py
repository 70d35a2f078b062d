"""Replaces the body of a reply and corrects its content length. Pure."""

from __future__ import annotations

from dataclasses import replace

from bedtape_cassettes.format.bodies import EVENT_STREAM, SERVER_SENT
from bedtape_replayer.answering.reply import Piece, Reply


def replace_pieces(reply: Reply, pieces: tuple[Piece, ...]) -> Reply:
    """Returns the reply with other pieces. An existing content length is set to their size."""
    length = b"%d" % sum(len(piece.data) for piece in pieces)
    headers = tuple(
        (name, length if name.lower() == b"content-length" else value)
        for name, value in reply.headers
    )
    return replace(reply, headers=headers, pieces=pieces)


def is_event_stream(reply: Reply) -> bool:
    """Returns whether the body has event-stream frames. An error before the stream has none."""
    return _content_type(reply) == EVENT_STREAM


def is_server_sent(reply: Reply) -> bool:
    """Returns whether the body consists of server-sent events."""
    return _content_type(reply) == SERVER_SENT


def _content_type(reply: Reply) -> str:
    value = next((value for name, value in reply.headers if name.lower() == b"content-type"), b"")
    return value.decode("latin-1").partition(";")[0].strip().lower()
