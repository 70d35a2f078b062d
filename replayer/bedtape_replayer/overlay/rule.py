"""A rule: the calls that it answers and its answers, independent of operation and model family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from traceback import extract_tb
from typing import Any, TypeAlias

from bedtape_cassettes.families.content import Content, Embeddings, Images, Json, Message, Ranking, Text
from bedtape_cassettes.families.dependencies import Reads
from bedtape_cassettes.families.family import JsonObject, RenderError
from bedtape_cassettes.families.reading import prompt_of
from bedtape_cassettes.families.rendering import render
from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.model import Response
from bedtape_replayer.answering.call import Call
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.raw import Raw
from bedtape_replayer.overlay.schedule import ALWAYS, Schedule
from bedtape_replayer.overlay.when import ANY, When

# A user's function returns text, a JSON object (sent as text), content, an error, or None to pass the call on.
Computed: TypeAlias = Callable[[Call], Content | Failure | Raw | str | dict[str, Any] | None]
Given: TypeAlias = Content | Failure | Raw | Computed


@dataclass(frozen=True, slots=True)
class Rule:
    """id: the name in reports and counters. answers: used in order; the last answer repeats.

    family: the model family to render for if the model id does not identify it. document: the rule as JSON.
    """

    id: str
    answers: tuple[Given, ...]
    when: When = ANY
    schedule: Schedule = ALWAYS
    family: str | None = None
    document: JsonObject = field(default_factory=dict)

    def position(self, fired: int) -> int:
        """Returns the position of the next answer, from 0, after the rule has answered `fired` calls."""
        return min(fired, len(self.answers) - 1)

    def compute(self, position: int, call: Call) -> Content | Failure | Raw | None:
        """Returns the content of the answer at a position, or `None` if it is a function that returns `None`.

        Raises RenderError if the function raises an exception.
        """
        given = self.answers[position]
        if not callable(given):
            return given
        try:
            return _convert_returned(given(call))
        except RenderError:
            raise
        except Exception as error:
            raise RenderError(f"its function raised {type(error).__name__}: {error} ({_locate(error)})") from error

    def take(self, reads: Reads, call: Call) -> tuple[object, ...] | None:
        """Returns the parts of a call that the rule's answer reads, or None if it cannot serve another call."""
        if self.family is None and call.earlier is None:
            return reads.take(call.outline_json, call.prompt)
        return reads.take(
            call.outline_json, prompt_of(call.operation, call.model, call.outline.data, family=self.family)
        )

    def render(self, given: Content | Failure | Raw, call: Call, chance: Random, reads: Reads) -> Response:
        """Renders content for the call. Raises RenderError if it has no form for this operation and model family.

        reads: notes the parts of the call that the answer depends on.
        """
        if isinstance(given, Failure):
            return given.build_response(call.dialect, call.service)
        if isinstance(given, Raw):
            return given.build_response()
        if call.operation is None:
            raise RenderError(f"{call.method} {call.target.path} is no operation of Bedrock's; give the body (`raw`)")
        return render(
            given,
            operation=call.operation,
            model=call.model,
            body=call.body,
            chance=chance,
            family=self.family,
            service=call.service,
            reads=reads,
        )


def _locate(error: Exception) -> str:
    """Returns the file and line that raised the error: `test_mail.py:12`."""
    last = extract_tb(error.__traceback__)[-1]
    return f"{last.filename}:{last.lineno}"


def _convert_returned(returned: object) -> Content | Failure | Raw | None:
    """Converts the return value of a user's function. `None` means that the rule does not answer the call.

    Raises RenderError for another type, TypeError for an object that is not JSON, and ValueError for text or a number that
    cannot be sent.
    """
    match returned:
        case str():
            returned.encode()  # raises UnicodeEncodeError
            return Message((Text(returned),))
        case dict():
            compact(returned)  # raises TypeError
            return Message((Json(returned),))
        case None | Message() | Embeddings() | Images() | Ranking() | Failure() | Raw():
            return returned
    raise RenderError(f"expected its function to return text, an object, content or None, found {returned!r}")
