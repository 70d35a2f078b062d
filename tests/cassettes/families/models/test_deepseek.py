"""DeepSeek-R1: a text that thinks first."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.families.content import Message, Reasoning, Text
from bedtape_cassettes.families.models.deepseek import DEEPSEEK
from support.messages import model_request, read_again, render_chunks

MODEL = "us.deepseek.r1-v1:0"
ASKED = "<｜begin▁of▁sentence｜>Be kind.<｜User｜>Say hi<｜Assistant｜>"
REQUEST = {"prompt": ASKED, "max_tokens": 9, "temperature": 0.5, "stop": ["|"]}
OPENED = {**REQUEST, "prompt": ASKED + "<think>\n"}
# Its own tags are what it is cut by; lines around thoughts are the tags'.
SAID = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<\n"), max_size=200)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("request_", [REQUEST, OPENED])
@given(thought=SAID, text=SAID, stop=st.sampled_from(["end_turn", "max_tokens"]))
def test_what_is_written_is_read_again(
    whole: bool, request_: dict[str, Any], thought: str, text: str, stop: str
) -> None:
    blocks = (*((Reasoning(thought),) if thought else ()), *((Text(text),) if text else ()))
    message = Message(blocks, stop=stop)
    assert read_again(DEEPSEEK, MODEL, request_, message, whole=whole) == message


@pytest.mark.parametrize(("request_", "tag"), [(REQUEST, "<think>\n"), (OPENED, "")])
def test_a_prompt_may_have_opened_the_thoughts(request_: dict[str, Any], tag: str) -> None:
    made = DEEPSEEK.render(
        Message((Reasoning("Hm."), Text("Hi."))), model_request(DEEPSEEK, MODEL, request_)
    )
    assert made == {"choices": [{"text": tag + "Hm.\n</think>\n\nHi.", "stop_reason": "stop"}]}


def test_thoughts_that_were_cut_are_thoughts() -> None:
    content = DEEPSEEK.read({"choices": [{"text": "<think>\nHm, so", "stop_reason": "length"}]})
    assert content == Message((Reasoning("Hm, so"),), "max_tokens")


def test_only_the_last_chunk_says_why() -> None:
    made = [
        chunk["choices"][0]
        for chunk in render_chunks(DEEPSEEK, MODEL, REQUEST, Message((Text("Hi, you all."),)))
    ]
    assert {chunk["stop_reason"] for chunk in made[:-1]} == {None}
    assert made[-1] == {"text": "", "index": 0, "stop_reason": "stop"}


def test_the_request_is_read() -> None:
    prompt = DEEPSEEK.prompt(OPENED)
    assert (prompt.system, prompt.last, prompt.turn) == ("Be kind.", "Say hi", 1)
    assert (prompt.max_tokens, prompt.temperature, prompt.stop_sequences) == (9, 0.5, ("|",))
