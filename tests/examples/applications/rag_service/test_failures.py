"""Each test fails, each in another way. `failures.txt` is what pytest prints about them."""

from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rag import Index, answer, retrieve, summarize
from test_rag import DOCUMENTS, PASSAGES

from bedtape_replayer import Bedrock, Call


def test_its_own_assertion(bedrock: Bedrock) -> None:
    bedrock.respond(operation="Retrieve", passages=PASSAGES)
    bedrock.respond(operation="Rerank", ranking="auto")
    bedrock.respond("open", json={"text": "At nine.", "sources": [0]})
    assert answer("When does the shop open?").text == "At ten."


def test_a_call_that_no_rule_answers(bedrock: Bedrock) -> None:
    bedrock.respond(operation="Retrieve", passages=PASSAGES)
    bedrock.respond(model="*embed*", embedding="auto")
    answer("When does the shop open?")


def test_a_call_that_was_not_recorded(bedrock: Bedrock) -> None:
    Index(DOCUMENTS)


def test_a_function_that_raises(bedrock: Bedrock) -> None:
    def find(call: Call) -> Any:
        return {
            "passages": [
                passage for passage in PASSAGES if passage["title"] in call.prompt.messages[-1].text
            ]
        }

    bedrock.respond(find, operation="Retrieve")
    retrieve("When does the shop open?")


@pytest.mark.bedrock(unused="fail")
def test_a_rule_that_is_not_used(bedrock: Bedrock) -> None:
    bedrock.respond(operation="Retrieve", passages=PASSAGES)
    bedrock.respond(operation="Rerank", ranking="auto")
    assert len(retrieve("When does the shop open?")) == 3


def test_a_forgotten_fixture() -> None:
    retrieve("When does the shop open?")


def test_a_rule_that_is_wrong(bedrock: Bedrock) -> None:
    bedrock.respond(operation="Rerank", ranking=[{"indx": 2, "score": 1.5}])


def test_an_error_in_a_stream(bedrock: Bedrock) -> None:
    bedrock.respond("Summarize", text="A shop that sells mugs.")
    bedrock.fail("ThrottlingException", after_events=3)
    assert summarize(list(DOCUMENTS.values())) == "A shop that sells mugs."


def test_calls_that_were_expected(bedrock: Bedrock) -> None:
    bedrock.respond(operation="Retrieve", passages=PASSAGES)
    retrieve("When does the shop open?")
    bedrock.assert_called("close", times=1, operation="Retrieve")


def test_an_order_that_was_expected(bedrock: Bedrock) -> None:
    bedrock.respond(operation="Retrieve", passages=PASSAGES)
    bedrock.respond(operation="Rerank", ranking="auto")
    bedrock.respond("open", json={"text": "At nine.", "sources": [0]})
    answer("When does the shop open?")
    bedrock.assert_sequence([{"operation": "Rerank"}, {"operation": "Retrieve"}])


def test_a_retry_storm(bedrock: Bedrock) -> None:
    bedrock.fail("ServiceUnavailableException", times=100)
    bedrock.respond(operation="Retrieve", passages=PASSAGES)
    for _ in range(11):
        with suppress(ClientError):
            retrieve("When does the shop open?")
    assert not bedrock.verdict, "\n".join(map(str, bedrock.verdict))


def test_an_expression_without_a_value(bedrock: Bedrock) -> None:
    bedrock.respond("Summarize", text="{{ json_path system[1].text }}", template=True)
    summarize(list(DOCUMENTS.values()))


def test_an_expression_that_is_wrong(bedrock: Bedrock) -> None:
    bedrock.respond("Summarize", text="{{ promt }} of {{ turn 1 }}", template=True)
