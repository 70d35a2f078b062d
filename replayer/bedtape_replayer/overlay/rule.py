"""A rule: the calls that it answers and its answers, independent of operation and model family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from traceback import extract_tb
from typing import TypeAlias

from bedtape_cassettes.families.content import Content, Message, Prompt, ToolUse
from bedtape_cassettes.families.dependencies import Reads
from bedtape_cassettes.families.family import JsonObject, RenderError
from bedtape_cassettes.families.reading import prompt_of
from bedtape_cassettes.families.rendering import has_words_for, render
from bedtape_cassettes.model import Response
from bedtape_replayer.answering.call import Call
from bedtape_replayer.overlay.expressions import TemplatedAnswer
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.outputs.dialogue import Dialogue
from bedtape_replayer.overlay.outputs.output import Output
from bedtape_replayer.overlay.outputs.raw import Raw
from bedtape_replayer.overlay.schedule import ALWAYS, Schedule
from bedtape_replayer.overlay.simulation.features import NO_FEATURES, Features
from bedtape_replayer.overlay.simulation.schemas.answer import SchemaAnswer
from bedtape_replayer.overlay.when import ANY, When

# The operations whose requests offer tools to a model.
_OFFERING = (
    *("Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream"),
    *("ChatCompletions", "Responses", "Messages"),
)
# What an answer of a rule is before it is rendered for a call.
AnswerContent: TypeAlias = Content | Failure | Output | Raw | Dialogue | SchemaAnswer
# The kinds of answers that do not depend on the operation and the model family of a call.
FIXED = (Failure, Output, Raw, Dialogue)
# Returns the content of an answer, or None to pass the call on.
Computed: TypeAlias = Callable[[Call], AnswerContent | TemplatedAnswer | None]
Given: TypeAlias = AnswerContent | TemplatedAnswer | Computed


@dataclass(frozen=True, slots=True)
class Rule:
    """id: the name in reports and counters. answers: used in order; the last answer
    repeats, within the schedule.

    family: the model family to render for if the model id does not identify it. document: the rule
    as JSON. size: the bytes of that JSON. allows_unoffered_tools: whether answers may call tools
    that the request does not offer. needed: the number of calls after which the rule is used: of a
    script, the number of its turns.
    """

    id: str
    answers: tuple[Given, ...]
    when: When = ANY
    schedule: Schedule = ALWAYS
    family: str | None = None
    document: JsonObject = field(default_factory=dict)
    size: int = 0
    needed: int = 1
    allows_unoffered_tools: bool = False
    features: Features = NO_FEATURES

    def position(self, fired: int) -> int:
        """Returns the position of the next answer, from 0, after `fired` answered calls."""
        return min(fired, len(self.answers) - 1)

    def may_answer(self, fired: int, call: Call) -> bool:
        """Returns whether the rule acts on the call, as far as it is known before a function or
        an expression is evaluated.
        """
        given = self.answers[self.position(fired)]
        if callable(given) or isinstance(given, TemplatedAnswer):
            return True
        return self.has_words_for(given, call)

    def compute(self, fired: int, call: Call) -> AnswerContent | None:
        """Returns the content of the next answer, or `None` if it is a
        function that returns `None`.

        fired: the number of calls that the rule has answered. Raises RenderError if the function
        raises an exception, or if the call does not have the value of an expression.
        """
        given = self.answers[self.position(fired)]
        content = self._call_function(given, call) if callable(given) else given
        if isinstance(content, TemplatedAnswer):
            filled: AnswerContent = content.fill(call, fired + 1)
            return filled
        return content

    @staticmethod
    def _call_function(function: Computed, call: Call) -> AnswerContent | TemplatedAnswer | None:
        try:
            return function(call)
        except RenderError:
            raise
        except Exception as error:
            raise RenderError(
                f"its function raised {type(error).__name__}: {error} ({_locate(error)})"
            ) from error

    def has_words_for(self, content: AnswerContent, call: Call) -> bool:
        """Returns whether the rule acts on the call.

        A rule that names no operation acts on the operations with its kind of answer.
        """
        if isinstance(content, Dialogue):
            return call.known is not None and call.known.duplex
        if isinstance(content, SchemaAnswer):
            content = content.message
        if isinstance(content, FIXED) or call.operation is None or self.when.names_operations:
            return True
        return has_words_for(call.operation, content)

    def lacks_words(self, call: Call) -> bool:
        """Returns whether the rule acts on no such call, whatever the position of the answer."""
        return not any(self.may_answer(number, call) for number in range(len(self.answers)))

    def take(self, reads: Reads, call: Call) -> tuple[object, ...] | None:
        """Returns the parts of a call that the answer reads; None if it serves no other call."""
        if self.family is None and call.earlier is None:
            siblings = call.findings.siblings
            if siblings is not None and call.findings.text is not None:
                return siblings.take(reads, call)
            return reads.take(call.outline_json, call.prompt)
        return reads.take(call.outline_json, self._read_prompt(call))

    def render(self, given: AnswerContent, call: Call, chance: Random, reads: Reads) -> Response:
        """Renders content for the call.

        Raises RenderError if it has no form for this operation and model family.

        reads: notes the parts of the call that the answer depends on.
        """
        if isinstance(given, Failure):
            return given.build_response(call.dialect, call.service)
        if isinstance(given, Raw | Dialogue):
            return given.build_response()
        if isinstance(given, Output):
            return given.build_response(call)
        if isinstance(given, SchemaAnswer):
            given = given.message
        if call.operation is None:
            raise RenderError(
                f"{call.method} {call.target.path} is no operation of Bedrock's; give the body"
                " (`raw`)"
            )
        if isinstance(given, Message) and not self.allows_unoffered_tools:
            self._check_tools(given, call, reads)
        return render(
            given,
            operation=call.operation,
            model=call.model,
            body=call.body,
            chance=chance,
            family=self.family,
            service=call.service,
            reads=reads,
            path=call.path,
            header=call.head.get,
        )

    def _check_tools(self, message: Message, call: Call, reads: Reads) -> None:
        """Raises RenderError if the answer calls a tool that the request does not offer."""
        names = [block.name for block in message.blocks if isinstance(block, ToolUse)]
        if not names or call.operation not in _OFFERING:
            return
        prompt = call.prompt if self.family is None else self._read_prompt(call)
        reads.attributes["tools"] = None
        if name := next((name for name in names if name not in prompt.tools), None):
            offered = (
                f"it offers {', '.join(prompt.tools)}" if prompt.tools else "it offers no tools"
            )
            raise RenderError(
                f"the request does not offer the tool {name!r} ({offered}); correct the name, or"
                " set allow_unoffered_tools: true in the rule to test such an answer"
            )

    def _read_prompt(self, call: Call) -> Prompt:
        return prompt_of(call.operation, call.model, call.outline.data, family=self.family)


def _locate(error: Exception) -> str:
    """Returns the file and line that raised the error: `test_mail.py:12`."""
    last = extract_tb(error.__traceback__)[-1]
    return f"{last.filename}:{last.lineno}"
