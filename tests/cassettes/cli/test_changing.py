"""The commands that change cassettes: what they do to a folder, what they
show first, what they keep.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from bedtape_cassettes.model import Cassette, Events
from bedtape_cassettes.storage import store
from support import folders
from support.commands import run
from support.recordings import converse, stream

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def files(root: Path) -> dict[str, bytes]:
    return {
        p.relative_to(root).as_posix(): p.read_bytes()
        for p in sorted(root.rglob("*"))
        if p.is_file()
    }


def held(root: Path) -> dict[str, list[str]]:
    """Each cassette's requests, by their one letter."""
    return {
        c.name: [i.request.body.data.decode()[-7] for i in c.interactions]
        for c in store.read([root])
    }


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two cassettes in `cassettes`, in no repository."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    root = tmp_path / "cassettes"
    folders.write(
        root,
        Cassette(
            "a",
            (
                converse("1", "x", after_ms=90),
                stream("2", ["x"], at_ms=[0, 80]),
                converse("3", "x"),
            ),
        ),
    )
    folders.write(root, Cassette("b", (converse("4", "x", model="m.n"), converse("1", "y"))))
    return root


@pytest.mark.parametrize(
    ("arguments", "after"),
    [
        (["drop", "a:2"], {"a": ["1", "3"], "b": ["4", "1"]}),
        (["drop", "a"], {"b": ["4", "1"]}),
        (["keep", "a:op=ConverseStream"], {"a": ["2"], "b": ["4", "1"]}),
        (["truncate-after", "a:2", "b:1"], {"a": ["1", "2"], "b": ["4"]}),
        (["move", "*:prompt=1", "--to", "c"], {"a": ["2", "3"], "b": ["4"], "c": ["1", "1"]}),
        (["copy", "b:1", "--to", "a"], {"a": ["1", "2", "3", "4"], "b": ["4", "1"]}),
        (["rename", "b", "x/y"], {"a": ["1", "2", "3"], "x/y": ["4", "1"]}),
        (
            ["split", "b", "--by", "model"],
            {"a": ["1", "2", "3"], "b/m.n": ["4"], "b/us.amazon.nova-lite-v1-0": ["1"]},
        ),
        (["merge", "b", "a", "--to", "b"], {"b": ["4", "1", "1", "2", "3"]}),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_command_changes_a_folder_and_a_tape_alike(
    folder: Path, arguments: list[str], after: dict[str, list[str]], packed: bool
) -> None:
    place = folder
    if packed:
        place = folder.with_suffix(".tape")
        folders.write_tape(place, store.read([folder]))
    old = files(folder)
    before = place.read_bytes() if packed else files(place)
    shown = run(*arguments, "--in", str(place), "--dry-run")
    assert "nothing was changed" in shown
    assert (place.read_bytes() if packed else files(place)) == before
    run(*arguments, "--in", str(place))
    assert held(place) == after
    (backup,) = (place.parent if packed else place).glob(".bedtape-backup/2*")
    (backup / "undo.json").unlink()
    if packed:
        assert files(folder) == old
        assert files(backup) == {"cassettes.tape": before}
    else:
        assert files(backup).items() <= old.items()
        assert {
            name: data for name, data in old.items() if name not in files(place)
        }.items() <= files(backup).items()


def test_times_are_changed(folder: Path) -> None:
    run("retime", "a:1", "--zero")
    run("retime", "a:2", "--scale", "2", "--cap", "100")
    one, two, _ = store.read([folder])[0].interactions
    assert one.response.after_ms == 0
    assert isinstance(two.response.body, Events)
    assert [event.at_ms for event in two.response.body.events][:2] == [0, 100]


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--zero", "--cap", "1"],
        ["--scale", "0"],
        ["--scale", "nan"],
        ["--cap", "-1"],
        ["--scale", "1e9"],
    ],
)
def test_times_that_make_no_sense_are_refused(folder: Path, options: list[str]) -> None:
    old = files(folder)
    assert "expected" in run("retime", "a", *options, code=2)
    assert files(folder) == old


def test_a_stream_is_trimmed_and_what_is_none_is_refused(folder: Path) -> None:
    run("trim", "a:2", "--events", "1")
    body = store.read([folder])[0].interactions[1].response.body
    assert isinstance(body, Events)
    assert [event.type for event in body.events] == ["messageStart"]
    assert "is=stream" in run("trim", "a", "--events", "1", code=2)


def test_numbers_stay_until_they_are_renumbered(folder: Path) -> None:
    run("drop", "a:1")
    assert [path.name[:4] for path in sorted((folder / "a").iterdir())] == ["0002", "0003"]
    assert "user\n  3" in run("show", "a:3")
    run("renumber", "a")
    assert [path.name[:4] for path in sorted((folder / "a").iterdir())] == ["0001", "0002"]
    assert "nothing changes" in run("renumber", "a")


def test_merging_names_requests_that_are_there_twice(folder: Path) -> None:
    assert "c: 1, 5 have the same request" in run("merge", "a", "b", "--to", "c")


def test_a_change_is_told_in_json(folder: Path) -> None:
    told = json.loads(run("drop", "a:1", "--dry-run", "--json"))
    (removed,) = told["removed"]
    assert removed.startswith("a/0001-converse-")
    assert (told["dry_run"], told["backup"]) == (True, None)
    told = json.loads(run("rename", "b", "c", "--json"))
    assert [pair[1][:2] for pair in told["moved"]] == ["c/", "c/"]
    assert Path(told["backup"]).is_dir()


@needs_git
def test_a_backup_of_files_that_git_holds_is_not_printed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "add", "-A"], check=True)
    assert "backup: " not in run("drop", "a:1")
    run("drop", "a:2")  # what is left of it is in the index no less
    assert "backup: " not in run("rename", "b", "c")
    assert "backup: " in run("drop", "c:1")


def test_a_cassette_in_a_tape_of_the_folder_is_changed_in_the_tape(folder: Path) -> None:
    folders.write_tape(
        folder / "packed.tape", [Cassette("c", (converse("5", "x"), converse("6", "x")))]
    )
    old = files(folder)
    assert "give that with --in" in run("drop", "c:1", code=2)
    assert files(folder) == old
    run("drop", "c:1", "--in", str(folder / "packed.tape"))
    assert held(folder)["c"] == ["6"]


def test_changing_the_cassette_that_the_shell_stands_in_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "a")
    assert "go to a folder above" in run("drop", "a:1", "--in", "..", code=2)
    assert held(folder)["a"] == ["1", "2", "3"]
