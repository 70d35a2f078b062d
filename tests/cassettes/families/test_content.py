"""Prompts and answers in neutral words."""

from bedtape_cassettes.families.content import (
    CitedText,
    Message,
    Prompt,
    Reasoning,
    Text,
    ToolResult,
    ToolUse,
    Turn,
    Usage,
)


def test_a_message_says_its_text_without_its_reasoning() -> None:
    assert Message((Reasoning("hm"), Text("a"), ToolUse("t", {}), CitedText("b", ()))).text == "ab"


def test_usage_adds_up() -> None:
    assert Usage(1, 2, 3, 4).total == 10


def test_a_prompt_knows_its_last_question_and_all_its_text() -> None:
    prompt = Prompt(
        "sys",
        (Turn("user", "one"), Turn("assistant", "two"), Turn("user", "three"), Turn("tool", "")),
    )
    assert (prompt.last, prompt.turn) == ("", 3)  # tools have answered since
    assert prompt.text == "sys\none\ntwo\nthree"
    assert (Prompt().last, Prompt().text, Prompt().turn) == ("", "", 0)


def test_results_of_tools_are_one_turn_in_every_family() -> None:
    result = ToolResult("1", "sunny")
    left_to_the_user = (
        Turn("user", "weather?"),
        Turn("assistant", ""),
        Turn("user", "", (result, result)),
    )
    of_a_role = (
        *left_to_the_user[:2],
        Turn("tool", "sunny", (result,)),
        Turn("tool", "sunny", (result,)),
    )
    for turns in (left_to_the_user, of_a_role):
        assert (Prompt(turns=turns).last, Prompt(turns=turns).turn) == ("", 2)
    assert Prompt(turns=(*of_a_role, Turn("assistant", "so"), Turn("user", "and?"))).last == "and?"


def test_results_are_named_by_the_calls_that_they_answer() -> None:
    calls = (ToolUse("weather", {}, "1"), ToolUse("clock", {}, "2"))
    results = (ToolResult("2", "noon"), ToolResult("1", "sun", "own"), ToolResult("3", "?"))
    prompt = Prompt(turns=(Turn("assistant", "", calls=calls), Turn("user", "", results)))
    assert [result.name for result in prompt.results] == ["clock", "own", None]
