"""Finds and reads the settings file: `bedtape.toml`, or `pyproject.toml` with `[tool.bedtape]`.

The search goes from a folder upwards. It ends with the first folder that has settings or is
the root of a repository.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from bedtape_cassettes.config.key_lines import KeyLines
from bedtape_cassettes.config.options import CONFIG, Name
from bedtape_cassettes.config.reading import Source, read_document, read_environment, render_value
from bedtape_cassettes.config.settings import Settings, SettingValue
from bedtape_cassettes.errors import ConfigInvalid, Problem

FILE = "bedtape.toml"
_SHARED = "pyproject.toml"
_TABLE = ("tool", "bedtape")


def find_working_folder() -> Path:
    """Returns the working directory. Raises ConfigInvalid if it was deleted."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise _invalid(
            Path(), 0, "a working directory that exists", "one that was deleted", "cd elsewhere"
        ) from None


def read_settings(start: Path, environ: Mapping[str, str], *, here: Path | None = None) -> Settings:
    """Reads the environment and the settings file.

    The file is the one that BEDTAPE_CONFIG names (empty: none), or the nearest from the folder
    `start` upwards. Paths in a file in the folder `here` stay as they are; other paths become
    absolute.

    Raises ConfigInvalid with every problem of both.
    """
    variables, problems, warnings = read_environment(environ)
    file: Path | None = None
    keys: dict[Name, SettingValue] = {}
    try:
        settings_file = _read_named(environ[CONFIG]) if CONFIG in environ else _read_nearest(start)
        if settings_file is not None:
            file, text, document = settings_file
            keys, wrong = read_document(document, _source(file, text, here))
            problems += wrong
    except ConfigInvalid as error:
        problems += error.problems
    if problems:
        raise ConfigInvalid(problems)
    return Settings(variables, keys, str(file) if file is not None else None, warnings)


_File = tuple[Path, str, Mapping[str, object]]


def _source(file: Path, text: str, here: Path | None) -> Source:
    folder = file.parent
    prefix = ".".join(_TABLE) if file.name == _SHARED else ""
    name = file.name if folder == here else str(file)
    resolve: Callable[[str], str] = str if folder == here else lambda text: str(folder / text)
    return Source(name, prefix, KeyLines(text).line_of, resolve)


# -- which file ------------------------------------------------------------------------------------


def _read_named(path: str) -> _File | None:
    if not path:
        return None
    file = Path(path).absolute()
    if (data := _read_bytes(file)) is None:
        raise _invalid(
            file, 0, "a file", "none", f"fix {CONFIG}, which names it, or leave it empty for none"
        )
    if (table := _read_table(file, data)) is None:
        raise _invalid(file, 0, "a table [tool.bedtape]", "none", f"fix {CONFIG}, which names it")
    return table


def _read_nearest(start: Path) -> _File | None:
    for folder in (start, *start.parents):
        tables = [
            each for name in (FILE, _SHARED) if (each := _read_file(folder / name)) is not None
        ]
        if len(tables) > 1:
            file = tables[0][0]
            expected = f"the settings of {folder} in one file"
            raise _invalid(
                file, 0, expected, f"[tool.bedtape] in {_SHARED} beside it too", "keep one of them"
            )
        if tables:
            return tables[0]
        if (folder / ".git").exists():
            return None
    return None


def _read_file(file: Path) -> _File | None:
    # Most projects' pyproject.toml has no bedtape settings. It is not parsed,
    # and may be invalid TOML.
    if (data := _read_bytes(file)) is None or (file.name == _SHARED and b"bedtape" not in data):
        return None
    return _read_table(file, data)


def _read_table(file: Path, data: bytes) -> _File | None:
    text = _decode(file, data)
    document = _find_table(file, _parse(file, text))
    return None if document is None else (file, text, document)


def _read_bytes(file: Path) -> bytes | None:
    """Returns the bytes of the file, or `None` if it does not exist."""
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _invalid(
            file, 0, "a file that can be read", error.strerror or str(error), ""
        ) from None


def _decode(file: Path, data: bytes) -> str:
    if data.startswith(BOM_UTF8):
        raise _invalid(
            file, 1, "UTF-8 without a byte order mark", "one", "save it as UTF-8, without BOM"
        )
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _invalid(file, 0, "UTF-8, as TOML is", str(error), "save it as UTF-8") from None


def _parse(file: Path, text: str) -> Mapping[str, object]:
    toml: Any = import_module("tomllib")  # takes 15 ms, so it is imported on demand
    try:
        document: Mapping[str, object] = toml.loads(text)
    except (ValueError, RecursionError) as error:
        # TOMLDecodeError, or an int with thousands of digits
        raise _invalid(file, 0, "TOML", str(error) or "tables too deep", "fix it there") from None
    return document


def _find_table(file: Path, document: Mapping[str, object]) -> Mapping[str, object] | None:
    if file.name != _SHARED:
        return document
    tool = document.get(_TABLE[0])
    ours = tool.get(_TABLE[1]) if isinstance(tool, Mapping) else None
    if ours is not None and not isinstance(ours, Mapping):
        raise _invalid(
            file,
            0,
            "a table [tool.bedtape]",
            render_value("bedtape", ours),
            "write its keys below it",
        )
    return ours


def _invalid(file: Path, line: int, expected: str, found: str, fix: str) -> ConfigInvalid:
    return ConfigInvalid((Problem(str(file), line, expected, found, fix),))
