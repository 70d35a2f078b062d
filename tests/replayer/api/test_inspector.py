"""The inspector without a browser: which files are served to whom, and what
the page is told of calls.

That it works in a browser is in tests/clients/test_inspector.py. The oracle for a stream's
events is botocore's decoder.
"""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from http.client import HTTPConnection
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.format import yamlio
from bedtape_cassettes.model import Cassette, Interaction
from bedtape_replayer import Replayer
from bedtape_replayer.answering.answer import Answer, Outcome
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.answering.reply import Reply, build_reply
from bedtape_replayer.api.gate import Gate
from bedtape_replayer.api.inspector.call_detail import render_detail
from bedtape_replayer.api.inspector.page import POLICY
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.history.record import Record
from bedtape_replayer.overlay.document import Namer, parse_fault, parse_rule
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.faults.errors import Refuse
from bedtape_replayer.overlay.schedule import Schedule
from support import authored, corpus, folders
from support.client import until
from support.event_stream import collect
from support.examples import examples
from support.recordings import converse, prompt, stream
from support.recordings import path as path_of
from support.scene import BEGAN, Scene, aws, stainless

ROOT = Path(__file__).parents[3]
HERE = (("host", "127.0.0.1:4566"),)
STATIC = files("bedtape_replayer.api.inspector") / "static"
FILES = {file.name: file.read_text() for file in STATIC.iterdir()}
CALL = "/_bedtape/inspector/sessions/default/calls/1"
CLAUDE = "anthropic.claude-3-5-haiku-20241022-v1:0"


def sent(
    gate: Gate, path: str, method: str = "GET", headers: tuple[tuple[str, str], ...] = HERE
) -> Reply:
    head = Head.of(tuple((name.encode(), value.encode()) for name, value in headers))
    reply = gate("default", method, path, head, b"")
    assert reply is not None
    return reply


def header(reply: Reply, name: str) -> str | None:
    return {key.lower(): value.decode() for key, value in reply.headers}.get(name.encode())


def told(gate: Gate, path: str, status: int = 200) -> Any:
    reply = sent(gate, path)
    assert reply.status == status
    return json.loads(reply.pieces[0].data)


def call(scene: Scene, number: int) -> Any:
    return told(Gate(scene.engine), f"/_bedtape/inspector/sessions/default/calls/{number}")


# -- the files -------------------------------------------------------------------------------------


def test_the_page_and_all_that_it_loads_are_served() -> None:
    gate, loaded = Gate(Scene().engine), {"/_bedtape/"}
    waiting = set(loaded)
    while waiting:
        path = waiting.pop()
        reply = sent(gate, path)
        assert (reply.status, header(reply, "content-security-policy")) == (200, POLICY)
        assert header(reply, "x-content-type-options") == "nosniff"
        text = reply.pieces[0].data.decode()
        named = re.findall(r'(?:href|src)="(inspector/[a-z.]+)"', text)
        imported = re.findall(r'from "\./([a-z]+\.js)"', text)
        paths = {f"/_bedtape/{name}" for name in named} | {
            f"/_bedtape/inspector/{name}" for name in imported
        }
        waiting |= paths - loaded
        loaded |= paths
    assert {path.rpartition("/")[2] or "index.html" for path in loaded} == set(FILES)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("", "text/html"),
        ("?x=1", "text/html"),
        ("inspector/app.js", "text/javascript"),
        ("inspector/style.css", "text/css"),
    ],
)
def test_browsers_are_told_what_a_file_is(path: str, kind: str) -> None:
    for method in ("GET", "HEAD"):
        assert (
            header(sent(Gate(Scene().engine), f"/_bedtape/{path}", method), "content-type")
            == f"{kind}; charset=utf-8"
        )


def test_without_its_slash_the_page_is_one_step_away() -> None:
    """Relative, so that it is found under a session's prefix too."""
    reply = sent(Gate(Scene().engine), "/_bedtape")
    assert (reply.status, header(reply, "location")) == (307, "_bedtape/")


@pytest.mark.parametrize(
    "path",
    [
        "page.py",
        "../page.py",
        "static/app.js",
        "..%2Fpage.py",
        "%2e%2e/page.py",
        "nothing.js",
        "__init__.py",
        "",
    ],
)
def test_nothing_else_of_the_package_is_served(path: str) -> None:
    assert sent(Gate(Scene().engine), f"/_bedtape/inspector/{path}").status == 404


def test_files_are_only_read() -> None:
    assert sent(Gate(Scene().engine), "/_bedtape/", "POST").status == 404


def test_a_server_without_control_has_no_page() -> None:
    answer = Engine(Library(())).answer(
        "GET", "/_bedtape/", Head.of(((b"host", b"127.0.0.1"),)), b""
    )
    assert answer.source == "miss"


# -- who may ask -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/_bedtape/", "/_bedtape/inspector/app.js", CALL])
def test_a_server_that_other_machines_can_reach_has_no_page(path: str) -> None:
    assert sent(Gate(Scene().engine, address="0.0.0.0"), path).status == 403


def test_with_a_token_the_files_are_for_everybody_and_what_they_ask_is_not() -> None:
    gate, elsewhere = Gate(Scene().engine, "a-token-of-some-length"), (("host", "bedtape:4566"),)
    for path in ("/_bedtape/", "/_bedtape/inspector/app.js"):
        assert sent(gate, path, headers=elsewhere).status == 200
    for path in (CALL, "/_bedtape/events"):
        assert sent(gate, path, headers=elsewhere).status == 401
        assert (
            sent(
                gate, path, headers=(*elsewhere, ("x-bedtape-token", "a-token-of-some-length"))
            ).status
            != 401
        )


# -- text stays text -------------------------------------------------------------------------------

# What reads a string as markup or script.
_SINKS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|setHTML|createContextualFragment|DOMParser|document\.write|srcdoc|"
    r"\beval\b|\bFunction\(|importScripts|javascript:|set(?:Timeout|Interval)\(\s*[\"'`]"
)


@pytest.mark.parametrize("name", FILES)
def test_no_file_reads_text_as_markup(name: str) -> None:
    assert not _SINKS.search(FILES[name])


@pytest.mark.parametrize("name", FILES)
def test_no_file_names_another_host(name: str) -> None:
    """But for the names of namespaces, which nobody asks, and replay's own address
    in commands of a report.
    """
    known = {"http://www.w3.org/2000/svg", "http://127.0.0.1:4566"}
    assert set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\"' ]*", FILES[name])) <= known


@pytest.mark.parametrize(("constant", "read"), [("RULES", parse_rule), ("FAULTS", parse_fault)])
def test_the_documents_that_it_suggests_are_valid(
    constant: str, read: Callable[[Any, Namer], Any]
) -> None:
    """Without a value in the form, the scripts' objects are YAML too."""
    (body,) = re.findall(rf"const {constant} = \{{\n(.*?)\n\}};", FILES["layers.js"], re.DOTALL)
    for document in re.findall(
        r"=> \((.*)\),$", re.sub(r"(?:Number\()?fill\)? \|\| ", "", body), re.MULTILINE
    ):
        assert read(yamlio.load(document.encode(), document), str)


def test_the_page_has_no_inline_script_or_style() -> None:
    page = FILES["index.html"]
    assert re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL) == [""]
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", page)


# -- the route -------------------------------------------------------------------------------------


def test_looking_makes_no_session_and_no_call() -> None:
    engine = Engine(Library(()))
    sent(Gate(engine), "/_bedtape/")
    assert told(Gate(engine), CALL.replace("default", "new"), 404)["error"]
    assert list(engine.sessions) == []


# -- one call --------------------------------------------------------------------------------------


def filed(*interactions: Interaction) -> Scene:
    """A scene whose recordings have files."""
    return Scene(
        *(replace(each, file=f"made/{number}.yaml") for number, each in enumerate(interactions))
    )


def test_what_a_recording_answered() -> None:
    scene = filed(converse("b", "2"), converse("a", "1"))
    scene.send(authored.ask("a"))
    one = call(scene, 1)
    assert one["call"] == json.loads(json.dumps(scene.calls[0].as_json()))
    recording = one["recording"]
    assert (recording["cassette"], recording["file"]) == ("made", "made/1.yaml")
    assert recording["request"]["json"] == authored.ask("a")
    assert one["answer"]["blocks"] == [{"kind": "text", "text": "1"}]
    assert json.loads(one["answer"]["body"])["stopReason"] == "end_turn"
    assert (one["miss"], one["layers"], one["answer"]["events"]) == (None, [], [])


def test_what_a_rule_answered_and_which_faults_happened() -> None:
    scene = Scene()
    tool = {"name": "weather", "input": {"in": "Oslo"}, "id": "t1"}
    rule = {
        "answer": {"text": "Let me see.", "tool": tool},
        "times": 1,
        "allow_unoffered_tools": True,
    }
    scene.session.layers.add(parse_rule(rule, scene.session.layers.next_id))
    scene.send(authored.ask("a"))
    one = call(scene, 1)
    assert one["layers"] == [{**rule, "name": "rule-1"}]
    assert [block["kind"] for block in one["answer"]["blocks"]] == ["text", "tooluse"]
    assert one["answer"]["blocks"][1] == {"kind": "tooluse", **tool}


def test_a_miss_comes_with_the_nearest_recordings() -> None:
    scene = filed(converse("Write a poem", "No"), converse("Is it cold in Oslo?", "Yes"))
    scene.send({**authored.ask("Is it cold in Rome?"), "inferenceConfig": {"maxTokens": 5}})
    miss = call(scene, 1)["miss"]
    near = miss["nearest"][0]
    assert (miss["recordings"], [each["file"] for each in miss["nearest"]]) == (
        2,
        ["made/1.yaml", "made/0.yaml"],
    )
    assert near["cassette"] == "made"
    assert near["differences"] == [
        {
            "field": "messages[0].content[0].text",
            "recorded": '"Is it cold in Oslo?"',
            "sent": '"Is it cold in Rome?"',
        },
        {"field": "inferenceConfig", "recorded": None, "sent": '{"maxTokens":5}'},
    ]
    assert near["recorded"]["json"] == authored.ask("Is it cold in Oslo?")


def test_a_recording_that_is_gone_is_still_named() -> None:
    scene = filed(converse("a", "1"))
    scene.send(authored.ask("a"))
    scene.send(authored.ask("b"))
    scene.engine.library = Library(())
    assert call(scene, 1)["recording"] is None
    (near,) = call(scene, 2)["miss"]["nearest"]
    assert (near["file"], near["cassette"], near["recorded"]) == ("made/0.yaml", None, None)


@pytest.mark.parametrize(
    "attempts",
    [[aws("i", 1), aws("i", 2), aws("i", 3)], [stainless(0), stainless(1), stainless(2)]],
)
def test_attempts_of_one_invocation_are_grouped(attempts: list[list[tuple[str, str]]]) -> None:
    scene = Scene(converse("a", "1"))
    scene.add_fault(Refuse(Failure("ThrottlingException")), Schedule(times=2, every=2))
    for at, headers in enumerate(attempts):
        scene.send(authored.ask("a"), at=float(2 * at), headers=headers)
        scene.send(authored.ask("else"), at=2 * at + 1.0)
    for number in (1, 3, 5):
        group = call(scene, number)["attempts"]
        assert [(each["number"], each["attempt"], each["status"]) for each in group] == [
            (1, 1, 429),
            (3, 2, 429),
            (5, 3, 200),
        ]
    assert [each["number"] for each in call(scene, 2)["attempts"]] == [2]


def test_a_stream_is_told_event_by_event() -> None:
    scene = Scene(stream("a", ["1", "2"], at_ms=[0, 10, 30, 31, 32], after_ms=7))
    scene.send(authored.ask("a"), operation="converse-stream", sent=3, complete=False)
    answer = call(scene, 1)["answer"]
    assert [(each["at_ms"], each["sent"]) for each in answer["events"]] == [
        *((0, True), (10, True), (30, True), (31, False), (32, False))
    ]
    assert (answer["after_ms"], answer["streamed"], answer["body"]) == (7, True, None)
    assert json.loads(answer["events"][1]["payload"])["delta"] == {"text": "1"}


def test_the_chunks_of_invoke_model_are_opened() -> None:
    scene = Scene(authored.invoke_stream(CLAUDE, "a", ["1"]))
    scene.send(
        authored.say("a"), url=f"/model/{CLAUDE.replace(':', '%3A')}/invoke-with-response-stream"
    )
    events = call(scene, 1)["answer"]["events"]
    assert {each["kind"] for each in events} == {"chunk"}
    assert [json.loads(each["payload"])["type"] for each in events][-1] == "message_stop"


def test_a_long_stream_is_cut_and_says_so() -> None:
    scene = Scene(stream("a", ["x"] * 3000))
    scene.send(authored.ask("a"), operation="converse-stream")
    answer = call(scene, 1)["answer"]
    assert (len(answer["events"]), answer["more_events"]) == (2000, 1003)


@settings(max_examples=examples(100))
@given(st.binary(), st.sampled_from(["converse", "converse-stream", "invoke"]))
def test_whatever_is_sent_can_be_shown(body: bytes, operation: str) -> None:
    scene = Scene(converse("a", "1"))
    scene.send(body, operation=operation, headers=[("user-agent", "ü")])
    assert call(scene, 1)["call"]["number"] == 1
    assert [data["number"] for name, data in collect(Gate(scene.engine)) if name == "ended"] == [1]


@pytest.mark.slow
@corpus.needs_corpus
@pytest.mark.corpus
def test_every_real_exchange_can_be_shown() -> None:
    """And the events of every real stream have the types that botocore's
    decoder finds in the bytes.
    """
    scene, streams = Scene(), 0
    for number, exchange in enumerate(corpus.every(), 1):
        interaction = exchange.interaction()
        head = Head.of(
            tuple((n.lower().encode("latin-1"), v.encode()) for n, v in exchange.request_headers)
        )
        request = Call(
            "default", exchange.method, exchange.path, head, exchange.request_body, number
        )
        reply = build_reply(interaction, b"", 0)
        outcome = Outcome(
            Answer(request, reply, "cassette", "f", interaction.response), BEGAN, 0.0, True, 1
        )
        shown: Any = render_detail(Record(outcome), scene.session, scene.engine.library)
        json.dumps(shown, allow_nan=False).encode()
        if (
            shown["answer"]["events"]
            and header(reply, "content-type") == "application/vnd.amazon.eventstream"
        ):
            buffer = EventStreamBuffer()
            for piece in reply.pieces:
                buffer.add_data(piece.data)
            kinds = [
                m.headers.get(":event-type") or m.headers.get(":exception-type") for m in buffer
            ]
            assert [each["kind"] for each in shown["answer"]["events"]] == kinds[:2000]
            streams += 1
    assert streams > 100


def test_every_shortcut_is_on_the_page_and_in_the_docs() -> None:
    shown = set(re.findall(r"<kbd>(.+?)</kbd>", FILES["index.html"]))
    (docs,) = re.findall(
        r"## Keys\n(.+?)\n\n[A-Z]",
        (ROOT / "docs" / "reference" / "inspector.md").read_text(),
        re.DOTALL,
    )
    assert set(re.findall(r"`(.+?)`", docs)) == shown
    (keys,) = re.findall(r"const KEYS = \{(.+?)\n\};", FILES["app.js"], re.DOTALL)
    assert set(re.findall(r'^  "?(.)"?: ', keys, re.MULTILINE)) <= shown
    assert len(shown) > 10


# -- calls that run --------------------------------------------------------------------------------


def test_a_stream_that_hangs_has_its_own_times(tmp_path: Path) -> None:
    folders.write(
        tmp_path, Cassette("it", (stream("Tell a story", ["It was", " a dark", " night."]),))
    )
    with Replayer(tmp_path) as bedrock:
        bedrock.fault(stall={"after_events": 3})
        connection = HTTPConnection("127.0.0.1", bedrock.port)
        connection.request("POST", path_of("converse-stream"), prompt("Tell a story"))
        answer = connection.getresponse()
        assert answer.read(10)
        answer.close()
        connection.close()
        until(lambda: len(bedrock.calls) == 1)
        (ended,) = bedrock.calls
        assert ended.hung_up
        with urlopen(f"{bedrock.url}{CALL}") as told:
            events = json.load(told)["answer"]["events"]
        times = [event["sent_ms"] for event in events]
        assert times[:3] == sorted(times[:3])
        assert times[3:] == [None] * (len(events) - 3)
        assert len(events) > 3
