"""What a test asks for and what a run adds up: the parts of the pytest plugin
that need no pytest.
"""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.model import Cassette
from bedtape_cassettes.names import cassette_name, is_safe_name
from bedtape_replayer.answering.library import Library
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.plugin.loading import load_library
from bedtape_replayer.plugin.marks import MarkInvalid, read_marks
from bedtape_replayer.plugin.patched_environment import PatchedEnvironment
from bedtape_replayer.plugin.summary import Summary
from support import folders
from support.calls import head
from support.recordings import converse, path, prompt

FILE = Path("/project/tests/test_mail.py")


def _asked(*names: str, marks: Any = ()) -> Any:
    return read_marks("id", FILE, names, marks)


# -- the cassette's name ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "cassette"),
    [
        (("test_one",), "test_mail/test_one"),
        (("TestIt", "Inner", "test_one"), "test_mail/TestIt/Inner/test_one"),
        (("test_one[a-1]",), "test_mail/test_one[a-1]"),
    ],
)
def test_plain_ids_are_names_as_they_are(names: tuple[str, ...], cassette: str) -> None:
    marks = _asked(*names)
    assert (marks.folder, marks.cassette) == (FILE.parent / "cassettes", cassette)


ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)


@given(ids, ids)
def test_every_id_has_a_cassette_of_its_own_that_any_system_can_hold(one: str, other: str) -> None:
    first, second = (_asked(f"test[{each}]").cassette for each in (one, other))
    assert is_safe_name(first)
    assert all(len(part.encode()) <= 200 for part in first.split("/"))
    assert first.count("/") == 1
    assert cassette_name(first) == first, "the recorder calls it otherwise"
    assert (first == second) == (one == other)


def test_ids_alike_up_to_what_is_cut_or_replaced_are_told_apart() -> None:
    names = ["a/b", "a:b", "a-b", "a" * 300, "a" * 301, "..", ". ."]
    assert len({_asked(f"test[{name}]").cassette for name in names}) == len(names)


# -- marks -----------------------------------------------------------------------------------------


def test_the_nearest_mark_wins_and_what_it_leaves_open_is_the_classs() -> None:
    marks = _asked(
        "T",
        "test",
        marks=[((), {"strict": False}), (("shared/one",), {"strict": True, "speed": 2})],
    )
    assert (marks.cassette, marks.strict, marks.speed, marks.allow_misses) == (
        "shared/one",
        False,
        2,
        False,
    )


def test_an_overlay_file_is_beside_the_test_and_a_document_is_itself() -> None:
    assert (
        _asked("test", marks=[((), {"overlay": "faults.yaml"})]).overlay
        == FILE.parent / "faults.yaml"
    )
    document = {"rules": []}
    assert _asked("test", marks=[((), {"overlay": document})]).overlay is document


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ((("a", "b"), {}), "one cassette name, found 2"),
        (((1,), {}), "plain parts"),
        ((("../a",), {}), "found '../a'"),
        ((("a//b",), {}), "found 'a//b'"),
        (((), {"stict": True}), r"found 'stict' \(strict\?\)"),
        (((), {"strict": 1}), "strict: found 1"),
        (((), {"speed": 0}), "speed: found 0"),
        (((), {"speed": True}), "speed: found True"),
        (((), {"speed": float("nan")}), "speed: found nan"),
        (((), {"overlay": 3}), "overlay: found 3"),
        (((), {"allow_misses": None}), "allow_misses: found None"),
    ],
)
def test_a_mark_that_cannot_be_is_refused_and_shown_as_it_should_be(
    mark: Any, message: str
) -> None:
    with pytest.raises(MarkInvalid, match=message) as refused:
        _asked("test", marks=[mark])
    assert "@pytest.mark.bedrock(" in str(refused.value)


# -- cassettes -------------------------------------------------------------------------------------


def _files(library: Library | None) -> list[str]:
    assert library is not None
    return [each.file for cassette in library.cassettes for each in cassette.interactions]


def test_only_the_cassette_of_the_name_is_taken_named_as_in_the_folder(tmp_path: Path) -> None:
    for name in ("m/one", "m/one-more", "m/two/a", "m/two/b"):
        folders.write(tmp_path, Cassette(name, (converse("hi", name),)))
    (tmp_path / "m" / "broken").mkdir()
    (tmp_path / "m" / "broken" / "0001-converse.yaml").write_text("not: a cassette")
    one = [str(p.relative_to(tmp_path)) for p in (tmp_path / "m" / "one").iterdir()]
    assert _files(load_library(tmp_path, "m/one")) == one
    assert {file.rsplit("/", 1)[0] for file in _files(load_library(tmp_path, "m/two"))} <= {
        "m/two/a",
        "m/two/b",
        "m/two",
    }
    assert len(_files(load_library(tmp_path, "m/two"))) == 2
    assert load_library(tmp_path, "m/absent") is None
    assert load_library(tmp_path / "absent", "m/one") is None


def test_a_tape_of_the_name_is_taken(tmp_path: Path) -> None:
    folders.write_tape(tmp_path / "packed.tape", [Cassette("packed", (converse("hi", "there"),))])
    assert len(_files(load_library(tmp_path, "packed"))) == 1


def test_what_has_changed_on_disk_is_taken_anew(tmp_path: Path) -> None:
    folders.write(tmp_path, Cassette("one", (converse("hi", "there"),)))
    assert len(_files(load_library(tmp_path, "one"))) == 1
    folders.write(tmp_path, Cassette("one", (converse("hi", "there"), converse("more", "here"))))
    assert len(_files(load_library(tmp_path, "one"))) == 2


# -- the session's pace ----------------------------------------------------------------------------


def test_a_session_has_a_pace_of_its_own_in_all_its_answers_and_keeps_it_when_it_is_reset() -> None:
    engine = Engine(Library([Cassette("one", (converse("hi", "there"),))]))
    engine.sessions.get("slow").speed = 0.5

    def speed(session: str, body: bytes) -> float | None:
        return engine.answer("POST", f"/s/{session}{path()}", head(), body).speed

    assert [speed("slow", prompt("hi")), speed("slow", prompt("missed"))] == [0.5, 0.5]
    engine.sessions.reset("slow")
    assert speed("slow", prompt("hi")) == 0.5
    assert speed("other", prompt("hi")) is None


# -- the environment -------------------------------------------------------------------------------


def test_only_what_differs_is_set_and_it_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BT_KEPT", "kept")
    monkeypatch.setenv("BT_CHANGED", "before")
    monkeypatch.setenv("BT_GONE", "before")
    monkeypatch.delenv("BT_NEW", raising=False)
    wanted = {k: v for k, v in os.environ.items() if k != "BT_GONE"} | {
        "BT_CHANGED": "in",
        "BT_NEW": "in",
    }
    around = PatchedEnvironment(wanted)
    around.enter()
    assert dict(os.environ) == wanted
    monkeypatch.setenv("BT_KEPT", "the test's own")
    monkeypatch.delenv("BT_NEW")
    around.enter()
    assert os.environ["BT_NEW"] == "in"
    around.leave()
    values = {name: os.environ.get(name) for name in ("BT_KEPT", "BT_CHANGED", "BT_GONE", "BT_NEW")}
    assert values == {
        "BT_KEPT": "the test's own",
        "BT_CHANGED": "before",
        "BT_GONE": "before",
        "BT_NEW": None,
    }


# -- counts ----------------------------------------------------------------------------------------


def test_processes_add_up_and_a_recording_that_any_played_was_played() -> None:
    total = Summary()
    total.add(
        Summary(
            tests=1, answered=2, missed=1, held={"a", "b", "/project/c"}, played={"a"}
        ).as_plain()
    )
    total.add(
        Summary(
            tests=1, answered=1, ruled=3, recorded=4, held={"a", "b"}, played={"b"}, failed=True
        ).as_plain()
    )
    assert list(total.lines("/project")) == [
        "bedtape: 3 played, 3 from rules and faults, 4 recorded, 1 missed, 1 never played",
        "  never played: c",
    ]
    assert (total.tests, total.failed) == (2, True)


def test_a_long_list_is_cut_unless_it_is_asked_for() -> None:
    total = Summary(held={f"{n:02}" for n in range(30)})
    assert list(total.lines("/project"))[-1] == "  … and 20 more (-v lists them)"
    assert len(list(total.lines("/project", verbose=True))) == 31
