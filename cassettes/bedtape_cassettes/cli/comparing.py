"""The commands `bedtape cassette diff`, and `git-setup` and `textconv` for `git diff`."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from bedtape_cassettes.cli.errors import exit_on_error
from bedtape_cassettes.cli.options import CASSETTES, AsJson, Folder
from bedtape_cassettes.cli.output import load, print_json, print_lines
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.format import document, tape
from bedtape_cassettes.model import Cassette, Suite
from bedtape_cassettes.storage import git, store
from bedtape_cassettes.suites import diff as diffing
from bedtape_cassettes.suites.selector import list_numbers, pick
from bedtape_cassettes.text import escape_controls

_SIDE = "A selector (weather, weather:2), or a .tape file or folder (old.tape, ./other/)."


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=_SIDE)],
    b: Annotated[
        str | None,
        typer.Argument(metavar="B", help=f"{_SIDE} Default: compare A in git with A on disk."),
    ] = None,
    folder: Folder = CASSETTES,
    rev: Annotated[
        str, typer.Option("--rev", metavar="REV", help="Commit to compare with.")
    ] = "HEAD",
    noise: Annotated[
        bool,
        typer.Option(
            "--noise/--no-noise",
            help="Also compare times, ids, token counts and the boundaries between stream events.",
        ),
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Show differences, the answer first, noise last.

    Exit code 0: none, 1: differences, 2: an error.

    \b
    Examples:
      bedtape cassette diff weather
      bedtape cassette diff weather:2 rain:1 --no-noise
      bedtape cassette diff old.tape new.tape
    """
    with exit_on_error():
        before, after = (
            (_load_side(a, folder), _load_side(b, folder))
            if b is not None
            else _load_both(a, folder, rev)
        )
    changed = [
        comparison
        for comparison in diffing.compare(before, after, noise=noise)
        if comparison.differ
    ]
    if as_json:
        print_json([asdict(comparison) for comparison in changed])
    else:
        print_lines(diffing.render(changed))
    raise typer.Exit(1 if changed else 0)


def _is_path(side: str) -> bool:
    return side.endswith((store.TAPE, "/")) or side.startswith(("./", "../", "/"))


def _load_side(side: str, folder: Path) -> Suite:
    if _is_path(side):
        return load(Path(side))
    return _select(load(folder), side)


def _select(suite: Suite, selector: str) -> Suite:
    """Returns the selected interactions as cassettes with the original names."""
    parts = []
    picked = pick(suite, [selector])
    for cassette in (cassette for cassette in suite if cassette.name in picked):
        every, places = list_numbers(cassette), picked[cassette.name]
        # The file name is the number in the whole cassette.
        part = (
            replace(cassette.interactions[place], file=f"{cassette.name}/{every[place]}")
            for place in places
        )
        parts.append(Cassette(cassette.name, tuple(part)))
    return tuple(parts)


def _load_both(side: str, folder: Path, rev: str) -> tuple[Suite, Suite]:
    """Returns the version in git and the version on disk. One of them may be empty."""
    if _is_path(side):
        new = load(Path(side))
        return git.read_revision(Path(side), rev), new
    new = load(folder)
    old = git.read_revision(folder, rev)
    sides: list[Suite] = []
    wrong: list[CassetteError] = []
    for suite in (old, new):
        try:
            sides.append(_select(suite, side))
        except CassetteError as error:
            sides.append(())
            wrong.append(error)
    if len(wrong) == 2:
        raise wrong[1]
    return sides[0], sides[1]


# -- git -------------------------------------------------------------------------------------------


def git_setup(folder: Folder = CASSETTES) -> None:
    """Make git diff show .tape files as text. Sets an option of git and a line in .gitattributes.

    \b
    Example:
      bedtape cassette git-setup && git diff cassettes.tape
    """
    with exit_on_error():
        attributes = git.set_up(folder if folder.is_dir() else folder.parent)
    typer.echo(
        f"git diff now shows .tape files as text in this clone; commit {attributes}, and run this"
        " command in every clone"
    )


def textconv(file: Annotated[Path, typer.Argument(metavar="FILE", help="A .tape file.")]) -> None:
    """Print a .tape file as text. git diff runs this command after git-setup.

    \b
    Example:
      bedtape cassette textconv cassettes.tape
    """
    with exit_on_error():
        try:
            data = file.read_bytes()
        except OSError as error:
            raise CassetteError(
                f"{file}: expected a .tape file, found: {error.strerror}; give the path of one"
            ) from None
        suite = tape.unpack(data, str(file))
    for cassette in suite:
        for interaction in cassette.interactions:
            typer.echo(
                f"# {escape_controls(interaction.file)}\n{document.write(interaction).decode()}"
            )
