"""Nova Canvas and Titan Image: as many images as asked for, or those given."""

from base64 import b64decode
from typing import Any

import pytest

from bedtape_cassettes.families.content import Images
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.models.amazon_image import AMAZON_IMAGE
from support.native import invoke

CANVAS, TITAN = "amazon.nova-canvas-v1:0", "amazon.titan-image-generator-v2:0"


def _asked(text: str = "a dog", **config: Any) -> dict[str, Any]:
    return {
        "taskType": "TEXT_IMAGE",
        "textToImageParams": {"text": text},
        "imageGenerationConfig": config,
    }


@pytest.mark.parametrize("model", [CANVAS, TITAN])
@pytest.mark.parametrize(("config", "count"), [({}, 1), ({"numberOfImages": 3}, 3)])
def test_it_makes_as_many_different_pngs_as_asked_for(
    model: str, config: dict[str, Any], count: int
) -> None:
    made = invoke(model, _asked(**config), Images())
    assert list(made) == ["images", "error"]
    assert made["error"] is None
    assert len(set(made["images"])) == len(made["images"]) == count
    assert all(b64decode(image).startswith(b"\x89PNG") for image in made["images"])


def test_prompt_and_seed_tell_the_image() -> None:
    asked = [_asked(), _asked(seed=1), _asked(seed=2), _asked("a cat")]
    made = [
        invoke(CANVAS, each, Images(), seed=at)["images"][0] for at, each in enumerate(asked * 2)
    ]
    assert made[:4] == made[4:]
    assert len(set(made)) == 4


@pytest.mark.parametrize("count", [0, 6, -1, "2", True, 1.5])
def test_a_number_that_the_models_refuse_is_refused(count: object) -> None:
    with pytest.raises(RenderError, match="numberOfImages` from 1 to 5, found"):
        invoke(CANVAS, _asked(numberOfImages=count), Images())


def test_given_images_are_kept() -> None:
    content = Images((b"one", b"two"))
    assert AMAZON_IMAGE.read(invoke(TITAN, _asked(), content)) == content


def test_no_image_at_all_is_an_error() -> None:
    made = invoke(CANVAS, _asked(), Images(()))
    assert made["images"] == []
    assert "blocked" in made["error"]
    assert AMAZON_IMAGE.read(made) == Images(())


@pytest.mark.parametrize(
    "task", ["textToImageParams", "inPaintingParams", "colorGuidedGenerationParams"]
)
def test_every_task_s_text_is_what_the_user_says(task: str) -> None:
    assert AMAZON_IMAGE.prompt({"taskType": "…", task: {"text": "a dog"}}).last == "a dog"
