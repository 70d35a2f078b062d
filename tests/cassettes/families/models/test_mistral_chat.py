"""Mistral's chat: the short form of the 2402 models, OpenAI's of the later ones,
completions where a prompt asks.
"""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from bedtape_cassettes.families.content import Message, Text, ToolUse, Usage
from bedtape_cassettes.families.models.mistral_chat import MISTRAL_CHAT
from bedtape_cassettes.families.models.mistral_text import MISTRAL_TEXT
from bedtape_cassettes.families.table import family_of
from support.messages import messages, model_request, read_again, render_chunks

SHORT, LONG, PIXTRAL = (
    "mistral.mistral-large-2402-v1:0",
    "mistral.mistral-large-2407-v1:0",
    "us.mistral.pixtral-large-2502-v1:0",
)
REQUEST: dict[str, Any] = {"messages": [{"role": "user", "content": "Say hi"}]}
COMPLETES = {"prompt": "<s>[INST] Say hi [/INST]"}
HI = Message((Text("Hi, all of you."),), usage=Usage(7, 2))


@pytest.mark.parametrize("whole", [True, False])
@given(message=messages({"end_turn": "stop", "max_tokens": "length"}))
def test_a_prompt_is_answered_as_a_completion(whole: bool, message: Message) -> None:
    message_again = read_again(MISTRAL_CHAT, SHORT, COMPLETES, message, whole=whole)
    assert message_again == replace(message, usage=None)
    assert message_again == read_again(MISTRAL_TEXT, SHORT, COMPLETES, message, whole=whole)
    assert "outputs" in MISTRAL_CHAT.render(message, model_request(MISTRAL_CHAT, SHORT, COMPLETES))
    assert MISTRAL_CHAT.prompt(COMPLETES).last == "Say hi"


def test_the_short_form() -> None:
    call = ToolUse("add", {"a": 2})
    made: Any = MISTRAL_CHAT.render(
        Message((call,), "tool_use"), model_request(MISTRAL_CHAT, SHORT, REQUEST)
    )
    assert list(made) == ["choices"]
    (choice,) = made["choices"]
    assert list(choice) == ["index", "message", "stop_reason"]
    assert choice["stop_reason"] == "tool_calls"
    (called,) = choice["message"]["tool_calls"]
    assert re.fullmatch("[A-Za-z0-9]{22}", called.pop("id"))
    assert called == {"function": {"name": "add", "arguments": '{"a":2}'}}
    plain: Any = MISTRAL_CHAT.render(HI, model_request(MISTRAL_CHAT, SHORT, REQUEST))
    assert plain["choices"][0]["message"] == {"role": "assistant", "content": "Hi, all of you."}


@pytest.mark.parametrize(
    ("model", "name"), [(LONG, "mistral-large-2407-v1:0"), (PIXTRAL, "pixtral-large-2502-v1:0")]
)
def test_the_long_form(model: str, name: str) -> None:
    made: Any = MISTRAL_CHAT.render(HI, model_request(MISTRAL_CHAT, model, REQUEST))
    assert list(made) == ["id", "object", "created", "model", "choices", "usage"]
    assert made["model"] == name
    said = {"role": "assistant", "content": "Hi, all of you.", "tool_calls": None}
    assert made["choices"] == [{"index": 0, "message": said, "finish_reason": "stop"}]
    message = Message((ToolUse("add", {}),), "tool_use")
    called: Any = MISTRAL_CHAT.render(message, model_request(MISTRAL_CHAT, model, REQUEST))
    assert re.fullmatch("[A-Za-z0-9]{9}", called["choices"][0]["message"]["tool_calls"][0]["id"])


@pytest.mark.parametrize(
    ("model", "member", "why"),
    [(SHORT, "message", "stop_reason"), (LONG, "delta", "finish_reason")],
)
def test_only_the_last_chunk_says_why(model: str, member: str, why: str) -> None:
    choices = [chunk["choices"][0] for chunk in render_chunks(MISTRAL_CHAT, model, REQUEST, HI)]
    assert "".join(choice[member]["content"] for choice in choices) == "Hi, all of you."
    assert [choice[why] for choice in choices] == [None] * (len(choices) - 1) + ["stop"]


@pytest.mark.parametrize("model", [SHORT, LONG, PIXTRAL, "mistral.mistral-small-2402-v1:0"])
def test_models_that_speak_it(model: str) -> None:
    assert family_of("InvokeModel", model) is MISTRAL_CHAT
