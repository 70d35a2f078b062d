"""Vectors: unit length, told by their source alone, and the same again after
their smaller forms.
"""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.families.content import Embeddings, Prompt, Turn, Usage
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.shared import embedding

NUMBERS = st.lists(st.floats(-1, 1), min_size=8, max_size=64).filter(
    lambda numbers: len(numbers) % 8 == 0
)


@given(st.text(), st.integers(1, 300))
def test_a_vector_has_the_length_1_and_the_dimension_asked_for(source: str, dimension: int) -> None:
    (vector,) = embedding.vectors(
        Embeddings(), [source.encode(errors="replace").decode()], dimension, 7
    )
    assert len(vector) == dimension
    assert math.isclose(math.sqrt(sum(number**2 for number in vector)), 1, rel_tol=1e-5)


def test_equal_inputs_are_near_and_others_are_not() -> None:
    dogs, again, cats = embedding.vectors(Embeddings(), ["dogs", "dogs", "cats"], None, 256)
    assert dogs == again
    assert abs(sum(a * b for a, b in zip(dogs, cats, strict=True))) < 0.5


def test_the_rule_s_dimension_wins_over_the_request_s_and_that_over_the_model_s() -> None:
    def made(content: Embeddings, asked: int | None) -> int:
        return len(embedding.vectors(content, ["x"], asked, 3)[0])

    assert (made(Embeddings(), None), made(Embeddings(), 5), made(Embeddings(dimension=7), 5)) == (
        3,
        5,
        7,
    )


@pytest.mark.parametrize("asked", [0, -1, 10**9, True, "1024", 0.5, []])
def test_a_dimension_that_no_vector_has_is_refused(asked: object) -> None:
    with pytest.raises(RenderError, match="from 1 to 16384 as the dimension, found"):
        embedding.vectors(Embeddings(), ["x"], asked, 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_given_vectors_are_as_many_as_the_inputs(count: int) -> None:
    content = Embeddings(vectors=((0.5, 0.25),) * count)
    with pytest.raises(RenderError, match=f"as the request has inputs, 2; found {count};"):
        embedding.vectors(content, ["a", "b"], None, 3)


def test_given_vectors_are_kept_as_floats() -> None:
    vectors = embedding.vectors(Embeddings(vectors=((1, 0.1),)), ["a"], None, 3)
    assert vectors == [[1.0, 0.1]]
    assert isinstance(vectors[0][0], float)


def test_tokens_are_those_given_or_plausible() -> None:
    prompt = Prompt(turns=(Turn("user", "four and twenty blackbirds"),))
    assert embedding.input_tokens(Embeddings(usage=Usage(5, 0)), prompt) == 5
    assert 3 <= embedding.input_tokens(Embeddings(), prompt) <= 10
    assert embedding.input_tokens(Embeddings(), Prompt()) == 1


@pytest.mark.parametrize(
    ("form", "least", "most", "per_byte"),
    [
        ("int8", -128, 127, 1),
        ("uint8", 0, 255, 1),
        ("binary", -128, 127, 8),
        ("ubinary", 0, 255, 8),
    ],
)
@given(numbers=NUMBERS)
def test_smaller_forms_hold_bytes_and_are_the_same_when_read_and_written_again(
    numbers: list[float], form: str, least: int, most: int, per_byte: int
) -> None:
    small = embedding.quantise(numbers, form)
    assert len(small) == len(numbers) / per_byte
    assert all(type(number) is int and least <= number <= most for number in small)
    assert embedding.quantise(embedding.dequantise(embedding.floats(small), form), form) == small


@given(NUMBERS)
def test_bits_are_the_signs_highest_first(numbers: list[float]) -> None:
    bits = "".join("1" if number > 0 else "0" for number in numbers)
    expected = int(bits, 2).to_bytes(len(numbers) // 8, "big")
    assert bytes(embedding.quantise(numbers, "ubinary")) == expected  # type: ignore[arg-type]
    signed = struct.pack(f"{len(expected)}b", *embedding.quantise(numbers, "binary"))
    assert bytes(byte ^ 0x80 for byte in signed) == expected


def test_int8_uses_its_range_and_keeps_signs() -> None:
    (vector,) = embedding.vectors(Embeddings(), ["a text"], None, 1024)
    small = [int(str(number)) for number in embedding.quantise(vector, "int8")]
    assert max(map(abs, small)) > 64
    assert all(
        number == 0 or (number > 0) == (real > 0)
        for number, real in zip(small, vector, strict=True)
    )


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(RenderError, match="float, int8, uint8, binary, ubinary, found 'base64'"):
        embedding.quantise([0.5], "base64")


@pytest.mark.parametrize("value", [None, {}, "x", [1, "x"], [True], [10**400], [float("inf")]])
def test_what_is_no_vector_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="expected a vector"):
        embedding.floats(value)  # type: ignore[arg-type]


def test_images_are_told_by_their_bytes_however_they_are_sent() -> None:
    assert (
        embedding.image("data:image/png;base64,AAAA")
        == embedding.image("AAAA")
        != embedding.image("AAAB")
    )
