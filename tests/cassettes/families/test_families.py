"""Which family a model belongs to, and what all families share."""

import math
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.families.content import (
    Message,
    Prompt,
    Reasoning,
    Text,
    ToolUse,
    Turn,
    Usage,
)
from bedtape_cassettes.families.family import RenderError, make_render_error
from bedtape_cassettes.families.shared import readers, similarity, synthesis
from bedtape_cassettes.families.table import FAMILIES, family_of, strip_profile
from support import contents

# -- the table -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("anthropic.claude-3-haiku-20240307-v1:0", "anthropic"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic"),
        ("global.anthropic.claude-opus-4-6-v1", "anthropic"),
        ("anthropic.claude-v2:1", "anthropic_text"),
        ("anthropic.claude-instant-v1", "anthropic_text"),
        ("amazon.nova-micro-v1:0", "nova"),
        ("us.amazon.nova-2-lite-v1:0", "nova"),
        ("amazon.nova-2-multimodal-embeddings-v1:0", "nova_embed"),
        ("amazon.nova-canvas-v1:0", "amazon_image"),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-tg1-large", "titan_text"),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.meta.llama3-3-70b-instruct-v1:0",
            "llama",
        ),
    ],
)
def test_the_id_tells_the_family(model: str, family: str) -> None:
    assert family_of("InvokeModel", model).name == family


def test_an_id_without_a_maker_tells_nothing() -> None:
    profile = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/1arbu5hu2sjr"
    with pytest.raises(RenderError, match="matches no known family"):
        family_of("InvokeModel", profile)
    assert family_of("InvokeModel", profile, "nova").name == "nova"
    assert family_of("Converse", profile).name == "converse"


def test_converse_is_no_familys_name() -> None:
    with pytest.raises(RenderError, match="found 'converse'"):
        family_of("InvokeModel", "amazon.nova-lite-v1:0", "converse")


def test_names_are_unique_and_no_family_is_hidden_by_another() -> None:
    names = [family.name for family in FAMILIES]
    assert len(set(names)) == len(names)
    for family in FAMILIES:
        for glob in family.models:
            assert family_of("InvokeModel", glob.replace("*", "x")).name == family.name


def test_bare_ids() -> None:
    assert strip_profile(
        "arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/us-gov.amazon.nova-lite-v1:0"
    ) == ("amazon.nova-lite-v1:0")
    assert strip_profile("anthropic.claude-v2") == "anthropic.claude-v2"


def test_a_refusal_says_what_was_found_and_what_can_be_said() -> None:
    assert (
        str(make_render_error("llama", Reasoning("x"), "text"))
        == "models of the llama family answer with text, found Reasoning"
    )


@given(contents.REQUESTS, st.sampled_from(FAMILIES))
def test_every_family_reads_any_request(body: dict[str, Any], family: Any) -> None:
    assert isinstance(family.prompt(body), Prompt)


# -- making ----------------------------------------------------------------------------------------


@given(contents.WORDS, st.integers(1, 5), st.integers(0, 9), st.integers())
def test_deltas_are_the_text_in_pieces_of_that_size(
    text: str, least: int, more: int, seed: int
) -> None:
    pieces = list(synthesis.deltas(text, Random(seed), least, least + more))
    assert "".join(pieces) == text
    assert all(least <= len(piece) <= least + more for piece in pieces[:-1])
    assert "" not in pieces


@given(st.text(max_size=20), st.integers(1, 64))
def test_vectors_have_length_one_and_depend_on_the_text(text: str, dimension: int) -> None:
    vector = similarity.make_vector(text, dimension)
    assert len(vector) == dimension
    assert math.isclose(sum(number * number for number in vector), 1.0, rel_tol=1e-5)
    assert similarity.make_vector(text, dimension) == vector
    assert dimension < 3 or similarity.make_vector(text + "x", dimension) != vector


def test_usage_is_made_up_of_what_was_asked_and_answered() -> None:
    prompt = Prompt(system="a" * 8, turns=(Turn("user", "b" * 31),))
    message = Message((Reasoning("c" * 4), Text("d" * 4), ToolUse("name", {"a": 1})))
    assert synthesis.usage_of(message, prompt) == Usage(10, 1 + 1 + 3)
    assert synthesis.usage_of(Message(()), Prompt()) == Usage(1, 1)
    assert synthesis.usage_of(Message((), usage=Usage(0, 3)), prompt) == Usage(0, 3)


def test_identifiers_come_from_chance() -> None:
    assert synthesis.identifier(Random(1), 22) == synthesis.identifier(Random(1), 22)
    assert len({synthesis.identifier(Random(seed), 22) for seed in range(99)}) == 99


# -- telling ---------------------------------------------------------------------------------------


@given(contents.JSON)
def test_nothing_raises_whatever_it_is_told(value: Any) -> None:
    readers.objects(value, "a")
    readers.read_text(value)
    readers.to_text(value)
    readers.binary(value)


@given(st.text())
def test_arguments_are_json_or_the_text(text: str) -> None:
    readers.arguments(text)


@given(contents.OBJECTS)
def test_arguments_are_read_as_they_were_written(value: Any) -> None:
    assert readers.arguments(synthesis.json_text(value)) == value


@pytest.mark.parametrize(
    ("text", "value"), [("", {}), ('{"ci', '{"ci'), ('{"a":1}', {"a": 1}), ("[1]", [1])]
)
def test_arguments_of_cut_answers(text: str, value: Any) -> None:
    assert readers.arguments(text) == value
