"""`edit`, driven through a pseudo-terminal with scripted editors, and `set`."""

import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from bedtape_cassettes.cli.processes import edit_text
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import Cassette, Interaction
from bedtape_cassettes.storage import store
from bedtape_cassettes.suites.assign import read_answer_text
from support import WAIT, folders
from support.commands import run
from support.decoding import decode_text
from support.recordings import converse, stream

_COMMAND = [sys.executable, "-c", "from bedtape_cassettes.cli.main import main; main()", "cassette"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One cassette in `cassettes`, in no repository."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.delenv("VISUAL", raising=False)
    root = tmp_path / "cassettes"
    folders.write(
        root, Cassette("a", (converse("1", "one"), stream("2", ["It ", "rains."], at_ms=[0, 80])))
    )
    return root


def held(root: Path, number: int) -> Interaction:
    return store.read([root])[0].interactions[number - 1]


# -- edit ------------------------------------------------------------------------------------------


def editor(folder: Path, monkeypatch: pytest.MonkeyPatch, *scripts: str) -> Path:
    """An editor that does the first of these to the text (`t`), then the next: a count
    of its runs is in a file.
    """
    path, count = folder.parent / "editor.py", folder.parent / "runs"
    lines = ["import sys, pathlib", f"count = pathlib.Path({str(count)!r})"]
    lines += ["n = int(count.read_text()) if count.exists() else 0", "count.write_text(str(n + 1))"]
    lines += [
        "file = pathlib.Path(sys.argv[1])",
        "t = file.read_text()",
        "assert sys.stdin.isatty()",
    ]
    lines += [f"if n == {n}: {script}" for n, script in enumerate(scripts)]
    path.write_text("\n".join([*lines, "file.write_text(t)"]))
    monkeypatch.setenv("EDITOR", f"{sys.executable} {path}")
    return count


def on_terminal(*arguments: str, typed: str = "") -> tuple[int, str]:
    """Runs it with a pseudo-terminal for its standard streams; what is typed
    waits for whoever reads it.
    """
    own, theirs = pty.openpty()
    process = subprocess.Popen([*_COMMAND, *arguments], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        os.write(own, typed.encode())
        shown = b""
        while select.select([own], [], [], WAIT)[0]:
            try:
                data = os.read(own, 4096)
            except OSError:  # Linux: the other end is closed
                break
            if not data:
                break
            shown += data
        return process.wait(WAIT), shown.decode()
    finally:
        process.kill()
        process.wait()
        os.close(own)


def test_what_the_editor_left_is_put_in_place(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(folder, monkeypatch, "t = t.replace('text: It rains.', 'text: It is going to snow.', 1)")
    code, shown = on_terminal("edit", "a:2")
    assert code == 0, shown
    assert decode_text(held(folder, 2)) == "It is going to snow."
    assert "1 changed" in shown
    assert "git does not hold the old files" in shown


def test_a_bad_edit_is_told_with_its_line_and_opened_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = editor(
        folder,
        monkeypatch,
        "t = t.replace('text: It rains.', 'text: It hails.', 1).replace('status: 200', 'status:"
        " fine')",
        "assert 'It hails.' in t; t = t.replace('status: fine', 'status: 200')",
    )
    code, shown = on_terminal("edit", "a:2", typed="\nn\n")
    assert code == 0, shown
    assert runs.read_text() == "2"
    line = next(
        part for part in shown.splitlines() if "expected a whole number from 200 to 599" in part
    )
    assert f":{_line_of(folder, 'status: 200')}: " in line
    assert decode_text(held(folder, 2)) == "It hails."


def _line_of(folder: Path, text: str) -> int:
    """The line in the text that the editor saw: that of the file, below what the answer says."""
    (backup,) = folder.glob(".bedtape-backup/*/a/0002*")
    lines = backup.read_text().splitlines()
    head = 2 + 5 - 2 + 1  # two lines of comment, answer:, text:, stop_reason:, one line of comment
    return lines.index(next(line for line in lines if text in line)) + 1 + head


def test_a_bad_edit_that_is_given_up_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor(folder, monkeypatch, "t = t.replace('bedtape: 1', 'bedtape: [')")
    code, shown = on_terminal("edit", "a:2", typed="n\n")
    assert code == 2, shown
    (kept,) = folder.glob(".bedtape-backup/edit-*")
    assert "bedtape: [" in kept.read_text()
    assert kept.name in "".join(shown.split())
    assert decode_text(held(folder, 2)) == "It rains."


def test_nothing_changed_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    editor(folder, monkeypatch, "pass")
    code, shown = on_terminal("edit", "a:2")
    assert (code, "nothing changes" in shown) == (0, True)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_cassette_that_changed_meanwhile_is_not_overwritten(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [*_COMMAND, "set", "a:2", "answer.text=meanwhile"]
    editor(
        folder,
        monkeypatch,
        "t = t.replace('It rains.', 'It hails.', 1); import subprocess;"
        f" subprocess.run({command!r}, check=True)",
    )
    code, shown = on_terminal("edit", "a:2")
    assert code == 2
    assert "expected no change while the editor was open" in shown
    assert decode_text(held(folder, 2)) == "meanwhile"
    (kept,) = folder.glob(".bedtape-backup/edit-*")
    assert "It hails." in kept.read_text()


def test_an_editor_that_fails_changes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", "false")
    assert "nothing was changed" in run("edit", "a:2", code=2)
    monkeypatch.setenv("EDITOR", "no-such-editor-here")
    assert "EDITOR: expected an editor that runs" in run("edit", "a:2", code=2)
    assert "expected one interaction, found 2" in run("edit", "a", code=2)


def test_the_editor_sees_the_file_s_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "e.py"
    script.write_text(
        "import sys, pathlib; p = pathlib.Path(sys.argv[1]); p.write_text(p.read_text() + p.name)"
    )
    monkeypatch.setenv("VISUAL", f"{sys.executable} {script}")
    assert edit_text("é\n", "x.yaml") == "é\nx.yaml"
    monkeypatch.setenv("VISUAL", "'unclosed")
    with pytest.raises(CassetteError, match="EDITOR"):
        edit_text("", "x.yaml")


# -- set -------------------------------------------------------------------------------------------


def test_set_changes_what_is_selected(folder: Path) -> None:
    run("set", "a", "answer.text=same", "stop_reason=max_tokens")
    assert [read_answer_text(held(folder, n)) for n in (1, 2)] == ["same", "same"]
    assert decode_text(held(folder, 2)) == "same"


def test_set_shows_first_what_it_would_do(folder: Path) -> None:
    assert "+It snows." in run("set", "a:2", "answer.text=It snows.", "--dry-run")
    assert decode_text(held(folder, 2)) == "It rains."
    told = json.loads(run("set", "a:2", "answer.text=It snows.", "--json"))
    assert [name for name, _ in told["changed"]] == [held(folder, 2).file]
    assert Path(told["backup"]).is_dir()


def test_set_says_what_it_knows_in_a_line(folder: Path) -> None:
    assert run("set", "a:2", "colour=red", code=2).count("\n") == 1
    assert "numbers 1-2" in run("set", "a:9", "answer.text=x", code=2)


def test_a_secret_that_is_written_into_an_answer_is_replaced(folder: Path) -> None:
    run("set", "a:1", f"answer.text=it is ghp_{'a1B2' * 9}")
    assert read_answer_text(held(folder, 1)) == "it is REDACTED"


# -- unset, insert, replace, model -----------------------------------------------------------------


def test_a_model_is_set_in_all_interactions_with_one_note(folder: Path) -> None:
    shown = run("set", "*", "model=us.amazon.nova-pro-v1:0")
    assert {held(folder, n).model for n in (1, 2)} == {"us.amazon.nova-pro-v1:0"}
    assert held(folder, 1).request.path == "/model/us.amazon.nova-pro-v1%3A0/converse"
    assert shown.count("matches other calls") == 1
    assert "and 1 more" in shown


def test_events_are_inserted_and_removed(folder: Path) -> None:
    before = held(folder, 2)
    run("insert", "a:2", "1", 'contentBlockDelta={"contentBlockIndex":0,"delta":{"text":"Now: "}}')
    assert decode_text(held(folder, 2)) in ("Now: It rains.", "It Now: rains.")
    run("unset", "a:2", "json:$[1]")
    assert held(folder, 2) == before


def test_a_text_is_replaced_on_both_sides(folder: Path) -> None:
    run("replace", "*", "one", "two")
    assert read_answer_text(held(folder, 1)) == "two"
    assert "group" in run("replace", "*", "a", r"\1", "--regex", code=2)
