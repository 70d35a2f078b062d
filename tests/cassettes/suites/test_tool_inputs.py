"""A tool input that is set is the input that the answer's own reader returns, in
every form of every sample.
"""

import json
from pathlib import Path
from random import Random

import pytest

import bedtape_cassettes
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.families.content import Message, Reasoning, Text, ToolUse
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.rendering import render
from bedtape_cassettes.format.json_view import read_values
from bedtape_cassettes.model import Body, Interaction, JsonValue, Request
from bedtape_cassettes.storage import store
from bedtape_cassettes.suites.tool_inputs import list_tool_calls, with_tool_input
from support.corpus import every, needs_corpus
from support.recordings import converse

SAMPLES = [
    i
    for c in store.read([Path(bedtape_cassettes.__file__).parent / "samples"])
    for i in c.interactions
]
VALUES: list[JsonValue] = [
    {},
    {"town": 'Rome "Æ"', "days": [1, 2.5, None]},
    {"long": "rain " * 200},
]


def inputs(interaction: Interaction) -> list[JsonValue]:
    content = content_of(interaction.operation, interaction.model, interaction.response)
    return [call.input for call in list_tool_calls(content)]


@pytest.mark.parametrize("interaction", [i for i in SAMPLES if inputs(i)], ids=lambda i: i.file)
def test_the_input_of_each_tool_call_changes_alone(interaction: Interaction) -> None:
    before = inputs(interaction)
    for number in range(len(before)):
        for value in VALUES:
            changed = with_tool_input(interaction, number, value)
            assert inputs(changed) == [*before[:number], value, *before[number + 1 :]]


STREAMS = {
    "ConverseStream": ("converse-stream", "us.amazon.nova-lite-v1:0"),
    "InvokeModelWithResponseStream": (
        "invoke-with-response-stream",
        "anthropic.claude-haiku-4-5-20251001-v1:0",
    ),
    "ChatCompletions": ("/v1/chat/completions", "openai.gpt-oss-20b"),
    "Responses": ("/v1/responses", "openai.gpt-5.4"),
    "Messages": ("/anthropic/v1/messages", "anthropic.claude-haiku-4-5"),
}


def make_stream(operation: str) -> Interaction:
    """A stream with reasoning, a text and two calls of tools."""
    path, model = STREAMS[operation]
    path = path if path.startswith("/") else f"/model/{model}/{path}"
    body = json.dumps({"model": model, "messages": [], "input": "Oslo?", "stream": True}).encode()
    calls = (ToolUse("weather", {"town": "Oslo"}), ToolUse("clock", {"town": "Oslo"}))
    content = Message((Reasoning("Hm."), Text("I look."), *calls), "tool_use")
    response = render(content, operation=operation, model=model, body=body, chance=Random(1))
    request = Request("POST", path, (), Body("json", body))
    return Interaction(operation, model, request, response, file="made")


@pytest.mark.parametrize("operation", STREAMS)
def test_streams_of_all_apis(operation: str) -> None:
    interaction = make_stream(operation)
    before = inputs(interaction)
    for number in (0, 1):
        for value in VALUES:
            changed = with_tool_input(interaction, number, value)
            assert inputs(changed) == [*before[:number], value, *before[number + 1 :]]


@pytest.mark.parametrize("number", [0, 1])
def test_the_pieces_of_responses_are_the_input(number: int) -> None:
    """Its last event repeats the arguments, and a client reads the pieces before it."""
    value: JsonValue = {"town": "Rome", "days": [1, 2]}
    changed = with_tool_input(make_stream("Responses"), number, value)
    pieces: dict[str, str] = {}
    for event in read_values(changed.response.body):
        if isinstance(event, dict) and event["type"] == "response.function_call_arguments.delta":
            item = str(event["item_id"])
            pieces[item] = pieces.get(item, "") + str(event["delta"])
        elif isinstance(event, dict) and event["type"] == "response.function_call_arguments.done":
            assert event["arguments"] == pieces[str(event["item_id"])]
    assert [json.loads(text) for text in pieces.values()] == inputs(changed)
    assert inputs(changed)[number] == value


@pytest.mark.corpus
@needs_corpus
@pytest.mark.slow
def test_recorded_tool_calls_change_or_are_refused() -> None:
    """Most can be set. What cannot be set consistently is refused."""
    done, refused = 0, 0
    for row in every():
        interaction = row.interaction()
        for number, _ in enumerate(inputs(interaction)):
            try:
                changed = with_tool_input(interaction, number, {"a": "b"})
            except CassetteError:
                refused += 1
            else:
                assert inputs(changed)[number] == {"a": "b"}
                done += 1
    assert done > 20 * refused


@pytest.mark.parametrize(
    ("number", "problem"),
    [(None, "expected one tool call, found none"), (1, "expected the tool call 1, found none")],
)
def test_an_answer_without_tool_calls_is_refused(number: int | None, problem: str) -> None:
    with pytest.raises(CassetteError, match=problem):
        with_tool_input(converse("a", "b"), number, {})
