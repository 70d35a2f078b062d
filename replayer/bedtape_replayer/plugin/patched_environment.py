"""The environment variables of a test, which are set and restored together.

A fixture of the user may change a variable while a test runs. Entering again sets the variables of
the test again, and leaving restores the variables from before the test.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from bedtape_cassettes.addresses import BEARER

# Each of these variables is, or names, a source of credentials.
_SOURCES = (
    *("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", BEARER),
    *("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
# The files that may name a source: the variable with the path, and the name in the folder `.aws`.
_FILES = {"AWS_CONFIG_FILE": "config", "AWS_SHARED_CREDENTIALS_FILE": "credentials"}
# Each of these keys of the files is, or names, a source.
_KEYS = (
    *("aws_access_key_id", "credential_process", "credential_source", "login_session"),
    *("role_arn", "source_profile", "sso_session", "sso_start_url", "web_identity_token_file"),
)
# Linux has the name of the machine's vendor here, in containers too.
_VENDOR = Path("/sys/class/dmi/id/sys_vendor")


class PatchedEnvironment:
    """Variables that are changed together.

    wanted: the complete environment during the test. A variable that it lacks is removed. Variables
    that are equal in both environments are not touched, so that changes of the test to them stay.
    """

    def __init__(self, wanted: Mapping[str, str]) -> None:
        before = dict(os.environ)
        changed = {
            name for name in wanted.keys() | before.keys() if wanted.get(name) != before.get(name)
        }
        self._before = {name: before.get(name) for name in changed}
        self._wanted = {name: wanted.get(name) for name in changed}

    def enter(self) -> None:
        """Set the variables. Call this again to set variables that were changed since."""
        _set(self._wanted)

    def leave(self) -> None:
        """Restore the variables."""
        _set(self._before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def lacks_credentials(environ: Mapping[str, str]) -> bool:
    """Whether SDKs find no credentials: in variables, in files, or as the role of an EC2 machine.

    Such SDKs raise their own error before they connect, so a block of connections does not act.
    """
    if any(environ.get(name) for name in _SOURCES):
        return False
    folder = Path(environ.get("HOME") or Path.home()) / ".aws"
    files = [Path(environ.get(name) or folder / file) for name, file in _FILES.items()]
    return not any(map(_names_source, files)) and (
        environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true" or not _is_ec2()
    )


def _names_source(file: Path) -> bool:
    """Whether a profile in a file is, or names, a source. A file that exists and cannot be read
    may name a source.
    """
    try:
        text = file.expanduser().read_text("utf-8", "replace")
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return any(line.partition("=")[0].strip().lower() in _KEYS for line in text.splitlines())


def _is_ec2() -> bool:
    try:
        return "amazon" in _VENDOR.read_text().lower()
    except OSError:
        return False
