"""Mistral's completions: `outputs` with a text and a stop reason, and nothing that counts."""

from bedtape_cassettes.families.content import Message, Text, Turn
from bedtape_cassettes.families.models.mistral_text import MISTRAL_TEXT
from support.messages import model_request, render_chunks

MODEL = "mistral.mistral-7b-instruct-v0:2"
REQUEST = {
    "prompt": "<s>[INST] Say hi [/INST]",
    "max_tokens": 9,
    "temperature": 0.5,
    "top_p": 0.9,
    "stop": ["|"],
}


def test_a_whole_answer() -> None:
    made = MISTRAL_TEXT.render(Message((Text("Hi."),)), model_request(MISTRAL_TEXT, MODEL, REQUEST))
    assert made == {"outputs": [{"text": "Hi.", "stop_reason": "stop"}]}


def test_only_the_last_chunk_says_why() -> None:
    made = [
        chunk["outputs"][0]
        for chunk in render_chunks(MISTRAL_TEXT, MODEL, REQUEST, Message((Text("Hi, you all."),)))
    ]
    assert {chunk["stop_reason"] for chunk in made[:-1]} == {None}
    assert made[-1] == {"text": "", "stop_reason": "stop"}


def test_the_request_is_read() -> None:
    prompt = MISTRAL_TEXT.prompt(REQUEST)
    assert prompt.turns == (Turn("user", "Say hi"),)
    assert (prompt.max_tokens, prompt.temperature, prompt.top_p, prompt.stop_sequences) == (
        9,
        0.5,
        0.9,
        ("|",),
    )
