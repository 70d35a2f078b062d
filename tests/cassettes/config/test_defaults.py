"""Settings as the command line takes them: for every command, what is set comes to its
function, whatever it is.
"""

from typing import Any

import pytest

from bedtape_cassettes.cli import main
from bedtape_cassettes.config.defaults import defaults_of, key_of
from bedtape_cassettes.config.kinds import (
    ChoiceKind,
    Kind,
    NumberKind,
    PatternKind,
    SwitchKind,
    WholeNumberKind,
)
from bedtape_cassettes.config.options import ARGUMENTS, PROJECT, TABLES, Name
from bedtape_cassettes.config.settings import NO_SETTINGS, Settings, SettingValue

ROOT: Any = main.load_all()


def _command(table: str) -> Any:
    command = ROOT
    for name in table.split("."):
        command = command.commands[name]
    return command


def _some(kind: Kind) -> Any:
    """A value that is no default."""
    match kind:
        case SwitchKind():
            return True
        case WholeNumberKind(low):
            return 7 + (low or 0)
        case NumberKind():
            return 2.5
        case ChoiceKind(words):
            return words[-1]
        case PatternKind():
            return "a b|c"
    return "of the file"


NAMES = [(t, k) for t, options in TABLES.items() if t not in ("", "pytest") for k in options]


@pytest.mark.parametrize("name", NAMES, ids=".".join)
def test_what_is_set_is_what_a_command_gets_and_its_own_word_comes_before(name: Name) -> None:
    table, key = name
    option = TABLES[table][key]
    value = (_some(option.kind),) * 2 if option.many else _some(option.kind)
    defaults: Any = defaults_of(ROOT, Settings(keys={name: SettingValue(value, "f", name)}))
    command = _command(table)
    (parameter,) = (p for p in command.params if key_of(p) == key)
    defaults = defaults[table]
    assert defaults == {parameter.name: list(value) if isinstance(value, tuple) else value}

    context = command.make_context(table, [], default_map=defaults, resilient_parsing=True)
    # not every version of the library gives arguments what is set
    if parameter.name not in ARGUMENTS:
        assert _plain(context.params[parameter.name]) == _plain(defaults[parameter.name])
    assert context.lookup_default(parameter.name) == defaults[parameter.name]

    other = (
        [f"--no-{key}"]
        if isinstance(option.kind, SwitchKind)
        else [f"--{key}", str(1 + (getattr(option.kind, "low", None) or 0))]
    )
    if not isinstance(option.kind, ChoiceKind) and parameter.name not in ARGUMENTS:
        context = command.make_context(table, other, default_map=defaults, resilient_parsing=True)
        assert _plain(context.params[parameter.name]) != _plain(defaults[parameter.name])


def _plain(value: Any) -> Any:
    """Paths and choices as their texts, which a command's function gets made
    into what it asks for.
    """
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if isinstance(value, bool | int | float) else str(getattr(value, "value", value))


@pytest.mark.parametrize(("name", "shared"), PROJECT.items())
def test_commands_without_a_table_get_the_keys_of_the_project(name: Name, shared: str) -> None:
    table, key = ("cassette.ls", "in") if name == ("cassette", "in") else name
    defaults: Any = defaults_of(
        ROOT, Settings(keys={("", shared): SettingValue("of the file", "f", ("", shared))})
    )
    for part in table.split("."):
        defaults = defaults[part]
    parameters = {key_of(p): p for p in _command(table).params}
    many = shared in ("redact", "ignore", "placeholder") or name == ("cassette.export", "cassettes")
    assert defaults == {parameters[key].name: ["of the file"] if many else "of the file"}


def test_a_default_that_is_asked_for_is_left_to_the_command() -> None:
    name = ("replay", "port")
    settings = Settings(
        {name: SettingValue(None, "BEDTAPE_REPLAY_PORT", name)}, {name: SettingValue(1, "f", name)}
    )
    assert defaults_of(ROOT, settings)["replay"] == {}


def test_where_nothing_is_said_every_command_has_its_own_defaults() -> None:
    def empty(defaults: dict[str, Any]) -> bool:
        return all(isinstance(each, dict) and empty(each) for each in defaults.values())

    assert empty(defaults_of(ROOT, NO_SETTINGS))
