"""The answer `schema: auto`: a value of the request's schema, made for each call."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bedtape_cassettes.families.content import Json, Message
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.requests.output_schema import (
    OutputSchema,
    list_tool_schemas,
    read_output_schema,
)
from bedtape_replayer.answering.call import Call
from bedtape_replayer.overlay.simulation.schemas.rules import find_malformed
from bedtape_replayer.overlay.simulation.schemas.values import NoValue, generate_value


@dataclass(frozen=True, slots=True)
class SchemaAnswer:
    """message: the other parts of the answer. A block `Json` stands for the value."""

    message: Message

    def fill(self, call: Call, seed: bytes) -> Message:
        """Return the answer to a call. Raises RenderError if the call has no schema.

        The value is the input of the tool that the request forces the model to call, or the text.
        """
        wanted = _find_schema(call)
        if wanted is None:
            raise RenderError(
                "`schema: auto` needs a schema for the text (outputConfig.textFormat,"
                " output_config.format, response_format, text.format) or a tool that the request"
                " forces the model to call; it has neither, so give the answer (`json`)"
            )
        try:
            if problem := find_malformed(wanted.schema):
                raise NoValue(problem)
            value = generate_value(wanted.schema, seed)
        except NoValue as error:
            raise RenderError(
                f"`schema: auto` makes no value for {wanted.place}: {error}; give the answer"
                " (`json`)"
            ) from None
        blocks = tuple(
            replace(block, value=value) if isinstance(block, Json) else block
            for block in self.message.blocks
        )
        return replace(self.message, blocks=blocks)


def _find_schema(call: Call) -> OutputSchema | None:
    body = call.json if isinstance(call.json, dict) else {}
    if tool := call.prompt.must_call:
        schemas = list_tool_schemas(body, strict=False)
        return next((each for each in schemas if each.tool == tool), None)
    return read_output_schema(body)
