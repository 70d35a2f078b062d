"""From a journal to cassettes: all that was answered, in order and time, and what did not
change stays to the byte.
"""

import json
import os
import re
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zlib import crc32

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedtape_cassettes.errors import CassetteError, CassetteInvalid
from bedtape_cassettes.families.conversations import group_turns
from bedtape_cassettes.format import bodies, eventstream, journal
from bedtape_cassettes.matching.stable_values import stabilise
from bedtape_cassettes.model import (
    LONGEST_MS,
    Cassette,
    Events,
    Headers,
    Interaction,
    JsonValue,
    event_headers,
)
from bedtape_cassettes.names import is_safe_name
from bedtape_cassettes.redaction.scrub import read_patterns
from bedtape_cassettes.storage import store
from bedtape_cassettes.storage.commit import commit, lock
from bedtape_recorder import finish
from bedtape_recorder.finish import (
    WriteResult,
    build_cassettes,
    merge,
    read_exchanges,
    recover_file,
)
from bedtape_recorder.recording_files import render_summary
from support import WAIT
from support.capturing import JSON, SSE, STREAM, CaptureRun, cut
from support.commands import run_program
from support.corpus import Exchange, every, needs_corpus
from support.recordings import answer, converse, path, prompt

quick = settings(
    derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
GITHUB = "ghp_" + "a1B2" * 9  # what a cassette may not hold, and nobody knows a placeholder for


def reply(text: str, latency: int = 5) -> bytes:
    return bodies.compact({**answer(text), "metrics": {"latencyMs": latency}})


def frames(texts: list[str], latency: int = 5, padding: str = "abcd") -> list[bytes]:
    rows: list[tuple[str, dict[str, Any]]] = [
        ("contentBlockDelta", {"delta": {"text": text}}) for text in texts
    ]
    rows.append(("metadata", {"metrics": {"latencyMs": latency}}))
    return [
        eventstream.encode_strings(event_headers(name), bodies.compact({**value, "p": padding}))
        for name, value in rows
    ]


def chunk_frames(latency: int) -> bytes:
    value: JsonValue = {
        "type": "message_stop",
        "amazon-bedrock-invocationMetrics": {
            "invocationLatency": latency,
            "firstByteLatency": latency,
        },
    }
    return eventstream.encode_strings(event_headers("chunk"), bodies.seal_chunk(value))


def record(
    folder: Path,
    *asked: tuple[str, str],
    latency: int = 5,
    gap: float = 0.25,
    prune: bool = False,
    session: str = "default",
    exact: bool = False,
) -> WriteResult:
    """Records converse calls, (question, answer) each, that take `gap` seconds."""
    taken = CaptureRun(exact=exact)
    for question, text in asked:
        number = taken.capture.add_request(session, "POST", path(), JSON, prompt(question))
        taken.now += gap
        headers = (
            *JSON,
            ("Date", f"day {latency}"),
            ("X-Amzn-Bedrock-Invocation-Latency", str(latency)),
        )
        taken.capture.add_head(number, 200, headers)
        taken.capture.add_chunk(number, reply(text, latency))
        taken.capture.end(number)
    return taken.recover(folder, prune=prune)


def recover_bytes(folder: Path, data: bytes, **options: Any) -> WriteResult:
    """Recovers a journal of these bytes, which is `x.journal` beside the folder."""
    file = folder.parent / "x.journal"
    file.write_bytes(data)
    return recover_file(file, folder, **options)


def names(written: WriteResult) -> tuple[str, ...]:
    return tuple(change.name for change in written.changes)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*.yaml"))
    }


def only(folder: Path, name: str = "default") -> tuple[Interaction, ...]:
    return next(cassette.interactions for cassette in store.read([folder]) if cassette.name == name)


def texts(folder: Path, name: str = "default") -> list[str]:
    answer_texts = []
    for interaction in only(folder, name):
        assert not isinstance(interaction.response.body, Events)
        answer_texts.append(
            json.loads(interaction.response.body.data)["output"]["message"]["content"][0]["text"]
        )
    return answer_texts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cassettes"


# -- what was seen ---------------------------------------------------------------------------------


def test_exchanges_come_in_the_order_in_which_they_were_sent(folder: Path) -> None:
    taken = CaptureRun()
    numbers = [
        taken.capture.add_request("default", "POST", path(), JSON, prompt(text)) for text in "abc"
    ]
    for number in reversed(numbers):
        taken.capture.add_head(number, 200, JSON)
        taken.capture.add_chunk(number, reply(str(number)))
        taken.capture.end(number)
    written = taken.recover(folder)
    assert texts(folder) == [str(number) for number in numbers]
    assert (written.interactions, written.partial, written.failed, names(written)) == (
        3,
        0,
        (),
        ("default",),
    )
    assert [file.name[:5] for file in written.files] == ["0001-", "0002-", "0003-"]


def test_times_are_the_journals(folder: Path) -> None:
    taken = CaptureRun()
    one, two, three, last = frames(["a", "b", "c"])
    number = taken.capture.add_request(
        "default", "POST", path("converse-stream"), JSON, prompt("a")
    )
    for later, piece in (
        (0.2504, None),
        (0.1, one[:9]),
        (0.05, one[9:] + two + three[:3]),
        (0.3, three[3:]),
        (1, last),
    ):
        taken.now += later
        if piece is None:
            taken.capture.add_head(number, 200, STREAM)
        else:
            taken.capture.add_chunk(number, piece)
    taken.now += 5
    taken.capture.end(number)
    taken.recover(folder)
    (interaction,) = only(folder)
    assert isinstance(interaction.response.body, Events)
    assert interaction.response.after_ms == 250
    assert [event.at_ms for event in interaction.response.body.events] == [150, 150, 450, 1450]


def test_times_of_server_sent_events(folder: Path) -> None:
    taken = CaptureRun()
    number = taken.capture.add_request("default", "POST", "/v1/responses", JSON, b"{}")
    taken.capture.add_head(number, 200, SSE)
    for piece in (b'data: {"a":1}\n\nevent: b\ndata: 2\n\nda', b"ta: 3\n\n", b"data: 4"):
        taken.now += 0.1
        taken.capture.add_chunk(number, piece)
    taken.now += 0.1
    taken.capture.end(number)
    taken.recover(folder)
    (interaction,) = only(folder)
    assert isinstance(interaction.response.body, Events)
    assert [event.at_ms for event in interaction.response.body.events] == [100, 100, 200, 400]


def test_a_clock_that_jumps_gives_times_that_a_cassette_can_hold(folder: Path) -> None:
    taken = CaptureRun()
    for later in (-5.0, 1e9):
        number = taken.capture.add_request("default", "POST", path(), JSON, prompt(str(later)))
        taken.now += later
        taken.capture.add_head(number, 200, JSON)
        taken.capture.end(number)
    taken.recover(folder)
    assert [interaction.response.after_ms for interaction in only(folder)] == [0, LONGEST_MS]


def test_what_was_cut_is_partial_and_keeps_its_whole_events(folder: Path) -> None:
    taken = CaptureRun()
    data = b"".join(frames(["a", "b"]))
    taken.exchange(
        path("converse-stream"), prompt("1"), data[:-3], headers=STREAM, error="connection reset"
    )
    taken.exchange(path("converse-stream"), prompt("2"), data[:-3], headers=STREAM)
    taken.exchange(path(), prompt("3"), b'{"output": "cut he', error="connection reset")
    killed = taken.capture.add_request(
        "default", "POST", path("converse-stream"), JSON, prompt("4")
    )
    taken.capture.add_head(killed, 200, STREAM)
    taken.capture.add_chunk(killed, data[:-3])
    taken.exchange(path("converse-stream"), prompt("5"), data, headers=STREAM)
    written = taken.recover(folder)
    assert (written.interactions, written.partial, written.failed) == (5, 3, ())
    interactions = only(folder)
    assert [interaction.partial for interaction in interactions] == [True, False, True, True, False]
    assert interactions[1].response.ends == "mid-frame"
    for interaction in (interactions[0], interactions[1], interactions[3]):
        assert isinstance(interaction.response.body, Events)
        assert [event.type for event in interaction.response.body.events] == [
            "contentBlockDelta"
        ] * 2


def test_what_was_never_answered_is_reported_and_not_recorded(folder: Path) -> None:
    taken = CaptureRun()
    refused = taken.capture.add_request("default", "POST", path(), JSON, prompt("a"))
    taken.capture.end(refused, "connection refused")
    taken.exchange(path(), prompt("b"), reply("Hi"))
    taken.capture.add_request("default", "GET", "/foundation-models", (), b"")
    taken.exchange("/not a path", b"", b"{}")
    taken.exchange(path(), b"", b"{}", method="get")
    written = taken.recover(folder)
    assert texts(folder) == ["Hi"]
    assert written.failed == (
        f"POST {path()}: connection refused",
        "GET /foundation-models: the recorder was killed",
        "POST /not a path: a cassette cannot contain this method or path",
        f"get {path()}: a cassette cannot contain this method or path",
    )


@quick
@given(st.integers(0, 4000))
def test_a_journal_cut_anywhere_gives_what_was_whole(length: int) -> None:
    taken = CaptureRun()
    for text in "abc":
        taken.exchange(
            path("converse-stream"), prompt(text), b"".join(frames([text])), headers=STREAM
        )
    records = list(journal.read(taken.data[:length], "x"))
    sent, heads, ended = (
        sum(isinstance(r, kind) for r in records)
        for kind in (journal.SentRequest, journal.Head, journal.End)
    )
    with TemporaryDirectory() as folder:
        file = Path(folder, "x.journal")
        file.write_bytes(taken.data[:length])
        written = recover_file(file, Path(folder, "cassettes"))
    assert (written.interactions, written.partial, len(written.failed)) == (
        heads,
        heads - ended,
        sent - heads,
    )


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("session", "name"),
    [
        ("default", "default"),
        ("tests/test_a.py::test_b[x y]", "tests/test_a.py-test_b[x-y]"),
        ("a b", "a b"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("..", "default"),
        ("", "default"),
        ("//", "default"),
        (".hidden/x.", "hidden/x"),
        ("a\\..\\b", "a-..-b"),
        ("C:\\x", "C-x"),
        ("a\nb\0c", "a-b-c"),
        ("日本語", "日本語"),
        ("x" * 300, "x" * 200),
        ("é" * 300, "é" * 100),
    ],
)
def test_a_session_makes_a_cassette_of_its_name(session: str, name: str, folder: Path) -> None:
    written = record(folder, ("a", "b"), session=session)
    assert names(written) == (name,)
    assert is_safe_name(name)
    assert all(file.resolve().is_relative_to(folder.resolve()) for file in written.files)
    assert texts(folder, name) == ["b"]


@pytest.mark.parametrize(
    ("name", "cassette"), [("suite/one", "suite/one"), ("../x", "x"), ("/abs", "abs")]
)
def test_one_name_takes_every_session(name: str, cassette: str, folder: Path) -> None:
    taken = CaptureRun(name=name)
    for session in ("a", "b"):
        taken.exchange(path(), prompt(session), reply(session), session=session)
    assert names(taken.recover(folder)) == (cassette,)
    assert texts(folder, cassette) == ["a", "b"]


def test_sessions_are_kept_apart(folder: Path) -> None:
    taken = CaptureRun()
    for session in ("b", "a", "b"):
        taken.exchange(path(), prompt("same"), reply(session), session=session)
    assert names(taken.recover(folder)) == ("a", "b")
    assert (texts(folder, "a"), texts(folder, "b")) == (["a"], ["b", "b"])


# -- what was recorded before ----------------------------------------------------------------------


@pytest.mark.parametrize("exact", [False, True])
def test_the_same_again_changes_no_byte(folder: Path, exact: bool) -> None:
    record(folder, ("a", "one"), ("b", "two"), ("a", "three"), exact=exact)
    before = tree(folder)
    record(folder, ("a", "one"), ("b", "two"), ("a", "three"), latency=99, gap=3.0, exact=exact)
    assert tree(folder) == before


@pytest.mark.parametrize("exact", [False, True])
def test_the_same_stream_again_changes_no_byte(folder: Path, exact: bool) -> None:
    seen = []
    for latency, padding, later in ((5, "ab", 0.1), (77, "abcdefgh", 9.0)):
        taken = CaptureRun(exact=exact)
        taken.now += later
        stream = b"".join(frames(["a", "b"], latency, padding))
        headers: Headers = (*STREAM, ("x-amzn-requestid", str(latency)))
        sent: Headers = (*JSON, ("amz-sdk-invocation-id", str(latency)))
        taken.exchange(
            path("converse-stream"), prompt("a"), stream, cuts=[50, 60], headers=headers, sent=sent
        )
        url = path("invoke-with-response-stream")
        taken.exchange(url, prompt("a"), chunk_frames(latency), headers=headers, sent=sent)
        taken.recover(folder)
        seen.append(tree(folder))
    assert seen[0] == seen[1]


def test_a_changed_answer_shows_alone(folder: Path) -> None:
    record(folder, ("a", "one"), ("b", "two"), ("c", "three"))
    before = tree(folder)
    record(folder, ("a", "one"), ("b", "TWO"), ("c", "three"), latency=99, gap=3.0)
    after = tree(folder)
    assert after.keys() == before.keys()
    assert [name[:13] for name in after if after[name] != before[name]] == ["default/0002-"]
    assert texts(folder) == ["one", "TWO", "three"]


CHANGES: dict[str, dict[str, Any]] = {
    "the status": {"status": 429},
    "a header": {"headers": (*JSON, ("x-new", "1"))},
    "the body": {"response": reply("other")},
    "a number beside the latency": {
        "response": reply("one").replace(b'"inputTokens":1', b'"inputTokens":2')
    },
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_a_change(change: dict[str, Any], folder: Path) -> None:
    seen = []
    for changed in ({}, change):
        taken = CaptureRun()
        taken.exchange(path(), prompt("a"), **{"response": reply("one"), **changed})
        taken.recover(folder)
        seen.append(tree(folder))
    assert seen[0] != seen[1]


def test_an_exact_recording_replaces_one_that_is_not(folder: Path) -> None:
    for exact in (False, True):
        taken = CaptureRun(exact=exact)
        taken.exchange(
            path(), b"{}", reply("one"), headers=(("content-type", "application/json"),), sent=()
        )
        taken.recover(folder)
    assert [interaction.exact for interaction in only(folder)] == [True]


def test_a_second_recording_keeps_what_was_not_asked_and_has_the_order_of_its_run(
    folder: Path,
) -> None:
    record(folder, ("a", "one"), ("b", "two"), ("c", "three"))
    before = tree(folder)
    record(folder, ("b", "TWO"))
    assert texts(folder) == ["one", "TWO", "three"]
    assert sum(tree(folder)[name] != before[name] for name in before) == 1
    record(folder, ("d", "four"), ("c", "three"), ("a", "one"))  # b stays behind a
    assert texts(folder) == ["four", "three", "one", "TWO"]


def test_the_summary_says_what_a_review_will_show(folder: Path) -> None:
    first = record(folder, ("a", "one"), ("b", "two"), ("c", "three"))
    assert render_summary(first).splitlines() == [
        "bedtape: recorded 3 interactions into 1 cassette",
        "  default",
    ]
    again = record(folder, ("a", "one"), ("b", "TWO"), ("d", "four"))
    assert render_summary(again).splitlines() == [
        "bedtape: recorded 3 interactions into 1 cassette",
        "  default: 1 new, 1 changed, 1 unchanged, 1 not recorded again, so kept as before",
    ]
    pruned = record(folder, ("a", "one"), prune=True)
    assert render_summary(pruned).splitlines()[1] == "  default: 1 unchanged"


DATA_AUTOMATION = "AmazonBedrockKeystoneRuntimeService."


@pytest.mark.parametrize("mode", ["all", "new"])
def test_a_recording_without_the_name_of_its_operation_is_replaced(mode: str, folder: Path) -> None:
    """Earlier versions did not record X-Amz-Target, and a call that has it does not match such
    a recording: beside it, the new one would be a second file for the same request.
    """

    def ask(target: bool) -> None:
        taken = CaptureRun(mode=mode)
        for name in ("InvokeDataAutomation", "GetDataAutomationStatus"):
            sent = (*JSON, ("X-Amz-Target", DATA_AUTOMATION + name)) if target else JSON
            taken.exchange("/", b'{"a":1}', bodies.compact({"of": name}), sent=sent)
        recover_bytes(folder, taken.data)

    ask(target=False)
    files = tree(folder).keys()
    ask(target=True)
    assert tree(folder).keys() == files
    recorded = [
        (dict(i.request.headers)["x-amz-target"], json.loads(i.response.body.data)["of"])  # type: ignore[union-attr]
        for i in only(folder)
    ]
    assert all(target == DATA_AUTOMATION + name for target, name in recorded)
    before = tree(folder)
    ask(target=True)
    assert tree(folder) == before


def test_concurrent_requests_keep_their_order(folder: Path) -> None:
    record(folder, ("a", "one"), ("b", "two"), ("c", "three"))
    before = tree(folder)
    taken = CaptureRun()
    open_ = {
        q: taken.capture.add_request("default", "POST", path(), JSON, prompt(q)) for q in "cadb"
    }
    for question, text in (("c", "three"), ("b", "two"), ("d", "four"), ("a", "one")):
        taken.now += 0.25
        taken.capture.add_head(open_[question], 200, JSON)
        taken.capture.add_chunk(open_[question], reply(text))
        taken.capture.end(open_[question])
    taken.recover(folder)
    assert texts(folder) == ["one", "two", "three", "four"]
    assert tree(folder).items() >= before.items()


def test_pruning_removes_what_was_not_asked_and_keeps_a_copy(folder: Path) -> None:
    record(folder, ("a", "one"), ("b", "two"), ("c", "three"))
    record(folder, ("x", "other"), session="other")
    before = tree(folder)
    written = record(folder, ("a", "one"), ("c", "three"), ("d", "four"), prune=True)
    assert texts(folder) == ["one", "three", "four"]
    assert texts(folder, "other") == ["other"]
    (removed,) = written.removed
    assert written.backup is not None
    assert (written.backup / removed).read_bytes() == before[removed]


def test_pruning_removes_nothing_where_the_second_recording_was_cut(folder: Path) -> None:
    record(folder, ("a", "one"), ("b", "two"))
    taken = CaptureRun()
    taken.exchange(path(), prompt("a"), b'{"outp', error="the recorder stopped")
    written = taken.recover(folder, prune=True)
    assert (written.partial, written.removed) == (1, ())
    assert "was cut" in str(written.unpruned)
    assert texts(folder) == ["one", "two"]
    assert not any(interaction.partial for interaction in only(folder))


def test_a_whole_answer_takes_the_place_of_a_cut_one(folder: Path) -> None:
    taken = CaptureRun()
    taken.exchange(path(), prompt("a"), b'{"outp', error="the recorder stopped")
    taken.recover(folder)
    record(folder, ("a", "one"))
    assert texts(folder) == ["one"]


def test_repeated_requests_pair_up_by_occurrence(folder: Path) -> None:
    record(folder, ("a", "one"), ("a", "two"), ("b", "x"), ("a", "three"))
    record(folder, ("b", "x"), ("a", "one"), ("a", "TWO"), ("a", "three"), latency=9)
    assert texts(folder) == ["x", "one", "TWO", "three"]
    record(folder, ("a", "one"), ("b", "x"), prune=True)
    assert texts(folder) == ["one", "x"]


def test_other_cassettes_are_not_touched(folder: Path) -> None:
    record(folder, ("a", "one"), session="one")
    before = tree(folder)
    record(folder, ("a", "two"), session="two")
    assert tree(folder).items() > before.items()


interactions = st.lists(
    st.builds(converse, st.sampled_from("abc"), st.sampled_from("xyz")), min_size=1, max_size=6
)


def _held(cassette: Cassette) -> list[str]:
    return sorted(repr((i.request.body.data, i.response.body)) for i in cassette.interactions)


@quick
@given(interactions, interactions, st.booleans())
def test_merging_keeps_what_is_new_and_loses_nothing_it_is_to_keep(
    before: list[Interaction], now: list[Interaction], prune: bool
) -> None:
    old, new = Cassette("a", tuple(before)), Cassette("a", tuple(now))
    merged = merge(old, new, prune=prune)
    assert merge(merged, new, prune=prune) == merged
    assert merge(None, new, prune=prune) == new
    for text in "abc":  # each request is answered as it was now, in the order of now
        asked = [
            i.response.body
            for i in merged.interactions
            if i.request.body.data == converse(text, "").request.body.data
        ]
        fresh = [
            i.response.body
            for i in now
            if i.request.body.data == converse(text, "").request.body.data
        ]
        assert asked[: len(fresh)] == fresh
        assert not prune or len(asked) == len(fresh)
    if prune:
        assert _held(merged) == _held(new)


@quick
@given(interactions, st.randoms(use_true_random=False))
def test_merging_concurrent_requests_does_not_depend_on_their_order(
    before: list[Interaction], chance: Any
) -> None:
    unique = {i.request: i for i in before}
    shuffled = [replace(i, response=replace(i.response, after_ms=7)) for i in unique.values()]
    chance.shuffle(shuffled)
    old = Cassette("a", tuple(unique.values()))
    assert merge(old, Cassette("a", tuple(shuffled)), [1] * len(shuffled)) == old


# -- failing and recovering ------------------------------------------------------------------------


def test_the_journal_goes_when_the_cassettes_are_written(folder: Path, tmp_path: Path) -> None:
    record(folder, ("a", "one"))
    assert not (tmp_path / "cassettes.journal").exists()


@pytest.mark.parametrize("times", [2, 3])
def test_recovering_the_same_journal_again_is_harmless(times: int, folder: Path) -> None:
    record(folder, ("z", "before"))
    taken = CaptureRun()
    for text in ("one", "two", "one"):
        taken.exchange(path(), prompt("a"), reply(text))
    taken.recover(folder)
    before = tree(folder)
    for _ in range(times - 1):
        taken.recover(folder)
    assert tree(folder) == before
    assert texts(folder) == ["before", "one", "two", "one"]


def test_a_secret_is_replaced_in_answers_and_in_the_names_of_sessions(
    folder: Path, tmp_path: Path
) -> None:
    taken = CaptureRun()
    for session, text in (("a", "fine"), ("b", GITHUB), (f"c {GITHUB}", "fine too")):
        taken.exchange(path(), prompt("a"), reply(text), session=session)
    assert GITHUB.encode() not in taken.data
    taken.recover(folder)
    assert (texts(folder, "a"), texts(folder, "b"), texts(folder, "c REDACTED")) == (
        ["fine"],
        ["REDACTED"],
        ["fine too"],
    )
    assert GITHUB.encode() not in b"".join(tree(folder).values())


def test_a_cassette_that_cannot_be_read_keeps_the_journal(folder: Path, tmp_path: Path) -> None:
    record(folder, ("a", "one"))
    (folder / "default" / "0002-x.yaml").write_text("not: [a cassette")
    before = tree(folder)
    with pytest.raises(CassetteInvalid):
        record(folder, ("a", "two"))
    assert (tmp_path / "cassettes.journal").is_file()
    assert tree(folder) == before


def test_a_folder_that_another_process_changes_is_waited_for(folder: Path) -> None:
    record(folder, ("a", "one"))
    with ThreadPoolExecutor() as threads:
        with lock(folder):
            waiting = threads.submit(record, folder, ("a", "two"))
            assert texts(folder) == ["one"]
        waiting.result()
    assert texts(folder) == ["two"]


@pytest.mark.parametrize("damage", ["gone", "cut", "another"])
def test_a_journal_stays_until_its_interactions_can_be_read_back(
    damage: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that loses what was written to it, as some network disks do."""

    def lose(*arguments: Any, **options: Any) -> None:
        commit(*arguments, **options)
        (file,) = folder.rglob("*.yaml")
        match damage:
            case "gone":
                file.unlink()
            case "cut":
                file.write_bytes(file.read_bytes()[:40])
            case "another":
                file.write_bytes(
                    file.read_bytes().replace(b"text: a", b"text: z").replace(b'"a"', b'"z"')
                )

    file = tmp_path / "x.journal"
    file.write_bytes(journal_of("new", ("a", "one")))
    monkeypatch.setattr(finish, "commit", lose)
    with pytest.raises(CassetteError):
        recover_file(file, folder)
    assert file.is_file()
    monkeypatch.undo()
    (damaged,) = folder.rglob("*.yaml") if damage != "gone" else (None,)
    if damaged is not None:
        damaged.unlink()
    recover_file(file, folder)
    assert texts(folder) == ["one"]


def test_somebody_elses_file_is_refused_and_kept(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.journal"
    file.write_bytes(b"PK\x03\x04 not ours")
    with pytest.raises(CassetteInvalid, match="expected a journal"):
        recover_file(file, folder)
    assert file.is_file()


@pytest.mark.parametrize("data", [b"", b"bedtape jour", CaptureRun().data, CaptureRun().data[:-1]])
def test_a_journal_of_nothing_makes_nothing(data: bytes, folder: Path) -> None:
    written = recover_bytes(folder, data)
    assert (written.interactions, written.files, names(written), written.failed) == (0, (), (), ())
    assert not folder.exists()
    assert not (folder.parent / "x.journal").exists()


# -- the record mode, which the journal says -------------------------------------------------------


def journal_of(mode: str | None, *asked: tuple[str, str], session: str = "default") -> bytes:
    """A journal of whole exchanges, (question, answer) each, by a recorder in this mode."""
    taken = CaptureRun()
    for question, text in asked:
        taken.exchange(path(), prompt(question), reply(text), session=session)
    first, *rest = taken.records
    assert isinstance(first, journal.JournalStart)
    return b"".join(map(journal.encode, (replace(first, mode=mode), *rest)))


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("new", ["one", "two", "three"]),
        ("all", ["ONE", "two", "three"]),
        (None, ["ONE", "two", "three"]),
    ],
)
def test_recovering_merges_as_the_record_mode_says(
    mode: str | None, expected: list[str], folder: Path
) -> None:
    record(folder, ("a", "one"), ("b", "two"))
    recover_bytes(folder, journal_of(mode, ("a", "ONE"), ("c", "three")))
    assert texts(folder) == expected
    assert not (folder.parent / "x.journal").exists()


def test_once_adds_nothing_to_a_cassette_that_exists(folder: Path, tmp_path: Path) -> None:
    record(folder, ("a", "one"))
    file = tmp_path / "x.journal"
    file.write_bytes(journal_of("once", ("b", "two")))
    with pytest.raises(CassetteError, match=r"because of --record once.* recover --record new"):
        recover_file(file, folder)
    assert texts(folder) == ["one"]
    recover_file(file, folder, mode="new")
    assert texts(folder) == ["one", "two"]
    assert not file.exists()


def test_once_replaces_a_cassette_that_was_cut(folder: Path, tmp_path: Path) -> None:
    taken = CaptureRun()
    taken.exchange(path(), prompt("a"), b'{"outp', error="the recorder stopped")
    taken.recover(folder)
    file = tmp_path / "x.journal"
    file.write_bytes(journal_of("once", ("a", "one")))
    recover_file(file, folder)
    assert texts(folder) == ["one"]


def test_a_journal_of_the_version_before_is_recovered_as_before(
    folder: Path, tmp_path: Path
) -> None:
    record(folder, ("a", "one"), ("b", "two"))
    data = journal_of(None, ("a", "ONE"))
    packed = msgpack.packb([0, 1, None, False])
    begin = data.index(journal.encode(journal.JournalStart(journal.VERSION, None, False))[:16]) + 16
    rest = data[len(journal.encode(journal.JournalStart(journal.VERSION, None, False))) :]
    file = tmp_path / "x.journal"
    file.write_bytes(data[:begin] + struct.pack(">II", len(packed), crc32(packed)) + packed + rest)
    assert recover_file(file, folder).interactions == 1
    assert texts(folder) == ["ONE", "two"]


def test_adding_replaces_what_was_cut(folder: Path) -> None:
    taken = CaptureRun()
    taken.exchange(path(), prompt("a"), b'{"outp', error="the recorder stopped")
    taken.recover(folder)
    recover_bytes(folder, journal_of("new", ("a", "one")))
    assert texts(folder) == ["one"]


# -- a damaged journal -----------------------------------------------------------------------------


def test_what_can_be_read_of_a_damaged_journal_is_recovered_and_the_file_put_aside(
    folder: Path, tmp_path: Path
) -> None:
    record(folder, ("z", "before"))
    data = bytearray(journal_of("all", ("a", "first"), ("b", "second"), ("c", "third")))
    at = data.index(b"second")
    data[at] ^= 1
    file = tmp_path / "x.journal"
    file.write_bytes(data)
    file.chmod(0o644)
    written = recover_file(file, folder)
    assert (written.interactions, written.partial, written.failed) == (3, 1, ())
    (begin,) = written.damaged
    assert begin < at < begin + 600
    assert {
        i.partial
        for i in only(folder)
        if i.request.body.data == bodies.compact(json.loads(prompt("b")))
    } == {True}
    whole = [
        text
        for text, interaction in zip(texts_or_none(folder), only(folder), strict=True)
        if not interaction.partial
    ]
    # all there was stays: what is gone here may have been asked
    assert whole == ["before", "first", "third"]
    assert written.kept == tmp_path / "x.journal.damaged"
    assert written.kept.read_bytes() == bytes(data)
    assert written.kept.stat().st_mode & 0o777 == 0o600
    assert not file.exists()


def texts_or_none(folder: Path) -> list[str | None]:
    answer_texts: list[str | None] = []
    for interaction in only(folder):
        assert not isinstance(interaction.response.body, Events)
        value = json.loads(interaction.response.body.data or b"null")
        answer_texts.append(value and value["output"]["message"]["content"][0]["text"])
    return answer_texts


def test_what_was_under_way_where_the_damage_is_counts_as_cut(folder: Path) -> None:
    """A piece of it may be in the hole, and a recording that lacks one must not be played."""
    taken = CaptureRun()
    one, two, last = frames(["a", "b"])
    slow = taken.capture.add_request(
        "default", "POST", path("converse-stream"), JSON, prompt("slow")
    )
    taken.capture.add_head(slow, 200, STREAM)
    taken.capture.add_chunk(slow, one)
    taken.exchange(path(), prompt("hit"), reply("hit"))
    taken.capture.add_chunk(slow, two + last)
    taken.capture.end(slow)
    taken.exchange(path(), prompt("later"), reply("later"))
    data = bytearray(taken.data)
    data[data.index(b'"text":"hit"')] ^= 1
    recover_bytes(folder, data)
    interaction = only(folder)
    assert [(i.operation, i.partial) for i in interaction] == [
        ("ConverseStream", True),
        ("Converse", True),
        ("Converse", False),
    ]
    assert isinstance(interaction[0].response.body, Events)
    assert len(interaction[0].response.body.events) == 1


def test_a_journal_whose_first_record_is_damaged_is_recovered_by_session(folder: Path) -> None:
    data = bytearray(journal_of("all", ("a", "one"), session="test_a"))
    data[20] ^= 1
    written = recover_bytes(folder, data)
    assert (written.damaged, names(written)) == ((16,), ("test_a",))
    assert texts(folder, "test_a") == ["one"]


# -- users' own patterns ---------------------------------------------------------------------------


def test_what_was_recorded_without_the_pattern_pairs_up_with_what_is_recorded_with_it(
    folder: Path,
) -> None:
    record(folder, ("is Falcon in?", "Falcon is"), ("z", "other"))
    recover_bytes(
        folder,
        journal_of(None, ("is Falcon in?", "Falcon was")),
        redaction=read_patterns(["Falcon"]),
    )
    assert texts(folder) == ["REDACTED was", "other"]
    assert b"Falcon" not in b"".join(tree(folder).values())


def recover(
    home: Path, to: Path, *options: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """`bedtape recover`, as a user runs it."""
    code = "from bedtape_cassettes.cli.main import main; main()"
    return run_program(
        [sys.executable, "-c", code, "recover", "--to", str(to), *options],
        {**os.environ, "BEDTAPE_STATE_DIR": str(home), **variables},
    )


def left(home: Path, data: bytes) -> Path:
    """A journal as a killed recorder leaves it."""
    (home / "journals").mkdir(parents=True)
    file = home / "journals" / "1-2.journal"
    file.write_bytes(data)
    return file


def test_recover_takes_out_secrets_and_the_credentials_of_its_environment(
    folder: Path, tmp_path: Path
) -> None:
    """Also those of a journal that another version wrote."""
    own = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzzzzzzzzzz"
    file = left(tmp_path, journal_of("once", ("a", f"the token is {GITHUB}"), ("b", f"see {own}!")))
    recovered = recover(tmp_path, folder, AWS_SECRET_ACCESS_KEY=own)
    assert recovered.returncode == 0, recovered.stderr
    assert texts(folder) == ["the token is REDACTED", "see REDACTED!"]
    assert not file.exists()


def test_json_of_a_recovery(folder: Path, tmp_path: Path) -> None:
    file = left(tmp_path, journal_of("once", ("a", "one"), ("b", "two")))
    (recovered,) = json.loads(recover(tmp_path, folder, "--json").stdout)
    assert recovered["journal"] == str(file)
    assert recovered["interactions"] == 2
    assert recovered["cassettes"] == [
        {"name": "default", "new": 2, "changed": 0, "unchanged": 0, "kept": 0}
    ]
    assert json.loads(recover(tmp_path, folder, "--json").stdout) == []


def test_the_command_says_where_the_damage_is_and_what_became_of_the_file(
    folder: Path, tmp_path: Path
) -> None:
    data = bytearray(journal_of("once", ("a", "one"), ("b", "two")))
    data[data.index(b"one")] ^= 1
    file = left(tmp_path, bytes(data))
    done = recover(tmp_path, folder)
    assert done.returncode == 0, done.stderr
    (damage,) = re.findall(
        r"damaged at byte (\d+): what can be read is recovered, and it is kept: (.+)", done.stderr
    )
    assert int(damage[0]) < data.index(b"two")
    assert damage[1] == f"{file}.damaged"
    assert Path(damage[1]).read_bytes() == bytes(data)
    assert "nothing to recover" in recover(tmp_path, folder).stderr


@pytest.mark.parametrize("name", ["AKIA" + "Q7" * 8, f"a/{GITHUB}"])
def test_a_name_that_is_a_secret_is_refused_at_once(name: str, tmp_path: Path) -> None:
    code = "from bedtape_cassettes.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "record", "--name", name, "--", "true"],
        env={**os.environ, "BEDTAPE_STATE_DIR": str(tmp_path), "RUN_REAL_BEDROCK_TESTS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )
    assert done.returncode == 2
    assert "--name: expected a name without a secret, found a" in done.stderr
    assert name not in done.stderr


@pytest.mark.parametrize("command", ["recover", "record"])
def test_bad_patterns_are_refused_all_at_once(command: str, tmp_path: Path) -> None:
    code = "from bedtape_cassettes.cli.main import main; main()"
    done = run_program(
        [
            sys.executable,
            "-c",
            code,
            command,
            "--redact",
            "[a",
            "--redact",
            "b)",
            "--redact",
            "fine",
        ],
        {**os.environ, "BEDTAPE_STATE_DIR": str(tmp_path), "RUN_REAL_BEDROCK_TESTS": "1"},
        tmp_path,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 2
    assert "'[a' (unterminated character set at position 0); fix it" in done.stderr
    assert "'b)' (unbalanced parenthesis at position 1); fix it" in done.stderr


# -- the corpus ------------------------------------------------------------------------------------


def _untimed(interaction: Interaction) -> Interaction:
    response = interaction.response
    body = response.body
    if isinstance(body, Events):
        body = Events.of([replace(event, at_ms=0) for event in body.events], padded=body.padded)
    return replace(interaction, response=replace(response, body=body, after_ms=0))


def _through(exchanges: list[Exchange], *, exact: bool) -> CaptureRun:
    taken = CaptureRun(name="corpus", exact=exact)
    for number, exchange in enumerate(exchanges):
        one = taken.capture.add_request(
            "x", exchange.method, exchange.path, exchange.request_headers, exchange.request_body
        )
        taken.now += 0.5
        taken.capture.add_head(one, exchange.status, exchange.response_headers)
        length = dict(exchange.response_headers).get("content-length", "")
        # a body may have been spelt anew
        honest = not length.isdigit() or int(length) == len(exchange.response_body)
        cuts = range(number % 700, len(exchange.response_body), 701) if honest else ()
        for piece in cut(exchange.response_body, cuts):
            taken.now += 0.01
            taken.capture.add_chunk(one, piece)
        taken.capture.end(one)
    return taken


@pytest.mark.corpus
@needs_corpus
@pytest.mark.parametrize("exact", [False, True])
def test_every_exchange_of_the_corpus_becomes_the_interaction_that_it_is(
    exact: bool, record_property: Any
) -> None:
    exchanges = list(every())
    opened, recorded = read_exchanges(_through(exchanges, exact=exact).records)
    assert opened is not None
    (recorded_cassette,), failed = build_cassettes(opened, recorded)
    assert not failed
    for exchange, interaction in zip(
        exchanges, recorded_cassette.cassette.interactions, strict=True
    ):
        assert _untimed(interaction) == exchange.interaction(exact=exact), exchange
        assert interaction.response.after_ms == 500
    record_property(
        "counted", f"recorded through the journal{', exactly' * exact}: {len(recorded)} exchanges"
    )


@pytest.mark.corpus
@needs_corpus
@pytest.mark.parametrize("exact", [False, True])
def test_exchanges_of_the_corpus_are_written(exact: bool, folder: Path) -> None:
    exchanges = list(every())[::20]
    _through(exchanges, exact=exact).recover(folder)
    expected = stabilise(
        Cassette("corpus", tuple(exchange.interaction(exact=exact) for exchange in exchanges))
    )
    assert [*map(_untimed, only(folder, "corpus"))] == [*group_turns(expected.interactions)]
