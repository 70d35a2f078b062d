"""The files that a project should have: settings, a sample cassette and a first test.

Pure; it does not read the disk.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from bedtape_cassettes.errors import Problem
from bedtape_replayer.api.route import VERSION
from bedtape_replayer.cli.init import pytest_files, vitest_files
from bedtape_replayer.cli.init.project import PYPROJECT, Framework, InitError, Project

# The sample that the tests play.
CASSETTE = "hello"
_SETTINGS = "bedtape.toml"
_SDK = "@aws-sdk/client-bedrock-runtime"
_CLIENT = "@bedtape/client"
# The client is not on npm yet: docs/how-to/install.md packs it into this file.
_PACKED = f"~/.bedtape-wheels/bedtape-client-{VERSION}.tgz"


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file with its bytes, or a folder with its files by name.

    adds: whether the bytes are appended to an existing file. there: the message if the
    project has the file already.
    """

    path: str
    content: bytes | Mapping[str, bytes]
    what: str
    adds: bool = False
    there: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """cassettes: the folder of cassettes. then: the next commands for the user."""

    framework: Framework
    cassettes: str
    pieces: tuple[PlannedFile, ...]
    then: tuple[str, ...]


def plan_of(project: Project, framework: Framework, sample: Mapping[str, bytes]) -> Plan:
    """Return the plan. sample: files of the sample cassette. May raise InitError."""
    if framework == "pytest":
        tests = _pytest_folder(project)
        cassettes, test = (
            f"{tests}/cassettes",
            PlannedFile(f"{tests}/{pytest_files.NAME}", pytest_files.TEST.encode(), "two tests"),
        )
        then: tuple[str, ...] = (f"pytest {test.path}",)
    else:
        typescript = "typescript" in project.packages or project.has("tsconfig*.json")
        tests = _folder(project)
        name = vitest_files.NAME + (".ts" if typescript else ".js")
        cassettes = project.played or "cassettes"
        test = PlannedFile(f"{tests}/{name}", vitest_files.TEST.encode(), "two tests")
        packages = {_CLIENT: _PACKED, "vitest": "vitest", _SDK: _SDK}
        lacking = [given for package, given in packages.items() if package not in project.packages]
        install = (f"npm install -D {' '.join(lacking)}",) if lacking else ()
        then = (*install, f"bedtape run -- npx vitest run {test.path}")
    played = PlannedFile(f"{cassettes}/{CASSETTE}", sample, "a sample cassette")
    return Plan(framework, cassettes, (_settings(project, cassettes), played, test), then)


# -- where tests are -------------------------------------------------------------------------------


def _folder(project: Project) -> str:
    return "test" if project.has("test") and not project.has("tests") else "tests"


def _pytest_folder(project: Project) -> str:
    """Return the folder in which pytest collects tests, if that is one folder of the project."""
    options = project.table("tool", "pytest", "ini_options") or project.table("tool", "pytest")
    match options.get("testpaths"):
        case str(paths) if words := paths.split():
            first = words[0]
        case [str(path), *_]:
            first = path
        case _:
            return _folder(project)
    parts = [part for part in first.split("/") if part not in ("", ".")]
    plain = (
        parts and not first.startswith("/") and not set(first) & set("*?[\\") and ".." not in parts
    )
    return "/".join(parts) if plain else _folder(project)


# -- settings --------------------------------------------------------------------------------------


def _settings(project: Project, cassettes: str) -> PlannedFile:
    """Return the settings: a table at the end of pyproject.toml if it exists, or bedtape.toml."""
    line = f'cassettes = "{cassettes}"\n'
    what = "where cassettes are"
    if project.pyproject is None or project.has(_SETTINGS):
        return PlannedFile(_SETTINGS, f"# Settings of bedtape.\n{line}".encode(), what)
    if "bedtape" in project.table("tool"):
        return PlannedFile(PYPROJECT, b"", what, adds=True, there="has [tool.bedtape]")
    end = "\r\n" if "\r\n" in project.pyproject else "\n"
    before = "" if project.pyproject.endswith("\n") or not project.pyproject else end
    added = before + f"\n[tool.bedtape]\n{line}".replace("\n", end)
    try:
        tomllib.loads(project.pyproject + added)
    except tomllib.TOMLDecodeError:
        expected = "a file to which [tool.bedtape] can be added"
        raise InitError(
            [Problem(PYPROJECT, 0, expected, "`tool` closed", "open it first")]
        ) from None
    return PlannedFile(PYPROJECT, added.encode(), what, adds=True)
