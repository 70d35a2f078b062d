"""The cassette of a test and how to play it, from the test's location and its marks. No disk access."""

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
_USAGE = '@pytest.mark.bedrock("name", overlay=..., strict=..., speed=..., allow_misses=...)'
# The longest part of a file name that leaves room for the digest.
_LONGEST = 180


class MarkInvalid(ValueError):
    """A mark with invalid arguments."""


@dataclass(frozen=True, slots=True)
class PlayRequest:
    """A test and how its calls are answered.

    test: the test's id. folder: the folder of cassettes beside the test's file. cassette: the name of the cassette in
    that folder. overlay: a file or a document of layers. strict, speed, match: the arguments of `Replayer`.
    allow_misses: whether a miss does not fail the test.
    """

    test: str
    folder: Path
    cassette: str
    overlay: Path | Mapping[str, Any] | None = None
    strict: bool | None = None
    speed: float | None = None
    allow_misses: bool = False
    match: MatchRules = DEFAULT


def read_marks(
    test: str,
    file: Path,
    names: Sequence[str],
    marks: Sequence[tuple[Sequence[Any], Mapping[str, Any]]],
    settings: Mapping[str, Any] = NOTHING_SET,
) -> PlayRequest:
    """Read the marks of a test.

    names: the names of the test's classes, then of the test. marks: positional and keyword arguments, the nearest mark
    first. settings: the defaults, by the fields of `PlayRequest`. Raises MarkInvalid.
    """
    said: dict[str, Any] = {}
    for positional, keywords in reversed(marks):
        if len(positional) > 1:
            raise MarkInvalid(f"expected one cassette name, found {len(positional)}: {_USAGE}")
        said |= {**({"cassette": positional[0]} if positional else {}), **keywords}
    for name, value in said.items():
        _check(name, value)
    said.setdefault("cassette", "/".join(map(_part, (file.stem, *names))))
    if isinstance(said.get("overlay"), str | Path):
        said["overlay"] = file.parent / said["overlay"]
    return PlayRequest(test, file.parent / FOLDER, **{**settings, **said})


def _check(name: str, value: Any) -> None:
    match name, value:
        case "cassette", str() if is_safe_name(value):
            return
        case "cassette", _:
            raise MarkInvalid(f"expected a cassette name of plain parts joined by /, found {value!r}: {_USAGE}")
        case ("overlay", None | str() | Path() | Mapping()) | ("strict", None | bool()) | ("allow_misses", bool()):
            return
        case "speed", None:
            return
        case "speed", int() | float() if not isinstance(value, bool) and 0 < value < float("inf"):
            return
    known = ("overlay", "strict", "speed", "allow_misses")
    if name in known:
        raise MarkInvalid(f"{name}: found {value!r}, which is not a valid value: {_USAGE}")
    near = get_close_matches(name, known, 1)
    raise MarkInvalid(f"expected {', '.join(known)}, found {name!r}{f' ({near[0]}?)' if near else ''}: {_USAGE}")


def _part(name: str) -> str:
    """Return one part of a cassette's name. A changed name gets a digest, so that no two tests share a cassette."""
    safe = cassette_name(name.replace("/", "-"))
    cut = safe.encode()[:_LONGEST].decode(errors="ignore")
    if cut == name:
        return name
    return f"{cut}-{blake2b(name.encode(errors='surrogatepass'), digest_size=4).hexdigest()}"
