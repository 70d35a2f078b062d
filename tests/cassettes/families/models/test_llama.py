"""Llama: one `generation`, a chunk a token that counts."""

import pytest

from bedtape_cassettes.families.content import Message, Text, Usage
from bedtape_cassettes.families.models.llama import LLAMA
from support.messages import model_request, render_chunks

MODEL = "us.meta.llama3-1-70b-instruct-v1:0"
REQUEST = {"prompt": "Say hi", "max_gen_len": 9, "temperature": 0.5, "top_p": 0.9}
STOPS = {"end_turn": "stop", "max_tokens": "length", "stop_sequence": "stop"}


def test_a_whole_answer() -> None:
    made = LLAMA.render(
        Message((Text("Hi."),), "max_tokens", usage=Usage(7, 2)),
        model_request(LLAMA, MODEL, REQUEST),
    )
    wanted = {
        "generation": "Hi.",
        "prompt_token_count": 7,
        "generation_token_count": 2,
        "stop_reason": "length",
    }
    assert list(made.items()) == list(wanted.items())


@pytest.mark.parametrize(("stop", "last"), [("end_turn", ""), ("max_tokens", "!")])
def test_chunks_count_and_only_the_last_says_why(stop: str, last: str) -> None:
    made = render_chunks(
        LLAMA, MODEL, REQUEST, Message((Text("Hi, all of you there!"),), stop, usage=Usage(7, 99))
    )
    assert [chunk["prompt_token_count"] for chunk in made] == [7] + [None] * (len(made) - 1)
    assert [chunk["generation_token_count"] for chunk in made] == [*range(1, len(made)), 99]
    assert [chunk["stop_reason"] for chunk in made] == [None] * (len(made) - 1) + [STOPS[stop]]
    assert made[-1]["generation"].endswith(last)
    assert bool(made[-1]["generation"]) == bool(last)


def test_what_is_none_of_its_answers_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"expected a `generation`.*found message"):
        LLAMA.read({"message": "Validation Error"})
