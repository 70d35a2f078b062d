"""The commands in the order in which one meets them, a line each: what `bedtape --help` shows. Nothing is imported for it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["COMMANDS", "END", "GROUPS", "Command"]


@dataclass(frozen=True, slots=True)
class Command:
    """One command: the section it is listed in, and the module that has it under its own name."""

    section: str
    name: str
    module: str
    line: str


_TRY = "Try it (no AWS, no keys)"
_RECORD = "Record real answers, once (needs RUN_REAL_BEDROCK_TESTS=1, costs money)"
_REPLAY = "Replay them (offline, the same every time)"
_CHANGE = "Change what is answered"
_SETTINGS = "Keep options in a file"

COMMANDS = (
    Command(_TRY, "demo", "bedtape_replayer.cli.demo", "Replay a sample to boto3: an answer, a stream, a miss."),
    Command(_TRY, "init", "bedtape_replayer.cli.init.cli", "Write a sample cassette and a first test into a project."),
    Command(
        _TRY, "doctor", "bedtape_replayer.cli.doctor.cli", "Say what is wrong with this environment, and what fixes it."
    ),
    Command(_RECORD, "record", "bedtape_recorder.cli", "Run a program, and keep what it and Bedrock say."),
    Command(_RECORD, "recover", "bedtape_recorder.cli", "Make cassettes of recordings that were killed."),
    Command(_REPLAY, "replay", "bedtape_replayer.cli.replay", "Serve cassettes on a local port, to any AWS SDK."),
    Command(_REPLAY, "run", "bedtape_replayer.cli.run", "Run a program, its Bedrock calls answered from cassettes."),
    Command(_CHANGE, "overlay", "bedtape_replayer.cli.overlay", "Check files of rules and faults over cassettes."),
    Command(_CHANGE, "cassette", "bedtape_cassettes.cli.app", "Read, edit, compare, guard, pack and import cassettes."),
    Command(_SETTINGS, "config", "bedtape_cassettes.cli.configuring", "Look at settings: files and variables."),
)

# Those that have commands of their own.
GROUPS = ("overlay", "cassette", "config")
# The paragraphs that end it. \b keeps the lines of one as they are.
END = """\b
Examples:
  bedtape init && pytest
  RUN_REAL_BEDROCK_TESTS=1 bedtape record -- pytest tests/real
  bedtape run -- npm test
  bedtape cassette show weather:2

bedtape COMMAND --help says more of each. All of it, and how-to pages: the folder docs of the repository, from its README on."""
