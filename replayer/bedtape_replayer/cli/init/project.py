"""Describes a project by its top folder: the test framework and the folder of tests. Pure."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any, Literal, TypeAlias

from bedtape_cassettes.errors import Invalid, Problem

Framework: TypeAlias = Literal["pytest", "vitest"]

PYPROJECT, PACKAGE = "pyproject.toml", "package.json"
_PYTHON = (PYPROJECT, "setup.py", "setup.cfg", "pytest.ini", "tox.ini", "requirements*.txt", "*.py")
_VITEST = ("vitest.config.*", "vitest.workspace.*")


class InitError(Invalid):
    """`bedtape init` cannot do its work, and wrote nothing."""


@dataclass(frozen=True, slots=True)
class Project:
    """names: the entries of the top folder. pyproject, package: the text of pyproject.toml and
    package.json, or `None`. played: the folder from which `bedtape run` replays according to the
    settings, or `None`.
    """

    names: frozenset[str] = frozenset()
    pyproject: str | None = None
    package: str | None = None
    played: str | None = None

    @property
    def settings(self) -> Mapping[str, Any]:
        """Parse pyproject.toml. Raises InitError if it is not TOML."""
        try:
            return tomllib.loads(self.pyproject or "")
        except (ValueError, RecursionError) as error:
            # a ValueError of its own, or of an int with thousands of digits
            raise InitError([Problem(PYPROJECT, 0, "TOML", str(error), "fix it first")]) from None

    def table(self, *names: str) -> Mapping[str, Any]:
        """Return a table of pyproject.toml, or an empty table. Raises as `settings`."""
        value: object = self.settings
        for name in names:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value if isinstance(value, Mapping) else {}

    @property
    def packages(self) -> frozenset[str]:
        """Return the packages in package.json. Raises InitError if it is no JSON object."""
        try:
            document = json.loads(self.package or "{}")
            parts = [document.get(key) or {} for key in ("dependencies", "devDependencies")]
            return frozenset(name for part in parts for name in part)
        except (ValueError, AttributeError, TypeError, RecursionError) as error:
            raise InitError(
                [Problem(PACKAGE, 0, "an object of JSON", str(error), "fix it first")]
            ) from None

    def has(self, *patterns: str) -> bool:
        """Whether the top folder has an entry with one of these names."""
        return any(fnmatch(name, pattern) for name in self.names for pattern in patterns)


def framework_of(project: Project) -> Framework:
    """Return the test framework; pytest for an empty project. May raise InitError."""
    vitest = "vitest" in project.packages or project.has(*_VITEST)
    python = project.has(*_PYTHON)
    if vitest and python:
        raise InitError(
            [Problem("--pytest", 0, "pytest or vitest", "both", "choose with --pytest or --vitest")]
        )
    if project.package is not None and not vitest and not python:
        fix = "npm install -D vitest, or choose with --vitest or --pytest"
        raise InitError([Problem(PACKAGE, 0, "vitest among its packages", "none", fix)])
    return "vitest" if vitest else "pytest"
