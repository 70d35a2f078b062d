"""The file of `--namespaces`: for each team its token, its cassettes and its limits."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bedtape_cassettes.errors import CassetteError, ConfigInvalid, Problem
from bedtape_cassettes.format.json_schema import Schema, problems, render_value
from bedtape_cassettes.text import format_count

DEFAULT_NAMESPACE: Final = "default"
# A short token could be guessed.
SHORTEST_TOKEN: Final = 16
# Clients send a token in a header, in which other characters are changed, cut off or refused.
_NOT_SENT = re.compile(r"[^!-~]")
_FIX: Final = "make one with: openssl rand -hex 32"
# The characters that a message shows of a name that can be a token.
_SHOWN: Final = 4
_LONG_QUOTE = re.compile(rf"['\"].{{{SHORTEST_TOKEN},}}['\"]", re.DOTALL)
# No machine has more memory in MiB, and no server runs for more seconds.
MOST: Final = 10**9
# Names are parts of the keys of the state server, which contain colons.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_NAME_FORM = "a name of letters, digits, '.', '_' and '-', which begins with a letter or digit"
_FOLDER: Schema = {"type": "string", "minLength": 1}
_SCHEMA: Schema = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "token": {"type": "string"},
            "token-variable": {"type": "string"},
            "cassettes": {"type": "array", "items": _FOLDER, "minItems": 1},
            "memory": {"type": "integer", "minimum": 16, "maximum": MOST},
            "idle": {"type": "number", "minimum": 0, "maximum": MOST},
        },
    },
}


@dataclass(frozen=True, slots=True)
class Team:
    """A namespace as its file describes it. `None` stands for the value of the server.

    token: visible ASCII, at least `SHORTEST_TOKEN` characters; empty for the server itself, and in
    no `repr`. cassettes: folders, `.tape` files and addresses of buckets; the file's folder is
    before relative ones. memory: MiB for sessions and caches. idle: seconds until a session
    without calls ends; 0 for no end.
    """

    name: str
    token: str = field(repr=False)
    cassettes: tuple[str, ...] | None
    memory: int | None
    idle: float | None


# What serves all requests without namespaces.
NO_TEAM = Team("", "", None, None, None)


def check_name(name: str) -> str:
    """Return the name of a namespace. Raises CassetteError."""
    if not _NAME.fullmatch(name):
        raise CassetteError(f"--namespace: expected {_NAME_FORM}, found {name!r}")
    return name


def read_teams(file: Path, environ: Mapping[str, str]) -> list[Team]:
    """Read the file. Raises ConfigInvalid with every problem.

    A problem shows no text that can be a token: texts of the file are described, and names with as
    many characters as a token are shortened.
    """
    document = _read_toml(file)
    place = str(file)
    wrong = [_describe_problem(place, document, each) for each in problems(document, _SCHEMA)]
    wrong += [
        Problem(place, 0, _NAME_FORM, repr(_shorten(name)))
        for name in document
        if not _NAME.fullmatch(name)
    ]
    if not document:
        wrong = [Problem(place, 0, "at least one namespace", "none", "add one, such as [search]")]
    if wrong:
        raise ConfigInvalid(wrong)
    tokens = {name: _find_token(table, environ) for name, table in document.items()}
    if wrong := list(_check_tokens(place, document, tokens)):
        raise ConfigInvalid(wrong)
    return [_build_team(file, name, tokens[name] or "", table) for name, table in document.items()]


def _read_toml(file: Path) -> dict[str, Any]:
    """Return the document of a file. Raises ConfigInvalid if the file is not a readable TOML."""
    expected = "TOML"
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        expected, actual = "a file of namespaces", _describe_failure(error)
    except UnicodeDecodeError as error:
        actual = f"bytes that are not UTF-8 at position {error.start}"
    except tomllib.TOMLDecodeError as error:
        actual = _LONG_QUOTE.sub("…", str(error))  # a quoted key can be a token
    except ValueError:  # of `int`, for thousands of digits
        actual = "a number that is too long"
    except RecursionError:
        actual = "too many levels of lists and tables"
    raise ConfigInvalid([Problem(str(file), 0, expected, actual)]) from None


def _describe_failure(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "none"
        case IsADirectoryError():
            return "a folder"
    return f"a file that cannot be read ({error.strerror})"


def _describe_problem(file: str, document: Any, problem: Problem) -> Problem:
    """Return a problem of the schema without the texts of the file."""
    value = document
    for part in problem.path:
        value = value[part]
    expected = problem.expected.replace("an object", "a table")
    if expected.startswith("no key"):
        expected = f"no key {_shorten(str(problem.path[-1]))!r}"
    path = tuple(_shorten(part) if isinstance(part, str) else part for part in problem.path)
    return Problem(file, 0, expected, _describe_value(value), problem.fix, path)


def _describe_value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return render_value(value)
        case str():
            return f"a string of {format_count(len(value), 'character')}"
        case list():
            return f"a list of {format_count(len(value), 'value')}"
        case dict():
            return f"a table of {format_count(len(value), 'key')}"
    return "a date or time"


def _shorten(name: str) -> str:
    """Return the name, without its end if it has as many characters as a token."""
    return name if len(name) < SHORTEST_TOKEN else f"{name[:_SHOWN]}…"


def check_control_token(token: str, teams: Iterable[Team], *, control: bool) -> None:
    """Raises CassetteError for a control token that no client can send, that is a team's, or that
    opens nothing. control: whether the server has a control API.
    """
    if not control:
        raise CassetteError(
            "--control-token: expected a control API, found --no-control; remove one of the options"
        )
    if (problem := find_token_problem(token)) is not None:
        expected, actual = problem
        raise CassetteError(f"--control-token: expected {expected}, found {actual}; {_FIX}")
    for each in teams:
        if each.token == token:
            raise CassetteError(
                "--control-token: expected a token of its own, found that of the namespace"
                f" {_shorten(each.name)}; {_FIX}"
            )


def check_beside_teams(*, edit: bool, capture: bool, namespace: str) -> None:
    """Raises CassetteError for options that would let one team change what others use, and for
    `--namespace`, because the file names the namespaces.
    """
    others = {"--edit": edit, "--capture": capture, "--namespace": namespace != DEFAULT_NAMESPACE}
    if chosen := [option for option, is_chosen in others.items() if is_chosen]:
        raise CassetteError(
            f"--namespaces: expected no {' and no '.join(chosen)}, because the teams of the file"
            " share the server; remove one of the options"
        )


def _find_token(table: Mapping[str, Any], environ: Mapping[str, str]) -> str | None:
    """Return the token of a namespace; `None` if its variable is not set."""
    variable = table.get("token-variable")
    token: str | None = table.get("token", "") if variable is None else environ.get(variable)
    return None if token is None else token.strip()


def _check_tokens(
    file: str, document: Mapping[str, Any], tokens: Mapping[str, str | None]
) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for name, token in tokens.items():
        table, shown = document[name], _shorten(name)
        key = "token-variable" if "token-variable" in table else "token"
        path = (shown, key)
        if "token" in table and "token-variable" in table:
            yield Problem(file, 0, "token or token-variable", "both", path=(shown,))
        elif key not in table:
            yield Problem(file, 0, "token or token-variable", "neither", path=(shown,))
        elif token is None:
            # the text is not shown, because it can be the token itself
            expected = "the name of an environment variable that is set"
            yield Problem(file, 0, expected, "another name", path=path)
        elif (problem := find_token_problem(token)) is not None:
            source = f" in the variable {table[key]}" if key == "token-variable" else ""
            expected, actual = problem
            yield Problem(file, 0, expected, f"{actual}{source}", _FIX, path)
        elif token in owners:
            yield Problem(file, 0, "a token of its own", f"that of {owners[token]}", path=path)
        else:
            owners[token] = shown


def find_token_problem(token: str) -> tuple[str, str] | None:
    """Return what a token must be and what it is; `None` if clients can send it and it is long
    enough. The words show nothing of the token but its length.
    """
    if len(token) < SHORTEST_TOKEN:
        return f"at least {SHORTEST_TOKEN} characters", str(len(token))
    if (wrong := _NOT_SENT.search(token)) is not None:
        actual = f"another character at position {wrong.start() + 1}"
        return "visible characters of ASCII, and no spaces", actual
    return None


def _build_team(file: Path, name: str, token: str, table: Mapping[str, Any]) -> Team:
    named = table.get("cassettes")
    cassettes = None if named is None else tuple(_place(file, each) for each in named)
    memory = table.get("memory")
    size = None if memory is None else int(memory)  # 512.0 is a whole number too
    return Team(name, token, cassettes, size, table.get("idle"))


def _place(file: Path, cassettes: str) -> str:
    return cassettes if cassettes.startswith("s3://") else str(file.parent / cassettes)
