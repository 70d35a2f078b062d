"""Marengo's embeddings: the flat requests of 2.7 and the nested ones of 3.0."""

from typing import Any

import pytest

from bedtape_cassettes.families.content import Embeddings
from bedtape_cassettes.families.models.twelvelabs_marengo import TWELVELABS_MARENGO
from support.native import invoke

SECOND, THIRD = "us.twelvelabs.marengo-embed-2-7-v1:0", "twelvelabs.marengo-embed-3-0-v1:0"
FLAT = {"inputType": "text", "inputText": "a dog"}
NESTED = {"inputType": "text", "text": {"inputText": "a dog"}}
MEDIA = {"mediaSource": {"base64String": "AAAA"}}


@pytest.mark.parametrize(
    ("model", "request_", "dimension"), [(SECOND, FLAT, 1024), (THIRD, NESTED, 512)]
)
def test_each_version_has_its_dimension(
    model: str, request_: dict[str, Any], dimension: int
) -> None:
    made = invoke(model, request_, Embeddings())
    assert list(made) == ["data"]
    assert [len(each["embedding"]) for each in made["data"]] == [dimension]
    assert TWELVELABS_MARENGO.prompt(request_).last == "a dog"


def test_other_inputs_get_other_vectors() -> None:
    asked: list[dict[str, Any]] = [
        NESTED,
        {"inputType": "image", "image": MEDIA},
        {
            "inputType": "image",
            "image": {"mediaSource": {"s3Location": {"uri": "s3://bucket/dog.png"}}},
        },
        {"inputType": "text_image", "text_image": {"inputText": "a dog", **MEDIA}},
        {
            "inputType": "multi_input",
            "multi_input": {"inputText": "a dog", "mediaSources": [{"base64String": "AAAB"}]},
        },
    ]
    made = [tuple(invoke(THIRD, each, Embeddings())["data"][0]["embedding"]) for each in asked * 2]
    assert len(set(made)) == len(asked)
    assert invoke(SECOND, FLAT, Embeddings()) == invoke(SECOND, NESTED, Embeddings())


def test_given_vectors_are_kept() -> None:
    content = Embeddings(vectors=((0.5, -0.5),))
    assert TWELVELABS_MARENGO.read(invoke(THIRD, NESTED, content)) == content
    assert TWELVELABS_MARENGO.read({"data": {"embedding": [0.5, -0.5]}}) == content
