"""The commands `bedtape cassette pack` and `unpack`: a folder of cassettes as one `.tape` file, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bedtape_cassettes.cli.changing import set_aside_and_report
from bedtape_cassettes.cli.errors import exit_on_error
from bedtape_cassettes.cli.options import CASSETTES, Folder
from bedtape_cassettes.cli.output import load, progress
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.storage import store, swap
from bedtape_cassettes.suites.selector import Suite, named
from bedtape_cassettes.text import format_count

__all__ = ["pack", "unpack"]

Force = Annotated[
    bool, typer.Option("--force/--no-force", help="Replace what is there; what git does not hold is backed up.")
]
_ANY = typer.Argument(metavar="CASSETTE", help="Names of cassettes, or globs. Default: all.")


def pack(
    names: Annotated[list[str] | None, _ANY] = None,
    folder: Folder = CASSETTES,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Default: the folder's name with .tape, here.")
    ] = None,
    force: Force = False,
) -> None:
    """Pack cassettes into one .tape file, which can be given wherever a folder can. The folder stays.

    \b
    Examples:
      bedtape cassette pack
      bedtape cassette pack 'checkout/*' --to checkout.tape --force
    """
    with exit_on_error():
        suite = load(folder)
        chosen = named(suite, names or ())
        target = to or Path(f"{folder.resolve().name.removesuffix(store.TAPE)}{store.TAPE}")
        if target.suffix != store.TAPE:
            raise CassetteError(f"{target}: expected a name that ends with {store.TAPE}; choose one with --to")
        if folder.is_dir() and target.resolve().is_relative_to(folder.resolve()):
            fix = "choose another with --to, for whoever reads the folder would find each cassette twice"
            raise CassetteError(f"{target}: expected a file outside {folder}, found one in it; {fix}")
        with swap.locked(target):
            _make_room(target, (target,) if target.exists() else (), force=force)
            store.write_tape(target, chosen)
    typer.echo(f"{target}: {_counted(chosen)}")


def unpack(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .tape file.")],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder of cassettes to unpack into.")] = CASSETTES,
    force: Force = False,
) -> None:
    """Unpack a .tape file into a folder of cassettes. The file stays.

    \b
    Example:
      bedtape cassette unpack cassettes.tape --to tests/cassettes
    """
    with exit_on_error():
        packed = load(file)
        try:
            to.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CassetteError(f"{to}: expected a folder, found: {error.strerror}; choose another with --to") from None
        with swap.locked(to):
            before = store.read([to])
            new = {cassette.name for cassette in packed}
            there = tuple(cassette for cassette in before if cassette.name in new)
            _make_room(to, swap.files_of(to, there, [c.name for c in there]), force=force)
            after = tuple(c for c in before if c.name not in new) + packed
            with progress(len(packed), "writing") as tick:
                swap.put(to, before, after, tick)
    typer.echo(f"{to}: {_counted(packed)}")


def _make_room(place: Path, files: tuple[Path, ...], *, force: bool) -> None:
    """Refuses to replace what is there unless told to; then keeps what git does not hold."""
    if files and not force:
        raise CassetteError(
            f"{files[0]}: expected nothing there yet, found a recording; choose another --to, or --force"
        )
    set_aside_and_report(place, files)


def _counted(suite: Suite) -> str:
    interactions = sum(len(c.interactions) for c in suite)
    return f"{format_count(interactions, 'interaction')} in {format_count(len(suite), 'cassette')}"
