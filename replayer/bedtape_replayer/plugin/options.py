"""The plugin's options, from the command line, pytest's configuration, variables and the settings file.

pytest reads these options before it collects tests, so this module imports nothing that plays or records.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bedtape_cassettes.config.files import read_settings
from bedtape_cassettes.config.settings import Settings
from bedtape_cassettes.errors import ConfigInvalid

GATE = "RUN_REAL_BEDROCK_TESTS"
_TABLE = "pytest"
# The value of an option that pytest's configuration does not contain. pytest replaces None by its own default.
_UNSAID = object()


def add_to(parser: pytest.Parser) -> None:
    """Add the options to pytest's parser."""
    group = parser.getgroup("bedtape", "Amazon Bedrock from cassettes")
    group.addoption(
        "--bedtape",
        choices=("none", "once", "new", "all"),
        help="Recording of tests that use `bedrock`: none (the default) replays, once records cassettes"
        f" that do not exist, new also records missing calls, all everything again. Needs {GATE}=1, because it costs money.",
    )
    parser.addini("bedtape_block", "Whether calls to real Amazon Bedrock raise.", type="bool", default=_UNSAID)
    parser.addini(
        "bedtape_record", "Command that records, if not `bedtape record` of this Python.", type="args", default=_UNSAID
    )


def settings_of(config: pytest.Config) -> Settings:
    """Read variables and the nearest settings file, from the selected tests upwards. Raises pytest.UsageError."""
    try:
        return read_settings(_common_folder(config), os.environ)
    except ConfigInvalid as error:
        raise pytest.UsageError(str(error)) from None


def _common_folder(config: pytest.Config) -> Path:
    """Return the common folder of the paths that pytest got, as pytest does to find its own configuration."""
    here = config.invocation_params.dir
    paths = [path for arg in config.args if (path := here / arg.split("::")[0]).exists()]
    # Remove `..` from `../tests` as pytest does, so that the search starts above the tests.
    common = Path(os.path.commonpath([os.path.abspath(path) for path in paths])) if paths else here  # noqa: PTH100
    return common if common.is_dir() else common.parent


def mode_of(config: pytest.Config, settings: Settings, *, gate_is_open: bool) -> str:
    """Return the record mode. A settings file chooses it only while the gate is open, and does not open the gate.

    Raises pytest.UsageError if the command line or a variable chooses a mode that the gate forbids.
    """
    chosen, by = config.getoption("--bedtape"), "--bedtape"
    if chosen is None and (said := settings.find(_TABLE, "bedtape")) is not None:
        if not said.variable and not gate_is_open:
            return "none"
        chosen, by = said.value, said.source
    if chosen not in (None, "none") and not gate_is_open:
        raise pytest.UsageError(f"{by}={chosen} calls real Amazon Bedrock, which costs money: set {GATE}=1 to allow it")
    return str(chosen or "none")


def blocks_of(config: pytest.Config, settings: Settings) -> bool:
    """Return whether calls to real Bedrock raise an error."""
    said = _read_option(config, settings, "block")
    return True if said is None else bool(said)


def command_of(config: pytest.Config, settings: Settings) -> Sequence[str]:
    """Return the command that records; empty for the default."""
    said = _read_option(config, settings, "record")
    return shlex.split(said) if isinstance(said, str) else said or ()


def _read_option(config: pytest.Config, settings: Settings, key: str) -> Any:
    """Return the value of an option that pytest's configuration can also contain; None without a value.

    Precedence, highest first: pytest's `-o`, a variable, a file. The file is pytest's or bedtape's, not both.
    """
    name = f"bedtape_{key}"
    own, said = config.getini(name), settings.find(_TABLE, key)
    overridden = any(each.partition("=")[0] == name for each in config.getoption("override_ini") or ())
    if own is not _UNSAID and (overridden or said is None):
        return own
    if own is not _UNSAID and said is not None and not said.variable:
        raise pytest.UsageError(
            f"expected {name} in one file, found it in {config.inipath}, and {key} in {said.source}; keep one of them"
        )
    return said.value if said is not None else None
