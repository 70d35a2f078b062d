"""Similar texts get similar vectors, so that a test can check retrieval."""

import math

import pytest

from bedtape_cassettes.families.shared.similarity import make_vector

DIMENSIONS = (256, 384, 1024, 1536)


def _cosine(one: str, other: str, dimension: int) -> float:
    return sum(
        a * b
        for a, b in zip(make_vector(one, dimension), make_vector(other, dimension), strict=True)
    )


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize(
    ("one", "other", "least", "most"),
    [
        ("the cat sat on the mat", "a cat sat on a mat", 0.9, 0.99),
        ("Refund policy", "refund policy?", 0.9, 0.9999),
        ("How do I get a refund?", "refund policy for damaged goods", 0.2, 0.8),
        ("running shoes", "shoe for a runner", 0.1, 0.8),
        ("東京の天気", "今日の東京の天気は", 0.3, 0.9),
        ("dog bites man", "man bites dog", 0.8, 0.99),
        ("the cat sat on the mat", "quarterly revenue grew by ten percent", -0.2, 0.2),
        ("how is it with you", "what can we do for them", -0.2, 0.45),
    ],
)
def test_similarity(one: str, other: str, least: float, most: float, dimension: int) -> None:
    assert least < _cosine(one, other, dimension) < most


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_a_question_finds_its_passage(dimension: int) -> None:
    passages = [
        "Refunds are paid within ten days after we received the returned goods.",
        "Our offices in Lyon and Porto are open from Monday to Friday.",
        "Passwords must have twelve characters; a forgotten password can be reset by mail.",
        "Shipping to islands takes a week and costs nine euros.",
    ]
    questions = [
        "When is my refund paid?",
        "Is the Lyon office open on Friday?",
        "I forgot my password",
        "shipping costs",
    ]
    for number, question in enumerate(questions):
        ranked = sorted(
            passages, key=lambda passage: _cosine(question, passage, dimension), reverse=True
        )
        assert ranked[0] == passages[number], question


@pytest.mark.parametrize(
    "source", ["", "!?", "image:AAAA", "image:" + "A" * 1_000_000, "\ud83d", "word " * 100_000]
)
def test_every_source_has_a_unit_vector(source: str) -> None:
    for dimension in (1, 3, 1024):
        assert math.hypot(*make_vector(source, dimension)) == pytest.approx(1, abs=1e-5)


def test_vectors_are_the_same_in_every_version() -> None:
    """A program may have stored vectors of an earlier run."""
    assert make_vector("the cat sat on the mat", 4) == (
        0.6039981,
        -0.6484925,
        0.4463074,
        -0.1243118,
    )
