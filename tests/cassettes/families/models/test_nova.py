"""Nova's own JSON: what is written is read again; blocks end after each delta."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from bedtape_cassettes.families.content import (
    CitedText,
    Image,
    Message,
    Reasoning,
    Text,
    ToolResult,
    ToolUse,
    Turn,
)
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.models.nova import NOVA
from support import contents

_MODEL = "us.amazon.nova-lite-v1:0"
_STOPS = ("end_turn", "tool_use", "max_tokens", "stop_sequence", "content_filtered")
_MESSAGES = contents.messages(
    contents.TEXTS, contents.TOOL_USES, contents.SOME_WORDS.map(Reasoning), stops=_STOPS
)


def _streamed(message: Message) -> list[Any]:
    assert NOVA.stream is not None
    return list(NOVA.stream(message, contents.model_request(NOVA, _MODEL)))


def _joined(message: Message) -> Message:
    """Neighbours of one kind as one: in a stream nothing tells where the one ends."""
    blocks: list[Any] = []
    for block in message.blocks:
        last = blocks[-1] if blocks else None
        if isinstance(block, Text | Reasoning) and type(last) is type(block):
            blocks[-1] = type(block)(last.text + block.text)
        else:
            blocks.append(block)
    return Message(tuple(blocks), message.stop)


@given(_MESSAGES)
def test_a_whole_answer_is_read_again(message: Message) -> None:
    assert NOVA.read(NOVA.render(message, contents.model_request(NOVA, _MODEL))) == replace(
        message, usage=None
    )


@given(_MESSAGES)
def test_a_stream_is_gathered_again(message: Message) -> None:
    assert NOVA.gather is not None
    assert NOVA.gather(_streamed(message)) == _joined(message)


@given(contents.REQUESTS)
def test_any_request_is_read(body: dict[str, Any]) -> None:
    NOVA.prompt(body)


@pytest.mark.parametrize("longest", ["maxTokens", "max_new_tokens"])
def test_a_request_says_what_it_says(longest: str) -> None:
    result = {"toolResult": {"toolUseId": "t", "content": [{"text": "warm"}]}}
    prompt = NOVA.prompt(
        {
            "system": [{"text": "Be brief."}],
            "messages": [
                {"role": "user", "content": [{"text": "Hot?"}]},
                {"role": "user", "content": [result]},
            ],
            "inferenceConfig": {longest: 9, "topP": 0.5, "temperature": 0, "stopSequences": ["."]},
            "toolConfig": {"tools": [{"toolSpec": {"name": "weather"}}]},
        }
    )
    assert (prompt.system, prompt.tools, prompt.max_tokens) == ("Be brief.", ("weather",), 9)
    assert prompt.turns == (Turn("user", "Hot?"), Turn("user", "", (ToolResult("t", "warm"),)))
    assert (prompt.top_p, prompt.temperature, prompt.stop_sequences) == (0.5, 0, (".",))


def test_every_delta_is_a_block_of_its_own() -> None:
    chunks = _streamed(Message((Text("word " * 20), ToolUse("weather", {"city": "Rome"}))))
    indexes = [
        chunk["contentBlockDelta"]["contentBlockIndex"]
        for chunk in chunks
        if "contentBlockDelta" in chunk
    ]
    stops = [
        chunk["contentBlockStop"]["contentBlockIndex"]
        for chunk in chunks
        if "contentBlockStop" in chunk
    ]
    assert indexes == stops == list(range(len(indexes)))
    assert len(indexes) > 5
    assert chunks[-4]["contentBlockDelta"]["delta"] == {"toolUse": {"input": '{"city":"Rome"}'}}


@pytest.mark.parametrize("block", [Image(b"x"), CitedText("x", ()), Reasoning(redacted=b"x")])
def test_what_nova_does_not_say_is_refused(block: Any) -> None:
    with pytest.raises(
        RenderError, match=f"nova family answer with text, .*found {type(block).__name__}"
    ):
        NOVA.render(Message((block,)), contents.model_request(NOVA, _MODEL))
    with pytest.raises(RenderError):
        _streamed(Message((block,)))


@pytest.mark.parametrize("body", [{}, {"output": []}, {"results": []}])
def test_another_family_is_not_read(body: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Nova"):
        NOVA.read(body)
    assert NOVA.gather is not None
    with pytest.raises(ValueError, match="Nova"):
        NOVA.gather([body])


@pytest.mark.parametrize(
    "system",
    ["Be brief.", [{"text": "Be brief."}], ["x", {"text": "Be brief."}, {"cachePoint": {}}]],
)
def test_forms_of_system_prompts(system: Any) -> None:
    assert NOVA.prompt({"system": system}).system == "Be brief."
