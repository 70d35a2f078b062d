"""Cohere Rerank 3.5 and Amazon Rerank 1.0 over InvokeModel: documents in the order of
their relevance to a query.

A generated score is the share of the query's words in the document. It does
not depend on the meaning.
"""

from __future__ import annotations

from dataclasses import replace

from bedtape_cassettes.families.content import Content, Prompt, Ranking, Turn
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.shared import json_access
from bedtape_cassettes.families.shared.ranking import rank
from bedtape_cassettes.model import JsonValue


def _prompt(body: JsonObject) -> Prompt:
    """The documents as turns, then the query as the user turn."""
    documents = tuple(Turn("document", text) for text in _documents(body))
    return Prompt(turns=(*documents, Turn("user", json_access.text(body, "query"))))


def _documents(body: JsonObject) -> list[str]:
    """The text of each document. Cohere also accepts objects with a `text`."""
    return [
        json_access.text(each) or json_access.text(each, "text")
        for each in json_access.items(body, "documents")
    ]


def _render(content: Content, request: ModelRequest) -> JsonObject:
    assert isinstance(content, Ranking)
    documents = _documents(request.body)
    ranked = rank(
        content,
        json_access.text(request.body, "query"),
        documents,
        json_access.integer(request.body, "top_n"),
    )
    results: list[JsonValue] = [
        {"index": index, "relevance_score": float(score)} for index, score in ranked
    ]
    return {"results": results}


def _read(body: JsonObject) -> Content:
    results = json_access.member(body, "results")
    if not isinstance(results, list):
        raise ValueError("expected a list `results`")
    return Ranking(tuple(_read_score(result) for result in results))


def _read_score(result: JsonValue) -> tuple[int, float]:
    index, score = (
        json_access.integer(result, "index"),
        json_access.number(result, "relevance_score"),
    )
    if index is None or score is None:
        raise ValueError("expected an `index` and a `relevance_score` in each of the `results`")
    return index, float(score)


COHERE_RERANK = Family(
    name="cohere_rerank",
    models=("cohere.rerank-*",),
    answers=(Ranking,),
    prompt=_prompt,
    render=_render,
    read=_read,
    required=("query", "documents", "api_version"),
    token_headers=False,
)
AMAZON_RERANK = replace(
    COHERE_RERANK,
    name="amazon_rerank",
    models=("amazon.rerank-*",),
    required=("query", "documents"),
)
