"""`bedtape cassette pack` and `unpack`."""

import json
from pathlib import Path

import pytest

from bedtape_cassettes.model import Cassette
from bedtape_cassettes.storage import store
from support import folders
from support.commands import run
from support.recordings import converse


def files(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*.yaml"))}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The samples, in `cassettes`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    root = tmp_path / "cassettes"
    for each in store.read([store.samples()]):
        folders.write(root, each)
    return root


def test_what_is_packed_is_unpacked_to_the_same_bytes(folder: Path) -> None:
    run("pack")
    run("unpack", "cassettes.tape", "--to", "again")
    assert files(Path("again")) == files(folder)
    assert store.read([Path("cassettes.tape")]) == store.read([folder])


def test_numbers_with_gaps_are_kept(folder: Path) -> None:
    run("drop", "tools:2")
    run("pack", "tools")
    run("unpack", "cassettes.tape", "--to", "again")
    assert files(Path("again")) == {
        name: data for name, data in files(folder).items() if name.startswith("tools/")
    }


def test_what_is_there_is_not_written_over_unasked(folder: Path) -> None:
    run("pack", "hello", "--to", "x.tape")
    old = Path("x.tape").read_bytes()
    assert "--force" in run("pack", "tools", "--to", "x.tape", code=2)
    assert "--force" in run("unpack", "x.tape", code=2)
    assert Path("x.tape").read_bytes() == old
    folders.write(folder, Cassette("hello", (converse("1", "mine"),)))
    mine = files(folder / "hello")
    run("unpack", "x.tape", "--force")
    assert store.read([folder]) == store.read([store.samples()])
    (kept,) = (folder / ".bedtape-backup").glob("2*")
    assert files(kept / "hello") == mine


def test_a_tape_does_not_go_where_it_would_be_read_twice() -> None:
    assert "outside cassettes" in run("pack", "--to", "cassettes/all.tape", code=2)
    assert "ends with .tape" in run("pack", "--to", "all.zip", code=2)


def test_what_is_no_tape_changes_nothing(folder: Path) -> None:
    Path("x.tape").write_bytes(b"bedtape\x01" + b"x" * 40)
    old = files(folder)
    assert "cut or changed" in run("unpack", "x.tape", "--force", code=2)
    assert files(folder) == old


def test_json_of_pack_unpack_and_undo(folder: Path) -> None:
    assert json.loads(run("pack", "hello", "tools", "--to", "x.tape", "--json")) == {
        "to": "x.tape",
        "cassettes": {"hello": 2, "tools": 4},
        "backup": None,
    }
    unpacked = json.loads(run("unpack", "x.tape", "--force", "--json"))
    assert unpacked["cassettes"] == {"hello": 2, "tools": 4}
    folders.write(folder, Cassette("hello", (converse("1", "mine"),)))
    replaced = json.loads(run("unpack", "x.tape", "--force", "--json"))
    assert Path(replaced["backup"]).is_dir()
    assert json.loads(run("undo", "--json"))["restored"] == ["hello", "tools"]
