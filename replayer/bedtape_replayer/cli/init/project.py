"""What a project is, as far as its top folder tells: which tests it has, and where. Pure."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any, Literal, TypeAlias

from bedtape_cassettes.errors import Invalid, Problem

__all__ = ["Framework", "InitRefused", "Project", "framework_of"]

Framework: TypeAlias = Literal["pytest", "vitest"]

PYPROJECT, PACKAGE = "pyproject.toml", "package.json"
_PYTHON = (PYPROJECT, "setup.py", "setup.cfg", "pytest.ini", "tox.ini", "requirements*.txt", "*.py")
_VITEST = ("vitest.config.*", "vitest.workspace.*")


class InitRefused(Invalid):
    """`bedtape init` cannot do its work, and wrote nothing."""


@dataclass(frozen=True, slots=True)
class Project:
    """names: of what is in the top folder. pyproject, package: the text of these files, None where there is none.
    played: the folder in it that its settings name, from which `bedtape run` plays; None where they name none.
    """

    names: frozenset[str] = frozenset()
    pyproject: str | None = None
    package: str | None = None
    played: str | None = None

    @property
    def settings(self) -> Mapping[str, Any]:
        """What pyproject.toml holds. Raises InitRefused where it is no TOML."""
        try:
            return tomllib.loads(self.pyproject or "")
        except (ValueError, RecursionError) as error:  # a ValueError of its own, or of an int with thousands of digits
            raise InitRefused([Problem(PYPROJECT, 0, "TOML", str(error), "fix it first")]) from None

    def table(self, *names: str) -> Mapping[str, Any]:
        """A table of pyproject.toml; an empty one where there is none. Raises as `settings`."""
        found: object = self.settings
        for name in names:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found if isinstance(found, Mapping) else {}

    @property
    def packages(self) -> frozenset[str]:
        """What package.json names. Raises InitRefused where it is no object of JSON."""
        try:
            said = json.loads(self.package or "{}")
            parts = [said.get(key) or {} for key in ("dependencies", "devDependencies")]
            return frozenset(name for part in parts for name in part)
        except (ValueError, AttributeError, TypeError, RecursionError) as error:
            raise InitRefused([Problem(PACKAGE, 0, "an object of JSON", str(error), "fix it first")]) from None

    def has(self, *patterns: str) -> bool:
        """Whether the top folder holds anything of such a name."""
        return any(fnmatch(name, pattern) for name in self.names for pattern in patterns)


def framework_of(project: Project) -> Framework:
    """What the project's tests are; pytest where there is nothing yet. Raises InitRefused where one cannot tell."""
    vitest = "vitest" in project.packages or project.has(*_VITEST)
    python = project.has(*_PYTHON)
    if vitest and python:
        raise InitRefused([Problem("--pytest", 0, "pytest or vitest", "both", "choose with --pytest or --vitest")])
    if project.package is not None and not vitest and not python:
        fix = "npm install -D vitest, or choose with --vitest or --pytest"
        raise InitRefused([Problem(PACKAGE, 0, "vitest among its packages", "none", fix)])
    return "vitest" if vitest else "pytest"
