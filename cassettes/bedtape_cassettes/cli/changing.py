"""The commands that change cassettes in bulk, such as `drop`, `move` and `retime`.

All of them call `change`, which shows the difference, backs up the old files
and writes the new ones.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bedtape_cassettes.cli.errors import exit_on_error, report
from bedtape_cassettes.cli.options import (
    CASSETTES,
    AsJson,
    DryRun,
    Folder,
    Names,
    OfClient,
    Selectors,
)
from bedtape_cassettes.cli.output import load, print_json, print_lines, progress
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import Interaction, Suite
from bedtape_cassettes.storage import undo as undoing
from bedtape_cassettes.storage.commit import commit, list_changed, lock
from bedtape_cassettes.suites import bulk, preview
from bedtape_cassettes.suites.assign import OTHER_CALLS
from bedtape_cassettes.suites.selector import Picked, find_duplicates, pick
from bedtape_cassettes.suites.timing import Retiming
from bedtape_cassettes.suites.timing import retime as retime_interaction
from bedtape_cassettes.text import Line, lines

To = Annotated[str, typer.Option("--to", metavar="CASSETTE", help="Name of the target cassette.")]


class By(StrEnum):
    """The property by which `split` groups interactions."""

    model = "model"
    operation = "operation"
    session = "session"


def change(folder: Path, alter: Callable[[Suite], Suite], *, dry_run: bool, as_json: bool) -> Suite:
    """Changes the cassettes of a folder or `.tape` file, and returns the changed suite.

    dry_run: shows the difference and writes nothing. Otherwise the old files
    are saved for `undo` first.
    """
    with exit_on_error(), lock(folder):
        before = load(folder)
        after = alter(before)
        names = list_changed(before, after)
        kept = None
        if names and not dry_run:
            with (
                undoing.saving(folder, before, names) as state,
                progress(len(names), "writing") as tick,
            ):
                kept = None if state.in_git else state.folder
                commit(folder, before, after, report=tick)
        _print_change(preview.plan(before, after), kept, dry_run=dry_run, as_json=as_json)
        return after


def _print_change(plan: preview.Plan, kept: Path | None, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json({**asdict(plan), "backup": kept and str(kept), "dry_run": dry_run})
        return
    if dry_run:
        print_lines(preview.render(plan))
    print_lines(
        [Line(plan.summary + (" (dry run: nothing was changed)" if dry_run else ""), "title")]
    )
    if kept is not None:
        print_lines(lines(f"git does not hold the old files; backup: {kept}", "faint"))


def change_each(
    suite: Suite, picked: Picked, change_one: Callable[[Interaction], Interaction]
) -> Suite:
    """Returns the suite with a change of each picked interaction. Shows a progress bar."""
    with progress(sum(map(len, picked.values())), "changing") as tick:

        def change_and_tick(interaction: Interaction) -> Interaction:
            changed = change_one(interaction)
            tick(interaction.file)
            return changed

        return bulk.change_each(suite, picked, change_and_tick)


def _on_selected(
    selectors: list[str], alter: Callable[[Suite, Picked], Suite]
) -> Callable[[Suite], Suite]:
    return lambda suite: alter(suite, pick(suite, selectors))


# -- fewer -----------------------------------------------------------------------------------------


def drop(
    selectors: Selectors,
    folder: Folder = CASSETTES,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Remove interactions.

    The others keep their numbers. A cassette without interactions is deleted.

    \b
    Examples:
      bedtape cassette drop weather:2
      bedtape cassette drop '*:is=partial' --dry-run
    """
    change(folder, _on_selected(selectors, bulk.drop), dry_run=dry_run, as_json=as_json)


def keep(
    selectors: Selectors,
    folder: Folder = CASSETTES,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Remove all interactions of the named cassettes except the selected ones.

    \b
    Examples:
      bedtape cassette keep weather:1-3
      bedtape cassette keep 'weather:op=Converse' --dry-run
    """
    change(folder, _on_selected(selectors, bulk.keep), dry_run=dry_run, as_json=as_json)


def truncate_after(
    selectors: Selectors,
    folder: Folder = CASSETTES,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Remove all interactions after the last selected interaction of each cassette.

    \b
    Example:
      bedtape cassette truncate-after weather:5
    """
    change(folder, _on_selected(selectors, bulk.truncate_after), dry_run=dry_run, as_json=as_json)


# -- elsewhere -------------------------------------------------------------------------------------


def move(
    selectors: Selectors,
    to: To,
    folder: Folder = CASSETTES,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Move interactions to the end of another cassette, which is created if it does not exist.

    \b
    Example:
      bedtape cassette move 'weather:model=*nova*' --to nova/weather
    """
    change(
        folder,
        _on_selected(selectors, lambda s, p: bulk.move(s, p, to)),
        dry_run=dry_run,
        as_json=as_json,
    )


def copy(
    selectors: Selectors,
    to: To,
    folder: Folder = CASSETTES,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Copy interactions to the end of another cassette, which is created if it does not exist.

    \b
    Example:
      bedtape cassette copy weather:1-2 --to smoke
    """
    change(
        folder,
        _on_selected(selectors, lambda s, p: bulk.copy(s, p, to)),
        dry_run=dry_run,
        as_json=as_json,
    )


def rename(
    old: Annotated[str, typer.Argument(metavar="OLD", help="Name of the cassette.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="New name of the cassette.")],
    folder: Folder = CASSETTES,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Give a cassette another name.

    \b
    Example:
      bedtape cassette rename weather forecasts/weather
    """
    change(folder, lambda suite: bulk.rename(suite, old, new), dry_run=dry_run, as_json=as_json)


# -- several of one, one of several ----------------------------------------------------------------


def split(
    name: Annotated[str, typer.Argument(metavar="CASSETTE", help="Name of the cassette.")],
    by: Annotated[By, typer.Option("--by", help="Property that the interactions of a part share.")],
    folder: Folder = CASSETTES,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Split a cassette into CASSETTE/PART, by model, operation or session. Order is kept.

    A session is an agent's session id, or the requests whose conversations
    begin with the same text.

    \b
    Example:
      bedtape cassette split weather --by model
    """
    change(
        folder, lambda suite: bulk.split(suite, name, by.value), dry_run=dry_run, as_json=as_json
    )


def merge(
    names: Names,
    to: To,
    folder: Folder = CASSETTES,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Merge cassettes into one, in the given order. Duplicate requests are reported.

    \b
    Example:
      bedtape cassette merge weather forecasts --to weather
    """
    after = change(
        folder, lambda suite: bulk.merge(suite, names, to), dry_run=dry_run, as_json=as_json
    )
    for cassette in after:
        for same in find_duplicates(cassette) if cassette.name == to else ():
            duplicates = ", ".join(map(str, same))
            fix = f"they are replayed in turn; to drop one: bedtape cassette drop {to}:{same[-1]}"
            report(f"{to}: {duplicates} have the same request; {fix}")


# -- streams, times, numbers -----------------------------------------------------------------------


def retime(
    selectors: Selectors,
    zero: Annotated[bool, typer.Option("--zero/--no-zero", help="Set all times to 0.")] = False,
    scale: Annotated[float | None, typer.Option("--scale", help="Factor for every time.")] = None,
    cap: Annotated[
        int | None,
        typer.Option("--cap", metavar="MS", help="Longest wait before a head or an event."),
    ] = None,
    folder: Folder = CASSETTES,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Change the recorded times of answers. --scale is applied before --cap.

    In a conversation, the times of the client change too, and all events keep their order.

    \b
    Examples:
      bedtape cassette retime '*' --zero
      bedtape cassette retime weather:2 --scale 0.5 --cap 200
    """
    with exit_on_error():
        retiming = _parse_retiming(scale, cap, zero=zero)
    alter = _on_selected(
        selectors,
        lambda suite, p: change_each(suite, p, lambda one: retime_interaction(one, retiming)),
    )
    change(folder, alter, dry_run=dry_run, as_json=as_json)


def _parse_retiming(scale: float | None, cap: int | None, *, zero: bool) -> Retiming:
    if zero is (scale is not None or cap is not None):
        raise CassetteError(
            "expected --zero, or --scale or --cap or both, found none or --zero with others; give"
            " --zero alone, or without it"
        )
    if scale is not None and not 0 < scale < float("inf"):
        raise CassetteError(
            f"--scale: expected a number above 0, found {scale:g}; to remove all waits, use --zero"
        )
    if cap is not None and cap < 0:
        raise CassetteError(
            f"--cap: expected milliseconds, 0 or more, found {cap}; to remove all waits, use --zero"
        )
    return Retiming(0.0 if zero else 1.0 if scale is None else scale, cap)


def trim(
    selectors: Selectors,
    events: Annotated[int, typer.Option("--events", metavar="N", help="Number of events to keep.")],
    of_client: OfClient = False,
    folder: Folder = CASSETTES,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Keep the first N events of streams. The stream then ends without its final events.

    \b
    Examples:
      bedtape cassette trim weather:2 --events 5
      bedtape cassette trim sonic:1 --events 4 --request
    """
    alter = _on_selected(
        selectors,
        lambda suite, p: change_each(
            suite, p, lambda one: bulk.trim(one, events, of_client=of_client)
        ),
    )
    change(folder, alter, dry_run=dry_run, as_json=as_json)
    if of_client:
        report(OTHER_CALLS)


def renumber(
    names: Names, folder: Folder = CASSETTES, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Rename files: numbers from 1 without gaps, current operation and match key.

    \b
    Example:
      bedtape cassette renumber weather
    """
    change(folder, lambda suite: bulk.renumber(suite, names), dry_run=dry_run, as_json=as_json)


def undo(folder: Folder = CASSETTES, as_json: AsJson = False) -> None:
    """Restore the cassettes that the last command, or pytest, changed. Again: those changed before.

    \b
    Examples:
      bedtape cassette undo --in tests/cassettes
      bedtape cassette undo --in checkout.tape
    """
    with exit_on_error(), lock(folder), ExitStack() as stack:
        names, copies = undoing.undo(
            folder, lambda steps: stack.enter_context(progress(steps, "restoring"))
        )
    if as_json:
        print_json({"restored": list(names), "backup": copies and str(copies)})
        return
    print_lines(lines(f"restored {', '.join(names)}", "title"))
    if copies is not None:
        print_lines(
            lines(f"git does not hold the files that undo replaced; backup: {copies}", "faint")
        )
