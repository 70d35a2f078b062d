"""Prompts that are one text with a chat inside, as Llama, Mistral, DeepSeek and older models want them.

Reads the templates of Llama 2 to 4, Mistral, DeepSeek and the `Human:`/`Assistant:` of early models into a system
prompt and turns. What has no template is one user turn. Never raises, never changes a prompt.
"""

from __future__ import annotations

import re

from bedtape_cassettes.families.content import Prompt, Turn
from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.families.shared import json_access
from bedtape_cassettes.families.shared.completion import strings

__all__ = ["conversation", "prompt_in"]

# DeepSeek's own bars are full-width; langchain-aws writes them, and a role for the system prompt, in ASCII.
_TOKENS = re.compile(
    r"<\|start_header_id\|>(?P<llama3>\w*)<\|end_header_id\|>"
    r"|<\|header_start\|>(?P<llama4>\w*)<\|header_end\|>"
    r"|(?P<user>\[INST\]|<</SYS>>|<[｜|]User[｜|]>)"
    r"|(?P<assistant>\[/INST\]|<[｜|]Assistant[｜|]>)"
    r"|(?P<system><<SYS>>|<[｜|]System[｜|]>)"
)
_WORDS = re.compile(r"(?:^|\n)(?P<word>Human|User|Assistant|Bot|AI|System):")
# A prompt that ends so waits for the model: only then are such words roles, and not part of a text.
_CUE = re.compile(r"\n(?:Assistant|Bot|AI):\s*$")
_NOISE = re.compile(
    r"<\|begin_of_text\|>|<\|eot_id\|>|<\|eot\|>|</?s>|<[｜|](?:begin|end)[▁_]of[▁_]sentence[｜|]>|<think>\s*$"
)
_ROLES = {"Human": "user", "User": "user", "Assistant": "assistant", "Bot": "assistant", "AI": "assistant"}


def conversation(prompt: str) -> tuple[str, tuple[Turn, ...]]:
    """The system prompt and the turns that the text holds."""
    marks = _TOKENS if _TOKENS.search(prompt) else _WORDS if _CUE.search(prompt) else None
    if marks is None:
        return "", (Turn("user", prompt),) if prompt else ()
    parts = list(_parts(marks, prompt))
    system = "\n".join(text for role, text in parts if role == "system")
    return system, tuple(Turn(role, text) for role, text in parts if role != "system")


def prompt_in(
    body: JsonObject,
    *,
    text: str = "prompt",
    top_p: str = "top_p",
    max_tokens: str = "max_tokens",
    stop: str = "stop",
    within: str | None = None,
) -> Prompt:
    """The prompt of a request whose whole chat is in its member `text`; the others name its parameters.

    within: the member that holds those, if they do not stand beside the text.
    """
    system, turns = conversation(json_access.text(body, text))
    told = body if within is None else json_access.member(body, within)
    return Prompt(
        system,
        turns,
        temperature=json_access.number(told, "temperature"),
        top_p=json_access.number(told, top_p),
        max_tokens=json_access.integer(told, max_tokens),
        stop_sequences=strings(told, stop),
    )


def _parts(marks: re.Pattern[str], prompt: str) -> list[tuple[str, str]]:
    """Roles and what they said, empty ones left out; what stands before the first role is for the system."""
    role, at, found = "system", 0, []
    for mark in marks.finditer(prompt):
        found.append((role, prompt[at : mark.start()]))
        role, at = _role(mark), mark.end()
    found.append((role, prompt[at:]))
    cleaned = ((role, _NOISE.sub("", text).strip()) for role, text in found)
    return [(role, text) for role, text in cleaned if text]


def _role(mark: re.Match[str]) -> str:
    group = mark.lastgroup or ""
    if group == "word":
        return _ROLES.get(mark["word"], "system")
    return mark[group] or "user" if group.startswith("llama") else group
