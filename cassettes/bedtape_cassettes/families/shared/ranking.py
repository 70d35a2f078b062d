"""Ranks texts by the words that they share with a query, not by meaning; checks given ranks."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bedtape_cassettes.families.content import Ranking
from bedtape_cassettes.families.family import RenderError

_WORD = re.compile(r"\w+")
# Real scores are between 0 and 1, and reach neither.
_LEAST, _MOST = 0.01, 0.99


def score_words(query: str, text: str) -> float:
    """The share of the query's words that the text contains."""
    query_words = set(_WORD.findall(query.lower()))
    shared = query_words & set(_WORD.findall(text.lower()))
    return round(_LEAST + (_MOST - _LEAST) * len(shared) / max(1, len(query_words)), 7)


def rank(
    ranking: Ranking, query: str, documents: Sequence[str], limit: int | None
) -> list[tuple[int, float]]:
    """Return index and score of the best documents, best first.

    Raises RenderError if the given scores do not fit.
    """
    scores = ranking.scores
    if scores is None:
        scores = tuple(enumerate(score_words(query, text) for text in documents))
    else:
        _check(scores, len(documents))
    ranked = sorted(scores, key=lambda scored: scored[1], reverse=True)
    return ranked if limit is None else ranked[: max(0, limit)]


def _check(scores: tuple[tuple[int, float], ...], documents: int) -> None:
    indexes = [index for index, _ in scores]
    if len(set(indexes)) < len(indexes):
        raise RenderError(
            f"expected one score a document, found more than one for an index of {indexes}"
        )
    for index in indexes:
        if not 0 <= index < documents:
            raise RenderError(
                f"expected scores for the request's documents, 0 to {documents - 1}; found one for"
                f" {index}"
            )
