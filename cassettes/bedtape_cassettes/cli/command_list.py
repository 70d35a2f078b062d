"""The commands that `bedtape --help` lists, with one line each. The list imports no command."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its section, its name, the module with its function, and its line of help."""

    section: str
    name: str
    module: str
    line: str


_TRY = "Try it (no AWS, no keys)"
_RECORD = "Record real answers, once (needs RUN_REAL_BEDROCK_TESTS=1, costs money)"
_REPLAY = "Replay recordings (offline, the same every time)"
_CHANGE = "Change answers and recordings"
_SETTINGS = "Keep options in a file"
_AGENTS = "For coding agents"

COMMANDS = (
    Command(
        _TRY,
        "demo",
        "bedtape_replayer.cli.demo",
        "Replay a sample to boto3: an answer, a stream, a miss.",
    ),
    Command(
        _TRY,
        "init",
        "bedtape_replayer.cli.init.cli",
        "Write a sample cassette and a first test into a project.",
    ),
    Command(
        _TRY,
        "doctor",
        "bedtape_replayer.cli.doctor.cli",
        "Find problems of this environment and print their fixes.",
    ),
    Command(
        _RECORD,
        "record",
        "bedtape_recorder.cli.record",
        "Run a program and record its Bedrock calls.",
    ),
    Command(
        _RECORD,
        "recover",
        "bedtape_recorder.cli.recover",
        "Make cassettes from interrupted recordings.",
    ),
    Command(
        _REPLAY,
        "replay",
        "bedtape_replayer.cli.replay",
        "Serve cassettes on a local port, to any AWS SDK.",
    ),
    Command(
        _REPLAY,
        "run",
        "bedtape_replayer.cli.run",
        "Run a program and answer its Bedrock calls from cassettes.",
    ),
    Command(
        _REPLAY,
        "ca",
        "bedtape_replayer.cli.ca",
        "Print the certificate that clients trust for TLS.",
    ),
    Command(
        _CHANGE,
        "overlay",
        "bedtape_replayer.cli.overlay",
        "Check overlay files, which contain rules and faults.",
    ),
    Command(
        _CHANGE,
        "cassette",
        "bedtape_cassettes.cli.app",
        "Read, edit, compare, guard, pack and import cassettes.",
    ),
    Command(
        _CHANGE,
        "migrate",
        "bedtape_replayer.cli.migrate",
        "Move a suite of another recorder to bedtape.",
    ),
    Command(
        _SETTINGS,
        "config",
        "bedtape_cassettes.cli.configuring",
        "Show settings from files and variables.",
    ),
    Command(_AGENTS, "guide", "bedtape_replayer.cli.guide", "Print a guide of one page."),
    Command(
        _AGENTS,
        "mcp",
        "bedtape_replayer.cli.mcp",
        "Serve the control API of a running server as tools, over MCP.",
    ),
)

# The commands that are groups of commands.
GROUPS = ("overlay", "cassette", "migrate", "config")
# The end of the help text. \b keeps the line breaks of a paragraph.
END = """\b
Examples:
  bedtape init && pytest
  RUN_REAL_BEDROCK_TESTS=1 bedtape record -- pytest tests/real
  bedtape run -- npm test
  bedtape cassette show weather:2

bedtape COMMAND --help describes a command. The folder docs of the repository has all pages; \
start with README.md."""
