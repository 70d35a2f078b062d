"""The commands `bedtape cassette pack` and `unpack`: from a folder to a `.tape` file, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bedtape_cassettes.cli.backup import make_room, print_backup
from bedtape_cassettes.cli.errors import exit_on_error
from bedtape_cassettes.cli.options import CASSETTES, AsJson, Folder
from bedtape_cassettes.cli.output import load, print_json, progress
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import Suite
from bedtape_cassettes.storage import store
from bedtape_cassettes.storage.commit import commit, lock
from bedtape_cassettes.suites.selector import find_named
from bedtape_cassettes.text import format_count

Force = Annotated[
    bool,
    typer.Option(
        "--force/--no-force",
        help="Replace existing files. Files that git does not hold are backed up.",
    ),
]
_ANY = typer.Argument(metavar="CASSETTE", help="Names of cassettes, or globs. Default: all.")


def pack(
    names: Annotated[list[str] | None, _ANY] = None,
    folder: Folder = CASSETTES,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="Default: the folder's name with .tape, here."),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Pack cassettes into one .tape file, which commands accept in place of a folder.

    The folder stays.

    \b
    Examples:
      bedtape cassette pack
      bedtape cassette pack 'checkout/*' --to checkout.tape --force
    """
    with exit_on_error():
        suite = load(folder)
        chosen = find_named(suite, names or ())
        target = to or Path(f"{folder.resolve().name.removesuffix(store.TAPE)}{store.TAPE}")
        if target.suffix != store.TAPE:
            raise CassetteError(
                f"{target}: expected a name that ends with {store.TAPE}; choose one with --to"
            )
        if folder.is_dir() and target.resolve().is_relative_to(folder.resolve()):
            fix = "choose another with --to, because the folder would contain each cassette twice"
            raise CassetteError(
                f"{target}: expected a file outside {folder}, found one inside; {fix}"
            )
        room = make_room(target, (), [cassette.name for cassette in chosen], force=force)
        with lock(target), room as backup, progress(len(chosen), "packing") as tick:
            commit(target, (), chosen, report=tick)
    _report(target, chosen, backup, as_json=as_json)


def unpack(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .tape file.")],
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="Folder of cassettes to unpack into.")
    ] = CASSETTES,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Unpack a .tape file into a folder of cassettes. The file stays.

    \b
    Example:
      bedtape cassette unpack cassettes.tape --to tests/cassettes
    """
    with exit_on_error():
        packed = load(file)
        with lock(to, create=True):
            before = store.read([to])
            names = [cassette.name for cassette in packed]
            old = tuple(cassette for cassette in before if cassette.name in names)
            with (
                make_room(to, before, names, force=force) as backup,
                progress(len(packed), "writing") as tick,
            ):
                commit(to, old, packed, report=tick)
    _report(to, packed, backup, as_json=as_json)


def _report(place: Path, suite: Suite, backup: Path | None, *, as_json: bool) -> None:
    if as_json:
        counts = {cassette.name: len(cassette.interactions) for cassette in suite}
        print_json({"to": str(place), "cassettes": counts, "backup": backup and str(backup)})
        return
    print_backup(backup)
    typer.echo(f"{place}: {_render_counts(suite)}")


def _render_counts(suite: Suite) -> str:
    interactions = sum(len(c.interactions) for c in suite)
    return f"{format_count(interactions, 'interaction')} in {format_count(len(suite), 'cassette')}"
