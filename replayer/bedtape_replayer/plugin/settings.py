"""The settings of a run: how tests without marks are replayed and recorded. Values only."""

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
from bedtape_replayer.plugin.recording import OWN_OPTIONS

_TOKEN = variable_of(("replay", "control-token"))


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The settings of one run.

    mode: the value of `--bedtape`. command: the command that records. environ: the recorder's
    environment. marks: the defaults of marks, by the fields of `PlayRequest`. match, overlay,
    validate, ids, simulate, tls, history: the arguments of `Replayer`. captures: whether the calls
    of each test are captured for the report. keeps: whether the server and the sessions stay after
    the tests. migrates: the options of a migration, or `None` without one. run_id: the same in all
    processes of the run. url: the server that has the sessions; `None` for a server in this
    process. token: of the server at `url`.
    """

    mode: str = "none"
    command: Sequence[str] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[str, Any] = field(default_factory=dict)
    match: MatchRules = DEFAULT
    overlay: Path | None = None
    validate: Validate = "rules"
    ids: Ids = "equal"
    simulate: Sequence[str] = ()
    tls: bool = False
    history: int = History.LIMIT
    captures: bool = False
    keeps: bool = False
    migrates: Sequence[str] | None = None
    url: str | None = None
    token: str | None = field(default=None, repr=False)
    run_id: str = ""


def run_settings(
    settings: Settings = NO_SETTINGS,
    *,
    mode: str,
    command: Sequence[str],
    environ: Mapping[str, str],
    here: Path,
    captures: bool = False,
    keeps: bool = False,
    migrates: Sequence[str] | None = None,
    url: str | None = None,
    run_id: str = "",
) -> RunSettings:
    """Return a run's settings from the table `pytest`. here: the base of relative paths."""
    table: dict[str, Any] = settings.of("pytest")
    match = match_rules(
        table.get("ignore", ()),
        table.get("placeholder", ()),
        table.get("redact", ()),
        any_profile=table.get("any-profile", False),
    )
    marks = {
        key.replace("-", "_"): table[key]
        for key in ("strict", "speed", "allow-misses", "unused", "fast-retries", "endpoint")
        if key in table
    }
    more: dict[str, Any] = {
        key: table[key] for key in ("validate", "ids", "simulate", "tls", "history") if key in table
    }
    overlay = here / table["overlay"] if "overlay" in table else None
    recorder = {
        **environ,
        CONFIG: settings.file or "",
        **{variable_of(("record", key)): "" for key in OWN_OPTIONS},
    }
    return RunSettings(
        mode,
        command,
        recorder,
        {**marks, "match": match},
        match,
        overlay,
        captures=captures,
        keeps=keeps,
        migrates=migrates,
        url=url,
        token=environ.get(_TOKEN) or None,
        run_id=run_id,
        **more,
    )
