"""Reads a conversation with Nova Sonic as content: what the client wrote, and what the model said.

Speech of the client is no text. The model sends its transcript as text of the user.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from bedtape_cassettes.families.content import Message, Prompt, Text, ToolResult, ToolUse, Turn
from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.families.models.nova_sonic import is_interruption, read_event
from bedtape_cassettes.families.shared import json_access
from bedtape_cassettes.format.bodies import parse_request
from bedtape_cassettes.model import JsonValue

_RESULT = "toolResultInputConfiguration"


def read_spoken_prompt(values: Iterable[JsonValue]) -> Prompt:
    """Return what the client wrote. values: its events, `{"event": {NAME: {…}}}`."""
    roles: dict[str, tuple[str, str]] = {}  # of each content: its role, and the id of a tool call
    prompt, system, turns = Prompt(), list[str](), list[Turn]()
    for value in values:
        name, members = read_event(value) or ("", {})
        content = json_access.text(members, "contentName")
        match name:
            case "sessionStart":
                settings = json_access.member(members, "inferenceConfiguration")
                prompt.max_tokens = json_access.integer(settings, "maxTokens")
                prompt.temperature = json_access.number(settings, "temperature")
                prompt.top_p = json_access.number(settings, "topP")
            case "promptStart":
                tools = json_access.items(members, "toolConfiguration", "tools")
                prompt.tools = tuple(json_access.text(tool, "toolSpec", "name") for tool in tools)
            case "contentStart":
                use = json_access.text(members, _RESULT, "toolUseId")
                roles[content] = json_access.text(members, "role"), use
            case "textInput":
                role, text = roles.get(content, ("", ""))[0], json_access.text(members, "content")
                if role == "SYSTEM":
                    system.append(text)
                else:
                    turns.append(Turn(role.lower() or "user", text))
            case "toolResult":
                result = json_access.text(members, "content")
                use = roles.get(content, ("", ""))[1]
                turns.append(Turn("tool", "", results=(ToolResult(use, result),)))
    prompt.system, prompt.turns = "\n".join(system), tuple(turns)
    return prompt


def read_spoken_answer(values: Iterable[JsonValue]) -> Message | None:
    """Return the model's texts and tool calls, or None if there are none.

    values: its events, `{"event": {NAME: {…}}}`.

    The model sends each text before its audio, and what was spoken of it after the audio. The
    second text replaces the first one. A text that the user interrupted stays as it was sent first.
    """
    blocks: list[Text | ToolUse] = []
    planned: deque[int] = deque()  # the places of texts whose audio has not ended
    is_final = False
    for value in values:
        name, members = read_event(value) or ("", {})
        text = json_access.text(members, "content")
        if is_interruption(name, members):
            planned.clear()
        elif name == "contentStart":
            is_final = "FINAL" in json_access.text(members, "additionalModelFields")
        elif name == "toolUse":
            use = json_access.text(members, "toolUseId")
            blocks.append(ToolUse(json_access.text(members, "toolName"), _parse(text), use))
        elif name == "textOutput" and json_access.text(members, "role") != "USER":
            if is_final and planned:
                blocks[planned.popleft()] = Text(text)
                continue
            if not is_final:
                planned.append(len(blocks))
            blocks.append(Text(text))
    return Message(tuple(blocks)) if blocks else None


def list_client_events(request: JsonObject) -> list[JsonValue]:
    """Return the events in the body that the history keeps of a conversation."""
    return json_access.items(request, "events")


def _parse(text: str) -> JsonValue:
    try:
        return parse_request(text.encode())
    except ValueError:
        return text
