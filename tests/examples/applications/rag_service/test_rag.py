import json

import pytest
from rag import EMBEDS, Answer, Blocked, Index, answer, retrieve, summarize

from bedtape_replayer import Bedrock

DOCUMENTS = {
    "returns": "You can return a mug within thirty days. We refund the price.",
    "shipping": "We ship on weekdays. A parcel needs three days.",
    "hours": "The shop opens at nine and closes at five.",
}
PASSAGES = [{"text": text, "source": f"s3://shop/{name}.txt"} for name, text in DOCUMENTS.items()]


def test_the_nearest_document_is_found(bedrock: Bedrock) -> None:
    bedrock.respond(model="*embed*", embedding="auto")
    index = Index(DOCUMENTS)
    assert index.search("When does the shop open?", 1) == ["hours"]
    assert index.search("How many days does a parcel need?", 1) == ["shipping"]
    assert index.search("Do I get a refund if I return a mug?", 1) == ["returns"]
    bedrock.assert_called(times=6, model=EMBEDS)


def test_an_answer_has_its_sources(bedrock: Bedrock) -> None:
    bedrock.respond(operation="Retrieve", passages=PASSAGES)
    bedrock.respond(
        operation="Rerank", ranking=[{"index": 2, "score": 0.9}, {"index": 0, "score": 0.2}]
    )
    bedrock.respond("When do you open?", json={"text": "At nine.", "sources": [0]})
    assert answer("When do you open?") == Answer("At nine.", (DOCUMENTS["hours"],))
    bedrock.assert_sequence([{"operation": name} for name in ("Retrieve", "Rerank", "Converse")])
    sent = bedrock.calls[-1].prompt.messages[-1].text
    assert sent.index(DOCUMENTS["hours"]) < sent.index(DOCUMENTS["returns"])
    assert DOCUMENTS["shipping"] not in sent


def test_the_ranking_can_come_from_the_words(bedrock: Bedrock) -> None:
    bedrock.respond(operation="Retrieve", passages=PASSAGES)
    bedrock.respond(operation="Rerank", ranking="auto")
    bedrock.respond(operation="Converse", json={"text": "Three days.", "sources": [0]})
    assert answer("How long does a parcel need?").sources == (DOCUMENTS["shipping"],)


def test_a_guardrail_blocks_the_question(bedrock: Bedrock) -> None:
    bedrock.respond(operation="Retrieve", passages=PASSAGES)
    bedrock.respond(operation="Rerank", ranking="auto")
    bedrock.respond("password", guardrail="I cannot speak of that.")
    with pytest.raises(Blocked, match="cannot speak"):
        answer("What is the password of the shop?")


def test_the_knowledge_base_is_asked_again(bedrock: Bedrock) -> None:
    bedrock.fail("ThrottlingException", operation="Retrieve", times=2)
    bedrock.respond(operation="Retrieve", passages="auto")
    assert retrieve("When do you open?")
    assert [call.status for call in bedrock.calls] == [429, 429, 200]
    assert bedrock.verdict == ()


def test_a_summary_that_breaks_is_kept(bedrock: Bedrock) -> None:
    bedrock.respond("Summarize", text="A shop that sells mugs.")
    bedrock.fail("ModelStreamErrorException", after_events=3)
    assert summarize(list(DOCUMENTS.values())).endswith(" …")


def test_the_request_for_vectors_is_small(bedrock: Bedrock) -> None:
    bedrock.respond(model="*embed*", embedding="auto")
    Index({"a": "text"})
    (call,) = bedrock.calls
    assert json.loads(call.body)["dimensions"] == 256
