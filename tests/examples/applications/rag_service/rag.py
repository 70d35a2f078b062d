"""Answers questions from documents: embeddings, a knowledge base, reranking, a
guardrail and structured output.
"""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import EventStreamError

ANSWERS = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
EMBEDS = "amazon.titan-embed-text-v2:0"
RERANKS = "arn:aws:bedrock:us-east-1::foundation-model/cohere.rerank-v3-5:0"
KNOWLEDGE_BASE = "KB12345678"
GUARDRAIL = {"guardrailIdentifier": "gr1234567890", "guardrailVersion": "1"}


class Blocked(Exception):
    """A guardrail does not let the question pass."""


@dataclass(frozen=True)
class Answer:
    text: str
    sources: tuple[str, ...]


class Index:
    """Documents by their vectors, in memory."""

    def __init__(self, documents: dict[str, str]) -> None:
        self._documents = documents
        self._vectors = {name: _embed(text) for name, text in documents.items()}

    def search(self, question: str, count: int = 2) -> list[str]:
        """Returns the names of the nearest documents."""
        wanted = _embed(question)

        def similarity(name: str) -> float:
            return sum(a * b for a, b in zip(wanted, self._vectors[name], strict=True))

        return sorted(self._documents, key=similarity, reverse=True)[:count]


def _embed(text: str) -> list[float]:
    body = json.dumps({"inputText": text, "dimensions": 256, "normalize": True})
    vector: list[float] = json.loads(
        _runtime().invoke_model(modelId=EMBEDS, body=body)["body"].read()
    )["embedding"]
    return vector


def answer(question: str) -> Answer:
    """Answers from the passages of the knowledge base that fit best. Raises Blocked."""
    passages = rerank(question, retrieve(question))
    sources = "\n".join(
        f"<source id={number}>{text}</source>" for number, text in enumerate(passages)
    )
    done = _runtime().converse(
        modelId=ANSWERS,
        messages=[{"role": "user", "content": [{"text": f"{sources}\n{question}"}]}],
        toolConfig={"tools": [{"toolSpec": _ANSWER}], "toolChoice": {"tool": {"name": "answer"}}},
        guardrailConfig={**GUARDRAIL, "trace": "enabled"},
    )
    if done["stopReason"] == "guardrail_intervened":
        raise Blocked(done["output"]["message"]["content"][0]["text"])
    said = next(
        block["toolUse"]["input"]
        for block in done["output"]["message"]["content"]
        if "toolUse" in block
    )
    return Answer(said["text"], tuple(passages[number] for number in said["sources"]))


def retrieve(question: str) -> list[str]:
    answer = _agents().retrieve(knowledgeBaseId=KNOWLEDGE_BASE, retrievalQuery={"text": question})
    return [result["content"]["text"] for result in answer["retrievalResults"]]


def rerank(question: str, passages: list[str], count: int = 2) -> list[str]:
    sources: Any = [
        {
            "type": "INLINE",
            "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": passage}},
        }
        for passage in passages
    ]
    model: Any = {"modelConfiguration": {"modelArn": RERANKS}, "numberOfResults": count}
    ranked = _agents().rerank(
        queries=[{"type": "TEXT", "textQuery": {"text": question}}],
        sources=sources,
        rerankingConfiguration={
            "type": "BEDROCK_RERANKING_MODEL",
            "bedrockRerankingConfiguration": model,
        },
    )
    return [passages[result["index"]] for result in ranked["results"]]


def summarize(passages: list[str]) -> str:
    """Returns a summary, or what there is of it if the stream breaks."""
    text = ""
    content: Any = [{"text": "Summarize:\n" + "\n".join(passages)}]
    try:
        for event in _runtime().converse_stream(
            modelId=ANSWERS, messages=[{"role": "user", "content": content}]
        )["stream"]:
            text += event.get("contentBlockDelta", {}).get("delta", {}).get("text", "")
    except EventStreamError:
        text += " …"
    return text


_ANSWER: Any = {
    "name": "answer",
    "description": "The answer, and the numbers of the sources that it is from.",
    "inputSchema": {
        "json": {
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "sources": {"type": "array", "items": {"type": "integer"}},
            },
            "required": ["text", "sources"],
        }
    },
}


@cache
def _runtime() -> Any:
    return boto3.client("bedrock-runtime")


@cache
def _agents() -> Any:
    return boto3.client("bedrock-agent-runtime")
