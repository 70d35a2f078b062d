"""Anthropic's messages: what is written is read again, and Anthropic's own SDK understands it."""

from dataclasses import replace
from typing import Any

import pytest
from anthropic.types import Message as SdkMessage
from anthropic.types import RawMessageStreamEvent
from hypothesis import given
from pydantic import TypeAdapter

from bedtape_cassettes.families.content import (
    STOP_REASONS,
    Citation,
    CitedText,
    Image,
    Message,
    Reasoning,
    Text,
    ToolResult,
    ToolUse,
    Turn,
    Usage,
)
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.models.anthropic import ANTHROPIC
from support import contents

_MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
# What the family has a word for; a guardrail's stop is told beside the message (rendering).
_STOPS = tuple(
    s for s in STOP_REASONS if s != "guardrail_intervened" and not s.startswith("malformed")
)
_MESSAGES = contents.messages(
    contents.TEXTS,
    contents.TOOL_USES,
    contents.SIGNED,
    contents.NAMES.map(lambda text: Reasoning(redacted=text.encode())),
    contents.CITED,
    stops=_STOPS,
)


def _streamed(message: Message, model: str = _MODEL) -> list[Any]:
    assert ANTHROPIC.stream is not None
    return list(ANTHROPIC.stream(message, contents.model_request(ANTHROPIC, model)))


@given(_MESSAGES)
def test_a_whole_answer_is_read_again(message: Message) -> None:
    assert ANTHROPIC.read(
        ANTHROPIC.render(message, contents.model_request(ANTHROPIC, _MODEL))
    ) == replace(message, usage=None)


@given(_MESSAGES)
def test_a_stream_is_gathered_again(message: Message) -> None:
    assert ANTHROPIC.gather is not None
    assert ANTHROPIC.gather(_streamed(message)) == replace(message, usage=None)


@given(contents.REQUESTS)
def test_any_request_is_read(body: dict[str, Any]) -> None:
    ANTHROPIC.prompt(body)


@pytest.mark.parametrize(
    "system", ["Be brief.\nBe kind.", [{"type": "text", "text": "Be brief."}, "Be kind."]]
)
def test_a_request_says_what_it_says(system: Any) -> None:
    result = {
        "type": "tool_result",
        "tool_use_id": "t1",
        "content": [{"type": "text", "text": "warm"}],
    }
    prompt = ANTHROPIC.prompt(
        {
            "system": system,
            "messages": [
                {"role": "user", "content": "Hot?"},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "tool_use", "id": "t1", "name": "weather", "input": {"a": 1}}
                    ],
                },
                {"role": "user", "content": [result, {"type": "text", "text": "So?"}]},
                {"role": "system", "content": "Hurry."},
            ],
            "tools": [{"name": "weather"}, {"type": "bash_20250124"}],
            "max_tokens": 9,
            "temperature": 1,
            "top_p": 0.5,
            "stop_sequences": ["."],
        }
    )
    assert prompt.system == "Be brief.\nBe kind."
    assert prompt.turns == (
        Turn("user", "Hot?"),
        Turn("assistant", "", calls=(ToolUse("weather", {"a": 1}, "t1"),)),
        Turn("user", "So?", results=(ToolResult("t1", "warm"),)),
        Turn("system", "Hurry."),
    )
    assert (prompt.tools, prompt.max_tokens, prompt.temperature, prompt.top_p) == (
        ("weather",),
        9,
        1,
        0.5,
    )
    assert prompt.stop_sequences == (".",)


# -- Anthropic's SDK as the judge ------------------------------------------------------------------

_EVERYTHING = Message(
    (
        Reasoning("Let me think.", "sig"),
        Reasoning(redacted=b"aGlkZGVu"),
        Text("Rome is warm."),
        CitedText(
            "It is 30 degrees.",
            (
                Citation("30 degrees", "report"),
                Citation(
                    "p", "report", {"documentPage": {"documentIndex": 1, "start": 2, "end": 3}}
                ),
                Citation("c", None, {"documentChunk": {"documentIndex": 0, "start": 0, "end": 1}}),
                Citation(
                    "s",
                    "T",
                    {"searchResultLocation": {"searchResultIndex": 4, "start": 0, "end": 1}},
                    "https://a",
                ),
            ),
        ),
        ToolUse("weather", {"city": "Rome"}),
        ToolUse("clock", {}),
    ),
    "stop_sequence",
    ".",
    Usage(10, 20, 30, 40),
)


def _check(message: SdkMessage) -> None:
    thinking, redacted, text, cited, use, bare = message.content
    assert (thinking.type, redacted.type, text.type) == ("thinking", "redacted_thinking", "text")
    assert redacted.type == "redacted_thinking"
    assert redacted.data == "aGlkZGVu"
    assert cited.type == "text"
    assert cited.citations is not None
    kinds = ["char_location", "page_location", "content_block_location", "search_result_location"]
    assert [each.type for each in cited.citations] == kinds
    assert use.type == bare.type == "tool_use"
    assert (use.input, bare.input) == ({"city": "Rome"}, {})
    assert (message.stop_reason, message.stop_sequence, message.model) == (
        "stop_sequence",
        ".",
        "claude-haiku-4-5-20251001",
    )
    assert (message.usage.input_tokens, message.usage.output_tokens) == (10, 20)
    assert (message.usage.cache_read_input_tokens, message.usage.cache_creation_input_tokens) == (
        30,
        40,
    )


def test_the_sdk_understands_a_whole_answer() -> None:
    _check(
        SdkMessage.model_validate(
            ANTHROPIC.render(_EVERYTHING, contents.model_request(ANTHROPIC, _MODEL)), strict=True
        )
    )


def test_the_sdk_understands_every_event() -> None:
    events = TypeAdapter[Any](RawMessageStreamEvent)
    kinds = [events.validate_python(chunk, strict=True).type for chunk in _streamed(_EVERYTHING)]
    assert (kinds[0], kinds[-2:]) == ("message_start", ["message_delta", "message_stop"])
    assert (
        kinds.count("content_block_start")
        == kinds.count("content_block_stop")
        == len(_EVERYTHING.blocks)
    )


def test_whole_and_streamed_answers_say_the_same() -> None:
    assert ANTHROPIC.gather is not None
    whole = ANTHROPIC.read(
        ANTHROPIC.render(_EVERYTHING, contents.model_request(ANTHROPIC, _MODEL, seed=7))
    )
    ids = [block.id for block in whole.blocks if isinstance(block, ToolUse)]
    assert all(
        name is not None and name.startswith("toolu_bdrk_01") and len(name) == 35 for name in ids
    )
    gathered = ANTHROPIC.gather(_streamed(_EVERYTHING))
    without = [replace(b, id=None) if isinstance(b, ToolUse) else b for b in gathered.blocks]
    assert without == [replace(b, id=None) if isinstance(b, ToolUse) else b for b in whole.blocks]


# -- refusals, and what other versions say ---------------------------------------------------------


def test_an_image_is_refused() -> None:
    with pytest.raises(RenderError, match=r"anthropic family answer with text, .*found Image"):
        ANTHROPIC.render(Message((Image(b"x"),)), contents.model_request(ANTHROPIC, _MODEL))


def test_a_stop_reason_without_a_word_is_refused() -> None:
    with pytest.raises(RenderError, match="malformed_tool_use"):
        ANTHROPIC.render(
            Message((Text("x"),), "malformed_tool_use"), contents.model_request(ANTHROPIC, _MODEL)
        )


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("refusal", "content_filtered"),
        ("pause_turn", "end_turn"),
        ("end_turn", "end_turn"),
        (None, "end_turn"),
    ],
)
def test_anthropics_words_are_understood(word: str | None, meaning: str) -> None:
    assert ANTHROPIC.read({"content": [], "stop_reason": word}) == Message((), meaning)


@pytest.mark.parametrize(
    ("model", "members"),
    [
        ("anthropic.claude-3-haiku-20240307-v1:0", {"input_tokens", "output_tokens"}),
        (
            "us.anthropic.claude-sonnet-4-20250514-v1:0",
            {
                "input_tokens",
                "output_tokens",
                "cache_creation_input_tokens",
                "cache_read_input_tokens",
            },
        ),
        (
            "global.anthropic.claude-opus-9-v1",
            {
                "input_tokens",
                "output_tokens",
                "cache_creation_input_tokens",
                "cache_read_input_tokens",
                "cache_creation",
            },
        ),
    ],
)
def test_usage_grew_with_the_models(model: str, members: set[str]) -> None:
    body: Any = ANTHROPIC.render(Message((Text("x"),)), contents.model_request(ANTHROPIC, model))
    start: Any = _streamed(Message((Text("x"),)), model)[0]
    assert set(body["usage"]) == set(start["message"]["usage"]) == members


@pytest.mark.parametrize("body", [{}, {"content": 1}, {"completion": "x"}])
def test_another_family_is_not_read(body: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="content"):
        ANTHROPIC.read(body)
    assert ANTHROPIC.gather is not None
    with pytest.raises(ValueError, match="message_start"):
        ANTHROPIC.gather([body])


def test_what_anthropics_own_tools_give_is_passed_over() -> None:
    blocks = [
        {"type": "server_tool_use", "name": "web_search"},
        {"type": "web_search_tool_result"},
        {"type": "text", "text": "a"},
    ]
    assert ANTHROPIC.read({"content": blocks, "stop_reason": "end_turn"}) == Message((Text("a"),))


def test_only_requests_with_a_cache_point_have_cached_tokens_counted() -> None:
    point = {"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]}
    said = {"system": 'says "cache_control": no'}
    for body, counted in ((point, True), (said, False)):
        assert (
            ANTHROPIC.counts_cache(contents.model_request(ANTHROPIC, _MODEL, body), Usage(1, 1))
            is counted
        )
    assert ANTHROPIC.counts_cache(contents.model_request(ANTHROPIC, _MODEL), Usage(1, 1, 5))
