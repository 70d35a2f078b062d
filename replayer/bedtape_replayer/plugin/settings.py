"""How a run's tests are played and recorded where their marks say nothing: as settings say it. Values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bedtape_cassettes.config.options import CONFIG, variable_of
from bedtape_cassettes.config.settings import NO_SETTINGS, Settings
from bedtape_cassettes.matching.key import DEFAULT, MatchRules
from bedtape_cassettes.matching.rules import match_rules
from bedtape_replayer.engine.checks import Validate
from bedtape_replayer.history.history import History

__all__ = ["RunSettings", "run_settings"]

# What a recorder beside the tests is told by them, or cannot be: each test has a cassette of its own, and the endpoint
# variables must be printed.
_NOT_ITS_OWN = ("to", "name", "mode", "record", "port", "verify", "print-addon")


@dataclass(frozen=True, slots=True)
class RunSettings:
    """mode: as `--bedtape`. command: that records. environ: of the recorder. marks: what holds where no mark says
    otherwise, as `Asked` has it. match, overlay, validate, history: as `Replayer`'s.
    """

    mode: str = "none"
    command: Sequence[str] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[str, Any] = field(default_factory=dict)
    match: MatchRules = DEFAULT
    overlay: Path | None = None
    validate: Validate = "rules"
    history: int = History.LIMIT


def run_settings(
    settings: Settings = NO_SETTINGS,
    *,
    mode: str,
    command: Sequence[str],
    environ: Mapping[str, str],
    here: Path,
) -> RunSettings:
    """What settings say of `pytest`. here: the folder that a variable's path is relative to."""
    said: dict[str, Any] = settings.of("pytest")
    match = match_rules(
        said.get("ignore", ()),
        said.get("placeholder", ()),
        said.get("redact", ()),
        any_profile=said.get("any-profile", False),
    )
    marks = {key.replace("-", "_"): said[key] for key in ("strict", "speed", "allow-misses") if key in said}
    more: dict[str, Any] = {key: said[key] for key in ("validate", "history") if key in said}
    overlay = here / said["overlay"] if "overlay" in said else None
    recorder = {**environ, CONFIG: settings.file or "", **{variable_of(("record", key)): "" for key in _NOT_ITS_OWN}}
    return RunSettings(mode, command, recorder, {**marks, "match": match}, match, overlay, **more)
