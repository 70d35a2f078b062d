"""Amazon Nova Multimodal Embeddings: one text, image, video or audio per request.

Supports the synchronous task SINGLE_EMBEDDING. Other tasks write to S3 through an
operation that is not rendered.
"""

from __future__ import annotations

from bedtape_cassettes.families.content import Content, Embeddings, Prompt
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.shared import embedding, json_access
from bedtape_cassettes.model import JsonValue

_PARAMS = "singleEmbeddingParams"
_DEFAULT = 3072
_MEDIA = ("image", "video", "audio")


def _prompt(body: JsonObject) -> Prompt:
    text = json_access.text(body, _PARAMS, "text", "value")
    return embedding.prompt_of([text] if text else [])


def _render(content: Content, request: ModelRequest) -> JsonObject:
    sources = _sources(request.body)
    dimension = json_access.member(request.body, _PARAMS, "embeddingDimension")
    vectors = embedding.vectors(content, list(sources.values()), dimension, _DEFAULT)
    each: list[JsonValue] = [
        {"embeddingType": kind, "embedding": list(vector)}
        for kind, vector in zip(sources, vectors, strict=True)
    ]
    return {"embeddings": each}


def _sources(body: JsonObject) -> dict[str, str]:
    """The inputs by their type in the answer. A video can be two inputs: pictures and sound."""
    for medium in _MEDIA:
        medium_input = json_access.member(body, _PARAMS, medium)
        if medium_input is None:
            continue
        source = embedding.image(
            json_access.text(medium_input, "source", "bytes") or _location(medium_input)
        )
        match json_access.text(medium_input, "embeddingMode"):
            case "AUDIO_VIDEO_SEPARATE":
                return {"VIDEO": source, "AUDIO": f"{source} audio"}
            case "AUDIO_VIDEO_COMBINED":
                return {"AUDIO_VIDEO_COMBINED": source}
        return {medium.upper(): source}
    return {
        "TEXT": json_access.text(body, _PARAMS, "text", "value")
        or _location(json_access.member(body, _PARAMS, "text"))
    }


def _location(medium_input: JsonValue) -> str:
    return json_access.text(medium_input, "source", "s3Location", "uri")


def _read(body: JsonObject) -> Content:
    embeddings = json_access.member(body, "embeddings")
    if not isinstance(embeddings, list):
        raise ValueError("expected a list `embeddings`")
    return Embeddings(
        tuple(embedding.floats(json_access.member(each, "embedding")) for each in embeddings)
    )


NOVA_EMBED = Family(
    name="nova_embed",
    models=("amazon.nova-*-embeddings-*",),
    answers=(Embeddings,),
    prompt=_prompt,
    render=_render,
    read=_read,
    required=("taskType", _PARAMS),
)
