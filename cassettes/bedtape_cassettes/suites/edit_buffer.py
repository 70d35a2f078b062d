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
from bedtape_cassettes.suites.assign import (
    Assignment,
    EditResult,
    assign,
    read_answer_text,
    reconcile,
)

_HEAD = """\
# The answer. Changes here go into the body or the events below, with the same cuts between events.
# Token counts are updated. Changes below are kept as written. An empty file changes nothing.
"""
_MIDDLE = "# The whole interaction.\n"
_START = re.compile(rb"^bedtape:", re.MULTILINE)


def render(interaction: Interaction) -> str:
    """Renders the text to edit."""
    whole = document.write_with_files(interaction)[0].decode()
    answer = _read_answer(interaction)
    return (
        whole
        if answer is None
        else f"{_HEAD}{yamlio.dump({'answer': answer}).decode()}{_MIDDLE}{whole}"
    )


def _read_answer(interaction: Interaction) -> dict[str, JsonValue] | None:
    """Returns the editable parts of the answer, or `None` if it has none."""
    text = read_answer_text(interaction)
    content = content_of(interaction.operation, interaction.model, interaction.response)
    answer: dict[str, JsonValue] = {}
    if text is not None:
        answer["text"] = text
    if isinstance(content, Message):
        answer["stop_reason"] = content.stop
    if (
        usage := read_usage(interaction.operation, interaction.model, interaction.response)
    ) is not None:
        answer["usage"] = {name: getattr(usage, field) for name, field in COUNTS.items()}
    return answer or None


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
        raise CassetteInvalid(
            [Problem(name, 1, "a line that begins with bedtape:", "none", "restore the line")]
        )
    head, rest = data[: begins.start()], data[begins.start() :]
    # Empty lines in place of the head keep the numbers of the others.
    files = document.collect_files(interaction)
    written = document.read(b"\n" * head.count(b"\n") + rest, name, files.__getitem__)
    changed = reconcile(interaction, written)
    changes = _find_changes(head, name, interaction)
    if any(change.key == "answer.text" for change in changes) and read_answer_text(
        written
    ) != read_answer_text(interaction):
        fix = "change the text in one place"
        actual = "two, under answer and in the interaction"
        raise CassetteInvalid([Problem(name, 1, "one new text", actual, fix)])
    final = assign(changed.interaction, changes)
    return EditResult(final.interaction, (*changed.notes, *final.notes))


def _find_changes(head: bytes, name: str, interaction: Interaction) -> tuple[Assignment, ...]:
    old = _read_answer(interaction)
    written = any(line.strip() and not line.lstrip().startswith(b"#") for line in head.splitlines())
    value = yamlio.load(head, name) if written else None
    if old is None or value is None:
        return ()
    new = value.get("answer") if isinstance(value, dict) else None
    if not isinstance(new, dict) or not isinstance(new.get("usage", {}), dict):
        fix = "restore answer, or remove it"
        raise CassetteInvalid(
            [Problem(name, 1, f"answer: with {', '.join(old)}", "something else", fix)]
        )
    before, after = _flatten(old), _flatten(new)
    changed = [key for key in before if after.get(key) is not None and after[key] != before[key]]
    assignments = tuple(_build_assignment(key, after[key], name) for key in changed)
    if unknown := [key for key in new if key not in old]:
        raise CassetteInvalid(
            [
                Problem(
                    name,
                    1,
                    f"answer: with {', '.join(old)}",
                    f"the key {unknown[0]}",
                    "remove the key",
                )
            ]
        )
    return assignments


def _flatten(answer: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Returns the parts of the answer by the keys of assignments."""
    usage = answer.get("usage")
    counts = (
        {f"usage.{name}": usage.get(name) for name in COUNTS} if isinstance(usage, dict) else {}
    )
    return {"answer.text": answer.get("text"), "stop_reason": answer.get("stop_reason"), **counts}


def _build_assignment(key: str, value: JsonValue, name: str) -> Assignment:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise CassetteError(
            f"{name}: expected {key} to be text or a number, found {value!r}; write it in quotes"
        )
    return Assignment(key, str(value))
