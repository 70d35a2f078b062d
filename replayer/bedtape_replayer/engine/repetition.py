"""Finds answers that equal requests get again, so that the server need not look for them."""

from __future__ import annotations

from typing import cast

from bedtape_cassettes.operations import DUPLEX, TOKEN_COUNTS
from bedtape_replayer.answering.answer import Answer
from bedtape_replayer.answering.binding import ECHOED
from bedtape_replayer.answering.library import Library
from bedtape_replayer.engine.session_state import Sessions, SessionState
from bedtape_replayer.overlay.rule_answers import RuleMatch
from bedtape_replayer.overlay.schedule import Counter

# The answers to these operations depend on more than the request, or change more than counters.
_OTHER = frozenset({*ECHOED, *DUPLEX, *TOKEN_COUNTS, "Responses"})


class Repetition:
    """An answer that equal requests get again until something changes that it depends on.

    That is the layers and the settings of the session, and the recordings of the server, whose
    owner drops all repetitions when it changes them.

    answer: to an earlier request. session: of the requests. name: by which the requests name it.
    encoded: the bytes that a wire sends before and after the date.
    """

    __slots__ = (
        "_cassette",
        "_counter",
        "_finder",
        "_key",
        "_own",
        "_strict",
        "answer",
        "encoded",
        "name",
        "session",
        "size",
    )

    def __init__(
        self, answer: Answer, session: SessionState, name: str, counter: Counter | None, key: bytes
    ) -> None:
        self.answer, self.session, self.name = answer, session, name
        self.encoded: tuple[bytes, bytes] = (b"", b"")
        self.size = 0
        self._own, self._cassette, self._strict = session.library, session.cassette, session.strict
        self._finder = session.layers.candidates
        # What counts another call: a rule's counter, or else the position of the match key.
        self._counter, self._key = counter, key

    def count(self, sessions: Sessions) -> int:
        """Count another equal call. Return its number in the session, or 0 if its answer may be
        another one; then nothing is counted.
        """
        session = sessions.get(self.name)
        if (
            session is not self.session
            or session.layers.candidates is not self._finder
            or session.library is not self._own
            or session.cassette is not self._cassette
            or session.strict is not self._strict
            or session.speed is not None
            or session.select is not None
            or (session.responses and self.answer.call.dialect == "openai")
        ):
            return 0
        session.calls += 1
        counter = self._counter
        if counter is None:
            session.play_again(self._key)
        else:
            counter.matched += 1
            counter.fired += 1
        return session.calls


def find_repetition(
    answer: Answer, sessions: Sessions, name: str, library: Library, *, strict: bool
) -> Repetition | None:
    """Return the answer for equal requests; None if they may get another one, or change more.

    name: of the session in the request. strict: whether the server plays each recording once.
    """
    call, session = answer.call, sessions.find(name)
    if (
        session is None
        or session.generation != call.generation
        or answer.faults
        or answer.edits
        or answer.simulated
        or answer.speed is not None
        or call.operation in _OTHER
        or call.earlier is not None
        or call.method == "HEAD"
    ):
        return None
    layers, index = session.layers, session.index(library)
    key = index.key(call)
    if answer.source == "rule":
        kept = call.findings.answer
        if kept is None or cast(RuleMatch, kept[2]).reply is not answer.reply or not answer.by:
            return None
        if not layers.answers_alike(call, answer.by):
            return None
        counter = layers.get_counter(answer.by)
        return Repetition(answer, session, name, counter, key)
    queue = index.queue(key)
    if (
        answer.source != "cassette"
        or not 0 < len(queue) <= session.count_played(key)
        or queue[-1].interaction.response is not answer.response
        or answer.by != queue[-1].interaction.file
        or (strict if session.strict is None else session.strict)
        or not layers.answers_alike(call, None)
    ):
        return None
    return Repetition(answer, session, name, None, key)
