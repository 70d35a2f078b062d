"""Titan's embeddings: each model's form, dimension and types; real answers
come back as they were.
"""

import json
from random import Random
from typing import Any

import pytest

from bedtape_cassettes.families.content import Embeddings, Usage
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.models.titan_embed import TITAN_EMBED
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.rendering import render
from support.corpus import Exchange, needs_corpus
from support.native import invoke, list_exchanges

V1, V2, IMAGE = (
    "amazon.titan-embed-text-v1",
    "amazon.titan-embed-text-v2:0",
    "amazon.titan-embed-image-v1",
)


@needs_corpus
@pytest.mark.corpus
def test_real_answers_come_back_as_they_were() -> None:
    rows = list_exchanges("titan-embed")
    assert {row.model for row in rows} == {V1, V2}
    for row in rows:
        real = json.loads(row.response_body)
        content = content_of(row.operation, row.model, row.interaction().response)
        assert isinstance(content, Embeddings)
        made = invoke(row.model, json.loads(row.request_body), content)
        assert list(made.items()) == list(real.items())


@needs_corpus
@pytest.mark.corpus
def test_made_up_answers_have_the_dimension_of_real_ones() -> None:
    def size(body: dict[str, Any]) -> int:
        return len(body["embedding"])

    def made(row: Exchange) -> dict[str, Any]:
        return invoke(row.model, json.loads(row.request_body), Embeddings())

    assert all(
        size(made(row)) == size(json.loads(row.response_body))
        for row in list_exchanges("titan-embed")
    )


@pytest.mark.parametrize(
    ("model", "request_", "dimension"),
    [
        (V1, {"inputText": "x", "dimensions": 256}, 1536),
        ("amazon.titan-embed-g1-text-02", {"inputText": "x"}, 1536),
        (V2, {"inputText": "x"}, 1024),
        (f"us.{V2}", {"inputText": "x", "dimensions": 256}, 256),
        (IMAGE, {"inputText": "x"}, 1024),
        (IMAGE, {"inputImage": "AAAA", "embeddingConfig": {"outputEmbeddingLength": 384}}, 384),
        (V2, {}, 1024),
    ],
)
def test_each_model_has_its_dimension(model: str, request_: dict[str, Any], dimension: int) -> None:
    assert len(invoke(model, request_, Embeddings())["embedding"]) == dimension


def test_v2_gives_the_types_asked_for() -> None:
    made = invoke(V2, {"inputText": "x", "embeddingTypes": ["binary", "float"]}, Embeddings())
    assert list(made) == ["embedding", "embeddingsByType", "inputTextTokenCount"]
    assert made["embeddingsByType"]["float"] == made["embedding"]
    assert made["embeddingsByType"]["binary"] == [int(number > 0) for number in made["embedding"]]
    with pytest.raises(RenderError, match="float, binary, found 'int8'"):
        invoke(V2, {"inputText": "x", "embeddingTypes": ["int8"]}, Embeddings())


def test_text_and_image_are_one_input_and_both_tell() -> None:
    asked = [
        {"inputText": "x"},
        {"inputImage": "AAAA"},
        {"inputText": "x", "inputImage": "AAAA"},
        {"inputImage": "B"},
    ]
    made = [tuple(invoke(IMAGE, each, Embeddings())["embedding"]) for each in asked * 2]
    assert len(set(made)) == 4
    assert made[:4] == made[4:]


def test_given_vectors_and_tokens_are_told() -> None:
    content = Embeddings(vectors=((0.5, -0.5),), usage=Usage(9, 0))
    made = invoke(V1, {"inputText": "x"}, content)
    assert made == {"embedding": [0.5, -0.5], "inputTextTokenCount": 9}
    assert TITAN_EMBED.read(made) == Embeddings(content.vectors)


def test_a_vector_under_its_types_alone_is_found() -> None:
    for form in ("float", "binary"):
        assert TITAN_EMBED.read({"embeddingsByType": {form: [1, 0]}}) == Embeddings(((1.0, 0.0),))


def test_the_header_counts_the_tokens_that_the_body_tells() -> None:
    request = {"inputText": "four and twenty blackbirds"}
    response = render(
        Embeddings(),
        operation="InvokeModel",
        model=V2,
        body=json.dumps(request).encode(),
        chance=Random(0),
    )
    headers = dict(response.headers)
    told = invoke(V2, request, Embeddings())["inputTextTokenCount"]
    assert headers["x-amzn-bedrock-input-token-count"] == str(told)
    assert "x-amzn-bedrock-output-token-count" not in headers


def test_the_text_is_what_the_user_says() -> None:
    assert TITAN_EMBED.prompt({"inputText": "hello"}).last == "hello"
    assert TITAN_EMBED.prompt({"inputImage": "AAAA"}).turns == ()
