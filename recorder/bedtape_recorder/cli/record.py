"""The command `bedtape record`: runs a program and records its calls, or verifies recordings."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from bedtape_cassettes.cli import processes
from bedtape_cassettes.cli.errors import exit_on_error, fail, report
from bedtape_cassettes.cli.options import AllowHost, AnyProfile, Ignore, Placeholder
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.matching.rules import match_rules
from bedtape_cassettes.text import format_count
from bedtape_recorder.cli.recover import REDACT, Record
from bedtape_recorder.cli.verifying import Format, verify_recordings
from bedtape_recorder.drift.plan import Plan
from bedtape_recorder.errors import MissingExtra, RecorderError
from bedtape_recorder.recording_files import render_summary
from bedtape_recorder.settings import DEFAULTS, Settings, check_gate, check_name, parse_upstream


class Mode(StrEnum):
    """How a program's calls reach the recorder."""

    reverse = "reverse"
    forward = "forward"


def record(
    command: Annotated[
        list[str] | None, typer.Argument(metavar="COMMAND", help="The program to record, after --.")
    ] = None,
    to: Annotated[Path, typer.Option(help="Folder of cassettes to record into.")] = DEFAULTS.folder,
    name: Annotated[
        str | None,
        typer.Option(
            help="Record into one cassette with this name. Default: one cassette per session."
        ),
    ] = None,
    mode: Annotated[
        Mode,
        typer.Option(
            help="reverse: the client uses endpoint variables; requests are signed again. forward: the client uses HTTPS_PROXY."
        ),
    ] = Mode.reverse,
    record: Annotated[
        Record,
        typer.Option(
            help="once: record cassettes that do not exist. new: also add missing calls. all: record every call again."
        ),
    ] = Record.once,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune/--no-prune",
            help="With --record all: remove recordings of requests that were not made, after copying them.",
        ),
    ] = False,
    region: Annotated[
        str | None, typer.Option(help="Region of requests that do not name a region.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="AWS profile to sign with.")] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")
    ] = 0,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify/--no-verify",
            help="Record nothing: send the recorded requests again, and report answers whose structure has changed.",
        ),
    ] = False,
    select: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SELECTOR",
            help="With --verify: interactions to send again. Repeatable. Default: all.",
        ),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=10**9,
            help="With --verify: number of requests, taken in turn from each operation and model.",
        ),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=10**9,
            metavar="TOKENS",
            help="With --verify: stop when the answers took this many tokens.",
        ),
    ] = None,
    concurrency: Annotated[
        int, typer.Option(min=1, max=64, help="With --verify: number of requests at the same time.")
    ] = 4,
    operation: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="With --verify: also send this operation, which can change something (InvokeAgent). Repeatable.",
        ),
    ] = None,
    allow_list: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --verify: findings that are expected, one a line (KIND: WHERE).",
        ),
    ] = None,
    accept: Annotated[
        bool,
        typer.Option(
            "--accept/--no-accept",
            help="With --verify: replace the recorded answers that have findings.",
        ),
    ] = False,
    format_: Annotated[
        Format,
        typer.Option("--format", help="With --verify: the form in which findings are printed."),
    ] = Format.text,
    print_addon: Annotated[
        bool,
        typer.Option(
            "--print-addon/--no-print-addon",
            help='Print the addon\'s path, for mitmdump -s "$(bedtape record --print-addon)".',
        ),
    ] = False,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact/--no-exact", help="Keep every byte and header of the answers, except secrets."
        ),
    ] = False,
    audio: Annotated[
        bool,
        typer.Option(
            "--audio/--no-audio",
            help="Keep the audio that the program sends in bidirectional streams, as WAV files.",
        ),
    ] = False,
    upstream: Annotated[
        str | None,
        typer.Option(
            help="Send requests to this URL instead of Bedrock's endpoints (a VPC endpoint)."
        ),
    ] = None,
    redact: Annotated[list[str] | None, typer.Option(metavar="PATTERN", help=REDACT)] = None,
    ignore: Ignore = None,
    placeholder: Placeholder = None,
    any_profile: AnyProfile = False,
    read_on: Annotated[
        int,
        typer.Option(
            min=0,
            max=3600,
            help="Seconds to read an answer on after its client has closed the connection; 0 cuts it.",
        ),
    ] = DEFAULTS.read_on,
    allow_host: AllowHost = None,
    allow_unknown: Annotated[
        bool,
        typer.Option(
            "--allow-unknown/--no-allow-unknown",
            help="Also send operations that bedtape does not know, such as CreateGuardrail.",
        ),
    ] = False,
) -> None:
    """Record a program's calls to real Amazon Bedrock. Needs RUN_REAL_BEDROCK_TESTS=1; costs money.

    With a command, runs it with its environment set and returns its exit code. Without one, prints
    the variables to set and records until Ctrl-C.

    \b
    Examples:
      RUN_REAL_BEDROCK_TESTS=1 bedtape record -- pytest tests/real
      RUN_REAL_BEDROCK_TESTS=1 bedtape record --name weather -- node ask.js
    """
    if print_addon:
        print(Path(__file__).parents[1] / "mitmproxy_script" / "bedtape_addon.py")
        return
    with exit_on_error(RecorderError):
        check_gate(os.environ)
        check_name(name)
        if prune and record != Record.all:
            raise RecorderError(f"--prune: expected --record all, found --record {record.value}")
        match = match_rules(ignore or (), placeholder or (), redact or (), any_profile=any_profile)
        settings = Settings(
            to,
            name,
            mode.value,
            record.value,
            region,
            profile,
            port,
            exact,
            parse_upstream(upstream),
            match,
            tuple(allow_host or ()),
            allow_unknown,
            prune,
            read_on,
            audio,
        )
        if verify:
            plan = Plan(tuple(select or ()), sample, budget, concurrency, tuple(operation or ()))
            raise typer.Exit(
                verify_recordings(settings, plan, allow_list, format_.value, accept=accept)
            )
        recording = _import_session().Recording(settings, os.environ)
        report(recording.describe())
        recording.start()
    code, problem = 1, None
    try:
        with _show_progress(recording):
            code = _run(recording, command) if command else _wait_until_stopped(recording)
    except RecorderError as error:
        problem = str(error)
    finally:
        _finish(recording, failed=code != 0)
    if problem:
        fail(problem)
    if command and (reason := recording.explain_nothing(code)):
        report(f"nothing was recorded: {reason}")
        code = code or 2
    raise typer.Exit(code)


def _import_session() -> Any:
    """Import the module that needs mitmproxy. Raises MissingExtra if mitmproxy is not installed."""
    try:
        return import_module("bedtape_recorder.session")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("mitmproxy", "certifi"):
            raise
        raise MissingExtra(
            "recording needs mitmproxy: pip install 'bedtape[record]', or, if its dependencies conflict with "
            "yours, pipx install 'bedtape[record]': the recorded program does not need the package"
        ) from None


def _run(recording: Any, command: Sequence[str]) -> int:
    """Run the program with its calls recorded. Return its exit code. Raises RecorderError."""
    try:
        return processes.run(command, recording.make_environment())
    except OSError as error:
        raise RecorderError(f"cannot run {command[0]}: {error.strerror}") from None


def _wait_until_stopped(recording: Any) -> int:
    for name, value in recording.make_exports().items():
        print(f"export {name}={shlex.quote(value)}", flush=True)
    report("recording; Ctrl-C writes the cassettes")
    stopped = threading.Event()

    def stop(*_: object) -> None:
        processes.die_at_next_signal()  # the journal stays
        stopped.set()

    for number in processes.ENDING:
        signal.signal(number, stop)
    stopped.wait()
    return 0


@contextmanager
def _show_progress(recording: Any) -> Iterator[None]:
    """Show the totals of the recording in one line, if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    finished = threading.Event()

    def show() -> None:
        while not finished.wait(0.5):
            counts = recording.capture.counts
            size = f"{counts.requests} requests, {counts.bytes / 1000:.1f} kB"
            print(f"\r\x1b[Kbedtape: recording: {size}", end="", file=sys.stderr, flush=True)
        sys.stderr.write("\r\x1b[K")

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()


def _finish(recording: Any, *, failed: bool) -> None:
    try:
        written = recording.stop(failed=failed)
    except (CassetteError, OSError) as error:
        if failure := recording.capture.describe_failure():
            report(failure)
        fail(
            f"{error}\nthe journal is kept: {recording.journal}; fix what is wrong, then bedtape recover"
        )
    for line in recording.errors:
        report(line)
    existing = recording.existing
    if existing.played or existing.missed:
        report(
            f"{format_count(existing.played, 'call')} {'was' if existing.played == 1 else 'were'}"
            f" played from cassettes that exist, {existing.missed} missed there"
            " (--record new records what is missing, --record all everything anew)"
        )
    counts = recording.capture.counts
    report(render_summary(written), prefix="")
    if counts.models:
        models, (tokens_in, tokens_out) = ", ".join(sorted(counts.models)), written.tokens
        size = f"{counts.bytes / 1000:.1f} kB received"
        report(f"models: {models}; {tokens_in} tokens in, {tokens_out} out; {size}")
    if failure := recording.capture.describe_failure():
        fail(failure)
