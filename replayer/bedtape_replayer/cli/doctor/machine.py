"""Checks Python, its environment, packages, the event loop, the limit of files, the load cache."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bedtape_replayer.cli.doctor.diagnosis import Diagnosis, note, ok, wrong
from bedtape_replayer.cli.doctor.environment import Environment

OLDEST_PYTHON = (3, 11)
# Each connection needs a file, and parallel tests open hundreds of connections.
ENOUGH_FILES = 1024
# Distributions whose versions the checks read.
DISTRIBUTIONS = (
    "anthropic",
    "boto3",
    "botocore",
    "certifi",
    "mitmproxy",
    "openai",
    "pytest",
    "uvloop",
)
_JAVASCRIPT = "@aws-sdk/client-bedrock-runtime"
_NO_AUTOLOAD = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"


def check_python(env: Environment) -> Iterator[Diagnosis]:
    """Check the version of Python."""
    version = ".".join(map(str, env.python.version))
    if env.python.version[:2] >= OLDEST_PYTHON:
        yield ok("Python", f"{version} in {env.python.prefix}")
    else:
        fix = "install bedtape with a newer Python"
        yield wrong("Python", expected="3.11 or later", found=version, fix=fix)


def check_environment(env: Environment) -> Iterator[Diagnosis]:
    """Check that the active virtual environment has bedtape, because pytest needs the plugin."""
    active = env.environ.get("VIRTUAL_ENV", "").rstrip("/")
    if not active or active == env.python.prefix:
        yield ok("environment", active or "no virtual environment is active")
    else:
        fix = "pip install bedtape in that environment, if its tests use the fixture bedrock"
        yield note(
            "environment",
            expected=f"bedtape in {active}, which is active",
            found=f"bedtape in {env.python.prefix}",
            fix=fix,
        )


def check_uvloop(env: Environment) -> Iterator[Diagnosis]:
    """Check for uvloop, a faster event loop, if it supports this Python."""
    version = env.packages.get("uvloop")
    if version:
        yield ok("uvloop", version)
    elif env.python.uvloop:
        actual = "no uvloop, so the server answers about half as many requests a second"
        yield note("uvloop", expected="uvloop", found=actual, fix="pip install uvloop")
    else:
        yield ok("uvloop", f"not available for {env.python.implementation} on this system")


def check_open_files(env: Environment) -> Iterator[Diagnosis]:
    """Check the limit of open files and connections."""
    if env.open_files is None:
        yield ok("open files", "no limit")
    elif env.open_files >= ENOUGH_FILES:
        yield ok("open files", f"at most {env.open_files}")
    else:
        actual = f"{env.open_files}; each connection needs one"
        yield note(
            "open files",
            expected=f"a limit of {ENOUGH_FILES} or more",
            found=actual,
            fix=f"ulimit -n {ENOUGH_FILES}",
        )


def check_cache(env: Environment) -> Iterator[Diagnosis]:
    """Check the load cache, without which every start parses every cassette."""
    if env.cache is None:
        yield ok("load cache", "off: BEDTAPE_CACHE_DIR is empty, or there is no home folder")
    elif not env.cache_problem:
        yield ok("load cache", env.cache)
    else:
        actual = f"{env.cache} ({env.cache_problem}): cassettes are parsed at every start"
        fix = "name another folder in BEDTAPE_CACHE_DIR"
        yield note("load cache", expected="a writable folder", found=actual, fix=fix)


def _at_least(version: str, oldest: str) -> bool:
    def numbers(text: str) -> list[int]:
        return [int(part) for part in re.findall(r"\d+", text)[:3]]

    return numbers(version) >= numbers(oldest)


def check_boto3(env: Environment) -> Iterator[Diagnosis]:
    """Check boto3 and botocore. Since 1.35 they support Converse and endpoint variables."""
    for package in ("boto3", "botocore"):
        version = env.packages.get(package)
        if version and _at_least(version, "1.35"):
            yield ok(package, version)
        else:
            fix = f"pip install -U {package}"
            yield wrong(
                package, expected="1.35 or later", found=version or "no such package", fix=fix
            )


def check_mitmproxy(env: Environment) -> Iterator[Diagnosis]:
    """Check mitmproxy, which recording needs."""
    version = env.packages.get("mitmproxy")
    install = "pip install 'bedtape[record]'"
    if version is None:
        isolated = "or pipx install 'bedtape[record]' if its dependencies conflict with yours"
        yield ok(
            "mitmproxy", f"not installed: bedtape can replay; to record, {install}, {isolated}"
        )
    elif not _at_least(version, "11.0.2"):
        yield wrong("mitmproxy", expected="11.0.2 or later", found=version, fix=install)
    elif "certifi" not in env.packages:
        yield wrong(
            "mitmproxy",
            expected="certifi, which recording needs too",
            found="no such package",
            fix=install,
        )
    else:
        yield ok("mitmproxy", f"{version}: bedtape record can record")


def check_pytest(env: Environment) -> Iterator[Diagnosis]:
    """Check the version of pytest, and whether pytest loads the plugin."""
    version = env.packages.get("pytest")
    if version is None:
        yield ok("pytest", "not installed: bedtape run answers other test runners")
    elif not _at_least(version, "7.4"):
        yield wrong("pytest", expected="7.4 or later", found=version, fix="pip install -U pytest")
    elif env.environ.get(_NO_AUTOLOAD):
        fix = (
            "unset it, or run pytest -p bedtape, because there is no fixture bedrock without the"
            " plugin"
        )
        yield note(
            "pytest", expected="pytest to load plugins", found=f"{_NO_AUTOLOAD} set", fix=fix
        )
    else:
        yield ok("pytest", f"{version}: it has the fixture bedrock")


def check_javascript(env: Environment) -> Iterator[Diagnosis]:
    """Check that the SDK of package.json is installed."""
    version = env.npm.get(_JAVASCRIPT)
    if version == "":
        yield note(
            "JavaScript SDK",
            expected=f"{_JAVASCRIPT} installed",
            found="the package in package.json only",
            fix="npm install",
        )
    elif version:
        yield ok(
            "JavaScript SDK",
            f"{version}: bedtape accepts its HTTP/2 without TLS, so it needs no request handler",
        )
