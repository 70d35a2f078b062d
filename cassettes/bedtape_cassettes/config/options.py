"""Every option that can be set, by the table it stands in and its key there: what each command and the plugin have.

Commands declare their options where they are; this says them again, as data, so that a file is checked whole without
loading every command. A test holds the two against each other, both ways. Values only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from bedtape_cassettes.config.kinds import Choice, Command, Kind, Number, Pattern, Place, Switch, Text, Whole

__all__ = [
    "ARGUMENTS",
    "CONFIG",
    "OTHER_VARIABLES",
    "TABLES",
    "TOP",
    "Name",
    "Option",
    "variable_of",
    "variables",
    "without_settings",
]

# A table and a key in it. `("", "ignore")` stands at the top, and holds for every table whose option refers to it.
Name: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    many: it is repeatable, and a list. shared: what says it where its own table does not. variable: its name, if that
    is not made of table and key. secret: it is told in a variable, never in a file.
    """

    kind: Kind
    many: bool = False
    shared: Name | None = None
    variable: str | None = None
    secret: bool = False


_Options: TypeAlias = Mapping[str, Option]

TOP = ""
_SWITCH, _TEXT, _PLACE = Option(Switch()), Option(Text()), Option(Place())
_PORT = Option(Whole(0, 65535))

_TOP: _Options = {
    "cassettes": _PLACE,
    "ignore": Option(Text(), many=True),
    "placeholder": Option(Pattern(), many=True),
    "any-profile": _SWITCH,
    "redact": Option(Pattern(), many=True),
}


def _shared(key: str) -> Option:
    return replace(_TOP[key], shared=(TOP, key))


_FOLDER = _shared("cassettes")
_FOLDERS = replace(_FOLDER, many=True)
_REDACT: _Options = {"redact": _shared("redact")}
# What makes two requests the same: whoever plays must say what whoever records says.
_MATCHING: _Options = {key: _shared(key) for key in ("ignore", "placeholder", "any-profile", "redact")}
_PLAYING: _Options = {
    "overlay": _PLACE,
    "speed": Option(Number()),
    "strict": _SWITCH,
    "validate": Option(Choice(("always", "rules", "never"))),
}
_MODES = ("none", "once", "new", "all")

_SERVING: dict[str, _Options] = {
    "replay": {
        "cassettes": _FOLDERS,
        **_MATCHING,
        **_PLAYING,
        "host": _TEXT,
        "port": _PORT,
        "control": _SWITCH,
        "control-token": Option(Text(), variable="BEDTAPE_CONTROL_TOKEN", secret=True),
        "log-level": Option(Choice(("info", "warning", "error"))),
    },
    "run": {"cassettes": _FOLDERS, **_MATCHING, **_PLAYING, "session": _TEXT, "port": _PORT},
    "pytest": {
        **_MATCHING,
        **_PLAYING,
        "allow-misses": _SWITCH,
        "history": Option(Whole(1)),
        "block": _SWITCH,
        "bedtape": Option(Choice(_MODES)),
        "record": Option(Command(_MODES, "what to record is said by `bedtape`, and by which command by `record`")),
    },
}
_RECORDING: dict[str, _Options] = {
    "record": {
        "to": _FOLDER,
        **_MATCHING,
        "name": _TEXT,
        "mode": Option(Choice(("reverse", "forward"))),
        "record": Option(Choice(("once", "new", "all"))),
        "region": _TEXT,
        "profile": _TEXT,
        "port": _PORT,
        "verify": _SWITCH,
        "print-addon": _SWITCH,
        "exact": _SWITCH,
        "upstream": _TEXT,
    },
    "recover": {"to": _FOLDER, **_REDACT},
}

# -- bedtape cassette ------------------------------------------------------------------------------------------

_IN: _Options = {"in": replace(_FOLDER, shared=("cassette", "in"))}
_JSON: _Options = {"json": replace(_SWITCH, shared=("cassette", "json"))}
_LOOKING: _Options = {**_IN, **_JSON}
_CHANGING: _Options = {**_LOOKING, "dry-run": replace(_SWITCH, shared=("cassette", "dry-run"))}
_SEARCHING: _Options = {"kind": Option(Text(), many=True), "pattern": Option(Pattern(), many=True)}
_TO: _Options = {"to": _TEXT}
_FORCE: _Options = {"force": _SWITCH}

_CASSETTE: dict[str, _Options] = {
    "ls": _LOOKING,
    "show": {**_LOOKING, "raw": _SWITCH},
    "stats": _LOOKING,
    "diff": {**_LOOKING, "rev": _TEXT, "noise": _SWITCH},
    "drop": _CHANGING,
    "keep": _CHANGING,
    "truncate-after": _CHANGING,
    "move": {**_CHANGING, **_TO},
    "copy": {**_CHANGING, **_TO},
    "rename": _CHANGING,
    "split": {**_CHANGING, "by": Option(Choice(("model", "operation", "session")))},
    "merge": {**_CHANGING, **_TO},
    "retime": {**_CHANGING, "zero": _SWITCH, "scale": Option(Number()), "cap": Option(Whole())},
    "trim": {**_CHANGING, "events": Option(Whole())},
    "renumber": _CHANGING,
    "edit": _CHANGING,
    "set": _CHANGING,
    "scan": {**_LOOKING, **_SEARCHING},
    "redact": {**_CHANGING, **_SEARCHING, "path": Option(Text(), many=True), "with": _TEXT},
    "check": {**_LOOKING, "history": _PLACE, "max-age": _TEXT, "drift": _SWITCH},
    "pack": {**_IN, "to": _PLACE, **_FORCE},
    "unpack": {"to": _FOLDER, **_FORCE},
    "import": {"to": _FOLDER, "overlays": _PLACE, "from": _TEXT, **_FORCE, **_REDACT},
    "export": {"cassettes": _FOLDERS, **_TO, "into": _PLACE, "region": _TEXT, **_FORCE},
    "git-setup": _IN,
}

TABLES: Mapping[str, _Options] = {
    TOP: _TOP,
    **_SERVING,
    **_RECORDING,
    "cassette": {"in": _FOLDER, "json": _SWITCH, "dry-run": _SWITCH},
    **{f"cassette.{name}": options for name, options in _CASSETTE.items()},
    "config.show": {"json": _SWITCH},
    "doctor": {"json": _SWITCH},
}

# Arguments that can be set as options can, by the name that their function has for them, and the key.
ARGUMENTS = {"folders": "cassettes"}

# Names the file of settings; empty, there is none.
CONFIG = "BEDTAPE_CONFIG"
# Variables that are no options: where the machine keeps what is bedtape's, and what `bedtape run` tells its program.
OTHER_VARIABLES = (CONFIG, "BEDTAPE_CACHE_DIR", "BEDTAPE_STATE_DIR", "BEDTAPE_URL")


def variable_of(name: Name) -> str:
    """The variable that says an option: `BEDTAPE_REPLAY_PORT`."""
    table, key = name
    if (own := TABLES[table][key].variable) is not None:
        return own
    return "_".join(("bedtape", *filter(None, table.split(".")), key)).replace("-", "_").upper()


def variables() -> Iterator[tuple[str, Name]]:
    """Every variable that says an option."""
    for table, options in TABLES.items():
        for key in options:
            yield variable_of((table, key)), (table, key)


def without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a `bedtape` that hears nothing but its arguments."""
    said = {variable for variable, _ in variables()}
    return {name: value for name, value in environ.items() if name not in said} | {CONFIG: ""}
