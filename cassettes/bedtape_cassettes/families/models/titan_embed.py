"""Amazon Titan Text Embeddings (v1, v2) and Multimodal Embeddings: one input a request, one vector an answer.

Never normalises differently when `normalize` is false: its vectors are of length 1 in any case.
"""

from __future__ import annotations

from bedtape_cassettes.families.content import Content, Embeddings, Prompt
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest, RenderError
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.shared import embedding, json_access
from bedtape_cassettes.model import JsonValue

__all__ = ["TITAN_EMBED"]

# The only types that v2 knows; `binary` is a 0 or 1 a dimension.
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
        return {"embedding": list(vector), "embeddingsByType": by_type, "inputTextTokenCount": tokens}
    return {"embedding": list(vector), "inputTextTokenCount": tokens}


def _source(body: JsonObject) -> str:
    """A text, an image, or both, which are one input."""
    image = json_access.text(body, "inputImage")
    return json_access.text(body, "inputText") + (embedding.image(image) if image else "")


def _dimension(request: ModelRequest) -> tuple[JsonValue, int]:
    """What the request says, and what the model has else."""
    if "embed-image" in request.model:
        return json_access.member(request.body, "embeddingConfig", "outputEmbeddingLength"), 1024
    if _is_second(request.model):
        return json_access.member(request.body, "dimensions"), 1024
    return None, 1536


def _is_second(model: str) -> bool:
    """Whether it is a text model from v2 on; a model id that tells nothing is the newest."""
    return not any(older in model for older in ("embed-image", "embed-text-v1", "embed-g1"))


def _types(body: JsonObject) -> tuple[str, ...]:
    """The types that were asked for. `float` comes without being asked for (9 of 9 recorded answers)."""
    requested = json_access.texts(body, "embeddingTypes") or ("float",)
    unknown = [form for form in requested if form not in _TYPES]
    if unknown:
        raise RenderError(f"expected `embeddingTypes` among {', '.join(_TYPES)}, found {unknown[0]!r}")
    return requested


def _convert(vector: list[float], form: str) -> JsonValue:
    return [int(number > 0) for number in vector] if form == "binary" else list(vector)


def _read(body: JsonObject) -> Content:
    """The vector stands under its types alone where `embedding` is left out; bits are numbers too."""
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
