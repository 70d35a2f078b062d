"""The command `bedtape recover`: makes cassettes of the journals of recordings that were killed."""

from __future__ import annotations

import os
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bedtape_cassettes.cli.errors import exit_on_error, report
from bedtape_cassettes.cli.options import AnyProfile, AsJson, Ignore, Placeholder
from bedtape_cassettes.cli.output import print_json
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.format import journal
from bedtape_cassettes.matching.rules import match_rules
from bedtape_cassettes.storage import store
from bedtape_recorder.finish import recover_file
from bedtape_recorder.journal_file import is_in_use
from bedtape_recorder.recording_files import render_summary, to_json
from bedtape_recorder.settings import DEFAULTS, read_own_secrets

REDACT = "Pattern of what to take out besides secrets, before anything is written. Repeatable."


class Record(StrEnum):
    """What to record if a cassette exists: nothing, missing calls, or every call."""

    once = "once"
    new = "new"
    all = "all"


def recover(
    to: Annotated[
        Path, typer.Option(help="Folder of cassettes to recover into.")
    ] = DEFAULTS.folder,
    redact: Annotated[list[str] | None, typer.Option(metavar="PATTERN", help=REDACT)] = None,
    record: Annotated[
        Record | None,
        typer.Option(
            help="How to merge with existing cassettes, if not as the recording would have."
        ),
    ] = None,
    ignore: Ignore = None,
    placeholder: Placeholder = None,
    any_profile: AnyProfile = False,
    as_json: AsJson = False,
) -> None:
    """Turn the journals of recordings that were killed into cassettes.

    What was cut is marked as partial.

    \b
    Example:
      bedtape recover --to tests/cassettes
    """
    with exit_on_error():
        rules = match_rules(ignore or (), placeholder or (), redact or (), any_profile=any_profile)
        redaction = replace(rules.redaction, own=read_own_secrets(os.environ))
    folder = store.find_state_folder(os.environ) / "journals"
    journals = sorted(folder.glob(f"*{journal.SUFFIX}")) if folder.is_dir() else []
    if not journals:
        report(f"nothing to recover in {folder}")
    recovered, failed = list[dict[str, object]](), False
    for path in journals:
        if is_in_use(path):
            report(f"still being recorded, and left alone: {path}")
            continue
        try:
            mode = record and record.value
            written = recover_file(path, to, mode=mode, redaction=redaction, rules=rules)
            recovered.append(to_json(path, written))
            report(render_summary(written), prefix="")
        except (CassetteError, OSError) as error:
            report(f"{error}\nthe journal is kept: {path}")
            failed = True
    if as_json:
        print_json(recovered)
    raise typer.Exit(2 if failed else 0)
