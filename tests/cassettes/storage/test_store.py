"""Cassettes on disk: all or nothing when read, whole files when written, and a cache that
nobody can tell from none.
"""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedtape_cassettes.errors import CassetteInvalid, CassetteMissing, Problem
from bedtape_cassettes.format import document, tape, yamlio
from bedtape_cassettes.format.binary_files import Load
from bedtape_cassettes.model import Cassette, Interaction
from bedtape_cassettes.redaction.walk import scan, scrub_interaction
from bedtape_cassettes.storage import file_names, store
from support import WAIT, folders
from support import interactions as some
from support.examples import examples

GITHUB = "ghp_" + "a1B2" * 9


def cassette(name: str = "weather", *texts: str) -> Cassette:
    return Cassette(name, tuple(some.small(text=text) for text in texts or ("one", "two", "three")))


def files(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def problems(*paths: Path, cache: Path | None = None) -> tuple[Problem, ...]:
    with pytest.raises(CassetteInvalid) as refused:
        store.read(paths, cache=cache)
    return refused.value.problems


# -- both ways -------------------------------------------------------------------------------------


def test_many_cassettes_come_back_in_name_order(tmp_path: Path) -> None:
    written = [cassette("b"), cassette("a/y"), cassette("a/x", "1"), cassette("a", "2")]
    for one in written:
        folders.write(tmp_path, one)
    assert store.read([tmp_path]) == tuple(sorted(written, key=lambda one: one.name))


_NAMES = st.from_regex(r"[a-z0-9_-]{1,8}(/[a-z0-9_-]{1,8}){0,2}", fullmatch=True)


@settings(
    derandomize=True,
    deadline=None,
    max_examples=examples(40),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    st.dictionaries(
        _NAMES,
        st.lists(
            some.interactions.filter(lambda i: not scan(scrub_interaction(i))),
            min_size=1,
            max_size=3,
        ),
        max_size=3,
    )
)
def test_whatever_is_written_comes_back_from_folders_tapes_and_the_cache(
    suite: dict[str, list[Interaction]],
) -> None:
    scrubbed = {
        name: tuple(map(scrub_interaction, interactions)) for name, interactions in suite.items()
    }
    cassettes = tuple(Cassette(name, scrubbed[name]) for name in sorted(scrubbed))
    with TemporaryDirectory() as folder:
        root, cache = Path(folder, "cassettes"), Path(folder, "cache")
        root.mkdir()
        for one in cassettes:
            folders.write(root, one)
        plain = store.read([root])
        assert plain == cassettes
        assert store.read([root], cache=cache) == plain
        cached = store.read([root], cache=cache)
        assert cached == plain
        names = [i.file for one in plain for i in one.interactions]
        assert [i.file for one in cached for i in one.interactions] == names
        folders.write_tape(Path(folder, "all.tape"), plain)
        taped = store.read([Path(folder, "all.tape")])
        assert taped == plain
        assert [i.file for one in taped for i in one.interactions] == names


def test_files_are_named_by_order_operation_and_key(tmp_path: Path) -> None:
    first, second, third = folders.write(tmp_path, cassette())
    assert [path.name[:14] for path in (first, second, third)] == [
        "0001-converse-",
        "0002-converse-",
        "0003-converse-",
    ]
    assert len({path.stem[-8:] for path in (first, second, third)}) == 3
    read = store.read([tmp_path])[0].interactions
    assert [i.file for i in read] == [f"weather/{path.name}" for path in (first, second, third)]


def test_recorded_order_is_by_number_not_by_letter(tmp_path: Path) -> None:
    (path,) = folders.write(tmp_path, cassette("a", "x"))
    for name in ("10000-z.yaml", "0002-a.yaml", "0010-b.yml", "9-c.yaml", "note.yaml"):
        (path.parent / name).write_bytes(document.write(some.small(text=name)))
    path.unlink()
    read = [Path(i.file).name for i in store.read([tmp_path])[0].interactions]
    assert read == ["note.yaml", "0002-a.yaml", "9-c.yaml", "0010-b.yml", "10000-z.yaml"]


def test_ten_thousand_and_one_interactions_keep_their_order() -> None:
    names = [file_names.name_file(number, some.small()) for number in (2, 9999, 10000, 10001)]
    assert sorted(names, key=file_names.order_of) == names
    assert sorted(names) != names


def test_a_files_name_never_leaves_its_folder() -> None:
    interaction = some.small()
    hostile = replace(
        interaction, operation=None, request=replace(interaction.request, method="../../x/..")
    )
    assert file_names.name_file(1, hostile).startswith("0001-x-")


def test_files_right_in_the_folder_are_a_cassette_of_its_name(tmp_path: Path) -> None:
    folders.write(tmp_path, cassette("weather"))
    (read,) = store.read([tmp_path / "weather"])
    assert read.name == "weather"
    assert read == cassette("weather")
    assert "/" not in read.interactions[0].file


# -- reading what is wrong -------------------------------------------------------------------------


def broken(path: Path) -> list[tuple[str, int]]:
    """Puts two wrong files among right ones; gives the file and line of each problem to come."""
    first, _, third = folders.write(path, cassette("a"))
    (fourth,) = folders.write(path, cassette("b", "x"))
    first.write_text(
        first.read_text()
        .replace("status: 200", "status: 20")
        .replace("method: POST", "method: post")
    )
    third.write_bytes(b"\0")
    fourth.write_text("bedtape: 1\nrequest: &a {}\n")
    lines = first.read_text().splitlines()
    return [
        (str(first), lines.index("  method: post") + 1),
        (str(first), lines.index("  status: 20") + 1),
        (str(third), 0),
        (str(fourth), 2),
    ]


def test_all_problems_of_all_files_come_at_once_and_in_order(tmp_path: Path) -> None:
    expected = broken(tmp_path / "one")
    (tmp_path / "one" / "z.tape").write_bytes(b"bedtape\x01")
    expected.append((str(tmp_path / "one" / "z.tape"), 0))
    expected += broken(tmp_path / "two")
    told = problems(tmp_path / "one", tmp_path / "two", cache=tmp_path / "cache")
    assert [(problem.file, problem.line) for problem in told] == expected


_ENTRY = """
- request:
    method: POST
    uri: https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse
    body: '{}'
    headers: {}
  response:
    status: {code: 200, message: OK}
    headers: {}
    body: {string: '{}'}
"""
_GO = """
version: 2
interactions:
- id: 0
  request:
    method: POST
    url: https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse
    body: '{}'
    headers: {}
  response:
    code: 200
    headers: {}
    body: '{}'
"""


@pytest.mark.parametrize(
    ("recorder", "text"),
    [
        ("VCR.py", f"interactions:{_ENTRY}version: 1\n"),
        ("Ruby VCR", f"---\nhttp_interactions:{_ENTRY}recorded_with: VCR 6.3.1\n"),
        ("go-vcr", f"---{_GO}"),
    ],
)
def test_a_file_of_another_recorder_is_one_problem(
    recorder: str, text: str, tmp_path: Path
) -> None:
    """It lacks all that a file of bedtape's has, and a problem for each missing
    member would hide the cause.
    """
    folders.write(tmp_path / "a", cassette("a"))
    for name in ("one.yaml", "two.yml"):
        (tmp_path / "a" / name).write_text(text)
    told = problems(tmp_path / "a")
    assert [(Path(problem.file).name, problem.found) for problem in told] == [
        (name, f"a recording of {recorder}") for name in ("one.yaml", "two.yml")
    ]
    assert "bedtape cassette import" in told[0].fix


def test_nothing_of_a_broken_folder_is_cached_as_right(tmp_path: Path) -> None:
    broken(tmp_path / "a")
    assert problems(tmp_path / "a", cache=tmp_path / "cache") == problems(
        tmp_path / "a", cache=tmp_path / "cache"
    )


def test_an_unreadable_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = folders.write(tmp_path, cassette())
    real = Path.read_bytes

    def read(self: Path) -> bytes:
        if self == paths[1]:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(self)

    monkeypatch.setattr(Path, "read_bytes", read)
    (problem,) = problems(tmp_path)
    assert problem == Problem(
        str(paths[1]), 0, "a readable file", "Permission denied", "fix the file or its permissions"
    )


def test_an_unreadable_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders.write(tmp_path, cassette("a"))
    folders.write(tmp_path, cassette("b"))
    real = os.scandir

    def scandir(path: str) -> object:
        if Path(path).name == "b":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    (problem,) = problems(tmp_path)
    assert (problem.file, problem.found) == (str(tmp_path / "b"), "Permission denied")


def test_an_over_large_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = folders.write(tmp_path, cassette("a", "x"))
    os.truncate(path, yamlio.MAX_BYTES + 1)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("it was read"))
    (problem,) = problems(tmp_path)
    assert (problem.expected, problem.found) == ("at most 64 MiB", "64.0 MiB")


def test_broken_links_pipes_and_loops(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "1.yaml").symlink_to(tmp_path / "gone")
    os.mkfifo(folder / "2.yaml")
    (folder / "3.yaml").symlink_to("3.yaml")
    (folder / "4.tape").symlink_to(tmp_path / "gone")
    told = problems(tmp_path)
    assert [(Path(p.file).name, p.fix) for p in told] == [
        ("1.yaml", "restore or remove it"),
        ("2.yaml", "remove it"),
        ("3.yaml", "fix the file or its permissions"),
        ("4.tape", "restore or remove it"),
    ]


def test_linked_folders_are_read_once_and_loops_end(tmp_path: Path) -> None:
    root = tmp_path / "cassettes"
    folders.write(root / ".hidden", cassette("x"))
    (root / "linked").symlink_to(root / ".hidden" / "x")
    (root / "loop").symlink_to(root)
    (tmp_path / "another").symlink_to(root)
    assert store.read([root]) == (replace(cassette("x"), name="linked"),)
    assert store.read([tmp_path / "another"]) == store.read([root])  # a link that the user names


@pytest.mark.parametrize("link", ["folder", "file.yaml", "file.tape"])
def test_links_that_leave_the_folder_are_refused(link: str, tmp_path: Path) -> None:
    file, *_ = folders.write(tmp_path / "elsewhere", cassette("x"))
    root = tmp_path / "cassettes"
    folders.write(root, cassette("own"))
    seen = store.fingerprint([root])
    target = file if "." in link else file.parent
    (root / link).symlink_to(target)
    (root / "README.md").symlink_to(file)  # it is no cassette
    (problem,) = problems(root)
    assert (problem.file, problem.found) == (str(root / link), f"one to {target.resolve()}")
    assert store.fingerprint([root]) == seen


def test_what_is_not_there_or_no_folder(tmp_path: Path) -> None:
    plain = tmp_path / "a.yaml"
    plain.write_text("a: 1")
    with pytest.raises(CassetteMissing, match="no such file or folder; name a folder"):
        store.read([tmp_path / "gone"])
    with pytest.raises(CassetteMissing, match="name its folder"):
        store.read([plain])
    (problem,) = problems(plain / "below")
    assert problem.found == "Not a directory"
    (problem,) = problems(Path("a\0b"))
    assert "null" in problem.found


def test_an_empty_folder_holds_no_cassette(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.yaml").write_text("no cassette")
    (tmp_path / "README.md").write_text("hello")
    assert store.read([tmp_path]) == ()


# -- several places --------------------------------------------------------------------------------


def test_several_folders_and_tapes_are_one_suite(tmp_path: Path) -> None:
    folders.write(tmp_path / "one", cassette("b"))
    folders.write(tmp_path / "two", cassette("a"))
    folders.write_tape(tmp_path / "c.tape", [cassette("c")])
    folders.write_tape(tmp_path / "one" / "d.tape", [cassette("d")])
    read = store.read([tmp_path / "one", tmp_path / "two", tmp_path / "c.tape"])
    assert read == (cassette("a"), cassette("b"), cassette("c"), cassette("d"))


def test_two_cassettes_of_a_name_are_refused_wherever_they_come_from(tmp_path: Path) -> None:
    folders.write(tmp_path / "one", cassette("a"))
    folders.write(tmp_path / "two", cassette("a"))
    (problem,) = problems(tmp_path / "one", tmp_path / "two")
    assert (problem.file, problem.expected, problem.found) == ("a", "one cassette of a name", "two")
    folders.write_tape(tmp_path / "two" / "x.tape", [cassette("a")])
    assert [p.file for p in problems(tmp_path / "two")] == ["a"]
    folders.write(tmp_path / "x", cassette("x"))
    shutil.copytree(tmp_path / "x" / "x", tmp_path / "x", dirs_exist_ok=True)
    assert [p.file for p in problems(tmp_path / "x")] == ["x"]


# -- the cache -------------------------------------------------------------------------------------


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are parsed from now on."""
    names: list[str] = []
    real = document.read

    def read(data: bytes, file: str, *load: Load) -> Interaction:
        names.append(Path(file).name)
        return real(data, file, *load)

    monkeypatch.setattr(document, "read", read)
    return names


def test_a_second_load_parses_nothing_and_a_change_one_file(
    tmp_path: Path, parsed: list[str]
) -> None:
    root, cache = tmp_path / "cassettes", tmp_path / "cache"
    paths = folders.write(root, cassette())
    parsed.clear()
    first = store.read([root], cache=cache)
    assert len(parsed) == 3
    parsed.clear()
    assert store.read([root], cache=cache) == first
    assert parsed == []
    for path in paths:
        os.utime(path, (1, 1))
    assert store.read([root], cache=cache) == first
    assert parsed == []
    paths[1].write_bytes(document.write(some.small(text="changed")))
    (changed,) = store.read([root], cache=cache)
    assert parsed == [paths[1].name]
    assert changed.interactions[1] == some.small(text="changed")
    parsed.clear()
    paths[0].unlink()
    store.read([root], cache=cache)
    store.read([root], cache=cache)
    assert parsed == []


def test_the_cache_goes_by_content_wherever_the_file_is_now(
    tmp_path: Path, parsed: list[str]
) -> None:
    root, cache = tmp_path / "cassettes", tmp_path / "cache"
    (path,) = folders.write(root, cassette("a", "x"))
    store.read([root], cache=cache)
    parsed.clear()
    (root / "b").mkdir()
    path.rename(root / "b" / "0007-moved.yaml")
    (moved,) = store.read([root], cache=cache)
    assert parsed == []
    assert (moved.name, moved.interactions[0].file) == ("b", "b/0007-moved.yaml")


def the_cache(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def rotten(data: bytes) -> bytes:
    return tape.pack_rows(dict.fromkeys(tape.unpack_rows(data), (1, 2)))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda data: data[:-1],
        lambda data: b"x" + data,
        lambda _: tape.pack([]),
        rotten,
    ],
)
def test_a_spoilt_cache_is_no_cache_and_is_made_anew(
    spoil: Callable[[bytes], bytes], tmp_path: Path, parsed: list[str]
) -> None:
    root, cache = tmp_path / "cassettes", tmp_path / "cache"
    folders.write(root, cassette())
    first = store.read([root], cache=cache)
    path = the_cache(cache)
    path.write_bytes(spoil(path.read_bytes()))
    parsed.clear()
    assert store.read([root], cache=cache) == first
    assert len(parsed) == 3
    parsed.clear()
    assert store.read([root], cache=cache) == first
    assert parsed == []


def failing(real: Callable[..., None], at: int, error: OSError) -> Callable[..., None]:
    calls = iter(range(at))

    def fail(*arguments: object, **named: object) -> None:
        if next(calls, None) is None:
            raise error
        real(*arguments, **named)

    return fail


def test_a_cache_that_cannot_be_kept_is_no_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "cassettes"
    folders.write(root, cassette())
    plain = store.read([root])
    (tmp_path / "file").write_text("not a folder")
    assert store.read([root], cache=tmp_path / "file" / "cache") == plain
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(os, "replace", failing(os.replace, 0, full))
    assert store.read([root], cache=tmp_path / "cache") == plain
    assert files(tmp_path / "cache") == {}


# Every third time the cache is thrown away, so that both write it again and again.
READ_OFTEN = """
import sys
from pathlib import Path
from bedtape_cassettes.storage import file_names, store
root, cache = map(Path, sys.argv[1:])
for number in range(30):
    assert len(store.read([root], cache=cache)[0].interactions) == 3
    if number % 3 == 0:
        for path in cache.glob("*.tape"):
            path.unlink(missing_ok=True)
"""


def test_processes_that_write_the_cache_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    root, cache = tmp_path / "cassettes", tmp_path / "cache"
    folders.write(root, cassette())
    command = [sys.executable, "-W", "error", "-c", READ_OFTEN, str(root), str(cache)]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    assert [(process.communicate(timeout=WAIT)[1], process.returncode) for process in running] == [
        (b"", 0)
    ] * 2
    assert [path.suffix for path in cache.iterdir()] in ([], [".tape"])


def test_where_the_cache_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.cache_folder({"BEDTAPE_CACHE_DIR": "/a"}) == Path("/a")
    assert store.cache_folder({"BEDTAPE_CACHE_DIR": "", "XDG_CACHE_HOME": "/b"}) is None
    assert store.cache_folder({"XDG_CACHE_HOME": "/b"}) == Path("/b/bedtape")
    monkeypatch.setenv("HOME", "/home/me")
    assert store.cache_folder({}) == Path("/home/me/.cache/bedtape")


# -- watching --------------------------------------------------------------------------------------


def replace_within_a_tick(file: Path) -> None:
    """Replaces the file by one of the same size and time."""
    other = file.with_name(".other")
    shutil.copy2(file, other)
    other.replace(file)


def test_the_fingerprint_changes_with_the_files_and_only_with_them(tmp_path: Path) -> None:
    root, single = tmp_path / "cassettes", tmp_path / "x.tape"
    first, *_ = folders.write(root, cassette("a"))
    folders.write_tape(single, [cassette("b")])
    seen = [store.fingerprint([root, single])]

    def changes(what: Callable[[], object]) -> bool:
        what()
        seen.append(store.fingerprint([root, single]))
        return seen[-1] != seen[-2]

    assert not changes(lambda: None)
    assert not changes(lambda: (root / "README.md").write_text("hello"))
    assert not changes(lambda: (root / "a" / ".tmp").write_text("hello"))
    assert changes(lambda: folders.write(root, cassette("c")))
    assert changes(lambda: os.utime(first, (1, 1)))
    assert changes(lambda: replace_within_a_tick(first))
    assert changes(lambda: first.write_bytes(first.read_bytes() + b"\n"))
    assert changes(first.unlink)
    assert changes(lambda: folders.write_tape(root / "y.tape", [cassette("d")]))
    assert changes(lambda: folders.write_tape(single, [cassette("b", "other")]))
    assert changes(lambda: shutil.rmtree(root))
    assert changes(single.unlink)
    assert seen[-1] == frozenset()


def test_the_samples_that_ship_are_read_and_are_as_we_write_them(tmp_path: Path) -> None:
    shipped = store.read([store.samples()])
    assert shipped
    for one in shipped:
        folders.write(tmp_path, one)
    ours = {name: data for name, data in files(store.samples()).items() if name.endswith(".yaml")}
    assert files(tmp_path) == ours
