"""Applies the change of a conversation's request to the requests of its later turns.

A program whose first call misses does not send the others. Each later request contains the first
one: its messages begin with the same messages, and most of its other members are equal.
"""

from __future__ import annotations

from dataclasses import replace

from bedtape_cassettes.format.bodies import compact, parse
from bedtape_cassettes.model import Interaction, JsonValue


def change_later_turn(later: Interaction, old: Interaction, new: Interaction) -> Interaction | None:
    """Returns the later turn with the changes between the old and the new
    request of an earlier turn.

    Returns `None` if it is no later turn of the same conversation, or if nothing changes.
    """
    if later.request.path != old.request.path:
        return None
    try:
        bodies = [parse(interaction.request.body.data) for interaction in (later, old, new)]
    except ValueError:
        return None
    match bodies:
        case [dict() as body, dict() as before, dict() as after] if _continues(body, before):
            data = compact(_carry(body, before, after))
        case _:
            return None
    request = replace(
        later.request, path=new.request.path, body=replace(later.request.body, data=data)
    )
    return None if request == later.request else replace(later, request=request, model=new.model)


def _continues(later: dict[str, JsonValue], before: dict[str, JsonValue]) -> bool:
    """Whether the messages of the later body begin with the messages of the body
    before it, and are more.

    A message has a role. A list of tools or of stop sequences may be longer in a
    request of another conversation.
    """
    return any(
        _has_roles(value) and _begins_with(later.get(name), value) for name, value in before.items()
    )


def _has_roles(value: JsonValue) -> bool:
    match value:
        case [{"role": _}, *_]:
            return True
    return False


def _begins_with(later: JsonValue, before: JsonValue) -> bool:
    match later, before:
        case list(), [_, *_]:
            return len(later) > len(before) and later[: len(before)] == before
    return False


def _carry(
    later: dict[str, JsonValue], before: dict[str, JsonValue], after: dict[str, JsonValue]
) -> dict[str, JsonValue]:
    carried: dict[str, JsonValue] = {}
    for name, value in later.items():
        old, new = before.get(name), after.get(name)
        if name not in before or (value != old and not _begins_with(value, old)):
            carried[name] = value
        elif isinstance(value, list) and isinstance(old, list) and isinstance(new, list):
            carried[name] = [*new, *value[len(old) :]]
        elif name in after:
            carried[name] = new
    added = {
        name: value for name, value in after.items() if name not in before and name not in later
    }
    return carried | added
