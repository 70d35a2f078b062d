"""The commands `bedtape cassette edit` and `set`, which change one interaction.

Dependent values are updated, or a note is printed. An edited text is not lost: an invalid text is opened again
with its errors, and a text that the user gives up is kept in a file.
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
from bedtape_cassettes.suites import bulk, edit_buffer
from bedtape_cassettes.suites.assign import EditResult, assign, parse_assignments
from bedtape_cassettes.suites.selector import Picked, pick
from bedtape_cassettes.text import escape_controls

_WORDS = "answer.text=…, stop_reason=…, status=…, usage.outputTokens=…, json:$.path=…, request:$.path=…"


# -- set -------------------------------------------------------------------------------------------------------


def set_(
    selector: Annotated[str, typer.Argument(metavar="SELECTOR", help="Interactions to change.")],
    words: Annotated[list[str], typer.Argument(metavar="KEY=VALUE", help=_WORDS)],
    folder: Folder = CASSETTES,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Change answers without an editor. Events, token counts and Content-Length are updated.

    A new text replaces the old one, with the same cuts between events. A status from 400 makes the answer an error.
    json:$.PATH sets a member of the body. In a stream, the path begins with the number of the event, from 0.

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
        result = assign(interaction, changes)
        notes.extend(result.notes)
        return result.interaction

    change(folder, lambda s: bulk.each(s, pick(s, [selector]), one), dry_run=dry_run, as_json=as_json)
    for note in notes:
        report(note)


# -- edit ------------------------------------------------------------------------------------------------------


def edit(
    selector: Annotated[str, typer.Argument(metavar="SELECTOR", help="Interaction to edit.")],
    folder: Folder = CASSETTES,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Open one interaction in $VISUAL or $EDITOR: the text of the answer first, then the whole interaction.

    The saved file is checked, and values that depend on the text are updated. If it is wrong, the errors are
    printed with their lines and the editor opens again.

    \b
    Examples:
      bedtape cassette edit weather:2
      EDITOR='code --wait' bedtape cassette edit weather:2 --dry-run
    """
    with exit_on_error():
        before = load(folder)
        place = _one(pick(before, [selector]), selector)
        interaction = next(c.interactions[place[1]] for c in before if c.name == place[0])
        text, result = _edit_until_valid(interaction, folder)
    if result is None:
        change(folder, lambda suite: suite, dry_run=dry_run, as_json=as_json)
        return
    try:
        change(folder, _replace_if_unchanged(place, interaction, result), dry_run=dry_run, as_json=as_json)
    except typer.Exit:
        _keep(folder, interaction, text)
        raise
    for note in result.notes:
        report(note)


def _one(picked: Picked, selector: str) -> tuple[str, int]:
    places = [(name, place) for name, which in picked.items() for place in which]
    if len(places) != 1:
        fix = "name one by its number, such as weather:2"
        raise CassetteError(f"{escape_controls(selector)}: expected one interaction, found {len(places)}; {fix}")
    return places[0]


def _replace_if_unchanged(place: tuple[str, int], old: Interaction, result: EditResult) -> Callable[[Suite], Suite]:
    """Returns the change, which raises CassetteError if the interaction changed while the editor was open."""

    def alter(suite: Suite) -> Suite:
        now = next((c.interactions for c in suite if c.name == place[0]), ())
        if len(now) <= place[1] or now[place[1]] != old:
            fix = "edit it again as it is now"
            raise CassetteError(f"{old.file}: expected it as it was when you opened it, found another; {fix}")
        return bulk.each(suite, {place[0]: (place[1],)}, lambda _: replace(result.interaction, file=old.file))

    return alter


def _edit_until_valid(interaction: Interaction, folder: Path) -> tuple[str, EditResult | None]:
    """Opens the editor until the text is valid, and returns the text and the edited interaction."""
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
    """Writes the unusable text to the folder of backups, where bedtape reads no cassettes."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    name = f"edit-{stamp}-{interaction.file.rpartition('/')[2]}"
    try:
        path = open_backups(folder) / name
        path.write_text(text, newline="")
    except OSError as error:  # print the text, so that it is not lost
        typer.echo(
            f"bedtape: {folder / BACKUPS / name}: expected to write, found: {error.strerror}; this is what you wrote:\n{text}",
            err=True,
        )
        return
    report(f"what you wrote is kept in {path}")
