"""`bedtape cassette ls`, `show`, `stats`."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bedtape_cassettes.cli.app import cassette
from bedtape_cassettes.format import document
from bedtape_cassettes.model import Cassette
from bedtape_cassettes.storage import store
from support import commands, folders
from support.recordings import MODEL, converse, stream


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cassette, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two cassettes in `cassettes`."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "cassettes"
    folders.write(
        root, Cassette("weather", (converse("Rain?", "no", after_ms=500), stream("Snow?", ["yes"])))
    )
    folders.write(root, Cassette("cut", (replace(stream("Hm?", ["ye"]), partial=True),)))
    return root


def test_ls_has_a_row_for_each_cassette(folder: Path) -> None:
    rows = json.loads(run("ls", "--json"))
    size = sum(path.stat().st_size for path in (folder / "weather").iterdir())
    assert [row["name"] for row in rows] == ["cut", "weather"]
    assert rows[1] | {"age_seconds": 0} == {
        "name": "weather",
        "interactions": 2,
        "operations": ["Converse", "ConverseStream"],
        "models": [MODEL],
        "bytes": size,
        "age_seconds": 0,
        "partial": 0,
        "stale": 0,
    }
    assert "1 partial" in run("ls", "c*")
    assert "weather" not in run("ls", "c*")


def test_a_file_that_was_edited_since_it_was_named_is_stale(folder: Path) -> None:
    path = next((folder / "weather").glob("0001-*"))
    path.write_bytes(path.read_bytes().replace(b"Rain?", b"Hail?"))
    assert "1 stale" in run("ls", "weather")
    run("renumber", "weather")
    assert "stale" not in run("ls", "weather")


def test_show_prints_transcripts_or_what_is_kept(folder: Path) -> None:
    assert "user\n  Rain?\nanswer\n  no\n" in run("show", "weather:1")
    assert "POST /model/" in run("show", "weather:1", "--raw")
    (shown,) = json.loads(run("show", "weather:2", "--json"))
    (path,) = (folder / "weather").glob("0002-*")
    assert (shown["number"], shown["file"]) == (2, f"weather/{path.name}")
    assert shown["interaction"] == document.build_document(document.read(path.read_bytes(), "x"))


def test_stats_add_up() -> None:
    rows = json.loads(run("stats", "--json"))
    assert [(row["operation"], row["interactions"], row["waited_ms"]) for row in rows] == [
        ("ConverseStream", 2, 0),
        ("Converse", 1, 500),
    ]
    assert run("stats").splitlines()[-1].split()[:2] == ["all", "3"]
    assert len(json.loads(run("stats", "weather:op=Converse", "--json"))) == 1


def test_a_tape_is_looked_at_as_a_folder_is(folder: Path) -> None:
    folders.write_tape(folder.with_suffix(".tape"), store.read([folder]))
    assert run("show", "weather", "--in", "cassettes.tape") == run("show", "weather")
    assert run("stats", "--in", "cassettes.tape") == run("stats")
    assert [row["bytes"] for row in json.loads(run("ls", "--json", "--in", "cassettes.tape"))] == [
        None,
        None,
    ]


# -- grep ------------------------------------------------------------------------------------------


def test_grep_prints_lines_interactions_or_counts(tmp_path: Path) -> None:
    folder = str(tmp_path / "found")
    folders.write(
        Path(folder), Cassette("a", (converse("Rain?", "No rain.\nSun."), converse("sun", "1+1")))
    )
    assert commands.run("grep", "-i", "rain", "--in", folder).splitlines() == [
        "a:1: request: Rain?",
        "a:1: answer: No rain.",
    ]
    assert commands.run("grep", "-il", "sun", "--in", folder).splitlines() == ["a:1", "a:2"]
    assert commands.run("grep", "-ic", "sun", "*:1", "--in", folder).splitlines() == ["a:1: 1"]
    assert (
        commands.run("grep", "-F", "1+1", "--in", folder, "--only", "answer")
        == "a:2: answer: 1+1\n"
    )
    assert commands.run("grep", "nothing", "--in", folder, code=1) == ""
    assert "-F" in commands.run("grep", "(", "--in", folder, code=2)
    rows = json.loads(commands.run("grep", "Rain", "--in", folder, "--json"))
    assert rows == [{"interaction": "a:1", "side": "request", "line": "Rain?"}]


# Python's engine takes hours for this pattern and text.
_SLOW, _LONG = "(x+x+)+y", "x" * 30_000


@pytest.mark.parametrize(
    "arguments",
    [
        ("grep", _SLOW),
        ("replace", "long", _SLOW, "z", "--regex"),
        ("scan", "--pattern", _SLOW),
        ("redact", "long", "--pattern", _SLOW),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_slow_pattern_is_stopped_and_named_and_nothing_changes(
    arguments: tuple[str, ...], folder: Path
) -> None:
    (file,) = folders.write(folder, Cassette("long", (converse("how long?", _LONG),)))
    before = file.read_bytes()
    output = commands.run(*arguments, code=2)
    assert (
        f"expected a pattern that needs at most 1.0 s for a text of {len(_LONG)} characters, found"
        f" {_SLOW!r}" in output
    )
    assert file.read_bytes() == before


def test_many_wildcards_of_a_selector_are_no_problem(folder: Path) -> None:
    assert commands.run("grep", "Rain", "*:model=" + "*a" * 40 + "*b", code=2).startswith(
        "bedtape: "
    )
