"""LiteLLM: its routes of every inference API, which send by httpx and parse event
streams by botocore's decoder.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import litellm
import pytest

from bedtape_replayer.engine.session import Session

MODELS = {
    "claude-converse": "bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "nova-converse": "bedrock/converse/us.amazon.nova-lite-v1:0",
    "llama-converse": "bedrock/converse/us.meta.llama3-3-70b-instruct-v1:0",
    "mistral-converse": "bedrock/converse/mistral.mistral-large-2402-v1:0",
    "gpt-oss-converse": "bedrock/converse/openai.gpt-oss-20b-1:0",
    "claude-invoke": "bedrock/invoke/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "nova-invoke": "bedrock/invoke/us.amazon.nova-lite-v1:0",
    "llama-invoke": "bedrock/invoke/us.meta.llama3-3-70b-instruct-v1:0",
    "mistral-invoke": "bedrock/invoke/mistral.mistral-7b-instruct-v0:2",
    "llama4-invoke": "bedrock/invoke/us.meta.llama4-scout-17b-instruct-v1:0",
    "kimi-invoke": "bedrock/invoke/moonshot.kimi-k2-thinking",
    "titan-invoke": "bedrock/invoke/amazon.titan-text-express-v1",
    "gpt-oss-invoke": "bedrock/openai/openai.gpt-oss-20b-1:0",
    "gpt-oss-chat": "bedrock/chat_completions/openai.gpt-oss-20b-1:0",
    "gpt-oss-mantle-chat": "bedrock_mantle/openai.gpt-oss-120b",
    "gpt-mantle-responses": "bedrock_mantle/openai.gpt-5.4",
    "claude-mantle-messages": "bedrock/mantle/anthropic.claude-haiku-4-5",
}
# What the last part of a model's key stands for: whole, and streamed.
OPERATIONS = {
    "converse": ("Converse", "ConverseStream"),
    "invoke": ("InvokeModel", "InvokeModelWithResponseStream"),
    "chat": ("ChatCompletions", "ChatCompletions"),
    "responses": ("Responses", "Responses"),
    "messages": ("Messages", "Messages"),
}
TOOLING = [
    *(
        "claude-converse",
        "nova-converse",
        "llama-converse",
        "gpt-oss-converse",
        "claude-invoke",
        "nova-invoke",
    ),
    *("gpt-oss-chat", "gpt-oss-mantle-chat", "gpt-mantle-responses", "claude-mantle-messages"),
]
RETRYING = ["claude-converse", "claude-invoke", *TOOLING[-4:]]
# Titan's chunks hold what it said in two seconds, Kimi's whole sentences.
ONE_PIECE = ["titan-invoke", "kimi-invoke"]
# It has no decoder for these chunks, recorded or rendered: what it gives is empty.
UNSTREAMED = ["gpt-oss-invoke"]
SAID = "Cassettes replay the same answer every time, so a failing test means that the code changed."
ASKED: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "why record?"},
]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def operation(which: str, *, streaming: bool = False) -> str:
    return OPERATIONS[which.rpartition("-")[2]][streaming]


@pytest.mark.parametrize("which", MODELS)
def test_chat(which: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID, usage={"input": 11, "output": 22})
    answer = litellm.completion(model=MODELS[which], messages=ASKED, temperature=0.5, max_tokens=99)
    assert answer.choices[0].message.content == SAID
    assert answer.choices[0].finish_reason == "stop"
    if which in TOOLING:
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (11, 22)
    bedrock.assert_called("why record?", times=1, operation=operation(which), temperature=0.5)
    (call,) = bedrock.calls
    assert "Be brief." in call.prompt.text


@pytest.mark.parametrize("which", [which for which in MODELS if which not in UNSTREAMED])
def test_stream(which: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID)
    answer = litellm.completion(model=MODELS[which], messages=ASKED, stream=True)
    pieces = [chunk.choices[0].delta.content for chunk in answer]
    said = list(filter(None, pieces))
    assert "".join(said) == SAID
    assert len(said) > 1 or which in ONE_PIECE
    bedrock.assert_called("why record?", times=1, operation=operation(which, streaming=True))


@pytest.mark.parametrize("which", TOOLING)
@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
def test_tools(streaming: bool, which: str, bedrock: Session) -> None:
    bedrock.respond(tool_result="*", text="It is sunny.")
    bedrock.respond("Oslo", tool={"name": "weather", "input": {"city": "Oslo"}})

    def ask(messages: list[Any]) -> Any:
        answer = litellm.completion(
            model=MODELS[which], messages=messages, tools=[WEATHER], stream=streaming
        )
        return litellm.stream_chunk_builder(list(answer)) if streaming else answer

    messages: list[Any] = [{"role": "user", "content": "What is the weather in Oslo?"}]
    calling = ask(messages).choices[0].message
    (call,) = calling.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "weather",
        {"city": "Oslo"},
    )
    messages += [
        calling,
        {"role": "tool", "tool_call_id": call.id, "name": "weather", "content": "sunny in Oslo"},
    ]
    assert ask(messages).choices[0].message.content == "It is sunny."
    first, second = bedrock.calls
    assert first.tools == ("weather",)
    assert first.stop_reason == "tool_use"
    assert [given.text for given in second.tool_results] == ["sunny in Oslo"]


@pytest.mark.parametrize(
    "model", ["bedrock/us.openai.gpt-5.4", "bedrock_mantle/openai.gpt-oss-120b"]
)
def test_responses(model: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID)
    answer = litellm.responses(model=model, input="why record?")
    assert answer.output[-1].content[0].text == SAID
    events = list(litellm.responses(model=model, input="why record?", stream=True))
    assert (
        "".join(event.delta for event in events if event.type == "response.output_text.delta")
        == SAID
    )
    bedrock.assert_called("why record?", times=2, operation="Responses")


@pytest.mark.parametrize("which", ["claude-converse", "claude-invoke"])
def test_reasoning(which: str, bedrock: Session) -> None:
    bedrock.respond("why", reasoning={"text": "I think.", "signature": "c2lnbg=="}, text="Because.")
    answer = litellm.completion(model=MODELS[which], messages=ASKED).choices[0].message
    assert (answer.reasoning_content, answer.content) == ("I think.", "Because.")


@pytest.mark.parametrize("which", ["claude-converse", "claude-invoke", "llama-invoke"])
def test_async(which: str, bedrock: Session) -> None:
    bedrock.respond("why", text=SAID)

    async def streamed() -> str:
        answer = await litellm.acompletion(model=MODELS[which], messages=ASKED, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in answer])

    assert asyncio.run(streamed()) == SAID


@pytest.mark.parametrize(
    ("name", "dimension"),
    [
        ("amazon.titan-embed-text-v1", 1536),
        ("amazon.titan-embed-text-v2:0", 1024),
        ("cohere.embed-english-v3", 1024),
        ("cohere.embed-v4:0", 1536),
        ("amazon.nova-2-multimodal-embeddings-v1:0", 3072),
    ],
    ids=["titan-v1", "titan-v2", "cohere-v3", "cohere-v4", "nova"],
)
def test_embeddings(name: str, dimension: int, bedrock: Session) -> None:
    bedrock.respond(embedding="auto")
    answer = litellm.embedding(model=f"bedrock/{name}", input=["a cat", "a tax return"])
    one, other = (each["embedding"] for each in answer.data)
    assert len(one) == len(other) == dimension
    assert one != other
    assert {call.operation for call in bedrock.calls} == {"InvokeModel"}


@pytest.mark.parametrize(
    "name",
    ["amazon.nova-canvas-v1:0", "amazon.titan-image-generator-v2:0", "stability.sd3-5-large-v1:0"],
    ids=["nova", "titan", "stability"],
)
def test_images(name: str, bedrock: Session) -> None:
    bedrock.respond(image="iVBORw0KGgo=")
    (image,) = litellm.image_generation(model=f"bedrock/{name}", prompt="a cat").data
    assert image.b64_json == "iVBORw0KGgo="
    bedrock.assert_called("a cat", times=1, operation="InvokeModel")


@pytest.mark.parametrize("which", RETRYING)
def test_retries(which: str, bedrock: Session) -> None:
    bedrock.respond(text="at last")
    bedrock.fail("ThrottlingException", times=1, retry_after_ms=1)
    answer = litellm.completion(model=MODELS[which], messages=ASKED, num_retries=2)
    assert answer.choices[0].message.content == "at last"
    assert [call.status for call in bedrock.calls] == [429, 200]


@pytest.mark.parametrize("which", RETRYING)
def test_errors(which: str, bedrock: Session) -> None:
    bedrock.fail("ThrottlingException", message="Slow down.")
    with pytest.raises(litellm.RateLimitError, match=r"Slow down\."):
        litellm.completion(model=MODELS[which], messages=ASKED, num_retries=0)


@pytest.mark.parametrize("which", RETRYING)
def test_trouble(which: str, trouble: Callable[..., None]) -> None:
    def complete(*, stream: bool) -> None:
        answer = litellm.completion(model=MODELS[which], messages=ASKED, stream=stream)
        if stream:
            list(answer)

    trouble(lambda: complete(stream=False), lambda: complete(stream=True))


def ask_about_oslo() -> str:
    asked = [{"role": "user", "content": "Weather in Oslo?"}]
    texts = {
        litellm.completion(model=MODELS[which], messages=asked).choices[0].message.content
        for which in TOOLING
    }
    return " ".join(texts)


def test_bedtape_run(run_program: Callable[[Callable[[], str]], str]) -> None:
    assert run_program(ask_about_oslo) == "It rains in Oslo."
