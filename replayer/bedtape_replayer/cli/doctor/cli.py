"""The command `bedtape doctor`, and its checks, in the order in which they affect a call."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict

import typer

from bedtape_cassettes.cli.options import AsJson
from bedtape_cassettes.cli.output import print_json, print_lines
from bedtape_replayer.cli.doctor import credentials, endpoints, machine, project
from bedtape_replayer.cli.doctor.diagnosis import Diagnosis, render_lines, summary
from bedtape_replayer.cli.doctor.environment import Environment
from bedtape_replayer.cli.doctor.probe import gather

CHECKS: tuple[Callable[[Environment], Iterator[Diagnosis]], ...] = (
    machine.check_python,
    machine.check_environment,
    machine.check_uvloop,
    machine.check_open_files,
    machine.check_cache,
    machine.check_boto3,
    machine.check_pytest,
    machine.check_javascript,
    machine.check_mitmproxy,
    endpoints.check_endpoint,
    endpoints.check_other_endpoints,
    endpoints.check_ignored,
    endpoints.check_kinds,
    endpoints.check_all_services,
    endpoints.check_other_clients,
    endpoints.check_port,
    endpoints.check_proxy,
    credentials.check_profile,
    credentials.check_bearer,
    credentials.check_keys,
    credentials.check_region,
    credentials.check_bundles,
    project.check_settings,
    project.check_gate,
    project.check_token,
    project.check_cassettes,
)


def examine(env: Environment) -> tuple[Diagnosis, ...]:
    """Return the results of all checks."""
    return tuple(diagnosis for check in CHECKS for diagnosis in check(env))


def doctor(as_json: AsJson = False) -> None:
    """Find problems of this environment and print their fixes.

    The exit code is 1 if there is a problem.

    It reads this shell's variables, AWS's configuration files, the installed packages, the
    cassettes in this folder, and the ports of this machine. It changes nothing, contacts no other
    machine, and prints no secret.

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
