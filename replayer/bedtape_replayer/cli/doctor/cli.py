"""The command `bedtape doctor`."""

from __future__ import annotations

import shutil
import sys
from dataclasses import asdict

import typer

from bedtape_cassettes.cli.options import AsJson
from bedtape_cassettes.cli.output import print_json, print_lines
from bedtape_replayer.cli.doctor.checks import examine
from bedtape_replayer.cli.doctor.probe import gather
from bedtape_replayer.cli.doctor.render import render_lines, summary

__all__ = ["doctor"]


def doctor(as_json: AsJson = False) -> None:
    """Find problems of this environment and print their fixes. The exit code is 1 if there is a problem.

    It reads this shell's variables, AWS's configuration files, the installed packages, the cassettes in this folder, and
    the ports of this machine. It changes nothing, contacts no other machine, and prints no secret.

    \b
    Example:
      bedtape doctor
      bedtape doctor --json
    """
    diagnoses = examine(gather())
    if as_json:
        print_json({"checks": [asdict(diagnosis) for diagnosis in diagnoses]})
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        print_lines(render_lines(diagnoses, width))
        typer.echo(summary(diagnoses))
    raise typer.Exit(1 if any(diagnosis.level == "wrong" for diagnosis in diagnoses) else 0)
