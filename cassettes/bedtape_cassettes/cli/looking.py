"""The commands `bedtape cassette ls`, `show`, `grep` and `stats`, which change nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer

from bedtape_cassettes.cli.errors import exit_on_error
from bedtape_cassettes.cli.options import CASSETTES, AsJson, Folder, Selectors
from bedtape_cassettes.cli.output import load, print_json, print_lines, progress
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.format import document
from bedtape_cassettes.format.patterns import compile_pattern
from bedtape_cassettes.matching.key import compute_name_key
from bedtape_cassettes.model import Interaction, Suite
from bedtape_cassettes.storage import git
from bedtape_cassettes.suites import show, texts
from bedtape_cassettes.suites.listing import (
    Row,
    Total,
    add_up,
    build_row,
    render_table,
    total_by_operation,
)
from bedtape_cassettes.suites.selector import Picked, find_named, list_numbers, pick
from bedtape_cassettes.text import Line, lines

_ANY = typer.Argument(metavar="CASSETTE", help="Names of cassettes, or globs. Default: all.")
_SEARCHED = typer.Argument(metavar="SELECTOR", help="Interactions to search. Default: all.")
_SOME = typer.Argument(metavar="SELECTOR", help="Interactions to count. Default: all.")


def ls(
    names: Annotated[list[str] | None, _ANY] = None,
    folder: Folder = CASSETTES,
    as_json: AsJson = False,
) -> None:
    """List cassettes: interactions, operations, models, size, age, and how
    many are partial or stale.

    The age comes from git if git holds the files. Stale files were edited after they were named;
    bedtape cassette renumber renames them.

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
        with progress(len(chosen), "reading") as tick:
            for cassette in chosen:
                # A cassette without files is in a .tape file of the folder.
                files = [i.file for i in cassette.interactions if i.file in changed]
                size = (
                    sum((folder / file).stat().st_size for file in files)
                    if folder.is_dir() and files
                    else None
                )
                age = max(0, int(now - max(changed[file] for file in files))) if files else None
                rows.append(build_row(cassette, size, age))
                tick(cassette.name)
    if as_json:
        print_json([asdict(one) for one in rows])
    else:
        print_lines(render_table([_TITLES, *map(_render_row, rows)], right=(1, 4, 5)))


_TITLES = ("cassette", "interactions", "operations", "models", "size", "age", "marks")


def _render_row(one: Row) -> tuple[str, ...]:
    marks = [
        f"{count} {what}"
        for what, count in (("partial", one.partial), ("stale", one.stale))
        if count
    ]
    return (
        one.name,
        str(one.interactions),
        _render_some(one.operations),
        _render_some(one.models),
        "-" if one.bytes is None else f"{one.bytes / 1000:.1f} kB",
        "-" if one.age_seconds is None else _render_age(one.age_seconds),
        ", ".join(marks),
    )


def _render_some(words: tuple[str, ...]) -> str:
    more = f" +{len(words) - 2}" if len(words) > 2 else ""
    return (", ".join(words[:2]) or "-") + more


def _render_age(seconds: int) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


# -- show ------------------------------------------------------------------------------------------


def show_(
    selectors: Selectors,
    folder: Folder = CASSETTES,
    raw: Annotated[
        bool, typer.Option("--raw/--no-raw", help="Headers, bodies and frames as recorded.")
    ] = False,
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
    chosen = list(_list_chosen(suite, picked))
    if as_json:
        print_json([_build_json(*one) for one in chosen])
        return
    for place, one in enumerate(chosen):
        print_lines([Line("")] if place else [])
        print_lines(show.render_raw(*one) if raw else show.render_transcript(*one))


def _list_chosen(suite: Suite, picked: Picked) -> Iterator[tuple[str, int, Interaction]]:
    """Yields the cassette's name, the number and the interaction of each selected one."""
    for cassette in suite:
        places = set(picked.get(cassette.name, ()))
        for place, pair in enumerate(
            zip(list_numbers(cassette), cassette.interactions, strict=True)
        ):
            if place in places:
                yield cassette.name, *pair


def _build_json(cassette: str, number: int, interaction: Interaction) -> dict[str, object]:
    key = compute_name_key(interaction.request).hex()
    head = {"cassette": cassette, "number": number, "file": interaction.file, "key": key}
    return {**head, "interaction": document.build_document(interaction)}


# -- grep ------------------------------------------------------------------------------------------


def grep(
    pattern: Annotated[str, typer.Argument(metavar="PATTERN", help="Regular expression.")],
    selectors: Annotated[list[str] | None, _SEARCHED] = None,
    only: Annotated[
        texts.Side | None, typer.Option("--only", help="Search this part. Default: both.")
    ] = None,
    ignore_case: Annotated[
        bool,
        typer.Option("--ignore-case/--no-ignore-case", "-i", help="Ignore upper and lower case."),
    ] = False,
    fixed: Annotated[
        bool, typer.Option("--fixed-strings/--no-fixed-strings", "-F", help="The pattern is text.")
    ] = False,
    listed: Annotated[
        bool,
        typer.Option(
            "--list/--no-list", "-l", help="Print the interactions, one a line, as selectors."
        ),
    ] = False,
    counted: Annotated[
        bool,
        typer.Option(
            "--count/--no-count",
            "-c",
            help="Print the number of matching lines of each interaction.",
        ),
    ] = False,
    folder: Folder = CASSETTES,
    as_json: AsJson = False,
) -> None:
    """Search the prompts and answers of interactions: messages, tool calls and results, errors.

    Prints each line that matches after its interaction. The exit code is 0
    if a line matches, else 1.

    \b
    Examples:
      bedtape cassette grep umbrella
      bedtape cassette grep -il 'sorry|cannot' '*:model=*claude*' --only answer
      bedtape cassette grep -c Bergen
    """
    with exit_on_error():
        compiled = _compile(re.escape(pattern) if fixed else pattern, ignore_case=ignore_case)
        suite = load(folder)
        picked = pick(suite, selectors or ["*"])
        sides = texts.SIDES if only is None else (only,)
        results: list[tuple[str, list[texts.TextMatch]]] = []
        with progress(sum(map(len, picked.values())), "searching") as tick:
            for cassette, number, interaction in _list_chosen(suite, picked):
                if matches := texts.search(interaction, compiled, sides):
                    results.append((f"{cassette}:{number}", matches))
                tick(cassette)
    if as_json:
        print_json(
            [
                {"interaction": where, **asdict(match)}
                for where, matches in results
                for match in matches
            ]
        )
    elif listed or counted:
        for where, matches in results:
            print_lines(lines(f"{where}: {len(matches)}" if counted else where))
    else:
        for where, match in ((where, match) for where, matches in results for match in matches):
            print_lines(lines(f"{where}: {match.side}: {match.line}"))
    raise typer.Exit(0 if results else 1)


def _compile(pattern: str, *, ignore_case: bool) -> re.Pattern[str]:
    try:
        return compile_pattern(pattern, ignore_case=ignore_case)
    except ValueError as error:
        fix = "use -F to search for text"
        raise CassetteError(
            f"expected a regular expression, found {pattern!r} ({error}); {fix}"
        ) from None


# -- stats -----------------------------------------------------------------------------------------


def stats(
    selectors: Annotated[list[str] | None, _SOME] = None,
    folder: Folder = CASSETTES,
    as_json: AsJson = False,
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
    by_operation = total_by_operation(
        c.interactions[place] for c in suite for place in picked.get(c.name, ())
    )
    if as_json:
        print_json([asdict(total) for total in by_operation])
    else:
        print_lines(
            render_table(
                [_COLUMNS, *map(_render_total, [*by_operation, add_up(by_operation)])],
                right=(2, 3, 4, 5, 6),
            )
        )


_COLUMNS = ("operation", "model", "interactions", "errors", "tokens in", "tokens out", "recorded")


def _render_total(total: Total) -> tuple[str, ...]:
    counts = (total.interactions, total.errors, total.tokens_in, total.tokens_out)
    return (total.operation, total.model, *map(str, counts), f"{total.waited_ms / 1000:.1f} s")
