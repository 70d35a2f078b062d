"""The command `bedtape replay`: serves cassettes on a port and logs each call, until it stops."""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from bedtape_cassettes.admission import Admission
from bedtape_cassettes.cli.errors import exit_on_error, fail
from bedtape_cassettes.cli.options import AllowHost, AnyProfile, Ignore, Placeholder, RecordedRedact
from bedtape_cassettes.matching.rules import match_rules
from bedtape_cassettes.storage import store
from bedtape_replayer.answering.memory import Memory
from bedtape_replayer.api.gate import Gate
from bedtape_replayer.cli.call_log import CallLog, LogFormat, LogLevel
from bedtape_replayer.cli.namespace_file import (
    DEFAULT_NAMESPACE,
    MOST,
    NO_TEAM,
    Team,
    check_beside_teams,
    check_control_token,
    check_name,
    read_teams,
)
from bedtape_replayer.cli.play_options import (
    DEFAULT_FOLDER,
    Default,
    DefaultChoice,
    IdChoice,
    Ids,
    Simulate,
    Speed,
    Tls,
    TlsCert,
    TlsKey,
    Validate,
    ValidationChoice,
    choose_certificates,
)
from bedtape_replayer.cli.recordings import Recordings, Service, Sources, choose_folders
from bedtape_replayer.cli.serving import Serving
from bedtape_replayer.cli.shared_server import share_sessions
from bedtape_replayer.cli.upstream import check_upstream, open_upstream
from bedtape_replayer.engine.checks import parse_checks
from bedtape_replayer.engine.defaults import parse_default
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.overlay.overlay import NOTHING
from bedtape_replayer.overlay.simulation.features import parse_names
from bedtape_replayer.server.editor import FolderEditor
from bedtape_replayer.server.loading import read_overlay
from bedtape_replayer.server.namespaces import Namespace
from bedtape_replayer.server.other_folders import OtherFolders, find_other_folders
from bedtape_replayer.server.server import new_event_loop

# Objects that are made before the garbage collector looks for cycles. Python's default of 700
# costs a tenth of a call.
_COLLECT_AFTER = 50_000
# The caches alone need some.
_LEAST_MEMORY = 16


def replay(
    context: typer.Context,
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER",
            help=(
                "Folders of cassettes, .tape files, or files of other recorders, which are played"
                " as they are, or buckets: s3://BUCKET/PREFIX for the newest version, which is"
                " followed, or s3://BUCKET/PREFIX@DIGEST."
                " Default: cassettes/ if it contains any, else the shipped samples."
            ),
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")
    ] = 4566,
    speed: Speed = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict/--no-strict", help="Play each recording once. A further request is a miss."
        ),
    ] = False,
    ignore: Ignore = None,
    placeholder: Placeholder = None,
    any_profile: AnyProfile = False,
    redact: RecordedRedact = None,
    overlay: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Overlay file: rules and faults for every session."),
    ] = None,
    upstream: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help=(
                "The server to ask if nothing else answers: bedrock (needs"
                " RUN_REAL_BEDROCK_TESTS=1), another"
                " emulator, or a running bedtape record."
            ),
        ),
    ] = None,
    capture: Annotated[
        bool,
        typer.Option(
            "--capture/--no-capture", help="Record the answers of --upstream into the first folder."
        ),
    ] = False,
    edit: Annotated[
        bool,
        typer.Option(
            "--edit/--no-edit",
            help="Let the inspector and the control API change the first folder.",
        ),
    ] = False,
    validate: Validate = ValidationChoice.rules,
    ids: Ids = IdChoice.equal,
    simulate: Simulate = None,
    default: Default = DefaultChoice.strict,
    control_token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            envvar="BEDTAPE_CONTROL_TOKEN",
            help="Require this token in the control API, and serve it to other machines too.",
        ),
    ] = None,
    control: Annotated[
        bool, typer.Option("--control/--no-control", help="Serve the control API.")
    ] = True,
    tls: Tls = False,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    allow_host: AllowHost = None,
    grace: Annotated[
        float,
        typer.Option(
            min=0,
            max=86400,
            metavar="SECONDS",
            help="Time that answers in flight get after SIGTERM or Ctrl-C.",
        ),
    ] = 10.0,
    drain: Annotated[
        float,
        typer.Option(
            min=0,
            max=86400,
            metavar="SECONDS",
            help=(
                "Time after SIGTERM or Ctrl-C in which the server is not ready and still answers,"
                " so that a load balancer can notice. The time of --grace begins after it."
            ),
        ),
    ] = 0.0,
    memory: Annotated[
        int,
        typer.Option(
            min=_LEAST_MEMORY,
            max=MOST,
            metavar="MIB",
            help=(
                "MiB of memory for sessions and caches. Above it, the oldest calls are dropped and"
                " counted."
            ),
        ),
    ] = Memory.LIMIT >> 20,
    idle: Annotated[
        float,
        typer.Option(
            min=0,
            max=MOST,
            metavar="SECONDS",
            help="Drop a named session that was not used for this time; 0 keeps all sessions.",
        ),
    ] = 4 * 3600.0,
    more_folders: Annotated[
        list[Path] | None,
        typer.Option(
            "--cassettes",
            metavar="FOLDER",
            help="Folder of cassettes, .tape file or bucket to play beside FOLDER. Repeatable.",
        ),
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help=(
                "Share all sessions with other servers, in Valkey or Redis:"
                " valkey://HOST[:PORT][/DB]. Needs the extra state."
            ),
        ),
    ] = None,
    namespace: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="With --state: the servers with this name share sessions."
        ),
    ] = DEFAULT_NAMESPACE,
    namespaces: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=(
                "Let teams share the server without seeing each other: a file with their tokens,"
                " cassettes and limits."
            ),
        ),
    ] = None,
    log_level: Annotated[
        LogLevel, typer.Option(help="Lines to write to stderr: all calls, problems, or errors.")
    ] = LogLevel.info,
    log_format: Annotated[
        LogFormat,
        typer.Option(help="Form of these lines: for people, or a JSON object in each line."),
    ] = LogFormat.text,
    traces: Annotated[
        bool,
        typer.Option(
            "--traces/--no-traces",
            help=(
                "Send a span for each call to an OpenTelemetry collector, which"
                " OTEL_EXPORTER_OTLP_ENDPOINT names. Needs the extra otel."
            ),
        ),
    ] = False,
) -> None:
    """Serve cassettes on a local port, to any AWS SDK in any language.

    Set AWS_ENDPOINT_URL_BEDROCK_RUNTIME or the endpoint option of the client. The server sends
    nothing to Bedrock, except with --upstream. A request without a recording gets an error that
    names the nearest recording and the differences.

    \b
    Examples:
      bedtape replay
      bedtape replay tests/cassettes --port 0 --speed 1
      bedtape replay spec/fixtures/vcr_cassettes
      bedtape replay --overlay faults.yaml --log-level warning
    """
    log = CallLog(log_level, log_format)
    with exit_on_error():
        check_upstream(upstream, host, capture=capture)
        rules = match_rules(ignore or (), placeholder or (), redact or (), any_profile=any_profile)
        chosen = choose_folders(context, folders, more_folders)
        laid = (read_overlay(overlay) if overlay is not None else NOTHING).with_ids(ids.value)
        laid = laid.with_features(parse_names(simulate or ()))
        admission = Admission.at(host, allow_host or ())
        certificates = choose_certificates(host, tls_cert, tls_key, tls=tls)
        teams = [] if namespaces is None else read_teams(namespaces, os.environ)
        if teams:
            check_beside_teams(edit=edit, capture=capture, namespace=namespace)
        if control_token is not None:
            check_control_token(control_token, teams, control=control)

        sources = Sources(rules, log.report)

        def build(team: Team, *, shares: bool = True) -> Service:
            """Return a namespace, and what it plays."""
            played = sources.open(chosen if team.cassettes is None else team.cassettes)
            unused = idle if team.idle is None else team.idle
            engine = Engine(
                played.library,
                strict=strict,
                overlay=laid,
                checks=parse_checks(validate.value),
                defaults=parse_default(default.value),
                memory=(team.memory or memory) << 20,
                idle=unused or None,
                namespace=team.name,
            )
            engine.control = Gate(engine, only_probes=not control)
            shared = (
                None
                if state is None or not shares
                else share_sessions(engine, state, team.name or check_name(namespace), unused)
            )
            return Service(Namespace(engine, shared, team.token), played)

        if teams and all(team.cassettes is not None for team in teams):
            chosen = []  # no namespace plays them
        own, served = build(NO_TEAM, shares=not teams), [build(team) for team in teams]
    engine, recordings = own.namespace.engine, own.source.recordings
    if not teams:
        # it would show a team the files of another
        engine.elsewhere = OtherFolders(lambda: find_other_folders(chosen), rules)
    # with teams, a token opens the server itself, which has no sessions
    token = control_token or (secrets.token_hex() if teams else None)
    engine.control = gate = Gate(engine, token, address=host, only_probes=not control)
    if control and gate.is_off:
        log.report(
            f"other machines can reach {host}, so the control API is off; --control-token or"
            " BEDTAPE_CONTROL_TOKEN turns it on"
        )

    if edit:
        _check_editable(recordings)

    # What was loaded stays, and what a call leaves is freed without the collector, except a little.
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
    to = next(
        (folder for folder in recordings.folders if folder.is_dir() and folder != store.samples()),
        DEFAULT_FOLDER,
    )
    with (
        open_upstream(upstream, to, rules, capture=capture) as url,
        asyncio.Runner(loop_factory=new_event_loop) as runner,
    ):
        for each in (own, *served):
            each.namespace.engine.upstream = url
        if edit:
            engine.editor = _open_editor(engine, recordings, runner.get_loop(), log)
        observers = [] if log_level is LogLevel.error else [log.add]
        serving = Serving(
            own,
            served,
            *(host, port, admission, speed, grace, drain, log),
            *(observers, traces, certificates),
        )
        runner.run(serving.run())


def _check_editable(recordings: Recordings) -> None:
    """End the program if there is no folder to change. The package's samples do not change."""
    if not recordings.folders or recordings.folders[0] == store.samples():
        fix = "name one, such as `bedtape replay cassettes/ --edit`"
        fail(
            "--edit: expected a folder of cassettes of your own, found the samples or no folder;"
            f" {fix}"
        )


def _open_editor(
    engine: Engine, recordings: Recordings, loop: asyncio.AbstractEventLoop, log: CallLog
) -> FolderEditor:
    """Return the editor of the first folder.

    It works in threads, and the loop of the server replaces the library.
    """

    def reload() -> None:
        loop.call_soon_threadsafe(setattr, engine, "library", recordings.load(log.report))

    return FolderEditor(
        recordings.folders[0], recordings.rules.redaction, reload, store.cache_folder(os.environ)
    )
