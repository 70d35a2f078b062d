"""Amazon Titan Text Embeddings (v1, v2) and Multimodal Embeddings: one input
and one vector per request.

The member normalize is ignored: generated vectors always have length 1.
"""

from __future__ import annotations

from bedtape_cassettes.families.content import Content, Embeddings, Prompt
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest, RenderError
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.shared import embedding, json_access
from bedtape_cassettes.model import JsonValue

# The number types of v2. `binary` holds 0 or 1 per dimension.
_TYPES = ("float", "binary")


def _prompt(body: JsonObject) -> Prompt:
    text = json_access.text(body, "inputText")
    return embedding.prompt_of([text] if text else [])


def _render(content: Content, request: ModelRequest) -> JsonObject:
    requested, default = _dimension(request)
    (vector,) = embedding.vectors(content, [_source(request.body)], requested, default)
    tokens = embedding.input_tokens(content, request.prompt)
    if _is_second(request.model):
        by_type = {form: _convert(vector, form) for form in _types(request.body)}
        return {
            "embedding": list(vector),
            "embeddingsByType": by_type,
            "inputTextTokenCount": tokens,
        }
    return {"embedding": list(vector), "inputTextTokenCount": tokens}


def _source(body: JsonObject) -> str:
    """The source of the input: a text, an image, or both together."""
    image = json_access.text(body, "inputImage")
    return json_access.text(body, "inputText") + (embedding.image(image) if image else "")


def _dimension(request: ModelRequest) -> tuple[JsonValue, int]:
    """The dimension in the request, and the default of the model."""
    if "embed-image" in request.model:
        return json_access.member(request.body, "embeddingConfig", "outputEmbeddingLength"), 1024
    if _is_second(request.model):
        return json_access.member(request.body, "dimensions"), 1024
    return None, 1536


def _is_second(model: str) -> bool:
    """Whether the model is a text model since v2. An unknown model id counts as the newest."""
    return not any(older in model for older in ("embed-image", "embed-text-v1", "embed-g1"))


def _types(body: JsonObject) -> tuple[str, ...]:
    """The number types in the request. The default is float, as in 9 of 9 recorded answers."""
    requested = json_access.texts(body, "embeddingTypes") or ("float",)
    unknown = [form for form in requested if form not in _TYPES]
    if unknown:
        raise RenderError(
            f"expected `embeddingTypes` among {', '.join(_TYPES)}, found {unknown[0]!r}"
        )
    return requested


def _convert(vector: list[float], form: str) -> JsonValue:
    return [int(number > 0) for number in vector] if form == "binary" else list(vector)


def _read(body: JsonObject) -> Content:
    """Read the vector. Answers without `embedding` have it in `embeddingsByType`."""
    places = (("embedding",), *(("embeddingsByType", form) for form in _TYPES))
    candidates = (json_access.member(body, *place) for place in places)
    vector = embedding.floats(next((each for each in candidates if each is not None), None))
    return Embeddings((vector,))


TITAN_EMBED = Family(
    name="titan_embed",
    models=("amazon.titan-embed-*",),
    answers=(Embeddings,),
    prompt=_prompt,
    render=_render,
    read=_read,
    members=Members(input=("inputTextTokenCount",)),
    required=(("inputText", "inputImage"),),
)
