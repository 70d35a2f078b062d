"""The command `bedtape run`: any program's Bedrock calls answered from cassettes, whatever language its tests are in.

Nothing is ever sent to AWS, and the program gets no credentials.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from bedtape_cassettes.addresses import DEFAULT_SESSION, isolate_environment
from bedtape_cassettes.cli import processes
from bedtape_cassettes.cli.errors import exit_on_error, fail, report
from bedtape_cassettes.cli.options import AnyProfile, Ignore, Placeholder, RecordedRedact
from bedtape_cassettes.matching.rules import match_rules
from bedtape_cassettes.storage import store
from bedtape_cassettes.text import format_count
from bedtape_replayer.answering.answer import Outcome, Source
from bedtape_replayer.cli.play_options import Identifying, Ids, Speed, Validate, Validating, check_speed
from bedtape_replayer.server.thread import Replayer

DEFAULT_FOLDER = Path("cassettes")
_REPORTED = 10
# How the summary calls what answered.
_SOURCES: dict[Source, str] = {
    "cassette": "played",
    "rule": "from rules",
    "fault": "from faults",
    "validation": "refused as Bedrock would",
    "overlay": "that a rule could not answer",
    "miss": "missed",
}


def run(
    command: Annotated[list[str], typer.Argument(metavar="COMMAND", help="The program to run, after --.")],
    cassettes: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR", help="Folder of cassettes or .tape file. Repeatable. Default: cassettes/, if it exists."
        ),
    ] = None,
    overlay: Annotated[Path | None, typer.Option(metavar="FILE", help="Overlay file: rules and faults.")] = None,
    session: Annotated[str, typer.Option(help="Play the cassette with this name, if there is one.")] = DEFAULT_SESSION,
    strict: Annotated[
        bool, typer.Option("--strict/--no-strict", help="Play each recording once, and exit with 1 if a call missed.")
    ] = False,
    speed: Speed = None,
    ignore: Ignore = None,
    placeholder: Placeholder = None,
    any_profile: AnyProfile = False,
    redact: RecordedRedact = None,
    validate: Validate = Validating.rules,
    ids: Ids = Identifying.equal,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = 0,
) -> None:
    """Run a program, answer its Bedrock calls from cassettes, and report which recordings were played and which calls missed.

    \b
    Example:
      bedtape run --cassettes test/cassettes -- npm test
    """
    seen: list[Outcome] = []
    # An empty folder is what a project has before it records: rules can answer all the same.
    chosen = cassettes or ([DEFAULT_FOLDER] if store.fingerprint([DEFAULT_FOLDER]) else [])
    try:
        with exit_on_error():
            replayer = Replayer(
                chosen,
                overlay=overlay,
                strict=strict,
                speed=check_speed(speed),
                match=match_rules(ignore or (), placeholder or (), redact or (), any_profile=any_profile),
                validate=validate.value,
                ids=ids.value,
                port=port,
                observer=seen.append,
            ).start()
    except OSError as error:
        fail(f"cannot listen on port {port}: {error.strerror}; choose another with --port, or 0 for any that is free")
    try:
        code = processes.run(
            command, isolate_environment(os.environ, replayer.session_url(session)) | {"BEDTAPE_URL": replayer.url}
        )
    except OSError as error:
        fail(f"cannot run {command[0]}: {error.strerror}")
    finally:
        replayer.stop()
    outcomes = [outcome for outcome in seen if outcome.answer.source != "control"]
    for line in _summary(outcomes):
        report(line)
    missed = any(outcome.answer.source in ("miss", "overlay") for outcome in outcomes)
    raise typer.Exit(1 if strict and missed else code)


def _summary(outcomes: Sequence[Outcome]) -> Iterator[str]:
    counts = Counter(outcome.answer.source for outcome in outcomes)
    total = format_count(len(outcomes), "call")
    parts = [f"{counts[source]} {word}" for source, word in _SOURCES.items() if counts[source]]
    yield f"{total}: {', '.join(parts)}" if parts else f"{total} came here (is the endpoint set in the program itself?)"
    misses = list(
        dict.fromkeys(_report(outcome) for outcome in outcomes if outcome.answer.source in ("miss", "overlay"))
    )
    yield from misses[:_REPORTED]
    if len(misses) > _REPORTED:
        yield f"… and {len(misses) - _REPORTED} more that differ"


def _report(outcome: Outcome) -> str:
    return str(outcome.answer.miss or outcome.answer.by)
