"""The commands that change cassettes in bulk: `drop`, `keep`, `move`, `copy`, `rename`, `split`, `merge`, `retime`, `trim`,
`truncate-after`, `renumber`. `change` is what they share, and others may: it shows, backs up and puts in place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bedtape_cassettes.cli.backup import set_aside
from bedtape_cassettes.cli.errors import exit_on_error, report
from bedtape_cassettes.cli.options import CASSETTES, AsJson, DryRun, Folder, Names, Selectors
from bedtape_cassettes.cli.output import load, print_json, print_lines, progress
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import Suite
from bedtape_cassettes.storage.commit import commit, list_changed, list_files, lock
from bedtape_cassettes.suites import bulk, preview
from bedtape_cassettes.suites.selector import Picked, find_duplicates, pick
from bedtape_cassettes.suites.timing import Retiming
from bedtape_cassettes.suites.timing import retime as retime_interaction
from bedtape_cassettes.text import Line, lines

__all__ = [
    "change",
    "copy",
    "drop",
    "keep",
    "merge",
    "move",
    "rename",
    "renumber",
    "retime",
    "split",
    "trim",
    "truncate_after",
]

To = Annotated[str, typer.Option("--to", metavar="CASSETTE", help="Name of the cassette to put them into.")]


class By(StrEnum):
    """What a cassette is split by."""

    model = "model"
    operation = "operation"
    session = "session"


def change(folder: Path, alter: Callable[[Suite], Suite], *, dry_run: bool, as_json: bool) -> Suite:
    """Changes the cassettes of a folder or `.tape` file, and returns them as they are then.

    dry_run: only shows the difference. Else what git does not hold is backed up first.
    """
    with exit_on_error(), lock(folder):
        before = load(folder)
        after = alter(before)
        names = list_changed(before, after)
        kept = None
        if names and not dry_run:
            kept = set_aside(folder, list_files(folder, before, names))
            with progress(len(names), "writing") as tick:
                commit(folder, before, after, report=tick)
        _print_change(preview.plan(before, after), kept, dry_run=dry_run, as_json=as_json)
        return after


def _print_change(found: preview.Plan, kept: Path | None, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json({**asdict(found), "backup": kept and str(kept), "dry_run": dry_run})
        return
    if dry_run:
        print_lines(preview.render(found))
    print_lines([Line(found.summary + (" (dry run: nothing was changed)" if dry_run else ""), "title")])
    if kept is not None:
        print_lines(lines(f"git does not hold what was there: it is kept in {kept}", "faint"))


def _on_selected(selectors: list[str], alter: Callable[[Suite, Picked], Suite]) -> Callable[[Suite], Suite]:
    return lambda suite: alter(suite, pick(suite, selectors))


# -- fewer -----------------------------------------------------------------------------------------------------


def drop(selectors: Selectors, folder: Folder = CASSETTES, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Remove interactions. A cassette that is left without any is gone; the others keep their numbers.

    \b
    Examples:
      bedtape cassette drop weather:2
      bedtape cassette drop '*:is=partial' --dry-run
    """
    change(folder, _on_selected(selectors, bulk.drop), dry_run=dry_run, as_json=as_json)


def keep(selectors: Selectors, folder: Folder = CASSETTES, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Remove all other interactions of the cassettes that are named.

    \b
    Examples:
      bedtape cassette keep weather:1-3
      bedtape cassette keep 'weather:op=Converse' --dry-run
    """
    change(folder, _on_selected(selectors, bulk.keep), dry_run=dry_run, as_json=as_json)


def truncate_after(
    selectors: Selectors, folder: Folder = CASSETTES, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Remove what comes after the last selected interaction of each cassette.

    \b
    Example:
      bedtape cassette truncate-after weather:5
    """
    change(folder, _on_selected(selectors, bulk.truncate_after), dry_run=dry_run, as_json=as_json)


# -- elsewhere -------------------------------------------------------------------------------------------------


def move(
    selectors: Selectors, to: To, folder: Folder = CASSETTES, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Move interactions to the end of another cassette, which is made where there is none of that name.

    \b
    Example:
      bedtape cassette move 'weather:model=*nova*' --to nova/weather
    """
    change(folder, _on_selected(selectors, lambda s, p: bulk.move(s, p, to)), dry_run=dry_run, as_json=as_json)


def copy(
    selectors: Selectors, to: To, folder: Folder = CASSETTES, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Copy interactions to the end of another cassette, which is made where there is none of that name.

    \b
    Example:
      bedtape cassette copy weather:1-2 --to smoke
    """
    change(folder, _on_selected(selectors, lambda s, p: bulk.copy(s, p, to)), dry_run=dry_run, as_json=as_json)


def rename(
    old: Annotated[str, typer.Argument(metavar="OLD", help="Name of the cassette.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")],
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


# -- several of one, one of several ----------------------------------------------------------------------------


def split(
    name: Annotated[str, typer.Argument(metavar="CASSETTE", help="Name of the cassette.")],
    by: Annotated[By, typer.Option("--by", help="What each part has in common.")],
    folder: Folder = CASSETTES,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Split a cassette into CASSETTE/PART, by model, operation or session. Order is kept.

    A session is an agent's session id, or the requests whose conversations begin alike.

    \b
    Example:
      bedtape cassette split weather --by model
    """
    change(folder, lambda suite: bulk.split(suite, name, by.value), dry_run=dry_run, as_json=as_json)


def merge(names: Names, to: To, folder: Folder = CASSETTES, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Merge cassettes into one, in the order in which they are named; requests that are there twice are told.

    \b
    Example:
      bedtape cassette merge weather forecasts --to weather
    """
    after = change(folder, lambda suite: bulk.merge(suite, names, to), dry_run=dry_run, as_json=as_json)
    for cassette in after:
        for same in find_duplicates(cassette) if cassette.name == to else ():
            told_numbers = ", ".join(map(str, same))
            fix = f"they play one after the other; drop what is too much: bedtape cassette drop {to}:{same[-1]}"
            report(f"{to}: {told_numbers} ask the same; {fix}")


# -- streams, times, numbers -----------------------------------------------------------------------------------


def retime(
    selectors: Selectors,
    zero: Annotated[bool, typer.Option("--zero/--no-zero", help="No waiting at all.")] = False,
    scale: Annotated[float | None, typer.Option("--scale", help="Multiply every time by this.")] = None,
    cap: Annotated[int | None, typer.Option("--cap", metavar="MS", help="Longest wait for a head or an event.")] = None,
    folder: Folder = CASSETTES,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Change when answers came, for replays that keep the recorded pace. --scale comes before --cap.

    \b
    Examples:
      bedtape cassette retime '*' --zero
      bedtape cassette retime weather:2 --scale 0.5 --cap 200
    """
    with exit_on_error():
        retiming = _parse_retiming(scale, cap, zero=zero)
    alter = _on_selected(selectors, lambda suite, p: bulk.each(suite, p, lambda one: retime_interaction(one, retiming)))
    change(folder, alter, dry_run=dry_run, as_json=as_json)


def _parse_retiming(scale: float | None, cap: int | None, *, zero: bool) -> Retiming:
    if zero is (scale is not None or cap is not None):
        raise CassetteError("expected --zero, or --scale or --cap or both, found neither or all; say one of them")
    if scale is not None and not 0 < scale < float("inf"):
        raise CassetteError(f"--scale: expected a number above 0, found {scale:g}; for no waiting say --zero")
    if cap is not None and cap < 0:
        raise CassetteError(f"--cap: expected milliseconds, 0 or more, found {cap}; for no waiting say --zero")
    return Retiming(0.0 if zero else 1.0 if scale is None else scale, cap)


def trim(
    selectors: Selectors,
    events: Annotated[int, typer.Option("--events", metavar="N", help="How many events to keep.")],
    folder: Folder = CASSETTES,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Keep the first N events of streams: they end there, without what a model ends with.

    \b
    Example:
      bedtape cassette trim weather:2 --events 5
    """
    alter = _on_selected(selectors, lambda suite, p: bulk.each(suite, p, lambda one: bulk.trim(one, events)))
    change(folder, alter, dry_run=dry_run, as_json=as_json)


def renumber(names: Names, folder: Folder = CASSETTES, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Name files anew: numbers from 1 without gaps, operation and match key as they are now.

    \b
    Example:
      bedtape cassette renumber weather
    """
    change(folder, lambda suite: bulk.renumber(suite, names), dry_run=dry_run, as_json=as_json)
