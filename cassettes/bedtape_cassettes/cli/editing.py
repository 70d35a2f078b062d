"""The commands `bedtape cassette edit` and `set`: one interaction changed, by hand or by what is said on the command line.

What depends on a change is fixed, or told. What an editor left is never lost: what cannot be read is told with its
line and opened again, and what is given up is kept in a file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bedtape_cassettes.cli.changing import change
from bedtape_cassettes.cli.errors import exit_on_error, report
from bedtape_cassettes.cli.options import CASSETTES, AsJson, DryRun, Folder
from bedtape_cassettes.cli.output import load
from bedtape_cassettes.cli.processes import edit_text
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import Interaction, Suite
from bedtape_cassettes.storage.commit import BACKUPS, open_backups
from bedtape_cassettes.suites import bulk as bulk
from bedtape_cassettes.suites import edit_buffer
from bedtape_cassettes.suites.assign import EditResult, assign, parse_assignments
from bedtape_cassettes.suites.selector import Picked, pick
from bedtape_cassettes.text import escape_controls

__all__ = ["edit", "set_"]

_WORDS = "answer.text=…, stop_reason=…, status=…, usage.outputTokens=…, json:$.path=…, request:$.path=…"


def _print_notes(notes: tuple[str, ...]) -> None:
    for note in notes:
        report(note)


# -- set -------------------------------------------------------------------------------------------------------


def set_(
    selector: Annotated[str, typer.Argument(metavar="SELECTOR", help="Which interactions.")],
    words: Annotated[list[str], typer.Argument(metavar="KEY=VALUE", help=_WORDS)],
    folder: Folder = CASSETTES,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Change what answers say, without an editor. What depends on it follows: events, token counts, Content-Length.

    A new text is put where the old one stood, cut as the model cut it. A status from 400 makes the answer that error.
    json:$.PATH sets a member of the body; of a stream, the first part of the path is the event's number, from 0.

    \b
    Examples:
      bedtape cassette set weather:2 'answer.text=It is sunny.'
      bedtape cassette set weather:2 stop_reason=max_tokens usage.outputTokens=7
      bedtape cassette set weather:1 status=429 --dry-run
    """
    with exit_on_error():
        changes = parse_assignments(words)
    notes: list[str] = []

    def one(interaction: Interaction) -> Interaction:
        found = assign(interaction, changes)
        notes.extend(found.notes)
        return found.interaction

    change(folder, lambda s: bulk.each(s, pick(s, [selector]), one), dry_run=dry_run, as_json=as_json)
    _print_notes(tuple(notes))


# -- edit ------------------------------------------------------------------------------------------------------


def edit(
    selector: Annotated[str, typer.Argument(metavar="SELECTOR", help="Which interaction: one.")],
    folder: Folder = CASSETTES,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Open one interaction in $VISUAL or $EDITOR. What the answer says stands first, the whole interaction below.

    On save it is checked, and what depends on the text is fixed. What is wrong is told with its line and opened again.

    \b
    Examples:
      bedtape cassette edit weather:2
      EDITOR='code --wait' bedtape cassette edit weather:2 --dry-run
    """
    with exit_on_error():
        before = load(folder)
        place = _one(pick(before, [selector]), selector)
        interaction = _find(before, place)
        text, found = _edit_until_valid(interaction, folder)
    if found is None:
        change(folder, lambda suite: suite, dry_run=dry_run, as_json=as_json)
        return
    try:
        change(folder, _replace_if_unchanged(place, interaction, found), dry_run=dry_run, as_json=as_json)
    except typer.Exit:
        _keep(folder, interaction, text)
        raise
    _print_notes(found.notes)


def _one(picked: Picked, selector: str) -> tuple[str, int]:
    places = [(name, place) for name, which in picked.items() for place in which]
    if len(places) != 1:
        fix = "name one by its number, such as weather:2"
        raise CassetteError(f"{escape_controls(selector)}: expected one interaction, found {len(places)}; {fix}")
    return places[0]


def _find(suite: Suite, place: tuple[str, int]) -> Interaction:
    return next(c.interactions[place[1]] for c in suite if c.name == place[0])


def _replace_if_unchanged(place: tuple[str, int], old: Interaction, found: EditResult) -> Callable[[Suite], Suite]:
    """The change, for cassettes that nobody has changed while the editor was open."""

    def alter(suite: Suite) -> Suite:
        now = next((c.interactions for c in suite if c.name == place[0]), ())
        if len(now) <= place[1] or now[place[1]] != old:
            fix = "edit it again with what you find there"
            raise CassetteError(f"{old.file}: expected it as it was when you opened it, found another; {fix}")
        return bulk.each(suite, {place[0]: (place[1],)}, lambda _: replace(found.interaction, file=old.file))

    return alter


def _edit_until_valid(interaction: Interaction, folder: Path) -> tuple[str, EditResult | None]:
    """What the editor left, and what it means: opened again for as long as that is nothing."""
    text = edit_buffer.render(interaction)
    name = interaction.file.rpartition("/")[2]
    while True:
        text = edit_text(text, name)
        try:
            return text, edit_buffer.read(text, interaction)
        except CassetteError as error:
            report(error)
        if not sys.stdin.isatty() or not typer.confirm("Open it again?", default=True, err=True):
            _keep(folder, interaction, text)
            raise typer.Exit(2)


def _keep(folder: Path, interaction: Interaction, text: str) -> None:
    """Keeps the text that could not be used, where nobody reads cassettes."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    name = f"edit-{stamp}-{interaction.file.rpartition('/')[2]}"
    try:
        path = open_backups(folder) / name
        path.write_text(text, newline="")
    except OSError as error:  # then the terminal is where it is kept
        typer.echo(
            f"bedtape: {folder / BACKUPS / name}: expected to write, found: {error.strerror}; this is what you wrote:\n{text}",
            err=True,
        )
        return
    report(f"what you wrote is kept in {path}")
