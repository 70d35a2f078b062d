"""What every family keeps: what it writes it reads again, what it has no form for it
refuses, and any JSON may come.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.families.content import Block, Image, Message, Reasoning, Text, ToolUse
from bedtape_cassettes.families.table import FAMILIES
from support.messages import CALLS, TEXTS, USAGES, read_again, refuses
from support.native import json_objects, withstands

BY_NAME = {family.name: family for family in FAMILIES}
PROMPT: dict[str, Any] = {"prompt": "Say hi"}
CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "Say hi"}]}
STREAMED = {**PROMPT, "stream": True}
COMPLETED = ("end_turn", "max_tokens", "stop_sequence")
CHATTED = ("end_turn", "max_tokens", "tool_use")
COMMAND = (*COMPLETED, "content_filtered", "malformed_model_output")


class Case(NamedTuple):
    """A family's model, a request to it, the stop reasons that it has words for, and
    one that it has none for.
    """

    family: str
    model: str
    request: dict[str, Any]
    stops: tuple[str, ...]
    refused: str


CASES = [
    Case("ai21_j2", "ai21.j2-ultra-v1", PROMPT, COMPLETED, "tool_use"),
    Case("cohere_command", "cohere.command-light-text-v14", PROMPT, COMMAND, "tool_use"),
    Case("cohere_command", "cohere.command-light-text-v14", STREAMED, COMMAND, "tool_use"),
    Case(
        "cohere_command",
        "cohere.command-light-text-v14",
        {**STREAMED, "num_generations": 3},
        COMMAND,
        "tool_use",
    ),
    Case(
        "completions",
        "arn:aws:bedrock:us-east-1:123456789012:imported-model/abc",
        PROMPT,
        COMPLETED,
        "tool_use",
    ),
    Case("jamba", "us.ai21.jamba-1-5-mini-v1:0", CHAT, CHATTED, "malformed_tool_use"),
    Case("llama", "us.meta.llama3-1-70b-instruct-v1:0", PROMPT, COMPLETED, "tool_use"),
    Case("mistral_chat", "mistral.mistral-large-2402-v1:0", CHAT, CHATTED, "malformed_tool_use"),
    Case("mistral_chat", "mistral.mistral-large-2407-v1:0", CHAT, CHATTED, "malformed_tool_use"),
    Case("mistral_text", "mistral.mistral-7b-instruct-v0:2", PROMPT, COMPLETED, "content_filtered"),
    Case(
        "openai",
        "us.openai.gpt-oss-120b-1:0",
        CHAT,
        (*CHATTED, "content_filtered"),
        "malformed_tool_use",
    ),
    Case(
        "titan_text", "amazon.titan-text-express-v1", {"inputText": "hi"}, COMMAND[:-1], "tool_use"
    ),
    Case("writer", "us.writer.palmyra-x5-v1:0", CHAT, CHATTED, "malformed_tool_use"),
]
NO_WORD_FOR_A_STOP_SEQUENCE = ("cohere_command", "completions", "llama", "mistral_text")
THINKING = ("openai", "writer")


def messages_of(case: Case) -> st.SearchStrategy[Message]:
    """Messages that the family has a form for: a thought, a text and calls,
    each of them or none.
    """
    # A text may not hold OpenAI's own tags, by which a stream is cut into thoughts and texts.
    texts = TEXTS.map(lambda text: text.replace("<", "")) if case.family == "openai" else TEXTS
    thoughts = texts if case.family in THINKING else st.just("")
    calls = st.lists(CALLS, max_size=2) if "tool_use" in case.stops else st.just([])
    return st.builds(
        lambda thought, text, calls, stop, usage: Message(
            (*([Reasoning(thought)] if thought else []), *([Text(text)] if text else []), *calls),
            stop,
            usage=usage,
        ),
        *(thoughts, texts, calls, st.sampled_from(case.stops), USAGES),
    )


WRITTEN = [(case, messages_of(case)) for case in CASES]


@pytest.mark.parametrize(
    ("case", "messages", "whole"),
    [
        (*row, whole)
        for row in WRITTEN
        for whole in (True, False)
        if whole or BY_NAME[row[0].family].stream
    ],
)
@given(data=st.data())
def test_what_is_written_is_read_again(
    case: Case, messages: st.SearchStrategy[Message], whole: bool, data: st.DataObject
) -> None:
    message = data.draw(messages)
    request = (
        {**case.request, "stream_options": {"include_usage": True}}
        if case.family == "openai"
        else case.request
    )
    lost = message.stop == "stop_sequence" and case.family in NO_WORD_FOR_A_STOP_SEQUENCE
    message_again = read_again(BY_NAME[case.family], case.model, request, message, whole=whole)
    assert message_again == replace(message, stop="end_turn" if lost else message.stop, usage=None)


REFUSED = [
    *CASES,
    Case(
        "cohere_chat",
        "cohere.command-r-plus-v1:0",
        {"message": "Say hi"},
        CHATTED,
        "malformed_tool_use",
    ),
    Case("deepseek", "us.deepseek.r1-v1:0", PROMPT, (), "tool_use"),
]


@pytest.mark.parametrize("case", REFUSED)
def test_what_it_has_no_form_for_is_refused(case: Case) -> None:
    blocks: list[Block] = [] if "tool_use" in case.stops else [ToolUse("add", {})]
    if case.family != "deepseek":
        blocks += [
            Image(b""),
            Reasoning(redacted=b"x") if case.family in THINKING else Reasoning("Hm."),
        ]
    refuses(BY_NAME[case.family], case.model, case.request, *blocks)
    refuses(BY_NAME[case.family], case.model, case.request, stop=case.refused)


COUNTED = {"temperature": 0.5, "top_p": 0.9}
TITAN = {"maxTokenCount": 9, "temperature": 0.5, "topP": 0.9, "stopSequences": ["|"]}
REQUESTS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "ai21_j2": (
        {**PROMPT, "maxTokens": 9, "temperature": 0.5, "topP": 0.9, "stopSequences": ["|"]},
        ("|",),
    ),
    "cohere_command": (
        {**PROMPT, "max_tokens": 9, "temperature": 0.5, "p": 0.9, "stop_sequences": ["|"]},
        ("|",),
    ),
    "completions": ({**PROMPT, **COUNTED, "max_tokens": 9, "stop": "|"}, ("|",)),
    "llama": ({**PROMPT, **COUNTED, "max_gen_len": 9}, ()),
    "titan_text": ({"inputText": "Say hi", "textGenerationConfig": TITAN}, ("|",)),
}


@pytest.mark.parametrize("family", REQUESTS)
def test_a_request_is_read(family: str) -> None:
    request, stops = REQUESTS[family]
    prompt = BY_NAME[family].prompt(request)
    assert (prompt.last, prompt.max_tokens, prompt.temperature, prompt.top_p) == (
        "Say hi",
        9,
        0.5,
        0.9,
    )
    assert prompt.stop_sequences == stops


# The members of the family's requests and answers.
MEMBERS = {
    "ai21_j2": "prompt completions data finishReason text reason",
    "amazon_image": "textToImageParams text images error imageGenerationConfig",
    "cohere_chat": (
        "message chat_history role text generation_id tool_calls tool_results event_type response"
    ),
    "cohere_command": "prompt generations text finish_reason is_finished index num_generations",
    "cohere_embed": "texts images inputs content image_url text embeddings float binary",
    "cohere_rerank": "query documents text results index relevance_score",
    "completions": "prompt choices text finish_reason usage prompt_tokens",
    "deepseek": "prompt choices text stop_reason stop",
    "llama": "prompt generation stop_reason max_gen_len temperature",
    "mistral_text": "prompt outputs text stop_reason stop",
    "nova_embed": "singleEmbeddingParams text value video source embeddings embedding",
    "stability": "prompt seed images seeds finish_reasons",
    "titan_embed": "inputText inputImage embedding inputTextTokenCount",
    "titan_text": "inputText textGenerationConfig results outputText completionReason",
    "twelvelabs_marengo": "inputType text inputText mediaSource mediaSources data embedding",
    "twelvelabs_pegasus": "inputPrompt temperature maxOutputTokens message finishReason",
}


@pytest.mark.parametrize(
    ("family", "values"), [(name, json_objects(*MEMBERS[name].split())) for name in MEMBERS]
)
@given(data=st.data())
def test_it_withstands_any_json(
    family: str, values: st.SearchStrategy[dict[str, Any]], data: st.DataObject
) -> None:
    withstands(BY_NAME[family], data.draw(values))
