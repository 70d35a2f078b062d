"""The cassette of a test and how to play it, from its location and its marks. No disk access."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bedtape_cassettes.matching.key import DEFAULT, MatchRules
from bedtape_cassettes.names import cassette_name, is_safe_name

FOLDER = "cassettes"
NOTHING_SET: Mapping[str, Any] = MappingProxyType({})
_ARGUMENTS = (
    '("name", overlay=..., strict=..., speed=..., allow_misses=..., unused=..., fast_retries=...)'
)
# The longest part of a file name that leaves room for the digest.
_LONGEST = 180


class MarkInvalid(ValueError):
    """A mark with invalid arguments."""


@dataclass(frozen=True, slots=True)
class PlayRequest:
    """A test and how its calls are answered.

    test: the test's id, or the id of the module or run whose tests share the session. fixture: the
    name of the fixture. folder: the folder of cassettes beside the test's file. cassette: the name
    of the cassette in that folder. overlay: a file or a document of layers. strict, speed, match:
    the arguments of `Replayer`. allow_misses: whether a miss does not fail the test. unused: what
    to do with layers of the test that never acted. fast_retries: whether SDKs retry without
    waiting. endpoint: `set` in AWS SDKs' variables, or `kept` as it is; botocore's requests are
    redirected in any case.
    """

    test: str
    folder: Path
    cassette: str
    overlay: Path | Mapping[str, Any] | None = None
    strict: bool | None = None
    speed: float | None = None
    allow_misses: bool = False
    unused: str = "list"
    fast_retries: bool = False
    endpoint: str = "set"
    match: MatchRules = DEFAULT
    fixture: str = "bedrock"


def read_marks(
    test: str,
    file: Path,
    names: Sequence[str],
    marks: Sequence[tuple[Sequence[Any], Mapping[str, Any]]],
    settings: Mapping[str, Any] = NOTHING_SET,
    fixture: str = "bedrock",
) -> PlayRequest:
    """Read the marks of a test.

    names: the names of the test's classes, then of the test. marks: positional and keyword
    arguments, the nearest mark first. settings: the defaults, by the fields of `PlayRequest`.
    fixture: the name of the fixture. Raises MarkInvalid.
    """
    usage = (
        "bedrock_factory" if fixture == "bedrock_factory" else "@pytest.mark.bedrock"
    ) + _ARGUMENTS
    arguments: dict[str, Any] = {}
    for positional, keywords in reversed(marks):
        if len(positional) > 1:
            raise MarkInvalid(f"expected one cassette name, found {len(positional)}: {usage}")
        arguments |= {**({"cassette": positional[0]} if positional else {}), **keywords}
    for name, value in arguments.items():
        _check(name, value, usage)
    arguments.setdefault("cassette", "/".join(map(_part, (file.stem, *names))))
    if isinstance(arguments.get("overlay"), str | Path):
        arguments["overlay"] = file.parent / arguments["overlay"]
    return PlayRequest(test, file.parent / FOLDER, fixture=fixture, **{**settings, **arguments})


def _check(name: str, value: Any, usage: str) -> None:
    match name, value:
        case "cassette", str() if is_safe_name(value):
            return
        case "cassette", _:
            raise MarkInvalid(
                f"expected a cassette name of plain parts joined by /, found {value!r}: {usage}"
            )
        case (
            ("overlay", None | str() | Path() | Mapping())
            | ("strict", None | bool())
            | ("allow_misses" | "fast_retries", bool())
        ):
            return
        case ("speed", None) | ("unused", "list" | "fail" | "ignore"):
            return
        case "speed", int() | float() if not isinstance(value, bool) and 0 < value < float("inf"):
            return
    known = ("overlay", "strict", "speed", "allow_misses", "unused", "fast_retries")
    if name in known:
        raise MarkInvalid(f"{name}: found {value!r}, which is not a valid value: {usage}")
    near = get_close_matches(name, known, 1)
    raise MarkInvalid(
        f"expected {', '.join(known)}, found {name!r}{f' ({near[0]}?)' if near else ''}: {usage}"
    )


def _part(name: str) -> str:
    """Return one part of a cassette's name. A changed name gets a digest, so that it is unique."""
    safe = cassette_name(name.replace("/", "-"))
    cut = safe.encode()[:_LONGEST].decode(errors="ignore")
    if cut == name:
        return name
    return f"{cut}-{blake2b(name.encode(errors='surrogatepass'), digest_size=4).hexdigest()}"
