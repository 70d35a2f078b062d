"""The route that streams what happens to calls, as server-sent events, and the
summaries of calls in it.

A stream begins with all sessions and the calls in their histories. A client that reads too slowly
loses its stream: it gets the event `lost`, and can ask for a new stream, which begins with all
calls again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.format.json_schema import Schema
from bedtape_cassettes.format.schema_parts import make_count
from bedtape_cassettes.model import JsonValue
from bedtape_cassettes.redaction.scrub import scrub_path, scrub_text
from bedtape_replayer.answering.answer import Answer, Outcome, Progress
from bedtape_replayer.answering.steps import Await, Finish, Send, Start, Step
from bedtape_replayer.api.route import ApiRequest
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.engine.live import LiveReply, build_live_reply, render_event
from bedtape_replayer.engine.session_state import SessionState
from bedtape_replayer.history.json_safe import make_json_safe
from bedtape_replayer.history.record import Record

# Calls that wait for a client that reads slowly, and the bytes of their requests and answers, which
# no history may count any more. With more, the client loses its stream.
_WAITING, _WAITING_BYTES = 2_000, 64 * 1024 * 1024
# Calls in one part. Reading them takes a few milliseconds, and the server answers other
# requests between two parts.
_PART = 100
# Characters of a path, prompt or answer in a summary.
_SHOWN = 400
# Times of events in a summary.
_MARKS = 60
# Recordings whose content is kept, because many calls get the same recording.
_CONTENTS = 1_000
_MICRO = 1_000_000

_Content: TypeAlias = tuple[str | None, str | None, str | None]
# By the identity of the body of a recording: the body, and the error, its message and the text.
Contents: TypeAlias = dict[int, tuple[object, _Content]]

EVENTS_QUERY: dict[str, Schema] = {
    "session": {"type": "string", "description": "Only the calls of this session."},
    "since": make_count(
        "Of the calls that have ended, only calls that ended later; microseconds since 1970.",
        0,
        2**53 - 1,
    ),
}


def events_of(request: ApiRequest) -> LiveReply:
    query = request.conditions(EVENTS_QUERY)
    return build_live_reply(
        EventStream(request.engine, query.get("session"), query.get("since", 0))
    )


class EventStream(Iterator[Step]):
    """A `Feed` for one client: first what is, then what happens.

    session: the name of the only session to tell of, or `None` for all. since: see `EVENTS_QUERY`.
    waiting: the number of calls that may wait for the client.
    """

    def __init__(
        self, engine: Engine, session: str | None = None, since: int = 0, waiting: int = _WAITING
    ) -> None:
        self._engine = engine
        self._session = session
        self._since = since
        self._limit = waiting
        self._wake: Callable[[], object] | None = None
        self._steps = self._iterate()
        self._awaiting = self._lost = False
        self._contents: Contents = {}
        self._known: dict[str, dict[str, JsonValue]] = {}
        self._counts = (-1, -1)
        self._unchecked = True
        self._touched: set[str] = set()
        # The calls in histories when the stream began.
        self._backlog: deque[Outcome] = deque()
        self._ended: deque[Outcome] = deque()
        self._ended_bytes = 0
        # The sessions and numbers of calls that no history contains.
        self._gone: deque[tuple[str, int]] = deque()
        self._following: dict[Progress, Answer] = {}

    def __next__(self) -> Step:
        return next(self._steps)

    def open(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._engine.watchers.add(self)

    def close(self) -> None:
        self._engine.watchers.discard(self)
        self._wake = None
        self._clear()

    def _clear(self) -> None:
        self._backlog.clear()
        self._ended.clear()
        self._ended_bytes = 0
        self._gone.clear()
        self._following.clear()
        self._touched.clear()

    # -- what the engine reports -------------------------------------------------------------------

    def follow(self, progress: Progress, answer: Answer) -> None:
        if self._session in (None, answer.call.session) and not self._lost:
            self._following[progress] = answer
            self._report()

    def end(self, outcome: Outcome, *, kept: bool) -> None:
        answer = outcome.answer
        if self._session not in (None, answer.call.session) or self._lost:
            return
        if outcome.progress is not None:
            self._following.pop(outcome.progress, None)
        if kept:
            self._ended.append(outcome)
            self._ended_bytes += _measure(outcome)
            self._touched.add(answer.call.session)
        else:
            self._gone.append((answer.call.session, answer.call.number))
        # a quick reader gets any one call
        too_large = self._ended_bytes > _WAITING_BYTES and len(self._ended) > 1
        if too_large or len(self._ended) + len(self._gone) > self._limit:
            self._lost = True
            self._clear()
        self._report()

    def check_sessions(self) -> None:
        self._unchecked = True
        self._report()

    def _report(self) -> None:
        """Wake the player, once for all that happens before it takes the next step."""
        if self._awaiting and self._wake is not None:
            self._awaiting = False
            self._wake()

    # -- what the client gets ----------------------------------------------------------------------

    def _iterate(self) -> Iterator[Step]:
        yield Start()
        self._clear()  # the histories contain it
        sessions = self._list_sessions()
        self._backlog.extend(sorted(self._iterate_backlog(sessions), key=end_micros))
        self._following.update(
            (progress, answer)
            for progress, answer in self._engine.running.items()
            if self._session in (None, answer.call.session)
        )
        yield Send(b"".join(self._render_sessions(sessions)))
        del sessions  # the stream may go on after their end
        while self._backlog:
            yield Send(self._render_ended(_take_part(self._backlog)))
        yield Send(render_event("ready", b"{}"))
        while not self._lost:
            data = b"".join(self._take())
            if not data:
                self._awaiting = True
            yield Send(data) if data else Await()
        yield Send(render_event("lost", b"{}"))
        yield Finish()

    def _iterate_backlog(self, sessions: Sequence[SessionState]) -> Iterator[Outcome]:
        for session in sessions:
            for outcome in session.history.iterate_newest(self._since / _MICRO):
                if end_micros(outcome) > self._since:
                    yield outcome

    def _take(self) -> Iterator[bytes]:
        """Yield the events that are due, at most a part of the calls that have ended."""
        if ended := _take_part(self._ended):
            self._ended_bytes -= sum(map(_measure, ended))
            yield self._render_ended(ended)
            # Their sessions are sent again, because the calls may be forgotten already.
            self._known.update((outcome.answer.call.session, {}) for outcome in ended)
        while self._gone:
            session, number = self._gone.popleft()
            yield _render("gone", {"session": session, "number": number})
        if self._unchecked:
            yield from self._render_sessions(self._list_sessions())
        elif self._touched:
            named = (self._engine.sessions.find(name) for name in self._touched)
            yield from self._render_sessions(
                [each for each in named if each is not None], some=True
            )
        following, self._following = self._following, {}
        for progress, answer in following.items():
            yield _render("running", render_running(answer, progress))

    def _list_sessions(self) -> tuple[SessionState, ...]:
        sessions = dict.fromkeys(self._engine.sessions)  # a session may have two names
        return tuple(each for each in sessions if self._session in (None, each.name))

    def _render_sessions(
        self, sessions: Sequence[SessionState], *, some: bool = False
    ) -> Iterator[bytes]:
        """Yield an event with the changed sessions. some: whether there are more sessions."""
        now = {each.name: render_session(each) for each in sessions}
        changed: list[JsonValue] = [
            summary for name, summary in now.items() if self._known.get(name) != summary
        ]
        removed = [] if some else [name for name in self._known if name not in now]
        counts = (self._engine.memory.forgotten, self._engine.sessions.dropped)
        self._unchecked = self._unchecked and some
        self._touched.clear()
        if changed or removed or counts != self._counts:
            self._counts = counts
            self._known = {**self._known, **now} if some else now
            value = {
                "sessions": changed,
                "removed": make_json_safe(removed),
                "forgotten": counts[0],
            }
            yield _render("sessions", {**value, "dropped": counts[1]})

    def _render_ended(self, outcomes: Sequence[Outcome]) -> bytes:
        return b"".join(
            _render("ended", render_row(Record(outcome), self._contents)) for outcome in outcomes
        )


def _take_part(outcomes: deque[Outcome]) -> list[Outcome]:
    """Remove the first outcomes, and return them."""
    return [outcomes.popleft() for _ in range(min(_PART, len(outcomes)))]


def _measure(outcome: Outcome) -> int:
    """Return the bytes of the request and of the answer."""
    return len(outcome.answer.call.body) + outcome.answer.reply.size


def _render(name: str, value: JsonValue) -> bytes:
    try:
        data = compact(value)
    except ValueError:  # half of a surrogate pair, or a number that JSON does not have
        data = compact(make_json_safe(value))
    return render_event(name, data)


# -- summaries -------------------------------------------------------------------------------------


def end_micros(outcome: Outcome) -> int:
    """The end of the call in microseconds since 1970."""
    return round((outcome.began + outcome.seconds) * _MICRO)


def render_session(session: SessionState) -> dict[str, JsonValue]:
    """Return the summary of a session. oldest: the end of the first call in the history."""
    oldest = session.history.oldest
    return {
        "name": make_json_safe(session.name),
        "calls": len(session.history),
        "forgotten": session.history.forgotten,
        "oldest": None if oldest is None else end_micros(oldest),
    }


def render_row(record: Record, contents: Contents | None = None) -> dict[str, JsonValue]:
    """Return a call's summary. contents: keeps what recordings contain, between summaries."""
    outcome = record.outcome
    error, message, text = _read_content(record, contents)
    times = outcome.progress.times if outcome.progress is not None else ()
    return {
        "session": record.session,
        "number": record.number,
        "ended": end_micros(outcome),
        "began": record.began,
        "seconds": record.seconds,
        "operation": record.operation or f"{record.method} {record.path[:_SHOWN]}",
        "model": record.model,
        "status": record.status,
        "error": error,
        "source": record.source,
        "by": record.by,
        "faults": len(record.faults),
        "invocation": record.invocation_id,
        "attempt": record.attempt,
        "prompt": _shorten(record.last_prompt),
        "answer": _shorten(text or (message if outcome.answer.miss is None else None) or ""),
        "id": record.request_id,
        "events": record.events if outcome.answer.reply.streamed else None,
        "hung_up": record.hung_up,
        "marks": _sample(times) if times else [],
    }


def _read_content(record: Record, contents: Contents | None) -> _Content:
    """Return the error, its message and the text of the answer.

    Calls that got the same recording share all three.
    """
    answer = record.outcome.answer
    shared = (
        contents is not None
        and answer.source == "cassette"
        and not answer.faults
        and record.outcome.started
    )
    body = answer.reply.owner
    if shared and contents is not None and (held := contents.get(id(body))) is not None:
        return held[1]
    content = (record.error, record.message, record.text)
    if shared and contents is not None:
        if len(contents) >= _CONTENTS:
            contents.clear()
        contents[id(body)] = (body, content)  # the body stays, so that its id is not used again
    return content


def _shorten(text: str) -> str:
    # in this order, because a part of a secret would not be recognised
    return scrub_text(text)[:_SHOWN]


def _sample(times: Sequence[float]) -> list[JsonValue]:
    """Return at most `_MARKS` of the times, with the first and the last, in milliseconds."""
    count = min(len(times), _MARKS)
    return [
        round(times[at * (len(times) - 1) // max(1, count - 1)] * 1000, 1) for at in range(count)
    ]


def render_running(answer: Answer, progress: Progress) -> dict[str, JsonValue]:
    """Return the summary of a call whose answer is being sent, as far as it is known."""
    call = answer.call
    return {
        "session": call.session,
        "number": call.number,
        "began": progress.began,
        "operation": call.operation or f"{call.method} {scrub_path(call.path)[:_SHOWN]}",
        "model": call.model,
        "status": answer.reply.status,
        "source": answer.source,
        "by": answer.by,
        "faults": len(answer.faults),
        "invocation": call.invocation_id,
        "attempt": call.attempt,
        "prompt": _shorten(call.prompt.last),
        "events": len(progress.times) if answer.reply.streamed else None,
        "marks": _sample(progress.times),
    }
