"""Cohere Embed v3 and v4: a vector for each text or image of a request, in one
or several number types.

Answers do not describe the images of a request, because images are not decoded.
"""

from __future__ import annotations

from bedtape_cassettes.families.content import Content, Embeddings, Prompt
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.shared import completion, embedding, json_access
from bedtape_cassettes.model import JsonValue


def _prompt(body: JsonObject) -> Prompt:
    mixed_texts = (_read_texts(each) for each in json_access.items(body, "inputs"))
    return embedding.prompt_of(
        [*json_access.texts(body, "texts"), *(text for text in mixed_texts if text)]
    )


def _render(content: Content, request: ModelRequest) -> JsonObject:
    third = "-v3" in request.model
    requested = None if third else json_access.member(request.body, "output_dimension")
    vectors = embedding.vectors(content, _sources(request.body), requested, 1024 if third else 1536)
    types = json_access.texts(request.body, "embedding_types") or (() if third else ("float",))
    by_type: JsonObject = {
        form: [embedding.quantise(vector, form) for vector in vectors] for form in types
    }
    plain: JsonValue = [list(vector) for vector in vectors]
    texts: list[JsonValue] = list(json_access.texts(request.body, "texts"))
    answer: JsonObject = {
        "id": completion.uuid(request.chance),
        "texts": [str(text).lower() for text in texts] if third else texts,
        "embeddings": by_type or plain,
        "response_type": "embeddings_by_type" if by_type else "embeddings_floats",
    }
    return dict(sorted(answer.items())) if third else answer


def _sources(body: JsonObject) -> list[str]:
    images = [embedding.image(data) for data in json_access.texts(body, "images")]
    mixed = [_read_texts(each) + _read_images(each) for each in json_access.items(body, "inputs")]
    return [*json_access.texts(body, "texts"), *images, *mixed]


def _read_texts(mixed: JsonValue) -> str:
    """The texts of an input with texts and images."""
    return "\n".join(
        filter(
            None, (json_access.text(part, "text") for part in json_access.items(mixed, "content"))
        )
    )


def _read_images(mixed: JsonValue) -> str:
    """The images of an input.

    `image_url` is a data URI in Bedrock's documentation, an object with it in Cohere's.
    """
    parts = json_access.items(mixed, "content")
    urls = (
        json_access.text(part, "image_url") or json_access.text(part, "image_url", "url")
        for part in parts
    )
    return "".join(embedding.image(url) for url in urls if url)


def _read(body: JsonObject) -> Content:
    embeddings = json_access.member(body, "embeddings")
    form = "float"
    if isinstance(embeddings, dict):
        form = next((each for each in embedding.FORMS if each in embeddings), "float")
        embeddings = embeddings.get(form)
    if not isinstance(embeddings, list):
        raise ValueError(
            "expected `embeddings`, a list of vectors or an object of such lists by number type"
        )
    return Embeddings(
        tuple(embedding.dequantise(embedding.floats(vector), form) for vector in embeddings)
    )


COHERE_EMBED = Family(
    name="cohere_embed",
    models=("cohere.embed-*",),
    answers=(Embeddings,),
    prompt=_prompt,
    render=_render,
    read=_read,
    required=("input_type", ("texts", "images", "inputs")),
)
