"""Palmyra: OpenAI's chat as vLLM writes it, with a word at the end of a stream."""

from typing import Any

from bedtape_cassettes.families.content import Message, Reasoning, Text, Usage
from bedtape_cassettes.families.models.writer import WRITER
from support.messages import model_request, payloads, render_chunks

MODEL = "us.writer.palmyra-x5-v1:0"
REQUEST: dict[str, Any] = {"messages": [{"role": "user", "content": {"text": "Say hi"}}]}


def test_a_whole_answer() -> None:
    message = Message((Reasoning("Hm."), Text("Hi.")), usage=Usage(7, 2))
    made: Any = WRITER.render(message, model_request(WRITER, MODEL, REQUEST))
    assert list(made) == ["id", "object", "created", "model", "choices", "usage", "prompt_logprobs"]
    assert made["model"] == "writer.palmyra-x5-v1:0"
    said = {"role": "assistant", "reasoning_content": "Hm.", "content": "Hi.", "tool_calls": []}
    (choice,) = made["choices"]
    assert choice == {
        "index": 0,
        "message": said,
        "logprobs": None,
        "finish_reason": "stop",
        "stop_reason": None,
    }


def test_the_request_s_content_may_be_a_part() -> None:
    assert WRITER.prompt(REQUEST).last == "Say hi"


def test_a_stream_ends_with_a_word_after_the_metrics() -> None:
    *_, before, last = payloads(MODEL, REQUEST, Message((Text("Hi."),), usage=Usage(7, 2)))
    assert last == "[DONE]"
    assert "amazon-bedrock-invocationMetrics" in before


def test_only_one_chunk_says_why_and_one_counts() -> None:
    made = render_chunks(
        WRITER, MODEL, REQUEST, Message((Text("Hi, all of you."),), "max_tokens", usage=Usage(7, 2))
    )[:-1]
    reasons = [choice["finish_reason"] for chunk in made for choice in chunk["choices"]]
    assert reasons == [None] * (len(reasons) - 1) + ["length"]
    assert [chunk["usage"]["total_tokens"] for chunk in made if "usage" in chunk] == [9]
