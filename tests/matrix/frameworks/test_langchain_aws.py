"""langchain-aws: chat models, embeddings, retrievers, reranking and agents,
as their pages show them.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from langchain_aws import BedrockEmbeddings, ChatBedrock, ChatBedrockConverse
from langchain_aws.agents import BedrockAgentsRunnable, BedrockInlineAgentsRunnable
from langchain_aws.document_compressors.rerank import BedrockRerank
from langchain_aws.retrievers import AmazonKnowledgeBasesRetriever
from langchain_core.documents import Document
from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import create_retriever_tool, tool
from pydantic import BaseModel

from bedtape_replayer.engine.session import Session

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
MODELS = {
    "claude-converse": (ChatBedrockConverse, CLAUDE, "Converse"),
    "nova-converse": (ChatBedrockConverse, "us.amazon.nova-lite-v1:0", "Converse"),
    "llama-converse": (ChatBedrockConverse, "us.meta.llama3-3-70b-instruct-v1:0", "Converse"),
    "claude-invoke": (ChatBedrock, CLAUDE, "InvokeModel"),
    # it takes Converse for Nova by itself
    "nova-invoke": (ChatBedrock, "us.amazon.nova-lite-v1:0", "Converse"),
    "llama-invoke": (ChatBedrock, "us.meta.llama3-3-70b-instruct-v1:0", "InvokeModel"),
    "mistral-invoke": (ChatBedrock, "mistral.mistral-large-2402-v1:0", "InvokeModel"),
    "titan-invoke": (ChatBedrock, "amazon.titan-text-express-v1", "InvokeModel"),
    "qwen-invoke": (ChatBedrock, "qwen.qwen3-32b-v1:0", "InvokeModel"),
    "gpt-oss-invoke": (ChatBedrock, "openai.gpt-oss-20b-1:0", "InvokeModel"),
    "deepseek-invoke": (ChatBedrock, "us.deepseek.r1-v1:0", "InvokeModel"),
}
TOOLING = ["claude-converse", "nova-converse", "claude-invoke"]
# Titan's chunks hold what it said in two seconds, gpt-oss's whole sentences.
ONE_PIECE = ["titan-invoke", "gpt-oss-invoke"]
STREAMED = {"Converse": "ConverseStream", "InvokeModel": "InvokeModelWithResponseStream"}
SAID = "Cassettes replay the same answer every time, so a failing test means that the code changed."


class Label(BaseModel):
    """What a mail is."""

    label: str


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


def model(which: str, **more: Any) -> Any:
    made, name, _ = MODELS[which]
    return made(model=name, **more)


@pytest.mark.parametrize("which", MODELS)
def test_chat(which: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID, usage={"input": 11, "output": 22})
    answer = model(which, temperature=0.5, max_tokens=99).invoke(
        [SystemMessage("Be brief."), ("human", "why record?")]
    )
    assert answer.text == SAID
    if which in TOOLING:
        assert answer.usage_metadata["input_tokens"] == 11
        assert answer.usage_metadata["output_tokens"] == 22
    bedrock.assert_called(
        "why record?",
        times=1,
        operation=MODELS[which][2],
        system_contains="Be brief.",
        temperature=0.5,
    )


@pytest.mark.parametrize("which", MODELS)
def test_stream(which: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID)
    pieces = [chunk.text for chunk in model(which).stream("why record?")]
    assert "".join(pieces) == SAID
    assert len(list(filter(None, pieces))) > 1 or which in ONE_PIECE
    bedrock.assert_called("why record?", times=1, operation=STREAMED[MODELS[which][2]])


@pytest.mark.parametrize("which", TOOLING)
@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
def test_tools(streaming: bool, which: str, bedrock: Session) -> None:
    bedrock.respond(tool_result="weather", text="It is sunny.")
    bedrock.respond("Oslo", tool={"name": "weather", "input": {"city": "Oslo"}})
    bound = model(which).bind_tools([weather])

    def ask(messages: list[Any]) -> Any:
        if not streaming:
            return bound.invoke(messages)
        whole: AIMessageChunk | None = None
        for chunk in bound.stream(messages):
            whole = chunk if whole is None else whole + chunk
        return whole

    asked: list[Any] = [HumanMessage("What is the weather in Oslo?")]
    calling = ask(asked)
    (call,) = calling.tool_calls
    assert (call["name"], call["args"]) == ("weather", {"city": "Oslo"})
    result = weather.invoke(call)
    assert isinstance(result, ToolMessage)
    assert ask([*asked, calling, result]).text == "It is sunny."
    first, second = bedrock.calls
    assert first.tools == ("weather",)
    assert first.stop_reason == "tool_use"
    assert [given.text for given in second.tool_results] == ["sunny in Oslo"]


@pytest.mark.parametrize("which", TOOLING)
def test_structured(which: str, bedrock: Session) -> None:
    bedrock.respond("offer", tool={"name": "Label", "input": {"label": "spam"}})
    assert model(which).with_structured_output(Label).invoke("an offer") == Label(label="spam")
    bedrock.assert_called("offer", times=1, tools=["Label"])


@pytest.mark.parametrize("which", ["claude-converse"])
def test_async(which: str, bedrock: Session) -> None:
    bedrock.respond("a", text="first")
    bedrock.respond("b", text="second")

    async def both() -> list[str]:
        return [
            answer.text
            for answer in await asyncio.gather(model(which).ainvoke("a"), model(which).ainvoke("b"))
        ]

    assert asyncio.run(both()) == ["first", "second"]


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
    embeddings = BedrockEmbeddings(model_id=name)
    one, other = embeddings.embed_documents(["a cat", "a tax return"])
    assert len(one) == len(other) == dimension
    assert one != other
    assert embeddings.embed_documents(["a cat"]) == [one]
    assert len(embeddings.embed_query("a cat")) == dimension
    assert {call.operation for call in bedrock.calls} == {"InvokeModel"}


@pytest.mark.parametrize("which", ["claude-converse", "claude-invoke"])
def test_retries(which: str, bedrock: Session) -> None:
    bedrock.respond(text=json.dumps({"ok": True}))
    bedrock.fail("ThrottlingException", times=1, retry_after_ms=1)
    assert model(which).invoke("again").text == '{"ok": true}'
    assert [(call.status, call.attempt) for call in bedrock.calls] == [(429, 1), (200, 2)]


@pytest.mark.parametrize("which", TOOLING)
def test_trouble(which: str, trouble: Callable[..., None]) -> None:
    trouble(
        lambda: model(which).invoke("why record?"), lambda: list(model(which).stream("why record?"))
    )


def ask_about_oslo() -> str:
    return " ".join({str(model(which).invoke("Weather in Oslo?").text) for which in TOOLING})


def test_bedtape_run(run_program: Callable[[Callable[[], str]], str]) -> None:
    assert run_program(ask_about_oslo) == "It rains in Oslo."


def test_a_retriever_reads_the_passages_of_a_rule(bedrock: Session) -> None:
    passages = [
        {"text": "The sea."},
        {"text": "The archive opens at nine.", "source": "s3://a/hours.txt", "score": 0.8},
    ]
    bedrock.respond("archive", passages=passages)  # type: ignore[arg-type]  # two kinds of passages
    settings: Any = {"vectorSearchConfiguration": {"numberOfResults": 1}}
    retriever = AmazonKnowledgeBasesRetriever(
        knowledge_base_id="KB00000001", retrieval_config=settings
    )
    (document,) = retriever.invoke("When does the archive open?")
    assert document.page_content == "The archive opens at nine."
    assert document.metadata["location"]["s3Location"] == {"uri": "s3://a/hours.txt"}
    assert document.metadata["score"] == 0.8
    bedrock.assert_called("archive", operation="Retrieve", times=1)


def test_a_retriever_as_a_tool(bedrock: Session) -> None:
    bedrock.respond(tool_result="archive", text="At nine.")
    bedrock.respond("Tell me", tool={"name": "archive", "input": {"query": "opening hours"}})
    bedrock.respond(
        "opening hours", passages=[{"text": "The archive opens at nine."}], operation="Retrieve"
    )
    retriever = AmazonKnowledgeBasesRetriever(knowledge_base_id="KB00000001")
    archive = create_retriever_tool(retriever, "archive", "Searches the archive's pages.")
    bound = model("claude-converse").bind_tools([archive])
    asked: list[Any] = [HumanMessage("Tell me when I can come.")]
    calling = bound.invoke(asked)
    (call,) = calling.tool_calls
    assert bound.invoke([*asked, calling, archive.invoke(call)]).text == "At nine."
    assert [call.operation for call in bedrock.calls] == ["Converse", "Retrieve", "Converse"]
    (given,) = bedrock.calls[-1].tool_results
    assert given.text == "The archive opens at nine."


@pytest.mark.parametrize(
    ("ranking", "ranked"),
    [("auto", [1, 2]), ([{"index": 2, "score": 0.75}, {"index": 0, "score": 0.25}], [2, 0])],
    ids=["auto", "given"],
)
def test_rerank(ranking: Any, ranked: list[int], bedrock: Session) -> None:
    bedrock.respond("blue whale", ranking=ranking)
    documents = [Document(text) for text in ("red cat", "a blue whale", "blue sky")]
    arn = "arn:aws:bedrock:us-east-1::foundation-model/cohere.rerank-v3-5:0"
    best = BedrockRerank(model_arn=arn, top_n=2).compress_documents(documents, "blue whale")
    assert [document.page_content for document in best] == [
        documents[index].page_content for index in ranked
    ]
    assert best[0].metadata["relevance_score"] > best[1].metadata["relevance_score"]
    bedrock.assert_called("blue whale", operation="Rerank", times=1)


def test_an_agent_of_bedrock(bedrock: Session) -> None:
    bedrock.respond("archive", text="The archive opens at nine.")
    # Its validator reads these three without a default.
    unset: Any = dict.fromkeys(("credentials_profile_name", "region_name", "endpoint_url"))
    finish: Any = BedrockAgentsRunnable(agent_id="ABCDEFGHIJ", **unset).invoke(
        {"input": "When does the archive open?"}
    )
    assert finish.return_values["output"] == "The archive opens at nine."
    bedrock.assert_called("archive", operation="InvokeAgent", times=1)


def test_an_inline_agent_with_tools(bedrock: Session) -> None:
    bedrock.respond(tool_result="weather", text="It is sunny.")
    bedrock.respond("Oslo", tool={"name": "weather", "input": {"city": "Oslo"}})
    configuration: Any = {
        "foundation_model": CLAUDE,
        "instruction": "You help people with the weather of the day in their city.",
        "tools": [weather],
    }
    agent = BedrockInlineAgentsRunnable.create(inline_agent_config=configuration)
    asked: list[Any] = [HumanMessage("What is the weather in Oslo?")]
    calling: Any = agent.invoke(asked)
    (call,) = calling.tool_calls
    assert (call["name"], call["args"]) == ("weather", {"city": "Oslo"})
    assert agent.invoke([*asked, calling, weather.invoke(call)]).content == "It is sunny."
    first, second = bedrock.calls
    assert [call.operation for call in bedrock.calls] == ["InvokeInlineAgent"] * 2
    assert first.tools == ("weather",)
    assert [given.text for given in second.tool_results] == ["sunny in Oslo"]
