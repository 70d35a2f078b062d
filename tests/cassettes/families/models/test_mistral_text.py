"""Mistral's completions: `outputs` with a text and a stop reason, and nothing that counts."""

from dataclasses import replace

import pytest
from hypothesis import given

from bedtape_cassettes.families.content import Message, Text, Turn
from bedtape_cassettes.families.models.mistral_text import MISTRAL_TEXT
from support.messages import NO_TEXT, messages, model_request, read_again, refuses, streamed

MODEL = "mistral.mistral-7b-instruct-v0:2"
REQUEST = {"prompt": "<s>[INST] Say hi [/INST]", "max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "stop": ["|"]}
STOPS = {"end_turn": "stop", "max_tokens": "length", "stop_sequence": "stop"}


@pytest.mark.parametrize("whole", [True, False])
@given(message=messages(STOPS))
def test_what_is_written_is_read_again(whole: bool, message: Message) -> None:
    stop = "end_turn" if message.stop == "stop_sequence" else message.stop
    assert read_again(MISTRAL_TEXT, MODEL, REQUEST, message, whole=whole) == replace(message, stop=stop, usage=None)


def test_a_whole_answer() -> None:
    made = MISTRAL_TEXT.render(Message((Text("Hi."),)), model_request(MISTRAL_TEXT, MODEL, REQUEST))
    assert made == {"outputs": [{"text": "Hi.", "stop_reason": "stop"}]}


def test_only_the_last_chunk_says_why() -> None:
    made = [chunk["outputs"][0] for chunk in streamed(MISTRAL_TEXT, MODEL, REQUEST, Message((Text("Hi, you all."),)))]
    assert {chunk["stop_reason"] for chunk in made[:-1]} == {None}
    assert made[-1] == {"text": "", "stop_reason": "stop"}


def test_what_it_cannot_say_is_refused() -> None:
    refuses(MISTRAL_TEXT, MODEL, REQUEST, *NO_TEXT)
    refuses(MISTRAL_TEXT, MODEL, REQUEST, stop="content_filtered")


def test_the_request_is_read() -> None:
    prompt = MISTRAL_TEXT.prompt(REQUEST)
    assert prompt.turns == (Turn("user", "Say hi"),)
    assert (prompt.max_tokens, prompt.temperature, prompt.top_p, prompt.stop_sequences) == (9, 0.5, 0.9, ("|",))
