"""Replaces the input of a tool call. In a stream, its JSON is cut like the recorded one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.families.content import Content, Message, ToolUse
from bedtape_cassettes.families.members import Members, find_leaves
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.table import members_of
from bedtape_cassettes.families.text_slots import split_like
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.json_values import Place, Plain, at, with_leaf
from bedtape_cassettes.format.json_view import read_values, write_values
from bedtape_cassettes.model import Events, Interaction, JsonValue

# A place of a tool's input: the number of the value, the place in the value,
# and what the place holds.
_Leaf = tuple[int, Place, JsonValue]


def list_tool_calls(content: Content | None) -> tuple[ToolUse, ...]:
    """Returns the tool calls of an answer, in order."""
    return (
        tuple(b for b in content.blocks if isinstance(b, ToolUse))
        if isinstance(content, Message)
        else ()
    )


def with_tool_input(interaction: Interaction, number: int | None, value: JsonValue) -> Interaction:
    """Replaces the input of the tool call with the number, from 0. Raises CassetteError.

    number: `None` for the only tool call of the answer. The result is read again, and must
    differ in this input only.
    """
    calls = list_tool_calls(_read(interaction))
    which = _choose(calls, number, interaction.file)
    response = interaction.response
    values = read_values(response.body)
    members = members_of(interaction.operation, interaction.model)
    groups = _group(values, members, streamed=isinstance(response.body, Events))
    expected = tuple(
        replace(call, input=value) if n == which else call for n, call in enumerate(calls)
    )
    if len(groups) == len(calls):
        for (index, place, _), piece in zip(
            groups[which], _split(value, groups[which]), strict=True
        ):
            values[index] = with_leaf(values[index], place, piece)
        changed = replace(
            interaction, response=replace(response, body=write_values(response.body, values))
        )
        if list_tool_calls(_read(changed)) == expected:
            return changed
    fix = "set members of the body or of events: json:$.path=value"
    raise CassetteError(
        f"{interaction.file}: expected each tool input in one place, found it in several or none;"
        f" {fix}"
    )


def _read(interaction: Interaction) -> Content | None:
    return content_of(interaction.operation, interaction.model, interaction.response)


def _choose(calls: Sequence[ToolUse], number: int | None, file: str) -> int:
    if number is None and len(calls) == 1:
        return 0
    if number is not None and number < len(calls):
        return number
    names = ", ".join(f"tool[{n}] {call.name}" for n, call in enumerate(calls)) or "none"
    expected = "one tool call" if number is None else f"the tool call {number}"
    fix = "choose one, such as tool[0].input={…}" if calls else "select answers with stop=tool_use"
    raise CassetteError(f"{file}: expected {expected}, found {names}; {fix}")


def _group(
    values: Sequence[JsonValue | Plain], members: Members, *, streamed: bool
) -> list[list[_Leaf]]:
    """Returns the places of each tool call's input.

    The pieces of a stream belong together by their block or index.
    """
    groups: dict[object, list[_Leaf]] = {}
    for leaf in find_leaves(values, members.tool_inputs):
        number, place, _ = leaf
        block = [part for _, _, part in find_leaves([values[number]], members.block)]
        index = at(values[number], (*place[:-2], "index"))
        key = (number, place) if not streamed else (str(block), str(index))
        groups.setdefault(key, []).append(leaf)
    return list(groups.values())


def _split(value: JsonValue, group: Sequence[_Leaf]) -> list[JsonValue]:
    """Returns what each place of a tool input holds: the value itself, or a piece of its JSON."""
    pieces = [leaf for _, _, leaf in group if isinstance(leaf, str)]
    if not pieces:
        return [value] * len(group)
    spaced = '": ' in "".join(pieces)  # Converse's models write spaces, OpenAI's do not
    text = json.dumps(value, ensure_ascii=False) if spaced else bodies.compact(value).decode()
    parts = iter(split_like(text, pieces))
    return [next(parts) if isinstance(leaf, str) else leaf for _, _, leaf in group]
