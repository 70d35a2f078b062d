"""The table of options is what the commands and the plugin have: every option, its type,
choices, bounds, both ways.
"""

import inspect
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

import pytest

from bedtape_cassettes.cli import main
from bedtape_cassettes.config.defaults import key_of
from bedtape_cassettes.config.kinds import (
    ChoiceKind,
    CommandKind,
    NumberKind,
    PathKind,
    PatternKind,
    SwitchKind,
    TextKind,
    WholeNumberKind,
)
from bedtape_cassettes.config.options import (
    ARGUMENTS,
    OTHER_VARIABLES,
    PROJECT,
    REMOVED,
    TABLES,
    TOP,
    Option,
    project_key,
    variable_of,
    variables,
    without_settings,
)

ROOT: Any = main.load_all()


def _walk(command: Any, table: str = TOP) -> Iterator[tuple[str, Any]]:
    for name, each in getattr(command, "commands", {}).items():
        below = f"{table}.{name}".lstrip(".")
        yield below, each
        yield from _walk(each, below)


COMMANDS = dict(_walk(ROOT))
PARAMETERS = {
    (table, key): parameter
    for table, command in COMMANDS.items()
    for parameter in command.params
    if (key := key_of(parameter)) not in (None, "help")
}
# The plugin's table is compared with the plugin by its own tests.
SETTABLE = {name: parameter for name, parameter in PARAMETERS.items() if name[0] in TABLES}


def test_every_option_of_replay_run_and_record_can_be_set_and_no_other() -> None:
    known = {
        (table, key)
        for table, options in TABLES.items()
        if table not in (TOP, "pytest")
        for key in options
    }
    assert {table for table, _ in known} == {"replay", "run", "record"}
    assert known == set(SETTABLE)


def test_options_that_use_a_key_of_the_project_are_of_its_kind() -> None:
    keys = {
        name: key for name in PARAMETERS.keys() - SETTABLE.keys() if (key := project_key(*name))
    }
    folders = {name for name in PARAMETERS if name[0].startswith("cassette.") and name[1] == "in"}
    assert set(keys) == folders | {name for name in PROJECT if name != ("cassette", "in")}
    for name, key in keys.items():
        assert _said(TABLES[TOP][key]) == _kind(name)


@pytest.mark.parametrize(("table", "key"), REMOVED)
def test_what_was_removed_is_neither_a_table_nor_a_key(table: str, key: str) -> None:
    assert key not in TABLES[table]
    assert table != TOP or key not in TABLES


HINTS = {
    table: get_type_hints(inspect.unwrap(command.callback), include_extras=True)
    for table, command in COMMANDS.items()
    if not getattr(command, "commands", {})
}


def _kind(name: tuple[str, str]) -> tuple[str, ...]:
    """What the command's function takes, and within which bounds."""
    hint = HINTS[name[0]][PARAMETERS[name].name]
    taken, declared = hint.__origin__, hint.__metadata__[0]
    (inner,) = {each for each in get_args(taken) if each is not NoneType} or {taken}
    (inner,) = get_args(inner) or (inner,)
    if issubclass(inner, Enum):
        return ("choice", *(word.value for word in inner))
    if inner is int:
        return ("whole", str(declared.min), str(declared.max))
    if inner is float:
        return ("number", str(declared.min), str(declared.max))
    return ({bool: "switch", Path: "place", str: "text"}[inner],)


def _said(option: Option) -> tuple[str, ...]:
    match option.kind:
        case ChoiceKind(words):
            return ("choice", *words)
        case WholeNumberKind(low, high):
            return ("whole", str(low), str(high))
        case SwitchKind():
            return ("switch",)
        case NumberKind(None):
            return ("number", "None", "None")
        case NumberKind(low, high):
            return ("number", str(low), str(high))
        case PathKind():
            return ("place",)
        case TextKind() | PatternKind() | CommandKind():
            return ("text",)
    raise AssertionError(option.kind)


@pytest.mark.parametrize("name", SETTABLE, ids=".".join)
def test_an_option_is_what_its_command_says(name: tuple[str, str]) -> None:
    table, key = name
    option, parameter = TABLES[table][key], PARAMETERS[name]
    assert _said(option) == _kind(name)
    assert option.many == (getattr(parameter, "multiple", False) or parameter.nargs == -1)


@pytest.mark.parametrize(
    "name", [name for name, p in SETTABLE.items() if getattr(p, "is_flag", False)], ids=".".join
)
def test_what_can_be_set_on_can_be_taken_back_on_the_command_line(name: tuple[str, str]) -> None:
    assert PARAMETERS[name].secondary_opts == [f"--no-{name[1]}"]


def test_arguments_that_can_be_set_are_those_of_their_functions() -> None:
    names = {p.name for p in SETTABLE.values() if p.param_type_name == "argument"}
    assert names == set(ARGUMENTS)


def test_what_is_shared_is_of_the_same_kind() -> None:
    for table, options in TABLES.items():
        for key, option in options.items():
            if option.shared is not None:
                above = TABLES[TOP][option.shared]
                assert above.kind is option.kind, (table, key)
                assert option.many or not above.many, (table, key)


def test_no_key_is_a_table_too() -> None:
    assert not TABLES[TOP].keys() & TABLES.keys()


def test_every_option_has_a_variable_of_its_own() -> None:
    each = [variable for variable, _ in variables()]
    assert len(each) == len(set(each)) == sum(map(len, TABLES.values()))
    assert not set(each) & set(OTHER_VARIABLES)
    assert variable_of((TOP, "any-profile")) == "BEDTAPE_ANY_PROFILE"
    assert variable_of(("replay", "log-level")) == "BEDTAPE_REPLAY_LOG_LEVEL"
    assert variable_of(("replay", "control-token")) == "BEDTAPE_CONTROL_TOKEN"


def test_a_secret_is_told_by_its_variable_alone_and_by_that_of_the_command() -> None:
    secrets = {name for name in SETTABLE if TABLES[name[0]][name[1]].secret}
    assert secrets == {("replay", "control-token")}
    for name in secrets:
        assert PARAMETERS[name].envvar in (variable_of(name), [variable_of(name)])


def test_an_environment_without_settings_keeps_all_else() -> None:
    environ = {
        "PATH": "/bin",
        "BEDTAPE_REPLAY_PORT": "1",
        "BEDTAPE_CACHE_DIR": "c",
        "BEDTAPE_CONFIG": "x",
    }
    assert without_settings(environ) == {
        "PATH": "/bin",
        "BEDTAPE_CACHE_DIR": "c",
        "BEDTAPE_CONFIG": "",
    }
