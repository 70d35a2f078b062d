"""Reads values of a document: text, numbers, mappings and headers. Collects their problems."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from bedtape_cassettes.model import Headers, JsonValue, Place, is_header

Document = dict[str, JsonValue]


def describe(value: JsonValue) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case str():
            return repr(shorten(value))
    return shorten(str(value))


def shorten(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


class ValueReader:
    """Collects problems: place, expected, found, fix. `None` replaces an unreadable value."""

    def __init__(self) -> None:
        self.problems: list[tuple[Place, str, str, str]] = []

    def problem(self, path: Place, expected: str, found: str, fix: str) -> None:
        self.problems.append((path, expected, found, fix))

    def headers(self, path: Place, value: JsonValue, *, framed: bool = False) -> Headers:
        if isinstance(value, dict):
            pairs: Iterable[tuple[Place, JsonValue]] = (
                ((*path, name), [name, v]) for name, v in value.items()
            )
        elif isinstance(value, list):
            pairs = (((*path, number), pair) for number, pair in enumerate(value))
        else:
            self.problem(
                path,
                "headers: a mapping, or a list of [name, value]",
                describe(value),
                "write {name: value}",
            )
            return ()
        read = [self.header(where, pair, framed=framed) for where, pair in pairs]
        return tuple(pair for pair in read if pair is not None)

    def header(self, path: Place, pair: JsonValue, *, framed: bool) -> tuple[str, str] | None:
        match pair:
            case [str() as name, str() as value] if framed or is_header(name, value):
                return name, value
            case [str() as name, str() as value]:
                actual = f"{describe(name)}: {describe(value)}"
                self.problem(
                    path, "a header that HTTP can carry, on one line", actual, "write it as sent"
                )
            case [str() as name, None | bool() | int() | float() as value]:
                fix = f"write it in quotes: '{describe(value)}'"
                self.problem(path, f"text for header {shorten(name)}", describe(value), fix)
            case [str() as name, value]:
                self.problem(
                    path, f"text for header {shorten(name)}", describe(value), "write name: value"
                )
            case _:
                self.problem(
                    path, "a pair, [name, value]", describe(pair), "write both in brackets"
                )
        return None

    def check_mapping(
        self, path: Place, value: JsonValue, keys: tuple[str, ...]
    ) -> Document | None:
        if not isinstance(value, dict):
            what = ".".join(map(str, path)) or "the file"
            fix = (
                f"write {keys[0]}: … below it"
                if path
                else "is this a cassette? move it out of the folder if not"
            )
            self.problem(
                path,
                f"{what} to be a mapping",
                "nothing" if value is None else describe(value),
                fix,
            )
            return None
        for key in value:
            if key not in keys:
                near = get_close_matches(key, keys, n=1)
                fix = f"did you mean `{near[0]}`?" if near else "take it out"
                self.problem(
                    (*path, key), f"one of {', '.join(keys)}", f"the key `{shorten(key)}`", fix
                )
        return value

    def one_of(self, path: Place, keys: Sequence[str], of: Sequence[str] = ()) -> None:
        expected = f"exactly one of {', '.join(of or keys)}"
        self.problem((*path, *keys[-1:]), expected, " and ".join(keys) or "none", "keep one")

    def text(self, path: Place, value: JsonValue, required: str | None) -> str | None:
        if isinstance(value, str) and (value or path[-1] in ("text", "base64")):
            return value
        if value is None and required is None:
            return None
        actual = "nothing" if value is None else describe(value)
        fix = (
            f"write it in quotes: '{actual}'"
            if isinstance(value, bool | int | float)
            else "write it"
        )
        self.problem(path, required or "text", actual, fix)
        return None

    def number(self, path: Place, value: JsonValue, least: int, most: int) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        actual = "nothing" if value is None else describe(value)
        self.problem(path, f"a whole number from {least} to {most}", actual, "write such a number")
        return least

    def flag(self, path: Place, value: JsonValue) -> bool:
        if isinstance(value, bool):
            return value
        self.problem(path, "true or false", describe(value), "write true or false")
        return False
