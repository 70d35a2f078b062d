"""Settings as a command line takes them: the defaults of a command's options, by the names of its function's arguments.

It knows of the command line's library only the shape of its commands. Pure.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from bedtape_cassettes.config.options import ARGUMENTS, TABLES
from bedtape_cassettes.config.settings import Settings

__all__ = ["Defaults", "defaults_of", "key_of"]

Defaults: TypeAlias = dict[str, Any]


def key_of(parameter: Any) -> str | None:
    """The key of an option (`--any-profile`: `any-profile`), or of an argument that has one; None for other arguments."""
    if parameter.param_type_name == "argument":
        return ARGUMENTS.get(parameter.name)
    long = [name for name in parameter.opts if name.startswith("--")]
    return long[0].removeprefix("--") if long else None


def defaults_of(command: Any, settings: Settings, table: str = "") -> Defaults:
    """What is said of a command's options, and of those of all commands below it."""
    below = getattr(command, "commands", {})
    defaults: Defaults = {
        name: defaults_of(each, settings, f"{table}.{name}".lstrip(".")) for name, each in below.items()
    }
    for parameter in command.params:
        key = key_of(parameter)
        said = settings.find(table, key) if key is not None and key in TABLES.get(table, ()) else None
        if said is not None and said.value is not None:
            defaults[parameter.name] = list(said.value) if isinstance(said.value, tuple) else said.value
    return defaults
