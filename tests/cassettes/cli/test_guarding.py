"""`scan`, `redact` and `check`: what they print, what they change, how they end."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bedtape_cassettes.cli.app import cassette
from bedtape_cassettes.model import Cassette
from bedtape_cassettes.storage import store
from support import folders
from support.commands import run
from support.decoding import decode_text
from support.recordings import converse, stream

EMAIL = "ada@analytical.io"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One cassette in `cassettes`, in no repository."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    root = tmp_path / "cassettes"
    folders.write(
        root,
        Cassette("a", (converse(EMAIL, "hello"), stream("2", ["Write to ada@anal", "ytical.io."]))),
    )
    return root


def told(*arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(cassette, [*arguments, "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


# -- scan and redact -------------------------------------------------------------------------------


def test_what_is_found_is_taken_out(folder: Path) -> None:
    rows = told("scan", code=1)
    assert [(one["number"], one["kind"], one["where"]) for one in rows] == [
        (1, "email", "request.body messages[0].content[0].text"),
        (2, "email", "response.events[1-2] delta.text"),
    ]
    assert "REDACTED-email-1" in run("redact", "--dry-run")
    assert "2 found" in run("scan", code=1)
    assert "2 changed" in run("redact")
    assert told("scan") == []
    one, two = store.read([folder])[0].interactions
    assert b"REDACTED-email-1" in one.request.body.data
    assert decode_text(two) == "Write to REDACTED-email-1."
    assert "nothing changes" in run("redact")


def test_names_of_cassettes_and_files_are_searched_and_not_printed(folder: Path) -> None:
    """`record` writes no such name, but an older version or a person may have."""
    token = "ghp_" + "a1B2" * 9
    shutil.copytree(folder / "a", folder / "x" / token)
    shutil.copytree(folder / "a", folder / "b")
    first = min((folder / "b").iterdir())
    first.rename(first.with_name(f"0001-{token}.yaml"))
    rows = told("scan", "--kind", "github-token", code=1)
    assert {(one["cassette"], one["where"]) for one in rows} == {
        ("b", "the file's name"),
        ("x/REDACTED", "the cassette's name"),
    }
    said = run("scan", "--kind", "github-token", code=1)
    assert token not in said
    assert token not in json.dumps(rows)
    assert "to change the cassette's name: bedtape cassette rename" in said
    assert "to change the file's name: bedtape cassette renumber" in said
    run("rename", f"x/{token}", "x/named")
    assert "renumber" in run("scan", "--kind", "github-token", code=1)
    run("renumber", "b")
    assert told("scan", "--kind", "github-token") == []


def test_only_what_is_named_is_taken(folder: Path) -> None:
    assert told("scan", "--kind", "card") == []
    assert len(told("scan", "a:1", "--kind", "email", code=1)) == 1
    assert told("scan", "--pattern", "hel+o", "--kind", "card", code=1)[0]["kind"] == "pattern"
    run("redact", "--pattern", "hel+o", "--with", "bye")
    one, two = store.read([folder])[0].interactions
    assert b'"bye"' in one.response.body.data  # type: ignore[union-attr]
    assert EMAIL.encode() in one.request.body.data
    run("redact", "a:1", "--path", "messages.*.content.*.text")
    assert b"REDACTED-path-1" in store.read([folder])[0].interactions[0].request.body.data
    assert decode_text(two) == f"Write to {EMAIL}."


def test_it_says_when_detect_secrets_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "detect_secrets.core.plugins.util", None)
    assert "pip install 'bedtape[scan]'" in run("scan", code=1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["scan", "--kind", "sorrow"], "--kind: expected one of"),
        (["scan", "--pattern", "("], "--pattern: expected a regular expression"),
        (["redact", "--path", "a..b"], "--path: expected"),
        (["redact", "--path", "$"], "give the path of a member"),
        (["check", "--max-age", "old"], "--max-age: expected days"),
        (["check", "--history", "gone.json"], "gone.json: expected a history"),
    ],
)
def test_what_is_asked_wrongly_is_told_in_a_line(arguments: list[str], said: str) -> None:
    output = run(*arguments, code=2)
    assert said in output
    assert output.count("\n") == 1


# -- check -----------------------------------------------------------------------------------------


def test_cassettes_that_are_well() -> None:
    assert "0 wrong" in run("check")


def test_a_file_that_is_no_cassette_is_wrong_not_an_error(folder: Path) -> None:
    next(folder.glob("a/0001*")).write_text("bedtape: 1\nrequest: {}\n")
    rows = told("check", code=1)
    assert {(one["level"], one["kind"]) for one in rows} == {("wrong", "format")}


def test_age_is_the_file_s(folder: Path) -> None:
    run("check", "--max-age", "1w")
    for path in folder.glob("a/*"):
        os.utime(path, (0, 0))
    assert [one["kind"] for one in told("check", "--max-age", "10y", "--no-drift", code=1)] == [
        "old",
        "old",
    ]


@pytest.mark.parametrize("as_lines", [False, True])
def test_a_history_tells_what_was_played(folder: Path, as_lines: bool) -> None:
    played = store.read([folder])[0].interactions[0].file
    calls = [{"number": 1, "from": {"file": played}}, {"number": 2}]
    text = "\n".join(map(json.dumps, calls)) if as_lines else json.dumps({"calls": calls})
    Path("history.json").write_text(text)
    rows = told("check", "--history", "history.json", "--no-drift")
    assert [(one["kind"], one["where"]) for one in rows] == [("never-played", "a:2")]
    Path("history.json").write_text("{nothing")
    assert "expected JSON" in run("check", "--history", "history.json", code=2)


def test_a_tape_is_checked_and_redacted_too(folder: Path) -> None:
    tape = folder.with_suffix(".tape")
    folders.write_tape(tape, store.read([folder]))
    run("check", "--in", str(tape))
    run("redact", "--in", str(tape))
    assert told("scan", "--in", str(tape)) == []
