"""Every option that can be set, by its table and its key: those of replay, run,
record and the pytest plugin.

Commands declare their options themselves. This table repeats them as data, so that a file is
checked as a whole without an import of every command. A test compares both in both directions.
Values only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from bedtape_cassettes.config.kinds import (
    ChoiceKind,
    CommandKind,
    Kind,
    NumberKind,
    PathKind,
    PatternKind,
    SwitchKind,
    TextKind,
    WholeNumberKind,
)

# A table and a key in it. `("", "ignore")` is at the top of the file.
Name: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    many: it is repeatable, and a list. shared: the key at the top that holds if the option's own
    key is not set. variable: its environment variable, if the name is not made of table and key.
    secret: a variable may contain it, a file must not. personal: a file must not contain it,
    because a file can come from another person's branch.
    """

    kind: Kind
    many: bool = False
    shared: str | None = None
    variable: str | None = None
    secret: bool = False
    personal: bool = False


_Options: TypeAlias = Mapping[str, Option]

TOP = ""
_SWITCH, _TEXT, _PLACE = Option(SwitchKind()), Option(TextKind()), Option(PathKind())
_PORT = Option(WholeNumberKind(0, 65535))
_PERSONAL_TEXT = Option(TextKind(), personal=True)
_ALLOW_HOST = Option(TextKind(), many=True, personal=True)

_TOP: _Options = {
    "cassettes": _PLACE,
    "ignore": Option(TextKind(), many=True),
    "placeholder": Option(PatternKind(), many=True),
    "any-profile": _SWITCH,
    "redact": Option(PatternKind(), many=True),
}


def _share(key: str) -> Option:
    return replace(_TOP[key], shared=key)


_FOLDER = _share("cassettes")
_FOLDERS = replace(_FOLDER, many=True)
# The options of matching. A replay needs the values of the recording.
_MATCHING: _Options = {
    key: _share(key) for key in ("ignore", "placeholder", "any-profile", "redact")
}
_PLAYING: _Options = {
    "overlay": _PLACE,
    "speed": Option(NumberKind()),
    "strict": _SWITCH,
    "validate": Option(ChoiceKind(("always", "rules", "never"))),
    "ids": Option(ChoiceKind(("equal", "unique"))),
    "simulate": Option(
        ChoiceKind(("caching", "guardrails", "limits", "service_tiers", "structured_output")),
        many=True,
    ),
    "tls": _SWITCH,
}
_DEFAULT = Option(ChoiceKind(("strict", "canned", "echo", "schema")))
_MODES = ("none", "accept", "once", "new", "all")

TABLES: Mapping[str, _Options] = {
    TOP: _TOP,
    "replay": {
        "cassettes": _FOLDERS,
        **_MATCHING,
        **_PLAYING,
        "default": _DEFAULT,
        "host": _TEXT,
        "port": _PORT,
        "allow-host": _ALLOW_HOST,
        "tls-cert": _PLACE,
        "tls-key": _PLACE,
        "upstream": _PERSONAL_TEXT,
        "capture": _SWITCH,
        "edit": _SWITCH,
        "control": _SWITCH,
        "control-token": Option(TextKind(), variable="BEDTAPE_CONTROL_TOKEN", secret=True),
        "grace": Option(NumberKind(0, 86_400)),
        "drain": Option(NumberKind(0, 86_400)),
        "memory": Option(WholeNumberKind(16, 1_000_000_000)),
        "idle": Option(NumberKind(0, 1_000_000_000)),
        "state": _PERSONAL_TEXT,
        "namespace": _TEXT,
        "namespaces": Option(PathKind(), personal=True),
        "log-level": Option(ChoiceKind(("info", "warning", "error"))),
        "traces": _SWITCH,
        "log-format": Option(ChoiceKind(("text", "json"))),
    },
    "run": {
        "cassettes": _FOLDERS,
        **_MATCHING,
        **_PLAYING,
        "default": _DEFAULT,
        "session": _TEXT,
        "tls-cert": Option(PathKind(), personal=True),
        "tls-key": Option(PathKind(), personal=True),
        "intercept": _SWITCH,
        "port": _PORT,
        "fail-unplayed": _SWITCH,
        "report": _PLACE,
    },
    "pytest": {
        **_MATCHING,
        **_PLAYING,
        "allow-misses": _SWITCH,
        "unused": Option(ChoiceKind(("list", "fail", "ignore"))),
        "fast-retries": _SWITCH,
        "history": Option(WholeNumberKind(1)),
        "block": _SWITCH,
        "vcr": _SWITCH,
        "endpoint": Option(ChoiceKind(("set", "kept"))),
        "report": _PLACE,
        "url": _TEXT,
        "bedtape": Option(ChoiceKind(_MODES)),
        "record": Option(
            CommandKind(_MODES, "`bedtape` sets what to record, and `record` sets the command")
        ),
    },
    "record": {
        "to": _FOLDER,
        **_MATCHING,
        "name": _TEXT,
        "mode": Option(ChoiceKind(("reverse", "forward"))),
        "record": Option(ChoiceKind(("once", "new", "all"))),
        "prune": _SWITCH,
        "read-on": Option(WholeNumberKind(0, 3600)),
        "region": _TEXT,
        "profile": _PERSONAL_TEXT,
        "port": _PORT,
        "allow-host": _ALLOW_HOST,
        "allow-unknown": Option(SwitchKind(), personal=True),
        "verify": _SWITCH,
        "select": Option(TextKind(), many=True),
        "sample": Option(WholeNumberKind(1, 10**9)),
        "budget": Option(WholeNumberKind(1, 10**9)),
        "concurrency": Option(WholeNumberKind(1, 64)),
        "operation": Option(TextKind(), many=True, personal=True),
        "allow-list": _PLACE,
        "accept": Option(SwitchKind(), personal=True),
        "format": Option(ChoiceKind(("text", "json", "junit", "github"))),
        "print-addon": _SWITCH,
        "exact": _SWITCH,
        "audio": _SWITCH,
        "upstream": _PERSONAL_TEXT,
    },
}

# Commands that do their work once have no table. These options of theirs use a key at the top all
# the same, because it describes the project: where its cassettes are, and what must not be written.
# `cassette` stands for all its commands.
PROJECT: Mapping[Name, str] = {
    ("recover", "to"): "cassettes",
    **{("recover", key): key for key in _MATCHING},
    ("cassette", "in"): "cassettes",
    ("cassette.unpack", "to"): "cassettes",
    ("cassette.import", "to"): "cassettes",
    ("cassette.import", "redact"): "redact",
    ("cassette.export", "cassettes"): "cassettes",
}

# Tables and keys that once existed, and what replaces them.
REMOVED: Mapping[Name, str] = {
    **{
        (TOP, command): f"write the options of `bedtape {command}` on the command line"
        for command in ("cassette", "recover", "config", "doctor")
    },
    ("replay", "workers"): "start several processes, each with a --port of its own",
}

# Arguments that can be set as options can, by the name that their function has
# for them, and the key.
ARGUMENTS = {"folders": "cassettes"}
# The options that repeat an argument, by the names of their parameters.
REPEATED = ("more_folders",)

# Names the file of settings; empty, there is none.
CONFIG = "BEDTAPE_CONFIG"
# Variables that are no options: folders of this machine, and what `bedtape run`
# passes to its program.
OTHER_VARIABLES = (CONFIG, "BEDTAPE_CACHE_DIR", "BEDTAPE_STATE_DIR", "BEDTAPE_URL")


def variable_of(name: Name) -> str:
    """Return the variable of an option: BEDTAPE_REPLAY_PORT for the port of `bedtape replay`."""
    table, key = name
    if (own := TABLES[table][key].variable) is not None:
        return own
    return "_".join(("bedtape", *filter(None, (table,)), key)).replace("-", "_").upper()


def project_key(table: str, key: str) -> str | None:
    """Return the top-level key for an option of a command without a table, or None."""
    return PROJECT.get((table, key)) or PROJECT.get((table.partition(".")[0], key))


def variables() -> Iterator[tuple[str, Name]]:
    """Every variable that sets an option."""
    for table, options in TABLES.items():
        for key in options:
            yield variable_of((table, key)), (table, key)


def without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment of a `bedtape` process that ignores settings files and variables."""
    known = {variable for variable, _ in variables()}
    return {name: value for name, value in environ.items() if name not in known} | {CONFIG: ""}
