"""The values that variables and the settings file set, and which value applies.

Variables override the file. In each of them, an option's own key overrides the key at the top that
it shares. The command line overrides both, but is not part of this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from bedtape_cassettes.config.kinds import Scalar, Value
from bedtape_cassettes.config.options import TABLES, TOP, Name


@dataclass(frozen=True, slots=True)
class SettingValue:
    """A value and its source.

    value: `None` selects the default. source: the variable, or the file with its line. name: the
    key that sets the value, the option's own or a shared one. variable: whether a variable sets it.
    """

    value: Value | None
    source: str
    name: Name
    variable: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """All values. file: the settings file, if any. warnings: about ignored variables."""

    variables: Mapping[Name, SettingValue] = field(default_factory=dict)
    keys: Mapping[Name, SettingValue] = field(default_factory=dict)
    file: str | None = None
    warnings: tuple[str, ...] = ()

    def find(self, table: str, key: str) -> SettingValue | None:
        """Returns the value that applies to an option, or `None` if it is not set."""
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
        """Returns the values that apply in a table, by key. Options that are not set are absent."""
        settings = {key: self.find(table, key) for key in TABLES[table]}
        return {
            key: setting.value
            for key, setting in settings.items()
            if setting is not None and setting.value is not None
        }

    def entries(self) -> Iterator[tuple[Name, SettingValue, SettingValue | None]]:
        """Yields every option that is set, in table order: its name, value and overridden value."""
        for table, options in TABLES.items():
            for key in options:
                values = [
                    source[table, key]
                    for source in (self.variables, self.keys)
                    if (table, key) in source
                ]
                if values:
                    yield (table, key), values[0], values[1] if len(values) > 1 else None


NO_SETTINGS = Settings()


def as_list(value: Value) -> tuple[Scalar, ...]:
    """Returns a single value as a tuple, because one key may serve an option and a list."""
    return value if isinstance(value, tuple) else (value,)
