"""`bedtape cassette undo` after every command of `bedtape cassette` that writes cassettes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bedtape_cassettes.cli import app
from bedtape_cassettes.model import Cassette
from bedtape_cassettes.redaction.scrub import ALWAYS
from bedtape_cassettes.storage import store, undo
from bedtape_cassettes.storage.commit import commit
from bedtape_cassettes.storage.file_names import number_files
from bedtape_cassettes.storage.misses import replace_misses
from support import folders
from support.bucket import BUCKET, serve_s3
from support.commands import run
from support.recordings import converse, stream

# Most tests start processes.
pytestmark = pytest.mark.slow

# Each command with arguments that change the cassettes a and b. PLACE is the
# folder or the `.tape` file.
ADDRESS = f"s3://{BUCKET}/undone"
COMMANDS: dict[str, list[str]] = {
    "drop": ["a:2", "--in", "PLACE"],
    "keep": ["a:2", "--in", "PLACE"],
    "truncate-after": ["a:1", "--in", "PLACE"],
    "move": ["a:1", "--to", "c", "--in", "PLACE"],
    "copy": ["a:1", "--to", "b", "--in", "PLACE"],
    "rename": ["a", "x/y", "--in", "PLACE"],
    "split": ["a", "--by", "operation", "--in", "PLACE"],
    "merge": ["a", "b", "--to", "a", "--in", "PLACE"],
    "retime": ["*", "--scale", "2", "--in", "PLACE"],
    "trim": ["a:2", "--events", "1", "--in", "PLACE"],
    "renumber": ["b", "--in", "PLACE"],
    "accept": ["--in", "PLACE"],
    "edit": ["a:1", "--in", "PLACE"],
    "set": ["a:1", "answer.text=new", "--in", "PLACE"],
    "unset": ["a:1", "json:$.usage", "--in", "PLACE"],
    "replace": ["a", "first", "second", "--in", "PLACE"],
    "insert": [
        "a:2",
        "1",
        'contentBlockDelta={"contentBlockIndex":0,"delta":{"text":"x"}}',
        "--in",
        "PLACE",
    ],
    "redact": ["a", "--pattern", "first", "--in", "PLACE"],
    "pack": ["--in", "other", "--to", "PLACE", "--force"],
    "unpack": ["other.tape", "--to", "PLACE", "--force"],
    "import": ["recordings", "--to", "PLACE", "--force"],
    "pull": [ADDRESS, "--to", "PLACE", "--force"],
}
READING = {
    "ls",
    "show",
    "stats",
    "grep",
    "diff",
    "scan",
    "check",
    "export",
    "push",
    "git-setup",
    "textconv",
    "schema",
}
ONLY_FOLDERS = {"accept", "unpack", "import", "pull"}
ONLY_TAPES = {"pack"}


def test_every_command_writes_nothing_or_is_in_the_table() -> None:
    names = {command.name or "textconv" for command in app.cassette.registered_commands} | READING
    assert names == READING | COMMANDS.keys() | {"undo"}


def snapshot(root: Path) -> dict[str, bytes]:
    paths = [path for path in root.rglob("*") if path.is_file()]
    hidden = {
        path for path in paths if any(part.startswith(".") for part in path.relative_to(root).parts)
    }
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in paths if path not in hidden
    }


def _write_recording(folder: Path) -> None:
    """A recording in HAR's form, which `import` puts into the cassette a."""
    folder.mkdir()
    run("export", "other", "--to", "har", "--into", str(folder))


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    editor = tmp_path / "editor.py"
    editor.write_text(
        "import sys, pathlib\np ="
        " pathlib.Path(sys.argv[1])\np.write_text(p.read_text().replace('text: first', 'text:"
        " other', 1))\n"
    )
    monkeypatch.setenv("VISUAL", f"{sys.executable} {editor}")
    root = tmp_path / "cassettes"
    one = (converse("1", "first", after_ms=90), stream("2", ["fi", "rst"], at_ms=[0, 80]))
    folders.write_all(root, [Cassette("a", one), Cassette("b", (converse("3", "third"),))])
    for file in (root / "a").iterdir():
        file.write_bytes(file.read_bytes().replace(b"bedtape: 1", b"# a comment\nbedtape: 1", 1))
        break
    last = max((root / "b").glob("*.yaml"))
    last.rename(last.with_name(f"0007{last.name[4:]}"))
    (root / "a" / "notes.txt").write_text("a file of another tool")
    folders.write_all(
        tmp_path / "other",
        [Cassette("a", (converse("1", "another"),)), Cassette("n", (converse("4", "x"),))],
    )
    folders.write_tape(tmp_path / "other.tape", store.read([tmp_path / "other"]))
    _write_recording(tmp_path / "recordings")
    recording = store.read([root])[0].interactions[0]
    sent = converse("9", "first")
    replace_misses(root, ["a"], [replace(recording, request=sent.request)], ALWAYS)
    with serve_s3(monkeypatch):
        run("push", ADDRESS, "--in", "other")
        yield root


@pytest.mark.parametrize("git", [False, True])
@pytest.mark.parametrize("command", COMMANDS)
def test_undo_restores_every_byte(root: Path, command: str, git: bool) -> None:
    if git:
        for arguments in (["init", "-q"], ["add", "-A"]):
            subprocess.run(["git", *arguments], check=True)
    tape = root.with_name("packed.tape")
    folders.write_tape(tape, store.read([root]))
    places = [
        place for place, other in ((root, ONLY_TAPES), (tape, ONLY_FOLDERS)) if command not in other
    ]
    for place in places:
        before = tape.read_bytes(), snapshot(root)
        run(command, *[str(place) if word == "PLACE" else word for word in COMMANDS[command]])
        assert (tape.read_bytes(), snapshot(root)) != before
        run("undo", "--in", str(place))
        assert (tape.read_bytes(), snapshot(root)) == before


def test_undo_goes_back_one_change_each_time(root: Path) -> None:
    states = []
    for number in range(4):
        states.append(snapshot(root))
        run("set", "a:1", f"answer.text=text {number}", "--in", str(root))
    for state in reversed(states):
        run("undo", "--in", str(root))
        assert snapshot(root) == state
    assert "expected a change that can be undone" in run("undo", "--in", str(root), code=2)


def test_undo_removes_a_new_tape_and_new_cassettes(root: Path) -> None:
    run("pack", "--in", str(root), "--to", "new.tape")
    run("undo", "--in", "new.tape")
    assert not Path("new.tape").exists()
    run("unpack", "other.tape", "--to", "fresh")
    run("undo", "--in", "fresh")
    assert snapshot(Path("fresh")) == {}


def test_undo_restores_a_folder_that_is_one_cassette(root: Path) -> None:
    place = root / "b"
    before = snapshot(place)
    run("set", "b:7", "answer.text=new", "--in", str(place))
    assert snapshot(place) != before
    run("undo", "--in", str(place))
    assert snapshot(place) == before


def test_undo_leaves_files_of_other_tools_in_the_folder(root: Path) -> None:
    before = snapshot(root)
    run("set", "a:1", "answer.text=new", "--in", str(root))
    (root / "test_chat.yaml").write_text("interactions: []\nversion: 1\n")
    run("undo", "--in", str(root))
    assert snapshot(root) == before | {"test_chat.yaml": b"interactions: []\nversion: 1\n"}


def test_states_whose_files_git_holds_are_removed_when_they_are_old(root: Path) -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    for number in range(undo._MOST_IN_GIT + 3):
        subprocess.run(["git", "add", "-A"], check=True)
        run("set", "a:1", f"answer.text=text {number}", "--in", str(root))
    assert len(list((root / ".bedtape-backup").glob("*/undo.json"))) == undo._MOST_IN_GIT


def test_a_damaged_list_is_refused(root: Path) -> None:
    run("set", "a:1", "answer.text=new", "--in", str(root))
    (path,) = (root / ".bedtape-backup").glob("*/undo.json")
    path.write_text(json.dumps({"names": [1]}))
    assert "expected a list of names of cassettes" in run("undo", "--in", str(root), code=2)


@pytest.mark.parametrize("damage", ["", '{"names": ["a"], "ta', "[1]"])
def test_a_damaged_list_prevents_neither_changes_nor_their_undo(root: Path, damage: str) -> None:
    run("set", "a:1", "answer.text=one", "--in", str(root))
    (path,) = (root / ".bedtape-backup").glob("*/undo.json")
    path.write_text(damage)
    one = store.read([root])
    run("set", "a:1", "answer.text=two", "--in", str(root))
    run("undo", "--in", str(root))
    assert store.read([root]) == one
    assert f"{path}: expected a list of names" in run("undo", "--in", str(root), code=2)


def test_an_import_that_changes_nothing_leaves_no_state(root: Path) -> None:
    before = snapshot(root)
    Path("a.json").write_text("neither JSON nor YAML: [")
    run("import", "a.json", "--to", str(root), "--force", code=1)
    assert snapshot(root) == before
    assert "expected a change that can be undone" in run("undo", "--in", str(root), code=2)


@pytest.mark.parametrize("existed", [True, False])
def test_undo_of_an_import_restores_overlays(root: Path, *, existed: bool) -> None:
    rule = {
        "httpRequest": {"method": "POST", "path": "/model/m/converse"},
        "httpResponse": {"statusCode": 200},
    }
    Path("a.json").write_text(json.dumps([rule]))
    overlay = Path("overlays/a.overlay.yaml")
    if existed:
        overlay.parent.mkdir()
        overlay.write_text("rules: []\n")
    before = snapshot(Path("overlays")), snapshot(root)
    run("import", "a.json", "--to", str(root), "--force")
    new = overlay.read_bytes()
    assert b"converse" in new.lower()
    printed = run("undo", "--in", str(root))
    assert "overlays/a.overlay.yaml" in printed
    assert (snapshot(Path("overlays")), snapshot(root)) == before
    copies = Path(printed.split("backup: ")[1].strip())
    assert [
        path.read_bytes()
        for path in copies.rglob("*")
        if path.is_file() and "overlays" in str(path)
    ] == [new]


def test_undo_writes_no_file_outside_the_folder_that_is_no_overlay(root: Path) -> None:
    run("set", "a:1", "answer.text=new", "--in", str(root))
    (path,) = (root / ".bedtape-backup").glob("*/undo.json")
    path.write_text(
        json.dumps({"names": ["a"], "tape": None, "in_git": True, "overlays": ["../conftest.py"]})
    )
    Path("conftest.py").write_text("")
    assert "expected a list of names" in run("undo", "--in", str(root), code=2)
    assert Path("conftest.py").exists()


def test_undo_keeps_copies_of_what_was_recorded_after_the_change(root: Path) -> None:
    run("set", "a:1", "answer.text=new", "--in", str(root))
    later = root / "a" / "0099-converse-00000000.yaml"
    later.write_bytes(min((root / "a").glob("*.yaml")).read_bytes() + b"# recorded later\n")
    replaced = {path.name: path.read_bytes() for path in (root / "a").glob("*.yaml")}
    printed = run("undo", "--in", str(root))
    assert not later.exists()
    assert snapshot(Path(printed.split("backup: ")[1].strip()) / "a") == replaced
    assert "expected a change that can be undone" in run("undo", "--in", str(root), code=2)


def _read_files(root: Path) -> dict[Path, bytes]:
    return {path.relative_to(root): path.read_bytes() for path in root.glob("[a-z]*/*.yaml")}


def test_the_changes_of_one_run_are_undone_together(root: Path) -> None:
    original = _read_files(root)
    run("set", "a:1", "answer.text=earlier", "--in", str(root))
    before = _read_files(root)
    suite = store.read([root])
    assert len(suite) > 1
    for cassette in suite:
        undo.save(root, (cassette,), [cassette.name], run="one")
        one = converse("another", cassette.name)
        commit(root, (cassette,), (number_files(Cassette(cassette.name, (one,))),))
    assert not before.items() & _read_files(root).items()
    run("undo", "--in", str(root))
    assert _read_files(root) == before
    run("undo", "--in", str(root))
    assert _read_files(root) == original
