"""The interface by which the control API changes cassettes. `server` implements it on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import Interaction


class EditConflict(CassetteError):
    """A file has changed since its text was read, or another program is changing the folder."""


@dataclass(frozen=True, slots=True)
class EditableText:
    """The text of an interaction, as `bedtape cassette edit` opens it.

    file: the path relative to the folder of cassettes. version: changes whenever the file changes.
    """

    file: str
    text: str
    version: str


class Editor(Protocol):
    """Changes the cassettes of one folder.

    Each change is complete or does not happen; the engine then plays it.

    All methods raise CassetteError: EditConflict, or CassetteInvalid with the problems
    of a text, or SecretFound.
    """

    def read(self, file: str) -> EditableText | None:
        """Return the text of an interaction, or `None` if the folder does not contain it."""

    def write(self, edited: EditableText) -> EditableText:
        """Replace the interaction, if the version is that of the file. Return the new text."""

    def keep(self, cassette: str, interaction: Interaction) -> str:
        """Add the interaction to the end of a cassette, which may be new. Return its file."""
