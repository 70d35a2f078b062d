"""Amazon Nova Canvas and Titan Image Generator. The answer of every task is a list of PNGs.

[inferred] from the documentation: the member `error`, and its text if there are no images.
"""

from __future__ import annotations

from bedtape_cassettes.families.content import Content, Images, Prompt, Turn
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest, RenderError
from bedtape_cassettes.families.shared import json_access, picture

_CONFIG = "imageGenerationConfig"
_MOST_IMAGES = 5  # as documented for both models
_BLOCKED = "All of the generated images have been blocked by our content filters."


def _prompt(body: JsonObject) -> Prompt:
    """The text of the task, in the member that its type names: textToImageParams, …"""
    texts = (
        json_access.text(value, "text") for name, value in body.items() if name.endswith("Params")
    )
    return Prompt(turns=tuple(Turn("user", text) for text in texts if text))


def _render(content: Content, request: ModelRequest) -> JsonObject:
    assert isinstance(content, Images)
    files = content.images
    if files is None:
        # Without a seed both models return the same image again, because the seed has a default.
        seed = json_access.integer(request.body, _CONFIG, "seed") or 0
        files = tuple(
            picture.png(request.prompt.text, seed, index)
            for index in range(_read_image_count(request.body))
        )
    return {"images": picture.encode_images(files), "error": None if files else _BLOCKED}


def _read_image_count(body: JsonObject) -> int:
    value = json_access.member(body, _CONFIG, "numberOfImages")
    count = 1 if value is None else json_access.integer(body, _CONFIG, "numberOfImages")
    if count is None or not 1 <= count <= _MOST_IMAGES:
        raise RenderError(
            f"expected `{_CONFIG}.numberOfImages` from 1 to {_MOST_IMAGES}, found {value!r}"
        )
    return count


def _read(body: JsonObject) -> Content:
    return picture.images(json_access.member(body, "images"))


AMAZON_IMAGE = Family(
    name="amazon_image",
    models=("amazon.nova-canvas-*", "amazon.titan-image-generator-*"),
    answers=(Images,),
    prompt=_prompt,
    render=_render,
    read=_read,
    required=("taskType",),
    token_headers=False,
)
