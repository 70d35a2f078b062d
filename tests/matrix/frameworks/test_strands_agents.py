"""Strands Agents: an agent on BedrockModel and on OpenAI's and Anthropic's models,
streaming as by default, and whole.

The tools of the agents also call the services around the models.
"""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import boto3
import pytest
from pydantic import BaseModel
from strands import Agent, tool
from strands.memory import MemoryManager
from strands.models import BedrockModel, Model
from strands.models.anthropic import AnthropicModel
from strands.models.openai import OpenAIModel
from strands.models.openai_responses import OpenAIResponsesModel
from strands.vended_memory_stores.bedrock_knowledge_base import BedrockKnowledgeBaseStore

from bedtape_replayer.engine.session import Session

MODELS: dict[str, Callable[..., Model]] = {
    "claude": partial(BedrockModel, model_id="us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    "nova": partial(BedrockModel, model_id="us.amazon.nova-lite-v1:0"),
    "llama": partial(BedrockModel, model_id="us.meta.llama3-3-70b-instruct-v1:0"),
    "gpt-oss": partial(BedrockModel, model_id="openai.gpt-oss-20b-1:0"),
    "chat-completions": partial(OpenAIModel, model_id="openai.gpt-oss-120b"),
    "responses": partial(OpenAIResponsesModel, model_id="openai.gpt-5.4"),
    "messages": partial(AnthropicModel, model_id="anthropic.claude-haiku-4-5", max_tokens=99),
}
# The others always stream.
BEDROCK = ["claude", "nova", "llama", "gpt-oss"]
OPERATIONS = {
    "chat-completions": "ChatCompletions",
    "responses": "Responses",
    "messages": "Messages",
}
SAID = "Cassettes replay the same answer every time, so a failing test means that the code changed."


class Label(BaseModel):
    """What a mail is."""

    label: str


@tool
def weather(city: str) -> str:
    """The weather of a city.

    Args:
        city: Which.
    """
    return f"sunny in {city}"


def agent(which: str, *, streaming: bool = True, **more: Any) -> Agent:
    model = MODELS[which]() if streaming else MODELS[which](streaming=False)
    return Agent(model=model, callback_handler=None, **more)


@pytest.mark.parametrize("which", BEDROCK)
def test_chat(which: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID, usage={"input": 11, "output": 22})
    result = agent(which, streaming=False, system_prompt="Be brief.")("why record?")
    assert str(result).strip() == SAID
    assert result.metrics.accumulated_usage["outputTokens"] == 22
    bedrock.assert_called("why record?", times=1, operation="Converse", system="Be brief.")


@pytest.mark.parametrize("which", MODELS)
def test_stream(which: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID)

    async def streamed() -> list[str]:
        return [
            event["data"]
            async for event in agent(which).stream_async("why record?")
            if "data" in event
        ]

    pieces = asyncio.run(streamed())
    assert "".join(pieces) == SAID
    assert len(pieces) > 1
    bedrock.assert_called(times=1, operation=OPERATIONS.get(which, "ConverseStream"))


@pytest.mark.parametrize(
    ("which", "streaming"),
    # Bedrock refuses tools in Llama's streams.
    [
        *((which, False) for which in BEDROCK),
        *((which, True) for which in MODELS if which != "llama"),
    ],
)
def test_tools(which: str, streaming: bool, bedrock: Session) -> None:
    bedrock.respond(tool_result="weather", text="It is sunny.")
    bedrock.respond("Oslo", tool={"name": "weather", "input": {"city": "Oslo"}})
    result = agent(which, streaming=streaming, tools=[weather])("What is the weather in Oslo?")
    assert str(result).strip() == "It is sunny."
    first, second = bedrock.calls
    assert first.tools == ("weather",)
    assert first.stop_reason == "tool_use"
    assert [given.text for given in second.tool_results] == ["sunny in Oslo"]


@pytest.mark.parametrize("which", ["claude", "nova", *OPERATIONS])
def test_structured(which: str, bedrock: Session) -> None:
    bedrock.respond(
        "offer", tool_offered="Label", tool={"name": "Label", "input": {"label": "spam"}}, times=1
    )
    bedrock.respond(text="done")
    result = agent(which)("an offer", structured_output_model=Label)
    assert result.structured_output == Label(label="spam")
    assert bedrock.calls[0].tools == ("Label",)


@pytest.mark.parametrize("which", ["claude", *OPERATIONS])
def test_retries(which: str, bedrock: Session) -> None:
    bedrock.respond(text="at last")
    bedrock.fail("ThrottlingException", times=1, retry_after_ms=1)
    assert str(agent(which)("again")).strip() == "at last"
    assert [(call.status, call.attempt) for call in bedrock.calls] == [(429, 1), (200, 2)]


@pytest.mark.parametrize(
    ("which", "streaming"),
    [("claude", False), ("claude", True), *((which, True) for which in OPERATIONS)],
)
def test_trouble(which: str, streaming: bool, trouble: Callable[..., None]) -> None:
    trouble(lambda: agent(which, streaming=streaming)("why record?"))


def ask_about_oslo() -> str:
    return " ".join({str(agent(which)("Weather in Oslo?")).strip() for which in MODELS})


def test_bedtape_run(run_program: Callable[[Callable[[], str]], str]) -> None:
    assert run_program(ask_about_oslo) == "It rains in Oslo."


# -- services around the models --------------------------------------------------------------------

QUESTION = "When does the archive open?"
HOURS = "The archive opens at nine."
DOCUMENTS = ["The sea is blue.", HOURS, "Whales sing."]
GENERATION: Any = {
    "type": "KNOWLEDGE_BASE",
    "knowledgeBaseConfiguration": {
        "knowledgeBaseId": "KB00000001",
        "modelArn": "us.amazon.nova-lite-v1:0",
    },
}
AGENT = {"agentId": "ABCDEFGHIJ", "agentAliasId": "TSTALIASID", "sessionId": "one"}
RUNTIME = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/archive-1234567890"


def knowledge() -> Any:
    return boto3.client("bedrock-agent-runtime")


@tool
def search(question: str) -> str:
    """Passages of the knowledge base."""
    answer = knowledge().retrieve(knowledgeBaseId="KB00000001", retrievalQuery={"text": question})
    return "\n".join(result["content"]["text"] for result in answer["retrievalResults"])


@tool
def look_up(question: str) -> str:
    """An answer from the knowledge base, with its sources."""
    answer = knowledge().retrieve_and_generate(
        input={"text": question}, retrieveAndGenerateConfiguration=GENERATION
    )
    (citation,) = answer["citations"]
    (reference,) = citation["retrievedReferences"]
    return f"{answer['output']['text']} ({reference['location']['s3Location']['uri']})"


@tool
def look_up_in_pieces(question: str) -> str:
    """An answer from the knowledge base, as it arrives."""
    answer = knowledge().retrieve_and_generate_stream(
        input={"text": question}, retrieveAndGenerateConfiguration=GENERATION
    )
    pieces = [event["output"]["text"] for event in answer["stream"] if "output" in event]
    return f"{len(pieces) > 1}: {''.join(pieces)}"


@tool
def rank(question: str) -> str:
    """The document that fits best."""
    model: Any = {"modelArn": "arn:aws:bedrock:us-east-1::foundation-model/cohere.rerank-v3-5:0"}
    answer = knowledge().rerank(
        queries=[{"type": "TEXT", "textQuery": {"text": question}}],
        sources=[
            {
                "type": "INLINE",
                "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": text}},
            }
            for text in DOCUMENTS
        ],
        rerankingConfiguration={
            "type": "BEDROCK_RERANKING_MODEL",
            "bedrockRerankingConfiguration": {"modelConfiguration": model, "numberOfResults": 1},
        },
    )
    (best,) = answer["results"]
    return DOCUMENTS[best["index"]]


@tool
def ask_agent(question: str) -> str:
    """An agent of Bedrock."""
    answer = knowledge().invoke_agent(
        **AGENT, inputText=question, streamingConfigurations={"streamFinalResponse": True}
    )
    pieces = [event["chunk"]["bytes"].decode() for event in answer["completion"]]
    return f"{len(pieces) > 1}: {''.join(pieces)}"


@tool
def ask_runtime(question: str) -> str:
    """An agent on AgentCore, which answers with JSON or with server-sent events."""
    payload = json.dumps({"prompt": question}).encode()
    answer = boto3.client("bedrock-agentcore").invoke_agent_runtime(
        agentRuntimeArn=RUNTIME, payload=payload
    )
    if answer["contentType"] == "text/event-stream":
        lines = answer["response"].iter_lines()
        return "|".join(json.loads(line.removeprefix(b"data: ")) for line in lines if line)
    result: str = json.loads(answer["response"].read())["result"]
    return result


# The tool, the operation that it calls, the answer of the rule, and the result of the tool.
SERVICES: dict[str, tuple[Any, str, dict[str, Any], str]] = {
    "Retrieve": (
        search,
        "Retrieve",
        {"passages": [{"text": HOURS, "source": "s3://a/hours.txt"}]},
        HOURS,
    ),
    "Retrieve-auto": (search, "Retrieve", {"passages": "auto"}, QUESTION.rstrip("?")),
    "RetrieveAndGenerate": (
        look_up,
        "RetrieveAndGenerate",
        {"text": HOURS, "citations": [{"source": "Nine to five.", "title": "s3://a/hours.txt"}]},
        f"{HOURS} (s3://a/hours.txt)",
    ),
    "RetrieveAndGenerateStream": (
        look_up_in_pieces,
        "RetrieveAndGenerateStream",
        {"text": HOURS},
        f"True: {HOURS}",
    ),
    "Rerank": (rank, "Rerank", {"ranking": [{"index": 2, "score": 0.9}]}, DOCUMENTS[2]),
    "Rerank-auto": (rank, "Rerank", {"ranking": "auto"}, HOURS),
    "InvokeAgent": (ask_agent, "InvokeAgent", {"text": HOURS}, f"True: {HOURS}"),
    "InvokeAgentRuntime-json": (
        ask_runtime,
        "InvokeAgentRuntime",
        {"json": {"result": HOURS}},
        HOURS,
    ),
    "InvokeAgentRuntime-events": (
        ask_runtime,
        "InvokeAgentRuntime",
        {"server_sent": ["At nine", "o'clock."]},
        "At nine|o'clock.",
    ),
}


@pytest.mark.parametrize("which", ["claude", "nova"])
@pytest.mark.parametrize("service", SERVICES)
def test_services_in_tools(service: str, which: str, bedrock: Session) -> None:
    function, operation, answer, result = SERVICES[service]
    name = function.tool_name
    bedrock.respond(tool_result=name, text="At nine o'clock.")
    bedrock.respond("Tell me", tool={"name": name, "input": {"question": QUESTION}})
    bedrock.respond(QUESTION, operation=operation, **answer)
    said = agent(which, tools=[function])("Tell me when I can come.")
    assert str(said).strip() == "At nine o'clock."
    first, served, last = bedrock.calls
    assert [call.operation for call in bedrock.calls] == [
        "ConverseStream",
        operation,
        "ConverseStream",
    ]
    assert [call.source for call in bedrock.calls] == ["rule"] * 3
    assert (first.tools, first.stop_reason) == ((name,), "tool_use")
    assert served.last_prompt == QUESTION
    (given,) = last.tool_results
    assert given.text.startswith(result)


def test_services_retry(bedrock: Session) -> None:
    bedrock.respond(tool_result="search", text="At nine o'clock.")
    bedrock.respond("Tell me", tool={"name": "search", "input": {"question": QUESTION}})
    bedrock.respond(operation="Retrieve", passages=[{"text": HOURS}])
    bedrock.fail("ThrottlingException", operation="Retrieve", times=1)
    assert (
        str(agent("nova", tools=[search])("Tell me when I can come.")).strip() == "At nine o'clock."
    )
    assert [call.status for call in bedrock.calls] == [200, 429, 200, 200]
    bedrock.assert_called(operation="Retrieve", attempt=2, times=1)


@pytest.mark.parametrize("injection", [False, True], ids=["tool", "injected"])
def test_memory(injection: bool, bedrock: Session) -> None:
    """The knowledge base is the memory of an agent: a tool searches it, or its
    passages go into each prompt.
    """
    kind = {"knowledgeBaseConfiguration": {"type": "VECTOR"}}
    bedrock.respond(operation="GetKnowledgeBase", output={"knowledgeBase": kind})
    if injection:
        bedrock.respond(HOURS, text="At nine o'clock.")
    else:
        bedrock.respond(tool_result="search_memory", text="At nine o'clock.")
        bedrock.respond("Tell me", tool={"name": "search_memory", "input": {"query": QUESTION}})
    bedrock.respond(operation="Retrieve", passages=[{"text": HOURS, "source": "s3://a/hours.txt"}])
    store = BedrockKnowledgeBaseStore(config={"knowledge_base_id": "KB00000001"}, name="archive")
    memory = MemoryManager(stores=[store], injection=injection)
    assert (
        str(agent("nova", memory_manager=memory)("Tell me when I can come.")).strip()
        == "At nine o'clock."
    )
    operations = ["GetKnowledgeBase", "ConverseStream", "Retrieve", "ConverseStream"]
    if injection:
        operations = ["GetKnowledgeBase", "Retrieve", "ConverseStream"]
    assert [call.operation for call in bedrock.calls] == operations
    last = bedrock.calls[-1]
    (given,) = [last.last_prompt] if injection else [result.text for result in last.tool_results]
    assert HOURS in str(given)
