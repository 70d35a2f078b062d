"""Keeps the requests that missed beside the cassettes, for `bedtape cassette accept`.

`.bedtape-misses` in the folder of cassettes has a file for each recording whose request changed:
the recording with the request that was sent, scrubbed. git ignores it. Each run replaces the files
of the cassettes that it played.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

from bedtape_cassettes.model import Cassette, Interaction, Suite
from bedtape_cassettes.redaction.scrub import Redaction
from bedtape_cassettes.storage import store
from bedtape_cassettes.storage.commit import commit

_FOLDER = ".bedtape-misses"


def replace_misses(
    folder: Path, played: Collection[str], interactions: Iterable[Interaction], redaction: Redaction
) -> None:
    """Keeps the interactions in place of those of the played cassettes.

    Each interaction has the file name of its recording. The caller holds the folder's lock. Raises
    CassetteError or OSError.
    """
    place = folder / _FOLDER
    by_name: dict[str, list[Interaction]] = {}
    for interaction in interactions:
        by_name.setdefault(interaction.file.rpartition("/")[0], []).append(interaction)
    kept = read_misses(folder)
    before = tuple(
        cassette for cassette in kept if cassette.name in played or cassette.name in by_name
    )
    after = tuple(Cassette(name, tuple(group)) for name, group in by_name.items())
    if not before and not after:
        return
    place.mkdir(exist_ok=True)
    (place / ".gitignore").write_text("*\n")
    commit(place, before, after, redaction=redaction)
    if not after and len(before) == len(kept):
        remove_misses(folder)


def read_misses(folder: Path) -> Suite:
    """Returns the kept interactions. Raises CassetteError."""
    place = folder / _FOLDER
    return store.read([place]) if place.is_dir() and not place.is_symlink() else ()


def has_misses(folder: Path) -> bool:
    """Whether the folder keeps interactions."""
    return (folder / _FOLDER).exists()


def remove_misses(folder: Path) -> None:
    """Removes all kept interactions."""
    shutil.rmtree(folder / _FOLDER, ignore_errors=True)
