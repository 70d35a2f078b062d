"""What was said of options, by whom, and what holds: variables before the file, an option's own table before what it
shares. The command line comes before all of it, and is not known here. Values only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from bedtape_cassettes.config.kinds import Scalar, Value
from bedtape_cassettes.config.options import TABLES, TOP, Name

__all__ = ["NO_SETTINGS", "SettingValue", "Settings", "as_list"]


@dataclass(frozen=True, slots=True)
class SettingValue:
    """A value and who said it.

    value: None where the default was asked for. by: the variable, or the file with its line. name: the key that said
    it, the option's own or one that it shares. variable: whether a variable said it.
    """

    value: Value | None
    source: str
    name: Name
    variable: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """What was said. file: where, if in one. warnings: lines to tell, for what may be meant but is not taken."""

    variables: Mapping[Name, SettingValue] = field(default_factory=dict)
    keys: Mapping[Name, SettingValue] = field(default_factory=dict)
    file: str | None = None
    warnings: tuple[str, ...] = ()

    def find(self, table: str, key: str) -> SettingValue | None:
        """What holds for an option; None where nobody said anything of it."""
        option = TABLES[table][key]
        names = [(table, key)] if option.shared is None else [(table, key), (TOP, option.shared)]
        for source in (self.variables, self.keys):
            for name in names:
                if (setting := source.get(name)) is not None:
                    if setting.value is None or not option.many:
                        return setting
                    return replace(setting, value=as_list(setting.value))
        return None

    def of(self, table: str) -> dict[str, Value]:
        """The values that hold in a table, by key, of those that were said."""
        found = {key: self.find(table, key) for key in TABLES[table]}
        return {
            key: setting.value for key, setting in found.items() if setting is not None and setting.value is not None
        }

    def entries(self) -> Iterator[tuple[Name, SettingValue, SettingValue | None]]:
        """Everything that was said, in the order of the tables: the name, what holds, and what that is said over."""
        for table, options in TABLES.items():
            for key in options:
                found = [source[table, key] for source in (self.variables, self.keys) if (table, key) in source]
                if found:
                    yield (table, key), found[0], found[1] if len(found) > 1 else None


NO_SETTINGS = Settings()


def as_list(value: Value) -> tuple[Scalar, ...]:
    """A list of one for a single value, because a key at the top may have one value for an option that is a list."""
    return value if isinstance(value, tuple) else (value,)
