"""Renders the tables of docs/reference/configuration.md, which list keys and their users,
from the table of options.
"""

from __future__ import annotations

from collections.abc import Iterator

from tables import code, table

from bedtape_cassettes.config.kinds import PathKind, PatternKind, SwitchKind, TextKind
from bedtape_cassettes.config.options import PROJECT, TABLES, TOP, Option

__all__ = ["render_keys", "render_shared_keys"]

_WORDS = {
    PathKind: "path",
    TextKind: "texts",
    PatternKind: "regular expressions",
    SwitchKind: "`true` or `false`",
}


def render_keys() -> list[str]:
    """Renders every table of a settings file with its keys."""
    rows = (
        (
            code(name),
            ", ".join(
                code(key)
                for key, option in options.items()
                if not (option.secret or option.personal)
            ),
        )
        for name, options in TABLES.items()
        if name != TOP
    )
    return table(("table", "keys"), rows)


def render_shared_keys() -> list[str]:
    """Renders the top-level keys, and the tables and commands that use them."""
    rows = (
        (code(key), _render_value(option), "; ".join(_find_users(key)))
        for key, option in TABLES[TOP].items()
    )
    return table(("key", "value", "is used by"), rows)


def _render_value(option: Option) -> str:
    word = _WORDS[type(option.kind)]
    return f"list of {word}" if option.many else word


def _find_users(shared: str) -> Iterator[str]:
    """Yields the tables and commands that use the shared key, by their name of the key."""
    by_key: dict[str, list[str]] = {}
    for name, options in TABLES.items():
        for key, option in options.items():
            if option.shared == shared:
                by_key.setdefault(key, []).append(code(name))
    for (name, key), used in PROJECT.items():
        if used == shared:
            by_key.setdefault(key, []).append(code(name.replace(".", " ")))
    for key, names in by_key.items():
        yield (
            ", ".join(names) if by_key.keys() == {shared} else f"{code(key)} of {', '.join(names)}"
        )
