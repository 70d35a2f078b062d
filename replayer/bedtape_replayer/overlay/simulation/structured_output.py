"""Structured output: answers that match the schema of a request.

Sources: docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html (the members of each
API, the supported schemas, an error for others) and platform.claude.com/docs/en/build-with-claude/
structured-outputs (an answer that ends early or refuses may not match). The service lets no other
answer of the model through, so a rule with another answer is a mistake of the test.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import orjson

from bedtape_cassettes.families.content import Message, Refusal, ToolUse
from bedtape_cassettes.families.requests.output_schema import (
    OutputSchema,
    list_tool_schemas,
    read_output_schema,
)
from bedtape_cassettes.format.json_schema import problems, render_value
from bedtape_cassettes.model import JsonValue, Response
from bedtape_replayer.overlay.simulation.context import Context, Feature
from bedtape_replayer.overlay.simulation.schemas.rules import find_malformed, find_refusal

_PREFIX = "The model returned the following errors: "
# The stop reasons of answers that are complete. Other answers may not match.
_COMPLETE = ("end_turn", "tool_use")


class Mismatch(ValueError):
    """The answer of a rule does not match the schema of the request."""


@dataclass(frozen=True, slots=True)
class StructuredOutput(Feature):
    """check_answers: whether answers of rules must match. check_schemas: whether schemas that the
    service does not support are refused.
    """

    check_answers: bool = True
    check_schemas: bool = True

    def refuse(self, context: Context) -> Response | None:
        """Return the error for a schema that the service does not support."""
        if not self.check_schemas:
            return None
        text = find_refusal([each for each in _list_schemas(context) if not each.any_object])
        if text is None:
            return None
        by_converse = (context.call.operation or "").startswith("Converse")
        return context.refuse(
            f"{_PREFIX if by_converse else ''}{text}", f"structured_output: refused: {text}"
        )

    def change(self, message: Message, context: Context) -> Message:
        """Return the message. Raises Mismatch if a rule gives it and it matches no schema."""
        if not (self.check_answers and context.source == "rule") or message.stop not in _COMPLETE:
            return message
        wrong = [
            line for each in _list_schemas(context) for line in _find_mismatches(message, each)
        ]
        if wrong:
            raise Mismatch(
                f"{'; '.join(wrong)}. The service gives no such answer: change it, use"
                " `schema: auto`, or set structured_output: false in `simulate` to test it"
            )
        return message


def _list_schemas(context: Context) -> Iterator[OutputSchema]:
    schema = read_output_schema(context.body)
    if schema is not None:
        yield schema
    yield from list_tool_schemas(context.body, strict=True)


def _find_mismatches(message: Message, wanted: OutputSchema) -> Iterator[str]:
    calls = [block for block in message.blocks if isinstance(block, ToolUse)]
    if wanted.tool is not None:
        for call in calls:
            if call.name == wanted.tool:
                yield from _describe(call.input, wanted, f"the input of the tool {call.name}")
    elif not calls and not any(isinstance(block, Refusal) for block in message.blocks):
        try:
            value: JsonValue = orjson.loads(message.text)
        except orjson.JSONDecodeError:
            yield f"its text must be JSON ({wanted.place}), found {render_value(message.text)}"
        else:
            yield from _describe(value, wanted, "its text")


def _describe(value: JsonValue, wanted: OutputSchema, what: str) -> Iterator[str]:
    if find_malformed(wanted.schema):
        return
    try:
        wrong = problems(value, cast(dict[str, Any], wanted.schema))
    except (NotImplementedError, RecursionError):  # the service would have refused the schema
        return
    if wrong:
        yield f"{what} does not match {wanted.place}: {', '.join(map(str, wrong))}"
