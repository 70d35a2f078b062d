"""The Responses API of bedrock-mantle: requests and token counts. Answers are neither rendered nor read."""

from __future__ import annotations

from bedtape_cassettes.families.content import Content, Prompt
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest, RenderError
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.shared import chat, json_access
from bedtape_cassettes.model import JsonValue


def _prompt(body: JsonObject) -> Prompt:
    """Convert the request to a Chat Completions request, and read that."""
    inputs = body.get("input")
    turns: list[JsonValue] = (
        inputs if isinstance(inputs, list) else [{"role": "user", "content": json_access.text(inputs)}]
    )
    system: list[JsonValue] = [{"role": "system", "content": json_access.text(body, "instructions")}]
    return chat.prompt(
        {
            **body,
            "messages": [*(system if body.get("instructions") else []), *turns],
            "max_tokens": body.get("max_output_tokens"),
        }
    )


def _render(content: Content, request: ModelRequest) -> JsonObject:  # noqa: ARG001 - a family's signature
    raise RenderError(
        "bedtape cannot render answers of the Responses API; give the body as it goes over the wire (`raw`)"
    )


def _read(body: JsonObject) -> Content:  # noqa: ARG001 - a family's signature
    raise ValueError("expected an answer in a known form, found one of the Responses API")


RESPONSES = Family(
    name="responses",
    models=(),
    answers=(),
    prompt=_prompt,
    render=_render,
    read=_read,
    # The last event of a stream holds the whole response with its counts.
    members=Members(
        input=("usage.input_tokens", "response.usage.input_tokens"),
        output=("usage.output_tokens", "response.usage.output_tokens"),
        total=("usage.total_tokens", "response.usage.total_tokens"),
    ),
)
