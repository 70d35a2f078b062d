"""The commands `bedtape cassette edit`, `set`, `unset`, `replace` and `insert`, which change
what interactions contain.

Dependent values are updated, or a note is printed. An edited text is not lost: an invalid text is
opened again with its errors, and if the user gives up, the text is saved in a file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bedtape_cassettes.cli.changing import change, change_each
from bedtape_cassettes.cli.errors import exit_on_error, report
from bedtape_cassettes.cli.options import CASSETTES, AsJson, DryRun, Folder, OfClient
from bedtape_cassettes.cli.output import load
from bedtape_cassettes.cli.processes import edit_text
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import Interaction, Suite
from bedtape_cassettes.storage.commit import BACKUPS, open_backups
from bedtape_cassettes.suites import bulk, edit_buffer, events, substitute
from bedtape_cassettes.suites.assign import OTHER_CALLS, EditResult, assign, parse_assignments
from bedtape_cassettes.suites.selector import Picked, pick
from bedtape_cassettes.suites.texts import SIDES, Side
from bedtape_cassettes.text import escape_controls

_WORDS = (
    "answer.text=…, stop_reason=…, status=…, model=…, tool.input=…, usage.outputTokens=…,"
    " json:$.path=…, request:$.path=…"
)
Chosen = Annotated[str, typer.Argument(metavar="SELECTOR", help="Interactions to change.")]


# -- set -------------------------------------------------------------------------------------------


def set_(
    selector: Chosen,
    words: Annotated[list[str], typer.Argument(metavar="KEY=VALUE", help=_WORDS)],
    folder: Folder = CASSETTES,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Change interactions without an editor. Events, token counts and Content-Length are updated.

    A new text replaces the old one, with the same cuts between events. A status from 400 makes the
    answer an error. tool.input is the input of the answer's tool call; of several tool calls,
    tool[0].input is the first one's. model is the model of the request. json:$.PATH sets a member
    of the body. In a stream, the path begins with the number of the event, from 0. request:$.PATH
    does the same in the request, whose events in a conversation are those of the client.

    \b
    Examples:
      bedtape cassette set weather:2 'answer.text=It is sunny.'
      bedtape cassette set weather:2 stop_reason=max_tokens usage.outputTokens=7
      bedtape cassette set weather:1 status=429 --dry-run
      bedtape cassette set '*:model=*nova-lite*' model=us.amazon.nova-2-lite-v1:0
      bedtape cassette set weather:1 'tool.input={"city": "Rome"}'
    """
    with exit_on_error():
        changes = parse_assignments(words)
    _change_each(selector, lambda i: assign(i, changes), folder, dry_run=dry_run, as_json=as_json)


def _change_each(
    selector: str,
    alter: Callable[[Interaction], EditResult],
    folder: Path,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Changes the selected interactions, and prints the notes. Equal notes are one line."""
    files: dict[str, list[str]] = {}

    def change_one(interaction: Interaction) -> Interaction:
        result = alter(interaction)
        for note in result.notes:
            files.setdefault(note, []).append(interaction.file)
        return result.interaction

    change(
        folder,
        lambda s: change_each(s, pick(s, [selector]), change_one),
        dry_run=dry_run,
        as_json=as_json,
    )
    for note, names in files.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        report(f"{names[0]}{more}: {note}")


def unset(
    selector: Chosen,
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="json:$.path, request:$.path")],
    folder: Folder = CASSETTES,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Remove members of answers or requests, or events of streams.

    In a stream, and in the request of a conversation, the path begins with the number of the event,
    from 0. The number alone removes the event.

    \b
    Examples:
      bedtape cassette unset weather:2 'json:$.metrics'
      bedtape cassette unset '*:model=*nova*' 'request:$.inferenceConfig.topP'
      bedtape cassette unset weather:3 'json:$[4]'
    """
    _change_each(
        selector, lambda i: events.unset(i, paths), folder, dry_run=dry_run, as_json=as_json
    )


def insert(
    selector: Chosen,
    number: Annotated[
        int, typer.Argument(metavar="NUMBER", help="Number of the event to insert before, from 0.")
    ],
    event: Annotated[
        str,
        typer.Argument(
            metavar="EVENT", help="TYPE=JSON, or JSON for InvokeModel's chunks and SSE."
        ),
    ],
    of_client: OfClient = False,
    folder: Folder = CASSETTES,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Insert an event into streams. It gets the time of the event that it precedes.

    A TYPE that ends with Exception makes the event an exception. bedtape
    cassette unset removes events.

    \b
    Examples:
      bedtape cassette insert chat:1 3 'messageStop={"stopReason": "max_tokens"}'
      bedtape cassette insert chat:1 5 'throttlingException={"message": "Too many tokens"}'
      bedtape cassette insert sonic:1 0 --request '{"event": {"sessionStart": {}}}'
    """
    notes = (OTHER_CALLS,) if of_client else ()
    _change_each(
        selector,
        lambda i: EditResult(events.insert(i, number, event, of_client=of_client), notes),
        folder,
        dry_run=dry_run,
        as_json=as_json,
    )


# -- replace ---------------------------------------------------------------------------------------


def replace_(
    selector: Chosen,
    old: Annotated[str, typer.Argument(metavar="OLD", help="Text to replace.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Text to write instead.")],
    regex: Annotated[
        bool,
        typer.Option(
            "--regex/--no-regex", help="OLD is a regular expression, and NEW may contain \\1."
        ),
    ] = False,
    only: Annotated[
        Side | None, typer.Option("--only", help="Replace in this part. Default: both.")
    ] = None,
    folder: Folder = CASSETTES,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Replace a text everywhere in requests and answers, as sed does.

    Texts are prompts, messages, tool inputs and results, descriptions and error messages. Names,
    ids, roles and model ids stay. Streams are cut as before, and token counts are updated.

    \b
    Examples:
      bedtape cassette replace '*' 'You are helpful.' 'You are careful.' --only request
      bedtape cassette replace weather '(\\d+) degrees' '\\1 °C' --regex
    """
    with exit_on_error():
        substitution = substitute.parse(old, new, regex=regex)
    sides = SIDES if only is None else (only,)
    _change_each(
        selector,
        lambda i: substitute.substitute(i, substitution, sides),
        folder,
        dry_run=dry_run,
        as_json=as_json,
    )


# -- edit ------------------------------------------------------------------------------------------


def edit(
    selector: Annotated[str, typer.Argument(metavar="SELECTOR", help="Interaction to edit.")],
    folder: Folder = CASSETTES,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Open one interaction in $VISUAL or $EDITOR: the text of the answer first,
    then the whole interaction.

    The saved file is checked, and values that depend on the text are updated. If it is wrong, the
    errors are printed with their lines and the editor opens again.

    \b
    Examples:
      bedtape cassette edit weather:2
      EDITOR='code --wait' bedtape cassette edit weather:2 --dry-run
    """
    with exit_on_error():
        before = load(folder)
        place = _pick_one(pick(before, [selector]), selector)
        interaction = next(c.interactions[place[1]] for c in before if c.name == place[0])
        text, result = _edit_until_valid(interaction, folder)
    if result is None:
        change(folder, lambda suite: suite, dry_run=dry_run, as_json=as_json)
        return
    try:
        change(
            folder,
            _replace_if_unchanged(place, interaction, result),
            dry_run=dry_run,
            as_json=as_json,
        )
    except typer.Exit:
        _keep(folder, interaction, text)
        raise
    for note in result.notes:
        report(f"{interaction.file}: {note}")


def _pick_one(picked: Picked, selector: str) -> tuple[str, int]:
    places = [(name, place) for name, which in picked.items() for place in which]
    if len(places) != 1:
        fix = "select one by its number, such as weather:2"
        raise CassetteError(
            f"{escape_controls(selector)}: expected one interaction, found {len(places)}; {fix}"
        )
    return places[0]


def _replace_if_unchanged(
    place: tuple[str, int], old: Interaction, result: EditResult
) -> Callable[[Suite], Suite]:
    """Returns the change. It raises CassetteError if the interaction changed in the meantime."""

    def alter(suite: Suite) -> Suite:
        now = next((c.interactions for c in suite if c.name == place[0]), ())
        if len(now) <= place[1] or now[place[1]] != old:
            fix = "edit the interaction again"
            raise CassetteError(
                f"{old.file}: expected no change while the editor was open, found one; {fix}"
            )
        return bulk.change_each(
            suite, {place[0]: (place[1],)}, lambda _: replace(result.interaction, file=old.file)
        )

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
        if not sys.stdin.isatty() or not typer.confirm(
            "Open the editor again?", default=True, err=True
        ):
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
            f"bedtape: {folder / BACKUPS / name}: expected to write, found: {error.strerror}; your"
            f" text:\n{text}",
            err=True,
        )
        return
    report(f"your text is saved in {path}")
