"""Prompts that hold a chat: every template gives the same conversation, and
what is none is one turn.
"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.families.content import Turn
from bedtape_cassettes.families.shared.templates import conversation
from bedtape_cassettes.families.table import FAMILIES
from support import shapes
from support.corpus import needs_corpus

TURNS = (Turn("user", "Hi"), Turn("assistant", "Yes?"), Turn("user", "Say: hi"))
LLAMA_3 = "<|start_header_id|>{}<|end_header_id|>\n\n{}<|eot_id|>"
LLAMA_4 = "<|header_start|>{}<|header_end|>\n\n{}<|eot|>"
SAID = [("system", "Be kind."), ("user", "Hi"), ("assistant", "Yes?"), ("user", "Say: hi")]
TEMPLATED = {
    "llama 2": (
        "<s>[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\nHi [/INST] Yes? </s><s>[INST] Say: hi [/INST]"
    ),
    "llama 3": (
        "<|begin_of_text|>"
        + "".join(LLAMA_3.format(*each) for each in SAID)
        + "<|start_header_id|>assistant<|end_header_id|>\n\n"
    ),
    "llama 4": (
        "<|begin_of_text|>"
        + "".join(LLAMA_4.format(*each) for each in SAID)
        + "<|header_start|>assistant<|header_end|>\n\n"
    ),
    "mistral": "<s>Be kind.[INST] Hi [/INST] Yes?</s>[INST] Say: hi [/INST]",
    "deepseek": (
        "<｜begin▁of▁sentence｜>Be"
        " kind.<｜User｜>Hi<｜Assistant｜>Yes?<｜end▁of▁sentence｜><｜User｜>Say: hi"
        "<｜Assistant｜><think>\n"
    ),
    "deepseek by langchain-aws": (
        "\n<|begin_of_sentence|><|System|>Be kind.<|User|>Hi<|Assistant|>Yes?<|User|>Say: hi"
        "<|Assistant|>\n\n"
    ),
    "claude": "Be kind.\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: Say: hi\n\nAssistant:",
    "titan": "System: Be kind.\nUser: Hi\nBot: Yes?\nUser: Say: hi\nBot:",
}


@pytest.mark.parametrize("template", TEMPLATED)
def test_every_template_gives_the_conversation(template: str) -> None:
    assert conversation(TEMPLATED[template]) == ("Be kind.", TURNS)


@pytest.mark.parametrize(
    "prompt", ["Say hi", "Say:\nUser: hi\nBot: yes", "\n\nHuman: a\n\nAssistant: is this a chat?"]
)
def test_what_has_no_template_is_one_turn_as_it_is(prompt: str) -> None:
    assert conversation(prompt) == ("", (Turn("user", prompt),))


def test_nothing_is_no_turn() -> None:
    assert conversation("") == ("", ())


MARKS = [
    "[INST]",
    "[/INST]",
    "<<SYS>>",
    "<</SYS>>",
    "<｜User｜>",
    "<|eot_id|>",
    "\n\nHuman:",
    "\n\nAssistant:",
    "<s>",
]


@given(st.lists(st.sampled_from([*MARKS, "x ", "x\n"])).map("".join))
def test_any_heap_of_marks_gives_turns_that_say_something_and_nothing_said_is_lost(
    prompt: str,
) -> None:
    system, turns = conversation(prompt)
    assert all(turn.text for turn in turns)
    assert "".join((system, *(turn.text for turn in turns))).count("x") == prompt.count("x")


@pytest.mark.slow
@pytest.mark.corpus
@needs_corpus
def test_every_recorded_prompt_has_a_user_who_says_something() -> None:
    named = {family.name: family for family in FAMILIES}
    rows = [
        (named[name], row)
        for name, row in shapes.list_rendered()
        if name and b'"prompt"' in row.request_body[:9999]
    ]
    asked = [
        (family, body)
        for family, row in rows
        if isinstance((body := json.loads(row.request_body)).get("prompt"), str)
    ]
    assert len(asked) > 40
    for family, body in asked:
        prompt = family.prompt(body)
        assert prompt.last
        assert all(turn.text in body["prompt"] for turn in prompt.turns)
        assert "<|" not in prompt.text
        assert "[INST]" not in prompt.text
