"""The command `bedtape init`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from bedtape_cassettes.cli.errors import exit_on_error
from bedtape_cassettes.cli.options import DryRun
from bedtape_cassettes.storage import git
from bedtape_cassettes.text import escape_controls
from bedtape_replayer.cli.init import writing
from bedtape_replayer.cli.init.plan import Plan, PlannedFile, plan_of
from bedtape_replayer.cli.init.project import Framework, InitError, framework_of


def init(
    pytest: Annotated[
        bool | None,
        typer.Option("--pytest/--vitest", help="Test framework. Default: the project's framework."),
    ] = None,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes/--no-yes",
            help="Write outside this folder without a question: git's configuration.",
        ),
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Write settings, a sample cassette and a first test into the project in this folder.

    The test passes offline.

    The files of the project select the test framework, unless an option selects it; in an empty
    folder it is pytest. In a git repository, it also configures readable diffs of .tape files. If
    git's configuration is outside this folder, the command asks before it changes the
    configuration, or leaves it unchanged without a terminal. Existing files stay unchanged, so you
    can run the command again.

    \b
    Examples:
      bedtape init && pytest
      bedtape init --vitest --dry-run
    """
    root = Path.cwd()
    with exit_on_error():
        project = writing.look(root)
        frameworks: dict[bool | None, Framework] = {True: "pytest", False: "vitest"}
        framework = frameworks.get(pytest) or framework_of(project)
        _carry_out(root, plan_of(project, framework, writing.sample()), yes=yes, dry_run=dry_run)


def _carry_out(root: Path, plan: Plan, *, yes: bool, dry_run: bool) -> None:
    repository = git.find_repository(root)
    pieces = (*plan.pieces, *([writing.attributes(root)] if repository else []))
    wanted = [piece for piece in pieces if not writing.is_there(root, piece)]
    if problems := writing.obstacles(root, wanted):
        raise InitError(problems)
    rows = [_row(piece, piece in wanted, dry_run=dry_run) for piece in pieces]
    configure: Callable[[], None] | None = None
    if repository is None:
        rows.append(("skipped", git.ATTRIBUTES, "no git repository (bedtape cassette git-setup)"))
    else:
        action, configure = _plan_diff(root, repository, yes=yes, dry_run=dry_run)
        rows.append(action)
    if not dry_run:
        writing.write(root, wanted, configure or (lambda: None))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo(
            "  ".join(
                escape_controls(cell).ljust(width) for cell, width in zip(row, widths, strict=True)
            ).rstrip()
        )
    typer.echo("\nNext:")
    for command in plan.then:
        typer.echo(f"  {command}")


def _plan_diff(
    root: Path, repository: Path, *, yes: bool, dry_run: bool
) -> tuple[tuple[str, str, str], Callable[[], None] | None]:
    """Return the table row for git's configuration, and the function that changes
    it, if it is to be changed.

    Asks if the configuration is outside `root`, unless the user agreed by `--yes`.
    """
    file, here = git.find_configuration(repository).resolve(), root.resolve()
    shown, what = (
        os.path.relpath(file, here),
        f"{git.DIFF_OPTION}: git diff shows .tape files as text",
    )
    if git.is_diff_configured(repository):
        return ("left", shown, f"has {git.DIFF_OPTION} already"), None
    if dry_run:
        outside = "" if file.is_relative_to(here) or yes else " (asks first)"
        return ("would add to", shown, f"{what}{outside}"), None
    if not yes and not file.is_relative_to(here):
        question = (
            f"Add {git.DIFF_OPTION} to {file}, outside this folder, so that git diff shows .tape"
            " files as text?"
        )
        if not sys.stdin.isatty():
            return (
                "skipped",
                shown,
                "outside this folder (--yes, or bedtape cassette git-setup)",
            ), None
        if not typer.confirm(question, default=False, err=True):
            return ("skipped", shown, "not wanted (later: bedtape cassette git-setup)"), None
    return ("added to", shown, what), lambda: git.configure_diff(repository)


def _row(piece: PlannedFile, wanted: bool, *, dry_run: bool) -> tuple[str, str, str]:
    """Return the table row for one file: the action, the file and the reason."""
    if not wanted:
        return "left", piece.path, piece.there or "is there already"
    verbs = ("would add to", "added to") if piece.adds else ("would write", "wrote")
    return verbs[0 if dry_run else 1], piece.path, piece.what
