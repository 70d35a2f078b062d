"""Amazon Titan Text, from recordings of Lite, Express and tg1-large: one result, few long deltas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bedtape_cassettes.families.content import Content, Message, Prompt
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.shared import json_access, readers
from bedtape_cassettes.families.shared.completion import make_message, message_of, pieces, stop_of, text_of, word_of
from bedtape_cassettes.families.shared.synthesis import usage_of
from bedtape_cassettes.families.shared.templates import prompt_in
from bedtape_cassettes.model import JsonValue

_NAME = "titan_text"
_STOPS = {
    "end_turn": "FINISH",
    "max_tokens": "LENGTH",
    "stop_sequence": "STOP_CRITERIA_MET",
    "content_filtered": "CONTENT_FILTERED",
}
# A delta holds the text of two seconds. In 31 recorded deltas, all but the last have 84 to 326 characters.
_LEAST, _MOST = 84, 326


def _prompt(body: JsonObject) -> Prompt:
    return prompt_in(
        body,
        text="inputText",
        top_p="topP",
        max_tokens="maxTokenCount",
        stop="stopSequences",
        within="textGenerationConfig",
    )


def _render(content: Content, request: ModelRequest) -> JsonObject:
    message = message_of(content, _NAME)
    usage = usage_of(message, request.prompt)
    return {
        "inputTextTokenCount": usage.input,
        "results": [
            {
                "tokenCount": usage.output,
                "outputText": text_of(content, _NAME),
                "completionReason": word_of(_STOPS, message.stop, _NAME),
            }
        ],
    }


def _stream(content: Content, request: ModelRequest) -> Iterator[JsonValue]:
    message = message_of(content, _NAME)
    usage, word = usage_of(message, request.prompt), word_of(_STOPS, message.stop, _NAME)
    deltas = list(pieces(text_of(content, _NAME), request.chance, _LEAST, _MOST, last=False))
    for index, piece in enumerate(deltas):
        last = index == len(deltas) - 1
        yield {
            "outputText": piece,
            "index": 0,
            "totalOutputTextTokenCount": usage.output if last else None,
            "completionReason": word if last else None,
            "inputTextTokenCount": None if index else usage.input,
        }


def _read(body: JsonObject) -> Message:
    results = readers.objects(body, "results")
    if not results:
        raise ValueError(f"expected `results`, as Titan answers, found {', '.join(body) or 'nothing'}")
    return make_message(json_access.text(results[0], "outputText"), stop_of(_STOPS, results[0].get("completionReason")))


def _gather(chunks: Sequence[JsonValue]) -> Message:
    answer_chunks = [chunk for chunk in chunks if isinstance(chunk, dict) and "outputText" in chunk]
    if not answer_chunks:
        raise ValueError("expected chunks with an `outputText`, as Titan streams, found none")
    stop = stop_of(_STOPS, answer_chunks[-1].get("completionReason"))
    return make_message("".join(json_access.text(chunk, "outputText") for chunk in answer_chunks), stop)


TITAN_TEXT = Family(
    name=_NAME,
    models=("amazon.titan-text*", "amazon.titan-tg1*"),
    answers=(Message,),
    prompt=_prompt,
    render=_render,
    read=_read,
    members=Members(
        text=("results.0.outputText", "outputText"),
        stop=("results.*.completionReason", "completionReason"),
        input=("inputTextTokenCount",),
        output=("results.0.tokenCount", "totalOutputTextTokenCount"),
    ),
    stream=_stream,
    gather=_gather,
    required=("inputText",),
)
