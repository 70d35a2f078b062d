"""One interaction as a text to edit: what the answer says first, then the whole file; and the edited text read again.

Nothing of a bad edit is lost: the problems have the lines of the text as it was edited. Pure.
"""

from __future__ import annotations

import re

from bedtape_cassettes.errors import CassetteError, CassetteInvalid, Problem
from bedtape_cassettes.families.content import Message
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.usage import COUNTS, read_usage
from bedtape_cassettes.format import document, yamlio
from bedtape_cassettes.model import Interaction, JsonValue
from bedtape_cassettes.suites.assign import Assignment, EditResult, answer_text, assign, reconcile

__all__ = ["read", "render"]

_HEAD = """\
# What the answer says. What you change here is put into the body or the events below, cut as the model cut it; token
# counts follow the text. What you change below stays as you write it. An empty file changes nothing.
"""
_MIDDLE = "# The interaction as its file holds it.\n"
_START = re.compile(rb"^bedtape:", re.MULTILINE)


def render(interaction: Interaction) -> str:
    """The text to edit."""
    whole = document.write(interaction).decode()
    said = _read_answer(interaction)
    return whole if said is None else f"{_HEAD}{yamlio.dump({'answer': said}).decode()}{_MIDDLE}{whole}"


def _read_answer(interaction: Interaction) -> dict[str, JsonValue] | None:
    """What can be changed by a word; None where that is nothing."""
    text = answer_text(interaction)
    content = content_of(interaction.operation, interaction.model, interaction.response)
    found: dict[str, JsonValue] = {}
    if text is not None:
        found["text"] = text
    if isinstance(content, Message):
        found["stop_reason"] = content.stop
    if (usage := read_usage(interaction.operation, interaction.model, interaction.response)) is not None:
        found["usage"] = {name: getattr(usage, field) for name, field in COUNTS.items()}
    return found or None


def read(text: str, interaction: Interaction) -> EditResult | None:
    """The interaction that the edited text means; None where nothing was changed.

    Raises CassetteInvalid, with lines of the text, or CassetteError.
    """
    data = text.encode()
    if not text.strip() or text == render(interaction):
        return None
    name = interaction.file.rpartition("/")[2] or "interaction.yaml"
    begins = _START.search(data)
    if begins is None:
        raise CassetteInvalid([Problem(name, 1, "a line that begins with bedtape:", "none", "put it back")])
    head, rest = data[: begins.start()], data[begins.start() :]
    # Empty lines in place of the head keep the numbers of the others.
    written = document.read(b"\n" * head.count(b"\n") + rest, name)
    changed = reconcile(interaction, written)
    changes = _changes(head, name, interaction)
    if any(change.key == "answer.text" for change in changes) and answer_text(written) != answer_text(interaction):
        fix = "change one of them, and leave the other as it was"
        found = "two: under answer and in the interaction"
        raise CassetteInvalid([Problem(name, 1, "one new text", found, fix)])
    final = assign(changed.interaction, changes)
    return EditResult(final.interaction, (*changed.notes, *final.notes))


def _changes(head: bytes, name: str, interaction: Interaction) -> tuple[Assignment, ...]:
    """What was changed under `answer`."""
    old = _read_answer(interaction)
    value = yamlio.load(head, name) if _has_words(head) else None
    if old is None or value is None:
        return ()
    new = value.get("answer") if isinstance(value, dict) else None
    if not isinstance(new, dict) or not isinstance(new.get("usage", {}), dict):
        fix = "put it back as it was, or take the whole of it out"
        raise CassetteInvalid([Problem(name, 1, f"answer: with {', '.join(old)}", "something else", fix)])
    found = [
        _assignment(key, member, name)
        for key, before, member in _pairs(old, new)
        if member is not None and member != before
    ]
    if unknown := [key for key in new if key not in old]:
        raise CassetteInvalid(
            [Problem(name, 1, f"answer: with {', '.join(old)}", f"the key {unknown[0]}", "take it out")]
        )
    return tuple(found)


def _has_words(head: bytes) -> bool:
    return any(line.strip() and not line.lstrip().startswith(b"#") for line in head.splitlines())


def _pairs(old: dict[str, JsonValue], new: dict[str, JsonValue]) -> list[tuple[str, JsonValue, JsonValue]]:
    found: list[tuple[str, JsonValue, JsonValue]] = [
        ("answer.text", old.get("text"), new.get("text")),
        ("stop_reason", old.get("stop_reason"), new.get("stop_reason")),
    ]
    before, after = old.get("usage"), new.get("usage")
    if isinstance(before, dict) and isinstance(after, dict):
        found += [(f"usage.{name}", before.get(name), after.get(name)) for name in COUNTS]
    return found


def _assignment(key: str, value: JsonValue, name: str) -> Assignment:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise CassetteError(f"{name}: expected {key} to be text or a number, found {value!r}; write it in quotes")
    return Assignment(key, str(value))
