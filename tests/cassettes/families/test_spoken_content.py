"""Conversations with Nova Sonic are read as content."""

from typing import Any

import pytest

from bedtape_cassettes.families.content import Message, Text, ToolResult, ToolUse, Turn
from bedtape_cassettes.families.reading import read_prompt
from bedtape_cassettes.families.requests.spoken_content import (
    read_spoken_answer,
    read_spoken_prompt,
)
from support.duplex import OPERATION, SETUP, audio_content, text_content, tool_result

TOOLS = [{"toolSpec": {"name": "weather"}}, {"toolSpec": {}}, 1]


def wrap(*events: Any) -> list[Any]:
    return [{"event": event} for event in events]


def test_what_the_client_wrote_is_the_prompt() -> None:
    prompt = read_spoken_prompt(
        wrap(
            {"sessionStart": {"inferenceConfiguration": {"maxTokens": 9, "topP": 0.5}}},
            {"promptStart": {"toolConfiguration": {"tools": TOOLS}}},
            *text_content("SYSTEM", "Be kind."),
            *audio_content(2),
            *text_content("ASSISTANT", "Hello!", "b"),
            *text_content("USER", "Does it rain?", "d"),
            *tool_result("t1", {"rain": True}),
        )
    )
    assert (prompt.system, prompt.max_tokens, prompt.top_p) == ("Be kind.", 9, 0.5)
    assert prompt.tools == ("weather", "", "")
    assert prompt.turns == (
        Turn("assistant", "Hello!"),
        Turn("user", "Does it rain?"),
        Turn("tool", "", results=(ToolResult("t1", '{"rain": true}'),)),
    )
    assert prompt.question == "Does it rain?"


@pytest.mark.parametrize("value", [None, 1, [], {}, {"event": 1}, {"event": {"textInput": {}}}])
def test_other_values_are_no_text(value: Any) -> None:
    assert read_spoken_prompt([value]).text == ""
    assert read_spoken_answer([value]) is None


def test_the_history_keeps_the_events_as_an_object() -> None:
    events = wrap(*SETUP, *text_content("USER", "Hello?", "d"))
    prompt = read_prompt(OPERATION, None, {"events": [{**each, "at_ms": 1} for each in events]})
    assert (prompt.system, prompt.last) == ("You are kind.", "Hello?")
    assert read_prompt(OPERATION, None, {"events": 1}).text == ""


def say(text: str, stage: str, role: str = "ASSISTANT") -> list[Any]:
    fields = f'{{"generationStage":"{stage}"}}'
    start = {"contentStart": {"role": role, "additionalModelFields": fields}}
    return wrap(start, {"textOutput": {"role": role, "content": text}}, {"contentEnd": {}})


INTERRUPTED = wrap({"textOutput": {"role": "ASSISTANT", "content": '{ "interrupted" : true }'}})
TOOL = {"toolName": "weather", "toolUseId": "t1", "content": '{"city": "Oslo"}'}


@pytest.mark.parametrize(
    ("values", "blocks"),
    [
        (say("Hi", "FINAL", "USER"), None),
        ([*say("Hi!", "SPECULATIVE"), *say("Hi.", "FINAL")], [Text("Hi.")]),
        (say("Hi!", "FINAL"), [Text("Hi!")]),
        (
            [*say("A", "SPECULATIVE"), *say("B", "SPECULATIVE"), *say("a", "FINAL")],
            [Text("a"), Text("B")],
        ),
        (
            [*say("Once", "SPECULATIVE"), *INTERRUPTED, *say("Yes?", "SPECULATIVE")],
            [Text("Once"), Text("Yes?")],
        ),
        (
            [*say("Once", "SPECULATIVE"), *INTERRUPTED, *say("Yes?", "FINAL")],
            [Text("Once"), Text("Yes?")],
        ),
        (wrap({"toolUse": TOOL}), [ToolUse("weather", {"city": "Oslo"}, "t1")]),
        (wrap({"toolUse": {**TOOL, "content": "{"}}), [ToolUse("weather", "{", "t1")]),
    ],
)
def test_what_the_model_said_is_the_answer(values: list[Any], blocks: list[Any] | None) -> None:
    answer = read_spoken_answer(values)
    assert answer == (None if blocks is None else Message(tuple(blocks)))
