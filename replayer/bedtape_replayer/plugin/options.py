"""The plugin's options, from the command line, pytest's configuration,
variables and the settings file.

pytest reads these options before it collects tests, so this module imports
nothing that plays or records.
"""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bedtape_cassettes.config.files import read_settings
from bedtape_cassettes.config.settings import Settings
from bedtape_cassettes.errors import ConfigInvalid

GATE = "RUN_REAL_BEDROCK_TESTS"
_TABLE = "pytest"
# The value of an option that pytest's configuration does not contain. pytest replaces
# None by its own default.
_UNSET = object()
# The modes that call nothing.
_OFFLINE = (None, "none", "accept")


def add_to(parser: pytest.Parser) -> None:
    """Add the options to pytest's parser."""
    group = parser.getgroup("bedtape", "Amazon Bedrock from cassettes")
    group.addoption(
        "--bedtape",
        choices=("none", "accept", "once", "new", "all"),
        help=(
            "Recording of tests that use `bedrock`: none (the default) replays, accept replaces"
            " the requests of recordings by the requests that tests send now, once records"
            " cassettes that do not exist, new also records missing calls, all records everything"
            f" again. once, new and all need {GATE}=1, because they cost money."
        ),
    )
    group.addoption(
        "--bedtape-vcr",
        action="store_true",
        help=(
            "Play the Bedrock entries of VCR.py's cassettes, in tests that use VCR.py. VCR.py plays"
            " the other entries."
        ),
    )
    # `bedtape migrate vcrpy` sets it
    group.addoption("--bedtape-migrate", metavar="OPTIONS", help=argparse.SUPPRESS)
    group.addoption(
        "--bedtape-report",
        metavar="FILE",
        help="Write an HTML page with all calls, which needs no server.",
    )
    group.addoption(
        "--bedtape-keep",
        action="store_true",
        help="Keep the server, with its inspector, running after the tests until Ctrl-C.",
    )
    group.addoption(
        "--bedtape-url",
        metavar="URL",
        help=(
            "Use the sessions of a server that runs already, for example a team's server."
            " BEDTAPE_CONTROL_TOKEN contains its token, if it has one."
        ),
    )
    parser.addini("bedtape_url", "The server of --bedtape-url.", default=_UNSET)
    parser.addini(
        "bedtape_block", "Whether calls to real Amazon Bedrock raise.", type="bool", default=_UNSET
    )
    parser.addini(
        "bedtape_record",
        "Command that records, if not `bedtape record` of this Python.",
        type="args",
        default=_UNSET,
    )


def settings_of(config: pytest.Config) -> Settings:
    """Read variables and the nearest settings file above the tests. Raises pytest.UsageError."""
    try:
        return read_settings(_common_folder(config), os.environ)
    except ConfigInvalid as error:
        raise pytest.UsageError(str(error)) from None


def _common_folder(config: pytest.Config) -> Path:
    """Return the common folder of pytest's paths, in which pytest looks for its settings."""
    here = config.invocation_params.dir
    paths = [path for arg in config.args if (path := here / arg.split("::")[0]).exists()]
    # Remove `..` from `../tests` as pytest does, so that the search starts above the tests.
    common = Path(os.path.commonpath([os.path.abspath(path) for path in paths])) if paths else here  # noqa: PTH100
    return common if common.is_dir() else common.parent


def mode_of(config: pytest.Config, settings: Settings, *, gate_is_open: bool) -> str:
    """Return the record mode.

    A settings file chooses it only while the gate is open, and does not open the gate.

    Raises pytest.UsageError if the command line or a variable chooses a mode that the gate forbids.
    """
    chosen, by = config.getoption("--bedtape"), "--bedtape"
    if chosen is None and (setting := settings.find(_TABLE, "bedtape")) is not None:
        if not setting.variable and not gate_is_open:
            return "none"
        chosen, by = setting.value, setting.source
    if chosen not in _OFFLINE and not gate_is_open:
        raise pytest.UsageError(
            f"{by}={chosen} calls real Amazon Bedrock, which costs money: set {GATE}=1 to allow it"
        )
    return str(chosen or "none")


def plays_vcr(config: pytest.Config, settings: Settings) -> bool:
    """Return whether VCR.py's entries of Bedrock are played. Raises pytest.UsageError."""
    if config.getoption("--bedtape-vcr") and find_spec("vcr") is None:
        raise pytest.UsageError(
            "--bedtape-vcr: expected the package vcrpy, found none; pip install vcrpy"
        )
    setting = settings.find(_TABLE, "vcr")
    return bool(config.getoption("--bedtape-vcr") or (setting is not None and setting.value))


def migrates(config: pytest.Config) -> list[str] | None:
    """Return the options of a migration, or `None` without one."""
    given = config.getoption("--bedtape-migrate")
    return None if given is None else [name for name in given.split(",") if name]


def url_of(config: pytest.Config, settings: Settings, mode: str) -> str | None:
    """Return the URL of the server that has the sessions; `None` for a server in the process.

    Raises pytest.UsageError for an invalid URL, and for options that need a server in the process.
    """
    chosen = config.getoption("--bedtape-url")
    url = chosen if chosen is not None else _read_option(config, settings, "url")
    if not url:
        return None
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise pytest.UsageError(
            f"--bedtape-url: expected the URL of a server such as http://HOST:4566, found {url!r}"
        )
    if local := [*_find_local_options(config, settings, mode)]:
        raise pytest.UsageError(
            "--bedtape-url: expected no option that needs a server in the process of the tests,"
            f" found {', '.join(local)}; remove it, or start the server with it (`bedtape replay`)"
        )
    return str(url)


def _find_local_options(config: pytest.Config, settings: Settings, mode: str) -> Iterator[str]:
    """Yield the options that a server in another process cannot have from this process."""
    if mode != "none":
        yield f"--bedtape={mode}"
    if plays_vcr(config, settings):
        yield "--bedtape-vcr"
    if migrates(config) is not None:
        yield "--bedtape-migrate"
    if config.getoption("--bedtape-keep"):
        yield "--bedtape-keep"
    for key in ("speed", "overlay", "validate", "ids", "simulate", "tls", "history"):
        setting = settings.find(_TABLE, key)
        if setting is not None and setting.value not in (False, []):
            yield setting.source


def blocks_of(config: pytest.Config, settings: Settings) -> bool:
    """Return whether calls to real Bedrock raise an error."""
    setting = _read_option(config, settings, "block")
    return True if setting is None else bool(setting)


def report_of(config: pytest.Config, settings: Settings) -> Path | None:
    """Return the file to which the HTML report is written, or `None`."""
    chosen, setting = config.getoption("--bedtape-report"), settings.find(_TABLE, "report")
    file = chosen if chosen is not None else setting.value if setting is not None else None
    return None if file is None else config.invocation_params.dir / str(file)


def workspace_of(config: pytest.Config, environ: Mapping[str, str]) -> Path | None:
    """Return the folder that annotations' file names begin in; `None` outside GitHub Actions."""
    if environ.get("GITHUB_ACTIONS") != "true":
        return None
    return Path(environ.get("GITHUB_WORKSPACE") or config.invocation_params.dir)


def keeps(config: pytest.Config) -> bool:
    """Return whether the server runs on after the tests. Raises pytest.UsageError with xdist."""
    kept = bool(config.getoption("--bedtape-keep"))
    if kept and getattr(config.option, "dist", "no") != "no":
        raise pytest.UsageError(
            "--bedtape-keep: expected one process, found workers of pytest-xdist; add -n 0"
        )
    return kept


def has_settings(config: pytest.Config, settings: Settings) -> bool:
    """Return whether the project or the command line has settings of bedtape."""
    if config.getoption("--bedtape-vcr"):
        return True
    if config.getoption("--bedtape-url"):
        return True
    own = (config.getini(f"bedtape_{key}") for key in ("block", "record", "url"))
    return bool(settings.file or settings.variables or any(value is not _UNSET for value in own))


def command_of(config: pytest.Config, settings: Settings) -> Sequence[str]:
    """Return the command that records; empty for the default."""
    setting = _read_option(config, settings, "record")
    return shlex.split(setting) if isinstance(setting, str) else setting or ()


def _read_option(config: pytest.Config, settings: Settings, key: str) -> Any:
    """Return the value of an option that pytest's configuration can also
    contain; None without a value.

    Precedence, highest first: pytest's `-o`, a variable, a file. The file is
    pytest's or bedtape's, not both.
    """
    name = f"bedtape_{key}"
    own, setting = config.getini(name), settings.find(_TABLE, key)
    overridden = any(
        each.partition("=")[0] == name for each in config.getoption("override_ini") or ()
    )
    if own is not _UNSET and (overridden or setting is None):
        return own
    if own is not _UNSET and setting is not None and not setting.variable:
        raise pytest.UsageError(
            f"expected {name} in one file, found it in {config.inipath}, and {key} in"
            f" {setting.source}; keep one of them"
        )
    return setting.value if setting is not None else None
