"""Token counts under every family's names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.families.content import Usage
from bedtape_cassettes.families.usage import usage_said, with_usage
from bedtape_cassettes.model import Body, Headers, Interaction
from support.recordings import path, recorded


def whole(body: Any, headers: Headers = ()) -> Interaction:
    kept = (("Content-Type", "application/json"), *headers)
    return recorded(b"{}", json.dumps(body).encode(), url=path("invoke", "m.n"), headers=kept)


def value(body: object) -> Any:
    assert isinstance(body, Body)
    return json.loads(body.data)


@pytest.mark.parametrize(
    ("usage", "after"),
    [
        (
            {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7},
            {"inputTokens": 3, "outputTokens": 9, "totalTokens": 12},
        ),
        ({"input_tokens": 3, "output_tokens": 4}, {"input_tokens": 3, "output_tokens": 9}),
        (
            {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
            {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12},
        ),
    ],
)
def test_a_count_is_set_under_its_own_name_and_its_total_follows(usage: dict[str, int], after: dict[str, int]) -> None:
    interaction = whole({"usage": usage})
    assert usage_said(interaction.response) == Usage(3, 4)
    assert value(with_usage(interaction, "outputTokens", 9).body) == {"usage": after}


def test_counts_in_headers_are_set() -> None:
    interaction = whole(
        {"text": "a"}, (("x-amzn-bedrock-output-token-count", "4"), ("X-Amzn-Bedrock-Input-Token-Count", "3"))
    )
    assert usage_said(interaction.response) == Usage(3, 4)
    assert ("x-amzn-bedrock-output-token-count", "9") in with_usage(interaction, "outputTokens", 9).headers


def test_output_grows_to_what_is_said_last() -> None:
    rows = [{"output_tokens": 1}, {"output_tokens": 5}, {"output_tokens": 8}]
    assert value(with_usage(whole(rows), "outputTokens", 3).body) == [
        {"output_tokens": 3},
        {"output_tokens": 3},
        {"output_tokens": 3},
    ]


def test_an_answer_that_does_not_count_is_told() -> None:
    assert usage_said(whole({"text": "a"}).response) is None
    with pytest.raises(CassetteError, match="counts outputTokens, found none"):
        with_usage(whole({"text": "a"}), "outputTokens", 3)
