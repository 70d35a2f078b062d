"""Computes and renders the effect of a change on the files of a suite."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from bedtape_cassettes.model import Interaction, Suite
from bedtape_cassettes.suites.diff import Difference, find_differences, render_difference
from bedtape_cassettes.text import Line, lines


@dataclass(frozen=True, slots=True)
class Plan:
    """Changed files, relative to the folder. moved, copied: pairs of paths, from and to."""

    removed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    moved: tuple[tuple[str, str], ...] = ()
    copied: tuple[tuple[str, str], ...] = ()
    changed: tuple[tuple[str, tuple[Difference, ...]], ...] = ()

    @property
    def summary(self) -> str:
        """`2 files removed, 1 changed`."""
        counts = {field.name: len(getattr(self, field.name)) for field in fields(self)}
        parts = [f"{count} {what}" for what, count in counts.items() if count]
        return f"interactions: {', '.join(parts)}" if parts else "nothing changes"


def plan(before: Suite, after: Suite) -> Plan:
    """Computes the changes from `before` to `after`."""
    old, new = _list_files(before), _list_files(after)
    gone = {file: interaction for file, interaction in old.items() if file not in new}
    stays = {interaction: file for file, interaction in old.items() if file in new}
    moved, copied, added = [], [], []
    for file, interaction in new.items():
        if file in old:
            continue
        source = next((path for path, other in gone.items() if other == interaction), None)
        if source is not None:
            moved.append((source, file))
            del gone[source]
        elif interaction in stays:
            copied.append((stays[interaction], file))
        else:
            added.append(file)
    changed = [
        (file, find_differences(old[file], interaction))
        for file, interaction in new.items()
        if file in old and old[file] != interaction
    ]
    return Plan(tuple(gone), tuple(added), tuple(moved), tuple(copied), tuple(changed))


def _list_files(suite: Suite) -> dict[str, Interaction]:
    return {
        interaction.file: interaction for cassette in suite for interaction in cassette.interactions
    }


def render(preview: Plan) -> Iterator[Line]:
    """Renders the plan as a diff."""
    for file in preview.removed:
        yield from lines(f"- {file}", "removed")
    for file in preview.added:
        yield from lines(f"+ {file}", "added")
    for sign, pairs in (("moved", preview.moved), ("copied", preview.copied)):
        for one, other in pairs:
            yield from lines(f"{sign} {one} -> {other}", "title")
    for file, changes in preview.changed:
        yield from lines(f"changed {file}", "title")
        for change in changes:
            yield from render_difference(change)
