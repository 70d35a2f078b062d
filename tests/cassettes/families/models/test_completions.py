"""Models of one's own: OpenAI's text completions, which only a rule can name."""

from bedtape_cassettes.families.content import Message, Text, Usage
from bedtape_cassettes.families.models.completions import COMPLETIONS
from bedtape_cassettes.families.table import FAMILIES, family_of
from support.messages import model_request, render_chunks

MODEL = "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefgh1234"
REQUEST = {"prompt": "Say hi", "max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "stop": "|"}


def test_a_whole_answer() -> None:
    made = COMPLETIONS.render(
        Message((Text("Hi."),), usage=Usage(7, 2, 3, 4)), model_request(COMPLETIONS, MODEL, REQUEST)
    )
    assert made["object"] == "text_completion"
    assert made["choices"] == [
        {"index": 0, "text": "Hi.", "logprobs": None, "finish_reason": "stop"}
    ]
    assert made["usage"] == {"prompt_tokens": 14, "completion_tokens": 2, "total_tokens": 16}


def test_only_the_last_chunk_says_why_and_counts() -> None:
    made = render_chunks(
        COMPLETIONS,
        MODEL,
        REQUEST,
        Message((Text("Hi, you all."),), "max_tokens", usage=Usage(7, 2)),
    )
    assert {chunk["choices"][0]["finish_reason"] for chunk in made[:-1]} == {None}
    assert made[-1]["choices"][0]["finish_reason"] == "length"
    assert [chunk["usage"]["total_tokens"] for chunk in made if "usage" in chunk] == [9]


def test_no_model_id_tells_it_but_a_rule_may() -> None:
    assert COMPLETIONS in FAMILIES
    assert family_of("InvokeModel", MODEL, "completions") is COMPLETIONS
