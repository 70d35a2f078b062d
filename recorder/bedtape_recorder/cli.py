"""The commands `bedtape record` and `bedtape recover`."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from bedtape_cassettes.cli import processes
from bedtape_cassettes.cli.errors import exit_on_error, fail, report
from bedtape_cassettes.cli.options import AllowHost, AnyProfile, Ignore, Placeholder
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.format import journal
from bedtape_cassettes.matching.rules import match_rules
from bedtape_cassettes.names import is_safe_name
from bedtape_cassettes.redaction.scrub import find_secrets, read_patterns
from bedtape_cassettes.text import format_count
from bedtape_recorder import gate
from bedtape_recorder.errors import ExtraMissing, RecorderError
from bedtape_recorder.finish import WriteResult, recover_file
from bedtape_recorder.journal_file import is_in_use
from bedtape_recorder.settings import Settings, find_state_folder, parse_upstream, read_own_secrets

_REDACT = "Pattern of what to take out besides secrets, before anything is written. Repeatable."


class Mode(StrEnum):
    """How a program's calls reach the recorder."""

    reverse = "reverse"
    forward = "forward"


class Record(StrEnum):
    """What to record if a cassette exists: nothing, missing calls, or every call."""

    once = "once"
    new = "new"
    all = "all"


def record(
    command: Annotated[
        list[str] | None, typer.Argument(metavar="COMMAND", help="The program to record, after --.")
    ] = None,
    to: Annotated[Path, typer.Option(help="Folder of cassettes to record into.")] = Path("cassettes"),
    name: Annotated[
        str | None, typer.Option(help="Record into one cassette with this name. Default: one cassette per session.")
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
    region: Annotated[str | None, typer.Option(help="Region of requests that do not name a region.")] = None,
    profile: Annotated[str | None, typer.Option(help="AWS profile to sign with.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = 0,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify/--no-verify",
            help="Record nothing: send the recorded requests again, and report answers whose structure has changed.",
        ),
    ] = False,
    print_addon: Annotated[
        bool,
        typer.Option(
            "--print-addon/--no-print-addon",
            help='Print the addon\'s path, for mitmdump -s "$(bedtape record --print-addon)".',
        ),
    ] = False,
    exact: Annotated[
        bool, typer.Option("--exact/--no-exact", help="Keep every byte and header of the answers, except secrets.")
    ] = False,
    upstream: Annotated[
        str | None, typer.Option(help="Send requests to this URL instead of Bedrock's endpoints (a VPC endpoint).")
    ] = None,
    redact: Annotated[list[str] | None, typer.Option(metavar="PATTERN", help=_REDACT)] = None,
    ignore: Ignore = None,
    placeholder: Placeholder = None,
    any_profile: AnyProfile = False,
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

    With a command, runs it with its environment set and returns its exit code. Without one, prints the variables to
    set and records until Ctrl-C.

    \b
    Examples:
      RUN_REAL_BEDROCK_TESTS=1 bedtape record -- pytest tests/real
      RUN_REAL_BEDROCK_TESTS=1 bedtape record --name weather -- node ask.js
    """
    if print_addon:
        print(Path(__file__).parent / "mitmproxy_script" / "bedtape_addon.py")
        return
    with exit_on_error(RecorderError):
        gate.require(os.environ)
        if name is not None and not is_safe_name(name):
            raise RecorderError(f"--name: expected plain parts joined by /, found {name!r}")
        if name is not None and (kinds := find_secrets(name.encode())):
            raise RecorderError(f"--name: expected a name without a secret, found {kinds[0]}; choose another name")
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
        )
        if verify:
            raise typer.Exit(_verify(settings))
        recording = _import_session().Recording(settings, os.environ)
        report(recording.describe())
        recording.start()
    code, problem = 0, None
    try:
        with _show_progress(recording):
            code = _run(recording, command) if command else _wait_until_stopped(recording)
    except RecorderError as error:
        problem = str(error)
    finally:
        _finish(recording)
    if problem:
        fail(problem)
    raise typer.Exit(code)


def recover(
    to: Annotated[Path, typer.Option(help="Folder of cassettes to recover into.")] = Path("cassettes"),
    redact: Annotated[list[str] | None, typer.Option(metavar="PATTERN", help=_REDACT)] = None,
    record: Annotated[
        Record | None, typer.Option(help="How to merge with existing cassettes, if not as the recording would have.")
    ] = None,
) -> None:
    """Turn the journals of recordings that were killed into cassettes. What was cut is marked as partial.

    \b
    Example:
      bedtape recover --to tests/cassettes
    """
    with exit_on_error():
        redaction = replace(read_patterns(redact or []), own=read_own_secrets(os.environ))
    folder = find_state_folder(os.environ) / "journals"
    journals = sorted(folder.glob(f"*{journal.SUFFIX}")) if folder.is_dir() else []
    if not journals:
        report(f"nothing to recover in {folder}")
    failed = False
    for path in journals:
        if is_in_use(path):
            report(f"still being recorded, and left alone: {path}")
            continue
        try:
            report(
                _render_summary(recover_file(path, to, mode=record and record.value, redaction=redaction)), prefix=""
            )
        except (CassetteError, OSError) as error:
            report(f"{error}\nthe journal is kept: {path}")
            failed = True
    if failed:
        raise typer.Exit(2)


def _verify(settings: Settings) -> int:
    """Print every drift. Return 1 if there is a drift, otherwise 0."""
    drifted = sent = 0
    for verdict in import_module("bedtape_recorder.verify").verify(settings, os.environ, report):
        sent += verdict.skipped is None
        drifted += bool(verdict.drifts)
        if verdict.skipped:
            report(f"{verdict.file}: not asked: {verdict.skipped}")
        for drift in verdict.drifts:
            print(f"{verdict.file}: {drift}", flush=True)
    report(f"asked {sent} again: {drifted} drifted")
    if not sent:
        fail("no request could be sent again, so nothing was verified")
    return 1 if drifted else 0


def _import_session() -> Any:
    """Import the module that needs mitmproxy. Raises ExtraMissing if mitmproxy is not installed."""
    try:
        return import_module("bedtape_recorder.session")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("mitmproxy", "certifi"):
            raise
        raise ExtraMissing(
            "recording needs mitmproxy: pip install 'bedtape[record]', or, if its dependencies conflict with "
            "yours, pipx install 'bedtape[record]': the recorded program does not need the package"
        ) from None


def _run(recording: Any, command: Sequence[str]) -> int:
    """Run the program with its calls recorded. Return its exit code. Raises RecorderError if it cannot be run."""
    try:
        return processes.run(command, recording.make_environment())
    except OSError as error:
        raise RecorderError(f"cannot run {command[0]}: {error.strerror}") from None


def _wait_until_stopped(recording: Any) -> int:
    for name, value in recording.make_exports().items():
        print(f"export {name}={value}", flush=True)
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
            sys.stderr.write(f"\r\x1b[Kbedtape: recording: {counts.requests} requests, {counts.bytes / 1000:.1f} kB")
            sys.stderr.flush()
        sys.stderr.write("\r\x1b[K")

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()


def _finish(recording: Any) -> None:
    try:
        written = recording.stop()
    except (CassetteError, OSError) as error:
        if failure := recording.capture.describe_failure():
            report(failure)
        fail(f"{error}\nthe journal is kept: {recording.journal}; fix what is wrong, then bedtape recover")
    for line in recording.errors:
        report(line)
    if recording.played or recording.missed:
        report(
            f"{recording.played} calls were played from cassettes that exist, {recording.missed} missed there"
            " (--record new records what is missing, --record all everything anew)"
        )
    counts = recording.capture.counts
    report(_render_summary(written), prefix="")
    if counts.models:
        tokens_in, tokens_out = written.tokens
        size = f"{counts.bytes / 1000:.1f} kB received"
        report(f"models: {', '.join(sorted(counts.models))}; {tokens_in} tokens in, {tokens_out} out; {size}")
    if failure := recording.capture.describe_failure():
        fail(failure)


def _render_summary(written: WriteResult) -> str:
    into = format_count(len(written.cassettes), "cassette")
    lines = [f"bedtape: recorded {format_count(written.interactions, 'interaction')} into {into}"]
    lines += [f"  {name}" for name in written.cassettes]
    if written.partial:
        lines.append(f"bedtape: {written.partial} were cut: they are kept as partial and never replayed")
    lines += [
        f"bedtape: the journal is damaged at byte {at}: what can be read is recovered, and it is kept: {written.kept}"
        for at in written.damaged
    ]
    lines += [f"bedtape: not recorded: {failed}" for failed in written.failed]
    return "\n".join(lines)
