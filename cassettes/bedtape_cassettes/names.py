"""Checks names of cassettes, and derives the name of a session's cassette."""

from __future__ import annotations

import re

from bedtape_cassettes.errors import CassetteError

_LONGEST_PART = 200  # bytes: file systems allow 255, and a file has a suffix while it is written


def is_safe_name(name: str) -> bool:
    """Whether a cassette's or file's name is valid on every system and stays inside its folder."""
    return all(
        part
        and part[0] != "."
        and part.isprintable()
        and not set(part) & set('\\:*?"<>|')
        and part[-1] not in ". "
        for part in name.split("/")
    )


def check_name(name: str) -> str:
    """Returns the name of a cassette. Raises CassetteError if it is not safe."""
    if not is_safe_name(name):
        raise CassetteError(
            f"expected a cassette name of plain parts joined by /, found {name!r}; choose another"
        )
    return name


def cassette_name(session: str) -> str:
    """Returns the name of a session's cassette: the session's name with invalid
    characters replaced, shortened.

    The cassette of the session `tests/test_a.py::test_b` is `tests/test_a.py-test_b`.
    """
    parts = (
        session.split("/")
        if is_safe_name(session)
        else [_safe(part) for part in session.split("/")]
    )
    return (
        "/".join(part.encode()[:_LONGEST_PART].decode(errors="ignore") for part in parts if part)
        or "default"
    )


def _safe(part: str) -> str:
    return re.sub(r"[^\w.@+=,()\[\]-]+", "-", part).strip(".- ")
