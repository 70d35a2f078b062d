"""What a test asks for: its cassette, and how it is to be played, as its place and its marks say. Pure: no disk."""

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

__all__ = ["MarkInvalid", "PlayRequest", "read_marks"]

FOLDER = "cassettes"
NOTHING_SET: Mapping[str, Any] = MappingProxyType({})
_USAGE = '@pytest.mark.bedrock("name", overlay=..., strict=..., speed=..., allow_misses=...)'
# Beside the digest, what a file system takes as one name.
_LONGEST = 180


class MarkInvalid(ValueError):
    """A mark that says what no test can ask for."""


@dataclass(frozen=True, slots=True)
class PlayRequest:
    """A test and its cassette.

    test: its id. folder: of cassettes, beside its file. cassette: the name in it, by its own or the test's.
    overlay: a file or document of layers. strict, speed, match: as `Replayer`'s. allow_misses: whether a miss is no
    failure.
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
    """What a test asks for. names: its classes and its own. marks: positional and keyword arguments, the nearest first.
    settings: what holds where no mark says otherwise, by the names that `Asked` has for it.

    Raises MarkInvalid.
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
        raise MarkInvalid(f"{name}: found {value!r}, which it cannot be: {_USAGE}")
    near = get_close_matches(name, known, 1)
    raise MarkInvalid(f"expected {', '.join(known)}, found {name!r}{f' ({near[0]}?)' if near else ''}: {_USAGE}")


def _part(name: str) -> str:
    """One part of a cassette's name. What is changed gets a digest, so that no two tests share a cassette by chance."""
    safe = cassette_name(name.replace("/", "-"))
    cut = safe.encode()[:_LONGEST].decode(errors="ignore")
    if cut == name:
        return name
    return f"{cut}-{blake2b(name.encode(errors='surrogatepass'), digest_size=4).hexdigest()}"
