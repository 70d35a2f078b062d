"""The commands `bedtape cassette ls`, `show` and `stats`, which read cassettes and change nothing."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated

import typer

from bedtape_cassettes.cli.errors import exit_on_error
from bedtape_cassettes.cli.options import CASSETTES, AsJson, Folder, Selectors
from bedtape_cassettes.cli.output import load, print_json, print_lines, progress
from bedtape_cassettes.format import document
from bedtape_cassettes.matching.key import compute_request_key
from bedtape_cassettes.model import Interaction
from bedtape_cassettes.storage import git
from bedtape_cassettes.suites import show
from bedtape_cassettes.suites.listing import Row, Total, add_up, row, table, totals
from bedtape_cassettes.suites.selector import find_named, numbers, pick
from bedtape_cassettes.text import Line

_ANY = typer.Argument(metavar="CASSETTE", help="Names of cassettes, or globs. Default: all.")
_SOME = typer.Argument(metavar="SELECTOR", help="Interactions to count. Default: all.")


def ls(names: Annotated[list[str] | None, _ANY] = None, folder: Folder = CASSETTES, as_json: AsJson = False) -> None:
    """List cassettes: interactions, operations, models, size, age, and how many are partial or stale.

    The age comes from git if git holds the files. Stale files were edited after they were named; bedtape cassette
    renumber renames them.

    \b
    Examples:
      bedtape cassette ls
      bedtape cassette ls 'checkout/*' --in tests/cassettes --json
    """
    with exit_on_error():
        suite = load(folder)
        chosen = find_named(suite, names or ())
        changed = git.read_change_times(folder, (i.file for c in chosen for i in c.interactions))
        now = time.time()
        rows = []
        with progress(len(chosen), "looking") as tick:
            for cassette in chosen:
                # Without files of its own, the cassette is in a .tape file of the folder.
                files = [i.file for i in cassette.interactions if i.file in changed]
                size = sum((folder / file).stat().st_size for file in files) if folder.is_dir() and files else None
                age = max(0, int(now - max(changed[file] for file in files))) if files else None
                rows.append(row(cassette, size, age))
                tick(cassette.name)
    if as_json:
        print_json([asdict(each) for each in rows])
    else:
        print_lines(table([_TITLES, *map(_cells, rows)], right=(1, 4, 5)))


_TITLES = ("cassette", "interactions", "operations", "models", "size", "age", "marks")


def _cells(each: Row) -> tuple[str, ...]:
    marks = [f"{count} {what}" for what, count in (("partial", each.partial), ("stale", each.stale)) if count]
    return (
        each.name,
        str(each.interactions),
        _some(each.operations),
        _some(each.models),
        "-" if each.bytes is None else f"{each.bytes / 1000:.1f} kB",
        "-" if each.age_seconds is None else _age(each.age_seconds),
        ", ".join(marks),
    )


def _some(words: tuple[str, ...]) -> str:
    more = f" +{len(words) - 2}" if len(words) > 2 else ""
    return (", ".join(words[:2]) or "-") + more


def _age(seconds: int) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


# -- show ------------------------------------------------------------------------------------------------------


def show_(
    selectors: Selectors,
    folder: Folder = CASSETTES,
    raw: Annotated[bool, typer.Option("--raw/--no-raw", help="Headers, bodies and frames as recorded.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show interactions as a transcript: system, messages, tools, answer, times, usage.

    \b
    Examples:
      bedtape cassette show weather:2
      bedtape cassette show 'weather:prompt=umbrella' --raw
    """
    with exit_on_error():
        suite = load(folder)
        picked = pick(suite, selectors)
    chosen = [
        (cassette.name, number, interaction)
        for cassette in suite
        for place, (number, interaction) in enumerate(zip(numbers(cassette), cassette.interactions, strict=True))
        if place in picked.get(cassette.name, ())
    ]
    if as_json:
        print_json([_as_json(*each) for each in chosen])
        return
    for place, each in enumerate(chosen):
        print_lines([Line("")] if place else [])
        print_lines(show.render_raw(*each) if raw else show.render_transcript(*each))


def _as_json(cassette: str, number: int, interaction: Interaction) -> dict[str, object]:
    key = compute_request_key(interaction.request).hex()
    head = {"cassette": cassette, "number": number, "file": interaction.file, "key": key}
    return {**head, "interaction": document.build_document(interaction)}


# -- stats -----------------------------------------------------------------------------------------------------


def stats(
    selectors: Annotated[list[str] | None, _SOME] = None, folder: Folder = CASSETTES, as_json: AsJson = False
) -> None:
    """Count interactions, errors, tokens and recorded seconds, by operation and model.

    \b
    Examples:
      bedtape cassette stats
      bedtape cassette stats 'checkout/*:model=*claude*' --json
    """
    with exit_on_error():
        suite = load(folder)
        picked = pick(suite, selectors or ["*"])
    found = totals(c.interactions[place] for c in suite for place in picked.get(c.name, ()))
    if as_json:
        print_json([asdict(total) for total in found])
    else:
        print_lines(table([_COLUMNS, *map(_numbers, [*found, add_up(found)])], right=(2, 3, 4, 5, 6)))


_COLUMNS = ("operation", "model", "interactions", "errors", "tokens in", "tokens out", "recorded")


def _numbers(total: Total) -> tuple[str, ...]:
    counts = (total.interactions, total.errors, total.tokens_in, total.tokens_out)
    return (total.operation, total.model, *map(str, counts), f"{total.waited_ms / 1000:.1f} s")
