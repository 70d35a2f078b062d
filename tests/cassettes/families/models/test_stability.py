"""Stability's images: seeds told, and the answer to what was filtered."""

from base64 import b64decode
from typing import Any

import pytest

from bedtape_cassettes.families.content import Images
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.models.stability import STABILITY
from bedtape_cassettes.families.table import family_of
from support.native import invoke

MODEL = "stability.stable-image-core-v1:1"


@pytest.mark.parametrize(
    "model",
    [
        "stability.sd3-5-large-v1:0",
        "us.stability.stable-image-ultra-v1:1",
        "stability.stable-fast-upscale-v1:0",
        "stability.stable-outpaint-v1:0",
        "stability.stable-style-transfer-v1:0",
    ],
)
def test_every_model_is_of_the_family(model: str) -> None:
    assert family_of("InvokeModel", model) is STABILITY


def test_stable_diffusion_xl_is_not() -> None:
    with pytest.raises(RenderError):
        family_of("InvokeModel", "stability.stable-diffusion-xl-v1")


def test_the_seed_asked_for_is_told() -> None:
    made = invoke(MODEL, {"prompt": "a dog", "seed": 7}, Images())
    assert list(made) == ["seeds", "finish_reasons", "images"]
    assert (made["seeds"], made["finish_reasons"]) == ([7], [None])
    assert b64decode(made["images"][0]).startswith(b"\x89PNG")
    assert invoke(MODEL, {"prompt": "a dog", "seed": 7}, Images(), seed=1) == made


@pytest.mark.parametrize("request_", [{"prompt": "a dog"}, {"prompt": "a dog", "seed": 0}])
def test_no_seed_is_a_random_one_that_makes_the_same_image_again(request_: dict[str, Any]) -> None:
    one, other = (invoke(MODEL, request_, Images(), seed=seed) for seed in (1, 2))
    assert one["seeds"] != other["seeds"]
    assert one["images"] != other["images"]
    assert invoke(MODEL, {**request_, "seed": one["seeds"][0]}, Images())["images"] == one["images"]


def test_given_images_are_kept() -> None:
    content = Images((b"one", b"two"))
    made = invoke(MODEL, {"prompt": "a dog"}, content)
    assert STABILITY.read(made) == content
    assert len(made["seeds"]) == len(made["finish_reasons"]) == 2


def test_no_image_at_all_is_what_was_filtered() -> None:
    made = invoke(MODEL, {"prompt": "a dog"}, Images(()))
    assert made == {"finish_reasons": ["Filter reason: prompt"]}
    assert STABILITY.read(made) == Images(())


def test_the_prompt_is_what_the_user_says() -> None:
    assert STABILITY.prompt({"prompt": "a dog"}).last == "a dog"
    assert STABILITY.prompt({"image": "AAAA"}).turns == ()
