"""Reads prompts that contain a chat in one text, as Llama, Mistral, DeepSeek
and older models expect.

Supports the templates of Llama 2 to 4, Mistral and DeepSeek, and the `Human:` and `Assistant:`
lines of early models. A text without a template is one user turn. Reading does not raise.
"""

from __future__ import annotations

import re

from bedtape_cassettes.families.content import Prompt, Turn
from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.families.shared import json_access
from bedtape_cassettes.families.shared.completion import strings

# DeepSeek's own bars are full-width. langchain-aws writes ASCII bars, and adds a role
# for the system prompt.
_TOKENS = re.compile(
    r"<\|start_header_id\|>(?P<llama3>\w*)<\|end_header_id\|>"
    r"|<\|header_start\|>(?P<llama4>\w*)<\|header_end\|>"
    r"|(?P<user>\[INST\]|<</SYS>>|<[｜|]User[｜|]>)"
    r"|(?P<assistant>\[/INST\]|<[｜|]Assistant[｜|]>)"
    r"|(?P<system><<SYS>>|<[｜|]System[｜|]>)"
)
_WORDS = re.compile(r"(?:^|\n)(?P<word>Human|User|Assistant|Bot|AI|System):")
# In a prompt that ends with the model's role, these words are roles. In any
# other prompt they are text.
_CUE = re.compile(r"\n(?:Assistant|Bot|AI):\s*$")
_NOISE = re.compile(
    r"<\|begin_of_text\|>|<\|eot_id\|>|<\|eot\|>|</?s>|<[｜|](?:begin|end)[▁_]of[▁_]sentence[｜|]>|<think>\s*$"
)
_ROLES = {
    "Human": "user",
    "User": "user",
    "Assistant": "assistant",
    "Bot": "assistant",
    "AI": "assistant",
}


def conversation(prompt: str) -> tuple[str, tuple[Turn, ...]]:
    """Split the text into a system prompt and turns."""
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
    """Read a request whose chat is one text. text: the member with the text.

    The other arguments name parameters.

    within: the member that contains the parameters, if they are not at the top level.
    """
    system, turns = conversation(json_access.text(body, text))
    parameters = body if within is None else json_access.member(body, within)
    return Prompt(
        system,
        turns,
        temperature=json_access.number(parameters, "temperature"),
        top_p=json_access.number(parameters, top_p),
        max_tokens=json_access.integer(parameters, max_tokens),
        stop_sequences=strings(parameters, stop),
    )


def _parts(marks: re.Pattern[str], prompt: str) -> list[tuple[str, str]]:
    """Roles and their non-empty texts. Text before the first role is of the system prompt."""
    role, at, parts = "system", 0, []
    for mark in marks.finditer(prompt):
        parts.append((role, prompt[at : mark.start()]))
        role, at = _role(mark), mark.end()
    parts.append((role, prompt[at:]))
    cleaned = ((role, _NOISE.sub("", text).strip()) for role, text in parts)
    return [(role, text) for role, text in cleaned if text]


def _role(mark: re.Match[str]) -> str:
    group = mark.lastgroup or ""
    if group == "word":
        return _ROLES.get(mark["word"], "system")
    return mark[group] or "user" if group.startswith("llama") else group
