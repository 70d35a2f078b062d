"""Changed cassettes put in place: whoever is killed and whatever is full, each cassette is
the old one or the new one.
"""

import errno
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bedtape_cassettes.errors import CassetteError, CassetteInvalid, SecretFound
from bedtape_cassettes.foreign.exporters import FORMATS
from bedtape_cassettes.model import Body, Cassette, Suite
from bedtape_cassettes.storage import commit, file_names, folder_swap, store
from bedtape_cassettes.suites import bulk
from bedtape_cassettes.suites.timing import Retiming, retime
from support import folders
from support.capturing import CaptureRun
from support.recordings import answer, converse, path, prompt

GITHUB = "ghp_" + "a1B2" * 9


def write(root: Path, **texts: str) -> Suite:
    """A cassette each, with an interaction a letter."""
    for name, letters in texts.items():
        folders.write(root, Cassette(name, tuple(converse(t, t, after_ms=9) for t in letters)))
    return store.read([root])


def files(root: Path) -> dict[str, bytes]:
    return {
        p.relative_to(root).as_posix(): p.read_bytes()
        for p in sorted(root.rglob("*"))
        if p.is_file()
    }


def all_slower(suite: Suite) -> Suite:
    everything = {c.name: tuple(range(len(c.interactions))) for c in suite}
    return bulk.change_each(suite, everything, lambda interaction: retime(interaction, Retiming(2)))


# -- what is there afterwards ----------------------------------------------------------------------


def test_what_is_put_is_read_and_nothing_else_is_left(tmp_path: Path) -> None:
    before = write(tmp_path, a="123", b="4")
    after = bulk.move(all_slower(before), {"a": (1, 2)}, "b")
    commit.commit(tmp_path, before, after)
    assert store.read([tmp_path]) == after
    assert set(files(tmp_path)) == {i.file for c in after for i in c.interactions}


def test_a_report_comes_while_files_are_made(tmp_path: Path) -> None:
    """Or else a progress bar begins when nearly all work is done."""
    before = write(tmp_path, a="1", b="4")
    made = tuple(
        Cassette(name, cassette.interactions) for name, cassette in zip("cd", before, strict=True)
    )
    new = tuple(map(file_names.number_files, made))
    told: list[tuple[str, list[str]]] = []

    def report(name: str) -> None:
        told.append((name, sorted(path.name for path in tmp_path.iterdir() if path.is_dir())))

    commit.commit(tmp_path, before, new, report=report)
    assert [each for each in told if each[0] in "cd"] == [("c", ["a", "b"]), ("d", ["a", "b"])]
    assert sorted(name for name, _ in told) == ["a", "b", "c", "d"]


def test_files_that_do_not_change_keep_their_bytes_and_times(tmp_path: Path) -> None:
    write(tmp_path, a="123")
    kept = next((tmp_path / "a").glob("0003-*"))
    kept.write_bytes(b"# a comment by hand\n" + kept.read_bytes())
    (tmp_path / "a" / "README.md").write_text("notes")
    (tmp_path / "a" / "link").symlink_to("README.md")
    (tmp_path / "a" / ".hidden.yaml").write_text("no cassette")
    old = kept.read_bytes(), kept.stat().st_mtime_ns
    before = store.read([tmp_path])
    commit.commit(tmp_path, before, bulk.drop(before, {"a": (0,)}))
    assert (kept.read_bytes(), kept.stat().st_mtime_ns) == old
    assert (tmp_path / "a" / "link").read_text() == "notes"
    now = store.read([tmp_path])
    commit.commit(tmp_path, now, bulk.rename(now, "a", "b"))
    assert b"# a comment by hand" in (tmp_path / "b" / kept.name).read_bytes()
    assert (tmp_path / "a" / "README.md").read_text() == "notes"
    assert (tmp_path / "a" / ".hidden.yaml").read_text() == "no cassette"


def test_a_cassette_below_another_stays(tmp_path: Path) -> None:
    write(tmp_path, **{"a": "12", "a/x": "3"})
    before = store.read([tmp_path])
    commit.commit(tmp_path, before, bulk.drop(before, {"a": (0, 1)}))
    assert [c.name for c in store.read([tmp_path])] == ["a/x"]
    now = store.read([tmp_path])
    commit.commit(tmp_path, now, bulk.rename(now, "a/x", "a"))
    assert [c.name for c in store.read([tmp_path])] == ["a"]
    assert not (tmp_path / "a" / "x").exists()


def test_a_copy_is_a_file_of_its_own(tmp_path: Path) -> None:
    before = write(tmp_path, a="1")
    commit.commit(tmp_path, before, bulk.copy(before, {"a": (0,)}, "b"))
    one, other = (next((tmp_path / name).iterdir()) for name in ("a", "b"))
    assert one.read_bytes() == other.read_bytes()
    assert not one.samefile(other)


def test_files_right_in_the_folder_are_a_cassette_too(tmp_path: Path) -> None:
    write(tmp_path, a="12", **{"a/x": "3"})
    folder = tmp_path / "a"
    before = store.read([folder])
    commit.commit(folder, before, bulk.drop(before, {"a": (0,)}))
    assert [(c.name, len(c.interactions)) for c in store.read([folder])] == [("a", 1), ("x", 1)]


def test_a_tape_is_replaced_as_a_folder_is(tmp_path: Path) -> None:
    tape = tmp_path / "all.tape"
    folders.write_tape(tape, write(tmp_path / "folder", a="123", b="4"))
    before = store.read([tape])
    after = bulk.move(before, {"a": (1,)}, "b")
    with commit.lock(tape):
        commit.commit(tape, before, after)
    assert store.read([tape]) == after


def test_a_cassette_in_a_tape_of_the_folder_is_not_changed_there(tmp_path: Path) -> None:
    folders.write_tape(tmp_path / "all.tape", write(tmp_path / "folder", a="12"))
    shutil.rmtree(tmp_path / "folder")
    before = store.read([tmp_path])
    old = files(tmp_path)
    with pytest.raises(CassetteError, match=r"it is in a \.tape file; give that with --in"):
        commit.commit(tmp_path, before, bulk.drop(before, {"a": (0,)}))
    assert files(tmp_path) == old


def test_what_is_written_contains_no_secret(tmp_path: Path) -> None:
    before = write(tmp_path, a="12", b="3")
    secrets = (converse("4", "4"), converse(f"my key: {GITHUB}", "5"), converse("6", f"\n{GITHUB}"))
    after = (*before, file_names.number_files(Cassette("c", secrets)))
    for place in (tmp_path, tmp_path / "a.tape"):
        commit.commit(place, before, after)
        assert GITHUB.encode() not in b"".join(
            path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
        )


def test_a_name_with_a_secret_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    before = write(tmp_path, a="12", b="3")
    old = files(tmp_path)
    after = (
        *bulk.drop(before, {"a": (0,)}),
        file_names.number_files(Cassette(f"of/{GITHUB}", (converse("4", "4"),))),
    )
    for place in (tmp_path, tmp_path / "a.tape"):
        with pytest.raises(SecretFound) as refused:
            commit.commit(place, before, after)
        expected = (
            "of/REDACTED: expected a name without a secret, found a GitHub token; choose another"
            " name"
        )
        assert str(refused.value) == expected
    assert files(tmp_path) == old


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")
    with pytest.raises(CassetteError, match="expected to write"):
        folders.write(tmp_path, Cassette("a/b", (converse("1", "1"),)))


def test_a_form_that_lies_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """A tape's forms are taken on trust; what is shown is parsed."""
    good = converse("1", "1")
    lies = (Body("json", b"{"), Body("json", b'{"a": 1}'), Body("text", b"\xff"))
    for body in lies:
        bad = replace(good, response=replace(good.response, body=body))
        with pytest.raises(CassetteError, match=r"expected an interaction that"):
            folders.write(tmp_path, Cassette("a", (good, bad)))
    with pytest.raises(CassetteInvalid, match="a method in capitals"):
        folders.write(
            tmp_path,
            Cassette("a", (good, replace(good, request=replace(good.request, method="x")))),
        )
    assert files(tmp_path) == {}


@pytest.mark.parametrize("name", ["", "../a", "/a", "a/../b", ".a", "a\\b", "a:b"])
def test_names_that_leave_the_folder_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match="cassette name"):
        folders.write(tmp_path, Cassette(name, (converse("1", "1"),)))
    with pytest.raises(CassetteError, match="cassette name"):
        folders.write_tape(tmp_path / "a.tape", [Cassette(name, (converse("1", "1"),))])
    with pytest.raises(CassetteInvalid, match="names inside the folder"):
        folders.write_tape(
            tmp_path / "a.tape", [Cassette("a", (replace(converse("1", "1"), file="../x.yaml"),))]
        )
    assert files(tmp_path) == {}


def test_a_file_of_another_kind_is_not_written_over(tmp_path: Path) -> None:
    before = write(tmp_path, a="12")
    name = before[0].interactions[0].file.rpartition("/")[2]
    (tmp_path / "b" / name).mkdir(parents=True)
    after = bulk.rename(before, "a", "b")
    with pytest.raises(CassetteError, match="expected to write"):
        commit.commit(tmp_path, before, after)
    assert store.read([tmp_path]) == before


# -- one at a time, and copies ---------------------------------------------------------------------


def test_two_commands_do_not_change_one_folder_at_once(tmp_path: Path) -> None:
    with (
        commit.lock(tmp_path),
        pytest.raises(CassetteError, match="another command"),
        commit.lock(tmp_path),
    ):
        pass
    left = [
        tmp_path / name
        for name in (".a.bedtape-new", ".x.tape.1.bedtape-new", ".y.tape.1.bedtape-new")
    ]
    for one in left:
        one.write_text("of a killed process")
    with commit.lock(tmp_path / "x.tape"):
        assert [one.exists() for one in left] == [True, False, True]
    with commit.lock(tmp_path):
        assert not any(one.exists() for one in left)


def test_a_folder_that_stays_empty_is_removed_again(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "cassettes"
    with commit.lock(folder, create=True):
        assert folder.is_dir()
    assert not (tmp_path / "new").exists()


def test_a_backup_is_the_old_files_and_no_cassette(tmp_path: Path) -> None:
    before = write(tmp_path, a="12", b="3")
    old = {name: data for name, data in files(tmp_path).items() if name.startswith("a/")}
    kept = [
        commit.back_up(tmp_path, commit.list_files(tmp_path, before, ["a"]), "now") for _ in "12"
    ]
    assert [folder.name for folder in kept] == ["now", "now-2"]
    assert all(files(folder) == old for folder in kept)
    assert store.read([tmp_path]) == before
    assert (tmp_path / commit.BACKUPS / ".gitignore").read_text() == "*\n"


def test_where_folders_cannot_change_places_in_one_step_two_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_swap, "_swap_folders", lambda one, other: False)
    before = write(tmp_path, a="123")
    after = bulk.drop(all_slower(before), {"a": (0,)})
    commit.commit(tmp_path, before, after)
    assert store.read([tmp_path]) == after
    assert not list(tmp_path.glob(".*"))


def test_where_a_folder_cannot_be_renamed_nothing_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's image: folders of its lower layers cannot be renamed."""
    before = write(tmp_path, a="12")
    old = files(tmp_path)

    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(folder_swap, "_swap_folders", lambda one, other: False)
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(CassetteError, match="change a copy of it"):
        commit.commit(tmp_path, before, bulk.drop(before, {"a": (0,)}))
    assert files(tmp_path) == old


# -- killed, and full ------------------------------------------------------------------------------


def prepare(root: Path, user: str) -> None:
    """What each user of `commit` works on; support.failing_writes runs it."""
    before = write(root / "cassettes", a="123", b="4", c="56")
    (root / "cassettes" / "c" / "below").mkdir()
    (root / "cassettes" / "c" / "below" / "notes.txt").write_text("notes")
    if user == "importer":
        (root / "sources").mkdir()
        for name, cassette in {"a": before[0], "b": before[2], "d": all_slower(before)[0]}.items():
            (root / "sources" / f"{name}.yaml").write_bytes(
                FORMATS["vcrpy"].export(cassette, "us-east-1")
            )
    if user == "recorder":
        taken = CaptureRun()
        for session, texts in {"a": "1xy", "b": "5", "d": "6"}.items():
            for text in texts:
                taken.exchange(
                    path(),
                    prompt(text),
                    json.dumps(answer(f"new {text}")).encode(),
                    session=session,
                )
        (root / "a.journal").write_bytes(taken.data)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("user", "how"),
    [
        ("command", "two-steps"),
        *(
            (user, how)
            for user in ("command", "importer", "recorder")
            for how in ("killed", "full")
        ),
    ],
)
def test_at_whatever_step_it_ends_each_cassette_is_the_old_or_the_new_one(
    tmp_path: Path, user: str, how: str
) -> None:
    """Killed with SIGKILL, or the disk full: before each single step on the
    disk, one after the other.
    """
    root = tmp_path / "root"
    prepare(root, user)
    command = [
        sys.executable,
        str(Path(__file__).parents[2] / "support" / "failing_writes.py"),
        user,
        how,
        str(root),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    ends = [ended for _, ended, _ in rows]
    assert len(rows) > 30
    assert ends[-1] == "done"
    assert set(ends[:-1]) == {"refused" if how == "full" else "killed"}
    assert [row for row in rows if row[2]] == []


# -- links -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["linked", "linked/below", "a"])
def test_nothing_is_written_through_a_link_out_of_the_folder(name: str, tmp_path: Path) -> None:
    root, outside = tmp_path / "cassettes", tmp_path / "outside"
    outside.mkdir()
    root.mkdir()
    (root / "linked").symlink_to(outside)
    (root / "a").symlink_to(tmp_path / "gone")
    numbered = file_names.number_files(Cassette(name, (converse("a", "b"),)))
    with (
        commit.lock(root),
        pytest.raises(CassetteError, match=r"expected a folder below .*, found a link to"),
    ):
        commit.commit(root, (), (numbered,))
    assert not list(outside.iterdir())
    assert not (tmp_path / "gone").exists()


def test_no_backup_is_written_through_a_link(tmp_path: Path) -> None:
    root, outside = tmp_path / "cassettes", tmp_path / "outside"
    outside.mkdir()
    (file,) = folders.write(root, Cassette("a", (converse("a", "b"),)))
    (root / ".bedtape-backup").symlink_to(outside)
    with pytest.raises(CassetteError, match="found a link to"):
        commit.back_up(root, [file], "now")
    assert not list(outside.iterdir())
