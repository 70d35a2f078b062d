"""Reads settings from a parsed file and from the environment: every value, or every problem."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from bedtape_cassettes.config.kinds import PathKind, Scalar, Unfit, Value
from bedtape_cassettes.config.options import (
    OTHER_VARIABLES,
    REMOVED,
    TABLES,
    TOP,
    Name,
    Option,
    variable_of,
    variables,
)
from bedtape_cassettes.config.settings import SettingValue
from bedtape_cassettes.errors import Problem

_GATE = "run-real-bedrock-tests"
_SHOWN = 80
_MAY_BE_SECRET = re.compile("(?i)token|secret|passw|credential|key")


@dataclass(frozen=True, slots=True)
class Source:
    """A settings file.

    file: its name in messages. prefix: the prefix of its tables, `tool.bedtape` or empty. line:
    returns the line of a key, 0 if unknown. place: resolves a path of the file.
    """

    file: str
    prefix: str
    line: Callable[[tuple[str, ...]], int]
    place: Callable[[str], str]

    def table(self, table: str) -> str:
        """Returns the full name of a table in the file; empty for the top of `bedtape.toml`."""
        return ".".join(filter(None, (self.prefix, table)))


@dataclass(slots=True)
class _SourceReader:
    source: Source
    values: dict[Name, SettingValue] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def at(self, table: str, key: str) -> int:
        parts = (*self.source.prefix.split("."), *table.split("."), *key.split("."))
        return self.source.line(tuple(filter(None, parts)))

    def wrong(self, table: str, key: str, expected: str, found: object, fix: str) -> None:
        file, line = self.source.file, self.at(table, key)
        self.problems.append(Problem(file, line, expected, render_value(key, found), fix))


def read_document(
    document: Mapping[str, object], source: Source
) -> tuple[dict[Name, SettingValue], list[Problem]]:
    """Returns the values and problems of a document, which begins at the top or `tool.bedtape`."""
    reading = _SourceReader(source)
    for key, value in document.items():
        if not key or key not in TABLES:
            _read_key(reading, TOP, key, value)
        elif isinstance(value, Mapping):
            for inner, each in value.items():
                _read_key(reading, key, inner, each)
        else:
            where = source.table(key)
            reading.wrong(
                TOP, key, f"a table at {where}", value, f"write [{where}] and its keys below"
            )
    return reading.values, reading.problems


def _read_key(reading: _SourceReader, table: str, key: str, value: object) -> None:
    if key in TABLES[table]:
        _read_value(reading, (table, key), value)
        return
    what, where = "table" if isinstance(value, Mapping) else "key", reading.source.table(table)
    fix = REMOVED.get((table, key))
    fix = (
        f"it no longer exists: remove it, and {fix}"
        if fix
        else _suggest_fix(reading.source, table, key)
    )
    reading.wrong(table, key, f'no {what} "{key}" at {where or "the top"}', value, fix)


def _hide_secrets(key: str, value: object) -> object:
    if _MAY_BE_SECRET.search(key):
        return "…"
    if isinstance(value, list):
        return [_hide_secrets(key, each) for each in value]
    return (
        {name: _hide_secrets(name, each) for name, each in value.items()}
        if isinstance(value, Mapping)
        else value
    )


def _read_value(reading: _SourceReader, name: Name, value: object) -> None:
    table, key = name
    option, where = TABLES[table][key], reading.source.table(f"{table}.{key}".lstrip("."))
    if option.secret:
        fix = f"take it out, change it if it was seen, and set {variable_of(name)}"
        reading.wrong(table, key, f"no secret in a file at {where}", "…", fix)
        return
    if option.personal:
        fix = (
            f"take it out, and set --{key} or {variable_of(name)}; a file can come from another"
            " person's branch"
        )
        reading.wrong(table, key, f"no {key} in a file at {where}", value, fix)
        return
    if (fit := _check(reading, name, value, where)) is not None:
        line = reading.at(table, key)
        reading.values[name] = SettingValue(
            fit, f"{reading.source.file}:{line}" if line else reading.source.file, name
        )


def _check(reading: _SourceReader, name: Name, value: object, where: str) -> Value | None:
    """Returns the checked value of an option, or `None` after it added a problem."""
    option = TABLES[name[0]][name[1]]
    if not option.many:
        return _check_one(reading, name, value, where)
    if not isinstance(value, list):
        fix = (
            f"write it in brackets: [{render_value(name[1], value)}]"
            if isinstance(value, str)
            else ""
        )
        reading.wrong(*name, f"a list at {where}", value, fix)
        return None
    each = [
        _check_one(reading, name, one, f"{where}[{number}]") for number, one in enumerate(value)
    ]
    fit = tuple(one for one in each if one is not None)
    return fit if len(fit) == len(each) else None


def _check_one(reading: _SourceReader, name: Name, value: object, where: str) -> Scalar | None:
    kind = TABLES[name[0]][name[1]].kind
    try:
        fit = kind.of_toml(value)
    except Unfit as error:
        reading.wrong(*name, f"{error.expected} at {where}", value, error.fix)
        return None
    return reading.source.place(fit) if isinstance(kind, PathKind) and isinstance(fit, str) else fit


# -- suggestions -----------------------------------------------------------------------------------


def _suggest_fix(source: Source, table: str, key: str) -> str:
    """Returns the fix for an unknown key or table: a similar name, or the table with the key."""
    spelled = key.replace("_", "-").lower()
    if spelled == _GATE:
        return "the gate is an environment variable only, so that no file can open it"
    if table == TOP and key == "tool" and not source.prefix:
        return "tables stand here by themselves: [replay]"
    if homes := [
        other for other, options in TABLES.items() if spelled in options and options[spelled].secret
    ]:
        return f"take it out, change it if it was seen, and set {variable_of((homes[0], spelled))}"
    here = (*TABLES[table], *(filter(None, TABLES) if table == TOP else ()))
    if near := get_close_matches(spelled, here, 1):
        return f"did you mean {near[0]}?"
    if homes := [
        source.table(other) for other, options in TABLES.items() if spelled in options and other
    ]:
        return f"it is a key of {_join((f'[{home}]' for home in homes), 4)}"
    return f"known are {_join(here)}"


def _join(words: Iterable[str], most: int = 12) -> str:
    each = list(words)
    return ", ".join(each[:most]) + (", …" if len(each) > most else "")


def render_value(key: str, value: object) -> str:
    """Renders the value of a key as JSON, truncated and without secrets."""
    text = json.dumps(_hide_secrets(key, value), default=str, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


# -- variables -------------------------------------------------------------------------------------


def read_environment(
    environ: Mapping[str, str],
) -> tuple[dict[Name, SettingValue], list[Problem], tuple[str, ...]]:
    """Returns the values of `BEDTAPE_*` variables, problems, and warnings about unknown ones."""
    known = dict(variables())
    values: dict[Name, SettingValue] = {}
    problems: list[Problem] = []
    for variable in sorted(known.keys() & environ.keys()):
        table, key = name = known[variable]
        option, text = TABLES[table][key], environ[variable]
        try:
            values[name] = SettingValue(_parse_text(option, text), variable, name, variable=True)
        except Unfit as error:
            problems.append(
                Problem(variable, 0, error.expected, render_value(key, text), error.fix)
            )
    return values, problems, tuple(_find_unknown(environ, known))


def _parse_text(option: Option, text: str) -> Value | None:
    """Returns `None`, the default, for empty text. A list has one value per line."""
    if not text:
        return None
    if not option.many:
        return option.kind.of_text(text)
    return tuple(option.kind.of_text(line) for line in text.splitlines() if line)


def _find_unknown(environ: Mapping[str, str], known: Mapping[str, Name]) -> Iterator[str]:
    for variable in sorted(environ):
        if (
            variable.startswith("BEDTAPE_")
            and variable not in known
            and variable not in OTHER_VARIABLES
        ):
            yield f"{variable} is set, and nothing reads it{_suggest_variable(variable, known)}"


def _suggest_variable(variable: str, known: Mapping[str, Name]) -> str:
    for (table, key), fix in REMOVED.items():
        name = "_".join(filter(None, ("bedtape", table, key))).upper()
        if variable == name or (table == TOP and variable.startswith(f"{name}_")):
            return f"; it no longer exists: {fix}"
    near = get_close_matches(variable[8:], [name[8:] for name in (*known, *OTHER_VARIABLES)], 1)
    return f"; did you mean BEDTAPE_{near[0]}?" if near else ""
