"""The text of one interaction in an editor: the answer first, then the whole file.

The problems of an invalid edit have the line numbers of the edited text.
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

_HEAD = """\
# The answer. Changes here are written into the body or the events below, with the same cuts between events. Token
# counts are updated. Changes below are kept as written. An empty file changes nothing.
"""
_MIDDLE = "# The whole interaction.\n"
_START = re.compile(rb"^bedtape:", re.MULTILINE)


def render(interaction: Interaction) -> str:
    """Renders the text to edit."""
    whole = document.write(interaction).decode()
    answer = _read_answer(interaction)
    return whole if answer is None else f"{_HEAD}{yamlio.dump({'answer': answer}).decode()}{_MIDDLE}{whole}"


def _read_answer(interaction: Interaction) -> dict[str, JsonValue] | None:
    """Returns the editable parts of the answer, or `None` if it has none."""
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
    """Parses the edited text. Returns `None` if nothing was changed.

    Raises CassetteInvalid with lines of the text, or CassetteError.
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
    old = _read_answer(interaction)
    written = any(line.strip() and not line.lstrip().startswith(b"#") for line in head.splitlines())
    value = yamlio.load(head, name) if written else None
    if old is None or value is None:
        return ()
    new = value.get("answer") if isinstance(value, dict) else None
    if not isinstance(new, dict) or not isinstance(new.get("usage", {}), dict):
        fix = "restore it, or remove all of it"
        raise CassetteInvalid([Problem(name, 1, f"answer: with {', '.join(old)}", "something else", fix)])
    before, after = _flatten(old), _flatten(new)
    changed = [key for key in before if after.get(key) is not None and after[key] != before[key]]
    found = tuple(_assignment(key, after[key], name) for key in changed)
    if unknown := [key for key in new if key not in old]:
        raise CassetteInvalid(
            [Problem(name, 1, f"answer: with {', '.join(old)}", f"the key {unknown[0]}", "take it out")]
        )
    return found


def _flatten(answer: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Returns the parts of the answer by the keys of assignments."""
    usage = answer.get("usage")
    counts = {f"usage.{name}": usage.get(name) for name in COUNTS} if isinstance(usage, dict) else {}
    return {"answer.text": answer.get("text"), "stop_reason": answer.get("stop_reason"), **counts}


def _assignment(key: str, value: JsonValue, name: str) -> Assignment:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise CassetteError(f"{name}: expected {key} to be text or a number, found {value!r}; write it in quotes")
    return Assignment(key, str(value))
