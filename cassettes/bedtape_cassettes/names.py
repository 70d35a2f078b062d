"""What a cassette may be called, and what a session's is called. Pure."""

from __future__ import annotations

import re

__all__ = ["cassette_name", "safe_name"]

_LONGEST_PART = 200  # bytes: file systems take 255, and files get a suffix while they are written


def safe_name(name: str) -> bool:
    """Whether a cassette's or file's name stays inside its folder on every system."""
    return all(
        part and part[0] != "." and part.isprintable() and not set(part) & set('\\:*?"<>|') and part[-1] not in ". "
        for part in name.split("/")
    )


def cassette_name(session: str) -> str:
    """The cassette of a session: its name, with what no folder may be called replaced, and what is too long cut.

    `tests/test_a.py::test_b` is recorded as, and played from, `tests/test_a.py-test_b`.
    """
    parts = session.split("/") if safe_name(session) else [_safe(part) for part in session.split("/")]
    return "/".join(part.encode()[:_LONGEST_PART].decode(errors="ignore") for part in parts if part) or "default"


def _safe(part: str) -> str:
    return re.sub(r"[^\w.@+=,()\[\]-]+", "-", part).strip(".- ")
