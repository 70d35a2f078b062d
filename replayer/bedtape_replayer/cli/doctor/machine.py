"""Checks of what bedtape runs in: Python, its environment, the event loop, limits, the cache. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from bedtape_replayer.cli.doctor.diagnosis import Diagnosis, note, ok, wrong
from bedtape_replayer.cli.doctor.environment import Environment

__all__ = ["check_cache", "check_environment", "check_open_files", "check_python", "check_uvloop"]

OLDEST_PYTHON = (3, 11)
# A connection takes one, and a test run in parallel opens some hundreds.
FEW_FILES = 1024


def check_python(found: Environment) -> Iterator[Diagnosis]:
    """Whether bedtape supports it."""
    version = ".".join(map(str, found.python.version))
    if found.python.version[:2] >= OLDEST_PYTHON:
        yield ok("Python", f"{version} in {found.python.prefix}")
    else:
        fix = "install bedtape with a newer one"
        yield wrong("Python", expected="3.11 or later", found=version, fix=fix)


def check_environment(found: Environment) -> Iterator[Diagnosis]:
    """Whether bedtape is installed in the virtual environment that is active: else pytest there lacks the plugin."""
    active = found.environ.get("VIRTUAL_ENV", "").rstrip("/")
    if not active or active == found.python.prefix:
        yield ok("environment", active or "none is active")
    else:
        fix = "pip install bedtape there, if its tests use the fixture bedrock"
        yield note(
            "environment",
            expected=f"bedtape in {active}, which is active",
            found=f"it in {found.python.prefix}",
            fix=fix,
        )


def check_uvloop(found: Environment) -> Iterator[Diagnosis]:
    """The quick event loop, where there is one."""
    version = found.packages.get("uvloop")
    if version:
        yield ok("uvloop", version)
    elif found.python.uvloop:
        slow = "none, so that the server takes about half as many requests a second"
        yield note("uvloop", expected="uvloop", found=slow, fix="pip install uvloop")
    else:
        yield ok("uvloop", f"there is none for {found.python.implementation} on this system")


def check_open_files(found: Environment) -> Iterator[Diagnosis]:
    """How many files and connections a process may have open."""
    if found.open_files is None:
        yield ok("open files", "no limit")
    elif found.open_files >= FEW_FILES:
        yield ok("open files", f"at most {found.open_files}")
    else:
        few = f"{found.open_files}; each connection takes one"
        yield note("open files", expected=f"a limit of {FEW_FILES} or more", found=few, fix=f"ulimit -n {FEW_FILES}")


def check_cache(found: Environment) -> Iterator[Diagnosis]:
    """The load cache, without which every start parses every cassette."""
    if found.cache is None:
        yield ok("load cache", "none is wanted (BEDTAPE_CACHE_DIR is empty), or there is no home for it")
    elif not found.cache_problem:
        yield ok("load cache", found.cache)
    else:
        slow = f"{found.cache} ({found.cache_problem}): cassettes are parsed at every start"
        fix = "name another folder in BEDTAPE_CACHE_DIR"
        yield note("load cache", expected="a folder that can be written", found=slow, fix=fix)
