"""Checks of what bedtape runs in: Python, its environment, installed packages, the event loop, limits, the cache. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bedtape_replayer.cli.doctor.diagnosis import Diagnosis, note, ok, wrong
from bedtape_replayer.cli.doctor.environment import Environment

OLDEST_PYTHON = (3, 11)
# A connection takes one, and a test run in parallel opens some hundreds.
FEW_FILES = 1024
# Distributions whose versions the checks go by.
LOOKED_FOR = ("anthropic", "boto3", "botocore", "certifi", "mitmproxy", "openai", "pytest", "uvloop")
_JAVASCRIPT = "@aws-sdk/client-bedrock-runtime"
_NO_AUTOLOAD = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"


def check_python(env: Environment) -> Iterator[Diagnosis]:
    """Whether bedtape supports it."""
    version = ".".join(map(str, env.python.version))
    if env.python.version[:2] >= OLDEST_PYTHON:
        yield ok("Python", f"{version} in {env.python.prefix}")
    else:
        fix = "install bedtape with a newer one"
        yield wrong("Python", expected="3.11 or later", found=version, fix=fix)


def check_environment(env: Environment) -> Iterator[Diagnosis]:
    """Whether bedtape is installed in the virtual environment that is active: else pytest there lacks the plugin."""
    active = env.environ.get("VIRTUAL_ENV", "").rstrip("/")
    if not active or active == env.python.prefix:
        yield ok("environment", active or "none is active")
    else:
        fix = "pip install bedtape there, if its tests use the fixture bedrock"
        yield note(
            "environment", expected=f"bedtape in {active}, which is active", found=f"it in {env.python.prefix}", fix=fix
        )


def check_uvloop(env: Environment) -> Iterator[Diagnosis]:
    """The quick event loop, where there is one."""
    version = env.packages.get("uvloop")
    if version:
        yield ok("uvloop", version)
    elif env.python.uvloop:
        slow = "none, so that the server takes about half as many requests a second"
        yield note("uvloop", expected="uvloop", found=slow, fix="pip install uvloop")
    else:
        yield ok("uvloop", f"there is none for {env.python.implementation} on this system")


def check_open_files(env: Environment) -> Iterator[Diagnosis]:
    """How many files and connections a process may have open."""
    if env.open_files is None:
        yield ok("open files", "no limit")
    elif env.open_files >= FEW_FILES:
        yield ok("open files", f"at most {env.open_files}")
    else:
        few = f"{env.open_files}; each connection takes one"
        yield note("open files", expected=f"a limit of {FEW_FILES} or more", found=few, fix=f"ulimit -n {FEW_FILES}")


def check_cache(env: Environment) -> Iterator[Diagnosis]:
    """The load cache, without which every start parses every cassette."""
    if env.cache is None:
        yield ok("load cache", "none is wanted (BEDTAPE_CACHE_DIR is empty), or there is no home for it")
    elif not env.cache_problem:
        yield ok("load cache", env.cache)
    else:
        slow = f"{env.cache} ({env.cache_problem}): cassettes are parsed at every start"
        fix = "name another folder in BEDTAPE_CACHE_DIR"
        yield note("load cache", expected="a folder that can be written", found=slow, fix=fix)


def _at_least(version: str, oldest: str) -> bool:
    def numbers(text: str) -> list[int]:
        return [int(part) for part in re.findall(r"\d+", text)[:3]]

    return numbers(version) >= numbers(oldest)


def check_boto3(env: Environment) -> Iterator[Diagnosis]:
    """boto3 and botocore, which know Converse and endpoint variables from 1.35 on, and go together."""
    for package in ("boto3", "botocore"):
        version = env.packages.get(package)
        if version and _at_least(version, "1.35"):
            yield ok(package, version)
        else:
            fix = f"pip install -U {package}"
            yield wrong(package, expected="1.35 or later", found=version or "none", fix=fix)


def check_mitmproxy(env: Environment) -> Iterator[Diagnosis]:
    """What records."""
    version = env.packages.get("mitmproxy")
    install = "pip install 'bedtape[record]'"
    if version is None:
        apart = "or pipx install 'bedtape[record]' where its pins are in the way"
        yield ok("mitmproxy", f"none: bedtape replays here; to record, {install}, {apart}")
    elif not _at_least(version, "11.0.2"):
        yield wrong("mitmproxy", expected="11.0.2 or later", found=version, fix=install)
    elif "certifi" not in env.packages:
        yield wrong("mitmproxy", expected="certifi beside it, to record", found="none", fix=install)
    else:
        yield ok("mitmproxy", f"{version}: bedtape record can record")


def check_pytest(env: Environment) -> Iterator[Diagnosis]:
    """What the plugin needs, and whether pytest loads it."""
    version = env.packages.get("pytest")
    if version is None:
        yield ok("pytest", "none here: bedtape run serves tests of any other kind")
    elif not _at_least(version, "7.4"):
        yield wrong("pytest", expected="7.4 or later", found=version, fix="pip install -U pytest")
    elif env.environ.get(_NO_AUTOLOAD):
        fix = "unset it, or run pytest -p bedtape: else there is no fixture bedrock"
        yield note("pytest", expected="pytest to load plugins", found=f"{_NO_AUTOLOAD} set", fix=fix)
    else:
        yield ok("pytest", f"{version}: the fixture bedrock is there")


def check_javascript(env: Environment) -> Iterator[Diagnosis]:
    """The SDK that speaks HTTP/2 without TLS by default, if package.json names it."""
    version = env.npm.get(_JAVASCRIPT)
    if version == "":
        yield note(
            "JavaScript SDK", expected=f"{_JAVASCRIPT} installed", found="it in package.json only", fix="npm install"
        )
    elif version:
        yield ok("JavaScript SDK", f"{version}: bedtape takes its HTTP/2 without TLS, no request handler is needed")
