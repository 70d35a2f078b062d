"""The recorded conversations that a session plays: which are being played, and which were played to
their end.

The recording of a request is known from the request. The recording of a conversation is known from
its events, so it counts when the conversation ends, and not when it begins. The recording of a
conversation that ends early counts as not played.
"""

from __future__ import annotations

from collections.abc import Sequence

from bedtape_cassettes.model import Events, Interaction
from bedtape_replayer.answering.duplex.conversation import Conversation
from bedtape_replayer.answering.duplex.turns import RecordedScript
from bedtape_replayer.answering.match import IndexedRecording


def is_conversation(interaction: Interaction) -> bool:
    """Whether the events of the client decide what is answered. An error at the head is no
    conversation.
    """
    return interaction.request.events is not None and isinstance(interaction.response.body, Events)


class RecordedConversations:
    """The recordings of conversations of one session, by their files.

    played: the recordings that were played to their end, and the errors that were answered.
    """

    def __init__(self) -> None:
        self.played: dict[str, None] = {}
        self._running: list[Conversation] = []

    def order(self, queue: Sequence[IndexedRecording], *, strict: bool) -> list[IndexedRecording]:
        """Return the recordings in the order in which they are tried.

        Recordings that were not played come first, in recorded order. Then, unless strict, the last
        recording repeats. A recording that another conversation plays now comes later, because
        parallel conversations play different recordings.
        """
        now = {each.script.file for each in self._running}
        rest = [each for each in queue if each.interaction.file not in self.played]
        rest.sort(key=lambda each: each.interaction.file in now)  # stable
        if strict:
            return rest
        return [*rest, *(each for each in reversed(queue) if each.interaction.file in self.played)]

    def begin(self, conversation: Conversation, script: RecordedScript, *, strict: bool) -> None:
        """Count a conversation as running. strict: whether a recording plays once."""
        self._running.append(conversation)
        if strict:
            script.is_taken = lambda file: self._is_taken(file, script)

    def _is_taken(self, file: str, script: RecordedScript) -> bool:
        others = (each.script for each in self._running if each.script is not script)
        return file in self.played or any(each.began and each.file == file for each in others)

    def end(self, conversation: Conversation) -> None:
        """Count the recording of a conversation that is over, if it was played to its end."""
        if conversation in self._running:
            self._running.remove(conversation)
            if conversation.complete and not conversation.passed_on:
                self.played[conversation.script.file] = None
