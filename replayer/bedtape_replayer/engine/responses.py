"""The state of the Responses API: answers that a client reads again, continues, cancels or deletes.

The state belongs to a session and ends with the session.

bedrock-mantle keeps an answer unless the request has `"store": false`. A request with
`"background": true` is answered at once with the status `queued`; reading it then gives
`in_progress`, and then the answer. A client that streams such an answer can read the stream again
(`?stream=true`), after an event (`starting_after`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import parse_qs

from bedtape_cassettes.addresses import RUNTIME
from bedtape_cassettes.families.content import Message, Prompt, ToolUse, Turn
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.shared.response_objects import (
    change_state,
    list_items,
    measure_events,
    read_input_items,
    read_response,
    skip_events,
)
from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.model import Body, Events, JsonValue, Response
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.memory import Memory
from bedtape_replayer.overlay.faults.error_response import Failure

OPERATIONS = ("GetResponse", "DeleteResponse", "CancelResponse", "ListInputItems")
# Clients choose how many answers they keep.
_MOST = 10_000
# The memory of an answer's objects: a part that each answer has, and a multiple of
# the bytes of its JSON.
_STORED_BYTES, _JSON_FACTOR = 5_000, 5


@dataclass(slots=True)
class _StoredAnswer:
    """A kept answer.

    layer: the id of the rule that answered. value: the JSON of the answer. prompt: the conversation
    with the answer. items: the input. states: the states that a client reads before the answer, in
    order. size: in memory, in bytes. stream: the answer, if its events can be read again.
    """

    layer: str
    value: dict[str, JsonValue]
    prompt: Prompt
    items: list[JsonValue]
    states: list[str]
    size: int
    stream: Response | None = None
    deleted: bool = False


class Responses:
    """The answers of one session, by id. The oldest is dropped first. memory: counts them."""

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory or Memory()
        self._stored: dict[str, _StoredAnswer] = {}

    def __bool__(self) -> bool:
        """Whether an answer is kept."""
        return bool(self._stored)

    def clear(self) -> None:
        """Drop all answers."""
        self._memory.used -= sum(stored.size for stored in self._stored.values())
        self._stored.clear()

    def dump(self) -> tuple[tuple[object, ...], ...]:
        """Return the answers as tuples, to be loaded by another server."""
        return tuple(
            (name, *(getattr(each, field.name) for field in fields(each)))
            for name, each in self._stored.items()
        )

    def load(self, answers: Iterable[tuple[Any, ...]]) -> None:
        """Replace the answers by those of another server."""
        self.clear()
        self._stored = {name: _StoredAnswer(*members) for name, *members in answers}
        self._memory.used += sum(stored.size for stored in self._stored.values())

    def continue_conversation(self, call: Call) -> Call:
        """Return the call with the earlier conversation that its `previous_response_id` names."""
        previous = self._stored.get(_read_previous(call) or "") if self._stored else None
        return call if previous is None else replace(call, earlier=previous.prompt)

    def find_refusal(self, call: Call) -> Response | None:
        """Return the error for a call that continues an answer which was not kept;
        None for every other call.

        A session that has kept no answer cannot know the answers of
        recordings, and refuses nothing.
        """
        previous = _read_previous(call)
        stored = self._stored.get(previous or "")
        if previous is None or not self._stored or (stored is not None and not stored.deleted):
            return None
        message = f"Previous response with id '{previous}' not found."
        return Failure("previous_response_not_found", message, 400).build_response(
            call.dialect, call.service
        )

    def keep(self, call: Call, response: Response, layer: str) -> Response:
        """Keep an answer, and return what is sent: it, or the state of a background answer."""
        request = call.json
        if call.operation != "Responses" or response.status != 200 or not isinstance(request, dict):
            return response
        value = read_response(response)
        name = value.get("id")
        background = request.get("background") is True and call.named_service != RUNTIME
        if not isinstance(name, str) or request.get("store") is False:
            return response
        if len(self._stored) >= _MOST:
            self._remove(next(iter(self._stored)))
        self._remove(name)
        waiting = background and isinstance(response.body, Body)
        prompt = _join(call.prompt, content_of("Responses", call.model, response))
        states = ["in_progress"] if waiting else []
        size = _STORED_BYTES + _JSON_FACTOR * len(call.body) + 8 * len(prompt.turns)
        stream = response if background and isinstance(response.body, Events) else None
        if stream is not None:
            size += measure_events(stream)
        self._stored[name] = _StoredAnswer(
            layer, value, prompt, read_input_items(request, name), states, size, stream
        )
        self._memory.used += size
        return _respond(change_state(value, "queued")) if waiting else response

    def _remove(self, name: str) -> None:
        if (stored := self._stored.pop(name, None)) is not None:
            self._memory.used -= stored.size

    def answer(self, call: Call) -> tuple[str, Response] | None:
        """Return the rule and the answer for an operation on a kept answer, or None."""
        if call.operation not in OPERATIONS or not self._stored:
            return None
        path, _, query = call.path.partition("?")
        name = path.rsplit("/responses/")[-1].partition("/")[0]
        stored = self._stored.get(name)
        if stored is None:
            return None
        if stored.deleted:
            failure = Failure(
                "ResourceNotFoundException", f"Response with id '{name}' not found.", 404
            )
            return stored.layer, failure.build_response(call.dialect, call.service)
        match call.operation:
            case "DeleteResponse":
                stored.deleted = True
                return stored.layer, _respond({"id": name, "object": "response", "deleted": True})
            case "ListInputItems":
                return stored.layer, _respond(list_items(stored.items, parse_qs(query)))
            case "CancelResponse":
                return stored.layer, self._cancel(stored, call)
        given = parse_qs(query)
        if given.get("stream") == ["true"]:
            return stored.layer, _stream(stored, given, call)
        state = stored.states.pop(0) if stored.states else None
        return stored.layer, _respond(change_state(stored.value, state) if state else stored.value)

    def _cancel(self, stored: _StoredAnswer, call: Call) -> Response:
        if stored.value.get("background") is not True:
            failure = Failure("ValidationException", "Cannot cancel a synchronous response.", 400)
            return failure.build_response(call.dialect, call.service)
        if stored.states:
            stored.value, stored.states = change_state(stored.value, "cancelled"), []
        return _respond(stored.value)


def _stream(stored: _StoredAnswer, query: dict[str, list[str]], call: Call) -> Response:
    """Return the stream of an answer again, after the event that the query names."""
    if stored.stream is None:
        # OpenAI's guide to background mode has the condition; the message is not recorded.
        message = (
            "This response cannot be streamed. Create it with background=true and stream=true."
        )
        return Failure("ValidationException", message, 400).build_response(
            call.dialect, call.service
        )
    after = query.get("starting_after", [""])[0]
    return skip_events(stored.stream, int(after[:9])) if after.isdecimal() else stored.stream


def _read_previous(call: Call) -> str | None:
    if call.operation != "Responses" or not isinstance(call.json, dict):
        return None
    previous = call.json.get("previous_response_id")
    return previous if isinstance(previous, str) else None


def _respond(value: dict[str, JsonValue]) -> Response:
    return Response(200, (("content-type", "application/json"),), Body("json", compact(value)))


def _join(prompt: Prompt, content: object) -> Prompt:
    """Return the conversation with the answer as the last turn."""
    if not isinstance(content, Message):
        return prompt
    calls = tuple(block for block in content.blocks if isinstance(block, ToolUse))
    return Prompt(turns=(*prompt.turns, Turn("assistant", content.text, calls=calls)))
