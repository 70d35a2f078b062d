"""The settings of a run: how tests are replayed and recorded if their marks do not set it. Values only."""

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
from bedtape_replayer.overlay.overlay import Ids

# The plugin passes these options to a recorder itself, or they make no sense beside tests: each test has its own
# cassette, and the recorder must print the endpoint variables.
_NOT_ITS_OWN = ("to", "name", "mode", "record", "port", "verify", "print-addon")


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The settings of one run.

    mode: the value of `--bedtape`. command: the command that records. environ: the recorder's environment. marks: the
    defaults of marks, by the fields of `PlayRequest`. match, overlay, validate, ids, history: the arguments of `Replayer`.
    """

    mode: str = "none"
    command: Sequence[str] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[str, Any] = field(default_factory=dict)
    match: MatchRules = DEFAULT
    overlay: Path | None = None
    validate: Validate = "rules"
    ids: Ids = "equal"
    history: int = History.LIMIT


def run_settings(
    settings: Settings = NO_SETTINGS, *, mode: str, command: Sequence[str], environ: Mapping[str, str], here: Path
) -> RunSettings:
    """Return the settings of a run from the table `pytest`. here: the base of relative paths in variables."""
    said: dict[str, Any] = settings.of("pytest")
    match = match_rules(
        said.get("ignore", ()),
        said.get("placeholder", ()),
        said.get("redact", ()),
        any_profile=said.get("any-profile", False),
    )
    marks = {key.replace("-", "_"): said[key] for key in ("strict", "speed", "allow-misses") if key in said}
    more: dict[str, Any] = {key: said[key] for key in ("validate", "ids", "history") if key in said}
    overlay = here / said["overlay"] if "overlay" in said else None
    recorder = {**environ, CONFIG: settings.file or "", **{variable_of(("record", key)): "" for key in _NOT_ITS_OWN}}
    return RunSettings(mode, command, recorder, {**marks, "match": match}, match, overlay, **more)
