"""The commands `bedtape cassette pack`, `unpack`, `push` and `pull`: cassettes as one file.

The file is on this machine, or in a bucket of S3.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from bedtape_cassettes.cli.backup import make_room, print_backup
from bedtape_cassettes.cli.errors import exit_on_error
from bedtape_cassettes.cli.options import CASSETTES, AsJson, Folder
from bedtape_cassettes.cli.output import load, print_json, progress, read
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
_ADDRESS = typer.Argument(metavar="ADDRESS", help="s3://BUCKET/PREFIX")
_VERSION = typer.Argument(
    metavar="ADDRESS", help="s3://BUCKET/PREFIX, or s3://BUCKET/PREFIX@DIGEST for one version."
)
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
    _report(str(target), chosen, backup, as_json=as_json)


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
        backup = _write(to, packed, force=force)
    _report(str(to), packed, backup, as_json=as_json)


def push(
    address: Annotated[str, _ADDRESS], folder: Folder = CASSETTES, as_json: AsJson = False
) -> None:
    """Copy all cassettes of a folder to a bucket of S3, as its newest version.

    Earlier versions stay. Credentials, region and endpoint are those of boto3.

    \b
    Example:
      bedtape cassette push s3://team-recordings/checkout
    """
    from bedtape_cassettes.storage.bucket import Bucket, BucketAddress  # boto3 is slow to import

    with exit_on_error():
        place = BucketAddress.parse(address)
        if place.digest is not None:
            raise CassetteError(
                f"{address}: expected no digest, because bedtape computes it; remove @ and the"
                " digest"
            )
        suite = load(folder)
        with TemporaryDirectory() as temporary:
            file = Path(temporary, f"pushed{store.TAPE}")
            commit(file, (), suite)
            digest = Bucket(place).push(file.read_bytes())
    _report(str(place), suite, None, as_json=as_json, digest=digest)


def pull(
    address: Annotated[str, _VERSION],
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="Folder of cassettes to write into.")
    ] = CASSETTES,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Copy the cassettes of a bucket of S3 into a folder.

    \b
    Example:
      bedtape cassette pull s3://team-recordings/checkout --to tests/cassettes
    """
    from bedtape_cassettes.storage.bucket import Bucket, BucketAddress  # boto3 is slow to import

    with exit_on_error(), TemporaryDirectory() as temporary:
        bucket = Bucket(BucketAddress.parse(address))
        digest = bucket.find_digest()
        file = Path(temporary, f"pulled{store.TAPE}")
        bucket.fetch(file, digest)
        suite = store.read([file])
        backup = _write(to, suite, force=force)
    _report(str(to), suite, backup, as_json=as_json, digest=digest)


def _write(to: Path, suite: Suite, *, force: bool) -> Path | None:
    """Write cassettes into a folder. Return the backup of what they replace."""
    with lock(to, create=True):
        before = read(to)
        names = [cassette.name for cassette in suite]
        old = tuple(cassette for cassette in before if cassette.name in names)
        with (
            make_room(to, before, names, force=force) as backup,
            progress(len(suite), "writing") as tick,
        ):
            commit(to, old, suite, report=tick)
    return backup


def _report(
    place: str, suite: Suite, backup: Path | None, *, as_json: bool, digest: str | None = None
) -> None:
    if as_json:
        counts = {cassette.name: len(cassette.interactions) for cassette in suite}
        value = {"to": place, "cassettes": counts, "backup": backup and str(backup)}
        print_json({**value, "digest": digest} if digest else value)
        return
    print_backup(backup)
    version = f", version {digest}" if digest else ""
    typer.echo(f"{place}: {_render_counts(suite)}{version}")


def _render_counts(suite: Suite) -> str:
    interactions = sum(len(c.interactions) for c in suite)
    return f"{format_count(interactions, 'interaction')} in {format_count(len(suite), 'cassette')}"
