"""A conversation as a rule's answer: the model's turns, and the client's events before them."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bedtape_cassettes.errors import Invalid, Problem
from bedtape_cassettes.families.content import ToolUse
from bedtape_cassettes.families.models import nova_sonic as sonic
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.json_schema import Schema
from bedtape_cassettes.format.json_values import Place
from bedtape_cassettes.format.schema_parts import make_count
from bedtape_cassettes.model import Events, JsonValue, Response
from bedtape_replayer.answering.duplex.turns import Cue, RuleTurn

# How the path of an audio file ends. Base64 contains no dot.
_WAV = ".wav"
_LONGEST_SILENCE = 600_000  # ten minutes


@dataclass(frozen=True, slots=True)
class Dialogue:
    """The turns of the model, in order."""

    turns: tuple[RuleTurn, ...]

    def build_response(self) -> Response:
        """Build the response without events, which are not known when it begins."""
        return Response(200, (("content-type", bodies.EVENT_STREAM),), Events.of([]))


def read_dialogue(turns: list[dict[str, Any]]) -> Dialogue:
    """Read turns that match the schema. Raises ValueError for audio that is not base64, a WAV file
    in another form, or a turn with two texts.
    """
    return Dialogue(tuple(map(_read_turn, turns)))


def _read_turn(turn: dict[str, Any]) -> RuleTurn:
    if "text" in turn and "pieces" in turn:
        raise ValueError("a turn with text and pieces; write one of them")
    tools = turn.get("tool", [])
    calls = [tools] if isinstance(tools, dict) else tools
    audio = sonic.read_samples(b64decode(turn.get("audio", ""), validate=True))
    audio += sonic.make_silence(turn.get("silence_ms", 0))
    spoken = sonic.Speech(
        turn.get("hears", ""),
        tuple(turn.get("pieces", filter(None, [turn.get("text")]))),
        audio,
        tuple(ToolUse(each["name"], each.get("input", {}), each.get("id")) for each in calls),
        turn.get("interrupted", False),
    )
    return RuleTurn(Cue(**turn.get("when", {})), spoken)


def load_audio(value: JsonValue, load: Callable[[str], bytes], place: Place = ()) -> JsonValue:
    """Return an overlay with the contents of the WAV files that its turns name.

    Raises Invalid for a file that cannot be read. load: returns the content, or raises OSError.
    """
    if isinstance(value, list):
        return [load_audio(item, load, (*place, number)) for number, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    turn = len(place) > 1 and place[-2] == "conversation"
    loaded: dict[str, JsonValue] = {}
    for key, member in value.items():
        if turn and key == "audio" and isinstance(member, str) and member.endswith(_WAV):
            try:
                loaded[key] = b64encode(load(member)).decode()
            except OSError as error:
                problem = Problem.at(
                    (*place, key),
                    "a WAV file",
                    f"{member}, which cannot be read ({error.strerror})",
                )
                raise Invalid([problem]) from None
        else:
            loaded[key] = load_audio(member, load, (*place, key))
    return loaded


def build_schema(tool: Schema) -> Schema:
    """Return the schema of the turns. tool: the schema of a tool call."""
    cue = _object(
        "The event of the client that the turn follows.",
        event=_text("The name of the event, such as audioInput. Default: the end of a content."),
        type=_choice("The type of its content.", "TEXT", "AUDIO", "TOOL"),
        role=_choice("The role of its content.", "USER", "SYSTEM", "ASSISTANT", "TOOL"),
        text_contains=_text("A part of its text, or of the result of a tool."),
        nth=make_count("The number of such events since the turn before."),
    )
    calls: Schema = {
        "description": "A tool that the model calls, or a list.",
        "anyOf": [tool, {"type": "array", "items": tool, "minItems": 1}],
    }
    turn = _object(
        "A turn of the model.",
        when=cue,
        hears=_text("The transcript of what the user said."),
        text=_text("The transcript of what the model says."),
        pieces={
            "type": "array",
            "items": {"type": "string", "minLength": 1},
            "minItems": 1,
            "description": "The transcript in parts, in place of `text`; each part is one event.",
        },
        audio={
            **_text(
                "The audio of the model: samples of 16 bits at 24 kHz or a WAV file, in base64; in"
                " an overlay file also the path of a WAV file."
            ),
            "format": "base64",
            "$comment": "give the audio in base64; only an overlay file names a WAV file",
        },
        silence_ms=make_count("The milliseconds of silence, after `audio`.", most=_LONGEST_SILENCE),
        tool=calls,
        interrupted={
            "type": "boolean",
            "description": "Whether the turn begins with an interruption by the user.",
        },
    )
    return {
        "type": "array",
        "items": turn,
        "minItems": 1,
        "description": "The model's turns in a bidirectional stream, in order.",
    }


def _text(description: str) -> Schema:
    return {"type": "string", "description": description}


def _choice(description: str, *names: str) -> Schema:
    return {"type": "string", "enum": list(names), "description": description}


def _object(description: str, **properties: Schema) -> Schema:
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "minProperties": 1, "description": description}
