"""Replies of the control API that are not known when they start, and the interface
of those who watch calls.

The stream of events is a reply that goes on until its client leaves.
Server-sent events are its format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from bedtape_cassettes.format.bodies import SERVER_SENT
from bedtape_replayer.answering.answer import Answer, Outcome, Progress
from bedtape_replayer.answering.reply import DATE, Reply
from bedtape_replayer.answering.steps import Step


class Watcher(Protocol):
    """Receives what happens to calls, in the server's thread, so it must return quickly."""

    def follow(self, progress: Progress, answer: Answer) -> None:
        """An answer is being sent: it begins, goes on, or is another server's now."""

    def end(self, outcome: Outcome, *, kept: bool) -> None:
        """A call is over. kept: whether a history contains it; its session may be gone."""

    def check_sessions(self) -> None:
        """Sessions were made or dropped, or histories have dropped calls."""


class Feed(Iterator[Step], Protocol):
    """The steps of a reply that goes on: `Start`, `Send`, and `Await` while there is nothing."""

    def open(self, wake: Callable[[], object]) -> None:
        """Begin. wake: is called when the next step after an `Await` is known."""

    def close(self) -> None:
        """End, because the client has left. It may be called twice."""


@dataclass(frozen=True, eq=False)
class LiveReply(Reply):
    """A reply whose pieces are not known when it starts."""

    feed: Feed = field(kw_only=True)


@dataclass(frozen=True, eq=False)
class DelayedReply(Reply):
    """A reply that takes long. work: makes it, in a thread, so that other clients do not wait."""

    work: Callable[[], Reply] = field(kw_only=True)


def build_delayed_reply(work: Callable[[], Reply]) -> DelayedReply:
    """Build the reply that `work` is to make."""
    return DelayedReply(500, (), (), streamed=False, work=work)


def build_live_reply(feed: Feed) -> LiveReply:
    """Build the reply that sends a feed of server-sent events."""
    kind, framing = (b"Content-Type", SERVER_SENT.encode()), (b"Transfer-Encoding", b"chunked")
    headers = (
        (b"Date", DATE),
        kind,
        framing,
        (b"Connection", b"keep-alive"),
        (b"Cache-Control", b"no-store"),
    )
    return LiveReply(200, headers, (), streamed=True, feed=feed)


def render_event(name: str, data: bytes) -> bytes:
    """Render an event. data: JSON without line breaks."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)
