"""Every command of `bedtape cassette` sees, changes or keeps the events that a client sends in a
conversation. The shipped conversation is the example.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bedtape_cassettes.cli.app import cassette
from bedtape_cassettes.model import Cassette, Interaction
from bedtape_cassettes.redaction.scrub import ALWAYS
from bedtape_cassettes.storage import store
from bedtape_cassettes.storage.misses import replace_misses
from bedtape_cassettes.suites.substitute import parse, substitute
from bedtape_cassettes.suites.texts import SIDES, read_request_text
from support import folders

COMMANDS = set(typer.main.get_command(cassette).commands)  # type: ignore[attr-defined]
SAMPLE = next(c for c in store.read([store.samples()]) if c.name == "sonic").interactions[0]


def change(old: str, new: str) -> Interaction:
    """The sample with another text on both sides."""
    return substitute(SAMPLE, parse(old, new, regex=False), SIDES).interaction


OTHER = change("briefly", "at length")


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Cassettes with one conversation, with two, and with an address in a tool's result."""
    monkeypatch.chdir(tmp_path)
    editor = tmp_path / "editor.py"
    editor.write_text(
        "import pathlib, sys\np = pathlib.Path(sys.argv[1])\n"
        "p.write_text(p.read_text().replace('briefly', 'slowly'))\n"
    )
    monkeypatch.setenv("EDITOR", f"{sys.executable} {editor}")
    monkeypatch.setenv("COLUMNS", "200")
    root = tmp_path / "cassettes"
    mail = change("rain", "rain, ask ada@corp.com,")
    for one in (
        Cassette("sonic", (SAMPLE,)),
        Cassette("two", (SAMPLE, OTHER)),
        Cassette("mail", (mail,)),
    ):
        folders.write(root, one)
    return root


def run(*arguments: str) -> str:
    return CliRunner().invoke(cassette, list(arguments)).output


def read(name: str) -> Sequence[Interaction]:
    return next((c.interactions for c in store.read([Path("cassettes")]) if c.name == name), ())


SEES = [
    (["grep", "briefly", "sonic"], "sonic:1: request: Answer briefly."),
    (["grep", "degrees.: 9", "sonic"], 'sonic:1: request: {"sky": "rain", "degrees": 9}'),
    (["grep", "umbrella", "sonic"], "sonic:1: answer: Do I need an umbrella in Bergen today?"),
    (["grep", "get_weather", "sonic"], "sonic:1: answer: get_weather {"),
    (["show", "sonic:prompt=briefly"], "textInput  Answer briefly."),
    (["show", "two:prompt=at length"], "two:2"),
    (["show", "sonic", "--raw"], '"textInput": {"promptName": "prompt-1"'),
    (["show", "sonic", "--json"], "Answer briefly."),
    (["stats", "sonic:prompt=degrees,answer=umbrella", "--json"], '"interactions": 1'),
    (["diff", "two:1", "two:2"], "-Answer briefly.\n    +Answer at length."),
    (["diff", "two:1", "two:2", "--no-noise"], "request: textInput 1.content"),
    (["check"], "0 wrong, 0 notes"),
    (["ls"], "two                  2"),
    (["split", "two", "--by", "session"], "2 moved"),
    (["scan", "mail"], "request.events"),
]


@pytest.mark.parametrize(
    ("arguments", "expected"), SEES, ids=[" ".join(each).replace(":", " ") for each, _ in SEES]
)
def test_a_command_sees_what_the_client_sent(arguments: list[str], expected: str) -> None:
    assert expected in run(*arguments)


CHANGES = [
    (["replace", "sonic", "briefly", "slowly"], "Answer slowly."),
    (["replace", "sonic", "rain", "snow", "--only", "request"], '{"sky": "snow", "degrees": 9}'),
    (["set", "sonic", "request:$[3].event.textInput.content=Hi"], "Hi\n"),
    (["unset", "sonic", "request:$[3]", "request:$[4]"], '{"sky": "rain", "degrees": 9}'),
    (["edit", "sonic"], "Answer slowly."),
    (["redact", "sonic", "--pattern", "briefly"], "Answer REDACTED"),
    (["redact", "sonic", "--path", "event.toolResult.content"], "REDACTED-path-1"),
    (["accept"], "Answer at length."),
    (["retime", "sonic", "--zero"], "Answer briefly."),
    (["trim", "sonic", "--events", "4", "--request"], "Answer briefly.\n"),
    (["insert", "sonic", "4", "--request", '{"event": {"textInput": {"content": "Hi"}}}'], "Hi"),
]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    CHANGES,
    ids=[" ".join(each).replace(":", " ") for each, _ in CHANGES],
)
def test_a_command_changes_what_the_client_sent(
    root: Path, arguments: list[str], expected: str
) -> None:
    sent = replace(OTHER, file=read("sonic")[0].file)
    replace_misses(root, ["sonic"], [sent], ALWAYS)
    preview = run(*arguments, *([] if arguments[0] == "edit" else ["--dry-run"]))
    output = run(*arguments)
    (now,) = read("sonic")
    assert expected in read_request_text(now) + "\n", output
    assert now.request.events not in (None, SAMPLE.request.events)
    assert "request: " in preview or "client at_ms" in preview or arguments[0] == "edit"


KEEPS = [
    ["drop", "two:1"],
    ["keep", "two:2"],
    ["truncate-after", "two:1"],
    ["move", "two:2", "--to", "sonic"],
    ["copy", "two:2", "--to", "new"],
    ["rename", "two", "new"],
    ["split", "two", "--by", "session"],
    ["merge", "two", "sonic", "--to", "new"],
    ["trim", "two", "--events", "3"],
    ["insert", "two", "0", '{"event": {"usageEvent": {}}}'],
    ["set", "two", "model=amazon.nova-2-sonic-v1:0"],
    ["renumber", "two"],
    ["pack", "--force"],
    ["unpack", "cassettes.tape", "--to", "new"],
]


@pytest.mark.parametrize("arguments", KEEPS, ids=[each[0] for each in KEEPS])
def test_a_command_keeps_what_the_client_sent(arguments: list[str]) -> None:
    """Each conversation that is left has the events of a conversation from before."""
    before = {each.request.events for name in ("sonic", "two", "mail") for each in read(name)}
    run("pack")
    assert CliRunner().invoke(cassette, arguments).exit_code == 0
    after = [i for c in store.read([Path("cassettes")]) for i in c.interactions]
    assert after
    assert {each.request.events for each in after} <= before
    run("undo")
    assert {i.request.events for c in store.read([Path("cassettes")]) for i in c.interactions} == (
        before
    )


def test_an_export_has_what_the_client_sent(root: Path) -> None:
    run("export", str(root), "--to", "jsonl", "--into", "out")
    assert "at length" in Path("out/two.jsonl").read_text()


def test_every_command_is_tried_here() -> None:
    tried = {arguments[0] for arguments in (*KEEPS, *(one for one, _ in (*SEES, *CHANGES)))}
    # commands about whole files, and those about other files
    rest = {"undo", "export", "push", "pull", "import", "schema", "git-setup"}
    hidden = {"textconv", "commands"}
    assert tried.isdisjoint(rest)
    assert tried | rest == COMMANDS - hidden
