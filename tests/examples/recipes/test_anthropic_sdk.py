"""Anthropic's client on Bedrock: AnthropicBedrock."""

from anthropic import AnthropicBedrock

from bedtape_replayer import Bedrock


def summarize(text: str) -> tuple[str, bool]:
    """Returns a summary, and whether it is complete."""
    message = AnthropicBedrock().messages.create(
        model="us.anthropic.claude-haiku-4-5-20251001-v1:0",
        max_tokens=100,
        messages=[{"role": "user", "content": f"Summarize: {text}"}],
    )
    summary = "".join(block.text for block in message.content if block.type == "text")
    return summary, message.stop_reason != "max_tokens"


def test_a_summary(bedrock: Bedrock) -> None:
    bedrock.respond("Summarize", text="A letter about mugs.")
    assert summarize("Dear shop, …") == ("A letter about mugs.", True)
    bedrock.assert_called(operation="InvokeModel", max_tokens=100)


def test_a_summary_that_is_cut(bedrock: Bedrock) -> None:
    bedrock.respond("Summarize", text="A letter", stop_reason="max_tokens")
    assert summarize("Dear shop, …") == ("A letter", False)


def test_overloaded_once_it_is_retried(bedrock: Bedrock) -> None:
    bedrock.respond(text="A letter.")
    bedrock.fail("ServiceUnavailableException")
    assert summarize("Dear shop, …") == ("A letter.", True)
    assert [call.status for call in bedrock.calls] == [503, 200]
