"""Replaces a text in a whole interaction, as sed does: request, answer, tool inputs."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.families.content import Message
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.format.json_values import map_leaves
from bedtape_cassettes.format.patterns import compile_pattern, expand_all
from bedtape_cassettes.model import Interaction, JsonValue
from bedtape_cassettes.suites.assign import (
    OTHER_CALLS,
    Assignment,
    EditResult,
    assign,
    read_answer_text,
)
from bedtape_cassettes.suites.members import with_length
from bedtape_cassettes.suites.texts import Side, replace_answer_texts, replace_request_texts
from bedtape_cassettes.suites.tool_inputs import list_tool_calls, with_tool_input


@dataclass(frozen=True, slots=True)
class Substitution:
    """A compiled pattern, and the replacement, which may refer to the pattern's groups."""

    pattern: re.Pattern[str]
    new: str

    def apply(self, text: str) -> str:
        """Returns the text with every match replaced. Raises CassetteError if it takes too long."""
        return expand_all(self.pattern, self.new, text)


def parse(old: str, new: str, *, regex: bool) -> Substitution:
    """Compiles the text or pattern `old`. Raises CassetteError."""
    if not old:
        raise CassetteError(
            "OLD: expected a text to replace, found none; write the old text before the new text"
        )
    try:
        pattern = compile_pattern(old if regex else re.escape(old))
        substitution = Substitution(pattern, new if regex else new.replace("\\", "\\\\"))
        # A wrong reference to a group is found only when a template is expanded.
        re.compile(f"{pattern.pattern}|").sub(substitution.new, "")
    except (ValueError, re.error, IndexError) as error:
        fix = "put a backslash before characters that are meant literally"
        raise CassetteError(
            f"expected a regular expression and a text, found {error}; {fix}"
        ) from None
    return substitution


def substitute(
    interaction: Interaction, substitution: Substitution, sides: Collection[Side]
) -> EditResult:
    """Applies the substitution to these sides of the interaction. Raises CassetteError."""
    notes: tuple[str, ...] = ()
    if Side.request in sides:
        changed = replace_request_texts(interaction, substitution.apply)
        if changed != interaction:
            interaction, notes = changed, (OTHER_CALLS,)
    if Side.answer not in sides:
        return EditResult(interaction, notes)
    content = content_of(interaction.operation, interaction.model, interaction.response)
    if not isinstance(content, Message):
        return EditResult(with_length(replace_answer_texts(interaction, substitution.apply)), notes)
    text = read_answer_text(interaction)
    if text is not None and (new := substitution.apply(text)) != text:
        result = assign(interaction, [Assignment("answer.text", new)])
        interaction, notes = result.interaction, (*notes, *result.notes)
    for number, call in enumerate(list_tool_calls(content)):
        value = map_leaves(call.input, lambda leaf: _change(leaf, substitution))
        if value != call.input:
            interaction = with_tool_input(interaction, number, value)
    return EditResult(with_length(interaction), notes)


def _change(leaf: JsonValue, substitution: Substitution) -> JsonValue:
    return substitution.apply(leaf) if isinstance(leaf, str) else leaf
