"""The command group `bedtape cassette` and its list of commands."""

from __future__ import annotations

from collections.abc import Callable

import typer

from bedtape_cassettes.cli import (
    accepting,
    changing,
    comparing,
    editing,
    guarding,
    importing,
    looking,
    packing,
)
from bedtape_cassettes.cli.help import PlainCommand, SectionedGroup

cassette = typer.Typer(
    cls=SectionedGroup,
    help="Show, change, compare and pack cassettes.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

# The other modules of this room define plain functions, so that they need not import this one.
_SECTIONS: dict[str, dict[str, Callable[..., None]]] = {
    "Look": {
        "ls": looking.ls,
        "show": looking.show_,
        "stats": looking.stats,
        "grep": looking.grep,
        "diff": comparing.diff,
    },
    "Change": {
        "drop": changing.drop,
        "keep": changing.keep,
        "truncate-after": changing.truncate_after,
        "move": changing.move,
        "copy": changing.copy,
        "rename": changing.rename,
        "split": changing.split,
        "merge": changing.merge,
        "retime": changing.retime,
        "trim": changing.trim,
        "renumber": changing.renumber,
        "accept": accepting.accept,
        "undo": changing.undo,
    },
    "Edit": {
        "edit": editing.edit,
        "set": editing.set_,
        "unset": editing.unset,
        "replace": editing.replace_,
        "insert": editing.insert,
    },
    "Guard": {
        "scan": guarding.scan,
        "redact": guarding.redact,
        "check": guarding.check,
        "schema": guarding.schema,
    },
    "Pack and exchange": {
        "pack": packing.pack,
        "unpack": packing.unpack,
        "push": packing.push,
        "pull": packing.pull,
        "import": importing.import_,
        "export": importing.export,
        "git-setup": comparing.git_setup,
    },
}
for _section, _commands in _SECTIONS.items():
    for _name, _command in _commands.items():
        cassette.command(_name, cls=PlainCommand, rich_help_panel=_section)(_command)
cassette.command(cls=PlainCommand, hidden=True)(comparing.textconv)
