"""What was said of options, by whom, and what holds: variables before the file, an option's own table before what it
shares. The command line comes before all of it, and is not known here. Values only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bedtape_cassettes.config.kinds import Value
from bedtape_cassettes.config.options import TABLES, Name

__all__ = ["NOTHING_SAID", "Said", "Settings"]


@dataclass(frozen=True, slots=True)
class Said:
    """A value and who said it.

    value: None where the default was asked for. by: the variable, or the file with its line. name: the key that said
    it, the option's own or one that it shares. variable: whether a variable said it.
    """

    value: Value | None
    by: str
    name: Name
    variable: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """What was said. file: where, if in one. warnings: lines to tell, for what may be meant but is not taken."""

    variables: Mapping[Name, Said] = field(default_factory=dict)
    keys: Mapping[Name, Said] = field(default_factory=dict)
    file: str | None = None
    warnings: tuple[str, ...] = ()

    def find(self, table: str, key: str) -> Said | None:
        """What holds for an option; None where nobody said anything of it."""
        for source in (self.variables, self.keys):
            for name in _names((table, key)):
                if (said := source.get(name)) is not None:
                    return _fitting(said, TABLES[table][key].many)
        return None

    def of(self, table: str) -> dict[str, Value]:
        """The values that hold in a table, by key, of those that were said."""
        found = {key: self.find(table, key) for key in TABLES[table]}
        return {key: said.value for key, said in found.items() if said is not None and said.value is not None}

    def said(self) -> Iterator[tuple[Name, Said, Said | None]]:
        """Everything that was said, in the order of the tables: the name, what holds, and what that is said over."""
        for table, options in TABLES.items():
            for key in options:
                found = [source[table, key] for source in (self.variables, self.keys) if (table, key) in source]
                if found:
                    yield (table, key), found[0], found[1] if len(found) > 1 else None


NOTHING_SAID = Settings()


def _names(name: Name) -> Iterator[Name]:
    """The option's own name, then what it shares, the nearer first."""
    shared: Name | None = name
    while shared is not None:
        yield shared
        shared = TABLES[shared[0]][shared[1]].shared


def _fitting(said: Said, many: bool) -> Said:
    """What is shared may be said once for an option that is a list."""
    if not many or said.value is None or isinstance(said.value, tuple):
        return said
    return Said((said.value,), said.by, said.name, said.variable)
