"""The command `bedtape run`: any program's Bedrock calls answered from cassettes, whatever
language its tests are in.

Nothing is ever sent to AWS, and the program gets no credentials.
"""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from bedtape_cassettes.addresses import DEFAULT_SESSION, isolate_environment
from bedtape_cassettes.cli import processes
from bedtape_cassettes.cli.errors import exit_on_error, fail, report
from bedtape_cassettes.cli.options import AnyProfile, Ignore, Placeholder, RecordedRedact
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.matching.key import MatchRules
from bedtape_cassettes.matching.rules import match_rules
from bedtape_cassettes.model import Interaction
from bedtape_cassettes.storage import store
from bedtape_cassettes.storage.authority import open_authority
from bedtape_cassettes.storage.trust import trust
from bedtape_cassettes.text import format_count, render_annotation
from bedtape_replayer.answering.answer import PROBLEMS, Outcome, Source
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.library import Library
from bedtape_replayer.api.inspector.capture import Part, capture
from bedtape_replayer.api.inspector.report import build_report
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
from bedtape_replayer.cli.shared_server import open_folders
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.engine.session_state import SessionState
from bedtape_replayer.plugin.accepting import keep_misses, pair_misses
from bedtape_replayer.server.thread import Replayer

_REPORTED = 10
# How the summary calls what answered.
_SOURCES: dict[Source, str] = {
    "cassette": "played",
    "rule": "from rules",
    "fault": "from faults",
    "default": "from the default",
    "validation": "refused as Bedrock would",
    "simulation": "refused by a simulated feature",
    "overlay": "that a rule could not answer",
    "miss": "missed",
    "upstream": "from another server",
}


def run(
    command: Annotated[
        list[str], typer.Argument(metavar="COMMAND", help="The program to run, after --.")
    ],
    cassettes: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help=(
                "Folder of cassettes, .tape file, or bucket (s3://BUCKET/PREFIX). Repeatable."
                " Default: cassettes/, if it exists."
            ),
        ),
    ] = None,
    overlay: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Overlay file: rules and faults.")
    ] = None,
    session: Annotated[
        str, typer.Option(help="Play the cassette with this name, if there is one.")
    ] = DEFAULT_SESSION,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict/--no-strict",
            help="Play each recording once, and exit with 1 if a call missed.",
        ),
    ] = False,
    speed: Speed = None,
    ignore: Ignore = None,
    placeholder: Placeholder = None,
    any_profile: AnyProfile = False,
    redact: RecordedRedact = None,
    validate: Validate = ValidationChoice.rules,
    ids: Ids = IdChoice.equal,
    simulate: Simulate = None,
    default: Default = DefaultChoice.strict,
    tls: Tls = False,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    intercept: Annotated[
        bool,
        typer.Option(
            "--intercept/--no-intercept",
            help=(
                "Be the program's proxy for Bedrock's hosts too, for code that names them; implies"
                " --tls."
            ),
        ),
    ] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")
    ] = 0,
    fail_unplayed: Annotated[
        bool,
        typer.Option(
            "--fail-unplayed/--no-fail-unplayed",
            help="List the recordings that were not played, and exit with 1.",
        ),
    ] = False,
    report_to: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Write an HTML page with all calls, which needs no server.",
        ),
    ] = None,
) -> None:
    """Run a program, answer its Bedrock calls from cassettes, and report which recordings were
    played and which calls missed.

    \b
    Example:
      bedtape run --cassettes test/cassettes -- npm test
    """
    seen: list[Outcome] = []
    pairs: list[_Pair] = []  # of sessions that have ended
    # An empty folder is what a project has before it records: rules can answer all the same.
    places = cassettes or ([DEFAULT_FOLDER] if store.fingerprint([DEFAULT_FOLDER]) else [])
    try:
        with exit_on_error():
            chosen, _ = open_folders(places, report)
            rules = match_rules(
                ignore or (), placeholder or (), redact or (), any_profile=any_profile
            )
            if intercept and tls_cert is not None:
                raise CassetteError(
                    f"--intercept: expected certificates of bedtape's own authority for Bedrock's"
                    f" hosts, found --tls-cert {tls_cert}; remove one of the options"
                )
            certificates = choose_certificates("127.0.0.1", tls_cert, tls_key, tls=tls or intercept)
            replayer = Replayer(
                chosen,
                overlay=overlay,
                strict=strict,
                speed=speed,
                match=rules,
                validate=validate.value,
                ids=ids.value,
                simulate=simulate or (),
                default=default.value,
                port=port,
                observer=seen.append,
                tls=certificates or False,
                intercept=intercept,
            ).start()
            engine = replayer.engine
            engine.sessions.on_drop = lambda session: pairs.extend(
                _pair_misses(engine, session, seen)
            )
            environ = isolate_environment(os.environ, replayer.session_url(session)) | {
                "BEDTAPE_URL": replayer.url
            }
            if certificates is not None:
                own = (
                    open_authority(os.environ).certificate
                    if tls_cert is None
                    else tls_cert.read_bytes()
                )
                environ = trust(environ, own)
            if intercept:
                environ |= _intercept(replayer.port, session)
    except OSError as error:
        fail(
            f"cannot listen on port {port}: {error.strerror}; choose another with --port, or 0 for"
            " any that is free"
        )
    try:
        code = processes.run(command, environ)
    except OSError as error:
        fail(f"cannot run {command[0]}: {error.strerror}")
    finally:
        parts = replayer.run(lambda: _capture(replayer, rules)) if report_to is not None else []
        for name in {outcome.answer.call.session for outcome in seen}:
            replayer.run(partial(engine.sessions.drop, name))
        library = engine.library
        replayer.stop()
    kept = _keep_misses(chosen, library, pairs, rules)
    outcomes = [outcome for outcome in seen if outcome.answer.source != "control"]
    for line in _summary(outcomes, intercept=intercept):
        report(line)
    for folder in kept:
        accept = shlex.join(["bedtape", "cassette", "accept", "--in", str(folder)])
        report(f"to keep the recorded answers with the new requests: {accept}")
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for miss in _list_misses(outcomes)[:_REPORTED]:
            typer.echo(render_annotation(miss, "a Bedrock call without an answer"), err=True)
    if report_to is not None:
        _write_report(report_to, parts, shlex.join(command))
    unplayed = _list_unplayed(chosen, outcomes) if fail_unplayed else []
    for file in unplayed:
        report(f"never played: {file}")
    missed = any(outcome.answer.source in PROBLEMS for outcome in outcomes)
    raise typer.Exit(1 if (strict and missed) or (unplayed and code == 0) else code)


def _intercept(port: int, session: str) -> dict[str, str]:
    """Return the variables that send connections to https hosts to the server.

    The key names the session for hosts.
    """
    proxy = f"http://127.0.0.1:{port}"
    key = {} if session == DEFAULT_SESSION else {"AWS_ACCESS_KEY_ID": f"bedtape-{session}"}
    return {"HTTPS_PROXY": proxy, "https_proxy": proxy, "NODE_USE_ENV_PROXY": "1", **key}


def _list_unplayed(folders: Sequence[Path], outcomes: Sequence[Outcome]) -> list[str]:
    """Return the recordings' files that no call played, without partial ones."""
    held = {
        one.file
        for cassette in store.read(folders)
        for one in cassette.interactions
        if not one.partial
    }
    return sorted(held - {outcome.answer.file for outcome in outcomes})


def _capture(replayer: Replayer, rules: MatchRules) -> list[Part]:
    engine = replayer.engine
    return [capture(engine, session, redaction=rules.redaction) for session in engine.sessions]


_Pair: TypeAlias = tuple[Interaction, Call]


def _pair_misses(engine: Engine, session: SessionState, seen: Sequence[Outcome]) -> list[_Pair]:
    """Returns the calls of a session that missed, each with the recording whose request it may
    replace.
    """
    calls = [
        outcome.answer.call
        for outcome in seen
        if outcome.answer.source == "miss" and outcome.answer.call.generation == session.generation
    ]
    return pair_misses(session, engine.library, calls)


def _keep_misses(
    folders: Sequence[Path], library: Library, pairs: Sequence[_Pair], rules: MatchRules
) -> list[Path]:
    """Keep the requests that missed. Return the folders whose recordings may get them."""
    names, kept = [cassette.name for cassette in library.cassettes], list[Path]()
    for folder in (folder for folder in folders if folder.is_dir()):
        own = [
            (interaction, call)
            for interaction, call in pairs
            if (folder / interaction.file).is_file()
        ]
        keep_misses(folder, names, own, rules.redaction)
        if own:
            kept.append(folder)
    return kept


def _write_report(file: Path, parts: Sequence[Part], title: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(build_report(parts, title))
    except OSError as error:
        fail(f"cannot write the report {file}: {error.strerror}; choose another file with --report")
    report(f"report: {file}")


def _summary(outcomes: Sequence[Outcome], *, intercept: bool) -> Iterator[str]:
    counts = Counter(outcome.answer.source for outcome in outcomes)
    total = format_count(len(outcomes), "call")
    parts = [f"{counts[source]} {word}" for source, word in _SOURCES.items() if counts[source]]
    named = "if the program names Bedrock's hosts itself, add --intercept"
    hint = "check that the program calls Bedrock" if intercept else named
    yield f"{total}: {', '.join(parts)}" if parts else f"{total} came here ({hint})"
    misses = _list_misses(outcomes)
    yield from misses[:_REPORTED]
    if len(misses) > _REPORTED:
        yield f"… and {len(misses) - _REPORTED} more that differ"


def _list_misses(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the distinct reports of calls that nothing answered."""
    answers = [outcome.answer for outcome in outcomes if outcome.answer.source in PROBLEMS]
    return list(dict.fromkeys(str(answer.miss or answer.by) for answer in answers))
