import pytest
from agent import MODEL, run, stream
from langgraph.errors import GraphRecursionError

from bedtape_replayer import Bedrock


def test_it_looks_into_the_order(bedrock: Bedrock) -> None:
    bedrock.respond("Where is B4?", tool={"name": "get_order", "input": {"order": "B4"}})
    bedrock.respond(tool_result="get_order", text="Your mug is on its way.")
    assert run("Where is B4?")["messages"][-1].text == "Your mug is on its way."
    bedrock.assert_called(times=2, model=MODEL, tools=["get_order", "refund"])
    assert "on its way" in bedrock.calls[1].tool_results[0].text


def test_two_tools_in_one_answer(bedrock: Bedrock) -> None:
    orders = [{"name": "get_order", "input": {"order": order}} for order in ("A17", "B4")]
    bedrock.respond("my orders", tool=orders)
    bedrock.respond(tool_result="get_order", text="One is here, one is on its way.")
    assert run("Where are my orders?")["messages"][-1].text == "One is here, one is on its way."
    assert len(bedrock.calls[1].tool_results) == 2


def test_a_refund_is_noted(bedrock: Bedrock) -> None:
    bedrock.respond(
        answers=[
            {"tool": {"name": "get_order", "input": {"order": "A17"}}},
            {"tool": {"name": "refund", "input": {"order": "A17"}}},
            "A person looks at it.",
        ],
        then="miss",
    )
    assert run("I want my money back for A17.")["refunds"] == ["A17"]
    bedrock.assert_all_used()


def test_the_answer_is_streamed(bedrock: Bedrock) -> None:
    bedrock.respond("hello", text="How can I help you?")
    assert stream("hello") == "How can I help you?"


def test_an_agent_that_never_ends_is_ended(bedrock: Bedrock) -> None:
    bedrock.respond(tool={"name": "get_order", "input": {"order": "A17"}})
    with pytest.raises(GraphRecursionError):
        run("Where is A17?")


def test_throttled_twice_it_answers(bedrock: Bedrock) -> None:
    bedrock.fast_retries()
    bedrock.fail("ThrottlingException", times=2)
    bedrock.respond("hello", text="Hi.")
    assert run("hello")["messages"][-1].text == "Hi."
    assert [call.attempt for call in bedrock.calls] == [1, 2, 3]
