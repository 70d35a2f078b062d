"""AI21 Jurassic-2, from recordings of Mid and Ultra, with tokens of texts. It does not stream."""

from __future__ import annotations

import re
from random import Random

from bedtape_cassettes.families.content import Content, Message, Prompt
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.shared import json_access, readers
from bedtape_cassettes.families.shared.completion import (
    make_message,
    message_of,
    stop_of,
    text_of,
    word_of,
)
from bedtape_cassettes.families.shared.synthesis import usage_of
from bedtape_cassettes.families.shared.templates import prompt_in
from bedtape_cassettes.model import JsonValue

_NAME = "ai21_j2"
_STOPS = {"end_turn": "endoftext", "max_tokens": "length", "stop_sequence": "stop"}
_WORDS = re.compile(r"\n|[^\S\n]?[^\s]+|[^\S\n]")


def _prompt(body: JsonObject) -> Prompt:
    return prompt_in(body, top_p="topP", max_tokens="maxTokens", stop="stopSequences")


def _tokens(text: str, chance: Random) -> list[JsonValue]:
    """Split the text into words in the spelling of the tokenizer, with random probabilities."""
    return [
        _token(match.group(), match.start(), match.end(), chance) for match in _WORDS.finditer(text)
    ]


def _token(word: str, start: int, end: int, chance: Random) -> JsonObject:
    spelled = word.replace(" ", "▁").replace("\n", "<|newline|>")
    log_probability = -round(chance.expovariate(0.5), 15)
    return {
        "generatedToken": {
            "token": spelled,
            "logprob": log_probability,
            "raw_logprob": log_probability,
        },
        "topTokens": None,
        "textRange": {"start": start, "end": end},
    }


def _render(content: Content, request: ModelRequest) -> JsonObject:
    message, text, prompt = (
        message_of(content, _NAME),
        text_of(content, _NAME),
        json_access.text(request.body, "prompt"),
    )
    stop = word_of(_STOPS, message.stop, _NAME)
    finish: JsonObject = {"reason": stop}
    tokens = _tokens(text, request.chance)
    if stop == "length":
        finish["length"] = usage_of(message, request.prompt).output
    elif stop == "stop":
        finish["sequence"] = message.stop_sequence or next(iter(request.prompt.stop_sequences), "")
    else:
        tokens.append(_token("<|endoftext|>", len(text), len(text), request.chance))
    return {
        "id": 1234,  # as in every recorded answer
        "prompt": {"text": prompt, "tokens": _tokens(prompt, request.chance)},
        "completions": [{"data": {"text": text, "tokens": tokens}, "finishReason": finish}],
    }


def _read(body: JsonObject) -> Message:
    completions = readers.objects(body, "completions")
    if not completions:
        raise ValueError(
            f"expected `completions`, as Jurassic-2 answers, found {', '.join(body) or 'nothing'}"
        )
    stop = stop_of(_STOPS, json_access.text(completions[0], "finishReason", "reason"))
    return make_message(json_access.text(completions[0], "data", "text"), stop)


AI21_J2 = Family(
    name=_NAME,
    models=("ai21.j2-*",),
    answers=(Message,),
    prompt=_prompt,
    render=_render,
    read=_read,
    members=Members(text=("completions.0.data.text",), stop=("completions.*.finishReason.reason",)),
    required=("prompt",),
)
