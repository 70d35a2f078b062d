"""Token counts are set under a family's own names, and what depends on them follows."""

import json
from typing import Any

import pytest

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.families.usage import with_usage
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.json_values import at
from bedtape_cassettes.format.json_view import read_values
from bedtape_cassettes.model import Body, Headers, Interaction
from support.calls import CLAUDE
from support.recordings import path, record_interaction


def whole(body: Any, headers: Headers = (), model: str = CLAUDE) -> Interaction:
    kept = (("Content-Type", "application/json"), *headers)
    return record_interaction(
        b"{}", json.dumps(body).encode(), url=path("invoke", model), headers=kept
    )


def value(body: object) -> Any:
    assert isinstance(body, Body)
    return json.loads(body.data)


@pytest.mark.parametrize(
    ("model", "usage", "after"),
    [
        (
            "amazon.nova-lite-v1:0",
            {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7},
            {"inputTokens": 3, "outputTokens": 9, "totalTokens": 12},
        ),
        (
            CLAUDE,
            {"input_tokens": 3, "output_tokens": 4.0},
            {"input_tokens": 3, "output_tokens": 9.0},
        ),
        (
            "openai.gpt-oss-20b-1:0",
            {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
            {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12},
        ),
    ],
)
def test_a_count_is_set_under_its_own_name_and_its_total_follows(
    model: str, usage: dict[str, float], after: dict[str, float]
) -> None:
    made = with_usage(whole({"usage": usage}, model=model), "output", 9)
    assert json.dumps(value(made.body)) == json.dumps({"usage": after})


def test_counts_in_headers_are_set() -> None:
    interaction = whole({"text": "a"}, (("X-Amzn-Bedrock-Output-Token-Count", "4"),))
    assert ("x-amzn-bedrock-output-token-count", "9") in with_usage(
        interaction, "output", 9
    ).headers


def test_output_grows_to_the_last_count() -> None:
    rows = [{"generation": "a", "generation_token_count": count} for count in (1, 5, 8)]
    data = b"".join(bodies.seal_data(row) for row in rows)
    headers = (("content-type", bodies.SERVER_SENT),)
    streamed = record_interaction(
        b"{}", data, url=path("invoke", "meta.llama3-8b-instruct-v1:0"), headers=headers
    )
    counts = [
        at(each, ("generation_token_count",))
        for each in read_values(with_usage(streamed, "output", 6).body)
    ]
    assert counts == [1, 5, 6]
    assert [
        at(each, ("generation_token_count",))
        for each in read_values(with_usage(streamed, "output", 3).body)
    ] == [1, 3, 3]


def test_an_answer_without_a_count_is_refused() -> None:
    with pytest.raises(CassetteError, match="counts outputTokens, found none"):
        with_usage(whole({"text": "a"}), "output", 3)
