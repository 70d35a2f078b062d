"""Each test fails, each in another way. `failures.txt` is what pytest prints about them."""

from typing import Any

import pytest
from agent import run, stream

from bedtape_replayer import Bedrock, Call


def test_its_own_assertion(bedrock: Bedrock) -> None:
    bedrock.respond("Where is B4?", tool={"name": "get_order", "input": {"order": "B4"}})
    bedrock.respond(tool_result="get_order", text="Your mug is on its way.")
    assert run("Where is B4?")["refunds"] == ["B4"]


def test_a_call_that_no_rule_answers(bedrock: Bedrock) -> None:
    bedrock.respond(prompt_contains="B4", tool={"name": "get_order", "input": {"order": "B4"}})
    bedrock.respond(tool_result="find_order", text="Your mug is on its way.")
    run("Where is B4?")


def test_a_call_that_was_not_recorded(bedrock: Bedrock) -> None:
    run("Where is B4?")


def test_a_function_that_raises(bedrock: Bedrock) -> None:
    def answer(call: Call) -> Any:
        order = call.prompt.messages[0].text.split()[5]
        return {"tool": {"name": "get_order", "input": {"order": order}}}

    bedrock.respond(answer)
    run("Where is B4?")


@pytest.mark.bedrock(unused="fail")
def test_a_rule_that_is_not_used(bedrock: Bedrock) -> None:
    bedrock.respond("hello", text="Hi.")
    bedrock.respond(tool_result="refund", text="A person looks at it.")
    assert run("hello")["refunds"] == []


def test_a_forgotten_fixture() -> None:
    run("Where is B4?")


def test_a_rule_that_is_wrong(bedrock: Bedrock) -> None:
    bedrock.respond("B4", tool={"nam": "get_order"}, when={"turn": "first"})


def test_an_error_in_a_stream(bedrock: Bedrock) -> None:
    bedrock.respond("hello", text="How can I help you?")
    bedrock.fail("ThrottlingException", after_events=3)
    assert stream("hello") == "How can I help you?"


def test_a_script_from_which_the_agent_departs(bedrock: Bedrock) -> None:
    bedrock.script(
        [
            ("Where is B4?", {"tool": {"name": "get_order", "input": {"order": "B4"}}}),
            {"expect": {"tool_result": "refund"}, "answer": "A person looks at it."},
        ]
    )
    run("Where is B4?")


def test_a_script_that_is_not_played_to_its_end(bedrock: Bedrock) -> None:
    bedrock.script([("hello", "Hi."), ("Where is B4?", "On its way.")])
    run("hello")


@pytest.mark.bedrock("hello")
def test_a_prompt_that_has_changed(bedrock: Bedrock) -> None:
    run("hello again")


@pytest.mark.bedrock("hello", strict=True)
def test_a_recording_that_is_played_twice(bedrock: Bedrock) -> None:
    run("hello")
    run("hello")


@pytest.mark.bedrock("hello")
def test_a_recording_that_is_not_played(bedrock: Bedrock) -> None:
    bedrock.respond("B4", text="On its way.")
    run("Where is B4?")
    bedrock.assert_all_played()


def test_a_tool_that_the_agent_does_not_offer(bedrock: Bedrock) -> None:
    bedrock.respond("B4", tool={"name": "find_order", "input": {"order": "B4"}})
    run("Where is B4?")


def test_answers_that_are_used_up(bedrock: Bedrock) -> None:
    bedrock.respond(answers=["Hi.", "Hi again."], then="miss")
    for _ in range(3):
        run("hello")
