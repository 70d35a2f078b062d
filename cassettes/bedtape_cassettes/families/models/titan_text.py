"""Amazon Titan Text, recorded of Lite, Express and tg1-large: one result, few long deltas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bedtape_cassettes.families.content import Content, Message, Prompt
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.shared import readers
from bedtape_cassettes.families.shared.completion import join_texts, pieces, split_message
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
# A delta holds the text of two seconds. In 31 recorded deltas, all but the last
# have 84 to 326 characters.
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
    message, text, stop = split_message(content, _NAME, _STOPS)
    usage = usage_of(message, request.prompt)
    return {
        "inputTextTokenCount": usage.input,
        "results": [{"tokenCount": usage.output, "outputText": text, "completionReason": stop}],
    }


def _stream(content: Content, request: ModelRequest) -> Iterator[JsonValue]:
    message, text, stop = split_message(content, _NAME, _STOPS)
    usage = usage_of(message, request.prompt)
    for index, (piece, is_last) in enumerate(
        pieces(text, request.chance, _LEAST, _MOST, last=False)
    ):
        yield {
            "outputText": piece,
            "index": 0,
            "totalOutputTextTokenCount": usage.output if is_last else None,
            "completionReason": stop if is_last else None,
            "inputTextTokenCount": None if index else usage.input,
        }


def _read(body: JsonObject) -> Message:
    expected = f"`results`, as Titan answers, found {', '.join(body) or 'nothing'}"
    return join_texts(
        readers.objects(body, "results")[:1], "outputText", "completionReason", _STOPS, expected
    )


def _gather(chunks: Sequence[JsonValue]) -> Message:
    answer_chunks = [chunk for chunk in chunks if isinstance(chunk, dict) and "outputText" in chunk]
    expected = "chunks with an `outputText`, as Titan streams, found none"
    return join_texts(answer_chunks, "outputText", "completionReason", _STOPS, expected)


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
