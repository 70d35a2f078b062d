"""Writes folders and tapes of cassettes."""

from collections.abc import Iterable
from pathlib import Path

from bedtape_cassettes.model import Cassette
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction
from bedtape_cassettes.redaction.walk import scrub_interaction
from bedtape_cassettes.storage import file_names, store
from bedtape_cassettes.storage.commit import commit, lock


def write(root: Path, cassette: Cassette, *, redaction: Redaction = ALWAYS) -> tuple[Path, ...]:
    """Writes the cassette, scrubbed, replaces a cassette with the same name,
    and returns the files.
    """
    numbered = _number(cassette, redaction)
    with lock(root, create=True):
        old = tuple(c for c in store.read([root]) if c.name == cassette.name)
        commit(root, old, (numbered,), redaction=redaction)
    return tuple(root / interaction.file for interaction in numbered.interactions)


def write_all(root: Path, cassettes: Iterable[Cassette]) -> None:
    """Writes the cassettes, scrubbed, into an empty folder."""
    with lock(root, create=True):
        commit(root, (), tuple(_number(cassette, ALWAYS) for cassette in cassettes))


def write_tape(path: Path, cassettes: Iterable[Cassette], *, redaction: Redaction = ALWAYS) -> None:
    """Writes the cassettes as one `.tape` file. Interactions keep the names of their files."""
    suite = tuple(
        c if all(i.file for i in c.interactions) else _number(c, redaction) for c in cassettes
    )
    commit(path, (), suite, redaction=redaction)


def _number(cassette: Cassette, redaction: Redaction) -> Cassette:
    clean = tuple(
        scrub_interaction(interaction, redaction) for interaction in cassette.interactions
    )
    return file_names.number_files(Cassette(cassette.name, clean))
