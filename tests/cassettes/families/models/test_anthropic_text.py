"""Claude 2 and Instant: a text for a text, and messages for those who ask with messages."""

from typing import Any

import pytest
from hypothesis import given

from bedtape_cassettes.families.content import Message, Text, ToolUse, Turn
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.models.anthropic_text import ANTHROPIC_TEXT
from support import contents

_MODEL = "anthropic.claude-v2:1"
_MESSAGES = contents.messages(
    contents.TEXTS, stops=("end_turn", "max_tokens"), usages=contents.st.none()
)
_ASKED = {
    "prompt": "Be brief.\n\nHuman: Hot?\n\nAssistant: Yes.\n\nHuman: Why?\n\nAssistant:",
    "max_tokens_to_sample": 9,
}


def _streamed(message: Message, body: dict[str, Any] | None = None) -> list[Any]:
    assert ANTHROPIC_TEXT.stream is not None
    return list(
        ANTHROPIC_TEXT.stream(message, contents.model_request(ANTHROPIC_TEXT, _MODEL, body))
    )


def _gathered(chunks: list[Any]) -> Any:
    assert ANTHROPIC_TEXT.gather is not None
    return ANTHROPIC_TEXT.gather(chunks)


@given(_MESSAGES)
def test_what_is_written_is_read_again(message: Message) -> None:
    one = Message((Text(message.text),), message.stop)
    assert (
        ANTHROPIC_TEXT.read(
            ANTHROPIC_TEXT.render(message, contents.model_request(ANTHROPIC_TEXT, _MODEL))
        )
        == one
    )
    assert _gathered(_streamed(message)) == one


@given(contents.REQUESTS)
def test_any_request_is_read(body: dict[str, Any]) -> None:
    ANTHROPIC_TEXT.prompt(body)


def test_a_prompt_is_a_conversation() -> None:
    prompt = ANTHROPIC_TEXT.prompt({**_ASKED, "stop_sequences": ["."], "temperature": 0.1})
    assert prompt.system == "Be brief."
    assert prompt.turns == (Turn("user", "Hot?"), Turn("assistant", "Yes."), Turn("user", "Why?"))
    assert (prompt.max_tokens, prompt.stop_sequences, prompt.temperature) == (9, (".",), 0.1)


@pytest.mark.parametrize(
    ("message", "ending"),
    [
        (Message((Text("a"),)), ("stop_sequence", "\n\nHuman:")),
        (Message((Text("a"),), "stop_sequence"), ("stop_sequence", ".")),
        (Message((Text("a"),), "stop_sequence", "!"), ("stop_sequence", "!")),
        (Message((Text("a"),), "max_tokens"), ("max_tokens", None)),
    ],
)
def test_why_it_ended(message: Message, ending: tuple[str, str | None]) -> None:
    asked = {**_ASKED, "stop_sequences": ["."]}
    body = ANTHROPIC_TEXT.render(message, contents.model_request(ANTHROPIC_TEXT, _MODEL, asked))
    last = _streamed(message, asked)[-1]
    assert (body["stop_reason"], body["stop"]) == (last["stop_reason"], last["stop"]) == ending
    assert (
        ANTHROPIC_TEXT.read(body).stop == _gathered(_streamed(message, asked)).stop == message.stop
    )


def test_messages_are_answered_with_messages() -> None:
    asked = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9}
    message = Message((Text("a"),))
    body = ANTHROPIC_TEXT.render(message, contents.model_request(ANTHROPIC_TEXT, _MODEL, asked))
    assert body["content"] == [{"type": "text", "text": "a"}]
    assert ANTHROPIC_TEXT.read(body).text == _gathered(_streamed(message, asked)).text == "a"


def test_tools_are_refused() -> None:
    with pytest.raises(RenderError, match="text alone, found ToolUse"):
        ANTHROPIC_TEXT.render(
            Message((ToolUse("a", {}),)), contents.model_request(ANTHROPIC_TEXT, _MODEL)
        )
