"""Command R: a message and its history, events with names, calls without ids."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.families.content import (
    Message,
    Prompt,
    Text,
    ToolResult,
    ToolUse,
    Turn,
    Usage,
)
from bedtape_cassettes.families.models.cohere_chat import COHERE_CHAT
from support.messages import CALLS, TEXTS, USAGES, model_request, read_again, render_chunks

MODEL = "cohere.command-r-plus-v1:0"
PAST = [{"role": "USER", "message": "Hello"}, {"role": "CHATBOT", "message": "Yes?"}]
REQUEST: dict[str, Any] = {
    "message": "Say hi",
    "preamble": "Be kind.",
    "chat_history": PAST,
    "max_tokens": 9,
    "temperature": 0.5,
    "p": 0.9,
    "stop_sequences": ["|"],
    "tools": [{"name": "add", "description": "…", "parameter_definitions": {}}],
}
STOPS = [
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "content_filtered",
    "model_context_window_exceeded",
]
ADD = ToolUse("add", {"a": 2})


@pytest.mark.parametrize("whole", [True, False])
@given(text=TEXTS, calls=st.lists(CALLS, max_size=2), stop=st.sampled_from(STOPS), usage=USAGES)
def test_what_is_written_is_read_again(
    whole: bool, text: str, calls: list[ToolUse], stop: str, usage: Usage | None
) -> None:
    stop = "tool_use" if calls and stop == "end_turn" else stop
    without_ids = [replace(call, id=None) for call in calls]
    said = (Text(text),) if text else ()
    message_again = read_again(
        COHERE_CHAT, MODEL, REQUEST, Message((*said, *calls), stop, usage=usage), whole=whole
    )
    assert message_again == Message((*said, *without_ids), stop)


def test_a_whole_answer() -> None:
    made: Any = COHERE_CHAT.render(
        Message((Text("Hi."),)), model_request(COHERE_CHAT, MODEL, REQUEST)
    )
    assert list(made) == ["response_id", "text", "generation_id", "chat_history", "finish_reason"]
    assert (made["text"], made["finish_reason"]) == ("Hi.", "COMPLETE")
    said = [{"role": "USER", "message": "Say hi"}, {"role": "CHATBOT", "message": "Hi."}]
    assert made["chat_history"] == PAST + said


def test_calls() -> None:
    message = Message((Text("I add."), ADD), "tool_use", usage=Usage(7, 2))
    made: Any = COHERE_CHAT.render(message, model_request(COHERE_CHAT, MODEL, REQUEST))
    assert made["tool_calls"] == [{"name": "add", "parameters": {"a": 2}}]
    assert made["finish_reason"] == "COMPLETE"
    events = [chunk["event_type"] for chunk in render_chunks(COHERE_CHAT, MODEL, REQUEST, message)]
    assert events[-2:] == ["tool-calls-generation", "stream-end"]
    assert set(events[:-2]) == {"text-generation"}


@pytest.mark.parametrize(("stop", "made"), [("end_turn", 3), ("max_tokens", 2)])
def test_the_last_event_says_it_all_again_and_counts(stop: str, made: int) -> None:
    *said, last = render_chunks(
        COHERE_CHAT, MODEL, REQUEST, Message((Text("Hi, you."),), stop, usage=Usage(7, 2))
    )
    assert "".join(chunk["text"] for chunk in said) == last["response"]["text"] == "Hi, you."
    assert last["finish_reason"] == last["response"]["finish_reason"]
    assert last["response"]["meta"]["billed_units"] == {"input_tokens": 7, "output_tokens": 2}
    # Cohere's own template has 66 tokens in every recording.
    assert last["response"]["meta"]["tokens"] == {"input_tokens": 7 + 66, "output_tokens": made}


def test_a_stream_that_was_cut_is_read_from_its_deltas() -> None:
    made = render_chunks(COHERE_CHAT, MODEL, REQUEST, Message((Text("Hi, you."), ADD), "tool_use"))[
        :-1
    ]
    assert COHERE_CHAT.gather is not None
    assert COHERE_CHAT.gather(made) == Message((Text("Hi, you."), ADD), "tool_use")


def test_the_request_is_read() -> None:
    assert COHERE_CHAT.prompt(REQUEST) == Prompt(
        "Be kind.",
        (Turn("user", "Hello"), Turn("assistant", "Yes?"), Turn("user", "Say hi")),
        ("add",),
        0.5,
        0.9,
        9,
        ("|",),
    )


def test_results_are_read_with_and_without_a_message() -> None:
    call = {"name": "add", "parameters": {"a": 2}}
    results = [{"call": call, "outputs": [{"text": "2"}, {"sum": 2}]}]
    turn = Turn("tool", "", (ToolResult("", '2\n{"sum": 2}', "add"),))
    asked = COHERE_CHAT.prompt({"message": "Add", "tool_results": results})
    assert asked.turns == (Turn("user", "Add"), turn)
    past = [
        {"role": "USER", "message": "Add"},
        {"role": "CHATBOT", "message": "", "tool_calls": [call]},
    ]
    later = COHERE_CHAT.prompt({"message": "", "chat_history": past, "tool_results": results})
    assert later.turns == (Turn("user", "Add"), Turn("assistant", "", calls=(ADD,)), turn)
    assert later.last == ""
