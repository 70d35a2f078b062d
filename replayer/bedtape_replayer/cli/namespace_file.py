"""The file of `--namespaces`: for each team its token, its cassettes and its limits."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bedtape_cassettes.errors import CassetteError, ConfigInvalid, Problem
from bedtape_cassettes.format.json_schema import Schema, problems

DEFAULT_NAMESPACE: Final = "default"
# A short token could be guessed.
SHORTEST_TOKEN: Final = 16
# Names are parts of the keys of the state server, which contain colons.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_NAME_FORM = "a name of letters, digits, '.', '_' and '-', which begins with a letter or digit"
_SCHEMA: Schema = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "token": {"type": "string"},
            "token-variable": {"type": "string"},
            "cassettes": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "memory": {"type": "integer", "minimum": 16},
            "idle": {"type": "number", "minimum": 0},
        },
    },
}


@dataclass(frozen=True, slots=True)
class Team:
    """A namespace as its file describes it. `None` stands for the value of the server.

    cassettes: folders, `.tape` files and addresses of buckets, relative to the file. memory: MiB.
    idle: seconds.
    """

    name: str
    token: str
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
    """Read the file. Raises ConfigInvalid with every problem, and shows no token."""
    try:
        document = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        problem = Problem(str(file), 0, "a file of namespaces", f"none ({error.strerror})")
        raise ConfigInvalid([problem]) from None
    except ValueError as error:
        actual = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "bytes of no UTF-8"
        raise ConfigInvalid([Problem(str(file), 0, "TOML", actual)]) from None
    shown = {name: _hide_token(table) for name, table in document.items()}
    wrong = [
        Problem(str(file), 0, each.expected, each.found, each.fix, each.path)
        for each in problems(shown, _SCHEMA)
    ]
    wrong += [
        Problem(str(file), 0, _NAME_FORM, repr(name))
        for name in document
        if not _NAME.fullmatch(name)
    ]
    if wrong:
        raise ConfigInvalid(wrong)
    tokens = {name: _find_token(table, environ) for name, table in document.items()}
    if wrong := list(_check_tokens(str(file), document, tokens)):
        raise ConfigInvalid(wrong)
    return [_build_team(file, name, tokens[name], table) for name, table in document.items()]


def check_beside_teams(*, edit: bool, capture: bool, namespace: str) -> None:
    """Raises CassetteError for options that would let one team change what others use."""
    others = {"--edit": edit, "--capture": capture, "--namespace": namespace != DEFAULT_NAMESPACE}
    if chosen := [option for option, is_chosen in others.items() if is_chosen]:
        raise CassetteError(
            f"--namespaces: expected no {' and no '.join(chosen)}, because the teams of the file"
            " share the server; remove one of the options"
        )


def _hide_token(table: Any) -> Any:
    if not isinstance(table, dict) or not isinstance(table.get("token"), str):
        return table
    return {**table, "token": ""}


def _find_token(table: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    variable = table.get("token-variable")
    token: str = table.get("token", "") if variable is None else environ.get(variable, "")
    return token.strip()


def _check_tokens(
    file: str, document: Mapping[str, Any], tokens: Mapping[str, str]
) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for name, token in tokens.items():
        path = (name, "token")
        if ("token" in document[name]) == ("token-variable" in document[name]):
            actual = "both" if "token" in document[name] else "neither"
            yield Problem(file, 0, "token or token-variable", actual, path=(name,))
        elif len(token) < SHORTEST_TOKEN:
            source = document[name].get("token-variable")
            where = f" in the variable {source}" if source else ""
            yield Problem(
                file,
                0,
                f"at least {SHORTEST_TOKEN} characters",
                f"{len(token)}{where}",
                "make one with: openssl rand -hex 32",
                path,
            )
        elif token in owners:
            owner = f"that of {owners[token]}"
            yield Problem(file, 0, "a token of its own", owner, path=path)
        owners.setdefault(token, name)


def _build_team(file: Path, name: str, token: str, table: Mapping[str, Any]) -> Team:
    named = table.get("cassettes")
    cassettes = None if named is None else tuple(_place(file, each) for each in named)
    return Team(name, token, cassettes, table.get("memory"), table.get("idle"))


def _place(file: Path, cassettes: str) -> str:
    return cassettes if cassettes.startswith("s3://") else str(file.parent / cassettes)
