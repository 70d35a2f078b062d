"""The command `bedtape replay`: serves cassettes on a port and logs one line for each call, until it is stopped."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from bedtape_cassettes.admission import Admission
from bedtape_cassettes.cli import processes
from bedtape_cassettes.cli.errors import exit_on_error, fail, report
from bedtape_cassettes.cli.options import AllowHost, AnyProfile, Ignore, Placeholder, RecordedRedact
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.matching.key import MatchRules
from bedtape_cassettes.matching.rules import match_rules
from bedtape_cassettes.operations import identify
from bedtape_cassettes.redaction.scrub import scrub_path, scrub_text
from bedtape_cassettes.storage import store
from bedtape_cassettes.text import escape_controls, format_count
from bedtape_replayer.answering.answer import Source
from bedtape_replayer.answering.library import Library
from bedtape_replayer.api.gate import Gate
from bedtape_replayer.cli.play_options import Identifying, Ids, Speed, Validate, Validating, check_speed
from bedtape_replayer.engine.checks import parse_checks
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.overlay.overlay import NOTHING
from bedtape_replayer.server.loading import load, read_overlay, watch
from bedtape_replayer.server.server import Outcome, Server, new_event_loop

DEFAULT_FOLDER = Path("cassettes")


class LogLevel(StrEnum):
    """The lines on stderr: every call, problems only, or none."""

    info = "info"
    warning = "warning"
    error = "error"


# Objects that are made before the garbage collector looks for cycles. Python's default of 700 costs a tenth of a call.
_COLLECT_AFTER = 50_000
# A short token could be guessed.
_SHORTEST_TOKEN = 16


def replay(
    context: typer.Context,
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER",
            help="Folders of cassettes, or .tape files. Default: cassettes/ if it contains any, else the shipped samples.",
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = 4566,
    speed: Speed = None,
    strict: Annotated[
        bool, typer.Option("--strict/--no-strict", help="Play each recording once. A further request is a miss.")
    ] = False,
    ignore: Ignore = None,
    placeholder: Placeholder = None,
    any_profile: AnyProfile = False,
    redact: RecordedRedact = None,
    overlay: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Overlay file: rules and faults for every session.")
    ] = None,
    validate: Validate = Validating.rules,
    ids: Ids = Identifying.equal,
    control_token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            envvar="BEDTAPE_CONTROL_TOKEN",
            help="Require this token in the control API, and serve it to other machines too.",
        ),
    ] = None,
    control: Annotated[bool, typer.Option("--control/--no-control", help="Serve the control API.")] = True,
    allow_host: AllowHost = None,
    grace: Annotated[
        float, typer.Option(min=0, max=86400, help="Seconds that answers in flight get after SIGTERM or Ctrl-C.")
    ] = 10.0,
    log_level: Annotated[
        LogLevel, typer.Option(help="Lines to write to stderr: all calls, problems, or errors.")
    ] = LogLevel.info,
) -> None:
    """Serve cassettes on a local port, to any AWS SDK in any language.

    Set AWS_ENDPOINT_URL_BEDROCK_RUNTIME or the endpoint option of the client. The server sends nothing to Bedrock. A
    request without a recording gets an error that names the nearest recording and the differences.

    \b
    Examples:
      bedtape replay
      bedtape replay tests/cassettes --port 0 --speed 1
      bedtape replay --overlay faults.yaml --log-level warning
    """
    with exit_on_error():
        check_speed(speed)
        rules = match_rules(ignore or (), placeholder or (), redact or (), any_profile=any_profile)
        chosen = folders or _default_folders(context)
        seen = store.fingerprint(chosen)
        library = load(chosen, rules=rules, cache=store.cache_folder(os.environ))
        laid = (read_overlay(overlay) if overlay is not None else NOTHING).with_ids(ids.value)
        admission = Admission.at(host, allow_host or ())
        if control_token is not None and not (control and len(control_token) >= _SHORTEST_TOKEN):
            raise CassetteError(
                f"--control-token: expected at least {_SHORTEST_TOKEN} characters and a control API, found"
                f" {len(control_token)}{'' if control else ' and --no-control'}; use a longer token, or remove one of the options"
            )
    engine = Engine(library, strict=strict, overlay=laid, checks=parse_checks(validate.value))
    if control:
        engine.control = gate = Gate(engine, control_token, address=host)
        if gate.is_off:
            report(
                f"other machines can reach {host}, so the control API is off; --control-token or BEDTAPE_CONTROL_TOKEN turns it on"
            )

    # What was loaded stays, and what a call leaves is freed without the collector, except a little.
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_serve(engine, host, port, admission, chosen, seen, rules, speed, grace, log_level))


def _fail_to_listen(host: str, port: int, error: OSError) -> NoReturn:
    why = "it is in use" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
    fail(f"cannot listen on {host} port {port}: {why}; choose another with --port, or 0 for any that is free")


def _say_where(host: str, port: int) -> None:
    shown = f"[{host}]" if ":" in host else host
    print(f"bedtape: listening on http://{shown}:{port}", flush=True)


def _default_folders(context: typer.Context) -> list[Path]:
    """Return the folders of the settings, which some versions of click ignore for arguments, or the existing default."""
    if said := context.lookup_default("folders"):
        return list(map(Path, said))
    if DEFAULT_FOLDER.is_dir() and store.fingerprint([DEFAULT_FOLDER]):
        return [DEFAULT_FOLDER]
    return [store.samples()]


async def _serve(
    engine: Engine,
    host: str,
    port: int,
    admission: Admission,
    folders: Sequence[Path],
    seen: store.Fingerprint,
    rules: MatchRules,
    speed: float | None,
    grace: float,
    level: LogLevel,
) -> None:
    """Serve until a signal comes."""
    calls = _CallLog(level)
    server = Server(engine, admission=admission, speed=speed, observer=None if level is LogLevel.error else calls.add)
    stopping = _stop_on_signals()
    try:
        await server.start(host, port)
    except OSError as error:
        _fail_to_listen(host, port, error)
    _say_where(host, server.port)
    _log(_summary(engine.library, folders), level)

    def replace_library(library: Library) -> None:
        engine.library = library
        calls.flush()
        _log(f"cassettes changed: {_summary(library, folders)}", level)

    def report_failure(error: CassetteError) -> None:
        calls.flush()
        report(f"cassettes changed, and cannot be read; the old ones stay\n{error}")

    cache = store.cache_folder(os.environ)
    watching = asyncio.create_task(
        watch(folders, seen, rules=rules, cache=cache, changed=replace_library, failed=report_failure)
    )
    await stopping.wait()
    watching.cancel()
    await server.stop(grace)
    calls.flush()


def _stop_on_signals() -> asyncio.Event:
    """The first signal ends the server in order. The second kills the process, even if this loop does not run."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def stop() -> None:
        stopping.set()
        for number in processes.ENDING:
            loop.remove_signal_handler(number)
        processes.die_at_next_signal()

    for number in processes.ENDING:
        loop.add_signal_handler(number, stop)
    return stopping


def _summary(library: Library, folders: Sequence[Path]) -> str:
    where = "the shipped samples" if list(folders) == [store.samples()] else ", ".join(map(str, folders))
    return f"{format_count(len(library), 'interaction')} in {format_count(len(library.cassettes), 'cassette')} from {where}"


def _log(line: str, level: LogLevel) -> None:
    if level is LogLevel.info:
        report(line)


class _CallLog:
    """Writes a line for each call to stderr: at once to a terminal, otherwise in batches, because a write costs as much as
    an answer.
    """

    def __init__(self, level: LogLevel) -> None:
        self._level = level
        self._at_once = sys.stderr.isatty()
        self._lines: list[str] = []

    def add(self, outcome: Outcome) -> None:
        source = outcome.answer.source
        if source == "control" or (self._level is not LogLevel.info and source not in ("miss", "overlay")):
            return
        self._lines.append(_line(outcome))
        if self._at_once:
            self.flush()
        elif len(self._lines) == 1:
            asyncio.get_running_loop().call_later(_BATCH_SECONDS, self.flush)

    def flush(self) -> None:
        if self._lines:
            sys.stderr.write("\n".join(self._lines) + "\n")
            sys.stderr.flush()
            self._lines.clear()


# The log of a process that is killed lacks the calls of this time.
_BATCH_SECONDS = 0.05

# The word before the name of the layer that answered. A recording is shown by its file name alone.
_BY = {
    "rule": "rule ",
    "fault": "fault ",
    "miss": "MISS",
    "validation": "refused as Bedrock would",
    "overlay": "OVERLAY ",
}


def _line(outcome: Outcome) -> str:
    """`ConverseStream  us.amazon.nova-lite-v1:0  200  weather/0002-….yaml  1.2 ms`."""
    answer = outcome.answer
    call = answer.call
    described = _describe(
        call.method, call.path, call.model, answer.reply.status, answer.source, answer.by, answer.faults
    )
    line = f"{described}  {outcome.seconds * 1000:.1f} ms"
    if call.session != "default":
        line += f"  session {escape_controls(scrub_text(call.session))}"
    if not outcome.complete:
        line += "  client hung up"
    return f"{line}\n{_indent(str(answer.miss))}" if answer.miss else line


@lru_cache(maxsize=1024)
def _describe(
    method: str, path: str, model: str | None, status: int, source: Source, by: str | None, faults: tuple[str, ...]
) -> str:
    """Formats the part of a line that is the same for equal calls."""
    target = identify(method, scrub_path(path))
    shown = target.model or (model and scrub_text(model)) or "-"
    layer = _BY.get(source, "") + (by or "")
    layers = " + ".join((layer, *faults)) if source != "fault" else layer
    return escape_controls("  ".join((target.name or f"{method} {target.path}", shown, str(status), layers)))


def _indent(text: str) -> str:
    return "\n".join("  " + escape_controls(line) for line in text.splitlines())
