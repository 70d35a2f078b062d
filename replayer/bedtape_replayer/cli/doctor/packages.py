"""Checks of what is installed beside bedtape: AWS's SDKs, mitmproxy, pytest. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bedtape_replayer.cli.doctor.diagnosis import Diagnosis, note, ok, wrong
from bedtape_replayer.cli.doctor.environment import Environment

__all__ = ["LOOKED_FOR", "check_boto3", "check_javascript", "check_mitmproxy", "check_pytest"]

# Distributions whose versions the checks go by.
LOOKED_FOR = ("anthropic", "boto3", "botocore", "certifi", "mitmproxy", "openai", "pytest", "uvloop")
_JAVASCRIPT = "@aws-sdk/client-bedrock-runtime"
_NO_AUTOLOAD = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"


def _at_least(version: str, oldest: str) -> bool:
    def numbers(text: str) -> list[int]:
        return [int(part) for part in re.findall(r"\d+", text)[:3]]

    return numbers(version) >= numbers(oldest)


def check_boto3(found: Environment) -> Iterator[Diagnosis]:
    """boto3 and botocore, which know Converse and endpoint variables from 1.35 on, and go together."""
    for package in ("boto3", "botocore"):
        version = found.packages.get(package)
        if version and _at_least(version, "1.35"):
            yield ok(package, version)
        else:
            fix = f"pip install -U {package}"
            yield wrong(package, expected="1.35 or later", found=version or "none", fix=fix)


def check_mitmproxy(found: Environment) -> Iterator[Diagnosis]:
    """What records."""
    version = found.packages.get("mitmproxy")
    install = "pip install 'bedtape[record]'"
    if version is None:
        apart = "or pipx install 'bedtape[record]' where its pins are in the way"
        yield ok("mitmproxy", f"none: bedtape replays here; to record, {install}, {apart}")
    elif not _at_least(version, "11.0.2"):
        yield wrong("mitmproxy", expected="11.0.2 or later", found=version, fix=install)
    elif "certifi" not in found.packages:
        yield wrong("mitmproxy", expected="certifi beside it, to record", found="none", fix=install)
    else:
        yield ok("mitmproxy", f"{version}: bedtape record can record")


def check_pytest(found: Environment) -> Iterator[Diagnosis]:
    """What the plugin needs, and whether pytest loads it."""
    version = found.packages.get("pytest")
    if version is None:
        yield ok("pytest", "none here: bedtape run serves tests of any other kind")
    elif not _at_least(version, "7.4"):
        yield wrong("pytest", expected="7.4 or later", found=version, fix="pip install -U pytest")
    elif found.environ.get(_NO_AUTOLOAD):
        fix = "unset it, or run pytest -p bedtape: else there is no fixture bedrock"
        yield note("pytest", expected="pytest to load plugins", found=f"{_NO_AUTOLOAD} set", fix=fix)
    else:
        yield ok("pytest", f"{version}: the fixture bedrock is there")


def check_javascript(found: Environment) -> Iterator[Diagnosis]:
    """The SDK that speaks HTTP/2 without TLS by default, if package.json names it."""
    version = found.npm.get(_JAVASCRIPT)
    if version == "":
        yield note(
            "JavaScript SDK", expected=f"{_JAVASCRIPT} installed", found="it in package.json only", fix="npm install"
        )
    elif version:
        yield ok("JavaScript SDK", f"{version}: bedtape takes its HTTP/2 without TLS, no request handler is needed")
