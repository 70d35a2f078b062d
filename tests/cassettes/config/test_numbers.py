"""Every numeric option takes the same numbers, with the same messages, in a file, in a variable
and on the command line.
"""

import tomllib
from typing import Any

import pytest
import typer

from bedtape_cassettes.cli import main
from bedtape_cassettes.config.defaults import key_of
from bedtape_cassettes.config.kinds import NumberKind, WholeNumberKind
from bedtape_cassettes.config.options import TABLES, Name, variable_of
from bedtape_cassettes.config.reading import Source, read_document, read_environment

ROOT: Any = main.load_all()
NUMBERS = {
    (table, key): option.kind
    for table, options in TABLES.items()
    for key, option in options.items()
    if isinstance(option.kind, NumberKind | WholeNumberKind)
}
ON_COMMAND_LINES = [name for name in NUMBERS if name[0] != "pytest"]
SOURCE = Source("bedtape.toml", "", lambda _: 1, lambda path: path)
TEXTS = ["nan", "inf", "-inf", "-1", "0", "1", "16", "0.5", "1e400", "86401", "1000000001", "0x10"]
TEXTS += ["1_0", "many", "\u0663"]
# These options have a documented meaning of 0.
ZEROS = {
    *(("replay", key) for key in ("port", "grace", "drain", "idle")),
    ("run", "port"),
    ("record", "port"),
    ("record", "read-on"),
}


def in_file(name: Name, text: str) -> object:
    """The value in a file, or what was expected. A text that is no number of TOML is quoted."""
    table, key = name
    try:
        document = tomllib.loads(f"[{table}]\n{key} = {text}")
    except tomllib.TOMLDecodeError:
        document = {table: {key: text}}
    if "_" in text or "x" in text:  # TOML has more forms of numbers
        document = {table: {key: text}}
    values, problems = read_document(document, SOURCE)
    if problems:
        return problems[0].expected.removesuffix(f" at {table}.{key}")
    return values[name].value


def in_variable(name: Name, text: str) -> object:
    values, problems, _ = read_environment({variable_of(name): text})
    return problems[0].expected if problems else values[name].value


def on_command_line(name: Name, text: str, printed: Any) -> object:
    table, key = name
    command = ROOT.commands[table]
    (parameter,) = (p for p in command.params if key_of(p) == key)
    try:
        return parameter.process_value(command.context_class(command), text)
    except typer.Exit:
        pass
    error = printed.readouterr().err
    expected, _, value = error.partition(": expected ")[2].partition(", found ")
    assert error.startswith(f"bedtape: --{key}: expected "), error
    assert text in value or "\\u" in value
    return expected


@pytest.mark.parametrize("name", NUMBERS, ids=".".join)
def test_a_number_is_the_same_in_a_file_and_in_a_variable(name: Name) -> None:
    for text in TEXTS:
        assert in_file(name, text) == in_variable(name, text), text


@pytest.mark.parametrize("name", ON_COMMAND_LINES, ids=".".join)
def test_a_number_is_the_same_on_the_command_line(name: Name, capsys: Any) -> None:
    for text in TEXTS:
        assert on_command_line(name, text, capsys) == in_variable(name, text), text


@pytest.mark.parametrize("name", NUMBERS, ids=".".join)
def test_no_option_takes_infinity_nan_or_a_negative_number(name: Name) -> None:
    for text in ("nan", "inf", "-inf", "-1", "many"):
        expected = in_variable(name, text)
        assert isinstance(expected, str), text
        assert expected.startswith(("a number", "a whole number"))


def test_0_is_taken_where_it_has_a_meaning() -> None:
    assert {name for name in NUMBERS if in_file(name, "0") == 0} == ZEROS
