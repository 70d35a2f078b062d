"""OpenAI's embeddings on `/openai/v1/embeddings`.

The model decides the dimension; OpenAI's client asks for base64.

[inferred] No recording exists; the form is that of OpenAI's own API.
"""

from __future__ import annotations

import struct
from base64 import b64encode

from bedtape_cassettes.families.content import Content, Embeddings, Prompt
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.shared import embedding, json_access, readers
from bedtape_cassettes.families.shared.completion import strings
from bedtape_cassettes.model import JsonValue

_DIMENSION = 1024


def _prompt(body: JsonObject) -> Prompt:
    return embedding.prompt_of(strings(body, "input"))


def _render(content: Content, request: ModelRequest) -> JsonObject:
    sources = strings(request.body, "input")
    vectors = embedding.vectors(
        content, sources, json_access.member(request.body, "dimensions"), _DIMENSION
    )
    encode = _encode if json_access.text(request.body, "encoding_format") == "base64" else list
    data: list[JsonValue] = [
        {"embedding": encode(vector), "index": index, "object": "embedding"}
        for index, vector in enumerate(vectors)
    ]
    usage = content.usage if isinstance(content, Embeddings) and content.usage else None
    count = usage.input if usage else max(1, request.prompt.tokens)
    return {
        "data": data,
        "model": request.model,
        "object": "list",
        "usage": {"prompt_tokens": count, "total_tokens": count},
    }


def _encode(vector: list[float]) -> JsonValue:
    return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _read(body: JsonObject) -> Content:
    if not isinstance(body.get("data"), list):
        raise ValueError("expected a list `data`, found none: not an answer of OpenAI's embeddings")
    return Embeddings(tuple(_decode(row.get("embedding")) for row in readers.objects(body, "data")))


def _decode(value: JsonValue) -> tuple[float, ...]:
    if isinstance(value, str):
        data = readers.binary(value)
        return struct.unpack(f"<{len(data) // 4}f", data[: len(data) // 4 * 4])
    return tuple(embedding.floats(value))


OPENAI_EMBEDDINGS = Family(
    name="openai_embeddings",
    models=(),
    answers=(Embeddings,),
    prompt=_prompt,
    render=_render,
    read=_read,
    members=Members(input=("usage.prompt_tokens",), total=("usage.total_tokens",)),
)
