"""LangChain: a model with structured output. ../applications/langgraph_agent is a graph."""

from langchain_aws import ChatBedrockConverse
from pydantic import BaseModel

from bedtape_replayer import Bedrock


class Label(BaseModel):
    """The label of a mail."""

    label: str


def classify(mail: str) -> Label:
    model = ChatBedrockConverse(model="us.amazon.nova-lite-v1:0")
    label = model.with_structured_output(Label).invoke(f"Classify: {mail}")
    assert isinstance(label, Label)
    return label


def test_a_mail_is_classified(bedrock: Bedrock) -> None:
    bedrock.respond("watches", tool={"name": "Label", "input": {"label": "spam"}})
    assert classify("cheap watches").label == "spam"
    bedrock.assert_called(tools=["Label"], operation="Converse")


def test_throttled_twice(bedrock: Bedrock) -> None:
    bedrock.respond(tool={"name": "Label", "input": {"label": "spam"}})
    bedrock.fail("ThrottlingException", times=2)
    assert classify("cheap watches").label == "spam"
    assert [call.status for call in bedrock.calls] == [429, 429, 200]
