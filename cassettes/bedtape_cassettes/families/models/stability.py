"""Stability AI's Stable Diffusion 3.5, Stable Image and image services: one image per request.

Images are PNGs for every output_format. Stable Diffusion XL has another form. It is not supported,
because Bedrock no longer serves it.
"""

from __future__ import annotations

from bedtape_cassettes.families.content import Content, Images, Prompt, Turn
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.shared import json_access, picture

_LARGEST_SEED = 4_294_967_294  # as documented
_FILTERED = "Filter reason: prompt"


def _prompt(body: JsonObject) -> Prompt:
    text = json_access.text(body, "prompt")
    return Prompt(turns=(Turn("user", text),) if text else ())


def _render(content: Content, request: ModelRequest) -> JsonObject:
    """Render the answer. Empty `images` give the answer to a filtered request."""
    assert isinstance(content, Images)
    # Without a seed, or with 0, the model chooses a random seed and returns it.
    seed = json_access.integer(request.body, "seed") or request.chance.randint(1, _LARGEST_SEED)
    files = (
        (picture.png(request.prompt.text, seed, 0),) if content.images is None else content.images
    )
    if not files:
        return {"finish_reasons": [_FILTERED]}
    return {
        "seeds": [seed + index for index in range(len(files))],
        "finish_reasons": [None for _ in files],
        "images": picture.encode_images(files),
    }


def _read(body: JsonObject) -> Content:
    if "images" not in body and json_access.texts(body, "finish_reasons"):
        return Images(())
    return picture.images(json_access.member(body, "images"))


STABILITY = Family(
    name="stability",
    models=(
        "stability.sd3*",
        "stability.stable-image-*",
        "stability.stable-*-upscale-*",
        "stability.stable-outpaint-*",
        "stability.stable-style-transfer-*",
    ),
    answers=(Images,),
    prompt=_prompt,
    render=_render,
    read=_read,
    required=(("prompt", "image", "init_image"),),
    token_headers=False,
)
