"""Rankings: the order, how many, and real answers as they were."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.families.content import Ranking
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.models.cohere_rerank import AMAZON_RERANK, COHERE_RERANK
from bedtape_cassettes.families.table import family_of
from support.corpus import needs_corpus
from support.native import invoke, list_exchanges

COHERE, AMAZON = "cohere.rerank-v3-5:0", "amazon.rerank-v1:0"
DOCUMENTS = [
    "Nothing of it",
    "The capital city",
    {"text": "What is the CAPITAL of France?"},
    "of the capital",
]
REQUEST = {"query": "What is the capital of France", "documents": DOCUMENTS, "api_version": 2}


@needs_corpus
@pytest.mark.corpus
def test_real_answers_come_back_as_they_were_and_the_best_document_is_the_same() -> None:
    rows = list_exchanges("rerank")
    assert rows
    for row in rows:
        real, request = json.loads(row.response_body), json.loads(row.request_body)
        assert json.dumps(invoke(row.model, request, COHERE_RERANK.read(real))) == json.dumps(real)
        made = invoke(row.model, request, Ranking())["results"]
        assert made[0]["index"] == real["results"][0]["index"]
        assert len(made) == len(real["results"])


@pytest.mark.parametrize("model", [COHERE, AMAZON])
def test_documents_that_share_more_words_come_first(model: str) -> None:
    results = invoke(model, REQUEST, Ranking())["results"]
    assert [each["index"] for each in results] == [2, 3, 1, 0]
    assert all(list(each) == ["index", "relevance_score"] for each in results)


@given(
    st.text(st.sampled_from("abc "), max_size=9),
    st.lists(st.text(st.sampled_from("abc "), max_size=9), max_size=8),
    st.none() | st.integers(1, 10),
)
def test_every_document_has_one_score_falling_within_0_and_1(
    query: str, documents: list[str], top: int | None
) -> None:
    request = {"query": query, "documents": documents} | ({} if top is None else {"top_n": top})
    results = invoke(COHERE, request, Ranking())["results"]
    assert len(results) == min(len(documents), len(documents) if top is None else top)
    assert len({each["index"] for each in results}) == len(results)
    scores = [each["relevance_score"] for each in results]
    assert all(isinstance(score, float) and 0 < score < 1 for score in scores)
    assert scores == sorted(scores, reverse=True)


def test_given_scores_are_kept_sorted_and_cut() -> None:
    content = Ranking(scores=((0, 0.25), (3, 1), (1, 0.5)))
    made = invoke(COHERE, {**REQUEST, "top_n": 2}, content)
    assert made == {
        "results": [{"index": 3, "relevance_score": 1.0}, {"index": 1, "relevance_score": 0.5}]
    }
    assert COHERE_RERANK.read(made) == Ranking(((3, 1.0), (1, 0.5)))


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (((4, 0.5),), "documents, 0 to 3; found one for 4"),
        (((1, 0.5), (1, 0.25)), "one score a document"),
    ],
)
def test_scores_of_other_documents_are_refused(
    scores: tuple[tuple[int, float], ...], message: str
) -> None:
    with pytest.raises(RenderError, match=message):
        invoke(COHERE, REQUEST, Ranking(scores=scores))


def test_the_query_is_what_the_user_asks() -> None:
    prompt = COHERE_RERANK.prompt(REQUEST)
    assert prompt.last == REQUEST["query"]
    assert prompt.turn == 1
    assert "The capital city" in prompt.text


def test_only_cohere_s_requires_a_version() -> None:
    assert family_of("InvokeModel", AMAZON) is AMAZON_RERANK
    assert set(COHERE_RERANK.required) - set(AMAZON_RERANK.required) == {"api_version"}
