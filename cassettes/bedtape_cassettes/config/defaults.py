"""Settings as the defaults of a command's options, by the names of its function's parameters."""

from __future__ import annotations

from typing import Any, TypeAlias

from bedtape_cassettes.config.options import ARGUMENTS, REPEATED, TABLES, TOP, project_key
from bedtape_cassettes.config.settings import Settings, SettingValue, as_list

Defaults: TypeAlias = dict[str, Any]


def key_of(parameter: Any) -> str | None:
    """Returns the key of a parameter, `any-profile` for `--any-profile`, or `None` without one."""
    if parameter.param_type_name == "argument":
        return ARGUMENTS.get(parameter.name)
    if parameter.name in REPEATED:
        return None
    long = [name for name in parameter.opts if name.startswith("--")]
    return long[0].removeprefix("--") if long else None


def defaults_of(command: Any, settings: Settings, table: str = "") -> Defaults:
    """Returns the values that settings give to options of the command and of its subcommands."""
    below = getattr(command, "commands", {})
    defaults: Defaults = {
        name: defaults_of(each, settings, f"{table}.{name}".lstrip("."))
        for name, each in below.items()
    }
    for parameter in command.params:
        key = key_of(parameter)
        setting = _find(settings, table, key) if key is not None else None
        if setting is not None and setting.value is not None:
            many = getattr(parameter, "multiple", False) or parameter.nargs == -1
            defaults[parameter.name] = list(as_list(setting.value)) if many else setting.value
    return defaults


def _find(settings: Settings, table: str, key: str) -> SettingValue | None:
    if key in TABLES.get(table, ()):
        return settings.find(table, key)
    shared = project_key(table, key)
    return settings.find(TOP, shared) if shared is not None else None
