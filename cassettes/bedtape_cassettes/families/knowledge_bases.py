"""Renders answers of knowledge bases: Retrieve, RetrieveAndGenerate and its stream, and Rerank.

The forms are those of botocore's service models; a test reads every answer with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from bedtape_cassettes.families.content import (
    Citation,
    CitedText,
    Content,
    Json,
    Message,
    Passage,
    Passages,
    Ranking,
    Refusal,
    Text,
)
from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.families.requests.service_request import (
    ServiceRequest,
    render_events,
    render_json,
)
from bedtape_cassettes.families.shared import json_access, synthesis
from bedtape_cassettes.families.shared.ranking import rank, score_words
from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.model import JsonValue, Response

# The location of a passage by the beginning of its source: the location's type, its member,
# and the member's member.
_LOCATIONS = (
    ("s3://", "S3", "s3Location", "uri"),
    ("https://", "WEB", "webLocation", "url"),
    ("http://", "WEB", "webLocation", "url"),
    ("", "CUSTOM", "customDocumentLocation", "id"),
)
# Generated passages, if the request does not limit them.
_GENERATED = 3
_DELTA = (10, 40)


def render_retrieval(content: Content, request: ServiceRequest) -> Response:
    """Retrieve: the passages, best first, as many as the request wants, with scores."""
    if not isinstance(content, Passages):
        raise request.refuse(content, "passages (Passages)")
    query, limit = request.prompt.last, _find_limit(request.body)
    passages = content.passages
    if passages is None:
        passages = tuple(_generate(query, min(limit or _GENERATED, _GENERATED)))
    scored = [
        (each, score_words(query, each.text) if each.score is None else each.score)
        for each in passages
    ]
    best = sorted(scored, key=lambda pair: pair[1], reverse=True)[:limit]
    return render_json(
        {"retrievalResults": [{**_render_passage(each), "score": score} for each, score in best]}
    )


def _find_limit(body: JsonObject) -> int | None:
    for kind in ("vectorSearchConfiguration", "managedSearchConfiguration"):
        if limit := json_access.integer(body, "retrievalConfiguration", kind, "numberOfResults"):
            return limit
    return None


def _generate(query: str, count: int) -> Iterator[Passage]:
    """Yield passages of fewer and fewer of the query's words."""
    words = query.split() or ["nothing"]
    for number in range(count):
        kept = words[: max(1, len(words) - number * len(words) // count)]
        yield Passage(" ".join(kept), f"bedtape-passage-{number + 1}")


def _render_passage(passage: Passage) -> JsonObject:
    rendered: JsonObject = {"content": {"text": passage.text, "type": "TEXT"}}
    if passage.source is not None:
        rendered["location"] = _locate(passage.source)
    if passage.metadata is not None:
        rendered["metadata"] = passage.metadata
    return rendered


def _locate(source: str) -> JsonObject:
    kind, member, name = next(row[1:] for row in _LOCATIONS if source.startswith(row[0]))
    return {"type": kind, member: {name: source}}


# -- RetrieveAndGenerate ---------------------------------------------------------------------------


def render_generation(content: Content, request: ServiceRequest) -> Response:
    """RetrieveAndGenerate: the text, with a citation for each part of it."""
    text, citations = read_cited(content, request)
    session = json_access.text(request.body, "sessionId") or request.id
    answer: JsonObject = {
        "citations": list(citations),
        "output": {"text": text},
        "sessionId": session,
    }
    if isinstance(content, Message) and content.stop == "guardrail_intervened":
        answer["guardrailAction"] = "INTERVENED"
    return render_json(answer)


def stream_generation(content: Content, request: ServiceRequest) -> Response:
    """RetrieveAndGenerateStream: the text in pieces, then the citations."""
    text, citations = read_cited(content, request)
    session = json_access.text(request.body, "sessionId") or request.id
    pieces: list[tuple[str, JsonValue]] = [
        ("output", {"text": piece}) for piece in synthesis.deltas(text, request.chance, *_DELTA)
    ]
    if isinstance(content, Message) and content.stop == "guardrail_intervened":
        pieces.append(("guardrail", {"action": "INTERVENED"}))
    events = (*pieces, *(("citation", {"citation": each, **each}) for each in citations))
    return render_events(events, (("x-amzn-bedrock-knowledge-base-session-id", session),))


def read_cited(content: Content, request: ServiceRequest) -> tuple[str, list[JsonObject]]:
    """Return a message's text and the citations of its parts. Raises RenderError."""
    if not isinstance(content, Message):
        raise request.refuse(content, "text (Message)")
    text, citations = "", []
    for block in content.blocks:
        match block:
            case Json(value):
                part = compact(value).decode()
            case Text(part) | CitedText(part) | Refusal(part):
                pass
            case _:
                raise request.refuse(content, f"text alone; it has {type(block).__name__}")
        if isinstance(block, CitedText):
            span: JsonObject = {
                "start": len(text),
                "end": max(len(text), len(text) + len(part) - 1),
            }
            citations.append(_render_citation(part, span, block.citations))
        text += part
    return text, citations


def _render_citation(text: str, span: JsonObject, citations: Iterable[Citation]) -> JsonObject:
    return {
        "generatedResponsePart": {"textResponsePart": {"span": span, "text": text}},
        "retrievedReferences": [_render_reference(each) for each in citations],
    }


def _render_reference(citation: Citation) -> JsonObject:
    """The location is the citation's, or that of its title if the title is an address."""
    reference: JsonObject = {"content": {"text": citation.source, "type": "TEXT"}}
    url = json_access.text(citation.location, "web", "url")
    if url:
        reference["location"] = _locate(url)
    elif isinstance(citation.location, dict) and "type" in citation.location:
        reference["location"] = citation.location
    elif citation.title and re.match(r"\w+://", citation.title):
        reference["location"] = _locate(citation.title)
    if citation.title:
        reference["metadata"] = {"title": citation.title}
    return reference


# -- Rerank ----------------------------------------------------------------------------------------


def read_documents(body: JsonObject) -> list[str]:
    """The text of each document of a Rerank request."""
    documents = []
    for source in json_access.items(body, "sources"):
        inline = json_access.member(source, "inlineDocumentSource")
        given = json_access.member(inline, "jsonDocument")
        documents.append(
            compact(given).decode()
            if given is not None
            else json_access.text(inline, "textDocument", "text")
        )
    return documents


def render_reranking(content: Content, request: ServiceRequest) -> Response:
    """Rerank: index and score of the documents, best first."""
    if not isinstance(content, Ranking):
        raise request.refuse(content, "ranking (Ranking)")
    settings = ("rerankingConfiguration", "bedrockRerankingConfiguration", "numberOfResults")
    ranked = rank(
        content,
        request.prompt.last,
        read_documents(request.body),
        json_access.integer(request.body, *settings),
    )
    return render_json(
        {"results": [{"index": index, "relevanceScore": float(score)} for index, score in ranked]}
    )
