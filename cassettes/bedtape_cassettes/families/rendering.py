"""Renders content as a Bedrock response: body or events, and headers.

The inverse of `reading`. Equal arguments give equal bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from random import Random

from bedtape_cassettes.addresses import RUNTIME
from bedtape_cassettes.families.content import (
    Content,
    Embeddings,
    Message,
    NodeOutputs,
    Passages,
    Prompt,
    Ranking,
    ServerSentEvents,
    Usage,
)
from bedtape_cassettes.families.dependencies import Reads
from bedtape_cassettes.families.family import (
    GUARDED,
    METRICS,
    TRACE,
    Family,
    JsonObject,
    ModelRequest,
    RenderError,
    resolve,
)
from bedtape_cassettes.families.guardrail import (
    GuardrailRequest,
    read_guardrail_headers,
    render_assessment,
    with_model_stop,
)
from bedtape_cassettes.families.reading import parse_object, prompt_of
from bedtape_cassettes.families.requests.service_tier import render_tier_headers
from bedtape_cassettes.families.service_apis import SERVICE_APIS, render_service
from bedtape_cassettes.families.shared import synthesis
from bedtape_cassettes.families.shared.server_sent import write_stream
from bedtape_cassettes.families.table import family_of
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Body, Event, Events, Headers, JsonValue, Response, event_headers
from bedtape_cassettes.operations import SERVER_SENT, TOKEN_COUNTS

_JSON: Headers = (("content-type", "application/json"),)
_STREAM: Headers = (("content-type", bodies.EVENT_STREAM),)
_CHUNKS: Headers = (*_STREAM, ("x-amzn-bedrock-content-type", "application/json"))
_PIECES: Headers = (("content-type", bodies.SERVER_SENT), ("cache-control", "no-cache"))
_RENDERED = (
    "Converse",
    "ConverseStream",
    "InvokeModel",
    "InvokeModelWithResponseStream",
    "ApplyGuardrail",
    "Embeddings",
    *SERVER_SENT,
    *TOKEN_COUNTS,
    *SERVICE_APIS,
)
# The content of answers around the models, by the word of a rule. Other words
# are parts of a message.
_CONTENT_BY_WORD: dict[str, type[Content]] = {
    "text": Message,
    "passages": Passages,
    "ranking": Ranking,
    "nodes": NodeOutputs,
    "server_sent": ServerSentEvents,
}
_NOTHING = Usage(0, 0)


def can_render(operation: str | None) -> bool:
    """Whether `render` supports the operation."""
    return operation in _RENDERED


def has_words_for(operation: str | None, content: Content) -> bool:
    """Whether the operation has answers of this kind.

    True for each operation of a model, because its family decides.
    """
    kind: type = type(content)
    return _has_words(operation, kind)


@cache
def _has_words(operation: str | None, kind: type) -> bool:
    api = SERVICE_APIS.get(operation or "")
    return (
        can_render(operation)
        if api is None
        else any(issubclass(kind, _CONTENT_BY_WORD.get(word, ())) for word in api.words)
    )


def render(
    content: Content,
    *,
    operation: str,
    model: str | None,
    body: bytes,
    chance: Random,
    family: str | None = None,
    service: str = RUNTIME,
    reads: Reads | None = None,
    path: str = "",
    header: Callable[[str], str | None] = lambda _: None,
) -> Response:
    """Return the response to a request whose body is `body`.

    family: the family's name, if the model id does not determine the family. service:
    bedrock-runtime or bedrock-mantle. reads: notes the parts of the body that the response depends
    on. path: of the request. header: returns the value of a header of the request by its lower-case
    name. Raises RenderError if the operation, the family or the model cannot answer with this kind
    of content.
    """
    if not can_render(operation):
        raise RenderError(
            f"bedtape cannot render answers of {operation}; give the body as it goes over the wire"
            " (`raw`)"
        )
    api = SERVICE_APIS.get(operation)
    if isinstance(content, Message) and content.trace and (api is None or "trace" not in api.words):
        raise RenderError(
            f"{operation} sends no traces; remove trace, or name the operation of an agent in the"
            " rule"
        )
    if isinstance(content, Message) and isinstance(chance, synthesis.IdSlots):
        chance.pieces = content.pieces
    if api is not None:
        if reads is not None:
            reads.whole = True
        return render_service(operation, content, body, path, chance)
    if operation in TOKEN_COUNTS or operation == "ApplyGuardrail":
        prompt = prompt_of(operation, model, body, family=family)
        if reads is not None:
            reads.whole = True
        if operation == "ApplyGuardrail":
            return _json(render_assessment(content, prompt, chance))
        member = "inputTokens" if operation == "CountTokens" else "input_tokens"
        return _json({member: _count_tokens(content, prompt)})
    request_body = parse_object(body)
    model_family = family_of(operation, model or "", family)
    if not isinstance(content, model_family.answers):
        supported = " or ".join(kind.__name__ for kind in model_family.answers)
        raise RenderError(
            f"models of the {model_family.name} family answer with {supported}, found"
            f" {type(content).__name__}"
        )
    prompt = model_family.prompt(request_body)
    if reads is not None:
        request_body, prompt = reads.watch(request_body, prompt)
    request = ModelRequest(model or "", request_body, prompt, chance, service)
    if isinstance(content, Message):
        content = resolve(content, request.prompt, model_family)
    marks: JsonObject = {}
    if operation in SERVER_SENT and isinstance(content, Message) and content.guardrail is not None:
        content, marks = _split_guardrail(content, request, read_guardrail_headers(header))
    if operation in SERVER_SENT and request_body.get("stream") is True:
        assert model_family.stream is not None
        values = _mark_last(model_family.stream(content, request), marks)
        pieces = write_stream(operation, values, request.model)
        events = [Event(0, (), piece, bodies.choose_form(piece, framed=False)) for piece in pieces]
        return Response(200, _PIECES, Events.of(events, padded=False))
    match operation:
        case "Converse" | "Embeddings" | "ChatCompletions" | "Responses" | "Messages":
            return _json({**model_family.render(content, request), **marks})
        case "InvokeModel":
            return _render_invoke(model_family, content, request, header)
    if model_family.stream is None:
        raise RenderError(
            f"models of the {model_family.name} family do not stream; the client asked for"
            f" {operation}"
        )
    if operation == "ConverseStream":
        return Response(
            200,
            _STREAM,
            Events.of([_render_event(value) for value in model_family.stream(content, request)]),
        )
    chunks = _chunks(model_family, content, request, read_guardrail_headers(header))
    headers = (*_CHUNKS, *render_tier_headers(header))
    return Response(200, headers, Events.of([_chunk(value) for value in chunks]))


def _json(value: JsonValue, headers: Headers = ()) -> Response:
    return Response(200, (*_JSON, *headers), Body("json", bodies.compact(value)))


# -- InvokeModel -----------------------------------------------------------------------------------


def _render_invoke(
    family: Family, content: Content, request: ModelRequest, header: Callable[[str], str | None]
) -> Response:
    guardrail = read_guardrail_headers(header)
    unmarked, marks = _split_guardrail(content, request, guardrail)
    body = {**family.render(unmarked, request), **marks}
    usage = _find_usage(content, request)
    headers = [
        ("x-amzn-bedrock-invocation-latency", str(synthesis.latency(request.chance, usage.output)))
    ]
    if family.token_headers and usage != _NOTHING:
        headers += _render_count_headers(family, content, request, usage)
    return _json(body, (*headers, *render_tier_headers(header)))


def _render_count_headers(
    family: Family, content: Content, request: ModelRequest, usage: Usage
) -> Iterator[tuple[str, str]]:
    """Yield the headers that count tokens, in Bedrock's order."""
    if family.counts_cache(request, usage):
        yield "x-amzn-bedrock-cache-write-input-token-count", str(usage.cache_write)
        yield "x-amzn-bedrock-cache-read-input-token-count", str(usage.cache_read)
    if isinstance(content, Message):
        yield "x-amzn-bedrock-output-token-count", str(usage.output)
    yield "x-amzn-bedrock-input-token-count", str(usage.input)


def _split_guardrail(
    content: Content, request: ModelRequest, guardrail: GuardrailRequest | None
) -> tuple[Content, JsonObject]:
    """Move a guardrail's stop reason out of the message, because Bedrock writes
    it in a member of its own.

    Return the message, and the members that Bedrock adds if the request names a guardrail or
    the guardrail intervened.
    """
    if not isinstance(content, Message):
        return content, {}
    stopped = content.stop == "guardrail_intervened"
    marks: JsonObject = (
        {GUARDED: "INTERVENED" if stopped else "NONE"} if stopped or guardrail else {}
    )
    if guardrail is not None and guardrail.traced:
        marks[TRACE] = guardrail.render_trace(content, request.prompt, request.chance, native=True)
    if stopped:
        return replace(with_model_stop(content), usage=content.usage or _NOTHING), marks
    return content, marks


def _find_usage(content: Content, request: ModelRequest) -> Usage:
    match content:
        case Message():
            return synthesis.usage_of(content, request.prompt)
        case Embeddings(usage=usage) if usage is not None:
            return usage
    return Usage(max(1, request.prompt.tokens), 0)


def _chunks(
    family: Family, content: Content, request: ModelRequest, guardrail: GuardrailRequest | None
) -> Iterator[JsonValue]:
    """Yield the stream's values.

    The last value gets the members that Bedrock adds: metrics and the guardrail action.

    Bedrock adds no metrics if a guardrail blocked the request, because the model did not run.
    """
    assert family.stream is not None
    unmarked, marks = _split_guardrail(content, request, guardrail)
    usage = _find_usage(content, request)
    added = marks if usage == _NOTHING else {**marks, METRICS: _metrics(family, request, usage)}
    values = list(family.stream(unmarked, request))
    if family.metrics_alone and added:
        values.append({})
    yield from _mark_last(values, added)


def _mark_last(values: Iterable[JsonValue], members: JsonObject) -> Iterable[JsonValue]:
    """Add members to the last value of a stream that is an object."""
    if not members:
        return values
    values = list(values)
    last = max((at for at, value in enumerate(values) if isinstance(value, dict)), default=None)
    return [
        {**value, **members} if at == last and isinstance(value, dict) else value
        for at, value in enumerate(values)
    ]


def _metrics(family: Family, request: ModelRequest, usage: Usage) -> JsonObject:
    whole = synthesis.latency(request.chance, usage.output)
    metrics: JsonObject = {
        "inputTokenCount": usage.input,
        "outputTokenCount": usage.output,
        "invocationLatency": whole,
        "firstByteLatency": request.chance.randint(100, min(whole, 400)),
    }
    if family.counts_cache(request, usage):
        metrics |= {
            "cacheReadInputTokenCount": usage.cache_read,
            "cacheWriteInputTokenCount": usage.cache_write,
        }
    return metrics


def _chunk(value: JsonValue) -> Event:
    return Event(0, event_headers("chunk"), bodies.seal_chunk(value), "bytes")


# -- Converse --------------------------------------------------------------------------------------


def _render_event(value: JsonValue) -> Event:
    assert isinstance(value, dict)
    ((name, payload),) = value.items()
    return Event(0, event_headers(name), bodies.compact(payload), "json")


# -- operations without a family -------------------------------------------------------------------


def _count_tokens(content: Content, prompt: Prompt) -> int:
    """Return the given count, or an estimate from the length of the prompt."""
    usage = content.usage if isinstance(content, Message | Embeddings) else None
    return usage.input if usage else max(1, prompt.tokens)
