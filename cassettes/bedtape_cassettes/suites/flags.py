"""What is out of the ordinary about a recorded interaction, a word each. Pure."""

from __future__ import annotations

import re

from bedtape_cassettes.model import Events, Interaction
from bedtape_cassettes.storage.store import name_file

__all__ = ["MARKS", "marks"]

MARKS = ("exact", "partial", "stream", "stale")
_NAMED_BY_US = re.compile(r"[0-9]+(-[a-z-]+-[0-9a-f]{8}\.yaml)")


def marks(interaction: Interaction) -> tuple[str, ...]:
    """Its marks, in the order of MARKS.

    exact: kept byte for byte. partial: cut, never replayed. stream: answered in events. stale: its request was changed
    since its file was named, so that the name tells an old operation or match key.
    """
    flags = (
        interaction.exact,
        interaction.partial,
        isinstance(interaction.response.body, Events),
        _is_stale(interaction),
    )
    return tuple(mark for mark, flag in zip(MARKS, flags, strict=True) if flag)


def _is_stale(interaction: Interaction) -> bool:
    named = _NAMED_BY_US.fullmatch(interaction.file.rpartition("/")[2])
    return named is not None and named[1] != name_file(0, interaction).removeprefix("0000")
