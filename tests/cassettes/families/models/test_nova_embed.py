"""Nova's embeddings: one input, or a video's pictures and sound apart; real
answers come back as they were.
"""

import json
from typing import Any

import pytest

from bedtape_cassettes.families.content import Embeddings
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.models.nova_embed import NOVA_EMBED
from support.corpus import needs_corpus
from support.native import invoke, list_exchanges

MODEL = "amazon.nova-2-multimodal-embeddings-v1:0"


def _asked(**params: Any) -> dict[str, Any]:
    return {
        "taskType": "SINGLE_EMBEDDING",
        "singleEmbeddingParams": {
            "embeddingPurpose": "GENERIC_INDEX",
            "embeddingDimension": 256,
            **params,
        },
    }


def _video(mode: str) -> dict[str, Any]:
    source = {"s3Location": {"uri": "s3://bucket/dog.mp4"}}
    return _asked(video={"format": "mp4", "embeddingMode": mode, "source": source})


@needs_corpus
@pytest.mark.corpus
def test_real_answers_come_back_as_they_were() -> None:
    rows = list_exchanges("multimodal-embeddings")
    assert rows
    for row in rows:
        real, request = json.loads(row.response_body), json.loads(row.request_body)
        assert json.dumps(invoke(row.model, request, NOVA_EMBED.read(real))) == json.dumps(real)
        made = invoke(row.model, request, Embeddings())
        assert [len(each["embedding"]) for each in made["embeddings"]] == [256]


@pytest.mark.parametrize(
    ("request_", "types"),
    [
        (_asked(text={"truncationMode": "END", "value": "x"}), ["TEXT"]),
        (_asked(image={"format": "png", "source": {"bytes": "AAAA"}}), ["IMAGE"]),
        (_asked(audio={"format": "mp3", "source": {"bytes": "AAAA"}}), ["AUDIO"]),
        (_video("AUDIO_VIDEO_COMBINED"), ["AUDIO_VIDEO_COMBINED"]),
        (_video("AUDIO_VIDEO_SEPARATE"), ["VIDEO", "AUDIO"]),
        ({}, ["TEXT"]),
    ],
)
def test_the_answer_says_what_was_embedded(request_: dict[str, Any], types: list[str]) -> None:
    made = invoke(MODEL, request_, Embeddings())
    assert [each["embeddingType"] for each in made["embeddings"]] == types
    assert len({tuple(each["embedding"]) for each in made["embeddings"]}) == len(types)
    assert invoke(MODEL, request_, NOVA_EMBED.read(made)) == made


def test_other_inputs_get_other_vectors() -> None:
    asked = [
        _asked(text={"value": "x"}),
        _asked(text={"value": "y"}),
        _asked(text={"source": {"s3Location": {"uri": "s3://bucket/x.txt"}}}),
        _asked(image={"source": {"bytes": "AAAA"}}),
        _asked(image={"source": {"bytes": "AAAB"}}),
    ]
    made = [
        tuple(invoke(MODEL, each, Embeddings())["embeddings"][0]["embedding"]) for each in asked * 2
    ]
    assert len(set(made)) == len(asked)


def test_the_default_dimension() -> None:
    request = {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": {"text": {"value": "x"}}}
    assert len(invoke(MODEL, request, Embeddings())["embeddings"][0]["embedding"]) == 3072


def test_a_video_in_two_wants_two_vectors() -> None:
    with pytest.raises(RenderError, match="inputs, 2; found 1"):
        invoke(MODEL, _video("AUDIO_VIDEO_SEPARATE"), Embeddings(vectors=((0.5,),)))


def test_the_text_is_what_the_user_says() -> None:
    assert NOVA_EMBED.prompt(_asked(text={"value": "hello"})).last == "hello"
