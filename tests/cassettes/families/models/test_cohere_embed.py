"""Cohere's embeddings: v3's and v4's forms, number types, images; real
answers come back as they were.
"""

import json
from uuid import UUID

import pytest

from bedtape_cassettes.families.content import Embeddings
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.models.cohere_embed import COHERE_EMBED
from support.corpus import needs_corpus
from support.native import invoke, list_exchanges

V3, V4 = "cohere.embed-english-v3", "us.cohere.embed-v4:0"
TEXTS = {"input_type": "search_document", "texts": ["Hello World!", "Bye"]}


@needs_corpus
@pytest.mark.corpus
def test_real_answers_come_back_as_they_were() -> None:
    rows = list_exchanges("cohere.embed")
    assert {row.model for row in rows} == {V3, V4}
    for row in rows:
        real, request = json.loads(row.response_body), json.loads(row.request_body)
        made = invoke(row.model, request, COHERE_EMBED.read(real))
        assert UUID(made["id"]).version == UUID(real["id"]).version == 4
        assert json.dumps({**made, "id": ""}) == json.dumps({**real, "id": ""})


def test_v3_lowers_the_texts_and_gives_floats() -> None:
    made = invoke(V3, TEXTS, Embeddings())
    assert list(made) == ["embeddings", "id", "response_type", "texts"]
    assert made["texts"] == ["hello world!", "bye"]
    assert [len(vector) for vector in made["embeddings"]] == [1024, 1024]
    assert made["response_type"] == "embeddings_floats"


def test_v4_keeps_the_texts_and_gives_floats_by_type() -> None:
    made = invoke(V4, TEXTS, Embeddings())
    assert made["texts"] == TEXTS["texts"]
    assert [len(vector) for vector in made["embeddings"]["float"]] == [1536, 1536]
    assert made["response_type"] == "embeddings_by_type"


@pytest.mark.parametrize("model", [V3, V4])
@pytest.mark.parametrize(
    ("form", "dimension"),
    [("float", 1024), ("int8", 1024), ("uint8", 1024), ("binary", 128), ("ubinary", 128)],
)
def test_number_types_are_those_asked_for(model: str, form: str, dimension: int) -> None:
    request = {**TEXTS, "embedding_types": [form], "output_dimension": 1024}
    made = invoke(model, request, Embeddings())
    assert made["response_type"] == "embeddings_by_type"
    assert list(made["embeddings"]) == [form]
    assert [len(vector) for vector in made["embeddings"][form]] == [dimension] * 2
    assert {type(number) for number in made["embeddings"][form][0]} == {
        float if form == "float" else int
    }
    assert invoke(model, request, COHERE_EMBED.read(made))["embeddings"] == made["embeddings"]


def test_several_number_types_and_an_unknown_one() -> None:
    made = invoke(V4, {**TEXTS, "embedding_types": ["int8", "float"]}, Embeddings())
    assert list(made["embeddings"]) == ["int8", "float"]
    with pytest.raises(RenderError, match="found 'base64'"):
        invoke(V4, {**TEXTS, "embedding_types": ["base64"]}, Embeddings())


def test_every_input_gets_a_vector_of_its_own() -> None:
    mixed = [
        {
            "content": [
                {"type": "text", "text": "x"},
                {"type": "image_url", "image_url": {"url": "data:,AAAA"}},
            ]
        },
        {
            "content": [
                {"type": "text", "text": "x"},
                {"type": "image_url", "image_url": "data:,AAAB"},
            ]
        },
    ]
    request = {
        "input_type": "image",
        "images": ["data:image/png;base64,AAAA", "AAAB"],
        "inputs": mixed,
    }
    vectors = invoke(V4, request, Embeddings())["embeddings"]["float"]
    assert len({tuple(vector) for vector in vectors}) == len(vectors) == 4
    assert invoke(V4, request, Embeddings(), seed=1)["embeddings"]["float"] == vectors
    assert invoke(V3, {"images": request["images"]}, Embeddings())["texts"] == []


def test_given_vectors_are_kept_and_must_be_one_an_input() -> None:
    content = Embeddings(vectors=((0.5, 1.0), (0.25, -1.0)))
    for model in (V3, V4):
        assert COHERE_EMBED.read(invoke(model, TEXTS, content)) == content
    with pytest.raises(RenderError, match="inputs, 2; found 1"):
        invoke(V4, TEXTS, Embeddings(vectors=((0.5,),)))


def test_texts_are_what_the_user_says() -> None:
    inputs = [{"content": [{"type": "text", "text": "page"}]}]
    prompt = COHERE_EMBED.prompt({"texts": ["one", "two"], "inputs": inputs})
    assert [turn.text for turn in prompt.turns] == ["one", "two", "page"]
    assert prompt.turn == 3


def test_half_a_character_is_answered() -> None:
    """JSON can say half of a surrogate pair, UTF-8 cannot."""
    assert invoke(V4, {"texts": ["\ud800!"]}, Embeddings())["texts"] == ["?!"]
