"""Chat Completions, Responses and Messages: the SDKs' own types read every answer and
every event, in strict mode.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from random import Random
from typing import Any

import pytest
from anthropic.types import Message as AnthropicMessage
from anthropic.types import MessageTokensCount, RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.create_embedding_response import CreateEmbeddingResponse
from openai.types.responses import Response as OpenAIResponse
from openai.types.responses import ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from bedtape_cassettes.addresses import MANTLE, RUNTIME
from bedtape_cassettes.families.content import (
    Citation,
    CitedText,
    Content,
    Embeddings,
    Json,
    Message,
    Reasoning,
    Refusal,
    Text,
    ToolUse,
)
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.rendering import render
from bedtape_cassettes.families.usage import read_usage, with_usage
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import EMPTY, Body, Event, Events, Interaction, Request, Response
from support.contents import CITED, SIGNED, SOME_WORDS, TEXTS, TOOL_USES, USAGES, messages
from support.corpus import ROOT, needs_corpus

CLAUDE = "anthropic.claude-haiku-4-5"
APIS = {
    "ChatCompletions": (
        "openai.gpt-oss-20b-1:0",
        "openai.gpt-5.6-luna",
        "mistral.voxtral-mini-3b-2507",
    ),
    "Responses": ("openai.gpt-oss-20b", "openai.gpt-5.6-luna"),
    "Messages": (CLAUDE, "anthropic.claude-opus-4-7"),
}
MODELS = [(api, model) for api, models in APIS.items() for model in models]
WHOLE: dict[str, TypeAdapter[Any]] = {
    "ChatCompletions": TypeAdapter(ChatCompletion),
    "Responses": TypeAdapter(OpenAIResponse),
    "Messages": TypeAdapter(AnthropicMessage),
}
EVENT: dict[str, TypeAdapter[Any]] = {
    "ChatCompletions": TypeAdapter(ChatCompletionChunk),
    "Responses": TypeAdapter(ResponseStreamEvent),
    "Messages": TypeAdapter(RawMessageStreamEvent),
}
STOPS = ("end_turn", "max_tokens", "tool_use", "content_filtered")
REFUSALS = st.builds(Refusal, SOME_WORDS)
REASONINGS = st.builds(Reasoning, SOME_WORDS.filter(lambda text: "reasoning>" not in text))
ANSWERS = messages(
    TEXTS.filter(lambda block: "reasoning>" not in block.text),
    REASONINGS,
    SIGNED,
    TOOL_USES,
    CITED,
    REFUSALS,
    stops=STOPS,
    usages=st.none() | USAGES,
)


def rendered(
    content: Content, api: str, model: str, *, service: str = RUNTIME, seed: int = 1, **body: Any
) -> Response:
    asked = bodies.compact({"model": model, **body})
    return render(
        content, operation=api, model=model, body=asked, chance=Random(seed), service=service
    )


def values(response: Response) -> list[Any]:
    """The JSON of a body, or of each event but the last of Chat Completions, which is no JSON."""
    if isinstance(response.body, Body):
        return [bodies.parse(response.body.data)]
    pieces = [bodies.read_value(event.form, event.payload) for event in response.body.events]
    return [piece for piece in pieces if piece != "data: [DONE]\n\n"]


# Members that Bedrock sends and the types do not have. Recorded, except the annotations of a delta.
BESIDE_THE_TYPES = {
    *(
        "ChatCompletionMessage.reasoning",
        "ChoiceDelta.reasoning",
        "ChoiceDelta.annotations",
        "Choice.obfuscation",
    ),
    *(
        "Response.billing",
        "Response.frequency_penalty",
        "Response.presence_penalty",
        "Response.store",
    ),
    *("ResponseTextDeltaEvent.obfuscation", "ResponseFunctionCallArgumentsDeltaEvent.obfuscation"),
}


def assert_typed(adapter: TypeAdapter[Any], value: Any) -> None:
    """Asserts that a value has the SDK's type, in strict mode and without members
    that the type does not have.
    """
    assert set(find_extras(adapter.validate_python(value, strict=True))) <= BESIDE_THE_TYPES


def find_extras(value: object) -> Iterator[str]:
    if isinstance(value, BaseModel):
        yield from (f"{type(value).__name__}.{name}" for name in value.model_extra or ())
        for name in type(value).model_fields:
            yield from find_extras(getattr(value, name, None))
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from find_extras(item)


@given(ANSWERS, st.sampled_from(MODELS), st.sampled_from([RUNTIME, MANTLE]), st.integers(0, 99))
def test_the_types_of_the_sdks_read_every_answer(
    message: Message, which: tuple[str, str], service: str, seed: int
) -> None:
    api, model = which
    whole = rendered(message, api, model, service=service, seed=seed)
    (value,) = values(whole)
    assert_typed(WHOLE[api], value)
    streamed = rendered(
        message,
        api,
        model,
        service=service,
        seed=seed,
        stream=True,
        stream_options={"include_usage": True},
    )
    for event in values(streamed):
        # gpt-oss sends them, OpenAI does not
        if not str(event.get("type")).startswith("response.reasoning_part"):
            assert_typed(EVENT[api], event)
    one, other = content_of(api, model, whole), content_of(api, model, streamed)
    assert isinstance(one, Message)
    assert isinstance(other, Message)
    assert _texts(one) == _texts(other) == _texts(_resolved(message, api))
    assert _kinds(one) == _kinds(other)
    assert one.stop == other.stop
    assert [use.input for use in one.blocks if isinstance(use, ToolUse)] == [
        use.input for use in message.blocks if isinstance(use, ToolUse)
    ]
    if message.usage is not None:
        assert one.usage == other.usage == message.usage


def _texts(message: Message) -> tuple[str, str]:
    """The text and the refusals, which Chat Completions has in two members."""
    refusals = [block.text for block in message.blocks if isinstance(block, Refusal)]
    return "".join(
        block.text for block in message.blocks if isinstance(block, Text | CitedText)
    ), "".join(refusals)


def _resolved(message: Message, api: str) -> Message:
    """Anthropic's API has no form for refusals."""
    if api != "Messages":
        return message
    return replace(
        message, blocks=tuple(Text(b.text) if isinstance(b, Refusal) else b for b in message.blocks)
    )


def _kinds(message: Message) -> set[str]:
    """Citations of a stream may stand at another text, so texts are one kind."""
    return {
        "Text" if isinstance(block, CitedText) else type(block).__name__ for block in message.blocks
    }


@pytest.mark.parametrize(("api", "model"), MODELS)
@pytest.mark.parametrize("service", [RUNTIME, MANTLE])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_what_is_rendered_is_read_again(api: str, model: str, service: str, stream: bool) -> None:
    cited = CitedText(
        "Oslo is wet.", (Citation("wet", "Weather", {"web": {"url": "https://oslo.example"}}),)
    )
    for message in (
        Message(
            (
                Reasoning("Let me see."),
                Text("Rain in Oslo."),
                ToolUse("umbrella", {"size": 2}, "call_1"),
            ),
            "tool_use",
        ),
        Message((cited,)),
        Message((Refusal("I cannot say."),), "end_turn"),
    ):
        read = content_of(api, model, rendered(message, api, model, service=service, stream=stream))
        assert isinstance(read, Message)
        assert read.text == message.text
        assert len(read.blocks) == len(message.blocks)
        if api != "Messages":
            assert [type(block) for block in read.blocks] == [
                type(block) for block in message.blocks
            ]


@pytest.mark.parametrize(
    ("api", "model"), [*MODELS, ("Converse", "us.anthropic.claude-haiku-4-5-20251001-v1:0")]
)
@pytest.mark.parametrize(
    "choice",
    [
        {"type": "function", "function": {"name": "save"}},
        {"type": "tool", "name": "save"},
        "required",
        {"type": "any"},
    ],
    ids=["function", "tool", "required", "any"],
)
def test_json_is_the_input_of_the_tool_that_the_request_forces(
    api: str, model: str, choice: Any
) -> None:
    value = {"city": "Oslo", "rain": True}
    tool = {"name": "save"}
    body: dict[str, Any] = {"tools": [{**tool, "function": tool}], "tool_choice": choice}
    if api == "Converse":
        forced = {"tool": tool} if "save" in str(choice) else {"any": {}}
        body = {"toolConfig": {"tools": [{"toolSpec": tool}], "toolChoice": forced}}
    read = content_of(api, model, rendered(Message((Json(value),)), api, model, **body))
    assert isinstance(read, Message)
    assert [(use.name, use.input) for use in read.blocks if isinstance(use, ToolUse)] == [
        ("save", value)
    ]
    assert read.stop == "tool_use"
    free = content_of(api, model, rendered(Message((Json(value),)), api, model))
    assert isinstance(free, Message)
    assert free.text == '{"city":"Oslo","rain":true}'


def test_a_family_without_refusals_answers_with_filtered_text() -> None:
    read = content_of(
        "Converse",
        "amazon.nova-lite-v1:0",
        rendered(Message((Refusal("No."),)), "Converse", "amazon.nova-lite-v1:0"),
    )
    assert isinstance(read, Message)
    assert (read.text, read.stop) == ("No.", "content_filtered")


def test_chat_completions_of_both_services() -> None:
    """As in 47 observed streams."""
    message = Message((Reasoning("Hm."), Text("Rain in Oslo, and wind.")))
    model = "openai.gpt-oss-20b-1:0"
    runtime, mantle = (
        [
            event["choices"][0]
            for event in values(
                rendered(message, "ChatCompletions", model, service=service, stream=True)
            )
        ]
        for service in (RUNTIME, MANTLE)
    )
    assert [choice["delta"] for choice in runtime[:3]] == [
        {"content": "", "role": "assistant"},
        {},
        {"content": "<reasoning>Hm.</reasoning>"},
    ]
    assert runtime[-1]["finish_reason"] == "stop"
    assert runtime[-1]["delta"]["content"]
    assert [choice["delta"] for choice in mantle[:2]] == [
        {"content": "", "role": "assistant"},
        {"reasoning": "Hm."},
    ]
    assert (mantle[-1]["finish_reason"], mantle[-1]["delta"]) == ("stop", {})
    assert all(32 <= len(choice["obfuscation"]) <= 128 for choice in runtime + mantle)


def test_the_usage_chunk_comes_where_the_request_wants_it() -> None:
    said = Message((Text("Hello."),))
    for service in (RUNTIME, MANTLE):
        without = rendered(
            said, "ChatCompletions", "openai.gpt-oss-20b", service=service, stream=True
        )
        assert not any("usage" in event for event in values(without))
        wanted = {"stream_options": {"include_usage": True}}
        last = values(
            rendered(
                said,
                "ChatCompletions",
                "openai.gpt-oss-20b",
                service=service,
                stream=True,
                **wanted,
            )
        )[-1]
        assert (last["choices"], last["usage"]["completion_tokens"]) == ([], 2)


def test_events_have_the_lines_of_each_api() -> None:
    def first(api: str, model: str) -> bytes:
        body = rendered(Message((Text("Hello."),)), api, model, stream=True).body
        assert isinstance(body, Events)
        return body.events[0].payload

    assert first("Messages", "anthropic.claude-haiku-4-5").startswith(
        b"event: message_start\ndata: {"
    )
    assert first("ChatCompletions", "openai.gpt-5.6-luna").startswith(b'data: {"choices":')
    assert first("Responses", "openai.gpt-oss-20b").startswith(b'data: {"response":')
    assert first("Responses", "openai.gpt-5.6-luna").endswith(b"\nevent: response.created\n\n")
    chat = rendered(
        Message((Text("Hello."),)), "ChatCompletions", "openai.gpt-5.6-luna", stream=True
    ).body
    assert isinstance(chat, Events)
    assert chat.events[-1].payload == b"data: [DONE]\n\n"


@given(st.lists(SOME_WORDS, min_size=1, max_size=4), st.sampled_from(["float", "base64", None]))
def test_embeddings_are_read_by_openai(inputs: list[str], form: str | None) -> None:
    asked: dict[str, Any] = {
        "input": inputs,
        "dimensions": 8,
        **({"encoding_format": form} if form else {}),
    }
    response = rendered(Embeddings(), "Embeddings", "openai.some-embed", **asked)
    (value,) = values(response)
    if form != "base64":  # the client itself makes numbers of it
        assert_typed(TypeAdapter(CreateEmbeddingResponse), value)
    read = content_of("Embeddings", "openai.some-embed", response)
    assert isinstance(read, Embeddings)
    assert read.vectors is not None
    assert [len(vector) for vector in read.vectors] == [8] * len(inputs)


@given(ANSWERS)
def test_token_counts_are_read_by_anthropic(message: Message) -> None:
    (value,) = values(rendered(message, "CountMessageTokens", CLAUDE, messages=[]))
    assert_typed(TypeAdapter(MessageTokensCount), value)


@pytest.mark.parametrize(("api", "model"), MODELS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_usage_of_a_recording_is_set(api: str, model: str, stream: bool) -> None:
    said = Message((Text("Hello."),))
    response = rendered(said, api, model, stream=stream, stream_options={"include_usage": True})
    recorded = Interaction(api, model, Request("POST", "/", (), EMPTY), response)
    for name in ("input", "output"):
        changed = with_usage(recorded, name, 77)
        usage = read_usage(api, model, changed)
        assert usage is not None
        assert getattr(usage, name) == 77


# -- what was observed -----------------------------------------------------------------------------


OBSERVED = ROOT.parent / "observations" / "openai-doors.jsonl.gz"


def observed() -> list[dict[str, Any]]:
    """Chat Completions as OpenAI's client parsed them, with nulls that it may have added."""
    with gzip.open(OBSERVED, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return [row for row in rows if row["status"] == 200 and row["request_body"]]


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _bare(member) for key, member in value.items() if member is not None}
    return [_bare(item) for item in value] if isinstance(value, list) else value


def _outline(chunks: list[Any]) -> tuple[list[str], set[str], list[str], bool]:
    """The kinds of deltas in their order, the members of choices, the reasons to
    stop, whether usage is last.
    """
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    kinds = [",".join(sorted(choice["delta"])) for choice in choices if choice["delta"]]
    members = {key for choice in choices for key in choice} - {"finish_reason", "logprobs"}
    stops = [choice["finish_reason"] for choice in choices if choice.get("finish_reason")]
    return [kind for kind, _ in groupby(kinds)], members, stops, "usage" in chunks[-1]


@pytest.mark.corpus
@needs_corpus
def test_observed_chat_completions_have_the_same_outline() -> None:
    rows = observed()
    for row in rows:
        real = _bare(row["chunks"] if row["stream"] else [row["response"]])
        pieces = [Event(0, (), bodies.seal_data(chunk), "data") for chunk in real]
        body = (
            Events.of(pieces, padded=False)
            if row["stream"]
            else Body("json", bodies.compact(real[0]))
        )
        content = content_of("ChatCompletions", row["model_id"], Response(200, (), body))
        assert isinstance(content, Message)
        asked = row["request_body"]
        again = _bare(
            values(
                render(
                    content,
                    operation="ChatCompletions",
                    model=row["model_id"],
                    body=bodies.compact(asked),
                    chance=Random(3),
                    service=row["service"],
                )
            )
        )
        if row["stream"]:
            assert _outline(again) == _outline(real), row["source_path"]
        else:
            assert set(again[0]) == set(real[0])
            assert (
                again[0]["choices"][0]["message"].keys() == real[0]["choices"][0]["message"].keys()
            )
    assert len(rows) == 50
