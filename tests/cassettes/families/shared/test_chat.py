"""OpenAI's chat: requests read whatever they hold, answers read in every form
that the families write.
"""

from typing import Any

import pytest
from hypothesis import given

from bedtape_cassettes.families.content import (
    Message,
    Prompt,
    Reasoning,
    Text,
    ToolResult,
    ToolUse,
    Turn,
)
from bedtape_cassettes.families.shared import chat
from bedtape_cassettes.families.table import FAMILIES
from support.native import json_objects, withstands

CALL = {"id": "one", "type": "function", "function": {"name": "add", "arguments": '{"a":2}'}}
ADD = ToolUse("add", {"a": 2}, "one")


def test_a_request() -> None:
    prompt = chat.prompt(
        {
            "messages": [
                {"role": "system", "content": "Be kind."},
                {"role": "developer", "content": [{"type": "text", "text": "Be short."}]},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Add"},
                        {"type": "image_url"},
                        {"text": "this."},
                    ],
                },
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": "one", "content": "2"},
                {
                    "role": "tool",
                    "tool_call_id": "two",
                    "name": "sub",
                    "content": [{"type": "text", "text": "3"}],
                },
                {"role": "assistant", "content": "Two."},
                {"role": "user", "content": {"text": "Thanks."}},
            ],
            "tools": [{"type": "function", "function": {"name": "add"}}, {"type": "function"}],
            "temperature": 0,
            "top_p": 0.5,
            "max_completion_tokens": 7,
            "stop": "|",
        }
    )
    assert prompt == Prompt(
        system="Be kind.\nBe short.",
        turns=(
            Turn("user", "Add\nthis."),
            Turn("assistant", "", calls=(ADD,)),
            Turn("tool", "", (ToolResult("one", "2"),)),
            Turn("tool", "", (ToolResult("two", "3", "sub"),)),
            Turn("assistant", "Two."),
            Turn("user", "Thanks."),
        ),
        tools=("add",),
        temperature=0,
        top_p=0.5,
        max_tokens=7,
        stop_sequences=("|",),
    )
    assert (prompt.last, prompt.turn) == ("Thanks.", 3)


@pytest.mark.parametrize(
    ("written", "value"),
    [('{"a":1}', {"a": 1}), ("", {}), ('{"a":', '{"a":'), ({"a": 1}, {"a": 1}), (None, None)],
)
def test_arguments_are_json_or_the_text_that_the_model_wrote(written: Any, value: Any) -> None:
    message = {
        "content": "",
        "tool_calls": [{"id": "one", "function": {"name": "add", "arguments": written}}],
    }
    content = chat.read({"choices": [{"message": message, "finish_reason": "tool_calls"}]})
    assert content == Message((ToolUse("add", value, "one"),), "tool_use")
    if isinstance(value, str):
        assert chat.arguments(ToolUse("add", value)) == written


def test_calls_that_come_in_pieces_are_put_together() -> None:
    """As OpenAI and vLLM stream them; two calls may alternate."""
    pieces: list[list[Any]] = [
        [{"index": 0, "id": "one", "function": {"name": "add", "arguments": ""}}],
        [
            {"index": 0, "function": {"arguments": '{"a"'}},
            {"index": 1, "id": "two", "function": {"name": "sub"}},
        ],
        [{"index": 0, "function": {"arguments": ":2}"}}],
    ]
    chunks: list[Any] = [
        {"choices": [{"index": 0, "delta": {"tool_calls": piece}}]} for piece in pieces
    ]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    assert chat.gather(chunks).blocks == (ADD, ToolUse("sub", None, "two"))


def test_a_stream_keeps_the_order_of_its_blocks() -> None:
    deltas: list[Any] = [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "H"},
        {"reasoning_content": "m."},
        {"tool_calls": [{**CALL, "index": 0}]},
        {"content": "O"},
        {"content": "k."},
    ]
    chunks: list[Any] = [{"choices": [{"delta": delta}]} for delta in deltas]
    chunks += [
        {"choices": [{"delta": {}, "finish_reason": "length"}]},
        {"choices": [], "usage": {}},
        "[DONE]",
    ]
    wanted = Message((Reasoning("Hm."), ADD, Text("Ok.")), "max_tokens")
    assert chat.gather(chunks) == wanted


def test_only_the_first_of_several_choices_is_read() -> None:
    choices: list[Any] = [
        {"index": n, "message": {"content": text}} for n, text in enumerate(["one", "two"])
    ]
    assert chat.read({"choices": choices}).text == "one"


@pytest.mark.parametrize(
    "body", [{}, {"choices": []}, {"choices": [{"text": "Hi."}]}, {"message": "No."}]
)
def test_what_is_none_of_these_is_an_error(body: Any) -> None:
    with pytest.raises(
        ValueError, match="expected an answer of choices with a `message`, found none"
    ):
        chat.read(body)
    with pytest.raises(ValueError, match="expected chunks of choices"):
        chat.gather([body])


@pytest.mark.parametrize(
    ("word", "stop"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("tool_calls", "tool_use"),
        ("content_filter", "content_filtered"),
    ],
)
def test_stop_reasons_are_translated(word: str, stop: str) -> None:
    assert (
        chat.read({"choices": [{"message": {"content": "Hi."}, "finish_reason": word}]}).stop
        == stop
    )


NAMES = "messages choices message delta content tool_calls function index usage text role"


@pytest.mark.parametrize("name", ["openai", "jamba", "writer", "mistral_chat"])
@given(value=json_objects(*NAMES.split()))
def test_they_withstand_any_json(name: str, value: dict[str, Any]) -> None:
    (family,) = (family for family in FAMILIES if family.name == name)
    withstands(family, value)
