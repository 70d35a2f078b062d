"""Finding and reading the settings file: `bedtape.toml`, or `pyproject.toml` with `[tool.bedtape]`. It writes nothing.

The search goes from a folder upwards, and ends with the first folder that has settings or is the root of a repository.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from bedtape_cassettes.config.options import CONFIG, Name
from bedtape_cassettes.config.place import Lines
from bedtape_cassettes.config.reading import Source, of_document, of_environment, shown
from bedtape_cassettes.config.settings import Said, Settings
from bedtape_cassettes.errors import ConfigInvalid, Problem

__all__ = ["FILE", "read_settings", "working_folder"]

FILE = "bedtape.toml"
_SHARED = "pyproject.toml"
_TABLE = ("tool", "bedtape")


def working_folder() -> Path:
    """Raises ConfigInvalid where it was deleted."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise _wrong(Path(), 0, "a working directory that is there", "one that was deleted", "cd elsewhere") from None


def read_settings(start: Path, environ: Mapping[str, str], *, here: Path | None = None) -> Settings:
    """What the environment says, and the file: the one that BEDTAPE_CONFIG names (empty: none), or the nearest from
    the folder `start` upwards. Paths in a file that is in the folder `here` stay as they are; others become absolute.

    Raises ConfigInvalid with every problem of both.
    """
    said, problems, warnings = of_environment(environ)
    file: Path | None = None
    keys: dict[Name, Said] = {}
    try:
        found = _named(environ[CONFIG]) if CONFIG in environ else _nearest(start)
        if found is not None:
            file, text, document = found
            keys, wrong = of_document(document, _source(file, text, here))
            problems += wrong
    except ConfigInvalid as error:
        problems += error.problems
    if problems:
        raise ConfigInvalid(problems)
    return Settings(said, keys, str(file) if file is not None else None, warnings)


_Found = tuple[Path, str, Mapping[str, object]]


def _source(file: Path, text: str, here: Path | None) -> Source:
    folder = file.parent
    prefix = ".".join(_TABLE) if file.name == _SHARED else ""
    told = file.name if folder == here else str(file)
    return Source(told, prefix, Lines(text).line_of, _placing(folder, here))


def _placing(folder: Path, here: Path | None) -> Callable[[str], str]:
    return str if folder == here else lambda text: str(folder / text)


# -- which file ------------------------------------------------------------------------------------------------


def _named(path: str) -> _Found | None:
    if not path:
        return None
    file = Path(path).absolute()
    if (data := _bytes(file)) is None:
        raise _wrong(file, 0, "a file", "none", f"fix {CONFIG}, which names it, or leave it empty for none")
    text = _text(file, data)
    document = _ours(file, _parsed(file, text))
    if document is None:
        raise _wrong(file, 0, "a table [tool.bedtape]", "none", f"fix {CONFIG}, which names it")
    return file, text, document


def _nearest(start: Path) -> _Found | None:
    for folder in (start, *start.parents):
        found = [each for name in (FILE, _SHARED) if (each := _settings_in(folder / name)) is not None]
        if len(found) > 1:
            file = found[0][0]
            expected = f"the settings of {folder} in one file"
            raise _wrong(file, 0, expected, f"[tool.bedtape] in {_SHARED} beside it too", "keep one of them")
        if found:
            return found[0]
        if (folder / ".git").exists():
            return None
    return None


def _settings_in(file: Path) -> _Found | None:
    # Most projects' pyproject.toml says nothing of bedtape: it is not parsed, and need not be sound.
    if (data := _bytes(file)) is None or (file.name == _SHARED and b"bedtape" not in data):
        return None
    text = _text(file, data)
    document = _ours(file, _parsed(file, text))
    return None if document is None else (file, text, document)


def _bytes(file: Path) -> bytes | None:
    """None where there is no such file."""
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _wrong(file, 0, "a file that can be read", error.strerror or str(error), "") from None


def _text(file: Path, data: bytes) -> str:
    if data.startswith(BOM_UTF8):
        raise _wrong(file, 1, "UTF-8 without a byte order mark", "one", "save it as UTF-8, without BOM")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _wrong(file, 0, "UTF-8, as TOML is", str(error), "save it as UTF-8") from None


def _parsed(file: Path, text: str) -> Mapping[str, object]:
    toml: Any = import_module("tomllib")  # takes 15 ms: only who has settings pays
    try:
        document: Mapping[str, object] = toml.loads(text)
    except (ValueError, RecursionError) as error:  # a ValueError of its own, or of an int with thousands of digits
        raise _wrong(file, 0, "TOML", str(error) or "tables too deep", "fix it there") from None
    return document


def _ours(file: Path, document: Mapping[str, object]) -> Mapping[str, object] | None:
    """The part that is ours; None where there is none."""
    if file.name != _SHARED:
        return document
    tool = document.get(_TABLE[0])
    ours = tool.get(_TABLE[1]) if isinstance(tool, Mapping) else None
    if ours is not None and not isinstance(ours, Mapping):
        raise _wrong(file, 0, "a table [tool.bedtape]", shown("bedtape", ours), "write its keys below it")
    return ours


def _wrong(file: Path, line: int, expected: str, found: str, fix: str) -> ConfigInvalid:
    return ConfigInvalid((Problem(str(file), line, expected, found, fix),))
