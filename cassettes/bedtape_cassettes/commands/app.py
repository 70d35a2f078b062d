"""The command `bedtape cassette`: which commands it has. What they do stands in the modules beside this one."""

from __future__ import annotations

import typer

from bedtape_cassettes.commands import changing, comparing, editing, guarding, importing, looking, packing

__all__ = ["cassette"]

cassette = typer.Typer(
    help="Look at cassettes, change them in bulk, compare them, pack them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

# Modules beside this one have plain functions, so that nothing imports this one; here they become commands.
cassette.command()(looking.ls)
cassette.command("show")(looking.show_)
cassette.command()(looking.stats)
cassette.command()(comparing.diff)
cassette.command()(changing.drop)
cassette.command()(changing.keep)
cassette.command()(changing.truncate_after)
cassette.command()(changing.move)
cassette.command()(changing.copy)
cassette.command()(changing.rename)
cassette.command()(changing.split)
cassette.command()(changing.merge)
cassette.command()(changing.retime)
cassette.command()(changing.trim)
cassette.command()(changing.renumber)
cassette.command()(editing.edit)
cassette.command("set")(editing.set_)
cassette.command()(guarding.scan)
cassette.command()(guarding.redact)
cassette.command()(guarding.check)
cassette.command()(packing.pack)
cassette.command()(packing.unpack)
cassette.command("import")(importing.import_)
cassette.command("export")(importing.export)
cassette.command()(comparing.git_setup)
cassette.command(hidden=True)(comparing.textconv)
