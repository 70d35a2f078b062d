"""OpenAI's client on Bedrock: Responses and Chat Completions."""

import openai
import pytest

from bedtape_replayer import Bedrock


def ask(question: str) -> str:
    client = openai.BedrockOpenAI()
    return client.responses.create(model="openai.gpt-oss-120b", input=question).output_text


def stream(question: str) -> list[str]:
    chunks = openai.BedrockOpenAI().chat.completions.create(
        model="openai.gpt-oss-20b", messages=[{"role": "user", "content": question}], stream=True
    )
    return [text for chunk in chunks for choice in chunk.choices if (text := choice.delta.content)]


def test_both_apis(bedrock: Bedrock) -> None:
    bedrock.respond("mugs", pieces=["We sell ", "mugs."])
    assert ask("Do you sell mugs?") == "We sell mugs."
    assert stream("Do you sell mugs?") == ["We sell ", "mugs."]
    assert [call.operation for call in bedrock.calls] == ["Responses", "ChatCompletions"]


def test_a_rate_limit_has_openais_form(bedrock: Bedrock) -> None:
    bedrock.fail("ThrottlingException", times=3)
    with pytest.raises(openai.RateLimitError):
        ask("Do you sell mugs?")
    bedrock.assert_called(times=3)  # the client retries twice
