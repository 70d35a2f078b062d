"""The tables of docs/reference/configuration.md, from the table of options: which keys there are, and who shares them."""

from __future__ import annotations

from collections.abc import Iterator

from tables import code, table

from bedtape_cassettes.config.kinds import PathKind, PatternKind, SwitchKind, TextKind
from bedtape_cassettes.config.options import PROJECT, TABLES, TOP, Option

__all__ = ["keys", "shared_keys"]

_WORDS = {PathKind: "path", TextKind: "texts", PatternKind: "regular expressions", SwitchKind: "`true` or `false`"}


def keys() -> list[str]:
    """Every table with its keys."""
    rows = (
        (code(name), ", ".join(code(key) for key, option in options.items() if not (option.secret or option.personal)))
        for name, options in TABLES.items()
        if name != TOP
    )
    return table(("table", "keys"), rows)


def shared_keys() -> list[str]:
    """The keys at the top, and which tables and commands use them."""
    rows = ((code(key), _value(option), "; ".join(_sharing(key))) for key, option in TABLES[TOP].items())
    return table(("key", "value", "is used by"), rows)


def _value(option: Option) -> str:
    word = _WORDS[type(option.kind)]
    return f"list of {word}" if option.many else word


def _sharing(shared: str) -> Iterator[str]:
    """The tables and the commands that use it, by what they call it."""
    found: dict[str, list[str]] = {}
    for name, options in TABLES.items():
        for key, option in options.items():
            if option.shared == shared:
                found.setdefault(key, []).append(code(name))
    for (name, key), used in PROJECT.items():
        if used == shared:
            found.setdefault(key, []).append(code(name.replace(".", " ")))
    for key, names in found.items():
        yield ", ".join(names) if found.keys() == {shared} else f"{code(key)} of {', '.join(names)}"
